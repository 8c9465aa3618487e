//! Free blocks, by size and by place.

use std::collections::{BTreeMap, BTreeSet};

use fdfs_format::trunk_log::TrunkBlock;

/// Blocks that are kept: a few hundred bytes of memory each. What is freed beyond that is not used again until there is
/// room.
pub const BLOCKS_MAX: usize = 4_000_000;

/// A trunk file: store path, directories, number.
type FileKey = (u8, u8, u8, u32);

/// Why a block was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// Part of it is free already.
    Overlaps,
    /// There are [`BLOCKS_MAX`].
    Full,
}

/// The free blocks of a storage's trunk files. No two share a byte; neighbours stay apart unless they are merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreeSpace {
    /// Sizes by place.
    by_place: BTreeMap<(FileKey, u32), u32>,
    /// The same by store path and size.
    by_size: BTreeSet<(u8, u32, FileKey, u32)>,
    bytes: u64,
}

fn key(block: &TrunkBlock) -> FileKey {
    (block.path, block.dir_high, block.dir_low, block.file_id)
}

fn block((path, dir_high, dir_low, file_id): FileKey, offset: u32, size: u32) -> TrunkBlock {
    TrunkBlock { path, dir_high, dir_low, file_id, offset, size }
}

fn end(block: &TrunkBlock) -> u64 {
    u64::from(block.offset) + u64::from(block.size)
}

impl FreeSpace {
    /// All of it, bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.by_place.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// The blocks by place.
    pub fn iter(&self) -> impl Iterator<Item = TrunkBlock> + '_ {
        self.by_place.iter().map(|(&(file, offset), &size)| block(file, offset, size))
    }

    /// Whether exactly this block is there.
    pub fn contains(&self, wanted: &TrunkBlock) -> bool {
        self.by_place.get(&(key(wanted), wanted.offset)) == Some(&wanted.size)
    }

    /// The blocks that share a byte with this one, by place.
    pub fn overlapping(&self, wanted: &TrunkBlock) -> Vec<TrunkBlock> {
        let file = key(wanted);
        let before = self.by_place.range((file, 0)..(file, wanted.offset)).next_back();
        let last = u32::try_from(end(wanted)).unwrap_or(u32::MAX);
        let within = self.by_place.range((file, wanted.offset)..(file, last.max(wanted.offset)));
        let found = before.into_iter().chain(within);
        found
            .map(|(&(file, offset), &size)| block(file, offset, size))
            .filter(|found| end(found) > u64::from(wanted.offset))
            .collect()
    }

    /// Adds a block.
    ///
    /// # Errors
    /// [`NotAdded`].
    pub fn add(&mut self, new: &TrunkBlock) -> Result<(), NotAdded> {
        if !self.overlapping(new).is_empty() {
            return Err(NotAdded::Overlaps);
        }
        if self.by_place.len() >= BLOCKS_MAX {
            return Err(NotAdded::Full);
        }
        self.by_place.insert((key(new), new.offset), new.size);
        self.by_size.insert((new.path, new.size, key(new), new.offset));
        self.bytes += u64::from(new.size);
        Ok(())
    }

    /// Takes a block out; whether it was there.
    pub fn remove(&mut self, old: &TrunkBlock) -> bool {
        let is_there = self.contains(old);
        if is_there {
            self.by_place.remove(&(key(old), old.offset));
            self.by_size.remove(&(old.path, old.size, key(old), old.offset));
            self.bytes -= u64::from(old.size);
        }
        is_there
    }

    /// The smallest block of a store path that has `size` bytes; of equal ones the first by place.
    pub(crate) fn smallest(&self, path: u8, size: u32) -> Option<TrunkBlock> {
        let from = (path, size, (0, 0, 0, 0), 0);
        let &(found_in, size, file, offset) = self.by_size.range(from..).next()?;
        (found_in == path).then(|| block(file, offset, size))
    }

    /// The blocks that end where this one begins, and begin where it ends.
    pub fn neighbours(&self, of: &TrunkBlock) -> (Option<TrunkBlock>, Option<TrunkBlock>) {
        let file = key(of);
        let before = self.by_place.range((file, 0)..(file, of.offset)).next_back();
        let before = before.map(|(&(file, offset), &size)| block(file, offset, size));
        let after = u32::try_from(end(of)).ok().and_then(|offset| {
            let size = *self.by_place.get(&(file, offset))?;
            Some(block(file, offset, size))
        });
        (before.filter(|before| end(before) == u64::from(of.offset)), after)
    }
}
