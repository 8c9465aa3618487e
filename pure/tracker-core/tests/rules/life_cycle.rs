//! The life of a storage: the table, and the machine that walks it.

use crate::testing::{Script, brief, group, id, ids, ip};
use fdfs_proto::StorageStatus::{
    self, Active, Deleted, Init, IpChanged, None as NoValue, Offline, Online, Recovery, Syncing, WaitSync,
};
use fdfs_proto::{Brief, IpText, StatBlock};
use tracker_core::status::{self, Cause};
use tracker_core::{Naming, Refusal, Reply, Request, Saved, Section};

const ALL: [StorageStatus; 10] =
    [Init, WaitSync, Syncing, IpChanged, Deleted, Offline, Online, Active, Recovery, NoValue];

/// For every status in the order of `ALL`, what follows.
fn row(cause: Cause) -> [StorageStatus; 10] {
    ALL.map(|from| status::after(cause, from))
}

#[test]
fn a_join_wakes_the_absent_and_begins_the_removed_anew() {
    let expected = [Init, WaitSync, Syncing, Init, Init, Online, Online, Active, Online, NoValue];
    assert_eq!(row(Cause::Joined), expected);
}

#[test]
fn a_beat_activates_whoever_is_filled() {
    let expected = [Init, WaitSync, Syncing, IpChanged, Active, Active, Active, Active, Active, NoValue];
    assert_eq!(row(Cause::Beat), expected);
}

#[test]
fn silence_takes_only_the_active_off_line() {
    let expected = [Init, WaitSync, Syncing, IpChanged, Deleted, Offline, Online, Offline, Recovery, NoValue];
    assert_eq!(row(Cause::Silent), expected);
}

#[test]
fn a_closed_connection_takes_the_connected_off_line() {
    let expected =
        [Init, WaitSync, Syncing, IpChanged, Deleted, Offline, Offline, Offline, Recovery, NoValue];
    assert_eq!(row(Cause::Closed), expected);
}

#[test]
fn a_notified_source_moves_only_the_new() {
    let expected =
        [WaitSync, WaitSync, Syncing, IpChanged, Deleted, Offline, Online, Active, Recovery, NoValue];
    assert_eq!(row(Cause::SourceNotified), expected);
}

#[test]
fn a_notice_that_no_source_is_needed_ends_the_filling() {
    let expected = [Online, Online, Online, IpChanged, Deleted, Offline, Online, Active, Recovery, NoValue];
    assert_eq!(row(Cause::NoSourceNotified), expected);
}

#[test]
fn a_restarted_tracker_remembers_who_is_being_filled_and_who_has_left() {
    let expected = [Init, WaitSync, Syncing, IpChanged, Deleted, Offline, Offline, Offline, Offline, Offline];
    assert_eq!(row(Cause::TrackerRestarted), expected);
}

#[test]
fn an_unknown_storage_begins_as_it_claims_unless_that_cannot_be() {
    let claims =
        [None, Some(Init), Some(WaitSync), Some(Offline), Some(Online), Some(Active), Some(Recovery)];
    let begins = claims.map(|claimed| status::first(false, claimed));
    let expected =
        [None, Some(Init), Some(WaitSync), Some(Offline), Some(Online), Some(Online), Some(Recovery)];
    assert_eq!(begins, expected);
    assert_eq!([Deleted, IpChanged, NoValue].map(|claimed| status::first(false, Some(claimed))), [None; 3]);
    assert_eq!([None, Some(Deleted)].map(|claimed| status::first(true, claimed)), [Some(Init); 2]);
}

#[test]
fn reports_of_others_are_merged_by_rank() {
    let merged = |known: StorageStatus| ALL.map(|reported| status::merged(known, reported, false));
    for settled in [Init, Online, Active, Recovery] {
        assert_eq!(merged(settled), [settled; 10], "{settled:?} is known better here");
    }
    // That it is on line or active, a storage must show here itself.
    let from_wait_sync =
        [WaitSync, WaitSync, Syncing, IpChanged, Deleted, Offline, Offline, Offline, Recovery, WaitSync];
    assert_eq!(merged(WaitSync), from_wait_sync);
    let from_offline =
        [Offline, Offline, Offline, IpChanged, Deleted, Offline, Offline, Offline, Recovery, Offline];
    assert_eq!(merged(Offline), from_offline);
    let from_deleted =
        [Deleted, Deleted, Deleted, IpChanged, Deleted, Deleted, Deleted, Deleted, Deleted, Deleted];
    assert_eq!(merged(Deleted), from_deleted);
}

