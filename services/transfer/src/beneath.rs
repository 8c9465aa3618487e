//! Writing below a folder and nowhere else.
//!
//! Every path is walked component by component from the open folder, and no symbolic link is followed on the way:
//! neither one that the manifest brought nor one that was there before leads out.

use crate::manifest::Mtime;
use crate::rel_path::RelPath;
use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, fchmod, flock, fstat,
    futimens, mkdirat, openat, renameat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

/// Bits of a mode that are restored. Set-user and set-group bits are not: a manifest may come from anybody.
const RESTORED_BITS: u32 = 0o1777;
/// What the owner needs to work in a folder.
const OWNER_BITS: u32 = 0o700;

/// A folder to write into.
pub(crate) struct Tree {
    root: OwnedFd,
}

/// Why a folder cannot be written into.
pub(crate) enum OpenError {
    Busy,
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> OpenError {
        OpenError::Io(error)
    }
}

impl Tree {
    /// Opens the folder, made if it is missing, and locks it against a second run.
    pub(crate) fn open(target: &Path) -> Result<Tree, OpenError> {
        std::fs::create_dir_all(target)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, target, flags, Mode::empty()).map_err(io::Error::from)?;
        match flock(&root, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Tree { root }),
            Err(Errno::WOULDBLOCK) => Err(OpenError::Busy),
            Err(error) => Err(OpenError::Io(error.into())),
        }
    }

    /// The folder at `path`, to work in; with `create` what is missing of it is made.
    fn folder(&self, path: &RelPath, create: bool) -> io::Result<OwnedFd> {
        let mut folder = step(self.root.as_fd(), b".")?;
        for name in path.components() {
            folder = match step(folder.as_fd(), name) {
                Err(Errno::NOENT) if create => {
                    match mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
                        // Another file's worker was faster.
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    step(folder.as_fd(), name)?
                }
                other => other?,
            };
        }
        Ok(folder)
    }

    /// The folder that `path` is in, and its name there.
    fn parent<'a>(&self, path: &'a RelPath, create: bool) -> io::Result<(OwnedFd, &'a [u8])> {
        let name = path.components().last().ok_or(io::ErrorKind::IsADirectory)?;
        let parent = path.split_last().map(|(parent, _)| parent).unwrap_or_else(RelPath::root);
        Ok((self.folder(&parent, create)?, name))
    }

    /// Makes a folder, and sees to it that its owner can work in it for now.
    pub(crate) fn make_dir(&self, path: &RelPath) -> io::Result<()> {
        let folder = self.folder(path, true)?;
        let mode = fstat(&folder)?.st_mode;
        if mode & OWNER_BITS != OWNER_BITS && !path.is_root() {
            let (parent, name) = self.parent(path, false)?;
            rustix::fs::chmodat(
                &parent,
                name,
                Mode::from_raw_mode((mode | OWNER_BITS) & 0o7777),
                AtFlags::empty(),
            )?;
        }
        Ok(())
    }

    /// Gives a folder its final mode and time.
    pub(crate) fn finish_dir(&self, path: &RelPath, mode: u32, mtime: Mtime) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode & RESTORED_BITS);
        if path.is_root() {
            futimens(&self.root, &times(mtime))?;
            return Ok(fchmod(&self.root, mode)?);
        }
        let (parent, name) = self.parent(path, false)?;
        step(parent.as_fd(), name)?;
        utimensat(&parent, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?)
    }

    /// The regular file at `path`, if there is one.
    pub(crate) fn existing(&self, path: &RelPath) -> io::Result<Option<File>> {
        let (folder, name) = match self.parent(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // Non-blocking, so that a named pipe in its place does not hold us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&folder, name, flags, Mode::empty()) {
            Ok(file) if is(&fstat(&file)?, FileType::RegularFile) => Ok(Some(File::from(file))),
            // A link, a device, nothing, or nothing readable: it will be replaced, or that will say why not.
            _ => Ok(None),
        }
    }

    /// Whether something is at `path`, whatever it is, that was changed after `mtime`.
    pub(crate) fn is_newer(&self, path: &RelPath, mtime: Mtime) -> io::Result<bool> {
        let (folder, name) = match self.parent(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => {
                let nanoseconds = u32::try_from(there.st_mtime_nsec).unwrap_or_default();
                Ok(Mtime { seconds: there.st_mtime, nanoseconds } > mtime)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a symbolic link to `target` is at `path`.
    pub(crate) fn is_symlink_to(&self, path: &RelPath, target: &[u8]) -> io::Result<bool> {
        let (folder, name) = match self.parent(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let there = rustix::fs::readlinkat(&folder, name, Vec::new());
        Ok(there.is_ok_and(|there| there.as_bytes() == target))
    }

    /// Gives an existing file its mode and time.
    pub(crate) fn finish_file(file: &File, mode: u32, mtime: Mtime) -> io::Result<()> {
        fchmod(file, Mode::from_raw_mode(mode & RESTORED_BITS))?;
        Ok(futimens(file, &times(mtime))?)
    }

    /// Begins a file that will appear at `path` when it is complete. `None` when another worker writes the same path.
    pub(crate) fn begin_file(&self, path: &RelPath) -> io::Result<Option<Partial>> {
        let (folder, name) = self.parent(path, true)?;
        let temporary = temporary_name(path);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        loop {
            let file = openat(&folder, temporary.as_str(), flags, Mode::from_raw_mode(0o600))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // Left by a run that was killed, or just renamed by another worker: then it is not there any more.
            let there = statat(&folder, temporary.as_str(), AtFlags::SYMLINK_NOFOLLOW);
            let ours = fstat(&file)?;
            if there.is_ok_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)) {
                if !is(&ours, FileType::RegularFile) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                let file = File::from(file);
                file.set_len(0)?;
                return Ok(Some(Partial {
                    folder,
                    temporary,
                    name: name.to_owned(),
                    file,
                    committed: false,
                }));
            }
        }
    }

    /// Makes a symbolic link, in the place of a link or file that is there. False when it is there already.
    pub(crate) fn symlink(&self, path: &RelPath, target: &[u8], mtime: Mtime) -> io::Result<bool> {
        let (folder, name) = self.parent(path, true)?;
        let mut made = false;
        let there = rustix::fs::readlinkat(&folder, name, Vec::new());
        if there.as_ref().map(|there| there.as_bytes()) != Ok(target) {
            let temporary = temporary_name(path);
            match unlinkat(&folder, temporary.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            symlinkat(target, &folder, temporary.as_str())?;
            if let Err(error) = renameat(&folder, temporary.as_str(), &folder, name) {
                let _ = unlinkat(&folder, temporary.as_str(), AtFlags::empty());
                return Err(error.into());
            }
            made = true;
        }
        utimensat(&folder, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(made)
    }
}

/// A file on its way; it disappears unless it is committed.
pub(crate) struct Partial {
    folder: OwnedFd,
    temporary: String,
    name: Vec<u8>,
    file: File,
    committed: bool,
}

impl Partial {
    /// The file, to write to. Keep the `Partial`: its lock is on the file.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Gives the complete file mode, time and its name.
    pub(crate) fn commit(mut self, mode: u32, mtime: Mtime) -> io::Result<()> {
        Tree::finish_file(&self.file, mode, mtime)?;
        renameat(&self.folder, self.temporary.as_str(), &self.folder, self.name.as_slice())?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.committed
            && let Err(error) = unlinkat(&self.folder, self.temporary.as_str(), AtFlags::empty())
        {
            tracing::warn!(%error, name = self.temporary, "cannot remove an incomplete file");
        }
    }
}

/// One step down, into a folder that is no link.
fn step(folder: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

/// The name of a file that is not complete: always the same for a path, so that what a killed run left is taken over
/// and not added to.
fn temporary_name(path: &RelPath) -> String {
    let mut hasher = DefaultHasher::new();
    path.as_bytes().hash(&mut hasher);
    format!(".cairn-{:016x}.part", hasher.finish())
}

fn times(mtime: Mtime) -> Timestamps {
    let time = Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    const TIME: Mtime = Mtime { seconds: 1_600_000_000, nanoseconds: 7 };

    fn tree(dir: &Path) -> Tree {
        Tree::open(dir).ok().unwrap()
    }

    fn path(text: &str) -> RelPath {
        RelPath::parse(text.as_bytes()).unwrap()
    }

    fn write(tree: &Tree, at: &str, content: &[u8]) -> io::Result<()> {
        let partial = tree.begin_file(&path(at))?.unwrap();
        partial.file()?.write_all(content)?;
        partial.commit(0o640, TIME)
    }

    #[test]
    fn a_file_appears_complete_with_mode_and_time() {
        let dir = tempfile::tempdir().unwrap();
        write(&tree(dir.path()), "a/b/c", b"hello").unwrap();
        let file = dir.path().join("a/b/c");
        let metadata = std::fs::metadata(&file).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"hello");
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_600_000_000, 7));
    }

    #[test]
    fn a_file_that_is_not_committed_disappears() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        let partial = tree.begin_file(&path("c")).unwrap().unwrap();
        partial.file().unwrap().write_all(b"half").unwrap();
        drop(partial);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_to_the_outside_is_not_written_through() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), dir.path().join("link")).unwrap();
        let tree = tree(dir.path());
        assert!(write(&tree, "link/evil", b"x").is_err());
        assert!(tree.make_dir(&path("link/evil")).is_err());
        assert!(tree.symlink(&path("link/evil"), b"x", TIME).is_err());
        assert!(tree.finish_dir(&path("link"), 0o700, TIME).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_its_target_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("precious"), "precious").unwrap();
        symlink("precious", dir.path().join("link")).unwrap();
        let tree = tree(dir.path());
        assert!(tree.existing(&path("link")).unwrap().is_none());
        write(&tree, "link", b"new").unwrap();
        assert_eq!(std::fs::read(dir.path().join("precious")).unwrap(), b"precious");
        assert!(std::fs::symlink_metadata(dir.path().join("link")).unwrap().is_file());
    }

    #[test]
    fn set_user_bits_are_not_restored() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        tree.begin_file(&path("f")).unwrap().unwrap().commit(0o6755, TIME).unwrap();
        let mode = std::fs::metadata(dir.path().join("f")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn what_a_killed_run_left_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        std::fs::write(dir.path().join(temporary_name(&path("b"))), "left over, and longer").unwrap();
        write(&tree, "b", b"new").unwrap();
        assert_eq!(std::fs::read(dir.path().join("b")).unwrap(), b"new");
    }

    #[test]
    fn two_writers_of_one_path_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        let first = tree.begin_file(&path("a")).unwrap().unwrap();
        assert!(tree.begin_file(&path("a")).unwrap().is_none());
        first.commit(0o600, TIME).unwrap();
        assert!(tree.begin_file(&path("a")).unwrap().is_some());
    }

    #[test]
    fn links_are_made_with_their_time_and_left_alone_when_they_are_right() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        assert!(tree.symlink(&path("d/l"), b"../anywhere", TIME).unwrap());
        assert!(!tree.symlink(&path("d/l"), b"../anywhere", TIME).unwrap());
        assert!(tree.symlink(&path("d/l"), b"other", TIME).unwrap());
        let link = dir.path().join("d/l");
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("other"));
        assert_eq!(std::fs::symlink_metadata(&link).unwrap().mtime(), 1_600_000_000);
    }

    #[test]
    fn a_folder_without_rights_can_be_worked_in_until_it_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree(dir.path());
        tree.make_dir(&path("d")).unwrap();
        tree.finish_dir(&path("d"), 0o500, TIME).unwrap();
        tree.make_dir(&path("d")).unwrap();
        write(&tree, "d/f", b"x").unwrap();
        tree.finish_dir(&path("d"), 0o500, TIME).unwrap();
        let metadata = std::fs::metadata(dir.path().join("d")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o500, 1_600_000_000));
        tree.make_dir(&path("d")).unwrap();
    }

    #[test]
    fn one_folder_is_not_written_by_two_runs() {
        let dir = tempfile::tempdir().unwrap();
        let first = tree(dir.path());
        assert!(matches!(Tree::open(dir.path()), Err(OpenError::Busy)));
        drop(first);
        assert!(Tree::open(dir.path()).is_ok());
    }
}
