//! File systems that folders of a store path are on besides that of the journal: somebody has put a link to a folder of
//! another disk there, or mounted one.
//!
//! What is done in such a folder is not on disk before *its* file system is synced. Which those are is found out by
//! looking at each folder once, before the first change in it: a look at all of them would cost every start a walk over
//! up to 65,536 folders.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

/// How many folders for files there can be: two bytes say which.
const FOLDERS: usize = 1 << 16;

/// The other file systems of one store path, as far as they are known.
#[derive(Debug)]
pub(crate) struct Disks {
    /// `st_dev` of the journal, whose file system is synced in any case.
    journal: u64,
    /// One bit for each folder that has been looked at.
    seen: Box<[AtomicU64]>,
    /// `st_dev`, and a folder there, opened before the first change: what a sync has said to one descriptor is not said
    /// again to one that is opened later.
    others: Mutex<Vec<(u64, Arc<File>)>>,
}

impl Disks {
    pub(crate) fn new(data: BorrowedFd<'_>, journal: u64) -> io::Result<Self> {
        let seen = (0..FOLDERS / 64).map(|_| AtomicU64::new(0)).collect();
        let disks = Self { journal, seen, others: Mutex::new(Vec::new()) };
        disks.keep(data, ".", rustix::fs::fstat(data)?.st_dev)?;
        Ok(disks)
    }

    /// Looks where the folder of a true name is, before something is changed in it.
    ///
    /// # Errors
    /// What opening says; of a link that leads nowhere, that: the file would otherwise pass for one that is not there.
    pub(crate) fn note(&self, data: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        let Some((folder, high, number)) = folder(name) else { return Ok(()) };
        let (Some(word), bit) = (self.seen.get(number / 64), 1_u64 << (number % 64)) else { return Ok(()) };
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        // What is not there yet will be made in the folder above it.
        for part in [folder, high] {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            match rustix::fs::openat(data, part, flags, Mode::empty()) {
                Ok(there) => {
                    self.keep(data, part, rustix::fs::fstat(&there)?.st_dev)?;
                    if part == folder {
                        word.fetch_or(bit, Ordering::Relaxed);
                    }
                    return Ok(());
                }
                Err(Errno::NOENT) => {
                    if rustix::fs::statat(data, part, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                        return Err(io::Error::other(format!(
                            "data/{part} is a link to a folder that is not there: mount its disk, or, if it is \
                             gone for good, remove the link"
                        )));
                    }
                }
                // The change itself says it.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn keep(&self, data: BorrowedFd<'_>, part: &str, dev: u64) -> io::Result<()> {
        let mut others = self.others.lock();
        if dev == self.journal || others.iter().any(|(known, _)| *known == dev) {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let disk = rustix::fs::openat(data, part, flags, Mode::empty())?;
        tracing::info!(
            folder = part,
            "a folder for files is on another file system, which is synced as well"
        );
        others.push((dev, Arc::new(disk.into())));
        Ok(())
    }

    /// Makes everything on the other file systems durable. Blocks.
    pub(crate) fn sync(&self) -> io::Result<()> {
        // Whoever makes changes does not wait for this.
        let others: Vec<_> = self.others.lock().iter().map(|(_, disk)| Arc::clone(disk)).collect();
        // All are asked, whatever the first one says.
        let synced: Vec<_> = others.iter().map(rustix::fs::syncfs).collect();
        Ok(synced.into_iter().collect::<Result<(), _>>()?)
    }
}

/// The folder of a true name, the one above it, and its number.
fn folder(name: &[u8]) -> Option<(&str, &str, usize)> {
    let folder = std::str::from_utf8(name.get(..5)?).ok()?;
    let (high, low) = folder.split_once('/')?;
    let number = |text| u8::from_str_radix(text, 16).ok().map(usize::from);
    Some((folder, high, number(high)? << 8 | number(low)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    use super::Disks;

    fn known(disks: &Disks) -> Vec<u64> {
        disks.others.lock().iter().map(|(dev, _)| *dev).collect()
    }

    fn dev(path: &Path) -> u64 {
        fs::metadata(path).unwrap().dev()
    }

    #[test]
    fn a_file_system_is_known_before_the_first_change_in_one_of_its_folders() {
        let memory = Path::new("/dev/shm");
        let here = tempfile::tempdir().unwrap();
        if !memory.is_dir() || dev(memory) == dev(here.path()) {
            return eprintln!("there is no second file system here");
        }
        let there = tempfile::tempdir_in(memory).unwrap();
        fs::create_dir(here.path().join("08")).unwrap();
        symlink(there.path(), here.path().join("07")).unwrap();
        symlink(there.path(), here.path().join("08/05")).unwrap();
        let data = File::open(here.path()).unwrap();
        let disks = Disks::new(data.as_fd(), dev(here.path())).unwrap();
        disks.note(data.as_fd(), b"08/00/name").unwrap();
        disks.note(data.as_fd(), b"09/00/name").unwrap();
        assert!(known(&disks).is_empty());
        // Its folder there is still to be made.
        disks.note(data.as_fd(), b"07/00/name").unwrap();
        assert_eq!(known(&disks), [dev(there.path())]);
        disks.note(data.as_fd(), b"08/05/name").unwrap();
        assert_eq!(known(&disks).len(), 1, "one for each file system");
        disks.sync().unwrap();

        let disks = Disks::new(data.as_fd(), dev(here.path())).unwrap();
        disks.note(data.as_fd(), b"08/05/name").unwrap();
        assert_eq!(known(&disks), [dev(there.path())], "a folder of the second level");

        let disks = Disks::new(data.as_fd(), dev(there.path())).unwrap();
        assert_eq!(known(&disks), [dev(here.path())], "all files, where only the journal is elsewhere");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_no_missing_folder() {
        let here = tempfile::tempdir().unwrap();
        fs::create_dir(here.path().join("08")).unwrap();
        symlink("/nowhere/07", here.path().join("07")).unwrap();
        symlink("/nowhere/05", here.path().join("08/05")).unwrap();
        let data = File::open(here.path()).unwrap();
        let disks = Disks::new(data.as_fd(), dev(here.path())).unwrap();
        let note = |name: &[u8]| disks.note(data.as_fd(), name).unwrap_err().to_string();
        assert!(note(b"07/00/name").starts_with("data/07 is a link to a folder that is not there"));
        assert!(note(b"08/05/name").starts_with("data/08/05 is a link to a folder that is not there"));
        disks.note(data.as_fd(), b"08/06/name").unwrap();
    }
}
