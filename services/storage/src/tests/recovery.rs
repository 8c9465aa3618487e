//! A lost store path is rebuilt from the peers, and a peer is told what a store path has.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use fdfs_fileid::{FileName, GroupName, StorePathIndex};
use fdfs_proto::storage::fetch_binlog;
use fdfs_proto::tracker::{list_storages, status_report, sync_source};
use fdfs_proto::{
    AddrWidth, HEADER_LEN, Header, IpText, RwMode, Status, StorageCommand as C, StorageId, StorageStatus,
    TrackerCommand,
};
use parking_lot::Mutex;
use storage_core::membership::{ClusterView, Peer};

use super::client::{Client, TestStorage, group, number, until, view};
use crate::recovery::{Flag, Recovery, Report};
use crate::run::launch;

fn id(text: &str) -> StorageId {
    StorageId::new(text.as_bytes()).unwrap()
}

/// The cluster with a peer on this machine, as everybody in these tests is.
fn with_peer(status: StorageStatus) -> ClusterView {
    let mut view = view();
    view.peers.insert(id("100002"), Peer { status, ip: IpText::new(b"127.0.0.1").unwrap(), port: 1 });
    view
}

fn start(storage: &mut TestStorage, status: StorageStatus) {
    let running = launch(&storage.conf, |_, _, _, tell, _| {
        tell.send_replace(Arc::new(with_peer(status)));
        Ok(())
    });
    storage.running = Some(running.unwrap());
}

fn started(more: &str) -> TestStorage {
    let mut storage = TestStorage::prepare(more);
    start(&mut storage, StorageStatus::Recovery);
    storage
}

/// The lines of a store path, the trailer checked.
fn list(client: &mut Client, path: u8) -> String {
    client.send(C::FetchOnePathBinlog, 0, &[&group("group1"), &[path]]);
    let mut answer = Vec::new();
    client.0.read_to_end(&mut answer).unwrap();
    let (head, rest) = answer.split_at(HEADER_LEN);
    let head = Header::decode(head.try_into().unwrap()).unwrap();
    assert_eq!((head.body_len, head.command, head.status()), (fetch_binlog::REPLY_LEN, 100, Status::OK));
    let (text, trailer) = rest.split_at(rest.len() - fetch_binlog::TRAILER_LEN);
    let len = fetch_binlog::check_trailer(rest.len() as u64, trailer.try_into().unwrap()).unwrap();
    assert_eq!(len, text.len() as u64);
    String::from_utf8(text.to_vec()).unwrap()
}

fn set_metadata(client: &mut Client, name: &FileName) {
    let name = name.as_str().as_bytes();
    let body: [&[u8]; 6] = [&number(name.len()), &number(3), b"O", &group("group1"), name, b"a\x02b"];
    assert_eq!(client.ask(C::SetMetadata, &body).status, Status::OK);
}

#[test]
fn a_member_is_told_the_files_of_a_store_path_that_are_there() {
    let storage = started("");
    let mut client = storage.connect();
    let kept = client.upload(b"kept", "txt").name();
    set_metadata(&mut client, &kept);
    let deleted = client.upload(b"deleted", "txt").name();
    assert_eq!(client.of_file(C::DeleteFile, &deleted).status, Status::OK);
    let appender = client.upload_as(C::UploadAppender, 0, b"grows", "log").name();
    let renamed = client.ask(C::RegenerateName, &[appender.as_str().as_bytes()]).name();
    let other = client.upload_as(C::UploadFile, 1, b"on the other path", "").name();
    let names = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once(" C ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(
        names(&list(&mut storage.connect(), 0)),
        [kept.as_str(), kept.metadata_name().as_str(), renamed.as_str()]
    );
    assert_eq!(names(&list(&mut storage.connect(), 1)), [other.as_str()]);
    // As the original fetches it.
    assert_eq!(client.download(&kept.metadata_name(), 0, 0).body, b"a\x02b");
    assert_eq!(
        storage.connect().ask(C::FetchOnePathBinlog, &[&group("group1"), &[2]]).status,
        Status::EINVAL
    );
    assert_eq!(
        storage.connect().ask(C::FetchOnePathBinlog, &[&group("group2"), &[0]]).status,
        Status::EINVAL
    );
}

