//! What administrators and renamed storages change, and the changelog that tells of it (93, 108, 78, 77).

use std::net::IpAddr;

use fdfs_fileid::GroupName;
use fdfs_format::tracker::changelog::Change;
use fdfs_proto::{IpText, StorageId, StorageStatus};

use super::join::make_room;
use super::{Cluster, Session};
use crate::ids::{Identity, id_of_addr};
use crate::status::is_tombstone;
use crate::{Action, Caller, Group, Member, Naming, Note, Now, Refusal, Reply, Section, ServerAddrs};

impl Cluster {
    /// DELETE_STORAGE (93): only a tombstone remains, so that the other storages learn of it.
    pub(super) fn delete_storage(
        &mut self,
        now: Now,
        name: GroupName,
        id: StorageId,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        match self.group(name)?.members.get(&id).map(|member| member.status) {
            None | Some(StorageStatus::IpChanged) => return Err(Refusal::UnknownStorage),
            Some(StorageStatus::Deleted) => return Err(Refusal::AlreadyDone),
            Some(StorageStatus::Online | StorageStatus::Active | StorageStatus::Recovery) => {
                return Err(Refusal::StorageInUse);
            }
            Some(_) => {}
        }
        self.write_changelog(now, name, id, StorageStatus::Deleted, None, out)?;
        self.set_status(now, name, id, StorageStatus::Deleted, out);
        for member in self.group_mut(name)?.members.values_mut() {
            member.sync_source = member.sync_source.filter(|source| source.source != id);
        }
        self.save_now(Section::Servers, true, now, out);
        Ok(Reply::Done)
    }

    /// DELETE_GROUP (108).
    pub(super) fn delete_group(
        &mut self,
        now: Now,
        name: GroupName,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        if !self.group(name)?.members.is_empty() {
            return Err(Refusal::GroupNotEmpty);
        }
        self.changing().remove(&name);
        out.push(Action::Note(Note::GroupDeleted(name)));
        self.save_now(Section::Groups, true, now, out);
        Ok(Reply::Done)
    }

    /// REPORT_IP_CHANGED (78): a storage that is named by its address has a new one. Its record moves, a
    /// tombstone stays under the old name.
    pub(super) fn report_ip_changed(
        &mut self,
        now: Now,
        from: Caller,
        name: GroupName,
        old: IpAddr,
        new: IpAddr,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        if !matches!(self.config.naming, Naming::ByAddress) {
            return Err(Refusal::SwitchedOff);
        }
        if new.to_canonical() != from.peer {
            return Err(Refusal::BadValue);
        }
        let old_id = id_of_addr(old).ok_or(Refusal::BadValue)?;
        let new_id = id_of_addr(new).ok_or(Refusal::BadValue)?;
        let group = self.group(name)?;
        // Not every tracker hears of every move: the storage tells the last address that all of them know.
        let old_id = group.now_called(&old_id).map_or(old_id, |member| member.id);
        if old_id == new_id {
            return Err(Refusal::AlreadyDone);
        }
        match group.members.get(&old_id).map(|member| member.status) {
            None | Some(StorageStatus::Deleted) => return Err(Refusal::UnknownStorage),
            Some(StorageStatus::IpChanged) => return Err(Refusal::AlreadyDone),
            Some(StorageStatus::Online | StorageStatus::Active | StorageStatus::Recovery) => {
                return Err(Refusal::StorageInUse);
            }
            Some(_) => {}
        }
        if group.members.get(&new_id).is_some_and(|member| !is_free(member)) {
            return Err(Refusal::AddressTaken);
        }
        self.move_storage(now, name, old_id, new_id, new, out)?;
        Ok(Reply::Done)
    }

    /// A storage joins under an id that it had before and gave up. It does not report that, as it goes by the last address
    /// that all trackers knew. It is the same one, as the second of its installation shows.
    pub(super) fn take_back(
        &mut self,
        now: Now,
        name: GroupName,
        who: &Identity,
        join_time: i64,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let Some(group) = self.groups.get(&name) else { return Ok(()) };
        let given_up =
            group.members.get(&who.id).is_some_and(|member| member.status == StorageStatus::IpChanged);
        let Some(member) = group.now_called(&who.id).filter(|_| given_up) else { return Ok(()) };
        if member.connections > 0 || member.join_time != join_time {
            return Ok(());
        }
        self.move_storage(now, name, member.id, who.id, who.addrs.first(), out)
    }

