//! The keys both daemons have, and the way from them to checked settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{AddressFamily, ListenConf, LogFileConf, NetworkConf, PoolConf, RunBy, TimeOfDay};
use crate::addr::parse_bind;
use crate::allow_hosts::AllowHosts;
use crate::error::{Bytes, ConfError, Oddity, Reason};
use crate::ini::{Ini, beside};
use crate::registry::Fit::{Clamp, DefaultBelow, Strict};
use crate::registry::{
    Given, Key, Many, Maybe, One, Reader, SectionSpec, Shape, conf_keys, days, flag, ignored, number,
    retired, seconds, size, text, time,
};
use crate::value::{FromConf, Size};

/// Smallest and largest network buffer FastDFS knows.
const BUFF_SIZE_MIN: u64 = 8 << 10;
const BUFF_SIZE_MAX: u64 = 2 << 30;
/// Smallest `min_buff_size`.
const MIN_BUFF_SIZE_MIN: u64 = 4 << 10;

conf_keys! {
    /// The service part of tracker.conf and storage.conf, as typed.
    struct RawService, table SERVICE_KEYS;

    "Service" {
        disabled: One<bool> = flag().default("false")
            .doc("true switches the file off: the daemon does not start with it.");
        bind_addr: Maybe<String> = text("ip or ip,ip").absent("all addresses")
            .doc("Address to listen on; one IPv4 and one IPv6 address may be given with a comma between them.");
        inner_bind_addr: Maybe<String> = text("ip or ip,ip").absent("bind_addr")
            .doc("Address to listen on towards the inner network; replaces bind_addr together with outer_bind_addr.");
        outer_bind_addr: Maybe<String> = text("ip or ip,ip").absent("bind_addr")
            .doc("Address to listen on towards the outer network.");
        inner_port: Maybe<u16> = number(1, 65535, Strict).absent("port")
            .doc("Port towards the inner network; the one announced to peers.");
        outer_port: Maybe<u16> = number(1, 65535, Strict).absent("port")
            .doc("Port towards the outer network.");
        address_family: One<AddressFamily> = text("auto, IPv4, IPv6 or both").default("auto")
            .doc("IP versions to listen on; auto follows bind_addr, and without it prefers IPv4.");
        allow_hosts: Many<String> = text("host pattern").absent("everybody").sample("*")
            .doc("Who may connect, repeatable: *, an address, a network (10.0.0.0/8), a range (10.0.1.[1-15,20]) or a host name. IPv6 addresses and networks too, unlike FastDFS.");
        run_by_group: Maybe<String> = text("group name").absent("the current group")
            .doc("Unix group to run under.");
        run_by_user: Maybe<String> = text("user name").absent("the current user")
            .doc("Unix user to run under.");
    }
    "Network" {
        connect_timeout: One<Duration> = seconds(1, DefaultBelow).default("10").sample("5")
            .doc("Longest wait for an outgoing connection to come up.");
        network_timeout: One<Duration> = seconds(1, DefaultBelow).default("60")
            .doc("Longest silence of a peer in the middle of a message.");
        max_connections: One<u32> = number(1, i32::MAX as i64, DefaultBelow).default("256").sample("1024")
            .doc("Connections served at the same time.");
        work_threads: One<u32> = number(1, 1024, Strict).default("4")
            .doc("Threads that serve the network of a tracker, at most one for each processor. A storage has one for each in any case.");
        buff_size: One<Size> = size(BUFF_SIZE_MIN, BUFF_SIZE_MAX, Clamp).default("256KB")
            .doc("Network buffer of a connection: the largest message that is not a stream of file content.");
        min_buff_size: Maybe<Size> = size(MIN_BUFF_SIZE_MIN, BUFF_SIZE_MAX, Clamp).absent("buff_size")
            .doc("Read, and needs nothing by itself: a connection that rests holds no buffer. max_buff_size counts only together with it.");
        max_buff_size: Maybe<Size> = size(BUFF_SIZE_MIN, BUFF_SIZE_MAX, Clamp).absent("buff_size")
            .doc("Buffer a connection may grow to, at least buff_size; counts only together with min_buff_size.");
    }
    "Connections to other servers" {
        use_connection_pool: One<bool> = flag().default("false").sample("true")
            .doc("Keep outgoing connections for reuse.");
        connection_pool_max_idle_time: One<u32> = seconds(0, Strict).default("3600")
            .doc("Close a kept connection that was not used for this long.");
    }
}

