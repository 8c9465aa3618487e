//! How many members must have a change before it is acknowledged (`durability = copies:N`).
//!
//! A member has a change when it has acknowledged everything in the log up to and including its line.

use fdfs_proto::StorageStatus;

use super::LogPosition;

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopiesRule {
    /// Members that must have a change beside this one; 0 to wait for nobody.
    pub others: usize,
    /// Without so many that serve, changes are acknowledged all the same, with as many copies as there can be.
    pub accept_missing: bool,
}

/// The other members of the group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Members {
    /// Those that serve.
    pub serving: usize,
    /// All of them.
    pub there: usize,
}

impl Members {
    /// Counts members of these statuses.
    pub fn of(peers: impl Iterator<Item = StorageStatus>) -> Self {
        use StorageStatus as S;
        let mut members = Self::default();
        for status in peers {
            members.there += usize::from(!matches!(status, S::Deleted | S::IpChanged | S::None));
            members.serving += usize::from(status == S::Active);
        }
        members
    }
}

impl CopiesRule {
    /// Whether changes may be made now.
    pub fn admits(self, members: Members) -> bool {
        self.others == 0 || members.there == 0 || members.serving >= self.others || self.accept_missing
    }

    /// How many copies a change waits for; `None` when there is nothing to wait for.
    pub fn wanted(self, members: Members) -> Option<usize> {
        let most = if self.accept_missing { members.serving } else { usize::MAX };
        (self.others > 0 && members.there > 0).then(|| self.others.min(most))
    }
}

/// How far a member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything in the log before this place is there, was nothing to it, or was set aside.
    pub acknowledged: Option<LogPosition>,
    /// How many records were set aside.
    pub set_aside: u64,
}

/// Whether a member has the changes up to `place`, which were made when it was as far as `before`; `None` when that is
/// not known yet.
pub fn has(place: LogPosition, before: Progress, now: Progress) -> Option<bool> {
    let is_there = |progress: Progress| progress.acknowledged.is_some_and(|at| at >= place);
    // What was set aside meanwhile may have been this change: the member does not have it then.
    is_there(now).then(|| is_there(before) || now.set_aside == before.set_aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_waits_for_as_many_members_as_configured_or_as_serve() {
        // Others wanted, missing ones accepted, serving, there; admitted, wanted.
        let table = [
            (0, false, 2, 2, true, None),
            (1, false, 0, 0, true, None),
            (1, false, 0, 1, false, Some(1)),
            (1, true, 0, 1, true, Some(0)),
            (1, false, 2, 2, true, Some(1)),
            (2, true, 1, 2, true, Some(1)),
            (2, false, 1, 2, false, Some(2)),
        ];
        for (others, accept_missing, serving, there, admits, wanted) in table {
            let (rule, members) = (CopiesRule { others, accept_missing }, Members { serving, there });
            assert_eq!(
                (rule.admits(members), rule.wanted(members)),
                (admits, wanted),
                "{rule:?} {members:?}"
            );
        }
    }

    #[test]
    fn members_that_left_count_for_nothing_and_those_that_are_away_do_not_serve() {
        use StorageStatus as S;
        let members = [S::Active, S::Offline, S::Recovery, S::WaitSync, S::Deleted, S::IpChanged, S::None];
        assert_eq!(Members::of(members.into_iter()), Members { serving: 1, there: 4 });
    }

    #[test]
    fn a_member_has_what_it_acknowledged_unless_something_was_set_aside_meanwhile() {
        let at =
            |offset, set_aside| Progress { acknowledged: Some(LogPosition { file: 0, offset }), set_aside };
        let place = LogPosition { file: 0, offset: 20 };
        let table = [
            (Progress::default(), Progress::default(), None),
            (at(10, 0), at(19, 0), None),
            (at(10, 0), at(20, 0), Some(true)),
            (Progress::default(), at(30, 0), Some(true)),
            (at(10, 0), at(20, 1), Some(false)),
            (at(20, 0), at(20, 1), Some(true)),
        ];
        for (before, now, expected) in table {
            assert_eq!(has(place, before, now), expected, "{before:?} {now:?}");
        }
    }
}
