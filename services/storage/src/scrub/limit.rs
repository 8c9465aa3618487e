//! How fast a round may go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use store::fsck::Pace;

use crate::server::Server;

/// While requests are served, a byte counts as so many.
const BUSY_FACTOR: u64 = 4;

/// What was not used for longer than this is lost: after a pause the rate is kept, too.
const BURST: Duration = Duration::from_millis(100);

/// A bound on bytes a second. It knows no clock.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes a second; 0 is no bound.
    rate: u64,
    /// When everything so far is paid for, since some beginning.
    paid: Duration,
}

impl Budget {
    pub(super) fn new(rate: u64) -> Self {
        Self { rate, paid: Duration::ZERO }
    }

    /// So many bytes were read at `now`; how long to wait before the next are.
    pub(super) fn spend(&mut self, now: Duration, bytes: u64, busy: bool) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let cost = u128::from(bytes) * u128::from(if busy { BUSY_FACTOR } else { 1 });
        let nanos = cost * 1_000_000_000 / u128::from(self.rate);
        let from = self.paid.max(now.saturating_sub(BURST));
        self.paid = from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.paid.saturating_sub(now)
    }
}

/// The pace of one round.
pub(super) struct Limit {
    server: Arc<Server>,
    began: Instant,
    budget: Mutex<Budget>,
    /// Requests when it was last asked.
    requests: AtomicU64,
    over: Mutex<bool>,
    ended: Condvar,
}

impl Limit {
    pub(super) fn new(server: Arc<Server>, rate: u64) -> Self {
        let requests = AtomicU64::new(server.stats.changes());
        let budget = Mutex::new(Budget::new(rate));
        Self {
            server,
            began: Instant::now(),
            budget,
            requests,
            over: Mutex::new(false),
            ended: Condvar::new(),
        }
    }

    /// The round is to end.
    pub(super) fn end(&self) {
        *self.over.lock() = true;
        self.ended.notify_all();
    }
}

impl Pace for Limit {
    fn spend(&self, bytes: u64) -> bool {
        let requests = self.server.stats.changes();
        let busy = self.requests.swap(requests, Ordering::Relaxed) != requests;
        let until = Instant::now() + self.budget.lock().spend(self.began.elapsed(), bytes, busy);
        let mut over = self.over.lock();
        while !*over && !self.ended.wait_until(&mut over, until).timed_out() {}
        !*over
    }

    fn is_over(&self) -> bool {
        *self.over.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Budget};
    use std::time::Duration;

    /// How long it takes to read so many pieces.
    fn time_for(budget: &mut Budget, from: Duration, pieces: u64, bytes: u64, busy: bool) -> Duration {
        let mut now = from;
        for _ in 0..pieces {
            // The disk takes its time, too.
            now += Duration::from_millis(1);
            now += budget.spend(now, bytes, busy);
        }
        now - from
    }

    #[test]
    fn no_more_is_read_than_the_rate_allows_whatever_the_size_of_the_pieces() {
        for (pieces, bytes) in [(1000, 20_000), (80, 250_000), (1, 20_000_000)] {
            let mut budget = Budget::new(10_000_000);
            let took = time_for(&mut budget, Duration::from_secs(5), pieces, bytes, false);
            let (least, most) = (Duration::from_secs(2) - BURST, Duration::from_millis(2100));
            assert!((least..most).contains(&took), "{pieces} pieces of {bytes} bytes took {took:?}");
        }
    }

    #[test]
    fn after_a_pause_the_rate_is_kept_all_the_same() {
        let mut budget = Budget::new(1_000_000);
        time_for(&mut budget, Duration::ZERO, 10, 100_000, false);
        let took = time_for(&mut budget, Duration::from_secs(3600), 10, 100_000, false);
        assert!(took >= Duration::from_secs(1) - BURST, "{took:?}");
    }

    #[test]
    fn while_requests_are_served_it_goes_at_a_quarter_of_the_rate() {
        let mut budget = Budget::new(1_000_000);
        let took = time_for(&mut budget, Duration::from_secs(9), 10, 100_000, true);
        assert!((Duration::from_secs(4) - BURST..Duration::from_millis(4100)).contains(&took), "{took:?}");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut budget = Budget::new(0);
        assert_eq!(budget.spend(Duration::ZERO, u64::MAX, true), Duration::ZERO);
    }
}
