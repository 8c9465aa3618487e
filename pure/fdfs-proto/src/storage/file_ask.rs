//! A body that is a group and a file name: DELETE_FILE 12, GET_METADATA 15, QUERY_FILE_INFO 22.

use crate::field::{Reader, put_padded};
use crate::limits::{GROUP_LEN, NAME_LEN_MAX};
use crate::record::{Group16, Kind};
use crate::{DecodeError, GroupField, RawName, Why};

/// Group and name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileAsk<'a> {
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, without its group.
    pub name: RawName<'a>,
}

impl<'a> FileAsk<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Length`] for a name of no or more than 127 bytes.
    pub fn decode(body: &'a [u8]) -> Result<FileAsk<'a>, DecodeError> {
        FileAsk::decode_within("file", body, 1, NAME_LEN_MAX)
    }

    pub(crate) fn decode_within(
        what: &'static str,
        body: &'a [u8],
        min: usize,
        max: usize,
    ) -> Result<FileAsk<'a>, DecodeError> {
        let mut reader = Reader::new(what, body);
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        if !(min..=max).contains(&reader.remaining()) {
            return Err(reader.fail(Why::Length));
        }
        Ok(FileAsk { group, name: RawName::new(reader.rest()) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_bytes(), GROUP_LEN);
        out.extend_from_slice(self.name.as_bytes());
    }
}
