//! Requests and what their replies mean. A [`Call`] says nothing about who is asked or how often.

use crate::error::{Error, Kind, Result};
use crate::info::FileInfo;
use crate::metadata::Metadata;
use crate::pool::Request;
use fdfs_conf::ServerAddr;
use fdfs_fileid::{FileId, FileName, GroupName, StorePathIndex};
use fdfs_proto::storage::{self, FileAsk, active_test, file_info};
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::tracker::tracker_cluster_stat::TrackerStat;
use fdfs_proto::tracker::{
    self, GroupAsk, Server, delete_storage, leader, list_groups, list_storages, query_fetch, query_store,
    set_trunk_server, storage_cluster_stat, storage_volume_stat, tracker_cluster_stat,
};
use fdfs_proto::{DecodeError, GroupField, RawName, StorageCommand, StorageId, TrackerCommand};

/// A request, and how to read the reply to it.
pub(crate) struct Call<T> {
    pub(crate) request: Request,
    pub(crate) decode: fn(&[u8]) -> std::result::Result<T, Unreadable>,
}

/// A reply that breaks the protocol.
pub(crate) struct Unreadable(&'static str);

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Unreadable {
        tracing::debug!(%error, "unreadable reply");
        Unreadable("its body cannot be read")
    }
}

impl Unreadable {
    pub(crate) fn kind(&self) -> Kind {
        Kind::Protocol(self.0)
    }
}

/// Where to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTarget {
    /// The group.
    pub group: GroupName,
    /// The storage.
    pub storage: ServerAddr,
    /// The store path the tracker proposes.
    pub path: StorePathIndex,
}

/// Every storage one may upload to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTargets {
    /// The group.
    pub group: GroupName,
    /// Its writable storages, in the order of their ids.
    pub storages: Vec<ServerAddr>,
    /// The store path the tracker proposes for the first of them.
    pub path: StorePathIndex,
}

/// One page of the table of storage ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdsPage {
    pub(crate) total: u32,
    pub(crate) count: u32,
    pub(crate) lines: Vec<u8>,
}

fn ask_tracker<T>(
    operation: &'static str,
    command: TrackerCommand,
    body: impl FnOnce(&mut Vec<u8>),
    decode: fn(&[u8]) -> std::result::Result<T, Unreadable>,
) -> Call<T> {
    Call { request: request(operation, command.code(), body), decode }
}

fn ask_storage<T>(
    operation: &'static str,
    command: StorageCommand,
    body: impl FnOnce(&mut Vec<u8>),
    decode: fn(&[u8]) -> std::result::Result<T, Unreadable>,
) -> Call<T> {
    Call { request: request(operation, command.code(), body), decode }
}

fn request(operation: &'static str, command: u8, body: impl FnOnce(&mut Vec<u8>)) -> Request {
    let mut bytes = Vec::new();
    body(&mut bytes);
    Request { operation, command, flags: 0, body: bytes, safe: true }
}

impl<T> Call<T> {
    /// The request changes something: it must not be sent twice.
    fn changes(mut self) -> Call<T> {
        self.request.safe = false;
        self
    }
}

fn address(server: &Server) -> std::result::Result<ServerAddr, Unreadable> {
    match server.ip.ip() {
        Some(ip) if server.port != 0 => Ok(ServerAddr::new(ip, server.port)),
        _ => Err(Unreadable("it names a storage without a usable address")),
    }
}

fn addresses(servers: &[Server]) -> std::result::Result<Vec<ServerAddr>, Unreadable> {
    servers.iter().map(address).collect()
}

fn nothing(body: &[u8]) -> std::result::Result<(), Unreadable> {
    // Some of the original's commands echo their request when there was nothing to do; nobody needs it.
    if !body.is_empty() {
        tracing::debug!(len = body.len(), "reply with a body where none is defined");
    }
    Ok(())
}

/// The body that names a group, for the two forms of QUERY_STORE.
fn maybe_group(group: Option<GroupName>) -> impl FnOnce(&mut Vec<u8>) {
    move |out| {
        if let Some(group) = group {
            GroupAsk { group: group.into() }.encode(out);
        }
    }
}

