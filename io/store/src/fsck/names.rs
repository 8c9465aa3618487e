//! A compact set of the names that should exist.

use std::collections::{HashSet, hash_map::DefaultHasher};
use std::hash::{BuildHasherDefault, Hasher};

use fdfs_fileid::{FileName, TrunkPart};
use fdfs_format::{SlotHeader, SlotKind};
use parking_lot::Mutex;

/// Parts that grow one at a time, so that growing needs little room beside the set itself.
const SHARDS: usize = 256;

/// Names by their keys. A table of hashes is between half and seven eighths full, so a name takes 10 to 21 bytes.
pub(super) struct Names {
    shards: Vec<Mutex<HashSet<u64, BuildHasherDefault<Keep>>>>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Bits that the tables themselves do not look at first.
    fn shard(&self, key: u64) -> &Mutex<HashSet<u64, BuildHasherDefault<Keep>>> {
        &self.shards[(key >> 40) as usize % SHARDS]
    }

    /// Puts a key in and tells whether it was not there.
    pub(super) fn insert(&self, key: u64) -> bool {
        self.shard(key).lock().insert(key)
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.shard(key).lock().contains(&key)
    }

    /// Takes a key out and tells whether it was there.
    pub(super) fn remove(&self, key: u64) -> bool {
        self.shard(key).lock().remove(&key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().is_empty())
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct Keep(u64);

impl Hasher for Keep {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// The key of a name: 64 bits, of which ten million names share one with a chance of one in 370 000. Both forms of
/// a name have the same; the name of a file in a trunk slot has the key of its slot.
pub(crate) fn key(name: &FileName) -> u64 {
    if let (Some(part), Some(header)) = (name.trunk_part(), SlotHeader::of(name)) {
        return slot_key(name, part, &header);
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(&[b'f', name.path_index().0]);
    hasher.write(name.true_name().as_bytes());
    hasher.finish()
}

/// The key of a slot: where it is, and what its header says.
fn slot_key(container: &FileName, part: TrunkPart, header: &SlotHeader) -> u64 {
    let (high, low) = container.dirs();
    let mut hasher = DefaultHasher::new();
    hasher.write(&[b's', container.path_index().0, high, low]);
    hasher.write(&part.file_id.to_be_bytes());
    hasher.write(&part.offset.to_be_bytes());
    hasher.write(&SlotHeader { kind: SlotKind::File, ..*header }.encode());
    hasher.finish()
}

/// The key of a slot that was found in a trunk file.
pub(super) fn found_slot_key(container: &FileName, file_id: u32, offset: u32, header: &SlotHeader) -> u64 {
    slot_key(container, TrunkPart { file_id, offset, alloc_size: header.alloc_size }, header)
}

#[cfg(test)]
mod tests {
    use super::{Names, found_slot_key, key};
    use fdfs_fileid::FileName;
    use fdfs_format::SlotHeader;

    fn name(text: &str) -> FileName {
        text.parse().unwrap()
    }

    #[test]
    fn both_forms_of_a_name_have_one_key_and_store_paths_have_different_ones() {
        let text = "00/00/fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin";
        assert_eq!(key(&name(text)), key(&name(&format!("M00/{text}"))));
        assert_ne!(key(&name(text)), key(&name(&format!("M01/{text}"))));
    }

    #[test]
    fn a_name_in_a_slot_has_the_key_of_its_slot() {
        let file = name("M00/00/00/o4YBAGsC4PSIFcLcAAALuF1GbL0AAAAAQAADAAAAAwA377.bin");
        let header = SlotHeader::of(&file).unwrap();
        let container = name("M00/00/00/000001");
        assert_eq!(found_slot_key(&container, 1, 3072, &header), key(&file));
        assert_ne!(found_slot_key(&container, 1, 0, &header), key(&file));
        assert_ne!(found_slot_key(&name("M00/00/01/000001"), 1, 3072, &header), key(&file));
    }

    #[test]
    fn a_set_forgets_what_is_taken_out() {
        let names = Names::new();
        for key in 0..10_000_u64 {
            assert!(names.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        assert!(!names.insert(0) && names.contains(0));
        for key in 0..10_000_u64 {
            assert!(names.remove(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        assert!(names.is_empty());
        assert!(!names.remove(0));
    }
}
