//! A part of a stored file behind a head, out through a connection: small ones in one piece, larger ones with `sendfile`.
//!
//! Will never know: what the head says.

use net::{Conn, ConnError, SCRATCH_LEN, with_scratch};
use store::{StoreError, StoredFile};

/// Up to this length head and content go out together through one buffer; measured against `sendfile`, which wins
/// beyond it. (At this length it is as fast for plain files and a tenth slower for packed ones, which do not begin on a page.)
const SMALL_LEN: u64 = 64 * 1024;

/// What is brought into the page cache at a time before it is sent.
const WARM_STEP: u64 = 1 << 20;

/// Why a file did not go out.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The content can't be read. Nothing went out: there may be another answer.
    #[error(transparent)]
    Unread(StoreError),
    /// The content can't be read to its end, which was promised: only closing the connection tells the peer.
    #[error(transparent)]
    BrokenOff(StoreError),
    /// The peer can't be written to.
    #[error(transparent)]
    Conn(#[from] ConnError),
}

/// Sends a head, and behind it `len` bytes of the content from `at` on.
///
/// # Errors
/// [`SendError`]; but for `Unread` the connection is to be closed.
pub async fn send(
    conn: &mut Conn,
    head: &[u8],
    file: &StoredFile,
    at: u64,
    len: u64,
) -> Result<(), SendError> {
    if len <= SMALL_LEN && head.len() as u64 + len <= SCRATCH_LEN as u64 {
        send_small(conn, head, file, at, len as usize).await
    } else {
        send_large(conn, head, file, at, len).await
    }
}

/// At once, when the content is in the page cache and the socket has room.
async fn send_small(
    conn: &mut Conn,
    head: &[u8],
    file: &StoredFile,
    at: u64,
    len: usize,
) -> Result<(), SendError> {
    let rest = with_scratch(|scratch| {
        let message = scratch.get_mut(..head.len() + len).unwrap_or_default();
        let (place, content) = message.split_at_mut(head.len());
        if !file.read_cached(content, at) {
            return Ok(None);
        }
        place.copy_from_slice(head);
        let sent = conn.try_write(message)?;
        Ok::<_, ConnError>(Some(message.get(sent..).unwrap_or_default().to_vec()))
    })?;
    match rest {
        Some(rest) => conn.write(&rest).await?,
        None => {
            let content = file.read(at, len).await.map_err(SendError::Unread)?;
            conn.write_pair(head, &content).await?;
        }
    }
    Ok(())
}

async fn send_large(
    conn: &mut Conn,
    head: &[u8],
    file: &StoredFile,
    at: u64,
    len: u64,
) -> Result<(), SendError> {
    let (mut done, mut warm) = (0, 0);
    while done < len {
        let unread = |error| if done == 0 { SendError::Unread(error) } else { SendError::BrokenOff(error) };
        let step = WARM_STEP.min(len - done);
        if file.may_be_reused() {
            // What `sendfile` takes may be another file's by then.
            let content = file.read(at + done, usize::try_from(step).unwrap_or(usize::MAX)).await;
            let content = content.map_err(unread)?;
            conn.write_pair(if done == 0 { head } else { &[] }, &content).await?;
            done += step;
            continue;
        }
        if done >= warm {
            file.warm(at + done, step).await.map_err(unread)?;
            warm = done + step;
            if done == 0 {
                conn.write_head(head).await?;
            }
        }
        match conn.send_file(&file.file, file.offset + at + done, warm - done)? {
            0 => conn.writable().await?,
            n => done += n,
        }
    }
    Ok(())
}
