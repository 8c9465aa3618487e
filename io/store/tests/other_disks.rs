//! Folders of a store path that are on another disk than `data/`, by a link or by a mount.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use store::{Content, Durability, NewName, OpenReport, Packing, Store, StoreError, StoreSettings};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const NOW: u32 = 1_751_328_000;

/// A store path whose folder `data/07` is a link to another file system.
struct Spread {
    dir: TempDir,
    other: TempDir,
}

impl Spread {
    /// None where there is no second file system to be had.
    fn new() -> Option<Self> {
        let dev = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
        let dir = TempDir::new().unwrap();
        let places = ["/dev/shm", env!("CARGO_TARGET_TMPDIR")].map(Path::new);
        let place = places.into_iter().find(|place| dev(place).is_some_and(|of| Some(of) != dev(dir.path())));
        let Some(place) = place else {
            eprintln!("there is no second file system here");
            return None;
        };
        let other = tempfile::tempdir_in(place).unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        symlink(other.path(), dir.path().join("data/07")).unwrap();
        Some(Self { dir, other })
    }

    fn open(&self) -> Result<(Store, OpenReport), StoreError> {
        Store::open(&StoreSettings {
            binlog_dir: self.dir.path().join("data/sync"),
            paths: vec![self.dir.path().to_owned()],
            durability: Durability::Disk,
            inline_max: 64 * 1024,
            journal_len: 4 << 20,
            packing: Packing::OFF,
            commit_wait: Duration::ZERO,
        })
    }

    fn on_disk(&self, name: &FileName) -> PathBuf {
        self.dir.path().join("data").join(name.true_name())
    }

    fn read(&self, name: &FileName) -> Option<Vec<u8>> {
        fs::read(self.on_disk(name)).ok()
    }

    fn temp(&self, name: &str) -> PathBuf {
        self.dir.path().join("data/.cairn/tmp").join(name)
    }

    /// What a copy into the folder of a file is called before it has its name.
    fn half(&self, name: &FileName) -> PathBuf {
        self.on_disk(name).with_file_name(format!(".cairn-{}", name.base()))
    }

    /// Nothing is left of what was on the way.
    fn assert_tidy(&self) {
        assert_eq!(fs::read_dir(self.temp("")).unwrap().count(), 0);
        for folder in fs::read_dir(self.other.path()).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with('.'), "{name}");
            }
        }
    }
}

fn name(dirs: (u8, u8), random: u32, size: SizeWord) -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: 7 };
    build_name(M00, dirs, &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
}

fn there(random: u32) -> FileName {
    name((7, 1), random, SizeWord::normal(5, random))
}

async fn staged(store: &Store, content: &[u8]) -> Content {
    let mut staged = store.stage(M00, content.len() as u64).await.unwrap();
    staged.write(content.to_vec()).await.unwrap();
    Content::Staged(staged)
}

async fn put_staged(store: &Store, name: &FileName, content: &[u8]) {
    let content = staged(store, content).await;
    store.create(M00, NewName::Fixed(name.clone()), content, NOW).await.unwrap();
}

#[tokio::test]
async fn a_large_file_in_a_folder_on_another_disk_is_there_with_its_time_after_a_crash() {
    let Some(spread) = Spread::new() else { return };
    let (store, _) = spread.open().unwrap();
    put_staged(&store, &there(1), &[9; 2_500_000]).await;
    spread.assert_tidy();
    drop(store);
    let (store, report) = spread.open().unwrap();
    assert_eq!(report, OpenReport { redone: 1, damaged: 0 });
    assert!(spread.read(&there(1)).unwrap() == [9; 2_500_000]);
    assert_eq!(store.open_file(&there(1)).await.unwrap().mtime().await.unwrap(), i64::from(NOW));
    store.close().unwrap();
}

#[tokio::test]
async fn an_adoption_on_another_disk_that_a_crash_interrupted_is_done_by_the_next_start() {
    // The copy was half there; it had its name, and the temporary file was still there; neither was written yet.
    for (half, whole) in [(true, false), (false, true), (false, false)] {
        let Some(spread) = Spread::new() else { return };
        let (store, _) = spread.open().unwrap();
        put_staged(&store, &there(1), &[9; 200_000]).await;
        drop(store);
        fs::write(spread.temp("1"), [9; 200_000]).unwrap();
        if half {
            fs::write(spread.half(&there(1)), [9; 70_000]).unwrap();
        }
        if !whole {
            fs::remove_file(spread.on_disk(&there(1))).unwrap();
        }
        let (_, report) = spread.open().unwrap();
        assert_eq!(report, OpenReport { redone: 1, damaged: 0 });
        assert!(spread.read(&there(1)).unwrap() == [9; 200_000], "{half} {whole}");
        spread.assert_tidy();
    }
}

