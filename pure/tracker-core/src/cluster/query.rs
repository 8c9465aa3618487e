//! Where clients upload, download and change files (101–107).

use fdfs_fileid::{FileName, GroupName, StorePathIndex};
use fdfs_proto::tracker::{Server, query_fetch, query_store};
use fdfs_proto::{IpText, StorageId};

use super::Cluster;
use crate::placement::{check_group, pick_group, pick_path, pick_server};
use crate::routing::{self, Origin};
use crate::{Caller, Group, Member, Now, Refusal, Reply};

impl Cluster {
    /// 101, 104: one storage for an upload.
    pub(super) fn store_one(&mut self, from: Caller, group: Option<GroupName>) -> Result<Reply, Refusal> {
        let name = self.store_group(group)?;
        let config = self.config.placement;
        let group = self.group_mut(name)?;
        let id = pick_server(&config, group)?;
        let path = pick_path(&config, group, &id)?;
        Ok(Reply::StoreOne(query_store::Got { group: name, server: server(group, &id, from)?, path }))
    }

    /// 106, 107: every storage for an upload; the store path is the first one's.
    pub(super) fn store_all(&mut self, from: Caller, group: Option<GroupName>) -> Result<Reply, Refusal> {
        let name = self.store_group(group)?;
        let config = self.config.placement;
        let group = self.group_mut(name)?;
        let first = group.writable().next().ok_or(Refusal::NothingWritable)?.id;
        let path: StorePathIndex = pick_path(&config, group, &first)?;
        let servers = group.writable().map(|member| server_of(member, from)).collect();
        Ok(Reply::StoreAll(query_store::GotAll { group: name, servers, path }))
    }

    fn store_group(&mut self, named: Option<GroupName>) -> Result<GroupName, Refusal> {
        match named {
            Some(name) => check_group(&self.config.placement, self.group(name)?),
            None => pick_group(&self.config.placement, &self.groups, &mut self.group_cursor),
        }
    }

    /// 102: one storage for a download.
    pub(super) fn fetch_one(
        &mut self,
        now: Now,
        from: Caller,
        name: GroupName,
        file: &FileName,
    ) -> Result<Reply, Refusal> {
        let config = self.config.placement;
        let group = self.group_mut(name)?;
        let id = routing::fetch_one(&config, now.wall, group, Origin::of(file))?;
        Ok(Reply::FetchOne(query_fetch::Got { group: name, server: server(group, &id, from)? }))
    }

    /// 105: every storage for a download.
    pub(super) fn fetch_all(
        &mut self,
        now: Now,
        from: Caller,
        name: GroupName,
        file: &FileName,
    ) -> Result<Reply, Refusal> {
        let group = self.group(name)?;
        let ids = routing::fetch_all(&self.config.placement, now.wall, group, Origin::of(file))?;
        let servers = ids.iter().map(|id| server(group, id, from)).collect::<Result<_, _>>()?;
        Ok(Reply::FetchAll(query_fetch::GotAll { group: name, servers }))
    }

    /// 103: the storage that changes a file.
    pub(super) fn update(
        &mut self,
        from: Caller,
        name: GroupName,
        file: &FileName,
    ) -> Result<Reply, Refusal> {
        let config = self.config.placement;
        let group = self.group_mut(name)?;
        let id = routing::update(&config, group, Origin::of(file))?;
        Ok(Reply::FetchOne(query_fetch::Got { group: name, server: server(group, &id, from)? }))
    }
}

fn server(group: &Group, id: &StorageId, from: Caller) -> Result<Server, Refusal> {
    group.members.get(id).map(|member| server_of(member, from)).ok_or(Refusal::UnknownStorage)
}

fn server_of(member: &Member, from: Caller) -> Server {
    Server { ip: IpText::from(member.addrs.seen_by(from.peer)), port: member.port }
}
