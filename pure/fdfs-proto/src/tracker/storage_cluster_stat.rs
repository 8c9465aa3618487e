//! The storages of all groups, filtered: STORAGE_CLUSTER_STAT 97.
//!
//! Source: wire protocol, "STORAGE_CLUSTER_STAT".

use super::leader::Connections;
use crate::field::Reader;
use crate::limits::{GROUP_STORAGES_MAX, GROUPS_MAX};
use crate::record::{Byte, Flag, Id16, Int4, Kind, Status1, Text, Time8, read_all, record};
use crate::{DecodeError, HostText, StorageId, StorageStatus, Version, Why};

record! {
    /// Body of 97: 4 bytes.
    #[derive(Default)]
    pub struct Ask as "storage_cluster_stat" {
        /// Bit 1: only those whose `is_trunk_server` matches; bit 2: only those whose status does.
        filter_by: u8 => Byte,
        /// How the status is compared: `=` or `!`; anything else matches nothing.
        op_type: u8 => Byte,
        /// Wanted or unwanted status.
        status: u8 => Byte,
        /// Wanted value; ignored while trunk files are off.
        is_trunk_server: bool => Flag,
    }
}

record! {
    /// One storage: 106 bytes.
    pub struct StorageStat as "storage cluster figures" {
        /// Its id.
        id: StorageId => Id16,
        /// Its address.
        host: HostText => Text,
        /// It is the trunk server of its group.
        is_trunk_server: bool => Flag,
        /// The tracker's view of its status.
        status: StorageStatus => Status1,
        /// Its connections.
        connections: Connections => Connections,
        /// Its version.
        version: Version => Text,
        /// Unix second of its start; 0 while offline.
        up_time: i64 => Time8,
        /// Unix second of its last beat.
        last_heartbeat_time: i64 => Time8,
    }
}

/// Reply of 97.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Got {
    /// Storage ids are in use.
    pub use_storage_id: bool,
    /// Trunk files are in use.
    pub use_trunk_file: bool,
    /// The storages, groups by name, storages by id.
    pub storages: Vec<StorageStat>,
}

impl Got {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Mismatch`] when the count is not that of the records.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("storage_cluster_stat reply", body);
        let (use_storage_id, use_trunk_file) = (Flag::read(&mut reader)?, Flag::read(&mut reader)?);
        let count = Int4::read(&mut reader)?;
        if reader.remaining() as u64 != u64::from(count) * StorageStat::LEN as u64 {
            return Err(reader.fail(Why::Mismatch));
        }
        let storages = read_all(&mut reader, GROUPS_MAX * GROUP_STORAGES_MAX)?;
        Ok(Got { use_storage_id, use_trunk_file, storages })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Flag::write(&self.use_storage_id, out);
        Flag::write(&self.use_trunk_file, out);
        Int4::write(&u32::try_from(self.storages.len()).unwrap_or(u32::MAX), out);
        for storage in &self.storages {
            storage.encode(out);
        }
    }
}
