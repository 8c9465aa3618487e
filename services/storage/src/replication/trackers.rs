//! What is asked of and told to trackers about a peer, on connections of their own (storage internals: mark creation
//! and the full copy of a new member).

use fdfs_conf::ServerAddr;
use fdfs_proto::tracker::status_report;
use fdfs_proto::tracker::sync_source::{self, SyncSource};
use fdfs_proto::{Brief, GroupField, Status, StorageId, StorageStatus, TrackerCommand};
use storage_core::membership::{ClusterView, Peer};

use crate::tracker_link::wire::{self, Wire};

/// The trackers, the leading one first: it knows first.
fn in_order(trackers: &[ServerAddr], view: &ClusterView) -> Vec<ServerAddr> {
    let leads = |tracker: &ServerAddr| {
        view.leader
            .is_some_and(|leader| leader.port == tracker.port() && leader.ips().any(|ip| tracker.has_ip(ip)))
    };
    let mut order: Vec<_> = trackers.to_vec();
    order.sort_by_key(|tracker| !leads(tracker));
    order
}

/// Asks a tracker who fills the peer with old files.
///
/// # Errors
/// In words: no tracker answers, or none knows the peer yet.
pub(super) async fn source_of(
    trackers: &[ServerAddr],
    settings: &wire::Settings,
    view: &ClusterView,
    group: GroupField,
    peer: StorageId,
) -> Result<Option<SyncSource>, String> {
    let mut body = Vec::new();
    sync_source::AskDest { group, dest_id: Some(peer) }.encode(&mut body);
    let mut reason = "no tracker is configured".to_owned();
    for tracker in in_order(trackers, view) {
        match ask(&tracker, settings, TrackerCommand::SyncSrcRequest, &body).await {
            Ok((Status::OK, body)) => match sync_source::Got::decode(&body) {
                Ok(got) => return Ok(got.source),
                Err(error) => reason = format!("tracker {tracker}: {error}"),
            },
            Ok((Status::ENOENT, _)) => reason = format!("tracker {tracker} does not know yet who fills it"),
            Ok((status, _)) => reason = format!("tracker {tracker}: {status}"),
            Err(error) => reason = format!("tracker {tracker}: {error}"),
        }
    }
    Err(reason)
}

/// Tells every tracker where the copy of old files to a peer stands.
///
/// # Errors
/// In words, when no tracker heard it.
pub(crate) async fn report(
    trackers: &[ServerAddr],
    settings: &wire::Settings,
    view: &ClusterView,
    group: GroupField,
    (id, peer): (StorageId, Peer),
    status: StorageStatus,
) -> Result<(), String> {
    let brief = Brief { status, port: peer.port, id: Some(id), ip: peer.ip };
    let mut body = Vec::new();
    status_report::Report { group, brief }.encode(&mut body);
    let mut heard = Err("no tracker is configured".to_owned());
    for tracker in in_order(trackers, view) {
        match ask(&tracker, settings, TrackerCommand::ReportStatus, &body).await {
            Ok((Status::OK, _)) => heard = Ok(()),
            Ok((answer, _)) => {
                tracing::warn!(%tracker, peer = %id, ?status, %answer, "a tracker refuses a report about a peer");
                heard = heard.or(Err(format!("tracker {tracker}: {answer}")));
            }
            Err(error) => {
                tracing::info!(%tracker, peer = %id, ?status, error, "a tracker could not be told about a peer");
                heard = heard.or(Err(format!("tracker {tracker}: {error}")));
            }
        }
    }
    heard
}

pub(crate) async fn ask(
    tracker: &ServerAddr,
    settings: &wire::Settings,
    command: TrackerCommand,
    body: &[u8],
) -> Result<(Status, Vec<u8>), String> {
    let found = wire::resolve(tracker, settings).await.map_err(|failure| failure.to_string())?;
    let connected = Wire::connect(&found.addresses, settings).await;
    let (mut wire, _) = connected.map_err(|failure| failure.to_string())?;
    wire.ask(command, body, settings).await.map_err(|failure| failure.to_string())
}
