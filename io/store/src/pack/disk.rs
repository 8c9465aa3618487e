//! Everything that packs do to a disk, in one place, so that a test can write down what was done and lose what had
//! not been synced.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

#[cfg(test)]
type Trace = std::sync::Arc<dyn Fn(Step) + Send + Sync>;

#[cfg(test)]
type Fault = std::sync::Arc<dyn Fn(&Step) -> io::Result<()> + Send + Sync>;

/// The disk of a store path's packs.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    /// Told of everything that was done.
    #[cfg(test)]
    pub(crate) trace: Option<Trace>,
    /// Asked before everything that is done; an error of it is one of the disk.
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
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
    SyncDir,
}

/// A file that is written to, and where it is.
#[derive(Debug)]
pub(crate) struct Writable {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl Disk {
    #[cfg(test)]
    fn run<T>(&self, step: impl FnOnce() -> Step, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.trace.is_none() && self.fault.is_none() {
            return run();
        }
        let step = step();
        if let Some(fault) = &self.fault {
            fault(&step)?;
        }
        let done = run()?;
        if let Some(trace) = &self.trace {
            trace(step);
        }
        Ok(done)
    }

    #[cfg(not(test))]
    fn run<T>(&self, _: impl FnOnce() -> Step, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        run()
    }

    /// A new, empty file.
    pub(crate) fn create(&self, path: PathBuf) -> io::Result<Writable> {
        let create = || File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = self.run(|| Step::Create(path.clone()), create)?;
        Ok(Writable { file, path })
    }

    /// Has the file system keep room for the file to be so long; the new part reads as zeros.
    pub(crate) fn allocate(&self, to: &Writable, from: u64, len: u64) -> io::Result<()> {
        let allocate = || match rustix::fs::fallocate(&to.file, FallocateFlags::empty(), from, len - from) {
            // Not every file system can.
            Err(rustix::io::Errno::OPNOTSUPP) => to.file.set_len(len),
            other => Ok(other?),
        };
        self.run(|| Step::Allocate(to.path.clone(), len), allocate)
    }

    pub(crate) fn write(&self, to: &Writable, at: u64, bytes: &[u8]) -> io::Result<()> {
        let step = || Step::Write(to.path.clone(), at, bytes.to_vec());
        self.run(step, || to.file.write_all_at(bytes, at))
    }

    pub(crate) fn set_len(&self, of: &Writable, len: u64) -> io::Result<()> {
        self.run(|| Step::SetLen(of.path.clone(), len), || of.file.set_len(len))
    }

    /// Content and length of the file are durable.
    pub(crate) fn sync(&self, file: &Writable) -> io::Result<()> {
        self.run(|| Step::SyncFile(file.path.clone()), || file.file.sync_data())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(|| Step::Rename(from.to_owned(), to.to_owned()), || fs::rename(from, to))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match self.run(|| Step::Remove(path.to_owned()), || fs::remove_file(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// The names of the folder are durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.run(|| Step::SyncDir, || File::open(dir)?.sync_all())
    }
}
