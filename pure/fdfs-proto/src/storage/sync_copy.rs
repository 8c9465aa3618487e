//! Replication of a whole file: SYNC_CREATE_FILE 16, SYNC_UPDATE_FILE 18.
//!
//! Source: wire protocol, "storage ↔ storage"; storage internals, "message layouts".

use super::content;
use crate::field::{Reader, put_int8, put_padded};
use crate::limits::{GROUP_LEN, NAME_LEN_MAX};
use crate::record::{Group16, Int4, Kind};
use crate::{DecodeError, Empty, GroupField, RawName, Status};

/// Head of 16 and 18: 36 bytes and the name, then the content, if any follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Size of the file, announced even when no content follows.
    pub size: u64,
    /// Content follows. Without it the message says "you have this file already"; the header of the request
    /// then carries "file exists" as its status.
    pub has_content: bool,
    /// Unix second of the change.
    pub timestamp: u32,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, 1..=127 bytes.
    pub name: RawName<'a>,
}

/// The reply; its status is "file exists" when the same or a newer file is there.
pub type Got = Empty;

/// Bytes before the name.
pub const FIXED_LEN: usize = 36;

impl<'a> Ask<'a> {
    /// The status byte of the request.
    pub fn status(&self) -> u8 {
        if self.has_content { Status::OK.0 } else { Status::EEXIST.0 }
    }

    /// Length of the content that follows the head.
    pub fn content_len(&self) -> u64 {
        if self.has_content { self.size } else { 0 }
    }

    /// Length of the head.
    pub fn head_len(&self) -> usize {
        FIXED_LEN + self.name.len()
    }

    /// Reads the head from the status byte of the header and the first bytes of a body of `body_len` bytes.
    ///
    /// # Errors
    /// A head cut short, a name length out of range, or content that is not the rest of the body.
    pub fn decode(status: u8, body_len: u64, bytes: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = content::head("sync_copy", body_len, bytes);
        let name_len = reader.name_len(1, NAME_LEN_MAX)?;
        let size = reader.int8()?;
        let (timestamp, group, name) = read_what(&mut reader, name_len)?;
        let ask = Ask { size, has_content: status == 0, timestamp, group, name };
        content::check_len(&reader, body_len, ask.content_len())?;
        Ok(ask)
    }

    /// Appends the head; [`Ask::content_len`] bytes of content follow, [`Ask::status`] goes into the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.name.len() as u64);
        put_int8(out, self.size);
        put_what(out, self.timestamp, self.group, self.name);
    }
}

/// The end that all sync heads share: time 4, group 16, name.
pub(crate) fn read_what<'a>(
    reader: &mut Reader<'a>,
    name_len: usize,
) -> Result<(u32, GroupField, RawName<'a>), DecodeError> {
    let timestamp = Int4::read(reader)?;
    let group = <Group16 as Kind<GroupField>>::read(reader)?;
    Ok((timestamp, group, RawName::new(reader.take(name_len)?)))
}

pub(crate) fn put_what(out: &mut Vec<u8>, timestamp: u32, group: GroupField, name: RawName<'_>) {
    Int4::write(&timestamp, out);
    put_padded(out, group.as_bytes(), GROUP_LEN);
    out.extend_from_slice(name.as_bytes());
}
