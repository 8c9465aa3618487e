//! State that outlives a restart, our own and the original's.

use std::io::Read;
use std::path::Path;

use crate::testing::{Script, group, id, ids, ip};
use fdfs_format::tracker::{changelog, groups, servers, status, sync_times};
use fdfs_proto::StorageStatus::{Active, Offline, Syncing};
use tracker_core::{GroupPort, LoadError, Naming, Refusal, Request, Saved, Tables};

/// The tables in a tracker's `data/` folder as the original left it.
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "recordings are files")]
fn recorded(cluster: &str, tracker: &str) -> Tables {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1").join(cluster);
    let file = std::fs::File::open(path.join("stores.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = std::collections::BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        if let Some(name) = path.strip_prefix(&format!("{tracker}/data/")) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(name.to_owned(), bytes);
        }
    }
    let read = |name: &str| files.get(name).cloned();
    Tables {
        groups: groups::decode(&read(groups::GROUPS_FILE).unwrap()).unwrap(),
        servers: servers::decode(&read(servers::SERVERS_FILE).unwrap()).unwrap(),
        sync_times: sync_times::decode(&read(sync_times::SYNC_TIMES_FILE).unwrap()).unwrap(),
        changelog: read(changelog::CHANGELOG_FILE).unwrap(),
        status: read(status::TRACKER_STATUS_FILE).map(|bytes| status::TrackerStatus::decode(&bytes).unwrap()),
    }
}

#[test]
fn the_originals_state_is_taken_over() {
    let saved = Saved::from_tables(recorded("plain-2-storages", "tracker"), &Naming::ByAddress).unwrap();
    let mut t = Script::restarted(saved, |_| {});
    let known = t.group("group1");
    assert_eq!(known.port, GroupPort::One(23000));
    assert_eq!((known.store_path_count, known.subdir_count), (1, 4));
    let storages: Vec<_> = known.members.keys().map(|id| id.as_str().to_owned()).collect();
    assert_eq!(storages, ["127.0.0.3", "127.0.0.4"]);
    let member = t.member("127.0.0.4");
    assert_eq!(member.status, Offline);
    assert_eq!(member.sync_source.unwrap().source, id("127.0.0.3"));
    assert_eq!(member.addrs.first(), ip("127.0.0.4"));
    let (from_4, from_3) = ((id("127.0.0.4"), id("127.0.0.3")), (id("127.0.0.3"), id("127.0.0.4")));
    assert_eq!((known.synced[&from_3], known.synced[&from_4]), (1_795_350_671, 1_795_350_669));
    assert_eq!(t.store(), Err(Refusal::NothingWritable));
}

#[test]
fn a_storage_of_the_original_comes_back_to_us_and_serves() {
    let saved = Saved::from_tables(recorded("plain-2-storages", "tracker"), &Naming::ByAddress).unwrap();
    let mut t = Script::restarted(saved, |_| {});
    let got = t.join_with("127.0.0.4", |ask| {
        ask.joiner.init = false;
        ask.joiner.status = Some(Active);
        ask.joiner.subdir_count_per_path = 4;
    });
    assert_eq!(got.src_id, Some(id("127.0.0.3")));
    t.disks("127.0.0.4", &[(1000, 500)]);
    assert_eq!(t.status("127.0.0.4"), Active);
    assert_eq!(t.store().unwrap(), "group1 127.0.0.4 M00");
}

