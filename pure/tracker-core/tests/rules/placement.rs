//! Where uploads go.

use crate::testing::{CLIENT, Script, group, id, ip};
use fdfs_conf::tracker::{ReservedSpace, StoreLookup, StorePathChoice, StoreServer};
use fdfs_proto::Status;
use tracker_core::placement::{leaves_room, leaves_room_on_path};
use tracker_core::{PathSpace, Refusal, Request};

fn space(total_mb: u64, free_mb: u64) -> PathSpace {
    PathSpace { total_mb, free_mb }
}

#[test]
fn a_reserve_in_megabytes_must_be_exceeded() {
    let reserved = ReservedSpace::Megabytes(100);
    assert!(!leaves_room(reserved, space(1000, 100)));
    assert!(leaves_room(reserved, space(1000, 101)));
    assert!(!leaves_room_on_path(reserved, space(1000, 25), 4), "100 MB over four paths");
    assert!(leaves_room_on_path(reserved, space(1000, 26), 4));
}

#[test]
fn a_reserve_in_percent_must_be_exceeded() {
    let reserved = ReservedSpace::Share(200_000);
    assert!(!leaves_room(reserved, space(1000, 200)));
    assert!(leaves_room(reserved, space(1000, 201)));
    assert!(!leaves_room_on_path(reserved, space(1000, 200), 4), "a share is a share of each path");
    assert!(!leaves_room(reserved, space(0, 0)));
    assert!(leaves_room(reserved, space(u64::MAX, u64::MAX)));
}

#[test]
fn without_any_group_there_is_nowhere_to_upload() {
    let mut t = Script::new();
    assert_eq!(t.store(), Err(Refusal::NothingWritable));
    assert_eq!(Refusal::NothingWritable.status(), Status::ENOENT);
    assert_eq!(t.store_in(Some("group1")), Err(Refusal::UnknownGroup));
}

#[test]
fn groups_take_turns() {
    let mut t = Script::new();
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]).serving("g3", &["10.0.0.3"]);
    let turns: Vec<_> = (0..4).map(|_| t.store().unwrap()).collect();
    assert_eq!(turns, ["g1 10.0.0.1 M00", "g2 10.0.0.2 M00", "g3 10.0.0.3 M00", "g1 10.0.0.1 M00"]);
}

#[test]
fn a_full_or_silent_group_loses_its_turn() {
    let mut t = Script::new();
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]).serving("g3", &["10.0.0.3"]);
    t.disks("10.0.0.2", &[(1000, 100)]);
    let turns: Vec<_> = (0..3).map(|_| t.store().unwrap()).collect();
    assert_eq!(turns, ["g1 10.0.0.1 M00", "g3 10.0.0.3 M00", "g1 10.0.0.1 M00"]);
    t.leaves("10.0.0.3");
    let turns: Vec<_> = (0..2).map(|_| t.store().unwrap()).collect();
    assert_eq!(turns, ["g1 10.0.0.1 M00", "g1 10.0.0.1 M00"]);
}

#[test]
fn no_space_anywhere_is_not_the_same_as_nobody_there() {
    let mut t = Script::new();
    t.serving("g1", &["10.0.0.1"]);
    t.disks("10.0.0.1", &[(1000, 99)]);
    assert_eq!(t.store(), Err(Refusal::NoSpace));
    assert_eq!(t.store_in(Some("g1")), Err(Refusal::NoSpace));
    assert_eq!(Refusal::NoSpace.status(), Status::ENOSPC);
    t.leaves("10.0.0.1");
    assert_eq!(t.store(), Err(Refusal::NothingWritable));
    assert_eq!(t.store_in(Some("g1")), Err(Refusal::NothingWritable));
}

#[test]
fn a_named_group_takes_no_turn() {
    let mut t = Script::new();
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]);
    assert_eq!(t.store_in(Some("g2")).unwrap(), "g2 10.0.0.2 M00");
    assert_eq!(t.store().unwrap(), "g1 10.0.0.1 M00");
}

#[test]
fn a_configured_group_gets_everything() {
    let mut t = Script::with(|config| {
        config.placement.choice.store_lookup = StoreLookup::Group(group("g2"));
    });
    assert_eq!(t.store(), Err(Refusal::UnknownGroup));
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]);
    assert_eq!(t.store().unwrap(), "g2 10.0.0.2 M00");
    assert_eq!(t.store().unwrap(), "g2 10.0.0.2 M00");
    t.leaves("10.0.0.2");
    assert_eq!(t.store(), Err(Refusal::NothingWritable));
}

