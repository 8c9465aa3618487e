//! Where a new storage gets the old files from: SYNC_DEST_REQ 87, SYNC_NOTIFY 88, SYNC_DEST_QUERY 79 and
//! SYNC_SRC_REQ 86.
//!
//! Source: wire protocol, "SYNC_DEST_REQ, SYNC_NOTIFY, SYNC_SRC_REQ, SYNC_DEST_QUERY".

use crate::record::{Group16, Id16, Time8, record};
use crate::{DecodeError, Empty, GroupField, StorageId};

record! {
    /// Body of 88, and what 79, 86 and 87 answer with: 24 bytes.
    #[derive(Hash)]
    pub struct SyncSource as "sync source" {
        /// The source of the old data; `None` in a notification: "I need none".
        src_id: Option<StorageId> => Id16,
        /// Unix second up to which the source's log is its duty.
        until_timestamp: i64 => Time8,
    }
}

/// Body of 79 and 87.
pub type AskMine = Empty;

/// Body of 88.
pub type Notify = SyncSource;

record! {
    /// Body of 86, asked by a source about the storage it may have to fill: 32 bytes.
    #[derive(Hash)]
    pub struct AskDest as "sync_src_request" {
        /// The group.
        group: GroupField => Group16,
        /// The storage to be filled.
        dest_id: Option<StorageId> => Id16,
    }
}

/// Reply of 79, 86 and 87: the source, or an empty body when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Got {
    /// The source.
    pub source: Option<SyncSource>,
}

impl Got {
    /// Reads the body.
    ///
    /// # Errors
    /// Any length but 0 and 24.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        if body.is_empty() {
            return Ok(Got { source: None });
        }
        SyncSource::decode(body).map(|source| Got { source: Some(source) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(source) = &self.source {
            source.encode(out);
        }
    }
}
