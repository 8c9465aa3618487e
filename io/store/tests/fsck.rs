//! What the check of a store finds, on stores made here, damaged by hand, and on the original's.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fdfs_fileid::{
    ExtName, FileName, SizeWord, SlavePrefix, Source, Stamp, StorePathIndex, build_name, slave_name,
};
use fdfs_format::binlog::LineError;
use store::fsck::{
    Event, Finding, FsckSettings, MetadataFault, Place, Progress, Severity, SlotFault, Stage, Summary, check,
};
use store::{Content, Durability, NewName, Packing, Store, StoreError, StoreSettings};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const M00: StorePathIndex = StorePathIndex(0);
const M01: StorePathIndex = StorePathIndex(1);
const NOW: u32 = 1_751_328_000;
const HELLO: &[u8] = b"hello fastdfs\n";

/// A store of two paths in a folder of its own.
struct Shop {
    dir: TempDir,
    runtime: Runtime,
}

impl Shop {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { dir: TempDir::new().unwrap(), runtime }
    }

    fn base(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    fn roots(&self) -> Vec<PathBuf> {
        vec![self.base(), self.dir.path().join("disk1")]
    }

    fn open(&self) -> Store {
        let settings = StoreSettings {
            binlog_dir: self.base().join("data/sync"),
            paths: self.roots(),
            durability: Durability::Disk,
            inline_max: 4096,
            journal_len: 1 << 20,
            packing: Packing::OFF,
            commit_wait: Duration::ZERO,
        };
        Store::open(&settings).unwrap().0
    }

    /// A store with one file `hello fastdfs`, closed in order.
    fn with_hello() -> (Self, FileName) {
        let shop = Self::new();
        let store = shop.open();
        let name = shop.put(&store, M00, HELLO);
        store.close().unwrap();
        (shop, name)
    }

    fn put(&self, store: &Store, path: StorePathIndex, content: &[u8]) -> FileName {
        let name = normal(path, content);
        self.put_as(store, &name, content);
        name
    }

    fn put_as(&self, store: &Store, name: &FileName, content: &[u8]) {
        self.runtime.block_on(async {
            let content = if content.len() > store.inline_max() {
                let mut staged = store.stage(name.path_index(), content.len() as u64).await.unwrap();
                staged.write(content.to_vec()).await.unwrap();
                Content::Staged(staged)
            } else {
                bytes(content)
            };
            store.create(name.path_index(), NewName::Fixed(name.clone()), content, NOW).await.unwrap();
        });
    }

    fn set_metadata(&self, store: &Store, name: &FileName, metadata: &[u8]) {
        let metadata = metadata.to_vec();
        let set = store.set_metadata(name.clone(), NOW, Box::new(|_| Some(metadata)));
        self.runtime.block_on(set).unwrap();
    }

    fn delete(&self, store: &Store, name: &FileName) {
        self.runtime.block_on(store.delete(name.clone(), NOW)).unwrap();
    }

    /// Where a file is.
    fn path(&self, name: &FileName) -> PathBuf {
        self.roots()[usize::from(name.path_index().0)].join("data").join(name.true_name())
    }

    /// Puts a file there behind the store's back.
    fn plant(&self, place: &str, content: &[u8]) -> PathBuf {
        let path = self.base().join("data").join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn log(&self, number: u32) -> PathBuf {
        self.base().join(format!("data/sync/binlog.{number:03}"))
    }

    fn add_to_log(&self, text: &[u8]) {
        File::options().append(true).open(self.log(0)).unwrap().write_all(text).unwrap();
    }

    fn settings(&self) -> FsckSettings {
        settings(self.base(), self.roots())
    }

    fn check(&self) -> (Vec<Finding>, Summary) {
        run(&self.settings())
    }

    fn findings(&self) -> Vec<Finding> {
        self.check().0
    }
}

fn settings(base_path: PathBuf, paths: Vec<PathBuf>) -> FsckSettings {
    // Nothing here changes by itself, so there is nothing to wait for.
    FsckSettings { content: true, settle: Duration::ZERO, ..FsckSettings::new(base_path, paths) }
}

fn run(settings: &FsckSettings) -> (Vec<Finding>, Summary) {
    let mut findings = Vec::new();
    let summary = run_with(settings, &mut findings, |_| {});
    assert_eq!(summary.damaged + summary.odd, findings.len() as u64);
    assert_eq!(summary.is_clean(), findings.is_empty());
    (findings, summary)
}

fn run_with(
    settings: &FsckSettings,
    findings: &mut Vec<Finding>,
    mut progress: impl FnMut(Progress),
) -> Summary {
    check(settings, &mut |event| match event {
        Event::Finding(finding) => findings.push(finding),
        Event::Progress(at) => progress(at),
        Event::Victim { .. } | Event::Passed(_) => {}
    })
    .unwrap()
}

fn bytes(content: &[u8]) -> Content {
    Content::Bytes(content.to_vec().into())
}

fn stamped(path: StorePathIndex, size: SizeWord, crc32: u32, random: u32) -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32 };
    build_name(path, (0, 1), &stamp, &ExtName::parse(b"txt").unwrap(), random)
}

