//! JOIN (81): a storage logs in.

use std::sync::Arc;

use fdfs_fileid::GroupName;
use fdfs_proto::tracker::join;
use fdfs_proto::{StorageId, StorageStatus};

use super::{Cluster, Session};
use crate::group::GroupPort;
use crate::ids::Identity;
use crate::limits::{GROUPS_MAX, MEMBERS_MAX};
use crate::status::{self, Cause, is_tombstone};
use crate::{Action, Caller, Group, Member, Note, Now, Refusal, Reply, Section};

impl Cluster {
    /// Takes a storage in, or back (wire protocol: JOIN, what the tracker does).
    ///
    /// Everything is checked before anything changes, but for the trackers learnt on the way: those are true
    /// whoever this storage is.
    pub(super) fn join(
        &mut self,
        now: Now,
        from: Caller,
        ask: &join::Ask,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let joiner = &ask.joiner;
        self.learn_trackers(now, from, ask, out)?;
        let who =
            self.config.naming.identify(&joiner.group, joiner.storage_id, from.peer, joiner.storage_port)?;
        self.take_back(now, joiner.group, &who, joiner.join_time, out)?;
        let known = self.groups.get(&joiner.group);
        let known_member = known.and_then(|group| group.members.get(&who.id));
        if known.is_none() && self.groups.len() >= GROUPS_MAX {
            return Err(Refusal::LimitReached);
        }
        let first_status = match known_member {
            Some(_) => None,
            None => Some(status::first(joiner.init, joiner.status).ok_or(Refusal::ImpossibleStatus)?),
        };
        let shape = match known {
            Some(group) => Shape::of(group).with(joiner, group, &who.id, self.config.naming.mixed_ports())?,
            None => Shape::new(joiner),
        };
        let evicted = match known {
            Some(group) if first_status.is_some() => make_room(group)?,
            _ => None,
        };

        self.leave_session(now, from, out);
        self.add_group(now, joiner.group, out);
        if let Some(status) = first_status {
            self.add_member(now, joiner.group, who, joiner.storage_port, status, evicted, out);
        }
        self.set_shape(now, joiner.group, shape, out);
        self.update_member(joiner, who);
        if first_status.is_none() {
            self.rejoined(now, joiner.group, who.id, out);
        }
        self.sessions
            .insert(from.conn, Session::Storage { group: joiner.group, id: who.id, leader_changes_seen: 0 });
        let member = self.joined_member(from)?;
        Ok(Reply::Joined(join::Got {
            status: member.status,
            src_id: member.sync_source.map(|source| source.source),
        }))
    }

    fn learn_trackers(
        &mut self,
        now: Now,
        from: Caller,
        ask: &join::Ask,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let learnt = self.election.learn(now, [from.local], ask.joiner.tracker_ip.ip(), &ask.trackers)?;
        for (addrs, port) in &learnt.added {
            out.push(Action::Note(Note::TrackerLearnt { addrs: *addrs, port: *port }));
        }
        if learnt.leader_changed {
            self.note_leader(now, out);
        }
        self.view = None;
        Ok(())
    }

    /// A connection that joins again stands for the storage of its last JOIN only.
    fn leave_session(&mut self, now: Now, from: Caller, out: &mut Vec<Action>) {
        if let Some(Session::Storage { group, id, .. }) = self.sessions.remove(&from.conn) {
            self.left(now, group, id, out);
        }
    }

    pub(super) fn add_group(&mut self, now: Now, name: GroupName, out: &mut Vec<Action>) {
        if self.groups.contains_key(&name) {
            return;
        }
        self.group_numbers += 1;
        let group = Group { number: self.group_numbers, ..Group::new(name) };
        self.changing().insert(name, Arc::new(group));
        out.push(Action::Note(Note::GroupAdded(name)));
        self.save_now(Section::Groups, true, now, out);
    }

    /// Adds a storage that was not known. `evicted` is the tombstone that makes room for it.
    #[allow(clippy::too_many_arguments, reason = "a storage is that many things")]
    pub(super) fn add_member(
        &mut self,
        now: Now,
        name: GroupName,
        who: Identity,
        port: u16,
        status: StorageStatus,
        evicted: Option<StorageId>,
        out: &mut Vec<Action>,
    ) {
        let changelog_end = self.changelog.len();
        let Ok(group) = self.group_mut(name) else { return };
        if let Some(evicted) = evicted {
            group.remove(&evicted);
        }
        let mut member = Member::new(who.id, who.addrs, port, status, who.rw);
        member.changelog_offset = changelog_end;
        group.members.insert(who.id, member);
        group.changed();
        out.push(Action::Note(Note::StorageAdded { group: name, id: who.id, addrs: who.addrs }));
        self.save_now(Section::Servers, true, now, out);
    }

