//! The conversation with trackers, as sentences. One [`Script`] plays one storage and all its trackers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod script;

use fdfs_proto::StorageStatus::{Active, Deleted, Init, IpChanged, Offline, Online, Syncing, WaitSync};
use fdfs_proto::tracker::{
    beat, change_list, disk_usage, identity_change, join, status_report, storage_ids, sync_report,
};
use fdfs_proto::{Brief, IpText, Status, TrackerCommand as Cmd};
use script::{Script, id, secs};
use storage_core::membership::{IdentityProblem, TrackerIndex};
use storage_core::tracker_link::{Action, Failure, Notice, Trouble, TrunkFigures};

// Finding out who one is

#[test]
fn a_new_storage_asks_its_address_and_the_parameters_and_then_joins() {
    let mut t = Script::new();
    t.connect(0);
    t.asked(0, Cmd::GetMyIp).reply(b"127.0.0.3");
    t.asked(0, Cmd::GetParameters).reply(b"use_storage_id=0\nid_type_in_filename=ip\n");
    let joiner = t.asked(0, Cmd::Join).read(join::Ask::decode).joiner;
    assert_eq!(joiner.group.as_str(), "group1");
    assert_eq!(joiner.storage_port, 23000);
    assert_eq!((joiner.store_path_count, joiner.subdir_count_per_path), (2, 256));
    assert!(joiner.init);
    assert_eq!(joiner.status, Some(Init));
    assert_eq!(joiner.storage_id, None);
    assert_eq!(joiner.tracker_ip.to_string(), "10.0.0.1");
    let me = t.view().identity.unwrap();
    assert_eq!((me.id, me.source.encode()), (id("127.0.0.3"), [127, 0, 0, 3]));
}

#[test]
fn a_join_is_written_byte_for_byte_as_the_original_writes_it() {
    // Recorded from the original (late-join-disk-recovery, stream 28), its version and times replaced by
    // the script's.
    let mut t = Script::new();
    t.own_ip = "127.0.0.24".into();
    t.run_to(0, Cmd::Join);
    let body = t.asked(0, Cmd::Join).body;
    let mut expected = Vec::new();
    expected.extend_from_slice(b"group1\0\0\0\0\0\0\0\0\0\0\0");
    for number in [23000_u64, 2, 256, 10, 1_700_000_000, 1_700_000_777] {
        expected.extend_from_slice(&number.to_be_bytes());
    }
    expected.extend_from_slice(b"6.16.1\0\0");
    expected.extend_from_slice(&[1, 0]);
    expected.extend_from_slice(&[0; 16]);
    expected.extend_from_slice(b"10.0.0.1");
    expected.extend_from_slice(&[0; 38]);
    expected.extend_from_slice(&1_u64.to_be_bytes());
    expected.extend_from_slice(b"10.0.0.1:22122\n");
    assert_eq!(body, expected);
}

#[test]
fn the_group_is_asked_for_when_the_configuration_does_not_name_it() {
    let mut t = Script::new();
    t.settings.group = None;
    t.connect(0);
    let ask = t.asked(0, Cmd::GetGroupName);
    assert_eq!(ask.body, [0, 0, 0x59, 0xd8]);
    ask.reply(b"group7\0\0\0\0\0\0\0\0\0\0");
    t.run_to(0, Cmd::Beat);
    assert_eq!(t.view().identity.unwrap().group.as_str(), "group7");
}

#[test]
fn with_storage_ids_the_own_number_is_found_by_address() {
    let mut t = Script::with_ids("100001 group1 10.0.1.1\n100002 group1 127.0.0.3\n");
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.storage_id, Some(id("100002")));
    let me = t.view().identity.unwrap();
    assert_eq!((me.id, me.source.encode()), (id("100002"), [0xa2, 0x86, 0x01, 0x00]));
}

#[test]
fn a_configured_server_id_counts_when_the_tracker_trusts_it() {
    let mut t = Script::with_ids("100001 group1 10.0.1.1\n100002 group1 127.0.0.3\n");
    t.settings.server_id = Some(100_001);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.view().identity.unwrap().id, id("100001"));
}

#[test]
fn a_tracker_that_does_not_trust_storages_is_asked_for_the_id() {
    let mut t = Script::with_ids("100001 group1 10.0.1.1\n100002 group1 127.0.0.3\n");
    t.parameters.trust_storage_server_id = false;
    t.settings.server_id = Some(100_001);
    t.run_to(0, Cmd::GetServerId);
    let ask = t.asked(0, Cmd::GetServerId);
    assert_eq!(ask.body, b"group1\0\0\0\0\0\0\0\0\0\x00127.0.0.3:23000");
    ask.reply(b"100002");
    t.run_to(0, Cmd::Join);
    assert_eq!(t.view().identity.unwrap().id, id("100002"));
}

#[test]
fn names_carry_the_address_when_ids_are_used_but_not_in_names() {
    let mut t = Script::with_ids("100002 group1 127.0.0.3\n");
    t.parameters.id_type_in_filename = fdfs_proto::tracker::parameters::IdType::Ip;
    t.run_to(0, Cmd::Join);
    let me = t.view().identity.unwrap();
    assert_eq!((me.id, me.source.encode()), (id("100002"), [127, 0, 0, 3]));
}

