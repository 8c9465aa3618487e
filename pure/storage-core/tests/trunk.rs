//! The trunk server's free space: tables, the original's own logs, and a comparison with a model that keeps every byte.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "recordings are files")]

use fdfs_format::trunk_log::{TrunkBlock, TrunkLine, TrunkOp, TrunkSnapshot};
use std::io::Read;
use storage_core::trunk::{Action, Allocation, Allocator, FreeSpace, HOLDS_MAX, Refused, TrunkRules, replay};

const RULES: TrunkRules =
    TrunkRules { slot_min: 256, slot_max: 4096, alignment: 256, file_len: 16_384, merge: false, paths: 2 };

fn block(file_id: u32, offset: u32, size: u32) -> TrunkBlock {
    TrunkBlock { path: 0, dir_high: 0, dir_low: 1, file_id, offset, size }
}

fn lines(out: &[Action]) -> Vec<String> {
    let line = |action: &Action| match action {
        Action::Log(TrunkLine { op, block, .. }) => {
            let op = if *op == TrunkOp::Add { "A" } else { "D" };
            format!("{op} {} {} {}", block.file_id, block.offset, block.size)
        }
        Action::SaveFileId(id) => format!("save {id}"),
        Action::MakeFile { path, file_id } => format!("make {path} {file_id}"),
    };
    out.iter().map(line).collect()
}

/// An allocator whose first trunk file was made.
fn with_file(rules: TrunkRules) -> Allocator {
    let mut allocator = Allocator::new(rules, FreeSpace::default(), 0);
    let mut out = Vec::new();
    assert_eq!(allocator.alloc(0, 256, 1, &mut out), Ok(Allocation::Wait));
    allocator.file_made(0, 1, (0, 1), 1, &mut out).unwrap();
    assert_eq!(lines(&out), ["save 1", "make 0 1", "A 1 0 16384"]);
    allocator
}

fn take(allocator: &mut Allocator, size: u32) -> TrunkBlock {
    match allocator.alloc(0, size, 1, &mut Vec::new()).unwrap() {
        Allocation::Block(block) => block,
        Allocation::Wait => panic!("a trunk file is needed"),
    }
}

#[test]
fn sizes_are_rounded_and_those_beyond_the_limits_refused() {
    let odd = TrunkRules { alignment: 0, ..RULES };
    for (rules, size, expected) in [
        (RULES, 24, Some(256)),
        (RULES, 256, Some(256)),
        (RULES, 257, Some(512)),
        (RULES, 4096, Some(4096)),
        (odd, 257, Some(257)),
        (odd, 100, Some(256)),
        (RULES, 23, None),
        (RULES, 0, None),
        (RULES, 4097, None),
        (RULES, u32::MAX, None),
    ] {
        let found = with_file(rules).alloc(0, size, 1, &mut Vec::new());
        match expected {
            Some(expected) => assert_eq!(found, Ok(Allocation::Block(block(1, 0, expected))), "{size}"),
            None => assert_eq!(found, Err(Refused::Invalid), "{size}"),
        }
    }
    assert_eq!(with_file(RULES).alloc(2, 256, 1, &mut Vec::new()), Err(Refused::Invalid));
}

#[test]
fn the_smallest_block_that_is_large_enough_is_split() {
    let mut free = FreeSpace::default();
    for block in [block(1, 0, 2048), block(1, 4096, 768), block(1, 8192, 768), block(2, 0, 512)] {
        free.add(&block).unwrap();
    }
    let mut allocator = Allocator::new(RULES, free, 2);
    let mut out = Vec::new();
    let first = allocator.alloc(0, 600, 1, &mut out).unwrap();
    assert_eq!(first, Allocation::Block(block(1, 4096, 768)));
    assert_eq!(allocator.alloc(0, 512, 1, &mut out).unwrap(), Allocation::Block(block(2, 0, 512)));
    assert_eq!(allocator.alloc(0, 300, 1, &mut out).unwrap(), Allocation::Block(block(1, 8192, 512)));
    assert_eq!(lines(&out), ["D 1 4096 768", "D 2 0 512", "D 1 8192 768", "A 1 8704 256"]);
    assert_eq!(allocator.free_space().bytes(), 2048 + 256);
    // A rest that is too small for a slot goes along.
    let mut free = FreeSpace::default();
    free.add(&block(1, 0, 1000)).unwrap();
    let mut allocator = Allocator::new(RULES, free, 1);
    assert_eq!(take(&mut allocator, 768), block(1, 0, 1000));
    assert!(allocator.free_space().is_empty());
}

