//! How many requests in a time: GCRA, a token bucket whose whole state is one instant.

use std::time::Duration;

use crate::problem::Problem;
use crate::time::UnixMillis;

/// One request each `interval_ms` in the long run, `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_ms: u32,
    burst: u32,
}

/// What comes of counting a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It goes on.
    Admitted,
    /// It comes too soon.
    Refused {
        /// When it would not.
        retry_after: Duration,
    },
}

impl Rate {
    /// `count` requests in `per`, `burst` of them at once. None for rates beyond one request a millisecond, or none
    /// at all.
    pub fn new(count: u32, per: Duration, burst: u32) -> Option<Self> {
        let interval_ms = u32::try_from(per.as_millis() / u128::from(count.max(1))).ok()?;
        (count > 0 && interval_ms > 0 && burst > 0).then_some(Self { interval_ms, burst })
    }

    /// Milliseconds between two requests in the long run.
    pub const fn interval_ms(&self) -> u32 {
        self.interval_ms
    }

    /// Requests at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Counts a request at `now`. `busy_until` is the state: until when the requests so far keep the subject busy,
    /// none when nothing is known. The new state comes back, and is kept until that instant: in the past it means
    /// nothing. A refused request leaves it as it was.
    pub fn admit(&self, busy_until: Option<UnixMillis>, now: UnixMillis) -> (Option<UnixMillis>, Admission) {
        let interval = i64::from(self.interval_ms);
        let room = interval.saturating_mul(i64::from(self.burst));
        let before = busy_until.map_or(now.0, |until| until.0.max(now.0));
        let after = before.saturating_add(interval);
        let ahead = after.saturating_sub(now.0);
        if ahead > room {
            let wait = u64::try_from(ahead - room).unwrap_or(0);
            return (busy_until, Admission::Refused { retry_after: Duration::from_millis(wait) });
        }
        (Some(UnixMillis(after)), Admission::Admitted)
    }
}

impl Admission {
    /// As a result.
    pub const fn ok(self) -> Result<(), Problem> {
        match self {
            Self::Admitted => Ok(()),
            Self::Refused { retry_after } => Err(Problem::RateLimited { retry_after }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_through_and_then_one_each_interval() {
        let rate = Rate::new(10, Duration::from_secs(1), 3).unwrap();
        let mut state = None;
        let mut seen = Vec::new();
        for at in [0, 0, 0, 0, 99, 100, 100, 1000, 1000, 1000, 1000] {
            let (next, admission) = rate.admit(state, UnixMillis(at));
            state = next;
            seen.push(match admission {
                Admission::Admitted => 0,
                Admission::Refused { retry_after } => retry_after.as_millis(),
            });
        }
        assert_eq!(seen, [0, 0, 0, 100, 1, 0, 100, 0, 0, 0, 100]);
    }

    #[test]
    fn a_refused_request_changes_nothing() {
        let rate = Rate::new(1, Duration::from_secs(60), 1).unwrap();
        let (state, _) = rate.admit(None, UnixMillis(5));
        assert_eq!(state, Some(UnixMillis(60_005)));
        let (after, refused) = rate.admit(state, UnixMillis(6));
        assert_eq!(after, state);
        assert_eq!(refused.ok(), Err(Problem::RateLimited { retry_after: Duration::from_millis(59_999) }));
    }

    #[test]
    fn rates_that_mean_nothing_are_none() {
        let second = Duration::from_secs(1);
        for (count, per, burst, some) in [
            (1000, second, 1, true),
            (1001, second, 1, false),
            (0, second, 1, false),
            (1, second, 0, false),
            (1, Duration::ZERO, 1, false),
            (1, Duration::MAX, 1, false),
        ] {
            assert_eq!(Rate::new(count, per, burst).is_some(), some, "{count} {per:?} {burst}");
        }
    }
}