fn normal(path: StorePathIndex, content: &[u8]) -> FileName {
    stamped(path, SizeWord::normal(content.len() as u64, 5), crc32fast::hash(content), 17)
}

fn appender(path: StorePathIndex, content: &[u8]) -> FileName {
    stamped(path, SizeWord::appender(9), crc32fast::hash(content), 18)
}

fn slave(master: &FileName) -> FileName {
    slave_name(master, &SlavePrefix::parse(b"_big").unwrap(), &ExtName::parse(b"txt").unwrap()).unwrap()
}

#[test]
fn a_store_with_files_of_every_kind_is_clean() {
    let shop = Shop::new();
    let store = shop.open();
    let first = shop.put(&store, M00, HELLO);
    shop.set_metadata(&store, &first, b"author\x02happy\x01width\x02160");
    shop.put_as(&store, &slave(&first), b"a slave has a size of its own");
    shop.put(&store, M01, &[7; 100_000]);
    let growing = appender(M01, HELLO);
    shop.put_as(&store, &growing, HELLO);
    shop.runtime.block_on(store.append(growing, bytes(HELLO), NOW)).unwrap();
    let gone = shop.put(&store, M00, b"deleted");
    shop.delete(&store, &gone);
    let other = appender(M00, b"will get another name");
    shop.put_as(&store, &other, b"will get another name");
    shop.set_metadata(&store, &other, b"k\x02v");
    let regenerated = |_, size, crc32, _| stamped(M00, SizeWord::normal(size, 3), crc32, 19);
    shop.runtime.block_on(store.regenerate(other, regenerated)).unwrap();
    store.close().unwrap();
    drop(store);

    let (findings, summary) = shop.check();
    assert_eq!(findings, []);
    assert!(summary.is_clean() && summary.is_complete() && !summary.running);
    let counts = (summary.normal, summary.appenders, summary.slaves, summary.metadata, summary.links);
    assert_eq!(counts, (3, 1, 1, 2, 0));
    assert_eq!((summary.folders, summary.containers, summary.slots), (2, 0, 0));
    assert_eq!(summary.bytes, 14 + 29 + 100_000 + 28 + 21 + 22 + 3);
    assert_eq!(summary.bytes_read, summary.bytes);
    // Four creates and a slave, two of metadata, an append, a delete, a rename with two lines of metadata.
    assert_eq!(summary.records.unwrap().lines, 5 + 1 + 2 + 1 + 1 + 3);
}

#[test]
fn d21_content_that_is_not_what_its_id_says_is_found_when_it_is_read() {
    let (shop, name) = Shop::with_hello();
    File::options().write(true).open(shop.path(&name)).unwrap().write_all_at(b"J", 0).unwrap();
    let (findings, summary) = run(&FsckSettings { content: false, ..shop.settings() });
    assert_eq!((findings, summary.bytes_read), (vec![], 0));
    let expected = crc32fast::hash(HELLO);
    let found = crc32fast::hash(b"Jello fastdfs\n");
    assert_eq!(shop.findings(), [Finding::WrongCrc { place: Place::File(name), expected, found }]);
}

#[test]
fn a_file_of_another_size_than_its_id_says_is_found() {
    let (shop, name) = Shop::with_hello();
    File::options().write(true).open(shop.path(&name)).unwrap().set_len(9).unwrap();
    let (findings, summary) = shop.check();
    assert_eq!(findings, [Finding::WrongSize { name: name.clone(), expected: 14, found: 9 }]);
    assert_eq!((summary.damaged, summary.odd), (1, 0));
    assert_eq!(
        findings[0].to_string(),
        format!(
            "{name}: has 9 bytes, its id says 14: torn, overwritten or never finished; fetch it from another \
             member of the group, or delete it"
        )
    );
}

