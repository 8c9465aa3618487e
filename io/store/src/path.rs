//! One store path: its folders and its threads.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fdfs_format::journal::Change;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::StoreError;
use crate::changes::Changes;
use crate::disks::Disks;
use crate::memory::Memory;
use crate::pack::Packs;
use crate::plain::{Plain, Turn};
use crate::pool::Pool;
use crate::quarantine::Quarantine;
use crate::space::Space;
use crate::trunk::Trunk;

/// Our own folder under `data/`. The original never looks there: its names begin with two hex digits.
pub(crate) const OWN_DIR: &str = ".cairn";

/// The folder of the packs in it.
pub(crate) const PACK_DIR: &str = "packs";

/// The folder of bad copies in it.
pub(crate) const QUARANTINE_DIR: &str = "quarantine";

/// The folders of a store path, locked against other processes as long as this lives.
pub(crate) struct Files {
    pub(crate) data: PathBuf,
    /// `data/`, for opening relative to it.
    pub(crate) data_fd: OwnedFd,
    pub(crate) disks: Arc<Disks>,
    pub(crate) changes: Changes,
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
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            unusable("another storage process is using this store path: stop it first".into())
        })?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let data_fd = rustix::fs::open(&data, flags, Mode::empty())?;
        let disks = Arc::new(Disks::new(data_fd.as_fd(), rustix::fs::stat(&journal_dir)?.st_dev)?);
        let quarantine = Quarantine::open(own.join(QUARANTINE_DIR))?;
        let trunk = Trunk::new();
        Ok(Self {
            data,
            data_fd,
            disks,
            changes: Changes::default(),
            temp_dir,
            journal_dir,
            pack_dir,
            trunk,
            quarantine,
            _lock: lock,
        })
    }

    /// The files in the original's layout.
    pub(crate) fn plain(&self) -> Plain<'_> {
        Plain { data: self.data_fd.as_fd(), temp_dir: &self.temp_dir, follows: true }
    }

    /// Does a change to the files, see [`Plain::apply`]; on whatever file system it is, that will be synced.
    pub(crate) fn apply(&self, change: &Change<'_>, mtime: u32, turn: Turn) -> io::Result<()> {
        self.note(change)?;
        let applied = self.plain().apply(change, mtime, turn);
        let (name, other) = names_of(change);
        std::iter::once(name).chain(other).for_each(|name| self.changes.add(name));
        applied
    }

    /// Sees to it that the file systems that a change is done on are synced.
    pub(crate) fn note(&self, change: &Change<'_>) -> io::Result<()> {
        if let Change::Note { .. } = change {
            return Ok(());
        }
        let (name, other) = names_of(change);
        std::iter::once(name).chain(other).try_for_each(|name| self.disks.note(self.data_fd.as_fd(), name))
    }
}

/// One store path, open.
pub(crate) struct StorePath {
    pub(crate) files: Arc<Files>,
    pub(crate) packs: Arc<Packs>,
    pub(crate) pool: Pool,
    pub(crate) space: Arc<Space>,
    pub(crate) memory: Arc<Memory>,
    next_temp: AtomicU64,
}

impl StorePath {
    pub(crate) fn new(
        files: Arc<Files>,
        packs: Arc<Packs>,
        memory: Arc<Memory>,
        index: usize,
    ) -> io::Result<Self> {
        let space = Arc::new(Space::new(files.data_fd.try_clone()?)?);
        let pool = Pool::start(&format!("store-path-{index}"))?;
        Ok(Self { files, packs, pool, space, memory, next_temp: AtomicU64::new(1) })
    }

    pub(crate) fn new_temp(&self) -> u64 {
        self.next_temp.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn temp_path(&self, number: u64) -> PathBuf {
        temp_path(&self.files.temp_dir, number)
    }
}

/// The name that a change is about, of a move the one before; and the one after.
pub(crate) fn names_of<'a>(change: &Change<'a>) -> (&'a [u8], Option<&'a [u8]>) {
    match *change {
        Change::Create { name, .. }
        | Change::Adopt { name, .. }
        | Change::Replace { name, .. }
        | Change::Write { name, .. }
        | Change::Splice { name, .. }
        | Change::Truncate { name, .. }
        | Change::Delete { name }
        | Change::Fill { name, .. }
        | Change::FillStaged { name, .. }
        | Change::Empty { name }
        | Change::Note { name } => (name, None),
        Change::Move { from, to } => (from, Some(to)),
    }
}

pub(crate) fn temp_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(number.to_string())
}
