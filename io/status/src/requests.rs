//! Requests, counted by what they ask for and how they end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::latency::Latency;
use crate::metric::Metric;
use crate::samples::Samples;

/// Requests of a fixed number of kinds, each of which ends in one of `ENDS` ways. Counting takes three additions and no
/// lock.
#[derive(Debug)]
pub struct Requests<const ENDS: usize> {
    kinds: Box<[Counted<ENDS>]>,
}

#[derive(Debug)]
struct Counted<const ENDS: usize> {
    ended: [AtomicU64; ENDS],
    latency: Latency,
}

impl<const ENDS: usize> Requests<ENDS> {
    /// So many kinds; nothing is counted yet.
    pub fn new(kinds: usize) -> Self {
        let none = || Counted { ended: [const { AtomicU64::new(0) }; ENDS], latency: Latency::default() };
        Self { kinds: (0..kinds).map(|_| none()).collect() }
    }

    /// One of this kind has ended so, and took so long. A kind or an end that there is not is not counted.
    pub fn count(&self, kind: usize, end: usize, took: Duration) {
        let Some(counted) = self.kinds.get(kind) else { return };
        if let Some(ended) = counted.ended.get(end) {
            ended.fetch_add(1, Relaxed);
            counted.latency.count(took);
        }
    }

    /// Tells all of it: `total` and `latency` have a label for the kind, `total` one more for the end. `kinds`
    /// and `ends` are their words, and those of the ends in order. Of kinds that never came there is no histogram.
    pub fn sample<'w>(
        &self,
        out: &mut Samples,
        (total, latency): (&Metric, &Metric),
        kinds: impl IntoIterator<Item = (usize, &'w str)>,
        ends: [&str; ENDS],
    ) {
        for (kind, word) in kinds {
            let Some(counted) = self.kinds.get(kind) else { continue };
            for (ended, end) in counted.ended.iter().zip(ends) {
                out.int(total, &[word, end], ended.load(Relaxed));
            }
            out.latency(latency, &[word], &counted.latency);
        }
    }
}

/// How a request over HTTP ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words below say it")]
pub enum HttpClass {
    Informed,
    Done,
    Elsewhere,
    Refused,
    Failed,
    /// The client was gone before there was an answer.
    Gone,
}

impl HttpClass {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// As labels have them, in order.
    pub const WORDS: [&'static str; Self::COUNT] = ["1xx", "2xx", "3xx", "4xx", "5xx", "gone"];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// That of a status.
    pub const fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informed,
            200..=299 => Self::Done,
            300..=399 => Self::Elsewhere,
            500..=599 => Self::Failed,
            _ => Self::Refused,
        }
    }
}