#[test]
fn s4_only_members_of_the_group_are_told_the_files_of_a_store_path() {
    for status in [StorageStatus::Deleted, StorageStatus::IpChanged] {
        let mut storage = TestStorage::prepare("");
        start(&mut storage, status);
        storage.connect().upload(b"hello", "txt");
        let reply = storage.connect().ask(C::FetchOnePathBinlog, &[&group("group1"), &[0]]);
        assert_eq!((reply.status, reply.body.len()), (Status::EINVAL, 0), "{status:?}");
    }
}

/// A tracker that lists the group, and is told statuses.
struct Lister {
    address: SocketAddr,
    storages: Arc<Mutex<Vec<list_storages::StorageStat>>>,
    told: Arc<Mutex<Vec<(StorageId, StorageStatus)>>>,
}

impl Lister {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let lister =
            Self { address: listener.local_addr().unwrap(), storages: Arc::default(), told: Arc::default() };
        let (storages, told) = (Arc::clone(&lister.storages), Arc::clone(&lister.told));
        // Ends with the process: nobody connects to it after the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; HEADER_LEN];
                while stream.read_exact(&mut head).is_ok() {
                    let header = Header::decode(&head).unwrap();
                    let mut body = vec![0; header.body_len as usize];
                    stream.read_exact(&mut body).unwrap();
                    let mut answer = Vec::new();
                    match TrackerCommand::from_u8(header.command).unwrap() {
                        TrackerCommand::ListStorages => {
                            let listed = list_storages::Got { storages: storages.lock().clone() };
                            listed.encode(AddrWidth::V4, &mut answer);
                        }
                        TrackerCommand::ReportStatus => {
                            let brief = status_report::Report::decode(&body).unwrap().brief;
                            told.lock().push((brief.id.unwrap(), brief.status));
                        }
                        TrackerCommand::SyncSrcRequest => {
                            sync_source::Got { source: None }.encode(&mut answer)
                        }
                        other => panic!("a tracker is not asked {other} before a join"),
                    }
                    let out = [&Header::reply(answer.len() as u64).encode()[..], &answer].concat();
                    stream.write_all(&out).unwrap();
                }
            }
        });
        lister
    }

    /// Lists storages with these ids, statuses and ports.
    fn list(&self, listed: &[(&str, StorageStatus, u16)]) {
        let empty = vec![0; list_storages::StorageStat::len(AddrWidth::V4)];
        *self.storages.lock() = listed
            .iter()
            .map(|(name, status, port)| {
                // The figures do not matter: all zero but the port.
                let mut body = empty.clone();
                body[0] = status.code();
                body[1] = RwMode::Both.code();
                body[2..2 + name.len()].copy_from_slice(name.as_bytes());
                let mut storage = list_storages::Got::decode(&body).unwrap().storages[0];
                storage.ip = IpText::new(Ipv4Addr::LOCALHOST.to_string().as_bytes()).unwrap();
                storage.figures.storage_port = *port;
                storage
            })
            .collect();
    }
}

/// A storage that has lost the disk of store path 0.
fn without_its_disk(lister: &Lister, log: &str) -> TestStorage {
    let mut storage =
        TestStorage::prepare(&format!("tracker_server={}\ndisk_recovery_threads=3", lister.address));
    storage.conf.server_id = Some(100_001);
    let running = launch(&storage.conf, |_, _, _, _, _| Ok(())).unwrap();
    running.stop().unwrap();
    let base = storage.dir.path().join("base/data");
    let flag = std::fs::read_to_string(base.join(".data_init_flag")).unwrap();
    // It had joined, and somebody has put a new disk in place.
    let flag: String = flag
        .lines()
        .filter(|line| !line.starts_with("store_path_mark0"))
        .map(|line| line.replace("sync_old_done=0", "sync_old_done=1") + "\n")
        .collect();
    assert!(flag.contains("sync_old_done=1"), "{flag}");
    std::fs::write(base.join(".data_init_flag"), flag).unwrap();
    std::fs::write(base.join("sync/binlog.000"), log).unwrap();
    std::fs::remove_dir_all(storage.dir.path().join("p0")).unwrap();
    std::fs::create_dir(storage.dir.path().join("p0")).unwrap();
    storage
}

