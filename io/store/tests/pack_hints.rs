//! Hints that are not those of their packs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use store::{Content, Durability, NewName, Packing, Store, StoreSettings};

const M00: StorePathIndex = StorePathIndex(0);

fn name(number: u32) -> FileName {
    let size = SizeWord::normal(5, number);
    let stamp = Stamp { source: Source::Id(100_001), timestamp: 1_751_328_000, size, crc32: number };
    build_name(M00, (0, 1), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), number)
}

fn open(dir: &Path) -> Store {
    let settings = StoreSettings {
        binlog_dir: dir.join("data/sync"),
        paths: vec![dir.to_owned()],
        durability: Durability::Disk,
        inline_max: 4096,
        journal_len: 1 << 20,
        packing: Packing { file_len_max: Some(4096), ..Packing::OFF },
        commit_wait: Duration::ZERO,
    };
    Store::open(&settings).unwrap().0
}

async fn put(store: &Store, number: u32) {
    let content = Content::Bytes(b"hello".to_vec().into());
    store.create(M00, NewName::Fixed(name(number)), content, 1_751_328_000).await.unwrap();
}

async fn get(store: &Store, number: u32) -> Vec<u8> {
    store.open_file(&name(number)).await.unwrap().read(0, 5).await.unwrap()
}

#[tokio::test]
async fn the_hint_of_a_pack_that_is_gone_does_not_hide_what_a_later_pack_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, 1).await;
    store.close().unwrap();
    drop(store);
    // All of it was gone, and a crash came between the removal of the pack and that of its hint.
    let packs = dir.path().join("data/.cairn/packs");
    fs::remove_file(packs.join("000000000001.pack")).unwrap();
    assert!(packs.join("000000000001.hint").exists());

    let store = open(dir.path());
    put(&store, 2).await;
    drop(store);
    assert_eq!(get(&open(dir.path()), 2).await, b"hello");
}

#[tokio::test]
async fn a_pack_whose_header_and_first_record_can_not_be_read_is_not_read_by_its_hint() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, 1).await;
    put(&store, 2).await;
    put(&store, 3).await;
    store.close().unwrap();
    drop(store);
    let pack = dir.path().join("data/.cairn/packs/000000000001.pack");
    let mut bytes = fs::read(&pack).unwrap();
    bytes[20] ^= 1;
    bytes[64] ^= 1;
    fs::write(&pack, bytes).unwrap();
    for _ in 0..2 {
        let store = open(dir.path());
        assert_eq!((get(&store, 2).await, get(&store, 3).await), (b"hello".to_vec(), b"hello".to_vec()));
        store.close().unwrap();
    }
}