pub(crate) fn query_store(group: Option<GroupName>) -> Call<StoreTarget> {
    let command = match group {
        None => TrackerCommand::QueryStoreOne,
        Some(_) => TrackerCommand::QueryStoreGroupOne,
    };
    ask_tracker("ask where to upload", command, maybe_group(group), |body| {
        let got = query_store::Got::decode(body)?;
        Ok(StoreTarget { group: got.group, storage: address(&got.server)?, path: got.path })
    })
}

pub(crate) fn query_store_all(group: Option<GroupName>) -> Call<StoreTargets> {
    let command = match group {
        None => TrackerCommand::QueryStoreAll,
        Some(_) => TrackerCommand::QueryStoreGroupAll,
    };
    ask_tracker("ask where to upload", command, maybe_group(group), |body| {
        let got = query_store::GotAll::decode(body)?;
        Ok(StoreTargets { group: got.group, storages: addresses(&got.servers)?, path: got.path })
    })
}

fn fetch_body(id: &FileId) -> impl FnOnce(&mut Vec<u8>) {
    |out| query_fetch::Ask { group: id.group.into(), name: RawName::from(&id.name) }.encode(out)
}

fn one_server(body: &[u8]) -> std::result::Result<ServerAddr, Unreadable> {
    address(&query_fetch::Got::decode(body)?.server)
}

pub(crate) fn query_fetch(id: &FileId) -> Call<ServerAddr> {
    ask_tracker("ask where to download", TrackerCommand::QueryFetchOne, fetch_body(id), one_server)
}

pub(crate) fn query_fetch_all(id: &FileId) -> Call<Vec<ServerAddr>> {
    ask_tracker("ask where to download", TrackerCommand::QueryFetchAll, fetch_body(id), |body| {
        addresses(&query_fetch::GotAll::decode(body)?.servers)
    })
}

pub(crate) fn query_update(id: &FileId) -> Call<ServerAddr> {
    ask_tracker("ask where to change the file", TrackerCommand::QueryUpdate, fetch_body(id), one_server)
}

pub(crate) fn list_groups() -> Call<Vec<list_groups::GroupStat>> {
    ask_tracker(
        "list groups",
        TrackerCommand::ListAllGroups,
        |_| {},
        |body| Ok(list_groups::GotAll::decode(body)?.groups),
    )
}

pub(crate) fn group_stat(group: GroupName) -> Call<list_groups::GroupStat> {
    let body = maybe_group(Some(group));
    ask_tracker("list group", TrackerCommand::ListOneGroup, body, |body| {
        Ok(list_groups::GotOne::decode(body)?)
    })
}

pub(crate) fn list_storages(
    group: GroupName,
    id: Option<StorageId>,
) -> Call<Vec<list_storages::StorageStat>> {
    let body = |out: &mut Vec<u8>| list_storages::Ask { group: group.into(), id }.encode(out);
    ask_tracker("list storages", TrackerCommand::ListStorages, body, |body| {
        Ok(list_storages::Got::decode(body)?.storages)
    })
}

pub(crate) fn figures() -> Call<Vec<(String, u64)>> {
    let decode = |body: &[u8]| Ok(active_test::figures(body));
    let mut call = ask_storage("ask for figures", StorageCommand::ActiveTest, |_| {}, decode);
    call.request.flags = active_test::FIGURES;
    call
}

pub(crate) fn delete_group(group: GroupName) -> Call<()> {
    ask_tracker("delete group", TrackerCommand::DeleteGroup, maybe_group(Some(group)), nothing).changes()
}

pub(crate) fn delete_storage(group: GroupName, id: StorageId) -> Call<()> {
    let body = |out: &mut Vec<u8>| delete_storage::Ask { group: group.into(), id }.encode(out);
    ask_tracker("delete storage", TrackerCommand::DeleteStorage, body, nothing).changes()
}

pub(crate) fn set_trunk_server(group: GroupName, id: Option<StorageId>) -> Call<StorageId> {
    let body = |out: &mut Vec<u8>| set_trunk_server::Ask { group: group.into(), id }.encode(out);
    ask_tracker("set trunk server", TrackerCommand::SetTrunkServer, body, |body| {
        Ok(set_trunk_server::Got::decode(body)?.id)
    })
    .changes()
}

pub(crate) fn leader() -> Call<ServerAddr> {
    ask_tracker(
        "ask for the leading tracker",
        TrackerCommand::GetLeader,
        |_| {},
        |body| {
            let host = leader::Got::decode(body)?.host;
            Ok(ServerAddr::new(host.ip, host.port))
        },
    )
}