#[test]
fn appenders_and_slaves_are_not_held_against_their_names() {
    let shop = Shop::new();
    let store = shop.open();
    let master = shop.put(&store, M00, HELLO);
    shop.put_as(&store, &slave(&master), b"something else");
    shop.put_as(&store, &appender(M00, HELLO), b"not what the checksum was made of");
    store.close().unwrap();
    assert_eq!(shop.findings(), []);
}

#[test]
fn what_is_no_id_is_found_in_the_folders_and_on_the_way_to_them() {
    let (shop, _) = Shop::with_hello();
    let paths = [
        shop.plant("00/holiday.jpg", b"x"),
        shop.plant("00/01/holiday.jpg", b"x"),
        shop.plant("00/1b/x", b"x"),
    ];
    // Directly under `data/` anything may stand.
    shop.plant("storage_stat.dat", b"");
    shop.plant("lost+found/x", b"");
    let [on_the_way, in_folder, lower_case] = paths;
    let found = |path: &Path| Finding::NotAnId { path: path.to_owned() };
    let expected = [found(lower_case.parent().unwrap()), found(&on_the_way), found(&in_folder)];
    assert_eq!(shop.findings(), expected);
    let folder = shop.path(&normal(M00, b"folder"));
    fs::create_dir(&folder).unwrap();
    assert_eq!(shop.findings()[2..], [found(&in_folder), Finding::NotAFile { path: folder }]);
}

#[test]
fn a_link_out_of_the_store_or_to_nothing_is_found_and_one_within_it_is_not() {
    let (shop, hello) = Shop::with_hello();
    let link = |random, target: &Path| {
        let name = stamped(M00, SizeWord::normal(14, random), crc32fast::hash(HELLO), 21);
        symlink(target, shop.path(&name)).unwrap();
        shop.add_to_log(format!("{NOW} L {name} {hello}\n").as_bytes());
        name
    };
    link(1, &shop.path(&hello));
    assert_eq!(shop.findings(), []);
    assert_eq!(shop.check().1.links, 1);

    let outside = shop.dir.path().join("secret");
    fs::write(&outside, HELLO).unwrap();
    let foreign = link(2, &outside);
    let gone = normal(M01, b"gone");
    let broken = link(3, &shop.path(&gone));
    let mut findings = shop.findings();
    findings.sort_by_key(|finding| matches!(finding, Finding::ForeignLink { .. }));
    let expected = [
        Finding::BrokenLink { name: broken, target: gone },
        Finding::ForeignLink { name: foreign, target: outside },
    ];
    assert_eq!(findings, expected);
}

#[test]
fn metadata_without_its_file_and_metadata_that_is_none_are_found() {
    let shop = Shop::new();
    let store = shop.open();
    let mut names = Vec::new();
    for content in [b"one", b"two", b"thr", b"fou"] {
        let name = shop.put(&store, M00, content);
        shop.set_metadata(&store, &name, b"k\x02v");
        names.push(name);
    }
    store.close().unwrap();
    assert_eq!(shop.findings(), []);

    fs::remove_file(shop.path(&names[0])).unwrap();
    fs::write(shop.path(&names[1].metadata_name()), [0; 4]).unwrap();
    fs::write(shop.path(&names[2].metadata_name()), b"").unwrap();
    fs::write(shop.path(&names[3].metadata_name()), vec![b'x'; 256 * 1024 + 1]).unwrap();
    let metadata = |index: usize| names[index].metadata_name();
    let mut expected = vec![
        Finding::BadMetadata { name: metadata(1), fault: MetadataFault::Zeros },
        Finding::BadMetadata { name: metadata(2), fault: MetadataFault::Empty },
        Finding::BadMetadata { name: metadata(3), fault: MetadataFault::TooLong { len: 262_145 } },
    ];
    expected.sort_by_key(|finding| match finding {
        Finding::BadMetadata { name, .. } => name.clone(),
        other => unreachable!("{other}"),
    });
    expected.push(Finding::StrandedMetadata { name: metadata(0) });
    expected.push(Finding::Missing { name: names[0].clone() });
    assert_eq!(shop.findings(), expected);
}

