//! Files in slots of trunk files: the original's are served, deleted and filled, and no crash leaves half of one.
//!
//! A crash here is a store that is dropped without being closed; what a crash of the machine takes away on top is taken
//! away by hand before the store is opened again.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fdfs_fileid::{
    ExtName, FileName, Kind, SizeWord, Source, Stamp, StorePathIndex, TrunkPart, build_trunk_name,
};
use fdfs_format::binlog::{Change, Record};
use fdfs_format::{SLOT_HEADER_LEN, SlotHeader, SlotKind};
use store::fsck::{Finding, FsckSettings, check};
use store::{Content, Durability, NewName, Packing, Store, StoreError, StoreSettings};
use tempfile::TempDir;
use testkit::folder;

const M00: StorePathIndex = StorePathIndex(0);
const NOW: u32 = 1_751_328_000;
const FILE_LEN: u32 = 4 << 20;

/// A store path whose base path it is as well.
fn settings(root: &Path) -> StoreSettings {
    StoreSettings {
        binlog_dir: root.join("data/sync"),
        paths: vec![root.to_owned()],
        durability: Durability::Disk,
        inline_max: 64 * 1024,
        journal_len: 4 << 20,
        packing: Packing::OFF,
        commit_wait: Duration::ZERO,
    }
}

/// A store that keeps slots.
fn open(root: &Path) -> Store {
    let store = Store::open(&settings(root)).unwrap().0;
    store.keep_slots(Some(FILE_LEN));
    store
}

