//! What users saw: answers, failures, and what was told to them and is not so.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When every member serves.
pub(crate) const NOBODY: &str = "nobody";
/// Wrong things that are told one by one; the others are counted.
const WRONG_TOLD: usize = 20;

/// What came of one kind of request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) longest: Duration,
    /// Why, and how often.
    pub(crate) reasons: BTreeMap<String, u64>,
}

/// What is counted while users work.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By kind of request.
    pub(crate) rows: BTreeMap<&'static str, Row>,
    /// Requests that were answered and failed, by who was away.
    pub(crate) by_away: BTreeMap<&'static str, (u64, u64)>,
    /// How often a file that is changed in place was seen as it had been before.
    pub(crate) stale: u64,
    /// What is lost or another than was acknowledged, in words, and how many such things there are.
    pub(crate) wrong: Vec<String>,
    pub(crate) wrong_count: u64,
}

/// Shared by everybody who works.
#[derive(Debug)]
pub(crate) struct Tally {
    seen: Mutex<Seen>,
    away: Mutex<&'static str>,
    over: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked has left a number too few at worst.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally { seen: Mutex::default(), away: Mutex::new(NOBODY), over: AtomicBool::new(false) }
    }

    /// Who is away from now on: a kind of member.
    pub(crate) fn away(&self, kind: &'static str) {
        *lock(&self.away) = kind;
    }

    pub(crate) fn is_well(&self) -> bool {
        *lock(&self.away) == NOBODY
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Counts a request; what came of it, unless it failed.
    pub(crate) async fn count<T, E: ToString>(
        &self,
        kind: &'static str,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (begun, before) = (Instant::now(), *lock(&self.away));
        let outcome = request.await;
        let took = begun.elapsed();
        // One that began while somebody was away suffers from that.
        let away = if before == NOBODY { *lock(&self.away) } else { before };
        let mut seen = lock(&self.seen);
        let place = seen.by_away.entry(away).or_default();
        if outcome.is_ok() {
            place.0 += 1
        } else {
            place.1 += 1
        };
        let row = seen.rows.entry(kind).or_default();
        row.longest = row.longest.max(took);
        match &outcome {
            Ok(_) => row.answered += 1,
            Err(reason) => {
                row.failed += 1;
                *row.reasons.entry(reason.to_string()).or_default() += 1;
            }
        }
        outcome
    }

    /// Something was acknowledged, and is lost or another.
    pub(crate) fn wrong(&self, words: String) {
        let mut seen = lock(&self.seen);
        seen.wrong_count += 1;
        if seen.wrong.len() < WRONG_TOLD {
            seen.wrong.push(words);
        }
    }

    pub(crate) fn stale(&self) {
        lock(&self.seen).stale += 1;
    }

    /// Requests so far: answered and failed.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        let seen = lock(&self.seen);
        seen.rows.values().fold((0, 0), |sum, row| (sum.0 + row.answered, sum.1 + row.failed))
    }

    pub(crate) fn into_seen(self) -> Seen {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_began_while_somebody_was_away_counts_as_theirs() {
        let tally = Tally::new();
        tally.count("read", async { Ok::<_, String>(()) }).await.unwrap();
        tally.away("storage");
        let failing = async {
            tally.away(NOBODY);
            Err::<(), _>("no answer")
        };
        assert!(tally.count("read", failing).await.is_err());
        assert_eq!(tally.so_far(), (1, 1));
        let seen = tally.into_seen();
        assert_eq!(seen.by_away[NOBODY], (1, 0));
        assert_eq!(seen.by_away["storage"], (0, 1));
        assert_eq!(seen.rows["read"].reasons["no answer"], 1);
    }

    #[test]
    fn of_many_wrong_things_some_are_told_and_all_counted() {
        let tally = Tally::new();
        for number in 0..100 {
            tally.wrong(number.to_string());
        }
        let seen = tally.into_seen();
        assert_eq!((seen.wrong.len(), seen.wrong_count), (WRONG_TOLD, 100));
    }
}