#[test]
fn what_a_crash_left_in_the_journal_is_said_and_the_files_it_will_mend_are_not_judged() {
    let shop = Shop::new();
    let store = shop.open();
    let torn = shop.put(&store, M00, HELLO);
    let lost = shop.put(&store, M00, b"lost");
    let fine = shop.put(&store, M01, b"fine");
    drop(store);
    // A power cut took these before they were on disk.
    fs::write(shop.path(&torn), b"hel").unwrap();
    fs::remove_file(shop.path(&lost)).unwrap();
    let (findings, summary) = shop.check();
    let journal = |root: &Path| root.join("data/.cairn/journal");
    let pending =
        |index: usize, entries| Finding::JournalPending { path: journal(&shop.roots()[index]), entries };
    assert_eq!(findings, [pending(0, 2), pending(1, 1)]);
    assert_eq!((summary.damaged, summary.odd), (0, 2));
    assert!(findings[0].to_string().contains("start the storage once"));

    shop.open().close().unwrap();
    assert_eq!(shop.findings(), []);
    assert_eq!(fs::read(shop.path(&torn)).unwrap(), HELLO);
    assert!(shop.path(&fine).exists());
}

#[test]
fn a_batch_of_the_journal_that_can_not_be_read_any_more_is_damage() {
    let shop = Shop::new();
    let store = shop.open();
    for content in [b"first", b"secon", b"third"] {
        shop.put(&store, M00, content);
    }
    drop(store);
    let journal = shop.base().join("data/.cairn/journal");
    for segment in fs::read_dir(&journal).unwrap() {
        let path = segment.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(5).position(|window| window == b"secon") {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    let findings = shop.findings();
    let pending = Finding::JournalPending { path: journal.clone(), entries: 2 };
    assert_eq!(findings[..2], [pending, Finding::JournalDamaged { path: journal, batches: 1 }]);
    // Its record was in the lost batch only.
    let place = Place::File(normal(M00, b"secon"));
    assert_eq!(findings[2..], [Finding::Unrecorded { place }]);
}

#[test]
fn a_journal_folder_that_can_not_be_read_is_a_finding() {
    let (shop, _) = Shop::with_hello();
    let journal = shop.base().join("data/.cairn/journal");
    fs::remove_dir(&journal).unwrap();
    fs::write(&journal, b"").unwrap();
    let error = std::io::ErrorKind::NotADirectory;
    assert_eq!(shop.findings(), [Finding::Unreadable { path: journal, error }]);
}

#[test]
fn temporary_files_are_left_over_only_when_no_storage_is_running() {
    let (shop, _) = Shop::with_hello();
    let store = shop.open();
    let mut staged = shop.runtime.block_on(store.stage(M00, 14)).unwrap();
    shop.runtime.block_on(staged.write(HELLO.to_vec())).unwrap();
    let (findings, summary) = shop.check();
    assert_eq!(findings, []);
    assert!(summary.running);

    store.close().unwrap();
    drop(store);
    std::mem::forget(staged);
    // The forgotten one still holds the lock, as its process would.
    let lock = shop.base().join("data/.cairn/lock");
    fs::remove_file(&lock).unwrap();
    let (findings, summary) = shop.check();
    let path = shop.base().join("data/.cairn/tmp");
    assert_eq!(findings, [Finding::Leftovers { path, files: 1, bytes: 14 }]);
    assert!(!summary.running);
}

#[test]
fn a_staged_file_that_the_journal_still_needs_is_not_left_over() {
    let shop = Shop::new();
    let store = shop.open();
    let name = shop.put(&store, M00, &[9; 10_000]);
    drop(store);
    let temp = shop.base().join("data/.cairn/tmp/1");
    fs::rename(shop.path(&name), &temp).unwrap();
    let path = shop.base().join("data/.cairn/journal");
    assert_eq!(shop.findings(), [Finding::JournalPending { path, entries: 1 }]);
}

#[test]
fn what_fastdfs_leaves_when_it_is_interrupted_is_found_once_it_is_old() {
    let (shop, _) = Shop::with_hello();
    let temp = shop.plant(".cp1.tmp", b"half");
    let recovered = shop.plant("00/01/fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin.recovery.tmp", b"a file");
    assert_eq!(shop.findings(), []);
    let old = SystemTime::now() - Duration::from_secs(3600);
    for path in [&temp, &recovered] {
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let flag = shop.plant(".recovery.flag", b"saved_storage_status=7\n");
    let expected = [
        Finding::Leftovers { path: temp, files: 1, bytes: 4 },
        Finding::RecoveryUnfinished { path: flag },
        Finding::Leftovers { path: recovered, files: 1, bytes: 6 },
    ];
    assert_eq!(shop.findings(), expected);
}

#[test]
fn bad_lines_of_the_binlog_are_found_with_their_numbers() {
    let (shop, _) = Shop::with_hello();
    shop.add_to_log(b"1751328000 Z M00/00/01/x\n\nnonsense\n1751328000 l \n");
    let mut fourth = vec![0; 100];
    fourth.extend_from_slice(b"1751328000 D M00/00/01/fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin\n");
    shop.add_to_log(&fourth);
    shop.add_to_log(b"17513");
    let line = |line, error| Finding::BinlogLine { file: shop.log(0), line, error };
    let findings = shop.findings();
    assert_eq!(
        findings,
        [
            line(2, LineError::Operation),
            line(3, LineError::Columns),
            line(4, LineError::Columns),
            line(5, LineError::Name(fdfs_fileid::NameError::TooShort)),
            line(6, LineError::Zeros),
            Finding::BinlogTorn { file: shop.log(0), bytes: 5 },
        ]
    );
    assert!(findings[0].to_string().contains("binlog.000:2: no record (unknown operation)"));
    assert!(findings.iter().all(|finding| finding.severity() == Severity::Odd));
}

#[test]
fn an_older_log_that_ends_within_a_line_is_found() {
    let (shop, _) = Shop::with_hello();
    shop.add_to_log(b"1751328000 C M00");
    fs::write(shop.log(1), b"").unwrap();
    assert_eq!(shop.findings(), [Finding::BinlogTorn { file: shop.log(0), bytes: 16 }]);
}

#[test]
fn files_that_the_records_miss_and_records_without_a_file_are_found() {
    let shop = Shop::new();
    let store = shop.open();
    let missing = shop.put(&store, M01, b"missing");
    let deleted = shop.put(&store, M00, b"deleted");
    shop.delete(&store, &deleted);
    shop.put(&store, M00, HELLO);
    store.close().unwrap();
    fs::remove_file(shop.path(&missing)).unwrap();
    let planted = normal(M00, b"planted");
    fs::write(shop.path(&planted), b"planted").unwrap();
    // It came back, and the last that the records say is that it was deleted.
    fs::write(shop.path(&deleted), b"deleted").unwrap();

    let (mut findings, _) = shop.check();
    assert_eq!(findings.pop(), Some(Finding::Missing { name: missing }));
    let unrecorded = |name: &FileName| Finding::Unrecorded { place: Place::File(name.clone()) };
    assert_eq!(findings.len(), 2);
    assert!(findings.contains(&unrecorded(&planted)) && findings.contains(&unrecorded(&deleted)));

    let (findings, summary) = run(&FsckSettings { records: false, ..shop.settings() });
    assert_eq!((findings, summary.records), (vec![], None));
}

#[test]
fn a_missing_file_is_named_once_however_often_it_was_recorded() {
    let (shop, hello) = Shop::with_hello();
    let name = normal(M00, b"never there");
    shop.add_to_log(format!("{NOW} C {name}\n{NOW} d {name}\n{NOW} c {name}\n{NOW} U {name}\n").as_bytes());
    assert_eq!(shop.findings(), [Finding::Missing { name: name.clone() }]);
    // The old form of a name means the same file, and a name beyond the store paths none.
    shop.add_to_log(format!("{NOW} D {}\n{NOW} C {}\n", name.true_name(), hello.true_name()).as_bytes());
    assert_eq!(shop.findings(), []);
    let beyond = normal(StorePathIndex(7), b"beyond");
    shop.add_to_log(format!("{NOW} C {beyond}\n").as_bytes());
    assert_eq!(shop.findings(), [Finding::Missing { name: beyond }]);
}

#[test]
fn with_a_compressed_log_only_what_was_recorded_after_it_is_expected() {
    let (shop, _) = Shop::with_hello();
    let before = normal(M00, b"recorded before, and perhaps deleted in the compressed log");
    shop.add_to_log(format!("{NOW} C {before}\n").as_bytes());
    fs::write(shop.base().join("data/sync/binlog.001.gz"), b"not looked into").unwrap();
    let after = normal(M00, b"recorded after");
    fs::write(shop.log(2), format!("{NOW} C {after}\nnonsense\n")).unwrap();
    fs::write(shop.path(&normal(M00, b"unrecorded")), b"unrecorded").unwrap();
    let (findings, summary) = shop.check();
    let bad = Finding::BinlogLine { file: shop.log(2), line: 2, error: LineError::Columns };
    assert_eq!(findings, [bad, Finding::Missing { name: after }]);
    assert_eq!(summary.records.as_ref().unwrap().unread, ["binlog.001.gz"]);
    assert!(!summary.is_complete());
}

#[test]
fn a_running_store_whose_newest_records_are_not_in_the_binlog_yet_is_clean() {
    let shop = Shop::new();
    let store = shop.open();
    let name = shop.put(&store, M00, HELLO);
    shop.set_metadata(&store, &name, b"k\x02v");
    assert_eq!(fs::metadata(shop.log(0)).unwrap().len(), 0);
    let (findings, summary) = shop.check();
    assert_eq!(findings, []);
    assert!(summary.running && summary.is_clean());
}

#[test]
fn what_clients_change_while_the_check_runs_is_not_reported() {
    let shop = Shop::new();
    let store = shop.open();
    let deleted = shop.put(&store, M00, b"deleted meanwhile");
    store.binlog().flush().unwrap();
    let mut findings = Vec::new();
    let mut turn = 0;
    let summary = run_with(&shop.settings(), &mut findings, |at| {
        if at.stage == Stage::Records {
            turn += 1;
            // These are not among the records that were read.
            shop.put(&store, M00, b"made meanwhile, its record in the journal");
            shop.put(&store, M01, b"made meanwhile, its record in the binlog");
            store.binlog().flush().unwrap();
            shop.delete(&store, &deleted);
        }
    });
    assert_eq!((turn, findings), (1, vec![]));
    assert_eq!((summary.normal, summary.unsettled), (2, 0));
}

#[test]
fn a_store_under_load_is_clean() {
    let shop = Shop::new();
    let store = Arc::new(shop.open());
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for round in 0..200_u32 {
                    let content = [writer.to_be_bytes(), round.to_be_bytes()].concat().repeat(500);
                    let name = normal(StorePathIndex((round % 2) as u8), &content);
                    runtime.block_on(async {
                        let new = NewName::Fixed(name.clone());
                        store.create(name.path_index(), new, bytes(&content), NOW).await.unwrap();
                        let set = Box::new(|_: Option<&[u8]>| Some(b"k\x02v".to_vec()));
                        store.set_metadata(name.clone(), NOW, set).await.unwrap();
                        if round % 3 != 0 {
                            store.delete(name, NOW).await.unwrap();
                        }
                    });
                }
            })
        })
        .collect();
    let settings = FsckSettings { settle: Duration::from_secs(1), ..shop.settings() };
    while !writers.iter().all(std::thread::JoinHandle::is_finished) {
        let (findings, summary) = run(&settings);
        assert_eq!(findings, []);
        assert!(summary.running);
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    store.close().unwrap();
    let (findings, summary) = shop.check();
    assert_eq!(findings, []);
    assert_eq!((summary.normal, summary.metadata), (4 * 67, 4 * 67));
}

