//! The links against trackers that speak over real sockets but only say what a test wants.

mod fake;

use std::sync::Arc;

use fdfs_format::{INIT_FLAG_FILE, InitFlag};
use fdfs_proto::StorageStatus::{Active, WaitSync};
use fdfs_proto::tracker::join;
use fdfs_proto::{Status, TrackerCommand as Cmd};
use storage_core::membership::ClusterView;

use super::{LinkConfig, RecordError, TrackerLinks};
use fake::{FakeTracker, LateTracker, Linked, PATIENCE, brief, change_list};

fn ids(view: &ClusterView) -> Vec<String> {
    view.peers.keys().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_storage_joins_and_publishes_who_it_is() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let mut storage = Linked::start(&[tracker.address()], "");
    let ask = join::Ask::decode(&tracker.asked(Cmd::Join).await).unwrap();
    assert_eq!(ask.joiner.version.to_str(), Some("6.16.1"));
    assert_eq!(ask.joiner.tracker_ip.to_string(), "127.0.0.1");
    assert_eq!(ask.trackers[0].socket(), tracker.address());

    let view = storage.view_with(|view| view.trackers[0].joined).await;
    let me = view.identity.unwrap();
    assert_eq!((me.group.as_str(), me.id.as_str(), me.port), ("group1", "127.0.0.1", 23000));
    assert!(view.parameters.is_some());
}

#[tokio::test]
async fn what_the_tracker_decided_is_on_disk_before_it_is_repeated() {
    let tracker = FakeTracker::start("127.0.0.1").await;
    tracker.answer(Cmd::SyncDestRequest, b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\x65\x53\xf1\0");
    let storage = Linked::prepare(&[tracker.address()], "");
    let file = storage.flag_path();
    let mut on_disk_at = tracker.capture(Cmd::SyncNotify, move || std::fs::read(&file).unwrap());
    let _storage = storage.run();

    let flag = InitFlag::decode(&on_disk_at.recv().await.unwrap()).unwrap();
    assert!(flag.sync_old_done);
    assert_eq!(flag.sync_src_server.map(|id| id.to_string()).as_deref(), Some("10.0.1.9"));
    assert_eq!(flag.sync_until_timestamp, 1_700_000_000);
}

#[tokio::test]
async fn the_record_of_an_earlier_run_keeps_what_is_not_ours() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let storage = Linked::prepare(&[tracker.address()], "");
    let mark = "a".repeat(75);
    let before = format!(
        "storage_join_time=1600000000\nsync_old_done=0\nsync_src_server=\ncurrent_trunk_file_id=7\nstore_path_mark0={mark}\n"
    );
    std::fs::write(storage.flag_path(), before).unwrap();
    let storage = storage.reopen().run();

    let ask = join::Ask::decode(&tracker.asked(Cmd::Join).await).unwrap();
    assert_eq!((ask.joiner.join_time, ask.joiner.init), (1_600_000_000, true));
    tracker.asked(Cmd::Beat).await;
    let flag = InitFlag::decode(&std::fs::read(storage.flag_path()).unwrap()).unwrap();
    assert!(flag.sync_old_done);
    assert_eq!((flag.last_ip_addr.as_str(), flag.last_server_port), ("127.0.0.1", 23000));
    assert_eq!(flag.current_trunk_file_id, 7);
    assert_eq!(flag.store_path_marks.len(), 1);
}

#[tokio::test]
async fn a_first_start_leaves_a_record_even_without_a_tracker() {
    let late = LateTracker::reserve("127.0.0.1");
    let storage = Linked::prepare(&[late.address()], "");
    let flag = InitFlag::decode(&std::fs::read(storage.flag_path()).unwrap()).unwrap();
    assert_eq!(flag.storage_join_time, 1_700_000_000);
    assert!(!flag.sync_old_done);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = Linked::config(&dir, &["127.0.0.1:22122".parse().unwrap()], "");
    std::fs::write(dir.path().join(INIT_FLAG_FILE), "sync_old_done=1\n").unwrap();
    assert!(matches!(TrackerLinks::open(config), Err(RecordError::Format { .. })));
}

