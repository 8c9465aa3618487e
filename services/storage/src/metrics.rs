//! What a storage tells of itself: metrics, and whether it can do its work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_fileid::StorePathIndex;
use fdfs_proto::{Ending, StorageCommand, StorageStatus};
use status::{Ground, Metric, Node, Pulse, Reason, Samples};
use storage_core::space::{ANY_PATH, MIB, Paths};
use storage_core::stats::Counter;

use crate::figures;
use crate::replication::{Obstacle, PeerProgress};
use crate::server::{Server, unix_now};

status::metrics! {
    /// What a storage tells.
    pub table METRICS;
    REQUESTS = Metric::counter("cairn_storage_requests").labels(&["command", "result"]).doc("Requests that were answered: done, refused (not there, not allowed, no request), failed (could not be done now).");
    LATENCIES = Metric::latency("cairn_storage_request").labels(&["command"]).doc("How long requests took, from their header to the end of the answer: content travels within that time, at the client's pace.");
    CONNECTIONS = Metric::gauge("cairn_storage_connections").doc("Open connections.");
    CONNECTIONS_MAX = Metric::gauge("cairn_storage_connections_max").doc("The most connections that were open at one time since the start.");
    RECEIVED = Metric::counter("cairn_storage_received").bytes().labels(&["from"]).doc("Content that came: from clients (uploads, appends, modifications), or from members of the group (replication).");
    SENT = Metric::counter("cairn_storage_sent").bytes().labels(&["to"]).doc("Content that went: to clients, or to members of the group. What goes out over HTTP is counted by the gateway.");
    TRACKERS = Metric::gauge("cairn_storage_trackers").doc("Trackers of the configuration.");
    TRACKERS_JOINED = Metric::gauge("cairn_storage_trackers_joined").doc("Trackers that this storage is joined to now.");
    STATE = Metric::gauge("cairn_storage_state").labels(&["status"]).doc("1 for the status that the trackers have this storage in; it serves when that is active.");
    PEERS = Metric::gauge("cairn_storage_peers").labels(&["status"]).doc("Other members of the group in a status, as the trackers say.");
    PATH_TOTAL = Metric::gauge("cairn_storage_path_total").bytes().labels(&["path"]).doc("Size of the file system of a store path.");
    PATH_FREE = Metric::gauge("cairn_storage_path_free").bytes().labels(&["path"]).doc("Free there for an ordinary user, what stays reserved included.");
    PATH_PROMISED = Metric::gauge("cairn_storage_path_promised").bytes().labels(&["path"]).doc("Promised to uploads that are under way.");
    PATH_TAKES = Metric::gauge("cairn_storage_path_takes_uploads").labels(&["path"]).doc("1 when a store path has room above what stays reserved, and is not read-only.");
    PACKED_FILES = Metric::gauge("cairn_storage_packed_files").labels(&["path"]).doc("Files in packs.");
    PACKS = Metric::gauge("cairn_storage_packs").labels(&["path"]).doc("Packs.");
    PACK_SPACE = Metric::gauge("cairn_storage_pack_space").bytes().labels(&["path"]).doc("Length of all packs.");
    PACK_DEAD = Metric::gauge("cairn_storage_pack_dead").bytes().labels(&["path"]).doc("Part of the packs that is deleted, and given back when they are rewritten.");
    PACK_MEMORY = Metric::gauge("cairn_storage_pack_index_memory").bytes().labels(&["path"]).doc("Memory of the index of packed files.");
    TRUNK_FREE = Metric::gauge("cairn_storage_trunk_free").bytes().doc("Free space in trunk files; only the trunk server of a group tells it.");
    DURABILITY = Metric::info("cairn_storage_durability").labels(&["level"]).doc("What an acknowledged change survives: the durability in force.");
    COPIES_WANTED = Metric::gauge("cairn_storage_copies_wanted").doc("Members that shall have a change when it is acknowledged, this one included.");
    COPIES_POSSIBLE = Metric::gauge("cairn_storage_copies_possible").doc("Members that can have it now, this one included.");
    COPIES_DEGRADED = Metric::gauge("cairn_storage_copies_degraded").doc("1 while fewer members serve than shall have a change.");
    FEWER_COPIES = Metric::counter("cairn_storage_changes_with_fewer_copies").doc("Changes that were acknowledged with fewer copies (copies_missing = accept).");
    REFUSED_FOR_COPIES = Metric::counter("cairn_storage_changes_refused_for_copies").doc("Changes that were refused for want of members (copies_missing = refuse).");
    SYNC_RECORDS = Metric::gauge("cairn_storage_sync_records").labels(&["peer"]).doc("Changes that were read for a peer and that it has not acknowledged.");
    SYNC_LAG = Metric::gauge("cairn_storage_sync_lag").bytes().labels(&["peer"]).doc("Lines of the binlog that a peer has not acknowledged: 0 when it has everything.");
    SYNC_OLDEST = Metric::gauge("cairn_storage_sync_oldest").seconds().labels(&["peer"]).doc("Age of the oldest change that waits to be sent to a peer.");
    SYNC_OBSTACLE = Metric::gauge("cairn_storage_sync_obstacle").labels(&["peer", "reason"]).doc("1 for what is in the way of replication to a peer: peer-status (the trackers say that it does not serve), time-of-day (sync_start_time), trackers (none says who fills it), peer (not reached, or it takes nothing), change (one change fails, others go on), log (the binlog or the mark can't be read). The log of the storage has the words.");
    SYNC_SET_ASIDE = Metric::counter("cairn_storage_sync_set_aside").labels(&["peer"]).doc("Changes that were given up: the peer lacks them.");
    SYNC_BAD_LINES = Metric::counter("cairn_storage_sync_bad_lines").labels(&["peer"]).doc("Lines of the binlog that were no records.");
    CLIENTS_WAIT = Metric::gauge("cairn_storage_sync_holds_clients").labels(&["peer"]).doc("1 while changes by clients wait for a peer that is too far behind (sync_lag_max).");
    REBUILDING = Metric::gauge("cairn_storage_rebuilding_paths").doc("Store paths that are being rebuilt from the peers.");
    SCRUB_RUNNING = Metric::gauge("cairn_storage_scrub_running").doc("1 while a round of the scrub runs.");
    SCRUB_ROUNDS = Metric::counter("cairn_storage_scrub_rounds").doc("Rounds of the scrub that were ended.");
    SCRUB_ENDED = Metric::gauge("cairn_storage_scrub_ended").doc("When the last round ended, Unix seconds; 0 for none since the start.");
    SCRUB_FILES = Metric::counter("cairn_storage_scrub_files").doc("Files that the scrub looked at.");
    SCRUB_BYTES = Metric::counter("cairn_storage_scrub").bytes().doc("Bytes that it read.");
    SCRUB_BAD = Metric::counter("cairn_storage_scrub_bad").doc("Bad copies found, by the scrub or by readers.");
    SCRUB_MISSING = Metric::counter("cairn_storage_scrub_missing").doc("Files found missing.");
    SCRUB_MENDED = Metric::counter("cairn_storage_scrub_mended").doc("Bad copies that were replaced, and missing files that were restored, from other members.");
    SCRUB_SET_ASIDE = Metric::counter("cairn_storage_scrub_set_aside").doc("Bad copies that were taken away with nothing in their place.");
    SCRUB_HOPELESS = Metric::gauge("cairn_storage_scrub_hopeless").doc("Files of which no member had a good copy: in the round that runs, or in the last one.");
    QUARANTINE_COPIES = Metric::gauge("cairn_storage_quarantine_copies").doc("Bad copies that are kept in the quarantine.");
    QUARANTINE_BYTES = Metric::gauge("cairn_storage_quarantine").bytes().doc("Their size.");
    QUARANTINE_LOST = Metric::gauge("cairn_storage_quarantine_lost").doc("Files of which there is no good copy here.");
}