#[test]
fn a_file_that_changed_just_now_is_looked_at_again_before_it_is_reported() {
    let (shop, name) = Shop::with_hello();
    let settings = FsckSettings { settle: Duration::from_secs(2), ..shop.settings() };
    for (content, expected) in [
        (HELLO, vec![]),
        (b"still wrong", vec![Finding::WrongSize { name: name.clone(), expected: 14, found: 11 }]),
    ] {
        let mut findings = Vec::new();
        let mut stages = Vec::new();
        run_with(&settings, &mut findings, |at| {
            match at.stage {
                // Before the files are looked at.
                Stage::Records => fs::write(shop.path(&name), b"hello fa").unwrap(),
                Stage::Files => fs::write(shop.path(&name), content).unwrap(),
                Stage::Again | Stage::Names => {}
            }
            stages.push(at.stage);
        });
        assert_eq!(findings, expected);
        assert!(stages.contains(&Stage::Again));
    }
}

#[test]
fn a_file_that_never_stops_changing_is_counted_and_not_judged() {
    let (shop, _) = Shop::with_hello();
    let metadata = normal(M00, b"no such file").metadata_name();
    fs::write(shop.path(&metadata), b"k\x02v").unwrap();
    shop.add_to_log(format!("{NOW} C {metadata}\n").as_bytes());
    let mut findings = Vec::new();
    let mut version = 0;
    let summary = run_with(&shop.settings(), &mut findings, |at| {
        if matches!(at.stage, Stage::Files | Stage::Again) {
            // Until the kernel's clock has moved on, so that it shows.
            let path = shop.path(&metadata);
            let before = changed(&path);
            while changed(&path) == before {
                version += 1;
                fs::write(&path, format!("k\x02{version}")).unwrap();
            }
        }
    });
    assert_eq!((findings, summary.unsettled), (vec![], 1));
    assert!(summary.is_clean() && !summary.is_complete());
}

