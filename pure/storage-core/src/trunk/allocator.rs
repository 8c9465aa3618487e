//! The machine of the trunk server.

use std::collections::BTreeMap;

use fdfs_format::SLOT_HEADER_LEN;
use fdfs_format::trunk_log::{TrunkBlock, TrunkLine, TrunkOp};

use super::{FreeSpace, NotAdded};

/// Blocks that may be handed out and not yet confirmed.
pub const HOLDS_MAX: usize = 65_536;

/// What the cluster has agreed on (storage internals: cluster parameters).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkRules {
    /// Smallest slot, bytes; what is smaller is never free.
    pub slot_min: u32,
    /// Largest slot, bytes.
    pub slot_max: u32,
    /// Slots larger than the smallest are multiples of this, bytes; 0 for any size.
    pub alignment: u32,
    /// Length of a trunk file, bytes.
    pub file_len: u32,
    /// Whether neighbouring free blocks become one.
    pub merge: bool,
    /// Store paths.
    pub paths: u16,
}

/// What is to be done about an answer, in this order, and durably before the answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A line for the trunk binlog.
    Log(TrunkLine),
    /// This number of the newest trunk file has to outlive a crash before it is used.
    SaveFileId(u32),
    /// A trunk file of that number has to be made on that store path, in directories that the maker chooses; then
    /// [`Allocator::file_made`] is called, [`Allocator::file_taken`] if there is one of that number, or
    /// [`Allocator::file_failed`].
    MakeFile {
        /// The store path.
        path: u8,
        /// Number of the trunk file.
        file_id: u32,
    },
}

/// What an ALLOC has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// The slot; it may be larger than was asked for.
    Block(TrunkBlock),
    /// A trunk file is being made: ask again when it is.
    Wait,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such slot or store path can be. EINVAL on the wire.
    #[error("no trunk file has such a slot")]
    Invalid,
    /// The block is not handed out. ENOENT on the wire.
    #[error("the slot is not handed out")]
    Unknown,
    /// The block, or part of it, is free or handed out. EEXIST on the wire.
    #[error("the slot is free, or handed out")]
    Exists,
    /// Too many blocks are handed out, or free. EAGAIN on the wire.
    #[error("too many slots")]
    Full,
    /// There are no more numbers for trunk files. ENOSPC on the wire.
    #[error("no number is left for a trunk file")]
    NoFileId,
}

/// The free space of a group's trunk files, and what is handed out of it.
#[derive(Debug, Clone)]
pub struct Allocator {
    rules: TrunkRules,
    free: FreeSpace,
    /// Blocks that are handed out, with the times when they were, Unix seconds.
    held: FreeSpace,
    since: BTreeMap<TrunkBlock, u64>,
    /// Number of the newest trunk file.
    file_id: u32,
    /// Store paths for which a trunk file is being made, with its number.
    making: BTreeMap<u8, u32>,
}

impl Allocator {
    /// With the free space that was found, and the number of the newest trunk file: the largest of what this storage and
    /// the tracker know.
    pub fn new(rules: TrunkRules, free: FreeSpace, file_id: u32) -> Self {
        Self {
            rules,
            free,
            held: FreeSpace::default(),
            since: BTreeMap::new(),
            file_id,
            making: BTreeMap::new(),
        }
    }

    /// The free blocks: what a snapshot holds.
    pub fn free_space(&self) -> &FreeSpace {
        &self.free
    }

    /// Number of the newest trunk file.
    pub fn file_id(&self) -> u32 {
        self.file_id
    }

    /// Hands out a slot of `size` bytes, header included, on a store path.
    ///
    /// # Errors
    /// [`Refused::Invalid`], [`Refused::Full`], [`Refused::NoFileId`].
    pub fn alloc(
        &mut self,
        path: u8,
        size: u32,
        now: u64,
        out: &mut Vec<Action>,
    ) -> Result<Allocation, Refused> {
        let rounded = self.rounded(size).ok_or(Refused::Invalid)?;
        if u16::from(path) >= self.rules.paths {
            return Err(Refused::Invalid);
        }
        if self.since.len() >= HOLDS_MAX {
            return Err(Refused::Full);
        }
        let Some(found) = self.free.smallest(path, rounded) else {
            if !self.making.contains_key(&path) {
                self.make_file(path, out)?;
            }
            return Ok(Allocation::Wait);
        };
        self.free.remove(&found);
        log(out, now, TrunkOp::Delete, found);
        let rest = found.size - rounded;
        let block = if rest >= self.rules.slot_min {
            let rest = TrunkBlock { offset: found.offset + rounded, size: rest, ..found };
            // It was free before.
            if self.free.add(&rest).is_ok() {
                log(out, now, TrunkOp::Add, rest);
            }
            TrunkBlock { size: rounded, ..found }
        } else {
            found
        };
        // What was free is not held.
        let _ = self.held.add(&block);
        self.since.insert(block, now);
        Ok(Allocation::Block(block))
    }

