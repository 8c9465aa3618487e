//! Space in trunk files that the changes of one batch are going to fill.

use std::collections::BTreeMap;

use super::Place;

/// Slots by trunk file and place, with their ends. As many as changes in a batch.
#[derive(Debug, Default)]
pub(crate) struct Claims(BTreeMap<(String, u64), u64>);

impl Claims {
    /// Whether a slot shares space with one that is claimed.
    pub(crate) fn overlap(&self, place: &Place) -> bool {
        let key = |at| (place.container.clone(), at);
        // Claimed slots share no space, so the last one that begins before this one's end reaches furthest.
        self.0.range(key(0)..key(place.end())).next_back().is_some_and(|(_, end)| *end > place.start())
    }

    pub(crate) fn add(&mut self, place: &Place) {
        self.0.insert((place.container.clone(), place.start()), place.end());
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Claims, Place};
    use fdfs_fileid::TrunkPart;

    fn place(file_id: u32, offset: u32, alloc_size: u32) -> Place {
        let part = TrunkPart { file_id, offset, alloc_size };
        Place { container: format!("00/00/{}", part.container()), part }
    }

    #[test]
    fn only_slots_that_share_a_byte_overlap() {
        let mut claims = Claims::default();
        claims.add(&place(1, 256, 256));
        claims.add(&place(1, 1024, 1024));
        for (other, expected) in [
            (place(1, 256, 256), true),
            (place(1, 0, 256), false),
            (place(1, 0, 257), true),
            (place(1, 0, 4096), true),
            (place(1, 511, 10), true),
            (place(1, 512, 512), false),
            (place(1, 2047, 1), true),
            (place(1, 2048, 100), false),
            (place(2, 256, 256), false),
        ] {
            assert_eq!(claims.overlap(&other), expected, "{other:?}");
        }
        claims.clear();
        assert!(!claims.overlap(&place(1, 256, 256)));
    }
}
