//! The keys of storage.conf, and the way from them to a checked [`StorageConf`].

use std::time::Duration;

use fdfs_fileid::GroupName;

use super::{
    AccessLogConf, COPIES_MAX, CopiesMissing, DiskConf, DistributeConf, DistributeMode, Durability,
    JOURNAL_SIZE_MIN, JournalConf, PackConf, ScrubConf, StorageConf, StorePath, SyncConf, TimePrecision,
};
use crate::addr::{ServerAddr, TRACKER_PORT, TRACKERS_MAX, TrackerServers};
use crate::allow_hosts::AllowHosts;
use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::files::{OTHERS_OF_STORAGE, STORAGE_CONF};
use crate::ini::{Ini, Loader, ThisHost};
use crate::registry::Fit::{Clamp, DefaultBelow, Strict};
use crate::registry::{
    Key, Many, Maybe, Numbered, One, Reader, SectionSpec, Shape, check_names, conf_keys, flag, ignored,
    milliseconds, number, retired, seconds, size, text, time,
};
use crate::service::{
    ERROR_LOG, IGNORED_LOG_KEYS, LOG_FILE_KEYS, LogLevel, RawLogFile, RawService, RawStatus, TimeOfDay,
    filled, folder, hosts, path_of,
};
use crate::storage_ids::parse_storage_id;
use crate::value::{FromConf, Size};

/// Store paths a storage can have: M00 to MFF.
pub const STORE_PATHS_MAX: u32 = 256;
/// Largest `commit_wait`, microseconds: whoever waits longer is better off with fewer, larger files.
const COMMIT_WAIT_MAX: i64 = 100_000;

/// Largest `pack_max_size`, bytes: content up to this size is held in memory on its way to disk.
const PACK_MAX_SIZE_MAX: u64 = 1 << 20;

/// Least and largest `pack_size`, bytes.
const PACK_SIZE_MIN: u64 = 1 << 20;
const PACK_SIZE_MAX: u64 = 8 << 30;

/// Largest `journal_inline_max`, bytes.
const JOURNAL_INLINE_MAX: u64 = 16 << 20;
/// Threads per peer at most.
const SYNC_THREADS_MAX: u32 = 256;

/// What `sync_max_threads = auto` means at least: as many small files share one sync of a peer's disk.
const SYNC_THREADS_AUTO: u32 = 64;

/// Largest `sync_lag_max`, seconds: a day.
const SYNC_LAG_MAX: i64 = 86_400;
const FASTDHT: &str = "part of check_file_duplicate, which needs FastDHT servers";

