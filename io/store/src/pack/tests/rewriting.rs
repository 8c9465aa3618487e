//! What is rewritten, and that nothing is lost by it or comes back.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::world::{Files, World, apply, delete, folder, packs_dir, put};
use crate::pack::Disk;
use crate::pack::compact::{CompactSettings, Run, choose, rewrite};
use crate::pack::listing::{hint_path, pack_path};

const PACK_LEN: u64 = 700;

fn open(folder: &tempfile::TempDir) -> World {
    World::open(folder.path(), PACK_LEN, Disk::default()).unwrap()
}

/// Fills packs with files of 100 bytes until the head has this number.
fn fill(world: &mut World, files: &mut Files, upto: u64) {
    for count in 0.. {
        let number = world.numbers().last().copied().unwrap_or(1);
        if number >= upto {
            return;
        }
        let changes = [put(&format!("{number}/{count}"), &format!("{number} {count} {}", "x".repeat(90)))];
        world.batch(&changes).unwrap();
        apply(files, &changes);
    }
}

fn names(files: &Files) -> BTreeSet<String> {
    files.keys().cloned().collect()
}

fn go(world: &mut World, files: &mut Files, gone: impl Fn(&str) -> bool) {
    let changes: Vec<_> = files.keys().filter(|name| gone(name)).map(|name| delete(name)).collect();
    world.batch(&changes).unwrap();
    apply(files, &changes);
}

/// Rewrites as the thread does, until there is nothing to rewrite.
fn rewrite_chosen(world: &World) -> usize {
    for round in 0..100 {
        let Some(group) = choose(&world.packs, 50) else { return round };
        assert!(rewrite(&world.packs, &group, 0, || false).unwrap());
    }
    panic!("there is always something to rewrite");
}

#[test]
fn what_is_gone_is_left_out_and_what_is_there_is_found() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 6);
    world.seal_all();
    let all = names(&files);
    let before = world.packs.usage();
    go(&mut world, &mut files, |name| !name.ends_with('3'));
    world.close();
    assert!(rewrite_chosen(&world) > 0);
    let after = world.packs.usage();
    assert!(after.bytes < before.bytes / 2, "{after:?} was {before:?}");
    assert_eq!(world.files(&all), files);
    assert_eq!(open(&folder).files(&all), files);
}

#[test]
fn when_all_is_gone_nothing_stays() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 5);
    go(&mut world, &mut files, |_| true);
    world.close();
    rewrite_chosen(&world);
    assert_eq!(world.numbers(), []);
    let left: Vec<_> =
        fs::read_dir(packs_dir(folder.path())).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["key"]);
}

#[test]
fn a_pack_that_is_not_sealed_is_not_taken_for_a_part_of_its_neighbours() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 4);
    assert!(world.seal_next());
    // The second one could not be sealed.
    drop(world.waiting.try_recv().unwrap());
    assert!(world.seal_next());
    let all = names(&files);
    go(&mut world, &mut files, |name| !name.starts_with('2') && !name.ends_with('1'));
    rewrite_chosen(&world);
    assert_eq!(world.files(&all), files);
    drop(world);
    assert_eq!(open(&folder).files(&all), files);
}

#[test]
fn a_pack_that_cannot_be_read_is_neither_overwritten_nor_removed() {
    for number in [2, 4] {
        let folder = folder();
        let (mut world, mut files) = (open(&folder), Files::new());
        fill(&mut world, &mut files, 4);
        world.close();
        drop(world);
        let damaged = pack_path(&packs_dir(folder.path()), number);
        fs::write(&damaged, b"nothing that anybody could read").unwrap();
        let mut world = open(&folder);
        let all = names(&files);
        files = world.files(&all);
        fill(&mut world, &mut files, 7);
        world.seal_all();
        go(&mut world, &mut files, |name| !name.ends_with('1'));
        world.close();
        rewrite_chosen(&world);
        world.rewrite_all();
        let found = open(&folder).files(&all);
        assert!(found.iter().all(|(name, content)| files.get(name) == Some(content)));
        assert_eq!(fs::read(&damaged).unwrap(), b"nothing that anybody could read", "{number}");
    }
}

