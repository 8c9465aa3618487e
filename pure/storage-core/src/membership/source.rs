//! Where a new storage gets its old data from (storage internals: mark creation and the full copy of a new
//! member).
//!
//! On its first join the storage asks *one* tracker for a source and tells all others. Once a tracker has
//! it as serving, the copy is complete, and from then on the storage tells every tracker that it needs no
//! source. The original goes on naming the source for ever: a tracker that was away during the copy then
//! waits for a copy that nobody makes any more.
//!
//! It starts over when an administrator removed it meanwhile, since its peers then stopped sending it
//! changes. And when every tracker says that the source is gone before the copy was complete, it looks
//! again: another tracker may know a newer source, or the copy was complete after all, or it starts over.

use std::collections::BTreeMap;

use fdfs_proto::StorageStatus;
use fdfs_proto::tracker::sync_source::SyncSource;

use super::leader::is_live;
use super::{JoinRecord, Link, Membership, TrackerIndex};

/// How far the search for a source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum SourceSearch {
    /// Nobody searches.
    #[default]
    Idle,
    /// This tracker is being asked for a source.
    Asking(TrackerIndex),
    /// Every tracker has lost the source: each is asked what it knows about this storage.
    Rechecking(BTreeMap<TrackerIndex, Recheck>),
}

/// How much of the old data is here, as far as this storage can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// Decided upon in this run. A tracker that has this storage as serving may remember it from before.
    Begun {
        /// Because an administrator had removed it; other trackers may still say so.
        removed: bool,
    },
    /// Decided upon in an earlier run: a tracker that has this storage as serving says that the copy is
    /// complete.
    Known,
    /// Nothing is missing.
    Complete,
}

impl Copy {
    pub(super) fn of_earlier_run(record: &JoinRecord) -> Self {
        match (record.source_settled, record.source) {
            (false, _) => Self::Begun { removed: false },
            (true, None) => Self::Complete,
            (true, Some(_)) => Self::Known,
        }
    }
}

/// What one tracker knows about this storage while its source is in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recheck {
    /// The status it has there; `None` when it is unknown there.
    pub(crate) status: Option<StorageStatus>,
    /// The source it has there.
    pub(crate) source: Option<SyncSource>,
}

/// What a joined link has to do about the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceDuty {
    /// Ask for one.
    Ask,
    /// Wait for another link that asks.
    Wait,
    /// Tell this tracker.
    Notify(SyncSource),
    /// Ask what it knows.
    Recheck,
    /// Nothing.
    Nothing,
}

impl Membership {
    /// What a joined link has to do, when it last notified its tracker in `notified` (see
    /// [`Membership::source_notified`]).
    pub(crate) fn source_duty(&self, tracker: TrackerIndex, notified: Option<u32>) -> SourceDuty {
        if !self.record.source_settled {
            return match &self.search {
                SourceSearch::Asking(other) if *other != tracker => SourceDuty::Wait,
                _ => SourceDuty::Ask,
            };
        }
        if notified != Some(self.source_epoch) {
            return SourceDuty::Notify(match self.copy {
                Copy::Complete => SyncSource { src_id: None, until_timestamp: 0 },
                _ => SyncSource { src_id: self.record.source, until_timestamp: self.record.until },
            });
        }
        match &self.search {
            SourceSearch::Rechecking(answers) if !answers.contains_key(&tracker) => SourceDuty::Recheck,
            _ => SourceDuty::Nothing,
        }
    }

    /// Whether every tracker has lost the source, and each is being asked what it knows.
    pub(crate) fn source_in_doubt(&self) -> bool {
        matches!(self.search, SourceSearch::Rechecking(_))
    }

    /// `tracker` is about to be asked for a source.
    pub(crate) fn search_begun(&mut self, tracker: TrackerIndex) {
        self.search = SourceSearch::Asking(tracker);
    }

    /// The connection of a link ended: if it was asking, another one may.
    pub(super) fn release_search(&mut self, tracker: TrackerIndex) {
        if self.search == SourceSearch::Asking(tracker) {
            self.search = SourceSearch::Idle;
            self.touch();
        }
    }

    /// A tracker chose a source, or said that none is needed.
    pub(crate) fn source_found(&mut self, tracker: TrackerIndex, source: Option<SyncSource>) {
        if let Some(link) = self.link_mut(tracker) {
            let waits = source.is_some();
            link.my_status = Some(if waits { StorageStatus::WaitSync } else { StorageStatus::Online });
            link.knows_copy = waits;
        }
        self.copy = match (source, self.copy) {
            (None, _) => Copy::Complete,
            (Some(_), begun @ Copy::Begun { .. }) => begun,
            (Some(_), _) => Copy::Begun { removed: false },
        };
        self.settle(source);
    }

    /// The leader listed this storage.
    pub(super) fn listed(&mut self, tracker: TrackerIndex, status: StorageStatus) {
        if let Some(link) = self.link_mut(tracker) {
            link.listed_status = Some(status);
        }
        self.status_seen(tracker, status);
    }

    /// A tracker said which status this storage has.
    pub(super) fn status_seen(&mut self, tracker: TrackerIndex, status: StorageStatus) {
        if let Some(link) = self.link_mut(tracker) {
            link.knows_copy |= matches!(status, StorageStatus::WaitSync | StorageStatus::Syncing);
        }
        let believed = self.link(tracker).is_some_and(|link| self.believes(link));
        if believed && is_live(status) && self.record.source_settled && !self.is_complete() {
            self.copy_complete();
        }
    }

