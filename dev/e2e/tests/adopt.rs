//! The data folders of a cluster that FastDFS 6.16.1 ran, taken over in place.
//!
//! The recorded folders are put where ours lie; only the addresses in the state files are replaced by those the test has.
//! Names of files keep the old ones, as they would.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::on_disk;
use e2e::recorded::readdress;
use fdfs_client::{
    Client, ClientConfig, DownloadOptions, FileId, InfoFlags, MetaFlag, Metadata, ServerAddr, StorageStatus,
    StorePathIndex, UploadOptions,
};
use fdfs_fileid::Kind;
use testkit::cluster::{Cluster, Node, Plan};
use testkit::fixtures::Recording;
use testkit::{folder, logs};

fn ip(node: &Node) -> String {
    node.address().ip().to_string()
}

fn client(cluster: &Cluster) -> Client {
    let tracker = cluster.tracker();
    Client::new(ClientConfig::new([ServerAddr::new(tracker.ip(), tracker.port())]))
}

/// What a store path holds: names with group, and contents. Metadata comes as what it is of.
struct Files {
    contents: BTreeMap<FileId, Vec<u8>>,
    with_metadata: Vec<FileId>,
}

fn files(store_path: &Path, prefix: &str) -> Files {
    let mut files = Files { contents: BTreeMap::new(), with_metadata: Vec::new() };
    let folder = store_path.join("data/00/00");
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let base = entry.file_name().into_string().unwrap();
        let id: FileId = format!("group1/{prefix}/00/00/{}", base.trim_end_matches("-m")).parse().unwrap();
        match base.ends_with("-m") {
            true => files.with_metadata.push(id),
            false => drop(files.contents.insert(id, fs::read(entry.path()).unwrap())),
        }
    }
    files
}

async fn all_are_served(client: &Client, files: &Files) {
    for (id, content) in &files.contents {
        assert!(client.download(id, &DownloadOptions::default()).await.unwrap() == *content, "{id}");
        let info = client.file_info(id, InfoFlags::default()).await.unwrap();
        assert_eq!((info.size, info.crc32), (content.len() as u64, crc32fast::hash(content)), "{id}");
        match files.with_metadata.contains(id) {
            true => {
                let metadata = client.metadata(id).await.unwrap();
                let expected =
                    [("ext_name", "jpg"), ("file_size", "115120"), ("height", "80"), ("width", "160")];
                assert_eq!(metadata, Metadata::from_iter(expected), "{id}");
            }
            false => assert!(client.metadata(id).await.unwrap_err().is_not_found(), "{id}"),
        }
    }
}