/// Keys of both daemons that need nothing done.
pub(crate) const IGNORED_SERVICE_KEYS: &[Key] = &[
    ignored("accept_threads", "one task per socket accepts connections"),
    ignored("thread_stack_size", "connections are tasks, not threads with a stack each"),
    ignored("use_io_uring", "there is one I/O engine"),
    ignored("use_send_zc", "there is one I/O engine"),
    ignored("tcp_quick_ack", "the kernel decides when to acknowledge"),
];

/// The parts of a daemon's configuration that come out of [`RawService`].
pub(crate) struct Service {
    pub(crate) listen: ListenConf,
    pub(crate) network: NetworkConf,
    pub(crate) allow_hosts: AllowHosts,
    pub(crate) run_by: RunBy,
    pub(crate) pool: PoolConf,
}

impl RawService {
    /// `port` is the daemon's own row.
    pub(crate) fn check(self, reader: &mut Reader<'_>, port: &One<u16>) -> Result<Service, ConfError> {
        if self.disabled.value {
            return Err(self.disabled.fault(reader.ini, Reason::SwitchedOff));
        }
        let pool = check_pool(reader, &self.use_connection_pool, &self.connection_pool_max_idle_time)?;
        Ok(Service {
            listen: self.listen(reader, port)?,
            network: self.network(reader),
            allow_hosts: self.allow_hosts(reader)?,
            run_by: RunBy { group: filled(self.run_by_group), user: filled(self.run_by_user) },
            pool,
        })
    }

    fn listen(&self, reader: &mut Reader<'_>, port: &One<u16>) -> Result<ListenConf, ConfError> {
        let one_sided = self.inner_bind_addr.is_some() || self.outer_bind_addr.is_some();
        let bound = |side: &Maybe<String>| {
            let given = if one_sided { side.as_ref() } else { self.bind_addr.as_ref() };
            match given {
                None => Ok(Vec::new()),
                Some(given) => parse_bind(&given.value).map_err(|reason| given.fault(reader.ini, reason)),
            }
        };
        let port_of = |side: &Maybe<u16>| side.as_ref().map_or(port.value, |given| given.value);
        Ok(ListenConf {
            family: self.address_family.value,
            inner_bind: bound(&self.inner_bind_addr)?,
            outer_bind: bound(&self.outer_bind_addr)?,
            inner_port: port_of(&self.inner_port),
            outer_port: port_of(&self.outer_port),
        })
    }

    fn allow_hosts(&self, reader: &mut Reader<'_>) -> Result<AllowHosts, ConfError> {
        let Some(last) = self.allow_hosts.last() else { return Ok(AllowHosts::everybody()) };
        let allowed = hosts(reader, &self.allow_hosts)?;
        if allowed.is_nobody() {
            reader.warn_given(last, Oddity::NobodyAllowed);
        }
        Ok(allowed)
    }

    fn network(&self, reader: &mut Reader<'_>) -> NetworkConf {
        let whole = self.buff_size.value;
        let (min, max) = match (&self.min_buff_size, &self.max_buff_size) {
            (Some(min), Some(max)) => {
                let largest = max.value.0.max(whole.0);
                if largest < min.value.0 {
                    let used = Bytes(min.value.0).to_string();
                    reader.warn_given(max, Oddity::Replaced { got: Bytes(max.value.0).to_string(), used });
                }
                (min.value, Size(largest.max(min.value.0)))
            }
            (Some(only), None) | (None, Some(only)) => {
                let why = "min_buff_size and max_buff_size count only together";
                reader.warn_given(only, Oddity::NoEffect { why });
                (whole, whole)
            }
            (None, None) => (whole, whole),
        };
        NetworkConf {
            connect_timeout: self.connect_timeout.value,
            network_timeout: self.network_timeout.value,
            max_connections: self.max_connections.value,
            work_threads: self.work_threads.value,
            min_buff_size: min.to_u32(),
            max_buff_size: max.to_u32(),
        }
    }
}

conf_keys! {
    /// What every server has, as typed.
    struct RawStatus, table STATUS_KEYS;

    "Monitoring" {
        status_listen: One<StatusListen> = text("ip:port").default("").ours()
            .doc("Address for /metrics (Prometheus), /healthz and /readyz, which everybody who reaches it may ask; empty = nowhere.");
    }
}

/// `status_listen`
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusListen(pub(crate) Option<SocketAddr>);

impl FromConf for StatusListen {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let address: Option<SocketAddr> = text.parse().ok();
        let address = address.filter(|address| address.port() != 0);
        address.map(|address| Self(Some(address))).ok_or_else(|| Reason::NotASocket { got: text.to_owned() })
    }
}

