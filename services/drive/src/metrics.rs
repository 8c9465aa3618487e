//! What a drive tells of itself: metrics, and whether it can do its work.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use drive_core::ports::Lane;
use status::{Ground, HttpClass, Metric, Node, Pulse, Reason, Samples};

use crate::app::Drive;
use crate::counted_blobs::{Call, ENDS};
use crate::counts::{Kind, SignIn};
use crate::take::{LONG_UPLOADS_AT_ONCE, UPLOADS_AT_ONCE};
use crate::zip::ZIPS_AT_ONCE;

status::metrics! {
    /// What a drive tells.
    pub table METRICS;
    REQUESTS = Metric::counter("cairn_drive_requests").labels(&["operation", "status"]).doc("Requests, by the operation of the API (as docs/openapi.json names it; health, old-dialect, page, unknown = the others) and the first digit of their status; gone = the client left before there was an answer. The old dialect answers 200 whatever comes of it.");
    LATENCIES = Metric::latency("cairn_drive_request").labels(&["operation"]).doc("How long requests took to the head of their answer: what is sent travels within that time, what is fetched does not.");
    CONNECTIONS = Metric::gauge("cairn_drive_connections").labels(&["door"]).doc("Open connections: http, fastcgi.");
    CONNECTIONS_MAX = Metric::gauge("cairn_drive_connections_max").labels(&["door"]).doc("The most connections that were open at one time since the start.");
    PART_UP = Metric::gauge("cairn_drive_part_up").labels(&["part"]).doc("1 when a part answered when it was last asked, some seconds ago: database, bytes (where contents are), cache, queue.");
    SIGN_INS = Metric::counter("cairn_drive_sign_ins").labels(&["result"]).doc("Attempts to sign in: done, wrong (name or password), throttled (too many attempts, not looked at), failed (something else).");
    STORED = Metric::counter("cairn_drive_stored").bytes().doc("Bytes that the store of contents took.");
    FETCHED = Metric::counter("cairn_drive_fetched").bytes().doc("Bytes that it gave.");
    BLOB_CALLS = Metric::counter("cairn_drive_blob_calls").labels(&["call", "result"]).doc("Calls to the store of contents: done, refused (not there, or the client broke off), failed (away, full, damaged).");
    BLOB_LATENCIES = Metric::latency("cairn_drive_blob_call").labels(&["call"]).doc("How long they took; of read, until the first bytes.");
    UPLOADS = Metric::gauge("cairn_drive_uploads").doc("Files that are being taken now.");
    UPLOADS_MAX = Metric::gauge("cairn_drive_uploads_max").doc("Files that can be taken at the same time; more are asked to come again.");
    LONG_UPLOADS = Metric::gauge("cairn_drive_long_uploads").doc("Those of them that may have more than 1 MiB.");
    LONG_UPLOADS_MAX = Metric::gauge("cairn_drive_long_uploads_max").doc("Of such that can be taken at the same time; more are asked to come again.");
    ZIPS = Metric::gauge("cairn_drive_archives").doc("Archives that are being sent now.");
    ZIPS_MAX = Metric::gauge("cairn_drive_archives_max").doc("Archives that can be sent at the same time.");
    QUEUE_WAITING = Metric::gauge("cairn_drive_queue_waiting").labels(&["lane"]).doc("Entries that are not applied yet; a queue that other processes of this drive share is theirs, too.");
    QUEUE_SET_ASIDE = Metric::gauge("cairn_drive_queue_set_aside").labels(&["lane"]).doc("Entries that could not be applied and wait for an administrator.");
    QUEUE_APPENDED = Metric::counter("cairn_drive_queue_appended").labels(&["lane"]).doc("Entries that were appended by this process.");
    QUEUE_BYPASSED = Metric::counter("cairn_drive_queue_bypassed").labels(&["lane"]).doc("Entries that were written to the database at once, because the queue was full or away.");
    QUEUE_APPLIED = Metric::counter("cairn_drive_queue_applied").labels(&["lane"]).doc("Entries that were applied by this process.");
    QUEUE_GIVEN_BACK = Metric::counter("cairn_drive_queue_given_back").labels(&["lane"]).doc("Entries that could not be applied yet, and are tried again.");
    QUEUE_GIVEN_UP = Metric::counter("cairn_drive_queue_given_up").labels(&["lane"]).doc("Entries that this process set aside.");
}