    /// The size of the slot for so many bytes; none if there is no such slot.
    fn rounded(&self, size: u32) -> Option<u32> {
        let TrunkRules { slot_min, slot_max, alignment, file_len, .. } = self.rules;
        if (size as usize) < SLOT_HEADER_LEN || size > slot_max {
            return None;
        }
        let rounded = match alignment {
            _ if size <= slot_min => slot_min,
            0 => size,
            alignment => size.checked_next_multiple_of(alignment)?,
        };
        (rounded <= file_len).then_some(rounded)
    }

    /// The file of a slot that was handed out was written, or the slot was found in use: either way it is not free. If
    /// not `used`, it is free again.
    ///
    /// # Errors
    /// [`Refused::Unknown`] unless exactly this block is handed out.
    pub fn confirm(
        &mut self,
        block: &TrunkBlock,
        used: bool,
        now: u64,
        out: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        self.since.remove(block).ok_or(Refused::Unknown)?;
        self.held.remove(block);
        if used { Ok(()) } else { self.give_back(block, now, out) }
    }

    /// A file was deleted, its slot is free. One that is smaller than the smallest slot is never used again.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn free(&mut self, block: &TrunkBlock, now: u64, out: &mut Vec<Action>) -> Result<(), Refused> {
        let end = u64::from(block.offset) + u64::from(block.size);
        let is_possible =
            block.size > 0 && end <= self.rules.file_len.into() && u16::from(block.path) < self.rules.paths;
        if !is_possible || block.file_id > self.file_id {
            return Err(Refused::Invalid);
        }
        if block.size < self.rules.slot_min {
            return Ok(());
        }
        if !self.held.overlapping(block).is_empty() {
            return Err(Refused::Exists);
        }
        self.give_back(block, now, out)
    }

    fn give_back(&mut self, block: &TrunkBlock, now: u64, out: &mut Vec<Action>) -> Result<(), Refused> {
        self.free.add(block).map_err(|why| match why {
            NotAdded::Overlaps => Refused::Exists,
            NotAdded::Full => Refused::Full,
        })?;
        let mut whole = *block;
        if self.rules.merge {
            let (before, after) = self.free.neighbours(block);
            let neighbours = [before, after];
            for neighbour in neighbours.iter().flatten() {
                self.free.remove(neighbour);
                log(out, now, TrunkOp::Delete, *neighbour);
                whole.offset = whole.offset.min(neighbour.offset);
                whole.size += neighbour.size;
            }
            self.free.remove(block);
            // It is made of blocks that were free.
            let _ = self.free.add(&whole);
        }
        log(out, now, TrunkOp::Add, whole);
        Ok(())
    }

    /// Blocks that were handed out before a time and not confirmed: whoever asked for them has gone away. He may have
    /// written there, so whoever can look there says so with [`Allocator::confirm`].
    pub fn old_holds(&self, before: u64) -> Vec<TrunkBlock> {
        self.since.iter().filter(|(_, since)| **since < before).map(|(block, _)| *block).collect()
    }

    /// A trunk file was made in these directories: all of it is free.
    ///
    /// # Errors
    /// [`Refused::Unknown`] when no such file was asked for.
    pub fn file_made(
        &mut self,
        path: u8,
        file_id: u32,
        (dir_high, dir_low): (u8, u8),
        now: u64,
        out: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        self.made(path, file_id)?;
        let block = TrunkBlock { path, dir_high, dir_low, file_id, offset: 0, size: self.rules.file_len };
        self.give_back(&block, now, out)
    }

    /// There is a trunk file of that number: another one is asked for.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::NoFileId`].
    pub fn file_taken(&mut self, path: u8, file_id: u32, out: &mut Vec<Action>) -> Result<(), Refused> {
        self.made(path, file_id)?;
        self.make_file(path, out)
    }

    /// The trunk file could not be made; the next ALLOC asks for another one.
    ///
    /// # Errors
    /// [`Refused::Unknown`] when no such file was asked for.
    pub fn file_failed(&mut self, path: u8, file_id: u32) -> Result<(), Refused> {
        self.made(path, file_id)
    }

    fn made(&mut self, path: u8, file_id: u32) -> Result<(), Refused> {
        if self.making.get(&path) != Some(&file_id) {
            return Err(Refused::Unknown);
        }
        self.making.remove(&path);
        Ok(())
    }

    fn make_file(&mut self, path: u8, out: &mut Vec<Action>) -> Result<(), Refused> {
        let file_id = self.file_id.checked_add(1).ok_or(Refused::NoFileId)?;
        self.file_id = file_id;
        self.making.insert(path, file_id);
        out.extend([Action::SaveFileId(file_id), Action::MakeFile { path, file_id }]);
        Ok(())
    }
}

fn log(out: &mut Vec<Action>, time: u64, op: TrunkOp, block: TrunkBlock) {
    out.push(Action::Log(TrunkLine { time, op, block }));
}
