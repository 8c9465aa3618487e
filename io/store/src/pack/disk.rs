//! Everything that packs do to a disk, in one place, so that a test can write down what was done and lose what had
//! not been synced.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

/// The disk of a store path's packs.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) trace: Option<std::sync::Arc<dyn Fn(Step) + Send + Sync>>,
}

/// Something that was done to the disk.
#[cfg_attr(not(test), expect(dead_code, reason = "looked at by the crash test"))]
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create(PathBuf),
    Allocate(PathBuf, u64),
    Write(PathBuf, u64, Vec<u8>),
    SetLen(PathBuf, u64),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
}

/// A file that is written to, and where it is.
#[derive(Debug)]
pub(crate) struct Writable {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl Disk {
    #[cfg(test)]
    fn did(&self, step: impl FnOnce() -> Step) {
        if let Some(trace) = &self.trace {
            trace(step());
        }
    }

    #[cfg(not(test))]
    fn did(&self, _: impl FnOnce() -> Step) {}

    /// A new, empty file.
    pub(crate) fn create(&self, path: PathBuf) -> io::Result<Writable> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        self.did(|| Step::Create(path.clone()));
        Ok(Writable { file, path })
    }

    /// Has the file system keep room for the file to be so long; the new part reads as zeros.
    pub(crate) fn allocate(&self, to: &Writable, from: u64, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&to.file, FallocateFlags::empty(), from, len - from) {
            // Not every file system can.
            Err(rustix::io::Errno::OPNOTSUPP) => to.file.set_len(len)?,
            other => other?,
        }
        self.did(|| Step::Allocate(to.path.clone(), len));
        Ok(())
    }

    pub(crate) fn write(&self, to: &Writable, at: u64, bytes: &[u8]) -> io::Result<()> {
        to.file.write_all_at(bytes, at)?;
        self.did(|| Step::Write(to.path.clone(), at, bytes.to_vec()));
        Ok(())
    }

    pub(crate) fn set_len(&self, of: &Writable, len: u64) -> io::Result<()> {
        of.file.set_len(len)?;
        self.did(|| Step::SetLen(of.path.clone(), len));
        Ok(())
    }

    /// Content and length of the file are durable.
    pub(crate) fn sync(&self, file: &Writable) -> io::Result<()> {
        file.file.sync_data()?;
        self.did(|| Step::SyncFile(file.path.clone()));
        Ok(())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        self.did(|| Step::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        }
        self.did(|| Step::Remove(path.to_owned()));
        Ok(())
    }

    /// The names of the folder are durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()?;
        self.did(|| Step::SyncDir(dir.to_owned()));
        Ok(())
    }
}
