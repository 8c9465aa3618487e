//! The FastDFS cluster as its trackers see it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use cluster_probe::Target;
use doctor_core::{What, decide};
use drive_core::UnixMillis;
use drive_core::cluster::{
    ClusterSeen, Counters, GROUPS_SEEN_MAX, GroupSeen, MemberSeen, MemberState, ServerFault, TrackerSeen,
};
use drive_core::ports::{Cluster, Later};
use fdfs_client::{Client, Error, GroupStat, Kind, ServerAddr, StorageStat, StorageStatus, Tracker};
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a tracker may take to say what it knows.
const TRACKER_WAIT: Duration = Duration::from_secs(3);

/// How long all members of all groups may take to be told, beyond that.
const MEMBERS_WAIT: Duration = Duration::from_secs(3);

const MIB: u64 = 1 << 20;

/// A cluster that is asked by way of its trackers.
pub(crate) struct FastDfs {
    client: Client,
    /// For questions to every server, of which none may take long.
    impatient: Client,
}

/// What a tracker says.
struct Told {
    groups: Vec<GroupStat>,
    /// None when it knows none, or is too old to say.
    leader: Option<ServerAddr>,
}

impl FastDfs {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, impatient: cluster_probe::client() }
    }

    async fn seen(&self) -> ClusterSeen {
        let trackers = self.client.trackers();
        let mut asking = JoinSet::new();
        for (place, tracker) in trackers.iter().cloned().enumerate() {
            asking.spawn(async move {
                let told = timeout(TRACKER_WAIT, ask(&tracker)).await;
                let told = told.unwrap_or(Err(ServerFault::Silent));
                (place, told, addresses(tracker.address()).await)
            });
        }
        let mut told = BTreeMap::new();
        while let Some(answer) = asking.join_next().await {
            if let Ok((place, answer, addresses)) = answer {
                told.insert(place, (answer, addresses));
            }
        }
        let leader = told.values().find_map(|(answer, _)| answer.as_ref().ok()?.leader.clone());
        let is_leader = |addresses: &[(IpAddr, u16)]| {
            let leads = |leader: &ServerAddr| leader.ips().any(|ip| addresses.contains(&(ip, leader.port())));
            leader.as_ref().is_some_and(leads)
        };
        let mut seen = Vec::new();
        // The one that leads knows best.
        let mut best: Option<(bool, &Tracker, &[GroupStat])> = None;
        for (place, tracker) in trackers.iter().enumerate() {
            let (fault, leads) = match told.get(&place) {
                Some((Ok(answer), addresses)) => {
                    let leads = is_leader(addresses);
                    if best.is_none_or(|(leading, ..)| leads && !leading) {
                        best = Some((leads, tracker, &answer.groups));
                    }
                    (None, leads)
                }
                Some((Err(fault), addresses)) => (Some(*fault), is_leader(addresses)),
                None => (Some(ServerFault::Broken), false),
            };
            seen.push(TrackerSeen { address: tracker.address().to_string(), fault, leads });
        }
        let groups = match best {
            Some((_, tracker, groups)) => Some(members(tracker, groups).await),
            None => None,
        };
        ClusterSeen { trackers: seen, groups }
    }
}

impl Cluster for FastDfs {
    fn look(&self) -> Later<'_, ClusterSeen> {
        Box::pin(self.seen())
    }

    fn examine(&self) -> Later<'_, Vec<What>> {
        Box::pin(async {
            let trackers = self.client.trackers();
            let targets: Vec<Target> = trackers
                .iter()
                .map(|tracker| Target { address: tracker.address().clone(), named: true })
                .collect();
            decide::cluster(&cluster_probe::cluster(&self.impatient, &targets).await)
        })
    }
}

async fn ask(tracker: &Tracker) -> Result<Told, ServerFault> {
    let groups = tracker.list_groups().await.map_err(|error| fault(&error))?;
    let leader = match tracker.leader().await {
        Ok(leader) => Some(leader),
        // None leads, or it does not know the question.
        Err(error) if error.status().is_some() => None,
        Err(error) => return Err(fault(&error)),
    };
    Ok(Told { groups, leader })
}

