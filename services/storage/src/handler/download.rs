//! DOWNLOAD_FILE: small answers in one piece, larger ones with `sendfile`.

use fdfs_fileid::FileName;
use fdfs_proto::storage::download::Ask;
use fdfs_proto::{HEADER_LEN, Header};
use net::{Conn, ConnError, with_scratch};
use storage_core::stats::Counter;
use store::{StoreError, StoredFile};

use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::server::Server;

/// Up to this length header and content go out together through one buffer; measured against `sendfile`, which wins
/// beyond it. (At this length it is as fast for plain files and a tenth slower for packed ones, which do not begin on a page.)
const SMALL_LEN: u64 = 64 * 1024;

/// What is brought into the page cache at a time before it is sent.
const WARM_STEP: u64 = 1 << 20;

pub(crate) async fn download(
    server: &Server,
    conn: &mut Conn,
    body: &[u8],
    access: &mut Access,
) -> Result<Done, ConnError> {
    let ask = match Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, 0)),
    };
    let name =
        match (server.name_in(&ask.group, ask.name), super::fetch_binlog::for_member(server, conn, &ask)) {
            (Ok(name), _) | (Err(_), Some(name)) => name,
            (Err(status), None) => return Ok(Done::status(status)),
        };
    access.name(&name);
    let done = match server.store.open_file(&name).await.and_then(|file| part(file, &ask)) {
        Ok(part) if part.len <= SMALL_LEN => send_small(conn, &part).await?,
        Ok(part) => send_large(server, conn, &name, &part).await?,
        Err(error) => Done::status(answer::status(&error)),
    };
    count(server, Counter::DownloadCount, &done);
    server.stats.count(Counter::FileOpenCount, done.status.is_ok());
    let content = done.sent.saturating_sub(HEADER_LEN as u64);
    server.stats.add(Counter::DownloadBytes, content, content);
    Ok(done)
}

/// The part of the file that is asked for: beyond the end is a mistake of the client, too long is cut. The
/// start of an empty file is an empty part, which the original refuses (wire protocol: defects).
fn part(file: StoredFile, ask: &Ask<'_>) -> Result<StoredFile, StoreError> {
    if ask.offset > file.len || (ask.offset == file.len && file.len > 0) {
        return Err(StoreError::Offset);
    }
    let rest = file.len - ask.offset;
    let len = if ask.len == 0 { rest } else { ask.len.min(rest) };
    Ok(file.part(ask.offset, len))
}

/// Sends header and content in one piece: at once, when the content is in the page cache and the socket has
/// room.
async fn send_small(conn: &mut Conn, part: &StoredFile) -> Result<Done, ConnError> {
    let len = HEADER_LEN + part.len as usize;
    let head = Header::reply(part.len).encode();
    let rest = with_scratch(|scratch| {
        let message = scratch.get_mut(..len).unwrap_or_default();
        let (place, content) = message.split_at_mut(HEADER_LEN);
        if !part.read_cached(content, 0) {
            return Ok(None);
        }
        place.copy_from_slice(&head);
        let sent = conn.try_write(message)?;
        Ok::<_, ConnError>(Some(message.get(sent..).unwrap_or_default().to_vec()))
    })?;
    match rest {
        Some(rest) => conn.write(&rest).await?,
        None => match part.read(0, part.len as usize).await {
            Ok(content) => conn.write_pair(&head, &content).await?,
            Err(error) => return Ok(Done::status(answer::status(&error))),
        },
    }
    Ok(Done::sent(len as u64))
}

async fn send_large(
    server: &Server,
    conn: &mut Conn,
    name: &FileName,
    part: &StoredFile,
) -> Result<Done, ConnError> {
    conn.write_head(&Header::reply(part.len).encode()).await?;
    let (mut done, mut warm) = (0, 0);
    while done < part.len {
        if part.may_be_reused() {
            // What `sendfile` takes may be another file's by then.
            let step = usize::try_from(WARM_STEP.min(part.len - done)).unwrap_or(usize::MAX);
            match part.read(done, step).await {
                Ok(content) => conn.write(&content).await?,
                Err(error) => return Err(broken_off(server, name, &error)),
            }
            done += step as u64;
            continue;
        }
        if done >= warm {
            let step = WARM_STEP.min(part.len - done);
            if let Err(error) = part.warm(done, step).await {
                return Err(broken_off(server, name, &error));
            }
            warm = done + step;
        }
        match conn.send_file(&part.file, part.offset + done, warm - done)? {
            0 => conn.writable().await?,
            n => done += n,
        }
    }
    Ok(Done::sent(HEADER_LEN as u64 + part.len))
}

/// The length was promised: only closing tells the peer.
fn broken_off(server: &Server, name: &FileName, error: &StoreError) -> ConnError {
    server.scrub.suspect(name);
    tracing::error!(%name, %error, "a download broke off, the file can't be read");
    ConnError::Truncated
}
