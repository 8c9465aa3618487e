//! What other members of the group bring: what becomes of it, how it is noted, and what a crash leaves of it.
//!
//! Every scenario is played with plain files and with packed ones, at both durabilities, and the store is stopped after each
//! step: in order, by a crash (it is dropped without being closed), and by one that takes what the log was not synced.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fdfs_fileid::{
    ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, TrunkPart, build_name, build_trunk_name,
};
use store::{Content, Durability, NewName, Packing, Received, Store, StoreError, StoreSettings, WhichCopy};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
/// The time in all names; peers' changes come with later ones.
const MADE: u32 = 1_751_328_000;
const INLINE_MAX: usize = 64 * 1024;
const PACKED_MAX: usize = 16 * 1024;

/// Names, and content and time of their files.
type Files<'a> = &'a [(&'a FileName, Option<(&'a [u8], u32)>)];

#[derive(Debug, Clone, Copy)]
enum End {
    InOrder,
    Crash,
    CrashWithoutLog,
}

/// A storage that is stopped in one way.
struct Site {
    dir: TempDir,
    durability: Durability,
    packs: bool,
    end: End,
    /// Length of the log when the store was opened last.
    log_len: Cell<u64>,
}

impl Site {
    fn new(durability: Durability, packs: bool, end: End) -> Self {
        Self { dir: TempDir::new().unwrap(), durability, packs, end, log_len: Cell::new(0) }
    }

    fn open(&self) -> Store {
        let root = self.dir.path().to_owned();
        let packing = Packing { file_len_max: Some(PACKED_MAX), pack_len: 1 << 20, ..Packing::OFF };
        let settings = StoreSettings {
            binlog_dir: root.join("data/sync"),
            paths: vec![root],
            durability: self.durability,
            inline_max: INLINE_MAX,
            journal_len: 4 << 20,
            packing: if self.packs { packing } else { Packing::OFF },
            commit_wait: Duration::ZERO,
        };
        let store = Store::open(&settings).unwrap().0;
        self.log_len.set(fs::metadata(self.log_path()).unwrap().len());
        store
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("data/sync/binlog.000")
    }

    fn on_disk(&self, name: &FileName) -> PathBuf {
        self.dir.path().join("data").join(name.true_name())
    }

    fn is_plain(&self, name: &FileName) -> bool {
        self.on_disk(name).exists()
    }

    /// Stops the store and starts it again.
    fn again(&self, store: Store) -> Store {
        if matches!(self.end, End::InOrder) {
            store.close().unwrap();
        }
        drop(store);
        if matches!(self.end, End::CrashWithoutLog) {
            let log = fs::File::options().write(true).open(self.log_path()).unwrap();
            log.set_len(self.log_len.get()).unwrap();
        }
        self.open()
    }

    /// The files and the log are like this, now and when the store has been stopped and started.
    async fn check(&self, store: Store, files: Files<'_>, log: &str) -> Store {
        self.look(&store, files, log).await;
        let store = self.again(store);
        self.look(&store, files, log).await;
        store
    }

    async fn look(&self, store: &Store, files: Files<'_>, log: &str) {
        let site = format!("{:?}, packs: {}, {:?}", self.durability, self.packs, self.end);
        for (name, wanted) in files {
            match (store.open_file(name).await, wanted) {
                (Ok(stored), Some((content, mtime))) => {
                    let len = stored.len as usize;
                    assert!(stored.read(0, len).await.unwrap() == *content, "{name}, {len} bytes, {site}");
                    assert_eq!(stored.mtime().await.unwrap(), i64::from(*mtime), "{name}, {site}");
                }
                (Err(StoreError::NotFound), None) => {}
                (found, _) => panic!("{name}: {:?}, {site}", found.map(|stored| stored.len)),
            }
        }
        store.binlog().flush().unwrap();
        assert_eq!(fs::read_to_string(self.log_path()).unwrap(), log, "{site}");
    }
}

fn store_log(site: &Site, store: &Store) -> String {
    store.binlog().flush().unwrap();
    fs::read_to_string(site.log_path()).unwrap()
}

async fn at_every_site(scenario: impl AsyncFn(&Site)) {
    for durability in [Durability::Disk, Durability::Fastdfs] {
        for packs in [false, true] {
            for end in [End::InOrder, End::Crash, End::CrashWithoutLog] {
                scenario(&Site::new(durability, packs, end)).await;
            }
        }
    }
}

fn named(size: SizeWord, crc32: u32, random: u32) -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: MADE, size, crc32 };
    build_name(M00, (0, 1), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
}

fn normal(content: &[u8], random: u32) -> FileName {
    named(SizeWord::normal(content.len() as u64, random), crc32fast::hash(content), random)
}

fn appender(random: u32) -> FileName {
    named(SizeWord::appender(random), random, random)
}

/// A name that says nothing of the content, of a file that is packed if files are.
fn slave(random: u32) -> FileName {
    normal(b"master", random).as_str().replace(".txt", "_150.txt").parse().unwrap()
}