/// The name of `content` in a slot of the trunk file 1.
fn name_at(offset: u32, alloc_size: u32, content: &[u8], random: u32) -> FileName {
    let stamp = Stamp {
        source: Source::Id(100_001),
        timestamp: NOW,
        size: SizeWord::trunk(content.len() as u32, random),
        crc32: crc32fast::hash(content),
    };
    let part = TrunkPart { file_id: 1, offset, alloc_size };
    build_trunk_name(M00, (0, 1), &stamp, &part, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
}

fn bytes(content: &[u8]) -> Content {
    Content::Bytes(content.to_vec().into())
}

async fn put(store: &Store, name: &FileName, content: &[u8]) {
    store.create(M00, NewName::Fixed(name.clone()), bytes(content), NOW).await.unwrap();
}

async fn read(store: &Store, name: &FileName) -> Option<Vec<u8>> {
    match store.open_file(name).await {
        Ok(stored) => Some(stored.read(0, stored.len as usize).await.unwrap()),
        Err(StoreError::NotFound) => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

fn container(root: &Path) -> PathBuf {
    root.join("data/00/01/000001")
}

/// All of a slot.
fn slot(root: &Path, name: &FileName) -> Vec<u8> {
    let part = name.trunk_part().unwrap();
    let mut bytes = vec![0; part.alloc_size as usize];
    File::open(container(root)).unwrap().read_exact_at(&mut bytes, part.offset.into()).unwrap();
    bytes
}

/// What a slot with this file holds, byte by byte.
fn filled(name: &FileName, content: &[u8]) -> Vec<u8> {
    let mut bytes = [&SlotHeader::of(name).unwrap().encode()[..], content].concat();
    bytes.resize(name.trunk_part().unwrap().alloc_size as usize, 0);
    bytes
}

fn overwrite(root: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(container(root)).unwrap().write_all_at(bytes, at).unwrap();
}

fn binlog(root: &Path) -> String {
    fs::read_to_string(root.join("data/sync/binlog.000")).unwrap()
}

fn findings(root: &Path) -> Vec<Finding> {
    let mut settings = FsckSettings::new(root.to_owned(), vec![root.to_owned()]);
    (settings.content, settings.settle) = (true, Duration::ZERO);
    let mut found = Vec::new();
    check(&settings, &mut |event| {
        if let store::fsck::Event::Finding(finding) = event {
            found.push(finding);
        }
    })
    .unwrap();
    found
}

/// The recording of the original with trunk files.
fn recording() -> TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1");
    let file = File::open(fixtures.join("trunk-2-trackers-4-storages/stores.tar.gz")).unwrap();
    let dir = TempDir::new().unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(dir.path()).unwrap();
    dir
}

/// The names in a binlog, and whether they are there.
fn recorded(root: &Path) -> BTreeMap<FileName, bool> {
    let mut names = BTreeMap::new();
    for line in binlog(root).lines() {
        match Record::parse(line.as_bytes()).unwrap().change {
            Change::Create { name } => names.insert(name, true),
            Change::Delete { name } => names.insert(name, false),
            _ => None,
        };
    }
    names
}

#[tokio::test]
async fn everything_in_the_originals_trunk_stores_is_served() {
    let dir = recording();
    let (mut slots, mut gone, mut others) = (0, 0, 0);
    for storage in ["storage13", "storage14", "storage15", "storage16"] {
        let root = dir.path().join(storage);
        let store = open(&root);
        for (name, is_there) in recorded(&root) {
            if name.is_metadata() {
                let metadata = store.metadata(&name.metadata_master().unwrap()).await.unwrap();
                assert!(metadata.is_some_and(|bytes| !bytes.is_empty()), "{name}");
                continue;
            }
            if !is_there {
                assert_eq!(read(&store, &name).await, None, "{name}");
                assert!(matches!(store.delete(name, NOW).await, Err(StoreError::NotFound)));
                gone += 1;
                continue;
            }
            let stored = store.open_file(&name).await.unwrap();
            if name.kind() != Kind::Trunk {
                others += 1;
                continue;
            }
            let stamp = name.stamp().unwrap();
            assert_eq!(Some(stored.len), stamp.size.size(), "{name}");
            assert_eq!(stored.mtime().await.unwrap(), i64::from(stamp.timestamp), "{name}");
            assert_eq!(stored.crc32().await.unwrap(), stamp.crc32, "{name}");
            let content = stored.read(0, stored.len as usize).await.unwrap();
            stored.warm(0, stored.len).await.unwrap();
            let mut cached = vec![0; content.len()];
            assert!(stored.read_cached(&mut cached, 0) && cached == content, "{name}");
            assert_eq!(stored.read(3, 7).await.unwrap(), content[3..10], "{name}");
            slots += 1;
        }
        store.close().unwrap();
        assert_eq!(findings(&root), [], "{storage}");
    }
    assert_eq!((slots, gone, others), (18, 4, 8));
}

#[tokio::test]
async fn a_file_in_a_slot_has_metadata_that_goes_with_it() {
    let dir = recording();
    let root = dir.path().join("storage15");
    let name: FileName = "M00/00/00/o4YBAGsC4PSIDKmBAAALuF1GbL0AAAAAQAEuAAAAAwA949.bin".parse().unwrap();
    let store = open(&root);
    store.set_metadata(name.clone(), NOW, Box::new(|old| old.map(<[u8]>::to_vec))).await.unwrap();
    let update = store.set_metadata(name.clone(), NOW, Box::new(|_| Some(b"k\x02v".to_vec())));
    update.await.unwrap();
    assert_eq!(store.metadata(&name).await.unwrap().unwrap(), b"k\x02v");
    store.delete(name.clone(), NOW).await.unwrap();
    assert!(matches!(store.metadata(&name).await, Err(StoreError::NotFound)));
    store.close().unwrap();
    let meta = name.metadata_name();
    assert!(binlog(&root).ends_with(&format!("{NOW} U {meta}\n{NOW} D {name}\n{NOW} D {meta}\n")));
    let part = name.trunk_part().unwrap();
    let mut whole = vec![1; part.alloc_size as usize];
    let file = File::open(root.join("data/00/00/000001")).unwrap();
    file.read_exact_at(&mut whole, part.offset.into()).unwrap();
    assert!(whole.iter().all(|byte| *byte == 0));
    assert_eq!(findings(&root), []);
}

#[tokio::test]
async fn a_link_in_a_slot_leads_to_its_file_and_no_further() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let store = open(root);
    let source = name_at(0, 256, b"hello", 1);
    put(&store, &source, b"hello").await;
    store.set_metadata(source.clone(), NOW, Box::new(|_| Some(b"k\x02v".to_vec()))).await.unwrap();
    let mut at = 256;
    let mut link_to = |target: &FileName| {
        let text = target.as_str().as_bytes();
        let link = name_at(at, 256, text, 2);
        let header = SlotHeader { kind: SlotKind::Link, ..SlotHeader::of(&link).unwrap() };
        overwrite(root, at.into(), &[&header.encode()[..], text].concat());
        at += 256;
        link
    };
    let link = link_to(&source);
    let second = link_to(&link);
    assert_eq!(read(&store, &link).await.unwrap(), b"hello");
    assert_eq!(read(&store, &second).await, None);
    // Such a slot may be what somebody uploaded, under a name that he made up.
    for hidden in ["M00/00/01/000001".parse().unwrap(), source.metadata_name()] {
        let link = link_to(&hidden);
        assert!(root.join("data").join(hidden.true_name()).exists(), "{hidden}");
        assert_eq!(read(&store, &link).await, None, "{hidden}");
    }
    store.delete(link.clone(), NOW).await.unwrap();
    assert_eq!(read(&store, &link).await, None);
    assert_eq!(read(&store, &source).await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_new_file_goes_into_its_slot_as_the_original_writes_it() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let (small, empty, large) = (b"hello".to_vec(), Vec::new(), vec![7; 100_000]);
    let names = [name_at(0, 256, &small, 1), name_at(256, 256, &empty, 2), name_at(512, 100_096, &large, 3)];
    put(&store, &names[0], &small).await;
    put(&store, &names[1], &empty).await;
    let mut staged = store.stage(M00, large.len() as u64).await.unwrap();
    staged.write(large.clone()).await.unwrap();
    store.create(M00, NewName::Slot(names[2].clone()), Content::Staged(staged), NOW).await.unwrap();
    assert_eq!(fs::metadata(container(dir.path())).unwrap().len(), u64::from(FILE_LEN));
    for (name, content) in names.iter().zip([&small, &empty, &large]) {
        assert!(slot(dir.path(), name) == filled(name, content), "{name}");
        assert!(read(&store, name).await.unwrap() == *content, "{name}");
        let again = store.create(M00, NewName::Fixed(name.clone()), bytes(content), NOW).await;
        assert!(matches!(again, Err(StoreError::Exists)), "{name}");
    }
    store.close().unwrap();
    let lines: String = names.iter().map(|name| format!("{NOW} C {name}\n")).collect();
    assert_eq!(binlog(dir.path()), lines);
    assert_eq!(findings(dir.path()), []);
}

#[tokio::test]
async fn without_slots_a_file_with_a_slot_in_its_name_is_kept_as_any_other() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    store.keep_slots(None);
    let name = name_at(0, 256, b"hello", 1);
    let slot = store.create(M00, NewName::Slot(name.clone()), bytes(b"hello"), NOW).await;
    assert!(matches!(slot, Err(StoreError::Exists)));
    put(&store, &name, b"hello").await;
    assert!(!container(dir.path()).exists());
    assert_eq!(read(&store, &name).await.unwrap(), b"hello");
    store.delete(name.clone(), NOW).await.unwrap();
    assert_eq!(read(&store, &name).await, None);
    assert_eq!(store.take_freed_slots().slots, []);
}

#[tokio::test]
async fn d15_a_slot_in_use_is_never_overwritten() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let first = name_at(256, 512, &[1; 400], 1);
    put(&store, &first, &[1; 400]).await;
    // The same slot, one in the middle of it, one that ends in it.
    for (random, offset, alloc) in [(2, 256, 512), (3, 384, 256), (4, 0, 512)] {
        let second = name_at(offset, alloc, b"second", random);
        let refused = store.create(M00, NewName::Slot(second.clone()), bytes(b"second"), NOW).await;
        assert!(matches!(refused, Err(StoreError::Exists)), "{offset}");
        put(&store, &second, b"second").await;
        assert_eq!(read(&store, &second).await.unwrap(), b"second");
        assert!(read(&store, &first).await.unwrap() == [1; 400]);
    }
    assert!(slot(dir.path(), &first) == filled(&first, &[1; 400]));
    // The deletion that came too late, and a file that then gets the slot.
    store.delete(first.clone(), NOW).await.unwrap();
    let third = name_at(256, 512, b"third", 5);
    put(&store, &third, b"third").await;
    assert!(slot(dir.path(), &third) == filled(&third, b"third"));
    let beside = name_at(256, 512, b"second", 2);
    assert_eq!(read(&store, &beside).await.unwrap(), b"second");
    store.delete(beside, NOW).await.unwrap();
    assert_eq!(read(&store, &third).await.unwrap(), b"third");
    store.close().unwrap();
    assert_eq!(findings(dir.path()), []);
}

