//! A disk that fails in the middle: what was refused is absent for good, and what comes next is taken.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::world::{Change, Files, World, apply, delete, folder, put};
use crate::StoreError;
use crate::pack::Disk;
use crate::pack::compact::{neighbours, rewrite};
use crate::pack::disk::Step;

const PACK_LEN: u64 = 700;

/// What shall fail; told the number of the step, too, counted since this was set.
type Rule = Box<dyn Fn(usize, &Step) -> bool + Send>;

/// A disk that fails when it is told to. Bytes of a write that fails reach the file all the same, as they may.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<(Option<Rule>, usize, bool)>>);

impl Faults {
    pub(super) fn disk(&self) -> Disk {
        let faults = self.clone();
        let fault = move |step: &Step| {
            let (rule, count, failed) = &mut *faults.0.lock();
            *count += 1;
            if !rule.as_ref().is_some_and(|rule| rule(*count - 1, step)) {
                return Ok(());
            }
            *failed = true;
            if let Step::Write(path, at, bytes) = step {
                File::options().write(true).open(path)?.write_all_at(bytes, *at)?;
            }
            Err(io::Error::other("injected"))
        };
        Disk { fault: Some(Arc::new(fault)), ..Disk::default() }
    }

    pub(super) fn set(&self, rule: impl Fn(usize, &Step) -> bool + Send + 'static) {
        *self.0.lock() = (Some(Box::new(rule)), 0, false);
    }

    /// No more failures; whether there was one.
    pub(super) fn clear(&self) -> bool {
        let (rule, _, failed) = &mut *self.0.lock();
        *rule = None;
        *failed
    }
}

fn is_hint(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "hint")
}

fn start() -> (tempfile::TempDir, Faults, World, Files) {
    let (folder, faults) = (folder(), Faults::default());
    let mut world = World::open(folder.path(), PACK_LEN, faults.disk()).unwrap();
    let changes = [put("a", "one"), put("b", "two"), put("c", &"three".repeat(20))];
    world.batch(&changes).unwrap();
    let mut files = Files::new();
    apply(&mut files, &changes);
    (folder, faults, world, files)
}

fn second() -> Vec<Change> {
    vec![put("d", "new"), delete("a"), put("b", "other")]
}

fn names() -> BTreeSet<String> {
    ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into()
}

fn reopened(folder: &tempfile::TempDir) -> World {
    World::open(folder.path(), PACK_LEN, Disk::default()).unwrap()
}

#[test]
fn a_batch_that_cannot_be_written_or_synced_is_refused_for_good_and_the_next_is_taken() {
    for fill in [0, 600] {
        for nth in 0.. {
            let (folder, faults, mut world, mut files) = start();
            // The batch may have to begin a new pack.
            let filler = [put("f", &"f".repeat(fill))];
            world.batch(&filler).unwrap();
            apply(&mut files, &filler);
            faults.set(move |count, _| count == nth);
            let result = world.batch(&second());
            if !faults.clear() {
                assert!(nth >= 2, "writing and syncing are two steps");
                break;
            }
            assert!(result.is_err(), "step {nth} failed");
            assert_eq!(world.files(&names()), files, "step {nth}");
            let third = [put("e", "the next one"), delete("c")];
            world.batch(&third).unwrap();
            apply(&mut files, &third);
            assert_eq!(world.files(&names()), files, "step {nth}");
            drop(world);
            let mut world = reopened(&folder);
            assert_eq!(world.files(&names()), files, "step {nth}");
            world.close();
            world.rewrite_all();
            assert_eq!(reopened(&folder).files(&names()), files, "step {nth}");
        }
    }
}

#[test]
fn after_a_batch_that_failed_another_pack_takes_what_comes() {
    let (_folder, faults, mut world, _) = start();
    assert_eq!(world.numbers(), [1]);
    faults.set(|count, step| count < 2 && matches!(step, Step::SyncFile(_)));
    assert!(world.batch(&[put("d", "new")]).is_err());
    world.batch(&[put("e", "new")]).unwrap();
    assert_eq!(world.numbers(), [1, 2]);
}

