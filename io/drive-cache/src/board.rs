//! A ranking in memory.

use std::collections::{BTreeSet, HashMap};

use drive_core::ShareId;
use drive_core::ports::{BOARD_ENTRIES_MAX, BOARD_SCORE_MAX, Order};
use drive_core::ranking::RankEntry;
use tokio::time::Instant;

/// Scores by id, and in order.
pub(crate) struct Scores {
    by_share: HashMap<ShareId, u64>,
    in_order: BTreeSet<RankEntry>,
    pub(crate) end: Instant,
}

impl Scores {
    pub(crate) fn new(entries: &[RankEntry], end: Instant) -> Self {
        let mut scores = Self { by_share: HashMap::new(), in_order: BTreeSet::new(), end };
        scores.add(entries);
        scores
    }

    pub(crate) fn add(&mut self, more: &[RankEntry]) {
        for RankEntry { share, score } in more.iter().copied() {
            let before = self.by_share.get(&share).copied();
            if before.is_none() && self.by_share.len() >= BOARD_ENTRIES_MAX {
                continue;
            }
            let after = before.unwrap_or(0).saturating_add(score).min(BOARD_SCORE_MAX);
            self.remove(&[share]);
            self.by_share.insert(share, after);
            self.in_order.insert(RankEntry { share, score: after });
        }
    }

    pub(crate) fn remove(&mut self, shares: &[ShareId]) {
        for share in shares {
            if let Some(score) = self.by_share.remove(share) {
                self.in_order.remove(&RankEntry { share: *share, score });
            }
        }
    }

    pub(crate) fn page(&self, order: Order, from: usize, count: usize) -> Vec<RankEntry> {
        match order {
            Order::Highest => self.in_order.iter().rev().skip(from).take(count).copied().collect(),
            Order::Lowest => self.in_order.iter().skip(from).take(count).copied().collect(),
        }
    }
}
