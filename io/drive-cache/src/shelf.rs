//! Values with an end, within so many bytes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

/// What an entry costs beside its key and its value: both maps, reference counts, spare capacity. Rather too much.
const ENTRY_COST: usize = 160;

/// Keeps values until their end comes, or there is no room: then those go whose end is nearest.
pub(crate) struct Shelf<V> {
    entries: HashMap<Arc<str>, Entry<V>>,
    ends: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
    bytes_max: usize,
}

struct Entry<V> {
    value: V,
    end: Instant,
    cost: usize,
}

impl<V> Shelf<V> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entries: HashMap::new(), ends: BTreeSet::new(), bytes: 0, bytes_max }
    }

    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.end > now).map(|entry| &entry.value)
    }

    /// `bytes`: of the value. One that is larger than the shelf is not kept, nor what was there before.
    pub(crate) fn put(&mut self, key: &str, value: V, bytes: usize, end: Instant, now: Instant) {
        self.remove(key);
        let cost = key.len() + bytes + ENTRY_COST;
        let Some(room) = self.bytes_max.checked_sub(cost).filter(|_| end > now) else { return };
        self.make_room(room, now);
        let key: Arc<str> = key.into();
        self.ends.insert((end, key.clone()));
        self.entries.insert(key, Entry { value, end, cost });
        self.bytes += cost;
    }

    pub(crate) fn remove(&mut self, key: &str) {
        if let Some((key, entry)) = self.entries.remove_entry(key) {
            self.ends.remove(&(entry.end, key));
            self.bytes -= entry.cost;
        }
    }

    /// Forgets what is over, and more until no more than `bytes` are used.
    fn make_room(&mut self, bytes: usize, now: Instant) {
        while let Some((end, _)) = self.ends.first()
            && (*end <= now || self.bytes > bytes)
        {
            let Some((_, key)) = self.ends.pop_first() else { return };
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= entry.cost;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn kept(shelf: &Shelf<u8>, now: Instant) -> String {
        let mut keys: Vec<&str> =
            shelf.entries.keys().map(AsRef::as_ref).filter(|key| shelf.get(key, now).is_some()).collect();
        keys.sort_unstable();
        keys.concat()
    }

    #[test]
    fn a_full_shelf_forgets_what_would_end_first() {
        let now = Instant::now();
        let mut shelf = Shelf::new(3 * (1 + 10 + ENTRY_COST));
        for (key, seconds, expected) in [
            ("a", 5, "a"),
            ("b", 3, "ab"),
            ("c", 9, "abc"),
            ("d", 4, "acd"),
            ("e", 1, "ace"),
            ("c", 1, "ace"),
        ] {
            shelf.put(key, 0, 10, now + second(seconds), now);
            assert_eq!(kept(&shelf, now), expected, "after {key}");
        }
        // Another of the size of two.
        shelf.put("f", 0, 2 * (1 + 10 + ENTRY_COST) - 1 - ENTRY_COST, now + second(2), now);
        assert_eq!(kept(&shelf, now), "af");
    }

    #[test]
    fn what_is_over_gives_its_room_back() {
        let now = Instant::now();
        let mut shelf = Shelf::new(2 * (1 + ENTRY_COST));
        shelf.put("a", 0, 0, now + second(1), now);
        shelf.put("b", 0, 0, now + second(9), now);
        let later = now + second(1);
        assert_eq!(kept(&shelf, later), "b");
        shelf.put("c", 0, 0, later + second(1), later);
        assert_eq!(kept(&shelf, later), "bc");
        assert_eq!(shelf.entries.len(), 2);
        shelf.remove("b");
        shelf.remove("b");
        shelf.remove("c");
        assert_eq!((shelf.bytes, shelf.ends.len()), (0, 0));
    }

    #[test]
    fn what_does_not_fit_is_not_kept_and_takes_the_old_value_along() {
        let now = Instant::now();
        let mut shelf = Shelf::new(100 + ENTRY_COST);
        shelf.put("a", 0, 0, now + second(1), now);
        shelf.put("a", 0, 100, now + second(1), now);
        assert_eq!((kept(&shelf, now).as_str(), shelf.bytes), ("", 0));
        shelf.put("a", 0, 99, now + second(1), now);
        assert_eq!(kept(&shelf, now), "a");
        shelf.put("a", 0, 0, now, now);
        assert_eq!((kept(&shelf, now).as_str(), shelf.bytes), ("", 0));
    }
}
