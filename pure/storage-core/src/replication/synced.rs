//! Up to which second the changes of each member have arrived here, which trackers are told for their choice of whom to
//! read from (storage internals: last-synced timestamps).
//!
//! The original reports the newest change that came. Changes come over several connections at the same time, so others
//! made before it may be missing, and readers are sent to a member that lacks their file (storage internals: holes, D20).
//! Here a change that is on its way, or was not taken, holds the report back to the second before it. What a sender has
//! not yet begun to send cannot be known. But while there is no room here a sender of ours sends only what makes some, ahead
//! of changes that nobody here has heard of, so the time of that says nothing of them.

use std::collections::{BTreeMap, VecDeque};

use fdfs_fileid::FileName;
use fdfs_proto::StorageId;

/// Changes of one member that were not taken and are remembered, and those that are on their way. One beyond them holds
/// nothing back.
pub const WAITING_MAX: usize = 1024;

/// For so long a change that was not taken holds the report back, seconds. Its sender has given it up by then.
pub const REFUSED_MAX_S: u64 = 3600;

/// For so long after one was refused for want of room, a change that makes some does not count, seconds, unless a newer one
/// that makes none shows before that what it had overtaken is here.
pub const OVERTAKING_MAX_S: u64 = 3600;

/// A change that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arriving(u64);

/// What became of a change that was on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is here.
    Taken,
    /// It is here, and less room is needed than before: its sender may have sent it before others.
    MadeRoom,
    /// It was not taken, or its connection broke.
    Not,
    /// It was not taken for want of room.
    NoRoom,
}

/// How far the changes of every member are.
#[derive(Debug, Default)]
pub struct Synced {
    members: BTreeMap<StorageId, Member>,
    next: u64,
}

#[derive(Debug, Default)]
struct Member {
    /// Time of the newest change that is here, and came in its turn as far as is known.
    newest: u32,
    /// Of those that may have overtaken others the newest time; 0 when there are none.
    ahead: u32,
    /// Until when these do not count.
    ahead_until: u64,
    /// What was reported: it does not go back.
    told: u32,
    arriving: BTreeMap<Arriving, u32>,
    /// Not taken: the file, the time of the change, and until when it counts.
    refused: VecDeque<(FileName, u32, u64)>,
}

impl Synced {
    /// A change that this member made at `time` has begun to come. `None` when it holds nothing back: there are
    /// `members_max` members already, or too many changes are on their way.
    pub fn begin(&mut self, source: StorageId, time: u32, members_max: usize) -> Option<Arriving> {
        if self.members.len() >= members_max && !self.members.contains_key(&source) {
            return None;
        }
        let member = self.members.entry(source).or_default();
        if member.arriving.len() >= WAITING_MAX {
            return None;
        }
        self.next += 1;
        member.arriving.insert(Arriving(self.next), time);
        Some(Arriving(self.next))
    }

    /// This became of it at `now`, Unix seconds.
    pub fn end(&mut self, source: &StorageId, arriving: Arriving, name: &FileName, came: Came, now: u64) {
        let Some(member) = self.members.get_mut(source) else { return };
        let Some(time) = member.arriving.remove(&arriving) else { return };
        member.refused.retain(|(other, _, until)| other != name && *until > now);
        // A clock that is ahead, or a lie, must not make readers come for years (storage internals: holes, S7).
        let here = time.min(u32::try_from(now).unwrap_or(u32::MAX));
        match came {
            Came::MadeRoom if now < member.ahead_until => member.ahead = member.ahead.max(here),
            Came::Taken | Came::MadeRoom => member.in_turn(here, now),
            Came::Not | Came::NoRoom => {
                if member.refused.len() >= WAITING_MAX {
                    member.refused.pop_front();
                }
                member.refused.push_back((name.clone(), time, now + REFUSED_MAX_S));
                if came == Came::NoRoom {
                    member.ahead_until = now + OVERTAKING_MAX_S;
                }
            }
        }
    }

    /// What trackers are told at `now`.
    pub fn report(&mut self, now: u64) -> BTreeMap<StorageId, u32> {
        let up_to = |member: &mut Member| {
            let refused =
                member.refused.iter().filter(|(_, _, until)| *until > now).map(|(_, time, _)| *time);
            let oldest = member.arriving.values().copied().chain(refused).min();
            let whole = oldest.map_or(u32::MAX, |time| time.saturating_sub(1));
            member.settle(now);
            member.told = member.told.max(member.newest.min(whole));
            member.told
        };
        let told = self.members.iter_mut().map(|(id, member)| (*id, up_to(member)));
        told.filter(|(_, time)| *time > 0).collect()
    }
}

impl Member {
    /// A change of this time is here that its sender sent in its turn.
    fn in_turn(&mut self, time: u32, now: u64) {
        self.settle(now);
        self.newest = self.newest.max(time);
        if time < self.ahead {
            // There may be more of those that were overtaken.
            self.ahead_until = now + OVERTAKING_MAX_S;
        } else if self.ahead > 0 && time > self.ahead && self.refused.is_empty() {
            (self.ahead, self.ahead_until) = (0, 0);
        }
    }