#[tokio::test]
async fn d15_two_files_that_ask_for_one_slot_at_once_do_not_share_it() {
    let dir = TempDir::new().unwrap();
    let mut settings = settings(dir.path());
    // Long enough for all to come into one batch.
    settings.commit_wait = Duration::from_millis(300);
    let store = Store::open(&settings).unwrap().0;
    store.keep_slots(Some(FILE_LEN));
    let names: Vec<_> = (0..4).map(|n| name_at(n * 128, 256, &[n as u8; 40], n)).collect();
    let contents: Vec<_> = (0..4).map(|n| [n as u8; 40]).collect();
    tokio::join!(
        put(&store, &names[0], &contents[0]),
        put(&store, &names[1], &contents[1]),
        put(&store, &names[2], &contents[2]),
        put(&store, &names[3], &contents[3]),
    );
    for (name, content) in names.iter().zip(contents) {
        assert_eq!(read(&store, name).await.unwrap(), content);
    }
    store.close().unwrap();
    assert_eq!(findings(dir.path()), []);
}

#[tokio::test]
async fn content_that_is_not_what_the_name_says_gets_no_slot() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for (name, content) in [
        (name_at(0, 256, b"hello", 1), &b"hellO"[..]),
        (name_at(0, 256, b"hello", 2), b"hello!"),
        (name_at(0, 28, b"hello", 3), b"hello"),
        (name_at(FILE_LEN - 128, 256, b"hello", 4), b"hello"),
        (name_at(u32::MAX, u32::MAX, b"hello", 5), b"hello"),
    ] {
        put(&store, &name, content).await;
        assert_eq!(read(&store, &name).await.unwrap(), content);
    }
    assert!(!container(dir.path()).exists());
}