fn changed(path: &Path) -> Option<(i64, i64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.ctime(), metadata.ctime_nsec()))
}

#[test]
fn folders_beyond_the_configured_number_are_found_when_they_hold_files() {
    let (shop, _) = Shop::with_hello();
    fs::create_dir_all(shop.base().join("data/00/10")).unwrap();
    let path = shop.base().join("data/00/01");
    let settings = FsckSettings { subdir_count: 1, ..shop.settings() };
    assert_eq!(run(&settings).0, [Finding::FolderOutOfRange { path }]);
}

#[test]
fn a_store_path_or_a_binlog_that_is_not_there_stops_the_check() {
    let (shop, _) = Shop::with_hello();
    let nowhere = shop.dir.path().join("nowhere");
    let refused = |settings: FsckSettings| match check(&settings, &mut |_| {}) {
        Err(StoreError::Unusable { path, reason }) => (path, reason),
        other => panic!("{other:?}"),
    };
    let (path, reason) = refused(settings(shop.base(), vec![shop.base(), nowhere.clone()]));
    assert_eq!(path, nowhere);
    assert!(reason.contains("is the disk mounted?"), "{reason}");
    let (path, reason) = refused(settings(nowhere.clone(), shop.roots()));
    assert_eq!(path, nowhere);
    assert!(reason.contains("is this the base_path?"), "{reason}");
    let without_records = FsckSettings { records: false, ..settings(nowhere, shop.roots()) };
    assert_eq!(run(&without_records).0, []);
}