#[test]
fn the_originals_state_with_ids_and_trunk_servers_is_taken_over() {
    let table = "100001 group1 127.0.0.13\n100002 group1 127.0.0.14\n100003 group2 127.0.0.15\n100004 group2 127.0.0.16\n";
    let naming = ids(table, true);
    let tables = recorded("trunk-2-trackers-4-storages", "tracker12");
    let saved = Saved::from_tables(tables, &naming).unwrap();
    let mut t = Script::restarted(saved, |config| config.naming = naming);
    assert_eq!(t.group("group1").trunk_server, Some(id("100001")));
    assert_eq!(t.group("group2").last_trunk_server, Some(id("100004")));
    assert_eq!(t.group("group2").trunk_file_id, 1);
    let known = t.group("group2");
    // The file has 100004 before 100003, and the columns of the times with them.
    assert_eq!(known.synced[&(id("100003"), id("100004"))], 1_795_350_776);
    assert_eq!(known.synced.len(), 1);
    assert_eq!(t.member("100003").addrs.first(), ip("127.0.0.15"));
    let now = t.now;
    let figures = t.cluster.view().running_figures(now).unwrap();
    assert_eq!(figures.restart_interval, 4_649_100);
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    for (cluster, tracker) in [("plain-2-storages", "tracker"), ("late-join-disk-recovery", "tracker22")] {
        let original = recorded(cluster, tracker);
        let saved = Saved::from_tables(original.clone(), &Naming::ByAddress).unwrap();
        let mut t = Script::restarted(saved, |_| {});
        let now = t.now;
        let again = t.cluster.tables(now);
        assert_eq!(again.groups, original.groups);
        let offline = |server: &servers::Server| servers::Server { status: Offline, ..server.clone() };
        assert_eq!(again.servers, original.servers.iter().map(offline).collect::<Vec<_>>());
        assert_eq!(again.sync_times, original.sync_times);
        assert_eq!(again.changelog, original.changelog);
    }
}

#[test]
fn the_sync_times_of_a_group_name_its_storages_in_the_order_of_the_servers_table() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    t.synced("10.0.0.3", &[("10.0.0.1", 13), ("10.0.0.2", 23)]);
    t.leaves("10.0.0.2");
    t.client(Request::DeleteStorage { group: group("group1"), id: id("10.0.0.2") }).unwrap();
    let view = t.cluster.view();
    let servers: Vec<_> = view.servers_table().iter().map(|server| server.ip_addr.to_string()).collect();
    assert_eq!(servers, ["10.0.0.1", "10.0.0.3"], "the deleted are not saved");
    let times = sync_times::encode(&view.sync_times_table());
    assert_eq!(String::from_utf8(times).unwrap(), "group1,10.0.0.1,0,13\ngroup1,10.0.0.3,0,0\n");
}

#[test]
fn a_storage_being_filled_is_still_being_filled_after_a_restart() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    t.joins("group1", "10.0.0.2");
    t.joined_ask("10.0.0.2", Request::RequestSource).unwrap();
    t.reports("10.0.0.1", "10.0.0.2", Syncing).unwrap();
    let now = t.now;
    let saved = Saved::from_tables(t.cluster.tables(now), &Naming::ByAddress).unwrap();
    let mut t = Script::restarted(saved, |_| {});
    assert_eq!(t.status("10.0.0.1"), Offline);
    assert_eq!(t.status("10.0.0.2"), Syncing);
}

#[test]
fn storages_on_different_ports_are_remembered_as_such() {
    let naming = ids("1 group1 10.0.0.1\n2 group1 10.0.0.1:23001\n", true);
    let mut t = Script::with(|config| config.naming = naming.clone());
    t.join_with("10.0.0.1", |_| {});
    t.join_with("10.0.0.1", |ask| ask.joiner.storage_port = 23001);
    let now = t.now;
    let tables = t.cluster.tables(now);
    assert_eq!(tables.groups[0].storage_port, -1);
    let saved = Saved::from_tables(tables, &naming).unwrap();
    let mut t = Script::restarted(saved, |config| config.naming = naming);
    assert_eq!(t.group("group1").port, GroupPort::Mixed);
    assert_eq!((t.member("1").port, t.member("2").port), (23000, 23001));
}

#[test]
fn tables_that_contradict_each_other_are_refused() {
    let load = |change: fn(&mut Tables)| {
        let mut tables = recorded("plain-2-storages", "tracker");
        change(&mut tables);
        Saved::from_tables(tables, &Naming::ByAddress).map(|_| ())
    };
    assert_eq!(load(|_| {}), Ok(()));
    assert_eq!(
        load(|tables| tables.groups.push(tables.groups[0].clone())),
        Err(LoadError::GroupTwice(group("group1")))
    );
    assert_eq!(
        load(|tables| tables.servers.push(tables.servers[0].clone())),
        Err(LoadError::StorageTwice { group: group("group1"), id: id("127.0.0.3") })
    );
    assert_eq!(
        load(|tables| tables.groups.clear()),
        Err(LoadError::UnknownGroup { group: group("group1"), addr: ip("127.0.0.3") })
    );
    assert_eq!(
        load(|tables| tables.changelog = vec![b'x'; (16 << 20) + 1]),
        Err(LoadError::ChangelogTooLong)
    );
}
