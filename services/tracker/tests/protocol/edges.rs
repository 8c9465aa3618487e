//! Bodies, lengths and commands that are not as they should be; connections that end.

use crate::peer::{group, id};
use crate::server::Server;
use fdfs_proto::tracker::query_fetch::Ask as Fetch;
use fdfs_proto::tracker::{GroupAsk, Request, beat, delete_storage, sync_source};
use fdfs_proto::{Empty, Header, RawName, Status, StorageStatus, TrackerCommand};

const NAME: &[u8] = b"M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";

#[test]
fn an_unknown_command_is_refused_and_the_connection_goes_on() {
    let server = Server::new("");
    let mut client = server.client();
    for command in [0, 1, 57, 80, 99, 100, 110, 112, 255] {
        assert_eq!(client.ask_raw(command, b"whatever"), (Status::EINVAL, vec![]), "{command}");
    }
    assert!(client.is_in_step());
}

#[test]
fn a_body_of_the_wrong_length_is_refused_and_the_connection_goes_on() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let mut client = server.client();
    for command in TrackerCommand::ALL.iter().filter(|command| **command != TrackerCommand::Quit) {
        // One byte more than the longest body this command can have.
        let fdfs_proto::opcode::Body::Whole { len_max } = command.body() else {
            panic!("{command} is streamed")
        };
        let body = vec![b'a'; usize::try_from(len_max).unwrap() + 1];
        assert_eq!(client.ask_raw(command.code(), &body), (Status::EINVAL, vec![]), "{command}");
    }
    assert!(client.is_in_step());
}

#[test]
fn a_negative_length_closes_the_connection() {
    let server = Server::new("");
    let mut client = server.client();
    client.send(&[0xFF; 8]);
    client.send(&[111, 0]);
    assert!(client.is_closed());
}

#[test]
fn a_body_longer_than_the_buffer_closes_the_connection_unread() {
    let server = Server::new("");
    for len in [256 * 1024 + 1, (1 << 32) + 5, 0x7FFF_FFFF, i64::MAX as u64] {
        let mut client = server.client();
        client.send(&Header { body_len: len, command: 91, status: 0 }.encode());
        assert!(client.is_closed(), "{len}");
    }
}

#[test]
fn the_longest_body_that_fits_is_read_and_judged() {
    let server = Server::new("");
    let mut client = server.client();
    assert_eq!(client.ask_raw(91, &vec![0; 256 * 1024]), (Status::EINVAL, vec![]));
    assert!(client.is_in_step());
}

#[test]
fn quit_closes_without_a_word() {
    let server = Server::new("");
    let mut client = server.client();
    client.send(&Header { body_len: 0, command: 82, status: 0 }.encode());
    assert!(client.is_closed());
}

#[test]
fn an_active_test_with_a_body_is_none() {
    let server = Server::new("");
    let mut client = server.client();
    assert_eq!(client.ask_raw(111, b""), (Status::OK, vec![]));
    assert_eq!(client.ask_raw(111, b"x"), (Status::EINVAL, vec![]));
    assert!(client.is_in_step());
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_the_network_timeout() {
    let server = Server::new("network_timeout = 1\n");
    let mut silent = server.client();
    let mut slow = server.client();
    slow.send(&[0; 4]);
    assert!(silent.is_closed());
    assert!(slow.is_closed());
}

#[test]
fn a_connection_that_was_served_once_may_idle() {
    let server = Server::new("network_timeout = 1\n");
    let mut client = server.client();
    assert!(client.is_in_step());
    // Who came later and said nothing is closed for that: by then the other one has been idle for longer.
    assert!(server.client().is_closed());
    assert!(client.is_in_step());
}

#[test]
fn t1_what_needs_a_join_is_refused_without_one_and_harms_nobody() {
    let server = Server::new("");
    let mut client = server.client();
    let notify = sync_source::Notify { src_id: None, until_timestamp: 0 };
    for request in [
        Request::SyncDestQuery(Empty),
        Request::SyncNotify(notify),
        Request::SyncDestRequest(Empty),
        Request::Beat(beat::Ask { stat: None }),
        Request::FetchTrunkFileId(Empty),
    ] {
        assert_eq!(client.refused(&request), Status::EACCES);
    }
    assert!(client.is_in_step());
}

#[test]
fn names_that_are_none_are_refused() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let mut client = server.client();
    let mut fetch = |name: &[u8]| {
        client.ask(&Request::QueryFetchOne(Fetch { group: group("group1"), name: RawName::new(name) })).0
    };
    assert_eq!(fetch(NAME), Status::OK);
    assert_eq!(fetch(b"M00/00/1B/../../../../../etc/passwd"), Status::EINVAL);
    assert_eq!(fetch(b"M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0\0.txt"), Status::EINVAL);
    assert_eq!(fetch(&NAME[..21]), Status::EINVAL);
    let longest = [NAME, &[b'a'; 83]].concat();
    assert_eq!((longest.len(), fetch(&longest)), (127, Status::OK));
    let longer = [NAME, &[b'a'; 84]].concat();
    assert_eq!(fetch(&longer), Status::EINVAL);
}

