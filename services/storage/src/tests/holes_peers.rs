//! Holes of the original that concern two members of a group: one test, or more, for each; the number is in the name.

use std::fs;
use std::net::Ipv4Addr;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::trunk::Slot;
use fdfs_proto::tracker::sync_source::SyncSource;
use fdfs_proto::{Status, StorageCommand as C, StorageStatus};

use super::client::{Client, Reply, TestStorage, group, number, until};
use super::group::Group;
use super::peer::{FakePeer, FakeTracker};
use super::replication::{Pair, id};
use super::trunk::{FIRST, Member, SECOND, about, alloc, first_in_slot, seen};
use crate::run::launch;

const TIME: u32 = 1_700_000_000;

/// An appender of another storage.
const APPENDER: &str = "M00/00/00/fwAAAWhjJQCEKlw9AAAAAA4Qul0482.txt";

/// The name of a file of 127.0.0.3 with this content; `number` tells it from others.
fn normal(content: &[u8], number: u32) -> FileName {
    let stamp = Stamp {
        source: Source::Ip(Ipv4Addr::new(127, 0, 0, 3)),
        timestamp: TIME,
        size: SizeWord::normal(content.len() as u64, number),
        crc32: crc32fast::hash(content),
    };
    build_name(StorePathIndex(0), (0, 0), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), number)
}

/// SYNC_CREATE_FILE, or SYNC_UPDATE_FILE.
fn sync_copy(client: &mut Client, command: C, name: &[u8], content: &[u8], time: u32) -> Reply {
    let lens = [number(name.len()), number(content.len())].concat();
    client.ask(command, &[&lens, &time.to_be_bytes(), &group("group1"), name, content])
}

/// SYNC_APPEND_FILE, or SYNC_MODIFY_FILE.
fn sync_write(
    client: &mut Client,
    command: C,
    name: &[u8],
    start: usize,
    content: &[u8],
    time: u32,
) -> Reply {
    let lens = [number(name.len()), number(start), number(content.len())].concat();
    client.ask(command, &[&lens, &time.to_be_bytes(), &group("group1"), name, content])
}

/// SYNC_RENAME_FILE, or SYNC_CREATE_LINK: the new name, the old one.
fn sync_pair(client: &mut Client, command: C, new: &[u8], old: &[u8]) -> Reply {
    let lens = [number(new.len()), number(old.len())].concat();
    client.ask(command, &[&lens, &TIME.to_be_bytes(), &group("group1"), new, old])
}

/// One request of every command by which a member changes a file, about this name.
fn changes_about(name: &[u8]) -> Vec<(C, Vec<u8>)> {
    let (len, time, own) = (number(name.len()), TIME.to_be_bytes(), group("group1"));
    let other = APPENDER.as_bytes();
    let pair =
        |new: &[u8], old: &[u8]| [&number(new.len())[..], &number(old.len()), &time, &own, new, old].concat();
    vec![
        (C::SyncCreate, [&len[..], &number(1), &time, &own, name, b"x"].concat()),
        (C::SyncUpdate, [&len[..], &number(1), &time, &own, name, b"x"].concat()),
        (C::SyncDelete, [&time[..], &own, name].concat()),
        (C::SyncAppend, [&len[..], &number(0), &number(1), &time, &own, name, b"x"].concat()),
        (C::SyncModify, [&len[..], &number(0), &number(1), &time, &own, name, b"x"].concat()),
        (C::SyncTruncate, [&len[..], &number(0), &number(0), &time, &own, name].concat()),
        (C::SyncRename, pair(name, other)),
        (C::SyncRename, pair(other, name)),
        (C::SyncCreateLink, pair(name, other)),
        (C::SyncCreateLink, pair(other, name)),
    ]
}

#[test]
fn s1_t6_names_of_members_are_bounded_too_both_of_them_where_there_are_two() {
    let members = Group::start("durability=disk");
    for len in [128, 1000, 200_000] {
        let name = [&b"M00/00/00/"[..], &vec![b'a'; len - 10]].concat();
        for (command, body) in changes_about(&name) {
            assert_eq!(members.client(0).ask(command, &[&body]).status, Status::EINVAL, "{command} {len}");
        }
    }
    assert_eq!(members.members[0].files(), Vec::<String>::new());
    assert_eq!(members.log(0), "");
}

