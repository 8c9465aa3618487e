//! What the trackers of a cluster say about its storages.

use std::net::SocketAddr;
use std::time::Duration;

use fdfs_client::{Client, ClientConfig, ServerAddr, StorageStatus};

use super::folder::Server;
use crate::server::Role;

/// How long a tracker of this machine may take to let somebody in, and then to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What one tracker says.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// The tracker's name.
    pub tracker: String,
    /// Who leads the trackers, as far as it knows.
    pub leader: Option<SocketAddr>,
    /// The storages it knows.
    pub storages: Vec<(SocketAddr, StorageStatus)>,
}

impl View {
    fn status(&self, at: SocketAddr) -> Option<StorageStatus> {
        self.storages.iter().find(|(address, _)| *address == at).map(|(_, status)| *status)
    }
}

/// The views of all trackers that run and answer.
pub(super) async fn views(servers: &[Server]) -> Vec<View> {
    let mut views = Vec::new();
    for server in servers.iter().filter(|server| server.role == Role::Tracker && server.pid.is_some()) {
        // One that does not answer has no view; that shows by itself.
        if let Ok(view) = ask(server).await {
            views.push(view);
        }
    }
    views
}

async fn ask(server: &Server) -> fdfs_client::Result<View> {
    let address = ServerAddr::new(server.at.ip(), server.at.port());
    let config = ClientConfig {
        connect_timeout: CONNECT_TIMEOUT,
        network_timeout: ANSWER_TIMEOUT,
        connect_rounds: 1,
        ..ClientConfig::new([address.clone()])
    };
    let tracker = Client::new(config).tracker(address);
    let mut storages = Vec::new();
    for group in tracker.list_groups().await? {
        for storage in tracker.list_storages(group.group, None).await? {
            if let Some(ip) = storage.ip.ip() {
                storages.push((SocketAddr::new(ip, storage.figures.storage_port), storage.who.status));
            }
        }
    }
    let leader = match tracker.leader().await {
        Ok(leader) => leader.ips().next().map(|ip| SocketAddr::new(ip, leader.port())),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    Ok(View { tracker: server.name.clone(), leader, storages })
}

/// The storages that run and that not every running tracker says to be active; empty when all is well. A tracker
/// that runs and has no view does not say so of any.
pub(super) fn not_active<'a>(servers: &'a [Server], views: &[View]) -> Vec<&'a Server> {
    let trackers = servers.iter().filter(|server| server.role == Role::Tracker && server.pid.is_some()).count();
    let active = |server: &Server| {
        let saying = views.iter().filter(|view| view.status(server.at) == Some(StorageStatus::Active));
        saying.count() == trackers
    };
    servers
        .iter()
        .filter(|server| server.role == Role::Storage && server.pid.is_some() && !active(server))
        .collect()
}

/// Whether everything runs, every tracker answers, and all of them say that every storage is active.
pub(super) fn all_is_well(servers: &[Server], views: &[View]) -> bool {
    let trackers = servers.iter().filter(|server| server.role == Role::Tracker).count();
    servers.iter().all(|server| server.pid.is_some())
        && views.len() == trackers
        && not_active(servers, views).is_empty()
}

/// What is to be said of a server's state in one cell of a table.
pub(super) fn standing(server: &Server, views: &[View]) -> String {
    match server.role {
        Role::Tracker => tracker_standing(server, views),
        Role::Storage => storage_standing(server, views),
    }
}

fn tracker_standing(server: &Server, views: &[View]) -> String {
    let Some(view) = views.iter().find(|view| view.tracker == server.name) else {
        return if server.pid.is_some() { "no answer" } else { "-" }.to_owned();
    };
    match view.leader {
        Some(leader) if leader == server.at => "leader".to_owned(),
        Some(leader) => format!("follows {leader}"),
        None => "knows no leader".to_owned(),
    }
}

