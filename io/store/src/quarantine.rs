//! Copies that were found bad, kept for people: `data/.cairn/quarantine` of a store path. Nothing here is ever removed
//! by a storage.
//!
//! A copy is called `HH-HH-<name>.<n>` and what became of its file: `.bad` when another copy took its place or the file
//! was deleted, `.lost` as long as there is none. A file that is lost here is not taken for one that never was:
//! [`Quarantine::holds`].

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use fdfs_fileid::FileName;
use parking_lot::Mutex;
use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::plain::Plain;

/// Copies of one file that are kept apart.
const COPIES_MAX: u32 = 10_000;

/// What is copied at a time, bytes.
const STEP: usize = 1 << 20;

const BAD: &str = "bad";
const LOST: &str = "lost";

/// What is in the quarantine of one store path, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuarantineUsage {
    /// Copies.
    pub copies: u64,
    /// Their size, bytes.
    pub bytes: u64,
    /// Files of which there is no other copy here.
    pub lost: u64,
}

/// The quarantine of a store path.
pub(crate) struct Quarantine {
    dir: PathBuf,
    /// True names of files of which there is no good copy here, and how many they are.
    lost: Mutex<HashSet<String>>,
    count: AtomicUsize,
}

/// A copy in the quarantine, which counts once it is named.
pub(crate) struct Kept {
    path: PathBuf,
}

/// Content to be copied: part of a pack or of a trunk file.
pub(crate) struct Extent<'a> {
    pub(crate) file: &'a File,
    pub(crate) at: u64,
    pub(crate) len: u64,
}

impl Quarantine {
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        let mut lost = HashSet::new();
        for path in list(&dir)? {
            lost.extend(lost_name(&path));
        }
        let count = AtomicUsize::new(lost.len());
        Ok(Self { dir, lost: Mutex::new(lost), count })
    }

    /// Whether a bad copy of a file was put here and there is no other one.
    pub(crate) fn holds(&self, true_name: &str) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.lost.lock().contains(true_name)
    }

    /// The true names of the files that are lost here.
    pub(crate) fn lost(&self) -> Vec<String> {
        self.lost.lock().iter().cloned().collect()
    }

    /// Keeps a plain file here under another name, whatever becomes of its own. Blocks.
    pub(crate) fn keep_plain(&self, plain: &Plain<'_>, name: &FileName) -> io::Result<Kept> {
        let path = self.free_path(name)?;
        match rustix::fs::linkat(plain.data, name.true_name(), rustix::fs::CWD, &path, AtFlags::empty()) {
            Ok(()) => {}
            // Its folder is on another disk, or the file system has no links.
            Err(Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP) => {
                let file = plain.open(name.true_name())?.ok_or(io::ErrorKind::NotFound)?;
                let len = file.metadata()?.len();
                copy(&Extent { file: &file, at: 0, len }, &path)?;
            }
            Err(error) => return Err(error.into()),
        }
        sync_dir(&self.dir)?;
        Ok(Kept { path })
    }

    /// Keeps a copy of content that is part of another file; of what can't be read, nothing from there on. Blocks.
    pub(crate) fn keep_extent(&self, name: &FileName, extent: &Extent<'_>) -> io::Result<Kept> {
        let path = self.free_path(name)?;
        copy(extent, &path)?;
        sync_dir(&self.dir)?;
        Ok(Kept { path })
    }

    /// There is no other copy of the file of this kept one. Blocks.
    pub(crate) fn lose(&self, name: &FileName, kept: Kept) -> io::Result<()> {
        fs::rename(&kept.path, kept.path.with_extension(LOST))?;
        sync_dir(&self.dir)?;
        let mut lost = self.lost.lock();
        lost.insert(name.true_name().to_owned());
        self.count.store(lost.len(), Ordering::Relaxed);
        Ok(())
    }

    /// There is a good copy of a file again, or it was deleted. Blocks for a file that was lost.
    pub(crate) fn settle(&self, name: &FileName) {
        if !self.holds(name.true_name()) {
            return;
        }
        let settled = list(&self.dir).and_then(|paths| {
            let of_it = paths.iter().filter(|path| lost_name(path).as_deref() == Some(name.true_name()));
            { of_it }.try_for_each(|path| fs::rename(path, path.with_extension(BAD)))
        });
        if let Err(error) = settled {
            tracing::warn!(%error, %name, "a copy in the quarantine could not be renamed");
        }
        let mut lost = self.lost.lock();
        lost.remove(name.true_name());
        self.count.store(lost.len(), Ordering::Relaxed);
    }

    /// Counts what is here. Blocks.
    pub(crate) fn usage(&self) -> io::Result<QuarantineUsage> {
        let mut usage = usage_of(&self.dir)?;
        usage.lost = self.count.load(Ordering::Relaxed) as u64;
        Ok(usage)
    }

    /// A name that is not taken yet.
    fn free_path(&self, name: &FileName) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.dir)?;
        let flat = name.true_name().replacen('/', "-", 2);
        for number in 1..=COPIES_MAX {
            let path = self.dir.join(format!("{flat}.{number}.{BAD}"));
            if !path.try_exists()? && !path.with_extension(LOST).try_exists()? {
                return Ok(path);
            }
        }
        Err(io::Error::other(format!("there are {COPIES_MAX} copies of {name} in the quarantine")))
    }
}

impl Kept {
    /// It was not wanted after all. Blocks.
    pub(crate) fn discard(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, copy = %self.path.display(), "cannot remove a copy from the quarantine");
        }
    }
}

/// Counts what is in a quarantine; which of it is lost is taken from the names. Blocks.
pub(crate) fn usage_of(dir: &Path) -> io::Result<QuarantineUsage> {
    let mut usage = QuarantineUsage::default();
    let mut lost = HashSet::new();
    for path in list(dir)? {
        usage.copies += 1;
        usage.bytes += fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        lost.extend(lost_name(&path));
    }
    usage.lost = lost.len() as u64;
    Ok(usage)
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The true name of the file that a copy is all of.
fn lost_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(LOST)?.strip_suffix('.')?;
    let (flat, _) = name.rsplit_once('.')?;
    Some(flat.replacen('-', "/", 2))
}

fn copy(from: &Extent<'_>, to: &Path) -> io::Result<()> {
    let to = File::options().write(true).create_new(true).open(to)?;
    let mut buffer = vec![0; STEP.min(usize::try_from(from.len).unwrap_or(STEP))];
    let mut done = 0;
    while done < from.len {
        let want = buffer.len().min(usize::try_from(from.len - done).unwrap_or(usize::MAX));
        let part = buffer.get_mut(..want).unwrap_or_default();
        match from.file.read_at(part, from.at + done) {
            Ok(0) => break,
            Ok(n) => {
                to.write_all_at(part.get(..n).unwrap_or_default(), done)?;
                done += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::warn!(%error, bytes = done, "a bad copy can be read only so far, no more of it is kept");
                break;
            }
        }
    }
    to.sync_all()
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::lost_name;
    use std::path::Path;

    #[test]
    fn the_name_of_a_lost_file_is_read_from_that_of_its_copy() {
        let name = |text: &str| lost_name(Path::new(text));
        assert_eq!(name("/q/00-1F-wKgA-b.tar.gz.12.lost").as_deref(), Some("00/1F/wKgA-b.tar.gz"));
        assert_eq!(name("/q/00-1F-wKgA.12.bad"), None);
        assert_eq!(name("/q/lost"), None);
    }
}