pub(crate) fn tracker_cluster_stat(filter: tracker_cluster_stat::Ask) -> Call<Vec<TrackerStat>> {
    let body = |out: &mut Vec<u8>| filter.encode(out);
    ask_tracker("get tracker figures", TrackerCommand::TrackerClusterStat, body, |body| {
        Ok(tracker_cluster_stat::Got::decode(body)?.trackers)
    })
}

pub(crate) fn storage_cluster_stat(filter: storage_cluster_stat::Ask) -> Call<storage_cluster_stat::Got> {
    let body = |out: &mut Vec<u8>| filter.encode(out);
    ask_tracker("get storage figures", TrackerCommand::StorageClusterStat, body, |body| {
        Ok(storage_cluster_stat::Got::decode(body)?)
    })
}

pub(crate) fn storage_volume_stat(filter: storage_volume_stat::Ask) -> Call<storage_volume_stat::Got> {
    let body = |out: &mut Vec<u8>| filter.encode(out);
    ask_tracker("get volume figures", TrackerCommand::StorageVolumeStat, body, |body| {
        Ok(storage_volume_stat::Got::decode(body)?)
    })
}

pub(crate) fn parameters() -> Call<Parameters> {
    ask_tracker(
        "get cluster parameters",
        TrackerCommand::GetParameters,
        |_| {},
        |body| Ok(Parameters::decode(body)?),
    )
}

pub(crate) fn storage_ids(start: u32) -> Call<IdsPage> {
    let body = |out: &mut Vec<u8>| tracker::storage_ids::Ask { start, allow_empty: true }.encode(out);
    ask_tracker("get storage ids", TrackerCommand::FetchStorageIds, body, |body| {
        let page = tracker::storage_ids::Got::decode(body)?;
        Ok(IdsPage { total: page.total, count: page.count, lines: page.lines.to_vec() })
    })
}

fn file_body(id: &FileId) -> impl FnOnce(&mut Vec<u8>) {
    |out| FileAsk { group: GroupField::from(id.group), name: RawName::from(&id.name) }.encode(out)
}

pub(crate) fn delete(id: &FileId) -> Call<()> {
    ask_storage("delete file", StorageCommand::DeleteFile, file_body(id), nothing).changes()
}

pub(crate) fn file_info(id: &FileId, flags: file_info::Flags) -> Call<FileInfo> {
    let mut call = ask_storage("query file info", StorageCommand::QueryFileInfo, file_body(id), |body| {
        Ok(FileInfo::from(file_info::Got::decode(body)?))
    });
    call.request.flags = flags.status();
    call
}

pub(crate) fn get_metadata(id: &FileId) -> Call<Metadata> {
    ask_storage("get metadata", StorageCommand::GetMetadata, file_body(id), |body| {
        Ok(Metadata::decode(storage::metadata::GotGet::decode(body)?.meta))
    })
}

pub(crate) fn set_metadata(
    id: &FileId,
    metadata: &Metadata,
    flag: storage::metadata::MetaFlag,
) -> Result<Call<()>> {
    const OPERATION: &str = "set metadata";
    let meta = metadata.encode().map_err(|why| Error::local(Kind::InvalidRequest(why), OPERATION))?;
    let (group, name) = (id.group.into(), RawName::from(&id.name));
    let ask = storage::metadata::AskSet { flag, group, name, meta: &meta };
    Ok(ask_storage(OPERATION, StorageCommand::SetMetadata, |out| ask.encode(out), nothing).changes())
}

pub(crate) fn truncate(name: &FileName, size: u64) -> Call<()> {
    let ask = storage::truncate::Ask { size, name: RawName::from(name) };
    ask_storage("truncate file", StorageCommand::Truncate, |out| ask.encode(out), nothing).changes()
}

pub(crate) fn regenerate(name: &FileName) -> Call<FileId> {
    let ask = storage::regenerate::Ask { name: RawName::from(name) };
    let body = |out: &mut Vec<u8>| ask.encode(out);
    ask_storage("regenerate file name", StorageCommand::RegenerateName, body, named).changes()
}

/// A reply that names a file.
pub(crate) fn named(body: &[u8]) -> std::result::Result<FileId, Unreadable> {
    let got = storage::named::Got::decode(body)?;
    got.file_id().map_err(|_| Unreadable("it names a file no file can have"))
}