const NO_TRACKER: Ground = Ground {
    code: "no-tracker",
    doc: "No tracker is reached: clients are not sent here. See whether trackers run, and whether tracker_server names them.",
};
const NOT_ACTIVE: Ground = Ground {
    code: "not-active",
    doc: "The trackers do not send clients here: a new member waits for its files, or was away and is being taken in. It ends by itself unless the members that have the files are down.",
};
const REBUILDING_PATHS: Ground = Ground {
    code: "rebuilding",
    doc: "A store path was empty and is being rebuilt from the other members. It ends by itself while they serve.",
};
const DISK_FULL: Ground = Ground {
    code: "disk-full",
    doc: "No store path takes uploads: all are full up to what stays reserved, or read-only. Files can be read. Free space, or add a group.",
};

/// Why a storage may not be ready.
pub const GROUNDS: &[Ground] = &[NO_TRACKER, NOT_ACTIVE, REBUILDING_PATHS, DISK_FULL];

/// The kind of requests of commands that are none.
pub(crate) const UNKNOWN: usize = 0;

/// Counts what a storage is asked.
pub(crate) type Requests = status::Requests<{ Ending::COUNT }>;

/// One kind of request for each number that a command can have.
pub(crate) fn requests() -> Requests {
    Requests::new(usize::from(u8::MAX) + 1)
}

