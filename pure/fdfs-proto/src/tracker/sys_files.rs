//! A tracker copies another's state files: GET_SYS_FILES_START 61, GET_ONE_SYS_FILE 63, GET_SYS_FILES_END 62.
//!
//! Source: wire protocol, "system file transfer".

use crate::field::{Reader, put_int8};
use crate::limits::SYS_FILE_PART_LEN_MAX;
use crate::{DecodeError, Empty, Why};

/// Body of 61 and 62, and their replies.
pub type Bracket = Empty;

/// The state files, by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SysFile {
    /// `storage_groups_new.dat`
    Groups = 0,
    /// `storage_servers_new.dat`
    Servers = 1,
    /// `storage_sync_timestamp.dat`
    SyncTimestamps = 2,
    /// `storage_changelog.dat`
    Changelog = 3,
}

impl SysFile {
    /// All of them, by index.
    pub const ALL: [SysFile; 4] =
        [SysFile::Groups, SysFile::Servers, SysFile::SyncTimestamps, SysFile::Changelog];
}

/// Body of 63: 9 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Which file.
    pub file: SysFile,
    /// From where.
    pub offset: u64,
}

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// An index above 3, a negative offset, another length than 9.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        let mut reader = Reader::new("sys_files_get", body);
        let index = reader.u8()?;
        let file = SysFile::ALL.into_iter().find(|file| *file as u8 == index);
        let file = file.ok_or_else(|| reader.fail(Why::Range))?;
        let offset = reader.int8()?;
        reader.end()?;
        Ok(Ask { file, offset })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.file as u8);
        put_int8(out, self.offset);
    }
}

/// Reply of 63: a part of the file, at most 8173 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got<'a> {
    /// Length of the whole file.
    pub file_size: u64,
    /// The bytes from the offset asked for; empty at the end.
    pub part: &'a [u8],
}

impl<'a> Got<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// A negative size, or a part longer than 8173 bytes or than the file.
    pub fn decode(body: &'a [u8]) -> Result<Got<'a>, DecodeError> {
        let mut reader = Reader::new("sys_files_get reply", body);
        let file_size = reader.int8()?;
        let part = reader.rest();
        if part.len() > SYS_FILE_PART_LEN_MAX || part.len() as u64 > file_size {
            return Err(reader.fail(Why::Length));
        }
        Ok(Got { file_size, part })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.file_size);
        out.extend_from_slice(self.part);
    }
}
