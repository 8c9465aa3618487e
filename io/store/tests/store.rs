//! What the store promises, on a real file system: files, journal, binlog, crashes.
//!
//! A crash here is a store that is dropped without being closed; what a crash of the machine takes away on
//! top (pages that never reached the disk) is taken away by hand before the store is opened again.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use store::{
    Content, Durability, MetadataUpdate, NewName, OpenReport, Packing, Store, StoreError, StoreSettings,
    WhichCopy,
};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const NOW: u32 = 1_751_328_000;

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        binlog_dir: dir.join("data/sync"),
        paths: vec![dir.to_owned()],
        durability: Durability::Disk,
        inline_max: 64 * 1024,
        journal_len: 4 << 20,
        packing: Packing::OFF,
        commit_wait: Duration::ZERO,
    }
}

fn open(dir: &TempDir) -> (Store, OpenReport) {
    Store::open(&settings(dir.path())).unwrap()
}

fn name(random: u32, size: SizeWord) -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: 7 };
    build_name(M00, (0, 1), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
}

fn normal(random: u32) -> FileName {
    name(random, SizeWord::normal(5, random))
}

fn appender(random: u32) -> FileName {
    name(random, SizeWord::appender(random))
}

async fn put(store: &Store, name: &FileName, content: &[u8]) {
    store.create(M00, NewName::Fixed(name.clone()), bytes(content), NOW).await.unwrap();
}

fn bytes(content: &[u8]) -> Content {
    Content::Bytes(content.to_vec().into())
}

fn meta(update: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>> + Send + 'static) -> MetadataUpdate {
    Box::new(update)
}

async fn staged(store: &Store, content: &[u8]) -> Content {
    let mut staged = store.stage(M00, content.len() as u64).await.unwrap();
    staged.write(content.to_vec()).await.unwrap();
    Content::Staged(staged)
}

fn on_disk(dir: &TempDir, name: &FileName) -> PathBuf {
    dir.path().join("data").join(name.true_name())
}

fn read(dir: &TempDir, name: &FileName) -> Option<Vec<u8>> {
    fs::read(on_disk(dir, name)).ok()
}

fn binlog(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("data/sync/binlog.000")).unwrap()
}

fn own_files(dir: &TempDir, folder: &str) -> usize {
    fs::read_dir(dir.path().join("data/.cairn").join(folder)).unwrap().count()
}

#[tokio::test]
async fn a_new_file_has_its_content_its_time_and_its_binlog_line() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    assert_eq!(read(&dir, &normal(1)).unwrap(), b"hello");
    let stored = store.open_file(&normal(1)).await.unwrap();
    assert_eq!((stored.len, stored.mtime().await.unwrap()), (5, i64::from(NOW)));
    store.close().unwrap();
    assert_eq!(binlog(&dir), format!("{NOW} C {}\n", normal(1)));
}

#[tokio::test]
async fn an_orderly_end_leaves_an_empty_journal_and_nothing_to_do_again() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.close().unwrap();
    drop(store);
    assert_eq!((own_files(&dir, "journal"), own_files(&dir, "tmp")), (0, 0));
    let (_, report) = open(&dir);
    assert_eq!(report, OpenReport { redone: 0, damaged: 0 });
}

#[tokio::test]
async fn d1_a_file_whose_pages_were_lost_in_a_power_cut_comes_back_from_the_journal() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    put(&store, &normal(2), b"world").await;
    drop(store);
    fs::remove_file(on_disk(&dir, &normal(1))).unwrap();
    fs::write(on_disk(&dir, &normal(2)), b"wo").unwrap();
    let (store, report) = open(&dir);
    assert_eq!(report, OpenReport { redone: 2, damaged: 0 });
    assert_eq!(read(&dir, &normal(1)).unwrap(), b"hello");
    assert_eq!(read(&dir, &normal(2)).unwrap(), b"world");
    assert_eq!(store.open_file(&normal(1)).await.unwrap().mtime().await.unwrap(), i64::from(NOW));
    assert_eq!(binlog(&dir), format!("{NOW} C {}\n{NOW} C {}\n", normal(1), normal(2)));
}

#[tokio::test]
async fn binlog_lines_that_are_there_already_are_not_added_twice_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.binlog().flush().unwrap();
    put(&store, &normal(2), b"world").await;
    drop(store);
    open(&dir);
    assert_eq!(binlog(&dir), format!("{NOW} C {}\n{NOW} C {}\n", normal(1), normal(2)));
}

