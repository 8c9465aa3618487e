//! What a storage tells of itself.

use std::sync::Arc;
use std::time::Duration;

use fdfs_proto::StorageStatus;
use fdfs_proto::tracker::parameters::{Parameters, ReservedSpace};
use status::Samples;
use storage_core::membership::{ClusterView, TrackerSeen};
use tokio::sync::watch;

use super::client::{TestStorage, until, view};
use super::group::Group;
use crate::figures;
use crate::metrics::{METRICS, oldest_waiting};
use crate::run::launch;

/// As the trackers would have it when all is well.
fn well() -> ClusterView {
    let joined = TrackerSeen { host: None, joined: true };
    ClusterView { trackers: vec![joined], my_status: Some(StorageStatus::Active), ..view() }
}

#[test]
fn a_storage_that_can_not_do_its_work_says_why() {
    let mut storage = TestStorage::prepare("");
    let mut outside: Option<watch::Sender<Arc<ClusterView>>> = None;
    let running = launch(&storage.conf, |_, _, _, tell, _| {
        outside = Some(tell);
        Ok(())
    });
    let node = running.as_ref().unwrap().node();
    storage.running = running.ok();
    let tell = outside.unwrap();
    let said = |view: ClusterView| {
        tell.send_replace(Arc::new(view));
        node.unready().into_iter().map(|reason| (reason.ground.code, reason.words)).collect::<Vec<_>>()
    };
    assert_eq!(said(well()), []);
    let words = "no tracker is reached: 127.0.0.1:22122".to_owned();
    assert_eq!(said(ClusterView { trackers: Vec::new(), ..well() }), [("no-tracker", words)]);
    let waits = ClusterView { my_status: Some(StorageStatus::WaitSync), ..well() };
    let words = "the trackers have this storage as WAIT_SYNC".to_owned();
    assert_eq!(said(waits), [("not-active", words)]);
    let parameters =
        Parameters { reserved_storage_space: ReservedSpace::Mib(1 << 40), ..well().parameters.unwrap() };
    let full = said(ClusterView { parameters: Some(parameters), ..well() });
    assert_eq!(full.len(), 1);
    assert_eq!(full[0].0, "disk-full");
    assert!(full[0].1.starts_with("no store path takes uploads: "), "{full:?}");
    assert_eq!(said(well()), []);
}

#[test]
fn every_figure_is_told_as_a_metric() {
    let storage = TestStorage::start("");
    let server = storage.running.as_ref().unwrap().server();
    for figure in figures::all(server) {
        let name = format!("cairn_storage_{}", figure.name);
        let is = |metric: &&status::Metric| metric.series() == [name.clone()];
        assert_eq!(METRICS.iter().filter(is).count(), 1, "{name}");
    }
    // Nothing in it contradicts its table.
    storage.running.as_ref().unwrap().node().sample(&mut Samples::default());
}

#[test]
fn how_long_a_change_waits_for_a_peer_that_is_away_is_told() {
    let mut members = Group::start("durability=disk");
    members.stop(1);
    members.say(StorageStatus::Offline);
    let server = members.members[0].running.as_ref().unwrap().server();
    let oldest = || server.replication.all().first().map(|(_, progress, _)| oldest_waiting(server, progress));
    until("it is known that the peer is away", || {
        server.replication.all().iter().any(|(_, progress, _)| progress.lag.obstacle.is_some())
    });
    assert_eq!(oldest(), Some(Duration::ZERO), "nothing waits");
    let mut client = members.client(0);
    client.upload(b"content", "txt");
    server.store.binlog().flush().unwrap();
    until("the change waits", || oldest() > Some(Duration::from_secs(1)));
    client.upload(b"newer", "txt");
    server.store.binlog().flush().unwrap();
    assert!(oldest() > Some(Duration::from_secs(1)), "the oldest one counts");
}
