//! Where files are read and changed.

use crate::testing::{CLIENT, START, Script, appender_of, file_of, group, ids, ip};
use fdfs_conf::tracker::DownloadServer;
use fdfs_fileid::{ExtName, FileName, SlavePrefix, slave_name};
use tracker_core::{Refusal, Request};

const NEW: i64 = START - 10;
const OLD: i64 = START - 86_401;

fn two(change: impl FnOnce(&mut tracker_core::ClusterConfig)) -> Script {
    let mut t = Script::with(change);
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    t
}

#[test]
fn a_new_file_is_only_at_its_source() {
    let mut t = two(|_| {});
    let name = file_of("10.0.0.2", NEW);
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.2"]);
}

#[test]
fn an_old_file_is_everywhere_and_storages_take_turns() {
    let mut t = two(|_| {});
    let name = file_of("10.0.0.2", OLD);
    let turns: Vec<_> = (0..3).map(|_| t.fetch(&name).unwrap()).collect();
    assert_eq!(turns, ["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn a_file_of_exactly_a_day_is_not_old_yet() {
    let mut t = two(|_| {});
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", START - 86_400)).unwrap(), ["10.0.0.2"]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", START - 86_401)).unwrap(), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn a_storage_that_is_synced_beyond_a_file_has_it() {
    let mut t = two(|_| {});
    t.synced("10.0.0.1", &[("10.0.0.2", NEW + 1)]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", NEW)).unwrap(), ["10.0.0.1", "10.0.0.2"]);
    t.synced("10.0.0.1", &[("10.0.0.2", NEW)]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", NEW)).unwrap(), ["10.0.0.2"]);
}

#[test]
fn a_storage_synced_up_to_the_second_before_has_a_file_once_it_had_time_to_arrive() {
    let mut t = two(|_| {});
    t.synced("10.0.0.1", &[("10.0.0.2", START - 301)]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", START - 301)).unwrap(), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", START - 300)).unwrap(), ["10.0.0.2"]);
    t.at(1);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", START - 300)).unwrap(), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", START - 299)).unwrap(), ["10.0.0.2"]);
}

#[test]
fn a_new_file_of_a_source_that_is_away_is_asked_for_at_the_first_storage() {
    let mut t = two(|_| {});
    t.leaves("10.0.0.2");
    let name = file_of("10.0.0.2", NEW);
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.1");
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.1"]);
}

#[test]
fn a_file_is_sought_at_its_source_though_that_has_another_address_by_now() {
    let mut t = two(|_| {});
    t.leaves("10.0.0.2");
    for (old, new) in [("10.0.0.2", "10.0.0.3"), ("10.0.0.3", "10.0.0.4")] {
        let conn = t.connect();
        let ask = Request::ReportIpChanged { group: group("group1"), old: ip(old), new: ip(new) };
        t.ask(conn, new, ask).unwrap();
    }
    t.serving("group1", &["10.0.0.4"]);
    let (name, appender) = (file_of("10.0.0.2", NEW), appender_of("10.0.0.3", OLD));
    let check = |t: &mut Script| {
        assert_eq!(t.fetch(&name).unwrap(), "10.0.0.4");
        assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.4"]);
        assert_eq!(t.fetch(&appender).unwrap(), "10.0.0.4");
        assert_eq!(t.update(&appender).unwrap(), "10.0.0.4");
    };
    check(&mut t);
    let (now, naming) = (t.now, tracker_core::Naming::ByAddress);
    let saved = tracker_core::Saved::from_tables(t.cluster.tables(now), &naming).unwrap();
    let mut t = Script::restarted(saved, |_| {});
    t.serving("group1", &["10.0.0.1", "10.0.0.4"]);
    check(&mut t);
}

#[test]
fn source_first_means_the_source_while_it_is_there() {
    let mut t = two(|config| config.placement.choice.download_server = DownloadServer::Source);
    let name = file_of("10.0.0.2", OLD);
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.1", "10.0.0.2"]);
    t.leaves("10.0.0.2");
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.1");
}

#[test]
fn appenders_and_slaves_are_read_at_their_source() {
    let mut t = two(|_| {});
    let prefix = SlavePrefix::parse(b"_big").unwrap();
    let slave = slave_name(&file_of("10.0.0.2", OLD), &prefix, &ExtName::from_path("a.txt")).unwrap();
    for name in [appender_of("10.0.0.2", OLD), slave] {
        assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
        assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
        assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.2"]);
    }
    t.leaves("10.0.0.2");
    assert_eq!(t.fetch(&appender_of("10.0.0.2", OLD)).unwrap(), "10.0.0.1");
    assert_eq!(t.fetch_all(&appender_of("10.0.0.2", OLD)).unwrap(), ["10.0.0.1"]);
}