#[test]
fn an_ipv6_storage_without_ids_learns_its_id_from_the_tracker() {
    let mut t = Script::new();
    t.own_ip = "2001:db8::1:2".into();
    t.run_to(0, Cmd::GetServerId);
    let ask = t.asked(0, Cmd::GetServerId);
    assert_eq!(ask.body, b"group1\0\0\0\0\0\0\0\0\0\0[2001:db8::1:2]:23000");
    ask.reply(b"AAAAAJ3kK4Y.");
    t.run_to(0, Cmd::Join);
    let me = t.view().identity.unwrap();
    assert_eq!((me.id, me.source.encode()), (id("AAAAAJ3kK4Y."), [0, 0, 0, 0]));
}

#[test]
fn storage_ids_are_fetched_page_by_page() {
    let mut t = Script::with_ids("");
    t.run_to(0, Cmd::FetchStorageIds);
    let ask = t.asked(0, Cmd::FetchStorageIds);
    assert_eq!(ask.read(storage_ids::Ask::decode).start, 0);
    ask.reply(b"\0\0\0\x03\0\0\0\x021 group1 10.0.1.1:23000\n2 group1 10.0.1.2:23000\n");
    let ask = t.asked(0, Cmd::FetchStorageIds);
    assert_eq!(ask.read(storage_ids::Ask::decode).start, 2);
    ask.reply(b"\0\0\0\x03\0\0\0\x013 group1 127.0.0.3:23000\n");
    t.asked(0, Cmd::Join);
    assert_eq!(t.view().identity.unwrap().id, id("3"));
    assert_eq!(t.view().ids.unwrap().len(), 3);
}

#[test]
fn storage_ids_that_never_end_are_refused() {
    let mut t = Script::with_ids("");
    t.run_to(0, Cmd::FetchStorageIds);
    t.asked(0, Cmd::FetchStorageIds).reply(b"\0\0\0\x03\0\0\0\0");
    t.left(0, Some(Trouble::BadStorageIds));
}

#[test]
fn a_server_id_that_nobody_listed_is_a_trouble_that_says_so() {
    let mut t = Script::with_ids("100002 group1 127.0.0.3\n");
    t.settings.server_id = Some(7);
    t.run_to(0, Cmd::FetchStorageIds);
    t.canned(0);
    t.left(0, Some(Trouble::Identity(IdentityProblem::IdNotListed(7))));
    assert_eq!(t.view().identity, None);
}

#[test]
fn corrected_storage_ids_help_without_a_restart() {
    let mut t = Script::with_ids("100002 group1 127.0.0.3\n");
    t.settings.server_id = Some(7);
    t.run_to(0, Cmd::FetchStorageIds);
    t.canned(0);
    t.left(0, Some(Trouble::Identity(IdentityProblem::IdNotListed(7))));
    t.ids = "7 group1 127.0.0.3\n".into();
    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.view().identity.unwrap().id, id("7"));
}

#[test]
fn a_server_id_of_another_group_is_a_trouble() {
    let mut t = Script::with_ids("100002 group2 127.0.0.3\n");
    t.settings.server_id = Some(100_002);
    t.run_to(0, Cmd::FetchStorageIds);
    t.canned(0);
    let group = "group2".parse().unwrap();
    t.left(0, Some(Trouble::Identity(IdentityProblem::OtherGroup { id: 100_002, group })));
}

#[test]
fn the_second_tracker_is_not_asked_for_what_the_first_one_said() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::Join);
    t.connect(1);
    t.asked(1, Cmd::Join);
}

// Joining

#[test]
fn with_several_trackers_no_status_is_claimed_until_all_have_answered() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.status, None);
    t.asked(0, Cmd::Join).refuse(Status::EFAULT);
    t.left(0, Some(Trouble::Refused { command: Cmd::Join, status: Status::EFAULT }));

    t.run_to(1, Cmd::Join);
    assert_eq!(t.asked(1, Cmd::Join).read(join::Ask::decode).joiner.status, None);
    t.asked(1, Cmd::Join).refuse(Status::EFAULT);

    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.status, Some(Init));
}

#[test]
fn what_one_tracker_says_is_claimed_at_another_that_does_not_know_this_storage() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::Join);
    t.asked(0, Cmd::Join).refuse(Status::EFAULT);
    t.run_to(1, Cmd::Join);
    t.asked(1, Cmd::Join).joined(Online);
    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.status, Some(Online));
}

#[test]
fn a_join_lists_every_tracker_whose_address_is_known() {
    let mut t = Script::new();
    t.named_trackers = true;
    t.trackers(3);
    t.run_to(2, Cmd::Join);
    let hosts: Vec<String> =
        t.asked(2, Cmd::Join).read(join::Ask::decode).trackers.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["10.0.0.3:22122"]);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).trackers.len(), 2);
}

#[test]
fn a_tracker_whose_name_is_found_later_is_made_known_by_joining_again() {
    let mut t = Script::established("10.0.1.9");
    t.named_trackers = true;
    t.trackers(2);
    t.run_to_rest(0);
    t.connect(1);
    t.wake(0);
    t.left(0, None);
    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).trackers.len(), 2);
}

#[test]
fn the_status_last_listed_is_claimed_when_joining_again() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("127.0.0.3", Active)]);
    t.fail(0, Failure::Closed);
    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.status, Some(Active));
}

#[test]
fn a_storage_that_was_deleted_does_not_claim_to_be_deleted() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("127.0.0.3", Active)]);
    t.run_to(0, Cmd::ReportDiskUsage);
    t.asked(0, Cmd::ReportDiskUsage).list(&[("127.0.0.3", Deleted)]);
    assert_eq!(t.view().my_status, Some(Deleted));
    t.fail(0, Failure::Closed);
    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
    assert_eq!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.status, Some(Init));
}

