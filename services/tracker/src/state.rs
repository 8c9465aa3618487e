//! The state files of a base path: read at the start, written by [`crate::persist`].
//!
//! Their names and formats are the original's, so a tracker can be taken over in place and given back.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use daemon::state_file;
use fdfs_format::FormatError;
use fdfs_format::tracker::changelog::CHANGELOG_FILE;
use fdfs_format::tracker::groups::{self, GROUPS_FILE};
use fdfs_format::tracker::servers::{self, SERVERS_FILE};
use fdfs_format::tracker::status::{TRACKER_STATUS_FILE, TrackerStatus};
use fdfs_format::tracker::sync_times::{self, SYNC_TIMES_FILE};
use tracker_core::{LoadError, Tables};

/// Why the state that was saved cannot be used. The tracker then does not start: beginning without it would
/// overwrite it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {error}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: FormatError,
    },
    /// The files contradict each other, or hold more than a tracker keeps.
    #[error("the saved state cannot be used: {0}")]
    Contents(#[from] LoadError),
}

/// Reads what was saved in a `data/` folder; what is missing is empty.
///
/// # Errors
/// [`StateError`].
pub(crate) fn read(data: &Path) -> Result<Tables, StateError> {
    let mut changelog = read_file(data, CHANGELOG_FILE)?;
    // A line without end was being written when the tracker died, so nobody was told that it is there.
    let complete = changelog.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    changelog.truncate(complete);
    Ok(Tables {
        groups: decode(data, GROUPS_FILE, groups::decode)?.unwrap_or_default(),
        servers: decode(data, SERVERS_FILE, servers::decode)?.unwrap_or_default(),
        sync_times: decode(data, SYNC_TIMES_FILE, sync_times::decode)?.unwrap_or_default(),
        changelog,
        status: decode(data, TRACKER_STATUS_FILE, TrackerStatus::decode)?,
    })
}

fn decode<T>(
    data: &Path,
    name: &str,
    decode: fn(&[u8]) -> Result<T, FormatError>,
) -> Result<Option<T>, StateError> {
    let bytes = read_file(data, name)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    decode(&bytes).map(Some).map_err(|error| StateError::Format { path: data.join(name), error })
}

fn read_file(data: &Path, name: &str) -> Result<Vec<u8>, StateError> {
    let path = data.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StateError::File { path, error }),
    }
}

/// One file to write.
#[derive(Debug)]
pub(crate) enum Write {
    /// Replaces the whole file.
    Whole {
        /// Its name.
        name: &'static str,
        /// Its new content.
        bytes: Vec<u8>,
    },
    /// Adds to the changelog, which had `from` bytes that count.
    Changelog {
        /// Where the new bytes begin.
        from: u64,
        /// The new bytes.
        bytes: Vec<u8>,
    },
}

impl Write {
    /// The name of the file.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Whole { name, .. } => name,
            Self::Changelog { .. } => CHANGELOG_FILE,
        }
    }

    /// Writes it durably. Blocks.
    pub(crate) fn perform(&self, data: &Path) -> io::Result<()> {
        match self {
            Self::Whole { name, bytes } => state_file::replace(&data.join(name), bytes),
            Self::Changelog { from, bytes } => append(&data.join(CHANGELOG_FILE), *from, bytes),
        }
    }
}

/// Writes behind the first `from` bytes of a file and nothing after that.
fn append(path: &Path, from: u64, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.write_all_at(bytes, from)?;
    file.set_len(from + bytes.len() as u64)?;
    file.sync_all()?;
    state_file::sync_parent(path)
}