#[test]
fn that_a_storage_serves_is_not_taken_on_the_word_of_others() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.reports("10.0.0.1", "10.0.0.2", Active).unwrap();
    assert_eq!(t.status("10.0.0.2"), Offline);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
    t.beat("10.0.0.2");
    assert_eq!(t.status("10.0.0.2"), Active);
}

#[test]
fn t18_a_deleted_storage_does_not_come_back_because_others_have_not_heard_of_it() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    t.client(Request::DeleteStorage { group: crate::testing::group("group1"), id: id("10.0.0.2") }).unwrap();
    for status in [Offline, Online, Active, Recovery] {
        t.reports("10.0.0.1", "10.0.0.2", status).unwrap();
        assert_eq!(t.status("10.0.0.2"), Deleted, "{status:?}");
    }
    assert_eq!(t.rejoins("10.0.0.2").status, Init);
}

/// Found by simulation.
#[test]
fn t18_nor_after_a_restart_of_the_tracker_which_then_only_knows_it_from_the_changelog() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    t.client(Request::DeleteStorage { group: crate::testing::group("group1"), id: id("10.0.0.2") }).unwrap();
    let tables = t.cluster.tables(t.now);
    let saved = tracker_core::Saved::from_tables(tables, &tracker_core::Naming::ByAddress).unwrap();
    let mut t = Script::restarted(saved, |_| {});
    t.joins("group1", "10.0.0.1");
    t.reports("10.0.0.1", "10.0.0.2", Offline).unwrap();
    assert_eq!(t.group("group1").members.len(), 1);
    t.joins("group1", "10.0.0.2");
    assert_eq!(t.group("group1").members.len(), 2);
}

#[test]
fn an_unknown_storage_is_taken_in_only_while_it_is_not_serving() {
    let taken: Vec<_> = ALL.into_iter().filter(|reported| status::taken_in(*reported)).collect();
    assert_eq!(taken, [Init, WaitSync, Syncing, Offline, Recovery]);
}

#[test]
fn a_requested_status_is_kept_but_serving_must_be_earned() {
    let requested = |known: StorageStatus| {
        [Init, WaitSync, Syncing, Deleted, Offline, Online, Active, Recovery]
            .map(|to| status::requested(known, to))
    };
    assert_eq!(requested(WaitSync), [Init, WaitSync, Syncing, Deleted, Offline, Offline, Offline, Recovery]);
    assert_eq!(requested(Active), [Init, WaitSync, Syncing, Deleted, Active, Active, Active, Recovery]);
    assert_eq!(requested(Offline), [Init, WaitSync, Syncing, Deleted, Offline, Offline, Offline, Recovery]);
}

#[test]
fn a_silent_storage_goes_off_line_and_placement_skips_it() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.at(60).beat("10.0.0.2");
    t.until(100);
    assert_eq!(t.status("10.0.0.1"), Active, "silent for exactly the interval");
    t.until(101);
    assert_eq!(t.status("10.0.0.1"), Offline);
    assert_eq!(t.status("10.0.0.2"), Active);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00");
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00");
}

#[test]
fn a_silent_storage_is_back_with_its_next_beat() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.until(500);
    assert_eq!(t.status("10.0.0.1"), Offline);
    assert_eq!(t.store(), Err(Refusal::NothingWritable));
    t.beat("10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Active);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.1 M00");
}

#[test]
fn a_disk_report_activates_like_a_beat() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    assert_eq!(t.status("10.0.0.1"), Online);
    t.disks("10.0.0.1", &[(1000, 500)]);
    assert_eq!(t.status("10.0.0.1"), Active);
}

#[test]
fn a_storage_that_disconnects_is_off_line_at_once() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(t.member("10.0.0.1").up_time, 1_800_000_000);
    t.leaves("10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Offline);
    assert_eq!(t.member("10.0.0.1").up_time, 0);
}

#[test]
fn closing_a_stale_connection_does_not_take_off_line_who_has_come_back() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let stale = t.conn("10.0.0.1");
    t.rejoins("10.0.0.1");
    t.beat("10.0.0.1");
    t.closes(stale);
    assert_eq!(t.status("10.0.0.1"), Active);
    assert_ne!(t.member("10.0.0.1").up_time, 0);
    t.leaves("10.0.0.1");
    assert_eq!(t.status("10.0.0.1"), Offline);
}

