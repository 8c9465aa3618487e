//! A folder through real servers, one of which is killed in the middle.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use fdfs_client::{Client, ClientConfig, ServerAddr};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::cluster::{Cluster, Plan};
use tokio::sync::Notify;
use transfer::{
    GetOptions, Manifest, Outcome, Progress, PutOptions, RelPath, RemoveOptions, Silent, Source, Stop, get,
    put, remove,
};

const FILES: usize = 2000;

fn client(cluster: &Cluster) -> Client {
    let address = |node: &testkit::cluster::Node| ServerAddr::new(node.address().ip(), node.address().port());
    Client::new(ClientConfig::new(cluster.trackers.iter().map(address)))
}

/// Files of 0 to 20 kB in folders.
fn fill(root: &Path) {
    for number in 0..FILES {
        let folder = root.join(format!("{}/{}", number % 7, number % 11));
        fs::create_dir_all(&folder).unwrap();
        let content: Vec<u8> = (0..number * 10).map(|n| ((n * number) % 253) as u8).collect();
        fs::write(folder.join(format!("file{number}.bin")), content).unwrap();
    }
}

fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                all.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    all
}

/// Tells when a number of files is done.
struct Milestone {
    done: AtomicU64,
    at: u64,
    reached: Notify,
}

impl Progress for Milestone {
    fn file_done(&self, _: &RelPath, _: Outcome) {
        if self.done.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            self.reached.notify_one();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_survives_a_kill_of_the_storage_and_the_folder_comes_back_equal() {
    let mut cluster = Plan::new().start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (tree, copy, manifest) =
        (dir.path().join("tree"), dir.path().join("copy"), dir.path().join("manifest"));
    fill(&tree);
    let client = client(&cluster);
    let milestone =
        Arc::new(Milestone { done: AtomicU64::new(0), at: FILES as u64 / 2, reached: Notify::new() });
    let putting = {
        let (client, tree, milestone) = (client.clone(), tree.clone(), Arc::clone(&milestone));
        let options = PutOptions { attempts: 20, ..PutOptions::new(&manifest) };
        tokio::spawn(async move { put(&client, &tree, &options, milestone, &Stop::new()).await })
    };
    milestone.reached.notified().await;
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.storages[0].kill().unwrap();
        cluster.restart_storage(0).unwrap();
        cluster
    })
    .await
    .unwrap();
    let report = putting.await.unwrap().unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.sent, FILES as u64);

    let stored = Manifest::fetch(&client, report.manifest.as_ref().unwrap()).await.unwrap();
    let got =
        get(&client, stored, &copy, &GetOptions::default(), Arc::new(Silent), &Stop::new()).await.unwrap();
    assert!(got.is_complete(), "{got:?}");
    assert!(contents(&tree) == contents(&copy));

    let source = Source::StoredManifest(report.manifest.unwrap());
    let removed =
        remove(&client, &source, &RemoveOptions::default(), Arc::new(Silent), &Stop::new()).await.unwrap();
    assert_eq!((removed.deleted, removed.missing, removed.failures), (FILES as u64, 0, 0));
    drop(cluster);
}
