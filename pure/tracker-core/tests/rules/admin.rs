//! Deletions, changed addresses and the changelog.

use crate::testing::{Script, group, id, ids, ip};
use fdfs_proto::Status;
use fdfs_proto::StorageStatus::{Active, Deleted, Init, IpChanged, Offline, Syncing, WaitSync};
use tracker_core::{Refusal, Reply, Request, Section};

fn delete(t: &mut Script, storage: &str) -> Result<Reply, Refusal> {
    t.client(Request::DeleteStorage { group: group("group1"), id: id(storage) })
}

fn changelog(t: &mut Script, storage: &str) -> String {
    let ask = Request::ReadChangelog { of: Some((group("group1"), id(storage))) };
    match t.client(ask).unwrap() {
        Reply::Changelog(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_storage_in_service_cannot_be_deleted() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(delete(&mut t, "10.0.0.1"), Err(Refusal::StorageInUse));
    assert_eq!(Refusal::StorageInUse.status(), Status::EBUSY);
}

#[test]
fn a_storage_that_is_away_is_deleted_once() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    t.saved();
    assert_eq!(delete(&mut t, "10.0.0.2"), Ok(Reply::Done));
    assert_eq!(t.status("10.0.0.2"), Deleted);
    assert_eq!(t.saved(), [Section::Servers, Section::Changelog]);
    assert_eq!(delete(&mut t, "10.0.0.2"), Err(Refusal::AlreadyDone));
    assert_eq!(Refusal::AlreadyDone.status(), Status::EALREADY);
    assert_eq!(delete(&mut t, "10.0.0.9"), Err(Refusal::UnknownStorage));
    let elsewhere = Request::DeleteStorage { group: group("group9"), id: id("10.0.0.2") };
    assert_eq!(t.client(elsewhere), Err(Refusal::UnknownGroup));
}

#[test]
fn a_storage_that_is_still_being_filled_can_be_deleted() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    assert_eq!(t.status("10.0.0.2"), Init);
    assert_eq!(delete(&mut t, "10.0.0.2"), Ok(Reply::Done));
}

#[test]
fn a_deletion_is_a_line_of_the_changelog() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    t.at(5);
    delete(&mut t, "10.0.0.2").unwrap();
    assert_eq!(changelog(&mut t, "10.0.0.1"), "1800000005 group1 10.0.0.2 4 \n");
    assert!(t.saved().contains(&Section::Changelog));
    assert_eq!(changelog(&mut t, "10.0.0.1"), "", "what was read is not read again");
    let joined = t.joined_ask("10.0.0.1", Request::ReadChangelog { of: None });
    assert_eq!(joined, Ok(Reply::Changelog(Vec::new())));
}

#[test]
fn a_long_changelog_is_read_page_by_page() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let line = "1800000000 group1 10.0.1.100 4 \n".len();
    for _ in 0..300 {
        t.joins("group1", "10.0.1.100");
        t.leaves("10.0.1.100");
        delete(&mut t, "10.0.1.100").unwrap();
    }
    let mut read = 0;
    let mut pages = Vec::new();
    while read < 300 * line {
        let page = changelog(&mut t, "10.0.0.1");
        read += page.len();
        pages.push(page.len());
    }
    assert_eq!(pages, [8192, 1408]);
    assert_eq!(changelog(&mut t, "10.0.0.1"), "");
}

#[test]
fn the_changelog_of_somebody_unknown_is_refused() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let ask = Request::ReadChangelog { of: Some((group("group1"), id("10.0.0.9"))) };
    assert_eq!(t.client(ask), Err(Refusal::UnknownStorage));
    let ask = Request::ReadChangelog { of: Some((group("group9"), id("10.0.0.1"))) };
    assert_eq!(t.client(ask), Err(Refusal::UnknownGroup));
}

#[test]
fn without_a_join_a_question_for_the_changelog_says_whose() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(t.client(Request::ReadChangelog { of: None }), Err(Refusal::BadValue));
    assert_eq!(Refusal::BadValue.status(), Status::EINVAL);
}

#[test]
fn only_an_empty_group_can_be_deleted() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let ask = Request::DeleteGroup { group: group("group1") };
    assert_eq!(t.client(ask.clone()), Err(Refusal::GroupNotEmpty));
    t.leaves("10.0.0.1");
    delete(&mut t, "10.0.0.1").unwrap();
    assert_eq!(t.client(ask), Err(Refusal::GroupNotEmpty), "a tombstone counts until the next start");
    assert_eq!(t.client(Request::DeleteGroup { group: group("group9") }), Err(Refusal::UnknownGroup));
    assert_eq!(Refusal::GroupNotEmpty.status(), Status::EBUSY);
}

#[test]
fn an_empty_group_is_deleted() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.leaves("10.0.0.1");
    delete(&mut t, "10.0.0.1").unwrap();
    let now = t.now;
    let saved =
        tracker_core::Saved::from_tables(t.cluster.tables(now), &tracker_core::Naming::ByAddress).unwrap();
    let mut t = Script::restarted(saved, |_| {});
    assert_eq!(t.group("group1").members.len(), 0);
    assert_eq!(t.client(Request::DeleteGroup { group: group("group1") }), Ok(Reply::Done));
    assert_eq!(t.cluster.view().groups().count(), 0);
    assert_eq!(t.saved(), [Section::Groups]);
}

fn moved(t: &mut Script, from: &str, to: &str) -> Result<Reply, Refusal> {
    let conn = t.connect();
    t.ask(conn, to, Request::ReportIpChanged { group: group("group1"), old: ip(from), new: ip(to) })
}

