//! Content too large for the journal, on its way into the store.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::StoreError;
use crate::path::{StorePath, Worker};

/// A temporary file of a store path that takes content as it arrives. Dropped without being committed it
/// goes away, and its promise of space with it.
pub struct Staged {
    path: Arc<StorePath>,
    file: File,
    number: u64,
    len: u64,
    promised: u64,
    crc: crc32fast::Hasher,
    committed: bool,
}

impl Staged {
    pub(crate) fn create(path: Arc<StorePath>, promised: u64) -> Result<Self, StoreError> {
        let number = path.new_temp();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path.temp_path(number), flags, Mode::from_raw_mode(0o644))?);
        path.promise(promised);
        Ok(Self { path, file, number, len: 0, promised, crc: crc32fast::Hasher::new(), committed: false })
    }

    /// Adds bytes at the end. Blocks for a write to the page cache.
    ///
    /// # Errors
    /// What writing says; a full disk is [`StoreError::NoSpace`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        self.crc.update(bytes);
        Ok(())
    }

    /// A place among those that may block on the disk of this file; to be held around [`Staged::write`].
    ///
    /// # Errors
    /// When the store is closed.
    pub async fn worker(&self) -> Result<Worker, StoreError> {
        self.path.worker_owned().await
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

    pub(crate) fn path(&self) -> &Arc<StorePath> {
        &self.path
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

    /// Makes the content durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The temporary file is somebody else's now, or gone.
    pub(crate) fn committed(mut self) {
        self.committed = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.path.keep_promise(self.promised);
        if !self.committed
            && let Err(error) = std::fs::remove_file(self.temp_path())
        {
            tracing::warn!(%error, temp = %self.temp_path().display(), "cannot remove a temporary file");
        }
    }
}
