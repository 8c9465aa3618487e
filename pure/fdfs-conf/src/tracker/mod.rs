//! tracker.conf (wire protocol: tracker.conf).

mod keys;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fdfs_fileid::GroupName;

use crate::allow_hosts::AllowHosts;
use crate::service::{ListenConf, LogFileConf, LogLevel, NetworkConf, PoolConf, RunBy, TimeOfDay};
use crate::storage_ids::StorageIds;

pub(crate) use keys::TRACKER_KEYS;

/// A checked tracker.conf, with its storage ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerConf {
    /// Folder of `data/` and `logs/`, without a slash at its end.
    pub base_path: PathBuf,
    /// Where to listen.
    pub listen: ListenConf,
    /// Network limits.
    pub network: NetworkConf,
    /// Account to run under.
    pub run_by: RunBy,
    /// Least severe message logged.
    pub log_level: LogLevel,
    /// Rotation of `logs/trackerd.log`.
    pub log_file: LogFileConf,
    /// Where metrics and health are told; `None` = nowhere.
    pub status_listen: Option<SocketAddr>,
    /// Who may connect.
    pub allow_hosts: AllowHosts,
    /// Which group, server and path takes an upload, and which server serves a download.
    pub placement: PlacementConf,
    /// A storage that has not reported for this long is offline.
    pub check_active_interval: Duration,
    /// Let a storage keep its identity when its address changes (without storage ids).
    pub storage_ip_changed_auto_adjust: bool,
    /// After this long every member of a group is taken to hold a file.
    pub storage_sync_file_max_delay: Duration,
    /// Longest time the copying of one file is taken to need.
    pub storage_sync_file_max_time: Duration,
    /// Merged small files; sent to the storages.
    pub trunk: TrunkConf,
    /// How storages are identified.
    pub identity: IdentityConf,
    /// Store slave files as links; sent to the storages.
    pub store_slave_file_use_link: bool,
    /// Outgoing connections.
    pub pool: PoolConf,
    /// Whether replies carry addresses in 46 bytes instead of 16 (`response_ip_addr_size`; wire protocol: the address-size
    /// switch).
    pub wide_addresses: bool,
}

/// Where files go and where they are fetched (wire protocol: which group, which server, which path).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacementConf {
    /// Group of an upload that names none.
    pub store_lookup: StoreLookup,
    /// Server in the group.
    pub store_server: StoreServer,
    /// Store path on the server.
    pub store_path: StorePathChoice,
    /// Server of a download.
    pub download_server: DownloadServer,
    /// Space kept free.
    pub reserved_storage_space: ReservedSpace,
}

/// `store_lookup`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreLookup {
    /// 0: groups take turns.
    RoundRobin,
    /// 1: always this group (`store_group`).
    Group(GroupName),
    /// 2: the group with the most free space.
    LoadBalance,
}

/// `store_server`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreServer {
    /// 0: servers take turns.
    RoundRobin,
    /// 1: the first by id (or address).
    First,
    /// 2: the one with the lowest `upload_priority`.
    Priority,
}

/// `store_path`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorePathChoice {
    /// 0: paths take turns.
    RoundRobin,
    /// 2: the path with the most free space.
    LoadBalance,
}

impl StorePathChoice {
    /// The number in the file and in the parameters a storage asks for.
    pub const fn code(self) -> u8 {
        match self {
            StorePathChoice::RoundRobin => 0,
            StorePathChoice::LoadBalance => 2,
        }
    }
}

/// `download_server`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadServer {
    /// 0: servers that hold the file take turns.
    RoundRobin,
    /// 1: the server it was uploaded to.
    Source,
}

/// `reserved_storage_space`: either an amount, or a share of each disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedSpace {
    /// Whole megabytes (2^20 bytes), for all store paths of a server together.
    Megabytes(u64),
    /// Millionths of a store path's size: 20 % is 200 000. In 1..=999 999.
    Share(u32),
}

/// Millionths in one whole.
pub const SHARE_WHOLE: u32 = 1_000_000;

impl ReservedSpace {
    /// Megabytes to keep free of `total_mb`.
    pub fn of_total_mb(self, total_mb: u64) -> u64 {
        match self {
            ReservedSpace::Megabytes(mb) => mb,
            ReservedSpace::Share(millionths) => {
                let reserved = u128::from(total_mb) * u128::from(millionths) / u128::from(SHARE_WHOLE);
                u64::try_from(reserved).unwrap_or(total_mb)
            }
        }
    }
}

impl fmt::Display for ReservedSpace {
    /// `1024MB` or `20.00%`, as a tracker tells its storages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReservedSpace::Megabytes(mb) => write!(f, "{mb}MB"),
            ReservedSpace::Share(millionths) => {
                let hundredths = (millionths + 50) / 100;
                write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100)
            }
        }
    }
}

/// Merged small files. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkConf {
    /// Use them at all.
    pub use_trunk_file: bool,
    /// Smallest slot.
    pub slot_min_size: u32,
    /// Largest slot, header included; larger files are stored plain.
    pub slot_max_size: u32,
    /// Slots are rounded up to a multiple of this; 0 = not.
    pub alloc_alignment_size: u32,
    /// Size of one trunk file.
    pub trunk_file_size: u32,
    /// Merge neighbouring free slots when compacting.
    pub free_space_merge: bool,
    /// Delete trunk files that hold nothing.
    pub delete_unused_trunk_files: bool,
    /// Create trunk files before they are needed.
    pub create_file_advance: bool,
    /// First time of day to do so.
    pub create_file_time_base: TimeOfDay,
    /// And then this often.
    pub create_file_interval: Duration,
    /// Free trunk space to reach when creating ahead.
    pub create_file_space_threshold: u64,
    /// Check each free slot against the disk at start.
    pub init_check_occupying: bool,
    /// Ignore the snapshot and replay the trunk binlog at start.
    pub init_reload_from_binlog: bool,
    /// Compact the trunk binlog at start and stop, at most this often; zero = never.
    pub compress_binlog_min_interval: Duration,
    /// Compact it on this schedule; zero = never.
    pub compress_binlog_interval: Duration,
    /// First time of day of that schedule.
    pub compress_binlog_time_base: TimeOfDay,
    /// Copies of the trunk binlog kept.
    pub binlog_max_backups: u32,
}

/// What the four identity bytes in a file name hold (`id_type_in_filename`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// The source storage's IPv4 address.
    Ip,
    /// Its storage id.
    Id,
}

impl IdType {
    /// The word in the file and in the parameters a storage asks for.
    pub const fn word(self) -> &'static str {
        match self {
            IdType::Ip => "ip",
            IdType::Id => "id",
        }
    }
}

/// How storages are identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConf {
    /// The ids of `storage_ids_filename`; present exactly when `use_storage_id` is on.
    pub storage_ids: Option<StorageIds>,
    /// Always `Ip` without storage ids.
    pub id_type_in_filename: IdType,
    /// Accept the id a storage says it has, instead of finding it by address.
    pub trust_storage_server_id: bool,
}

impl IdentityConf {
    /// `use_storage_id`
    pub fn use_storage_id(&self) -> bool {
        self.storage_ids.is_some()
    }
}
