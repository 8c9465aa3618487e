//! What is answered while the machine is busy.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use fdfs_conf::{LoadError, TrackerConf};
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::{Request as Asked, join, query_fetch, query_store};
use fdfs_proto::{
    Empty, GroupField, HEADER_LEN, Header, Host, IpText, RawName, Status, StorageStatus, Version,
};
use net::{ConnLimits, Listener, StopSource, Workers};
use tracker_core::leader::ElectionTimes;
use tracker_core::{Action, Caller, Cluster, ConnId, Event, Request, Saved};

use super::Shell;
use crate::ask_storage::Patience;
use crate::clock::Clock;
use crate::config::{self, Answers};
use crate::connection;
use crate::link::Reach;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A storage of a group joins, from a connection that the server does not have.
pub(crate) fn joins(group: &str, storage: [u8; 4]) -> (Caller, join::Ask) {
    let from = Caller {
        conn: ConnId(u64::MAX - u64::from(storage[3])),
        peer: storage.into(),
        local: [10, 0, 0, 254].into(),
    };
    let ask = join::Ask {
        joiner: join::Joiner {
            group: group.parse().unwrap(),
            storage_port: 23000,
            store_path_count: 1,
            subdir_count_per_path: 256,
            upload_priority: 10,
            join_time: 1_800_000_000,
            up_time: 1_800_000_000,
            version: Version::new(b"6.16.1").unwrap(),
            init: false,
            status: Some(StorageStatus::Online),
            storage_id: None,
            tracker_ip: IpText::from(from.local),
        },
        trackers: vec![Host::new(from.local, 22122)],
    };
    (from, ask)
}

/// A tracker of `group1`, which a storage at 10.0.0.1 serves.
pub(crate) fn shell() -> Shell {
    let mut read = |path: &str| match path {
        "tracker.conf" => Ok("base_path = /nowhere\n".to_owned()),
        _ => Err(LoadError::NotFound),
    };
    let (conf, _) = TrackerConf::load("tracker.conf", &mut read).unwrap();
    let clock = Clock::start();
    let now = clock.now();
    let mut cluster = Cluster::new(
        config::cluster(&conf, None, &[], now.wall, ElectionTimes::default()),
        Saved::default(),
        now,
    );
    let (from, join) = joins("group1", [10, 0, 0, 1]);
    let paths = [PathSpace { total_mb: 1_000_000, free_mb: 900_000 }];
    for ask in [Request::Join(&join), Request::Beat { stat: None }, Request::ReportDisks { paths: &paths }] {
        let mut actions = Vec::new();
        cluster.step(now, Event::Request { from, ask }, &mut actions);
        let done = |action: &Action| matches!(action, Action::Reply { reply: Ok(_), .. });
        assert!(actions.iter().any(done), "{actions:?}");
    }
    let patience = Patience { connect: PATIENCE, answer: PATIENCE };
    let reach = Reach { own: Vec::new(), connect: PATIENCE, answer: PATIENCE };
    Shell::new(cluster, clock, Answers::new(&conf, None), patience, reach)
}

fn get(client: &mut TcpStream, asked: &Asked<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    asked.encode(&mut body);
    let header = Header { body_len: body.len() as u64, command: asked.command().code(), status: 0 };
    client.write_all(&[&header.encode(), &body[..]].concat()).unwrap();
    let mut head = [0; HEADER_LEN];
    client.read_exact(&mut head).unwrap();
    let header = Header::decode(&head).unwrap();
    assert_eq!(Status(header.status), Status::OK, "{asked:?}");
    let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
    client.read_exact(&mut body).unwrap();
    body
}

#[test]
fn uploads_and_downloads_are_placed_while_the_machine_is_busy() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let inside = runtime.enter();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.addr();
    let shell = Arc::new(shell());
    let (stop, stopping) = StopSource::new();
    let limits = ConnLimits { max_connections: 10, network_timeout: PATIENCE, allow: Arc::new(|_| true) };
    let (counters, served) = (Arc::clone(&shell.counters), Arc::clone(&shell));
    let serving =
        net::serve(Workers::here().into(), vec![listener], limits, counters, stopping, move |conn| {
            connection::serve(Arc::clone(&served), conn)
        });
    let serving = runtime.spawn(serving);
    drop(inside);

    let busy = shell.machine.lock();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let got = query_store::Got::decode(&get(&mut client, &Asked::QueryStoreOne(Empty))).unwrap();
    assert_eq!((got.group.as_str(), got.server.ip.to_string()), ("group1", "10.0.0.1".to_owned()));
    let name = RawName::new(b"M00/00/00/nobody-knows-me.txt");
    let ask = query_fetch::Ask { group: GroupField::from_field(b"group1"), name };
    let got = query_fetch::Got::decode(&get(&mut client, &Asked::QueryFetchOne(ask))).unwrap();
    assert_eq!((got.server.ip.to_string(), got.server.port), ("10.0.0.1".to_owned(), 23000));
    drop(busy);

    drop(client);
    stop.stop();
    runtime.block_on(serving).unwrap();
}
