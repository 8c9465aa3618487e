//! Disks that go bad under a store: they lose what was written to them, or may only be read any more.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fdfs_fileid::{
    ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, TrunkPart, build_name, build_trunk_name,
};
use fdfs_format::SlotHeader;
use store::{Content, Durability, NewName, OpenReport, Packing, Store, StoreSettings};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const NOW: u32 = 1_751_328_000;

/// A small file system of its own, unmounted when dropped.
struct Disk {
    point: PathBuf,
    folder: TempDir,
}

impl Disk {
    /// None where this machine does not let us mount one.
    fn mount(args: impl Fn(&Path) -> Vec<String>) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let point = folder.path().join("disk");
        fs::create_dir(&point).unwrap();
        let disk = Self { point, folder };
        let args = args(disk.folder.path());
        if disk.run("mount", &args) {
            return Some(disk);
        }
        eprintln!("no file system can be mounted here");
        None
    }

    /// A disk in memory.
    fn in_memory() -> Option<Self> {
        Self::mount(|_| ["-t", "tmpfs", "-o", "size=1m", "tmpfs"].map(str::to_owned).into())
    }

    /// A disk whose bytes are in a file.
    fn in_image() -> Option<Self> {
        Self::mount(|folder| {
            let image = folder.join("image");
            File::create(&image).unwrap().set_len(16 << 20).unwrap();
            let made = Command::new("mkfs.ext4").args(["-q", "-b", "1024"]).arg(&image).output();
            if !made.is_ok_and(|made| made.status.success()) {
                eprintln!("there is no mkfs.ext4 here");
            }
            vec!["-o".into(), "loop".into(), image.to_str().unwrap().into()]
        })
    }

    fn run(&self, program: &str, args: &[String]) -> bool {
        Command::new(program).args(args).arg(&self.point).output().is_ok_and(|done| done.status.success())
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Wipes these bytes out wherever they begin a block, or wherever they are; the page cache does not hear of it.
    fn lose(&self, bytes: &[u8], begins_block: bool) {
        let there = fs::read(self.image()).unwrap();
        let image = File::options().write(true).open(self.image()).unwrap();
        let step = if begins_block { 1024 } else { 1 };
        let found = (0..there.len()).step_by(step).filter(|&at| there[at..].starts_with(bytes));
        let lost = found.map(|at| image.write_all_at(&vec![0; bytes.len()], at as u64).unwrap()).count();
        assert_eq!(lost, 1, "{}", String::from_utf8_lossy(bytes));
    }

    /// Forgets what is in memory of it.
    fn mount_again(&self) {
        assert!(self.run("umount", &[]));
        assert!(self.run("mount", &["-o".into(), "loop".into(), self.image().to_str().unwrap().into()]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.run("umount", &["--lazy".into()]);
    }
}

/// A place for a store one of whose folders is on another disk.
fn beside(disk: &Disk) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    symlink(&disk.point, dir.path().join("data/07")).unwrap();
    dir
}

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        binlog_dir: dir.join("data/sync"),
        paths: vec![dir.to_owned()],
        durability: Durability::Disk,
        inline_max: 64 * 1024,
        journal_len: 2 << 20,
        packing: Packing::OFF,
        commit_wait: Duration::ZERO,
    }
}

fn open(dir: &Path) -> (Store, OpenReport) {
    Store::open(&settings(dir)).unwrap()
}

fn name(dirs: (u8, u8), random: u32) -> FileName {
    let stamp =
        Stamp { source: Source::Id(100_001), timestamp: NOW, size: SizeWord::normal(5, random), crc32: 7 };
    build_name(M00, dirs, &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), random)
}

fn bytes(content: &[u8]) -> Content {
    Content::Bytes(content.to_vec().into())
}

async fn put(store: &Store, name: &FileName, content: &[u8]) {
    store.create(M00, NewName::Fixed(name.clone()), bytes(content), NOW).await.unwrap();
}

/// The name of a file in a slot at the beginning of a trunk file.
fn in_slot(content: &[u8]) -> FileName {
    let (size, crc32) = (SizeWord::trunk(content.len() as u32, 9), crc32fast::hash(content));
    let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32 };
    let part = TrunkPart { file_id: 1, offset: 0, alloc_size: 256 };
    build_trunk_name(M00, (0, 2), &stamp, &part, &ExtName::NONE, 9)
}