fn bytes(content: &[u8]) -> Content {
    Content::Bytes(content.to_vec().into())
}

async fn staged(store: &Store, content: &[u8]) -> Content {
    let mut staged = store.stage(M00, content.len() as u64).await.unwrap();
    staged.write(content.to_vec()).await.unwrap();
    Content::Staged(staged)
}

async fn created(store: &Store, name: &FileName, content: &[u8], time: u32) {
    let received = store.receive_copy(name.clone(), bytes(content), WhichCopy::Created, time).await;
    assert_eq!(received.unwrap(), Received::Stored);
}

async fn updated(store: &Store, name: &FileName, content: &[u8], time: u32) {
    let received = store.receive_copy(name.clone(), bytes(content), WhichCopy::Updated, time).await;
    assert_eq!(received.unwrap(), Received::Stored);
}

#[tokio::test]
async fn a_created_file_is_kept_with_its_peers_time_and_noted_as_a_copy() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        created(&store, &name, b"hello", MADE + 7).await;
        assert_eq!(site.is_plain(&name), !site.packs);
        let log = format!("{} c {name}\n", MADE + 7);
        site.check(store, &[(&name, Some((b"hello", MADE + 7)))], &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_created_file_that_is_here_already_stays_and_is_noted_again() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        created(&store, &name, b"hello", MADE + 1).await;
        let again = store.receive_copy(name.clone(), bytes(b"hello"), WhichCopy::Created, MADE + 2).await;
        assert_eq!(again.unwrap(), Received::Had);
        let log = format!("{} c {name}\n{} c {name}\n", MADE + 1, MADE + 2);
        let store = site.check(store, &[(&name, Some((b"hello", MADE + 1)))], &log).await;
        // Where the name says nothing of the content, its size has to do.
        let name = slave(2);
        created(&store, &name, b"hello", MADE + 3).await;
        let again = store.receive_copy(name.clone(), bytes(b"world"), WhichCopy::Created, MADE + 4).await;
        assert_eq!(again.unwrap(), Received::Had);
        let log = format!("{log}{} c {name}\n{} c {name}\n", MADE + 3, MADE + 4);
        site.check(store, &[(&name, Some((b"hello", MADE + 3)))], &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_copy_takes_the_place_of_a_file_of_another_size_and_an_update_that_of_any() {
    at_every_site(async |site| {
        let store = site.open();
        let name = slave(1);
        created(&store, &name, b"hello", MADE + 1).await;
        created(&store, &name, b"longer", MADE + 2).await;
        assert_eq!(site.is_plain(&name), !site.packs, "it is kept as it was");
        let log = format!("{} c {name}\n{} c {name}\n", MADE + 1, MADE + 2);
        let store = site.check(store, &[(&name, Some((b"longer", MADE + 2)))], &log).await;
        updated(&store, &name, b"LONGER", MADE + 3).await;
        assert_eq!(site.is_plain(&name), !site.packs, "it is kept as it was");
        let log = format!("{log}{} u {name}\n", MADE + 3);
        let store = site.check(store, &[(&name, Some((b"LONGER", MADE + 3)))], &log).await;
        let missing = slave(2);
        updated(&store, &missing, b"new", MADE + 4).await;
        let log = format!("{log}{} u {missing}\n", MADE + 4);
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&name, Some((b"LONGER", MADE + 3))), (&missing, Some((b"new", MADE + 4)))];
        site.check(store, &files, &log).await;
    })
    .await;
}

