//! Where every packed file is: in memory, a few dozen bytes each.
//!
//! A name is known by a keyed 96-bit fingerprint. Nobody who lacks the key can make two names that share one, and by
//! chance two of a thousand million names do so with a probability of 10^-11; they could not both be created.

use fdfs_format::pack::{ALIGN, FINGERPRINT_LEN, RECORD_HEADER_LEN};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use parking_lot::RwLock;

/// Parts of the index, each with its own lock: one that grows holds up only those who ask for its names.
const SHARDS: usize = 256;

/// A keyed fingerprint of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint([u32; 3]);

impl Fingerprint {
    pub(crate) fn of(key: (u64, u64), name: &[u8]) -> Self {
        let hash = siphasher::sip128::SipHasher13::new_with_keys(key.0, key.1).hash(name);
        Self([(hash.h2 >> 32) as u32, (hash.h1 >> 32) as u32, hash.h1 as u32])
    }

    pub(crate) fn bytes(self) -> [u8; FINGERPRINT_LEN] {
        let mut bytes = [0; FINGERPRINT_LEN];
        for (place, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; FINGERPRINT_LEN]) -> Self {
        let mut words = [0; 3];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = bytes.first_chunk().copied().map_or(0, u32::from_be_bytes);
        }
        Self(words)
    }

    fn shard(self) -> usize {
        self.0[0] as usize % SHARDS
    }

    fn hash(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[2])
    }
}

/// Where a packed file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    /// The pack, by its place in the table of open packs.
    pub(crate) slot: u32,
    /// Where its record begins, in [`ALIGN`]s.
    pub(crate) at: u32,
    /// Sequence number of the record, less the first of its pack.
    pub(crate) sequence: u32,
    lengths: u32,
}

impl Location {
    /// `content_len` has at most 24 bits: the format says so.
    pub(crate) fn new(slot: u32, at: u32, sequence: u32, content_len: u32, name_len: u8) -> Self {
        Self { slot, at, sequence, lengths: content_len << 8 | u32::from(name_len) }
    }

    pub(crate) fn content_len(&self) -> u32 {
        self.lengths >> 8
    }

    pub(crate) fn name_len(&self) -> u8 {
        self.lengths as u8
    }

    /// Where the record begins, bytes.
    pub(crate) fn offset(&self) -> u64 {
        u64::from(self.at) * ALIGN as u64
    }

    /// What the record takes in its pack, bytes.
    pub(crate) fn padded_len(&self) -> u64 {
        let len = RECORD_HEADER_LEN + self.content_len() as usize + usize::from(self.name_len());
        len.next_multiple_of(ALIGN) as u64
    }
}

#[derive(Clone, Copy)]
struct Entry {
    fingerprint: Fingerprint,
    location: Location,
}

/// All packed files of a store path. A place in a table takes 29 bytes, and between 7/16 and 7/8 of them are taken.
pub(crate) struct Index {
    shards: Vec<RwLock<HashTable<Entry>>>,
}

impl Index {
    /// Room for so many files; it grows when there are more.
    pub(crate) fn with_capacity(files: usize) -> Self {
        // Fingerprints spread evenly; a few per cent more spare most shards from growing.
        let each = files / SHARDS + files / SHARDS / 32;
        Self { shards: (0..SHARDS).map(|_| RwLock::new(HashTable::with_capacity(each))).collect() }
    }

    fn shard(&self, fingerprint: Fingerprint) -> Option<&RwLock<HashTable<Entry>>> {
        self.shards.get(fingerprint.shard())
    }

    pub(crate) fn get(&self, fingerprint: Fingerprint) -> Option<Location> {
        let shard = self.shard(fingerprint)?.read();
        shard.find(fingerprint.hash(), |entry| entry.fingerprint == fingerprint).map(|entry| entry.location)
    }

    /// Puts a file there; gives where it was before.
    pub(crate) fn insert(&self, fingerprint: Fingerprint, location: Location) -> Option<Location> {
        let mut shard = self.shard(fingerprint)?.write();
        let same = |entry: &Entry| entry.fingerprint == fingerprint;
        match shard.entry(fingerprint.hash(), same, |entry| entry.fingerprint.hash()) {
            Slot::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().location, location)),
            Slot::Vacant(place) => {
                place.insert(Entry { fingerprint, location });
                None
            }
        }
    }

    /// Removes a file if `is_victim` says so of its place; gives the place.
    pub(crate) fn remove_if(
        &self,
        fingerprint: Fingerprint,
        is_victim: impl FnOnce(&Location) -> bool,
    ) -> Option<Location> {
        let mut shard = self.shard(fingerprint)?.write();
        match shard.find_entry(fingerprint.hash(), |entry| entry.fingerprint == fingerprint) {
            Ok(entry) if is_victim(&entry.get().location) => Some(entry.remove().0.location),
            _ => None,
        }
    }

    /// A file that is still at `from` is now at `to`; whether it was.
    pub(crate) fn relocate(&self, fingerprint: Fingerprint, from: Location, to: Location) -> bool {
        let Some(shard) = self.shard(fingerprint) else { return false };
        let mut shard = shard.write();
        match shard.find_mut(fingerprint.hash(), |entry| entry.fingerprint == fingerprint) {
            Some(entry) if entry.location == from => {
                entry.location = to;
                true
            }
            _ => false,
        }
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Memory of the tables, bytes.
    pub(crate) fn memory(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().allocation_size()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(number: u32) -> Fingerprint {
        Fingerprint::of((1, 2), &number.to_be_bytes())
    }

    fn location(slot: u32) -> Location {
        Location::new(slot, 8, 1, 4096, 44)
    }

    #[test]
    fn a_file_is_found_until_it_is_removed_as_itself() {
        let index = Index::with_capacity(0);
        assert_eq!(index.insert(fingerprint(1), location(1)), None);
        assert_eq!(index.insert(fingerprint(1), location(2)), Some(location(1)));
        assert_eq!(index.get(fingerprint(1)), Some(location(2)));
        assert_eq!(index.remove_if(fingerprint(1), |location| location.slot == 1), None);
        assert!(!index.relocate(fingerprint(1), location(1), location(3)));
        assert!(index.relocate(fingerprint(1), location(2), location(3)));
        assert_eq!(index.remove_if(fingerprint(1), |location| location.slot == 3), Some(location(3)));
        assert_eq!((index.get(fingerprint(1)), index.len()), (None, 0));
    }

    #[test]
    fn lengths_share_a_word_and_keep_their_values() {
        let largest = Location::new(0, u32::MAX, 0, (1 << 24) - 1, u8::MAX);
        assert_eq!((largest.content_len(), largest.name_len()), ((1 << 24) - 1, 255));
        assert_eq!(largest.offset(), u64::from(u32::MAX) * 8);
        assert_eq!(Location::new(0, 0, 0, 4, 3).padded_len(), 40);
    }

    #[test]
    fn a_file_takes_49_bytes_of_memory_where_ten_million_are() {
        // As full as the tables are at ten million: an eighth of the files in tables an eighth as large.
        let index = Index::with_capacity(0);
        for number in 0..1_250_000 {
            index.insert(fingerprint(number), location(0));
        }
        let each = index.memory() as f64 / 1_250_000.0;
        assert!((33.0..50.0).contains(&each), "{each} bytes");
    }
}