const STARTING: Ground = Ground {
    code: "starting",
    doc: "The parts have not been asked yet whether they are there; it takes seconds.",
};
const DATABASE_AWAY: Ground = Ground {
    code: "database-away",
    doc: "The database does not answer. People see what the cache knows, and what they store is kept in the queue as long as it has room. Start the database.",
};
const BYTES_AWAY: Ground = Ground {
    code: "bytes-away",
    doc: "Where contents are does not answer: nothing can be stored or fetched. See whether trackers and storages run, or the S3 store.",
};
const QUEUE_FULL: Ground = Ground {
    code: "queue-full",
    doc: "An entry found no room in the queue within the last 30 seconds; entries go to the database at once. See why they are not applied: the database, or cairn_drive_queue_given_back_total.",
};

/// Why a drive may not be ready.
pub const GROUNDS: &[Ground] = &[STARTING, DATABASE_AWAY, BYTES_AWAY, QUEUE_FULL];

/// A drive, for who asks how it is.
pub(crate) struct Status {
    pub(crate) drive: Arc<Drive>,
    pub(crate) pulse: Arc<Pulse>,
}

impl Node for Status {
    fn role(&self) -> &'static str {
        "drive"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn grounds(&self) -> &'static [Ground] {
        GROUNDS
    }

    fn sample(&self, out: &mut Samples) {
        let Drive { counts, blob_counts, uploads, zips, queue, .. } = &*self.drive;
        counts.requests.sample(out, (&REQUESTS, &LATENCIES), Kind::all(), HttpClass::WORDS);
        for (door, connections) in [("http", &counts.http), ("fastcgi", &counts.fastcgi)] {
            out.int(&CONNECTIONS, &[door], connections.current().into());
            out.int(&CONNECTIONS_MAX, &[door], connections.max().into());
        }
        for (how, word) in SignIn::ALL {
            out.int(&SIGN_INS, &[word], counts.sign_ins(how));
        }
        out.int(&STORED, &[], blob_counts.stored.load(Relaxed));
        out.int(&FETCHED, &[], blob_counts.fetched.load(Relaxed));
        let calls = Call::ALL.map(|(call, word)| (call as usize, word));
        blob_counts.calls.sample(out, (&BLOB_CALLS, &BLOB_LATENCIES), calls, ENDS);
        out.int(&UPLOADS, &[], uploads.taken() as u64);
        out.int(&UPLOADS_MAX, &[], UPLOADS_AT_ONCE as u64);
        out.int(&LONG_UPLOADS, &[], uploads.taken_by_long() as u64);
        out.int(&LONG_UPLOADS_MAX, &[], LONG_UPLOADS_AT_ONCE as u64);
        out.int(&ZIPS, &[], zips.taken() as u64);
        out.int(&ZIPS_MAX, &[], ZIPS_AT_ONCE as u64);
        let seen = self.drive.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(seen) = &seen {
            for (part, trouble) in seen.parts() {
                out.is(&PART_UP, &[part], trouble.is_none());
            }
        }
        if queue.is_none() {
            return;
        }
        for lane in Lane::ALL {
            let (of, word) = (counts.lane(lane), lane.as_str());
            if let Some(depth) = seen.as_ref().and_then(|seen| seen.depth(lane)) {
                out.int(&QUEUE_WAITING, &[word], depth.waiting);
                out.int(&QUEUE_SET_ASIDE, &[word], depth.set_aside);
            }
            out.int(&QUEUE_APPENDED, &[word], of.appended.load(Relaxed));
            out.int(&QUEUE_BYPASSED, &[word], of.bypassed.load(Relaxed));
            out.int(&QUEUE_APPLIED, &[word], of.applied.load(Relaxed));
            out.int(&QUEUE_GIVEN_BACK, &[word], of.given_back.load(Relaxed));
            out.int(&QUEUE_GIVEN_UP, &[word], of.set_aside.load(Relaxed));
        }
    }

    fn unready(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        match &*self.drive.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            None => reasons.push(Reason::new(&STARTING, "the parts have not been asked yet")),
            Some(seen) => {
                let of = |ground, name: &str, trouble: &Option<String>| {
                    let words = trouble.as_ref()?;
                    Some(Reason::new(ground, format!("{name} does not answer: {words}")))
                };
                reasons.extend(of(&DATABASE_AWAY, "the database", &seen.database));
                reasons.extend(of(&BYTES_AWAY, "the store of contents", &seen.bytes));
            }
        }
        if self.drive.counts.queue_is_full() {
            reasons.push(Reason::new(
                &QUEUE_FULL,
                "the queue had no room for an entry within the last 30 seconds",
            ));
        }
        reasons
    }

    fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}
