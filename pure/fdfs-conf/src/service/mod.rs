//! What tracker and storage configure alike: where they listen, network limits, logs, the account to run under.
//!
//! Source: wire protocol, tracker.conf; storage internals, storage.conf (both read these through one framework).

mod keys;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub(crate) use keys::{
    ERROR_LOG, IGNORED_LOG_KEYS, IGNORED_SERVICE_KEYS, LOG_FILE_KEYS, OLD_SERVICE_KEYS, RawLogFile,
    RawService, RawStatus, SERVICE_KEYS, STATUS_KEYS, check_pool, filled, folder, hosts, path_of,
};

/// Which IP versions a daemon listens on (`address_family`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// Follows the addresses in `bind_addr`; without any: IPv4 when the host has an IPv4 address, else IPv6.
    Auto,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Both,
}

/// Where a daemon listens.
///
/// FastDFS knows an inner and an outer side, for hosts with a private and a public network. Almost every file
/// sets just `bind_addr` and `port`, and then both sides are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConf {
    /// IP versions.
    pub family: AddressFamily,
    /// Addresses of the inner side, at most one per IP version; none means all.
    pub inner_bind: Vec<IpAddr>,
    /// Addresses of the outer side, at most one per IP version; none means all.
    pub outer_bind: Vec<IpAddr>,
    /// Port of the inner side. It is the one announced to peers.
    pub inner_port: u16,
    /// Port of the outer side; equal to the inner one unless configured.
    pub outer_port: u16,
}

impl ListenConf {
    /// The sockets to open, without duplicates. `host_has_ipv4` decides `address_family = auto` when no address is bound.
    /// A wildcard IPv6 socket is meant for IPv6 only: IPv4 has its own entry.
    pub fn sockets(&self, host_has_ipv4: bool) -> Vec<SocketAddr> {
        let (v4, v6) = self.versions(host_has_ipv4);
        let mut sockets = Vec::new();
        for (wanted, version) in [(v4, Version::V4), (v6, Version::V6)] {
            if !wanted {
                continue;
            }
            let inner = version.pick(&self.inner_bind);
            let outer = version.pick(&self.outer_bind);
            if self.inner_port == self.outer_port && (inner.is_unspecified() || outer.is_unspecified()) {
                sockets.push(SocketAddr::new(version.any(), self.inner_port));
                continue;
            }
            for socket in [SocketAddr::new(inner, self.inner_port), SocketAddr::new(outer, self.outer_port)] {
                if !sockets.contains(&socket) {
                    sockets.push(socket);
                }
            }
        }
        sockets
    }

    /// Whether IPv6 is in use: FastDFS then demands storage ids (`use_storage_id`, `id_type_in_filename = id`).
    pub(crate) fn uses_ipv6(&self, host_has_ipv4: bool) -> bool {
        self.versions(host_has_ipv4).1
    }

    fn versions(&self, host_has_ipv4: bool) -> (bool, bool) {
        let bound = |wanted: fn(&IpAddr) -> bool| self.inner_bind.iter().chain(&self.outer_bind).any(wanted);
        match self.family {
            AddressFamily::V4 => (true, false),
            AddressFamily::V6 => (false, true),
            AddressFamily::Both => (true, true),
            AddressFamily::Auto => match (bound(IpAddr::is_ipv4), bound(IpAddr::is_ipv6)) {
                (false, false) => (host_has_ipv4, !host_has_ipv4),
                bound => bound,
            },
        }
    }
}

#[derive(Clone, Copy)]
enum Version {
    V4,
    V6,
}

impl Version {
    fn any(self) -> IpAddr {
        match self {
            Version::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Version::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    fn pick(self, bound: &[IpAddr]) -> IpAddr {
        let fits = |ip: &&IpAddr| match self {
            Version::V4 => ip.is_ipv4(),
            Version::V6 => ip.is_ipv6(),
        };
        bound.iter().find(fits).copied().unwrap_or_else(|| self.any())
    }
}

/// Network limits of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConf {
    /// How long an outgoing connection may take to come up.
    pub connect_timeout: Duration,
    /// How long a peer may stay silent in the middle of a message, and a new connection before its first one.
    pub network_timeout: Duration,
    /// Connections held at the same time.
    pub max_connections: u32,
    /// Threads that serve the network.
    pub work_threads: u32,
    /// Buffer a connection starts with, in bytes.
    pub min_buff_size: u32,
    /// Buffer a connection may grow to, in bytes: the largest message that is not a stream (tracker: the largest list).
    pub max_buff_size: u32,
}

/// The account a daemon changes to after start; `None` keeps the current one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunBy {
    /// Unix group name.
    pub group: Option<String>,
    /// Unix user name.
    pub user: Option<String>,
}

/// Least severe message that is logged, in syslog's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are syslog's")]
pub enum LogLevel {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
}

/// How a log file is rotated and kept (`log_file_*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFileConf {
    /// Start a new file every day.
    pub rotate_everyday: bool,
    /// When, if daily.
    pub rotate_time: TimeOfDay,
    /// Also start a new file beyond this many bytes; 0 = never.
    pub rotate_on_size: u64,
    /// Compress old files.
    pub compress_old: bool,
    /// Compress files older than this many days.
    pub compress_days_before: u32,
    /// Delete files older than this many days; 0 = keep.
    pub keep_days: u32,
    /// When old files are deleted.
    pub delete_old_time: TimeOfDay,
}

/// Outgoing connections to trackers and storages that are kept for reuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConf {
    /// Keep connections at all.
    pub enabled: bool,
    /// Close a connection unused for this long.
    pub max_idle_time: Duration,
}

/// A time of the day, local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// 0..=23
    pub hour: u8,
    /// 0..=59
    pub minute: u8,
    /// 0..=59
    pub second: u8,
}

impl TimeOfDay {
    /// `hour`:`minute`:00. Meant for constants; text goes through the parser.
    pub const fn new(hour: u8, minute: u8) -> Self {
        Self { hour, minute, second: 0 }
    }

    /// Seconds since midnight.
    pub const fn seconds(self) -> u32 {
        self.hour as u32 * 3600 + self.minute as u32 * 60 + self.second as u32
    }
}

impl fmt::Display for TimeOfDay {
    /// `HH:MM`, and `:SS` when there are seconds: the tracker sends these times without seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)?;
        if self.second != 0 {
            write!(f, ":{:02}", self.second)?;
        }
        Ok(())
    }
}