// Where the old files come from

#[test]
fn the_first_storage_of_a_group_needs_no_source_and_says_so() {
    let mut t = Script::new();
    t.run_to(0, Cmd::SyncDestRequest);
    t.asked(0, Cmd::SyncDestRequest).reply(b"");
    assert_eq!(t.asked(0, Cmd::SyncNotify).body, [0; 24]);
    assert!(t.membership.record().source_settled);
    assert_eq!(t.membership.record().source, None);
    assert!(t.notices(0).contains(&Notice::SourceSettled(None)));
}

#[test]
fn the_source_is_on_disk_before_any_tracker_is_told() {
    let mut t = Script::new();
    t.run_to(0, Cmd::SyncDestRequest);
    let actions = t.asked(0, Cmd::SyncDestRequest).reply(b"100004\0\0\0\0\0\0\0\0\0\0\0\0\0\0k\x02\xe0\xbb");
    let persist = actions.iter().position(|action| *action == Action::Persist).unwrap();
    let send = actions.iter().position(|action| matches!(action, Action::Send { .. })).unwrap();
    assert!(persist < send);
    // Recorded from the original: what 87 answered goes out again with 88.
    assert_eq!(t.asked(0, Cmd::SyncNotify).body, b"100004\0\0\0\0\0\0\0\0\0\0\0\0\0\0k\x02\xe0\xbb");
    assert_eq!(t.membership.record().until, 1_795_350_715);
}

#[test]
fn one_tracker_is_asked_for_a_source_and_the_others_wait_and_are_told() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::SyncDestRequest);
    t.run_to_rest(1);
    assert_eq!(t.deadline(1), None);
    t.asked(0, Cmd::SyncDestRequest).reply(b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.wake(1);
    assert_eq!(t.asked(1, Cmd::SyncNotify).body, b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
}

#[test]
fn when_the_asked_tracker_goes_away_another_one_is_asked() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::SyncDestRequest);
    t.run_to_rest(1);
    t.fail(0, Failure::ReplyTimeout);
    t.wake(1);
    t.asked(1, Cmd::SyncDestRequest);
}

#[test]
fn without_an_active_peer_the_join_is_tried_again_later() {
    let mut t = Script::new();
    t.run_to(0, Cmd::SyncDestRequest);
    t.asked(0, Cmd::SyncDestRequest).refuse(Status::ENOENT);
    t.left(0, Some(Trouble::Refused { command: Cmd::SyncDestRequest, status: Status::ENOENT }));
    assert!(!t.membership.record().source_settled);
}

#[test]
fn an_established_storage_only_tells_its_source() {
    let mut t = Script::new();
    t.record.source_settled = true;
    t.record.source = Some(id("10.0.1.9"));
    t.run_to(0, Cmd::Join);
    assert!(!t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.init);
    t.canned(0);
    assert_eq!(t.asked(0, Cmd::SyncNotify).body[..9], *b"10.0.1.9\0");
}

#[test]
fn a_source_that_one_tracker_does_not_know_is_no_reason_to_stop() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::SyncNotify);
    t.asked(0, Cmd::SyncNotify).refuse(Status::ENOENT);
    t.asked(0, Cmd::Beat);
}

#[test]
fn a_tracker_that_does_not_know_the_source_yet_is_told_again_with_every_beat() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::SyncNotify);
    t.asked(0, Cmd::SyncNotify).refuse(Status::ENOENT);
    t.asked(0, Cmd::Beat).list(&[("127.0.0.3", Init)]);
    t.asked(0, Cmd::SyncNotify).refuse(Status::ENOENT);
    t.run_to_rest(0);
    t.at(secs(30)).wake(0);
    t.canned(0);
    t.asked(0, Cmd::SyncNotify).reply(b"");
    t.run_to_rest(0);
    t.at(secs(60)).wake(0);
    t.never_asks_before_rest(0, Cmd::SyncNotify);
}

#[test]
fn when_every_tracker_lost_the_source_a_newer_one_is_taken_over() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    for tracker in [0, 1] {
        t.run_to(tracker, Cmd::SyncNotify);
    }
    t.asked(0, Cmd::SyncNotify).refuse(Status::ENOENT);
    t.asked(1, Cmd::SyncNotify).refuse(Status::ENOENT);
    assert!(t.notices(1).contains(&Notice::SourceLost));
    t.asked(1, Cmd::GetStorageStatus).reply(&Script::brief("127.0.0.3", WaitSync));
    t.asked(1, Cmd::SyncDestQuery).reply(b"10.0.1.8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.run_to(0, Cmd::GetStorageStatus);
    t.asked(0, Cmd::GetStorageStatus).refuse(Status::ENOENT);
    t.asked(0, Cmd::SyncDestQuery).reply(b"");
    assert_eq!(t.asked(0, Cmd::SyncNotify).body[..9], *b"10.0.1.8\0");
    assert_eq!(t.membership.record().source, Some(id("10.0.1.8")));
}

#[test]
fn when_the_source_is_gone_before_the_copy_was_complete_it_starts_over() {
    let mut t = Script::established("10.0.1.9");
    t.run_to(0, Cmd::SyncNotify);
    t.asked(0, Cmd::SyncNotify).refuse(Status::ENOENT);
    t.asked(0, Cmd::GetStorageStatus).reply(&Script::brief("127.0.0.3", Syncing));
    t.asked(0, Cmd::SyncDestQuery).reply(b"");
    t.asked(0, Cmd::SyncDestRequest);
    assert!(!t.membership.record().source_settled);
}

