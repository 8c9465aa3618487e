//! What the store promises of small files that are packed, on a real file system.
//!
//! A crash here is a store that is dropped without being closed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use store::{Content, Durability, NewName, Packing, Store, StoreError, StoreSettings};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const NOW: u32 = 1_751_328_000;
const MAX: usize = 16 * 1024;

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        binlog_dir: dir.join("data/sync"),
        paths: vec![dir.to_owned()],
        durability: Durability::Disk,
        inline_max: 64 * 1024,
        journal_len: 4 << 20,
        packing: Packing { file_len_max: Some(MAX), pack_len: 1 << 20, dead_percent: 50, rewrite_rate: 0 },
        commit_wait: Duration::ZERO,
    }
}

fn open(dir: &TempDir) -> Store {
    Store::open(&settings(dir.path())).unwrap().0
}

fn name(number: u32) -> FileName {
    let size = SizeWord::normal(5, number);
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: number };
    build_name(M00, (0, 1), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), number)
}

fn appender(number: u32) -> FileName {
    let size = SizeWord::appender(number);
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: number };
    build_name(M00, (0, 1), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), number)
}

fn content(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(1 + number as usize % 1000)
}

async fn put(store: &Store, name: &FileName, content: &[u8]) {
    let content = Content::Bytes(content.to_vec().into());
    store.create(M00, NewName::Fixed(name.clone()), content, NOW).await.unwrap();
}

async fn get(store: &Store, name: &FileName) -> Result<Vec<u8>, StoreError> {
    let stored = store.open_file(name).await?;
    let read = stored.read(0, stored.len as usize).await?;
    let mut cached = vec![0; stored.len as usize];
    assert!(stored.read_cached(&mut cached, 0));
    assert_eq!(read, cached);
    Ok(read)
}

fn plain_files(dir: &TempDir) -> Vec<PathBuf> {
    let folder = dir.path().join("data/00/01");
    fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default()
}

fn binlog(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("data/sync/binlog.000")).unwrap()
}

#[tokio::test]
async fn a_small_file_has_no_file_of_its_own_and_is_there_after_a_crash_and_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, &name(1), &content(1)).await;
    put(&store, &name(2), &[]).await;
    put(&store, &name(3), &[3; MAX + 1]).await;
    put(&store, &appender(4), &content(4)).await;
    let check = async |store: &Store| {
        assert_eq!(get(store, &name(1)).await.unwrap(), content(1));
        assert_eq!(get(store, &name(2)).await.unwrap(), []);
        assert_eq!(get(store, &name(3)).await.unwrap(), [3; MAX + 1]);
        assert_eq!(store.open_file(&name(1)).await.unwrap().mtime().await.unwrap(), i64::from(NOW));
        assert_eq!(plain_files(&dir).len(), 2, "the large one and the appender");
    };
    check(&store).await;
    drop(store);
    let store = open(&dir);
    check(&store).await;
    store.close().unwrap();
    drop(store);
    let lines = binlog(&dir);
    let store = open(&dir);
    check(&store).await;
    assert_eq!(binlog(&dir), lines);
    assert_eq!(lines.lines().count(), 4, "{lines}");
}

#[tokio::test]
async fn metadata_of_a_packed_file_is_packed_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir);
    put(&store, &name(1), &content(1)).await;
    for (round, text) in ["one", "two", "three"].into_iter().enumerate() {
        let set = Box::new(move |_: Option<&[u8]>| Some(text.as_bytes().to_vec()));
        store.set_metadata(name(1), NOW + 1 + round as u32, set).await.unwrap();
        drop(store);
        store = open(&dir);
        assert_eq!(store.metadata(&name(1)).await.unwrap().unwrap(), text.as_bytes());
    }
    store.delete(name(1), NOW + 9).await.unwrap();
    let gone = async |store: &Store| {
        assert!(matches!(store.metadata(&name(1)).await, Err(StoreError::NotFound)));
        assert!(matches!(store.open_file(&name(1).metadata_name()).await, Err(StoreError::NotFound)));
    };
    gone(&store).await;
    drop(store);
    gone(&open(&dir)).await;
    assert_eq!(plain_files(&dir), Vec::<PathBuf>::new());
    let ops: String = binlog(&dir).lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(ops, "CCUUDD");
}

#[tokio::test]
async fn a_deleted_name_can_be_used_again_and_stays_deleted_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, &name(1), b"first").await;
    let again = store.create(M00, NewName::Fixed(name(1)), Content::Bytes(vec![].into()), NOW).await;
    assert!(matches!(again, Err(StoreError::Exists)));
    store.delete(name(1), NOW).await.unwrap();
    assert!(matches!(store.delete(name(1), NOW).await, Err(StoreError::NotFound)));
    drop(store);
    let store = open(&dir);
    assert!(matches!(get(&store, &name(1)).await, Err(StoreError::NotFound)));
    put(&store, &name(1), b"second").await;
    drop(store);
    assert_eq!(get(&open(&dir), &name(1)).await.unwrap(), b"second");
}