#[test]
fn load_balance_prefers_the_group_with_most_free_space() {
    let mut t = Script::with(|config| config.placement.choice.store_lookup = StoreLookup::LoadBalance);
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]).serving("g3", &["10.0.0.3"]);
    t.disks("10.0.0.2", &[(1000, 800)]);
    assert_eq!(t.store().unwrap(), "g2 10.0.0.2 M00");
    assert_eq!(t.store().unwrap(), "g2 10.0.0.2 M00");
    t.disks("10.0.0.2", &[(1000, 300)]);
    t.disks("10.0.0.3", &[(1000, 900)]);
    assert_eq!(t.store().unwrap(), "g3 10.0.0.3 M00");
    t.leaves("10.0.0.3");
    assert_eq!(t.store().unwrap(), "g1 10.0.0.1 M00");
}

#[test]
fn load_balance_goes_on_to_the_next_group_when_a_share_is_reserved_and_the_roomiest_is_full() {
    let mut t = Script::with(|config| {
        config.placement.choice.store_lookup = StoreLookup::LoadBalance;
        config.placement.choice.reserved_storage_space = ReservedSpace::Share(500_000);
    });
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]).serving("g3", &["10.0.0.3"]);
    t.disks("10.0.0.2", &[(10_000, 2_000)]);
    t.disks("10.0.0.1", &[(1_000, 600)]);
    t.disks("10.0.0.3", &[(1_000, 700)]);
    assert_eq!(t.store().unwrap(), "g3 10.0.0.3 M00");
}

#[test]
fn storages_take_turns() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let turns: Vec<_> = (0..4).map(|_| t.store().unwrap()).collect();
    let expected =
        ["group1 10.0.0.1 M00", "group1 10.0.0.2 M00", "group1 10.0.0.3 M00", "group1 10.0.0.1 M00"];
    assert_eq!(turns, expected);
}

#[test]
fn storages_are_in_the_order_of_their_ids_as_text() {
    let mut t = Script::with(|config| config.placement.choice.store_server = StoreServer::First);
    t.serving("group1", &["10.0.0.9", "10.0.0.10"]);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.10 M00");
}

#[test]
fn the_smallest_upload_priority_wins_and_ties_go_to_the_first() {
    let mut t = Script::with(|config| config.placement.choice.store_server = StoreServer::Priority);
    for (storage, priority) in [("10.0.0.1", 10), ("10.0.0.2", -5), ("10.0.0.3", -5)] {
        t.join_with(storage, |ask| {
            ask.joiner.init = false;
            ask.joiner.status = Some(fdfs_proto::StorageStatus::Online);
            ask.joiner.upload_priority = priority;
        });
        t.disks(storage, &[(1000, 500)]);
    }
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00");
}

#[test]
fn with_trunk_files_turns_become_first_by_id() {
    let mut t = Script::with(|config| config.placement.use_trunk = true);
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
}

#[test]
fn a_storage_that_may_not_be_written_gets_no_uploads() {
    let table = "1 group1 10.0.0.1 rw=read\n2 group1 10.0.0.2\n3 group1 10.0.0.3 rw=none\n4 group1 10.0.0.4 rw=write\n";
    let mut t = Script::with(|config| config.naming = crate::testing::ids(table, true));
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    let turns: Vec<_> = (0..3).map(|_| t.store().unwrap()).collect();
    assert_eq!(turns, ["group1 10.0.0.2 M00", "group1 10.0.0.4 M00", "group1 10.0.0.2 M00"]);
}

#[test]
fn store_paths_take_turns_and_full_ones_are_skipped() {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.joiner.store_path_count = 3);
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    t.disks("10.0.0.1", &[(1000, 500), (1000, 33), (1000, 500)]);
    let turns: Vec<_> = (0..3).map(|_| t.store().unwrap()).collect();
    assert_eq!(turns, ["group1 10.0.0.1 M00", "group1 10.0.0.1 M02", "group1 10.0.0.1 M00"]);
}

#[test]
fn load_balance_takes_the_path_with_most_free_space() {
    let mut t = Script::with(|config| config.placement.choice.store_path = StorePathChoice::LoadBalance);
    t.join_with("10.0.0.1", |ask| ask.joiner.store_path_count = 3);
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    t.disks("10.0.0.1", &[(1000, 500), (1000, 700), (1000, 700)]);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M01");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M01");
    t.disks("10.0.0.1", &[(1000, 900), (1000, 600), (1000, 700)]);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
}

#[test]
fn a_storage_whose_paths_are_all_full_is_out_of_space_though_its_group_is_not() {
    let mut t = Script::with(|config| {
        config.placement.choice.reserved_storage_space = ReservedSpace::Megabytes(1000);
    });
    t.join_with("10.0.0.1", |ask| ask.joiner.store_path_count = 4);
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    t.disks("10.0.0.1", &[(1000, 250), (1000, 250), (1000, 250), (1000, 250)]);
    assert_eq!(t.store(), Err(Refusal::NoSpace));
    t.disks("10.0.0.1", &[(1000, 250), (1000, 250), (1000, 250), (1000, 251)]);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M03");
}

