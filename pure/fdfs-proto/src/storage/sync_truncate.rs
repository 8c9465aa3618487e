//! Replication of a truncation: SYNC_TRUNCATE_FILE 37.
//!
//! Source: wire protocol, "storage ↔ storage"; storage internals, "message layouts".

use super::sync_copy::{put_what, read_what};
use crate::field::{Reader, put_int8};
use crate::limits::NAME_LEN_MAX;
use crate::{DecodeError, Empty, GroupField, RawName};

/// Body of 37: 44 bytes and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Size before.
    pub old_size: u64,
    /// Size after.
    pub new_size: u64,
    /// Unix second of the change.
    pub timestamp: u32,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, 1..=127 bytes.
    pub name: RawName<'a>,
}

/// The reply.
pub type Got = Empty;

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// A name length out of range or other than the rest of the body.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("sync_truncate", body);
        let name_len = reader.name_len(1, NAME_LEN_MAX)?;
        let old_size = reader.int8()?;
        let new_size = reader.int8()?;
        let (timestamp, group, name) = read_what(&mut reader, name_len)?;
        reader.end()?;
        Ok(Ask { old_size, new_size, timestamp, group, name })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.name.len() as u64);
        put_int8(out, self.old_size);
        put_int8(out, self.new_size);
        put_what(out, self.timestamp, self.group, self.name);
    }
}
