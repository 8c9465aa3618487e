//! What is counted while the drive works.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use drive_core::Problem;
use drive_core::ports::{Lane, QueueError};
use http::{Method, StatusCode};
use net::ConnCounters;
use status::{HttpClass, Requests};

use crate::described;

/// For how long a queue that had no room for an entry counts as full.
const FULL_FOR: Duration = Duration::from_secs(30);

/// Kinds of requests that are no operation of API v1.
const OTHERS: [&str; 4] = ["health", "old-dialect", "page", "unknown"];
const HEALTH: usize = 0;
const OLD_DIALECT: usize = 1;
const PAGE: usize = 2;
const UNKNOWN: usize = 3;

/// The kinds of requests: those above, then the operations of API v1.
struct Kinds {
    words: Vec<String>,
    by_route: HashMap<String, Vec<(Method, usize)>>,
}

static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
    let mut words: Vec<String> = OTHERS.map(str::to_owned).to_vec();
    let mut by_route: HashMap<String, Vec<(Method, usize)>> = HashMap::new();
    for (path, method, operation) in described::operation_ids() {
        by_route.entry(path).or_default().push((method, words.len()));
        words.push(operation);
    }
    Kinds { words, by_route }
});

/// What is asked for, as far as it is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(usize);

/// In the extensions of an answer: it was given to an old client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToOldClient;

impl Kind {
    /// Of a request for a route; none of one that no route has.
    pub(crate) fn of(method: &Method, route: &str) -> Self {
        if route == crate::router::HEALTH {
            return Self(HEALTH);
        }
        let methods = KINDS.by_route.get(route).map_or(&[][..], Vec::as_slice);
        let find =
            |wanted: &Method| methods.iter().find(|(method, _)| method == wanted).map(|(_, kind)| *kind);
        // What answers GET answers HEAD.
        let kind = find(method).or_else(|| find(&Method::GET).filter(|_| *method == Method::HEAD));
        Self(kind.unwrap_or(UNKNOWN))
    }

    /// Of a request without a route.
    pub(crate) fn without_route(from_old_client: bool) -> Self {
        Self(if from_old_client { OLD_DIALECT } else { PAGE })
    }

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        KINDS.words.get(self.0).map_or("", String::as_str)
    }

    /// All of them, with their words.
    pub(crate) fn all() -> impl Iterator<Item = (usize, &'static str)> {
        KINDS.words.iter().map(String::as_str).enumerate()
    }
}

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignIn {
    Done,
    /// Wrong name or password.
    Wrong,
    /// Too many attempts: the password was not looked at.
    Throttled,
    /// Something else was the matter.
    Failed,
}

impl SignIn {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Done, "done"),
        (Self::Wrong, "wrong"),
        (Self::Throttled, "throttled"),
        (Self::Failed, "failed"),
    ];

    fn of(outcome: Option<&Problem>) -> Self {
        match outcome {
            None => Self::Done,
            Some(Problem::SignInFailed) => Self::Wrong,
            Some(Problem::TooManyAttempts { .. }) => Self::Throttled,
            Some(_) => Self::Failed,
        }
    }
}

/// What became of entries of a lane.
#[derive(Debug, Default)]
pub(crate) struct OfLane {
    /// Appended.
    pub(crate) appended: AtomicU64,
    /// Not appended, and written to the database at once.
    pub(crate) bypassed: AtomicU64,
    /// Applied.
    pub(crate) applied: AtomicU64,
    /// Given back, to be tried again.
    pub(crate) given_back: AtomicU64,
    /// Set aside: nobody could apply them.
    pub(crate) set_aside: AtomicU64,
}

/// What is counted of all requests, and of what is done by itself.
#[derive(Debug)]
pub(crate) struct Counts {
    began: Instant,
    pub(crate) requests: Requests<{ HttpClass::COUNT }>,
    pub(crate) http: Arc<ConnCounters>,
    pub(crate) fastcgi: Arc<ConnCounters>,
    sign_ins: [AtomicU64; SignIn::ALL.len()],
    lanes: [OfLane; Lane::ALL.len()],
    /// When an entry found no room last, milliseconds after `began` and one; 0 for never.
    full_at: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            requests: Requests::new(KINDS.words.len()),
            http: Arc::default(),
            fastcgi: Arc::default(),
            sign_ins: Default::default(),
            lanes: Default::default(),
            full_at: AtomicU64::new(0),
        }
    }
}

impl Counts {
    /// A request has ended, or its client has gone: what it counts as.
    pub(crate) fn request(&self, kind: Kind, status: Option<StatusCode>, took: Duration) -> HttpClass {
        let class = status.map_or(HttpClass::Gone, |status| HttpClass::of(status.as_u16()));
        self.requests.count(kind.0, class as usize, took);
        class
    }

    /// Somebody has tried to sign in.
    pub(crate) fn sign_in(&self, problem: Option<&Problem>) {
        if let Some(count) = self.sign_ins.get(SignIn::of(problem) as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn sign_ins(&self, how: SignIn) -> u64 {
        self.sign_ins.get(how as usize).map_or(0, |count| count.load(Relaxed))
    }

    pub(crate) fn lane(&self, lane: Lane) -> &OfLane {
        let [records, counts] = &self.lanes;
        match lane {
            Lane::Records => records,
            Lane::Counts => counts,
        }
    }

    /// An entry was appended, or written to the database because it could not be.
    pub(crate) fn appended(&self, lane: Lane, outcome: &Result<(), QueueError>) {
        let of = self.lane(lane);
        let count = if outcome.is_ok() { &of.appended } else { &of.bypassed };
        count.fetch_add(1, Relaxed);
        if *outcome == Err(QueueError::Full) {
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.full_at.store(now.saturating_add(1), Relaxed);
        }
    }

    /// Whether an entry has found no room lately.
    pub(crate) fn queue_is_full(&self) -> bool {
        let at = Duration::from_millis(self.full_at.load(Relaxed));
        !at.is_zero() && self.began.elapsed().saturating_sub(at) <= FULL_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(kind: Kind) -> &'static str {
        &KINDS.words[kind.0]
    }

    #[test]
    fn a_request_is_known_by_the_operation_of_its_route() {
        for (method, route, expected) in [
            (Method::GET, "/api/v1/admin/queue/{lane}", "listSetAside"),
            (Method::HEAD, "/api/v1/admin/queue/{lane}", "listSetAside"),
            (Method::POST, "/api/v1/admin/queue/{lane}", "unknown"),
            (Method::GET, "/api/v1/admin/queue", "getQueue"),
            (Method::GET, "/healthz", "health"),
            (Method::GET, "/somewhere", "unknown"),
        ] {
            assert_eq!(word(Kind::of(&method, route)), expected, "{method} {route}");
        }
        assert_eq!(word(Kind::without_route(true)), "old-dialect");
        assert_eq!(word(Kind::without_route(false)), "page");
    }

    #[test]
    fn no_two_kinds_have_one_word() {
        let mut words: Vec<&str> = Kind::all().map(|(_, word)| word).collect();
        words.sort_unstable();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn a_queue_that_had_no_room_counts_as_full_for_a_while() {
        let counts = Counts::default();
        assert!(!counts.queue_is_full());
        counts.appended(Lane::Counts, &Err(QueueError::Unavailable("gone".to_owned())));
        assert!(!counts.queue_is_full());
        counts.appended(Lane::Counts, &Err(QueueError::Full));
        assert!(counts.queue_is_full());
        let of = counts.lane(Lane::Counts);
        assert_eq!((of.appended.load(Relaxed), of.bypassed.load(Relaxed)), (0, 2));
    }
}
