//! Asks a cluster: its trackers all, and every storage at the address that clients are sent to.
//!
//! What comes of it is for `doctor-core`, which says what is wrong.
//!
//! **Never knows**: what is wrong, who wants to know.
//!
//! **Invariant**: every question has a deadline, so that [`cluster`] comes to an end whoever does not answer.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doctor_core::decide::{ClusterSeen, MemberSeen, StorageSeen, TrackerAnswer, TrackerSeen};
use fdfs_client::{Client, ClientConfig, ServerAddr, StorageStat, StorageStatus, Tracker};

/// How long a connection may take to come up.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// How long a server may be silent.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long all that is asked of a tracker may take.
const TRACKER_WAIT: Duration = Duration::from_secs(20);
/// How long all that is asked of a storage may take.
const STORAGE_WAIT: Duration = Duration::from_secs(8);
/// Storages asked at the same time.
const ASKED_AT_ONCE: usize = 64;

/// A tracker to ask.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is.
    pub address: ServerAddr,
    /// A `tracker_server` names it so.
    pub named: bool,
}

/// A client that gives up soon.
pub fn client() -> Client {
    Client::new(ClientConfig {
        connect_timeout: CONNECT_WAIT,
        network_timeout: ANSWER_WAIT,
        connect_rounds: 1,
        ..ClientConfig::new([])
    })
}

/// Waits no longer than this for an answer.
///
/// # Errors
/// Why there is none.
pub async fn within<T, E: std::fmt::Display>(
    wait: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(wait, work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", wait.as_secs())),
    }
}

/// A sign of life of the server at an address, which is a tracker or a storage.
///
/// # Errors
/// Why there is none.
pub async fn alive(client: &Client, address: ServerAddr, is_tracker: bool) -> Result<(), String> {
    if is_tracker {
        within(STORAGE_WAIT, client.tracker(address).active_test()).await
    } else {
        within(STORAGE_WAIT, client.storage(address).active_test()).await
    }
}

/// Looks at the cluster of these trackers.
pub async fn cluster(client: &Client, targets: &[Target]) -> ClusterSeen {
    let asked: Vec<_> = targets
        .iter()
        .map(|target| {
            let tracker = client.tracker(target.address.clone());
            tokio::spawn(async move { within(TRACKER_WAIT, tracker_says(&tracker)).await })
        })
        .collect();
    let mut seen = ClusterSeen::default();
    let mut views: Vec<(String, Option<String>, Vec<GroupStorage>)> = Vec::new();
    for (target, asked) in targets.iter().zip(asked) {
        let name = target.address.to_string();
        let answer = asked.await.unwrap_or_else(|error| Err(format!("it was not asked: {error}")));
        let answer = answer.map(|(answer, storages)| {
            views.push((name.clone(), answer.leader.clone(), storages));
            answer
        });
        let ips = target.address.ips().collect();
        seen.trackers.push(TrackerSeen { name, ips, named: target.named, answer });
    }
    let leads = |view: &&(String, Option<String>, Vec<GroupStorage>)| view.1.as_ref() == Some(&view.0);
    let best = views.iter().find(leads).or(views.first());
    let storages = best.map(|view| view.2.as_slice()).unwrap_or_default();
    for some in storages.chunks(ASKED_AT_ONCE) {
        let asked: Vec<_> = some
            .iter()
            .map(|(group, stat)| tokio::spawn(storage_says(client.clone(), group.clone(), *stat)))
            .collect();
        for storage in asked {
            match storage.await {
                Ok(storage) => seen.storages.push(storage),
                Err(error) => tracing::error!(%error, "a storage was not asked"),
            }
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    seen.now = i64::try_from(now).unwrap_or(i64::MAX);
    seen
}

/// A group's name and one of its storages.
type GroupStorage = (String, StorageStat);

async fn tracker_says(tracker: &Tracker) -> fdfs_client::Result<(TrackerAnswer, Vec<GroupStorage>)> {
    let mut answer = TrackerAnswer::default();
    let mut storages = Vec::new();
    for group in tracker.list_groups().await? {
        for stat in tracker.list_storages(group.group, None).await? {
            let group = group.group.to_string();
            let member = MemberSeen { name: name(&group, &stat), status: stat.who.status };
            answer.members.insert((group.clone(), stat.who.id.to_string()), member);
            if stat.who.status == StorageStatus::Active {
                answer.newest_beat = answer.newest_beat.max(Some(stat.figures.stat.last_heart_beat_time));
            }
            storages.push((group, stat));
        }
    }
    answer.leader = match tracker.leader().await {
        Ok(leader) => Some(leader.to_string()),
        // With a status it says that none leads, or is too old to know; else it does not answer.
        Err(error) if error.status().is_some() => None,
        Err(error) => return Err(error),
    };
    Ok((answer, storages))
}

async fn storage_says(client: Client, group: String, stat: StorageStat) -> StorageSeen {
    let figures = &stat.figures;
    let address = stat.ip.ip().map(|ip| ServerAddr::new(ip, figures.storage_port));
    let mut told = BTreeMap::new();
    let reached = match address.clone() {
        None => Err("its address is no IP address".to_owned()),
        Some(address) => alive(&client, address.clone(), false).await.map(|()| address),
    };
    if let (StorageStatus::Active, Ok(address)) = (stat.who.status, &reached) {
        // One of FastDFS has no figures to tell.
        let asked = within(STORAGE_WAIT, client.storage(address.clone()).figures()).await;
        told = asked.unwrap_or_default().into_iter().collect();
    }
    StorageSeen {
        name: name(&group, &stat),
        group,
        ip: stat.ip.ip(),
        address: address.map_or_else(|| stat.ip.to_string(), |address| address.to_string()),
        status: stat.who.status,
        source: figures.src_id.map(|id| id.as_str().to_owned()),
        up_time: figures.up_time,
        last_source_update: figures.stat.last_source_update,
        last_sync_update: figures.stat.last_sync_update,
        last_synced: figures.stat.last_synced_timestamp,
        total_mb: figures.total_mb,
        free_mb: figures.free_mb,
        reserved_mb: figures.reserved_mb,
        reached: reached.map(|_| ()),
        figures: told,
    }
}

/// What people know a storage by: without a table of ids the id is the address.
fn name(group: &str, stat: &StorageStat) -> String {
    let (id, ip, port) = (stat.who.id.as_str(), stat.ip.to_string(), stat.figures.storage_port);
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.clone() };
    if id == ip { format!("{group}/{host}:{port}") } else { format!("{group}/{id} ({host}:{port})") }
}
