//! JOIN: who is taken in, and on which conditions.

use crate::testing::{PORT, Script, first_join, group, id, ids, ip};
use fdfs_proto::StorageStatus::{self, Active, Init, Offline, Online};
use fdfs_proto::tracker::join::Got;
use fdfs_proto::{Host, Status};
use tracker_core::{GroupPort, Naming, Note, Refusal, Request, Section, id_of_addr};

#[test]
fn a_new_storage_of_a_new_group_is_taken_in() {
    let mut t = Script::new();
    let got = t.join_with("10.0.0.1", |ask| {
        ask.joiner.store_path_count = 2;
        ask.joiner.subdir_count_per_path = 4;
    });
    assert_eq!(got, Got { status: Init, src_id: None });
    let known = t.group("group1");
    assert_eq!(known.port, GroupPort::One(23000));
    assert_eq!((known.store_path_count, known.subdir_count), (2, 4));
    let member = t.member("10.0.0.1");
    assert_eq!(member.addrs.first(), ip("10.0.0.1"));
    assert_eq!((member.join_time, member.up_time), (1_800_000_000, 1_800_000_000));
    assert_eq!(t.saved(), [Section::Groups, Section::Servers]);
}

#[test]
fn a_storage_known_from_before_joins_without_being_new() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.leaves("10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Offline);
    assert_eq!(t.rejoins("10.0.0.1").status, Online);
}

#[test]
fn a_storage_that_should_be_known_and_is_not_is_refused() {
    let mut t = Script::new();
    let mut ask = first_join("group1");
    ask.joiner.init = false;
    for claimed in [None, Some(StorageStatus::Deleted), Some(StorageStatus::IpChanged)] {
        ask.joiner.status = claimed;
        assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::ImpossibleStatus));
    }
    assert_eq!(Refusal::ImpossibleStatus.status(), Status::EFAULT);
    assert_eq!(t.cluster.view().groups().count(), 0, "a refused join leaves no group behind");
    ask.joiner.status = Some(Active);
    assert_eq!(t.try_join("10.0.0.1", &ask).unwrap().status, Online);
}

#[test]
fn all_storages_of_a_group_use_one_port() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    let mut ask = first_join("group1");
    ask.joiner.storage_port = 23001;
    assert_eq!(t.try_join("10.0.0.3", &ask), Err(Refusal::DiffersFromGroup));
    assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::DiffersFromGroup));
    assert_eq!(t.group("group1").port, GroupPort::One(23000));
}

#[test]
fn the_only_storage_of_a_group_may_change_its_port() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.join_with("10.0.0.1", |ask| ask.joiner.storage_port = 23001);
    assert_eq!(t.group("group1").port, GroupPort::One(23001));
    assert_eq!(t.member("10.0.0.1").port, 23001);
}

#[test]
fn with_ids_in_file_names_ports_may_differ() {
    let table = "1 group1 10.0.0.1\n2 group1 10.0.0.1:23001\n3 group1 10.0.0.3\n";
    let mut t = Script::with(|config| config.naming = ids(table, true));
    t.join_with("10.0.0.1", |_| {});
    t.join_with("10.0.0.1", |ask| ask.joiner.storage_port = 23001);
    assert_eq!(t.group("group1").port, GroupPort::Mixed);
    assert_eq!((t.member("1").port, t.member("2").port), (23000, 23001));

    let mut t = Script::with(|config| config.naming = ids(table, false));
    t.join_with("10.0.0.1", |_| {});
    let mut ask = first_join("group1");
    ask.joiner.storage_port = 23001;
    assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::DiffersFromGroup));
}

#[test]
fn fewer_store_paths_than_the_group_has_are_refused_until_all_others_have_fewer_too() {
    let mut t = Script::new();
    let with_paths = |t: &mut Script, storage: &str, count: u64| {
        let mut ask = first_join("group1");
        ask.joiner.store_path_count = count;
        t.try_join(storage, &ask)
    };
    with_paths(&mut t, "10.0.0.1", 3).unwrap();
    with_paths(&mut t, "10.0.0.2", 3).unwrap();
    assert_eq!(with_paths(&mut t, "10.0.0.2", 2), Err(Refusal::DiffersFromGroup));
    assert_eq!(t.group("group1").store_path_count, 3);
    with_paths(&mut t, "10.0.0.2", 5).unwrap();
    assert_eq!(t.group("group1").store_path_count, 3, "more are welcome and change nothing");
    with_paths(&mut t, "10.0.0.1", 5).unwrap();
    assert_eq!(t.group("group1").store_path_count, 5, "unless all have more");
}

#[test]
fn the_directories_must_be_the_groups_unless_nobody_else_is_there() {
    let mut t = Script::new();
    let with_subdirs = |t: &mut Script, storage: &str, count: u64| {
        let mut ask = first_join("group1");
        ask.joiner.subdir_count_per_path = count;
        t.try_join(storage, &ask)
    };
    with_subdirs(&mut t, "10.0.0.1", 256).unwrap();
    with_subdirs(&mut t, "10.0.0.1", 16).unwrap();
    assert_eq!(t.group("group1").subdir_count, 16);
    assert_eq!(with_subdirs(&mut t, "10.0.0.2", 256), Err(Refusal::DiffersFromGroup));
    with_subdirs(&mut t, "10.0.0.2", 16).unwrap();
}