#[test]
fn a_trunk_file_is_asked_for_once_and_under_the_next_number_if_there_is_one() {
    let mut allocator = Allocator::new(RULES, FreeSpace::default(), 6);
    let mut out = Vec::new();
    for _ in 0..2 {
        assert_eq!(allocator.alloc(1, 256, 1, &mut out), Ok(Allocation::Wait));
    }
    assert_eq!(lines(&out), ["save 7", "make 1 7"]);
    assert_eq!(allocator.file_made(0, 7, (0, 0), 1, &mut out), Err(Refused::Unknown));
    allocator.file_taken(1, 7, &mut out).unwrap();
    assert_eq!(allocator.file_made(1, 7, (0, 0), 1, &mut out), Err(Refused::Unknown));
    allocator.file_failed(1, 8).unwrap();
    assert_eq!(allocator.alloc(1, 256, 1, &mut out), Ok(Allocation::Wait));
    assert_eq!(lines(&out)[2..], ["save 8", "make 1 8", "save 9", "make 1 9"]);
    let mut last = Allocator::new(RULES, FreeSpace::default(), u32::MAX);
    assert_eq!(last.alloc(0, 256, 1, &mut Vec::new()), Err(Refused::NoFileId));
}

#[test]
fn d15_what_is_handed_out_is_not_free_in_the_log() {
    let mut allocator = with_file(RULES);
    let mut out = Vec::new();
    let mut log = b"1 A 0 0 1 1 0 16384\n".to_vec();
    for _ in 0..3 {
        allocator.alloc(0, 256, 2, &mut out).unwrap();
    }
    for action in &out {
        let Action::Log(line) = action else { panic!("{action:?}") };
        log.extend_from_slice(format!("{line}\n").as_bytes());
    }
    let replayed = replay(None, &log, 2);
    assert_eq!((replayed.bad, replayed.odd, replayed.whole), (0, 0, log.len() as u64));
    assert_eq!(&replayed.free, allocator.free_space());
    assert_eq!(replayed.free.iter().collect::<Vec<_>>(), [block(1, 768, 15_616)]);
}

#[test]
fn a_slot_is_confirmed_or_free_again() {
    let mut allocator = with_file(RULES);
    let (first, second) = (take(&mut allocator, 256), take(&mut allocator, 256));
    let mut out = Vec::new();
    allocator.confirm(&first, true, 2, &mut out).unwrap();
    allocator.confirm(&second, false, 2, &mut out).unwrap();
    assert_eq!(lines(&out), ["A 1 256 256"]);
    for gone in [first, second, block(1, 0, 512)] {
        assert_eq!(allocator.confirm(&gone, false, 2, &mut out), Err(Refused::Unknown));
    }
    assert_eq!(take(&mut allocator, 256), second);
}

#[test]
fn only_what_is_neither_free_nor_handed_out_can_be_freed() {
    let mut allocator = with_file(RULES);
    let (used, held) = (take(&mut allocator, 1024), take(&mut allocator, 256));
    allocator.confirm(&used, true, 2, &mut Vec::new()).unwrap();
    let mut out = Vec::new();
    for (wrong, why) in [
        (held, Refused::Exists),
        (block(1, 1000, 300), Refused::Exists),
        (block(1, 2048, 256), Refused::Exists),
        (block(1, 16_384, 256), Refused::Invalid),
        (block(1, u32::MAX, u32::MAX), Refused::Invalid),
        (block(1, 0, 0), Refused::Invalid),
        (block(9, 0, 256), Refused::Invalid),
        (TrunkBlock { path: 2, ..used }, Refused::Invalid),
    ] {
        assert_eq!(allocator.free(&wrong, 2, &mut out), Err(why), "{wrong:?}");
    }
    allocator.free(&block(1, 0, 255), 2, &mut out).unwrap();
    assert_eq!(lines(&out), [""; 0]);
    allocator.free(&used, 2, &mut out).unwrap();
    assert_eq!(allocator.free(&used, 2, &mut out), Err(Refused::Exists));
    assert_eq!(lines(&out), ["A 1 0 1024"]);
}

