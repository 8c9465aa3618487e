//! Handing a store back: packed files become files of their own, whatever comes between.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fdfs_fileid::{
    ExtName, FileName, SizeWord, SlavePrefix, Source, Stamp, StorePathIndex, build_name, slave_name,
};
use store::fsck::{Event, Finding, FsckSettings, Summary, check};
use store::unpack::{Unpacked, unpack};
use store::{Content, Durability, NewName, Packing, Store, StoreError, StoreSettings};
use tempfile::TempDir;

const NOW: u32 = 1_751_328_000;
const MAX: usize = 16 * 1024;

/// A store of two paths and what is in it.
struct Shop {
    dir: TempDir,
    /// By true name below the store path's folder: content, and time.
    files: BTreeMap<PathBuf, (Vec<u8>, u32)>,
}

impl Shop {
    fn settings(&self) -> StoreSettings {
        StoreSettings {
            binlog_dir: self.root(0).join("data/sync"),
            paths: vec![self.root(0), self.root(1)],
            durability: Durability::Disk,
            inline_max: 64 * 1024,
            journal_len: 4 << 20,
            packing: Packing {
                file_len_max: Some(MAX),
                pack_len: 256 << 10,
                dead_percent: 50,
                rewrite_rate: 0,
            },
            commit_wait: Duration::ZERO,
        }
    }

    fn root(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("p{index}"))
    }

    /// A store with files of all kinds in several packs, as a crash left it.
    async fn new() -> Self {
        let mut shop = Self { dir: tempfile::tempdir().unwrap(), files: BTreeMap::new() };
        let store = Store::open(&shop.settings()).unwrap().0;
        for number in 0..300 {
            let name = name(number, SizeWord::normal(u64::from(number), number));
            shop.put(&store, &name, &content(number), NOW + number).await;
            if number % 3 == 0 {
                let master = &name;
                let metadata = format!("number\x02{number}").into_bytes();
                let (text, at) = (metadata.clone(), NOW + 1000 + number);
                store.set_metadata(master.clone(), at, Box::new(|_| Some(text))).await.unwrap();
                shop.files.insert(shop.path(&master.metadata_name()), (metadata, at));
            }
            if number % 5 == 0 {
                let (prefix, ext) = (SlavePrefix::parse(b"_small").unwrap(), ExtName::parse(b"txt").unwrap());
                let slave = slave_name(&name, &prefix, &ext).unwrap();
                shop.put(&store, &slave, b"a slave", NOW + 2000).await;
            }
            if number % 7 == 0 {
                store.delete(name.clone(), NOW + 3000).await.unwrap();
                shop.files.remove(&shop.path(&name));
                shop.files.remove(&shop.path(&name.metadata_name()));
            }
        }
        let large = name(900, SizeWord::normal(9, 1));
        shop.put(&store, &large, &[9; MAX + 1], NOW).await;
        shop.put(&store, &name(901, SizeWord::appender(1)), b"an appender", NOW).await;
        shop
    }

    async fn put(&mut self, store: &Store, name: &FileName, content: &[u8], mtime: u32) {
        let bytes = Content::Bytes(content.to_vec().into());
        store.create(name.path_index(), NewName::Fixed(name.clone()), bytes, mtime).await.unwrap();
        self.files.insert(self.path(name), (content.to_vec(), mtime));
    }

    fn path(&self, name: &FileName) -> PathBuf {
        self.root(name.path_index().0.into()).join("data").join(name.true_name())
    }

    fn unpack(&self) -> Result<Unpacked, StoreError> {
        unpack(&self.settings(), 3, &mut |_| ControlFlow::Continue(()))
    }

    /// Ends as a kill would, after so many files.
    fn unpack_until(&self, files: u64) {
        let ended = unpack(&self.settings(), 3, &mut |done| {
            if done.files == files { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(ended, Err(StoreError::Closed)));
    }

    fn own(&self, index: usize, name: &str) -> PathBuf {
        self.root(index).join("data/.cairn").join(name)
    }

    /// All files of the original's folders are there as they should be, and no others.
    fn check_files(&self) {
        let mut found = BTreeMap::new();
        for index in 0..2 {
            for folder in ["00/01", "00/02"] {
                for entry in fs::read_dir(self.root(index).join("data").join(folder)).unwrap() {
                    let path = entry.unwrap().path();
                    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
                    let mtime = mtime.duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
                    found.insert(path.clone(), (fs::read(path).unwrap(), mtime));
                }
            }
        }
        assert!(found == self.files, "{:?}\n{:?}", found.keys(), self.files.keys());
    }

    fn check_unpacked(&self) {
        self.check_files();
        for index in 0..2 {
            assert!(!self.own(index, "packs").exists());
            assert!(!self.own(index, "packs.done").exists());
            assert!(!self.own(index, "unpack").exists());
            assert_eq!(fs::read_dir(self.own(index, "journal")).unwrap().count(), 0);
            let folders = |path: &Path| fs::read_dir(path).unwrap().count();
            let data = self.root(index).join("data");
            assert!(["00", "01", "02"].iter().all(|high| folders(&data.join(high)) == 3));
            assert!(!data.join("03").exists());
        }
        let (findings, summary) = self.fsck();
        assert_eq!((findings, summary.packed, summary.packs), (vec![], 0, 0));
    }

    fn fsck(&self) -> (Vec<Finding>, Summary) {
        let settings = FsckSettings {
            content: false,
            settle: Duration::ZERO,
            ..FsckSettings::new(self.root(0), vec![self.root(0), self.root(1)])
        };
        let mut findings = Vec::new();
        let summary = check(&settings, &mut |event| match event {
            Event::Finding(finding) => findings.push(finding),
            Event::Progress(_) | Event::Victim { .. } | Event::Passed(_) => {}
        });
        findings.retain(|finding| !matches!(finding, Finding::WrongSize { .. }));
        (findings, summary.unwrap())
    }
}

fn name(number: u32, size: SizeWord) -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: number };
    let path = StorePathIndex((number % 2) as u8);
    let dirs = (0, 1 + (number / 2 % 2) as u8);
    build_name(path, dirs, &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), number)
}

