//! The trackers, as their leader sees them: TRACKER_CLUSTER_STAT 96.
//!
//! Source: wire protocol, "TRACKER_CLUSTER_STAT".

use super::leader::Connections;
use crate::field::Reader;
use crate::record::{Byte, Flag, Text, Time8, read_all, record};
use crate::{DecodeError, HostText, Version, Why};

record! {
    /// Body of 96: 3 bytes.
    #[derive(Default)]
    pub struct Ask as "tracker_cluster_stat" {
        /// Bit 1: only those whose `is_active` matches; bit 2: only those whose `is_leader` matches.
        filter_by: u8 => Byte,
        /// Wanted value.
        is_active: bool => Flag,
        /// Wanted value.
        is_leader: bool => Flag,
    }
}

record! {
    /// One tracker: 90 bytes.
    pub struct TrackerStat as "tracker figures" {
        /// Its address.
        host: HostText => Text,
        /// It leads.
        is_leader: bool => Flag,
        /// It leads, or pinged within the last 3 s.
        is_active: bool => Flag,
        /// Its connections.
        connections: Connections => Connections,
        /// Its version.
        version: Version => Text,
        /// Unix second of its start.
        up_time: i64 => Time8,
        /// Unix second of its last ping.
        last_heartbeat_time: i64 => Time8,
    }
}

/// Reply of 96: a count of one byte and as many records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Got {
    /// The trackers, at most 255.
    pub trackers: Vec<TrackerStat>,
}

impl Got {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Mismatch`] when the count is not that of the records.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("tracker_cluster_stat reply", body);
        let count = usize::from(reader.u8()?);
        if reader.remaining() != count * TrackerStat::LEN {
            return Err(reader.fail(Why::Mismatch));
        }
        Ok(Got { trackers: read_all(&mut reader, count)? })
    }

    /// Appends the body; trackers beyond the 255th cannot be said.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let count = u8::try_from(self.trackers.len()).unwrap_or(u8::MAX);
        out.push(count);
        for tracker in self.trackers.iter().take(usize::from(count)) {
            tracker.encode(out);
        }
    }
}