#[test]
fn a_name_that_says_nothing_counts_as_an_old_file() {
    let mut t = two(|_| {});
    let name = FileName::parse(b"M00/00/00/nobody-knows-me.txt").unwrap();
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.1", "10.0.0.2"]);
    t.update(&name).unwrap();
}

#[test]
fn without_a_readable_storage_nothing_can_be_fetched() {
    let mut t = two(|_| {});
    t.leaves("10.0.0.1").leaves("10.0.0.2");
    let name = file_of("10.0.0.2", OLD);
    assert_eq!(t.fetch(&name), Err(Refusal::NothingReadable));
    assert_eq!(t.fetch_all(&name), Err(Refusal::NothingReadable));
    assert_eq!(t.update(&name), Err(Refusal::NothingWritable));
    let elsewhere = t.cluster.view().fetch_one(t.now, group("group9"), &name, ip(CLIENT));
    assert_eq!(elsewhere, Err(Refusal::UnknownGroup));
}

#[test]
fn a_file_is_changed_at_its_source_or_anywhere_while_that_is_away() {
    let mut t = two(|_| {});
    let name = file_of("10.0.0.2", NEW);
    assert_eq!(t.update(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.update(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.update(&file_of("10.0.0.9", NEW)).unwrap(), "10.0.0.1");
    assert_eq!(t.update(&file_of("10.0.0.9", NEW)).unwrap(), "10.0.0.2", "whose turn it is");
    t.leaves("10.0.0.2");
    assert_eq!(t.update(&name).unwrap(), "10.0.0.1");
}

#[test]
fn modes_decide_who_serves_what() {
    let table = "1 group1 10.0.0.1 rw=read\n2 group1 10.0.0.2 rw=write\n3 group1 10.0.0.3 rw=none\n";
    let mut t = Script::with(|config| config.naming = ids(table, true));
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let name = file_of("2", OLD);
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.1");
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.1"]);
    assert_eq!(t.update(&name).unwrap(), "10.0.0.2");
    assert_eq!(t.fetch(&file_of("2", NEW)), Err(Refusal::NothingReadable), "its source may not be read");
}

#[test]
fn a_name_with_an_id_finds_its_source_by_id_whatever_its_address() {
    let table = "7 group1 10.0.0.1\n8 group1 10.0.0.1:23001\n";
    let mut t = Script::with(|config| config.naming = ids(table, true));
    for port in [23000, 23001] {
        t.join_with("10.0.0.1", |ask| {
            ask.joiner.storage_port = port;
            ask.joiner.init = false;
            ask.joiner.status = Some(fdfs_proto::StorageStatus::Online);
        });
        t.disks("10.0.0.1", &[(1000, 500)]);
    }
    let name = file_of("8", NEW);
    let got = t.cluster.view().fetch_one(t.now, group("group1"), &name, ip(CLIENT)).unwrap();
    assert_eq!(got.server.port, 23001);
}

#[test]
fn a_name_with_an_outer_address_finds_its_source() {
    let table = "1 group1 10.0.0.1,198.51.100.1\n2 group1 10.0.0.2\n";
    let mut t = Script::with(|config| config.naming = ids(table, false));
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    assert_eq!(t.fetch(&file_of("198.51.100.1", NEW)).unwrap(), "10.0.0.1");
}

#[test]
fn t22_a_name_whose_address_reads_as_an_id_finds_its_source() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.0", "10.0.0.2"]);
    // 10.0.0.0 in the four bytes of the name.
    let name = file_of("10", NEW);
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.0");
    assert_eq!(t.update(&name).unwrap(), "10.0.0.0");
    // An id that is known goes first.
    let mut t = Script::with(|config| config.naming = ids("10 group1 10.0.0.2\n11 group1 10.0.0.0\n", true));
    t.serving("group1", &["10.0.0.0", "10.0.0.2"]);
    assert_eq!(t.fetch(&name).unwrap(), "10.0.0.2");
}

#[test]
fn the_time_up_to_which_a_storage_is_synced_is_the_least_of_its_active_sources() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    t.synced("10.0.0.1", &[("10.0.0.2", 500), ("10.0.0.3", 400), ("10.0.0.1", 1), ("10.0.0.9", 2)]);
    assert_eq!(t.member("10.0.0.1").stat.last_synced_timestamp, 400);
    t.leaves("10.0.0.3");
    t.synced("10.0.0.1", &[("10.0.0.2", 500), ("10.0.0.3", 400)]);
    assert_eq!(t.member("10.0.0.1").stat.last_synced_timestamp, 500);
    t.synced("10.0.0.1", &[("10.0.0.2", 0)]);
    assert_eq!(t.member("10.0.0.1").stat.last_synced_timestamp, 500, "zero says nothing");
}

