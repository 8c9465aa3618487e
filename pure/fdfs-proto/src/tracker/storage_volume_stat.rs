//! The space of all groups, filtered: STORAGE_VOLUMN_STAT 98.
//!
//! Source: wire protocol, "STORAGE_VOLUMN_STAT".

use fdfs_fileid::GroupName;

use crate::field::Reader;
use crate::limits::GROUPS_MAX;
use crate::record::{Byte, Flag, Group17, Int4, Int8, Kind, read_all, record};
use crate::{DecodeError, Why};

record! {
    /// Body of 98: 4 bytes.
    #[derive(Default)]
    pub struct Ask as "storage_volume_stat" {
        /// Bit 1: only groups whose disk flag matches; bit 2: trunk flag (ignored while trunk files are off);
        /// bit 4: disk or trunk.
        filter_by: u8 => Byte,
        /// Wanted value.
        is_disk_available: bool => Flag,
        /// Wanted value.
        is_trunk_available: bool => Flag,
        /// Wanted value.
        is_space_available: bool => Flag,
    }
}

record! {
    /// One group: 59 bytes. Space is in MiB.
    pub struct VolumeStat as "volume figures" {
        /// The group.
        group: GroupName => Group17,
        /// Its size.
        total_mb: u64 => Int8,
        /// What is free.
        free_mb: u64 => Int8,
        /// What is kept in reserve.
        reserved_mb: u64 => Int8,
        /// What is free and not reserved; 0 when the disk is not available.
        avail_mb: u64 => Int8,
        /// Free space inside trunk files; 0 unless available.
        trunk_free_mb: u64 => Int8,
        /// Uploads find space on the disk.
        is_disk_available: bool => Flag,
        /// Uploads find space in trunk files.
        is_trunk_available: bool => Flag,
    }
}

/// Reply of 98.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Got {
    /// Trunk files are in use.
    pub use_trunk_file: bool,
    /// The groups, by name.
    pub groups: Vec<VolumeStat>,
}

impl Got {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Mismatch`] when the count is not that of the records.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("storage_volume_stat reply", body);
        let use_trunk_file = Flag::read(&mut reader)?;
        let count = Int4::read(&mut reader)?;
        if reader.remaining() as u64 != u64::from(count) * VolumeStat::LEN as u64 {
            return Err(reader.fail(Why::Mismatch));
        }
        Ok(Got { use_trunk_file, groups: read_all(&mut reader, GROUPS_MAX)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Flag::write(&self.use_trunk_file, out);
        Int4::write(&u32::try_from(self.groups.len()).unwrap_or(u32::MAX), out);
        for group in &self.groups {
            group.encode(out);
        }
    }
}
