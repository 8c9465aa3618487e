//! storage.conf (storage internals: storage.conf).

mod keys;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fdfs_fileid::GroupName;

use crate::addr::TrackerServers;
use crate::allow_hosts::AllowHosts;
use crate::service::{ListenConf, LogFileConf, LogLevel, NetworkConf, PoolConf, RunBy, TimeOfDay};

pub use keys::STORE_PATHS_MAX;
pub(crate) use keys::{ACCESS_LOG, IGNORED_STORAGE_KEYS, OLD_STORAGE_KEYS, STORAGE_KEYS, tracker_servers};

/// A checked storage.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConf {
    /// The group this server belongs to; `None` = ask a tracker (needs storage ids).
    pub group_name: Option<GroupName>,
    /// This server's storage id, 1..=16 777 215; `None` = found by address in the tracker's storage ids.
    pub server_id: Option<u32>,
    /// Folder of `data/` and `logs/`, without a slash at its end.
    pub base_path: PathBuf,
    /// The store paths M00, M01, …: 1..=256 of them, all different.
    pub store_paths: Vec<StorePath>,
    /// Folders per level under `data/` of a store path: 1..=256.
    pub subdir_count_per_path: u16,
    /// The trackers to join: 1..=16.
    pub tracker_servers: TrackerServers,
    /// Where to listen.
    pub listen: ListenConf,
    /// Bind outgoing connections to the listening address.
    pub client_bind: bool,
    /// Network limits.
    pub network: NetworkConf,
    /// Account to run under.
    pub run_by: RunBy,
    /// Least severe message logged.
    pub log_level: LogLevel,
    /// Rotation of `logs/storaged.log`.
    pub log_file: LogFileConf,
    /// Where metrics and health are told; `None` = nowhere.
    pub status_listen: Option<SocketAddr>,
    /// The log of requests.
    pub access_log: AccessLogConf,
    /// Who may connect.
    pub allow_hosts: AllowHosts,
    /// Who counts as a member of the group beside the addresses that the cluster knows; usually nobody.
    pub allow_peers: AllowHosts,
    /// Pause between beats to a tracker.
    pub heart_beat_interval: Duration,
    /// Pause between reports of disk usage.
    pub stat_report_interval: Duration,
    /// How sure a file is when its upload is acknowledged.
    pub durability: Durability,
    /// What becomes of changes while members are missing.
    pub copies_missing: CopiesMissing,
    /// How long a change waits for a member.
    pub copies_wait: Duration,
    /// The journal of what is synced.
    pub journal: JournalConf,
    /// How long a change waits for others, so that more of them share one sync.
    pub commit_wait: Duration,
    /// Small files in packs.
    pub packs: PackConf,
    /// Looking for bad copies.
    pub scrub: ScrubConf,
    /// The mod_fastdfs.conf for serving files over HTTP in the same process.
    pub gateway_conf: Option<PathBuf>,
    /// Threads for the disks.
    pub disk: DiskConf,
    /// Replication to the other members of the group.
    pub sync: SyncConf,
    /// Which of the 256 × 256 folders takes the next file.
    pub distribute: DistributeConf,
    /// Pause between writes of buffered binlog records.
    pub sync_binlog_buff_interval: Duration,
    /// Pause between writes of the statistics.
    pub sync_stat_file_interval: Duration,
    /// Rank for uploads when the tracker picks by priority; lower is preferred.
    pub upload_priority: i32,
    /// Prefixes of the network interfaces whose addresses count as this server's own; none = all.
    pub if_alias_prefix: Vec<String>,
    /// Step over a binlog record that cannot be understood instead of stopping the replication.
    pub file_sync_skip_invalid_record: bool,
    /// Outgoing connections.
    pub pool: PoolConf,
    /// Compress old binlog files.
    pub compress_binlog: bool,
    /// When.
    pub compress_binlog_time: TimeOfDay,
    /// Check at start that each store path is the one this server used before.
    pub check_store_path_mark: bool,
}

/// One store path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePath {
    /// Its folder, without a slash at its end; files are below `data/` in it.
    pub path: PathBuf,
    /// Takes no new files.
    pub read_only: bool,
}

