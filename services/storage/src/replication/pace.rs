//! Slows changes by clients down while a peer that serves is too far behind (`sync_lag_max`), so that what only this
//! storage has does not grow without end.
//!
//! Each record that the peer takes lets a change go on, or every second one until it is less far behind: nobody is
//! turned away, and clients get the rate that the peer has. A peer that takes nothing at all is not waited for: it may be
//! long gone, and until the trackers say so every client would wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a change waits for a peer that takes nothing; then this one and all others go on until it takes something.
const PATIENCE: Duration = Duration::from_secs(5);

/// Turns that are kept for changes to come: they may be fewer than the peer lets go on.
const TURNS_KEPT: usize = 256;

/// More changes than can wait at the same time.
const EVERYBODY: usize = 1 << 20;

/// Lets changes by clients go on as fast as one peer allows. As long as nobody holds them, that is at once.
#[derive(Debug)]
pub(crate) struct Pace {
    held: AtomicBool,
    turns: Semaphore,
    /// Whether the record that the peer took last was the first of two.
    odd: AtomicBool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { held: AtomicBool::new(false), turns: Semaphore::new(0), odd: AtomicBool::new(false) }
    }
}

impl Pace {
    /// Whether changes have to wait for their turn.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Waits for a turn; no longer than [`PATIENCE`].
    pub(crate) async fn turn(&self) {
        self.turn_within(PATIENCE).await;
    }

    async fn turn_within(&self, patience: Duration) {
        if !self.is_held() {
            return;
        }
        match timeout(patience, self.turns.acquire()).await {
            Ok(Ok(turn)) => turn.forget(),
            // It is never closed.
            Ok(Err(_)) => {}
            Err(_) => self.release(),
        }
    }

    /// From now on changes wait for their turn.
    pub(super) fn hold(&self) {
        self.turns.forget_permits(EVERYBODY);
        self.held.store(true, Ordering::Release);
    }

    /// Everybody may go on.
    pub(super) fn release(&self) {
        if self.held.swap(false, Ordering::AcqRel) {
            // Those that wait, and those that are about to.
            self.turns.forget_permits(EVERYBODY);
            self.turns.add_permits(EVERYBODY);
        }
    }

    /// The peer took a record, which lets a change go on: each, or every second one.
    pub(super) fn taken(&self, each: bool) {
        let counts = each || self.odd.fetch_not(Ordering::Relaxed);
        if counts && self.is_held() && self.turns.available_permits() < TURNS_KEPT {
            self.turns.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    /// A change that waits, and has begun to.
    async fn waiting(pace: &Arc<Pace>) -> tokio::task::JoinHandle<()> {
        let pace = Arc::clone(pace);
        let change = tokio::spawn(async move { pace.turn().await });
        tokio::task::yield_now().await;
        assert!(!change.is_finished());
        change
    }

    #[test]
    fn nobody_waits_for_a_peer_that_is_not_behind() {
        run(async {
            let pace = Pace::default();
            pace.taken(true);
            pace.turn_within(Duration::ZERO).await;
            assert!(!pace.is_held());
        });
    }

    #[test]
    fn every_second_record_or_each_lets_one_change_go_on() {
        run(async {
            let pace = Arc::new(Pace::default());
            pace.hold();
            let (first, second) = (waiting(&pace).await, waiting(&pace).await);
            pace.taken(false);
            tokio::task::yield_now().await;
            assert!(!first.is_finished());
            pace.taken(false);
            first.await.unwrap();
            assert!(!second.is_finished());
            pace.taken(true);
            second.await.unwrap();
            assert!(pace.is_held());
        });
    }

    #[test]
    fn turns_of_before_do_not_count_when_changes_are_held_again() {
        run(async {
            let pace = Arc::new(Pace::default());
            pace.hold();
            let change = waiting(&pace).await;
            pace.release();
            change.await.unwrap();
            pace.hold();
            waiting(&pace).await.abort();
        });
    }

    #[test]
    fn a_peer_that_takes_nothing_is_waited_for_once() {
        run(async {
            let pace = Arc::new(Pace::default());
            pace.hold();
            let other = waiting(&pace).await;
            pace.turn_within(Duration::ZERO).await;
            other.await.unwrap();
            assert!(!pace.is_held());
        });
    }
}
