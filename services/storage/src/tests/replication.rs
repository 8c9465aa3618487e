//! The sending side of replication, against a peer that does as the original does.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, mpsc};

use fdfs_fileid::FileName;
use fdfs_format::Mark;
use fdfs_proto::tracker::sync_source::SyncSource;
use fdfs_proto::{IpText, Status, StorageCommand as C, StorageId, StorageStatus};
use storage_core::membership::{ClusterView, Peer};
use storage_core::replication::LogPosition;
use storage_core::stats::Counter;
use tokio::sync::watch;

use super::client::{Client, TestStorage, group, number, until, view};
use super::peer::{FakePeer, FakeTracker, Instead, LatePeer};
use crate::replication::PeerProgress;
use crate::run::launch;
use crate::server::unix_now;

const PEER: &str = "127.0.0.2";

/// A file of the log gets so long, bytes.
const LOG_FILE_LEN: u64 = 1 << 30;

/// A storage, its only peer, and what the cluster says.
pub(super) struct Pair {
    pub(super) storage: TestStorage,
    pub(super) peer: FakePeer,
    pub(super) tracker: FakeTracker,
    tell: watch::Sender<Arc<ClusterView>>,
}

pub(super) fn id(text: &str) -> StorageId {
    StorageId::new(text.as_bytes()).unwrap()
}

/// The cluster with the peer in this status, reached where the fake one listens.
fn with_peer(peer: &FakePeer, status: StorageStatus) -> Arc<ClusterView> {
    let mut view = view();
    let ip = IpText::new(peer.address.ip().to_string().as_bytes()).unwrap();
    view.peers.insert(id(PEER), Peer { status, ip, port: peer.address.port() });
    Arc::new(view)
}

impl Pair {
    pub(super) fn start(status: StorageStatus) -> Self {
        Self::with(status, None, FakePeer::start(), "")
    }

    pub(super) fn with(
        status: StorageStatus,
        source: Option<SyncSource>,
        peer: FakePeer,
        more: &str,
    ) -> Self {
        let tracker = FakeTracker::start(source);
        let storage =
            TestStorage::prepare(&format!("durability=disk\ntracker_server={}\n{more}", tracker.address));
        let (tell, _) = watch::channel(Arc::default());
        let mut pair = Self { storage, peer, tracker, tell };
        pair.run(status);
        pair
    }

    pub(super) fn run(&mut self, status: StorageStatus) {
        let told = with_peer(&self.peer, status);
        let mut outside = None;
        let running = launch(&self.storage.conf, |_, _, _, tell, _| {
            tell.send_replace(told);
            outside = Some(tell);
            Ok(())
        });
        self.storage.running = Some(running.unwrap());
        self.tell = outside.unwrap();
    }

    pub(super) fn stop(&mut self) {
        self.storage.running.take().unwrap().stop().unwrap();
    }

    pub(super) fn say(&self, status: StorageStatus) {
        self.tell.send_replace(with_peer(&self.peer, status));
    }

    pub(super) fn client(&self) -> Client {
        self.storage.connect()
    }

    pub(super) fn progress(&self) -> PeerProgress {
        let running = self.storage.running.as_ref().unwrap();
        running.server().replication.follow(&id(PEER)).map(|told| told.borrow().clone()).unwrap_or_default()
    }

    /// Waits until the peer lacks nothing of the log.
    #[track_caller]
    pub(super) fn caught_up(&self) {
        until("the peer lacks nothing", || self.progress().acknowledged == Some(self.end()));
    }

    /// The end of the log.
    fn end(&self) -> LogPosition {
        let (file, offset) = self.storage.running.as_ref().unwrap().server().store.binlog().position();
        LogPosition { file, offset }
    }

    /// Whether clients wait for the peer.
    fn is_held(&self) -> bool {
        self.storage.running.as_ref().unwrap().server().replication.is_held()
    }

    pub(super) fn mark_path(&self) -> std::path::PathBuf {
        self.storage.dir.path().join(format!("base/data/sync/{PEER}_23000.mark"))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark::decode(&fs::read(self.mark_path()).unwrap()).unwrap()
    }
}

fn append(client: &mut Client, name: &FileName, content: &[u8]) {
    let name = name.as_str().as_bytes();
    let body: [&[u8]; 4] = [&number(name.len()), &number(content.len()), name, content];
    assert_eq!(client.ask(C::Append, &body).status, Status::OK);
}