conf_keys! {
    /// What is storage.conf's own, as typed.
    struct RawStorage, table STORAGE_KEYS;

    "Service" {
        group_name: Maybe<String> = text("1 to 16 letters and digits").absent("asked from a tracker, which needs storage ids").sample("group1")
            .doc("The group this storage belongs to.");
        base_path: One<String> = text("folder").absent("required").sample("/var/lib/cairn/storage")
            .doc("Folder for data/ and logs/.");
        port: One<u16> = number(1, 65535, DefaultBelow).default("23000").sample("23000")
            .doc("TCP port to listen on.");
        tracker_server: Many<String> = text("host[:port]").absent("required").sample("127.0.0.1:22122")
            .doc("A tracker to join, repeatable up to 16 times: host:port, two addresses as inner,outer:port, IPv6 as [address]:port. Loopback addresses are accepted, which FastDFS refuses here.");
        server_id: Maybe<String> = text("1 to 16777215").absent("found by address")
            .doc("This storage's number in storage_ids.conf, for hosts behind NAT.");
        client_bind: One<bool> = flag().default("true")
            .doc("Bind outgoing connections to the listening address.");
        if_alias_prefix: Maybe<String> = text("prefix,prefix").absent("all interfaces")
            .doc("Read, and needs nothing: a storage's own addresses are those that the trackers know.");
        log_level: One<LogLevel> = text("emerg, alert, crit, error, warn, notice, info or debug").default("info")
            .doc("Least severe message to log.");
    }
    "Store paths" {
        store_path_count: One<u32> = number(1, STORE_PATHS_MAX as i64, Strict).default("1").sample("1")
            .doc("Number of store paths (disks): M00, M01 and so on.");
        store_path: Numbered<String> = text("folder").named("store_path#").absent("base_path for store_path0, others required").sample("/var/lib/cairn/store0")
            .doc("Folder of a store path, numbered from 0. The order is part of every file id: never change it.");
        store_path_readonly: Numbered<bool> = flag().named("store_path#_readonly").default("false")
            .doc("The store path takes no new files.");
        subdir_count_per_path: One<u16> = number(1, 256, Strict).default("256")
            .doc("Folders per level below data/ of a store path.");
        file_distribute_path_mode: One<u8> = number(0, 1, Strict).default("0")
            .doc("Folder of a new file: 0 = one after the other, 1 = by a hash of its name.");
        file_distribute_rotate_count: One<u32> = number(1, i32::MAX as i64, DefaultBelow).default("100")
            .doc("Files per folder before going on to the next.");
        check_store_path_mark: One<bool> = flag().default("true")
            .doc("Check at start that a store path is the one that was used under its number before.");
    }
    "Durability" {
        durability: One<Durability> = text("copies:N, disk or fastdfs").default("copies:2").ours()
            .doc("When a change is acknowledged: fastdfs = handed to the operating system, it survives a crash of the process; disk = synced, it survives a power cut; copies:N = synced, and N members of the group have it, it survives the loss of N-1 of them. A group of one server is as with disk.");
        copies_missing: One<CopiesMissing> = text("accept or refuse").default("accept").ours()
            .doc("With copies:N, when fewer than N members of a group that has others serve: accept = acknowledge what those have that do, and say so in the log; refuse = take no changes.");
        copies_wait: One<u32> = number(1, 3600, Strict).default("5").ours()
            .doc("With copies:N, seconds after which a member that has not got a change counts as missing.");
        journal_size: One<Size> = size(JOURNAL_SIZE_MIN, 1 << 40, Strict).default("256MB").ours()
            .doc("Journal space per store path for durability = disk.");
        journal_inline_max: One<Size> = size(0, JOURNAL_INLINE_MAX, Strict).default("64KB").ours()
            .doc("Up to this size the content of an upload goes through the journal; larger files are synced themselves.");
        commit_wait: One<u32> = number(0, COMMIT_WAIT_MAX, Strict).default("0").ours()
            .doc("Microseconds that a change waits for others, so that more of them share one sync; with 0 those share the next that come during one.");
    }
    "Packs" {
        pack_max_size: One<Size> = size(0, PACK_MAX_SIZE_MAX, Strict).default("64KB").ours()
            .doc("Files up to this size go into packs, many in one file on disk; 0 gives every file a file of its own, as FastDFS has them. Appender files always have one.");
        pack_size: One<Size> = size(PACK_SIZE_MIN, PACK_SIZE_MAX, Strict).default("256MB").ours()
            .doc("Size at which a pack is full and the next is begun.");
        pack_rewrite_percent: One<u8> = number(1, 100, Strict).default("50").ours()
            .doc("Deleted part of a pack, per cent, at which it is rewritten to give its space back.");
        pack_rewrite_rate: One<Size> = size(0, 1 << 40, Strict).default("20MB").ours()
            .doc("How fast packs are rewritten, bytes a second; 0 = as fast as it goes.");
    }
    "Scrub" {
        scrub_interval: One<Duration> = seconds(0, Strict).default("604800").ours()
            .doc("Pause between the beginnings of two rounds in which every file is read and compared with its id and the binlog; a bad or missing copy is replaced with that of another member. 0 = no rounds.");
        scrub_bytes_per_second: One<Size> = size(0, 1 << 40, Strict).default("20MB").ours()
            .doc("How fast a round reads, bytes a second, a quarter of it while requests are served; 0 = as fast as it goes.");
    }
    "HTTP" {
        gateway_conf: Maybe<String> = text("file").absent("no HTTP").ours()
            .doc("A mod_fastdfs.conf: this process also serves the files of all groups over HTTP, as it says, its own straight from its store. A relative name starts in this file's folder.");
    }
    "Disk threads" {
        disk_rw_separated: One<bool> = flag().default("true")
            .doc("Read and checked, and needs nothing: what writes has a thread of its own in any case.");
        disk_reader_threads: One<u32> = number(0, 1024, Strict).default("1").sample("2")
            .doc("Read and checked, and needs nothing: each store path has four threads that read.");
        disk_writer_threads: One<u32> = number(0, 1024, Strict).default("1")
            .doc("Read and checked, and needs nothing: each store path has one thread that writes.");
        disk_recovery_threads: One<u32> = number(1, 1024, Strict).default("1").sample("4")
            .doc("Threads that refill a replaced disk.");
    }
    "Reports to the trackers" {
        heart_beat_interval: One<Duration> = seconds(1, DefaultBelow).default("30")
            .doc("Pause between beats.");
        stat_report_interval: One<Duration> = seconds(1, DefaultBelow).default("300").sample("60")
            .doc("Pause between reports of disk usage.");
        upload_priority: One<i32> = number(i32::MIN as i64, i32::MAX as i64, Strict).default("10")
            .doc("Rank for uploads with store_server = 2 in tracker.conf; lower is preferred.");
    }
    "Replication" {
        allow_peers: Many<String> = text("host pattern").absent("the addresses that trackers and storage_ids.conf have for members").ours()
            .doc("Further addresses that members of the group come from, behind NAT or with several networks, repeatable, written as for allow_hosts. Who comes from one may replicate, and so write and delete every file: a storage logs whom it refuses.");
        sync_min_threads: One<u32> = number(1, SYNC_THREADS_MAX as i64, Clamp).default("1")
            .doc("Connections per peer that are kept although nothing travels.");
        sync_max_threads: One<SyncThreads> = text("auto, or 1 to 256").default("auto")
            .doc("Connections per peer, and so changes that travel at the same time; auto = 64, or twice store_path_count where that is more.");
        sync_lag_max: One<u32> = number(0, SYNC_LAG_MAX, Strict).default("10").ours()
            .doc("Seconds that a member may be behind: of one that serves and is further behind, clients' changes go on only as fast as it takes them, until it is half as far. 0 = they never wait.");
        sync_wait_msec: One<Duration> = milliseconds(1, DefaultBelow).default("100").sample("10")
            .doc("Read, and needs nothing: new records are noticed as they come.");
        sync_interval: One<Duration> = milliseconds(0, Clamp).default("0")
            .doc("Milliseconds that a connection rests after each record.");
        sync_start_time: One<TimeOfDay> = time().default("00:00")
            .doc("Replicate from this time of day on.");
        sync_end_time: One<TimeOfDay> = time().default("23:59")
            .doc("Replicate up to this time of day.");
        write_mark_file_freq: One<u32> = number(1, i32::MAX as i64, DefaultBelow).default("500")
            .doc("Save how far a peer is after this many records; also when none come any more.");
        file_sync_skip_invalid_record: One<bool> = flag().default("false")
            .doc("Read, and needs nothing: a line of the binlog that makes no sense is always stepped over, counted and logged.");
    }
    "Binlog and statistics" {
        sync_binlog_buff_interval: One<Duration> = seconds(1, DefaultBelow).default("60").sample("1")
            .doc("Write buffered binlog records this often.");
        sync_stat_file_interval: One<Duration> = seconds(1, DefaultBelow).default("60")
            .doc("Write the statistics this often.");
        compress_binlog: One<bool> = flag().default("false").sample("true")
            .doc("Read, and not used yet: binlog files are not compressed.");
        compress_binlog_time: One<TimeOfDay> = time().default("01:30")
            .doc("Read, and not used yet, as compress_binlog.");
    }
    "Not available" {
        check_file_duplicate: One<bool> = flag().default("false")
            .doc("FastDFS keeps one copy of equal files with the help of FastDHT servers. Here every file is stored; true gives a warning.");
    }
}

