//! What the check of a store finds in packs.
//!
//! A crash here is a store that is dropped without being closed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fdfs_fileid::{
    ExtName, FileName, SizeWord, SlavePrefix, Source, Stamp, StorePathIndex, build_name, slave_name,
};
use fdfs_format::pack::{HINT_FILE_LEN, HINT_HEADER_LEN, HintHeader, PACK_HEADER_LEN, PackHeader, Record};
use store::fsck::{Event, Finding, FsckSettings, Place, Severity, Stage, Summary, check};
use store::{Content, Durability, NewName, Packing, Store, StoreSettings};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const M00: StorePathIndex = StorePathIndex(0);
const M01: StorePathIndex = StorePathIndex(1);
const NOW: u32 = 1_751_328_000;
const HELLO: &[u8] = b"hello fastdfs\n";

/// A store of two paths in a folder of its own, whose small files are packed.
struct Shop {
    dir: TempDir,
    runtime: Runtime,
    pack_len: u64,
}

impl Shop {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { dir: TempDir::new().unwrap(), runtime, pack_len: 1 << 20 }
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
            packing: Packing {
                file_len_max: Some(16 * 1024),
                pack_len: self.pack_len,
                dead_percent: 50,
                rewrite_rate: 0,
            },
            commit_wait: Duration::ZERO,
        };
        Store::open(&settings).unwrap().0
    }

    /// A store with these files in one pack of the first path, closed in order.
    fn with(contents: &[&[u8]]) -> (Self, Vec<FileName>) {
        let shop = Self::new();
        let store = shop.open();
        let names = contents.iter().map(|content| shop.put(&store, M00, content)).collect();
        store.close().unwrap();
        (shop, names)
    }

    fn put(&self, store: &Store, path: StorePathIndex, content: &[u8]) -> FileName {
        let name = normal(path, content);
        self.put_as(store, &name, content);
        name
    }

    fn put_as(&self, store: &Store, name: &FileName, content: &[u8]) {
        let new = NewName::Fixed(name.clone());
        self.runtime.block_on(store.create(name.path_index(), new, bytes(content), NOW)).unwrap();
    }

    fn set_metadata(&self, store: &Store, name: &FileName, metadata: &[u8]) {
        let metadata = metadata.to_vec();
        let set = store.set_metadata(name.clone(), NOW, Box::new(|_| Some(metadata)));
        self.runtime.block_on(set).unwrap();
    }

    fn delete(&self, store: &Store, name: &FileName) {
        self.runtime.block_on(store.delete(name.clone(), NOW)).unwrap();
    }

    /// A file of the folder of packs of the first path.
    fn packs(&self, name: &str) -> PathBuf {
        self.base().join("data/.cairn/packs").join(name)
    }

    fn pack(&self) -> PathBuf {
        self.packs("000000000001.pack")
    }

    /// Where the record of a file with this content begins in the first pack.
    fn place_of(&self, content: &[u8]) -> u64 {
        let bytes = fs::read(self.pack()).unwrap();
        let at = bytes.windows(content.len()).position(|window| window == content).unwrap();
        at as u64 - 32
    }

    fn overwrite(&self, at: u64, with: &[u8]) {
        File::options().write(true).open(self.pack()).unwrap().write_all_at(with, at).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.base().join("data/sync/binlog.000")
    }

    fn settings(&self) -> FsckSettings {
        // Nothing here changes by itself, so there is nothing to wait for.
        let settings = FsckSettings::new(self.base(), self.roots());
        FsckSettings { content: true, settle: Duration::ZERO, ..settings }
    }

    fn check(&self) -> (Vec<Finding>, Summary) {
        run(&self.settings())
    }

    fn findings(&self) -> Vec<Finding> {
        self.check().0
    }
}