#[test]
fn neighbours_become_one_where_that_is_wanted() {
    for merge in [false, true] {
        let mut allocator = with_file(TrunkRules { merge, ..RULES });
        let blocks = [256, 512, 256].map(|size| take(&mut allocator, size));
        let mut out = Vec::new();
        blocks.iter().for_each(|block| allocator.confirm(block, true, 1, &mut out).unwrap());
        for at in [0, 2, 1] {
            allocator.free(&blocks[at], 2, &mut out).unwrap();
        }
        let expected: &[&str] = match merge {
            false => &["A 1 0 256", "A 1 768 256", "A 1 256 512"],
            true => {
                &["A 1 0 256", "D 1 1024 15360", "A 1 768 15616", "D 1 0 256", "D 1 768 15616", "A 1 0 16384"]
            }
        };
        assert_eq!(lines(&out), expected);
        assert_eq!(allocator.free_space().bytes(), 16_384);
    }
}

#[test]
fn d15_a_slot_whose_asker_has_gone_away_is_told_of_and_free_again_when_nothing_was_written() {
    let rules = TrunkRules { file_len: u32::MAX, ..RULES };
    let mut free = FreeSpace::default();
    free.add(&block(1, 0, u32::MAX)).unwrap();
    let mut allocator = Allocator::new(rules, free, 1);
    let first = take(&mut allocator, 256);
    let second = take(&mut allocator, 256);
    for _ in 2..HOLDS_MAX {
        allocator.alloc(0, 256, 5, &mut Vec::new()).unwrap();
    }
    assert_eq!(allocator.alloc(0, 256, 5, &mut Vec::new()), Err(Refused::Full));
    assert_eq!(allocator.old_holds(1), []);
    assert_eq!(allocator.old_holds(5), [first, second]);
    allocator.confirm(&first, false, 6, &mut Vec::new()).unwrap();
    allocator.confirm(&second, true, 6, &mut Vec::new()).unwrap();
    assert_eq!(allocator.old_holds(5), []);
    assert_eq!(take(&mut allocator, 256), first);
    assert_ne!(take(&mut allocator, 256), second);
    // It can be freed when its file is deleted.
    allocator.free(&second, 6, &mut Vec::new()).unwrap();
}

#[test]
fn a_replay_leaves_out_what_does_not_fit() {
    let log = b"1 A 0 0 1 1 0 4096\nnonsense\n1 A 0 0 1 1 1024 256\n1 A 9 0 1 1 0 256\n1 D 0 0 1 2 0 256\n\
        1 A 0 0 1 2 0 512\n1 D 0 0 1 2 256 256\n1 A 0 0 1 3 0 25";
    let replayed = replay(None, log, 2);
    assert_eq!(replayed.free.iter().collect::<Vec<_>>(), [block(1, 0, 4096)]);
    assert_eq!((replayed.bad, replayed.odd), (2, 3));
    assert_eq!(replayed.whole, log.len() as u64 - 16);
}

#[test]
fn a_replay_goes_on_where_the_snapshot_ends() {
    let log = b"1 A 0 0 1 1 0 4096\n1 D 0 0 1 1 0 4096\n1 A 0 0 1 1 256 3840\n";
    let snapshot = TrunkSnapshot::decode(b"19\n1 A 0 0 1 1 0 4096\n").unwrap();
    let replayed = replay(Some(&snapshot), log, 2);
    assert_eq!((replayed.odd, replayed.bad), (0, 0));
    assert_eq!(replayed.free, replay(None, log, 2).free);
    // A log that was lost: the snapshot counts.
    let alone = replay(Some(&snapshot), b"", 2);
    assert_eq!(alone.free.iter().collect::<Vec<_>>(), [block(1, 0, 4096)]);
}

#[test]
fn the_originals_logs_replay_to_what_is_free_in_its_trunk_files() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/fastdfs-6.16.1/trunk-2-trackers-4-storages/stores.tar.gz");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut seen = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if !path.ends_with("/trunk/binlog") {
            continue;
        }
        let mut log = Vec::new();
        entry.read_to_end(&mut log).unwrap();
        let replayed = replay(None, &log, 1);
        let free: Vec<_> = replayed.free.iter().map(|block| (block.offset, block.size)).collect();
        let expected: &[(u32, u32)] = match path.contains("storage13") || path.contains("storage14") {
            true => &[(9984, 4_184_320)],
            false => &[(0, 3072), (3072, 3072), (312_320, 3_881_984)],
        };
        assert_eq!((free.as_slice(), replayed.bad, replayed.odd), (expected, 0, 0), "{path}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}

/// What a byte of a trunk file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Byte {
    Free,
    Held,
    Used,
}