fn truncate(client: &mut Client, name: &FileName, size: usize) {
    let name = name.as_str().as_bytes();
    assert_eq!(client.ask(C::Truncate, &[&number(name.len()), &number(size), name]).status, Status::OK);
}

fn modify(client: &mut Client, name: &FileName, at: usize, content: &[u8]) {
    let name = name.as_str().as_bytes();
    let body: [&[u8]; 5] = [&number(name.len()), &number(at), &number(content.len()), name, content];
    assert_eq!(client.ask(C::Modify, &body).status, Status::OK);
}

fn set_metadata(client: &mut Client, name: &FileName, value: &str) {
    let meta = format!("k\u{2}{value}");
    let name = name.as_str().as_bytes();
    let body: [&[u8]; 6] =
        [&number(name.len()), &number(meta.len()), b"O", &group("group1"), name, meta.as_bytes()];
    assert_eq!(client.ask(C::SetMetadata, &body).status, Status::OK);
}

fn upload(client: &mut Client, content: &[u8]) -> FileName {
    client.upload(content, "txt").name()
}

fn appender(client: &mut Client, content: &[u8]) -> FileName {
    client.upload_as(C::UploadAppender, 0, content, "log").name()
}

#[test]
fn every_kind_of_change_reaches_the_peer() {
    let pair = Pair::start(StorageStatus::Active);
    let mut client = pair.client();
    let small = upload(&mut client, b"small");
    let large_content: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    let large = upload(&mut client, &large_content);
    let log = appender(&mut client, b"one");
    append(&mut client, &log, b", two, three");
    modify(&mut client, &log, 0, b"ONE");
    truncate(&mut client, &log, 8);
    set_metadata(&mut client, &small, "v");
    let renamed = client.ask(C::RegenerateName, &[log.as_str().as_bytes()]).name();
    let gone = upload(&mut client, b"gone");
    pair.peer.wait_for(gone.as_str(), b"gone");
    assert_eq!(client.of_file(C::DeleteFile, &gone).status, Status::OK);
    pair.caught_up();
    assert_eq!(pair.peer.content(small.as_str()).unwrap(), b"small");
    assert_eq!(pair.peer.content(small.metadata_name().as_str()).unwrap(), b"k\x02v");
    assert_eq!(pair.peer.content(large.as_str()).unwrap(), large_content);
    assert_eq!(pair.peer.content(renamed.as_str()).unwrap(), b"ONE, two");
    assert_eq!(pair.peer.names().len(), 4);
    assert!(!pair.peer.overlapped());
    let (sent, taken) = pair.storage.running.as_ref().unwrap().server().stats.get(Counter::SyncOutBytes);
    assert_eq!(sent, taken);
    assert!(sent > 1_500_000);
}

#[test]
fn every_connection_says_first_who_it_is_from() {
    let pair = Pair::start(StorageStatus::Active);
    pair.peer.obey(|seen| (seen.command == C::SyncCreate).then_some(Instead::Wait));
    let mut client = pair.client();
    let names: Vec<_> = (0..8_u8).map(|n| upload(&mut client, &[n])).collect();
    // Each waits on a connection of its own.
    until("all travel", || pair.peer.seen().iter().filter(|seen| seen.command == C::SyncCreate).count() == 8);
    pair.peer.open_gate();
    pair.caught_up();
    let seen = pair.peer.seen();
    for connection in 0..8 {
        let first = seen.iter().find(|seen| seen.connection == connection).unwrap();
        assert_eq!((first.command, &first.body[..10]), (C::ReportServerId, &b"127.0.0.1\0"[..]));
    }
    assert_eq!(pair.peer.names().len(), names.len());
}

#[test]
fn d4_changes_of_one_appender_arrive_one_by_one_and_in_order() {
    let pair = Pair::start(StorageStatus::Active);
    let mut client = pair.client();
    let log = appender(&mut client, b"");
    let mut whole = Vec::new();
    for n in 0..200_u32 {
        let part = format!("{n},");
        append(&mut client, &log, part.as_bytes());
        whole.extend_from_slice(part.as_bytes());
        if n % 50 == 49 {
            truncate(&mut client, &log, 10);
            whole.truncate(10);
        }
    }
    pair.caught_up();
    assert_eq!(pair.peer.content(log.as_str()).unwrap(), whole);
    assert!(!pair.peer.overlapped());
}