#[tokio::test]
async fn a_torn_batch_at_the_end_of_the_journal_was_never_acknowledged_and_is_left_out() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    put(&store, &normal(2), b"world").await;
    drop(store);
    let segment =
        fs::read_dir(dir.path().join("data/.cairn/journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(5).rposition(|window| window == b"world").unwrap();
    bytes[at] ^= 0xff;
    fs::write(&segment, bytes).unwrap();
    fs::remove_file(on_disk(&dir, &normal(2))).unwrap();
    let (_, report) = open(&dir);
    assert_eq!(report, OpenReport { redone: 1, damaged: 0 });
    assert_eq!(read(&dir, &normal(2)), None);
}

#[tokio::test]
async fn damage_in_the_middle_of_the_journal_is_reported_and_the_rest_is_kept() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    for (random, content) in [(1, b"first"), (2, b"secon"), (3, b"third")] {
        put(&store, &normal(random), content).await;
    }
    drop(store);
    let segment =
        fs::read_dir(dir.path().join("data/.cairn/journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(5).position(|window| window == b"secon").unwrap();
    bytes[at] ^= 0xff;
    fs::write(&segment, bytes).unwrap();
    fs::remove_file(on_disk(&dir, &normal(3))).unwrap();
    let (_, report) = open(&dir);
    assert_eq!(report, OpenReport { redone: 2, damaged: 1 });
    assert_eq!(read(&dir, &normal(3)).unwrap(), b"third");
}

#[tokio::test]
async fn d16_a_deleted_file_does_not_come_back_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.delete(normal(1), NOW + 1).await.unwrap();
    drop(store);
    fs::write(on_disk(&dir, &normal(1)), b"hello").unwrap();
    open(&dir);
    assert_eq!(read(&dir, &normal(1)), None);
    assert_eq!(binlog(&dir), format!("{NOW} C {0}\n{1} D {0}\n", normal(1), NOW + 1));
}

#[tokio::test]
async fn a_name_used_again_after_a_delete_keeps_its_newer_file_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    for content in [b"one".repeat(50_000), b"two".repeat(60_000)] {
        let content = staged(&store, &content).await;
        let _ = store.delete(normal(1), NOW).await;
        store.create(M00, NewName::Fixed(normal(1)), content, NOW).await.unwrap();
    }
    drop(store);
    open(&dir);
    assert_eq!(read(&dir, &normal(1)).unwrap(), b"two".repeat(60_000));
}

/// What comes slowly was written before the second that its name and its record have.
#[tokio::test]
async fn a_staged_file_has_the_time_of_its_record_whenever_it_was_written() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    let content = staged(&store, &[9; 200_000]).await;
    let temp = fs::File::options().write(true).open(dir.path().join("data/.cairn/tmp/1")).unwrap();
    let now = SystemTime::now();
    temp.set_modified(now - Duration::from_secs(60)).unwrap();
    let time = u32::try_from(now.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    store.create(M00, NewName::Fixed(normal(1)), content, time).await.unwrap();
    assert_eq!(store.open_file(&normal(1)).await.unwrap().mtime().await.unwrap(), i64::from(time));
}

#[tokio::test]
async fn a_staged_file_adopted_before_a_crash_is_there_after_it() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    let content = staged(&store, &[9; 200_000]).await;
    store.create(M00, NewName::Fixed(normal(1)), content, NOW).await.unwrap();
    drop(store);
    // The rename had not reached the disk.
    fs::rename(on_disk(&dir, &normal(1)), dir.path().join("data/.cairn/tmp/1")).unwrap();
    open(&dir);
    assert_eq!(read(&dir, &normal(1)).unwrap(), vec![9; 200_000]);
    assert_eq!(own_files(&dir, "tmp"), 0);
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_no_file_and_gives_its_space_back() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    let mut content = store.stage(M00, 200_000).await.unwrap();
    assert_eq!(store.usage(M00).unwrap().promised, 200_000);
    content.write(vec![9; 150_000]).await.unwrap();
    assert_eq!(store.usage(M00).unwrap().promised, 50_000, "what is written shows in the free space");
    assert_eq!(own_files(&dir, "tmp"), 1);
    drop(content);
    assert_eq!(store.usage(M00).unwrap().promised, 0);
    store.close().unwrap();
    drop(store);
    assert_eq!(own_files(&dir, "tmp"), 0);
}