#[tokio::test]
async fn d15_after_a_power_cut_a_slot_is_whole_or_free() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let large = vec![9; 100_000];
    let names =
        [name_at(0, 256, b"stays", 1), name_at(256, 256, b"goes", 2), name_at(512, 100_096, &large, 3)];
    {
        let store = open(root);
        put(&store, &names[0], b"stays").await;
        put(&store, &names[1], b"goes").await;
        let mut staged = store.stage(M00, large.len() as u64).await.unwrap();
        staged.write(large.clone()).await.unwrap();
        store.create(M00, NewName::Fixed(names[2].clone()), Content::Staged(staged), NOW).await.unwrap();
        store.delete(names[1].clone(), NOW).await.unwrap();
    }
    let whole = fs::read(container(root)).unwrap();
    let goes = filled(&names[1], b"goes");
    // What the disk may have kept of it: nothing, all headers without content, content without headers, half a header,
    // half of the deletion.
    type TakeAway<'a> = &'a dyn Fn(&mut Vec<u8>);
    let ways: [TakeAway<'_>; 6] = [
        &|bytes| bytes.clear(),
        &|bytes| bytes.fill(0),
        &|bytes| bytes[24..256].fill(0),
        &|bytes| bytes[..24].fill(0),
        &|bytes| bytes[512 + 10..512 + 24].fill(0),
        &|bytes| bytes[256 + 9..512].copy_from_slice(&goes[9..]),
    ];
    // Each time from the journal as the crash left it.
    let saved = TempDir::new().unwrap();
    folder::copy(root, saved.path()).unwrap();
    for (at, take_away) in ways.iter().enumerate() {
        let again = TempDir::new().unwrap();
        folder::copy(saved.path(), again.path()).unwrap();
        let mut bytes = whole.clone();
        take_away(&mut bytes);
        fs::write(container(again.path()), bytes).unwrap();
        let store = open(again.path());
        assert_eq!(read(&store, &names[0]).await.unwrap(), b"stays", "{at}");
        assert_eq!(read(&store, &names[1]).await, None, "{at}");
        assert!(read(&store, &names[2]).await.unwrap() == large, "{at}");
        assert!(slot(again.path(), &names[1]).iter().all(|byte| *byte == 0), "{at}");
        store.close().unwrap();
        assert_eq!(findings(again.path()), [], "{at}");
    }
}

#[tokio::test]
async fn after_a_crash_a_slot_that_was_used_again_keeps_its_last_file() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (name_at(0, 512, &[1; 400], 1), name_at(0, 256, b"second", 2));
    let behind = name_at(256, 256, b"behind", 3);
    {
        let store = open(dir.path());
        put(&store, &first, &[1; 400]).await;
        store.delete(first.clone(), NOW).await.unwrap();
        put(&store, &second, b"second").await;
        put(&store, &behind, b"behind").await;
    }
    for _ in 0..2 {
        let store = open(dir.path());
        assert_eq!(read(&store, &first).await, None);
        assert_eq!(read(&store, &second).await.unwrap(), b"second");
        assert_eq!(read(&store, &behind).await.unwrap(), b"behind");
    }
    assert_eq!(slot(dir.path(), &second), filled(&second, b"second"));
}