#[test]
fn a_renamed_file_has_at_the_peer_what_was_done_under_its_old_name() {
    let mut pair = Pair::start(StorageStatus::Active);
    let mut client = pair.client();
    let log = appender(&mut client, b"0123456789");
    let renamed_at_once = appender(&mut client, b"abcdef");
    pair.peer.wait_for(log.as_str(), b"0123456789");
    pair.peer.wait_for(renamed_at_once.as_str(), b"abcdef");
    drop(client);
    pair.stop();
    // Nothing is sent until all of it is done.
    pair.run(StorageStatus::Offline);
    let mut client = pair.client();
    modify(&mut client, &log, 0, b"XX");
    let renamed = client.ask(C::RegenerateName, &[log.as_str().as_bytes()]).name();
    let gone = client.ask(C::RegenerateName, &[renamed_at_once.as_str().as_bytes()]).name();
    assert_eq!(client.of_file(C::DeleteFile, &gone).status, Status::OK);
    pair.say(StorageStatus::Active);
    pair.caught_up();
    assert_eq!(pair.peer.content(renamed.as_str()).unwrap(), b"XX23456789");
    assert_eq!(pair.peer.names(), [renamed.to_string()]);
}

#[test]
fn d17_a_record_the_peer_refuses_is_tried_again_while_others_go_on() {
    let pair = Pair::start(StorageStatus::Active);
    let mut client = pair.client();
    let bad = upload(&mut client, b"bad");
    pair.peer.wait_for(bad.as_str(), b"bad");
    let refused = bad.metadata_name().to_string();
    pair.peer.obey(move |seen| (seen.name == refused).then_some(Instead::Refuse(Status::EIO)));
    set_metadata(&mut client, &bad, "v");
    let good: Vec<_> = (0..20_u8).map(|n| upload(&mut client, &[n])).collect();
    for (n, name) in (0..).zip(&good) {
        pair.peer.wait_for(name.as_str(), &[n]);
    }
    let lag = pair.progress().lag;
    assert!(lag.last_error.unwrap().contains("Input/output error"));
    assert!(lag.records >= 1);
}

/// A member that lacks `files` files, more than a second old, of one that lets it be a second behind, and only then
/// becomes active.
fn far_behind(files: u32) -> Pair {
    let more = "sync_lag_max=1\nsync_max_threads=1\n";
    let pair = Pair::with(StorageStatus::Offline, None, FakePeer::start(), more);
    let mut client = pair.client();
    let last = (0..files).map(|n| upload(&mut client, &n.to_be_bytes())).last().unwrap();
    let made = i64::from(last.stamp().unwrap().timestamp);
    until("all of them are old enough", || i64::from(unix_now()) > made + 1);
    pair
}

#[test]
fn of_a_member_that_is_too_far_behind_every_second_record_lets_a_client_go_on() {
    let pair = far_behind(100);
    let line_len = pair.end().offset / 100;
    let (let_one, may) = mpsc::channel::<()>();
    pair.peer.obey(move |seen| {
        if seen.command == C::SyncCreate {
            // No more is said when the test wants everything to go on.
            let _ = may.recv();
        }
        None
    });
    pair.say(StorageStatus::Active);
    let mut taken = 0;
    let mut take_one = || {
        let_one.send(()).unwrap();
        taken += 1;
        let has = || pair.progress().acknowledged.is_some_and(|at| at.offset == taken * line_len);
        until("the member takes one more", has);
    };
    take_one();
    until("clients wait", || pair.is_held());
    assert!(pair.progress().lag.oldest.as_secs() > 1);
    let mut client = pair.client();
    let (done, uploaded) = mpsc::channel();
    let uploading = std::thread::spawn(move || {
        for _ in 0..5 {
            upload(&mut client, b"one more");
            done.send(()).unwrap();
        }
    });
    // The first of two was taken before anybody waited.
    take_one();
    uploaded.recv().unwrap();
    for _ in 1..5 {
        take_one();
        assert_eq!(uploaded.try_recv(), Err(mpsc::TryRecvError::Empty));
        take_one();
        uploaded.recv().unwrap();
    }
    uploading.join().unwrap();
    assert!(pair.is_held());
    drop(let_one);
    pair.caught_up();
    until("nobody waits", || !pair.is_held());
    assert_eq!(pair.peer.names().len(), 105);
}

#[test]
fn clients_do_not_wait_for_a_member_that_does_not_serve() {
    let pair = far_behind(3);
    pair.peer.obey(|seen| (seen.command == C::SyncCreate).then_some(Instead::Refuse(Status::ENOSPC)));
    pair.say(StorageStatus::Active);
    until("it is tried", || pair.progress().lag.last_error.is_some());
    upload(&mut pair.client(), b"at once");
    assert!(!pair.is_held());
}