#[tokio::test]
async fn d22_more_than_there_is_room_for_is_promised_to_nobody() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    let half = store.usage(M00).unwrap().free / 5 * 3;
    let first = store.stage(M00, half).await.unwrap();
    assert!(matches!(store.stage(M00, half).await, Err(StoreError::NoSpace)));
    assert_eq!(store.usage(M00).unwrap().promised, half);
    drop(first);
    store.stage(M00, half).await.unwrap();
}

#[tokio::test]
async fn d13_what_unfinished_uploads_left_is_removed_at_the_start() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    std::mem::forget(staged(&store, &[9; 200_000]).await);
    fs::write(dir.path().join("data/.cairn/tmp/77"), b"left").unwrap();
    let held = store;
    // Another process could not open it meanwhile.
    assert!(matches!(Store::open(&settings(dir.path())), Err(StoreError::Unusable { .. })));
    drop(held);
    fs::remove_file(dir.path().join("data/.cairn/lock")).unwrap();
    open(&dir);
    assert_eq!(own_files(&dir, "tmp"), 0);
}

#[tokio::test]
async fn d14_t21_a_taken_name_is_refused_when_it_is_fixed_and_avoided_when_it_is_fresh() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(0), b"hello").await;
    let again = store.create(M00, NewName::Fixed(normal(0)), bytes(b"other"), NOW).await;
    assert!(matches!(again, Err(StoreError::Exists)));
    let got = store.create(M00, NewName::fresh(normal), bytes(b"other"), NOW).await.unwrap();
    assert_eq!(got, normal(1));
    assert_eq!(read(&dir, &normal(0)).unwrap(), b"hello");
    let stuck = store.create(M00, NewName::fresh(|_| normal(0)), bytes(b"x"), NOW).await;
    assert!(matches!(stuck, Err(StoreError::NoName)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_share_syncs_and_each_finds_its_file() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(&dir).0);
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..32_u32 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for i in 0..20 {
                put(&store, &normal(writer * 100 + i), &writer.to_be_bytes().repeat(1000)).await;
            }
        });
    }
    tasks.join_all().await;
    for writer in 0..32_u32 {
        for i in 0..20 {
            let content = read(&dir, &normal(writer * 100 + i)).unwrap();
            assert_eq!(content, writer.to_be_bytes().repeat(1000));
        }
    }
    store.close().unwrap();
    assert_eq!(binlog(&dir).lines().count(), 640);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_journal_turns_over_and_a_crash_after_that_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut small = settings(dir.path());
    small.journal_len = 1 << 20;
    let (store, _) = Store::open(&small).unwrap();
    for i in 0..200 {
        put(&store, &normal(i), &[i as u8; 30_000]).await;
    }
    drop(store);
    let (store, report) = Store::open(&small).unwrap();
    assert!(report.redone > 0 && report.redone < 200, "{report:?}");
    assert_eq!(report.damaged, 0);
    for i in 0..200 {
        assert_eq!(read(&dir, &normal(i)).unwrap(), vec![i as u8; 30_000]);
    }
    store.close().unwrap();
    assert_eq!(binlog(&dir).lines().count(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_of_many_clients_stay_whole_and_follow_each_other() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(&dir).0);
    put(&store, &appender(1), b"").await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..16_u8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for size in [100, 100_000] {
                let bytes = vec![writer + 1; size];
                let content = if size > 64 * 1024 {
                    staged(&store, &bytes).await
                } else {
                    Content::Bytes(bytes.into())
                };
                store.append(appender(1), content, NOW).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let content = read(&dir, &appender(1)).unwrap();
    assert_eq!(content.len(), 16 * 100_100);
    let runs = content.chunk_by(|a, b| a == b).map(<[u8]>::len);
    assert!(runs.into_iter().all(|run| [100, 100_000, 100_100].contains(&run)));
    drop(store);
    // Half of it never reached the disk.
    fs::File::options().write(true).open(on_disk(&dir, &appender(1))).unwrap().set_len(700_000).unwrap();
    open(&dir);
    assert_eq!(read(&dir, &appender(1)).unwrap(), content);
}

#[tokio::test]
async fn modify_and_truncate_change_an_appender_and_are_done_again_in_order() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &appender(1), b"0123456789").await;
    store.modify(appender(1), 8, bytes(b"abcd"), NOW).await.unwrap();
    assert_eq!(store.truncate(appender(1), 9, NOW).await.unwrap(), 12);
    store.append(appender(1), bytes(b"Z"), NOW).await.unwrap();
    assert_eq!(store.truncate(appender(1), 12, NOW).await.unwrap(), 10);
    assert_eq!(read(&dir, &appender(1)).unwrap(), b"01234567aZ\0\0");
    let beyond = store.modify(appender(1), 13, bytes(b"x"), NOW).await;
    assert!(matches!(beyond, Err(StoreError::Offset)));
    drop(store);
    fs::write(on_disk(&dir, &appender(1)), b"").unwrap();
    open(&dir);
    assert_eq!(read(&dir, &appender(1)).unwrap(), b"01234567aZ\0\0");
    let n = appender(1);
    let expected =
        format!("{NOW} C {n}\n{NOW} M {n} 8 4\n{NOW} T {n} 12 9\n{NOW} A {n} 9 1\n{NOW} T {n} 10 12\n");
    assert_eq!(binlog(&dir), expected);
}