/// Keys that need nothing done.
pub(crate) const IGNORED_STORAGE_KEYS: &[Key] = &[
    ignored("file_signature_method", FASTDHT),
    ignored("key_namespace", FASTDHT),
    ignored("keep_alive", FASTDHT),
    ignored("group_count", FASTDHT),
    ignored("group#", FASTDHT).shaped(Shape::Numbered),
    ignored("use_proxy", FASTDHT),
    ignored("proxy_addr", FASTDHT),
    ignored("proxy_port", FASTDHT),
    ignored("fsync_after_written_bytes", "FastDFS reads it and does nothing with it; see durability"),
];

const LOG_KEYS_NOW: &str = "the log_file_* keys in [access-log] replaced it in FastDFS 6.14";

/// Names of older versions.
pub(crate) const OLD_STORAGE_KEYS: &[Key] = &[
    retired("use_access_log", "set enabled inside [access-log]"),
    retired("rotate_access_log", LOG_KEYS_NOW),
    retired("access_log_rotate_time", LOG_KEYS_NOW),
    retired("rotate_access_log_size", LOG_KEYS_NOW),
    retired("compress_old_access_log", LOG_KEYS_NOW),
    retired("compress_access_log_days_before", LOG_KEYS_NOW),
];

conf_keys! {
    /// `[access-log]` without its rotation, as typed.
    struct RawAccessLog, table ACCESS_LOG_KEYS;

    "Access log" {
        enabled: One<bool> = flag().default("false")
            .doc("Write one line per request.");
        time_precision: One<TimePrecision> = text("ms or us").default("ms").sample("us")
            .doc("Unit of the time a request took.");
    }
}