#[test]
fn d17_a_truncation_of_what_the_peer_lacks_sends_the_whole_file() {
    let pair = Pair::start(StorageStatus::Active);
    let mut client = pair.client();
    let log = appender(&mut client, b"0123456789");
    pair.peer.wait_for(log.as_str(), b"0123456789");
    pair.peer.forget(log.as_str());
    truncate(&mut client, &log, 4);
    pair.caught_up();
    assert_eq!(pair.peer.content(log.as_str()).unwrap(), b"0123");
    assert_eq!(pair.peer.about(log.as_str()), [C::SyncCreate, C::SyncTruncate, C::SyncUpdate]);
}

#[test]
fn a_peer_that_hangs_up_gets_what_it_missed() {
    let pair = Pair::start(StorageStatus::Active);
    let mut left = 3;
    pair.peer.obey(move |seen| {
        (seen.command == C::SyncCreate && left > 0).then(|| {
            left -= 1;
            Instead::HangUp
        })
    });
    let mut client = pair.client();
    let names: Vec<_> = (0..10_u8).map(|n| upload(&mut client, &[n])).collect();
    pair.caught_up();
    for (n, name) in (0..).zip(&names) {
        assert_eq!(pair.peer.content(name.as_str()).unwrap(), [n]);
    }
    until("all is well", || pair.progress().lag.last_error.is_none());
}

#[test]
fn a_full_peer_is_waited_for_and_nothing_is_set_aside() {
    let pair = Pair::start(StorageStatus::Active);
    let mut left = 2;
    pair.peer.obey(move |seen| {
        (seen.command == C::SyncCreate && left > 0).then(|| {
            left -= 1;
            Instead::Refuse(Status::ENOSPC)
        })
    });
    let mut client = pair.client();
    let names: Vec<_> = (0..10_u8).map(|n| upload(&mut client, &[n])).collect();
    pair.caught_up();
    assert_eq!(pair.peer.names().len(), names.len());
    assert_eq!(pair.progress().lag.set_aside, 0);
}

#[test]
fn d7_a_full_peer_is_sent_the_deletions_that_make_room_also_those_that_come_later() {
    let pair = Pair::start(StorageStatus::Active);
    let mut client = pair.client();
    let old: Vec<_> = (0..2_u8).map(|n| upload(&mut client, &[n])).collect();
    pair.caught_up();
    let mut in_the_way = old.len();
    pair.peer.obey(move |seen| {
        in_the_way -= usize::from(seen.command == C::SyncDelete);
        (seen.command == C::SyncCreate && in_the_way > 0).then_some(Instead::Refuse(Status::ENOSPC))
    });
    let new: Vec<_> = (10..20_u8).map(|n| upload(&mut client, &[n])).collect();
    until("it is known that the peer is full", || pair.progress().lag.last_error.is_some());
    for name in &old {
        assert_eq!(client.of_file(C::DeleteFile, name).status, Status::OK);
    }
    pair.caught_up();
    assert_eq!(pair.peer.names().len(), new.len());
    until("all is well", || pair.progress().lag.last_error.is_none());
}

#[test]
fn the_end_of_the_log_is_reached_also_when_it_is_the_start_of_a_new_file() {
    let mut pair = Pair::start(StorageStatus::Active);
    upload(&mut pair.client(), b"first");
    pair.caught_up();
    pair.stop();
    // One byte before a file of the log is full.
    let log = pair.storage.dir.path().join("base/data/sync/binlog.000");
    let file = fs::File::options().write(true).open(&log).unwrap();
    file.write_all_at(b"\n", LOG_FILE_LEN - 2).unwrap();
    let mark = Mark { binlog_offset: LOG_FILE_LEN - 1, ..pair.mark() };
    fs::write(pair.mark_path(), mark.encode()).unwrap();
    pair.run(StorageStatus::Active);
    let second = upload(&mut pair.client(), b"second");
    pair.caught_up();
    assert_eq!(pair.end(), LogPosition { file: 1, offset: 0 });
    assert_eq!(pair.peer.about(second.as_str()), [C::SyncCreate]);
    pair.stop();
    assert_eq!((pair.mark().binlog_index, pair.mark().binlog_offset), (1, 0));
}