fn storage_standing(server: &Server, views: &[View]) -> String {
    let word = |view: &View| view.status(server.at).map_or("unknown", StorageStatus::caption);
    let Some(first) = views.first() else { return "-".to_owned() };
    if views.iter().all(|view| word(view) == word(first)) {
        return word(first).to_owned();
    }
    let words: Vec<String> = views.iter().map(|view| format!("{} at {}", word(view), view.tracker)).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use StorageStatus::{Active, Offline, WaitSync};

    fn server(name: &str, role: Role, at: &str, pid: Option<i32>) -> Server {
        Server { name: name.to_owned(), role, conf: PathBuf::new(), group: None, at: at.parse().unwrap(), pid }
    }

    /// Two trackers and two storages that run.
    fn servers() -> Vec<Server> {
        vec![
            server("tracker1", Role::Tracker, "127.0.0.1:1", Some(1)),
            server("tracker2", Role::Tracker, "127.0.0.2:1", Some(2)),
            server("group1-1", Role::Storage, "127.0.0.3:2", Some(3)),
            server("group1-2", Role::Storage, "127.0.0.4:2", Some(4)),
        ]
    }

    fn view(tracker: &str, leader: Option<&str>, storages: [Option<StorageStatus>; 2]) -> View {
        let known = ["127.0.0.3:2", "127.0.0.4:2"].into_iter().zip(storages);
        View {
            tracker: tracker.to_owned(),
            leader: leader.map(|address| address.parse().unwrap()),
            storages: known.filter_map(|(at, status)| Some((at.parse().unwrap(), status?))).collect(),
        }
    }

    fn waited_for(servers: &[Server], views: &[View]) -> Vec<String> {
        not_active(servers, views).into_iter().map(|server| server.name.clone()).collect()
    }

    #[test]
    fn a_storage_is_waited_for_until_every_running_tracker_says_that_it_is_active() {
        let both = [Some(Active), Some(Active)];
        let (one, two) = (view("tracker1", None, both), view("tracker2", None, both));
        let mut servers = servers();
        assert_eq!(waited_for(&servers, &[one.clone(), two]), [""; 0]);
        // A tracker that gives no answer counts as one that does not say so.
        assert_eq!(waited_for(&servers, &[one.clone()]), ["group1-1", "group1-2"]);
        let late = view("tracker2", None, [Some(Active), Some(WaitSync)]);
        assert_eq!(waited_for(&servers, &[one.clone(), late]), ["group1-2"]);
        let unknown = view("tracker2", None, [None, Some(Active)]);
        assert_eq!(waited_for(&servers, &[one.clone(), unknown]), ["group1-1"]);
        // What is down is not waited for.
        servers[1].pid = None;
        servers[3].pid = None;
        let offline = view("tracker1", None, [Some(Active), Some(Offline)]);
        assert_eq!(waited_for(&servers, &[offline]), [""; 0]);
    }

    #[test]
    fn all_is_well_only_when_everything_runs_and_is_active() {
        let both = [Some(Active), Some(Active)];
        let views = [view("tracker1", None, both), view("tracker2", None, both)];
        assert!(all_is_well(&servers(), &views));
        assert!(!all_is_well(&servers(), &views[..1]));
        for down in 0..4 {
            let mut servers = servers();
            servers[down].pid = None;
            assert!(!all_is_well(&servers, &views));
        }
        assert!(!all_is_well(&servers(), &[views[0].clone(), view("tracker2", None, [Some(Active), None])]));
    }

    #[test]
    fn a_cell_says_what_the_trackers_agree_on_or_where_they_differ() {
        let servers = servers();
        let one = view("tracker1", Some("127.0.0.1:1"), [Some(Active), Some(Active)]);
        let two = view("tracker2", Some("127.0.0.1:1"), [Some(Active), None]);
        let cells = |views: &[View]| -> Vec<String> {
            servers.iter().map(|server| standing(server, views)).collect()
        };
        assert_eq!(
            cells(&[one, two]),
            ["leader", "follows 127.0.0.1:1", "ACTIVE", "ACTIVE at tracker1, unknown at tracker2"]
        );
        let alone = view("tracker2", None, [Some(Offline), None]);
        assert_eq!(cells(&[alone]), ["no answer", "knows no leader", "OFFLINE", "unknown"]);
        assert_eq!(cells(&[]), ["no answer", "no answer", "-", "-"]);
    }
}