/// `[access-log]`: the log of requests.
pub(crate) const ACCESS_LOG: SectionSpec = SectionSpec {
    name: "access-log",
    doc: "The log of requests, logs/storage_access.log, with overrides of the log_file_* keys.",
    keys: &[ACCESS_LOG_KEYS, LOG_FILE_KEYS, IGNORED_LOG_KEYS],
};

impl StorageConf {
    /// Reads and checks the storage.conf at `path`, with everything it includes.
    pub fn load(path: &str, loader: &mut Loader<'_>) -> Result<(StorageConf, Vec<Warning>), ConfError> {
        StorageConf::load_on(path, loader, None)
    }

    /// As [`StorageConf::load`], for files whose directives ask about the machine.
    pub fn load_on(
        path: &str,
        loader: &mut Loader<'_>,
        host: Option<&ThisHost>,
    ) -> Result<(StorageConf, Vec<Warning>), ConfError> {
        let ini = Ini::load(path, loader, host)?;
        let mut reader = Reader::new(&ini);
        check_names(&mut reader, &STORAGE_CONF, OTHERS_OF_STORAGE);
        let raw = RawStorage::read(&mut reader)?;
        let service = RawService::read(&mut reader)?.check(&mut reader, &raw.port)?;
        let log_file = reader.in_section(ERROR_LOG.name, true, RawLogFile::read)?.check();
        let access = reader.in_section(ACCESS_LOG.name, false, RawAccessLog::read)?;
        let access_log = AccessLogConf {
            enabled: access.enabled.value,
            time_precision: access.time_precision.value,
            file: reader.in_section(ACCESS_LOG.name, true, RawLogFile::read)?.check(),
        };
        if raw.check_file_duplicate.value {
            let why = "equal files are not merged, FastDHT servers are not supported";
            reader.warn_given(&raw.check_file_duplicate, Oddity::NoEffect { why });
        }
        let conf = StorageConf {
            group_name: raw.group_name(&reader)?,
            server_id: raw.server_id(&reader)?,
            base_path: folder(&reader, &raw.base_path)?,
            store_paths: raw.store_paths(&mut reader)?,
            subdir_count_per_path: raw.subdir_count_per_path.value,
            tracker_servers: tracker_servers(&mut reader, &raw.tracker_server)?,
            listen: service.listen,
            client_bind: raw.client_bind.value,
            network: service.network,
            run_by: service.run_by,
            log_level: raw.log_level.value,
            log_file,
            status_listen: RawStatus::read(&mut reader)?.status_listen.value.0,
            access_log,
            allow_hosts: service.allow_hosts,
            allow_peers: raw.allow_peers(&mut reader)?,
            heart_beat_interval: raw.heart_beat_interval.value,
            stat_report_interval: raw.stat_report_interval.value,
            durability: raw.durability.value,
            copies_missing: raw.copies_missing.value,
            copies_wait: Duration::from_secs(raw.copies_wait.value.into()),
            journal: JournalConf {
                size: raw.journal_size.value.0,
                inline_max: raw.journal_inline_max.value.to_u32(),
            },
            commit_wait: Duration::from_micros(raw.commit_wait.value.into()),
            packs: PackConf {
                max_file: raw.pack_max_size.value.to_u32(),
                size: raw.pack_size.value.0,
                rewrite_percent: raw.pack_rewrite_percent.value,
                rewrite_rate: raw.pack_rewrite_rate.value.0,
            },
            gateway_conf: path_of(&ini, raw.gateway_conf.as_ref()),
            scrub: ScrubConf { interval: raw.scrub_interval.value, rate: raw.scrub_bytes_per_second.value.0 },
            disk: raw.disk(&reader)?,
            sync: raw.sync(&mut reader),
            distribute: DistributeConf {
                mode: match raw.file_distribute_path_mode.value {
                    0 => DistributeMode::RoundRobin,
                    _ => DistributeMode::Hash,
                },
                rotate_count: raw.file_distribute_rotate_count.value,
            },
            sync_binlog_buff_interval: raw.sync_binlog_buff_interval.value,
            sync_stat_file_interval: raw.sync_stat_file_interval.value,
            upload_priority: raw.upload_priority.value,
            if_alias_prefix: filled(raw.if_alias_prefix)
                .map(|list| {
                    list.split(',').map(|prefix| prefix.trim().to_owned()).filter(|p| !p.is_empty()).collect()
                })
                .unwrap_or_default(),
            file_sync_skip_invalid_record: raw.file_sync_skip_invalid_record.value,
            pool: service.pool,
            compress_binlog: raw.compress_binlog.value,
            compress_binlog_time: raw.compress_binlog_time.value,
            check_store_path_mark: raw.check_store_path_mark.value,
        };
        Ok((conf, reader.into_warnings()))
    }
}

