//! Which tracker to ask: in turn, and those that failed a moment ago last.

use fdfs_conf::ServerAddr;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The trackers of the configuration and what is remembered of them.
pub(crate) struct Trackers {
    list: Vec<Tracker>,
    next: AtomicUsize,
    avoid_failed_for: Duration,
}

struct Tracker {
    address: ServerAddr,
    failed_at: Mutex<Option<Instant>>,
}

impl Trackers {
    pub(crate) fn new(addresses: &[ServerAddr], avoid_failed_for: Duration) -> Trackers {
        let tracker =
            |address: &ServerAddr| Tracker { address: address.clone(), failed_at: Mutex::new(None) };
        Trackers {
            list: addresses.iter().map(tracker).collect(),
            next: AtomicUsize::new(0),
            avoid_failed_for,
        }
    }

    /// All trackers in the order they are to be asked: the next one in turn first; those that failed a moment ago at
    /// the end, the longest ago first.
    pub(crate) fn order(&self, now: Instant) -> Vec<ServerAddr> {
        let count = self.list.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
        let mut fine = Vec::with_capacity(count);
        let mut failed = Vec::new();
        for tracker in self.list.iter().cycle().skip(start).take(count) {
            match *tracker.failed_at.lock() {
                Some(at) if now.saturating_duration_since(at) < self.avoid_failed_for => {
                    failed.push((at, tracker.address.clone()));
                }
                _ => fine.push(tracker.address.clone()),
            }
        }
        failed.sort_by_key(|(at, _)| *at);
        fine.extend(failed.into_iter().map(|(_, address)| address));
        fine
    }

    pub(crate) fn failed(&self, address: &ServerAddr, now: Instant) {
        self.note(address, Some(now));
    }

    pub(crate) fn answered(&self, address: &ServerAddr) {
        self.note(address, None);
    }

    fn note(&self, address: &ServerAddr, failed_at: Option<Instant>) {
        if let Some(tracker) = self.list.iter().find(|tracker| tracker.address == *address) {
            *tracker.failed_at.lock() = failed_at;
        }
    }

    /// The trackers as configured.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &ServerAddr> {
        self.list.iter().map(|tracker| &tracker.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str) -> ServerAddr {
        ServerAddr::parse(host, 1).unwrap()
    }

    fn names(order: &[ServerAddr]) -> Vec<&str> {
        order.iter().flat_map(ServerAddr::names).collect()
    }

    fn three() -> Trackers {
        let addresses = ["a", "b", "c"].map(address);
        Trackers::new(&addresses, Duration::from_secs(10))
    }

    #[test]
    fn trackers_take_turns() {
        let trackers = three();
        let now = Instant::now();
        assert_eq!(names(&trackers.order(now)), ["a", "b", "c"]);
        assert_eq!(names(&trackers.order(now)), ["b", "c", "a"]);
        assert_eq!(names(&trackers.order(now)), ["c", "a", "b"]);
    }

    #[test]
    fn a_tracker_that_failed_is_last_until_its_time_is_over_or_it_answers() {
        let trackers = three();
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        trackers.failed(&address("a"), later(1));
        trackers.failed(&address("b"), now);
        assert_eq!(names(&trackers.order(later(2))), ["c", "b", "a"]);
        assert_eq!(names(&trackers.order(later(2))), ["c", "b", "a"]);
        assert_eq!(names(&trackers.order(later(10))), ["c", "b", "a"]);
        assert_eq!(names(&trackers.order(later(11))), ["a", "b", "c"]);
        trackers.failed(&address("b"), later(11));
        trackers.answered(&address("b"));
        assert_eq!(names(&trackers.order(later(12))), ["b", "c", "a"]);
    }

    #[test]
    fn no_trackers_give_an_empty_order() {
        assert!(Trackers::new(&[], Duration::from_secs(1)).order(Instant::now()).is_empty());
    }
}
