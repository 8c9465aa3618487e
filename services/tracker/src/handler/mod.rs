//! Every command: its body decoded, the machine or a view asked, the answer encoded.
//!
//! One file per family. A body of the wrong length, a command nobody knows and a name that is none are answered
//! with EINVAL; the connection goes on.

mod admin;
mod identity;
mod listing;
mod member;
mod placing;
mod source;
mod trackers;
mod trunk;

use std::sync::Arc;

use fdfs_fileid::GroupName;
use fdfs_proto::tracker::Request as Asked;
use fdfs_proto::{GroupField, Status, TrackerCommand};
use tracker_core::{Caller, Refusal, Reply, Request};

use crate::shell::Shell;

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Status 0 and this body.
    Done(Vec<u8>),
    /// Another status, no body.
    Refused(Status),
    /// No answer; the connection is closed.
    Close,
}

/// The body of an answer, or the status of a refusal.
type Answer = Result<Vec<u8>, Status>;

/// Serves one request.
pub(crate) async fn handle(shell: &Arc<Shell>, from: Caller, command: u8, body: &[u8]) -> Outcome {
    let Some(command) = TrackerCommand::from_u8(command) else {
        tracing::debug!(peer = %from.peer, command, "unknown command");
        return Outcome::Refused(Status::EINVAL);
    };
    let asked = match Asked::decode(command, body) {
        Ok(asked) => asked,
        Err(error) => {
            tracing::debug!(peer = %from.peer, %command, %error, "malformed request");
            return Outcome::Refused(error.status());
        }
    };
    dispatch(shell, from, asked).await
}

async fn dispatch(shell: &Arc<Shell>, from: Caller, asked: Asked<'_>) -> Outcome {
    let answer = match asked {
        Asked::Join(ask) => member::join(shell, from, &ask).await,
        Asked::Beat(ask) => member::beat(shell, from, &ask).await,
        Asked::ReportDiskUsage(ask) => member::report_disks(shell, from, &ask).await,
        Asked::SyncReport(ask) => member::report_sync(shell, from, &ask).await,
        Asked::ReportStatus(ask) => member::report_status(shell, from, &ask).await,
        Asked::ReplicaChange(ask) => member::report_replicas(shell, from, &ask).await,
        Asked::ChangeStatus(ask) => member::change_status(shell, from, ask).await,

        Asked::SyncDestRequest(_) => source::request(shell, from).await,
        Asked::SyncNotify(ask) => source::notify(shell, from, ask).await,
        Asked::SyncSrcRequest(ask) => source::of(shell, from, ask).await,
        Asked::SyncDestQuery(_) => source::own(shell, from).await,

        Asked::FetchTrunkFileId(_) => trunk::file_id(shell, from).await,
        Asked::ReportTrunkFileId(ask) => trunk::report_file_id(shell, from, ask).await,
        Asked::ReportTrunkFree(ask) => trunk::report_free(shell, from, ask).await,
        Asked::SetTrunkServer(ask) => trunk::set_server(shell, from, ask).await,

        Asked::GetMyIp(ask) => identity::my_ip(shell, from, ask),
        Asked::FetchStorageIds(ask) => identity::storage_ids(shell, ask),
        Asked::GetServerId(ask) => identity::server_id(shell, ask),
        Asked::GetStorageStatus(ask) => identity::storage_status(shell, ask),
        Asked::GetGroupName(ask) => identity::group_name(shell, from, ask),
        Asked::GetParameters(_) => Ok(shell.answers.parameters.clone()),
        Asked::ReportIpChanged(ask) => identity::ip_changed(shell, from, ask).await,
        Asked::GetChangelog(ask) => identity::changelog(shell, from, ask).await,

        Asked::QueryStoreOne(_) => placing::store_one(shell, from, None),
        Asked::QueryStoreGroupOne(ask) => placing::store_one(shell, from, Some(ask.group)),
        Asked::QueryStoreAll(_) => placing::store_all(shell, from, None),
        Asked::QueryStoreGroupAll(ask) => placing::store_all(shell, from, Some(ask.group)),
        Asked::QueryFetchOne(ask) => placing::fetch_one(shell, from, ask),
        Asked::QueryFetchAll(ask) => placing::fetch_all(shell, from, ask),
        Asked::QueryUpdate(ask) => placing::update(shell, from, ask),

        Asked::ListOneGroup(ask) => listing::one_group(shell, ask.group),
        Asked::ListAllGroups(_) => listing::all_groups(shell),
        Asked::ListStorages(ask) => listing::storages(shell, from, ask),
        Asked::TrackerClusterStat(ask) => listing::trackers(shell, from, ask),
        Asked::StorageClusterStat(ask) => listing::cluster(shell, from, ask),
        Asked::StorageVolumeStat(ask) => listing::volumes(shell, ask),

        Asked::DeleteStorage(ask) => admin::delete_storage(shell, from, ask).await,
        Asked::DeleteGroup(ask) => admin::delete_group(shell, from, ask.group).await,

        Asked::JoinLeader(ask) => trackers::join_leader(shell, from, ask).await,
        Asked::PingLeader(ask) => trackers::ping(shell, from, ask).await,
        Asked::NotifyNextLeader(ask) => trackers::notify(shell, from, ask).await,
        Asked::CommitNextLeader(ask) => trackers::commit(shell, from, ask).await,
        Asked::ReselectLeader(_) => trackers::reselect(shell, from).await,
        Asked::GetLeader(_) => trackers::leader(shell, from),
        Asked::TrackerStatus(_) => trackers::status(shell),
        Asked::SysFilesStart(_) => trackers::hold_files(shell, from).await,
        Asked::SysFilesGet(ask) => trackers::file_part(shell, from, ask),
        Asked::SysFilesEnd(_) => trackers::release_files(shell, from).await,

        Asked::ActiveTest(_) => Ok(Vec::new()),
        Asked::Quit(_) => return Outcome::Close,
    };
    match answer {
        Ok(body) => Outcome::Done(body),
        Err(status) => Outcome::Refused(status),
    }
}

/// Asks the machine and encodes what it answers.
async fn ask(shell: &Arc<Shell>, from: Caller, ask: Request<'_>) -> Answer {
    match shell.ask(from, ask).await {
        Ok(reply) => Ok(encode(&reply)),
        Err(refusal) => Err(refused(from, refusal)),
    }
}

fn refused(from: Caller, refusal: Refusal) -> Status {
    tracing::debug!(peer = %from.peer, %refusal, "refused");
    refusal.into()
}

fn encode(reply: &Reply) -> Vec<u8> {
    let mut body = Vec::new();
    match reply {
        Reply::Done => {}
        Reply::Joined(got) => got.encode(&mut body),
        Reply::Changes(got) => got.encode(&mut body),
        Reply::Source(got) => got.encode(&mut body),
        Reply::TrunkFileId(got) => got.encode(&mut body),
        Reply::Changelog(text) => body.extend_from_slice(text),
        Reply::TrunkServer(got) => got.encode(&mut body),
        Reply::TrunkServers(got) => got.encode(&mut body),
    }
    body
}

/// A body written by an encoder.
fn body(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = Vec::new();
    write(&mut body);
    body
}

/// A group as it stood in a body. A name that is none is a group that does not exist.
fn group(field: GroupField) -> Result<GroupName, Status> {
    field.group().map_err(|_| Refusal::UnknownGroup.into())
}
