//! What one phase measured, and how several rounds of it are summed up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// Raw measurement of one phase.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    latencies: Vec<Duration>,
    bytes: u64,
    refusals: BTreeMap<u8, u64>,
    /// Connections that ended in the middle of an operation.
    pub(crate) broken: u64,
    pub(crate) elapsed: Duration,
    /// Processor time the generator itself used.
    pub(crate) client_cpu: Duration,
}

/// One phase in numbers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) operations: usize,
    pub(crate) per_second: f64,
    pub(crate) mib_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) errors: u64,
    /// Part of one core the generator used: near 1.0 the generator, not the server, is the limit.
    pub(crate) client_cores: f64,
}

impl Tally {
    pub(crate) fn with_capacity(operations: usize) -> Tally {
        Tally { latencies: Vec::with_capacity(operations), ..Tally::default() }
    }

    pub(crate) fn done(&mut self, latency: Duration, bytes: u64) {
        self.latencies.push(latency);
        self.bytes += bytes;
    }

    pub(crate) fn refused(&mut self, status: u8) {
        *self.refusals.entry(status).or_default() += 1;
    }

    pub(crate) fn errors(&self) -> u64 {
        self.broken + self.refusals.values().sum::<u64>()
    }

    /// "3 connections broken, 12 times status 28".
    pub(crate) fn errors_in_words(&self) -> String {
        let mut words = vec![format!("{} connections broken", self.broken)];
        words.extend(self.refusals.iter().map(|(status, count)| format!("{count} times status {status}")));
        words.join(", ")
    }

    pub(crate) fn figures(mut self) -> Figures {
        self.latencies.sort_unstable();
        let seconds = self.elapsed.as_secs_f64().max(1e-9);
        Figures {
            operations: self.latencies.len(),
            per_second: self.latencies.len() as f64 / seconds,
            mib_per_second: self.bytes as f64 / (1 << 20) as f64 / seconds,
            p50_us: microseconds(&self.latencies, 0.50),
            p99_us: microseconds(&self.latencies, 0.99),
            max_us: microseconds(&self.latencies, 1.0),
            errors: self.errors(),
            client_cores: self.client_cpu.as_secs_f64() / seconds,
        }
    }
}

/// The smallest value that at least `share` of all values do not exceed; zero of nothing.
fn microseconds(sorted: &[Duration], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |value| value.as_secs_f64() * 1e6)
}

/// Median, smallest and largest of the values of several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// None of an empty list.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = if values.len().is_multiple_of(2) { values[middle - 1] } else { upper };
        Some(Spread { median: f64::midpoint(lower, upper), min: values[0], max: values[values.len() - 1] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut tally = Tally::with_capacity(100);
        for ms in 1..=100 {
            tally.done(Duration::from_millis(ms), 1 << 20);
        }
        tally.elapsed = Duration::from_secs(2);
        tally.client_cpu = Duration::from_secs(1);
        let figures = tally.figures();
        assert_eq!((figures.p50_us, figures.p99_us, figures.max_us), (50_000.0, 99_000.0, 100_000.0));
        assert_eq!((figures.per_second, figures.mib_per_second), (50.0, 50.0));
        assert_eq!(figures.client_cores, 0.5);
    }

    #[test]
    fn errors_are_counted_and_named() {
        let mut tally = Tally::default();
        tally.refused(28);
        tally.refused(28);
        tally.broken = 1;
        assert_eq!(tally.errors(), 3);
        assert_eq!(tally.errors_in_words(), "1 connections broken, 2 times status 28");
    }

    #[test]
    fn the_median_of_an_even_count_is_the_middle() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0].into_iter());
        assert_eq!(spread, Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([7.0].into_iter()), Some(Spread { median: 7.0, min: 7.0, max: 7.0 }));
        assert_eq!(Spread::of(std::iter::empty()), None);
    }
}