/// Creates an appender, cuts it and adds to it, through the journal and past it; what it holds then.
async fn change_an_appender(store: &Store) -> Vec<u8> {
    put(store, &appender(1), b"0123456789").await;
    store.truncate(appender(1), 4, NOW).await.unwrap();
    store.append(appender(1), staged(store, &[b'a'; 100_000]).await, NOW).await.unwrap();
    store.modify(appender(1), 50_000, staged(store, &[b'm'; 70_000]).await, NOW).await.unwrap();
    store.append(appender(1), bytes(b"end"), NOW).await.unwrap();
    [&b"0123"[..], &[b'a'; 49_996], &[b'm'; 70_000], b"end"].concat()
}

#[tokio::test]
async fn large_changes_of_an_appender_survive_a_crash_at_either_durability() {
    for durability in [Durability::Disk, Durability::Fastdfs] {
        let dir = TempDir::new().unwrap();
        let settings = StoreSettings { durability, ..settings(dir.path()) };
        let (store, _) = Store::open(&settings).unwrap();
        let expected = change_an_appender(&store).await;
        assert!(read(&dir, &appender(1)).unwrap() == expected);
        drop(store);
        let (store, report) = Store::open(&settings).unwrap();
        assert_eq!(report, OpenReport { redone: 5, damaged: 0 });
        assert!(read(&dir, &appender(1)).unwrap() == expected, "{durability:?}");
        store.close().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_segment_whose_changes_are_safe_is_not_done_again() {
    for durability in [Durability::Disk, Durability::Fastdfs] {
        let dir = TempDir::new().unwrap();
        let settings = StoreSettings { durability, journal_len: 1 << 20, ..settings(dir.path()) };
        let (store, _) = Store::open(&settings).unwrap();
        let expected = change_an_appender(&store).await;
        // Until the temporary files are gone, which the entries would need.
        let mut files = 0;
        while own_files(&dir, "tmp") > 0 {
            put(&store, &normal(files), &[1; 30_000]).await;
            files += 1;
            assert!(files < 100_000, "no checkpoint");
        }
        drop(store);
        let (_, report) = Store::open(&settings).unwrap();
        assert_eq!(report.damaged, 0);
        assert!(read(&dir, &appender(1)).unwrap() == expected, "{durability:?}");
    }
}

#[tokio::test]
async fn a_change_that_was_refused_when_it_was_due_is_not_done_by_the_next_start() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.set_metadata(normal(1), NOW, meta(|_| Some(b"a\x02b".to_vec()))).await.unwrap();
    // In the way: of all files of a folder, and of what metadata is written to first.
    let elsewhere = |random| {
        let stamp = Stamp {
            source: Source::Id(100_001),
            timestamp: NOW,
            size: SizeWord::normal(5, random),
            crc32: 7,
        };
        build_name(M00, (7, 7), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
    };
    let folder = dir.path().join("data/07");
    fs::write(&folder, "no folder").unwrap();
    let [first, second] = [elsewhere(2), elsewhere(3)];
    store.create(M00, NewName::Fixed(first.clone()), bytes(b"world"), NOW).await.unwrap_err();
    let large = staged(&store, &[b'x'; 100_000]).await;
    store.create(M00, NewName::Fixed(second.clone()), large, NOW).await.unwrap_err();
    let temp = replacing(&dir, &normal(1));
    fs::create_dir(&temp).unwrap();
    store.set_metadata(normal(1), NOW, meta(|_| Some(b"c\x02d".to_vec()))).await.unwrap_err();
    store.set_metadata(normal(1), NOW, meta(|_| None)).await.unwrap();
    store.set_metadata(normal(1), NOW, meta(|_| Some(b"e\x02f".to_vec()))).await.unwrap_err();
    drop(store);

    fs::remove_file(&folder).unwrap();
    fs::remove_dir(&temp).unwrap();
    let (store, report) = open(&dir);
    assert_eq!(report.damaged, 0);
    assert_eq!((read(&dir, &first), read(&dir, &second)), (None, None));
    assert_eq!(read(&dir, &normal(1)).unwrap(), b"hello");
    assert_eq!(read(&dir, &normal(1).metadata_name()), None);
    let (n, m) = (normal(1), normal(1).metadata_name());
    assert_eq!(binlog(&dir), format!("{NOW} C {n}\n{NOW} C {m}\n{NOW} D {m}\n"));
    store.close().unwrap();
    assert_eq!(own_files(&dir, "tmp"), 0);
}

#[tokio::test]
async fn a_file_that_could_not_be_renamed_keeps_its_name_at_the_next_start_too() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &appender(1), b"hello").await;
    store.set_metadata(appender(1), NOW, meta(|_| Some(b"a\x02b".to_vec()))).await.unwrap();
    let folder = dir.path().join("data/07");
    fs::write(&folder, "no folder").unwrap();
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size: SizeWord::normal(5, 2), crc32: 7 };
    let new = build_name(M00, (7, 7), &stamp, &ExtName::NONE, 2);
    let make = move |_, _, _, _| new.clone();
    store.regenerate(appender(1), make).await.unwrap_err();
    drop(store);
    fs::remove_file(&folder).unwrap();
    open(&dir);
    let (file, metadata) = (appender(1), appender(1).metadata_name());
    assert_eq!(read(&dir, &file).unwrap(), b"hello");
    assert_eq!(read(&dir, &metadata).unwrap(), b"a\x02b");
    assert_eq!(binlog(&dir), format!("{NOW} C {file}\n{NOW} C {metadata}\n"));
}

