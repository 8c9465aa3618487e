//! What a gateway tells of itself: metrics, and whether it can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_core::Method;
use status::{Ground, HttpClass, Metric, Node, Pulse, Reason, Requests, Samples};

use crate::run::Gateway;

status::metrics! {
    /// What a gateway tells.
    pub table METRICS;
    REQUESTS = Metric::counter("cairn_gateway_requests").labels(&["method", "status"]).doc("Requests over HTTP, by method and the first digit of their status; gone = the client left before there was an answer, malformed = no request.");
    LATENCIES = Metric::latency("cairn_gateway_request").labels(&["method"]).doc("How long requests took, to the end of the answer: content travels within that time, at the client's pace.");
    SENT = Metric::counter("cairn_gateway_sent").bytes().doc("Content that went out.");
    CONNECTIONS = Metric::gauge("cairn_gateway_connections").doc("Open connections, with and without TLS.");
    CONNECTIONS_MAX = Metric::gauge("cairn_gateway_connections_max").doc("The most connections that were open at one time since the start.");
    TRACKERS_ANSWER = Metric::gauge("cairn_gateway_trackers_answer").doc("1 while a tracker answers, or none is configured.");
    TRACKERS_SILENT = Metric::gauge("cairn_gateway_trackers_silent").seconds().doc("Since a tracker answered last; none is configured, or none has answered yet, where it is not told.");
}

const NO_TRACKER: Ground = Ground {
    code: "no-tracker",
    doc: "No tracker answers: only files on this host can be served. See whether trackers run, and whether tracker_server names them.",
};

/// Why a gateway may not be ready.
pub const GROUNDS: &[Ground] = &[NO_TRACKER];

/// What is asked for, as far as it is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Head,
    Options,
    Post,
    Other,
    Malformed,
}

impl Kind {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Get, "get"),
        (Self::Head, "head"),
        (Self::Options, "options"),
        (Self::Post, "post"),
        (Self::Other, "other"),
        (Self::Malformed, "malformed"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn of(method: Method<'_>) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Head => Self::Head,
            Method::Options => Self::Options,
            Method::Other("POST") => Self::Post,
            Method::Other(_) => Self::Other,
        }
    }
}

/// What is counted of all requests.
#[derive(Debug)]
pub(crate) struct Counts {
    requests: Requests<{ HttpClass::COUNT }>,
    sent: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { requests: Requests::new(Kind::ALL.len()), sent: AtomicU64::new(0) }
    }
}

impl Counts {
    /// One has ended, with a status, or none if the client was gone before: what it counts as.
    pub(crate) fn request(&self, kind: Kind, status: Option<u16>, sent: u64, took: Duration) -> HttpClass {
        let class = status.map_or(HttpClass::Gone, HttpClass::of);
        self.requests.count(kind as usize, class as usize, took);
        self.sent.fetch_add(sent, Ordering::Relaxed);
        class
    }
}

/// A gateway, for who asks how it is.
pub(crate) struct Status {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) pulse: Arc<Pulse>,
}

impl Status {
    fn trouble(&self) -> Option<String> {
        // Without trackers there are only files of this host.
        self.gateway.cluster.as_ref().and_then(|_| self.gateway.members.trouble())
    }
}

impl Node for Status {
    fn role(&self) -> &'static str {
        "gateway"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn grounds(&self) -> &'static [Ground] {
        GROUNDS
    }

    fn sample(&self, out: &mut Samples) {
        let Gateway { counts, connections, members, .. } = &*self.gateway;
        let kinds = Kind::ALL.map(|(kind, word)| (kind as usize, word));
        counts.requests.sample(out, (&REQUESTS, &LATENCIES), kinds, HttpClass::WORDS);
        out.int(&SENT, &[], counts.sent.load(Ordering::Relaxed));
        out.int(&CONNECTIONS, &[], connections.current().into());
        out.int(&CONNECTIONS_MAX, &[], connections.max().into());
        out.is(&TRACKERS_ANSWER, &[], self.trouble().is_none());
        if let Some(silent) = members.silent_for() {
            out.seconds(&TRACKERS_SILENT, &[], silent);
        }
    }

    fn unready(&self) -> Vec<Reason> {
        self.trouble().map(|words| Reason::new(&NO_TRACKER, words)).into_iter().collect()
    }

    fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}
