//! Figures of a group's storages: LIST_STORAGE 92.
//!
//! Source: wire protocol, "LIST_STORAGE".

use super::group_ask::with_id;
use crate::field::Reader;
use crate::record::{Counter8, Flag, Id16, Int8, Kind, Port8, RwMode1, Status1, Text, Time8, record};
use crate::{
    AddrWidth, DecodeError, GroupField, IpText, RwMode, StatBlock, StorageId, StorageStatus, Version, Why,
};

/// Body of 92.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The group.
    pub group: GroupField,
    /// Only this storage; `None` for all.
    pub id: Option<StorageId>,
}

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// A length outside 16..=31, or an id that is none.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        with_id::decode("list_storages", body).map(|(group, id)| Ask { group, id })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        with_id::encode(self.group, self.id.as_ref(), out);
    }
}

/// One storage: its identity, its address and its figures; 487 or 517 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageStat {
    /// Status, mode and id.
    pub who: Who,
    /// The address.
    pub ip: IpText,
    /// Everything behind the address.
    pub figures: Figures,
}

record! {
    /// What stands before the address.
    pub struct Who as "storage identity" {
        /// The tracker's view of its status.
        status: StorageStatus => Status1,
        /// What it may be used for.
        rw_mode: RwMode => RwMode1,
        /// Its id.
        id: StorageId => Id16,
    }
}

record! {
    /// What stands behind the address. Space is in MiB.
    pub struct Figures as "storage figures" {
        /// The source of its old data, when it has one.
        src_id: Option<StorageId> => Id16,
        /// Its version.
        version: Version => Text,
        /// Unix second of its installation.
        join_time: i64 => Time8,
        /// Unix second of its start; 0 while offline.
        up_time: i64 => Time8,
        /// Size of all its store paths.
        total_mb: u64 => Int8,
        /// Free space of all its store paths.
        free_mb: u64 => Int8,
        /// What the tracker keeps in reserve of it.
        reserved_mb: u64 => Int8,
        /// Smaller is preferred.
        upload_priority: i64 => Time8,
        /// Its store paths.
        store_path_count: u64 => Int8,
        /// Directories per level in each store path.
        subdir_count_per_path: u64 => Int8,
        /// The store path whose turn it is.
        current_write_path: u64 => Counter8,
        /// Its port.
        storage_port: u16 => Port8,
        /// Its counters.
        stat: StatBlock => StatBlock,
        /// Whether it is the trunk server of its group.
        is_trunk_server: bool => Flag,
    }
}

impl StorageStat {
    /// Bytes on the wire: 487 or 517.
    pub const fn len(width: AddrWidth) -> usize {
        Who::LEN + width.field_len() + Figures::LEN
    }

    fn read(reader: &mut Reader<'_>, width: AddrWidth) -> Result<StorageStat, DecodeError> {
        let who = Who::read(reader)?;
        let ip = IpText::from_field(reader.take(width.field_len())?);
        Ok(StorageStat { who, ip, figures: Figures::read(reader)? })
    }

    fn write(&self, width: AddrWidth, out: &mut Vec<u8>) {
        self.who.encode(out);
        self.ip.put(out, width.field_len());
        self.figures.encode(out);
    }
}

/// Reply of 92: the storages by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Got {
    /// The storages.
    pub storages: Vec<StorageStat>,
}

impl Got {
    /// The address width a reply of this length has; an empty one fits the narrow width.
    pub fn width(body_len: usize) -> Option<AddrWidth> {
        AddrWidth::BOTH.into_iter().find(|width| body_len.is_multiple_of(StorageStat::len(*width)))
    }

    /// Reads either width, told apart by the length.
    ///
    /// # Errors
    /// [`Why::Length`] when the length fits no whole number of records; a bad field.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("list_storages reply", body);
        let width = Got::width(body.len()).ok_or_else(|| reader.fail(Why::Length))?;
        let count = body.len() / StorageStat::len(width);
        let mut storages = Vec::with_capacity(count);
        for _ in 0..count {
            storages.push(StorageStat::read(&mut reader, width)?);
        }
        Ok(Got { storages })
    }

    /// Appends the body.
    pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
        for storage in &self.storages {
            storage.write(width, out);
        }
    }
}
