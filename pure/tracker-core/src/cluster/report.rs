//! What a joined storage reports again and again (83, 84, 89), and what it is told in return.

use fdfs_conf::tracker::{StorePathChoice, StoreServer};
use fdfs_fileid::GroupName;
use fdfs_proto::tracker::change_list;
use fdfs_proto::tracker::disk_usage;
use fdfs_proto::tracker::sync_report::Synced;
use fdfs_proto::{Brief, IpText, StatBlock, StorageId};

use super::{Cluster, Session};
use crate::status::{self, Cause};
use crate::{Action, Caller, Group, Member, Now, PathSpace, Refusal, Reply};

impl Cluster {
    /// BEAT (83).
    pub(super) fn beat(
        &mut self,
        now: Now,
        from: Caller,
        stat: Option<&StatBlock>,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let member = self.joined_member(from)?;
        let own = member.stat;
        if let Some(stat) = stat {
            // These two are the tracker's own figures, whatever the storage sends.
            member.stat = StatBlock { last_synced_timestamp: own.last_synced_timestamp, ..*stat };
        }
        member.stat.last_heart_beat_time = now.wall;
        if stat.is_some() {
            self.save.servers_changed(now);
        }
        self.alive(now, from, out)?;
        self.changes_for(from)
    }

    /// REPORT_DISK_USAGE (84).
    ///
    /// A storage with more store paths than its group may report all of them; the original wants exactly the
    /// group's and so never lets such a storage finish its first report.
    pub(super) fn report_disks(
        &mut self,
        now: Now,
        from: Caller,
        paths: &[disk_usage::PathSpace],
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (name, id) = self.joined(from)?;
        let balance_paths = self.config.placement.choice.store_path == StorePathChoice::LoadBalance;
        let group = self.group_mut(name)?;
        let member = group.members.get_mut(&id).ok_or(Refusal::NotJoined)?;
        let counts = [group.store_path_count, member.store_path_count];
        if !counts.iter().any(|count| *count as usize == paths.len()) {
            return Err(Refusal::BadValue);
        }
        let old_free_mb = member.space.free_mb;
        member
            .set_paths(paths.iter().map(|path| PathSpace { total_mb: path.total_mb, free_mb: path.free_mb }));
        if balance_paths {
            member.path_turn.set(member.roomiest_path(group.store_path_count).unwrap_or(0) as usize);
        }
        let space = member.space;
        update_group_space(group, space, old_free_mb);
        self.save.servers_changed(now);
        self.alive(now, from, out)?;
        self.changes_for(from)
    }

    /// SYNC_REPORT (89).
    pub(super) fn report_sync(
        &mut self,
        now: Now,
        from: Caller,
        times: &[Synced],
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (name, id) = self.joined(from)?;
        let take_least = self.config.placement.server_in_force() == StoreServer::RoundRobin;
        let group = self.group_mut(name)?;
        let mut counted = Vec::new();
        for entry in times {
            let Some(source) = entry.src_id.filter(|source| *source != id && entry.timestamp > 0) else {
                continue;
            };
            let Some(member) = group.members.get(&source) else { continue };
            if member.is_active() {
                counted.push(i64::from(entry.timestamp));
            }
            group.synced.insert((source, id), entry.timestamp);
        }
        let member = group.members.get_mut(&id).ok_or(Refusal::NotJoined)?;
        let before = member.stat.last_synced_timestamp;
        member.stat.last_synced_timestamp = if take_least {
            counted.iter().copied().min().unwrap_or(before)
        } else {
            counted.iter().copied().fold(before, i64::max)
        };
        self.save.sync_times_changed(now);
        self.save.servers_changed(now);
        self.heard_of(now, from)?;
        self.save_what_is_due(now, out);
        self.changes_for(from)
    }

    fn heard_of(&mut self, now: Now, from: Caller) -> Result<(), Refusal> {
        self.joined_member(from)?.last_beat = Some(now.mono);
        Ok(())
    }

    /// A storage beat or reported its disks: it serves, unless it is still to be filled.
    fn alive(&mut self, now: Now, from: Caller, out: &mut Vec<Action>) -> Result<(), Refusal> {
        self.heard_of(now, from)?;
        let (group, id) = self.joined(from)?;
        let status = self.joined_member(from)?.status;
        let next = status::after(Cause::Beat, status);
        self.set_status(now, group, id, next, out);
        if next != status {
            self.seek_trunk_servers(now, out);
        }
        self.save_what_is_due(now, out);
        Ok(())
    }

    /// The change list for the storage that joined on a connection: what differs from what it was last told
    /// (wire protocol: the change list). Only a leader tells anything.
    fn changes_for(&mut self, from: Caller) -> Result<Reply, Refusal> {
        if !self.trackers().leads() {
            return Ok(Reply::Changes(change_list::Got::default()));
        }
        let (name, id) = self.joined(from)?;
        let use_trunk = self.config.placement.use_trunk;
        let leader_changes = self.trackers().changes();
        let leader = match self.sessions.get_mut(&from.conn) {
            Some(Session::Storage { leader_changes_seen, .. }) if *leader_changes_seen != leader_changes => {
                *leader_changes_seen = leader_changes;
                Some(self.trackers().leader_brief(from.peer))
            }
            _ => None,
        };
        let group = self.group(name)?;
        let member = group.members.get(&id).ok_or(Refusal::NotJoined)?;
        // Another leader may have told it something else meanwhile, though nothing has changed here.
        let tell_all = leader.is_some();
        let tell_trunk = use_trunk && (tell_all || member.trunk_changes_seen != group.trunk_changes);
        let tell_members = tell_all || member.changes_seen != group.changes;
        if !tell_trunk && !tell_members {
            return Ok(Reply::Changes(change_list::Got { leader, trunk_server: None, storages: None }));
        }
        let trunk_server = tell_trunk.then(|| trunk_server_brief(group, from));
        let storages = tell_members.then(|| group.members.values().map(|m| brief_for(m, from)).collect());
        let (changes, trunk_changes) = (group.changes, group.trunk_changes);
        let member = self.joined_member(from)?;
        member.changes_seen = changes;
        member.trunk_changes_seen = trunk_changes;
        Ok(Reply::Changes(change_list::Got { leader, trunk_server, storages }))
    }

    /// Notes that a group's storages must be told of another trunk server.
    pub(super) fn trunk_server_changed(&mut self, name: GroupName) {
        if let Ok(group) = self.group_mut(name) {
            group.trunk_changes += 1;
        }
        self.trunk_changes += 1;
    }
}

/// A group's space is that of its smallest disk, as far as reports can tell (wire protocol: which group).
fn update_group_space(group: &mut Group, reported: PathSpace, old_free_mb: u64) {
    if group.space.free_mb == 0 || reported.free_mb < group.space.free_mb {
        group.space = reported;
    } else if reported.free_mb > old_free_mb {
        // It grew, so it may have been the one that held the group down.
        let least = group.writable().map(|member| member.space).min_by_key(|space| space.free_mb);
        group.space = least.unwrap_or(group.space);
    }
}

fn trunk_server_brief(group: &Group, from: Caller) -> Brief {
    let id: Option<StorageId> = group.trunk_server;
    id.and_then(|id| group.members.get(&id)).map_or(Brief::NOBODY, |member| brief_for(member, from))
}

/// A storage as another server is told of it.
pub(crate) fn brief_for(member: &Member, from: Caller) -> Brief {
    Brief {
        status: member.status,
        port: member.port,
        id: Some(member.id),
        ip: IpText::from(member.addrs.seen_by(from.peer)),
    }
}
