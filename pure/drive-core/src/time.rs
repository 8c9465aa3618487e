//! Instants, as arguments and in rows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 00:00 UTC, as in the database.
///
/// Arithmetic stops at the ends of time: a lifetime that is too long never ends, it does not wrap into the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This instant and `time` more.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant and `time` less.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; nothing when it lies ahead, as clocks of several machines differ.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let between = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(between).unwrap_or(0))
    }

    /// How long until `later`; nothing when it is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.since(self)
    }

    /// The hour it lies in, counted from 1970.
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_wrap() {
        assert_eq!(UnixMillis(5).plus(Duration::from_millis(7)), UnixMillis(12));
        assert_eq!(UnixMillis(5).plus(Duration::MAX), UnixMillis(i64::MAX));
        assert_eq!(UnixMillis(5).minus(Duration::from_millis(7)), UnixMillis(-2));
        assert_eq!(
            UnixMillis(-5).minus(Duration::MAX),
            UnixMillis(i64::MIN + 1).minus(Duration::from_millis(5))
        );
        assert_eq!(UnixMillis(i64::MAX).plus(Duration::from_secs(1)), UnixMillis(i64::MAX));
        assert_eq!(UnixMillis(i64::MAX).since(UnixMillis(i64::MIN)), Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn what_lies_ahead_was_no_time_ago() {
        assert_eq!(UnixMillis(10).since(UnixMillis(4)), Duration::from_millis(6));
        assert_eq!(UnixMillis(4).since(UnixMillis(10)), Duration::ZERO);
        assert_eq!(UnixMillis(4).until(UnixMillis(10)), Duration::from_millis(6));
    }

    #[test]
    fn an_hour_begins_at_its_first_millisecond() {
        for (at, hour) in [(0, 0), (3_599_999, 0), (3_600_000, 1), (-1, -1)] {
            assert_eq!(UnixMillis(at).hour(), hour, "{at}");
        }
    }
}