#[test]
fn a_file_that_came_and_was_not_answered_for_in_time_is_asked_for_before_it_is_sent_again() {
    let peer = FakePeer::start();
    peer.obey(|seen| [C::SyncCreate, C::QueryFileInfo].contains(&seen.command).then_some(Instead::Wait));
    let pair = Pair::with(StorageStatus::Active, None, peer, "network_timeout=1");
    let name = upload(&mut pair.client(), b"content");
    until("it is asked for", || pair.peer.about(name.as_str()).contains(&C::QueryFileInfo));
    pair.peer.put(name.as_str(), b"content");
    pair.peer.open_gate();
    pair.caught_up();
    // Any later answer may come too late as well, and is then asked for once more.
    let seen = pair.peer.seen();
    let with_content = seen.iter().filter(|seen| seen.command == C::SyncCreate && seen.status == 0);
    assert_eq!(with_content.count(), 1);
    let last = seen.last().unwrap();
    assert_eq!((last.command, last.status), (C::SyncCreate, Status::EEXIST.0), "without content");
}

#[test]
fn a_peer_that_is_not_there_yet_gets_everything_when_it_comes() {
    let late = LatePeer::reserve();
    let mut pair = Pair::start(StorageStatus::Offline);
    let name = upload(&mut pair.client(), b"early");
    until("it is known why nothing is sent", || pair.progress().lag.last_error.is_some());
    // It is said to be there before it listens.
    let mut cluster = ClusterView::clone(&with_peer(&pair.peer, StorageStatus::Active));
    cluster.peers.get_mut(&id(PEER)).unwrap().port = late.address.port();
    pair.tell.send_replace(Arc::new(cluster));
    until("connecting failed", || {
        pair.progress().lag.last_error.is_some_and(|error| error.contains("cannot connect"))
    });
    pair.peer = late.listen();
    pair.peer.wait_for(name.as_str(), b"early");
}

#[test]
fn a_restart_goes_on_where_the_mark_is() {
    let mut pair = Pair::start(StorageStatus::Active);
    let first = upload(&mut pair.client(), b"first");
    pair.caught_up();
    pair.stop();
    let mark = pair.mark();
    let line_len = fs::metadata(pair.storage.dir.path().join("base/data/sync/binlog.000")).unwrap().len();
    assert_eq!((mark.binlog_index, mark.binlog_offset), (0, line_len));
    assert_eq!((mark.scan_row_count, mark.sync_row_count, mark.need_sync_old), (1, 1, false));
    pair.run(StorageStatus::Active);
    let second = upload(&mut pair.client(), b"second");
    pair.caught_up();
    assert_eq!(pair.peer.about(first.as_str()), [C::SyncCreate]);
    assert_eq!(pair.peer.about(second.as_str()), [C::SyncCreate]);
    assert_eq!(pair.tracker.asked(), 1, "who has a mark does not ask");
}

#[test]
fn d6_a_broken_mark_starts_over_and_does_not_end_the_process() {
    let mut pair = Pair::start(StorageStatus::Active);
    let name = upload(&mut pair.client(), b"content");
    pair.caught_up();
    pair.stop();
    fs::write(pair.mark_path(), b"binlog_index=").unwrap();
    let copy = pair.mark_path().with_extension("mark.last");
    if copy.exists() {
        fs::write(copy, b"").unwrap();
    }
    pair.peer.forget(name.as_str());
    pair.run(StorageStatus::Active);
    pair.peer.wait_for(name.as_str(), b"content");
}

#[test]
fn a_new_member_is_filled_with_what_others_brought_and_the_trackers_hear_of_it() {
    let until_second = 1_700_000_100;
    let source = SyncSource { src_id: Some(id("127.0.0.1")), until_timestamp: until_second };
    let mut pair = Pair::with(StorageStatus::Offline, Some(source), FakePeer::start(), "");
    let own = upload(&mut pair.client(), b"own");
    let brought = upload(&mut pair.client(), b"brought");
    let late = upload(&mut pair.client(), b"late");
    pair.stop();
    // As if a peer had brought two of them, one of them after the copy began.
    let path = pair.storage.dir.path().join("base/data/sync/binlog.000");
    let lines: String = [(own, 'C', 1), (brought.clone(), 'c', 2), (late.clone(), 'c', until_second + 1)]
        .map(|(name, op, time)| format!("{time} {op} {name}\n"))
        .concat();
    fs::write(path, lines).unwrap();
    pair.run(StorageStatus::WaitSync);
    pair.peer.wait_for(brought.as_str(), b"brought");
    until("the trackers heard the end", || pair.tracker.reports().contains(&StorageStatus::Offline));
    assert_eq!(pair.tracker.reports()[0], StorageStatus::Syncing);
    assert_eq!(pair.peer.content(late.as_str()), None);
    assert_eq!(pair.peer.names().len(), 2);
    let timestamps: Vec<_> = pair
        .peer
        .seen()
        .iter()
        .filter(|seen| seen.command == C::SyncCreate)
        .map(|seen| seen.timestamp)
        .collect();
    assert_eq!(timestamps.iter().sum::<u32>(), 3, "records keep their times: {timestamps:?}");
    pair.say(StorageStatus::Active);
    let next = upload(&mut pair.client(), b"next");
    pair.peer.wait_for(next.as_str(), b"next");
    pair.stop();
    let mark = pair.mark();
    assert!(mark.need_sync_old && mark.sync_old_done);
    assert_eq!(mark.until_timestamp, until_second);
}

