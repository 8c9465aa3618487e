//! What monitors are shown.

use crate::testing::{CLIENT, START, Script, group, id, ids, ip};
use fdfs_conf::tracker::ReservedSpace;
use fdfs_proto::StorageStatus::{Active, Offline};
use fdfs_proto::tracker::{storage_cluster_stat, storage_volume_stat};
use fdfs_proto::{RwMode, StatBlock};
use tracker_core::{Refusal, Request};

#[test]
fn a_groups_figures_are_those_of_its_smallest_disk_and_its_members() {
    let mut t = Script::with(|config| {
        config.placement.choice.reserved_storage_space = ReservedSpace::Share(10_000);
    });
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    t.disks("10.0.0.1", &[(258_019, 72_000)]);
    t.leaves("10.0.0.3");
    t.store().unwrap();
    let stat = t.cluster.view().group_stat(group("group1")).unwrap();
    assert_eq!((stat.total_mb, stat.free_mb, stat.reserved_mb), (1000, 500, 10));
    assert_eq!((stat.storage_count, stat.readable_server_count, stat.writable_server_count), (3, 2, 2));
    assert_eq!((stat.storage_port, stat.current_write_server), (Some(23000), 1));
    assert_eq!((stat.store_path_count, stat.subdir_count_per_path), (1, 256));
    assert_eq!(stat.current_trunk_file_id, None, "trunk files are off");
    assert_eq!(t.cluster.view().group_stat(group("group9")), Err(Refusal::UnknownGroup));
}

#[test]
fn groups_are_listed_by_name() {
    let mut t = Script::new();
    assert_eq!(t.cluster.view().group_stats(), []);
    t.joins("group2", "10.0.0.2").joins("group10", "10.0.0.3").joins("group1", "10.0.0.1");
    let names: Vec<_> = t.cluster.view().group_stats().iter().map(|stat| stat.group.to_string()).collect();
    assert_eq!(names, ["group1", "group10", "group2"]);
}

#[test]
fn a_storages_figures_are_what_it_announced_and_reported() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    let counters = StatBlock { success_upload_count: 9, ..StatBlock::default() };
    t.at(30).beat_with("10.0.0.1", &counters);
    let all = t.cluster.view().storage_stats(group("group1"), None, ip(CLIENT)).unwrap().storages;
    assert_eq!(all.iter().map(|stat| stat.who.id).collect::<Vec<_>>(), [id("10.0.0.1"), id("10.0.0.2")]);
    let first = all[0];
    assert_eq!((first.who.status, first.who.rw_mode), (Active, RwMode::Both));
    assert_eq!(first.ip.to_string(), "10.0.0.1");
    let figures = first.figures;
    assert_eq!((figures.join_time, figures.up_time, figures.storage_port), (START, START, 23000));
    assert_eq!((figures.total_mb, figures.free_mb, figures.reserved_mb), (1000, 500, 100));
    assert_eq!((figures.upload_priority, figures.store_path_count), (10, 1));
    assert_eq!((figures.stat.success_upload_count, figures.stat.last_heart_beat_time), (9, START + 30));
    assert_eq!(figures.version.to_string(), "6.16.1");
    assert_eq!(all[1].figures.src_id, Some(id("10.0.0.1")));
}

#[test]
fn one_storage_is_listed_by_its_id() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    let view = t.cluster.view();
    let one = view.storage_stats(group("group1"), Some(id("10.0.0.2")), ip(CLIENT)).unwrap().storages;
    assert_eq!(one.iter().map(|stat| stat.who.id).collect::<Vec<_>>(), [id("10.0.0.2")]);
    let none = view.storage_stats(group("group1"), Some(id("10.0.0.9")), ip(CLIENT));
    assert_eq!(none, Err(Refusal::UnknownStorage));
    assert_eq!(view.storage_stats(group("group9"), None, ip(CLIENT)), Err(Refusal::UnknownGroup));
}

#[test]
fn a_client_sees_the_address_of_its_own_kind() {
    let table = "1 group1 10.0.0.1,198.51.100.1\n";
    let mut t = Script::with(|config| config.naming = ids(table, true));
    t.serving("group1", &["10.0.0.1"]);
    let view = t.cluster.view();
    let seen = |from| view.storage_stats(group("group1"), None, ip(from)).unwrap().storages[0].ip.to_string();
    assert_eq!(seen("10.9.9.9"), "10.0.0.1");
    assert_eq!(seen("203.0.113.5"), "198.51.100.1");
    assert_eq!(seen("192.168.1.1"), "10.0.0.1", "neither is of its kind: the inner one");
}