#[test]
fn a_hint_without_a_pack_says_nothing_of_a_later_pack() {
    let folder = folder();
    let mut world = open(&folder);
    world.batch(&[put("a", "first"), put("b", "second")]).unwrap();
    world.close();
    drop(world);
    // The pack was removed when all of it was gone, and then the power went.
    fs::remove_file(pack_path(&packs_dir(folder.path()), 1)).unwrap();
    let mut world = open(&folder);
    world.batch(&[put("c", "third")]).unwrap();
    drop(world);
    let found = open(&folder).files(&["a", "b", "c"].map(str::to_owned));
    assert_eq!(found, Files::from([("c".to_owned(), b"third".to_vec())]));
}

#[test]
fn a_hint_of_an_earlier_state_of_its_pack_says_nothing_of_a_later_one() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 4);
    world.seal_all();
    go(&mut world, &mut files, |name| name.ends_with('0'));
    world.close();
    world.rewrite(&[1]);
    let hint = hint_path(&packs_dir(folder.path()), 1);
    let earlier = fs::read(&hint).unwrap();
    world.rewrite(&[1, 2, 3]);
    drop(world);
    // The power went before the new one was there.
    fs::write(&hint, earlier).unwrap();
    assert_eq!(open(&folder).files(&names(&files)), files);
}

#[test]
fn what_is_deleted_after_the_last_gone_records_went_does_not_come_back() {
    let folder = folder();
    let mut world = open(&folder);
    world.batch(&[put("a", "first"), put("b", "second")]).unwrap();
    world.close();
    world.batch(&[delete("a")]).unwrap();
    world.close();
    world.rewrite(&[1]);
    world.rewrite(&[2]);
    assert_eq!(world.numbers(), [1]);
    drop(world);
    // The highest sequence number there ever was is now on no record.
    let mut world = open(&folder);
    world.batch(&[delete("b")]).unwrap();
    world.close();
    let last = *world.numbers().last().unwrap();
    world.rewrite(&[last]);
    drop(world);
    assert_eq!(open(&folder).packs.usage().files, 0);
}

#[test]
fn a_pack_of_gone_records_that_are_needed_is_not_rewritten_again_and_again() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 4);
    world.seal_all();
    // Too little to rewrite those packs, but the next one says nothing else.
    go(&mut world, &mut files, |name| name.ends_with('0') || name.ends_with('1'));
    world.close();
    let first = rewrite_chosen(&world);
    world.batch(&[put("z", "later")]).unwrap();
    assert!(first <= 2, "{first}");
    assert_eq!(rewrite_chosen(&world), 0);
    let changes = [put("y", "later")];
    world.batch(&changes).unwrap();
    assert_eq!(rewrite_chosen(&world), 0);
}

#[test]
fn a_pack_that_is_full_while_others_are_rewritten_is_sealed_in_between() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 3);
    let World { head, waiting, packs, binlog } = world;
    let run = Run::new(Arc::clone(&packs), binlog, CompactSettings { dead_percent: 50, rate: 0 });
    let sealed =
        || -> Vec<bool> { packs.packs().iter().map(|pack| pack.sealed.load(Ordering::Acquire)).collect() };
    assert_eq!(sealed(), [false, false, false]);
    assert!(!run.interrupted(&waiting));
    assert_eq!(sealed(), [true, true, false]);
    drop(head);
    assert!(run.interrupted(&waiting));
}

#[test]
fn a_pack_that_is_gone_stays_open_as_long_as_somebody_reads_it_and_is_closed_by_whoever_rewrites() {
    let folder = folder();
    let (mut world, mut files) = (open(&folder), Files::new());
    fill(&mut world, &mut files, 4);
    world.seal_all();
    let reader = Arc::downgrade(&world.group(&[1])[0]);
    let held = reader.upgrade().unwrap();
    go(&mut world, &mut files, |_| true);
    world.close();
    assert!(rewrite_chosen(&world) > 0);
    world.packs.close_forgotten();
    // The reader's is left, and not the reader's alone: who lets go last gives the space back.
    assert_eq!(Arc::strong_count(&held), 2);
    drop(held);
    assert!(reader.upgrade().is_some());
    world.packs.close_forgotten();
    assert!(reader.upgrade().is_none());
}