#[tokio::test]
async fn the_trunk_server_can_be_told_which_slots_are_free() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let name = name_at(256, 256, b"hello", 1);
    put(&store, &name, b"hello").await;
    assert_eq!(store.take_freed_slots(), store::FreedSlots::default());
    store.delete(name.clone(), NOW).await.unwrap();
    let freed = store.take_freed_slots();
    let expected = store::FreedSlot { path: M00, dirs: (0, 1), part: name.trunk_part().unwrap() };
    assert_eq!((freed.slots, freed.forgotten), (vec![expected], 0));
    assert_eq!(store.take_freed_slots().slots, []);
}

#[tokio::test]
async fn s6_a_name_made_up_about_the_inside_of_a_slot_reads_and_wipes_nothing_of_the_neighbours() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let store = open(root);
    // In the content: the header of a file that reaches into the neighbour's slot, and one that is whole, but whose slot
    // reaches over the neighbour's.
    let reaching = name_at(24 + 64, 1024, &[b'x'; 400], 1);
    let covering = name_at(24 + 128, 1024, b"mine", 2);
    let mut content = vec![b'n'; 200];
    content[64..88].copy_from_slice(&SlotHeader::of(&reaching).unwrap().encode());
    content[128..152].copy_from_slice(&SlotHeader::of(&covering).unwrap().encode());
    content[152..156].copy_from_slice(b"mine");
    let (mine, neighbour) = (name_at(0, 256, &content, 3), name_at(256, 256, b"neighbour", 4));
    put(&store, &mine, &content).await;
    put(&store, &neighbour, b"neighbour").await;
    assert_eq!(read(&store, &reaching).await, None);
    assert!(matches!(store.delete(reaching, NOW).await, Err(StoreError::NotFound)));
    assert_eq!(read(&store, &mine).await.unwrap(), content);
    assert_eq!(read(&store, &covering).await.unwrap(), b"mine");
    store.delete(covering, NOW).await.unwrap();
    assert_eq!(slot(root, &neighbour), filled(&neighbour, b"neighbour"));
    assert_eq!(read(&store, &neighbour).await.unwrap(), b"neighbour");
}

#[tokio::test]
async fn a_damaged_file_in_a_slot_is_not_served_and_can_be_deleted() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let names = [name_at(0, 256, b"first", 1), name_at(256, 256, b"second", 2)];
    {
        let store = open(root);
        put(&store, &names[0], b"first").await;
        put(&store, &names[1], b"second").await;
        store.close().unwrap();
    }
    overwrite(root, 256 + 24, b"S");
    let store = open(root);
    assert_eq!(read(&store, &names[1]).await, None);
    assert_eq!(read(&store, &names[0]).await.unwrap(), b"first");
    store.delete(names[1].clone(), NOW).await.unwrap();
    store.close().unwrap();
    assert!(slot(root, &names[1]).iter().all(|byte| *byte == 0));
    assert_eq!(findings(root), []);
}

#[tokio::test]
async fn a_reader_never_gets_what_came_into_the_slot_after_its_file() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let (first, second) = (name_at(0, 256, b"first", 1), name_at(0, 256, b"other", 2));
    put(&store, &first, b"first").await;
    let stored = store.open_file(&first).await.unwrap();
    assert!(stored.may_be_reused());
    let mut buffer = [0; 5];
    assert!(stored.read_cached(&mut buffer, 0));
    store.delete(first.clone(), NOW).await.unwrap();
    put(&store, &second, b"other").await;
    assert!(!stored.read_cached(&mut buffer, 0));
    assert!(matches!(stored.read(0, 5).await, Err(StoreError::NotFound)));
    assert!(matches!(stored.crc32().await, Err(StoreError::NotFound)));
    assert!(matches!(stored.warm(0, 5).await, Err(StoreError::NotFound)));
}

#[test]
fn unpacking_leaves_trunk_files_alone() {
    let dir = recording();
    let root = dir.path().join("storage13");
    let path = root.join("data/00/00/000001");
    let before = fs::read(&path).unwrap();
    let done = store::unpack::unpack(&settings(&root), 4, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(done.files, 0);
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(findings(&root), []);
    assert!(before.len() > SLOT_HEADER_LEN);
}
