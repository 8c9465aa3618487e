//! Which tracker leads, and what to do when two say they do (wire protocol: the change list).
//!
//! Trackers elect their leader without a quorum, so a broken network can leave two. A storage that is
//! joined to both sees it: it asks the old one, and if that insists, it tells both to vote again.

use std::collections::BTreeSet;

use fdfs_proto::{Host, StorageStatus};

use super::{Link, Membership, TrackerIndex};

/// An open question about who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dispute {
    /// The tracker that led before, and the one that says it does now.
    doubt: Option<(TrackerIndex, TrackerIndex)>,
    /// Trackers that must be told to vote again.
    to_tell: BTreeSet<TrackerIndex>,
}

impl Dispute {
    /// A connection is gone, and with it what was to be said on it.
    pub(super) fn forget(&mut self, tracker: TrackerIndex) {
        self.to_tell.remove(&tracker);
        self.doubt = self.doubt.filter(|(old, new)| ![*old, *new].contains(&tracker));
    }
}

/// What a joined link has to do about the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaderDuty {
    AskWhetherStillLeader,
    TellToReselect,
    Nothing,
}

/// Statuses that differ only in whether a storage is connected: a beat takes each to ACTIVE.
pub(super) fn is_live(status: StorageStatus) -> bool {
    matches!(status, StorageStatus::Offline | StorageStatus::Online | StorageStatus::Active)
}

impl Membership {
    pub(super) fn leader_named(&mut self, by: TrackerIndex, leader: Option<Host>) {
        if self.leader == leader {
            return;
        }
        let index_of = |host: Option<Host>| {
            let place =
                self.links.iter().position(|link| host.is_some() && link.host == host && link.joined)?;
            u8::try_from(place).ok().map(TrackerIndex)
        };
        let (old, new) = (index_of(self.leader), index_of(leader));
        if let Some(old) = old
            && new == Some(by)
        {
            self.dispute.doubt = Some((old, by));
        }
        self.leader = leader;
        for index in (0..).take(self.links.len()).map(TrackerIndex) {
            self.compare_with_leader(index);
        }
        self.touch();
    }

    /// Decides whether a follower has to be told what the leader thinks of this storage (wire protocol:
    /// CHANGE_STATUS). Asked when either has just said what it thinks: later the follower hears from
    /// others, and what it said on the JOIN is old.
    pub(super) fn compare_with_leader(&mut self, tracker: TrackerIndex) {
        let differs = self.status_by_leader(tracker).is_some();
        if let Some(link) = self.link_mut(tracker)
            && differs
        {
            link.to_correct = true;
        }
    }

    /// What to tell a follower about this storage.
    pub(crate) fn status_to_correct(&self, tracker: TrackerIndex) -> Option<StorageStatus> {
        self.link(tracker).filter(|link| link.to_correct)?;
        self.status_by_leader(tracker)
    }

    /// The tracker was told this status.
    pub(crate) fn corrected(&mut self, tracker: TrackerIndex, status: StorageStatus) {
        if let Some(link) = self.link_mut(tracker) {
            link.to_correct = false;
            link.my_status = Some(status);
            link.knows_copy |= matches!(status, StorageStatus::WaitSync | StorageStatus::Syncing);
        }
    }

    /// The leader's idea of this storage, when this follower has another one. OFFLINE, ONLINE and ACTIVE
    /// count as one, and INIT is no idea: it only says that the leader does not know the source yet. Nor is
    /// what it remembers from before a copy that is going on, or one that is complete.
    fn status_by_leader(&self, tracker: TrackerIndex) -> Option<StorageStatus> {
        let leads = |link: &&Link| link.joined && link.host.is_some() && link.host == self.leader;
        let leader = self.links.iter().find(leads)?;
        let follower = self.link(tracker).filter(|link| link.joined && link.host != leader.host)?;
        let (told, seen) = (leader.listed_status.or(leader.my_status)?, follower.my_status?);
        let same = told == seen || (is_live(told) && is_live(seen));
        let outdated = match told {
            StorageStatus::Init => true,
            StorageStatus::WaitSync | StorageStatus::Syncing => self.is_complete(),
            _ => !self.believes(leader),
        };
        (!same && !outdated).then_some(told)
    }

    pub(crate) fn leader_duty(&self, tracker: TrackerIndex) -> LeaderDuty {
        if self.dispute.to_tell.contains(&tracker) {
            return LeaderDuty::TellToReselect;
        }
        match self.dispute.doubt {
            Some((old, _)) if old == tracker => LeaderDuty::AskWhetherStillLeader,
            _ => LeaderDuty::Nothing,
        }
    }

    /// The tracker that led before said whether it still does.
    pub(crate) fn old_leader_answered(&mut self, tracker: TrackerIndex, leads: bool) {
        let Some((old, new)) = self.dispute.doubt.filter(|(old, _)| *old == tracker) else { return };
        self.dispute.doubt = None;
        if leads {
            self.dispute.to_tell = [old, new].into();
        }
        self.touch();
    }

    /// A tracker was told to vote again, and whatever it answered, it has heard it.
    pub(crate) fn reselect_told(&mut self, tracker: TrackerIndex) {
        self.dispute.to_tell.remove(&tracker);
    }
}
