//! Replication of a part of a file: SYNC_APPEND_FILE 25, SYNC_MODIFY_FILE 35.
//!
//! Source: wire protocol, "storage ↔ storage"; storage internals, "message layouts".

use super::content;
use super::sync_copy::{put_what, read_what};
use crate::field::put_int8;
use crate::limits::NAME_LEN_MAX;
use crate::{DecodeError, Empty, GroupField, RawName};

/// Head of 25 and 35: 44 bytes and the name, then the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Where the content belongs.
    pub start: u64,
    /// Length of the content; may be 0.
    pub size: u64,
    /// Unix second of the change.
    pub timestamp: u32,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, 1..=127 bytes.
    pub name: RawName<'a>,
}

/// The reply; its status says whether the file was short of the content, had it already, or was not there.
pub type Got = Empty;

/// Bytes before the name.
pub const FIXED_LEN: usize = 44;

impl<'a> Ask<'a> {
    /// Length of the head.
    pub fn head_len(&self) -> usize {
        FIXED_LEN + self.name.len()
    }

    /// Reads the head from the first bytes of a body of `body_len` bytes.
    ///
    /// # Errors
    /// A head cut short, a name length out of range, or a size that is not the rest of the body.
    pub fn decode(body_len: u64, bytes: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = content::head("sync_write", body_len, bytes);
        let name_len = reader.name_len(1, NAME_LEN_MAX)?;
        let start = reader.int8()?;
        let size = reader.int8()?;
        let (timestamp, group, name) = read_what(&mut reader, name_len)?;
        content::check_len(&reader, body_len, size)?;
        Ok(Ask { start, size, timestamp, group, name })
    }

    /// Appends the head; `size` bytes of content follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.name.len() as u64);
        put_int8(out, self.start);
        put_int8(out, self.size);
        put_what(out, self.timestamp, self.group, self.name);
    }
}
