//! The folder: names, its lock, what an earlier process left in it.

use std::ffi::OsStr;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use crate::{Key, LOCK_NAME};

const BLOB: &str = "blob";
const TEMPORARY: &str = "tmp";

/// Why a folder can't be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it, or another cache of this one.
    #[error("cache folder {}: another process uses it: give each a folder of its own", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// It can't be made, read or locked.
    #[error("cache folder {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A folder that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// A blob that was found.
pub(crate) struct Found {
    pub(crate) key: Key,
    /// Of the file, bytes.
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

impl Folder {
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { folder: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let mut options = OpenOptions::new();
        let lock =
            options.write(true).create(true).truncate(false).open(path.join(LOCK_NAME)).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Taken { folder: path.to_owned() }),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Finds the blobs and removes what was being written; everything else stays.
    pub(crate) fn scan(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for upper in folders_in(&self.path)? {
            for lower in folders_in(&upper)? {
                for entry in fs::read_dir(&lower)? {
                    let entry = entry?;
                    let path = entry.path();
                    match name_of(&path) {
                        Some((key, BLOB)) if entry.file_type()?.is_file() && path == self.blob(&key) => {
                            let metadata = entry.metadata()?;
                            let modified = metadata.modified()?;
                            found.push(Found { key, size: metadata.size(), modified });
                        }
                        Some((_, TEMPORARY)) if entry.file_type()?.is_file() => fs::remove_file(&path)?,
                        _ => {}
                    }
                }
            }
        }
        Ok(found)
    }

    /// Where a blob is.
    pub(crate) fn blob(&self, key: &Key) -> PathBuf {
        let name = hex(key);
        let (upper, lower) = (name.get(..2).unwrap_or_default(), name.get(2..4).unwrap_or_default());
        self.path.join(upper).join(lower).join(format!("{name}.{BLOB}"))
    }

    /// Where one is written first. `number` is used once in a process.
    pub(crate) fn temporary(&self, key: &Key, number: u64) -> PathBuf {
        self.blob(key).with_extension(format!("{number}.{TEMPORARY}"))
    }
}

fn folders_in(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type().as_ref().is_ok_and(FileType::is_dir) && is_two_digits(&entry.file_name()) {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn is_two_digits(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.len() == 2 && name.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(key: &Key) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    key.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

/// Key and kind in the name of a file, if it is one of ours.
fn name_of(path: &Path) -> Option<(Key, &'static str)> {
    let (digits, rest) = path.file_name()?.to_str()?.split_once('.')?;
    let key = key_of(digits.as_bytes())?;
    match rest.split_once('.') {
        None if rest == BLOB => Some((key, BLOB)),
        Some((number, TEMPORARY)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some((key, TEMPORARY))
        }
        _ => None,
    }
}

fn key_of(digits: &[u8]) -> Option<Key> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(Key(key))
}
