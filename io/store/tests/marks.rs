//! Which disks a storage starts with.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use fdfs_fileid::StorePathIndex;
use fdfs_format::PathMark;
use store::StoreError;
use store::marks::{Owner, check};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
const M01: StorePathIndex = StorePathIndex(1);
const NOW: u32 = 1_795_350_635;

/// The mark of `127.0.0.4:23000` for its first path, made at `NOW`; like those of the original.
const MARK: &str = "MTI3LjAuMC40AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAANhZAAAAAGvgAms";

fn owner(last: u8) -> Owner {
    Owner { ip: IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), port: 23000, now: NOW }
}

type Marks = BTreeMap<StorePathIndex, PathMark>;

/// A store path.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// One with folders for files.
    fn in_use() -> Self {
        let disk = Self::new();
        fs::create_dir_all(disk.0.path().join("data/00/1B")).unwrap();
        disk
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("data/.fastdfs_vars")
    }

    fn marked(self, text: &str) -> Self {
        fs::create_dir_all(self.0.path().join("data")).unwrap();
        fs::write(self.file(), text).unwrap();
        self
    }

    fn check(&self, marks: &Marks) -> Result<Option<PathMark>, StoreError> {
        check(self.0.path(), M00, marks, true, owner(4))
    }

    /// Why it is refused; nothing was written then.
    fn refused(&self, marks: &Marks) -> String {
        let before = fs::read(self.file()).ok();
        match self.check(marks) {
            Err(StoreError::Unusable { path, reason }) => {
                assert_eq!(path, self.0.path());
                assert_eq!(fs::read(self.file()).ok(), before);
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }
}

fn mark(text: &str) -> PathMark {
    PathMark::new(text).unwrap()
}

fn own() -> Marks {
    Marks::from([(M00, mark(MARK))])
}

#[test]
fn a_new_store_path_gets_a_mark_as_the_original_makes_it_and_is_good_from_then_on() {
    let disk = Disk::new();
    let made = disk.check(&Marks::new()).unwrap();
    assert_eq!(made, Some(mark(MARK)));
    assert_eq!(disk.text(), format!("store_path_mark={MARK}\n"));
    assert_eq!(disk.check(&own()).unwrap(), None);
    // Nothing is left of the writing.
    assert_eq!(fs::read_dir(disk.0.path().join("data")).unwrap().count(), 1);
}

#[test]
fn without_the_check_nothing_is_looked_at_and_nothing_written() {
    let disk = Disk::in_use().marked("store_path_mark=somebody-else\n");
    assert_eq!(check(disk.0.path(), M00, &own(), false, owner(4)).unwrap(), None);
    let empty = Disk::new();
    assert_eq!(check(empty.0.path(), M00, &Marks::new(), false, owner(4)).unwrap(), None);
    assert!(!empty.file().exists());
}

#[test]
fn the_disk_of_another_storage_is_refused() {
    let disk = Disk::in_use().marked(&format!("store_path_mark={MARK}\n"));
    let other = Marks::from([(M00, mark("another"))]);
    assert!(disk.refused(&other).contains("disk of another storage; mount the right one"));
    // One that has no marks yet.
    match check(disk.0.path(), M00, &Marks::new(), true, owner(5)) {
        Err(StoreError::Unusable { reason, .. }) => {
            assert!(reason.contains("written by another storage"), "{reason}");
            assert!(reason.contains("bring the data of base_path back"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_disk_of_another_storage_is_refused_too() {
    let disk = Disk::new().marked("store_path_mark=somebody-else\n");
    assert!(disk.refused(&Marks::new()).contains("written by another storage"));
}

#[test]
fn d23_a_base_path_that_was_lost_is_told_from_a_foreign_disk() {
    let disk = Disk::in_use().marked(&format!("store_path_mark={MARK}\n"));
    let reason = disk.refused(&Marks::new());
    assert!(reason.contains("base_path is another than before, or its data was lost"), "{reason}");
    // With nothing but packs, too.
    let packed = Disk::new().marked(&format!("store_path_mark={MARK}\n"));
    let packs = packed.0.path().join("data/.cairn/packs");
    fs::create_dir_all(&packs).unwrap();
    assert!(packed.check(&Marks::new()).is_ok());
    fs::write(packs.join("000000000001.pack"), b"").unwrap();
    assert_eq!(
        packed.refused(&Marks::new()),
        reason.replace(disk.0.path().to_str().unwrap(), packed.0.path().to_str().unwrap())
    );
}

#[test]
fn a_first_start_that_was_interrupted_goes_on() {
    let disk = Disk::new().marked(&format!("store_path_mark={MARK}\n"));
    let later = Owner { now: NOW + 60, ..owner(4) };
    assert_eq!(check(disk.0.path(), M00, &Marks::new(), true, later).unwrap(), Some(mark(MARK)));
}

#[test]
fn store_paths_in_another_order_are_named() {
    let disk = Disk::in_use().marked("store_path_mark=second\n");
    let marks = Marks::from([(M00, mark(MARK)), (M01, mark("second"))]);
    let reason = disk.refused(&marks);
    assert!(reason.contains("this is the disk of store_path1, not of store_path0"), "{reason}");
}

#[test]
fn a_mark_that_was_removed_from_a_disk_in_use_is_written_again() {
    let disk = Disk::in_use();
    assert_eq!(disk.check(&own()).unwrap(), None);
    assert_eq!(disk.text(), format!("store_path_mark={MARK}\n"));
}

#[test]
fn a_store_path_within_the_base_path_is_in_use_without_any_files() {
    let disk = Disk::new();
    fs::create_dir_all(disk.0.path().join("data/sync")).unwrap();
    fs::write(disk.0.path().join("data/.data_init_flag"), "").unwrap();
    assert_eq!(disk.check(&own()).unwrap(), None);
    assert!(disk.file().exists());
}

#[test]
fn an_empty_store_path_that_was_in_use_is_refused_as_not_mounted() {
    let disk = Disk::new();
    let reason = disk.refused(&own());
    assert!(reason.contains("is the disk mounted?"), "{reason}");
    assert!(reason.contains("remove store_path_mark0 from .data_init_flag"), "{reason}");
    // A mount point often has something in it.
    fs::create_dir_all(disk.0.path().join("data/lost+found")).unwrap();
    assert!(disk.refused(&own()).contains("is the disk mounted?"));
    fs::remove_dir_all(disk.0.path()).unwrap();
    assert!(disk.refused(&own()).contains("is the disk mounted?"));
    fs::create_dir_all(disk.0.path()).unwrap();
}

#[test]
fn a_damaged_mark_is_refused() {
    let disk = Disk::in_use().marked("");
    assert!(disk.refused(&own()).contains("is damaged (store_path_mark is missing"));
}

#[test]
fn a_mark_that_can_not_be_written_is_said() {
    let disk = Disk::new();
    fs::write(disk.0.path().join("data"), b"in the way").unwrap();
    let reason = disk.refused(&Marks::new());
    assert!(reason.contains("cannot read") || reason.contains("cannot write"), "{reason}");
}
