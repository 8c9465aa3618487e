//! How long to wait before trying again.

/// Shortest pause, milliseconds.
pub const PAUSE_MS_MIN: u64 = 1_000;

/// Longest pause, milliseconds, before jitter.
pub const PAUSE_MS_MAX: u64 = 30_000;

/// Pauses that double from [`PAUSE_MS_MIN`] to [`PAUSE_MS_MAX`], each made up to a quarter shorter so that those who
/// failed together do not come back together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How many failures there were in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and says how long to wait, milliseconds. `random` is any number.
    pub fn failed(&mut self, random: u32) -> u64 {
        let pause = pause_ms(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// It worked: the next failure is a first one.
    pub fn worked(&mut self) {
        self.failures = 0;
    }
}

/// The pause after so many earlier failures, milliseconds.
pub fn pause_ms(earlier: u32, random: u32) -> u64 {
    let whole = PAUSE_MS_MIN.saturating_mul(1 << earlier.min(16)).min(PAUSE_MS_MAX);
    whole - u64::from(random) % (whole / 4 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..7).map(|_| backoff.failed(0)).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.failures(), 7);
        backoff.worked();
        assert_eq!(backoff.failed(0), 1_000);
        assert_eq!(pause_ms(u32::MAX, 0), 30_000);
    }

    #[test]
    fn jitter_shortens_a_pause_by_a_quarter_at_most() {
        assert_eq!(pause_ms(0, 250), 750);
        assert_eq!(pause_ms(0, 251), 1_000);
        for random in [1, 77, 12_345, u32::MAX] {
            let pause = pause_ms(3, random);
            assert!((6_000..=8_000).contains(&pause), "{random}: {pause}");
        }
    }
}
