//! Any reply of a tracker with status 0.

use super::{
    change_list, group_name, identity_change, join, leader, list_groups, list_storages, my_ip, parameters,
    query_fetch, query_store, set_trunk_server, storage_cluster_stat, storage_ids, storage_lookup,
    storage_volume_stat, sync_source, sys_files, tracker_cluster_stat, tracker_status, trunk,
};
use crate::field::Reader;
use crate::{AddrWidth, DecodeError, Empty, TrackerCommand, Why};

macro_rules! replies {
    ($($kind:ident $variant:ident($got:ty),)+) => {
        /// A decoded reply, one variant per command that has one.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Reply<'a> {
            $(#[doc = concat!("What answers [`TrackerCommand::", stringify!($variant), "`].")] $variant($got),)+
        }

        impl<'a> Reply<'a> {
            /// Reads the body of a reply with status 0 to this command.
            ///
            /// # Errors
            /// Those of the command's own `decode`; [`Why::Length`] for QUIT, which has no reply.
            pub fn decode(command: TrackerCommand, body: &'a [u8]) -> Result<Reply<'a>, DecodeError> {
                match command {
                    $(TrackerCommand::$variant => replies!(@decode $kind body $got).map(Reply::$variant),)+
                    TrackerCommand::Quit => Err(Reader::new("quit reply", body).fail(Why::Length)),
                }
            }

            /// Which command it answers.
            pub const fn command(&self) -> TrackerCommand {
                match self {
                    $(Reply::$variant(_) => TrackerCommand::$variant,)+
                }
            }

            /// Appends the body, its addresses in this width.
            pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
                match self {
                    $(Reply::$variant(got) => replies!(@encode $kind got width out),)+
                }
            }
        }
    };
    (@decode plain $body:ident $got:ty) => { <$got>::decode($body) };
    (@decode wide $body:ident $got:ty) => { <$got>::decode($body) };
    (@encode plain $got:ident $width:ident $out:ident) => { $got.encode($out) };
    (@encode wide $got:ident $width:ident $out:ident) => { $got.encode($width, $out) };
}

replies! {
    plain JoinLeader(Empty),
    plain ChangeStatus(Empty),
    plain GetMyIp(my_ip::Got),
    plain SysFilesStart(Empty),
    plain SysFilesEnd(Empty),
    plain SysFilesGet(sys_files::Got<'a>),
    plain TrackerStatus(tracker_status::Got),
    plain PingLeader(leader::Pong),
    plain NotifyNextLeader(Empty),
    plain CommitNextLeader(Empty),
    plain ReselectLeader(Empty),
    plain FetchStorageIds(storage_ids::Got<'a>),
    plain GetServerId(storage_lookup::GotId),
    plain GetStorageStatus(storage_lookup::GotStatus),
    plain FetchTrunkFileId(trunk::FileNumber),
    plain ReportTrunkFileId(Empty),
    plain ReportTrunkFree(Empty),
    plain GetParameters(parameters::Got),
    plain ReportStatus(Empty),
    plain GetChangelog(identity_change::GotLog<'a>),
    plain ReportIpChanged(Empty),
    plain SyncDestQuery(sync_source::Got),
    plain Join(join::Got),
    plain Beat(change_list::Got),
    plain ReportDiskUsage(change_list::Got),
    plain ReplicaChange(Empty),
    plain SyncSrcRequest(sync_source::Got),
    plain SyncDestRequest(sync_source::Got),
    plain SyncNotify(Empty),
    plain SyncReport(change_list::Got),
    plain ListOneGroup(list_groups::GotOne),
    plain ListAllGroups(list_groups::GotAll),
    wide ListStorages(list_storages::Got),
    plain DeleteStorage(Empty),
    plain SetTrunkServer(set_trunk_server::Got),
    plain GetLeader(leader::Got),
    plain TrackerClusterStat(tracker_cluster_stat::Got),
    plain StorageClusterStat(storage_cluster_stat::Got),
    plain StorageVolumeStat(storage_volume_stat::Got),
    wide QueryStoreOne(query_store::Got),
    wide QueryFetchOne(query_fetch::Got),
    wide QueryUpdate(query_fetch::Got),
    wide QueryStoreGroupOne(query_store::Got),
    wide QueryFetchAll(query_fetch::GotAll),
    wide QueryStoreAll(query_store::GotAll),
    wide QueryStoreGroupAll(query_store::GotAll),
    plain DeleteGroup(Empty),
    plain GetGroupName(group_name::Got),
    plain ActiveTest(Empty),
}