#[test]
fn groups_that_are_none_do_not_exist() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let mut client = server.client();
    for name in ["", "group2", "gr/up", "../group1", "group1 "] {
        let asks = [
            Request::QueryStoreGroupOne(GroupAsk { group: group(name) }),
            Request::QueryStoreGroupAll(GroupAsk { group: group(name) }),
            Request::ListOneGroup(GroupAsk { group: group(name) }),
            Request::DeleteGroup(GroupAsk { group: group(name) }),
            Request::DeleteStorage(delete_storage::Ask { group: group(name), id: id("127.0.0.3") }),
            Request::QueryUpdate(Fetch { group: group(name), name: RawName::new(NAME) }),
        ];
        for ask in asks {
            assert_eq!(client.refused(&ask), Status::ENOENT, "{ask:?}");
        }
    }
    assert!(client.is_in_step());
}

#[test]
fn requests_sent_in_one_go_are_answered_in_order() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let mut client = server.client();
    let header = |command, len| Header { body_len: len, command, status: 0 }.encode();
    client
        .send(&[&header(111, 0)[..], &header(90, 16), b"group1\0\0\0\0\0\0\0\0\0\0", &header(7, 0)].concat());
    assert_eq!(client.answer(), (Status::OK, vec![]));
    let (status, body) = client.answer();
    assert_eq!((status, body.len()), (Status::OK, 113));
    assert_eq!(client.answer(), (Status::EINVAL, vec![]));
}

#[test]
fn an_empty_cluster_has_an_empty_list_and_no_leader() {
    let server = Server::new("");
    let mut client = server.client();
    assert_eq!(client.ask(&Request::ListAllGroups(Empty)), (Status::OK, vec![]));
    assert_eq!(client.refused(&Request::QueryStoreOne(Empty)), Status::ENOENT);
    assert_eq!(client.refused(&Request::QueryStoreAll(Empty)), Status::ENOENT);
    assert_eq!(client.refused(&Request::GetLeader(Empty)), Status::ENOENT);
    assert_eq!(client.refused(&Request::TrackerStatus(Empty)), Status::ENOENT);
    assert_eq!(client.refused(&Request::SysFilesStart(Empty)), Status::ENOENT);
}

#[test]
fn a_host_that_is_not_allowed_is_closed_without_a_word() {
    let server = Server::new("allow_hosts = 127.0.0.[3-5]\n");
    assert!(server.client().is_closed());
    let mut allowed = server.peer("127.0.0.4");
    assert!(allowed.is_in_step());
}

#[test]
fn one_connection_too_many_is_closed_and_the_others_go_on() {
    let server = Server::new("max_connections = 2\n");
    let (mut first, mut second) = (server.client(), server.client());
    assert!(first.is_in_step() && second.is_in_step());
    assert!(server.client().is_closed());
    assert!(first.is_in_step() && second.is_in_step());
}

#[test]
fn a_storage_that_hangs_up_is_shown_off_line() {
    let server = Server::new("");
    let mut client = server.client();
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    client.until("group1", "127.0.0.3", |stat| stat.who.status == StorageStatus::Active);
    drop(storage);
    client.until("group1", "127.0.0.3", |stat| stat.who.status == StorageStatus::Offline);
    assert_eq!(client.list("group1")[0].figures.up_time, 0);
}

#[test]
fn closing_a_stale_connection_leaves_the_storage_serving() {
    let server = Server::new("");
    let mut client = server.client();
    let mut stale = server.peer("127.0.0.3");
    stale.serve("group1");
    let mut fresh = server.peer("127.0.0.3");
    fresh.serve("group1");
    let mut marker = server.peer("127.0.0.4");
    marker.serve("group1");
    drop(stale);
    drop(marker);
    // The tracker notices ends in any order; by the time it notices the second, give the first its turn.
    client.until("group1", "127.0.0.4", |stat| stat.who.status == StorageStatus::Offline);
    fresh.get(&Request::Beat(beat::Ask { stat: None }));
    client.until("group1", "127.0.0.3", |stat| stat.figures.up_time != 0);
    assert_eq!(client.list("group1")[0].who.status, StorageStatus::Active);
}

#[test]
fn a_silent_storage_is_taken_off_line_by_the_clock() {
    let server = Server::new("check_active_interval = 1\n");
    let mut client = server.client();
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    client.until("group1", "127.0.0.3", |stat| stat.who.status == StorageStatus::Offline);
    assert_ne!(client.list("group1")[0].figures.up_time, 0, "it is still connected");
    storage.beat_and_report();
    assert_eq!(client.list("group1")[0].who.status, StorageStatus::Active);
}
