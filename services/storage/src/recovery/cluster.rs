//! What the trackers know, asked before this storage joins: from a JOIN on they would take it for complete.

use std::net::SocketAddr;
use std::path::Path;

use fdfs_conf::ServerAddr;
use fdfs_fileid::GroupName;
use fdfs_format::{INIT_FLAG_FILE, InitFlag};
use fdfs_proto::tracker::{group_name, list_storages};
use fdfs_proto::{GroupField, Status, StorageId, StorageStatus, TrackerCommand};
use storage_core::membership::{ClusterView, Peer};
use storage_core::recovery::{self, Member};

use super::Sources;
use crate::replication::trackers;
use crate::tracker_link::{record, wire};

/// How this storage finds itself in a list.
#[derive(Debug, Clone)]
pub(super) struct Me {
    pub(super) group: Option<GroupName>,
    pub(super) id: Option<StorageId>,
    pub(super) port: u16,
}

/// What a tracker has told.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) group: GroupField,
    /// This storage, as trackers are told about it.
    me: (StorageId, Peer),
    pub(super) sources: Sources,
    /// Somebody else has files and does not serve now.
    pub(super) away: bool,
}

/// Asks one tracker after the other for the peers that have files; `None` when there are none to be had.
///
/// # Errors
/// In words: no tracker answers, or the peers that have files do not serve now.
pub(super) async fn find(
    servers: &[ServerAddr],
    settings: &wire::Settings,
    me: &Me,
    data: &Path,
) -> Result<Option<Found>, String> {
    let flag = record::read_or_create(&data.join(INIT_FLAG_FILE), 0).map_err(|error| error.to_string())?;
    let mut reason = "no tracker is configured".to_owned();
    let (mut unknown, mut nobody, mut waits) = (0, false, false);
    for tracker in servers {
        let listed = match list(tracker, settings, me).await {
            Ok(listed) => listed,
            Err(error) => {
                reason = format!("tracker {tracker}: {error}");
                continue;
            }
        };
        let (group, storages) = listed;
        let own = storages.iter().find(|storage| is_me(storage, me, &flag));
        let members: Vec<Member> = storages
            .iter()
            .map(|storage| Member {
                id: storage.who.id,
                status: storage.who.status,
                readable: storage.who.rw_mode.can_read(),
            })
            .collect();
        match (recovery::sources(own.map(|own| &own.who.id), &members), own) {
            (recovery::Sources::These(ids), Some(own)) => {
                let addresses = storages
                    .iter()
                    .filter(|storage| ids.contains(&storage.who.id))
                    .filter_map(|storage| Some((storage.who.id, vec![address(storage)?])));
                let peer = Peer { status: own.who.status, ip: own.ip, port: own.figures.storage_port };
                let away = recovery::holders_away(Some(&own.who.id), &members);
                return Ok(Some(Found { group, me: (own.who.id, peer), sources: addresses.collect(), away }));
            }
            (recovery::Sources::Unknown, _) => {
                reason = format!("tracker {tracker} does not know this storage");
                unknown += 1;
            }
            (recovery::Sources::Nobody, _) => nobody = true,
            _ => {
                reason = format!("tracker {tracker}: no peer that has files serves now");
                waits = true;
            }
        }
    }
    // One that does not know this storage may have lost its memory: that is believed only when all say so.
    if !waits && (nobody || unknown == servers.len()) { Ok(None) } else { Err(reason) }
}

fn address(storage: &list_storages::StorageStat) -> Option<SocketAddr> {
    Some(SocketAddr::new(storage.ip.ip()?, storage.figures.storage_port))
}

fn is_me(storage: &list_storages::StorageStat, me: &Me, flag: &InitFlag) -> bool {
    if let Some(id) = me.id {
        return storage.who.id == id;
    }
    let was_here =
        |ip: std::net::IpAddr| flag.last_ip_addr.split(',').any(|text| text.trim().parse() == Ok(ip));
    storage.ip.ip().is_some_and(was_here) && storage.figures.storage_port == me.port
}

async fn list(
    tracker: &ServerAddr,
    settings: &wire::Settings,
    me: &Me,
) -> Result<(GroupField, Vec<list_storages::StorageStat>), String> {
    let group = match me.group {
        Some(group) => group.into(),
        None => {
            let mut body = Vec::new();
            group_name::Ask { ip_text: b"", port: me.port }.encode(&mut body);
            let body = good(trackers::ask(tracker, settings, TrackerCommand::GetGroupName, &body).await?)?;
            let got = group_name::Got::decode(&body).map_err(|error| error.to_string())?;
            GroupField::from(got.group)
        }
    };
    let mut body = Vec::new();
    list_storages::Ask { group, id: None }.encode(&mut body);
    let body = good(trackers::ask(tracker, settings, TrackerCommand::ListStorages, &body).await?)?;
    let got = list_storages::Got::decode(&body).map_err(|error| error.to_string())?;
    Ok((group, got.storages))
}

fn good((status, body): (Status, Vec<u8>)) -> Result<Vec<u8>, String> {
    if status.is_ok() { Ok(body) } else { Err(status.to_string()) }
}

/// Tells the trackers that this storage is rebuilding.
///
/// # Errors
/// In words: no tracker heard it.
pub(super) async fn report(
    servers: &[ServerAddr],
    settings: &wire::Settings,
    found: &Found,
) -> Result<(), String> {
    let view = ClusterView::default();
    trackers::report(servers, settings, &view, found.group, found.me, StorageStatus::Recovery).await
}