/// What metadata of a file is written to first.
fn replacing(dir: &TempDir, name: &FileName) -> PathBuf {
    let temp = format!("replace-{}", name.metadata_name().true_name().replace('/', "-"));
    dir.path().join("data/.cairn/tmp").join(temp)
}

#[tokio::test]
async fn a_change_that_could_not_be_done_leaves_what_was_acknowledged_before_it_to_the_next_start() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.set_metadata(normal(1), NOW, meta(|_| Some(b"a\x02b".to_vec()))).await.unwrap();
    let temp = replacing(&dir, &normal(1));
    fs::create_dir(&temp).unwrap();
    store.set_metadata(normal(1), NOW, meta(|_| Some(b"c\x02d".to_vec()))).await.unwrap_err();
    drop(store);
    fs::remove_dir(&temp).unwrap();
    // The power fails, and only the journal was synced.
    fs::write(on_disk(&dir, &normal(1).metadata_name()), b"").unwrap();
    let (store, _) = open(&dir);
    assert_eq!(store.metadata(&normal(1)).await.unwrap().unwrap(), b"a\x02b");
    let (n, m) = (normal(1), normal(1).metadata_name());
    assert_eq!(binlog(&dir), format!("{NOW} C {n}\n{NOW} C {m}\n"));

    // The same once more, of changes of an appender before a copy of it that could not be put in its place.
    put(&store, &appender(2), b"hello").await;
    store.append(appender(2), bytes(b" world"), NOW).await.unwrap();
    let temp = dir.path().join("data/.cairn/tmp");
    let temp = temp.join(format!("replace-{}", appender(2).true_name().replace('/', "-")));
    fs::create_dir(&temp).unwrap();
    let copy = store.receive_copy(appender(2), bytes(b"another one"), WhichCopy::Updated, NOW + 1).await;
    copy.unwrap_err();
    drop(store);
    fs::remove_dir(&temp).unwrap();
    fs::remove_file(on_disk(&dir, &appender(2))).unwrap();
    open(&dir);
    assert_eq!(read(&dir, &appender(2)).unwrap(), b"hello world");
}