/// The kind of a command in [`requests`].
pub(crate) fn kind(command: StorageCommand) -> usize {
    command.code().into()
}

/// Content that came, by whom, and content that went, to whom.
const RECEIVED_FROM: [(&str, &[Counter]); 2] = [
    ("clients", &[Counter::UploadBytes, Counter::AppendBytes, Counter::ModifyBytes]),
    ("members", &[Counter::SyncInBytes]),
];
const SENT_TO: [(&str, &[Counter]); 2] =
    [("clients", &[Counter::DownloadBytes]), ("members", &[Counter::SyncOutBytes])];

/// A storage, for who asks how it is.
pub(crate) struct Status {
    server: Arc<Server>,
    durability: String,
    trackers: Vec<String>,
    /// What was counted before this start. A crash may forget the last of it, and a counter that steps back a little would be
    /// taken for one that began anew.
    before: Vec<(Counter, u64)>,
    pulse: Arc<Pulse>,
}

impl Status {
    /// Of a server that has just been started.
    pub(crate) fn new(server: Arc<Server>, conf: &StorageConf, pulse: Arc<Pulse>) -> Self {
        let before = Counter::ALL.iter().map(|counter| (*counter, server.stats.get(*counter).0)).collect();
        Self {
            durability: conf.durability.to_string(),
            trackers: conf.tracker_servers.iter().map(ToString::to_string).collect(),
            server,
            before,
            pulse,
        }
    }

    /// All that was counted by these since the start.
    fn since_start(&self, counters: &[Counter]) -> u64 {
        let of = |counter: &Counter| {
            let before = self.before.iter().find(|(of, _)| of == counter).map_or(0, |(_, count)| *count);
            self.server.stats.get(*counter).0.saturating_sub(before)
        };
        counters.iter().map(of).sum()
    }

    fn sample_cluster(&self, out: &mut Samples) {
        let view = Arc::clone(&self.server.cluster.borrow());
        let joined = view.trackers.iter().filter(|tracker| tracker.joined).count();
        out.int(&TRACKERS, &[], self.trackers.len() as u64);
        out.int(&TRACKERS_JOINED, &[], joined as u64);
        for status in StorageStatus::ALL {
            let word = status.caption().to_ascii_lowercase();
            out.is(&STATE, &[&word], view.my_status == Some(status));
            let peers = view.peers.values().filter(|peer| peer.status == status).count();
            out.int(&PEERS, &[&word], peers as u64);
        }
        for (peer, progress, held) in self.server.replication.all() {
            let (peer, lag) = (peer.to_string(), &progress.lag);
            out.int(&SYNC_RECORDS, &[&peer], lag.records);
            // What was appended since its task looked last counts, too: while a peer is away nobody looks.
            let behind = self.server.store.binlog().len_from(progress.acknowledged.unwrap_or_default());
            out.int(&SYNC_LAG, &[&peer], behind);
            out.seconds(&SYNC_OLDEST, &[&peer], oldest_waiting(&self.server, &progress));
            for obstacle in Obstacle::ALL {
                out.is(&SYNC_OBSTACLE, &[&peer, obstacle.word()], lag.obstacle == Some(obstacle));
            }
            out.int(&SYNC_SET_ASIDE, &[&peer], lag.set_aside);
            out.int(&SYNC_BAD_LINES, &[&peer], lag.bad_lines);
            out.is(&CLIENTS_WAIT, &[&peer], held);
        }
    }

    fn sample_store(&self, out: &mut Samples) {
        let (server, usage) = (&self.server, self.server.path_usage());
        let takes = self.with_paths(&usage, |paths| {
            usage.iter().map(|path| !path.read_only && paths.fits(path, 0)).collect::<Vec<_>>()
        });
        for ((index, path), takes) in (0..=u8::MAX).map(StorePathIndex).zip(&usage).zip(takes) {
            let name = path_name(index);
            out.int(&PATH_TOTAL, &[&name], path.total_mb.saturating_mul(MIB));
            out.int(&PATH_FREE, &[&name], path.free_mb.saturating_mul(MIB));
            out.int(&PATH_PROMISED, &[&name], path.promised_bytes);
            out.is(&PATH_TAKES, &[&name], takes);
            if let Ok(packs) = server.store.pack_usage(index) {
                out.int(&PACKED_FILES, &[&name], packs.files);
                out.int(&PACKS, &[&name], packs.packs);
                out.int(&PACK_SPACE, &[&name], packs.bytes);
                out.int(&PACK_DEAD, &[&name], packs.dead);
                out.int(&PACK_MEMORY, &[&name], packs.memory);
            }
        }
        if let Some(trunk) = server.trunk.figures() {
            out.int(&TRUNK_FREE, &[], trunk.free_mb.saturating_mul(MIB));
        }
    }

