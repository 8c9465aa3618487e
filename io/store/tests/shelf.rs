//! Store paths that another process keeps: what a shelf gives of them, and that it leaves them alone.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fdfs_fileid::{
    ExtName, FileName, SizeWord, SlavePrefix, Source, Stamp, StorePathIndex, TrunkPart, build_name,
    build_trunk_name, slave_name,
};
use fdfs_format::binlog::{Change, Record};
use fdfs_format::{SlotHeader, SlotKind};
use store::{Content, Durability, NewName, Packing, Shelf, Store, StoreError, StoreSettings, StoredFile};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const M01: StorePathIndex = StorePathIndex(1);
const NOW: u32 = 1_751_328_000;

/// Two store paths, and nobody who keeps them.
fn two() -> (TempDir, [PathBuf; 2]) {
    let dir = TempDir::new().unwrap();
    let roots = ["first", "second"].map(|name| dir.path().join(name));
    roots.iter().for_each(|root| fs::create_dir_all(root.join("data/00/01")).unwrap());
    (dir, roots)
}

/// A storage at work.
fn store(roots: &[PathBuf], packing: Packing) -> Store {
    let settings = StoreSettings {
        binlog_dir: roots[0].join("data/sync"),
        paths: roots.to_vec(),
        durability: Durability::Fastdfs,
        inline_max: 64 * 1024,
        journal_len: 4 << 20,
        packing,
        commit_wait: Duration::ZERO,
    };
    let store = Store::open(&settings).unwrap().0;
    store.keep_slots(Some(1 << 20));
    store
}

fn stamp(content: &[u8], size: SizeWord) -> Stamp {
    Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: crc32fast::hash(content) }
}

fn txt() -> ExtName {
    ExtName::from_field(b"txt\0\0\0").unwrap()
}

fn normal(path: StorePathIndex, content: &[u8], random: u32) -> FileName {
    let size = SizeWord::normal(content.len() as u64, random);
    build_name(path, (0, 1), &stamp(content, size), &txt(), random)
}

fn appender(random: u32) -> FileName {
    build_name(M00, (0, 1), &stamp(b"", SizeWord::appender(random)), &txt(), random)
}

fn slave(master: &FileName) -> FileName {
    slave_name(master, &SlavePrefix::parse(b"_small").unwrap(), &txt()).unwrap()
}

/// In the trunk file 1.
fn in_slot(offset: u32, content: &[u8], random: u32) -> FileName {
    let size = SizeWord::trunk(content.len() as u32, random);
    let part = TrunkPart { file_id: 1, offset, alloc_size: 256 };
    build_trunk_name(M00, (0, 1), &stamp(content, size), &part, &txt(), random)
}

fn on_disk(roots: &[PathBuf], name: &FileName) -> PathBuf {
    roots[usize::from(name.path_index().0)].join("data").join(name.true_name())
}

async fn put(store: &Store, name: &FileName, content: &[u8]) {
    let content = Content::Bytes(content.to_vec().into());
    store.create(name.path_index(), NewName::Fixed(name.clone()), content, NOW).await.unwrap();
}

async fn whole(stored: StoredFile) -> Vec<u8> {
    stored.read(0, stored.len as usize).await.unwrap()
}

