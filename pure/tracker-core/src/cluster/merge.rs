//! Statuses reported by others, or asked for (76, 85, 59).

use fdfs_fileid::GroupName;
use fdfs_proto::{Brief, StorageStatus};

use super::Cluster;
use super::join::make_room;
use crate::status;
use crate::{Action, Caller, Now, Refusal, Reply};

impl Cluster {
    /// REPORT_STATUS (76): a source moves the storage it fills; a storage reports that it rebuilds a disk.
    pub(super) fn report_status(
        &mut self,
        now: Now,
        from: Caller,
        group: GroupName,
        brief: &Brief,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        self.group(group)?;
        self.merge(now, from, group, brief, out)?;
        Ok(Reply::Done)
    }

    /// REPLICA_CHG (85): what a storage knows better than this tracker. A leader knows best itself.
    pub(super) fn report_replicas(
        &mut self,
        now: Now,
        from: Caller,
        briefs: &[Brief],
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (group, _) = self.joined(from)?;
        if self.trackers().leads() {
            return Ok(Reply::Done);
        }
        for brief in briefs {
            self.merge(now, from, group, brief, out)?;
        }
        Ok(Reply::Done)
    }

    fn merge(
        &mut self,
        now: Now,
        from: Caller,
        name: GroupName,
        brief: &Brief,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        if brief.status == StorageStatus::None {
            return Ok(());
        }
        let id = brief.id.ok_or(Refusal::BadValue)?;
        let group = self.group(name)?;
        if let Some(member) = group.members.get(&id) {
            let about_itself = member.addrs.contains(from.peer);
            let next = status::merged(member.status, brief.status, about_itself);
            self.set_status(now, name, id, next, out);
            return Ok(());
        }
        // Who has not heard that it left does not bring it back: it joins if it is there again. It is not known any more
        // after a restart, as the files do not keep who has left.
        if !status::taken_in(brief.status) || self.changelog.says_left(name, id) {
            return Ok(());
        }
        let who = self.config.naming.reported(&name, id, brief.ip.ip())?;
        let evicted = make_room(group)?;
        self.add_member(now, name, who, brief.port, brief.status, evicted, out);
        Ok(())
    }

    /// CHANGE_STATUS (59): the storage was told by the leader what it is.
    pub(super) fn change_status(
        &mut self,
        now: Now,
        from: Caller,
        requested: StorageStatus,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (group, id) = self.joined(from)?;
        let known = self.joined_member(from)?.status;
        self.set_status(now, group, id, status::requested(known, requested), out);
        Ok(Reply::Done)
    }
}