fn run(settings: &FsckSettings) -> (Vec<Finding>, Summary) {
    let mut findings = Vec::new();
    let summary = check(settings, &mut |event| match event {
        Event::Finding(finding) => findings.push(finding),
        Event::Progress(_) | Event::Victim { .. } | Event::Passed(_) => {}
    });
    (findings, summary.unwrap())
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

/// Ordinary files, slaves, metadata; packs and what is in them; bytes.
fn counts(summary: &Summary) -> [u64; 6] {
    [summary.normal, summary.slaves, summary.metadata, summary.packs, summary.packed, summary.bytes]
}

#[test]
fn packed_files_count_like_plain_ones_in_a_store_that_runs_has_crashed_or_was_closed() {
    let shop = Shop::new();
    let store = shop.open();
    let first = shop.put(&store, M00, HELLO);
    shop.set_metadata(&store, &first, b"width\x02160");
    shop.set_metadata(&store, &first, b"width\x02170");
    let slave =
        slave_name(&first, &SlavePrefix::parse(b"_big").unwrap(), &ExtName::parse(b"txt").unwrap()).unwrap();
    shop.put_as(&store, &slave, b"a slave has a size of its own");
    shop.put(&store, M01, b"on the other path");
    let large = shop.put(&store, M00, &[7; 16 * 1024 + 1]);
    let gone = shop.put(&store, M00, b"deleted");
    shop.set_metadata(&store, &gone, b"k\x02v");
    shop.delete(&store, &gone);
    assert!(shop.base().join("data").join(large.true_name()).exists());

    let bytes = 14 + 9 + 29 + 17 + 16 * 1024 + 1;
    let (findings, summary) = shop.check();
    assert_eq!((findings, summary.running), (vec![], true));
    assert_eq!(counts(&summary), [3, 1, 1, 2, 4, bytes]);
    assert_eq!(summary.bytes_read, bytes);

    drop(store);
    let (findings, summary) = shop.check();
    let journal = Finding::JournalPending { path: shop.base().join("data/.cairn/journal"), entries: 1 };
    assert_eq!((findings, summary.running), (vec![journal], false));
    assert_eq!(counts(&summary), [3, 1, 1, 2, 4, bytes]);

    shop.open().close().unwrap();
    let (findings, summary) = shop.check();
    assert_eq!(findings, []);
    assert_eq!(counts(&summary), [3, 1, 1, 2, 4, bytes]);
    // Four creates and a slave, metadata three times, two deleted.
    assert_eq!(summary.records.unwrap().lines, 5 + 3 + 2);
    let (findings, summary) = run(&FsckSettings { content: false, ..shop.settings() });
    assert_eq!(findings, []);
    assert_eq!(counts(&summary), [3, 1, 1, 2, 4, bytes]);
    assert_eq!(summary.bytes_read, 9, "only metadata");
}

#[test]
fn a_packed_file_is_held_against_its_id() {
    let shop = Shop::new();
    let store = shop.open();
    let crc = normal(M00, b"what the checksum was made of");
    shop.put_as(&store, &crc, b"and what was stored under it.");
    let size = normal(M00, b"what the length was taken of");
    shop.put_as(&store, &size, b"short");
    let strange: FileName = "M00/00/01/holiday.jpg".parse().unwrap();
    shop.put_as(&store, &strange, b"x");
    store.close().unwrap();
    let wrong_size = Finding::WrongSize { name: size, expected: 28, found: 5 };
    let at = shop.place_of(b"x00/01/holiday");
    let no_id = Finding::PackedNotAnId { pack: shop.pack(), at };
    let wrong_crc = Finding::WrongCrc {
        place: Place::File(crc),
        expected: crc32fast::hash(b"what the checksum was made of"),
        found: crc32fast::hash(b"and what was stored under it."),
    };
    // A file whose name is no id needs no record.
    assert_eq!(shop.findings(), [wrong_crc, wrong_size.clone(), no_id.clone()]);
    let (findings, _) = run(&FsckSettings { content: false, ..shop.settings() });
    assert_eq!(findings, [wrong_size, no_id]);
}

#[test]
fn a_record_that_can_not_be_read_is_named_and_the_others_are_found() {
    let (shop, names) = Shop::with(&[b"first", b"second", b"third"]);
    let at = shop.place_of(b"second");
    let damaged = |at, len, name| Finding::PackDamaged { pack: shop.pack(), at, len, name };
    // Of the content, which is read only on request.
    shop.overwrite(at + 33, b"E");
    let second = damaged(at, shop.place_of(b"third") - at, Some(names[1].clone()));
    let missing = Finding::Missing { name: names[1].clone() };
    assert_eq!(shop.findings(), [second.clone(), missing.clone()]);
    assert_eq!(second.severity(), Severity::Damage);
    assert_eq!(run(&FsckSettings { content: false, ..shop.settings() }).0, []);
    let (_, summary) = shop.check();
    assert_eq!((summary.normal, summary.packed), (2, 2));

    // That of the last one is not read either.
    shop.overwrite(at + 33, b"e");
    let last = shop.place_of(b"third");
    shop.overwrite(last + 33, b"H");
    assert_eq!(run(&FsckSettings { content: false, ..shop.settings() }).0, []);
    shop.overwrite(last + 33, b"h");

    // Of the length, so that nobody knows where it ends.
    shop.overwrite(at + 27, &[200]);
    for content in [true, false] {
        let (findings, summary) = run(&FsckSettings { content, ..shop.settings() });
        assert_eq!(summary.normal, 2, "{findings:?}");
        assert!(
            matches!(findings[..], [Finding::PackDamaged { at: bad, .. }, ..] if bad == at),
            "{findings:?}"
        );
    }

    // And the end, which is no damage only where it was never finished.
    shop.overwrite(at + 27, &[6]);
    let at = shop.place_of(b"third");
    let len = fs::metadata(shop.pack()).unwrap().len();
    File::options().write(true).open(shop.pack()).unwrap().set_len(at + 40).unwrap();
    let missing = Finding::Missing { name: names[2].clone() };
    assert_eq!(shop.findings(), [damaged(at, len - at, None), missing.clone()]);
    fs::remove_file(shop.packs("000000000001.hint")).unwrap();
    assert_eq!(shop.findings(), [missing]);
}

#[test]
fn what_follows_the_last_record_of_a_pack_that_is_not_sealed_is_nothing() {
    let shop = Shop::new();
    let store = shop.open();
    shop.put(&store, M00, b"first");
    shop.put(&store, M00, b"second");
    drop(store);
    let name_len = normal(M00, b"second").true_name().len() as u64;
    let end = shop.place_of(b"second") + (32 + 6 + name_len).next_multiple_of(8);
    assert!(fs::metadata(shop.pack()).unwrap().len() > end, "the file system keeps room");
    assert_eq!(shop.findings(), []);
    let mut half = Vec::new();
    let name = normal(M00, b"half");
    let kind = fdfs_format::pack::Kind::File;
    Record::encode(9, kind, b'C', NOW, b"half", name.true_name().as_bytes(), &mut half).unwrap();
    shop.overwrite(end, &half[..40]);
    assert_eq!(shop.findings(), []);
    assert_eq!(shop.check().1.normal, 2);

    // Before the last record it is damage there too.
    let at = shop.place_of(b"first");
    shop.overwrite(at + 32, b"F");
    let damaged = Finding::PackDamaged {
        pack: shop.pack(),
        at,
        len: shop.place_of(b"second") - at,
        name: Some(normal(M00, b"first")),
    };
    assert_eq!(shop.findings(), [damaged]);
}

#[test]
fn a_pack_without_a_header_is_found_and_its_files_count() {
    let (shop, _) = Shop::with(&[b"first", b"second"]);
    shop.overwrite(20, b"?");
    let (findings, summary) = shop.check();
    assert_eq!(findings, [Finding::PackHeader { pack: shop.pack() }]);
    assert_eq!((summary.normal, summary.packs), (2, 1));
    // One that was just begun has none yet.
    fs::write(shop.packs("000000000002.pack"), [0; 4096]).unwrap();
    assert_eq!(shop.check().1.packs, 1);
}

#[test]
fn a_hint_that_does_not_list_what_is_in_its_pack_is_found() {
    let (shop, names) = Shop::with(&[b"first", b"second", b"third"]);
    let hint = shop.packs("000000000001.hint");
    let whole = fs::read(&hint).unwrap();
    let header = HintHeader::decode(&whole).unwrap();
    let write = |list: &[u8], files| {
        let header = HintHeader { files, list_checksum: crc32fast::hash(list), ..header };
        fs::write(&hint, [header.encode().as_slice(), list].concat()).unwrap();
    };
    let list = &whole[HINT_HEADER_LEN..];
    let differs = |content: &[u8]| Finding::PackHint { hint: hint.clone(), at: shop.place_of(content) };

    write(&list[..2 * HINT_FILE_LEN], 2);
    let (findings, summary) = shop.check();
    assert_eq!((findings, summary.normal), (vec![differs(b"third")], 3));
    let mut other = list.to_vec();
    other[HINT_FILE_LEN] ^= 1;
    write(&other, 3);
    assert_eq!(shop.findings(), [differs(b"second")]);

    // A record that can't be read is said once.
    write(list, 3);
    let at = shop.place_of(b"second");
    shop.overwrite(at, b"?");
    let findings = shop.findings();
    assert_eq!(findings[1..], [Finding::Missing { name: names[1].clone() }]);
    // A hint that can't be read is none: the next start reads the pack.
    shop.overwrite(at, b"C");
    fs::write(&hint, &whole[..100]).unwrap();
    assert_eq!(shop.findings(), []);
}

#[test]
fn a_file_that_is_in_a_pack_and_under_its_name_is_found() {
    let (shop, names) = Shop::with(&[HELLO]);
    let plain = shop.base().join("data").join(names[0].true_name());
    fs::create_dir_all(plain.parent().unwrap()).unwrap();
    fs::write(plain, HELLO).unwrap();
    assert_eq!(shop.findings(), [Finding::Twice { name: names[0].clone() }]);
}

#[test]
fn of_two_records_of_one_name_the_later_one_counts() {
    let (shop, names) = Shop::with(&[HELLO]);
    // As a crash leaves it before the earlier one is said to be gone, in the pack of another start.
    let header = PackHeader {
        number: 2,
        covers: 2,
        first_sequence: 2,
        rewritten: 0,
        binlog_index: 0,
        binlog_offset: fs::metadata(shop.log()).unwrap().len(),
    };
    let mut pack = header.encode().to_vec();
    let name = names[0].true_name().as_bytes();
    let kind = fdfs_format::pack::Kind::File;
    Record::encode(2, kind, 0, NOW, b"hellO fastdfs\n", name, &mut pack).unwrap();
    fs::write(shop.packs("000000000002.pack"), &pack).unwrap();
    let (findings, summary) = shop.check();
    let wrong = Finding::WrongCrc {
        place: Place::File(names[0].clone()),
        expected: crc32fast::hash(HELLO),
        found: crc32fast::hash(b"hellO fastdfs\n"),
    };
    assert_eq!((findings, summary.normal), (vec![wrong], 1));
}

#[test]
fn what_rewriting_left_behind_is_left_over_only_when_no_storage_is_running() {
    let (shop, _) = Shop::with(&[HELLO]);
    // The first pack as one that was made of two.
    let mut bytes = fs::read(shop.pack()).unwrap();
    let header = PackHeader::decode(&bytes).unwrap();
    bytes[..PACK_HEADER_LEN].copy_from_slice(&PackHeader { covers: 2, rewritten: 1, ..header }.encode());
    fs::write(shop.pack(), &bytes).unwrap();
    fs::write(shop.packs("000000000001.rewrite"), [1; 10]).unwrap();
    fs::write(shop.packs("000000000002.pack"), &bytes).unwrap();
    fs::write(shop.packs("000000000002.hint"), [1; 20]).unwrap();
    let (findings, summary) = shop.check();
    let path = shop.base().join("data/.cairn/packs");
    assert_eq!(findings, [Finding::Leftovers { path, files: 3, bytes: 30 + bytes.len() as u64 }]);
    assert_eq!((summary.packs, summary.normal), (1, 1));

    let store = shop.open();
    fs::write(shop.packs("000000000001.rewrite"), [1; 10]).unwrap();
    assert_eq!(shop.findings(), []);
    drop(store);
}

#[test]
fn files_in_packs_are_compared_with_the_records() {
    let (shop, names) = Shop::with(&[b"first", b"second"]);
    let lines = fs::read_to_string(shop.log()).unwrap();
    let never = normal(M00, b"never there");
    let first = format!("{NOW} C {}\n", names[0]);
    fs::write(shop.log(), format!("{first}{NOW} C {never}\n")).unwrap();
    let unrecorded = Finding::Unrecorded { place: Place::File(names[1].clone()) };
    assert_eq!(shop.findings(), [unrecorded, Finding::Missing { name: never }]);

    // Before a pack is sealed its lines need not be in the binlog.
    fs::remove_file(shop.packs("000000000001.hint")).unwrap();
    fs::write(shop.log(), first).unwrap();
    assert_eq!(shop.findings(), []);
    shop.open().close().unwrap();
    assert_eq!(fs::read_to_string(shop.log()).unwrap(), lines);
    assert_eq!(shop.findings(), []);
}

#[test]
fn metadata_is_stranded_only_when_no_pack_and_no_folder_has_its_file() {
    let mut shop = Shop::new();
    // A pack for each.
    shop.pack_len = 1;
    let store = shop.open();
    let first = shop.put(&store, M00, b"first");
    let mut large = vec![7; 16 * 1024 + 1];
    large.extend_from_slice(b"is a file of its own");
    let plain = shop.put(&store, M00, &large);
    shop.put_as(&store, &plain.metadata_name(), b"k\x02v");
    shop.set_metadata(&store, &first, b"k\x02v");
    shop.set_metadata(&store, &first, b"\0\0\0");
    let stranded = normal(M00, b"no such file").metadata_name();
    shop.put_as(&store, &stranded, b"k\x02v");
    store.close().unwrap();
    let fault = store::fsck::MetadataFault::Zeros;
    let bad = Finding::BadMetadata { name: first.metadata_name(), fault };
    let (findings, summary) = shop.check();
    assert_eq!(findings, [bad, Finding::StrandedMetadata { name: stranded }]);
    assert_eq!(summary.metadata, 3);
    assert!(summary.packs > 3);
}

#[test]
fn what_clients_change_in_packs_while_the_check_runs_is_not_reported() {
    let shop = Shop::new();
    let store = shop.open();
    let deleted = shop.put(&store, M00, b"deleted meanwhile");
    store.binlog().flush().unwrap();
    let mut findings = Vec::new();
    let summary = check(&shop.settings(), &mut |event| match event {
        Event::Finding(finding) => findings.push(finding),
        Event::Progress(at) if at.stage == Stage::Records => {
            // These are not among the records that were read.
            shop.put(&store, M00, b"made meanwhile, its record in the pack");
            shop.put(&store, M01, b"made meanwhile, its record in the binlog");
            store.binlog().flush().unwrap();
            shop.delete(&store, &deleted);
        }
        Event::Progress(_) | Event::Victim { .. } | Event::Passed(_) => {}
    });
    assert_eq!(findings, []);
    assert_eq!(summary.unwrap().normal, 2);
}

#[test]
fn a_store_under_load_whose_files_are_packed_is_clean() {
    let mut shop = Shop::new();
    shop.pack_len = 64 * 1024;
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
    assert_eq!((summary.normal, summary.metadata, summary.packed), (4 * 67, 4 * 67, 8 * 67));
}

#[test]
fn a_check_changes_nothing_in_packs() {
    let shop = Shop::new();
    let store = shop.open();
    shop.put(&store, M00, HELLO);
    drop(store);
    File::options().append(true).open(shop.log()).unwrap().write_all(b"nonsense").unwrap();
    fs::remove_file(shop.packs("key")).unwrap();
    let files = || {
        let entries = fs::read_dir(shop.packs("")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let before = files();
    assert_eq!(shop.findings().len(), 1);
    assert_eq!(files(), before);
}