/// As from a member that was killed: it has not saved that it had sent these, and sends the file as it has it.
#[tokio::test]
async fn what_comes_again_does_not_undo_what_was_done_here_since_and_what_is_new_is_taken() {
    at_every_site(async |site| {
        let store = site.open();
        let (name, gone) = (appender(1), slave(2));
        let meta = name.metadata_name();
        created(&store, &gone, b"slave", MADE).await;
        created(&store, &name, b"hello", MADE + 1).await;
        store.receive_append(name.clone(), 5, bytes(b" you two"), MADE + 2).await.unwrap();
        store.receive_modify(name.clone(), 1, bytes(b"E"), MADE + 2).await.unwrap();
        store.receive_truncate(name.clone(), 13, 9, MADE + 2).await.unwrap();
        created(&store, &meta, b"k\x02v", MADE + 2).await;
        store.receive_delete(meta.clone(), MADE + 2).await.unwrap();
        store.append(name.clone(), bytes(b" two"), MADE + 2).await.unwrap();
        store.modify(name.clone(), 0, bytes(b"HELLO"), MADE + 2).await.unwrap();
        let here = |_: Option<&[u8]>| Some(b"k\x02here".to_vec());
        store.set_metadata(name.clone(), MADE + 2, Box::new(here)).await.unwrap();
        store.delete(gone.clone(), MADE + 3).await.unwrap();
        let now: [(_, Option<(&[u8], _)>); 2] = [(&name, Some((b"HELLO you two", MADE + 2))), (&gone, None)];
        let log = store_log(site, &store);
        let store = site.again(store);
        for which in [WhichCopy::Created, WhichCopy::Updated] {
            for (file, content, time) in [
                (&gone, &b"slave"[..], MADE),
                (&name, b"hEllo you", MADE + 1),
                // In the place of what was appended, which does not fit.
                (&name, b"hEllo you", MADE + 2),
                (&meta, b"k\x02v", MADE + 2),
            ] {
                let received = store.receive_copy(file.clone(), bytes(content), which, time).await.unwrap();
                assert_eq!(received, Received::Had, "{file}");
            }
        }
        // Of a part that was cut since less comes.
        store.receive_append(name.clone(), 5, bytes(b" you"), MADE + 2).await.unwrap();
        store.receive_modify(name.clone(), 1, bytes(b"E"), MADE + 2).await.unwrap();
        store.receive_truncate(name.clone(), 13, 9, MADE + 2).await.unwrap();
        let again = store.receive_delete(meta.clone(), MADE + 2).await;
        assert!(matches!(again, Err(StoreError::Exists)), "{again:?}");
        let store = site.check(store, &now, &log).await;
        assert_eq!(store.metadata(&name).await.unwrap().unwrap(), b"k\x02here");
        store.receive_modify(name.clone(), 0, bytes(b"J"), MADE + 4).await.unwrap();
        created(&store, &gone, b"again", MADE + 4).await;
        let log = format!("{log}{0} m {name} 0 1\n{0} c {gone}\n", MADE + 4);
        let now: [(_, Option<(&[u8], _)>); 2] =
            [(&name, Some((b"JELLO you two", MADE + 4))), (&gone, Some((b"again", MADE + 4)))];
        site.check(store, &now, &log).await;
    })
    .await;
}