#[test]
fn when_the_copy_was_complete_a_lost_source_does_not_matter() {
    let mut t = Script::established("10.0.1.9");
    t.run_to(0, Cmd::SyncNotify);
    t.asked(0, Cmd::SyncNotify).refuse(Status::ENOENT);
    t.asked(0, Cmd::GetStorageStatus).reply(&Script::brief("127.0.0.3", Offline));
    t.asked(0, Cmd::SyncDestQuery).reply(b"");
    assert_eq!(t.asked(0, Cmd::SyncNotify).body, [0; 24]);
    assert!(t.membership.record().source_settled);
}

// Serving

#[test]
fn space_is_reported_right_after_the_first_beat() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.canned(0);
    let paths = t.asked(0, Cmd::ReportDiskUsage).read(disk_usage::Ask::decode).paths;
    assert_eq!(
        paths.iter().map(|path| (path.total_mb, path.free_mb)).collect::<Vec<_>>(),
        [(1000, 600), (2000, 700)]
    );
}

#[test]
fn beats_and_disk_reports_keep_their_own_intervals() {
    let mut t = Script::new();
    t.run_to_rest(0);
    assert_eq!(t.deadline(0), Some(secs(30)));
    t.at(secs(29)).wake(0);
    t.nothing_asked(0);
    t.at(secs(30)).wake(0);
    t.asked(0, Cmd::Beat);
    t.run_to_rest(0);
    t.at(secs(60)).wake(0);
    t.asked(0, Cmd::Beat);
    t.canned(0);
    t.asked(0, Cmd::ReportDiskUsage);
}

#[test]
fn the_counters_travel_with_the_first_beat_and_when_they_changed() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    assert!(t.asked(0, Cmd::Beat).read(beat::Ask::decode).stat.is_some());
    t.run_to_rest(0);
    t.at(secs(30)).wake(0);
    assert_eq!(t.asked(0, Cmd::Beat).body, b"");
    t.run_to_rest(0);
    t.inputs.stat.success_upload_count = 5;
    t.at(secs(60)).wake(0);
    let stat = t.asked(0, Cmd::Beat).read(beat::Ask::decode).stat.unwrap();
    assert_eq!(stat.success_upload_count, 5);
}

#[test]
fn replication_is_reported_when_it_got_further() {
    let mut t = Script::new();
    t.inputs.synced = [(id("10.0.1.9"), 0)].into();
    t.run_to_rest(0);
    t.inputs.synced = [(id("10.0.1.9"), 1_700_000_123)].into();
    t.at(secs(30)).wake(0);
    t.run_to(0, Cmd::SyncReport);
    let sources = t.asked(0, Cmd::SyncReport).read(sync_report::Ask::decode).sources;
    assert_eq!(
        sources.iter().map(|s| (s.src_id, s.timestamp)).collect::<Vec<_>>(),
        [(Some(id("10.0.1.9")), 1_700_000_123)]
    );
    t.run_to_rest(0);
    t.at(secs(90)).wake(0);
    t.canned(0);
    t.never_asks_before_rest(0, Cmd::SyncReport);
}

/// Trackers take the earliest of what one report has: without the source that stands still they would have clients read
/// here what that one has not sent yet.
#[test]
fn replication_is_reported_of_all_sources_when_one_of_them_got_further() {
    let mut t = Script::new();
    let (stalled, going_on, silent) = (id("10.0.1.8"), id("10.0.1.9"), id("10.0.1.10"));
    t.run_to_rest(0);
    let mut reported = |time: u64, further: u32| {
        t.inputs.synced = [(stalled, 1_000), (going_on, further), (silent, 0)].into();
        t.at(secs(time)).wake(0);
        t.run_to(0, Cmd::SyncReport);
        let sources = t.asked(0, Cmd::SyncReport).read(sync_report::Ask::decode).sources;
        t.run_to_rest(0);
        sources.into_iter().map(|source| (source.src_id, source.timestamp)).collect::<Vec<_>>()
    };
    assert_eq!(reported(30, 1_500), [(Some(stalled), 1_000), (Some(going_on), 1_500)]);
    assert_eq!(reported(90, 2_000), [(Some(stalled), 1_000), (Some(going_on), 2_000)]);
    t.at(secs(150)).wake(0);
    t.canned(0);
    t.never_asks_before_rest(0, Cmd::SyncReport);
}

