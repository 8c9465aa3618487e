//! How a client behaves: trackers, deadlines, pool, limits.

use fdfs_conf::{ClientConf, ServerAddr};
use std::time::Duration;

/// The settings of a [`Client`](crate::Client). [`ClientConfig::new`] has defaults for all but the trackers.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The trackers of the cluster, asked in turn. May be empty for a client that only talks to storages by address.
    pub trackers: Vec<ServerAddr>,
    /// How long one attempt to connect may take, name resolution included. Default 10 s (client.conf: `connect_timeout`).
    pub connect_timeout: Duration,
    /// How long a peer may be silent. A whole short reply has to arrive within it, and of a file's content at least
    /// 64 KiB (or its rest), so that a peer that sends one byte a second is given up. Default 30 s
    /// (client.conf: `network_timeout`).
    pub network_timeout: Duration,
    /// How often the whole list of possible servers is gone through while none can be connected, with a pause that
    /// starts at 100 ms and doubles. Default 3.
    pub connect_rounds: u32,
    /// A tracker that failed is asked last for this long. Default 10 s.
    pub avoid_failed_for: Duration,
    /// Connections open at once to one server; a call beyond that waits up to `connect_timeout`. Default 64.
    pub max_connections_per_server: usize,
    /// Unused connections are closed after this long. Default 300 s
    /// (client.conf: `connection_pool_max_idle_time`).
    pub max_idle_time: Duration,
    /// A connection unused for longer is asked for a sign of life (ACTIVE_TEST) before it is used again. All others
    /// are only looked at: a peer that closed shows without a message. Default 15 s.
    pub test_idle_after: Duration,
    /// The longest file a call that returns a buffer accepts, in bytes. Default 1 GiB.
    pub max_buffered_download: u64,
    /// Compare size and CRC-32 of every uploaded file with the id the storage gave it. Default true.
    pub verify_uploads: bool,
}

impl ClientConfig {
    /// The defaults, with these trackers.
    pub fn new(trackers: impl IntoIterator<Item = ServerAddr>) -> ClientConfig {
        ClientConfig {
            trackers: trackers.into_iter().collect(),
            connect_timeout: Duration::from_secs(10),
            network_timeout: Duration::from_secs(30),
            connect_rounds: 3,
            avoid_failed_for: Duration::from_secs(10),
            max_connections_per_server: 64,
            max_idle_time: Duration::from_secs(300),
            test_idle_after: Duration::from_secs(15),
            max_buffered_download: 1 << 30,
            verify_uploads: true,
        }
    }

    /// What a `client.conf` says, the defaults for the rest.
    ///
    /// Connections are kept for reuse whatever `use_connection_pool` says; with it, `connection_pool_max_idle_time`
    /// says for how long.
    ///
    /// ```no_run
    /// # fn example(text: fdfs_conf::ClientConf) {
    /// use fdfs_client::{Client, ClientConfig};
    ///
    /// let client = Client::new(ClientConfig::from_conf(text));
    /// # }
    /// ```
    pub fn from_conf(conf: ClientConf) -> ClientConfig {
        let defaults = ClientConfig::new(conf.tracker_servers.iter().cloned());
        let max_idle_time = match conf.pool.enabled {
            true => conf.pool.max_idle_time,
            false => defaults.max_idle_time,
        };
        ClientConfig {
            connect_timeout: conf.connect_timeout,
            network_timeout: conf.network_timeout,
            max_idle_time,
            ..defaults
        }
    }
}