#[test]
fn a_storage_has_a_file_when_it_is_synced_with_the_files_source_however_far_it_is_with_others() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let (slow, fast) = (file_of("10.0.0.2", NEW), file_of("10.0.0.3", NEW));
    let check = |t: &mut Script, slow_is_at: &[&str], fast_is_at: &[&str]| {
        assert_eq!(t.fetch_all(&slow).unwrap(), slow_is_at);
        assert_eq!(t.fetch_all(&fast).unwrap(), fast_is_at);
    };
    check(&mut t, &["10.0.0.2"], &["10.0.0.3"]);
    t.synced("10.0.0.1", &[("10.0.0.2", NEW - 60), ("10.0.0.3", NEW - 60)]);
    check(&mut t, &["10.0.0.2"], &["10.0.0.3"]);
    t.synced("10.0.0.1", &[("10.0.0.2", NEW - 60), ("10.0.0.3", NEW + 1)]);
    check(&mut t, &["10.0.0.2"], &["10.0.0.1", "10.0.0.3"]);
    assert_eq!(t.member("10.0.0.1").stat.last_synced_timestamp, NEW - 60, "as the original shows it");
    // One that tells only what has changed.
    t.synced("10.0.0.1", &[("10.0.0.3", NEW + 2)]);
    check(&mut t, &["10.0.0.2"], &["10.0.0.1", "10.0.0.3"]);
    t.synced("10.0.0.1", &[("10.0.0.2", NEW + 1)]);
    check(&mut t, &["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.3"]);
}

#[test]
fn a_storage_that_never_got_anything_of_a_source_has_no_new_file_of_it() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    t.synced("10.0.0.1", &[("10.0.0.3", NEW + 1)]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", NEW)).unwrap(), ["10.0.0.2"]);
}

#[test]
fn of_a_source_that_nobody_knows_any_more_a_file_is_where_everything_up_to_it_is() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let name = file_of("10.0.0.9", NEW);
    t.synced("10.0.0.3", &[("10.0.0.1", NEW + 1), ("10.0.0.2", NEW - 60)]);
    t.synced("10.0.0.2", &[("10.0.0.1", NEW + 1), ("10.0.0.3", NEW + 1)]);
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.2"]);
    t.synced("10.0.0.3", &[("10.0.0.1", NEW + 2)]);
    assert_eq!(t.fetch_all(&name).unwrap(), ["10.0.0.2"], "it is not said that it has more of the other");
}

#[test]
fn how_far_a_storage_was_with_a_source_counts_when_that_has_another_address_or_was_deleted() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    t.synced("10.0.0.1", &[("10.0.0.2", NEW + 1), ("10.0.0.3", NEW - 60)]);
    t.leaves("10.0.0.2").leaves("10.0.0.3");
    let conn = t.connect();
    let ask = Request::ReportIpChanged { group: group("group1"), old: ip("10.0.0.2"), new: ip("10.0.0.4") };
    t.ask(conn, "10.0.0.4", ask).unwrap();
    t.serving("group1", &["10.0.0.4"]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.2", NEW)).unwrap(), ["10.0.0.1", "10.0.0.4"]);
    t.client(Request::DeleteStorage { group: group("group1"), id: crate::testing::id("10.0.0.3") }).unwrap();
    t.serving("group1", &["10.0.0.5"]);
    assert_eq!(t.fetch_all(&file_of("10.0.0.3", NEW - 61)).unwrap(), ["10.0.0.1"]);
}

#[test]
fn where_storages_do_not_take_turns_it_is_the_most() {
    let mut t = two(|config| {
        config.placement.choice.store_server = fdfs_conf::tracker::StoreServer::First;
    });
    t.synced("10.0.0.1", &[("10.0.0.2", 500)]);
    t.synced("10.0.0.1", &[("10.0.0.2", 300)]);
    assert_eq!(t.member("10.0.0.1").stat.last_synced_timestamp, 500);
}
