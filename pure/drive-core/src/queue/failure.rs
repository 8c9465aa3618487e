//! What becomes of entries that could not be applied.

use std::time::Duration;

/// How often an entry that breaks its applier is tried.
pub const ATTEMPTS_MAX: u32 = 5;

/// The wait after the first failure; doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Where doubling ends.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What went wrong. A refusal by a rule (a name that is taken) is an outcome, not a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Its bytes are no entry.
    Undecodable,
    /// The database is away, or too busy: not the entry's fault, however long it lasts.
    Unavailable,
    /// The database refuses what the entry makes of it, or stored data contradicts itself.
    Broken,
}

/// A batch with an entry that was handed out so often is not given back as a whole.
const DOUBT_AFTER: u32 = 3;

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Hand it out again, not before this.
    GiveBack(Duration),
    /// One of these may break the others: apply each in a transaction of its own.
    OneByOne,
    /// Take it out, keep it, and show it to the administrator.
    SetAside,
}

/// Decides about a batch of `entries`, or one of them, of which one is handed out for the `attempt`th time, counted
/// from 1, and none more often.
pub fn verdict(failure: Failure, entries: usize, attempt: u32) -> Verdict {
    let doubled = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT);
    match failure {
        Failure::Undecodable => Verdict::SetAside,
        // One entry may be what a database that takes all others never takes.
        Failure::Unavailable if entries > 1 && attempt >= DOUBT_AFTER => Verdict::OneByOne,
        Failure::Unavailable => Verdict::GiveBack(wait),
        Failure::Broken if entries > 1 => Verdict::OneByOne,
        Failure::Broken if attempt >= ATTEMPTS_MAX => Verdict::SetAside,
        Failure::Broken => Verdict::GiveBack(wait),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_entry_at_fault_is_set_aside() {
        let back = |seconds| Verdict::GiveBack(Duration::from_secs(seconds));
        for (failure, entries, attempt, expected) in [
            (Failure::Undecodable, 1, 1, Verdict::SetAside),
            (Failure::Unavailable, 500, 1, back(1)),
            (Failure::Unavailable, 500, 2, back(2)),
            (Failure::Unavailable, 500, 3, Verdict::OneByOne),
            (Failure::Unavailable, 1, 3, back(4)),
            (Failure::Unavailable, 1, 7, back(60)),
            (Failure::Unavailable, 1, u32::MAX, back(60)),
            (Failure::Broken, 500, 1, Verdict::OneByOne),
            (Failure::Broken, 2, 9, Verdict::OneByOne),
            (Failure::Broken, 1, 1, back(1)),
            (Failure::Broken, 1, 4, back(8)),
            (Failure::Broken, 1, 5, Verdict::SetAside),
            (Failure::Broken, 1, 0, back(1)),
        ] {
            assert_eq!(verdict(failure, entries, attempt), expected, "{failure:?} {entries} {attempt}");
        }
    }
}