fn fsck(cluster: &Cluster) {
    let output = Command::new(cluster.binary()).arg("fsck").arg(&cluster.storages[0].conf).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn binlog(storage: &Node) -> String {
    fs::read_to_string(storage.base_path.join("data/sync/binlog.000")).unwrap()
}

/// One tracker and one storage of the recording with two storages, taken over; nothing runs yet.
fn plain() -> Cluster {
    let stores = Recording::Plain.stores().unwrap();
    // Without packs, as one would who may hand the store back.
    let cluster = Plan::new().storage_key("pack_max_size", 0).prepare().unwrap();
    let (tracker, storage) = (&cluster.trackers[0], &cluster.storages[0]);
    // Base path and store path are one there.
    let conf = fs::read_to_string(&storage.conf).unwrap();
    let conf =
        conf.replace(&storage.store_paths[0].display().to_string(), &storage.base_path.display().to_string());
    fs::write(&storage.conf, conf).unwrap();
    fs::remove_dir(&storage.store_paths[0]).unwrap();
    folder::copy(&stores.path().join("tracker/data"), &tracker.base_path.join("data")).unwrap();
    folder::copy(&stores.path().join("storage3/data"), &storage.base_path.join("data")).unwrap();
    let addresses = [("127.0.0.2", ip(tracker)), ("127.0.0.3", ip(storage))];
    readdress(&tracker.base_path.join("data"), &addresses);
    readdress(&storage.base_path.join("data"), &addresses);
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_of_the_original_is_served_and_goes_on() {
    let mut cluster = plain();
    let base = cluster.storages[0].base_path.clone();
    let before = files(&base, "M00");
    assert_eq!((before.contents.len(), before.with_metadata.len()), (14, 7));
    let found = on_disk::check(&base).unwrap();
    let old_binlog = binlog(&cluster.storages[0]);
    let old_flag = fs::read_to_string(base.join("data/.data_init_flag")).unwrap();
    cluster.start_all().unwrap();
    let client = client(&cluster);

    // The tracker knows both, as they were, and what they have done.
    let group = "group1".parse().unwrap();
    let storages = client.list_storages(group, None).await.unwrap();
    let shown: Vec<_> = storages.iter().map(|storage| (storage.ip.to_string(), storage.who.status)).collect();
    let mut expected =
        [(ip(&cluster.storages[0]), StorageStatus::Active), ("127.0.0.4".to_owned(), StorageStatus::Offline)];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(shown, expected);
    let ours = storages.iter().find(|storage| storage.who.status == StorageStatus::Active).unwrap();
    assert_eq!((ours.figures.stat.total_upload_count, ours.figures.stat.success_upload_count), (8, 8));

    all_are_served(&client, &before).await;

    // Everything can be changed: an appender of this storage and one of the other.
    for (id, content) in before.contents.iter().filter(|(id, _)| id.name.kind() == Kind::Appender) {
        client.append(id, "more".into()).await.unwrap();
        client.modify(id, 0, "new".into()).await.unwrap();
        let expected = [b"new", &content[3..], b"more"].concat();
        assert_eq!(client.download(id, &DownloadOptions::default()).await.unwrap(), expected);
    }
    let gone = &before.with_metadata[0];
    client.set_metadata(gone, &Metadata::from_iter([("width", "1")]), MetaFlag::Merge).await.unwrap();
    assert_eq!(client.metadata(gone).await.unwrap().get("width"), Some(&b"1"[..]));
    client.delete(gone).await.unwrap();
    assert!(client.metadata(gone).await.unwrap_err().is_not_found());
    let new = client.upload("hello fastdfs\n".into(), &UploadOptions::default()).await.unwrap().id;

    cluster.stop().unwrap();
    let after = on_disk::check(&base).unwrap();
    assert_eq!(after.normal + after.others, found.normal + found.others);
    // The log of changes goes on where it was.
    let log = binlog(&cluster.storages[0]);
    let added: Vec<&str> = log.strip_prefix(&old_binlog).unwrap().lines().collect();
    assert_eq!(added.iter().filter(|line| line.contains(" A ")).count(), 3, "{added:?}");
    for line in [format!(" D {}", gone.name), format!(" D {}-m", gone.name), format!(" C {}", new.name)] {
        assert!(added.iter().any(|added| added.ends_with(&line)), "{line} in {added:?}");
    }
    // What the original wrote of itself is there for it to find again.
    let keys = |text: &str| text.lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
    let (old, new): (Vec<String>, Vec<String>) =
        (keys(&old_flag), keys(&fs::read_to_string(base.join("data/.data_init_flag")).unwrap()));
    assert_eq!(new, old);
    assert!(base.join("data/sync/127.0.0.4_23000.mark").is_file());
    fsck(&cluster);
    cluster.check_logs(&["too few members serve"]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_with_two_store_paths_is_served_too() {
    let stores = Recording::LateJoin.stores().unwrap();
    let mut cluster = Plan::new().storage_key("pack_max_size", 0).store_paths(2).prepare().unwrap();
    let (tracker, storage) = (&cluster.trackers[0], &cluster.storages[0]);
    folder::copy(&stores.path().join("tracker22/data"), &tracker.base_path.join("data")).unwrap();
    folder::copy(&stores.path().join("st23/data"), &storage.base_path.join("data")).unwrap();
    for (folder, path) in ["p0", "p1"].iter().zip(&storage.store_paths) {
        folder::copy(&stores.path().join("st23").join(folder), path).unwrap();
    }
    let addresses = [("127.0.0.22", ip(tracker)), ("127.0.0.23", ip(storage))];
    readdress(&tracker.base_path.join("data"), &addresses);
    readdress(&storage.base_path.join("data"), &addresses);
    let [first, second] = ["M00", "M01"].map(|prefix| {
        let index = usize::from(prefix == "M01");
        files(&storage.store_paths[index], prefix)
    });
    assert_eq!((first.contents.len(), second.contents.len()), (5, 3));
    cluster.start_all().unwrap();
    let client = client(&cluster);
    all_are_served(&client, &first).await;
    all_are_served(&client, &second).await;
    let address = cluster.storages[0].address();
    for index in [0, 1] {
        let storage = client.storage(ServerAddr::new(address.ip(), address.port()));
        let path = Some(StorePathIndex(index));
        let new = storage.upload("hello".into(), path, &UploadOptions::default()).await.unwrap().id;
        assert_eq!(new.name.path_index(), StorePathIndex(index));
    }
    cluster.stop().unwrap();
    fsck(&cluster);
    cluster.check_logs(&["too few members serve"]).unwrap();
}

#[tokio::test]
async fn a_tracker_of_the_original_knows_its_groups_and_storages() {
    let stores = Recording::Trunk.stores().unwrap();
    let mut cluster = Plan::new()
        .groups(&[])
        .tracker_key("use_storage_id", true)
        .tracker_key("storage_ids_filename", "storage_ids.conf")
        .tracker_key("id_type_in_filename", "id")
        .tracker_key("use_trunk_file", true)
        .tracker_key("store_server", 1)
        .prepare()
        .unwrap();
    let ids = Recording::Trunk.folder().join("storage_ids.conf");
    fs::copy(ids, cluster.folder().join("storage_ids.conf")).unwrap();
    folder::copy(&stores.path().join("tracker11/data"), &cluster.trackers[0].base_path.join("data")).unwrap();
    let binary: PathBuf = cluster.binary().to_path_buf();
    for round in 0..2 {
        cluster.trackers[0].start(&binary).unwrap();
        let tracker = cluster.tracker();
        testkit::wait::until("the tracker", testkit::wait::READY, || {
            testkit::probe::answers(tracker).then_some(())
        })
        .unwrap();
        let client = client(&cluster);
        let groups = client.list_groups().await.unwrap();
        let names: Vec<(String, u64)> =
            groups.iter().map(|group| (group.group.to_string(), group.storage_count)).collect();
        assert_eq!(names, [("group1".to_owned(), 2), ("group2".to_owned(), 2)], "{round}");
        let mut shown = Vec::new();
        for group in &groups {
            for storage in client.list_storages(group.group, None).await.unwrap() {
                shown.push(format!("{} {} {}", storage.who.id, storage.ip, storage.who.status.caption()));
            }
        }
        assert_eq!(
            shown,
            [
                "100001 127.0.0.13 OFFLINE",
                "100002 127.0.0.14 OFFLINE",
                "100003 127.0.0.15 OFFLINE",
                "100004 127.0.0.16 OFFLINE"
            ]
        );
        // What we have saved, we read as well.
        cluster.trackers[0].stop().unwrap();
    }
    logs::check_folder(cluster.folder(), &[]).unwrap();
}