fn content(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(number as usize * 7 % 1000)
}

#[tokio::test]
async fn every_packed_file_becomes_a_file_of_its_own_and_the_packs_go() {
    let shop = Shop::new().await;
    let done = shop.unpack().unwrap();
    shop.check_unpacked();
    let packed = shop.files.len() as u64 - 2;
    assert_eq!((done.files, done.total), (packed, packed));
    assert_eq!(shop.unpack().unwrap(), Unpacked::default(), "the second time there is nothing to do");
    shop.check_unpacked();

    // And it is a store as ever.
    let store = Store::open(&shop.settings()).unwrap().0;
    let one = name(1, SizeWord::normal(1, 1));
    assert_eq!(store.open_file(&one).await.unwrap().len, 4 * 7);
    assert_eq!(store.metadata(&name(3, SizeWord::normal(3, 3))).await.unwrap().unwrap(), b"number\x023");
    store.delete(one.clone(), NOW).await.unwrap();
    assert!(!shop.path(&one).exists());
}

#[tokio::test]
async fn an_unpacking_that_was_killed_goes_on_where_it_was() {
    let shop = Shop::new().await;
    shop.unpack_until(100);
    shop.unpack_until(200);
    // What a power cut may leave of a file, and of the one that was being written.
    let was_packed = |(content, _): &(Vec<u8>, u32)| content.len() <= MAX && content != b"an appender";
    let written = shop.files.iter().filter(|(path, file)| path.exists() && was_packed(file));
    let written: Vec<_> = written.map(|(path, _)| path).collect();
    assert!(written.len() >= 200, "{}", written.len());
    File::options().write(true).open(written[7]).unwrap().set_len(0).unwrap();
    fs::write(written[8], b"another content").unwrap();
    fs::remove_file(written[9]).unwrap();
    shop.unpack().unwrap();
    shop.check_unpacked();
}

