//! Where a new storage gets its old data.

use crate::testing::{Script, group, id};
use fdfs_proto::StorageStatus::{Active, Init, Offline, Online, Recovery, Syncing, WaitSync};
use fdfs_proto::tracker::sync_source::{Got, SyncSource};
use tracker_core::{Refusal, Reply, Request, Section};

fn source(from: &str, until: i64) -> Reply {
    Reply::Source(Got { source: Some(SyncSource { src_id: Some(id(from)), until_timestamp: until }) })
}

const NO_SOURCE: Reply = Reply::Source(Got { source: None });

fn source_of(t: &mut Script, dest: &str) -> Result<Reply, Refusal> {
    t.client(Request::SourceOf { group: group("group1"), dest: id(dest) })
}

#[test]
fn the_first_storage_of_a_group_needs_no_source() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Init);
    assert_eq!(t.joined_ask("10.0.0.1", Request::RequestSource), Ok(NO_SOURCE));
    assert_eq!(t.status("10.0.0.1"), Online);
}

#[test]
fn two_new_storages_at_once_do_not_become_each_others_source() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1").joins("group1", "10.0.0.2");
    assert_eq!(t.joined_ask("10.0.0.1", Request::RequestSource), Ok(NO_SOURCE));
    assert_eq!(t.joined_ask("10.0.0.2", Request::RequestSource), Err(Refusal::NothingWritable));
    assert_eq!(t.status("10.0.0.2"), Init, "it comes back when the first one serves");
}

#[test]
fn a_later_storage_waits_for_the_data_of_a_serving_one() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.2", "10.0.0.3"]);
    t.joins("group1", "10.0.0.1");
    t.at(40);
    assert_eq!(t.joined_ask("10.0.0.1", Request::RequestSource), Ok(source("10.0.0.2", 1_800_000_040)));
    assert_eq!(t.status("10.0.0.1"), WaitSync);
    assert_eq!(t.joined_ask("10.0.0.1", Request::OwnSource), Ok(source("10.0.0.2", 1_800_000_040)));
    assert_eq!(t.rejoins("10.0.0.1").src_id, Some(id("10.0.0.2")));
}

#[test]
fn a_source_takes_uploads_if_one_that_does_serves() {
    let naming =
        crate::testing::ids("1 group1 10.0.0.1 rw=read\n2 group1 10.0.0.2\n3 group1 10.0.0.3\n", true);
    let mut t = Script::with(|config| config.naming = naming);
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.joins("group1", "10.0.0.3");
    assert_eq!(t.joined_ask("10.0.0.3", Request::RequestSource), Ok(source("2", 1_800_000_000)));
}

#[test]
fn while_only_storages_serve_that_take_no_uploads_one_of_them_is_the_source() {
    for mode in ["read", "none"] {
        let table = format!("1 group1 10.0.0.1 rw={mode}\n2 group1 10.0.0.2\n");
        let mut t = Script::with(|config| config.naming = crate::testing::ids(&table, true));
        t.serving("group1", &["10.0.0.1"]);
        t.joins("group1", "10.0.0.2");
        assert_eq!(t.joined_ask("10.0.0.2", Request::RequestSource), Ok(source("1", 1_800_000_000)));
        assert_eq!(t.status("2"), WaitSync);
    }
}

#[test]
fn a_group_whose_data_is_away_gives_no_source() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.leaves("10.0.0.1");
    t.joins("group1", "10.0.0.2");
    assert_eq!(t.joined_ask("10.0.0.2", Request::RequestSource), Err(Refusal::NothingWritable));
}

#[test]
fn a_source_found_elsewhere_is_kept() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    let notice = Request::NotifySource { source: Some(id("10.0.0.1")), until: 77 };
    assert_eq!(t.joined_ask("10.0.0.2", notice), Ok(Reply::Done));
    assert_eq!(t.status("10.0.0.2"), WaitSync);
    assert_eq!(source_of(&mut t, "10.0.0.2"), Ok(source("10.0.0.1", 77)));
    let other = Request::NotifySource { source: Some(id("10.0.0.1")), until: 88 };
    t.joined_ask("10.0.0.2", other).unwrap();
    assert_eq!(source_of(&mut t, "10.0.0.2"), Ok(source("10.0.0.1", 77)), "the first word counts");
}

