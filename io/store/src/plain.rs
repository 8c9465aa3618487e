//! The original's layout: one plain file for each id, `data/HH/HH/<name>`, its metadata beside it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_format::journal::Change;
use rustix::fs::{
    Advice, AtFlags, FallocateFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps,
    UTIME_OMIT,
};
use rustix::io::{Errno, retry_on_intr};

use crate::mutation::Seen;
use crate::path::temp_path;
use crate::trunk::{self, SlotContent};

/// What is copied or compared at a time, bytes.
const COPY_STEP: usize = 1 << 20;

/// How the name of a copy begins that has not its own yet.
pub(crate) const HALF_PREFIX: &str = ".cairn-";

/// The plain files of one store path.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) data: BorrowedFd<'a>,
    pub(crate) temp_dir: &'a Path,
    /// Whether a symbolic link may stand for one of the folders of a name when a file is opened for reading.
    pub(crate) follows: bool,
}

/// Whether a change is done for the first time or once more after a crash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// For the first time: what it needs is there.
    First,
    /// Once more: what it needs may be gone, what it makes may be there.
    Again,
}

impl Plain<'_> {
    /// What stands under a true name, links not followed.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(self.data, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file for reading if that can be done without waiting for the disk; `None` when it is not known
    /// to be so, or a symbolic link.
    pub(crate) fn open_cached(&self, name: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let cached = ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(self.data, name, flags, Mode::empty(), cached).ok().map(File::from)
    }

    /// Opens a regular file for reading; `Ok(None)` when it is a symbolic link.
    pub(crate) fn open(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = if self.follows {
            rustix::fs::openat(self.data, name, flags, Mode::empty())
        } else {
            self.open_stepwise(name, flags)
        };
        match opened {
            Ok(fd) => Ok(Some(fd.into())),
            Err(Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens folder by folder, for kernels without `openat2`; what is no folder has nothing in it.
    fn open_stepwise(&self, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mut steps = name.split('/');
        let base = steps.next_back().ok_or(Errno::NOENT)?;
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at: Option<OwnedFd> = None;
        for step in steps {
            let within = at.as_ref().map_or(self.data, AsFd::as_fd);
            match rustix::fs::openat(within, step, folder, Mode::empty()) {
                Ok(fd) => at = Some(fd),
                Err(Errno::LOOP | Errno::NOTDIR) => return Err(Errno::NOENT),
                Err(error) => return Err(error),
            }
        }
        rustix::fs::openat(at.as_ref().map_or(self.data, AsFd::as_fd), base, flags, Mode::empty())
    }

    /// Where a symbolic link points to.
    pub(crate) fn link_target(&self, name: &str) -> io::Result<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let target = rustix::fs::readlinkat(self.data, name, Vec::new())?;
        Ok(std::ffi::OsString::from_vec(target.into_bytes()).into())
    }

    /// Does a change to the files. A failed change leaves what was there, on a full disk too; only where a disk breaks
    /// in the middle of a `Write` or `Splice`, bytes that were overwritten in place stay overwritten.
    pub(crate) fn apply(&self, change: &Change<'_>, mtime: u32, mode: Turn) -> io::Result<()> {
        let result = match *change {
            Change::Create { name, content } => self.create(text(name)?, content, mtime, mode),
            Change::Adopt { name, temp } => self.adopt(text(name)?, temp, mode),
            Change::Replace { name, content } => self.replace(text(name)?, content, mtime, mode),
            Change::Write { name, offset, content } => self.write(text(name)?, offset, content, mtime),
            Change::Splice { name, offset, temp } => self.splice(text(name)?, offset, temp, mtime),
            Change::Truncate { name, size } => self.truncate(text(name)?, size, mtime),
            Change::Delete { name } => {
                rustix::fs::unlinkat(self.data, text(name)?, AtFlags::empty()).map_err(Into::into)
            }
            Change::Move { from, to } => self.move_file(text(from)?, text(to)?, mode),
            Change::Fill { name, file_len, content } => {
                trunk::fill(self, name, file_len, &SlotContent::Bytes(content), mode)
            }
            Change::FillStaged { name, file_len, temp } => File::open(temp_path(self.temp_dir, temp))
                .and_then(|staged| trunk::fill(self, name, file_len, &SlotContent::Staged(staged), mode)),
            Change::Empty { name } => trunk::empty(self, name, mode),
            Change::Note { .. } => Ok(()),
        };
        match result {
            // Its file was deleted or moved by a later change, or it is done already.
            Err(error) if mode == Turn::Again && error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Puts a file there, whatever stands under its name; one that is there as it should be stays.
    pub(crate) fn put(&self, name: &str, content: &[u8], mtime: u32) -> io::Result<()> {
        self.create(name, content, mtime, Turn::Again)
    }

    fn create(&self, name: &str, content: &[u8], mtime: u32, mode: Turn) -> io::Result<()> {
        if mode == Turn::Again && self.renew(name, content, mtime)? {
            return Ok(());
        }
        let over = if mode == Turn::First { OFlags::EXCL } else { OFlags::TRUNC };
        let file = self.create_file(name, over)?;
        let written = file.write_all_at(content, 0).and_then(|()| set_mtime_of_written(&file, mtime));
        if written.is_err() {
            let _ = rustix::fs::unlinkat(self.data, name, AtFlags::empty());
        }
        written
    }

    fn create_file(&self, name: &str, over: OFlags) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | over;
        let mode = Mode::from_raw_mode(0o644);
        match rustix::fs::openat(self.data, name, flags, mode) {
            Ok(fd) => Ok(fd.into()),
            Err(Errno::NOENT) => {
                self.make_dirs(name)?;
                Ok(rustix::fs::openat(self.data, name, flags, mode)?.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the two folders of a true name.
    pub(crate) fn make_dirs(&self, name: &str) -> io::Result<()> {
        for end in [2, 5] {
            let dir = name.get(..end).ok_or(io::ErrorKind::InvalidInput)?;
            match rustix::fs::mkdirat(self.data, dir, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn adopt(&self, name: &str, temp: u64, mode: Turn) -> io::Result<()> {
        let temp = temp_path(self.temp_dir, temp);
        if mode == Turn::Again && !temp.try_exists()? {
            return Ok(());
        }
        self.name_temp(&temp, name, mode)
    }

    /// Gives a temporary file its name, whatever stands there.
    fn name_temp(&self, temp: &Path, name: &str, mode: Turn) -> io::Result<()> {
        let renamed = match rustix::fs::renameat(rustix::fs::CWD, temp, self.data, name) {
            Err(Errno::NOENT) => {
                self.make_dirs(name)?;
                rustix::fs::renameat(rustix::fs::CWD, temp, self.data, name)
            }
            renamed => renamed,
        };
        if renamed != Err(Errno::XDEV) {
            return Ok(renamed?);
        }
        self.carry(&File::open(temp)?, name, mode)?;
        if let Err(error) = std::fs::remove_file(temp) {
            // The next start removes it.
            tracing::warn!(%error, temp = %temp.display(), "cannot remove a temporary file");
        }
        Ok(())
    }

    fn move_file(&self, from: &str, to: &str, mode: Turn) -> io::Result<()> {
        let renamed = match rustix::fs::renameat(self.data, from, self.data, to) {
            Err(Errno::NOENT) if self.stat(from)?.is_some() => {
                self.make_dirs(to)?;
                rustix::fs::renameat(self.data, from, self.data, to)
            }
            renamed => renamed,
        };
        if renamed != Err(Errno::XDEV) {
            return Ok(renamed?);
        }
        self.carry(&self.open(from)?.ok_or(io::ErrorKind::InvalidInput)?, to, mode)?;
        let removed = rustix::fs::unlinkat(self.data, from, AtFlags::empty());
        if removed.is_err() && mode == Turn::First {
            let _ = rustix::fs::unlinkat(self.data, to, AtFlags::empty());
        }
        Ok(removed?)
    }

    /// Puts a file that is on another file system under a name, durably, with its time: a start that finds its source gone
    /// takes this for done. Under the name there is all of it or what was there before.
    fn carry(&self, source: &File, name: &str, mode: Turn) -> io::Result<()> {
        // Nothing has to be written again, for which a full disk may have no room.
        if mode == Turn::Again
            && let Some(there) = self.open_if_there(name)?
            && same_content(source, &there)?
        {
            self.sync(name)?;
            return self.sync_high_dir(name);
        }
        let half = half(name)?;
        let carried = self.copy_to(source, &half).and_then(|()| {
            rustix::fs::renameat(self.data, half.as_str(), self.data, name).map_err(Into::into)
        });
        if carried.is_err() {
            let _ = rustix::fs::unlinkat(self.data, half.as_str(), AtFlags::empty());
        }
        carried?;
        self.sync_dir(name)?;
        self.sync_high_dir(name)
    }

    fn copy_to(&self, source: &File, half: &str) -> io::Result<()> {
        let stat = rustix::fs::fstat(source)?;
        let file = self.create_file(half, OFlags::TRUNC)?;
        copy(source, &file, 0)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(stat.st_mode))?;
        keep_mtime(&file, &stat)?;
        file.sync_all()
    }

    /// Removes what a crash may have left of a copy that a change had to make. What comes of the change itself is made anew.
    pub(crate) fn remove_half(&self, change: &Change<'_>) -> io::Result<()> {
        let (Change::Adopt { name, .. } | Change::Replace { name, .. } | Change::Move { to: name, .. }) =
            *change
        else {
            return Ok(());
        };
        match rustix::fs::unlinkat(self.data, half(text(name)?)?, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a regular file; none for what is missing or a symbolic link.
    fn open_if_there(&self, name: &str) -> io::Result<Option<File>> {
        match self.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened,
        }
    }

    /// Writes a file once more, where it is, that is there with exactly this content; false when it is not. Made anew, it
    /// might find no room on a full disk; left alone, it might be in the page cache only, if the disk did not take it, as
    /// it said to the process that ended and never says again.
    fn renew(&self, name: &str, content: &[u8], mtime: u32) -> io::Result<bool> {
        let Some(stat) = self.stat(name)? else { return Ok(false) };
        if !is_regular(&stat) || stat.st_size.unsigned_abs() != content.len() as u64 {
            return Ok(false);
        }
        let file = self.open_for_writing(name)?;
        let mut there = vec![0; content.len()];
        let mut is_there = || file.read_exact_at(&mut there, 0).map(|()| there == content);
        if !is_there()? {
            return Ok(false);
        }
        renewed(&file, file.write_all_at(content, 0), is_there)?;
        if mtime == 0 {
            keep_mtime(&file, &stat)?
        } else {
            set_mtime(&file, mtime)?
        }
        Ok(true)
    }

    fn replace(&self, name: &str, content: &[u8], mtime: u32, mode: Turn) -> io::Result<()> {
        if mode == Turn::Again && self.renew(name, content, mtime)? {
            return Ok(());
        }
        // There is one change at a time for each name, so the name is free for this.
        let temp = self.temp_dir.join(format!("replace-{}", name.replace('/', "-")));
        let written = File::create(&temp).and_then(|file| {
            file.write_all_at(content, 0)?;
            set_mtime_of_written(&file, mtime)
        });
        if let Err(error) = written {
            let _ = std::fs::remove_file(&temp);
            return Err(error);
        }
        self.name_temp(&temp, name, mode)
    }

    fn open_for_writing(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(self.data, name, flags, Mode::empty())?.into())
    }

    fn write(&self, name: &str, offset: u64, content: &[u8], mtime: u32) -> io::Result<()> {
        let file = self.open_for_writing(name)?;
        let before = file.metadata()?.len();
        make_room(&file, before, offset, content.len() as u64)?;
        let written = file.write_all_at(content, offset);
        undo_growth(&file, before, written)?;
        set_mtime_of_written(&file, mtime)
    }

    fn splice(&self, name: &str, offset: u64, temp: u64, mtime: u32) -> io::Result<()> {
        let file = self.open_for_writing(name)?;
        let before = file.metadata()?.len();
        let staged = File::open(temp_path(self.temp_dir, temp))?;
        make_room(&file, before, offset, staged.metadata()?.len())?;
        let copied = copy(&staged, &file, offset);
        undo_growth(&file, before, copied)?;
        set_mtime_of_written(&file, mtime)
    }

    fn truncate(&self, name: &str, size: u64, mtime: u32) -> io::Result<()> {
        let file = self.open_for_writing(name)?;
        file.set_len(size)?;
        set_mtime(&file, mtime)
    }

    /// Makes content and name of a file durable.
    pub(crate) fn sync(&self, name: &str) -> io::Result<()> {
        self.open_for_writing(name)?.sync_all()?;
        self.sync_dir(name)
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.sync_folder(name.get(..5).ok_or(io::ErrorKind::InvalidInput)?)
    }

    /// For a folder of files that may just have been made.
    fn sync_high_dir(&self, name: &str) -> io::Result<()> {
        self.sync_folder(name.get(..2).ok_or(io::ErrorKind::InvalidInput)?)
    }

    fn sync_folder(&self, dir: &str) -> io::Result<()> {
        let fd: OwnedFd =
            rustix::fs::openat(self.data, dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(rustix::fs::fsync(fd.as_fd())?)
    }
}

/// Whether a stat is that of a regular file.
pub(crate) fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Whether a stat is that of a symbolic link.
pub(crate) fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// What tells whether a file has changed.
pub(crate) fn seen(stat: &Stat) -> Seen {
    Seen { size: stat.st_size.unsigned_abs(), mtime: (stat.st_mtime, stat.st_mtime_nsec) }
}

/// Takes up the room for `len` bytes at `offset` of a file of `size` bytes before any of them overwrites another: what a
/// full disk would stop half way could not be had back. Bytes at the end overwrite nothing.
fn make_room(file: &File, size: u64, offset: u64, len: u64) -> io::Result<()> {
    if offset >= size || len == 0 {
        return Ok(());
    }
    match retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, len)) {
        // A file system that can't say so in advance.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => {
            // What it did take up behind the end goes back.
            file.set_len(size)?;
            Err(error.into())
        }
    }
}

/// What came of writing once more, in its place, what is there already. A file system that writes nothing in its place may
/// have no room for that; then it is enough when the disk has it.
pub(crate) fn renewed(
    file: &File,
    written: io::Result<()>,
    is_there: impl FnOnce() -> io::Result<bool>,
) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            file.sync_data()?;
            // What is read after this comes from the disk.
            rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?;
            if is_there()? { Ok(()) } else { Err(error) }
        }
        written => written,
    }
}

/// Takes a failed write's growth back, so that no reader sees half of it.
fn undo_growth(file: &File, before: u64, written: io::Result<()>) -> io::Result<()> {
    if written.is_err() && file.metadata()?.len() > before {
        file.set_len(before)?;
    }
    written
}

/// Sets the modification time of what was written just now, which often has it already.
fn set_mtime_of_written(file: &File, mtime: u32) -> io::Result<()> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse).tv_sec;
    if now == i64::from(mtime) { Ok(()) } else { set_mtime(file, mtime) }
}

/// Sets the modification time, unless that is 0. The time in a name is the file's modification time (wire protocol: file
/// ids).
pub(crate) fn set_mtime(file: &File, mtime: u32) -> io::Result<()> {
    if mtime == 0 {
        return Ok(());
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.into(), tv_nsec: 0 },
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

/// Gives a file the modification time of another one, or the one that it had.
fn keep_mtime(file: &File, stat: &Stat) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() },
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

/// Whether two files have the same content.
fn same_content(one: &File, other: &File) -> io::Result<bool> {
    let (of_one, of_other) = (one.metadata()?, other.metadata()?);
    if !of_other.is_file() || of_one.len() != of_other.len() {
        return Ok(false);
    }
    let mut buffers = [vec![0; COPY_STEP], vec![0; COPY_STEP]];
    let mut at = 0;
    while at < of_one.len() {
        let len = COPY_STEP.min(usize::try_from(of_one.len() - at).unwrap_or(COPY_STEP));
        let [a, b] = buffers.each_mut().map(|buffer| buffer.get_mut(..len).unwrap_or_default());
        one.read_exact_at(a, at)?;
        other.read_exact_at(b, at)?;
        if a != b {
            return Ok(false);
        }
        at += len as u64;
    }
    Ok(true)
}

/// What a copy that is being made of a file is called until it has its name; in the same folder, and no file's name. The
/// journal has the change, so the next start knows where to look for it.
fn half(name: &str) -> io::Result<String> {
    let (folder, base) = name.rsplit_once('/').ok_or(io::ErrorKind::InvalidInput)?;
    Ok(format!("{folder}/{HALF_PREFIX}{base}"))
}

/// Copies all of `from` to `to` at `offset`, in the kernel where it can.
pub(crate) fn copy(from: &File, to: &File, offset: u64) -> io::Result<()> {
    let (mut read_at, mut write_at) = (0, offset);
    loop {
        match rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), COPY_STEP) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let mut buffer = vec![0; COPY_STEP];
    loop {
        let n = from.read_at(&mut buffer, read_at)?;
        if n == 0 {
            return Ok(());
        }
        to.write_all_at(buffer.get(..n).unwrap_or_default(), write_at)?;
        read_at += n as u64;
        write_at += n as u64;
    }
}

fn text(name: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(name).map_err(|_| io::ErrorKind::InvalidData.into())
}
