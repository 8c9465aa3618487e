//! Taking the content of a request: small content into memory, larger content into a staged file.

use bytes::Bytes;
use fdfs_fileid::StorePathIndex;
use fdfs_proto::Status;
use net::{Conn, ConnError};
use parking_lot::Mutex;
use store::{Content, Staged, StoreError};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::answer;
use crate::server::Server;

/// Largest piece of content on its way to a staged file.
const CHUNK_LEN: usize = 256 * 1024;

/// Pieces that are held at one time, of all connections together.
const CHUNKS_MAX: usize = 64;

/// Buffers for content on its way. A connection holds one only while bytes are there to be written, never
/// while it waits for its peer.
pub(crate) struct Chunks {
    room: Semaphore,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { room: Semaphore::new(CHUNKS_MAX), free: Mutex::new(Vec::new()) }
    }

    /// An empty buffer, and the right to hold it.
    async fn take(&self) -> Result<(SemaphorePermit<'_>, Vec<u8>), ConnError> {
        let permit = self.room.acquire().await.map_err(|_| ConnError::Stopping)?;
        let buffer = self.free.lock().pop().unwrap_or_else(|| Vec::with_capacity(CHUNK_LEN));
        Ok((permit, buffer))
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.free.lock().push(buffer);
    }
}

/// Content that has arrived as a whole.
pub(crate) enum Taken {
    Bytes(Bytes),
    Staged(Staged),
}

impl Taken {
    /// CRC-32 of the content.
    pub(crate) fn crc32(&self) -> u32 {
        match self {
            Self::Bytes(bytes) => crc32fast::hash(bytes),
            Self::Staged(staged) => staged.crc32(),
        }
    }
}

impl From<Taken> for Content {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Bytes(bytes) => Self::Bytes(bytes),
            Taken::Staged(staged) => Self::Staged(staged),
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
        return Ok(Ok(Taken::Bytes(conn.read_owned(small).await?)));
    }
    let mut staged = match server.store.stage(path, len).await {
        Ok(staged) => staged,
        Err(error) => return refused(error, len),
    };
    let mut left = len;
    while left > 0 {
        conn.arrived().await?;
        let (_permit, mut chunk) = server.chunks.take().await?;
        loop {
            match conn.take_arrived(left, &mut chunk)? {
                0 => break,
                n => left -= n as u64,
            }
        }
        match staged.write(chunk).await {
            Ok(chunk) => server.chunks.give_back(chunk),
            Err(error) => return refused(error, left),
        }
    }
    Ok(Ok(Taken::Staged(staged)))
}