    fn with_paths<T>(
        &self,
        usage: &[storage_core::space::PathUsage],
        ask: impl FnOnce(&Paths<'_>) -> T,
    ) -> T {
        let view = Arc::clone(&self.server.cluster.borrow());
        ask(&Paths { usage, reserve: view.reserve(), mode: view.path_mode() })
    }
}

/// As file names have it.
fn path_name(index: StorePathIndex) -> String {
    format!("M{:02X}", index.0)
}

/// The row of a figure.
fn metric_of(figure: &str) -> Option<&'static Metric> {
    let name = format!("cairn_storage_{figure}");
    METRICS.iter().find(|metric| metric.series().first() == Some(&name))
}

/// Age of the oldest change that a peer lacks and that does not travel. While it can't be sent to, nobody looks.
pub(crate) fn oldest_waiting(server: &Server, progress: &PeerProgress) -> Duration {
    let (lag, acknowledged) = (&progress.lag, progress.acknowledged.unwrap_or_default());
    if lag.obstacle.is_none() || !lag.oldest.is_zero() {
        return lag.oldest;
    }
    let made = server.store.binlog().first_made_from(acknowledged);
    let age = made.map_or(0, |made| i64::from(unix_now()).saturating_sub(made));
    Duration::from_secs(u64::try_from(age).unwrap_or(0))
}

impl Node for Status {
    fn role(&self) -> &'static str {
        "storage"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn grounds(&self) -> &'static [Ground] {
        GROUNDS
    }

    fn sample(&self, out: &mut Samples) {
        let Server { requests, connections, rebuilding, .. } = &*self.server;
        let named = StorageCommand::ALL.iter().map(|command| (kind(*command), command.name()));
        requests.sample(out, (&REQUESTS, &LATENCIES), named.chain([(UNKNOWN, "unknown")]), Ending::WORDS);
        out.int(&CONNECTIONS, &[], connections.current().into());
        out.int(&CONNECTIONS_MAX, &[], connections.max().into());
        for (from, counters) in RECEIVED_FROM {
            out.int(&RECEIVED, &[from], self.since_start(counters));
        }
        for (to, counters) in SENT_TO {
            out.int(&SENT, &[to], self.since_start(counters));
        }
        out.info(&DURABILITY, &[&self.durability]);
        out.int(&REBUILDING, &[], rebuilding.load(Ordering::Relaxed) as u64);
        self.sample_cluster(out);
        self.sample_store(out);
        for figure in figures::all(&self.server) {
            if let Some(metric) = metric_of(figure.name) {
                out.int(metric, &[], figure.value);
            }
        }
    }

    fn unready(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let view = Arc::clone(&self.server.cluster.borrow());
        if !view.trackers.iter().any(|tracker| tracker.joined) {
            let words = format!("no tracker is reached: {}", self.trackers.join(", "));
            reasons.push(Reason::new(&NO_TRACKER, words));
        } else if view.my_status != Some(StorageStatus::Active) {
            let status = view.my_status.map_or("unknown", StorageStatus::caption);
            reasons.push(Reason::new(&NOT_ACTIVE, format!("the trackers have this storage as {status}")));
        }
        let rebuilding = self.server.rebuilding.load(Ordering::Relaxed);
        if rebuilding > 0 {
            let words = format!("{rebuilding} store paths are being rebuilt from the peers");
            reasons.push(Reason::new(&REBUILDING_PATHS, words));
        }
        let usage = self.server.path_usage();
        if self.with_paths(&usage, |paths| paths.choose(ANY_PATH, 0, 0).is_err()) {
            let free: u64 = usage.iter().map(|path| path.free_mb).sum();
            let words = format!("no store path takes uploads: {free} MB free on {} store paths", usage.len());
            reasons.push(Reason::new(&DISK_FULL, words));
        }
        reasons
    }

    fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}
