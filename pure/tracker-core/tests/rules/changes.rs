//! What storages are told in return for beats and reports.

use crate::testing::{PORT, Script, id, ids, ip};
use fdfs_proto::StorageStatus::{Active, Init, Offline, Online, WaitSync};
use fdfs_proto::tracker::change_list::Got;
use fdfs_proto::{Brief, Host, IpText, StorageStatus};
use tracker_core::Request;

fn told(got: &Got) -> Vec<(&str, StorageStatus)> {
    let storages = got.storages.as_deref().expect("a list of storages");
    storages.iter().map(|brief| (id_text(brief), brief.status)).collect()
}

fn id_text(brief: &Brief) -> &str {
    std::str::from_utf8(brief.id.as_ref().unwrap().as_bytes()).unwrap()
}

fn leader() -> Option<Brief> {
    Some(Brief { status: Init, port: PORT, id: Some(id("10.0.0.254")), ip: IpText::from(ip("10.0.0.254")) })
}

#[test]
fn the_first_beat_learns_the_leader_and_the_group() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    let got = t.beat("10.0.0.1");
    assert_eq!(got.leader, leader());
    assert_eq!(got.trunk_server, None);
    assert_eq!(told(&got), [("10.0.0.1", Active)]);
}

#[test]
fn nothing_is_told_twice() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(t.beat("10.0.0.1"), Got::default());
    assert_eq!(t.disks("10.0.0.1", &[(1000, 400)]), Got::default());
    assert_eq!(t.synced("10.0.0.1", &[("10.0.0.1", 5)]), Got::default());
}

#[test]
fn every_change_of_a_member_is_told_to_all_members_with_any_report() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]).serving("group2", &["10.0.0.8"]);
    t.joins("group1", "10.0.0.2");
    assert_eq!(told(&t.beat("10.0.0.1")), [("10.0.0.1", Active), ("10.0.0.2", Init)]);
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    assert_eq!(told(&t.disks("10.0.0.1", &[(9, 9)])), [("10.0.0.1", Active), ("10.0.0.2", WaitSync)]);
    t.reports("10.0.0.1", "10.0.0.2", Offline).unwrap();
    let got = t.synced("10.0.0.1", &[("10.0.0.2", 5)]);
    assert_eq!(told(&got), [("10.0.0.1", Active), ("10.0.0.2", Offline)]);
    assert_eq!(t.beat("10.0.0.8"), Got::default(), "other groups hear nothing of it");
}

#[test]
fn a_storage_that_joins_again_is_told_everything_again() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.beat("10.0.0.1");
    t.rejoins("10.0.0.1");
    let got = t.beat("10.0.0.1");
    assert_eq!(got.leader, leader());
    assert_eq!(told(&got), [("10.0.0.1", Active), ("10.0.0.2", Active)]);
}

#[test]
fn the_deleted_are_told_of() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    t.client(Request::DeleteStorage { group: crate::testing::group("group1"), id: id("10.0.0.2") }).unwrap();
    assert_eq!(told(&t.beat("10.0.0.1")), [("10.0.0.1", Active), ("10.0.0.2", StorageStatus::Deleted)]);
}

#[test]
fn a_follower_tells_nothing() {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.trackers.push(Host::new(ip("10.0.0.253"), PORT)));
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    assert_eq!(t.beat("10.0.0.1"), Got::default());
    assert_eq!(t.status("10.0.0.1"), Active, "but it knows");
}

#[test]
fn a_tracker_that_stepped_down_tells_its_storages_when_it_leads_again() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.beat("10.0.0.1");
    t.join_with("10.0.0.2", |ask| ask.trackers.push(Host::new(ip("10.0.0.253"), PORT)));
    t.client(Request::ReselectLeader).unwrap();
    assert_eq!(t.beat("10.0.0.1"), Got::default());
    let me = (ip("10.0.0.254"), PORT);
    t.client(Request::NotifyLeader { addr: me.0, port: me.1 }).unwrap();
    t.client(Request::CommitLeader { addr: me.0, port: me.1 }).unwrap();
    let got = t.beat("10.0.0.1");
    assert_eq!(got.leader, leader());
    assert_eq!(told(&got), [("10.0.0.1", Active), ("10.0.0.2", Init)]);
}

/// Found by simulation: the leader between told that a member was off line, and nobody took it back.
#[test]
fn t18_a_tracker_that_leads_again_tells_everything_though_nothing_has_changed_with_it() {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.trackers.push(Host::new(ip("10.0.0.253"), PORT)));
    let (me, other) = (ip("10.0.0.254"), ip("10.0.0.253"));
    t.client(Request::NotifyLeader { addr: me, port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: me, port: PORT }).unwrap();
    t.beat("10.0.0.1");
    assert_eq!(t.beat("10.0.0.1"), Got::default());
    t.client(Request::ReselectLeader).unwrap();
    t.client(Request::NotifyLeader { addr: other, port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: other, port: PORT }).unwrap();
    assert_eq!(t.beat("10.0.0.1"), Got::default());
    t.client(Request::NotifyLeader { addr: me, port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: me, port: PORT }).unwrap();
    let got = t.beat("10.0.0.1");
    assert_eq!(got.leader, leader());
    assert_eq!(told(&got), [("10.0.0.1", Init)]);
    assert_eq!(t.beat("10.0.0.1"), Got::default());
}

#[test]
fn a_storage_sees_the_address_of_its_own_kind() {
    let table = "1 group1 10.0.0.1,198.51.100.1\n2 group1 192.0.2.7\n";
    let mut t = Script::with(|config| config.naming = ids(table, true));
    t.serving("group1", &["10.0.0.1", "192.0.2.7"]);
    let got = t.beat("192.0.2.7");
    assert_eq!(got, Got::default());
    t.leaves("10.0.0.1");
    let got = t.beat("192.0.2.7");
    assert_eq!(got.storages.unwrap()[0].ip.to_string(), "198.51.100.1");
    t.serving("group1", &["10.0.0.1"]);
    t.leaves("192.0.2.7");
    let got = t.beat("10.0.0.1");
    assert_eq!(got.storages.unwrap()[0].ip.to_string(), "10.0.0.1");
}

#[test]
fn a_change_between_two_beats_is_told_though_the_storage_joined_before() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.beat("10.0.0.1");
    t.leaves("10.0.0.2");
    assert_eq!(told(&t.beat("10.0.0.1")), [("10.0.0.1", Active), ("10.0.0.2", Offline)]);
    t.rejoins("10.0.0.2");
    assert_eq!(told(&t.beat("10.0.0.1")), [("10.0.0.1", Active), ("10.0.0.2", Online)]);
}
