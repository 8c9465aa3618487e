//! Wrong passwords and wrong codes: each costs more time than the one before.
//!
//! An attempt is counted *before* it is checked, in one atomic step ([`crate::ports::Cache::swap`]), so that a
//! thousand attempts at once are as few as one after the other; the right answer takes it back. The delay has a
//! ceiling, so that nobody locks another out for long by guessing, and it never touches a session that exists.

use std::net::IpAddr;
use std::time::Duration;

use crate::ids::ShareId;
use crate::problem::Problem;
use crate::time::UnixMillis;

/// Where attempts come from, as far as limits can tell: an IPv4 address, or the 64 bits of an IPv6 address that one
/// customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressBlock(IpAddr);

impl AddressBlock {
    /// The block of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let prefix = u128::from(v6) & !u128::from(u64::MAX);
                Self(IpAddr::V6(prefix.into()))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl std::fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What attempts are counted for. Each attempt is counted on two tracks, and waits for the slower.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// Sign-ins with a user name ([`super::UserName::key`]), whether or not anybody has it.
    Account(String),
    /// Sign-ins from an address.
    Address(AddressBlock),
    /// Codes of a link.
    Share(ShareId),
    /// Codes of a link from an address.
    ShareAddress(ShareId, AddressBlock),
}

/// How a track slows down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Failures that cost nothing.
    pub free: u32,
    /// The wait after the first failure beyond those; doubles with each.
    pub first_wait: Duration,
    /// Where doubling ends.
    pub longest_wait: Duration,
    /// A track without attempts for so long begins anew. Longer than the longest wait.
    pub forget_after: Duration,
}

impl Track {
    /// The rules of a track.
    pub const fn throttle(&self) -> Throttle {
        const fn rules(free: u32, first_s: u64, longest_s: u64) -> Throttle {
            Throttle {
                free,
                first_wait: Duration::from_secs(first_s),
                longest_wait: Duration::from_secs(longest_s),
                forget_after: Duration::from_secs(24 * 3600),
            }
        }
        match self {
            Self::Account(_) => rules(5, 1, 15 * 60),
            // Many people may sit behind one address.
            Self::Address(_) => rules(20, 1, 15 * 60),
            // Somebody who guesses from many addresses; few seconds, as every visitor of the link waits.
            Self::Share(_) => rules(100, 1, 10),
            Self::ShareAddress(..) => rules(5, 2, 60 * 60),
        }
    }
}

/// The attempts on one track, as the cache holds them. Losing them forgives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    failures: u32,
    last: Option<UnixMillis>,
}

/// Bytes of [`Attempts`] in the cache.
pub const ATTEMPTS_BYTES: usize = 12;

impl Attempts {
    /// Counts an attempt that is about to be checked, or says how long it has to wait. A refused attempt is not
    /// counted.
    pub fn count(self, throttle: &Throttle, now: UnixMillis) -> Result<Self, Problem> {
        let failures = match self.last {
            Some(last) if now.since(last) < throttle.forget_after => {
                let wait = throttle.wait(self.failures).saturating_sub(now.since(last));
                if wait > Duration::ZERO {
                    return Err(Problem::TooManyAttempts { retry_after: wait });
                }
                self.failures
            }
            _ => 0,
        };
        Ok(Self { failures: failures.saturating_add(1), last: Some(now) })
    }

    /// Takes one attempt back, which was right. For an address; the track of the account or link is removed instead.
    /// Otherwise somebody with an account of his own could wipe his address clean between guesses at others.
    #[must_use]
    pub const fn forgive_one(self) -> Self {
        Self { failures: self.failures.saturating_sub(1), last: self.last }
    }

    /// As the cache holds them.
    pub fn to_bytes(self) -> [u8; ATTEMPTS_BYTES] {
        let mut bytes = [0; ATTEMPTS_BYTES];
        bytes[..4].copy_from_slice(&self.failures.to_be_bytes());
        bytes[4..].copy_from_slice(&self.last.map_or(i64::MIN, |last| last.0).to_be_bytes());
        bytes
    }