/// Starts it as `start` does, except that joining is being told of the cluster.
fn recover(storage: &mut TestStorage) {
    let conf = storage.conf.clone();
    let running = launch(&conf, |data, port, server, tell, stop| {
        let recovery = Recovery::new(&conf, data, port, server);
        tokio::spawn(async move {
            if recovery.run(stop.clone()).await {
                tell.send_replace(Arc::new(view()));
                let mut stop = stop;
                stop.wait().await;
            }
        });
        Ok(())
    });
    storage.running = Some(running.unwrap());
}

/// Starts it and rebuilds store path 0 from these members; what comes of that.
fn rebuilt(
    storage: &mut TestStorage,
    sources: BTreeMap<StorageId, Vec<SocketAddr>>,
) -> Result<(Report, Vec<FileName>), String> {
    let (send, receive) = std::sync::mpsc::channel();
    let conf = storage.conf.clone();
    let running = launch(&conf, |data, port, server, _, _| {
        let (recovery, flag) = (Recovery::new(&conf, data, port, server), Flag::new(data, StorePathIndex(0)));
        let group = GroupName::parse(b"group1").unwrap().into();
        tokio::spawn(async move {
            send.send(recovery.rebuild(StorePathIndex(0), &flag, group, &sources).await).unwrap();
        });
        Ok(())
    });
    storage.running = Some(running.unwrap());
    receive.recv_timeout(Duration::from_secs(20)).unwrap()
}

fn has_joined(storage: &TestStorage) -> bool {
    storage.running.as_ref().unwrap().knows_itself()
}

fn flag(storage: &TestStorage) -> Flag {
    Flag::new(&storage.dir.path().join("base/data"), StorePathIndex(0))
}

#[test]
fn d9_a_lost_store_path_is_rebuilt_from_all_peers_before_the_storage_joins() {
    let (first, second) = (started(""), started("pack_max_size = 0"));
    let mut client = first.connect();
    let small = client.upload(b"small", "txt").name();
    set_metadata(&mut client, &small);
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let large_name = client.upload(&large, "bin").name();
    let empty = client.upload(b"", "").name();
    let many: Vec<_> = (0..40).map(|n| (client.upload(&[n; 100], "").name(), n)).collect();
    let deleted_here = client.upload(b"deleted here", "txt").name();
    let elsewhere = client.upload_as(C::UploadFile, 1, b"not lost", "").name();
    let only_second = second.connect().upload(b"only at the second", "txt").name();
    let damaged = second.connect().upload(b"damaged", "txt").name();
    std::fs::write(second.on_disk(&damaged), b"DAMAGED").unwrap();

    let lister = Lister::start();
    let lost = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123.txt";
    let late = u32::MAX;
    let log = format!("{late} D {deleted_here}\n1700000000 C {lost}\n");
    let mut storage = without_its_disk(&lister, &log);
    lister.list(&[
        ("100001", StorageStatus::Offline, 23_000),
        ("100002", StorageStatus::Active, first.address().port()),
        ("100003", StorageStatus::Active, second.address().port()),
    ]);
    recover(&mut storage);
    until("the storage joins", || has_joined(&storage));
    assert_eq!(lister.told.lock().first(), Some(&(id("100001"), StorageStatus::Recovery)));
    assert!(!flag(&storage).is_set());

    let mut client = storage.connect();
    for (name, content) in [(&small, &b"small"[..]), (&large_name, &large), (&empty, b"")] {
        assert!(client.download(name, 0, 0).body == content, "{name}");
    }
    for (name, n) in &many {
        assert_eq!(client.download(name, 0, 0).body, [*n; 100]);
    }
    assert_eq!(client.of_file(C::GetMetadata, &small).body, b"a\x02b");
    assert_eq!(client.download(&only_second, 0, 0).body, b"only at the second");
    for name in [&deleted_here, &damaged, &elsewhere] {
        assert_eq!(client.download(name, 0, 0).status, Status::ENOENT, "{name}");
    }
    assert_eq!(storage.temps(), 0);
    // What came from peers is not passed on.
    storage.running.take().unwrap().stop().unwrap();
    let log = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
    let time = small.stamp().unwrap().timestamp;
    assert!(log.contains(&format!("{time} c {small}\n")), "{log}");
    assert!(!log.contains(&format!("C {small}\n")), "{log}");
}

