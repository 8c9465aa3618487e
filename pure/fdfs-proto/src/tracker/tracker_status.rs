//! The running figures that decide an election: TRACKER_GET_STATUS 64.
//!
//! Source: wire protocol, "tracker ↔ tracker" and "running figures".

use crate::Empty;
use crate::record::{Flag, Time8, record};

/// Body of 64.
pub type Ask = Empty;

record! {
    /// Reply of 64: 17 bytes. Both times are multiples of 300 s.
    pub struct Got as "tracker_status reply" {
        /// It leads.
        is_leader: bool => Flag,
        /// Seconds since its start.
        running_time: i64 => Time8,
        /// Seconds between the end of its last run and its start.
        restart_interval: i64 => Time8,
    }
}