#[tokio::test]
async fn half_a_copy_of_a_file_that_was_deleted_since_goes_too() {
    let Some(spread) = Spread::new() else { return };
    let (store, _) = spread.open().unwrap();
    put_staged(&store, &there(1), &[9; 200_000]).await;
    store.delete(there(1), NOW).await.unwrap();
    drop(store);
    // As a power cut brings back what was not on disk.
    fs::write(spread.half(&there(1)), [9; 70_000]).unwrap();
    fs::write(spread.temp("1"), [9; 200_000]).unwrap();
    spread.open().unwrap();
    assert_eq!(spread.read(&there(1)), None);
    spread.assert_tidy();
}

#[tokio::test]
async fn metadata_of_a_file_on_another_disk_is_set_changed_and_kept() {
    let Some(spread) = Spread::new() else { return };
    let (store, _) = spread.open().unwrap();
    let content = Content::Bytes(b"hello".to_vec().into());
    store.create(M00, NewName::Fixed(there(1)), content, NOW).await.unwrap();
    store.set_metadata(there(1), NOW, Box::new(|_| Some(b"k\x02v".to_vec()))).await.unwrap();
    store.set_metadata(there(1), NOW, Box::new(|_| Some(b"k\x02w".to_vec()))).await.unwrap();
    assert_eq!(store.metadata(&there(1)).await.unwrap().unwrap(), b"k\x02w");
    spread.assert_tidy();
    drop(store);
    fs::remove_file(spread.on_disk(&there(1).metadata_name())).unwrap();
    let (store, _) = spread.open().unwrap();
    assert_eq!(store.metadata(&there(1)).await.unwrap().unwrap(), b"k\x02w");
    spread.assert_tidy();
}

#[tokio::test]
async fn a_regenerated_file_moves_to_another_disk_with_its_metadata() {
    let Some(spread) = Spread::new() else { return };
    let (store, _) = spread.open().unwrap();
    let old = name((0, 1), 1, SizeWord::appender(1));
    put_staged(&store, &old, &[9; 200_000]).await;
    store.set_metadata(old.clone(), NOW, Box::new(|_| Some(b"k\x02v".to_vec()))).await.unwrap();
    let new = store.regenerate(old.clone(), |_, _, _, attempt| there(50 + attempt)).await.unwrap();
    let assert_moved = || {
        assert_eq!((spread.read(&old), spread.read(&old.metadata_name())), (None, None));
        assert!(spread.read(&new).unwrap() == [9; 200_000]);
        assert_eq!(spread.read(&new.metadata_name()).unwrap(), b"k\x02v");
        let metadata = fs::metadata(spread.on_disk(&new)).unwrap();
        assert_eq!((metadata.mtime(), metadata.mode() & 0o777), (i64::from(NOW), 0o644));
        spread.assert_tidy();
    };
    assert_moved();
    drop(store);
    // A power cut: the old name had not gone from its disk yet.
    fs::write(spread.on_disk(&old), [9; 200_000]).unwrap();
    drop(spread.open().unwrap());
    assert_moved();
}

#[tokio::test]
async fn what_the_journal_has_of_a_disk_that_is_not_there_is_not_given_up() {
    let Some(spread) = Spread::new() else { return };
    let (store, _) = spread.open().unwrap();
    let content = Content::Bytes(b"hello".to_vec().into());
    store.create(M00, NewName::Fixed(there(1)), content, NOW).await.unwrap();
    drop(store);
    fs::remove_dir_all(spread.other.path()).unwrap();
    let refused = spread.open().err().unwrap().to_string();
    assert!(refused.contains("data/07 is a link to a folder that is not there: mount its disk"), "{refused}");
    fs::create_dir(spread.other.path()).unwrap();
    spread.open().unwrap();
    assert_eq!(spread.read(&there(1)).unwrap(), b"hello");
}

#[tokio::test]
async fn an_upload_to_a_disk_that_is_not_there_is_refused_and_the_store_opens_all_the_same() {
    let Some(spread) = Spread::new() else { return };
    fs::remove_dir_all(spread.other.path()).unwrap();
    let (store, _) = spread.open().unwrap();
    let content = Content::Bytes(b"hello".to_vec().into());
    let refused = store.create(M00, NewName::Fixed(there(1)), content, NOW).await.unwrap_err();
    assert!(refused.to_string().contains("data/07 is a link"), "{refused}");
    drop(store);
    spread.open().unwrap();
}
