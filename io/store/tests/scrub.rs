//! The check of an open store: what it finds, how fast it goes, where it goes on; and what becomes of what it found.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use store::fsck::{Event, FsckSettings, Mark, Pace};
use store::{
    Content, Durability, Mended, NewName, Packing, Store, StoreError, StoreSettings, Verdict, WhichCopy,
};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const MADE: u32 = 1_751_328_000;

struct Site {
    dir: TempDir,
    packs: bool,
}

impl Site {
    fn new(packs: bool) -> Self {
        Self { dir: TempDir::new().unwrap(), packs }
    }

    fn open(&self) -> Store {
        let root = self.dir.path().to_owned();
        let packing = Packing { file_len_max: Some(16 * 1024), pack_len: 1 << 20, ..Packing::OFF };
        let settings = StoreSettings {
            binlog_dir: root.join("data/sync"),
            paths: vec![root],
            durability: Durability::Disk,
            inline_max: 64 * 1024,
            journal_len: 4 << 20,
            packing: if self.packs { packing } else { Packing::OFF },
            commit_wait: Duration::ZERO,
        };
        Store::open(&settings).unwrap().0
    }

    fn settings(&self) -> FsckSettings {
        let root = self.dir.path().to_owned();
        FsckSettings {
            content: true,
            threads: 1,
            settle: Duration::ZERO,
            ..FsckSettings::new(root.clone(), vec![root])
        }
    }

    fn on_disk(&self, name: &FileName) -> PathBuf {
        self.dir.path().join("data").join(name.true_name())
    }

    fn quarantine(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.dir.path().join("data/.cairn/quarantine")) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// A name for content, in a folder of its number.
fn name(number: u8, content: &[u8]) -> FileName {
    let stamp = Stamp {
        source: Source::Id(100_001),
        timestamp: MADE,
        size: SizeWord::normal(content.len() as u64, 1),
        crc32: crc32fast::hash(content),
    };
    let ext = ExtName::from_field(b"bin\0\0\0").unwrap();
    build_name(M00, (0, number), &stamp, &ext, number.into())
}

async fn create(store: &Store, number: u8, content: &[u8]) -> FileName {
    let name = NewName::Fixed(name(number, content));
    store.create(M00, name, Content::Bytes(content.to_vec().into()), MADE).await.unwrap()
}

/// Counts, and ends the check after so many bytes.
struct Counting {
    spent: AtomicU64,
    most: u64,
}

impl Counting {
    fn up_to(most: u64) -> Self {
        Self { spent: AtomicU64::new(0), most }
    }

    fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }
}

impl Pace for Counting {
    fn spend(&self, bytes: u64) -> bool {
        self.spent.fetch_add(bytes, Ordering::Relaxed);
        !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.spent() > self.most
    }
}

#[derive(Default)]
struct Seen {
    victims: Vec<FileName>,
    passed: Vec<Mark>,
    findings: Vec<String>,
}

/// A check on a thread of its own, as the writers answer it there.
fn scrub(site: &Site, store: &Store, from: Option<Mark>, pace: &Counting) -> Seen {
    let mut seen = Seen::default();
    std::thread::scope(|scope| {
        let check = || {
            store.scrub(&site.settings(), from, pace, &mut |event| match event {
                Event::Victim { name, .. } => seen.victims.push(name),
                Event::Passed(mark) => seen.passed.push(mark),
                Event::Finding(finding) => seen.findings.push(finding.to_string()),
                Event::Progress(_) => {}
            })
        };
        scope.spawn(check).join().unwrap().unwrap();
    });
    seen
}