#[test]
fn a_storage_with_a_new_address_keeps_its_record() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.reports("10.0.0.1", "10.0.0.2", Syncing).unwrap();
    t.synced("10.0.0.1", &[("10.0.0.2", 44)]);
    t.leaves("10.0.0.1");
    t.saved();
    t.at(9);
    assert_eq!(moved(&mut t, "10.0.0.1", "10.0.0.3"), Ok(Reply::Done));
    assert_eq!(t.status("10.0.0.1"), IpChanged);
    assert_eq!(t.status("10.0.0.3"), Offline);
    assert_eq!(t.member("10.0.0.3").addrs.first(), ip("10.0.0.3"));
    assert_eq!(t.member("10.0.0.2").sync_source.unwrap().source, id("10.0.0.3"));
    assert_eq!(t.group("group1").synced[&(id("10.0.0.2"), id("10.0.0.3"))], 44);
    assert_eq!(changelog(&mut t, "10.0.0.2"), "1800000009 group1 10.0.0.1 3 10.0.0.3\n");
    assert_eq!(t.saved(), [Section::Groups, Section::Servers, Section::SyncTimes, Section::Changelog]);
    let told = t.beat("10.0.0.2").storages.unwrap();
    let told: Vec<_> =
        told.iter().map(|brief| (brief.id.unwrap().as_str().to_owned(), brief.status)).collect();
    let expected = [("10.0.0.1", IpChanged), ("10.0.0.2", Syncing), ("10.0.0.3", Offline)];
    assert_eq!(told, expected.map(|(id, status)| (id.to_owned(), status)));
}

#[test]
fn a_new_address_must_be_the_reporters_own_and_free() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    let conn = t.connect();
    let foreign =
        Request::ReportIpChanged { group: group("group1"), old: ip("10.0.0.1"), new: ip("10.0.0.3") };
    assert_eq!(t.ask(conn, "10.0.0.4", foreign), Err(Refusal::BadValue));
    assert_eq!(moved(&mut t, "10.0.0.1", "10.0.0.3"), Err(Refusal::StorageInUse));
    t.leaves("10.0.0.1");
    assert_eq!(moved(&mut t, "10.0.0.1", "10.0.0.2"), Err(Refusal::AddressTaken));
    assert_eq!(moved(&mut t, "10.0.0.9", "10.0.0.3"), Err(Refusal::UnknownStorage));
    moved(&mut t, "10.0.0.1", "10.0.0.3").unwrap();
    assert_eq!(moved(&mut t, "10.0.0.1", "10.0.0.3"), Err(Refusal::AlreadyDone));
    assert_eq!(Refusal::AddressTaken.status(), Status::EEXIST);
}

#[test]
fn a_storage_goes_back_to_an_address_that_it_had_or_that_somebody_left() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    t.leaves("10.0.0.1");
    moved(&mut t, "10.0.0.1", "10.0.0.4").unwrap();
    assert_eq!(moved(&mut t, "10.0.0.4", "10.0.0.1"), Ok(Reply::Done));
    assert_eq!((t.status("10.0.0.1"), t.status("10.0.0.4")), (Offline, IpChanged));
    t.rejoins("10.0.0.1");
    t.beat("10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Active);
    t.leaves("10.0.0.2");
    t.leaves("10.0.0.3");
    delete(&mut t, "10.0.0.3").unwrap();
    assert_eq!(moved(&mut t, "10.0.0.2", "10.0.0.3"), Ok(Reply::Done));
    assert_eq!((t.status("10.0.0.2"), t.status("10.0.0.3")), (IpChanged, Offline));
}

#[test]
fn a_tracker_that_missed_a_move_or_heard_of_it_from_others_first_still_has_one_storage() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.1");
    moved(&mut t, "10.0.0.1", "10.0.0.3").unwrap();
    // Another tracker never heard of 10.0.0.3, so the storage goes on telling its first address.
    assert_eq!(moved(&mut t, "10.0.0.1", "10.0.0.4"), Ok(Reply::Done));
    let statuses = ["10.0.0.1", "10.0.0.3", "10.0.0.4"].map(|storage| t.status(storage));
    assert_eq!(statuses, [IpChanged, IpChanged, Offline]);
    // A peer knows the next address from the leader and tells it here, earlier than the storage itself.
    t.reports("10.0.0.2", "10.0.0.5", Offline).unwrap();
    assert_eq!(moved(&mut t, "10.0.0.4", "10.0.0.5"), Ok(Reply::Done));
    assert_eq!((t.status("10.0.0.4"), t.status("10.0.0.5")), (IpChanged, Offline));
    assert_eq!(t.member("10.0.0.5").join_time, t.member("10.0.0.2").join_time, "its record, not the hearsay");
    t.serving("group1", &["10.0.0.5"]);
    assert_eq!(moved(&mut t, "10.0.0.2", "10.0.0.5"), Err(Refusal::StorageInUse));
}

#[test]
fn with_a_table_of_ids_addresses_do_not_move() {
    let mut t = Script::with(|config| config.naming = ids("1 group1 10.0.0.1\n", true));
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(moved(&mut t, "10.0.0.1", "10.0.0.3"), Err(Refusal::SwitchedOff));
    assert_eq!(Refusal::SwitchedOff.status(), Status::EOPNOTSUPP);
}

#[test]
fn a_storage_whose_old_connection_is_open_beats_under_its_new_name() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    assert_eq!(t.status("10.0.0.2"), WaitSync);
    moved(&mut t, "10.0.0.2", "10.0.0.3").unwrap();
    t.reports("10.0.0.1", "10.0.0.3", Offline).unwrap();
    t.beat("10.0.0.2");
    assert_eq!(t.status("10.0.0.3"), Active);
    assert_eq!(t.status("10.0.0.2"), IpChanged);
}
