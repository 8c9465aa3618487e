//! Times to live.

use std::time::Duration;

/// Nothing is kept for longer: far beyond what is asked for, and well within what clocks and Redis can add up.
pub(crate) const TTL_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Whole milliseconds; none for less than one.
pub(crate) fn millis(ttl: Duration) -> Option<u64> {
    u64::try_from(ttl.min(TTL_MAX).as_millis()).ok().filter(|millis| *millis > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_milliseconds_of_a_year_at_most() {
        for (ttl, expected) in [
            (Duration::ZERO, None),
            (Duration::from_micros(999), None),
            (Duration::from_micros(1999), Some(1)),
            (Duration::from_secs(60), Some(60_000)),
            (Duration::MAX, Some(366 * 24 * 3_600_000)),
        ] {
            assert_eq!(millis(ttl), expected, "{ttl:?}");
        }
    }
}
