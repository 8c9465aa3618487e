//! Handing a store back: every packed file becomes a file of its own, as the original has them.
//!
//! A mark is set before the first file is written, and goes when the packs are gone. As long as it is there, the packs
//! are what counts: a storage that starts meanwhile takes everything back, so that nothing that it deletes is left in a
//! file of its own; another attempt goes on with what is there. Packs go all at once, by one rename, when everything
//! is on disk: with some of them gone, what they say of others would be missing.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fdfs_fileid::{FileName, StorePathIndex};

use crate::pack::{Packs, numbers};
use crate::path::Files;
use crate::{Store, StoreError, StoreSettings};

/// The mark, in our own folder.
pub(crate) const UNPACK_MARK: &str = "unpack";

/// Where the packs go by one rename; found with the mark it is only removed.
const DONE_DIR: &str = "packs.done";

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files that are files of their own now, metadata included.
    pub files: u64,
    /// Their content, bytes.
    pub bytes: u64,
    /// How many there are to be.
    pub total: u64,
}

/// Makes every packed file of a store a file of its own, and every folder that the original expects, and removes the
/// packs. The store is locked meanwhile. Killed at any moment, it goes on from there when it is called again. Blocks.
///
/// `step` is told how far it is after each file, and may end it, which leaves everything as a kill would.
///
/// # Errors
/// [`StoreError::Unusable`] when a storage is using the store, or when files in packs can't be read: then everything
/// else has been written, and no pack is removed. [`StoreError::Closed`] when `step` ended it.
pub fn unpack(
    settings: &StoreSettings,
    subdir_count: u16,
    step: &mut dyn FnMut(Unpacked) -> ControlFlow<()>,
) -> Result<Unpacked, StoreError> {
    for root in &settings.paths {
        if !root.join("data").is_dir() {
            let (path, reason) = (root.clone(), "there is no store here; is the disk mounted?".to_owned());
            return Err(StoreError::Unusable { path, reason });
        }
    }
    let store = Store::open_for_unpacking(settings)?;
    // Journals are empty and packs sealed now; the locks stay.
    store.close()?;
    let homes: Vec<_> = store.packed().collect();
    let mut done = Unpacked::default();
    for (files, packs) in &homes {
        done.total += packs.usage().files;
        if packs.usage().packs > 0 {
            set_mark(files)?;
        }
    }
    for (index, (files, packs)) in (0..=u8::MAX).map(StorePathIndex).zip(&homes) {
        write_files(index, files, packs, &mut done, step)?;
    }
    store.make_directories(subdir_count)?;
    for (files, _) in &homes {
        sync(files)?;
    }
    for (files, _) in &homes {
        remove_packs(files)?;
    }
    Ok(done)
}

fn write_files(
    index: StorePathIndex,
    files: &Files,
    packs: &Packs,
    done: &mut Unpacked,
    step: &mut dyn FnMut(Unpacked) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let plain = files.plain();
    let mut ended = false;
    let unread = packs.for_each_file(&mut |record| {
        let name = FileName::parse(&[format!("{index}/").as_bytes(), record.name].concat());
        let name = name.map_err(|error| {
            let text = format!("a packed file has a name that is none ({error}), run fsck");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        plain.put(name.true_name(), record.content, record.header.mtime)?;
        done.files += 1;
        done.bytes += record.content.len() as u64;
        ended = step(*done).is_break();
        if ended { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    });
    if ended {
        return Err(StoreError::Closed);
    }
    let unread = unread?;
    let unread_packs = numbers(&files.pack_dir)?.len() as u64 - packs.usage().packs;
    if unread + unread_packs == 0 {
        return Ok(());
    }
    Err(StoreError::Unusable {
        path: files.data.clone(),
        reason: format!(
            "{unread} packed files and {unread_packs} packs cannot be read, so no pack is removed; run cairn fsck, \
             fetch or delete the files that it names, then unpack again"
        ),
    })
}

fn mark(files: &Files) -> PathBuf {
    files.pack_dir.with_file_name(UNPACK_MARK)
}

fn set_mark(files: &Files) -> io::Result<()> {
    daemon::state_file::replace(&mark(files), b"cairn unpack has begun\n")
}

/// Makes all that was written durable, also on other disks that folders may be links to.
fn sync(files: &Files) -> io::Result<()> {
    let mut synced = HashSet::new();
    for_each_folder(&files.data, &mut |path| {
        let folder = File::open(path)?;
        if synced.insert(folder.metadata()?.dev()) {
            rustix::fs::syncfs(&folder)?;
        }
        Ok(())
    })
}

/// `data/` itself, and the folders of files below it.
fn for_each_folder(data: &Path, visit: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    visit(data)?;
    for high in 0..=u8::MAX {
        let high = data.join(format!("{high:02X}"));
        if !high.is_dir() {
            continue;
        }
        visit(&high)?;
        for low in 0..=u8::MAX {
            let low = high.join(format!("{low:02X}"));
            if low.is_dir() {
                visit(&low)?;
            }
        }
    }
    Ok(())
}

/// Everything that was packed is on disk: removes the packs, then the mark.
fn remove_packs(files: &Files) -> io::Result<()> {
    let done = files.pack_dir.with_file_name(DONE_DIR);
    remove_all(&done)?;
    fs::rename(&files.pack_dir, &done)?;
    daemon::state_file::sync_parent(&done)?;
    remove_all(&done)?;
    remove_mark(files)
}

fn remove_mark(files: &Files) -> io::Result<()> {
    match fs::remove_file(mark(files)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| daemon::state_file::sync_parent(&mark(files))),
    }
}

fn remove_all(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Takes back what an unpacking that did not end has written: whatever is packed still is what counts.
pub(crate) fn take_back(files: &Files, packs: &Packs) -> io::Result<()> {
    if !mark(files).try_exists()? {
        return Ok(());
    }
    let mut removed = 0_u64;
    for_each_folder(&files.data, &mut |folder| {
        let Ok(below) = folder.strip_prefix(&files.data) else { return Ok(()) };
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = below.join(entry.file_name());
            if name.to_str().is_some_and(|name| packs.contains(name)) {
                rustix::fs::unlinkat(files.data_fd.as_fd(), &name, rustix::fs::AtFlags::empty())?;
                removed += 1;
            }
        }
        Ok(())
    })?;
    sync(files)?;
    remove_all(&files.pack_dir.with_file_name(DONE_DIR))?;
    remove_mark(files)?;
    tracing::warn!(path = %files.data.display(), files = removed, "cairn unpack had begun here and not ended, its files were removed: they are still packed");
    Ok(())
}