#[test]
fn a_connection_that_joins_again_as_another_leaves_the_first() {
    let mut t = Script::with(|config| {
        config.naming = ids("1 group1 10.0.0.1\n2 group1 10.0.0.2\n", true);
    });
    let mut ask = crate::testing::first_join("group1");
    ask.joiner.storage_id = Some(crate::testing::id("1"));
    let conn = t.connect();
    t.ask(conn, "10.0.0.1", Request::Join(&ask)).unwrap();
    t.ask(conn, "10.0.0.1", Request::NotifySource { source: None, until: 0 }).unwrap();
    assert_eq!(t.status("1"), Online);
    ask.joiner.storage_id = Some(crate::testing::id("2"));
    t.ask(conn, "10.0.0.1", Request::Join(&ask)).unwrap();
    assert_eq!(t.status("1"), Offline);
    assert_eq!(t.status("2"), Init);
}

#[test]
fn a_storage_being_filled_stays_so_when_it_disconnects() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.leaves("10.0.0.2");
    assert_eq!(t.status("10.0.0.2"), WaitSync);
    assert_eq!(t.rejoins("10.0.0.2").status, WaitSync);
}

#[test]
fn a_source_moves_the_storage_it_fills_until_a_beat_makes_it_serve() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.beat("10.0.0.2");
    assert_eq!(t.status("10.0.0.2"), WaitSync, "a beat does not fill it");
    t.reports("10.0.0.1", "10.0.0.2", Syncing).unwrap();
    assert_eq!(t.status("10.0.0.2"), Syncing);
    t.reports("10.0.0.1", "10.0.0.2", WaitSync).unwrap();
    assert_eq!(t.status("10.0.0.2"), Syncing, "a late report does not move it back");
    t.reports("10.0.0.1", "10.0.0.2", Offline).unwrap();
    assert_eq!(t.status("10.0.0.2"), Offline);
    t.beat("10.0.0.2");
    assert_eq!(t.status("10.0.0.2"), Active);
}

#[test]
fn a_storage_reports_that_it_rebuilds_a_disk_and_serves_again_after_its_join() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.leaves("10.0.0.1");
    t.reports("10.0.0.1", "10.0.0.1", Recovery).unwrap();
    assert_eq!(t.status("10.0.0.1"), Recovery);
    assert_eq!(t.rejoins("10.0.0.1").status, Online);
}

#[test]
fn d25_a_restarted_storage_reports_a_rebuild_though_its_old_connection_still_seems_open() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.reports("10.0.0.2", "10.0.0.1", Recovery).unwrap();
    assert_eq!(t.status("10.0.0.1"), Active, "not on the word of another");
    t.reports("10.0.0.1", "10.0.0.1", Recovery).unwrap();
    assert_eq!(t.status("10.0.0.1"), Recovery);
    assert_eq!(t.store().unwrap(), "group1 10.0.0.2 M00");
}

#[test]
fn a_report_about_a_storage_nobody_knows_takes_it_in() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.reports("10.0.0.1", "10.0.0.7", Active).unwrap();
    assert_eq!(t.group("group1").members.len(), 1, "serving must be seen here");
    t.reports("10.0.0.1", "10.0.0.7", WaitSync).unwrap();
    assert_eq!(t.status("10.0.0.7"), WaitSync);
    assert_eq!(t.member("10.0.0.7").port, 23000);
}

#[test]
fn a_report_about_a_group_nobody_knows_is_refused() {
    let mut t = Script::new();
    assert_eq!(t.reports("10.0.0.1", "10.0.0.7", WaitSync), Err(Refusal::UnknownGroup));
}

#[test]
fn s11_with_a_table_of_ids_a_report_cannot_bring_in_strangers() {
    let mut t = Script::with(|config| config.naming = ids("1 group1 10.0.0.1\n", true));
    t.join_with("10.0.0.1", |_| {});
    assert_eq!(t.reports("10.0.0.1", "2", WaitSync), Err(Refusal::UnknownStorage));
}

