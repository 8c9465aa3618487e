//! A file or a part of it: DOWNLOAD_FILE 14. The reply is the content and nothing else.
//!
//! Source: wire protocol, "DOWNLOAD_FILE".

use crate::field::{Reader, put_int8, put_padded};
use crate::limits::{GROUP_LEN, NAME_LEN_MAX};
use crate::record::{Group16, Kind};
use crate::{DecodeError, GroupField, RawName, Why};

/// Body of 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Where to begin.
    pub offset: u64,
    /// How many bytes; 0 for all that follow.
    pub len: u64,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, 1..=127 bytes.
    pub name: RawName<'a>,
}

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// A negative number, or [`Why::Length`] for a name of no or more than 127 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("download", body);
        let offset = reader.int8()?;
        let len = reader.int8()?;
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        if !(1..=NAME_LEN_MAX).contains(&reader.remaining()) {
            return Err(reader.fail(Why::Length));
        }
        Ok(Ask { offset, len, group, name: RawName::new(reader.rest()) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.offset);
        put_int8(out, self.len);
        put_padded(out, self.group.as_bytes(), GROUP_LEN);
        out.extend_from_slice(self.name.as_bytes());
    }
}