#[test]
fn s3_not_even_members_reach_trunk_containers_by_name() {
    let members = Group::start("durability=disk");
    let container = members.members[0].dir.path().join("p0/data/00/00/000001");
    fs::create_dir_all(container.parent().unwrap()).unwrap();
    fs::write(&container, b"everybody's small files").unwrap();
    for (command, body) in changes_about(b"M00/00/00/000001") {
        assert_eq!(members.client(0).ask(command, &[&body]).status, Status::EINVAL, "{command}");
    }
    assert_eq!(fs::read(&container).unwrap(), b"everybody's small files");
    assert_eq!(members.log(0), "");
}

#[test]
fn d8_what_others_changed_reaches_a_member_to_which_the_file_was_sent_before() {
    let until_second = i64::from(TIME) + 100;
    let source = SyncSource { src_id: Some(id("127.0.0.1")), until_timestamp: until_second };
    let pair = Pair::with(StorageStatus::Offline, Some(source), FakePeer::start(), "");
    let (mut third, name) = (pair.client(), APPENDER.as_bytes());
    assert_eq!(sync_copy(&mut third, C::SyncCreate, name, b"one", TIME).status, Status::OK);
    pair.say(StorageStatus::WaitSync);
    pair.peer.wait_for(APPENDER, b"one");
    until("the copy is complete", || pair.tracker.reports().contains(&StorageStatus::Offline));
    pair.say(StorageStatus::Active);
    // Made before the copy began, and slow to come here.
    assert_eq!(sync_write(&mut third, C::SyncAppend, name, 3, b", two", TIME + 1).status, Status::OK);
    pair.peer.wait_for(APPENDER, b"one, two");
    assert_eq!(sync_write(&mut third, C::SyncModify, name, 0, b"ONE", TIME + 2).status, Status::OK);
    pair.peer.wait_for(APPENDER, b"ONE, two");
    let cut =
        [&number(name.len())[..], &number(8), &number(3), &(TIME + 3).to_be_bytes(), &group("group1"), name];
    assert_eq!(third.ask(C::SyncTruncate, &cut).status, Status::OK);
    pair.peer.wait_for(APPENDER, b"ONE");
    // Made afterwards: whoever made it sends it.
    let late = u32::try_from(until_second).unwrap() + 1;
    assert_eq!(sync_write(&mut third, C::SyncAppend, name, 3, b"!", late).status, Status::OK);
    pair.caught_up();
    assert_eq!(pair.peer.content(APPENDER).unwrap(), b"ONE");
}

#[test]
fn d15_two_trunk_servers_that_hand_out_one_slot_lose_neither_file() {
    // Neither has the other's log, as after a change of the role whose last lines were not sent.
    let tracker = FakeTracker::start(None);
    let conf = format!("tracker_server={}", tracker.address);
    let a = Member::with(&conf, seen(FIRST, Some(FIRST), &[]));
    let b = Member::with(&conf, seen(SECOND, Some(SECOND), &[]));
    let (mut at_a, mut at_b) = (a.storage.connect(), b.storage.connect());
    first_in_slot(&mut at_a);
    first_in_slot(&mut at_b);
    let uploaded: Vec<_> =
        (0..4).map(|_| (at_a.upload(b"of a", "txt").name(), at_b.upload(b"of b", "txt").name())).collect();
    let is_shared = |(of_a, of_b): &&(FileName, FileName)| about(of_a) == about(of_b);
    let (of_a, of_b) = uploaded.iter().find(is_shared).expect("a slot that both handed out").clone();
    a.sees(seen(FIRST, Some(FIRST), &[(SECOND, b.port())]));
    b.sees(seen(SECOND, Some(SECOND), &[(FIRST, a.port())]));
    // A member that asks is told what is here.
    let has = |member: &Member, name: &FileName| {
        let mut client = member.storage.connect();
        client.send(C::QueryFileInfo, 3, &[&group("group1"), name.as_str().as_bytes()]);
        client.receive().status.is_ok()
    };
    until("each has the other's file", || has(&a, &of_b) && has(&b, &of_a));
    for client in [&mut at_a, &mut at_b] {
        assert_eq!(client.download(&of_a, 0, 0).body, b"of a");
        assert_eq!(client.download(&of_b, 0, 0).body, b"of b");
    }
    // The deletion of one takes nothing of the other.
    assert_eq!(at_a.of_file(C::DeleteFile, &of_a).status, Status::OK);
    until("it is gone", || !has(&a, &of_a) && !has(&b, &of_a));
    for client in [&mut at_a, &mut at_b] {
        assert_eq!(client.download(&of_b, 0, 0).body, b"of b");
    }
}