/// A binlog that is about to begin its next file, and can't while the folder that is answered is there; after the store
/// was opened.
fn stuck_binlog(settings: &StoreSettings) -> (Store, PathBuf) {
    fs::create_dir_all(&settings.binlog_dir).unwrap();
    let log = fs::File::create(settings.binlog_dir.join("binlog.000")).unwrap();
    log.write_all_at(b"\n", (1 << 30) - 2).unwrap();
    let (store, _) = Store::open(settings).unwrap();
    let in_the_way = settings.binlog_dir.join("binlog.001");
    fs::create_dir(&in_the_way).unwrap();
    (store, in_the_way)
}

async fn try_put(store: &Store, number: u32, len: usize) -> Result<(), StoreError> {
    let content = Content::Bytes(vec![1; len].into());
    store.create(M00, NewName::Fixed(normal(number)), content, NOW).await.map(drop)
}

/// Puts files of so many bytes until one is refused; the first number that was not put.
async fn put_until_refused(store: &Store, from: u32, len: usize) -> u32 {
    for number in from..from + 100_000 {
        if try_put(store, number, len).await.is_err() {
            return number;
        }
    }
    panic!("nothing was refused");
}

/// Puts a file again and again until it is not refused.
async fn put_when_possible(store: &Store, number: u32, len: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = try_put(store, number, len).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_binlog_that_cannot_be_written_for_a_while_stops_changes_for_that_while_only() {
    for durability in [Durability::Disk, Durability::Fastdfs] {
        let dir = TempDir::new().unwrap();
        let settings = StoreSettings { durability, journal_len: 1 << 20, ..settings(dir.path()) };
        let (store, in_the_way) = stuck_binlog(&settings);
        let refused = put_until_refused(&store, 0, 30_000).await;
        assert!(try_put(&store, refused, 30_000).await.is_err());
        fs::remove_dir(in_the_way).unwrap();
        put_when_possible(&store, refused, 30_000).await;
        for number in refused + 1..refused + 100 {
            try_put(&store, number, 30_000).await.unwrap();
        }
        store.close().unwrap();
        drop(store);
        assert_eq!(own_files(&dir, "journal"), 0);
        // Nothing but these lines was written to the first log before it was full.
        let mut lines = vec![0; 1 << 20];
        let log = fs::File::open(settings.binlog_dir.join("binlog.000")).unwrap();
        let len = log.read_at(&mut lines, (1 << 30) - 1).unwrap();
        lines.truncate(len);
        lines.extend(fs::read(settings.binlog_dir.join("binlog.001")).unwrap());
        let made = lines.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(made as u32, refused + 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn packs_that_are_full_while_the_binlog_cannot_be_written_are_closed_when_it_can() {
    let dir = TempDir::new().unwrap();
    // A pack for each.
    let packing = Packing { file_len_max: Some(16 * 1024), pack_len: 1, ..Packing::OFF };
    let (store, in_the_way) = stuck_binlog(&StoreSettings { packing, ..settings(dir.path()) });
    for number in 0..10 {
        try_put(&store, number, 100).await.unwrap();
    }
    let hints = || {
        let packs = fs::read_dir(dir.path().join("data/.cairn/packs")).unwrap();
        packs
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "hint"))
            .count()
    };
    assert!(hints() < 9);
    fs::remove_dir(in_the_way).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while hints() < 9 {
        assert!(Instant::now() < deadline, "{}", hints());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close().unwrap();
}

/// A name in a folder that `data/07` is in the way of.
fn in_seventh_folder() -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size: SizeWord::normal(1, 1), crc32: 7 };
    build_name(M00, (7, 7), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), 1)
}

