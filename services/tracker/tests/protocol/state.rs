//! State on disk: saved, loaded again, taken over from the original, and what happens when it cannot be.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::peer::{group, id};
use crate::server::{Server, conf};
use fdfs_proto::tracker::{GroupAsk, Request, delete_storage, identity_change, join, sync_source};
use fdfs_proto::{Empty, Status, StorageStatus};
use tracker::StartError;

#[test]
fn a_group_and_its_storages_survive_a_restart() {
    let mut server = Server::new("reserved_storage_space = 100MB\n");
    let mut first = server.peer("127.0.0.3");
    first.serve("group1");
    let mut second = server.peer("127.0.0.4");
    second.join("group1");
    let source = second.get(&Request::SyncDestRequest(Empty));
    let source = sync_source::Got::decode(&source).unwrap().source.unwrap();
    assert_eq!(source.src_id, Some(id("127.0.0.3")));

    server.restart();
    let mut client = server.client();
    let list = client.list("group1");
    let seen: Vec<_> = list.iter().map(|stat| (stat.who.id, stat.who.status, stat.figures.src_id)).collect();
    assert_eq!(
        seen,
        [
            (id("127.0.0.3"), StorageStatus::Offline, None),
            (id("127.0.0.4"), StorageStatus::WaitSync, Some(id("127.0.0.3"))),
        ]
    );
    assert_eq!(client.refused(&Request::QueryStoreOne(Empty)), Status::ENOENT);

    let mut first = server.peer("127.0.0.3");
    let mut again = first.first_join("group1", 23000);
    again.joiner.init = false;
    again.joiner.status = Some(StorageStatus::Active);
    let got = join::Got::decode(&first.get(&Request::Join(again))).unwrap();
    assert_eq!(got.status, StorageStatus::Online);
    first.beat_and_report();
    client.get(&Request::QueryStoreOne(Empty));
}

#[test]
fn a_join_is_on_disk_when_it_is_answered() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.join("group1");
    let groups = fs::read_to_string(server.data().join("storage_groups_new.dat")).unwrap();
    assert!(groups.contains("group_name=group1"), "{groups}");
    let servers = fs::read_to_string(server.data().join("storage_servers_new.dat")).unwrap();
    assert!(servers.contains("ip_addr=127.0.0.3"), "{servers}");
    storage.get(&Request::SyncDestRequest(Empty));
    let servers = fs::read_to_string(server.data().join("storage_servers_new.dat")).unwrap();
    assert!(servers.contains("\tstatus=6\n"), "{servers}");
}

#[test]
fn a_deletion_and_its_changelog_survive_a_restart() {
    let mut server = Server::new("");
    server.peer("127.0.0.3").serve("group1");
    let mut client = server.client();
    client.until("group1", "127.0.0.3", |stat| stat.figures.up_time == 0);
    let mut other = server.peer("127.0.0.4");
    let mut ask = other.first_join("group1", 23000);
    ask.joiner.init = false;
    ask.joiner.status = Some(StorageStatus::Online);
    other.get(&Request::Join(ask));
    let delete = delete_storage::Ask { group: group("group1"), id: id("127.0.0.3") };
    client.get(&Request::DeleteStorage(delete));
    let text = fs::read_to_string(server.data().join("storage_changelog.dat")).unwrap();
    assert!(text.ends_with(" group1 127.0.0.3 4 \n"), "{text}");

    server.restart();
    let mut client = server.client();
    let list = client.list("group1");
    assert_eq!(list.iter().map(|stat| stat.who.id).collect::<Vec<_>>(), [id("127.0.0.4")]);
    let who = identity_change::LogReader { group: group("group1"), id: Some(id("127.0.0.4")) };
    let ask = Request::GetChangelog(identity_change::AskLog { who: Some(who) });
    assert_eq!(String::from_utf8(client.get(&ask)).unwrap(), text);
    assert_eq!(client.get(&ask), b"", "read once");
    server.restart();
    assert_eq!(server.client().get(&ask), b"", "and remembered");
}

#[test]
fn a_line_that_was_being_written_when_the_tracker_died_is_dropped() {
    let server = Server::new("");
    server.peer("127.0.0.3").serve("group1");
    let folder = server.stop();
    let changelog = folder.path().join("data/storage_changelog.dat");
    let whole = "1700000000 group1 10.0.0.9 4 \n";
    fs::write(&changelog, format!("{whole}17000000")).unwrap();
    let conf = conf(folder.path(), "127.0.0.2", "", &[]);
    let server = Server::in_folder(folder, conf).unwrap();
    let mut client = server.client();
    let delete = delete_storage::Ask { group: group("group1"), id: id("127.0.0.3") };
    client.get(&Request::DeleteStorage(delete));
    let text = fs::read_to_string(&changelog).unwrap();
    assert!(text.starts_with(whole) && text.lines().count() == 2, "{text}");
}