impl RawStorage {
    fn allow_peers(&self, reader: &mut Reader<'_>) -> Result<AllowHosts, ConfError> {
        let peers = hosts(reader, &self.allow_peers)?;
        if let Some(everybody) = self.allow_peers.iter().find(|given| given.value.trim() == "*") {
            reader.warn_given(everybody, Oddity::EverybodyReplicates);
        }
        Ok(peers)
    }

    fn group_name(&self, reader: &Reader<'_>) -> Result<Option<GroupName>, ConfError> {
        let Some(given) = &self.group_name else { return Ok(None) };
        if given.value.is_empty() {
            return Err(given.fault(reader.ini, Reason::Empty));
        }
        GroupName::parse(given.value.as_bytes())
            .map(Some)
            .map_err(|_| given.fault(reader.ini, Reason::NotAGroupName { got: given.value.clone() }))
    }

    fn server_id(&self, reader: &Reader<'_>) -> Result<Option<u32>, ConfError> {
        let Some(given) = self.server_id.as_ref().filter(|given| !given.value.is_empty()) else {
            return Ok(None);
        };
        let id = parse_storage_id(&given.value);
        id.map(Some)
            .ok_or_else(|| given.fault(reader.ini, Reason::NotAStorageId { got: given.value.clone() }))
    }

    fn store_paths(&self, reader: &mut Reader<'_>) -> Result<Vec<StorePath>, ConfError> {
        let count = self.store_path_count.value;
        let mut paths: Vec<StorePath> = Vec::new();
        for number in 0..count {
            let given = match self.store_path.get(&number) {
                Some(given) => given,
                None if number == 0 => &self.base_path,
                None => {
                    let fault = self.store_path_count.fault(reader.ini, Reason::Missing);
                    return Err(ConfError { key: format!("store_path{number}"), ..fault });
                }
            };
            let path = folder(reader, given)?;
            if let Some(other) = paths.iter().position(|other| other.path == path) {
                let reason = Reason::SameFolder { other: format!("store_path{other}") };
                return Err(given.fault(reader.ini, reason));
            }
            let read_only = self.store_path_readonly.get(&number).is_some_and(|given| given.value);
            paths.push(StorePath { path, read_only });
        }
        for given in self.store_path.range(count..).map(|(_, given)| given) {
            reader.warn_given(given, Oddity::PathNotCounted { count });
        }
        for given in self.store_path_readonly.range(count..).map(|(_, given)| given) {
            reader.warn_given(given, Oddity::PathNotCounted { count });
        }
        Ok(paths)
    }

    fn disk(&self, reader: &Reader<'_>) -> Result<DiskConf, ConfError> {
        let separated = self.disk_rw_separated.value;
        let (readers, writers) = (&self.disk_reader_threads, &self.disk_writer_threads);
        let idle = match (readers.value, writers.value) {
            (0, _) if separated => Some(readers),
            (_, 0) if separated => Some(writers),
            (0, 0) => Some(readers),
            _ => None,
        };
        if let Some(idle) = idle {
            return Err(idle.fault(reader.ini, Reason::OutOfRange { min: 1, max: 1024, got: 0 }));
        }
        Ok(DiskConf {
            rw_separated: separated,
            reader_threads: readers.value,
            writer_threads: writers.value,
            recovery_threads: self.disk_recovery_threads.value,
        })
    }

