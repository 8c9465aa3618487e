//! Several trackers elect one of them, over real sockets and in shorter times than usual.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::server::{Server, conf};
use fdfs_proto::tracker::{Request, beat, change_list, join, tracker_cluster_stat};
use fdfs_proto::{Empty, Host, IpText, Status, StorageStatus};
use tracker::ElectionTimes;

/// A tenth of the usual times, or less.
const TIMES: ElectionTimes =
    ElectionTimes { ping_ms: 50, retry_ms: (50, 300), patrol_ms: 200, minority_ms: 1_000 };

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn tracker(number: u8) -> Server {
    patient_tracker(number, TIMES)
}

fn patient_tracker(number: u8, times: ElectionTimes) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let conf = conf(folder.path(), &format!("127.0.1.{number}"), "", &[]);
    Server::elects(folder, conf, times)
}

/// A storage that knows all these trackers, joined to one of them and serving.
fn storage(to: &Server, all: &[SocketAddr]) -> Peer {
    let mut peer = to.peer("127.0.0.3");
    let mut ask = peer.first_join("group1", 23000);
    ask.joiner.init = false;
    ask.joiner.status = Some(StorageStatus::Online);
    ask.joiner.tracker_ip = IpText::from(to.address.ip());
    ask.trackers = all.iter().map(|address| Host::from(*address)).collect();
    let deadline = Instant::now() + PATIENCE;
    while peer.ask(&Request::Join(ask.clone())).0 == Status::EAGAIN {
        assert!(Instant::now() < deadline, "the state of others cannot be had");
    }
    peer.beat_and_report();
    peer
}

fn leader(server: &Server) -> Option<String> {
    match server.client().ask(&Request::GetLeader(Empty)) {
        (Status::OK, body) => Some(String::from_utf8(body).unwrap()),
        (status, _) => {
            assert_eq!(status, Status::ENOENT);
            None
        }
    }
}

/// Waits until all of these name one of them as the leader, and that one leads; its place.
fn agreed(servers: &[&Server]) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let named: Vec<_> = servers.iter().map(|server| leader(server)).collect();
        let place = servers.iter().position(|server| named[0] == Some(server.address.to_string()));
        if let Some(place) = place
            && named.iter().all(|name| *name == named[0])
        {
            return place;
        }
        assert!(Instant::now() < deadline, "{named:?}");
        std::thread::yield_now();
    }
}

fn trackers(leader: &Server) -> Vec<(String, bool, bool)> {
    let ask = Request::TrackerClusterStat(tracker_cluster_stat::Ask::default());
    let stats = tracker_cluster_stat::Got::decode(&leader.client().get(&ask)).unwrap().trackers;
    stats.iter().map(|stat| (stat.host.to_string(), stat.is_leader, stat.is_active)).collect()
}

#[test]
fn three_trackers_agree_and_go_on_when_the_leader_is_gone_and_when_it_is_back() {
    let mut servers = [tracker(1), tracker(2), tracker(3)];
    let all: Vec<_> = servers.iter().map(|server| server.address).collect();
    let mut storages: Vec<_> = servers.iter().map(|server| storage(server, &all)).collect();
    let first = agreed(&servers.iter().collect::<Vec<_>>());

    // All followers ping; the storages of the leader hear of it, the others of nobody.
    let deadline = Instant::now() + PATIENCE;
    while !trackers(&servers[first]).iter().all(|(_, _, is_active)| *is_active) {
        assert!(Instant::now() < deadline, "{:?}", trackers(&servers[first]));
    }
    let leading: Vec<_> = trackers(&servers[first]).into_iter().filter(|(_, leads, _)| *leads).collect();
    assert_eq!(leading.len(), 1);
    assert_eq!(leading[0].0, all[first].to_string());

    servers[first].halt();
    let rest: Vec<_> = (0..3).filter(|place| *place != first).collect();
    let second = rest[agreed(&[&servers[rest[0]], &servers[rest[1]]])];
    let body = storages[second].get(&Request::Beat(beat::Ask { stat: None }));
    let told = change_list::Got::decode(&body).unwrap().leader.expect("a storage is told of the new leader");
    assert_eq!((told.ip.ip(), told.port), (Some(all[second].ip()), all[second].port()));

    servers[first].go_on();
    storages[first] = storage(&servers[first], &all);
    assert_eq!(agreed(&servers.iter().collect::<Vec<_>>()), second, "whoever comes back follows");
}

#[test]
fn of_two_trackers_the_one_that_is_left_leads() {
    let mut servers = [tracker(4), tracker(5)];
    let all: Vec<_> = servers.iter().map(|server| server.address).collect();
    let _storages: Vec<_> = servers.iter().map(|server| storage(server, &all)).collect();
    let first = agreed(&[&servers[0], &servers[1]]);
    servers[first].halt();
    assert_eq!(agreed(&[&servers[1 - first]]), 0);
}

#[test]
fn a_tracker_that_knows_of_no_leader_is_not_ready_until_there_is_one() {
    // Alone it would lead in the end.
    let times = ElectionTimes { minority_ms: 3_600_000, ..TIMES };
    let mut servers = [patient_tracker(8, times), patient_tracker(9, times)];
    assert_eq!(servers[0].unready(), Vec::<&str>::new(), "nobody has told yet that there are others");
    let all: Vec<_> = servers.iter().map(|server| server.address).collect();
    servers[1].halt();
    let _storage = storage(&servers[0], &all);
    assert_eq!(servers[0].unready(), ["no-leader"]);
    servers[1].go_on();
    let _other = storage(&servers[1], &all);
    agreed(&[&servers[0], &servers[1]]);
    assert_eq!((servers[0].unready(), servers[1].unready()), (vec![], vec![]));
}

#[test]
fn s11_a_tracker_that_is_named_and_is_not_there_ends_nobodys_leadership() {
    let server = tracker(6);
    let _alone = storage(&server, &[server.address]);
    assert_eq!(leader(&server), Some(server.address.to_string()));
    let _named = storage(&server, &[server.address, "127.0.1.99:9".parse().unwrap()]);
    let deadline = Instant::now() + Duration::from_millis(10 * TIMES.patrol_ms);
    while Instant::now() < deadline {
        assert_eq!(leader(&server), Some(server.address.to_string()));
    }
}

#[test]
fn a_new_tracker_takes_over_the_state_of_the_one_that_serves() {
    let old = tracker(7);
    let new = tracker(8);
    let all = [old.address, new.address];
    let _one = storage(&old, &all);
    let mut other = old.peer("127.0.0.4");
    let join = |peer: &Peer| {
        let mut ask: join::Ask = peer.first_join("group2", 23001);
        ask.trackers = all.iter().map(|address| Host::from(*address)).collect();
        ask
    };
    let ask = join(&other);
    other.get(&Request::Join(ask));
    assert_eq!(agreed(&[&old]), 0);

    let _one = storage(&new, &all);
    let known: Vec<_> = new.client().list("group2").iter().map(|stat| stat.who.id.to_string()).collect();
    assert_eq!(known, ["127.0.0.4"], "never seen here, but there");
    let folder = new.stop();
    let servers = std::fs::read_to_string(folder.path().join("data/storage_servers_new.dat")).unwrap();
    assert!(servers.contains("ip_addr=127.0.0.4\n"), "{servers}");
}