    fn set_shape(&mut self, now: Now, name: GroupName, shape: Shape, out: &mut Vec<Action>) {
        let Ok(group) = self.group_mut(name) else { return };
        if Shape::of(group) == shape {
            return;
        }
        group.port = shape.port;
        group.store_path_count = shape.store_path_count;
        group.subdir_count = shape.subdir_count;
        self.save_now(Section::Groups, true, now, out);
    }

    fn update_member(&mut self, joiner: &join::Joiner, who: Identity) {
        let Some(member) = self.member_mut(joiner.group, &who.id) else { return };
        member.addrs = who.addrs;
        member.rw = who.rw;
        member.port = joiner.storage_port;
        member.version = joiner.version;
        member.join_time = joiner.join_time;
        member.up_time = joiner.up_time;
        member.upload_priority = joiner.upload_priority;
        member.store_path_count = count(joiner.store_path_count);
        member.subdir_count = count(joiner.subdir_count_per_path);
        member.connections += 1;
        // A storage that starts knows nobody, so what an earlier connection was told does not count.
        member.changes_seen = 0;
        member.trunk_changes_seen = 0;
    }

    /// A storage that is known comes back.
    fn rejoined(&mut self, now: Now, group: GroupName, id: StorageId, out: &mut Vec<Action>) {
        let changelog_end = self.changelog.len();
        let Some(member) = self.member_mut(group, &id) else { return };
        if is_tombstone(member.status) {
            // It begins anew: as somebody who has read nothing and has no source.
            member.changelog_offset = changelog_end;
            member.sync_source = None;
        }
        let next = status::after(Cause::Joined, member.status);
        self.set_status(now, group, id, next, out);
    }
}

/// A number that the decoder has checked to be at most 256.
fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The tombstone to drop for one more storage, when the group is full.
pub(super) fn make_room(group: &Group) -> Result<Option<StorageId>, Refusal> {
    if group.members.len() < MEMBERS_MAX {
        return Ok(None);
    }
    let tombstone =
        group.members.values().find(|member| is_tombstone(member.status) && member.connections == 0);
    tombstone.map(|member| Some(member.id)).ok_or(Refusal::LimitReached)
}

/// What the storages of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    port: GroupPort,
    store_path_count: u32,
    subdir_count: u32,
}

impl Shape {
    fn of(group: &Group) -> Self {
        Self { port: group.port, store_path_count: group.store_path_count, subdir_count: group.subdir_count }
    }

    /// A new group's: its first storage's.
    fn new(joiner: &join::Joiner) -> Self {
        Self {
            port: GroupPort::One(joiner.storage_port),
            store_path_count: count(joiner.store_path_count),
            subdir_count: count(joiner.subdir_count_per_path),
        }
    }

    /// The group's shape once `id` has joined as `joiner`. A storage may change the shape when all others have
    /// changed theirs already; one with more store paths than the group is welcome as it is (wire protocol:
    /// JOIN).
    fn with(
        self,
        joiner: &join::Joiner,
        group: &Group,
        id: &StorageId,
        mixed_ports: bool,
    ) -> Result<Self, Refusal> {
        // Whoever was only reported by others and never joined here has announced nothing.
        let others = || group.standing().filter(|member| member.id != *id && member.store_path_count > 0);
        let announced = Self::new(joiner);
        let port = match self.port {
            GroupPort::One(port) if port == joiner.storage_port => self.port,
            _ if others().all(|member| member.port == joiner.storage_port) => announced.port,
            _ if mixed_ports => GroupPort::Mixed,
            _ => return Err(Refusal::DiffersFromGroup),
        };
        let paths = announced.store_path_count;
        let store_path_count = match others().all(|member| member.store_path_count == paths) {
            true => paths,
            false if paths >= self.store_path_count => self.store_path_count,
            false => return Err(Refusal::DiffersFromGroup),
        };
        let subdirs = announced.subdir_count;
        if self.subdir_count != subdirs && others().any(|member| member.subdir_count != subdirs) {
            return Err(Refusal::DiffersFromGroup);
        }
        Ok(Self { port, store_path_count, subdir_count: subdirs })
    }
}
