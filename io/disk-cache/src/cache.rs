//! The cache: finding, putting, making room.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::folder::{Folder, OpenError};
use crate::index::{Entry, Index};
use crate::{BLOCK_BYTES, Key, SHARE, blob};

/// A folder of blobs. Any number of threads may use it.
#[derive(Debug)]
pub struct DiskCache {
    folder: Folder,
    bytes_max: u64,
    /// Held while names change, so that the index and the folder tell the same; never while content is read or written.
    index: Mutex<Index>,
    temporaries: AtomicU64,
}

/// What is in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Blobs.
    pub entries: usize,
    /// What they and those that are being written take, bytes.
    pub bytes: u64,
}

impl DiskCache {
    /// Takes a folder, which is made if it is not there, and finds what an earlier process left. Of that what is beyond
    /// `bytes_max` is removed, the oldest first.
    ///
    /// # Errors
    /// [`OpenError`]: somebody else uses it, or it can't be used.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, OpenError> {
        let cache = Self {
            folder: Folder::take(folder)?,
            bytes_max,
            index: Mutex::new(Index::default()),
            temporaries: AtomicU64::new(0),
        };
        cache.find().map_err(|source| OpenError::Io { folder: folder.to_owned(), source })?;
        Ok(cache)
    }

    /// Takes in what is in the folder: the newest that fit.
    fn find(&self) -> io::Result<()> {
        let mut index = self.index.lock();
        let mut found = self.folder.scan()?;
        found.sort_by_key(|blob| blob.modified);
        for blob in found {
            let cost = blob.size.next_multiple_of(BLOCK_BYTES);
            let kept = cost <= self.bytes_max / SHARE && self.make_room(&mut index, cost)?;
            if kept {
                index.insert(blob.key, cost);
            } else {
                remove(&self.folder.blob(&blob.key))?;
            }
        }
        Ok(())
    }

    /// The blob that was put under a key. One that can't be read, or is not what was put, is none, and is removed.
    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let entry = self.index.lock().used(key)?;
        let path = self.folder.blob(key);
        let content = match read(&path, entry.cost) {
            Ok(file) => blob::content(key, file),
            Err(error) => {
                // Somebody may delete the cache, and a thread of ours may just have made room.
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, path = %path.display(), "a cached file can't be read");
                }
                None
            }
        };
        if content.is_none() {
            self.drop_bad(key, &entry, &path);
        }
        content
    }

    /// Removes a blob that is no good, unless it is another one by now.
    fn drop_bad(&self, key: &Key, entry: &Entry, path: &Path) {
        let mut index = self.index.lock();
        if !index.holds(key, entry) {
            return;
        }
        match remove(path) {
            Ok(()) => index.remove(key),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a bad cached file can't be removed");
            }
        }
    }

    /// Keeps a blob under a key, in the place of what was there. False: not kept, as it takes more than the share of one
    /// ([`SHARE`]), or everything is taken by blobs that are being written.
    ///
    /// # Errors
    /// What the system says about writing, or about removing what has to go. The cache is as it was, but for what
    /// went already.
    pub fn put(&self, key: &Key, content: &[u8]) -> io::Result<bool> {
        let cost = ((blob::HEAD_BYTES + content.len()) as u64).next_multiple_of(BLOCK_BYTES);
        if cost > self.bytes_max / SHARE || !self.make_room(&mut self.index.lock(), cost)? {
            return Ok(false);
        }
        let temporary = self.folder.temporary(key, self.temporaries.fetch_add(1, Ordering::Relaxed));
        let path = self.folder.blob(key);
        let written = write(&temporary, &blob::head(key, content), content);
        let mut index = self.index.lock();
        let done = written.and_then(|()| fs::rename(&temporary, &path));
        match &done {
            Ok(()) => index.insert(*key, cost),
            Err(_) => {
                index.give_back(cost);
                if let Err(error) = remove(&temporary) {
                    tracing::warn!(%error, path = %temporary.display(), "a half cached file can't be removed");
                }
            }
        }
        done.map(|()| true)
    }

    /// What is in the cache.
    pub fn usage(&self) -> Usage {
        let index = self.index.lock();
        Usage { entries: index.len(), bytes: index.bytes() }
    }

    /// Reserves room for a blob, after removing as many as it takes; false when that does not help.
    fn make_room(&self, index: &mut Index, cost: u64) -> io::Result<bool> {
        while !index.reserve(cost, self.bytes_max) {
            let Some(oldest) = index.oldest() else { return Ok(false) };
            if let Err(error) = remove(&self.folder.blob(&oldest)) {
                // So that it is not in the way of the next one, too.
                index.used(&oldest);
                return Err(error);
            }
            index.remove(&oldest);
        }
        Ok(true)
    }
}

/// A file, if it is no longer than it is said to be.
fn read(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(usize::try_from(len_max).unwrap_or(0));
    // One byte more shows that there is more, and fails the checksum.
    File::open(path)?.take(len_max + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn write(path: &Path, head: &[u8], content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(head)?;
    file.write_all(content)
}

/// Gone is gone, whoever did it.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if is_gone(&error) => Ok(()),
        done => done,
    }
}

/// A file where a folder was says, too, that what was in the folder is gone.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_was_bad_for_an_earlier_get_is_left_alone_once_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(folder.path(), 1 << 20).unwrap();
        let key = Key([1; 32]);
        assert!(cache.put(&key, b"earlier").unwrap());
        let earlier = cache.index.lock().used(&key).unwrap();
        assert!(cache.put(&key, b"later").unwrap());
        // What the get of another thread does that began before.
        cache.drop_bad(&key, &earlier, &cache.folder.blob(&key));
        assert_eq!(cache.get(&key).as_deref(), Some(&b"later"[..]));
        let later = cache.index.lock().used(&key).unwrap();
        cache.drop_bad(&key, &later, &cache.folder.blob(&key));
        assert_eq!(cache.get(&key), None);
    }
}