    fn move_storage(
        &mut self,
        now: Now,
        name: GroupName,
        old_id: StorageId,
        new_id: StorageId,
        new: IpAddr,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        self.write_changelog(now, name, old_id, StorageStatus::IpChanged, Some(new_id), out)?;
        rename(self.group_mut(name)?, old_id, new_id, ServerAddrs::one(new));
        for session in self.sessions.values_mut() {
            if let Session::Storage { group, id, .. } = session
                && (*group, *id) == (name, old_id)
            {
                *id = new_id;
            }
        }
        out.push(Action::Note(Note::AddrChanged { group: name, old: old_id, new: new_id }));
        self.save_now(Section::Groups, true, now, out);
        self.save_now(Section::Servers, true, now, out);
        self.save_now(Section::SyncTimes, true, now, out);
        Ok(())
    }

    /// CHANGELOG_REQ (77): the next page for a storage, which counts as read.
    pub(super) fn read_changelog(
        &mut self,
        now: Now,
        from: Caller,
        of: Option<(GroupName, StorageId)>,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (group, id) = match of {
            Some(named) => named,
            // From a connection that has not joined, a body without names is one of the wrong length.
            None => self.joined(from).map_err(|_| Refusal::BadValue)?,
        };
        let member = self.group(group)?.members.get(&id).ok_or(Refusal::UnknownStorage)?;
        let page = self.changelog.page(member.changelog_offset).to_vec();
        if page.is_empty() {
            return Ok(Reply::Changelog(page));
        }
        if let Some(member) = self.member_mut(group, &id) {
            member.changelog_offset += page.len() as u64;
        }
        self.save_now(Section::Servers, true, now, out);
        Ok(Reply::Changelog(page))
    }

    fn write_changelog(
        &mut self,
        now: Now,
        group: GroupName,
        id: StorageId,
        status: StorageStatus,
        new_id: Option<StorageId>,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let line = Change {
            timestamp: now.wall,
            group_name: group,
            storage: id,
            status,
            new_address: new_id.and_then(|id| IpText::new(id.as_bytes())),
        };
        self.changelog.append(&line.encode())?;
        self.save_now(Section::Changelog, true, now, out);
        Ok(())
    }

    /// The text of the changelog, for saving.
    pub fn changelog(&self) -> &[u8] {
        self.changelog.text()
    }
}

/// Whether a storage that moves may have the id of this one: nobody uses it any more, or it is all that is known, from
/// others who heard of the move earlier.
fn is_free(member: &Member) -> bool {
    let never_joined = member.join_time == 0 && member.up_time == 0;
    member.connections == 0 && (is_tombstone(member.status) || never_joined)
}

/// Gives a member another id and address, in its record and wherever it is referred to.
fn rename(group: &mut Group, old: StorageId, new: StorageId, addrs: ServerAddrs) {
    group.remove(&new);
    // A full group goes without the tombstone rather than without the storage.
    let room = make_room(group);
    let Some(mut member) = group.members.remove(&old) else { return };
    if let Ok(evicted) = room {
        if let Some(evicted) = evicted {
            group.remove(&evicted);
        }
        let tombstone = Member::new(old, member.addrs, member.port, StorageStatus::IpChanged, member.rw);
        group.members.insert(old, tombstone);
    }
    member.id = new;
    member.addrs = addrs;
    group.members.insert(new, member);
    let renamed = |id: StorageId| if id == old { new } else { id };
    for member in group.members.values_mut() {
        if let Some(source) = &mut member.sync_source {
            source.source = renamed(source.source);
        }
    }
    group.trunk_server = group.trunk_server.map(renamed);
    group.last_trunk_server = group.last_trunk_server.map(renamed);
    let synced = std::mem::take(&mut group.synced);
    group.synced = synced.into_iter().map(|((a, b), time)| ((renamed(a), renamed(b)), time)).collect();
    group.note_move(old, new);
    group.changed();
}