/// Every byte of every trunk file, and the blocks that are free as a list that is searched from end to end.
struct Model {
    files: Vec<Vec<Byte>>,
    free: Vec<TrunkBlock>,
}

impl Model {
    fn set(&mut self, block: &TrunkBlock, from: Byte, to: Byte) {
        let bytes = &mut self.files[block.file_id as usize - 1];
        for byte in &mut bytes[block.offset as usize..][..block.size as usize] {
            assert_eq!(*byte, from, "{block:?}");
            *byte = to;
        }
    }
}

/// A generator whose whole state is one number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Hundreds of requests in random order: what is handed out was free to the last byte, the smallest block that suffices
/// was taken, and the log replays to what is free.
fn compare(seed: u64, merge: bool) {
    let rules = TrunkRules { slot_min: 32, slot_max: 300, alignment: 8, file_len: 1024, merge, paths: 1 };
    let mut dice = Dice(seed);
    let mut allocator = Allocator::new(rules, FreeSpace::default(), 0);
    let mut model = Model { files: Vec::new(), free: Vec::new() };
    let (mut held, mut used, mut log) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..400 {
        let mut out = Vec::new();
        match dice.roll(4) {
            0 | 1 => {
                let size = 24 + dice.roll(270) as u32;
                let rounded = if size <= 32 { 32 } else { size.next_multiple_of(8) };
                let best = model.free.iter().map(|free| free.size).filter(|size| *size >= rounded).min();
                match allocator.alloc(0, size, step, &mut out).unwrap() {
                    Allocation::Block(block) => {
                        model.set(&block, Byte::Free, Byte::Held);
                        let best = best.unwrap();
                        assert_eq!(block.size, if best - rounded < 32 { best } else { rounded });
                        held.push(block);
                    }
                    Allocation::Wait => {
                        assert_eq!(best, None, "seed {seed} step {step}");
                        model.files.push(vec![Byte::Free; 1024]);
                        let id = model.files.len() as u32;
                        allocator.file_made(0, id, (0, 1), step, &mut out).unwrap();
                    }
                }
            }
            2 if !held.is_empty() => {
                let block = held.swap_remove(dice.roll(held.len() as u64) as usize);
                let written = dice.roll(3) > 0;
                allocator.confirm(&block, written, step, &mut out).unwrap();
                model.set(&block, Byte::Held, if written { Byte::Used } else { Byte::Free });
                used.extend(written.then_some(block));
            }
            3 if !used.is_empty() => {
                let block = used.swap_remove(dice.roll(used.len() as u64) as usize);
                allocator.free(&block, step, &mut out).unwrap();
                model.set(&block, Byte::Used, Byte::Free);
                assert_eq!(allocator.free(&block, step, &mut Vec::new()), Err(Refused::Exists));
            }
            _ => {}
        }
        for action in out {
            let Action::Log(line) = action else { continue };
            log.extend_from_slice(format!("{line}\n").as_bytes());
            match line.op {
                TrunkOp::Add => model.free.push(line.block),
                TrunkOp::Delete => {
                    let at = model.free.iter().position(|free| *free == line.block).unwrap();
                    model.free.swap_remove(at);
                }
            }
        }
        model.free.sort_unstable();
        assert_eq!(allocator.free_space().iter().collect::<Vec<_>>(), model.free, "seed {seed} step {step}");
        for pair in model.free.windows(2).filter(|_| merge) {
            assert!(pair[0].file_id != pair[1].file_id || pair[0].offset + pair[0].size < pair[1].offset);
        }
        if step % 25 > 0 {
            continue;
        }
        let replayed = replay(None, &log, 1);
        assert_eq!((replayed.bad, replayed.odd), (0, 0), "seed {seed} step {step}");
        assert_eq!(&replayed.free, allocator.free_space(), "seed {seed} step {step}");
        let free = model.files.iter().flatten().filter(|byte| **byte == Byte::Free).count();
        assert_eq!(replayed.free.bytes(), free as u64, "seed {seed} step {step}");
    }
}

#[test]
fn the_allocator_does_what_a_model_that_keeps_every_byte_does() {
    for seed in 0..40 {
        compare(seed, false);
        compare(seed, true);
    }
}
