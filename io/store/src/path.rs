//! One store path: its folders, its threads, its free space.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::StoreError;
use crate::plain::Plain;
use crate::pool::Pool;

/// Our own folder under `data/`. The original never looks there: its names begin with two hex digits.
pub(crate) const OWN_DIR: &str = ".cairn";

/// How old the answer of the file system about free space may be.
const USAGE_AGE_MAX: Duration = Duration::from_secs(1);

/// Space on the disk of a store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All of it, bytes.
    pub total: u64,
    /// What may still be written by us, bytes.
    pub free: u64,
    /// Announced by uploads that are under way, bytes.
    pub promised: u64,
}

/// The folders of a store path, locked against other processes as long as this lives.
pub(crate) struct Files {
    pub(crate) data: PathBuf,
    /// `data/`, for opening relative to it.
    pub(crate) data_fd: OwnedFd,
    pub(crate) temp_dir: PathBuf,
    pub(crate) journal_dir: PathBuf,
    _lock: File,
}

impl Files {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { path: root.to_owned(), reason };
        let data = root.join("data");
        let own = data.join(OWN_DIR);
        let (temp_dir, journal_dir) = (own.join("tmp"), own.join("journal"));
        for dir in [&temp_dir, &journal_dir] {
            fs::create_dir_all(dir)
                .map_err(|error| unusable(format!("cannot create {}: {error}", dir.display())))?;
        }
        let lock = File::options().write(true).create(true).truncate(false).open(own.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| unusable("another storage process is using this store path".into()))?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let data_fd = rustix::fs::open(&data, flags, Mode::empty())?;
        Ok(Self { data, data_fd, temp_dir, journal_dir, _lock: lock })
    }

    /// The files in the original's layout.
    pub(crate) fn plain(&self) -> Plain<'_> {
        Plain { data: self.data_fd.as_fd(), temp_dir: &self.temp_dir }
    }
}

/// One store path, open.
pub(crate) struct StorePath {
    pub(crate) files: Arc<Files>,
    pub(crate) pool: Pool,
    next_temp: AtomicU64,
    promised: AtomicU64,
    usage: Mutex<Option<(Instant, Usage)>>,
}

impl StorePath {
    pub(crate) fn new(files: Arc<Files>, index: usize) -> io::Result<Self> {
        Ok(Self {
            files,
            pool: Pool::start(&format!("store-path-{index}"))?,
            next_temp: AtomicU64::new(1),
            promised: AtomicU64::new(0),
            usage: Mutex::new(None),
        })
    }

    pub(crate) fn new_temp(&self) -> u64 {
        self.next_temp.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn temp_path(&self, number: u64) -> PathBuf {
        temp_path(&self.files.temp_dir, number)
    }

    pub(crate) fn promise(&self, bytes: u64) {
        self.promised.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn keep_promise(&self, bytes: u64) {
        self.promised.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Space on the disk, at most a second old; what was written since is not counted yet, what is promised is.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let mut cached = self.usage.lock();
        let promised = self.promised.load(Ordering::Relaxed);
        if let Some((at, usage)) = *cached
            && at.elapsed() < USAGE_AGE_MAX
        {
            return Ok(Usage { promised, ..usage });
        }
        let stat = rustix::fs::fstatvfs(&self.files.data_fd)?;
        let usage =
            Usage { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize, promised };
        *cached = Some((Instant::now(), usage));
        Ok(usage)
    }
}

pub(crate) fn temp_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(number.to_string())
}