#[test]
fn findings_come_in_the_same_order_whatever_the_number_of_threads() {
    let (shop, _) = Shop::with_hello();
    let mut expected = Vec::new();
    for folder in 2..40 {
        for file in ["a.jpg", "b.jpg", "c.jpg"] {
            let path = shop.plant(&format!("{folder:02X}/{folder:02X}/{file}"), b"x");
            expected.push(Finding::NotAnId { path });
        }
    }
    for threads in [1, 2, 8] {
        assert_eq!(run(&FsckSettings { threads, ..shop.settings() }).0, expected);
    }
}

#[test]
fn progress_counts_folders_files_and_bytes_up_to_all_of_them() {
    let (shop, _) = Shop::with_hello();
    let mut stages = BTreeMap::new();
    run_with(&shop.settings(), &mut Vec::new(), |at| {
        stages.insert(format!("{:?}", at.stage), (at.done, at.total, at.files, at.bytes));
    });
    let line = format!("{NOW} C {}\n", normal(M00, HELLO)).len() as u64;
    assert_eq!(stages.get("Records"), Some(&(line, line, 0, 0)));
    assert_eq!(stages.get("Files"), Some(&(1, 1, 1, 14)));
}

#[test]
fn a_check_changes_nothing() {
    let shop = Shop::new();
    let store = shop.open();
    shop.put(&store, M00, HELLO);
    shop.put(&store, M01, &[7; 100_000]);
    drop(store);
    shop.plant("00/01/holiday.jpg", b"x");
    shop.add_to_log(b"nonsense");
    let before = tree(shop.dir.path());
    assert!(!shop.check().1.is_clean());
    assert_eq!(tree(shop.dir.path()), before);
}

/// Every file with its change time and content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, ((i64, i64), Vec<u8>)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            let content = fs::read(&path).unwrap();
            files.insert(path.clone(), (changed(&path).unwrap(), content));
        }
    }
    files
}

/// One recording of the original's folders.
fn recording(name: &str) -> TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1");
    let file = File::open(fixtures.join(name).join("stores.tar.gz")).unwrap();
    let dir = TempDir::new().unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(dir.path()).unwrap();
    dir
}

const TRUNK: &str = "trunk-2-trackers-4-storages";

/// Files of each kind: ordinary, appender, slave, metadata, slots.
fn kinds(summary: &Summary) -> [u64; 5] {
    [summary.normal, summary.appenders, summary.slaves, summary.metadata, summary.slots]
}

