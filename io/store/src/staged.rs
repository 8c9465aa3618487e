//! Content too large for the journal, on its way into the store.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};

use crate::StoreError;
use crate::path::StorePath;
use crate::pool::Closing;
use crate::space::Promise;

/// A temporary file of a store path that takes content as it arrives. Dropped without being committed it
/// goes away, and its promise of space with it.
pub struct Staged {
    path: Arc<StorePath>,
    file: Arc<File>,
    number: u64,
    len: u64,
    promise: Promise,
    crc: crc32fast::Hasher,
    forgotten: bool,
    /// Goes behind `file`.
    _closing: Closing,
}

impl Staged {
    pub(crate) async fn create(path: Arc<StorePath>, promised: u64) -> Result<Self, StoreError> {
        let promise = path.space.promise(promised, &path.pool).await?;
        let number = path.new_temp();
        let temp = path.temp_path(number);
        let open = move || {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
            Ok(File::from(rustix::fs::open(temp, flags, Mode::from_raw_mode(0o644))?))
        };
        let file = Arc::new(path.pool.run(open).await?);
        let closing = Closing::new(&file, &path.pool);
        let crc = crc32fast::Hasher::new();
        Ok(Self { path, file, number, len: 0, promise, crc, forgotten: false, _closing: closing })
    }

    /// Adds bytes at the end, and gives the buffer back.
    ///
    /// # Errors
    /// What writing says; a full disk is [`StoreError::NoSpace`].
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let (file, at, mut crc) = (Arc::clone(&self.file), self.len, self.crc.clone());
        let write = move || {
            crc.update(&bytes);
            file.write_all_at(&bytes, at)?;
            Ok((bytes, crc))
        };
        let (bytes, crc) = self.path.pool.run(write).await?;
        self.len += bytes.len() as u64;
        self.promise.keep(bytes.len() as u64);
        self.crc = crc;
        Ok(bytes)
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// CRC-32 of the bytes so far.
    pub fn crc32(&self) -> u32 {
        self.crc.clone().finalize()
    }

    /// All of the content, in memory.
    pub(crate) async fn into_bytes(self) -> Result<Bytes, StoreError> {
        let (file, len) = (Arc::clone(&self.file), self.len);
        let read = move || {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut bytes, 0).map_err(StoreError::Io)?;
            Ok(bytes.into())
        };
        self.path.pool.run(read).await
    }

    /// Makes the content durable.
    pub(crate) async fn sync(&self) -> Result<(), StoreError> {
        let file = Arc::clone(&self.file);
        self.path.pool.run(move || Ok(file.sync_data()?)).await
    }

    pub(crate) fn is_on(&self, path: &Arc<StorePath>) -> bool {
        Arc::ptr_eq(&self.path, path)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn temp_path(&self) -> PathBuf {
        self.path.temp_path(self.number)
    }

    /// The temporary file has its final name, or somebody else removes it.
    pub(crate) fn forget(mut self) {
        self.forgotten = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.forgotten {
            let temp = self.temp_path();
            self.path.pool.run_later(move || {
                if let Err(error) = std::fs::remove_file(&temp) {
                    tracing::warn!(%error, temp = %temp.display(), "cannot remove a temporary file");
                }
            });
        }
    }
}
