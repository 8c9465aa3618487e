//! Any request a tracker understands.

use super::{
    GroupAsk, beat, delete_storage, disk_usage, group_name, identity_change, join, leader, list_storages,
    my_ip, query_fetch, set_trunk_server, status_report, storage_cluster_stat, storage_ids, storage_lookup,
    storage_volume_stat, sync_report, sync_source, sys_files, tracker_cluster_stat, trunk,
};
use crate::{DecodeError, Empty, TrackerCommand};

macro_rules! requests {
    ($($variant:ident($ask:ty),)+) => {
        /// A decoded request, one variant per row of the registry.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request<'a> {
            $(#[doc = concat!("The body of [`TrackerCommand::", stringify!($variant), "`].")] $variant($ask),)+
        }

        impl<'a> Request<'a> {
            /// Reads the body of a request.
            ///
            /// # Errors
            /// Those of the command's own `decode`; a tracker answers them "invalid argument" and keeps the
            /// connection.
            pub fn decode(command: TrackerCommand, body: &'a [u8]) -> Result<Request<'a>, DecodeError> {
                match command {
                    $(TrackerCommand::$variant => <$ask>::decode(body).map(Request::$variant),)+
                }
            }

            /// Which command it is.
            pub const fn command(&self) -> TrackerCommand {
                match self {
                    $(Request::$variant(_) => TrackerCommand::$variant,)+
                }
            }

            /// Appends the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Request::$variant(ask) => ask.encode(out),)+
                }
            }
        }
    };
}

requests! {
    JoinLeader(leader::Join),
    ChangeStatus(status_report::Change),
    GetMyIp(my_ip::Ask),
    SysFilesStart(Empty),
    SysFilesEnd(Empty),
    SysFilesGet(sys_files::Ask),
    TrackerStatus(Empty),
    PingLeader(leader::Ping),
    NotifyNextLeader(leader::Next),
    CommitNextLeader(leader::Next),
    ReselectLeader(Empty),
    FetchStorageIds(storage_ids::Ask),
    GetServerId(storage_lookup::Ask),
    GetStorageStatus(storage_lookup::Ask),
    FetchTrunkFileId(Empty),
    ReportTrunkFileId(trunk::FileNumber),
    ReportTrunkFree(trunk::Free),
    GetParameters(Empty),
    ReportStatus(status_report::Report),
    GetChangelog(identity_change::AskLog),
    ReportIpChanged(identity_change::Report),
    SyncDestQuery(Empty),
    Join(join::Ask),
    Quit(Empty),
    Beat(beat::Ask),
    ReportDiskUsage(disk_usage::Ask),
    ReplicaChange(status_report::Replicas),
    SyncSrcRequest(sync_source::AskDest),
    SyncDestRequest(Empty),
    SyncNotify(sync_source::Notify),
    SyncReport(sync_report::Ask),
    ListOneGroup(GroupAsk),
    ListAllGroups(Empty),
    ListStorages(list_storages::Ask),
    DeleteStorage(delete_storage::Ask),
    SetTrunkServer(set_trunk_server::Ask),
    GetLeader(Empty),
    TrackerClusterStat(tracker_cluster_stat::Ask),
    StorageClusterStat(storage_cluster_stat::Ask),
    StorageVolumeStat(storage_volume_stat::Ask),
    QueryStoreOne(Empty),
    QueryFetchOne(query_fetch::Ask<'a>),
    QueryUpdate(query_fetch::Ask<'a>),
    QueryStoreGroupOne(GroupAsk),
    QueryFetchAll(query_fetch::Ask<'a>),
    QueryStoreAll(Empty),
    QueryStoreGroupAll(GroupAsk),
    DeleteGroup(GroupAsk),
    GetGroupName(group_name::Ask<'a>),
    ActiveTest(Empty),
}