/// What "acknowledged" means (the design's promises about data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Data and index entry are synced to the disk of this server: survives a power cut.
    Disk,
    /// Written to the page cache, as FastDFS does: survives a crash of the process.
    Fastdfs,
    /// As `Disk`, and so many members of the group have it, this one included: survives the loss of all but one of them.
    Copies(u8),
}

/// Most copies that can be asked for: the members that a group can have (wire protocol: constants).
pub const COPIES_MAX: u8 = 32;

/// What becomes of a change when fewer members serve than shall have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopiesMissing {
    /// It is acknowledged when those have it that do.
    Accept,
    /// It is refused.
    Refuse,
}

impl fmt::Display for Durability {
    /// The word in the file, the log and the metrics.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Durability::Disk => f.write_str("disk"),
            Durability::Fastdfs => f.write_str("fastdfs"),
            Durability::Copies(count) => write!(f, "copies:{count}"),
        }
    }
}

/// Small files in packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackConf {
    /// Largest file that goes into a pack, bytes; 0 packs nothing.
    pub max_file: u32,
    /// Length at which a pack is full, bytes.
    pub size: u64,
    /// Deleted part of a pack at which it is rewritten, per cent.
    pub rewrite_percent: u8,
    /// How fast packs are rewritten, bytes a second; 0 is no bound.
    pub rewrite_rate: u64,
}

/// Looking for bad copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubConf {
    /// Pause between the beginnings of two rounds; zero makes none.
    pub interval: Duration,
    /// Bytes read a second; 0 is no bound.
    pub rate: u64,
}

/// The journal of a store path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalConf {
    /// Journal space per store path, bytes; at least [`JOURNAL_SIZE_MIN`].
    pub size: u64,
    /// Up to this many bytes the content of an upload goes through the journal; larger ones are synced as files.
    pub inline_max: u32,
}

/// Least `journal_size`, bytes.
pub const JOURNAL_SIZE_MIN: u64 = 32 << 20;

/// The log of requests, `logs/storage_access.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogConf {
    /// Write it at all.
    pub enabled: bool,
    /// Unit of the time spent.
    pub time_precision: TimePrecision,
    /// Rotation.
    pub file: LogFileConf,
}

/// Unit of times in the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePrecision {
    /// 1/1000 s
    Millisecond,
    /// 1/1 000 000 s
    Microsecond,
}

/// Threads for the disks, per store path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskConf {
    /// Separate threads for reading and writing.
    pub rw_separated: bool,
    /// Reading threads; with `rw_separated` at least one.
    pub reader_threads: u32,
    /// Writing threads; with `rw_separated` at least one.
    pub writer_threads: u32,
    /// Threads that refill a replaced disk.
    pub recovery_threads: u32,
}

/// Replication to the other members of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncConf {
    /// Least threads per peer: 1..=256.
    pub min_threads: u32,
    /// Most threads per peer: min_threads..=256.
    pub max_threads: u32,
    /// Pause at the end of the binlog.
    pub wait: Duration,
    /// Pause between two batches.
    pub interval: Duration,
    /// How far a peer may be behind before clients wait for it; zero: however far.
    pub lag_max: Duration,
    /// The daily window, both ends included.
    pub start_time: TimeOfDay,
    /// See `start_time`.
    pub end_time: TimeOfDay,
    /// Save the position after this many records.
    pub write_mark_file_freq: u32,
}

impl SyncConf {
    /// Whether replication only runs in a part of the day (storage internals: the pusher).
    pub fn has_window(&self) -> bool {
        let minute = |t: TimeOfDay| (t.hour, t.minute);
        minute(self.start_time) != (0, 0) || minute(self.end_time) != (23, 59)
    }
}

/// Which folder takes the next file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistributeConf {
    /// The rule.
    pub mode: DistributeMode,
    /// Files per folder before going to the next.
    pub rotate_count: u32,
}

/// `file_distribute_path_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributeMode {
    /// 0: one folder after the other.
    RoundRobin,
    /// 1: by a hash of the name.
    Hash,
}