/// A store whose journal can't begin its third segment, and whose first two hold large files and then `fill` small ones,
/// each a block, or as many as there is room for; what is in the way of the segment and of the binlog; the numbers of the
/// first small file and of the first that is not there.
async fn full_segments(dir: &TempDir, fill: Option<u32>) -> (Store, [PathBuf; 2], [u32; 2]) {
    let settings =
        StoreSettings { durability: Durability::Fastdfs, journal_len: 96 << 20, ..settings(dir.path()) };
    let (store, log) = stuck_binlog(&settings);
    let segment = dir.path().join("data/.cairn/journal/000000000003.journal");
    fs::create_dir(&segment).unwrap();
    let small = put_until_refused(&store, 0, 60_000).await;
    let end = match fill {
        None => put_until_refused(&store, small, 1).await,
        Some(fill) => {
            for number in small..small + fill {
                try_put(&store, number, 1).await.unwrap();
            }
            small + fill
        }
    };
    (store, [segment, log], [small, end])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_segment_that_cannot_be_made_at_the_moment_stops_changes_for_that_moment_only() {
    let dir = TempDir::new().unwrap();
    let (store, [segment, _], [small, end]) = full_segments(&dir, None).await;
    assert!(matches!(try_put(&store, end, 1).await, Err(StoreError::Io(_))));
    fs::remove_dir(segment).unwrap();
    try_put(&store, end, 1).await.unwrap();
    drop(store);

    // With room for one more change, and for taking it back.
    let dir = TempDir::new().unwrap();
    let (store, in_the_way, [_, end]) = full_segments(&dir, Some(end - small - 1)).await;
    let folder = dir.path().join("data/07");
    fs::write(&folder, "no folder").unwrap();
    let refused = in_seventh_folder();
    store.create(M00, NewName::Fixed(refused.clone()), bytes(b"x"), NOW).await.unwrap_err();
    assert!(try_put(&store, end, 1).await.is_err());
    fs::remove_dir(&in_the_way[0]).unwrap();
    try_put(&store, end, 1).await.unwrap();
    drop(store);
    fs::remove_file(folder).unwrap();
    fs::remove_dir(&in_the_way[1]).unwrap();
    open(&dir);
    assert_eq!(read(&dir, &refused), None);
    assert_eq!(read(&dir, &normal(end)).unwrap(), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_that_was_refused_is_not_done_by_the_next_start_though_the_journal_had_no_room_for_more() {
    let dir = TempDir::new().unwrap();
    let (store, _, [small, end]) = full_segments(&dir, None).await;
    drop(store);
    // With room for one more change.
    let dir = TempDir::new().unwrap();
    let (store, in_the_way, _) = full_segments(&dir, Some(end - small - 1)).await;
    let folder = dir.path().join("data/07");
    fs::write(&folder, "no folder").unwrap();
    let refused = in_seventh_folder();
    store.create(M00, NewName::Fixed(refused.clone()), bytes(b"x"), NOW).await.unwrap_err();
    drop(store);
    fs::remove_file(folder).unwrap();
    in_the_way.iter().for_each(|way| fs::remove_dir(way).unwrap());
    open(&dir);
    assert_eq!(read(&dir, &refused), None);
}

#[tokio::test]
async fn only_appenders_can_be_changed() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    let refused = store.append(normal(1), bytes(b"x"), NOW).await;
    assert!(matches!(refused, Err(StoreError::NotAppender)));
    assert!(matches!(store.truncate(normal(1), 0, NOW).await, Err(StoreError::NotAppender)));
    assert!(matches!(store.append(appender(9), bytes(b"x"), NOW).await, Err(StoreError::NotFound)));
}

/// A regenerated file keeps its time, so its line may be older than those before it.
#[tokio::test]
async fn lines_that_the_binlog_lost_come_back_in_the_order_of_the_changes_whatever_their_times() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &appender(1), b"hello").await;
    store.set_metadata(appender(1), NOW + 5, meta(|_| Some(b"a\x02b".to_vec()))).await.unwrap();
    let new = normal(2);
    let made = new.clone();
    store.regenerate(appender(1), move |_, _, _, _| made.clone()).await.unwrap();
    drop(store);
    open(&dir);
    let (old_meta, new_meta) = (appender(1).metadata_name(), new.metadata_name());
    let changes: Vec<String> =
        binlog(&dir).lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(
        changes,
        [
            format!("C {}", appender(1)),
            format!("C {old_meta}"),
            format!("R {new} {}", appender(1)),
            format!("C {new_meta}"),
            format!("D {old_meta}"),
        ]
    );
}

