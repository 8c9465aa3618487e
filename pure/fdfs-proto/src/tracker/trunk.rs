//! What trackers know of trunk files: FETCH_TRUNK_FID 72, REPORT_TRUNK_FID 73, REPORT_TRUNK_FREE 74.
//!
//! Source: wire protocol, "CHANGE_STATUS, trunk commands".

use crate::Empty;
use crate::record::{Int4, Int8, record};

/// Body of 72.
pub type AskFileId = Empty;

record! {
    /// Reply of 72 and body of 73: 4 bytes.
    pub struct FileNumber as "trunk file number" {
        /// Number of the group's newest trunk file; the original reads it as signed.
        id: u32 => Int4,
    }
}

record! {
    /// Body of 74: 8 bytes.
    pub struct Free as "report_trunk_free" {
        /// Free space inside trunk files, in MiB.
        free_mb: u64 => Int8,
    }
}

/// The reply of 73 and 74.
pub type Got = Empty;