#[test]
fn d15_a_slot_that_was_handed_out_and_not_filled_is_handed_out_again() {
    let member = Member::start(seen(FIRST, Some(FIRST), &[]));
    let mut client = member.storage.connect();
    let filled = first_in_slot(&mut client);
    let slot = |client: &mut Client| Slot::decode(&alloc(client, 1000).body).unwrap();
    let first = slot(&mut client);
    assert_ne!(slot(&mut client), first);
    let server = member.storage.running.as_ref().unwrap().server();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(server.trunk.end_holds(server));
    assert_eq!(slot(&mut client), first);
    assert_ne!(slot(&mut client), about(&filled));
    assert_eq!(client.download(&filled, 0, 0).body, b"first");
}

#[test]
fn d18_t9_a_rename_is_answered_without_a_body_and_once_more_with_that_it_is_done() {
    let members = Group::start("durability=disk");
    let mut client = members.client(0);
    assert_eq!(sync_copy(&mut client, C::SyncCreate, APPENDER.as_bytes(), b"one", TIME).status, Status::OK);
    let new = normal(b"one", 1);
    for expected in [Status::OK, Status::EEXIST] {
        let reply = sync_pair(&mut client, C::SyncRename, new.as_str().as_bytes(), APPENDER.as_bytes());
        assert_eq!((reply.status, reply.body.len()), (expected, 0));
    }
    assert!(client.is_open());
}

#[test]
fn d19_a_link_of_a_member_is_recorded_with_both_its_names() {
    let members = Group::start("durability=disk");
    let mut client = members.client(0);
    let source = normal(b"hello", 1);
    let link = format!("{}_small.txt", source.as_str().strip_suffix(".txt").unwrap());
    let (source, link) = (source.as_str().as_bytes(), link.as_bytes());
    assert_eq!(sync_copy(&mut client, C::SyncCreate, source, b"hello", TIME).status, Status::OK);
    assert_eq!(sync_pair(&mut client, C::SyncCreateLink, link, source).status, Status::OK);
    let log = members.log(0);
    let record = Record::parse(log.lines().last().unwrap().as_bytes()).unwrap();
    let name = |text: &[u8]| FileName::parse(text).unwrap();
    let expected = Change::Link { name: name(link), source: name(source) };
    assert_eq!((record.origin, record.change), (Origin::Peer, expected));
    assert_eq!(client.download(&name(link), 0, 0).body, b"hello");
}

#[test]
fn d20_readers_are_not_sent_here_for_what_was_not_taken() {
    let members = Group::start("durability=disk");
    let server = members.members[0].running.as_ref().unwrap().server();
    let other = id("127.0.0.3");
    let mut client = members.client(0);
    let mut field = [0; 16];
    field[..9].copy_from_slice(b"127.0.0.3");
    assert_eq!(client.ask(C::ReportServerId, &[&field]).status, Status::OK);
    let told = || server.synced.report().get(&other).copied();
    let (damaged, good) = (normal(b"hello", 1), APPENDER.as_bytes());
    let damaged = damaged.as_str().as_bytes();
    assert_eq!(sync_copy(&mut client, C::SyncCreate, damaged, b"hellO", TIME).status, Status::EIO);
    assert_eq!(sync_copy(&mut client, C::SyncCreate, good, b"one", TIME + 5).status, Status::OK);
    assert_eq!(told(), Some(TIME - 1));
    // A deletion of what is not here has nothing left to do.
    let delete: [&[u8]; 3] = [&(TIME + 6).to_be_bytes(), &group("group1"), damaged];
    assert_eq!(client.ask(C::SyncDelete, &delete).status, Status::ENOENT);
    assert_eq!(told(), Some(TIME + 6));
}

