//! The ranking by downloads.
//!
//! Only links that their owners listed are in it ([`crate::share::Share::is_listed`]), so no private name is shown.
//! The truth is the column `downloads` of the links; a board in the cache is made from it, added to as downloads are
//! counted, and replaced as a whole now and then.

use std::cmp::Reverse;
use std::time::Duration;

use crate::ids::ShareId;

/// A board is made anew after this long.
pub const BOARD_TTL: Duration = Duration::from_secs(10 * 60);

/// A place in the ranking. The greatest is first: the higher score, of equal ones the smaller id, so that a page never
/// shows one twice because two changed places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankEntry {
    /// The link.
    pub share: ShareId,
    /// How often it was downloaded; or how often more, when it is added.
    pub score: u64,
}

impl Ord for RankEntry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.score, Reverse(self.share)).cmp(&(other.score, Reverse(other.share)))
    }
}

impl PartialOrd for RankEntry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Puts entries into the order of the list.
pub fn rank(entries: &mut [RankEntry]) {
    entries.sort_unstable_by_key(|entry| Reverse(*entry));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_downloaded_is_first_and_of_equal_ones_the_oldest() {
        let entry = |(share, score)| RankEntry { share: ShareId::new(share).unwrap(), score };
        let mut entries = [(3, 5), (1, 0), (9, 7), (2, 5), (4, 0)].map(entry);
        rank(&mut entries);
        assert_eq!(entries, [(9, 7), (2, 5), (3, 5), (1, 0), (4, 0)].map(entry));
    }
}