#[test]
fn the_trunk_server_asks_for_the_newest_trunk_file_and_reports_on_the_connection_of_its_join() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).trunk_server("127.0.0.3");
    t.run_to(0, Cmd::FetchTrunkFileId);
    assert_eq!(t.view().trunk_file_id, None);
    t.asked(0, Cmd::FetchTrunkFileId).reply(&7_u32.to_be_bytes());
    assert_eq!(t.view().trunk_file_id, Some(7));
    t.never_asks_before_rest(0, Cmd::FetchTrunkFileId);
    // The role was taken.
    t.inputs.trunk = Some(TrunkFigures { file_id: 8, free_mb: 60 });
    t.wake(0);
    assert_eq!(t.asked(0, Cmd::ReportTrunkFileId).body, 8_u32.to_be_bytes());
    t.asked(0, Cmd::ReportTrunkFileId).reply(&[]);
    assert_eq!(t.asked(0, Cmd::ReportTrunkFree).body, 60_u64.to_be_bytes());
    t.asked(0, Cmd::ReportTrunkFree).reply(&[]);
    t.nothing_asked(0);
    t.inputs.trunk = Some(TrunkFigures { file_id: 8, free_mb: 59 });
    t.wake(0);
    assert_eq!(t.asked(0, Cmd::ReportTrunkFree).body, 59_u64.to_be_bytes());
    t.asked(0, Cmd::ReportTrunkFree).reply(&[]);
    // The role goes and comes back: what others did meanwhile has to be learned.
    for trunk_server in ["10.0.1.9", "127.0.0.3"] {
        let now = t.now.after_ms(30_000);
        t.at(now).wake(0);
        t.run_to(0, Cmd::Beat);
        t.asked(0, Cmd::Beat).trunk_server(trunk_server);
        if trunk_server == "10.0.1.9" {
            t.never_asks_before_rest(0, Cmd::FetchTrunkFileId);
            assert_eq!(t.view().trunk_file_id, None);
        }
    }
    t.run_to(0, Cmd::FetchTrunkFileId);
}

#[test]
fn a_tracker_that_does_not_know_the_trunk_server_yet_is_told_again_after_a_beat() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).trunk_server("127.0.0.3");
    t.run_to(0, Cmd::FetchTrunkFileId);
    // Then the own files tell.
    t.asked(0, Cmd::FetchTrunkFileId).refuse(Status::EINVAL);
    assert_eq!(t.view().trunk_file_id, Some(0));
    t.inputs.trunk = Some(TrunkFigures { file_id: 1, free_mb: 0 });
    t.run_to(0, Cmd::ReportTrunkFileId);
    t.asked(0, Cmd::ReportTrunkFileId).refuse(Status::EINVAL);
    t.asked(0, Cmd::ReportTrunkFree).refuse(Status::EINVAL);
    t.nothing_asked(0);
    t.at(secs(30)).wake(0);
    t.run_to(0, Cmd::ReportTrunkFileId);
    t.asked(0, Cmd::ReportTrunkFileId).reply(&[]);
    t.asked(0, Cmd::ReportTrunkFree).reply(&[]);
    t.nothing_asked(0);
    t.at(secs(90)).wake(0);
    t.never_asks_before_rest(0, Cmd::ReportTrunkFileId);
}

#[test]
fn the_changelog_is_read_after_each_beat_when_the_cluster_follows_changes_of_address() {
    let mut t = Script::new();
    t.parameters.storage_ip_changed_auto_adjust = true;
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Active), ("127.0.0.3", Active)]);
    t.asked(0, Cmd::GetChangelog).reply(b"1700000000 group2 10.0.1.9 3 10.0.1.7\n");
    t.asked(0, Cmd::GetChangelog).reply(b"");
    assert_eq!(t.peer("10.0.1.9"), Some(Active));
    t.run_to_rest(0);
    t.at(secs(30)).wake(0);
    t.asked(0, Cmd::Beat).reply(b"");
    t.asked(0, Cmd::GetChangelog).reply(b"");
}

#[test]
fn a_peer_with_a_new_address_is_the_peer_it_was_before_anybody_sees_the_new_list() {
    let mut t = Script::established("10.0.1.9");
    t.parameters.storage_ip_changed_auto_adjust = true;
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Active), ("127.0.0.3", Active)]);
    t.asked(0, Cmd::GetChangelog).reply(b"");
    t.run_to_rest(0);
    t.at(secs(30)).wake(0);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", IpChanged), ("10.0.1.8", Active), ("127.0.0.3", Active)]);
    // A page may end in the middle of a line.
    t.asked(0, Cmd::GetChangelog).reply(b"1700000001 group1 10.0.");
    assert_eq!((t.peer("10.0.1.9"), t.peer("10.0.1.8")), (Some(Active), None));
    t.asked(0, Cmd::GetChangelog).reply(b"1.9 3 10.0.1.8\n");
    assert_eq!(t.peer("10.0.1.8"), None);
    t.asked(0, Cmd::GetChangelog).reply(b"");
    assert_eq!((t.peer("10.0.1.9"), t.peer("10.0.1.8")), (Some(IpChanged), Some(Active)));
    let view = t.view();
    assert_eq!(view.now_called(id("10.0.1.9")), id("10.0.1.8"));
    assert_eq!(view.earlier_ids(id("10.0.1.8")).collect::<Vec<_>>(), [id("10.0.1.9")]);
    assert_eq!(t.membership.record().source, Some(id("10.0.1.8")), "and the source of the old files");
}

#[test]
fn a_peer_that_is_back_at_its_first_address_leads_nowhere_else() {
    let mut t = Script::new();
    t.parameters.storage_ip_changed_auto_adjust = true;
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.7", Offline), ("127.0.0.3", Active)]);
    let lines = b"1 group1 10.0.1.7 3 10.0.1.8\n2 group1 10.0.1.8 3 10.0.1.9\n3 group1 10.0.1.9 3 10.0.1.7\n";
    t.asked(0, Cmd::GetChangelog).reply(lines);
    t.asked(0, Cmd::GetChangelog).reply(b"");
    let called = ["10.0.1.7", "10.0.1.8", "10.0.1.9", "10.0.1.6"].map(|old| t.view().now_called(id(old)));
    assert_eq!(called, ["10.0.1.7", "10.0.1.7", "10.0.1.7", "10.0.1.6"].map(id));
    assert_eq!(t.peer("10.0.1.7"), Some(Offline));
}

