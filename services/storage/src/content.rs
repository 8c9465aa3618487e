//! Taking the content of a request: small content into memory, larger content into a staged file.

use fdfs_fileid::StorePathIndex;
use fdfs_proto::Status;
use net::{Body, Conn, ConnError};
use store::{Content, Staged, StoreError};

use crate::answer;
use crate::server::Server;

/// Content that has arrived as a whole: in memory, or staged on its disk.
#[derive(Default)]
pub(crate) struct Taken {
    bytes: Body,
    staged: Option<Staged>,
}

impl Taken {
    /// Content staged on its disk.
    pub(crate) fn staged(staged: Staged) -> Self {
        Self { bytes: Body::default(), staged: Some(staged) }
    }

    /// CRC-32 of the content.
    pub(crate) fn crc32(&self) -> u32 {
        self.staged.as_ref().map_or_else(|| crc32fast::hash(self.bytes.as_ref()), Staged::crc32)
    }

    /// As the store takes it, once.
    pub(crate) fn content(&mut self) -> Content<'_> {
        match self.staged.take() {
            Some(staged) => Content::Staged(staged),
            None => Content::Bytes(self.bytes.as_ref()),
        }
    }
}

/// A refusal with what is unread of the request.
pub(crate) struct Refused {
    pub(crate) status: Status,
    pub(crate) unread: u64,
}

/// Takes `len` bytes of content meant for `path`.
///
/// # Errors
/// The outer is about the connection; the inner says why the store does not take it.
pub(crate) async fn take(
    server: &Server,
    conn: &mut Conn,
    path: StorePathIndex,
    len: u64,
) -> Result<Result<Taken, Refused>, ConnError> {
    let refused = |error: StoreError, unread| Ok(Err(Refused { status: answer::status(&error), unread }));
    if let Ok(small) = usize::try_from(len)
        && small <= server.store.inline_max()
    {
        return Ok(Ok(Taken { bytes: conn.read_owned(small).await?, staged: None }));
    }
    let mut staged = match server.store.stage(path, len).await {
        Ok(staged) => staged,
        Err(error) => return refused(error, len),
    };
    let mut left = len;
    while left > 0 {
        conn.arrived().await?;
        let _worker = match staged.worker().await {
            Ok(worker) => worker,
            Err(error) => return refused(error, left),
        };
        while left > 0 {
            match conn.take_chunk(left, |chunk| staged.write(chunk))? {
                None => break,
                Some((n, Ok(()))) => left -= n,
                Some((n, Err(error))) => return refused(error, left - n),
            }
        }
    }
    Ok(Ok(Taken::staged(staged)))
}
