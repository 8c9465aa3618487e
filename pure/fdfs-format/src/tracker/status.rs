//! `.tracker_status`: when a tracker was up, which elections look at after a restart.

use crate::FormatError;
use crate::ini::{Ini, put};

/// Name of the file below `data/`.
pub const TRACKER_STATUS_FILE: &str = ".tracker_status";

/// Contents of `.tracker_status`, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackerStatus {
    /// When the tracker started.
    pub up_time: i64,
    /// When this file was written, every five minutes.
    pub last_check_time: i64,
}

impl TrackerStatus {
    /// Reads the file; a missing key is 0.
    ///
    /// # Errors
    /// [`FormatError`] when a value is no number.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let keys = Ini::keys(bytes)?;
        Ok(Self { up_time: keys.number("up_time")?, last_check_time: keys.number("last_check_time")? })
    }

    /// Writes the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        put(&mut out, "up_time", self.up_time);
        put(&mut out, "last_check_time", self.last_check_time);
        out.into_bytes()
    }
}