#[test]
fn the_changelog_is_not_asked_for_otherwise() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.never_asks_before_rest(0, Cmd::GetChangelog);
}

// Peers

#[test]
fn the_list_of_the_leader_makes_the_peers() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Active), ("10.0.1.8", Deleted), ("127.0.0.3", WaitSync)]);
    let view = t.view();
    assert_eq!(view.peers.keys().copied().collect::<Vec<_>>(), [id("10.0.1.9")]);
    assert_eq!(view.peers[&id("10.0.1.9")].port, 23000);
    assert_eq!(view.my_status, Some(WaitSync));
}

#[test]
fn a_storage_is_told_its_status_before_it_is_told_who_else_there_is() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    assert_eq!((t.view().my_status, t.view().is_listed), (Some(Online), false));
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Active), ("127.0.0.3", Active)]);
    assert_eq!((t.view().my_status, t.view().is_listed), (Some(Active), true));
}

#[test]
fn d24_a_trunk_server_is_believed_though_its_leader_is_not_known_yet() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    let brief = Brief { status: Active, port: 23000, id: Some(id("10.0.1.9")), ip: IpText::EMPTY };
    let mut body = Vec::new();
    change_list::Got { leader: None, trunk_server: Some(brief), storages: None }.encode(&mut body);
    t.asked(0, Cmd::Beat).reply(&body);
    assert_eq!((t.view().leader, t.view().trunk_server), (None, Some(id("10.0.1.9"))));
}

#[test]
fn what_the_tracker_has_wrong_about_a_copy_of_old_files_is_sent_back() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Syncing), ("127.0.0.3", Active)]);
    t.asked(0, Cmd::ReportDiskUsage).list(&[("10.0.1.9", Offline), ("127.0.0.3", Active)]);
    let ask = t.asked(0, Cmd::ReplicaChange);
    assert_eq!(ask.body.len(), 67);
    let briefs = ask.read(status_report::Replicas::decode).briefs;
    assert_eq!((briefs[0].id, briefs[0].status), (Some(id("10.0.1.9")), Syncing));
    ask.reply(b"");
    t.nothing_asked(0);
    assert_eq!(t.peer("10.0.1.9"), Some(Syncing));
}

#[test]
fn a_server_missing_in_the_list_is_sent_back_and_stays_known() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Active), ("127.0.0.3", Active)]);
    t.asked(0, Cmd::ReportDiskUsage).list(&[("127.0.0.3", Active)]);
    let briefs = t.asked(0, Cmd::ReplicaChange).read(status_report::Replicas::decode).briefs;
    assert_eq!((briefs[0].id, briefs[0].status), (Some(id("10.0.1.9")), Active));
    assert_eq!(t.peer("10.0.1.9"), Some(Active));
}

#[test]
fn a_leader_that_still_waits_for_a_complete_copy_is_corrected_and_beaten_at_once() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("127.0.0.3", Active)]);
    t.asked(0, Cmd::ReportDiskUsage).list(&[("127.0.0.3", WaitSync)]);
    let ask = t.asked(0, Cmd::ChangeStatus);
    assert_eq!(ask.body, [7]);
    ask.reply(b"");
    t.asked(0, Cmd::ReplicaChange).reply(b"");
    t.asked(0, Cmd::Beat).list(&[("127.0.0.3", Active)]);
    t.nothing_asked(0);
    assert_eq!(t.view().my_status, Some(Active));
}

#[test]
fn a_group_of_more_than_32_servers_is_cut_and_counted() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    let names: Vec<String> = (1..=40).map(|n| format!("10.0.1.{n}")).collect();
    let list: Vec<_> = names.iter().map(|name| (name.as_str(), Active)).collect();
    t.asked(0, Cmd::Beat).list(&list);
    assert_eq!((t.view().peers.len(), t.view().surplus), (32, 8));
    // Who has left makes room.
    t.asked(0, Cmd::ReportDiskUsage).list(&[("10.0.1.1", Deleted)]);
    t.run_to(0, Cmd::ReplicaChange);
    t.asked(0, Cmd::ReplicaChange).reply(b"");
    t.run_to_rest(0);
    t.at(secs(60)).wake(0);
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.77", Active)]);
    assert_eq!((t.peer("10.0.1.77"), t.peer("10.0.1.1")), (Some(Active), None));
}

// Several trackers

#[test]
fn t18_a_follower_that_remembers_a_storage_that_lost_its_files_is_corrected() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::SyncDestRequest);
    t.asked(0, Cmd::SyncDestRequest).reply(b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).leader_and_list(0, &[("10.0.1.9", Active), ("127.0.0.3", WaitSync)]);
    t.run_to(1, Cmd::Join);
    t.asked(1, Cmd::Join).joined(Online);
    t.asked(1, Cmd::SyncNotify).reply(b"");
    // By the first beat it would have said that it leads itself.
    t.asked(1, Cmd::Beat).list(&[]);
    let ask = t.asked(1, Cmd::ChangeStatus);
    assert_eq!(ask.body, [1]);
    ask.reply(b"");
    t.asked(1, Cmd::Beat);
}