#[test]
fn what_a_refused_batch_left_in_its_pack_does_not_count_without_a_hint_either() {
    let (folder, faults, mut world, files) = start();
    faults.set(|count, step| count == 1 && matches!(step, Step::SyncFile(_)));
    assert!(world.batch(&second()).is_err());
    faults.clear();
    drop(world);
    for entry in fs::read_dir(super::world::packs_dir(folder.path())).unwrap() {
        let path = entry.unwrap().path();
        if is_hint(&path) {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(reopened(&folder).files(&names()), files);
}

#[test]
fn a_pack_that_can_be_neither_written_nor_closed_ends_all_changes_until_the_next_start() {
    let (folder, faults, mut world, files) = start();
    faults.set(|count, step| match step {
        Step::SyncFile(_) => count == 1,
        Step::Create(path) => is_hint(path),
        _ => false,
    });
    assert!(world.batch(&second()).is_err());
    assert!(faults.clear());
    assert!(matches!(world.batch(&[put("e", "refused")]), Err(StoreError::JournalFailed)));
    assert_eq!(world.files(&names()), files);
    drop(world);
    let mut world = reopened(&folder);
    let found = world.files(&names());
    // Nobody knows what became of the batch; each change of it is there or not.
    assert!(found.get("a").is_none_or(|content| content == b"one"));
    assert!(found["b"] == b"two" || found["b"] == b"other");
    assert!(found.get("d").is_none_or(|content| content == b"new"));
    assert_eq!((found.get("c"), found.get("e")), (files.get("c"), None));
    world.batch(&[put("e", "taken")]).unwrap();
    assert_eq!(reopened(&folder).files(&names())["e"], b"taken");
}

#[test]
fn lines_of_a_pack_that_is_closed_early_are_in_the_binlog() {
    let (folder, faults, mut world, _) = start();
    world.binlog.append(b"7 C M00/a\n");
    faults.set(|_, step| matches!(step, Step::Write(path, ..) if !is_hint(path)));
    assert!(world.batch(&second()).is_err());
    assert_eq!(fs::read(folder.path().join("sync/binlog.000")).unwrap(), b"7 C M00/a\n");
}

#[test]
fn rewriting_that_fails_at_any_step_loses_nothing_and_brings_nothing_back() {
    for nth in 0.. {
        let (folder, faults) = (folder(), Faults::default());
        let mut world = World::open(folder.path(), PACK_LEN, faults.disk()).unwrap();
        let (mut files, mut names) = (Files::new(), BTreeSet::new());
        let mut batch = |world: &mut World, files: &mut Files, changes: &[Change]| {
            world.batch(changes).unwrap();
            apply(files, changes);
            names.extend(changes.iter().map(|(name, _)| name.clone()));
            names.clone()
        };
        for count in 0..36 {
            batch(&mut world, &mut files, &[put(&count.to_string(), &"x".repeat(80))]);
        }
        for count in (0..36).step_by(3) {
            batch(&mut world, &mut files, &[delete(&count.to_string())]);
        }
        world.close();
        let group = world.group(&[1, 2, 3]);
        faults.set(move |count, _| count == nth);
        let result = rewrite(&world.packs, &group, 0, || false);
        let failed = faults.clear();
        for count in (1..36).step_by(3) {
            batch(&mut world, &mut files, &[delete(&count.to_string())]);
        }
        // Others go on, also some of those that it was about.
        for run in neighbours(&world.packs) {
            let rest = run.iter().filter(|pack| pack.header.number > 2).cloned().collect::<Vec<_>>();
            rewrite(&world.packs, &rest, 0, || false).unwrap();
        }
        let names = batch(&mut world, &mut files, &[put("new", "of later")]);
        assert_eq!(world.files(&names), files, "step {nth}: {result:?}");
        drop(world);
        let mut world = reopened(&folder);
        assert_eq!(world.files(&names), files, "step {nth}: {result:?}");
        world.close();
        world.rewrite_all();
        assert_eq!(reopened(&folder).files(&names), files, "step {nth}: {result:?}");
        if !failed {
            assert!(nth > 10, "rewriting is more steps than {nth}");
            return;
        }
    }
}
