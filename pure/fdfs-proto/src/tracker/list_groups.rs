//! Figures of groups: LIST_ONE_GROUP 90, LIST_ALL_GROUPS 91.
//!
//! Source: wire protocol, "LIST_ONE_GROUP, LIST_ALL_GROUPS".

use fdfs_fileid::GroupName;

use super::GroupAsk;
use crate::field::Reader;
use crate::limits::GROUPS_MAX;
use crate::record::{Group17, Int8, OrMinusOne8, read_all, record};
use crate::{DecodeError, Empty};

/// 90: one group.
pub type AskOne = GroupAsk;

/// 91: all groups.
pub type AskAll = Empty;

record! {
    /// Figures of one group: 113 bytes. Space is in MiB.
    pub struct GroupStat as "group figures" {
        /// The group.
        group: GroupName => Group17,
        /// Size of the writable storage with the least free space.
        total_mb: u64 => Int8,
        /// Free space of that storage.
        free_mb: u64 => Int8,
        /// What the tracker keeps in reserve of it.
        reserved_mb: u64 => Int8,
        /// Free space inside trunk files.
        trunk_free_mb: u64 => Int8,
        /// All storages known, deleted ones included.
        storage_count: u64 => Int8,
        /// The port of the storages; `None` when they use different ones.
        storage_port: Option<u16> => OrMinusOne8,
        /// Storages that serve downloads.
        readable_server_count: u64 => Int8,
        /// Storages that take uploads.
        writable_server_count: u64 => Int8,
        /// Index of the storage whose turn it is.
        current_write_server: u64 => Int8,
        /// Store paths of each storage.
        store_path_count: u64 => Int8,
        /// Directories per level in each store path.
        subdir_count_per_path: u64 => Int8,
        /// Number of the newest trunk file; `None` when trunk files are off.
        current_trunk_file_id: Option<u32> => OrMinusOne8,
    }
}

/// Reply of 90: exactly one record.
pub type GotOne = GroupStat;

/// Reply of 91: a record per group, by name; none when there are no groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GotAll {
    /// The groups.
    pub groups: Vec<GroupStat>,
}

impl GotAll {
    /// Reads the body.
    ///
    /// # Errors
    /// [`crate::Why::Length`] when it is no whole number of records, [`crate::Why::TooMany`] for more than 512.
    pub fn decode(body: &[u8]) -> Result<GotAll, DecodeError> {
        let mut reader = Reader::new("list_all_groups reply", body);
        Ok(GotAll { groups: read_all(&mut reader, GROUPS_MAX)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for group in &self.groups {
            group.encode(out);
        }
    }
}
