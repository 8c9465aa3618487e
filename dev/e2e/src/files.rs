//! Clusters with files in them. What goes wrong here is a failed test.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use fdfs_client::{Client, ClientConfig, ExtName, FileId, GroupName, ServerAddr, Storage, UploadOptions};
use testkit::cluster::Cluster;
use testkit::nginx::Nginx;
use testkit::wait;

/// How long servers may take to know of each other on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for it.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A client of all its trackers.
#[must_use]
pub fn client(cluster: &Cluster) -> Client {
    let trackers =
        cluster.trackers.iter().map(|node| ServerAddr::new(node.address().ip(), node.address().port()));
    Client::new(ClientConfig::new(trackers))
}

/// One of its storages, asked by itself.
#[must_use]
pub fn member(cluster: &Cluster, index: usize) -> Storage {
    let address = cluster.storages[index].address();
    client(cluster).storage(ServerAddr::new(address.ip(), address.port()))
}

/// Stores a file in a group, perhaps as an appender.
#[must_use]
pub fn upload_as(cluster: &Cluster, group: &str, content: &[u8], ext: &str, appender: bool) -> FileId {
    let options = UploadOptions {
        group: Some(GroupName::parse(group.as_bytes()).unwrap()),
        ext: Some(ExtName::parse(ext.as_bytes()).unwrap()),
        appender,
        ..UploadOptions::default()
    };
    run(client(cluster).upload(content.into(), &options)).unwrap().id
}

/// Stores a file in a group.
#[must_use]
pub fn upload(cluster: &Cluster, group: &str, content: &[u8], ext: &str) -> FileId {
    upload_as(cluster, group, content, ext, false)
}

/// Bytes that compress badly, and differ at every place.
#[must_use]
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Waits until every group takes files, and each of its storages knows of so many members: from then on a file is on all of
/// them before its upload is answered.
pub fn serving(cluster: &Cluster, groups: &[&str], members: u64) {
    for index in 0..cluster.storages.len() {
        wait::until("all members serve", PATIENCE, || {
            let figures = run(member(cluster, index).figures()).unwrap_or_default();
            figures.contains(&("copies_possible".to_owned(), members)).then_some(())
        })
        .unwrap();
    }
    for group in groups {
        let group = GroupName::parse(group.as_bytes()).unwrap();
        let offered = || run(client(cluster).query_store(Some(group))).is_ok().then_some(());
        wait::until("a group takes files", PATIENCE, offered).unwrap();
    }
}

/// The nginx configuration that is shipped, at work in front of two groups of two storages.
#[must_use]
pub fn entry(cluster: &Cluster) -> Nginx {
    let mut conf = include_str!("../../../deploy/nginx/cairn.conf").to_owned();
    let places = ["192.0.2.11:8888", "192.0.2.12:8888", "192.0.2.21:8888", "192.0.2.22:8888"];
    for (place, storage) in places.iter().zip(&cluster.storages) {
        conf = conf.replace(place, &storage.http().to_string());
    }
    Nginx::start(&conf).unwrap()
}
