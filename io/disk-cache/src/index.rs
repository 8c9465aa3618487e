//! Which blobs there are, how much they take, which was used when.

use std::collections::{BTreeMap, HashMap};

use crate::{ENTRIES_MAX, Key};

/// A blob on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it takes, bytes.
    pub(crate) cost: u64,
    /// Told apart from another blob under the same key, earlier or later.
    pub(crate) written: u64,
    /// When it was used last, in turns.
    used: u64,
}

/// The blobs of a cache and the room that was promised.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: HashMap<Key, Entry>,
    /// The same by their last use. Turns are never given out twice.
    by_use: BTreeMap<u64, Key>,
    /// What `entries` take, and what was reserved, bytes.
    bytes: u64,
    /// Blobs that room was reserved for.
    reserved: usize,
    turn: u64,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The blob of a key, which is used by that.
    pub(crate) fn used(&mut self, key: &Key) -> Option<Entry> {
        let turn = self.next_turn();
        let entry = self.entries.get_mut(key)?;
        self.by_use.remove(&entry.used);
        entry.used = turn;
        self.by_use.insert(turn, *key);
        Some(*entry)
    }

    /// Promises room for a blob, if there is.
    pub(crate) fn reserve(&mut self, cost: u64, bytes_max: u64) -> bool {
        let fits = self.bytes + cost <= bytes_max && self.entries.len() + self.reserved < ENTRIES_MAX;
        if fits {
            self.bytes += cost;
            self.reserved += 1;
        }
        fits
    }

    /// The room is not needed after all.
    pub(crate) fn give_back(&mut self, cost: u64) {
        self.bytes -= cost;
        self.reserved -= 1;
    }

    /// A blob is there, in the room that was reserved for it, in the place of an earlier one.
    pub(crate) fn insert(&mut self, key: Key, cost: u64) {
        self.remove(&key);
        self.reserved -= 1;
        let turn = self.next_turn();
        self.entries.insert(key, Entry { cost, written: turn, used: turn });
        self.by_use.insert(turn, key);
    }

    /// A blob is gone.
    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.cost;
        }
    }

    /// Whether this very blob is still there.
    pub(crate) fn holds(&self, key: &Key, entry: &Entry) -> bool {
        self.entries.get(key).is_some_and(|now| now.written == entry.written)
    }

    /// What has not been used for longest.
    pub(crate) fn oldest(&self) -> Option<Key> {
        self.by_use.first_key_value().map(|(_, key)| *key)
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}