#[test]
fn d8_a_new_member_that_another_fills_is_asked_about_the_last_day_and_sent_what_it_lacks() {
    let now = i64::from(crate::server::unix_now());
    let source = SyncSource { src_id: Some(id("127.0.0.3")), until_timestamp: now };
    let mut pair = Pair::with(StorageStatus::Offline, Some(source), FakePeer::start(), "");
    let names: Vec<_> =
        [&b"old"[..], b"there", b"lacking"].map(|content| upload(&mut pair.client(), content)).into();
    pair.stop();
    let path = pair.storage.dir.path().join("base/data/sync/binlog.000");
    let times = [now - 200_000, now - 10, now - 5];
    let lines: String = times.iter().zip(&names).map(|(time, name)| format!("{time} C {name}\n")).collect();
    fs::write(path, lines).unwrap();
    pair.peer.put(names[1].as_str(), b"there");
    pair.run(StorageStatus::WaitSync);
    until("it was asked who fills it", || pair.tracker.asked() > 0);
    assert_eq!(pair.peer.seen().len(), 0, "nothing goes to a member that another one fills");
    pair.say(StorageStatus::Active);
    pair.peer.wait_for(names[2].as_str(), b"lacking");
    pair.caught_up();
    assert_eq!(pair.peer.about(names[0].as_str()), []);
    assert_eq!(pair.peer.about(names[1].as_str()), [C::QueryFileInfo, C::SyncCreate]);
    let confirmed = pair
        .peer
        .seen()
        .into_iter()
        .find(|seen| seen.name == names[1].as_str() && seen.command == C::SyncCreate);
    assert_eq!(confirmed.unwrap().status, Status::EEXIST.0, "without content");
}

#[test]
fn the_mark_of_a_peer_that_is_deleted_is_put_away() {
    let pair = Pair::start(StorageStatus::Active);
    upload(&mut pair.client(), b"content");
    pair.caught_up();
    pair.say(StorageStatus::Deleted);
    let marks = || -> Vec<String> {
        let dir = fs::read_dir(pair.storage.dir.path().join("base/data/sync")).unwrap();
        let names = dir.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".mark")).collect()
    };
    until("the mark is put away", || {
        let marks = marks();
        marks.len() == 1 && marks[0].len() == format!("{PEER}_23000.mark.20260701120000").len()
    });
    assert_eq!(pair.progress(), PeerProgress::default());
}

#[test]
fn d5_a_torn_line_of_the_log_is_counted_and_does_not_stop_replication() {
    let mut pair = Pair::start(StorageStatus::Offline);
    let name = upload(&mut pair.client(), b"content");
    pair.stop();
    let path = pair.storage.dir.path().join("base/data/sync/binlog.000");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("17000\n{good}\n1700000000 X {name}\n")).unwrap();
    pair.run(StorageStatus::Active);
    pair.peer.wait_for(name.as_str(), b"content");
    pair.caught_up();
    assert_eq!(pair.progress().lag.bad_lines, 3);
}

#[test]
fn d21_a_damaged_copy_is_not_spread() {
    let mut pair =
        Pair::with(StorageStatus::Offline, None, FakePeer::start(), "pack_max_size=0\njournal_inline_max=0");
    let name = upload(&mut pair.client(), b"content");
    pair.stop();
    fs::write(pair.storage.on_disk(&name), b"c0ntent").unwrap();
    pair.run(StorageStatus::Active);
    until("it is said", || {
        pair.progress().lag.last_error.is_some_and(|error| error.contains("its content is damaged here"))
    });
    let next = upload(&mut pair.client(), b"next");
    pair.peer.wait_for(next.as_str(), b"next");
    assert_eq!(pair.peer.content(name.as_str()), None);
}
