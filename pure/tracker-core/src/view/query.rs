//! Where clients upload, download and change files (101–107). Nothing changes but whose turn it is.

use std::net::IpAddr;

use fdfs_fileid::{FileName, GroupName};
use fdfs_proto::tracker::{Server, query_fetch, query_store};
use fdfs_proto::{IpText, StorageId};

use super::View;
use crate::placement::{check_group, pick_group, pick_path, pick_server};
use crate::routing::{self, Origin};
use crate::{Group, Member, Now, Refusal};

impl View {
    /// QUERY_STORE_ONE (101, 104): one storage for an upload.
    pub fn store_one(&self, group: Option<GroupName>, peer: IpAddr) -> Result<query_store::Got, Refusal> {
        let group = self.store_group(group)?;
        let id = pick_server(&self.config.placement, group)?;
        let path = pick_path(&self.config.placement, group, &id)?;
        Ok(query_store::Got { group: group.name, server: server(group, &id, peer)?, path })
    }

    /// QUERY_STORE_ALL (106, 107): every storage for an upload; the store path is the first one's.
    pub fn store_all(&self, group: Option<GroupName>, peer: IpAddr) -> Result<query_store::GotAll, Refusal> {
        let group = self.store_group(group)?;
        let first = group.writable().next().ok_or(Refusal::NothingWritable)?.id;
        let path = pick_path(&self.config.placement, group, &first)?;
        let servers = group.writable().map(|member| server_of(member, peer)).collect();
        Ok(query_store::GotAll { group: group.name, servers, path })
    }

    fn store_group(&self, named: Option<GroupName>) -> Result<&Group, Refusal> {
        let name = match named {
            Some(name) => check_group(&self.config.placement, self.group(name)?)?,
            None => pick_group(&self.config.placement, &self.groups, &self.group_turn)?,
        };
        self.group(name)
    }

    /// QUERY_FETCH_ONE (102): one storage for a download.
    pub fn fetch_one(
        &self,
        now: Now,
        name: GroupName,
        file: &FileName,
        peer: IpAddr,
    ) -> Result<query_fetch::Got, Refusal> {
        let group = self.group(name)?;
        let id = routing::fetch_one(&self.config.placement, now.wall, group, Origin::of(file))?;
        Ok(query_fetch::Got { group: name, server: server(group, &id, peer)? })
    }

    /// QUERY_FETCH_ALL (105): every storage for a download.
    pub fn fetch_all(
        &self,
        now: Now,
        name: GroupName,
        file: &FileName,
        peer: IpAddr,
    ) -> Result<query_fetch::GotAll, Refusal> {
        let group = self.group(name)?;
        let ids = routing::fetch_all(&self.config.placement, now.wall, group, Origin::of(file))?;
        let servers = ids.iter().map(|id| server(group, id, peer)).collect::<Result<_, _>>()?;
        Ok(query_fetch::GotAll { group: name, servers })
    }

    /// QUERY_UPDATE (103): the storage that changes a file.
    pub fn update(
        &self,
        name: GroupName,
        file: &FileName,
        peer: IpAddr,
    ) -> Result<query_fetch::Got, Refusal> {
        let group = self.group(name)?;
        let id = routing::update(&self.config.placement, group, Origin::of(file))?;
        Ok(query_fetch::Got { group: name, server: server(group, &id, peer)? })
    }
}

fn server(group: &Group, id: &StorageId, peer: IpAddr) -> Result<Server, Refusal> {
    group.members.get(id).map(|member| server_of(member, peer)).ok_or(Refusal::UnknownStorage)
}

fn server_of(member: &Member, peer: IpAddr) -> Server {
    Server { ip: IpText::from(member.addrs.seen_by(peer)), port: member.port }
}
