//! What the machine must know of the configuration, and no more.

use std::net::IpAddr;
use std::sync::Arc;

use fdfs_conf::StorageIds;
use fdfs_conf::tracker::{PlacementConf, StoreServer};
use fdfs_proto::Version;

use crate::leader::ElectionTimes;

/// Settings of a [`crate::Cluster`]; they do not change while it lives.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// How uploads and downloads are placed.
    pub placement: PlacementConfig,
    /// How members are named.
    pub naming: Naming,
    /// How long trunk servers may take to start.
    pub trunk_loading: TrunkLoading,
    /// Silence after which an active storage counts as gone, milliseconds (`check_active_interval`).
    pub silence_ms: u64,
    /// The port this tracker listens on.
    pub port: u16,
    /// Addresses this tracker is bound to; more are learnt from storages.
    pub addrs: Vec<IpAddr>,
    /// Version shown for this tracker.
    pub version: Version,
    /// Unix seconds of this start.
    pub up_time: i64,
    /// How long everything around an election takes.
    pub election: ElectionTimes,
}

/// What a storage does before it allocates trunk space, which makes it slow to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrunkLoading {
    /// It checks its free slots against its disk (`trunk_init_check_occupying`).
    pub checks_slots: bool,
    /// It reads its whole trunk binlog (`trunk_init_reload_from_binlog`).
    pub reads_binlog: bool,
}

/// Who may store and serve what: the `store_*` and `download_server` keys of tracker.conf and what they
/// depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacementConfig {
    /// The choices themselves.
    pub choice: PlacementConf,
    /// Whether small files are merged into trunk files (`use_trunk_file`).
    pub use_trunk: bool,
    /// Seconds after which every member is taken to have a file (`storage_sync_file_max_delay`).
    pub sync_max_delay_s: i64,
    /// Longest seconds one file takes to reach the others (`storage_sync_file_max_time`).
    pub sync_max_time_s: i64,
}

impl PlacementConfig {
    /// The storage choice in force: with trunk files, round robin becomes first by id, so that one storage
    /// gets a group's uploads (wire protocol: which server).
    pub(crate) fn server_in_force(&self) -> StoreServer {
        match self.choice.store_server {
            StoreServer::RoundRobin if self.use_trunk => StoreServer::First,
            other => other,
        }
    }
}

/// How storages get their ids.
#[derive(Debug, Clone)]
pub enum Naming {
    /// The id is the address a storage connects from (`use_storage_id = false`).
    ByAddress,
    /// Ids are given in `storage_ids.conf`.
    ByTable {
        /// The table, its host names looked up.
        table: Arc<StorageIds>,
        /// Whether a storage may say which of them it is (`trust_storage_server_id`).
        trust: bool,
        /// Whether file names carry the id and not the address (`id_type_in_filename = id`).
        in_file_names: bool,
    },
}

impl Naming {
    /// The table, when ids are used.
    pub fn table(&self) -> Option<&StorageIds> {
        match self {
            Self::ByAddress => None,
            Self::ByTable { table, .. } => Some(table),
        }
    }

    /// Whether storages of one group may listen on different ports: only when nothing but the id names them.
    pub(crate) fn mixed_ports(&self) -> bool {
        matches!(self, Self::ByTable { in_file_names: true, .. })
    }
}