#[test]
fn who_is_told_that_it_needs_no_source_has_none_from_then_on() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    let notice = Request::NotifySource { source: Some(id("10.0.0.1")), until: 77 };
    t.joined_ask("10.0.0.2", notice).unwrap();
    // It fills a disk again and has nothing to give, so the newcomer serves: nobody shall fill it later.
    t.joined_ask("10.0.0.1", Request::ChangeStatus { status: Recovery }).unwrap();
    assert_eq!(t.joined_ask("10.0.0.2", Request::RequestSource), Ok(NO_SOURCE));
    assert_eq!(source_of(&mut t, "10.0.0.2"), Ok(NO_SOURCE));
}

#[test]
fn a_notified_source_that_is_not_known_or_deleted_is_refused() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.3"]);
    t.leaves("10.0.0.3");
    t.client(Request::DeleteStorage { group: group("group1"), id: id("10.0.0.3") }).unwrap();
    t.joins("group1", "10.0.0.2");
    for gone in ["10.0.0.9", "10.0.0.3", "10.0.0.2"] {
        let notice = Request::NotifySource { source: Some(id(gone)), until: 77 };
        assert_eq!(t.joined_ask("10.0.0.2", notice), Err(Refusal::UnknownStorage), "{gone}");
    }
    assert_eq!(t.status("10.0.0.2"), Init);
}

#[test]
fn a_notice_without_source_brings_a_new_storage_on_line() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    t.joined_ask("10.0.0.1", Request::NotifySource { source: None, until: 0 }).unwrap();
    assert_eq!(t.status("10.0.0.1"), Online);
    t.beat("10.0.0.1");
    t.joined_ask("10.0.0.1", Request::NotifySource { source: None, until: 0 }).unwrap();
    assert_eq!(t.status("10.0.0.1"), Active);
}

#[test]
fn nobody_asks_about_the_source_of_who_is_new_or_gone() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    assert_eq!(source_of(&mut t, "10.0.0.2"), Err(Refusal::UnknownStorage));
    assert_eq!(source_of(&mut t, "10.0.0.9"), Err(Refusal::UnknownStorage));
    assert_eq!(source_of(&mut t, "10.0.0.1"), Ok(NO_SOURCE));
    let elsewhere = Request::SourceOf { group: group("group9"), dest: id("10.0.0.1") };
    assert_eq!(t.client(elsewhere), Err(Refusal::UnknownGroup));
}

/// Found by the simulator: the source asked between JOIN (81) and SYNC_NOTIFY (88), heard that nobody fills the storage, and
/// never filled it.
#[test]
fn who_fills_a_storage_that_claims_to_be_filled_is_not_known_until_it_says_so() {
    for claimed in [WaitSync, Syncing] {
        let mut t = Script::new();
        t.serving("group1", &["10.0.0.1"]);
        t.join_with("10.0.0.2", |ask| {
            ask.joiner.init = false;
            ask.joiner.status = Some(claimed);
        });
        assert_eq!(source_of(&mut t, "10.0.0.2"), Err(Refusal::UnknownStorage), "{claimed:?}");
        let notice = Request::NotifySource { source: Some(id("10.0.0.1")), until: 77 };
        t.joined_ask("10.0.0.2", notice).unwrap();
        assert_eq!(source_of(&mut t, "10.0.0.2"), Ok(source("10.0.0.1", 77)), "{claimed:?}");
    }
}

#[test]
fn a_source_that_is_only_away_stays_the_source() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.leaves("10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Offline);
    assert_eq!(source_of(&mut t, "10.0.0.2"), Ok(source("10.0.0.1", 1_800_000_000)));
}

#[test]
fn a_deleted_source_is_forgotten_by_those_it_filled() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.reports("10.0.0.1", "10.0.0.2", Syncing).unwrap();
    t.leaves("10.0.0.1");
    t.client(Request::DeleteStorage { group: group("group1"), id: id("10.0.0.1") }).unwrap();
    assert_eq!(source_of(&mut t, "10.0.0.2"), Err(Refusal::UnknownStorage), "it has to find another one");
    assert_eq!(t.joined_ask("10.0.0.2", Request::OwnSource), Ok(NO_SOURCE));
}

#[test]
fn a_decision_about_a_source_is_on_disk_before_the_answer() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.actions.clear();
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    let wanted = tracker_core::Action::Persist { section: Section::Servers, before_reply: true };
    assert!(t.actions.contains(&wanted));
}
