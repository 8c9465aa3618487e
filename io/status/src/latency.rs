//! How many took how long, counted on many threads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets, microseconds: from what the page cache answers to what somebody gives up on.
pub(crate) const BOUNDS_MICROS: [u64; 13] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

/// The same, with the one for all that took longer.
const BUCKETS: usize = BOUNDS_MICROS.len() + 1;

/// A histogram. Counting takes two additions and no lock.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

/// What was counted until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    /// In each bucket, not in those before.
    pub(crate) buckets: [u64; BUCKETS],
    /// All together, microseconds.
    pub(crate) micros: u64,
}

impl Latency {
    /// One more took so long.
    pub fn count(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.micros.fetch_add(micros, Relaxed);
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            buckets: std::array::from_fn(|at| self.buckets.get(at).map_or(0, |bucket| bucket.load(Relaxed))),
            micros: self.micros.load(Relaxed),
        }
    }
}

impl Counted {
    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_in_the_bucket_whose_bound_it_does_not_exceed() {
        let latency = Latency::default();
        for micros in [0, 100, 101, 1_000, 30_000_000, 30_000_001] {
            latency.count(Duration::from_micros(micros));
        }
        let counted = latency.counted();
        assert_eq!(counted.buckets, [2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((counted.count(), counted.micros), (6, 60_001_202));
    }
}
