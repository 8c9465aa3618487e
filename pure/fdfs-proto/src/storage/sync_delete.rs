//! Replication of a deletion: SYNC_DELETE_FILE 17.
//!
//! Source: wire protocol, "storage ↔ storage"; storage internals, "message layouts".

use super::sync_copy::{put_what, read_what};
use crate::field::Reader;
use crate::limits::NAME_LEN_MAX;
use crate::{DecodeError, Empty, GroupField, RawName, Why};

/// Body of 17: 20 bytes and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Unix second of the deletion.
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
    /// [`Why::Length`] for a name of no or more than 127 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("sync_delete", body);
        let name_len = body.len().checked_sub(20).filter(|len| (1..=NAME_LEN_MAX).contains(len));
        let name_len = name_len.ok_or_else(|| reader.fail(Why::Length))?;
        let (timestamp, group, name) = read_what(&mut reader, name_len)?;
        reader.end()?;
        Ok(Ask { timestamp, group, name })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_what(out, self.timestamp, self.group, self.name);
    }
}
