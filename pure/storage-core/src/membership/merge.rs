//! How what the leading tracker says is merged into what this storage knows (wire protocol: the change list).

use std::collections::BTreeSet;

use fdfs_proto::limits::GROUP_STORAGES_MAX;
use fdfs_proto::tracker::change_list;
use fdfs_proto::{Brief, Host, StorageId, StorageStatus};

use super::{Membership, Peer, TrackerIndex, has_left};

/// Changes of address that are remembered.
const MOVED_MAX: usize = 1024;

/// What a change list asks of the link it came over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What this storage knows differently, to be sent back with REPLICA_CHG.
    pub differences: Vec<Brief>,
    /// The tracker still waits for a copy of old files that this very storage knows to be complete: what it
    /// must be told.
    ///
    /// The original only joins again, which changes nothing on that tracker: when it came back to lead
    /// after the copy, the storage stays out for good.
    pub correction: Option<StorageStatus>,
}

/// What to do with a reported status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Adopt,
    Object,
}

/// A status that differs from the local one: the tracker knows better, except that it can lag behind what the
/// storages tell each other about a copy of old data.
fn judge(local: StorageStatus, reported: StorageStatus) -> Verdict {
    use StorageStatus::{Active, Deleted, Init, IpChanged, None, Offline, Online, Syncing, WaitSync};
    match (local, reported) {
        // Tombstones: whatever comes after them is new.
        (Deleted | IpChanged | None | Offline, _) => Verdict::Adopt,
        (Active | Online | Init, Offline) => Verdict::Adopt,
        (_, Offline) => Verdict::Object,
        (local, WaitSync | Syncing) if local > reported => Verdict::Object,
        _ => Verdict::Adopt,
    }
}

impl Membership {
    /// Takes in a change list that came from `tracker`.
    pub fn merge(&mut self, tracker: TrackerIndex, list: &change_list::Got) -> Merged {
        if let Some(leader) = &list.leader {
            let leader = leader.ip.ip().map(|ip| Host::new(ip, leader.port));
            // The same tracker, with all addresses it is known by.
            let known = leader.map(|leader| {
                let same = |host: &Host| host.port == leader.port && host.ips().any(|ip| ip == leader.ip);
                self.links.iter().filter_map(|link| link.host).find(same).unwrap_or(leader)
            });
            self.leader_named(tracker, known);
        }
        if let Some(trunk_server) = &list.trunk_server
            && self.trunk_server != trunk_server.id
        {
            self.trunk_server = trunk_server.id;
            self.trunk_file_id = None;
            self.trunk_epoch += 1;
            self.touch();
        }
        list.storages.as_ref().map(|storages| self.merge_storages(tracker, storages)).unwrap_or_default()
    }

    fn merge_storages(&mut self, tracker: TrackerIndex, list: &[Brief]) -> Merged {
        let mut merged = Merged::default();
        let mut listed = BTreeSet::new();
        self.surplus.clear();
        for brief in list {
            let Some(id) = brief.id else { continue };
            listed.insert(id);
            let mine = self.is_me(brief);
            if mine {
                self.listed(tracker, brief.status);
            }
            let reported = Peer { status: brief.status, ip: brief.ip, port: brief.port };
            match self.servers.get(&id).copied() {
                None => self.add_server(id, reported),
                Some(local) if local.status == reported.status => self.set_server(id, reported),
                // The end of the copy, as seen by the one that got it.
                Some(_) if mine && reported.status == StorageStatus::Offline && self.is_complete() => {
                    self.set_server(id, reported);
                }
                Some(local) => match judge(local.status, reported.status) {
                    Verdict::Adopt => self.set_server(id, reported),
                    Verdict::Object => {
                        merged.differences.push(Peer { status: local.status, ..reported }.brief(id));
                        if mine && matches!(reported.status, StorageStatus::WaitSync | StorageStatus::Syncing)
                        {
                            merged.correction = Some(local.status);
                        }
                    }
                },
            }
        }
        let unlisted = self.servers.iter().filter(|(id, _)| !listed.contains(id));
        merged.differences.extend(unlisted.map(|(id, peer)| peer.brief(*id)));
        merged.differences.truncate(GROUP_STORAGES_MAX);
        merged
    }