fn fault(error: &Error) -> ServerFault {
    match error.kind() {
        Kind::Connect | Kind::NoTracker => ServerFault::Unreachable,
        Kind::Timeout | Kind::Busy => ServerFault::Silent,
        Kind::Status(_) => ServerFault::Refused,
        _ => ServerFault::Broken,
    }
}

/// A server's addresses, those of its names among them.
async fn addresses(server: &ServerAddr) -> Vec<(IpAddr, u16)> {
    let mut found: Vec<_> = server.ips().map(|ip| (ip, server.port())).collect();
    for name in server.names() {
        if let Ok(Ok(more)) = timeout(TRACKER_WAIT, lookup_host((name, server.port()))).await {
            found.extend(more.map(|address| (address.ip().to_canonical(), address.port())));
        }
    }
    found
}

async fn members(tracker: &Tracker, groups: &[GroupStat]) -> Vec<GroupSeen> {
    let end = Instant::now() + MEMBERS_WAIT;
    let mut seen = Vec::new();
    for group in groups.iter().take(GROUPS_SEEN_MAX) {
        let members = match timeout_at(end, tracker.list_storages(group.group, None)).await {
            Ok(Ok(storages)) => Some(storages.iter().map(member).collect()),
            Ok(Err(error)) => {
                tracing::warn!(%error, group = %group.group, "the members of a group were not told");
                None
            }
            Err(_) => {
                tracing::warn!(group = %group.group, "the members of a group were not told in time");
                None
            }
        };
        seen.push(GroupSeen {
            name: group.group.to_string(),
            total_bytes: group.total_mb.saturating_mul(MIB),
            free_bytes: group.free_mb.saturating_mul(MIB),
            reserved_bytes: group.reserved_mb.saturating_mul(MIB),
            members,
        });
    }
    seen
}

fn member(storage: &StorageStat) -> MemberSeen {
    let (figures, stat) = (&storage.figures, &storage.figures.stat);
    let port = figures.storage_port;
    let address = match storage.ip.ip() {
        Some(ip) => std::net::SocketAddr::new(ip, port).to_string(),
        None => format!("{}:{port}", storage.ip),
    };
    let time = |seconds: i64| (seconds > 0).then(|| UnixMillis(seconds.saturating_mul(1000)));
    MemberSeen {
        id: storage.who.id.to_string(),
        address,
        state: state(storage.who.status),
        version: figures.version.to_string(),
        since: time(figures.up_time),
        total_bytes: figures.total_mb.saturating_mul(MIB),
        free_bytes: figures.free_mb.saturating_mul(MIB),
        counters: Counters {
            uploads: stat.success_upload_count,
            downloads: stat.success_download_count,
            deletes: stat.success_delete_count,
            bytes_in: stat
                .success_upload_bytes
                .saturating_add(stat.success_append_bytes)
                .saturating_add(stat.success_modify_bytes),
            bytes_out: stat.success_download_bytes,
        },
        connections: stat.connection_current_count,
        connections_max: stat.connection_max_count,
        heard_at: time(stat.last_heart_beat_time),
        changed_at_s: stat.last_source_update,
        came_at_s: stat.last_sync_update,
        synced_at_s: stat.last_synced_timestamp,
    }
}

const fn state(status: StorageStatus) -> MemberState {
    match status {
        StorageStatus::Init => MemberState::Init,
        StorageStatus::WaitSync => MemberState::WaitSync,
        StorageStatus::Syncing => MemberState::Syncing,
        StorageStatus::IpChanged => MemberState::IpChanged,
        StorageStatus::Deleted => MemberState::Deleted,
        StorageStatus::Offline => MemberState::Offline,
        StorageStatus::Online => MemberState::Online,
        StorageStatus::Active => MemberState::Active,
        StorageStatus::Recovery => MemberState::Recovery,
        StorageStatus::None => MemberState::Unknown,
    }
}
