//! Slots that deletions have emptied, until the trunk server is told.

use fdfs_fileid::{FileName, StorePathIndex, TrunkPart};
use parking_lot::Mutex;

/// Slots that are remembered for each store path. More are emptied only while nobody takes them, which is while no trunk
/// server answers; what is forgotten stays unused until the trunk server looks into the trunk files.
const FREED_MAX: usize = 65_536;

/// A slot that holds nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreedSlot {
    /// The store path of the trunk file.
    pub path: StorePathIndex,
    /// Its two directories.
    pub dirs: (u8, u8),
    /// Number of the trunk file, place and size of the slot.
    pub part: TrunkPart,
}

/// What [`crate::Store::take_freed_slots`] gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreedSlots {
    /// In the order in which they were emptied.
    pub slots: Vec<FreedSlot>,
    /// How many more there were than could be remembered.
    pub forgotten: u64,
}

/// The freed slots of one store path.
pub(crate) struct Freed(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Directories and place.
    slots: Vec<((u8, u8), TrunkPart)>,
    forgotten: u64,
}

impl Freed {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Takes note of the slot of a file that was deleted here.
    pub(crate) fn add(&self, name: &FileName) {
        let Some(part) = name.trunk_part() else { return };
        let Kept { slots, forgotten } = &mut *self.0.lock();
        if slots.len() < FREED_MAX {
            slots.push((name.dirs(), part));
        } else {
            *forgotten += 1;
        }
    }

    /// Takes all out.
    pub(crate) fn take(&self, path: StorePathIndex, into: &mut FreedSlots) {
        let Kept { slots, forgotten } = std::mem::take(&mut *self.0.lock());
        into.slots.extend(slots.into_iter().map(|(dirs, part)| FreedSlot { path, dirs, part }));
        into.forgotten += forgotten;
    }
}

#[cfg(test)]
mod tests {
    use super::{FREED_MAX, Freed, FreedSlots};
    use fdfs_fileid::StorePathIndex;

    #[test]
    fn slots_that_nobody_takes_are_counted_and_not_kept_for_ever() {
        let name = "M00/00/01/o4YBAGsC4PSIFcLcAAALuF1GbL0AAAAAQAADAAAAAwA377.bin".parse().unwrap();
        let freed = Freed::new();
        for _ in 0..FREED_MAX + 3 {
            freed.add(&name);
        }
        let mut taken = FreedSlots::default();
        freed.take(StorePathIndex(2), &mut taken);
        assert_eq!((taken.slots.len(), taken.forgotten), (FREED_MAX, 3));
        let slot = taken.slots[0];
        assert_eq!((slot.path, slot.dirs, slot.part.offset), (StorePathIndex(2), (0, 1), 3072));
        let mut again = FreedSlots::default();
        freed.take(StorePathIndex(2), &mut again);
        assert_eq!(again, FreedSlots::default());
    }
}
