//! What is known of a cluster's servers: by their processes, and by the trackers.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use fdfs_client::{Client, ClientConfig, Error, ServerAddr, Status, StorageStatus, Tracker};

use super::folder::Member;
use crate::cmd::table::Table;
use crate::server::Role;

/// All servers are on this machine: who is slower than that does not answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How a server stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// A tracker that is down.
    NoTracker,
    /// A tracker that runs and does not answer.
    Silent,
    /// The tracker that leads.
    Leader,
    /// A tracker that knows who leads.
    Follower,
    /// A tracker that knows of no leader.
    Leaderless,
    /// What the trackers say of a storage, each thing once; `None` from one that does not know it. Nothing when no
    /// tracker answers.
    Storage(Vec<Option<StorageStatus>>),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTracker => f.write_str("-"),
            Self::Silent => f.write_str("no answer"),
            Self::Leader => f.write_str("leader"),
            Self::Follower => f.write_str("follower"),
            Self::Leaderless => f.write_str("no leader"),
            Self::Storage(said) if said.is_empty() => f.write_str("-"),
            Self::Storage(said) => {
                let words: Vec<&str> =
                    said.iter().map(|one| one.map_or("unknown", StorageStatus::caption)).collect();
                f.write_str(&words.join("/"))
            }
        }
    }
}

/// A server, its process and its standing.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) member: &'a Member,
    pub(super) pid: Option<i32>,
    pub(super) standing: Standing,
}

impl Seen<'_> {
    /// Up, and all trackers are content with it.
    pub(super) fn is_well(&self) -> bool {
        self.pid.is_some() && is_well(&self.standing)
    }
}

fn is_well(standing: &Standing) -> bool {
    match standing {
        Standing::Leader | Standing::Follower => true,
        Standing::NoTracker | Standing::Silent | Standing::Leaderless => false,
        Standing::Storage(said) => {
            !said.is_empty() && said.iter().all(|one| *one == Some(StorageStatus::Active))
        }
    }
}

/// What one tracker says.
#[derive(Debug)]
struct Answer {
    tracker: SocketAddr,
    leader: Option<SocketAddr>,
    storages: Vec<(SocketAddr, StorageStatus)>,
}

/// Looks at all processes, and asks every tracker that runs.
pub(super) async fn look(members: &[Member]) -> anyhow::Result<Vec<Seen<'_>>> {
    let mut pids = Vec::new();
    let mut answers = Vec::new();
    for member in members {
        let pid = member.pid()?;
        if member.server.role == Role::Tracker && pid.is_some() {
            // One that does not answer shows as such.
            answers.extend(ask(member.server.address).await.ok());
        }
        pids.push(pid);
    }
    let seen = members.iter().zip(pids).map(|(member, pid)| {
        let address = member.server.address;
        let standing = match member.server.role {
            Role::Tracker if pid.is_none() => Standing::NoTracker,
            Role::Tracker => tracker_standing(&answers, address),
            Role::Storage | Role::Gateway | Role::Drive => storage_standing(&answers, address),
        };
        Seen { member, pid, standing }
    });
    Ok(seen.collect())
}

fn tracker_standing(answers: &[Answer], address: SocketAddr) -> Standing {
    match answers.iter().find(|answer| answer.tracker == address) {
        None => Standing::Silent,
        Some(Answer { leader: None, .. }) => Standing::Leaderless,
        Some(Answer { leader: Some(leader), .. }) if *leader == address => Standing::Leader,
        Some(_) => Standing::Follower,
    }
}

fn storage_standing(answers: &[Answer], address: SocketAddr) -> Standing {
    let mut said = Vec::new();
    for answer in answers {
        let status =
            answer.storages.iter().find(|(storage, _)| *storage == address).map(|(_, status)| *status);
        if !said.contains(&status) {
            said.push(status);
        }
    }
    Standing::Storage(said)
}

async fn ask(address: SocketAddr) -> Result<Answer, Error> {
    let server = ServerAddr::new(address.ip(), address.port());
    let config = ClientConfig {
        connect_timeout: CONNECT_TIMEOUT,
        network_timeout: ANSWER_TIMEOUT,
        connect_rounds: 1,
        ..ClientConfig::new([server.clone()])
    };
    let tracker = Client::new(config).tracker(server);
    let leader = match tracker.leader().await {
        Ok(leader) => leader.ips().next().map(|ip| SocketAddr::new(ip, leader.port())),
        Err(error) if error.status() == Some(Status::ENOENT) => None,
        Err(error) => return Err(error),
    };
    Ok(Answer { tracker: address, leader, storages: storages(&tracker).await? })
}

async fn storages(tracker: &Tracker) -> Result<Vec<(SocketAddr, StorageStatus)>, Error> {
    let mut known = Vec::new();
    for group in tracker.list_groups().await? {
        for storage in tracker.list_storages(group.group, None).await? {
            let Some(ip) = storage.ip.ip() else { continue };
            known.push((SocketAddr::new(ip, storage.figures.storage_port), storage.who.status));
        }
    }
    Ok(known)
}

/// One line for each server.
pub(super) fn table(seen: &[Seen<'_>]) -> String {
    let mut table = Table::new(["name", "group", "address", "process", "status"]);
    for Seen { member, pid, standing } in seen {
        let server = &member.server;
        table.row([
            server.name.clone(),
            server.group.clone().unwrap_or_else(|| "-".to_owned()),
            server.address.to_string(),
            pid.map_or_else(|| "down".to_owned(), |pid| format!("up, pid {pid}")),
            standing.to_string(),
        ]);
    }
    table.text("")
}

#[cfg(test)]
mod tests {
    use fdfs_client::StorageStatus::{Active, Offline, WaitSync};

    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 1))
    }

    fn answer(tracker: u8, leader: Option<u8>, storages: &[(u8, StorageStatus)]) -> Answer {
        let storages = storages.iter().map(|(last, status)| (at(*last), *status)).collect();
        Answer { tracker: at(tracker), leader: leader.map(at), storages }
    }

    #[test]
    fn a_tracker_stands_as_it_says_itself() {
        let answers = [answer(1, Some(1), &[]), answer(2, Some(1), &[]), answer(3, None, &[])];
        for (tracker, standing, well, shown) in [
            (1, Standing::Leader, true, "leader"),
            (2, Standing::Follower, true, "follower"),
            (3, Standing::Leaderless, false, "no leader"),
            (4, Standing::Silent, false, "no answer"),
        ] {
            assert_eq!(tracker_standing(&answers, at(tracker)), standing);
            assert_eq!((is_well(&standing), standing.to_string().as_str()), (well, shown));
        }
    }

    #[test]
    fn a_storage_is_well_when_all_trackers_that_answer_find_it_active() {
        for (first, second, well, shown) in [
            (vec![(9, Active)], vec![(9, Active)], true, "ACTIVE"),
            (vec![(9, Active)], vec![(9, Offline)], false, "ACTIVE/OFFLINE"),
            (vec![(9, WaitSync)], vec![(9, WaitSync)], false, "WAIT_SYNC"),
            (vec![(9, Active)], vec![(8, Active)], false, "ACTIVE/unknown"),
            (vec![], vec![], false, "unknown"),
        ] {
            let answers = [answer(1, None, &first), answer(2, None, &second)];
            let standing = storage_standing(&answers, at(9));
            assert_eq!((is_well(&standing), standing.to_string().as_str()), (well, shown));
        }
        let unseen = storage_standing(&[], at(9));
        assert_eq!((is_well(&unseen), unseen.to_string().as_str()), (false, "-"));
    }
}
