//! What another tracker asks this one.

use std::net::TcpListener;

use crate::peer::group;
use crate::server::Server;
use fdfs_proto::tracker::leader::{Connections, Join, Pong};
use fdfs_proto::tracker::sys_files::{Ask as Part, Got, SysFile};
use fdfs_proto::tracker::{HostBody, Request, tracker_cluster_stat, tracker_status};
use fdfs_proto::{Empty, Host, Status, Version};

#[test]
fn a_single_tracker_leads_and_says_so() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let mut client = server.client();
    let leader = client.get(&Request::GetLeader(Empty));
    assert_eq!(String::from_utf8(leader).unwrap(), server.address.to_string());
    let figures = tracker_status::Got::decode(&client.get(&Request::TrackerStatus(Empty))).unwrap();
    assert_eq!((figures.is_leader, figures.running_time, figures.restart_interval), (true, 0, 0));
    let body = client.get(&Request::TrackerClusterStat(tracker_cluster_stat::Ask::default()));
    let stats = tracker_cluster_stat::Got::decode(&body).unwrap().trackers;
    assert_eq!(stats.len(), 1);
    assert_eq!(stats[0].host.to_string(), server.address.to_string());
    assert!(stats[0].is_leader && stats[0].is_active);
    assert_eq!(stats[0].connections.current_count, 2, "the storage's and this one");
    assert_eq!(stats[0].version.to_string(), "6.16.1");
    client.get(&Request::ReselectLeader(Empty));
    client.get(&Request::GetLeader(Empty));
}

#[test]
fn a_tracker_of_several_follows_honestly() {
    // Whoever is named here is there and says nothing, so nobody is elected while this lasts.
    let mute = TcpListener::bind("127.0.0.99:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    // Alone at first: with nothing of its own it would wait for the other one's state.
    let mut ask = storage.first_join("group1", 23000);
    storage.get(&Request::Join(ask.clone()));
    ask.trackers.push(Host::new("127.0.0.99".parse().unwrap(), port));
    storage.get(&Request::Join(ask));
    let mut client = server.client();
    client.get(&Request::ReselectLeader(Empty));
    assert_eq!(client.refused(&Request::GetLeader(Empty)), Status::ENOENT);
    let stat = Request::TrackerClusterStat(tracker_cluster_stat::Ask::default());
    assert_eq!(client.refused(&stat), Status::EOPNOTSUPP);
    let join = Join { up_time: 1, version: Version::EMPTY, server_port: port };
    assert_eq!(client.refused(&Request::JoinLeader(join)), Status::EOPNOTSUPP);
    assert_eq!(client.refused(&Request::PingLeader(Connections::default())), Status::EOPNOTSUPP);
    assert_eq!(client.refused(&Request::ReselectLeader(Empty)), Status::EOPNOTSUPP);
    let other = HostBody { host: Host::new("127.0.0.99".parse().unwrap(), port) };
    assert_eq!(client.refused(&Request::CommitNextLeader(other)), Status::EINVAL);
    client.get(&Request::NotifyNextLeader(other));
    client.get(&Request::CommitNextLeader(other));
    assert_eq!(client.get(&Request::GetLeader(Empty)), format!("127.0.0.99:{port}").into_bytes());
    let stranger = HostBody { host: Host::new("127.0.0.98".parse().unwrap(), port) };
    assert_eq!(client.refused(&Request::NotifyNextLeader(stranger)), Status::ENOENT);
}

#[test]
fn a_follower_joins_and_pings() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    let mut ask = storage.first_join("group1", 23000);
    ask.trackers.push(Host::new("127.0.0.98".parse().unwrap(), 22122));
    storage.get(&Request::Join(ask));
    let me = HostBody { host: Host::from(server.address) };
    let mut client = server.client();
    client.get(&Request::NotifyNextLeader(me));
    client.get(&Request::CommitNextLeader(me));
    let join = Join { up_time: 1, version: Version::EMPTY, server_port: 22122 };
    assert_eq!(client.refused(&Request::JoinLeader(join)), Status::ENOENT, "not from this address");
    let mut follower = server.peer("127.0.0.98");
    assert_eq!(follower.refused(&Request::PingLeader(Connections::default())), Status::EINVAL);
    follower.get(&Request::JoinLeader(join));
    let pong = follower.get(&Request::PingLeader(Connections::default()));
    let told = Pong::decode(&pong).unwrap().trunk_servers;
    assert_eq!(
        told.iter().map(|told| (told.group.as_str(), told.id)).collect::<Vec<_>>(),
        [("group1", None)]
    );
    assert_eq!(follower.refused(&Request::JoinLeader(join)), Status::EEXIST);
    assert_eq!(storage.refused(&Request::PingLeader(Connections::default())), Status::EINVAL);
}

#[test]
fn the_state_files_are_copied_part_by_part_as_they_were_at_the_start() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let mut copier = server.client();
    let part = |file, offset| Request::SysFilesGet(Part { file, offset });
    assert_eq!(copier.refused(&part(SysFile::Groups, 0)), Status::EINVAL, "not begun");
    copier.get(&Request::SysFilesStart(Empty));
    let mut other = server.client();
    assert_eq!(other.refused(&Request::SysFilesStart(Empty)), Status::EBUSY);
    assert_eq!(other.refused(&part(SysFile::Groups, 0)), Status::EINVAL);
    for number in 4..20 {
        server.peer(&format!("127.0.0.{number}")).join("group1");
    }
    let mut copy = |file| {
        let mut bytes = Vec::new();
        loop {
            let body = copier.get(&part(file, bytes.len() as u64));
            let got = Got::decode(&body).unwrap();
            bytes.extend_from_slice(got.part);
            if bytes.len() as u64 == got.file_size {
                return String::from_utf8(bytes).unwrap();
            }
        }
    };
    assert!(copy(SysFile::Groups).starts_with("[Global]\n\tgroup_count=1\n\n# group: group1\n"));
    let servers = copy(SysFile::Servers);
    assert!(servers.contains("ip_addr=127.0.0.3\n") && !servers.contains("ip_addr=127.0.0.4\n"), "{servers}");
    assert_eq!(copy(SysFile::SyncTimestamps), "group1,127.0.0.3,0\n");
    assert_eq!(copy(SysFile::Changelog), "");
    assert_eq!(copier.refused(&part(SysFile::Groups, 1 << 40)), Status::EINVAL);
    copier.get(&Request::SysFilesEnd(Empty));
    assert_eq!(copier.refused(&part(SysFile::Groups, 0)), Status::EINVAL);

    other.get(&Request::SysFilesStart(Empty));
    let whole = |peer: &mut crate::peer::Peer| {
        let body = peer.get(&part(SysFile::Servers, 0));
        Got::decode(&body).map(|got| (got.file_size, got.part.len())).unwrap()
    };
    let (size, first_part) = whole(&mut other);
    assert!(size > 8173 && first_part == 8173, "{size} {first_part}");
    drop(other);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while copier.ask(&Request::SysFilesStart(Empty)).0 != Status::OK {
        assert!(std::time::Instant::now() < deadline, "a copier that hung up holds the files");
    }
    assert_eq!(group("group1").as_bytes(), b"group1");
}
