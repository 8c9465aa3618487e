//! What a storage says about a file.

use fdfs_proto::storage::file_info;
use std::net::IpAddr;

/// What a storage says about a file (wire protocol: QUERY_FILE_INFO).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Its size now, in bytes.
    pub size: u64,
    /// Unix second of its last change. The tools call it the time of creation.
    pub mtime: i64,
    /// CRC-32: of a normal file from its id, of an appender or slave computed; 0 when [`InfoFlags::no_crc`] was asked
    /// for.
    pub crc32: u32,
    /// The address of the storage it was uploaded to, when that is known.
    pub source: Option<IpAddr>,
}

pub use file_info::Flags as InfoFlags;

impl From<file_info::Got> for FileInfo {
    fn from(got: file_info::Got) -> FileInfo {
        FileInfo { size: got.size, mtime: got.mtime, crc32: got.crc32, source: got.source.ip() }
    }
}
