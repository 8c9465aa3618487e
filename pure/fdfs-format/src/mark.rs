//! `<peer>.mark`: how far a storage has pushed its binlog to one peer.
//!
//! Source: storage internals, "Marks".

use crate::FormatError;
use crate::ini::{Ini, Number, flag, put};
use fdfs_proto::StorageId;

/// Contents of a mark file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Number of the binlog file to read next.
    pub binlog_index: u32,
    /// Where in it, bytes from its start.
    pub binlog_offset: u64,
    /// Whether this storage fills that peer with everything it has.
    pub need_sync_old: bool,
    /// Whether it has done so.
    pub sync_old_done: bool,
    /// Up to which time (Unix seconds) files of others count for that.
    pub until_timestamp: i64,
    /// Lines read.
    pub scan_row_count: u64,
    /// Lines pushed.
    pub sync_row_count: u64,
}

impl Mark {
    /// Reads the file.
    ///
    /// # Errors
    /// [`FormatError`] when any of the seven keys is missing or no number: half a mark would make a storage push
    /// from the wrong place.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let keys = Ini::keys(bytes)?;
        Ok(Self {
            binlog_index: keys.required("binlog_index", Number::read)?,
            binlog_offset: keys.required("binlog_offset", Number::read)?,
            need_sync_old: keys.required("need_sync_old", flag)?,
            sync_old_done: keys.required("sync_old_done", flag)?,
            until_timestamp: keys.required("until_timestamp", Number::read)?,
            scan_row_count: keys.required("scan_row_count", Number::read)?,
            sync_row_count: keys.required("sync_row_count", Number::read)?,
        })
    }

    /// Writes the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        put(&mut out, "binlog_index", self.binlog_index);
        put(&mut out, "binlog_offset", self.binlog_offset);
        put(&mut out, "need_sync_old", u8::from(self.need_sync_old));
        put(&mut out, "sync_old_done", u8::from(self.sync_old_done));
        put(&mut out, "until_timestamp", self.until_timestamp);
        put(&mut out, "scan_row_count", self.scan_row_count);
        put(&mut out, "sync_row_count", self.sync_row_count);
        out.into_bytes()
    }
}

/// Name of the mark file below `data/sync/`. With `use_storage_id` it is the peer's id alone; otherwise the id is
/// an address, and `own_port` (this storage's, for all members of a group used to share one) comes after it.
pub fn mark_file(peer: &StorageId, own_port: Option<u16>) -> String {
    match own_port {
        None => format!("{peer}.mark"),
        Some(port) => format!("{peer}_{port}.mark"),
    }
}