async fn read(shelf: &Shelf, name: &FileName) -> Option<Vec<u8>> {
    match shelf.open_file(name).await {
        Ok(stored) => Some(whole(stored).await),
        Err(StoreError::NotFound) => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Every path below a folder, with what can be seen to change.
fn listing(root: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            found.insert(path.clone(), (metadata.modified().unwrap(), metadata.len()));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn what_the_original_has_on_its_store_paths_is_served_and_nothing_there_changes() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1");
    let archive = File::open(fixtures.join("trunk-2-trackers-4-storages/stores.tar.gz")).unwrap();
    let dir = TempDir::new().unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(dir.path()).unwrap();
    let before = listing(dir.path());
    let (mut slots, mut files, mut gone, mut hidden) = (0, 0, 0, 0);
    for storage in ["storage13", "storage14", "storage15", "storage16"] {
        let root = dir.path().join(storage);
        let shelf = Shelf::open(std::slice::from_ref(&root)).unwrap();
        let mut names = BTreeMap::new();
        for line in fs::read_to_string(root.join("data/sync/binlog.000")).unwrap().lines() {
            match Record::parse(line.as_bytes()).unwrap().change {
                Change::Create { name } => names.insert(name, true),
                Change::Delete { name } => names.insert(name, false),
                _ => None,
            };
        }
        for (name, is_there) in names {
            if name.is_metadata() || !is_there {
                assert_eq!(read(&shelf, &name).await, None, "{name}");
                *(if is_there { &mut hidden } else { &mut gone }) += 1;
                continue;
            }
            let stored = shelf.open_file(&name).await.unwrap();
            *(if stored.may_be_reused() { &mut slots } else { &mut files }) += 1;
            if let Some((len, crc32)) = store::named_content(&name) {
                assert_eq!((stored.len, stored.crc32().await.unwrap()), (len, crc32), "{name}");
                assert_eq!(stored.mtime().await.unwrap(), i64::from(name.stamp().unwrap().timestamp));
            }
        }
    }
    assert_eq!((slots, files, gone), (18, 8, 4));
    assert!(hidden > 0);
    assert!(listing(dir.path()) == before);
}

#[tokio::test]
async fn files_of_a_storage_at_work_are_served_as_they_come_and_go() {
    let (_dir, roots) = two();
    let store = store(&roots, Packing::OFF);
    let shelf = Shelf::open(&roots).unwrap();
    let large = vec![b'l'; 300_000];
    let master = normal(M01, b"hello", 1);
    let all = [
        (master.clone(), b"hello".to_vec()),
        (normal(M00, &large, 2), large),
        (slave(&master), b"a slave's length is in no name".to_vec()),
        (appender(3), b"grows".to_vec()),
        (in_slot(0, b"in a slot", 4), b"in a slot".to_vec()),
    ];
    for (name, content) in &all {
        assert_eq!(read(&shelf, name).await, None, "{name}");
        put(&store, name, content).await;
        assert!(read(&shelf, name).await.as_ref() == Some(content), "{name}");
    }
    store.append(appender(3), Content::Bytes(b" on".to_vec().into()), NOW).await.unwrap();
    assert_eq!(read(&shelf, &appender(3)).await.unwrap(), b"grows on");
    for (name, _) in all {
        store.delete(name.clone(), NOW).await.unwrap();
        assert_eq!(read(&shelf, &name).await, None, "{name}");
    }
    let beyond = normal(StorePathIndex(2), b"hello", 5);
    assert!(matches!(shelf.open_file(&beyond).await, Err(StoreError::NoSuchPath)));
}

#[tokio::test]
async fn a_file_that_is_not_as_long_as_its_name_says_is_not_there() {
    let (_dir, roots) = two();
    let shelf = Shelf::open(&roots).unwrap();
    // The last is a file of its own whose name speaks of a slot.
    for name in [normal(M00, b"hello", 1), normal(M01, b"hello", 2), in_slot(0, b"hello", 3)] {
        for content in ["", "hell", "hello!"] {
            fs::write(on_disk(&roots, &name), content).unwrap();
            assert_eq!(read(&shelf, &name).await, None, "{name} {content}");
        }
        fs::write(on_disk(&roots, &name), "hello").unwrap();
        assert_eq!(read(&shelf, &name).await.unwrap(), b"hello");
    }
}

#[tokio::test]
async fn a_packed_file_is_for_the_storage_to_give_out() {
    let (_dir, roots) = two();
    let packing = Packing { file_len_max: Some(1000), ..Packing::OFF };
    let store = store(&roots, packing);
    let shelf = Shelf::open(&roots).unwrap();
    let name = normal(M00, b"hello", 1);
    put(&store, &name, b"hello").await;
    assert_eq!(whole(store.open_file(&name).await.unwrap()).await, b"hello");
    assert_eq!(read(&shelf, &name).await, None);
}

#[tokio::test]
async fn a_slot_is_served_as_long_as_it_holds_the_file_of_the_name() {
    let (_dir, roots) = two();
    let store = store(&roots, Packing::OFF);
    let shelf = Shelf::open(&roots).unwrap();
    let (first, second) = (in_slot(0, b"first", 1), in_slot(256, b"second", 2));
    put(&store, &first, b"first").await;
    put(&store, &second, b"second").await;
    for other in [in_slot(0, b"first", 7), in_slot(0, b"other", 1), in_slot(256, b"first", 1)] {
        assert_eq!(read(&shelf, &other).await, None, "{other}");
    }
    // Emptied while it is being read.
    let reading = shelf.open_file(&second).await.unwrap();
    assert!(reading.may_be_reused());
    store.delete(second, NOW).await.unwrap();
    assert!(matches!(reading.read(0, 6).await, Err(StoreError::NotFound)));
    // A header that is right does not make the content so, not even if it was when somebody asked last.
    assert_eq!(read(&shelf, &first).await.unwrap(), b"first");
    let container = on_disk(&roots, &"M00/00/01/000001".parse().unwrap());
    let container = File::options().write(true).open(container).unwrap();
    container.write_all_at(b"worst", 24).unwrap();
    assert_eq!(read(&shelf, &first).await, None);
}

#[tokio::test]
async fn links_lead_to_files_of_the_store_paths_and_nowhere_else() {
    let (dir, roots) = two();
    let shelf = Shelf::open(&roots).unwrap();
    let file = |path, content: &str, random| {
        let name = normal(path, content.as_bytes(), random);
        fs::write(on_disk(&roots, &name), content).unwrap();
        name
    };
    let (here, there) = (file(M00, "here", 1), file(M01, "there", 2));
    let short = normal(M00, b"longer than that", 3);
    fs::write(on_disk(&roots, &short), "short").unwrap();
    let metadata = here.metadata_name();
    fs::write(on_disk(&roots, &metadata), "k\x02v").unwrap();
    fs::write(roots[0].join("data/00/01/000001"), "trunk").unwrap();
    fs::write(roots[0].join("data/fdfs_storaged.pid"), "17").unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let on_its_way = on_disk(&roots, &here).with_file_name("..").join("01").join(here.base());
    let link = normal(M00, b"here", 4);
    symlink(on_disk(&roots, &here), on_disk(&roots, &link)).unwrap();
    let table = [
        (on_disk(&roots, &here), Some("here")),
        (on_disk(&roots, &there), Some("there")),
        (on_disk(&roots, &short), None),
        (on_disk(&roots, &link), None),
        (on_disk(&roots, &metadata), None),
        (roots[0].join("data/00/01/000001"), None),
        (roots[0].join("data/fdfs_storaged.pid"), None),
        (roots[0].join("data/00/01"), None),
        (secret.clone(), None),
        (PathBuf::from("/etc/passwd"), None),
        (roots[0].join("data/../../secret"), None),
        (on_its_way, None),
        (PathBuf::from(here.base()), None),
        (roots[0].join("data/00/01/missing-file-of-a-store"), None),
    ];
    for (number, (target, content)) in (10..).zip(&table) {
        // The length in a slave's name is not its own.
        let name = slave(&normal(M00, b"master", number));
        symlink(target, on_disk(&roots, &name)).unwrap();
        let expected = content.map(|content: &str| content.as_bytes().to_vec());
        assert_eq!(read(&shelf, &name).await, expected, "{}", target.display());
    }
    // A slot that says another name, of a file or of what is not for clients.
    let container = File::options().write(true).open(roots[0].join("data/00/01/000001")).unwrap();
    let hidden = "M00/00/01/000001".parse().unwrap();
    for (offset, target, content) in
        [(256, &there, Some("there")), (512, &hidden, None), (768, &metadata, None)]
    {
        let text = target.as_str().as_bytes();
        let name = in_slot(offset, text, 9);
        let header = SlotHeader { kind: SlotKind::Link, ..SlotHeader::of(&name).unwrap() };
        container.write_all_at(&[&header.encode()[..], text].concat(), offset.into()).unwrap();
        assert_eq!(read(&shelf, &name).await, content.map(|content| content.as_bytes().to_vec()), "{target}");
    }
}

#[tokio::test]
async fn a_link_in_the_place_of_a_folder_leads_nowhere() {
    let (dir, roots) = two();
    let shelf = Shelf::open(&roots).unwrap();
    let outside = dir.path().join("outside");
    fs::rename(roots[0].join("data/00"), &outside).unwrap();
    let plain = normal(M00, b"hello", 1);
    fs::write(outside.join("01").join(plain.base()), "hello").unwrap();
    let slot = in_slot(0, b"in a slot", 2);
    let header = SlotHeader::of(&slot).unwrap().encode();
    fs::write(outside.join("01/000001"), [&header[..], b"in a slot"].concat()).unwrap();
    for put_back in [false, true] {
        if put_back {
            fs::remove_file(roots[0].join("data/00")).unwrap();
            fs::rename(&outside, roots[0].join("data/00")).unwrap();
        } else {
            symlink(&outside, roots[0].join("data/00")).unwrap();
        }
        assert_eq!(read(&shelf, &plain).await.is_some(), put_back);
        assert_eq!(read(&shelf, &slot).await.is_some(), put_back);
    }
}

#[tokio::test]
async fn metadata_trunk_files_and_hidden_files_are_not_given_out() {
    let (_dir, roots) = two();
    let shelf = Shelf::open(&roots).unwrap();
    let metadata = normal(M00, b"hello", 1).metadata_name();
    for name in [metadata.as_str(), "M00/00/01/000001", "M00/00/01/.cp1.tmp"] {
        let name: FileName = name.parse().unwrap();
        fs::write(on_disk(&roots, &name), "content").unwrap();
        assert_eq!(read(&shelf, &name).await, None, "{name}");
    }
}

#[tokio::test]
async fn a_store_path_may_come_after_the_start_and_go_again() {
    let dir = TempDir::new().unwrap();
    let roots = [dir.path().join("disk"), dir.path().join("none")];
    let shelf = Shelf::open(&roots).unwrap();
    let (name, other) = (normal(M00, b"hello", 1), normal(M01, b"hello", 2));
    assert_eq!(read(&shelf, &name).await, None);
    fs::create_dir_all(roots[0].join("data/00/01")).unwrap();
    fs::write(on_disk(&roots, &name), "hello").unwrap();
    assert_eq!(read(&shelf, &name).await.unwrap(), b"hello");
    assert_eq!(read(&shelf, &other).await, None);
    fs::rename(&roots[0], dir.path().join("taken out")).unwrap();
    assert_eq!(read(&shelf, &name).await, None);
}