#[test]
fn the_stages_of_a_copy_are_left_to_the_source_to_report() {
    // Recorded from the original (trunk-2-trackers-4-storages, storage 14): the follower answers the JOIN
    // with INIT, the leader lists WAIT_SYNC, and nothing is corrected.
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::SyncDestRequest);
    t.asked(0, Cmd::SyncDestRequest).reply(b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.run_to_rest(1);
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).leader_and_list(0, &[("10.0.1.9", Active), ("127.0.0.3", WaitSync)]);
    t.run_to_rest(0);
    t.at(secs(30)).wake(0);
    t.asked(0, Cmd::Beat).list(&[("10.0.1.9", Active), ("127.0.0.3", Syncing)]);
    t.wake(1);
    t.never_asks_before_rest(1, Cmd::ChangeStatus);
}

#[test]
fn once_the_copy_is_complete_every_tracker_is_told_that_no_source_is_needed() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::SyncDestRequest);
    t.asked(0, Cmd::SyncDestRequest).reply(b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).leader_and_list(0, &[("127.0.0.3", WaitSync)]);
    t.run_to_rest(0);
    t.run_to_rest(1);
    t.at(secs(30)).wake(0);
    t.asked(0, Cmd::Beat).list(&[("127.0.0.3", Active)]);
    assert_eq!(t.asked(0, Cmd::SyncNotify).body, [0; 24]);
    t.wake(1);
    assert_eq!(t.asked(1, Cmd::SyncNotify).body, [0; 24]);
    assert!(t.membership.record().source_settled);
}

#[test]
fn a_storage_that_an_administrator_removed_starts_over() {
    let mut t = Script::established("10.0.1.9");
    t.run_to(0, Cmd::GetStorageStatus);
    t.asked(0, Cmd::GetStorageStatus).reply(&Script::brief("127.0.0.3", Deleted));
    assert!(t.notices(0).contains(&Notice::Removed));
    assert!(t.asked(0, Cmd::Join).read(join::Ask::decode).joiner.init);
    t.canned(0);
    t.asked(0, Cmd::SyncDestRequest);
}

#[test]
fn a_second_tracker_that_knows_of_the_removal_is_told_the_new_source() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::GetStorageStatus);
    t.asked(0, Cmd::GetStorageStatus).reply(&Script::brief("127.0.0.3", Deleted));
    t.canned(0);
    t.asked(0, Cmd::SyncDestRequest).reply(b"10.0.1.8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.run_to(1, Cmd::GetStorageStatus);
    t.asked(1, Cmd::GetStorageStatus).reply(&Script::brief("127.0.0.3", Deleted));
    t.canned(1);
    assert_eq!(t.asked(1, Cmd::SyncNotify).body[..9], *b"10.0.1.8\0");
}

#[test]
fn a_leader_that_has_not_heard_that_the_files_are_lost_is_not_believed() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(0, Cmd::SyncDestRequest);
    t.asked(0, Cmd::SyncDestRequest).reply(b"10.0.1.9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63");
    t.run_to_rest(0);
    t.run_to(1, Cmd::Join);
    t.asked(1, Cmd::Join).joined(Online);
    t.asked(1, Cmd::SyncNotify).reply(b"");
    t.asked(1, Cmd::Beat).leader_and_list(1, &[("10.0.1.9", Active), ("127.0.0.3", Active)]);
    // Neither is the first tracker told that the copy is complete, nor the second that no source is needed.
    t.never_asks_before_rest(1, Cmd::SyncNotify);
    t.at(secs(30)).wake(0);
    t.never_asks_before_rest(0, Cmd::ChangeStatus);
}

#[test]
fn offline_online_and_active_are_no_reason_for_a_correction() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).leader_and_list(0, &[("127.0.0.3", Active)]);
    t.run_to(1, Cmd::Join);
    t.asked(1, Cmd::Join).joined(Online);
    t.asked(1, Cmd::SyncNotify).reply(b"");
    t.asked(1, Cmd::Beat);
}

#[test]
fn the_leader_is_known_by_what_it_says_and_forgotten_with_its_connection() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to(1, Cmd::Beat);
    t.asked(1, Cmd::Beat).leader_and_list(1, &[]);
    assert_eq!(t.view().leader.unwrap().to_string(), "10.0.0.2:22122");
    t.fail(1, Failure::Closed);
    assert_eq!(t.view().leader, None);
}

#[test]
fn two_leaders_are_told_to_vote_again() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).leader_and_list(0, &[]);
    t.run_to_rest(0);
    t.run_to(1, Cmd::Beat);
    t.asked(1, Cmd::Beat).leader_and_list(1, &[]);
    t.run_to_rest(1);
    t.wake(0);
    t.asked(0, Cmd::TrackerStatus).reply(&Script::tracker_status(true));
    t.asked(0, Cmd::ReselectLeader).reply(b"");
    t.wake(1);
    t.asked(1, Cmd::ReselectLeader).refuse(Status::EOPNOTSUPP);
    t.nothing_asked(1);
}

#[test]
fn an_old_leader_that_stepped_down_is_left_alone() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).leader_and_list(0, &[]);
    t.run_to_rest(0);
    t.run_to(1, Cmd::Beat);
    t.asked(1, Cmd::Beat).leader_and_list(1, &[]);
    t.wake(0);
    t.asked(0, Cmd::TrackerStatus).reply(&Script::tracker_status(false));
    t.nothing_asked(0);
    t.never_asks_before_rest(1, Cmd::ReselectLeader);
    assert_eq!(t.view().leader.unwrap().to_string(), "10.0.0.2:22122");
}

// A new address

