//! How far replication got: SYNC_REPORT 89.
//!
//! Source: wire protocol, "SYNC_REPORT".

use crate::field::Reader;
use crate::limits::REPORT_ENTRIES_MAX;
use crate::record::{Id16, Int4, read_all, record};
use crate::{DecodeError, StorageId, Why};

record! {
    /// Up to which second the files of one peer are here: 20 bytes.
    pub struct Synced as "sync_report entry" {
        /// The peer.
        src_id: Option<StorageId> => Id16,
        /// Unix second; 0 when nothing came yet. The original reads it as signed and ignores what is not above 0.
        timestamp: u32 => Int4,
    }
}

/// Body of 89: one record per peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The peers, at least one.
    pub sources: Vec<Synced>,
}

/// The reply.
pub use super::change_list::Got;

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// No whole number of records, none, or more than [`REPORT_ENTRIES_MAX`].
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        let mut reader = Reader::new("sync_report", body);
        if body.is_empty() {
            return Err(reader.fail(Why::Length));
        }
        Ok(Ask { sources: read_all(&mut reader, REPORT_ENTRIES_MAX)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for source in &self.sources {
            source.encode(out);
        }
    }
}
