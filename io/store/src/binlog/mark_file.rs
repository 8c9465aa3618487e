//! The file that keeps how far the log was pushed to one peer, in the original's form and under its name (storage
//! internals: marks).
//!
//! The original ends when it can't read one (storage internals: holes, D6). Here the one before it is kept beside it,
//! and without either replication begins anew, which does no harm.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use fdfs_format::Mark;

/// What the name of the mark before the last one ends with.
const COPY_EXTENSION: &str = ".last";

/// Longest file that can be a mark, bytes.
const MARK_LEN_MAX: u64 = 4096;

/// What is kept about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptMark {
    /// Nothing: the peer is new.
    Nothing,
    /// The newest mark.
    Newest(Mark),
    /// The newest one can't be read; the one before it. What was pushed between the two is pushed again.
    Older(Mark),
    /// Neither can be read.
    Broken,
}

/// The mark of one peer.
#[derive(Debug, Clone)]
pub struct MarkFile {
    path: PathBuf,
}

impl MarkFile {
    /// The mark of this file name (see [`fdfs_format::mark_file`]) in the folder of the log.
    pub fn new(dir: &Path, name: &str) -> Self {
        Self { path: dir.join(name) }
    }

    fn copy(&self) -> PathBuf {
        with(&self.path, COPY_EXTENSION)
    }

    /// Reads the mark. Blocks.
    ///
    /// # Errors
    /// What reading says; a file that is no mark is none.
    pub fn load(&self) -> io::Result<KeptMark> {
        let (newest, older) = (read(&self.path)?, read(&self.copy())?);
        Ok(match (newest, older) {
            (Found::Mark(mark), _) => KeptMark::Newest(mark),
            (Found::Broken, Found::Mark(mark)) => {
                tracing::error!(path = %self.path.display(), "the mark of a peer can't be read, the one before it is used");
                KeptMark::Older(mark)
            }
            // A crash between two marks.
            (Found::Nothing, Found::Mark(mark)) => KeptMark::Older(mark),
            (Found::Nothing, Found::Nothing) => KeptMark::Nothing,
            (Found::Broken | Found::Nothing, Found::Broken | Found::Nothing) => {
                tracing::error!(path = %self.path.display(), "the mark of a peer can't be read, everything is sent once more");
                KeptMark::Broken
            }
        })
    }

    /// Replaces the mark, durably. The log must be durable up to there. Blocks.
    ///
    /// # Errors
    /// What the file system says; the old mark stays.
    pub fn save(&self, mark: &Mark) -> io::Result<()> {
        if matches!(read(&self.path)?, Found::Mark(_)) {
            let next = with(&self.path, ".last.tmp");
            ignore_missing(fs::remove_file(&next))?;
            fs::hard_link(&self.path, &next)?;
            fs::rename(&next, self.copy())?;
        }
        daemon::state_file::replace(&self.path, &mark.encode())
    }

    /// Gives the mark the name that a peer has by now; false when there is none, or one of that name already. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn move_to(&self, new: &Self) -> io::Result<bool> {
        if !self.path.try_exists()? || new.path.try_exists()? {
            return Ok(false);
        }
        fs::rename(&self.path, &new.path)?;
        ignore_missing(fs::rename(self.copy(), new.copy()))?;
        daemon::state_file::sync_parent(&new.path)?;
        Ok(true)
    }

    /// Puts the mark of a peer that left away, its name with `suffix` behind it: should the peer come back, it is a
    /// new one. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn retire(&self, suffix: &str) -> io::Result<()> {
        ignore_missing(fs::remove_file(self.copy()))?;
        ignore_missing(fs::rename(&self.path, with(&self.path, &format!(".{suffix}"))))?;
        daemon::state_file::sync_parent(&self.path)
    }
}

enum Found {
    Nothing,
    Broken,
    Mark(Mark),
}

fn read(path: &Path) -> io::Result<Found> {
    match fs::metadata(path) {
        Ok(file) if file.len() > MARK_LEN_MAX => return Ok(Found::Broken),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    }
    Ok(Mark::decode(&fs::read(path)?).map_or(Found::Broken, Found::Mark))
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
