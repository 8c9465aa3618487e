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

/// Pieces that each store path may hold however many there are; twice as many as it has threads to write them.
const CHUNKS_OF_PATH_MIN: usize = 8;

/// Buffers for content on its way to one store path, so that a slow disk does not hold those of another. A connection
/// holds one only while bytes are there to be written, never while it waits for its peer.
pub(crate) struct Chunks {
    room: Semaphore,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Chunks {
    /// Those of each of `paths` store paths.
    pub(crate) fn new(paths: usize) -> Vec<Self> {
        let each = (CHUNKS_MAX / paths.max(1)).max(CHUNKS_OF_PATH_MIN);
        (0..paths).map(|_| Self { room: Semaphore::new(each), free: Mutex::new(Vec::new()) }).collect()
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
    let Some(chunks) = server.chunks.get(usize::from(path.0)) else {
        return refused(StoreError::NoSuchPath, len);
    };
    let mut staged = match server.store.stage(path, len).await {
        Ok(staged) => staged,
        Err(error) => return refused(error, len),
    };
    let mut left = len;
    while left > 0 {
        conn.arrived().await?;
        let (_permit, mut chunk) = chunks.take().await?;
        loop {
            match conn.take_arrived(left, &mut chunk)? {
                0 => break,
                n => left -= n as u64,
            }
        }
        match staged.write(chunk).await {
            Ok(chunk) => chunks.give_back(chunk),
            Err(error) => return refused(error, left),
        }
    }
    Ok(Ok(Taken::Staged(staged)))
}