#[test]
fn d8_a_new_member_fetches_what_it_was_not_sent_from_whoever_has_it() {
    let (source, other) = (started(""), started(""));
    let sent = source.connect().upload(b"sent", "txt").name();
    // On its way to the source while that filled the new member, and never sent by anybody.
    let missed = other.connect().upload(b"missed", "txt").name();
    let deleted = other.connect().upload(b"deleted", "txt").name();
    // A bad copy of it is in the quarantine: it is not here.
    let aside = other.connect().upload(b"set aside", "txt").name();
    let lister = Lister::start();
    let mut storage = TestStorage::prepare(&format!("tracker_server={}", lister.address));
    storage.conf.server_id = Some(100_001);
    let quarantine = storage.dir.path().join("p0/data/.cairn/quarantine");
    std::fs::create_dir_all(&quarantine).unwrap();
    let copy = format!("{}.1.lost", aside.true_name().replacen('/', "-", 2));
    std::fs::write(quarantine.join(copy), b"SET ASIDE").unwrap();
    let sign = storage.dir.path().join("base/data/.cairn-compare");
    lister.list(&[
        ("100001", StorageStatus::Active, 23_000),
        ("100002", StorageStatus::Active, source.address().port()),
        ("100003", StorageStatus::Active, other.address().port()),
    ]);
    // Nothing is sent to a peer of this status.
    let conf = storage.conf.clone();
    let mut outside = None;
    let running = launch(&conf, |data, port, server, tell, stop| {
        tell.send_replace(Arc::new(with_peer(StorageStatus::Recovery)));
        let recovery = Recovery::new(&conf, data, port, server);
        tokio::spawn(async move { recovery.compare(stop).await });
        outside = Some(tell);
        Ok(())
    });
    storage.running = Some(running.unwrap());
    let mut client = storage.connect();
    // The source's copy, and a deletion that was faster than its file.
    let (text, time) = (sent.as_str().as_bytes(), 1_700_000_000_u32.to_be_bytes());
    let copy = [&number(text.len())[..], &number(4), &time, &group("group1"), text, b"sent"];
    assert_eq!(client.ask(C::SyncCreate, &copy).status, Status::OK);
    let delete: [&[u8]; 3] = [&time, &group("group1"), deleted.as_str().as_bytes()];
    assert_eq!(client.ask(C::SyncDelete, &delete).status, Status::ENOENT);
    assert!(sign.exists(), "not before it is active");
    let active = ClusterView { my_status: Some(StorageStatus::Active), ..with_peer(StorageStatus::Recovery) };
    outside.unwrap().send_replace(Arc::new(active));
    until("it has compared", || !sign.exists());
    assert_eq!(client.download(&missed, 0, 0).body, b"missed");
    assert_eq!(client.download(&aside, 0, 0).body, b"set aside");
    assert_eq!(client.download(&deleted, 0, 0).status, Status::ENOENT);
    storage.running.take().unwrap().stop().unwrap();
    let log = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
    assert!(log.contains(&format!(" c {missed}\n")) && log.matches(sent.as_str()).count() == 1, "{log}");
}

