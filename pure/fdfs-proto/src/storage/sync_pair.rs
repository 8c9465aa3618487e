//! Replication of what has two names: SYNC_CREATE_LINK 19, SYNC_RENAME_FILE 40.
//!
//! Source: wire protocol, "storage ↔ storage"; storage internals, "message layouts".

use super::sync_copy::{put_what, read_what};
use crate::field::{Reader, put_int8};
use crate::limits::NAME_LEN_MAX;
use crate::{DecodeError, Empty, GroupField, RawName};

/// Body of 19 and 40: 36 bytes and both names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Unix second of the change.
    pub timestamp: u32,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The link, or the new name, 1..=127 bytes.
    pub dest: RawName<'a>,
    /// What the link leads to, or the old name, 1..=127 bytes.
    pub source: RawName<'a>,
}

/// The reply. The original's to a rename carries left-over bytes: see [`Empty::ignoring`].
pub type Got = Empty;

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// Name lengths out of range or that do not add up to the body's.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("sync_pair", body);
        let dest_len = reader.name_len(1, NAME_LEN_MAX)?;
        let source_len = reader.name_len(1, NAME_LEN_MAX)?;
        let (timestamp, group, dest) = read_what(&mut reader, dest_len)?;
        let source = RawName::new(reader.take(source_len)?);
        reader.end()?;
        Ok(Ask { timestamp, group, dest, source })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.dest.len() as u64);
        put_int8(out, self.source.len() as u64);
        put_what(out, self.timestamp, self.group, self.dest);
        out.extend_from_slice(self.source.as_bytes());
    }
}
