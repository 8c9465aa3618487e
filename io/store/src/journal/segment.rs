//! Segment files: creating, writing at the end, reading back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use fdfs_format::journal::{BLOCK_LEN, SegmentHeader};
use rustix::fs::{FallocateFlags, Mode, OFlags};

/// Extension of segment files.
const EXTENSION: &str = "journal";

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    /// Where the next batch goes.
    pub(super) end: u64,
    pub(super) outstanding: Arc<Outstanding>,
}

impl Segment {
    /// Creates a segment of `len` bytes in `dir`, or makes one of `spare`.
    ///
    /// The header goes to disk with the first batch: a segment whose header is missing has no batch that
    /// anybody was told of.
    pub(super) fn start(
        dir: &Path,
        len: u64,
        header: SegmentHeader,
        spare: Option<PathBuf>,
    ) -> io::Result<Self> {
        let (file, path) = match spare {
            Some(path) => (File::options().read(true).write(true).open(&path)?, path),
            None => Self::create(dir, len, header.number)?,
        };
        file.write_all_at(&header.encode(), 0)?;
        let outstanding = Arc::new(Outstanding::default());
        Ok(Self { file, path, number: header.number, end: BLOCK_LEN as u64, outstanding })
    }

    fn create(dir: &Path, len: u64, number: u64) -> io::Result<(File, PathBuf)> {
        let path = dir.join(format!("{number:012}.{EXTENSION}"));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600))?);
        let room = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len);
        if let Err(error) = room
            && error != rustix::io::Errno::OPNOTSUPP
        {
            let _ = std::fs::remove_file(&path);
            return Err(error.into());
        }
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok((file, path))
    }
}

/// The segment files of a folder, in no particular order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Counts the changes of a segment that are certain but not yet done to files and binlog.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    count: Mutex<u64>,
    none: Condvar,
    temps: Mutex<Vec<PathBuf>>,
}

impl Outstanding {
    pub(super) fn add(&self, n: u64) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += n;
    }

    pub(super) fn done(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.none.notify_all();
        }
    }

    pub(super) fn remove_later(&self, temp: PathBuf) {
        self.temps.lock().unwrap_or_else(PoisonError::into_inner).push(temp);
    }

    /// The temporary files that nobody needs once the segment is checkpointed.
    pub(super) fn take_temps(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *self.temps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Blocks until all are done.
    pub(super) fn wait(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count > 0 {
            count = self.none.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