#[test]
fn a_changed_address_is_reported_to_every_tracker_before_joining() {
    let mut t = Script::established("10.0.1.9");
    t.trackers(2);
    t.parameters.storage_ip_changed_auto_adjust = true;
    t.record.last_ips = "127.0.0.9".into();
    t.run_to(0, Cmd::ReportIpChanged);
    let ask = t.asked(0, Cmd::ReportIpChanged);
    let report = ask.read(identity_change::Report::decode);
    assert_eq!(
        (report.old_ip.to_string(), report.new_ip.to_string()),
        ("127.0.0.9".into(), "127.0.0.3".into())
    );
    ask.reply(b"");
    t.run_to(0, Cmd::Join);
    assert_eq!(t.membership.record().last_ips, "127.0.0.9");
    t.run_to(1, Cmd::ReportIpChanged);
    t.asked(1, Cmd::ReportIpChanged).refuse(Status::EALREADY);
    assert_eq!(t.membership.record().last_ips, "127.0.0.3");
    assert_eq!(t.membership.record().last_port, Some(23000));
}

#[test]
fn an_old_address_that_is_still_in_use_keeps_the_storage_out() {
    let mut t = Script::established("10.0.1.9");
    t.parameters.storage_ip_changed_auto_adjust = true;
    t.record.last_ips = "127.0.0.9".into();
    t.run_to(0, Cmd::ReportIpChanged);
    t.asked(0, Cmd::ReportIpChanged).refuse(Status::EBUSY);
    t.left(0, Some(Trouble::Refused { command: Cmd::ReportIpChanged, status: Status::EBUSY }));
}

#[test]
fn with_storage_ids_a_new_address_is_only_noted() {
    let mut t = Script::with_ids("100002 group1 127.0.0.3\n");
    t.parameters.storage_ip_changed_auto_adjust = true;
    t.record.last_ips = "127.0.0.9".into();
    t.run_to(0, Cmd::Join);
    assert_eq!(t.membership.record().last_ips, "127.0.0.3");
}

// What goes wrong

#[test]
fn attempts_come_less_and_less_often_up_to_the_beat_interval() {
    let mut t = Script::new();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        t.wake_at_deadline(0);
        t.fail(0, Failure::ConnectionRefused);
        pauses.push(t.deadline(0).unwrap().0 - t.now.0);
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
}

#[test]
fn a_tracker_that_cannot_be_reached_is_reported_once() {
    let mut t = Script::new();
    for _ in 0..3 {
        t.wake_at_deadline(0);
        t.fail(0, Failure::ConnectionRefused);
    }
    assert_eq!(t.notices(0), [Notice::Trouble(Trouble::Unreachable(Failure::ConnectionRefused))]);
    t.wake_at_deadline(0);
    t.fail(0, Failure::ConnectTimeout);
    assert_eq!(t.notices(0).len(), 2);
}

#[test]
fn coming_back_is_reported_once_too() {
    let mut t = Script::established("10.0.1.9");
    t.run_to_rest(0);
    t.fail(0, Failure::Closed);
    t.at(secs(1)).connect(0);
    t.run_to_rest(0);
    assert_eq!(
        t.notices(0),
        [Notice::Joined(Init), Notice::Trouble(Trouble::Lost(Failure::Closed)), Notice::Joined(Init)]
    );
}

#[test]
fn after_a_served_round_the_next_attempt_comes_quickly_again() {
    let mut t = Script::new();
    for _ in 0..5 {
        t.wake_at_deadline(0);
        t.fail(0, Failure::ConnectionRefused);
    }
    t.wake_at_deadline(0);
    t.connected(0);
    t.run_to_rest(0);
    t.fail(0, Failure::Closed);
    assert_eq!(t.deadline(0).unwrap().0 - t.now.0, 250);
}

#[test]
fn a_refusal_while_serving_drops_the_connection_and_joins_again() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Beat);
    t.asked(0, Cmd::Beat).refuse(Status::EACCES);
    t.left(0, Some(Trouble::Refused { command: Cmd::Beat, status: Status::EACCES }));
    t.at(secs(1)).connect(0);
    t.run_to(0, Cmd::Join);
}

#[test]
fn an_answer_that_cannot_be_read_drops_the_connection() {
    let mut t = Script::new();
    t.run_to(0, Cmd::Join);
    t.asked(0, Cmd::Join).reply(b"\x07");
    assert!(matches!(
        t.notices(0).last(),
        Some(Notice::Trouble(Trouble::Garbled { command: Cmd::Join, .. }))
    ));
    t.connect_again(0);
}

#[test]
fn every_trouble_an_operator_can_mend_comes_with_advice() {
    for trouble in [
        Trouble::Unreachable(Failure::NoAddress),
        Trouble::Unreachable(Failure::ConnectionRefused),
        Trouble::Refused { command: Cmd::GetServerId, status: Status::ENOENT },
        Trouble::Refused { command: Cmd::Join, status: Status::EINVAL },
        Trouble::Identity(IdentityProblem::IdNotListed(7)),
    ] {
        assert!(trouble.advice().is_some(), "{trouble}");
    }
}

#[test]
fn a_view_shows_which_trackers_are_joined() {
    let mut t = Script::new();
    t.trackers(2);
    t.run_to_rest(0);
    let joined: Vec<bool> = t.view().trackers.iter().map(|tracker| tracker.joined).collect();
    assert_eq!(joined, [true, false]);
    assert_eq!(TrackerIndex(0).0, 0);
}