#[test]
fn the_originals_folder_is_adopted_and_stays_readable_for_it() {
    let folder = tempfile::tempdir().unwrap();
    unpack("trunk-2-trackers-4-storages", "tracker12", folder.path());
    let ids = fs::read_to_string(fixtures().join("trunk-2-trackers-4-storages/storage_ids.conf")).unwrap();
    let text = "use_storage_id = true\nid_type_in_filename = id\nstorage_ids_filename = ids\nuse_trunk_file = true\n";
    let conf = conf(folder.path(), "127.0.0.12", text, &[("ids", &ids)]);
    let before = fs::read_to_string(folder.path().join("data/storage_groups_new.dat")).unwrap();
    let server = Server::in_folder(folder, conf).unwrap();
    let mut client = server.client();
    let list = client.list("group2");
    assert_eq!(list.iter().map(|stat| stat.who.id).collect::<Vec<_>>(), [id("100003"), id("100004")]);
    assert_eq!(list[0].figures.stat.success_upload_count, 7);
    assert!(list[1].figures.is_trunk_server);
    let folder = server.stop();
    let after = fs::read_to_string(folder.path().join("data/storage_groups_new.dat")).unwrap();
    assert_eq!(after, before);
    let times = fs::read_to_string(folder.path().join("data/storage_sync_timestamp.dat")).unwrap();
    assert_eq!(
        times,
        "group1,100001,0,1795350791\ngroup1,100002,1795350776,0\n\
         group2,100003,0,1795350776\ngroup2,100004,0,0\n"
    );
}

#[test]
fn a_tracker_keeps_working_when_its_state_cannot_be_saved_and_saves_it_later() {
    let server = Server::new("");
    let blocked = server.data().join("storage_groups_new.dat.tmp");
    fs::create_dir(&blocked).unwrap();
    let mut storage = server.peer("127.0.0.3");
    storage.join("group1");
    let mut client = server.client();
    assert_eq!(client.list("group1").len(), 1);
    assert!(!server.data().join("storage_groups_new.dat").exists());
    fs::remove_dir(&blocked).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !server.data().join("storage_groups_new.dat").exists() {
        assert!(std::time::Instant::now() < deadline, "it was never tried again");
        assert!(client.is_in_step());
    }
}

#[test]
fn a_state_that_cannot_be_read_stops_the_start_and_stays_as_it_is() {
    for (file, bytes) in [
        ("storage_groups_new.dat", &b"[Global]\n\tgroup_count=2\n"[..]),
        ("storage_servers_new.dat", b"\xFF\xFE"),
        ("storage_sync_timestamp.dat", b"group1\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join(file);
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(&path, bytes).unwrap();
        let conf = conf(folder.path(), "127.0.0.2", "", &[]);
        let error = match tracker::start(&conf) {
            Err(StartError::State(error)) => error.to_string(),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started on a broken {file}"),
        };
        assert!(error.contains(file), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let server = Server::new("");
    let folder = tempfile::tempdir().unwrap();
    let mut conf = conf(folder.path(), "127.0.0.2", "", &[]);
    conf.listen.inner_port = server.address.port();
    conf.listen.outer_port = server.address.port();
    let error = match tracker::start(&conf) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("two trackers on one port"),
    };
    assert!(error.contains(&server.address.to_string()), "{error}");
}

#[test]
fn the_sign_of_life_is_there_from_the_start() {
    let server = Server::new("");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let path = server.data().join(".tracker_status");
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "nothing was written");
        std::thread::yield_now();
    }
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with("up_time=") && text.contains("\nlast_check_time="), "{text}");
}

#[test]
fn an_empty_group_is_deleted_for_good() {
    let mut server = Server::new("");
    server.peer("127.0.0.3").serve("group1");
    let mut client = server.client();
    client.until("group1", "127.0.0.3", |stat| stat.figures.up_time == 0);
    let delete = delete_storage::Ask { group: group("group1"), id: id("127.0.0.3") };
    client.get(&Request::DeleteStorage(delete));
    let ask = Request::DeleteGroup(GroupAsk { group: group("group1") });
    assert_eq!(client.refused(&ask), Status::EBUSY);
    server.restart();
    server.client().get(&ask);
    server.restart();
    assert_eq!(server.client().ask(&Request::ListAllGroups(Empty)), (Status::OK, vec![]));
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1")
}

/// Unpacks the `data/` folder of a recorded tracker.
fn unpack(cluster: &str, tracker: &str, to: &Path) {
    let file = fs::File::open(fixtures().join(cluster).join("stores.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    fs::create_dir_all(to.join("data")).unwrap();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        if let Some(name) = path.strip_prefix(&format!("{tracker}/data/")).filter(|name| !name.is_empty()) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            fs::write(to.join("data").join(name), bytes).unwrap();
        }
    }
}
