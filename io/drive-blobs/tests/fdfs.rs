//! Blobs in a real cluster: ours, of the program that this workspace builds.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod suite;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use drive_blobs::{FdfsSettings, on_fastdfs};
use drive_core::ByteCount;
use drive_core::ports::{BlobError, BlobKey, BlobStore, PIECE_BYTES_MAX};
use fdfs_client::{Client, ClientConfig, ServerAddr};
use rustix::process::Signal;
use suite::{Subject, append, bytes, count, expect, put, read, seal};
use testkit::cluster::{Cluster, Node, Plan};

const DEADLINE: Duration = Duration::from_secs(20);

fn store(cluster: &Cluster, deadline: Duration) -> Arc<dyn BlobStore> {
    let addr = |node: &Node| ServerAddr::new(node.address().ip(), node.address().port());
    let client = Client::new(ClientConfig::new(cluster.trackers.iter().map(addr)));
    on_fastdfs(client, FdfsSettings { group: None, deadline })
}

/// Files that are no packs, journals or the like.
fn files(cluster: &Cluster) -> usize {
    let of = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let two_digits = |path: &Path| path.file_name().is_some_and(|name| name.len() == 2);
    let paths = cluster.storages.iter().flat_map(|node| &node.store_paths);
    let upper =
        paths.flat_map(|path| of(&path.join("data"))).filter(|path| path.is_dir() && two_digits(path));
    upper.flat_map(|path| of(&path)).map(|path| of(&path).count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_a_blob_store() {
    let cluster = Plan::new().start().unwrap();
    let (one, two) = (store(&cluster, DEADLINE), store(&cluster, DEADLINE));
    let moved = || cluster.storages.iter().map(|node| node.server.as_ref()?.moved_bytes()).sum();
    suite::conforms(&Subject {
        store: &*one,
        other: &*two,
        objects: &|| Some(files(&cluster)),
        moved: &moved,
    })
    .await;
    cluster.check_logs(&[]).unwrap();
}

#[tokio::test]
async fn a_cluster_whose_storage_or_tracker_is_gone_is_unavailable() {
    let mut cluster = Plan::new().start().unwrap();
    let deadline = Duration::from_secs(4);
    let store = store(&cluster, deadline);
    let key = put(&*store, b"stays here").await;
    let mut content = b"goes on".to_vec();
    let mut partial = append(&*store, None, &content).await;
    for role in ["storage", "tracker"] {
        let to_lose = suite::to_lose(&*store).await;
        // Appends go to the storage that has the file, and ask nobody else.
        let certain: &[&str] = if role == "storage" { &[] } else { &["append"] };
        let nodes = if role == "storage" { &mut cluster.storages } else { &mut cluster.trackers };
        // Silent at first, then gone.
        nodes[0].server.as_ref().unwrap().signal(Signal::STOP).unwrap();
        suite::is_unavailable(&*store, &to_lose, deadline, certain).await;
        nodes[0].kill().unwrap();
        suite::is_unavailable(&*store, &to_lose, deadline, certain).await;
        if role == "storage" {
            cluster.restart_storage(0).unwrap()
        } else {
            cluster.restart_tracker(0).unwrap()
        }
        expect(&*store, &key, b"stays here").await;
        partial = append(&*store, Some(&partial), b" and on").await;
        content.extend_from_slice(b" and on");
    }
    let key = seal(&*store, &partial).await;
    expect(&*store, &key, &content).await;
}

#[tokio::test]
async fn an_upload_goes_on_when_the_storage_that_has_it_is_away() {
    let mut cluster = Plan::new().groups(&[("group1", 1), ("group2", 1)]).start().unwrap();
    // Of it a storage that lives has three quarters, in which a busy disk syncs.
    let store = store(&cluster, Duration::from_secs(12));
    for signal in [Signal::STOP, Signal::KILL] {
        let first = append(&*store, None, b"one, ").await;
        let group = usize::from(first.state.starts_with("group2"));
        cluster.storages[group].server.as_ref().unwrap().signal(signal).unwrap();
        // The tracker does not miss it yet, and offers it every second time.
        let mut second = Err(BlobError::Missing);
        for _ in 0..2 {
            if second.is_err() {
                second = store.append(Some(&first), Bytes::from_static(b"two")).await;
            }
        }
        if signal == Signal::KILL {
            cluster.storages[group].kill().unwrap();
            cluster.restart_storage(group).unwrap();
        } else {
            cluster.storages[group].server.as_ref().unwrap().signal(Signal::CONT).unwrap();
        }
        let key = seal(&*store, &second.unwrap()).await;
        assert!(key.as_str().contains("group1/") && key.as_str().contains("group2/"), "{}", key.as_str());
        expect(&*store, &key, b"one, two").await;
    }
}

/// The file of a blob that is one.
fn file(cluster: &Cluster, key: &BlobKey) -> PathBuf {
    let (id, _) = key.as_str().split_once('@').unwrap();
    cluster.storages[0].store_paths[0].join("data").join(id.strip_prefix("group1/M00/").unwrap())
}

#[tokio::test]
async fn a_damaged_blob_is_found_before_its_last_byte_is_given_out() {
    let cluster = Plan::new().storage_key("pack_max_size", 0).start().unwrap();
    let store = store(&cluster, DEADLINE);
    for length in [100_000, 2_000_000] {
        let key = put(&*store, &bytes(1, length)).await;
        let path = file(&cluster, &key);
        let mut content = std::fs::read(&path).unwrap();
        content[length / 2] ^= 1;
        std::fs::write(&path, &content).unwrap();
        let mut source = store.read(&key, ByteCount::ZERO, count(length)).await;
        let mut given = 0;
        let error = loop {
            match source {
                Ok(ref mut source) => match source.next().await {
                    Ok(piece) => given += piece.unwrap().len(),
                    Err(error) => break error,
                },
                Err(error) => break error,
            }
        };
        assert_eq!(error, BlobError::Damaged, "{length}");
        assert!(given < length, "{given} of {length}");
        std::fs::write(&path, &content[..length - 1]).unwrap();
        assert_eq!(read(&*store, &key, 0, length).await, Err(BlobError::Damaged), "{length}");
        assert_eq!(read(&*store, &key, length - 10, 10).await, Err(BlobError::Damaged), "{length}");
    }
}

#[tokio::test]
async fn readers_of_long_blobs_that_nobody_goes_on_with_keep_no_connection() {
    const CONNECTIONS: usize = 2;
    let cluster = Plan::new().start().unwrap();
    let addr = |node: &Node| ServerAddr::new(node.address().ip(), node.address().port());
    let config = ClientConfig {
        max_connections_per_server: CONNECTIONS,
        ..ClientConfig::new(cluster.trackers.iter().map(addr))
    };
    let store = on_fastdfs(Client::new(config), FdfsSettings { group: None, deadline: DEADLINE });
    let (long, small) = (bytes(1, 3_000_000), bytes(2, 1000));
    let (long_key, small_key) = (put(&*store, &long).await, put(&*store, &small).await);
    let mut sources = Vec::new();
    for _ in 0..2 * CONNECTIONS {
        // The first bytes are there when this is answered.
        sources.push(store.read(&long_key, ByteCount::ZERO, count(long.len())).await.unwrap());
    }
    expect(&*store, &small_key, &small).await;
    for source in &mut sources {
        source.next().await.unwrap().unwrap();
    }
    // Asked for more, and then not looked at any more, as by a peer of HTTP/2 who takes nothing.
    let mut asked: Vec<_> = sources.iter_mut().map(|source| source.next()).collect();
    for next in &mut asked {
        assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    expect(&*store, &small_key, &small).await;
    // They go on where they were.
    let mut content = asked.remove(0).await.unwrap().unwrap().to_vec();
    drop(asked);
    while let Some(piece) = sources[0].next().await.unwrap() {
        content.extend_from_slice(&piece);
    }
    assert!(long.ends_with(&content) && content.len() > 2_000_000, "{} bytes", content.len());
}

#[tokio::test]
async fn a_blob_that_is_cut_or_deleted_while_it_is_read_is_never_complete() {
    let cluster = Plan::new().storage_key("pack_max_size", 0).start().unwrap();
    let store = store(&cluster, DEADLINE);
    let content = bytes(1, 2_000_000);
    for appended in [false, true] {
        for left in [None, Some(0), Some(1_000_000), Some(1_999_999)] {
            let key = match appended {
                false => put(&*store, &content).await,
                true => seal(&*store, &append(&*store, None, &content).await).await,
            };
            let mut source = store.read(&key, ByteCount::ZERO, count(content.len())).await.unwrap();
            let mut given = source.next().await.unwrap().unwrap().len();
            let path = file(&cluster, &key);
            match left {
                None => std::fs::remove_file(&path).unwrap(),
                Some(left) => {
                    std::fs::File::options().write(true).open(&path).unwrap().set_len(left).unwrap()
                }
            }
            let error = loop {
                match source.next().await {
                    Ok(Some(piece)) => given += piece.len(),
                    Ok(None) => panic!("an end after {given} bytes: {appended} {left:?}"),
                    Err(error) => break error,
                }
            };
            let told = match (left, appended) {
                (None, _) => error == BlobError::Missing,
                (Some(_), false) => error == BlobError::Damaged,
                (Some(_), true) => matches!(error, BlobError::Unavailable(_)),
            };
            assert!(told && given < content.len(), "{error:?} after {given} bytes: {appended} {left:?}");
        }
    }
}

#[tokio::test]
async fn an_upload_that_lost_its_end_is_not_sealed_and_not_gone_on_with() {
    let cluster = Plan::new().start().unwrap();
    let store = store(&cluster, DEADLINE);
    let partial = append(&*store, None, &bytes(1, 1000)).await;
    let path = file(&cluster, &BlobKey::new(&partial.state).unwrap());
    std::fs::write(&path, bytes(1, 999)).unwrap();
    assert_eq!(store.append(Some(&partial), Bytes::from_static(b"more")).await, Err(BlobError::Damaged));
    let sealed = store.seal(&partial).await;
    assert!(matches!(sealed, Err(BlobError::Unavailable(_))), "{sealed:?}");
}

#[tokio::test]
async fn a_cluster_without_room_is_full() {
    let mut cluster = Plan::new().start().unwrap();
    let store = store(&cluster, DEADLINE);
    let partial = append(&*store, None, b"first").await;
    cluster.stop().unwrap();
    for node in cluster.trackers.iter().chain(&cluster.storages) {
        node.configure("reserved_storage_space", "900000GB").unwrap();
    }
    // It is not ready in the usual sense: there is no storage that takes uploads.
    let binary = cluster.binary().to_path_buf();
    cluster.trackers[0].start(&binary).unwrap();
    cluster.storages[0].start(&binary).unwrap();
    let mut last = Ok(());
    for _ in 0..300 {
        last = store.put(count(1), &mut suite::Pieces::of(b"x")).await.map(|_| ());
        if last == Err(BlobError::Full) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last, Err(BlobError::Full));
    assert_eq!(store.append(None, Bytes::from_static(b"x")).await, Err(BlobError::Full));
    assert!(store.seal(&partial).await.is_ok());
}

#[tokio::test]
async fn what_is_no_key_or_state_of_a_cluster_is_refused() {
    let cluster = Plan::new().start().unwrap();
    let store = store(&cluster, DEADLINE);
    for text in ["0123456789abcdef0123456789abcdef@1", "no key", "../../etc/passwd@1", "group1/M00@1"] {
        let Some(key) = BlobKey::new(text) else { continue };
        let outcome = read(&*store, &key, 0, 1).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{text}: {outcome:?}");
        let outcome = store.delete(&key).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{text}: {outcome:?}");
    }
    let key = put(&*store, b"four").await;
    for (offset, length) in [(0, 5), (4, 1), (5, 0), (usize::MAX >> 1, 1)] {
        let outcome = read(&*store, &key, offset, length).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{offset}, {length}: {outcome:?}");
    }
    let mut partial = append(&*store, None, b"four").await;
    for piece in [vec![], vec![0; PIECE_BYTES_MAX + 1]] {
        let outcome = store.append(Some(&partial), Bytes::from(piece)).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{outcome:?}");
    }
    partial.length = ByteCount::ZERO;
    let outcome = store.append(Some(&partial), Bytes::from_static(b"x")).await;
    assert!(matches!(outcome, Err(BlobError::Refused(_))), "{outcome:?}");
}
