//! Every operation against real servers: two trackers, one storage with two store paths.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use fdfs_client::{
    Client, ClientConfig, Content, DownloadOptions, ExtName, FileId, GroupStat, InfoFlags, Kind, MetaFlag,
    Metadata, ServerAddr, SlavePrefix, Status, StorageStatus, StorePathIndex, UploadOptions,
};
use std::time::Duration;
use testkit::cluster::{Cluster, Plan};

fn start() -> Cluster {
    Plan::new().trackers(2).store_paths(2).start().unwrap()
}

fn addr(node: &testkit::cluster::Node) -> ServerAddr {
    ServerAddr::new(node.address().ip(), node.address().port())
}

fn client(cluster: &Cluster) -> Client {
    Client::new(ClientConfig::new(cluster.trackers.iter().map(addr)))
}

fn options(ext: &str) -> UploadOptions {
    UploadOptions { ext: Some(ExtName::parse(ext.as_bytes()).unwrap()), ..UploadOptions::default() }
}

fn whole() -> DownloadOptions {
    DownloadOptions::default()
}

#[tokio::test]
async fn every_operation_does_what_it_says() {
    let cluster = start();
    let client = client(&cluster);
    normal_files(&client).await;
    big_files(&client).await;
    appenders(&client).await;
    slaves(&client).await;
    metadata(&client).await;
    refusals(&client).await;
    one_storage(&client, addr(&cluster.storages[0])).await;
    lists(&client).await;
}

async fn normal_files(client: &Client) {
    for content in [&b"hello fastdfs\n"[..], b""] {
        let uploaded = client.upload(content.into(), &options("txt")).await.unwrap();
        assert_eq!(uploaded.id.name.extension(), "txt");
        assert_eq!(client.download(&uploaded.id, &whole()).await.unwrap(), content);
        let info = client.file_info(&uploaded.id, InfoFlags::default()).await.unwrap();
        assert_eq!((info.size, info.crc32), (content.len() as u64, uploaded.crc32));
        client.delete(&uploaded.id).await.unwrap();
        assert!(client.download(&uploaded.id, &whole()).await.unwrap_err().is_not_found());
        assert!(client.delete(&uploaded.id).await.unwrap_err().is_not_found());
    }
    let id = client.upload("0123456789".into(), &options("")).await.unwrap().id;
    let part = |offset, length| DownloadOptions { offset, length, ..DownloadOptions::default() };
    assert_eq!(client.download(&id, &part(3, Some(4))).await.unwrap(), b"3456");
    assert_eq!(client.download(&id, &part(7, None)).await.unwrap(), b"789");
    assert_eq!(client.download(&id, &part(7, Some(100))).await.unwrap(), b"789");
    let error = client.download(&id, &part(10, None)).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::EINVAL));
}

async fn big_files(client: &Client) {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("big.tar.gz"), dir.path().join("copy"));
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&from, &content).unwrap();
    let uploaded = client.upload_file(&from, &UploadOptions::default()).await.unwrap();
    assert_eq!(uploaded.id.name.extension(), "tar.gz");
    let downloaded = client.download_to_file(&uploaded.id, &whole(), &to).await.unwrap();
    assert!(downloaded.verified);
    assert!(std::fs::read(&to).unwrap() == content);
    let mut bytes = Vec::new();
    let part = DownloadOptions { offset: 4_999_000, ..whole() };
    client.download_to_writer(&uploaded.id, &part, &mut bytes).await.unwrap();
    assert!(bytes == content[4_999_000..]);
}

async fn appenders(client: &Client) {
    let appender = UploadOptions { appender: true, ..options("log") };
    let id = client.upload("first".into(), &appender).await.unwrap().id;
    client.append(&id, " second".into()).await.unwrap();
    assert_eq!(client.download(&id, &whole()).await.unwrap(), b"first second");
    client.modify(&id, 6, "SEC".into()).await.unwrap();
    assert_eq!(client.download(&id, &whole()).await.unwrap(), b"first SECond");
    client.truncate(&id, 5).await.unwrap();
    assert_eq!(client.download(&id, &whole()).await.unwrap(), b"first");
    let big = vec![b'x'; 1_000_000];
    client.append(&id, Content::reader(&big[..], 1_000_000)).await.unwrap();
    let info = client.file_info(&id, InfoFlags::default()).await.unwrap();
    assert_eq!(info.size, 1_000_005);
    assert_eq!(info.crc32, crc32fast::hash(&[b"first", &big[..]].concat()));
    let regenerated = client.regenerate(&id).await.unwrap();
    assert!(client.download(&id, &whole()).await.unwrap_err().is_not_found());
    assert_eq!(client.download(&regenerated, &whole()).await.unwrap().len(), 1_000_005);
    client.delete(&regenerated).await.unwrap();

    let empty = client.upload("x".into(), &appender).await.unwrap().id;
    client.truncate(&empty, 0).await.unwrap();
    assert_eq!(client.download(&empty, &whole()).await.unwrap(), b"");
}

