//! What a tracker tells of itself: metrics, and whether it can do its work.

use std::sync::Arc;
use std::time::Duration;

use fdfs_proto::{Ending, StorageStatus, TrackerCommand};
use status::{Ground, Metric, Node, Pulse, Reason, Samples};

use crate::shell::Shell;

/// Bytes of a megabyte, as storages report space.
const MIB: u64 = 1 << 20;

status::metrics! {
    /// What a tracker tells.
    pub table METRICS;
    REQUESTS = Metric::counter("cairn_tracker_requests").labels(&["command", "result"]).doc("Requests that were answered: done, refused (not there, not allowed, no request), failed (could not be done now).");
    LATENCIES = Metric::latency("cairn_tracker_request").labels(&["command"]).doc("How long requests took, from their last byte to the answer.");
    CONNECTIONS = Metric::gauge("cairn_tracker_connections").doc("Open connections.");
    CONNECTIONS_MAX = Metric::gauge("cairn_tracker_connections_max").doc("The most connections that were open at one time since the start.");
    TRACKERS = Metric::gauge("cairn_tracker_trackers").doc("Trackers of the cluster, this one included; 0 until a storage has told who they are.");
    LEADER_KNOWN = Metric::gauge("cairn_tracker_leader_known").doc("1 when this tracker knows which one leads.");
    LEADS = Metric::gauge("cairn_tracker_leads").doc("1 when this tracker leads; the sum over all trackers shall be 1.");
    LEADER_CHANGES = Metric::counter("cairn_tracker_leader_changes").doc("How often the leader was another one.");
    STORAGES = Metric::gauge("cairn_tracker_storages").labels(&["group", "status"]).doc("Storages of a group in a status; serving ones are active.");
    WRITABLE = Metric::gauge("cairn_tracker_group_writable_storages").labels(&["group"]).doc("Storages of a group that take uploads.");
    READABLE = Metric::gauge("cairn_tracker_group_readable_storages").labels(&["group"]).doc("Storages of a group that give files out.");
    TOTAL = Metric::gauge("cairn_tracker_group_total").bytes().labels(&["group"]).doc("Space of the member with the least: what the group can hold.");
    FREE = Metric::gauge("cairn_tracker_group_free").bytes().labels(&["group"]).doc("Free space of the member with the least, what stays reserved included.");
    RESERVED = Metric::gauge("cairn_tracker_group_reserved").bytes().labels(&["group"]).doc("What uploads leave free (reserved_storage_space).");
    ACTIVE = Metric::gauge("cairn_tracker_storage_active").labels(&["group", "storage"]).doc("1 for a storage that serves, 0 for one that does not; those that were deleted are not told of.");
    BEAT_AGE = Metric::gauge("cairn_tracker_storage_beat_age").seconds().labels(&["group", "storage"]).doc("Since a storage was heard of last, since the start of this tracker.");
}

const NO_LEADER: Ground = Ground {
    code: "no-leader",
    doc: "The trackers have not agreed which one leads. It takes seconds after a start or the loss of one; if it lasts, see whether they reach each other.",
};

/// Why a tracker may not be ready.
pub const GROUNDS: &[Ground] = &[NO_LEADER];

/// Requests of commands that are none.
const UNKNOWN: usize = 0;

/// Counts what a tracker is asked.
pub(crate) type Requests = status::Requests<{ Ending::COUNT }>;

/// One kind of request for each number that a command can have.
pub(crate) fn requests() -> Requests {
    Requests::new(usize::from(u8::MAX) + 1)
}

/// The kind of a command in [`requests`].
pub(crate) fn kind(command: u8) -> usize {
    TrackerCommand::from_u8(command).map_or(UNKNOWN, |command| command.code().into())
}

/// A tracker, for who asks how it is.
pub(crate) struct Status {
    pub(crate) shell: Arc<Shell>,
    pub(crate) pulse: Arc<Pulse>,
}

impl Node for Status {
    fn role(&self) -> &'static str {
        "tracker"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn grounds(&self) -> &'static [Ground] {
        GROUNDS
    }

    fn sample(&self, out: &mut Samples) {
        let Shell { requests, counters, clock, .. } = &*self.shell;
        let named = TrackerCommand::ALL.iter().map(|command| (kind(command.code()), command.name()));
        requests.sample(out, (&REQUESTS, &LATENCIES), named.chain([(UNKNOWN, "unknown")]), Ending::WORDS);
        out.int(&CONNECTIONS, &[], counters.current().into());
        out.int(&CONNECTIONS_MAX, &[], counters.max().into());
        let view = Arc::clone(&self.shell.view());
        let trackers = view.trackers();
        let others = trackers.iter().filter(|(_, is_me)| !is_me).count();
        out.int(&TRACKERS, &[], if trackers.is_listed() { others as u64 + 1 } else { 0 });
        out.is(&LEADER_KNOWN, &[], trackers.leader().is_some());
        out.is(&LEADS, &[], trackers.leads());
        out.int(&LEADER_CHANGES, &[], trackers.changes());
        for stat in view.group_stats() {
            let name = stat.group.to_string();
            out.int(&WRITABLE, &[&name], stat.writable_server_count);
            out.int(&READABLE, &[&name], stat.readable_server_count);
            out.int(&TOTAL, &[&name], stat.total_mb.saturating_mul(MIB));
            out.int(&FREE, &[&name], stat.free_mb.saturating_mul(MIB));
            out.int(&RESERVED, &[&name], stat.reserved_mb.saturating_mul(MIB));
        }
        let now = clock.now().mono;
        for group in view.groups() {
            let name = group.name.to_string();
            for status in StorageStatus::ALL {
                let count = group.members.values().filter(|member| member.status == status).count();
                out.int(&STORAGES, &[&name, &status.caption().to_ascii_lowercase()], count as u64);
            }
            for member in group.standing() {
                let id = member.id.to_string();
                out.is(&ACTIVE, &[&name, &id], member.is_active());
                if let Some(beat) = member.last_beat {
                    out.seconds(&BEAT_AGE, &[&name, &id], Duration::from_millis(now.since_ms(beat)));
                }
            }
        }
    }

    fn unready(&self) -> Vec<Reason> {
        let view = self.shell.view();
        let trackers = view.trackers();
        // Until a storage has told who the trackers are there is nobody to agree with, and nobody to lead.
        let without = trackers.is_listed() && trackers.leader().is_none();
        let all = trackers.iter().count();
        let words = format!("none of {all} trackers is known to lead");
        without.then(|| Reason::new(&NO_LEADER, words)).into_iter().collect()
    }

    fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}
