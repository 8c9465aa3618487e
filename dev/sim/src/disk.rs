//! A disk: one append-only file that has to be synced, beside small files that are replaced whole.
//!
//! The file is the store's log. What was appended and not synced is in the page cache: a killed process finds it
//! again, a power cut keeps a part of it at most. Small files (the join record, the marks of replication) are written
//! beside the old one, synced and renamed, which is one step here.

use std::collections::BTreeMap;

use crate::chance::Chance;

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) log: Vec<u8>,
    /// Bytes of the log that a power cut leaves.
    pub(crate) synced: usize,
    pub(crate) small: BTreeMap<String, Vec<u8>>,
    /// Most bytes that the log may have.
    pub(crate) capacity: usize,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { log: Vec::new(), synced: 0, small: BTreeMap::new(), capacity: usize::MAX }
    }

    /// Appends; of what does not fit whole, nothing stays.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.log.len() + bytes.len() > self.capacity {
            return Err(Full);
        }
        self.log.extend_from_slice(bytes);
        Ok(())
    }

    /// What stood in the file up to `end` is safe.
    pub(crate) fn sync(&mut self, end: usize) {
        self.synced = self.synced.max(end.min(self.log.len()));
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.log.truncate(len);
        self.synced = self.synced.min(len);
    }

    /// The power goes: of what was not synced a part stays, and its end may be zeros.
    pub(crate) fn power_cut(&mut self, chance: &mut Chance) {
        let unsynced = self.log.len() - self.synced;
        let kept = self.synced + chance.below(unsynced + 1);
        self.log.truncate(kept);
        if chance.one_in(3) {
            let zeros = chance.below(9).min(kept - self.synced);
            self.log[kept - zeros..].fill(0);
        }
    }
}
