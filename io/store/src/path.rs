//! One store path: its folders, its threads, its free space.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::StoreError;
use crate::pack::Packs;
use crate::plain::Plain;
use crate::pool::Pool;
use crate::quarantine::Quarantine;
use crate::trunk::Trunk;

/// Our own folder under `data/`. The original never looks there: its names begin with two hex digits.
pub(crate) const OWN_DIR: &str = ".cairn";

/// The folder of the packs in it.
pub(crate) const PACK_DIR: &str = "packs";

/// The folder of bad copies in it.
pub(crate) const QUARANTINE_DIR: &str = "quarantine";

/// Space on the disk of a store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All of it, bytes.
    pub total: u64,
    /// What may still be written by us, bytes.
    pub free: u64,
    /// Announced by uploads that are under way and not yet written, bytes.
    pub promised: u64,
}

/// The folders of a store path, locked against other processes as long as this lives.
pub(crate) struct Files {
    pub(crate) data: PathBuf,
    /// `data/`, for opening relative to it.
    pub(crate) data_fd: OwnedFd,
    pub(crate) temp_dir: PathBuf,
    pub(crate) journal_dir: PathBuf,
    pub(crate) pack_dir: PathBuf,
    pub(crate) trunk: Trunk,
    pub(crate) quarantine: Quarantine,
    _lock: File,
}

impl Files {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { path: root.to_owned(), reason };
        let data = root.join("data");
        let own = data.join(OWN_DIR);
        let (temp_dir, journal_dir, pack_dir) = (own.join("tmp"), own.join("journal"), own.join(PACK_DIR));
        for dir in [&temp_dir, &journal_dir, &pack_dir] {
            fs::create_dir_all(dir)
                .map_err(|error| unusable(format!("cannot create {}: {error}", dir.display())))?;
        }
        // A sync of a file does not say that the folders above it will be found.
        for dir in [root, &data, &own] {
            File::open(dir)?.sync_all()?;
        }
        let lock = File::options().write(true).create(true).truncate(false).open(own.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| unusable("another storage process is using this store path".into()))?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let data_fd = rustix::fs::open(&data, flags, Mode::empty())?;
        let quarantine = Quarantine::open(own.join(QUARANTINE_DIR))?;
        let trunk = Trunk::new();
        Ok(Self { data, data_fd, temp_dir, journal_dir, pack_dir, trunk, quarantine, _lock: lock })
    }

    /// The files in the original's layout.
    pub(crate) fn plain(&self) -> Plain<'_> {
        Plain { data: self.data_fd.as_fd(), temp_dir: &self.temp_dir }
    }
}

/// One store path, open.
pub(crate) struct StorePath {
    pub(crate) files: Arc<Files>,
    pub(crate) packs: Arc<Packs>,
    pub(crate) pool: Pool,
    next_temp: AtomicU64,
    promised: AtomicU64,
}

impl StorePath {
    pub(crate) fn new(files: Arc<Files>, packs: Arc<Packs>, index: usize) -> io::Result<Self> {
        Ok(Self {
            files,
            packs,
            pool: Pool::start(&format!("store-path-{index}"))?,
            next_temp: AtomicU64::new(1),
            promised: AtomicU64::new(0),
        })
    }

    pub(crate) fn new_temp(&self) -> u64 {
        self.next_temp.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn temp_path(&self, number: u64) -> PathBuf {
        temp_path(&self.files.temp_dir, number)
    }

    /// Promises space to content that is about to come. Of several at once only as many are promised as there is room
    /// for, so that some are stored where otherwise all would run into a full disk.
    pub(crate) fn promise(self: &Arc<Self>, bytes: u64) -> Result<Promise, StoreError> {
        self.promised.fetch_add(bytes, Ordering::Relaxed);
        let promise = Promise { path: Arc::clone(self), bytes };
        let usage = self.usage()?;
        if usage.promised <= usage.free { Ok(promise) } else { Err(StoreError::NoSpace) }
    }

    /// Space on the disk now. It is asked for at every upload, which costs less than a microsecond: an answer kept for
    /// as little as a second would let a burst of uploads through into what is reserved.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let promised = self.promised.load(Ordering::Relaxed);
        let stat = rustix::fs::fstatvfs(&self.files.data_fd)?;
        Ok(Usage { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize, promised })
    }
}

/// Space promised to content that is about to come; what has not come when this goes will not come.
pub(crate) struct Promise {
    path: Arc<StorePath>,
    bytes: u64,
}

impl Promise {
    /// So many more bytes are on the disk.
    pub(crate) fn keep(&mut self, bytes: u64) {
        let kept = bytes.min(self.bytes);
        self.bytes -= kept;
        self.path.promised.fetch_sub(kept, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.keep(self.bytes);
    }
}

pub(crate) fn temp_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(number.to_string())
}
