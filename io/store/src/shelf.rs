//! Store paths that another process keeps, FastDFS's or ours: their files are read, and nothing else is done to them.
//!
//! There is no lock between the two, so a file may be on its way in, or go, while it is looked at. One that is not as its
//! name says counts as not there; whoever asks has the storage itself to ask. So it is with packed files, whose index is in
//! the memory of the process that keeps them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fdfs_fileid::FileName;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use crate::look::{Found, look};
use crate::plain::Plain;
use crate::pool::Pool;
use crate::{StoreError, StoredFile, named_content};

/// How `data/` is opened: only to open what is in it.
const DATA_FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The store paths of a storage that is another process. Nothing is written to them, nothing in them is held open but the
/// files that are being read: a disk may come and go.
pub struct Shelf {
    paths: Vec<Home>,
}

/// One store path.
struct Home {
    data: Arc<Path>,
    pool: Pool,
}

impl Shelf {
    /// Takes the folders that hold `data/`, in the order of the store path indexes. Of one that can't be opened a warning
    /// is logged, and no file is found there until it can.
    ///
    /// # Errors
    /// When threads can't be started.
    pub fn open(roots: &[PathBuf]) -> io::Result<Self> {
        let mut paths = Vec::new();
        for (index, root) in roots.iter().enumerate() {
            let data = root.join("data");
            if let Err(error) = open_data(&data) {
                tracing::warn!(path = %data.display(), %error, "a store path can't be read, its files have to come from the storage");
            }
            paths.push(Home { data: data.into(), pool: Pool::start(&format!("shelf-{index}"))? });
        }
        Ok(Self { paths })
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] also for one that is packed, not as long as its name says, or for what no client may have:
    /// metadata and trunk files. [`StoreError::NotRegular`], [`StoreError::NoSuchPath`], or what the file system says.
    pub async fn open_file(&self, name: &FileName) -> Result<StoredFile, StoreError> {
        match self.open_name(name).await? {
            Found::File(file) => Ok(file),
            // One step, as the original makes it: nobody builds chains.
            Found::Link(target) => match self.open_name(&target).await? {
                Found::File(file) => Ok(file),
                Found::Link(_) => Err(StoreError::NotFound),
            },
        }
    }

    async fn open_name(&self, name: &FileName) -> Result<Found, StoreError> {
        let path = self.paths.get(usize::from(name.path_index().0)).ok_or(StoreError::NoSuchPath)?;
        name.check_client().map_err(|_| StoreError::NotFound)?;
        let found = match open_cached(&path.data, name) {
            Some(file) => Found::File(StoredFile::new(file, &path.pool)?),
            None => {
                let (data, wanted) = (Arc::clone(&path.data), name.clone());
                // Nobody tells when a slot is emptied, so no slot is known to be right.
                let open = move || look(&plain(&open_data(&data)?), None, &wanted);
                let kept = path.pool.run(open).await?;
                kept.found(self.paths.iter().map(|path| &*path.data), &path.pool)?
            }
        };
        match (&found, named_content(name)) {
            (Found::File(file), Some((len, _))) if file.len != len => Err(StoreError::NotFound),
            _ => Ok(found),
        }
    }
}

fn open_data(data: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(data, DATA_FLAGS, Mode::empty())?)
}

/// The file, if it can be opened without waiting for the disk.
fn open_cached(data: &Path, name: &FileName) -> Option<File> {
    let data = rustix::fs::openat2(CWD, data, DATA_FLAGS, Mode::empty(), ResolveFlags::CACHED).ok()?;
    plain(&data).open_cached(name.true_name())
}

fn plain(data: &OwnedFd) -> Plain<'_> {
    // Nothing is written, so no temporary file is made.
    Plain { data: data.as_fd(), temp_dir: Path::new(""), follows: false }
}
