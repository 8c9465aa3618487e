//! What a transfer tells while it runs, and what went wrong on the way.

use crate::rel_path::{PathError, RelPath};
use crate::walk::Special;
use std::io;

/// Told what happens. All methods may be called from several threads at once and must not block for long.
pub trait Progress: Send + Sync {
    /// How much there is to do, as far as known. Called again while it grows.
    fn total(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// Work on a file begins.
    fn file_started(&self, path: &RelPath, size: u64) {
        let _ = (path, size);
    }

    /// Bytes moved since the last call; negative when a file has to be begun again.
    fn bytes(&self, delta: i64) {
        let _ = delta;
    }

    /// Work on a file is over.
    fn file_done(&self, path: &RelPath, outcome: Outcome) {
        let _ = (path, outcome);
    }

    /// Something went wrong, or was left out.
    fn problem(&self, problem: &Problem) {
        let _ = problem;
    }
}

/// A [`Progress`] that says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// How work on a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its content was moved, or it was deleted.
    Done,
    /// There was nothing to do. Its bytes were not told to [`Progress::bytes`].
    Skipped,
    /// It failed; [`Progress::problem`] has said why.
    Failed,
}

/// Something that went wrong, or was left out, at one path.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {trouble}")]
pub struct Problem {
    /// Where.
    pub path: RelPath,
    /// What.
    pub trouble: Trouble,
}

/// What went wrong, or was left out.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It has no content to store. Told, but no failure.
    #[error("left out, it is {0}")]
    Special(Special),
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It cannot be written.
    #[error("cannot be written: {0}")]
    Unwritable(io::Error),
    /// The folder has a name in it that no manifest can hold.
    #[error("left out {}: {error}", crate::escape::escape(name))]
    BadName {
        /// The name.
        name: Vec<u8>,
        /// Why.
        error: PathError,
    },
    /// It was changed while it was read. What is stored is what was read, which may be a mixture.
    #[error("changed while it was read; put it again")]
    Changed,
    /// The cluster did not take or give it, or did not delete it.
    #[error("{0}")]
    Cluster(#[from] fdfs_client::Error),
    /// What came is not what the manifest says.
    #[error("the content that came is not what the manifest says (size {size}, CRC-32 {crc32:08x})")]
    Differs {
        /// The bytes that came.
        size: u64,
        /// Their CRC-32.
        crc32: u32,
    },
    /// Something else is there that was changed after what the manifest says, and is to stay.
    #[error("what is here was changed later, so it stays: name the target to replace it")]
    Newer,
    /// Two lines of the manifest are about this path.
    #[error("the manifest lists it twice")]
    Twice,
    /// The manifest has no last line.
    #[error("the put that wrote this manifest did not finish: put the folder again to complete it")]
    Unfinished,
}