/// A disk that could not write something says so once, to the checkpoint, which keeps the journal. From then on the page
/// cache says that all is well, until it needs the room.
#[tokio::test]
async fn what_the_disk_did_not_take_is_written_once_more_by_the_next_start_though_the_page_cache_has_it() {
    let Some(disk) = Disk::in_image() else { return };
    let root = disk.point.clone();
    let (store, _) = open(&root);
    let (file, slot) = (name((0, 1), 1), in_slot(b"content in a slot"));
    put(&store, &file, b"content of a file").await;
    store.set_metadata(file.clone(), NOW, Box::new(|_| Some(b"key\x02value".to_vec()))).await.unwrap();
    store.keep_slots(Some(1 << 20));
    put(&store, &slot, b"content in a slot").await;
    let lines = format!("{NOW} C {file}\n{NOW} C {}\n{NOW} C {slot}\n", file.metadata_name());
    store.binlog().flush().unwrap();
    let made = store.open_file(&file.metadata_name()).await.unwrap().mtime().await.unwrap();
    drop(store);
    rustix::fs::syncfs(File::open(&root).unwrap()).unwrap();
    disk.lose(b"content of a file", true);
    disk.lose(b"key\x02value", true);
    let header = SlotHeader::of(&slot).unwrap().encode();
    disk.lose(&[&header[..], b"content in a slot"].concat(), false);
    disk.lose(lines.as_bytes(), true);

    let (store, report) = open(&root);
    assert_eq!(report, OpenReport { redone: 3, damaged: 0 });
    store.close().unwrap();
    drop(store);
    disk.mount_again();
    let data = root.join("data");
    assert_eq!(fs::read_to_string(data.join("sync/binlog.000")).unwrap(), lines);
    let (store, _) = open(&root);
    let (metadata, now) = (file.metadata_name(), i64::from(NOW));
    let there = [
        (&file, &b"content of a file"[..], now),
        (&metadata, b"key\x02value", made),
        (&slot, b"content in a slot", now),
    ];
    for (name, content, time) in there {
        let stored = store.open_file(name).await.unwrap();
        assert_eq!(stored.read(0, content.len()).await.unwrap(), content, "{name}");
        assert_eq!(stored.mtime().await.unwrap(), time, "{name}");
    }
}

/// As on file systems that write nothing in its place.
#[tokio::test]
async fn a_full_disk_without_room_for_what_it_has_already_does_not_keep_the_store_from_opening() {
    let Some(disk) = Disk::in_memory() else { return };
    let dir = beside(&disk);
    let (store, _) = open(dir.path());
    let file = name((7, 1), 1);
    put(&store, &file, &[0; 60_000]).await;
    drop(store);
    // The same content, without room.
    let path = dir.path().join("data").join(file.true_name());
    File::create(&path).unwrap().set_len(60_000).unwrap();
    let filler = File::create(disk.point.join("filler")).unwrap();
    let full = (0..).try_for_each(|at| filler.write_all_at(&[1; 4096], at * 4096)).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let (_store, report) = open(dir.path());
    assert_eq!(report, OpenReport { redone: 1, damaged: 0 });
    assert_eq!(fs::read(&path).unwrap(), [0; 60_000]);
}

#[tokio::test]
async fn an_upload_that_a_read_only_disk_refused_does_not_keep_the_store_from_opening() {
    let Some(disk) = Disk::in_memory() else { return };
    let dir = beside(&disk);
    let (store, _) = open(dir.path());
    put(&store, &name((7, 1), 1), b"hello").await;
    store.close().unwrap();
    drop(store);
    assert!(disk.run("mount", &["-o".into(), "remount,ro".into()]));

    let (store, _) = open(dir.path());
    let refused = |content| store.create(M00, NewName::Fixed(name((7, 1), 2)), content, NOW);
    refused(bytes(b"world")).await.unwrap_err();
    let mut staged = store.stage(M00, 100_000).await.unwrap();
    staged.write(vec![1; 100_000]).await.unwrap();
    refused(Content::Staged(staged)).await.unwrap_err();
    put(&store, &name((0, 1), 3), b"elsewhere").await;
    drop(store);
    let (store, report) = open(dir.path());
    assert_eq!(report.damaged, 0);
    let path = |name: FileName| dir.path().join("data").join(name.true_name());
    assert_eq!(fs::read(path(name((7, 1), 1))).unwrap(), b"hello");
    assert_eq!(fs::read(path(name((0, 1), 3))).unwrap(), b"elsewhere");
    store.close().unwrap();
    drop(store);
    assert!(disk.run("mount", &["-o".into(), "remount,rw".into()]));
    drop(open(dir.path()));
    assert!(!path(name((7, 1), 2)).exists());
}

/// What was acknowledged is not given up.
#[tokio::test]
async fn what_a_read_only_disk_still_has_to_take_is_named_by_the_start_that_it_stops() {
    let Some(disk) = Disk::in_memory() else { return };
    let dir = beside(&disk);
    let (store, _) = open(dir.path());
    put(&store, &name((7, 1), 1), b"hello").await;
    drop(store);
    fs::remove_file(dir.path().join("data").join(name((7, 1), 1).true_name())).unwrap();
    assert!(disk.run("mount", &["-o".into(), "remount,ro".into()]));
    let stopped = Store::open(&settings(dir.path())).err().unwrap().to_string();
    assert!(stopped.contains(name((7, 1), 1).true_name()), "{stopped}");
    assert!(disk.run("mount", &["-o".into(), "remount,rw".into()]));
    drop(open(dir.path()));
    assert_eq!(fs::read(dir.path().join("data").join(name((7, 1), 1).true_name())).unwrap(), b"hello");
}
