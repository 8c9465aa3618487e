//! The reply that names a file: UPLOAD 11, UPLOAD_APPENDER 23, UPLOAD_SLAVE 21, CREATE_LINK 20 and
//! REGENERATE_APPENDER_FILENAME 38.

use fdfs_fileid::{FileId, FileName, GroupName, NameError};

use crate::field::{Reader, put_padded};
use crate::limits::{GROUP_LEN, NAME_LEN_MAX};
use crate::record::{Group16, Kind};
use crate::{DecodeError, RawName, Why};

/// Group and name of the file that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got<'a> {
    /// The group.
    pub group: GroupName,
    /// The name within the group.
    pub name: RawName<'a>,
}

impl<'a> Got<'a> {
    /// The reply that names this file.
    pub fn new(group: GroupName, name: &'a FileName) -> Got<'a> {
        Got { group, name: RawName::from(name) }
    }

    /// The whole id, checked.
    ///
    /// # Errors
    /// When the storage sent a name that cannot be one.
    pub fn file_id(&self) -> Result<FileId, NameError> {
        Ok(FileId { group: self.group, name: self.name.parse()? })
    }

    /// Reads the body.
    ///
    /// # Errors
    /// A bad group name, or a name of no or more than 127 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Got<'a>, DecodeError> {
        let mut reader = Reader::new("file name reply", body);
        let group = <Group16 as Kind<GroupName>>::read(&mut reader)?;
        if !(1..=NAME_LEN_MAX).contains(&reader.remaining()) {
            return Err(reader.fail(Why::Length));
        }
        Ok(Got { group, name: RawName::new(reader.rest()) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_str().as_bytes(), GROUP_LEN);
        out.extend_from_slice(self.name.as_bytes());
    }
}