#[test]
fn d9_what_no_peer_has_whole_is_counted_and_a_file_that_one_peer_has_damaged_comes_from_another() {
    let peer = started("pack_max_size = 0");
    let whole = peer.connect().upload(b"whole", "txt").name();
    let damaged = peer.connect().upload(b"damaged", "txt").name();
    std::fs::write(peer.on_disk(&damaged), b"DAMAGED").unwrap();
    // The same files, and the other way round.
    let other = started("pack_max_size = 0");
    let copied = [(&whole, &b"WHOLE"[..]), (&damaged, b"DAMAGED")];
    for (name, content) in copied {
        std::fs::create_dir_all(other.on_disk(name).parent().unwrap()).unwrap();
        std::fs::write(other.on_disk(name), content).unwrap();
    }
    let log = copied.map(|(name, _)| format!("1700000000 c {name}\n")).concat();
    let mut other = other;
    other.running.take().unwrap().stop().unwrap();
    std::fs::write(other.dir.path().join("base/data/sync/binlog.000"), log).unwrap();
    start(&mut other, StorageStatus::Recovery);

    let lister = Lister::start();
    let lost = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123.txt";
    let mut storage = without_its_disk(&lister, &format!("1700000000 C {lost}\n1700000000 C {whole}\n"));
    let sources = [(id("100002"), vec![other.address()]), (id("100003"), vec![peer.address()])].into();
    let (report, _) = rebuilt(&mut storage, sources).unwrap();
    assert_eq!(report, Report { fetched: 1, damaged: 3, lost: 2, older: 0, refusing: 0 });
    assert_eq!(storage.connect().download(&whole, 0, 0).body, b"whole");
}

#[test]
fn d9_a_file_that_a_peer_has_set_aside_is_lost_and_keeps_no_other_away() {
    let mut peer = started("pack_max_size = 0");
    let aside = peer.connect().upload(b"set aside", "txt").name();
    let whole = peer.connect().upload(b"whole", "txt").name();
    peer.running.take().unwrap().stop().unwrap();
    let quarantine = peer.dir.path().join("p0/data/.cairn/quarantine");
    std::fs::create_dir_all(&quarantine).unwrap();
    let copy = format!("{}.1.lost", aside.true_name().replacen('/', "-", 2));
    std::fs::rename(peer.on_disk(&aside), quarantine.join(copy)).unwrap();
    start(&mut peer, StorageStatus::Recovery);
    let lister = Lister::start();
    let mut storage = without_its_disk(&lister, "");
    let sources = [(id("100002"), vec![peer.address()])].into();
    let (report, _) = rebuilt(&mut storage, sources).unwrap();
    assert_eq!(report, Report { fetched: 1, damaged: 1, lost: 1, older: 0, refusing: 0 });
    assert_eq!(storage.connect().download(&whole, 0, 0).body, b"whole");
}

#[test]
fn d9_a_file_that_only_a_member_who_is_away_has_is_waited_for() {
    let (first, second) = (started(""), started(""));
    let there = first.connect().upload(b"there", "txt").name();
    let away = second.connect().upload(b"away", "txt").name();
    let lister = Lister::start();
    let mut storage = without_its_disk(&lister, &format!("1700000000 C {there}\n1700000000 c {away}\n"));
    let list = |status| {
        lister.list(&[
            ("100001", StorageStatus::Offline, 23_000),
            ("100002", StorageStatus::Active, first.address().port()),
            ("100003", status, second.address().port()),
        ]);
    };
    list(StorageStatus::Offline);
    recover(&mut storage);
    until("what is to be had is here", || storage.connect().download(&there, 0, 0).body == b"there");
    list(StorageStatus::Active);
    until("the storage joins", || has_joined(&storage));
    assert_eq!(storage.connect().download(&away, 0, 0).body, b"away");
    assert!(!flag(&storage).is_set());
}

/// A storage with one file, which was changed last at this Unix second.
fn with_file(name: &FileName, content: &[u8], mtime: u64) -> TestStorage {
    let mut storage = started("pack_max_size = 0");
    let path = storage.on_disk(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(mtime)).unwrap();
    storage.running.take().unwrap().stop().unwrap();
    let log = storage.dir.path().join("base/data/sync/binlog.000");
    std::fs::write(log, format!("1700000000 c {name}\n")).unwrap();
    start(&mut storage, StorageStatus::Recovery);
    storage
}