#[test]
fn a_view_is_a_picture_of_its_instant() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let before = t.cluster.view();
    t.leaves("10.0.0.1");
    let status =
        |view: &tracker_core::View| view.group(group("group1")).unwrap().members[&id("10.0.0.1")].status;
    assert_eq!(status(&before), Active);
    assert_eq!(status(&t.cluster.view()), Offline);
}

#[test]
fn a_storage_is_found_by_group_and_address() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let view = t.cluster.view();
    let brief = view.storage_at(group("group1"), ip("10.0.0.1"), 23000).unwrap();
    assert_eq!((brief.status, brief.port, brief.id), (Active, 23000, Some(id("10.0.0.1"))));
    assert_eq!(view.storage_at(group("group1"), ip("10.0.0.2"), 23000), Err(Refusal::UnknownStorage));
    assert_eq!(view.storage_at(group("group9"), ip("10.0.0.1"), 23000), Err(Refusal::UnknownGroup));
}

#[test]
fn storages_of_all_groups_are_filtered_by_status() {
    let mut t = Script::new();
    t.serving("group2", &["10.0.0.3"]).serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    let view = t.cluster.view();
    let list = |filter_by: u8, op_type: u8, status: u8, is_trunk_server: bool| -> Vec<String> {
        let ask = storage_cluster_stat::Ask { filter_by, op_type, status, is_trunk_server };
        let got = view.storage_cluster_stats(ask, ip(CLIENT));
        assert!(!got.use_storage_id && !got.use_trunk_file);
        got.storages.iter().map(|stat| stat.host.to_string()).collect()
    };
    assert_eq!(list(0, 0, 0, false), ["10.0.0.1:23000", "10.0.0.2:23000", "10.0.0.3:23000"]);
    assert_eq!(list(2, b'=', 7, false), ["10.0.0.1:23000", "10.0.0.3:23000"]);
    assert_eq!(list(2, b'!', 7, false), ["10.0.0.2:23000"]);
    assert_eq!(list(2, b'?', 7, false), [""; 0]);
    assert_eq!(list(1, 0, 0, true).len(), 3, "trunk files are off, so being trunk server is not asked");
}

#[test]
fn storages_are_filtered_by_being_trunk_server() {
    let mut t = Script::with(|config| config.placement.use_trunk = true);
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    crate::trunk_server::elect(&mut t, group("group1"), id("10.0.0.1"));
    let view = t.cluster.view();
    for (wanted, host) in [(true, "10.0.0.1:23000"), (false, "10.0.0.2:23000")] {
        let ask = storage_cluster_stat::Ask { filter_by: 1, is_trunk_server: wanted, ..Default::default() };
        let got = view.storage_cluster_stats(ask, ip(CLIENT)).storages;
        assert_eq!(got.iter().map(|stat| stat.host.to_string()).collect::<Vec<_>>(), [host]);
    }
}

#[test]
fn volumes_are_filtered_by_whether_uploads_find_space() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]).serving("group2", &["10.0.0.2"]);
    t.disks("10.0.0.2", &[(1000, 60)]);
    let view = t.cluster.view();
    let all = view.volume_stats(storage_volume_stat::Ask::default());
    assert!(!all.use_trunk_file);
    let first = all.groups[0];
    assert_eq!((first.total_mb, first.free_mb, first.reserved_mb, first.avail_mb), (1000, 500, 100, 400));
    assert_eq!((first.is_disk_available, first.is_trunk_available), (true, false));
    let second = all.groups[1];
    assert_eq!((second.free_mb, second.avail_mb, second.is_disk_available), (60, 0, false));
    let list = |filter_by: u8, disk: bool, trunk: bool, space: bool| -> Vec<String> {
        let ask = storage_volume_stat::Ask {
            filter_by,
            is_disk_available: disk,
            is_trunk_available: trunk,
            is_space_available: space,
        };
        view.volume_stats(ask).groups.iter().map(|stat| stat.group.to_string()).collect()
    };
    assert_eq!(list(1, true, false, false), ["group1"]);
    assert_eq!(list(1, false, false, false), ["group2"]);
    assert_eq!(list(2, false, true, false), ["group1", "group2"], "trunk files are off");
    assert_eq!(list(4, false, false, false), ["group2"]);
}