    /// From the cache. None for what was not written by [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (failures, last) = bytes.split_first_chunk()?;
        let last = i64::from_be_bytes(last.try_into().ok()?);
        let last = (last != i64::MIN).then_some(UnixMillis(last));
        Some(Self { failures: u32::from_be_bytes(*failures), last })
    }
}

impl Throttle {
    /// The wait after so many failures.
    fn wait(&self, failures: u32) -> Duration {
        let Some(beyond) = failures.checked_sub(self.free).filter(|beyond| *beyond > 0) else {
            return Duration::ZERO;
        };
        let doubled = 1u32.checked_shl(beyond - 1).unwrap_or(u32::MAX);
        self.first_wait.saturating_mul(doubled).min(self.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Throttle = Throttle {
        free: 3,
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(10),
        forget_after: Duration::from_secs(100),
    };

    fn wait(result: Result<Attempts, Problem>) -> u128 {
        match result {
            Err(Problem::TooManyAttempts { retry_after }) => retry_after.as_millis(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<_> = (0..=9).map(|failures| RULES.wait(failures).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(RULES.wait(u32::MAX), RULES.longest_wait);
    }

    #[test]
    fn free_attempts_are_followed_by_waiting() {
        let mut attempts = Attempts::default();
        for _ in 0..4 {
            attempts = attempts.count(&RULES, UnixMillis(0)).unwrap();
        }
        assert_eq!(wait(attempts.count(&RULES, UnixMillis(0))), 1000);
        assert_eq!(wait(attempts.count(&RULES, UnixMillis(999))), 1);
        let attempts = attempts.count(&RULES, UnixMillis(1000)).unwrap();
        assert_eq!(wait(attempts.count(&RULES, UnixMillis(1000))), 2000);
    }

    #[test]
    fn time_forgets_and_clocks_that_step_back_do_not_help() {
        let attempts = Attempts { failures: 50, last: Some(UnixMillis(1_000_000)) };
        assert_eq!(wait(attempts.count(&RULES, UnixMillis(0))), 10_000);
        let anew = attempts.count(&RULES, UnixMillis(1_100_000)).unwrap();
        assert_eq!(anew, Attempts { failures: 1, last: Some(UnixMillis(1_100_000)) });
    }

    #[test]
    fn a_right_answer_takes_one_attempt_back() {
        let attempts = Attempts { failures: 5, last: Some(UnixMillis(7)) };
        assert_eq!(attempts.forgive_one(), Attempts { failures: 4, last: Some(UnixMillis(7)) });
        assert_eq!(Attempts::default().forgive_one(), Attempts::default());
    }

    #[test]
    fn attempts_survive_the_cache() {
        for attempts in [Attempts::default(), Attempts { failures: 7, last: Some(UnixMillis(-3)) }] {
            assert_eq!(Attempts::from_bytes(&attempts.to_bytes()), Some(attempts));
        }
        for bytes in [&[][..], &[0; 11], &[0; 13]] {
            assert_eq!(Attempts::from_bytes(bytes), None);
        }
    }

    #[test]
    fn an_ipv6_customer_is_one_address() {
        let block = |text: &str| AddressBlock::of(text.parse().unwrap()).to_string();
        assert_eq!(block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(block("192.0.2.7"), "192.0.2.7");
        assert_eq!(block("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn every_track_forgets_later_than_it_waits() {
        let block = AddressBlock::of(IpAddr::from([192, 0, 2, 7]));
        let share = ShareId::new(1).unwrap();
        for (track, free, longest_s) in [
            (Track::Account("a".to_owned()), 5, 900),
            (Track::Address(block), 20, 900),
            (Track::Share(share), 100, 10),
            (Track::ShareAddress(share, block), 5, 3600),
        ] {
            let rules = track.throttle();
            assert_eq!((rules.free, rules.longest_wait.as_secs()), (free, longest_s), "{track:?}");
            assert!(rules.forget_after > rules.longest_wait);
        }
    }
}