    /// What came ahead of others counts after its time.
    fn settle(&mut self, now: u64) {
        if now >= self.ahead_until {
            self.newest = self.newest.max(std::mem::take(&mut self.ahead));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;
    const MEMBERS: usize = 2;

    fn id() -> StorageId {
        StorageId::new(b"10.0.0.1").unwrap()
    }

    fn name(number: u32) -> FileName {
        format!("M00/00/00/{number:027}.a").parse().unwrap()
    }

    fn told(synced: &mut Synced, now: u64) -> Option<u32> {
        synced.report(now).get(&id()).copied()
    }

    fn came(synced: &mut Synced, number: u32, time: u32, came: Came, now: u64) {
        let arriving = synced.begin(id(), time, MEMBERS).unwrap();
        synced.end(&id(), arriving, &name(number), came, now);
    }

    #[test]
    fn d20_a_change_that_is_on_its_way_holds_the_report_back() {
        let mut synced = Synced::default();
        let slow = synced.begin(id(), 100, MEMBERS).unwrap();
        assert_eq!(told(&mut synced, NOW), None);
        came(&mut synced, 2, 105, Came::Taken, NOW);
        assert_eq!(told(&mut synced, NOW), Some(99));
        synced.end(&id(), slow, &name(1), Came::Taken, NOW);
        assert_eq!(told(&mut synced, NOW), Some(105));
    }

    #[test]
    fn d20_a_change_that_was_not_taken_holds_the_report_back_until_it_is() {
        let mut synced = Synced::default();
        came(&mut synced, 1, 100, Came::Not, NOW);
        came(&mut synced, 2, 105, Came::Taken, NOW);
        assert_eq!(told(&mut synced, NOW), Some(99));
        came(&mut synced, 1, 100, Came::Taken, NOW + 5);
        assert_eq!(told(&mut synced, NOW + 5), Some(105));
        // Given up by its sender.
        came(&mut synced, 3, 110, Came::Not, NOW);
        came(&mut synced, 4, 120, Came::Taken, NOW);
        assert_eq!(told(&mut synced, NOW + REFUSED_MAX_S - 1), Some(109));
        assert_eq!(told(&mut synced, NOW + REFUSED_MAX_S), Some(120));
    }

    #[test]
    fn d20_what_made_room_ahead_of_others_does_not_count_before_they_are_here() {
        use Came::{MadeRoom, NoRoom, Not, Taken};
        const AFTER: u64 = OVERTAKING_MAX_S;
        /// File, time and fate of each change, and after how many seconds.
        type Changes<'a> = &'a [(u32, u32, Came, u64)];
        let table: [(&str, Changes<'_>, u64, Option<u32>); 9] = [
            ("nothing was refused", &[(1, 100, Taken, 0), (9, 200, MadeRoom, 1)], 1, Some(200)),
            ("others wait", &[(1, 100, NoRoom, 0), (9, 200, MadeRoom, 1)], 1, None),
            (
                "others wait that were never sent",
                &[(1, 100, NoRoom, 0), (9, 200, MadeRoom, 1), (1, 100, Taken, 2)],
                2,
                Some(100),
            ),
            (
                "it came just behind what had no room before",
                &[(1, 100, NoRoom, 0), (1, 100, Taken, 1), (9, 200, MadeRoom, 2)],
                2,
                Some(100),
            ),
            (
                "a newer one shows that all of them are here",
                &[(1, 100, NoRoom, 0), (9, 200, MadeRoom, 1), (1, 100, Taken, 2), (3, 201, Taken, 3)],
                3,
                Some(201),
            ),
            (
                "and the next that makes room counts again",
                &[
                    (1, 100, NoRoom, 0),
                    (9, 200, MadeRoom, 1),
                    (1, 100, Taken, 2),
                    (3, 201, Taken, 3),
                    (8, 202, MadeRoom, 4),
                ],
                4,
                Some(202),
            ),
            (
                "nothing has come for long",
                &[(1, 100, NoRoom, 0), (9, 200, MadeRoom, 1), (1, 100, Taken, 2)],
                2 + AFTER,
                Some(200),
            ),
            (
                "others still come",
                &[(1, 100, NoRoom, 0), (9, 200, MadeRoom, 1), (1, 100, Taken, 2), (2, 101, Taken, AFTER)],
                2 + AFTER,
                Some(101),
            ),
            (
                "one was refused for another reason",
                &[(1, 100, Not, 0), (9, 200, MadeRoom, 1), (1, 100, Taken, 2)],
                2,
                Some(200),
            ),
        ];
        for (why, changes, after, wanted) in table {
            let mut synced = Synced::default();
            for (number, time, came_so, at) in changes {
                came(&mut synced, *number, *time, *came_so, NOW + at);
            }
            assert_eq!(told(&mut synced, NOW + after), wanted, "{why}");
        }
    }

    #[test]
    fn what_was_reported_is_not_taken_back() {
        let mut synced = Synced::default();
        came(&mut synced, 1, 105, Came::Taken, NOW);
        assert_eq!(told(&mut synced, NOW), Some(105));
        came(&mut synced, 2, 100, Came::Not, NOW);
        assert_eq!(told(&mut synced, NOW), Some(105));
    }

    #[test]
    fn s7_a_time_that_is_to_come_counts_as_now() {
        let mut synced = Synced::default();
        came(&mut synced, 1, u32::MAX, Came::Taken, NOW);
        assert_eq!(told(&mut synced, NOW), Some(1_700_000_000));
        came(&mut synced, 2, 1_700_000_005, Came::Taken, NOW + 5);
        assert_eq!(told(&mut synced, NOW + 5), Some(1_700_000_005));
    }

    #[test]
    fn members_and_changes_that_are_remembered_are_limited() {
        let mut synced = Synced::default();
        for n in 0..WAITING_MAX as u32 {
            came(&mut synced, n, 100 + n, Came::Not, NOW);
            assert!(synced.begin(id(), 5000, MEMBERS).is_some());
        }
        assert_eq!(synced.begin(id(), 5000, MEMBERS), None);
        let other = |n: u8| StorageId::new(format!("10.0.0.{n}").as_bytes()).unwrap();
        assert!(synced.begin(other(2), 1, MEMBERS).is_some());
        assert_eq!(synced.begin(other(3), 1, MEMBERS), None);
    }
}