#[test]
fn without_a_table_nobody_is_reported_under_an_id_that_is_not_the_one_of_the_address() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let conn = t.connect();
    for (name, addr) in [("x", "10.0.0.1"), ("10.0.0.1", "10.0.0.9"), ("10.0.0.9", "2001:db8::9")] {
        let brief = Brief { ip: IpText::from(ip(addr)), ..brief(name, Offline) };
        let ask = Request::ReportStatus { group: group("group1"), brief: &brief };
        // Of a known one the status is looked at, not the address.
        let wanted = if name == "10.0.0.1" { Ok(Reply::Done) } else { Err(Refusal::BadValue) };
        assert_eq!(t.ask(conn, "10.0.0.7", ask), wanted, "{name} at {addr}");
    }
    assert_eq!(t.group("group1").members.len(), 1);
    assert_eq!(t.member("10.0.0.1").addrs.first(), ip("10.0.0.1"));
    for (name, addr) in [("10.0.0.9", "10.0.0.9"), ("10.0.0.8", "::ffff:10.0.0.8")] {
        let brief = Brief { ip: IpText::from(ip(addr)), ..brief(name, Offline) };
        let ask = Request::ReportStatus { group: group("group1"), brief: &brief };
        assert_eq!(t.ask(conn, "10.0.0.7", ask), Ok(Reply::Done), "{name} at {addr}");
    }
    let now = t.now;
    let saved = Saved::from_tables(t.cluster.tables(now), &Naming::ByAddress).unwrap();
    assert_eq!(saved.groups.iter().map(|group| group.members.len()).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_leader_ignores_what_storages_think_of_each_other() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    let briefs = [brief("10.0.0.2", Offline)];
    assert_eq!(t.joined_ask("10.0.0.1", Request::ReportReplicas { briefs: &briefs }), Ok(Reply::Done));
    assert_eq!(t.status("10.0.0.2"), WaitSync);
}

#[test]
fn a_storage_corrects_its_own_status() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.joined_ask("10.0.0.2", Request::ChangeStatus { status: Active }).unwrap();
    assert_eq!(t.status("10.0.0.2"), Offline);
    t.beat("10.0.0.2");
    assert_eq!(t.status("10.0.0.2"), Active);
}

#[test]
fn commands_that_need_a_join_are_refused_without_one() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let asks = [
        Request::Beat { stat: None },
        Request::ReportDisks { paths: &[] },
        Request::ReportSync { times: &[] },
        Request::RequestSource,
        Request::NotifySource { source: None, until: 0 },
        Request::OwnSource,
        Request::ReportReplicas { briefs: &[] },
        Request::ChangeStatus { status: Offline },
        Request::TrunkFileId,
        Request::ReportTrunkFileId { id: 1 },
        Request::ReportTrunkFree { free_mb: 1 },
    ];
    for ask in asks {
        let shown = format!("{ask:?}");
        assert_eq!(t.client(ask), Err(Refusal::NotJoined), "{shown}");
    }
    assert_eq!(Refusal::NotJoined.status(), fdfs_proto::Status::EACCES);
}

#[test]
fn a_beat_keeps_the_counters_but_not_the_trackers_own_figures() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t.synced("10.0.0.1", &[("10.0.0.2", 1_700_000_000)]);
    let stat = StatBlock {
        total_upload_count: 7,
        last_synced_timestamp: 5,
        last_heart_beat_time: 6,
        ..StatBlock::default()
    };
    t.at(20).beat_with("10.0.0.1", &stat);
    let kept = t.member("10.0.0.1").stat;
    assert_eq!(kept.total_upload_count, 7);
    assert_eq!(kept.last_synced_timestamp, 1_700_000_000);
    assert_eq!(kept.last_heart_beat_time, 1_800_000_020);
    t.at(30).beat("10.0.0.1");
    assert_eq!(t.member("10.0.0.1").stat.total_upload_count, 7);
    assert_eq!(t.member("10.0.0.1").stat.last_heart_beat_time, 1_800_000_030);
}

#[test]
fn counters_are_saved_after_a_thousand_updates_or_a_minute() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.until(61);
    t.saved();
    let stat = StatBlock::default();
    for _ in 0..999 {
        t.beat_with("10.0.0.1", &stat);
    }
    assert_eq!(t.saved(), []);
    t.beat_with("10.0.0.1", &stat);
    assert_eq!(t.saved(), [Section::Servers]);
    t.beat_with("10.0.0.1", &stat);
    t.until(120);
    assert_eq!(t.saved(), []);
    t.until(121);
    assert_eq!(t.saved(), [Section::Servers]);
}

#[test]
fn a_status_that_outlives_a_restart_is_saved_at_once() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.saved();
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    assert_eq!(t.saved(), [Section::Servers]);
    t.leaves("10.0.0.1");
    assert_eq!(t.saved(), [], "active or off line is the same to a restarted tracker");
    t.reports("10.0.0.1", "10.0.0.2", Offline).unwrap();
    assert_eq!(t.saved(), [Section::Servers]);
}

#[test]
fn a_sign_of_life_is_saved_at_the_start_and_every_five_minutes() {
    let mut t = Script::new();
    t.until(0);
    assert_eq!(t.saved(), [Section::Status]);
    t.until(299);
    assert_eq!(t.saved(), []);
    t.until(300);
    assert_eq!(t.saved(), [Section::Status]);
}