async fn slaves(client: &Client) {
    let master = client.upload("picture".into(), &options("jpg")).await.unwrap().id;
    let prefix = SlavePrefix::parse(b"_150x150").unwrap();
    let slave = client.upload_slave(&master, &prefix, "tiny".into(), &options("png")).await.unwrap().id;
    assert!(slave.name.as_str().ends_with("_150x150.png"), "{slave}");
    assert_eq!(client.download(&slave, &whole()).await.unwrap(), b"tiny");
    let again = client.upload_slave(&master, &prefix, "tiny".into(), &options("png")).await.unwrap_err();
    assert_eq!(again.status(), Some(Status::EEXIST));
    client.delete(&slave).await.unwrap();
    client.delete(&master).await.unwrap();
}

async fn metadata(client: &Client) {
    let metadata = Metadata::from_iter([("width", "160"), ("height", "80")]);
    let with_metadata = UploadOptions { metadata: metadata.clone(), ..options("jpg") };
    let id = client.upload("picture".into(), &with_metadata).await.unwrap().id;
    assert_eq!(client.metadata(&id).await.unwrap(), metadata);
    let more = Metadata::from_iter([("width", "320"), ("author", "me")]);
    client.set_metadata(&id, &more, MetaFlag::Merge).await.unwrap();
    let merged = Metadata::from_iter([("author", "me"), ("height", "80"), ("width", "320")]);
    assert_eq!(client.metadata(&id).await.unwrap(), merged);
    client.set_metadata(&id, &more, MetaFlag::Overwrite).await.unwrap();
    assert_eq!(client.metadata(&id).await.unwrap(), more);
    client.set_metadata(&id, &Metadata::new(), MetaFlag::Overwrite).await.unwrap();
    assert!(client.metadata(&id).await.unwrap_err().is_not_found());
}

async fn refusals(client: &Client) {
    let elsewhere = UploadOptions { group: Some("group9".parse().unwrap()), ..options("txt") };
    let error = client.upload("x".into(), &elsewhere).await.unwrap_err();
    assert!(error.is_not_found());
    let lost: FileId = "group9/M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt".parse().unwrap();
    assert!(client.download(&lost, &whole()).await.unwrap_err().is_not_found());
}

async fn one_storage(client: &Client, address: ServerAddr) {
    let storage = client.storage(address);
    storage.active_test().await.unwrap();
    for index in [0, 1] {
        let uploaded = storage.upload("x".into(), Some(StorePathIndex(index)), &options("")).await.unwrap();
        assert_eq!(uploaded.id.name.path_index(), StorePathIndex(index));
        assert_eq!(storage.download(&uploaded.id, &whole()).await.unwrap(), b"x");
    }
    let error = storage.upload("x".into(), Some(StorePathIndex(2)), &options("")).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::EINVAL));
    // The storage has closed that connection; nobody notices.
    storage.upload("x".into(), None, &options("")).await.unwrap();
}

async fn lists(client: &Client) {
    let groups = client.list_groups().await.unwrap();
    let group = "group1".parse().unwrap();
    assert_eq!(groups.len(), 1);
    // Free space is that of a disk which others use, too; it may be reported in between.
    let again = client.group(group).await.unwrap();
    assert_eq!(groups[0], GroupStat { free_mb: groups[0].free_mb, ..again });
    assert_eq!((groups[0].group, groups[0].store_path_count), (group, 2));
    let storages = client.list_storages(group, None).await.unwrap();
    assert_eq!(storages.len(), 1);
    assert_eq!(storages[0].who.status, StorageStatus::Active);
    for tracker in client.trackers() {
        tracker.active_test().await.unwrap();
    }
    let in_service = client.delete_storage(group, storages[0].who.id).await.unwrap_err();
    assert_eq!(in_service.status(), Some(Status::EBUSY));
    assert_eq!(client.delete_group(group).await.unwrap_err().status(), Some(Status::EBUSY));
    client.parameters().await.unwrap();
    client.storage_volume_stat(Default::default()).await.unwrap();
    let cluster = client.storage_cluster_stat(Default::default()).await.unwrap();
    assert_eq!(cluster.storages.len(), 1);
}

#[tokio::test]
async fn a_tracker_that_is_killed_is_not_missed() {
    let mut cluster = start();
    let client = client(&cluster);
    let id = client.upload("x".into(), &options("")).await.unwrap().id;
    cluster.trackers[0].kill().unwrap();
    for _ in 0..4 {
        assert_eq!(client.download(&id, &whole()).await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn a_storage_that_is_killed_and_started_again_has_what_it_acknowledged() {
    let mut cluster = Plan::new().start().unwrap();
    let config = ClientConfig {
        connect_rounds: 1,
        network_timeout: Duration::from_secs(10),
        ..ClientConfig::new(cluster.trackers.iter().map(addr))
    };
    let client = Client::new(config);
    let mut ids = Vec::new();
    for number in 0..50 {
        let content = format!("content {number}");
        ids.push((client.upload((&content).into(), &options("")).await.unwrap().id, content));
    }
    cluster.storages[0].kill().unwrap();
    let error = client.storage(addr(&cluster.storages[0])).download(&ids[0].0, &whole()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    cluster.restart_storage(0).unwrap();
    for (id, content) in &ids {
        assert_eq!(client.download(id, &whole()).await.unwrap(), content.as_bytes());
    }
}