#[tokio::test]
async fn an_unpacking_that_was_killed_while_the_packs_went_is_brought_to_its_end() {
    let shop = Shop::new().await;
    shop.unpack_until(1);
    shop.unpack().unwrap();
    // The mark is there still, and of the packs only what had not been removed.
    let gone = shop.own(1, "packs.done");
    fs::create_dir(&gone).unwrap();
    fs::write(gone.join("000000000002.pack"), b"rest").unwrap();
    fs::write(shop.own(1, "unpack"), b"").unwrap();
    shop.unpack().unwrap();
    shop.check_unpacked();

    fs::create_dir(&gone).unwrap();
    fs::write(shop.own(1, "unpack"), b"").unwrap();
    Store::open(&shop.settings()).unwrap().0.close().unwrap();
    assert!(!gone.exists() && !shop.own(1, "unpack").exists());
    shop.check_files();
}

#[tokio::test]
async fn a_storage_that_starts_in_between_takes_back_what_was_written() {
    let shop = Shop::new().await;
    shop.unpack_until(150);
    let (findings, summary) = shop.fsck();
    let begun = |index| Finding::UnpackUnfinished { path: shop.own(index, "unpack") };
    assert_eq!(findings, [begun(0), begun(1)]);
    assert_eq!(summary.packed, shop.files.len() as u64 - 2);
    assert_eq!(summary.normal + summary.slaves + summary.metadata + 1, shop.files.len() as u64);

    let store = Store::open(&shop.settings()).unwrap().0;
    let one = name(1, SizeWord::normal(1, 1));
    assert_eq!(shop.files.keys().filter(|path| path.exists()).count(), 2, "the large one and the appender");
    assert_eq!(store.open_file(&one).await.unwrap().len, 4 * 7);
    store.delete(one.clone(), NOW).await.unwrap();
    store.close().unwrap();
    drop(store);
    assert_eq!(shop.fsck().0, []);

    let mut shop = shop;
    shop.files.remove(&shop.path(&one));
    shop.unpack().unwrap();
    shop.check_unpacked();
}

#[tokio::test]
async fn with_a_file_that_can_not_be_read_no_pack_goes() {
    let shop = Shop::new().await;
    Store::open(&shop.settings()).unwrap().0.close().unwrap();
    let pack = shop.own(0, "packs/000000000001.pack");
    let bytes = fs::read(&pack).unwrap();
    let victim = name(8, SizeWord::normal(8, 8));
    let text = victim.true_name().as_bytes();
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    File::options().write(true).open(&pack).unwrap().write_all_at(b"?", at as u64).unwrap();
    match shop.unpack() {
        Err(StoreError::Unusable { path, reason }) => {
            assert_eq!(path, shop.root(0).join("data"));
            assert!(reason.starts_with("1 packed files and 0 packs cannot be read"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(pack.exists() && !shop.path(&victim).exists());
    // It is deleted, as the check says, and then there is nothing in the way.
    let store = Store::open(&shop.settings()).unwrap().0;
    store.delete(victim.clone(), NOW).await.unwrap();
    store.close().unwrap();
    drop(store);
    let mut shop = shop;
    shop.files.remove(&shop.path(&victim));
    shop.unpack().unwrap();
    shop.check_unpacked();
}

#[tokio::test]
async fn a_store_in_use_and_one_that_is_not_there_are_refused() {
    let shop = Shop::new().await;
    let refused = |settings: &StoreSettings| match unpack(settings, 1, &mut |_| ControlFlow::Continue(())) {
        Err(StoreError::Unusable { path, reason }) => (path, reason),
        other => panic!("{other:?}"),
    };
    let store = Store::open(&shop.settings()).unwrap().0;
    let (path, reason) = refused(&shop.settings());
    assert_eq!(path, shop.root(0));
    assert_eq!(reason, "another storage process is using this store path: stop it first");
    drop(store);
    let nowhere = shop.dir.path().join("nowhere");
    let settings = StoreSettings { paths: vec![shop.root(0), nowhere.clone()], ..shop.settings() };
    let (path, reason) = refused(&settings);
    assert_eq!(path, nowhere);
    assert!(reason.contains("is the disk mounted?"), "{reason}");
    assert!(!nowhere.exists());
}