#[test]
fn d20_what_makes_room_does_not_send_readers_here_for_what_waits_for_it() {
    let members = Group::start("durability=disk");
    let server = members.members[0].running.as_ref().unwrap().server();
    let other = id("127.0.0.3");
    let mut client = members.client(0);
    let mut field = [0; 16];
    field[..9].copy_from_slice(b"127.0.0.3");
    assert_eq!(client.ask(C::ReportServerId, &[&field]).status, Status::OK);
    let told = || server.synced.report().get(&other).copied();
    let (cut, waits, gone) = (APPENDER.as_bytes(), normal(b"hello", 1), normal(b"gone", 2));
    assert_eq!(sync_copy(&mut client, C::SyncCreate, cut, b"one", TIME).status, Status::OK);
    // As if its disk were full.
    server.synced.coming(Some(other), &waits, TIME + 1).refused(Status::ENOSPC);
    let time = |after: u32| (TIME + after).to_be_bytes();
    let body = [&number(cut.len())[..], &number(3), &number(1), &time(6), &group("group1"), cut];
    assert_eq!(client.ask(C::SyncTruncate, &body).status, Status::OK);
    let body = [&time(7)[..], &group("group1"), gone.as_str().as_bytes()];
    assert_eq!(client.ask(C::SyncDelete, &body).status, Status::ENOENT);
    let waits = waits.as_str().as_bytes();
    assert_eq!(sync_copy(&mut client, C::SyncCreate, waits, b"hello", TIME + 1).status, Status::OK);
    assert_eq!(told(), Some(TIME + 1));
    // A newer one in its turn: nothing waits any more.
    assert_eq!(sync_write(&mut client, C::SyncAppend, cut, 1, b"!", TIME + 8).status, Status::OK);
    assert_eq!(client.ask(C::SyncDelete, &[&time(9)[..], &group("group1"), waits]).status, Status::OK);
    assert_eq!(told(), Some(TIME + 9));
}

#[test]
fn d23_a_storage_that_lost_its_base_path_sends_what_nobody_else_has() {
    let mut members = Group::start("durability=disk");
    members.say(StorageStatus::Offline);
    let mut client = members.client(0);
    let small = client.upload(b"small", "txt").name();
    let large = client.upload(&vec![b'l'; 200_000], "bin").name();
    drop(client);
    members.stop(0);
    let root = members.members[0].dir.path().to_owned();
    fs::remove_dir_all(root.join("base")).unwrap();
    fs::create_dir(root.join("base")).unwrap();
    let conf = &members.members[0].conf;
    let refused = launch(conf, |_, _, _, _, _| Ok(())).err().unwrap().to_string();
    assert!(refused.contains("a new log is then made"), "{refused}");
    for path in ["p0", "p1"] {
        fs::remove_file(root.join(path).join("data/.fastdfs_vars")).unwrap();
    }
    members.run(0);
    members.say(StorageStatus::Active);
    members.both_have(&small, b"small");
    members.both_have(&large, &vec![b'l'; 200_000]);
    assert!(!root.join("base/data/.cairn-log-lost").exists());
}

#[test]
fn d26_times_do_not_run_back_over_a_restart() {
    let mut storage = TestStorage::start("durability=disk");
    let name = storage.connect().upload(b"before", "txt").name();
    storage.running.take().unwrap().stop().unwrap();
    // The clock was ahead by five minutes then, and is right now.
    let ahead = name.stamp().unwrap().timestamp + 300;
    let log = storage.dir.path().join("base/data/sync/binlog.000");
    fs::write(&log, format!("{ahead} C {name}\n")).unwrap();
    storage.start_again();
    let stamp = storage.connect().upload(b"after", "txt").name().stamp().unwrap();
    assert_eq!(stamp.timestamp, ahead);
}
