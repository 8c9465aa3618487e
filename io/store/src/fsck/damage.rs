//! Damaged places, of which the records can tell what was in them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use fdfs_fileid::{FileName, StorePathIndex};
use parking_lot::Mutex;

use super::{Home, names};

/// Damaged places that are remembered; what is in more of them is found the next time.
const PLACES_MAX: usize = 100_000;

/// A pack of a store path, by its number.
type PackKey = (StorePathIndex, u64);

/// Places whose content is not what it should be, and whose files are not known by name.
#[derive(Default)]
pub(super) struct Damage {
    /// Keys of slots of trunk files.
    slots: Mutex<HashSet<u64>>,
    /// Stretches of packs, bytes.
    packs: Mutex<HashMap<PackKey, Vec<Range<u64>>>>,
}

impl Damage {
    pub(super) fn add_slot(&self, key: u64) {
        let mut slots = self.slots.lock();
        if slots.len() < PLACES_MAX {
            slots.insert(key);
        }
    }

    pub(super) fn add_in_pack(&self, path: StorePathIndex, pack: u64, stretch: Range<u64>) {
        let mut packs = self.packs.lock();
        let stretches = packs.entry((path, pack)).or_default();
        if stretches.len() < PLACES_MAX {
            stretches.push(stretch);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.lock().is_empty() && self.packs.lock().is_empty()
    }

    /// Whether a file that is there is in a damaged place.
    pub(super) fn holds(&self, home: &Home, name: &FileName) -> bool {
        if name.trunk_part().is_some() && self.slots.lock().contains(&names::key(name)) {
            return true;
        }
        let place = home.packed.open().and_then(|packs| packs.place(name.true_name()));
        place.is_some_and(|(pack, at)| {
            let packs = self.packs.lock();
            let stretches = packs.get(&(home.index, pack));
            stretches.is_some_and(|stretches| stretches.iter().any(|stretch| stretch.contains(&at)))
        })
    }
}