/// A text that is not empty.
pub(crate) fn filled(given: Maybe<String>) -> Option<String> {
    given.map(|given| given.value).filter(|text| !text.is_empty())
}

/// A path that may be relative to the folder of the first file, as FastDFS has it; none when empty.
pub(crate) fn path_of(ini: &Ini, given: Option<&Given<String>>) -> Option<PathBuf> {
    let given = given.filter(|given| !given.value.is_empty())?;
    Some(PathBuf::from(beside(ini.file(), &given.value)))
}

/// A required folder, without slashes at its end.
pub(crate) fn folder(reader: &Reader<'_>, given: &Given<String>) -> Result<PathBuf, ConfError> {
    if given.value.is_empty() {
        return Err(given.fault(reader.ini, Reason::Empty));
    }
    let trimmed = given.value.trim_end_matches('/');
    Ok(PathBuf::from(if trimmed.is_empty() { "/" } else { trimmed }))
}

pub(crate) fn check_pool(
    reader: &Reader<'_>,
    enabled: &One<bool>,
    max_idle_time: &One<u32>,
) -> Result<PoolConf, ConfError> {
    if enabled.value && max_idle_time.value == 0 {
        let reason = Reason::OutOfRange { min: 1, max: i32::MAX.into(), got: 0 };
        return Err(max_idle_time.fault(reader.ini, reason));
    }
    let max_idle_time = Duration::from_secs(max_idle_time.value.into());
    Ok(PoolConf { enabled: enabled.value, max_idle_time })
}

/// The hosts that the lines of a key name together.
pub(crate) fn hosts(reader: &Reader<'_>, patterns: &Many<String>) -> Result<AllowHosts, ConfError> {
    let mut hosts = AllowHosts::nobody();
    for pattern in patterns {
        hosts.add_pattern(&pattern.value).map_err(|error| pattern.fault(reader.ini, error.into()))?;
    }
    Ok(hosts)
}

conf_keys! {
    /// The rotation of a log file, as typed.
    struct RawLogFile, table LOG_FILE_KEYS;

    "Log files" {
        log_file_rotate_everyday: One<bool> = flag().default("true")
            .doc("Start a new log file every day.");
        log_file_rotate_time: One<TimeOfDay> = time().default("00:00")
            .doc("When the daily log file is started.");
        log_file_rotate_on_size: One<Size> = size(0, 64 << 30, Clamp).default("0")
            .doc("Also start a new log file beyond this size; 0 = never.");
        log_file_compress_old: One<bool> = flag().default("false")
            .doc("Compress old log files with gzip.");
        log_file_compress_days_before: One<u32> = days().default("1").sample("7")
            .doc("Compress log files older than this.");
        log_file_keep_days: One<u32> = days().default("15")
            .doc("Delete log files older than this; 0 = keep them.");
        log_file_delete_old_time: One<TimeOfDay> = time().default("01:30")
            .doc("When old log files are deleted.");
    }
}

/// Keys of log files that need nothing done.
pub(crate) const IGNORED_LOG_KEYS: &[Key] = &[ignored("sync_log_buff_interval", "lines are not held back")];

impl RawLogFile {
    pub(crate) fn check(self) -> LogFileConf {
        LogFileConf {
            rotate_everyday: self.log_file_rotate_everyday.value,
            rotate_time: self.log_file_rotate_time.value,
            rotate_on_size: self.log_file_rotate_on_size.value.0,
            compress_old: self.log_file_compress_old.value,
            compress_days_before: self.log_file_compress_days_before.value,
            keep_days: self.log_file_keep_days.value,
            delete_old_time: self.log_file_delete_old_time.value,
        }
    }
}

/// `[error-log]`: the daemon's own log.
pub(crate) const ERROR_LOG: SectionSpec = SectionSpec {
    name: "error-log",
    doc: "The daemon's own log: overrides of the log_file_* keys.",
    keys: &[LOG_FILE_KEYS, IGNORED_LOG_KEYS],
};

const LOG_KEYS_NOW: &str = "the log_file_* keys replaced it in FastDFS 6.14";

/// Names of older versions, in both daemons' files.
pub(crate) const OLD_SERVICE_KEYS: &[Key] = &[
    retired("rotate_error_log", LOG_KEYS_NOW),
    retired("error_log_rotate_time", LOG_KEYS_NOW),
    retired("rotate_error_log_size", LOG_KEYS_NOW),
    retired("compress_old_error_log", LOG_KEYS_NOW),
    retired("compress_error_log_days_before", LOG_KEYS_NOW),
    retired("http.*", "trackers and storages have served no HTTP since FastDFS 5; another program does that")
        .shaped(Shape::Family),
];