#[tokio::test]
async fn large_content_is_taken_over_nothing_over_a_plain_file_and_over_a_packed_one() {
    at_every_site(async |site| {
        let store = site.open();
        let large = vec![7; INLINE_MAX + 1];
        let name = normal(&large, 1);
        let content = staged(&store, &large).await;
        let received = store.receive_copy(name.clone(), content, WhichCopy::Created, MADE + 1).await;
        assert_eq!(received.unwrap(), Received::Stored);
        let log = format!("{} c {name}\n", MADE + 1);
        let store = site.check(store, &[(&name, Some((&large, MADE + 1)))], &log).await;
        let small = slave(2);
        let meta = small.metadata_name();
        created(&store, &small, b"small", MADE + 2).await;
        created(&store, &meta, b"k\x02v", MADE + 3).await;
        let content = staged(&store, &large).await;
        let received = store.receive_copy(small.clone(), content, WhichCopy::Updated, MADE + 4).await;
        assert_eq!(received.unwrap(), Received::Stored);
        assert_eq!((site.is_plain(&small), site.is_plain(&meta)), (!site.packs, !site.packs));
        let log = format!("{log}{} c {small}\n{} c {meta}\n{} u {small}\n", MADE + 2, MADE + 3, MADE + 4);
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&small, Some((&large, MADE + 4))), (&meta, Some((b"k\x02v", MADE + 3)))];
        let store = site.check(store, &files, &log).await;
        store.receive_delete(small.clone(), MADE + 5).await.unwrap();
        let log = format!("{log}{} d {small}\n{} d {meta}\n", MADE + 5, MADE + 5);
        site.check(store, &[(&small, None), (&meta, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_packed_file_makes_way_for_one_that_no_pack_takes_and_nothing_of_it_comes_back() {
    let huge = vec![7; fdfs_format::pack::CONTENT_MAX + 1];
    for end in [End::InOrder, End::Crash, End::CrashWithoutLog] {
        let site = Site::new(Durability::Disk, true, end);
        let store = site.open();
        let name = slave(1);
        let meta = name.metadata_name();
        created(&store, &name, b"small", MADE + 1).await;
        created(&store, &meta, b"k\x02v", MADE + 2).await;
        let content = staged(&store, &huge).await;
        let refused = store.receive_copy(meta.clone(), content, WhichCopy::Updated, MADE + 3).await;
        assert!(matches!(refused, Err(StoreError::Io(_))), "so much metadata there is not");
        let content = staged(&store, &huge).await;
        let received = store.receive_copy(name.clone(), content, WhichCopy::Updated, MADE + 4).await;
        assert_eq!(received.unwrap(), Received::Stored);
        let (one, two, four) = (MADE + 1, MADE + 2, MADE + 4);
        let log =
            format!("{one} c {name}\n{two} c {meta}\n{four} d {name}\n{four} d {meta}\n{four} u {name}\n");
        let files: [(_, Option<(&[u8], _)>); 2] = [(&name, Some((&huge, four))), (&meta, None)];
        // The lines of one second come from two places, and a crash without them leaves their order open.
        site.look(&store, &files, &log).await;
        let store = site.again(store);
        store.receive_delete(name.clone(), MADE + 5).await.unwrap();
        let store = site.again(store);
        assert!(matches!(store.open_file(&name).await, Err(StoreError::NotFound)));
        let mut lines: Vec<_> = store_log(&site, &store).lines().map(str::to_owned).collect();
        let mut wanted: Vec<_> = log.lines().map(str::to_owned).collect();
        wanted.push(format!("{} d {name}", MADE + 5));
        lines.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(lines, wanted);
    }
}

#[tokio::test]
async fn too_large_a_part_for_a_packed_file_is_refused_so_that_the_whole_comes() {
    let site = Site::new(Durability::Disk, true, End::Crash);
    let store = site.open();
    let name = slave(1);
    created(&store, &name, b"small", MADE + 1).await;
    let large = vec![7; INLINE_MAX + 1];
    let content = staged(&store, &large).await;
    let append = store.receive_append(name.clone(), 5, content, MADE + 2).await;
    assert!(matches!(append, Err(StoreError::NotFound)));
    let content = staged(&store, &large).await;
    let modify = store.receive_modify(name.clone(), 0, content, MADE + 2).await;
    assert!(matches!(modify, Err(StoreError::NotFound)));
    let truncate = store.receive_truncate(name.clone(), 5, u64::MAX, MADE + 2).await;
    assert!(matches!(truncate, Err(StoreError::NotFound)));
    let log = format!("{} c {name}\n", MADE + 1);
    site.check(store, &[(&name, Some((b"small", MADE + 1)))], &log).await;
}

#[tokio::test]
async fn a_claim_is_noted_and_changes_nothing() {
    at_every_site(async |site| {
        let store = site.open();
        let (there, missing) = (normal(b"hello", 1), normal(b"world", 2));
        created(&store, &there, b"hello", MADE + 1).await;
        store.receive_claim(there.clone(), WhichCopy::Created, MADE + 2).await.unwrap();
        store.receive_claim(missing.clone(), WhichCopy::Updated, MADE + 3).await.unwrap();
        let log = format!("{} c {there}\n{} c {there}\n{} u {missing}\n", MADE + 1, MADE + 2, MADE + 3);
        site.check(store, &[(&there, Some((b"hello", MADE + 1))), (&missing, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_comes_after_the_deletion_does_not_bring_the_file_back() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        created(&store, &name, b"hello", MADE + 1).await;
        store.receive_delete(name.clone(), MADE + 2).await.unwrap();
        let log = format!("{} c {name}\n{} d {name}\n", MADE + 1, MADE + 2);
        let store = site.check(store, &[(&name, None)], &log).await;
        store.receive_claim(name.clone(), WhichCopy::Created, MADE + 3).await.unwrap();
        site.check(store, &[(&name, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn bytes_are_appended_where_the_file_ends() {
    at_every_site(async |site| {
        let store = site.open();
        let (plain, either) = (appender(1), slave(2));
        let mut log = String::new();
        for (number, name) in [(10, &plain), (20, &either)] {
            created(&store, name, b"hello", MADE + number).await;
            store.receive_append(name.clone(), 5, bytes(b" world"), MADE + number + 1).await.unwrap();
            // What is packed is written anew.
            let line = if site.is_plain(name) { format!("a {name} 5 6") } else { format!("u {name}") };
            log += &format!("{} c {name}\n{} {line}\n", MADE + number, MADE + number + 1);
        }
        assert_eq!((site.is_plain(&plain), site.is_plain(&either)), (true, !site.packs));
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&plain, Some((b"hello world", MADE + 11))), (&either, Some((b"hello world", MADE + 21)))];
        let store = site.check(store, &files, &log).await;
        // A large part, and none at all.
        let large = vec![7; INLINE_MAX + 1];
        let content = staged(&store, &large).await;
        store.receive_append(plain.clone(), 11, content, MADE + 30).await.unwrap();
        let end = 11 + large.len() as u64;
        store.receive_append(plain.clone(), end, bytes(b""), MADE + 31).await.unwrap();
        log += &format!("{} a {plain} 11 {}\n{} a {plain} {end} 0\n", MADE + 30, large.len(), MADE + 31);
        let whole = [b"hello world", &large[..]].concat();
        site.check(store, &[(&plain, Some((&whole, MADE + 31)))], &log).await;
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_here_already_or_do_not_fit_are_not_appended() {
    at_every_site(async |site| {
        let store = site.open();
        let (plain, either) = (appender(1), slave(2));
        let mut log = String::new();
        for (time, name) in [(MADE + 1, &plain), (MADE + 2, &either)] {
            created(&store, name, b"hello", time).await;
            log += &format!("{time} c {name}\n");
            let append = |start, content: &'static [u8]| {
                store.receive_append(name.clone(), start, bytes(content), MADE + 9)
            };
            assert!(matches!(append(2, b"llo").await, Err(StoreError::Exists)), "it ends there");
            assert!(matches!(append(0, b"hel").await, Err(StoreError::Exists)), "it is longer");
            assert!(matches!(append(2, b"xyz").await, Err(StoreError::NotFound)), "other bytes are there");
            assert!(matches!(append(3, b"xyz").await, Err(StoreError::NotFound)), "a part is missing");
            assert!(
                matches!(append(6, b"xyz").await, Err(StoreError::NotFound)),
                "there is a hole before it"
            );
            assert!(matches!(append(u64::MAX, b"xyz").await, Err(StoreError::NotFound)));
        }
        let missing = store.receive_append(appender(3), 0, bytes(b"xyz"), MADE + 9).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
        fs::create_dir_all(site.on_disk(&appender(4))).unwrap();
        let folder = store.receive_append(appender(4), 0, bytes(b"xyz"), MADE + 9).await;
        assert!(matches!(folder, Err(StoreError::NotRegular)));
        let files: [(_, Option<(&[u8], _)>); 3] = [
            (&plain, Some((b"hello", MADE + 1))),
            (&either, Some((b"hello", MADE + 2))),
            (&appender(3), None),
        ];
        site.check(store, &files, &log).await;
    })
    .await;
}

#[tokio::test]
async fn bytes_are_written_over_a_part_and_beyond_the_end_but_not_behind_it() {
    at_every_site(async |site| {
        let store = site.open();
        let (plain, either) = (appender(1), slave(2));
        let mut log = String::new();
        for (number, name) in [(10, &plain), (20, &either)] {
            let time = MADE + number;
            created(&store, name, b"hello", time).await;
            store.receive_modify(name.clone(), 1, bytes(b"E"), time + 1).await.unwrap();
            store.receive_modify(name.clone(), 4, bytes(b"O!!"), time + 2).await.unwrap();
            let behind = store.receive_modify(name.clone(), 8, bytes(b"x"), time + 3).await;
            assert!(matches!(behind, Err(StoreError::Offset)));
            log += &if site.is_plain(name) {
                format!("{time} c {name}\n{} m {name} 1 1\n{} m {name} 4 3\n", time + 1, time + 2)
            } else {
                format!("{time} c {name}\n{} u {name}\n{} u {name}\n", time + 1, time + 2)
            };
        }
        let missing = store.receive_modify(appender(3), 0, bytes(b"x"), MADE + 30).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
        fs::create_dir_all(site.on_disk(&appender(4))).unwrap();
        let folder = store.receive_modify(appender(4), 0, bytes(b"x"), MADE + 30).await;
        assert!(matches!(folder, Err(StoreError::NotRegular)));
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&plain, Some((b"hEllO!!", MADE + 12))), (&either, Some((b"hEllO!!", MADE + 22)))];
        site.check(store, &files, &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_gets_another_size_only_from_the_one_that_its_peer_knew() {
    at_every_site(async |site| {
        let store = site.open();
        let (plain, either) = (appender(1), slave(2));
        let mut log = String::new();
        for (number, name) in [(10, &plain), (20, &either)] {
            let time = MADE + number;
            created(&store, name, b"hello", time).await;
            store.receive_truncate(name.clone(), 5, 2, time + 1).await.unwrap();
            let differs = store.receive_truncate(name.clone(), 5, 1, time + 2).await;
            assert!(matches!(differs, Err(StoreError::Differs)));
            store.receive_truncate(name.clone(), 2, 4, time + 3).await.unwrap();
            log += &if site.is_plain(name) {
                format!("{time} c {name}\n{} t {name} 5 2\n{} t {name} 2 4\n", time + 1, time + 3)
            } else {
                format!("{time} c {name}\n{} u {name}\n{} u {name}\n", time + 1, time + 3)
            };
        }
        let missing = store.receive_truncate(appender(3), 0, 1, MADE + 30).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
        fs::create_dir_all(site.on_disk(&appender(4))).unwrap();
        let folder = store.receive_truncate(appender(4), 0, 1, MADE + 30).await;
        assert!(matches!(folder, Err(StoreError::NotRegular)));
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&plain, Some((b"he\0\0", MADE + 13))), (&either, Some((b"he\0\0", MADE + 23)))];
        site.check(store, &files, &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_deletion_takes_the_metadata_along() {
    at_every_site(async |site| {
        let store = site.open();
        let (name, bare) = (normal(b"hello", 1), normal(b"world", 2));
        let meta = name.metadata_name();
        created(&store, &name, b"hello", MADE + 1).await;
        created(&store, &meta, b"k\x02v", MADE + 2).await;
        created(&store, &bare, b"world", MADE + 3).await;
        store.receive_delete(name.clone(), MADE + 4).await.unwrap();
        store.receive_delete(bare.clone(), MADE + 5).await.unwrap();
        let log = format!(
            "{} c {name}\n{} c {meta}\n{} c {bare}\n{} d {name}\n{} d {meta}\n{} d {bare}\n",
            MADE + 1,
            MADE + 2,
            MADE + 3,
            MADE + 4,
            MADE + 4,
            MADE + 5
        );
        site.check(store, &[(&name, None), (&meta, None), (&bare, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_comes_before_its_file_is_noted_and_that_of_missing_metadata_is_not() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        for missing in [name.clone(), name.metadata_name()] {
            let answer = store.receive_delete(missing, MADE + 1).await;
            assert!(matches!(answer, Err(StoreError::NotFound)));
        }
        let log = format!("{} d {name}\n", MADE + 1);
        let store = site.check(store, &[(&name, None)], &log).await;
        let own = store.delete(name.clone(), MADE + 2).await;
        assert!(matches!(own, Err(StoreError::NotFound)), "what clients ask for is not noted");
        site.check(store, &[(&name, None)], &log).await;
    })
    .await;
}

/// Its creation travels over one connection, is given up there, and is still being taken when its deletion comes over
/// another one.
#[tokio::test]
async fn d16_a_file_whose_deletion_is_done_while_it_is_on_its_way_is_not_kept() {
    at_every_site(async |site| {
        let store = site.open();
        let large = vec![7; INLINE_MAX + 1];
        let (never, small, from) = (normal(&large, 1), normal(b"hello", 2), appender(3));
        let missing = store.receive_delete(never.clone(), MADE + 1).await;
        assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
        created(&store, &small, b"hello", MADE + 1).await;
        store.delete(small.clone(), MADE + 2).await.unwrap();
        created(&store, &from, b"hello", MADE + 3).await;
        let log = format!("{0} d {never}\n{0} c {small}\n{1} D {small}\n", MADE + 1, MADE + 2);
        let log = format!("{log}{} c {from}\n", MADE + 3);
        let late = async |store: &Store| {
            for which in [WhichCopy::Created, WhichCopy::Updated] {
                for (name, content) in [(&never, staged(store, &large).await), (&small, bytes(b"hello"))] {
                    let received = store.receive_copy(name.clone(), content, which, MADE).await;
                    assert_eq!(received.unwrap(), Received::Had, "{name}");
                }
            }
            let renamed = store.receive_rename(from.clone(), small.clone(), MADE + 4).await;
            assert!(matches!(renamed, Err(StoreError::Exists)), "{renamed:?}");
        };
        late(&store).await;
        let files: [(_, Option<(&[u8], _)>); 3] =
            [(&never, None), (&small, None), (&from, Some((b"hello", MADE + 3)))];
        let store = site.check(store, &files, &log).await;
        late(&store).await;
        site.check(store, &files, &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_packed_file_is_not_renamed_so_that_the_whole_comes() {
    let site = Site::new(Durability::Disk, true, End::Crash);
    let store = site.open();
    let name = slave(1);
    created(&store, &name, b"hello", MADE + 1).await;
    let renamed = store.receive_rename(name.clone(), slave(2), MADE + 2).await;
    assert!(matches!(renamed, Err(StoreError::NotFound)));
    let log = format!("{} c {name}\n", MADE + 1);
    site.check(store, &[(&name, Some((b"hello", MADE + 1))), (&slave(2), None)], &log).await;
}

#[tokio::test]
async fn a_renamed_file_takes_its_metadata_along_and_never_takes_a_name_that_is_in_use() {
    at_every_site(async |site| {
        let store = site.open();
        let (from, to, taken) = (appender(1), normal(b"hello", 2), normal(b"world", 3));
        let (from_meta, to_meta) = (from.metadata_name(), to.metadata_name());
        created(&store, &from, b"hello", MADE + 1).await;
        created(&store, &from_meta, b"k\x02v", MADE + 2).await;
        created(&store, &taken, b"world", MADE + 3).await;
        let exists = store.receive_rename(from.clone(), taken.clone(), MADE + 4).await;
        assert!(matches!(exists, Err(StoreError::Exists)));
        let missing = store.receive_rename(appender(9), to.clone(), MADE + 4).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
        store.receive_rename(from.clone(), to.clone(), MADE + 5).await.unwrap();
        let time = MADE + 5;
        let log = format!(
            "{} c {from}\n{} c {from_meta}\n{} c {taken}\n{time} r {to} {from}\n{time} c {to_meta}\n{time} d {from_meta}\n",
            MADE + 1,
            MADE + 2,
            MADE + 3
        );
        let files: [(_, Option<(&[u8], _)>); 5] = [
            (&from, None),
            (&from_meta, None),
            (&to, Some((b"hello", MADE + 1))),
            (&to_meta, Some((b"k\x02v", MADE + 2))),
            (&taken, Some((b"world", MADE + 3))),
        ];
        site.check(store, &files, &log).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_is_one_more_file_with_the_content_and_never_takes_a_name_that_is_in_use() {
    at_every_site(async |site| {
        let store = site.open();
        let to = normal(b"hello", 1);
        // As long as both names fit into a line.
        let link = normal(b"hello", 2);
        created(&store, &to, b"hello", MADE + 1).await;
        store.receive_link(link.clone(), to.clone(), bytes(b"hello"), MADE + 2).await.unwrap();
        let again = store.receive_link(link.clone(), to.clone(), bytes(b"hello"), MADE + 3).await;
        assert!(matches!(again, Err(StoreError::Exists)));
        let log = format!("{} c {to}\n{} l {link} {to}\n", MADE + 1, MADE + 2);
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&to, Some((b"hello", MADE + 1))), (&link, Some((b"hello", MADE + 2)))];
        let store = site.check(store, &files, &log).await;
        store.receive_delete(to.clone(), MADE + 4).await.unwrap();
        let log = format!("{log}{} d {to}\n", MADE + 4);
        site.check(store, &[(&to, None), (&link, Some((b"hello", MADE + 2)))], &log).await;
    })
    .await;
}

#[tokio::test]
async fn d21_content_that_is_not_what_its_name_says_is_refused_and_nothing_is_kept() {
    at_every_site(async |site| {
        let store = site.open();
        let (name, there) = (normal(b"hello", 1), normal(b"world", 2));
        created(&store, &there, b"world", MADE + 1).await;
        for which in [WhichCopy::Created, WhichCopy::Updated] {
            for wrong in [&b"hellO"[..], b"hell", b"hello!", b""] {
                for name in [&name, &there] {
                    let refused = store.receive_copy(name.clone(), bytes(wrong), which, MADE + 2).await;
                    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
                    let content = staged(&store, wrong).await;
                    let refused = store.receive_copy(name.clone(), content, which, MADE + 2).await;
                    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
                }
            }
        }
        let log = format!("{} c {there}\n", MADE + 1);
        site.check(store, &[(&name, None), (&there, Some((b"world", MADE + 1)))], &log).await;
        assert_eq!(fs::read_dir(site.dir.path().join("data/.cairn/tmp")).unwrap().count(), 0);
    })
    .await;
}

#[tokio::test]
async fn d21_a_file_that_rotted_here_is_replaced_by_a_peers_copy_of_the_same_size() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        created(&store, &name, b"hello", MADE + 1).await;
        // Stopped in order, so that no journal mends it.
        store.close().unwrap();
        drop(store);
        let (path, at) = if site.packs {
            let path = site.dir.path().join("data/.cairn/packs/000000000001.pack");
            let bytes = fs::read(&path).unwrap();
            (path, bytes.windows(5).position(|window| window == b"hello").unwrap())
        } else {
            (site.on_disk(&name), 0)
        };
        let mut rotten = fs::read(&path).unwrap();
        rotten[at] ^= 1;
        fs::write(&path, rotten).unwrap();
        let store = site.open();
        created(&store, &name, b"hello", MADE + 2).await;
        let log = format!("{} c {name}\n{} c {name}\n", MADE + 1, MADE + 2);
        site.check(store, &[(&name, Some((b"hello", MADE + 2)))], &log).await;
    })
    .await;
}

#[tokio::test]
async fn metadata_that_comes_after_its_file_is_kept_as_that_is() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        let meta = name.metadata_name();
        created(&store, &name, b"hello", MADE + 1).await;
        created(&store, &meta, b"k\x02v", MADE + 2).await;
        updated(&store, &meta, b"k\x02w", MADE + 3).await;
        assert_eq!((site.is_plain(&name), site.is_plain(&meta)), (!site.packs, !site.packs));
        assert_eq!(store.metadata(&name).await.unwrap().unwrap(), b"k\x02w");
        let log = format!("{} c {name}\n{} c {meta}\n{} u {meta}\n", MADE + 1, MADE + 2, MADE + 3);
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&name, Some((b"hello", MADE + 1))), (&meta, Some((b"k\x02w", MADE + 3)))];
        let store = site.check(store, &files, &log).await;
        store.receive_delete(meta.clone(), MADE + 4).await.unwrap();
        let log = format!("{log}{} d {meta}\n", MADE + 4);
        site.check(store, &[(&name, Some((b"hello", MADE + 1))), (&meta, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn metadata_that_comes_before_its_file_is_that_files_and_goes_with_it() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        let meta = name.metadata_name();
        created(&store, &meta, b"k\x02v", MADE + 1).await;
        let log = format!("{} c {meta}\n", MADE + 1);
        let store = site.check(store, &[(&name, None), (&meta, Some((b"k\x02v", MADE + 1)))], &log).await;
        created(&store, &name, b"hello", MADE + 2).await;
        assert_eq!(store.metadata(&name).await.unwrap().unwrap(), b"k\x02v");
        let log = format!("{log}{} c {name}\n", MADE + 2);
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&name, Some((b"hello", MADE + 2))), (&meta, Some((b"k\x02v", MADE + 1)))];
        let store = site.check(store, &files, &log).await;
        store.receive_delete(name.clone(), MADE + 3).await.unwrap();
        let log = format!("{log}{} d {name}\n{} d {meta}\n", MADE + 3, MADE + 3);
        site.check(store, &[(&name, None), (&meta, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn metadata_too_large_for_the_journal_is_kept_as_its_file_is_and_goes_with_it() {
    at_every_site(async |site| {
        let store = site.open();
        let name = normal(b"hello", 1);
        let meta = name.metadata_name();
        let large = vec![b'v'; INLINE_MAX + 1];
        created(&store, &name, b"hello", MADE + 1).await;
        let content = staged(&store, &large).await;
        let received = store.receive_copy(meta.clone(), content, WhichCopy::Created, MADE + 2).await;
        assert_eq!(received.unwrap(), Received::Stored);
        assert_eq!(site.is_plain(&meta), site.is_plain(&name));
        let log = format!("{} c {name}\n{} c {meta}\n", MADE + 1, MADE + 2);
        let files: [(_, Option<(&[u8], _)>); 2] =
            [(&name, Some((b"hello", MADE + 1))), (&meta, Some((&large, MADE + 2)))];
        let store = site.check(store, &files, &log).await;
        assert_eq!(store.metadata(&name).await.unwrap().unwrap(), large);
        store.receive_delete(name.clone(), MADE + 3).await.unwrap();
        let log = format!("{log}{} d {name}\n{} d {meta}\n", MADE + 3, MADE + 3);
        site.check(store, &[(&name, None), (&meta, None)], &log).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_client_of_this_storage_made_is_changed_by_peers_all_the_same() {
    at_every_site(async |site| {
        let store = site.open();
        let name = slave(1);
        store.create(M00, NewName::Fixed(name.clone()), bytes(b"mine"), MADE).await.unwrap();
        updated(&store, &name, b"theirs", MADE + 1).await;
        let log = format!("{MADE} C {name}\n{} u {name}\n", MADE + 1);
        let store = site.check(store, &[(&name, Some((b"theirs", MADE + 1)))], &log).await;
        store.receive_delete(name.clone(), MADE + 2).await.unwrap();
        let log = format!("{log}{} d {name}\n", MADE + 2);
        let store = site.check(store, &[(&name, None)], &log).await;
        let outside = store.receive_delete(name.as_str().replace("M00", "M01").parse().unwrap(), MADE + 3);
        assert!(matches!(outside.await, Err(StoreError::NoSuchPath)));
    })
    .await;
}

/// The name of `content` in a slot of the trunk file 1.
fn in_slot(content: &[u8], random: u32) -> FileName {
    let size = SizeWord::trunk(content.len() as u32, random);
    let stamp = Stamp { source: Source::Id(100_001), timestamp: MADE, size, crc32: crc32fast::hash(content) };
    let part = TrunkPart { file_id: 1, offset: 0, alloc_size: 256 };
    build_trunk_name(M00, (0, 1), &stamp, &part, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
}

#[tokio::test]
async fn a_file_in_a_slot_comes_once_is_repaired_beside_it_and_goes_without_a_word_to_the_trunk_server() {
    at_every_site(async |site| {
        const TRUNK_LEN: u32 = 1 << 20;
        let store = site.open();
        store.keep_slots(Some(TRUNK_LEN));
        let name = in_slot(b"hello", 1);
        created(&store, &name, b"hello", MADE).await;
        assert!(!site.is_plain(&name));
        let again = store.receive_copy(name.clone(), bytes(b"hello"), WhichCopy::Created, MADE + 1).await;
        assert_eq!(again.unwrap(), Received::Had);
        let update = store.receive_copy(name.clone(), bytes(b"hello"), WhichCopy::Updated, MADE + 1).await;
        assert_eq!(
            update.unwrap(),
            Received::Had,
            "beside it there is none that would hide it from deletion"
        );
        let log = format!("{MADE} c {name}\n{} c {name}\n{} u {name}\n", MADE + 1, MADE + 1);
        let store = site.check(store, &[(&name, Some((b"hello", MADE)))], &log).await;
        store.receive_delete(name.clone(), MADE + 2).await.unwrap();
        assert!(store.take_freed_slots().slots.is_empty(), "the peer has told it");
        let log = format!("{log}{} d {name}\n", MADE + 2);
        let store = site.check(store, &[(&name, None)], &log).await;
        store.keep_slots(Some(TRUNK_LEN));
        let name = in_slot(b"hello", 2);
        created(&store, &name, b"hello", MADE + 3).await;
        let log = format!("{log}{} c {name}\n", MADE + 3);
        let store = site.check(store, &[(&name, Some((b"hello", MADE)))], &log).await;
        store.close().unwrap();
        drop(store);
        let container = site.dir.path().join("data/00/01/000001");
        let mut rotten = fs::read(&container).unwrap();
        rotten[24] ^= 1;
        fs::write(&container, rotten).unwrap();
        let store = site.open();
        store.keep_slots(Some(TRUNK_LEN));
        created(&store, &name, b"hello", MADE + 4).await;
        assert!(site.is_plain(&name));
        let log = format!("{log}{} c {name}\n", MADE + 4);
        let store = site.check(store, &[(&name, Some((b"hello", MADE + 4)))], &log).await;
        store.receive_delete(name.clone(), MADE + 5).await.unwrap();
        let log = format!("{log}{} d {name}\n", MADE + 5);
        site.check(store, &[(&name, None)], &log).await;
    })
    .await;
}
