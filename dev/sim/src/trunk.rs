//! Slots of trunk files: the real allocator of a group's trunk server, with askers whose answers and reports are lost, and
//! a log that loses what was not synced.
//!
//! A small world of its own that every seed plays behind its cluster, as clusters are not simulated with trunk files. It is
//! played in steps, not in time, and its trunk server stays where it is.

use std::collections::VecDeque;

use fdfs_format::trunk_log::TrunkBlock;
use storage_core::trunk::{Action, Allocation, Allocator, FreeSpace, TrunkRules, replay};

use crate::Fault;
use crate::chance::Chance;
use crate::disk::Appended;

/// Small files, so that slots are used again soon.
const RULES: TrunkRules =
    TrunkRules { slot_min: 32, slot_max: 300, alignment: 8, file_len: 2048, merge: true, paths: 1 };

const STEPS: u64 = 250;

/// After so many steps without a word the trunk server looks at a slot.
const HOLD_STEPS: u64 = 40;

struct World {
    chance: Chance,
    fault: Option<Fault>,
    now: u64,
    allocator: Allocator,
    log: Appended,
    /// Number of the newest trunk file, as it is saved.
    file_id: u32,
    /// Slots that askers were told of and have not written yet.
    told: VecDeque<TrunkBlock>,
    /// Slots that hold a file.
    live: Vec<TrunkBlock>,
    written: u64,
}

/// Plays a seed; how many files were written.
pub(crate) fn play(seed: u64, fault: Option<Fault>) -> Result<u64, String> {
    let mut world = World {
        chance: Chance::new(seed ^ 0x7A_BB17),
        fault,
        now: 0,
        allocator: Allocator::new(RULES, FreeSpace::default(), 0),
        log: Appended::default(),
        file_id: 0,
        told: VecDeque::new(),
        live: Vec::new(),
        written: 0,
    };
    for step in 0..STEPS {
        world.now = step;
        match world.chance.below(12) {
            0..=4 => world.ask(),
            5..=8 => world.write(),
            9 => world.delete(),
            10 => world.forget(),
            _ => world.crash(),
        }
        world.check().map_err(|broken| format!("slots: {broken} after step {step}"))?;
    }
    Ok(world.written)
}

impl World {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Does what the machine says, durably.
    fn perform(&mut self, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Log(line) => self.log.bytes.extend(format!("{line}\n").bytes()),
                Action::SaveFileId(file_id) => self.file_id = file_id,
                Action::MakeFile { path, file_id } => {
                    let mut more = Vec::new();
                    if self.allocator.file_made(path, file_id, (0, 1), self.now, &mut more).is_ok() {
                        queue.extend(more);
                    }
                }
            }
        }
        if !self.is(Fault::SlotToldBeforeLogged) || self.chance.one_in(4) {
            self.log.sync(self.log.len());
        }
    }

    /// ALLOC; the answer may be lost.
    fn ask(&mut self) {
        let size = 24 + self.chance.below(270) as u32;
        for _ in 0..2 {
            let mut actions = Vec::new();
            let allocation = self.allocator.alloc(0, size, self.now, &mut actions);
            self.perform(actions);
            if let Ok(Allocation::Block(block)) = allocation {
                if !self.chance.one_in(8) {
                    self.told.push_back(block);
                }
                return;
            }
        }
    }

    /// An asker writes its file, or can't, and says so; that may be lost.
    fn write(&mut self) {
        let Some(block) = self.told.pop_front() else { return };
        let used = !self.chance.one_in(4);
        if used {
            self.written += 1;
            self.live.push(block);
        }
        if self.chance.one_in(6) {
            return;
        }
        let mut actions = Vec::new();
        // Refused when the trunk server came back meanwhile.
        let _ = self.allocator.confirm(&block, used, self.now, &mut actions);
        self.perform(actions);
    }

    /// A file is deleted, and its slot given back, unless that is lost or refused: then it is used no more.
    fn delete(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let block = self.live.swap_remove(self.chance.below(self.live.len()));
        if self.chance.one_in(6) {
            return;
        }
        let mut actions = Vec::new();
        // Refused while it is held: the report that its file was written was lost.
        let _ = self.allocator.free(&block, self.now, &mut actions);
        self.perform(actions);
    }

    /// Who asked long ago has gone away, with his file or without: the trunk server looks, and frees what is empty.
    fn forget(&mut self) {
        let old = self.allocator.old_holds(self.now.saturating_sub(HOLD_STEPS));
        self.told.retain(|block| !old.contains(block));
        for block in old {
            let used = self.live.contains(&block) && !self.is(Fault::ForgottenSlotIsFree);
            let mut actions = Vec::new();
            // Held, as it was just listed.
            let _ = self.allocator.confirm(&block, used, self.now, &mut actions);
            self.perform(actions);
        }
    }

    /// The power of the trunk server goes, and comes back: its free space is what the log says.
    fn crash(&mut self) {
        self.log.power_cut(&mut self.chance);
        let replayed = replay(None, &self.log.bytes, RULES.paths);
        self.log.truncate(replayed.whole as usize);
        self.log.sync(self.log.len());
        let newest = replayed.free.iter().map(|block| block.file_id).max().unwrap_or_default();
        self.allocator = Allocator::new(RULES, replayed.free, newest.max(self.file_id));
    }

    /// No two files share a byte, and no byte of a file, or of a slot that somebody may still write to, is free.
    fn check(&self) -> Result<(), String> {
        for (at, block) in self.live.iter().enumerate() {
            if let Some(other) = self.live[at + 1..].iter().find(|other| overlap(block, other)) {
                return Err(format!("two files in {block:?} and {other:?}"));
            }
        }
        for block in self.live.iter().chain(&self.told) {
            if let Some(free) = self.allocator.free_space().overlapping(block).first() {
                return Err(format!("{free:?} is free, and {block:?} is in use"));
            }
        }
        Ok(())
    }
}

fn overlap(a: &TrunkBlock, b: &TrunkBlock) -> bool {
    a.file_id == b.file_id && a.offset < b.offset + b.size && b.offset < a.offset + a.size
}
