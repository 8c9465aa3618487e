//! What the trunk server of a group reports (72, 73, 74).

use fdfs_fileid::GroupName;
use fdfs_proto::tracker::trunk::FileNumber;

use super::Cluster;
use crate::{Action, Caller, Now, Refusal, Reply, Section};

impl Cluster {
    /// FETCH_TRUNK_FID (72).
    pub(super) fn trunk_file_id(&self, from: Caller) -> Result<Reply, Refusal> {
        let (group, _) = self.joined(from)?;
        Ok(Reply::TrunkFileId(FileNumber { id: self.group(group)?.trunk_file_id }))
    }

    /// REPORT_TRUNK_FID (73).
    pub(super) fn report_trunk_file_id(
        &mut self,
        now: Now,
        from: Caller,
        id: u32,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let name = self.joined_trunk_server(from)?;
        let group = self.group_mut(name)?;
        if id > group.trunk_file_id {
            group.trunk_file_id = id;
            self.save_now(Section::Groups, true, now, out);
        }
        Ok(Reply::Done)
    }

    /// REPORT_TRUNK_FREE (74).
    pub(super) fn report_trunk_free(&mut self, from: Caller, free_mb: u64) -> Result<Reply, Refusal> {
        let name = self.joined_trunk_server(from)?;
        self.group_mut(name)?.trunk_free_mb = free_mb;
        Ok(Reply::Done)
    }

    fn joined_trunk_server(&self, from: Caller) -> Result<GroupName, Refusal> {
        let (group, id) = self.joined(from)?;
        match self.group(group)?.trunk_server {
            Some(trunk_server) if trunk_server == id => Ok(group),
            _ => Err(Refusal::NotTrunkServer),
        }
    }
}