    /// Whether a tracker that has this storage as serving says so because the copy is complete, and not
    /// because it has not heard of the copy.
    pub(super) fn believes(&self, tracker: &Link) -> bool {
        tracker.knows_copy || matches!(self.copy, Copy::Known | Copy::Complete)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.copy == Copy::Complete
    }

    fn copy_complete(&mut self) {
        self.copy = Copy::Complete;
        self.source_epoch += 1;
        self.touch();
    }

    /// Whether to ask a tracker, before joining it, how it knows this storage: the JOIN would wipe out that
    /// it was removed.
    pub(crate) fn may_have_been_removed(&self) -> bool {
        self.record.source_settled
    }

    /// A tracker said that an administrator removed this storage. True when it has to start over because of
    /// that.
    pub(crate) fn removed(&mut self) -> bool {
        if self.copy == (Copy::Begun { removed: true }) {
            return false;
        }
        self.copy = Copy::Begun { removed: true };
        self.start_over();
        true
    }

    fn start_over(&mut self) {
        self.forget_my_status();
        for link in &mut self.links {
            link.knows_copy = false;
        }
        self.change_record(|record| {
            record.source_settled = false;
            record.source = None;
            record.until = 0;
        });
        self.touch();
    }

    fn settle(&mut self, source: Option<SyncSource>) {
        self.search = SourceSearch::Idle;
        self.source_epoch += 1;
        self.change_record(|record| {
            record.source_settled = true;
            record.source = source.and_then(|source| source.src_id);
            record.until = source.map_or(0, |source| source.until_timestamp);
        });
        self.touch();
    }

    /// Whether a tracker does not know the source. It may only have to hear of it from others, so it is
    /// told again.
    pub(crate) fn source_unknown_at(&self, tracker: TrackerIndex) -> bool {
        self.link(tracker).is_some_and(|link| link.source_unknown)
    }

    /// What a notification that is sent now tells; [`Membership::source_duty`] is asked with it once it is answered.
    pub(crate) fn source_epoch(&self) -> u32 {
        self.source_epoch
    }

    /// A tracker answered the notification about the source that said `told`. While it was under way the copy may have
    /// turned out to be complete.
    pub(crate) fn source_notified(&mut self, tracker: TrackerIndex, told: SyncSource, unknown: bool) {
        let has_source = told.src_id.is_some();
        if let Some(link) = self.link_mut(tracker) {
            link.source_unknown = unknown;
            link.my_status = match (link.my_status, has_source) {
                (Some(StorageStatus::Init), true) if !unknown => Some(StorageStatus::WaitSync),
                (Some(StorageStatus::Init | StorageStatus::WaitSync | StorageStatus::Syncing), false) => {
                    Some(StorageStatus::Online)
                }
                (status, _) => status,
            };
            link.knows_copy |= link.my_status == Some(StorageStatus::WaitSync);
        }
        self.compare_with_leader(tracker);
        let lost = has_source && !self.is_complete() && self.links.iter().all(|link| link.source_unknown);
        if lost && self.search == SourceSearch::Idle {
            self.search = SourceSearch::Rechecking(BTreeMap::new());
            self.touch();
        }
    }

    /// A tracker said what it knows; when all have, it is decided how to go on.
    pub(crate) fn rechecked(&mut self, tracker: TrackerIndex, answer: Recheck) {
        let SourceSearch::Rechecking(answers) = &mut self.search else { return };
        answers.insert(tracker, answer);
        if answers.len() < self.links.len() {
            return;
        }
        let source =
            answers.values().find_map(|answer| answer.source.filter(|source| source.src_id.is_some()));
        let status = answers.values().filter_map(|answer| answer.status).max();
        self.search = SourceSearch::Idle;
        for link in &mut self.links {
            link.source_unknown = false;
        }
        match (source, status) {
            (Some(source), _) => self.settle(Some(source)),
            // The copy never finished: begin again, with another source.
            (None, status) if status.is_none_or(|status| status < StorageStatus::Offline) => {
                self.copy = Copy::Begun { removed: false };
                self.start_over();
            }
            // The copy was complete before its source went away; nothing is missing, and no tracker need
            // look for it.
            (None, _) => self.copy_complete(),
        }
        self.touch();
    }
}

#[cfg(test)]
mod tests {
    use fdfs_proto::StorageId;
    use fdfs_proto::tracker::join;

    use super::super::Settings;
    use super::*;

    /// Found by the simulator: the tracker waited for ever for a copy that was complete.
    #[test]
    fn a_tracker_that_was_told_of_a_source_while_the_copy_turned_out_complete_is_told_that_none_is_needed() {
        let settings =
            Settings { group: None, port: 23000, server_id: None, local_ips: Vec::new(), tracker_count: 2 };
        let source = StorageId::new(b"10.1.0.1");
        let record = JoinRecord { source_settled: true, source, until: 7, ..JoinRecord::first(0) };
        let mut membership = Membership::new(settings, record);
        let (follower, leader) = (TrackerIndex(0), TrackerIndex(1));
        let joined = |status| join::Got { status, src_id: None };

        membership.join_answered(follower, Some(&joined(StorageStatus::WaitSync)));
        let told = SyncSource { src_id: source, until_timestamp: 7 };
        assert_eq!(membership.source_duty(follower, None), SourceDuty::Notify(told));
        let epoch = membership.source_epoch();
        membership.join_answered(leader, Some(&joined(StorageStatus::Online)));
        membership.source_notified(follower, told, false);

        let none = SyncSource { src_id: None, until_timestamp: 0 };
        assert_eq!(membership.source_duty(follower, Some(epoch)), SourceDuty::Notify(none));
    }
}
