//! A file of the store, open for reading.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::io::{ReadWriteFlags, preadv2};

use crate::StoreError;
use crate::mutation::Seen;
use crate::path::StorePath;
use crate::plain::{is_regular, seen};

/// How far apart the bytes are that are looked at to see whether a part is in the page cache.
const PROBE_STEP: u64 = 64 * 1024;

/// What is read at a time when a whole file is looked at, so that no thread of the disk is held for long.
const CHECK_STEP: usize = 4 << 20;

/// A file, open for reading: `len` bytes of `file` from `offset`.
pub struct StoredFile {
    /// The descriptor, which may hold more than this file.
    pub file: Arc<File>,
    /// Where the content begins in it.
    pub offset: u64,
    /// Length of the content, bytes.
    pub len: u64,
    /// Last change, unix seconds.
    pub mtime: i64,
    seen: Seen,
    home: Arc<StorePath>,
}

impl StoredFile {
    pub(crate) fn new(file: File, home: &Arc<StorePath>) -> Result<Self, StoreError> {
        let stat = rustix::fs::fstat(&file)?;
        if !is_regular(&stat) {
            return Err(StoreError::NotRegular);
        }
        Ok(Self {
            file: Arc::new(file),
            offset: 0,
            len: stat.st_size.unsigned_abs(),
            mtime: stat.st_mtime,
            seen: seen(&stat),
            home: Arc::clone(home),
        })
    }

    /// A part of this content.
    #[must_use]
    pub fn part(self, at: u64, len: u64) -> Self {
        Self { offset: self.offset + at, len, ..self }
    }

    /// How the file was when it was opened.
    pub(crate) fn seen(&self) -> Seen {
        self.seen
    }

    /// Fills `buffer` from `at` bytes into the content if that can be done without waiting for the disk.
    pub fn read_cached(&self, buffer: &mut [u8], at: u64) -> bool {
        let want = buffer.len();
        let mut parts = [IoSliceMut::new(buffer)];
        preadv2(&self.file, &mut parts, self.offset + at, ReadWriteFlags::NOWAIT) == Ok(want)
    }

    /// Reads `len` bytes from `at` bytes into the content.
    ///
    /// # Errors
    /// What reading says; also when the file ends early.
    pub async fn read(&self, at: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let (file, at) = (Arc::clone(&self.file), self.offset + at);
        let read = move || {
            let mut buffer = vec![0; len];
            file.read_exact_at(&mut buffer, at).map_err(StoreError::Io)?;
            Ok(buffer)
        };
        self.home.pool.run(read).await
    }

    /// Sees to it that a part is in the page cache, so that sending it does not wait for the disk.
    ///
    /// # Errors
    /// What reading says.
    pub async fn warm(&self, at: u64, len: u64) -> Result<(), StoreError> {
        let mut byte = [0];
        let mut probes = (at..at + len).step_by(PROBE_STEP as usize).chain((at + len).checked_sub(1));
        if probes.all(|probe| self.read_cached(&mut byte, probe)) {
            return Ok(());
        }
        let (file, from, end) = (Arc::clone(&self.file), self.offset + at, self.offset + at + len);
        let read = move || {
            let mut buffer = vec![0; PROBE_STEP as usize];
            let mut at = from;
            while at < end {
                let room = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
                let n =
                    file.read_at(buffer.get_mut(..room).unwrap_or_default(), at).map_err(StoreError::Io)?;
                if n == 0 {
                    break;
                }
                at += n as u64;
            }
            Ok(())
        };
        self.home.pool.run(read).await
    }

    /// CRC-32 of the content, read whole.
    ///
    /// # Errors
    /// What reading says.
    pub async fn crc32(&self) -> Result<u32, StoreError> {
        let mut crc = crc32fast::Hasher::new();
        let mut at = 0;
        while at < self.len {
            let len = CHECK_STEP.min(usize::try_from(self.len - at).unwrap_or(usize::MAX));
            let (file, from) = (Arc::clone(&self.file), self.offset + at);
            let step = move || {
                let mut buffer = vec![0; len];
                file.read_exact_at(&mut buffer, from).map_err(StoreError::Io)?;
                crc.update(&buffer);
                Ok(crc)
            };
            crc = self.home.pool.run(step).await?;
            at += len as u64;
        }
        Ok(crc.finalize())
    }
}