#[tokio::test]
async fn a_tracker_that_comes_later_is_joined_then() {
    let late = LateTracker::reserve("127.0.0.1");
    let mut storage = Linked::start(&[late.address()], "");
    assert_eq!(storage.view().identity, None);
    let mut tracker = late.listen();
    tracker.asked(Cmd::Join).await;
    storage.view_with(|view| view.identity.is_some()).await;
}

#[tokio::test]
async fn a_tracker_that_is_away_does_not_hinder_the_other_one() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let away = LateTracker::reserve("127.0.0.1");
    let mut storage = Linked::start(&[away.address(), tracker.address()], "");
    tracker.asked(Cmd::ReportDiskUsage).await;
    let view = storage.view_with(|view| view.identity.is_some()).await;
    assert_eq!(view.trackers.iter().filter(|tracker| tracker.joined).count(), 1);
}

#[tokio::test]
async fn the_first_join_lists_every_tracker_also_one_that_is_away() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let away = LateTracker::reserve("127.0.0.1");
    let _storage = Linked::start(&[away.address(), tracker.address()], "");
    let ask = join::Ask::decode(&tracker.asked(Cmd::Join).await).unwrap();
    let mut listed: Vec<_> = ask.trackers.iter().map(|host| host.socket()).collect();
    let mut all = [away.address(), tracker.address()];
    listed.sort();
    all.sort();
    assert_eq!(listed, all);
}

#[tokio::test]
async fn one_tracker_chooses_the_source_and_the_other_one_is_told() {
    let mut trackers = [FakeTracker::start("127.0.0.1").await, FakeTracker::start("127.0.0.2").await];
    for tracker in &trackers {
        tracker.answer(Cmd::SyncDestRequest, b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\x65\x53\xf1\0");
    }
    let _storage = Linked::start(&[trackers[0].address(), trackers[1].address()], "");
    for tracker in &mut trackers {
        assert_eq!(tracker.asked(Cmd::SyncNotify).await[..9], *b"10.0.1.9\0");
        tracker.asked(Cmd::Beat).await;
    }
    let asked: usize = trackers.iter().map(|tracker| tracker.count(Cmd::SyncDestRequest)).sum();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn peers_and_the_own_status_come_with_the_change_list() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    tracker.answer(Cmd::Beat, &change_list(&[brief("10.0.1.9", Active), brief("127.0.0.1", WaitSync)]));
    let mut storage = Linked::start(&[tracker.address()], "");
    tracker.asked(Cmd::Beat).await;
    let view = storage.view_with(|view| !view.peers.is_empty()).await;
    assert_eq!(ids(&view), ["10.0.1.9"]);
    assert_eq!(view.my_status, Some(WaitSync));
}

#[tokio::test]
async fn how_the_cluster_is_can_be_asked_at_once() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    // Sooner than the next beat is due.
    let mut storage = Linked::start(&[tracker.address()], "heart_beat_interval=3600");
    tracker.asked(Cmd::Beat).await;
    tracker.answer(Cmd::Beat, &change_list(&[brief("10.0.1.9", Active)]));
    storage.look.send_replace(());
    tracker.asked(Cmd::Beat).await;
    let view = storage.view_with(|view| !view.peers.is_empty()).await;
    assert_eq!(ids(&view), ["10.0.1.9"]);
}

#[tokio::test]
async fn counters_and_space_are_those_of_the_moment() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let _storage = Linked::start(&[tracker.address()], "");
    let beat = tracker.asked(Cmd::Beat).await;
    assert_eq!(beat[8..20], [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 42]);
    let space = tracker.asked(Cmd::ReportDiskUsage).await;
    assert_eq!(space, [[0, 0, 0, 0, 0, 0, 0, 200], [0, 0, 0, 0, 0, 0, 0, 100]].concat());
}

#[tokio::test]
async fn when_the_tracker_hangs_up_the_storage_comes_back_without_waiting_for_a_beat() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let mut storage = Linked::start(&[tracker.address()], "heart_beat_interval=3600");
    tracker.asked(Cmd::ReportDiskUsage).await;
    tracker.hang_up();
    storage.view_with(|view| !view.trackers[0].joined).await;
    tracker.asked(Cmd::Join).await;
    storage.view_with(|view| view.trackers[0].joined).await;
}

