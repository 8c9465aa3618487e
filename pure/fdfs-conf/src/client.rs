//! client.conf (wire protocol: client.conf), also read from a storage.conf or tracker.conf handed to a tool.

use std::path::PathBuf;
use std::time::Duration;

use crate::addr::TrackerServers;
use crate::service::{LogLevel, PoolConf};
use crate::storage_ids::StorageIds;

/// A checked client.conf, with its storage ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConf {
    /// Folder for logs.
    pub base_path: PathBuf,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long a server may stay silent.
    pub network_timeout: Duration,
    /// The trackers: 1..=16.
    pub tracker_servers: TrackerServers,
    /// Connections kept for reuse.
    pub pool: PoolConf,
    /// Ask a tracker whether storage ids are in use, and for the ids, instead of reading them here.
    pub load_fdfs_parameters_from_tracker: bool,
    /// The ids of `storage_ids_filename`; present exactly when `use_storage_id` is on and they are not loaded from a tracker.
    pub storage_ids: Option<StorageIds>,
    /// Which address of a storage with two is tried first.
    pub connect_first_by: ConnectFirstBy,
    /// Anti-steal tokens.
    pub anti_steal: AntiStealConf,
    /// Least severe message logged.
    pub log_level: LogLevel,
}

/// `connect_first_by`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFirstBy {
    /// The address the tracker gave.
    Tracker,
    /// The address that worked last.
    LastConnected,
}

/// Anti-steal tokens (HTTP access: tokens; `http.anti_steal.*`).
#[derive(Clone, PartialEq, Eq)]
pub struct AntiStealConf {
    /// URLs need a token.
    pub check_token: bool,
    /// The shared secret; never empty when `check_token` is on.
    pub secret_key: Option<String>,
    /// How long a token is good.
    pub token_ttl: Duration,
    /// File served instead when a token is refused.
    pub token_check_fail: Option<PathBuf>,
}

impl std::fmt::Debug for AntiStealConf {
    /// Leaves the secret out: configurations get logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AntiStealConf")
            .field("check_token", &self.check_token)
            .field("secret_key", &self.secret_key.as_ref().map(|_| "…"))
            .field("token_ttl", &self.token_ttl)
            .field("token_check_fail", &self.token_check_fail)
            .finish()
    }
}