#[test]
fn d9_of_an_appender_the_copy_that_was_changed_last_comes_back_whichever_peer_has_it() {
    let name = started("").connect().upload_as(C::UploadAppender, 0, b"begin", "log").name();
    let old = with_file(&name, b"begin, and much that was cut off", 1_700_000_000);
    let new = with_file(&name, b"begin", 1_700_000_100);
    for (first, second) in [(&old, &new), (&new, &old)] {
        let lister = Lister::start();
        let mut storage = without_its_disk(&lister, "");
        lister.list(&[
            ("100001", StorageStatus::Offline, 23_000),
            ("100002", StorageStatus::Active, first.address().port()),
            ("100003", StorageStatus::Active, second.address().port()),
        ]);
        recover(&mut storage);
        until("the storage joins", || has_joined(&storage));
        assert_eq!(storage.connect().download(&name, 0, 0).body, b"begin");
    }
}

/// Found by simulation: an append that was still to be sent told peers of bytes that were not here any more.
#[test]
fn d9_an_appender_whose_last_change_was_lost_is_sent_once_more_as_it_came_back() {
    let name = started("").connect().upload_as(C::UploadAppender, 0, b"begin", "log").name();
    let peer = with_file(&name, b"begin", 1_700_000_000);
    for (change, again) in [("1700000100 A", true), ("1700000100 a", false), ("1700000000 A", true)] {
        let lister = Lister::start();
        let mut storage = without_its_disk(&lister, &format!("1700000000 C {name}\n{change} {name} 5 4\n"));
        lister.list(&[
            ("100001", StorageStatus::Offline, 23_000),
            ("100002", StorageStatus::Active, peer.address().port()),
        ]);
        recover(&mut storage);
        until("the storage joins", || has_joined(&storage));
        storage.running.take().unwrap().stop().unwrap();
        let log = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
        let sent_again = log.trim_end().ends_with(&format!(" U {name}"));
        assert_eq!(sent_again, again, "{change}: {log}");
    }
}

#[test]
fn d9_a_rebuild_that_was_stopped_goes_on_at_the_next_start_with_what_is_missing() {
    let peer = started("");
    let name = peer.connect().upload(b"content", "txt").name();
    let lister = Lister::start();
    let mut storage = without_its_disk(&lister, "");
    // The only peer does not serve: the storage waits, and does not join.
    lister.list(&[
        ("100001", StorageStatus::Active, 23_000),
        ("100002", StorageStatus::Offline, peer.address().port()),
    ]);
    recover(&mut storage);
    assert!(flag(&storage).is_set());
    assert_eq!(storage.connect().download(&name, 0, 0).status, Status::ENOENT);
    assert!(!has_joined(&storage));
    storage.running.take().unwrap().crash();
    assert!(flag(&storage).is_set());
    lister.list(&[
        ("100001", StorageStatus::Active, 23_000),
        ("100002", StorageStatus::Active, peer.address().port()),
    ]);
    recover(&mut storage);
    until("the storage joins", || has_joined(&storage));
    assert_eq!(storage.connect().download(&name, 0, 0).body, b"content");
    assert!(!flag(&storage).is_set());
}

#[test]
fn a_store_path_that_was_in_use_and_is_empty_is_not_rebuilt_unasked() {
    let lister = Lister::start();
    let storage = without_its_disk(&lister, "");
    let file = storage.dir.path().join("base/data/.data_init_flag");
    let mut kept = std::fs::read_to_string(&file).unwrap();
    kept.push_str("store_path_mark0=bWFyaw\n");
    std::fs::write(&file, kept).unwrap();
    let refused = launch(&storage.conf, |_, _, _, _, _| Ok(())).err().unwrap().to_string();
    assert!(
        refused.contains("is the disk mounted?") && refused.contains("fetched from the peers"),
        "{refused}"
    );
    assert!(!flag(&storage).is_set());
}

#[test]
fn without_peers_an_empty_store_path_stays_empty_and_the_storage_joins() {
    let lister = Lister::start();
    let mut storage = without_its_disk(&lister, "");
    lister.list(&[("100001", StorageStatus::Offline, 23_000)]);
    recover(&mut storage);
    until("the storage joins", || has_joined(&storage));
    assert!(!flag(&storage).is_set());
}