#[test]
fn with_a_table_a_storage_is_who_it_says_or_where_it_comes_from() {
    let table = "100001 group1 10.0.0.1\n100002 group2 10.0.0.2\n";
    let mut t = Script::with(|config| config.naming = ids(table, true));
    t.join_with("10.0.0.77", |ask| ask.joiner.storage_id = Some(id("100001")));
    assert_eq!(t.member("100001").addrs.first(), ip("10.0.0.1"), "the table knows its address");
    t.join_with("10.0.0.2", |ask| ask.joiner.group = group("group2"));
    assert_eq!(t.member("100002").addrs.first(), ip("10.0.0.2"));

    let mut ask = first_join("group1");
    assert_eq!(t.try_join("10.0.0.3", &ask), Err(Refusal::UnknownStorage));
    assert_eq!(t.try_join("10.0.0.2", &ask), Err(Refusal::UnknownStorage), "not in this group");
    ask.joiner.storage_id = Some(id("100009"));
    assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::UnknownStorage));
    ask.joiner.storage_id = Some(id("100002"));
    assert_eq!(t.try_join("10.0.0.2", &ask), Err(Refusal::WrongGroup));
    assert_eq!(Refusal::WrongGroup.status(), Status::EINVAL);
}

#[test]
fn a_storage_that_is_not_trusted_is_who_its_address_says() {
    let mut naming = ids("1 group1 10.0.0.1\n2 group1 10.0.0.2\n", true);
    if let Naming::ByTable { trust, .. } = &mut naming {
        *trust = false;
    }
    let mut t = Script::with(|config| config.naming = naming);
    t.join_with("10.0.0.2", |ask| ask.joiner.storage_id = Some(id("1")));
    assert_eq!(t.group("group1").members.keys().copied().collect::<Vec<_>>(), [id("2")]);
}

#[test]
fn an_ipv6_storage_without_table_gets_a_short_code() {
    let mut t = Script::new();
    t.join_with("fd00::1234:5678:9abc", |_| {});
    let known = t.group("group1");
    let member = known.members.values().next().unwrap();
    assert_eq!(Some(member.id), id_of_addr(ip("fd00::1234:5678:9abc")));
    // As the original answered GET_SERVER_ID.
    assert_eq!(id_of_addr(ip("::1")), Some(id("6Jg1XQAAAAA.")));
    assert_eq!(member.addrs.first(), ip("fd00::1234:5678:9abc"));
}

#[test]
fn an_ipv4_storage_on_an_ipv6_socket_is_the_same_storage() {
    assert_eq!(id_of_addr(ip("::ffff:10.0.0.1")), Some(id("10.0.0.1")));
}

#[test]
fn a_tracker_list_without_this_tracker_is_refused() {
    let mut t = Script::new();
    let mut ask = first_join("group1");
    ask.trackers = vec![Host::new(ip("10.0.0.253"), PORT)];
    assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::NotInTrackerList));
    ask.trackers = vec![Host::new(ip("10.0.0.254"), 22123)];
    assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::NotInTrackerList));
    assert_eq!(Refusal::NotInTrackerList.status(), Status::ENOENT);
}

#[test]
fn a_tracker_reached_under_another_address_knows_itself_by_it() {
    let mut t = Script::new();
    let mut ask = first_join("group1");
    ask.joiner.tracker_ip = fdfs_proto::IpText::from(ip("192.0.2.10"));
    ask.trackers = vec![Host::new(ip("192.0.2.10"), PORT)];
    t.try_join("10.0.0.1", &ask).unwrap();
}

#[test]
fn the_513th_group_is_refused() {
    let mut t = Script::new();
    for number in 0..512 {
        t.joins(&format!("g{number}"), "10.0.0.1");
    }
    let ask = first_join("onemore");
    assert_eq!(t.try_join("10.0.0.1", &ask), Err(Refusal::LimitReached));
    assert_eq!(Refusal::LimitReached.status(), Status::ENOSPC);
    t.joins("g511", "10.0.0.2");
}

#[test]
fn the_33rd_storage_of_a_group_is_refused() {
    let mut t = Script::new();
    for number in 1..=32 {
        t.joins("group1", &format!("10.0.1.{number}"));
    }
    assert_eq!(t.try_join("10.0.1.33", &first_join("group1")), Err(Refusal::LimitReached));
    assert_eq!(t.reports("10.0.1.1", "10.0.1.34", StorageStatus::WaitSync), Err(Refusal::LimitReached));
    assert_eq!(t.group("group1").members.len(), 32);
}

#[test]
fn a_tombstone_makes_room_for_the_33rd_storage() {
    let mut t = Script::new();
    for number in 1..=32 {
        t.joins("group1", &format!("10.0.1.{number}"));
    }
    t.leaves("10.0.1.7");
    t.client(Request::DeleteStorage { group: group("group1"), id: id("10.0.1.7") }).unwrap();
    t.joins("group1", "10.0.1.33");
    let members = t.group("group1").members;
    assert_eq!(members.len(), 32);
    assert!(!members.contains_key(&id("10.0.1.7")));
}

#[test]
fn a_deleted_storage_that_joins_again_begins_anew() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    t.client(Request::DeleteStorage { group: group("group1"), id: id("10.0.0.2") }).unwrap();
    assert_eq!(t.rejoins("10.0.0.2"), Got { status: Init, src_id: None });
    let changelog = t.joined_ask("10.0.0.2", Request::ReadChangelog { of: None });
    assert_eq!(
        changelog,
        Ok(tracker_core::Reply::Changelog(Vec::new())),
        "its own deletion is no news to it"
    );
}

#[test]
fn an_operator_reads_of_new_groups_and_storages() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    assert!(t.notes().contains(&&Note::GroupAdded(group("group1"))));
    assert!(t.notes().iter().any(|note| matches!(note, Note::StorageAdded { .. })));
}