fn everything() -> Counting {
    Counting::up_to(u64::MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_that_is_read_is_accounted_for() {
    for packs in [true, false] {
        let site = Site::new(packs);
        let store = site.open();
        let mut bytes = 0;
        for number in 0..40 {
            create(&store, number, &vec![number; 5000]).await;
            bytes += 5000;
        }
        let large = vec![7; 60_000];
        create(&store, 50, &large).await;
        let pace = everything();
        let seen = scrub(&site, &store, None, &pace);
        assert_eq!((seen.victims.len(), seen.findings.len()), (0, 0), "{:?}", seen.findings);
        assert!(pace.spent() >= bytes + 60_000, "{} of {bytes}", pace.spent());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_ended_says_nothing_more_and_goes_on_where_it_was() {
    let site = Site::new(false);
    let store = site.open();
    let mut names = Vec::new();
    for number in 0..40 {
        names.push(create(&store, number, &[number; 5000]).await);
    }
    for name in [&names[3], &names[30]] {
        fs::write(site.on_disk(name), b"torn").unwrap();
    }
    let whole = scrub(&site, &store, None, &everything());
    assert_eq!(whole.victims, [names[3].clone(), names[30].clone()]);
    assert_eq!(whole.passed.len(), 40);
    // About the half of it.
    let half = Counting::up_to(180_000);
    let first = scrub(&site, &store, None, &half);
    let reached = *first.passed.last().unwrap();
    assert_eq!(first.victims, [names[3].clone()]);
    assert_eq!(first.passed, whole.passed[..first.passed.len()]);
    let text: Mark = reached.to_string().parse().unwrap();
    let rest = scrub(&site, &store, Some(text), &everything());
    assert_eq!(rest.victims, [names[30].clone()]);
    assert_eq!(rest.passed, whole.passed[first.passed.len()..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_since_it_was_found_is_left_alone() {
    for packs in [true, false] {
        let site = Site::new(packs);
        let store = site.open();
        let name = create(&store, 1, b"content").await;
        let Verdict::Whole = store.verify(&name).await.unwrap() else { panic!("{name} is whole") };
        // Bad once, good again by another way, and then deleted.
        store.delete(name.clone(), MADE + 1).await.unwrap();
        let good = || Content::Bytes(b"content".to_vec().into());
        create(&store, 1, b"content").await;
        if !packs {
            fs::write(site.on_disk(&name), b"CONTENT").unwrap();
            let Verdict::Bad(bad) = store.verify(&name).await.unwrap() else { panic!("{name} is bad") };
            store.receive_copy(name.clone(), good(), WhichCopy::Created, MADE + 2).await.unwrap();
            assert_eq!(store.mend(&name, Some(&bad), good(), MADE).await.unwrap(), Mended::Changed);
            assert_eq!(store.set_aside(&name, &bad, MADE).await.unwrap(), Mended::Changed);
            store.delete(name.clone(), MADE + 3).await.unwrap();
            assert_eq!(store.mend(&name, Some(&bad), good(), MADE).await.unwrap(), Mended::Changed);
            assert_eq!(store.set_aside(&name, &bad, MADE).await.unwrap(), Mended::Changed);
            assert!(matches!(store.open_file(&name).await, Err(StoreError::NotFound)));
        }
        assert_eq!(site.quarantine(), [] as [String; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_that_is_deleted_before_it_is_restored_does_not_come_back() {
    let site = Site::new(false);
    let store = site.open();
    let (kept, deleted) = (create(&store, 1, b"kept").await, create(&store, 2, b"deleted").await);
    let content = |text: &[u8]| Content::Bytes(text.to_vec().into());
    for name in [&kept, &deleted] {
        fs::remove_file(site.on_disk(name)).unwrap();
    }
    // Before the records were looked at nobody knows that they should be here.
    assert_eq!(store.mend(&kept, None, content(b"kept"), MADE).await.unwrap(), Mended::Changed);
    let mut victims = scrub(&site, &store, None, &everything()).victims;
    victims.sort();
    let mut expected = vec![kept.clone(), deleted.clone()];
    expected.sort();
    assert_eq!(victims, expected);
    // A peer tells of the deletion; a client would be told that there is no such file.
    assert!(matches!(store.receive_delete(deleted.clone(), MADE + 1).await, Err(StoreError::NotFound)));
    assert_eq!(store.mend(&deleted, None, content(b"deleted"), MADE).await.unwrap(), Mended::Changed);
    assert_eq!(store.mend(&kept, None, content(b"kept"), MADE).await.unwrap(), Mended::Done);
    assert_eq!(store.mend(&kept, None, content(b"kept"), MADE).await.unwrap(), Mended::Changed);
    assert!(store.open_file(&kept).await.is_ok());
    assert!(matches!(store.open_file(&deleted).await, Err(StoreError::NotFound)));
    assert_eq!(scrub(&site, &store, None, &everything()).victims, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_as_bad_is_not_taken_and_the_bad_one_stays_where_it_is() {
    let site = Site::new(false);
    let store = site.open();
    let name = create(&store, 1, b"content").await;
    fs::write(site.on_disk(&name), b"CONTENT").unwrap();
    let Verdict::Bad(bad) = store.verify(&name).await.unwrap() else { panic!("{name} is bad") };
    let refused = store.mend(&name, Some(&bad), Content::Bytes(b"cOntent".to_vec().into()), MADE).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
    assert_eq!(fs::read(site.on_disk(&name)).unwrap(), b"CONTENT");
    assert_eq!(site.quarantine(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_aside_is_no_missing_file_to_readers_also_after_a_restart() {
    for packs in [true, false] {
        let site = Site::new(packs);
        let store = site.open();
        let name = create(&store, 1, b"content, once").await;
        // On the disk, wherever that is.
        let mut folders = vec![site.dir.path().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !path.ends_with("journal") {
                        folders.push(path);
                    }
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                if let Some(at) = bytes.windows(13).position(|part| part == b"content, once") {
                    fs::File::options()
                        .write(true)
                        .open(&path)
                        .unwrap()
                        .write_all_at(b"C", at as u64)
                        .unwrap();
                }
            }
        }
        let Verdict::Bad(bad) = store.verify(&name).await.unwrap() else { panic!("{name} is bad") };
        assert_eq!(store.set_aside(&name, &bad, MADE).await.unwrap(), Mended::Done);
        assert_eq!(store.set_aside_files(), std::slice::from_ref(&name));
        assert!(matches!(store.open_file(&name).await, Err(StoreError::SetAside)));
        assert!(matches!(store.verify(&name).await.unwrap(), Verdict::Missing));
        store.close().unwrap();
        drop(store);
        let log = fs::read_to_string(site.dir.path().join("data/sync/binlog.000")).unwrap();
        assert_eq!(log, format!("{MADE} C {name}\n"), "packs: {packs}");
        let store = site.open();
        assert!(matches!(store.open_file(&name).await, Err(StoreError::SetAside)), "packs: {packs}");
        let content = Content::Bytes(b"content, once".to_vec().into());
        assert_eq!(store.mend(&name, None, content, MADE).await.unwrap(), Mended::Done);
        let stored = store.open_file(&name).await.unwrap();
        assert_eq!(stored.read(0, 13).await.unwrap(), b"content, once");
        assert_eq!(stored.mtime().await.unwrap(), i64::from(MADE));
        let usage = store.quarantine_usage().unwrap();
        assert_eq!((usage.copies, usage.bytes, usage.lost), (1, 13, 0), "packs: {packs}");
        assert!(store.set_aside_files().is_empty());
    }
}
