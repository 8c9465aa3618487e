//! One store path: its folders, its journal, its free space.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::StoreError;
use crate::journal::Journal;

/// Our own folder under `data/`. The original never looks there: its names begin with two hex digits.
pub(crate) const OWN_DIR: &str = ".cairn";

/// Changes and reads that may be at work on one store path at the same time. A disk that hangs holds up so
/// many threads and no more.
pub(crate) const WORKERS: usize = 8;

/// How old the answer of the file system about free space may be.
const USAGE_AGE_MAX: Duration = Duration::from_secs(1);

/// A store path as configured.
#[derive(Debug, Clone)]
pub struct PathSettings {
    /// The folder that holds `data/`.
    pub root: PathBuf,
    /// Takes no new files.
    pub read_only: bool,
}

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

/// A place among those that may block on one disk, until dropped.
#[derive(Debug)]
pub struct Worker(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// One store path, open.
pub(crate) struct StorePath {
    pub(crate) data: PathBuf,
    /// `data/`, for opening relative to it.
    pub(crate) data_fd: OwnedFd,
    pub(crate) temp_dir: PathBuf,
    next_temp: AtomicU64,
    pub(crate) journal: Journal,
    workers: Arc<Semaphore>,
    promised: AtomicU64,
    usage: Mutex<Option<(Instant, Usage)>>,
    /// Keeps other processes out as long as it is open.
    _lock: File,
}

/// The folders of a store path, before its journal is open.
pub(crate) struct Folders {
    pub(crate) root: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) data_fd: OwnedFd,
    pub(crate) temp_dir: PathBuf,
    pub(crate) journal_dir: PathBuf,
    lock: File,
}

impl Folders {
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
        Ok(Self { root: root.to_owned(), data, data_fd, temp_dir, journal_dir, lock })
    }
}

impl StorePath {
    pub(crate) fn new(folders: Folders, journal: Journal, next_temp: u64) -> Self {
        Self {
            data: folders.data,
            data_fd: folders.data_fd,
            temp_dir: folders.temp_dir,
            next_temp: AtomicU64::new(next_temp),
            journal,
            workers: Arc::new(Semaphore::new(WORKERS)),
            promised: AtomicU64::new(0),
            usage: Mutex::new(None),
            _lock: folders.lock,
        }
    }

    /// A place among those that may block on this disk.
    pub(crate) async fn worker(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.workers.acquire().await.map_err(|_| StoreError::Journal("the store is closed".into()))
    }

    /// The same, for who can't borrow this path for so long.
    pub(crate) async fn worker_owned(&self) -> Result<Worker, StoreError> {
        let permit = Arc::clone(&self.workers).acquire_owned().await;
        permit.map(Worker).map_err(|_| StoreError::Journal("the store is closed".into()))
    }

    pub(crate) fn new_temp(&self) -> u64 {
        self.next_temp.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn temp_path(&self, number: u64) -> PathBuf {
        temp_path(&self.temp_dir, number)
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
        let stat = rustix::fs::fstatvfs(&self.data_fd)?;
        let usage =
            Usage { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize, promised };
        *cached = Some((Instant::now(), usage));
        Ok(usage)
    }
}

pub(crate) fn temp_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(number.to_string())
}