#[tokio::test]
async fn d18_a_regenerated_file_moves_with_its_metadata() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &appender(1), b"hello fastdfs\n").await;
    store.set_metadata(appender(1), NOW, meta(|_| Some(b"k\x02v".to_vec()))).await.unwrap();
    let make = |time, size, crc32, attempt| {
        // That of the file's last change, as its replicas have it.
        assert_eq!((time, size, crc32), (NOW, 14, 0x0e10_ba5d));
        normal(50 + attempt)
    };
    let new = store.regenerate(appender(1), make).await.unwrap();
    assert_eq!(new, normal(50));
    assert_eq!(read(&dir, &appender(1)), None);
    assert_eq!(read(&dir, &new).unwrap(), b"hello fastdfs\n");
    assert_eq!(store.metadata(&new).await.unwrap().unwrap(), b"k\x02v");
    drop(store);
    open(&dir);
    assert_eq!(read(&dir, &new).unwrap(), b"hello fastdfs\n");
    let (old, new) = (appender(1), normal(50));
    let expected =
        format!("{NOW} C {old}\n{NOW} C {old}-m\n{NOW} R {new} {old}\n{NOW} C {new}-m\n{NOW} D {old}-m\n");
    assert_eq!(binlog(&dir), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn metadata_merged_by_many_clients_at_once_keeps_every_key() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(&dir).0);
    put(&store, &normal(1), b"hello").await;
    let mut tasks = tokio::task::JoinSet::new();
    for key in b'a'..=b'p' {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let add = meta(move |old| {
                let mut new = old.unwrap_or_default().to_vec();
                new.push(key);
                Some(new)
            });
            store.set_metadata(normal(1), NOW, add).await.unwrap();
        });
    }
    tasks.join_all().await;
    let mut keys = store.metadata(&normal(1)).await.unwrap().unwrap();
    keys.sort_unstable();
    assert_eq!(keys, b"abcdefghijklmnop");
}

#[tokio::test]
async fn deleting_a_file_deletes_its_metadata() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.set_metadata(normal(1), NOW, meta(|_| Some(b"k\x02v".to_vec()))).await.unwrap();
    store.delete(normal(1), NOW).await.unwrap();
    assert!(!on_disk(&dir, &normal(1).metadata_name()).exists());
    assert!(matches!(store.delete(normal(1), NOW).await, Err(StoreError::NotFound)));
    assert!(matches!(store.metadata(&normal(1)).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn a_link_out_of_the_store_is_not_followed_and_one_within_it_is() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    std::os::unix::fs::symlink("/etc/passwd", on_disk(&dir, &normal(2))).unwrap();
    std::os::unix::fs::symlink(on_disk(&dir, &normal(1)), on_disk(&dir, &normal(3))).unwrap();
    assert!(matches!(store.open_file(&normal(2)).await, Err(StoreError::NotFound)));
    assert_eq!(store.open_file(&normal(3)).await.unwrap().len, 5);
    fs::create_dir(on_disk(&dir, &normal(4))).unwrap();
    assert!(matches!(store.open_file(&normal(4)).await, Err(StoreError::NotRegular)));
}

#[tokio::test]
async fn d5_an_incomplete_line_at_the_end_of_the_binlog_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let sync = dir.path().join("data/sync");
    fs::create_dir_all(&sync).unwrap();
    fs::write(sync.join("binlog.000"), "1 C M00/00/00/a\n2 C M00/0").unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.close().unwrap();
    assert_eq!(binlog(&dir), format!("1 C M00/00/00/a\n{NOW} C {}\n", normal(1)));
}

#[tokio::test]
async fn d28_the_newest_binlog_is_found_without_the_index_file_and_an_existing_one_is_never_removed() {
    let dir = TempDir::new().unwrap();
    let sync = dir.path().join("data/sync");
    fs::create_dir_all(&sync).unwrap();
    fs::write(sync.join("binlog.000"), "1 C M00/00/00/a\n").unwrap();
    fs::write(sync.join("binlog.001"), "2 C M00/00/00/b\n").unwrap();
    fs::write(sync.join("binlog_index.dat"), "").unwrap();
    let (store, _) = open(&dir);
    put(&store, &normal(1), b"hello").await;
    store.close().unwrap();
    assert_eq!(binlog(&dir), "1 C M00/00/00/a\n");
    let newest = fs::read_to_string(sync.join("binlog.001")).unwrap();
    assert_eq!(newest, format!("2 C M00/00/00/b\n{NOW} C {}\n", normal(1)));
    assert_eq!(
        fs::read_to_string(sync.join("binlog_index.dat")).unwrap(),
        "current_write=1\ncurrent_compress=0\n"
    );
}
