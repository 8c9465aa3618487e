//! Which slots were read whole and found right, so that not every part of a file costs reading all of it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Names that are remembered; one that falls on another's place takes it.
const PLACES: usize = 4096;

/// Names of files in slots whose content had the right checksum, as keyed hashes: nobody can choose a name that passes
/// for another.
pub(crate) struct Verified {
    places: Box<[AtomicU64]>,
    keys: RandomState,
}

impl Verified {
    pub(crate) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), keys: RandomState::new() }
    }

    /// The place of a true name and what stands there if it is known; 0 stands for nothing.
    fn place(&self, name: &str) -> Option<(&AtomicU64, u64)> {
        let key = self.keys.hash_one(name) | 1;
        let place = self.places.get((key >> 32) as usize % PLACES)?;
        Some((place, key))
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.place(name).is_some_and(|(place, key)| place.load(Ordering::Relaxed) == key)
    }

    pub(crate) fn add(&self, name: &str) {
        if let Some((place, key)) = self.place(name) {
            place.store(key, Ordering::Relaxed);
        }
    }

    /// The slot holds this file no more.
    pub(crate) fn forget(&self, name: &str) {
        if let Some((place, key)) = self.place(name) {
            // Another name's stays.
            let _ = place.compare_exchange(key, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verified;

    #[test]
    fn a_name_is_known_from_when_it_was_added_until_it_is_forgotten() {
        let verified = Verified::new();
        assert!(!verified.knows("00/00/a"));
        verified.add("00/00/a");
        assert!(verified.knows("00/00/a") && !verified.knows("00/00/b"));
        verified.forget("00/00/b");
        assert!(verified.knows("00/00/a"));
        verified.forget("00/00/a");
        assert!(!verified.knows("00/00/a"));
    }
}