    fn add_server(&mut self, id: StorageId, server: Peer) {
        if matches!(server.status, StorageStatus::Deleted | StorageStatus::IpChanged) {
            return;
        }
        // The protocol ends at 32; further servers are shown as surplus rather than breaking the connection.
        if self.servers.len() >= GROUP_STORAGES_MAX && !self.forget_one_that_left() {
            self.surplus.insert(id);
            self.touch();
            return;
        }
        self.set_server(id, server);
    }

    fn set_server(&mut self, id: StorageId, server: Peer) {
        if self.servers.insert(id, server) != Some(server) {
            self.touch();
        }
    }

    fn forget_one_that_left(&mut self) -> bool {
        let left = self.servers.iter().find(|(_, server)| has_left(server.status)).map(|(id, _)| *id);
        left.is_some_and(|id| self.servers.remove(&id).is_some())
    }

    /// A line of the changelog said that a server of this group goes by another id now.
    pub(crate) fn server_moved(&mut self, old: StorageId, new: StorageId) {
        if self.moved.len() >= MOVED_MAX && !self.moved.contains_key(&old) {
            self.moved.pop_first();
        }
        self.moved.insert(old, new);
        // It may have had this one before.
        self.moved.remove(&new);
        self.touch();
        if let Some(mut server) = self.servers.get(&old).copied() {
            server.status = StorageStatus::IpChanged;
            self.set_server(old, server);
        }
        // The same storage still sends the old data.
        if self.record.source == Some(old) {
            self.change_record(|record| record.source = Some(new));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StorageStatus::{
        Active, Deleted, Init, IpChanged, None, Offline, Online, Recovery, Syncing, WaitSync,
    };
    use super::*;

    #[test]
    fn a_tracker_that_sees_a_live_peer_offline_is_believed() {
        for local in [Active, Online, Init, None] {
            assert_eq!(judge(local, Offline), Verdict::Adopt, "{local:?}");
        }
    }

    #[test]
    fn offline_does_not_end_a_copy_of_old_data_or_a_recovery() {
        for local in [WaitSync, Syncing, Recovery] {
            assert_eq!(judge(local, Offline), Verdict::Object, "{local:?}");
        }
    }

    #[test]
    fn an_earlier_stage_of_the_copy_than_known_here_is_refused() {
        for (local, reported) in
            [(Syncing, WaitSync), (Active, WaitSync), (Active, Syncing), (Recovery, Syncing)]
        {
            assert_eq!(judge(local, reported), Verdict::Object, "{local:?} {reported:?}");
        }
    }

    #[test]
    fn a_later_stage_is_adopted() {
        for (local, reported) in
            [(Init, WaitSync), (WaitSync, Syncing), (Syncing, Active), (WaitSync, Active), (Offline, Syncing)]
        {
            assert_eq!(judge(local, reported), Verdict::Adopt, "{local:?} {reported:?}");
        }
    }

    #[test]
    fn removal_is_adopted_whatever_the_peer_was() {
        for local in [Init, WaitSync, Syncing, Offline, Online, Active, Recovery] {
            for reported in [Deleted, IpChanged] {
                assert_eq!(judge(local, reported), Verdict::Adopt, "{local:?} {reported:?}");
            }
        }
    }

    #[test]
    fn a_removed_peer_that_comes_back_is_followed_through_its_new_life() {
        for reported in [Init, WaitSync, Syncing, Offline, Online, Active] {
            assert_eq!(judge(Deleted, reported), Verdict::Adopt, "{reported:?}");
        }
    }
}
