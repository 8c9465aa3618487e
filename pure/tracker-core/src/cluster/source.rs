//! Where a new storage gets its old data (87, 88, 86, 79).

use fdfs_fileid::GroupName;
use fdfs_proto::tracker::sync_source;
use fdfs_proto::{StorageId, StorageStatus};

use super::Cluster;
use crate::status::{self, Cause, has_data, is_tombstone};
use crate::{Action, Caller, Now, Refusal, Reply, Section, SyncSource};

impl Cluster {
    /// SYNC_DEST_REQ (87): finds a source, or finds that none is needed.
    pub(super) fn request_source(
        &mut self,
        now: Now,
        from: Caller,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (name, id) = self.joined(from)?;
        let group = self.group(name)?;
        let others = || group.members.values().filter(|member| member.id != id);
        if !others().any(|member| has_data(member.status)) {
            self.joined_member(from)?.sync_source = None;
            self.move_and_save(now, name, id, Cause::NoSourceNeeded, out);
            return Ok(reply(None));
        }
        // One that takes no uploads has the same files; without it a group that begins with such a one never grows.
        let source = others()
            .find(|member| member.is_writable())
            .or_else(|| others().find(|member| member.is_active()))
            .ok_or(Refusal::NothingWritable)?
            .id;
        let source = SyncSource { source, until: now.wall };
        self.joined_member(from)?.sync_source = Some(source);
        self.move_and_save(now, name, id, Cause::SourceFound, out);
        Ok(reply(Some(source)))
    }

    /// SYNC_NOTIFY (88): the storage found its source with another tracker, or long ago.
    pub(super) fn notify_source(
        &mut self,
        now: Now,
        from: Caller,
        source: Option<StorageId>,
        until: i64,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let (name, id) = self.joined(from)?;
        let Some(source) = source else {
            self.move_and_save(now, name, id, Cause::NoSourceNotified, out);
            return Ok(Reply::Done);
        };
        let group = self.group(name)?;
        let stands = group.members.get(&source).is_some_and(|member| !is_tombstone(member.status));
        let member = self.joined_member(from)?;
        if member.sync_source.is_none() {
            if !stands || source == id {
                return Err(Refusal::UnknownStorage);
            }
            member.sync_source = Some(SyncSource { source, until });
            self.save_now(Section::Servers, true, now, out);
        }
        self.move_and_save(now, name, id, Cause::SourceNotified, out);
        Ok(Reply::Done)
    }

    /// SYNC_SRC_REQ (86): where another storage gets its old data. A source that is gone is forgotten.
    ///
    /// A storage that waits to be filled and has not said by whom (it joined just now, or its source is gone) is refused
    /// like a new one, and the asker comes again. The original says "by nobody": if the source itself asks in that
    /// moment, it never fills the storage.
    pub(super) fn source_of(
        &mut self,
        now: Now,
        name: GroupName,
        dest: StorageId,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let group = self.group(name)?;
        let member = group.members.get(&dest).ok_or(Refusal::UnknownStorage)?;
        if member.status == StorageStatus::Init || is_tombstone(member.status) {
            return Err(Refusal::UnknownStorage);
        }
        let Some(source) = member.sync_source else {
            return match member.status {
                StorageStatus::WaitSync | StorageStatus::Syncing => Err(Refusal::UnknownStorage),
                _ => Ok(reply(None)),
            };
        };
        let status = group.members.get(&source.source).map(|member| member.status);
        if status.is_some_and(|status| has_data(status) || status == StorageStatus::Recovery) {
            return Ok(reply(Some(source)));
        }
        if let Some(member) = self.member_mut(name, &dest) {
            member.sync_source = None;
        }
        self.save_now(Section::Servers, false, now, out);
        Ok(reply(None))
    }

    /// SYNC_DEST_QUERY (79): where the storage itself gets its old data.
    pub(super) fn own_source(&mut self, from: Caller) -> Result<Reply, Refusal> {
        let (group, id) = self.joined(from)?;
        let member = self.group(group)?.members.get(&id).ok_or(Refusal::NotJoined)?;
        Ok(reply(member.sync_source))
    }

    /// Moves a storage as the life cycle says and has it on disk before the answer: the storage will not ask
    /// again.
    fn move_and_save(
        &mut self,
        now: Now,
        group: GroupName,
        id: StorageId,
        cause: Cause,
        out: &mut Vec<Action>,
    ) {
        let Some(member) = self.member_mut(group, &id) else { return };
        let old = member.status;
        let new = status::after(cause, old);
        self.set_status(now, group, id, new, out);
        if old != new {
            self.save_now(Section::Servers, true, now, out);
        }
    }
}

fn reply(source: Option<SyncSource>) -> Reply {
    let source = source
        .map(|source| sync_source::SyncSource { src_id: Some(source.source), until_timestamp: source.until });
    Reply::Source(sync_source::Got { source })
}