#[test]
fn the_originals_plain_stores_are_clean() {
    let dir = recording("plain-2-storages");
    for (storage, lines) in [("storage3", 29), ("storage4", 32)] {
        let base = dir.path().join(storage);
        let (findings, summary) = run(&settings(base.clone(), vec![base]));
        assert_eq!(findings, [], "{storage}");
        assert_eq!((kinds(&summary), summary.containers), ([8, 3, 3, 7, 0], 0), "{storage}");
        assert_eq!(summary.records.unwrap().lines, lines, "{storage}");
    }
}

#[test]
fn the_originals_stores_on_two_disks_one_of_them_filled_again_are_clean() {
    let dir = recording("late-join-disk-recovery");
    for (storage, lines) in [("st23", 15), ("st24", 12)] {
        let base = dir.path().join(storage);
        let paths = vec![base.join("p0"), base.join("p1")];
        let (findings, summary) = run(&settings(base, paths));
        assert_eq!(findings, [], "{storage}");
        assert_eq!(kinds(&summary), [6, 1, 1, 2, 0], "{storage}");
        assert_eq!(summary.records.unwrap().lines, lines, "{storage}");
    }
}

#[test]
fn the_originals_trunk_stores_are_clean() {
    let dir = recording(TRUNK);
    for (storage, expected) in [
        ("storage13", [1, 1, 0, 1, 6]),
        ("storage14", [1, 1, 0, 1, 6]),
        ("storage15", [0, 1, 1, 2, 3]),
        ("storage16", [0, 1, 1, 2, 3]),
    ] {
        let base = dir.path().join(storage);
        let (findings, summary) = run(&settings(base.clone(), vec![base]));
        assert_eq!(findings, [], "{storage}");
        assert_eq!((kinds(&summary), summary.containers), (expected, 1), "{storage}");
    }
}

#[test]
fn damaged_slots_of_a_trunk_file_are_found() {
    let dir = recording(TRUNK);
    let base = dir.path().join("storage13");
    let trunk = File::options().read(true).write(true).open(base.join("data/00/00/000001")).unwrap();
    let container: FileName = "M00/00/00/000001".parse().unwrap();
    let slot = |offset| Place::Slot { container: container.clone(), offset };
    let settings = settings(base.clone(), vec![base]);

    // A bit of the content of the first, the header of the second.
    let mut byte = [0];
    trunk.read_exact_at(&mut byte, 1000).unwrap();
    trunk.write_all_at(&[byte[0] ^ 4], 1000).unwrap();
    trunk.write_all_at(b"?", 3072).unwrap();
    let (findings, summary) = run(&settings);
    let second: FileName = "M00/00/00/ooYBAGsC4PSILs9-AAALuF1GbL0AAAAAQAADAAAAAwA621.bin".parse().unwrap();
    let [Finding::WrongCrc { place, expected: 0x5d46_6cbd, found }, rest @ ..] = &findings[..] else {
        panic!("{findings:?}");
    };
    assert_eq!(*place, slot(0));
    assert_ne!(*found, 0x5d46_6cbd);
    let bad = Finding::BadSlot { container: container.clone(), offset: 3072, fault: SlotFault::Header };
    assert_eq!(rest, [bad, Finding::Missing { name: second.clone() }]);
    assert_eq!(summary.slots, 5);

    // A slot whose header is another file's: the one is missing, the other has no record.
    trunk.write_all_at(b"F", 3072).unwrap();
    trunk.write_all_at(&[byte[0]], 1000).unwrap();
    trunk.write_all_at(b"999.bin", 3072 + 17).unwrap();
    let (findings, summary) = run(&settings);
    assert_eq!(findings, [Finding::Unrecorded { place: slot(3072) }, Finding::Missing { name: second }]);
    assert_eq!(summary.slots, 6);
}

#[test]
fn metadata_of_a_file_in_a_slot_is_stranded_when_the_slot_is_emptied() {
    let dir = recording(TRUNK);
    let base = dir.path().join("storage15");
    let trunk = File::options().write(true).open(base.join("data/00/00/000001")).unwrap();
    let name: FileName = "M00/00/00/o4YBAGsC4PSIDKmBAAALuF1GbL0AAAAAQAEuAAAAAwA949.bin".parse().unwrap();
    let slot = name.trunk_part().unwrap();
    trunk.write_all_at(&vec![0; slot.alloc_size as usize], slot.offset.into()).unwrap();
    let findings = run(&settings(base.clone(), vec![base])).0;
    assert_eq!(
        findings,
        [Finding::StrandedMetadata { name: name.metadata_name() }, Finding::Missing { name }]
    );
}