    fn sync(&self, reader: &mut Reader<'_>) -> SyncConf {
        let min_threads = self.sync_min_threads.value;
        let mut max_threads = match self.sync_max_threads.value {
            SyncThreads::Auto => (2 * self.store_path_count.value).clamp(SYNC_THREADS_AUTO, SYNC_THREADS_MAX),
            SyncThreads::Count(count) => count,
        };
        if max_threads < min_threads {
            let (got, used) = (max_threads.to_string(), min_threads.to_string());
            reader.warn_given(&self.sync_max_threads, Oddity::Replaced { got, used });
            max_threads = min_threads;
        }
        SyncConf {
            min_threads,
            max_threads,
            wait: self.sync_wait_msec.value,
            interval: self.sync_interval.value,
            lag_max: Duration::from_secs(self.sync_lag_max.value.into()),
            start_time: self.sync_start_time.value,
            end_time: self.sync_end_time.value,
            write_mark_file_freq: self.write_mark_file_freq.value,
        }
    }
}

/// The trackers of a file; at least one.
pub(crate) fn tracker_servers(
    reader: &mut Reader<'_>,
    lines: &Many<String>,
) -> Result<TrackerServers, ConfError> {
    let mut servers: Vec<ServerAddr> = Vec::new();
    for line in lines {
        let server = ServerAddr::parse(&line.value, TRACKER_PORT)
            .map_err(|error| line.fault(reader.ini, error.into()))?;
        if servers.contains(&server) {
            reader.warn_given(line, Oddity::SameTracker);
            continue;
        }
        if servers.len() == TRACKERS_MAX {
            return Err(line.fault(reader.ini, Reason::TooMany { limit: TRACKERS_MAX }));
        }
        servers.push(server);
    }
    TrackerServers::new(servers).ok_or_else(|| ConfError {
        file: reader.ini.file().to_owned(),
        line: None,
        key: "tracker_server".to_owned(),
        reason: Box::new(Reason::Missing),
    })
}

/// `sync_max_threads`
#[derive(Clone, Copy, Debug)]
pub(crate) enum SyncThreads {
    Auto,
    Count(u32),
}

impl FromConf for SyncThreads {
    fn from_conf(_: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason> {
        if text.is_empty() || text.eq_ignore_ascii_case("auto") {
            return Ok(SyncThreads::Auto);
        }
        let allowed = "auto, or a number from 1 to 256";
        match text.parse::<u32>() {
            Ok(0) => Ok(SyncThreads::Auto),
            Ok(count) if count <= SYNC_THREADS_MAX => Ok(SyncThreads::Count(count)),
            Ok(count) => {
                let (got, used) = (count.to_string(), SYNC_THREADS_MAX.to_string());
                oddities.push(Oddity::Replaced { got, used });
                Ok(SyncThreads::Count(SYNC_THREADS_MAX))
            }
            Err(_) => Err(Reason::NotAChoice { allowed, got: text.to_owned() }),
        }
    }
}

impl FromConf for TimePrecision {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text {
            "" | "ms" | "millisecond" => Ok(TimePrecision::Millisecond),
            "us" | "microsecond" => Ok(TimePrecision::Microsecond),
            _ => Err(Reason::NotAChoice { allowed: "ms or us", got: text.to_owned() }),
        }
    }
}

impl FromConf for Durability {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        let word = text.to_ascii_lowercase();
        let copies = word.strip_prefix("copies:").and_then(|count| count.parse().ok());
        match (word.as_str(), copies) {
            ("disk", _) => Ok(Durability::Disk),
            ("fastdfs", _) => Ok(Durability::Fastdfs),
            (_, Some(copies)) if (1..=COPIES_MAX).contains(&copies) => Ok(Durability::Copies(copies)),
            _ => Err(Reason::NotAChoice {
                allowed: "copies:N with N from 1 to 32, disk or fastdfs",
                got: text.to_owned(),
            }),
        }
    }
}

impl FromConf for CopiesMissing {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "accept" => Ok(CopiesMissing::Accept),
            "refuse" => Ok(CopiesMissing::Refuse),
            _ => Err(Reason::NotAChoice { allowed: "accept or refuse", got: text.to_owned() }),
        }
    }
}