#[tokio::test]
async fn a_tracker_that_falls_silent_is_left_after_the_network_timeout() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    tracker.keep_silent_about(Cmd::Beat);
    let _storage = Linked::start(&[tracker.address()], "network_timeout=1");
    tracker.asked(Cmd::Beat).await;
    tracker.asked(Cmd::Join).await;
}

#[tokio::test]
async fn what_is_no_reply_is_not_read_as_one() {
    for head in [
        // Another command than 100; a body of 2^62 bytes; a negative length.
        [0, 0, 0, 0, 0, 0, 0, 0, 81, 0],
        [0x40, 0, 0, 0, 0, 0, 0, 0, 100, 0],
        [0x80, 0, 0, 0, 0, 0, 0, 0, 100, 0],
    ] {
        let mut tracker = FakeTracker::start("127.0.0.1").await;
        tracker.answer_raw(Cmd::GetParameters, &head);
        let _storage = Linked::start(&[tracker.address()], "");
        tracker.asked(Cmd::GetParameters).await;
        tracker.asked(Cmd::GetParameters).await;
        tracker.forget_answer(Cmd::GetParameters);
        tracker.asked(Cmd::Join).await;
    }
}

#[tokio::test]
async fn a_refused_join_is_tried_again() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    tracker.refuse(Cmd::Join, Status::EAGAIN);
    let _storage = Linked::start(&[tracker.address()], "");
    tracker.asked(Cmd::Join).await;
    tracker.forget_answer(Cmd::Join);
    tracker.asked(Cmd::Beat).await;
}

#[tokio::test]
async fn outgoing_connections_come_from_the_bound_address() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let _storage = Linked::start(&[tracker.address()], "bind_addr=127.0.0.5");
    tracker.asked(Cmd::Join).await;
    assert_eq!(tracker.peer().ip().to_string(), "127.0.0.5");
}

#[tokio::test]
async fn client_bind_false_leaves_the_choice_to_the_system() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let _storage = Linked::start(&[tracker.address()], "bind_addr=127.0.0.5\nclient_bind=false");
    tracker.asked(Cmd::Join).await;
    assert_eq!(tracker.peer().ip().to_string(), "127.0.0.1");
}

#[tokio::test]
async fn an_ipv6_tracker_is_reached_too() {
    let mut tracker = FakeTracker::start("::1").await;
    tracker.answer(Cmd::GetServerId, b"AAAAAJ3kK4Y.");
    let mut storage = Linked::start(&[tracker.address()], "");
    let ask = join::Ask::decode(&tracker.asked(Cmd::Join).await).unwrap();
    assert_eq!(ask.trackers[0].to_string(), tracker.address().to_string());
    let view = storage.view_with(|view| view.identity.is_some()).await;
    assert_eq!(view.identity.unwrap().id.as_str(), "AAAAAJ3kK4Y.");
}

#[tokio::test]
async fn a_tracker_may_be_named_instead_of_numbered() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let port = tracker.address().port();
    let dir = tempfile::tempdir().unwrap();
    let config = LinkConfig {
        trackers: vec![fdfs_conf::ServerAddr::parse(&format!("localhost:{port}"), port).unwrap()],
        ..Linked::config(&dir, &[tracker.address()], "")
    };
    let _storage = Linked::with(dir, config).run();
    let ask = join::Ask::decode(&tracker.asked(Cmd::Join).await).unwrap();
    assert_eq!(ask.trackers[0].port, port);
}

#[tokio::test]
async fn stopping_closes_the_connection_and_ends() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let storage = Linked::start(&[tracker.address()], "");
    tracker.asked(Cmd::ReportDiskUsage).await;
    tokio::time::timeout(PATIENCE, storage.stop()).await.unwrap();
    tokio::time::timeout(PATIENCE, tracker.left()).await.unwrap();
}

#[tokio::test]
async fn the_view_is_shared_and_not_copied_for_each_reader() {
    let mut tracker = FakeTracker::start("127.0.0.1").await;
    let mut storage = Linked::start(&[tracker.address()], "");
    tracker.asked(Cmd::ReportDiskUsage).await;
    storage.view_with(|view| view.trackers[0].joined).await;
    assert!(Arc::ptr_eq(&storage.view(), &storage.view()));
}
