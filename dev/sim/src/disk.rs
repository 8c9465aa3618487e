//! The disks of a storage: that of its base path, which holds the binlog and small files, and that of its store path.
//!
//! What was appended and not synced is in the page cache: a killed process finds it again, a power cut keeps a part of
//! it at most. Small files (the join record, marks) are written beside the old one, synced and renamed, which is
//! one step here.

use std::collections::BTreeMap;

use crate::chance::Chance;

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A file that is appended to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Appended {
    pub(crate) bytes: Vec<u8>,
    /// How much a power cut leaves.
    pub(crate) synced: usize,
}

impl Appended {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What stood in the file up to `end` is safe.
    pub(crate) fn sync(&mut self, end: usize) {
        self.synced = self.synced.max(end.min(self.len()));
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.synced = self.synced.min(len);
    }

    /// The power goes: of what was not synced a part stays, and its end may be zeros.
    pub(crate) fn power_cut(&mut self, chance: &mut Chance) {
        let unsynced = self.len() - self.synced;
        let kept = self.synced + chance.below(unsynced + 1);
        self.bytes.truncate(kept);
        if chance.one_in(3) {
            let zeros = chance.below(9).min(kept - self.synced);
            self.bytes[kept - zeros..].fill(0);
        }
    }
}

/// The disk of the store path: the log of the store.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) log: Appended,
    /// Most bytes that the log may have.
    pub(crate) capacity: usize,
    /// How long the binlog was when this disk was new: its lines are behind that.
    pub(crate) binlog_from: usize,
}

impl Disk {
    /// An empty one.
    pub(crate) fn new(binlog_from: usize) -> Self {
        Self { log: Appended::default(), capacity: usize::MAX, binlog_from }
    }

    /// Appends; of what does not fit whole, nothing stays.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.log.len() + bytes.len() > self.capacity {
            return Err(Full);
        }
        self.log.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// The disk of the base path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base {
    pub(crate) binlog: Appended,
    pub(crate) small: BTreeMap<String, Vec<u8>>,
}