#[test]
fn the_list_for_an_upload_has_every_writable_storage_and_takes_no_turn_of_theirs() {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.joiner.store_path_count = 2);
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    t.disks("10.0.0.1", &[(1000, 500), (1000, 500)]);
    t.join_with("10.0.0.2", |ask| {
        ask.joiner.init = false;
        ask.joiner.status = Some(fdfs_proto::StorageStatus::Online);
        ask.joiner.store_path_count = 2;
    });
    t.disks("10.0.0.2", &[(1000, 500), (1000, 500)]);
    for (named, path) in [(None, 0), (Some(group("group1")), 1)] {
        let got = t.cluster.view().store_all(named, ip(CLIENT)).unwrap();
        let servers: Vec<_> = got.servers.iter().map(|server| server.ip.to_string()).collect();
        assert_eq!(servers, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(got.path.0, path, "the paths of the first take turns");
    }
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
    assert_eq!(t.cluster.view().store_all(Some(group("g9")), ip(CLIENT)), Err(Refusal::UnknownGroup));
}

#[test]
fn a_group_has_the_space_of_its_smallest_disk() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.disks("10.0.0.1", &[(1000, 400)]);
    assert_eq!(t.group("group1").space, space(1000, 400));
    t.disks("10.0.0.2", &[(2000, 300)]);
    assert_eq!(t.group("group1").space, space(2000, 300));
    t.disks("10.0.0.1", &[(1000, 350)]);
    assert_eq!(t.group("group1").space, space(2000, 300));
    t.disks("10.0.0.2", &[(2000, 1500)]);
    assert_eq!(t.group("group1").space, space(1000, 350), "growth has it measured anew");
}

#[test]
fn the_space_of_a_storage_that_left_counts_until_another_grows() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.disks("10.0.0.2", &[(1000, 150)]);
    t.leaves("10.0.0.2");
    t.disks("10.0.0.1", &[(1000, 500)]);
    assert_eq!(t.group("group1").space, space(1000, 150));
    t.disks("10.0.0.1", &[(1000, 501)]);
    assert_eq!(t.group("group1").space, space(1000, 501));
}

#[test]
fn a_disk_report_must_have_every_store_path() {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.joiner.store_path_count = 2);
    assert_eq!(t.try_disks("10.0.0.1", &[(1000, 500)]), Err(Refusal::BadValue));
    assert_eq!(t.try_disks("10.0.0.1", &[(1000, 500); 3]), Err(Refusal::BadValue));
    t.disks("10.0.0.1", &[(1000, 500); 2]);
    assert_eq!(t.member("10.0.0.1").space, space(2000, 1000));
}

#[test]
fn a_storage_with_more_store_paths_than_its_group_reports_them_all() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.join_with("10.0.0.2", |ask| {
        ask.joiner.store_path_count = 2;
        ask.joiner.init = false;
        ask.joiner.status = Some(fdfs_proto::StorageStatus::Online);
    });
    t.disks("10.0.0.2", &[(1000, 500), (1000, 900)]);
    t.leaves("10.0.0.1");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00", "only the group's paths are handed out");
}

#[test]
fn totals_beyond_64_bits_stop_at_the_end() {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.joiner.store_path_count = 2);
    t.disks("10.0.0.1", &[(u64::MAX, u64::MAX), (u64::MAX, 5)]);
    assert_eq!(t.member("10.0.0.1").space, space(u64::MAX, u64::MAX));
}

#[test]
fn space_inside_trunk_files_counts_when_no_group_has_any_other() {
    let mut t = Script::with(|config| {
        config.placement.use_trunk = true;
        config.placement.choice.store_lookup = StoreLookup::LoadBalance;
    });
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]);
    for storage in ["10.0.0.1", "10.0.0.2"] {
        let group_name = group(if storage == "10.0.0.1" { "g1" } else { "g2" });
        crate::trunk_server::elect(&mut t, group_name, id(storage));
        t.disks(storage, &[(1000, 90)]);
    }
    assert_eq!(t.store(), Err(Refusal::NoSpace));
    t.joined_ask("10.0.0.2", Request::ReportTrunkFree { free_mb: 20 }).unwrap();
    t.joined_ask("10.0.0.1", Request::ReportTrunkFree { free_mb: 10 }).unwrap();
    assert_eq!(t.store().unwrap(), "g2 10.0.0.2 M00");
    assert_eq!(t.store_in(Some("g1")), Err(Refusal::NoSpace), "90 and 10 do not exceed 100");
}