#[tokio::test]
async fn a_packed_file_is_no_appender() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, &name(1), b"packed").await;
    let more = Content::Bytes(b"more".to_vec().into());
    assert!(matches!(store.append(name(1), more, NOW).await, Err(StoreError::NotAppender)));
    assert!(matches!(store.truncate(name(1), 1, NOW).await, Err(StoreError::NotAppender)));
    assert!(matches!(store.appender_size(&name(1)).await, Err(StoreError::NotAppender)));
    let renamed = store.regenerate(name(1), |_, _, _, _| name(2)).await;
    assert!(matches!(renamed, Err(StoreError::NotAppender)));
    assert_eq!(get(&store, &name(1)).await.unwrap(), b"packed");
}

#[tokio::test]
async fn lines_that_the_binlog_lost_come_back_from_the_packs_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for number in 0..20 {
        put(&store, &name(number), &content(number)).await;
    }
    store.delete(name(7), NOW + 1).await.unwrap();
    store.binlog().flush().unwrap();
    let before = binlog(&dir);
    drop(store);
    // What a power cut may take: whatever was not synced.
    fs::write(dir.path().join("data/sync/binlog.000"), &before[..before.len() / 2]).unwrap();
    drop(open(&dir));
    assert_eq!(binlog(&dir), before);
}

#[tokio::test]
async fn a_line_is_not_taken_for_an_equal_one_of_a_sealed_pack() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    // Something for the journal, which goes back to the beginning of the binlog.
    put(&store, &appender(1), b"plain").await;
    put(&store, &name(1), b"packed").await;
    let set = |text: &'static [u8]| store.set_metadata(name(1), NOW, Box::new(|_| Some(text.to_vec())));
    set(b"one").await.unwrap();
    set(b"two").await.unwrap();
    // So much that the first pack is sealed.
    for number in 2..80 {
        put(&store, &name(number), &[0; MAX]).await;
    }
    let hint = dir.path().join("data/.cairn/packs/000000000001.hint");
    let started = std::time::Instant::now();
    while !hint.exists() {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::task::yield_now().await;
    }
    set(b"three").await.unwrap();
    store.binlog().flush().unwrap();
    drop(store);
    let before = binlog(&dir);
    let lost = before.lines().last().unwrap();
    assert_eq!(lost, format!("{NOW} U {}", name(1).metadata_name()));
    assert_eq!(before.lines().filter(|line| line == &lost).count(), 2);
    fs::write(dir.path().join("data/sync/binlog.000"), &before[..before.len() - lost.len() - 1]).unwrap();
    drop(open(&dir));
    assert_eq!(binlog(&dir), before);
}

#[tokio::test]
async fn a_change_waits_for_company_as_long_as_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let commit_wait = Duration::from_millis(100);
    let store = Store::open(&StoreSettings { commit_wait, ..settings(dir.path()) }).unwrap().0;
    let started = std::time::Instant::now();
    put(&store, &name(1), b"alone").await;
    assert!(started.elapsed() >= commit_wait);
    assert_eq!(get(&store, &name(1)).await.unwrap(), b"alone");
}

#[tokio::test]
async fn with_packing_off_packed_files_are_served_and_deleted_and_no_more_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, &name(1), b"packed").await;
    put(&store, &name(2), b"packed").await;
    store.close().unwrap();
    drop(store);
    let off = StoreSettings { packing: Packing::OFF, ..settings(dir.path()) };
    let store = Store::open(&off).unwrap().0;
    put(&store, &name(3), b"plain").await;
    store.delete(name(1), NOW).await.unwrap();
    drop(store);
    let store = Store::open(&off).unwrap().0;
    assert!(matches!(get(&store, &name(1)).await, Err(StoreError::NotFound)));
    assert_eq!(get(&store, &name(2)).await.unwrap(), b"packed");
    assert_eq!(get(&store, &name(3)).await.unwrap(), b"plain");
    assert_eq!(plain_files(&dir).len(), 1);
}

#[tokio::test]
async fn many_packs_are_found_again_with_their_hints_without_them_and_with_another_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for number in 0..3000 {
        put(&store, &name(number), &content(number)).await;
    }
    for number in (0..3000).step_by(3) {
        store.delete(name(number), NOW).await.unwrap();
    }
    store.close().unwrap();
    drop(store);
    let check = async |store: &Store| {
        for number in 0..3000 {
            let found = get(store, &name(number)).await;
            match number % 3 {
                0 => assert!(matches!(found, Err(StoreError::NotFound)), "{number}"),
                _ => assert_eq!(found.unwrap(), content(number)),
            }
        }
        assert_eq!(store.pack_usage(M00).unwrap().files, 2000);
    };
    let packs = dir.path().join("data/.cairn/packs");
    assert!(fs::read_dir(&packs).unwrap().count() > 8);
    check(&open(&dir)).await;
    for entry in fs::read_dir(&packs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "hint") {
            fs::remove_file(path).unwrap();
        }
    }
    let lines = binlog(&dir);
    check(&open(&dir)).await;
    fs::remove_file(packs.join("key")).unwrap();
    check(&open(&dir)).await;
    assert_eq!(binlog(&dir), lines, "no line was added twice");
}
