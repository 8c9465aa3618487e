//! Reports about statuses: REPORT_STATUS 76, REPLICA_CHG 85, CHANGE_STATUS 59.
//!
//! Source: wire protocol, "REPORT_STATUS and REPLICA_CHG", "CHANGE_STATUS".

use crate::field::Reader;
use crate::limits::REPORT_ENTRIES_MAX;
use crate::record::{Group16, Status1, read_all, record};
use crate::{Brief, DecodeError, Empty, GroupField, StorageStatus};

record! {
    /// Body of 76: 83 bytes.
    pub struct Report as "report_status" {
        /// The group.
        group: GroupField => Group16,
        /// The storage and its status.
        brief: Brief => Brief,
    }
}

/// Body of 85: peers whose status the storage knows better.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replicas {
    /// The peers.
    pub briefs: Vec<Brief>,
}

impl Replicas {
    /// Reads the body.
    ///
    /// # Errors
    /// No whole number of records, or too many.
    pub fn decode(body: &[u8]) -> Result<Replicas, DecodeError> {
        let mut reader = Reader::new("replica_change", body);
        Ok(Replicas { briefs: read_all(&mut reader, REPORT_ENTRIES_MAX)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for brief in &self.briefs {
            brief.encode(out);
        }
    }
}

record! {
    /// Body of 59: 1 byte.
    pub struct Change as "change_status" {
        /// The leader's view of the status of the storage that joined.
        status: StorageStatus => Status1,
    }
}

/// The reply of all three.
pub type Got = Empty;
