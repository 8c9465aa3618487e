//! What there is in all, for administrators: counted in parts, and not again for a while.

use std::time::Duration;

use crate::size::ByteCount;
use crate::time::UnixMillis;

/// How long totals are good for at least.
pub const TOTALS_KEPT: Duration = Duration::from_secs(30);

/// And how many times as long as it took to count them: so counting goes on for a twentieth of the time at most, however
/// much there is to count.
pub const TOTALS_KEPT_TIMES: u32 = 20;

/// Rows that are counted at once.
pub const COUNTED_AT_ONCE: u32 = 10_000;

/// What there is in all. Parts are counted one after the other, so what changes meanwhile may be in it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Accounts.
    pub accounts: u64,
    /// Folders and files of all of them, roots and trash included.
    pub nodes: u64,
    /// Files among these: as often as contents are referred to.
    pub files: u64,
    /// Bytes of all files, as quotas count them: as if none were stored with another.
    pub used: ByteCount,
    /// Bytes that uploads under way have reserved.
    pub reserved: ByteCount,
    /// Contents that differ.
    pub contents: u64,
    /// Bytes of these: what is stored, once.
    pub stored: ByteCount,
    /// Links of all kinds.
    pub links: u64,
    /// Links among these that have not been taken back, ended or been used up.
    pub links_open: u64,
}

impl Totals {
    /// Folders, without roots.
    pub const fn folders(&self) -> u64 {
        self.nodes.saturating_sub(self.files).saturating_sub(self.accounts)
    }

    /// This and another part.
    pub fn plus(self, other: Self) -> Self {
        let bytes = |one: ByteCount, other: ByteCount| one.plus(other).unwrap_or(ByteCount::MAX);
        Self {
            accounts: self.accounts.saturating_add(other.accounts),
            nodes: self.nodes.saturating_add(other.nodes),
            files: self.files.saturating_add(other.files),
            used: bytes(self.used, other.used),
            reserved: bytes(self.reserved, other.reserved),
            contents: self.contents.saturating_add(other.contents),
            stored: bytes(self.stored, other.stored),
            links: self.links.saturating_add(other.links),
            links_open: self.links_open.saturating_add(other.links_open),
        }
    }
}

/// Totals, and how it was to count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// What there was.
    pub totals: Totals,
    /// When the last part was counted.
    pub at: UnixMillis,
    /// How long all parts took.
    pub took: Duration,
}

impl Counted {
    /// Are they good enough?
    pub fn is_fresh(&self, now: UnixMillis) -> bool {
        now.since(self.at) < self.took.saturating_mul(TOTALS_KEPT_TIMES).max(TOTALS_KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_counted_seldom() {
        for (took, age, fresh) in
            [(0, 0, true), (0, 29, true), (0, 30, false), (10, 199, true), (10, 200, false)]
        {
            let took = Duration::from_secs(took);
            let counted = Counted { totals: Totals::default(), at: UnixMillis(5_000), took };
            assert_eq!(counted.is_fresh(UnixMillis(5_000 + age * 1_000)), fresh, "{took:?} {age}");
        }
    }

    #[test]
    fn parts_add_up_and_folders_are_what_is_no_file() {
        let one = Totals { accounts: 2, nodes: 9, files: 4, ..Totals::default() };
        let other = Totals { accounts: 1, nodes: 1, ..Totals::default() };
        let sum = one.plus(other);
        assert_eq!((sum.accounts, sum.nodes, sum.files, sum.folders()), (3, 10, 4, 3));
        // A file that came between two parts is no folder.
        assert_eq!(Totals { nodes: 4, files: 5, accounts: 1, ..Totals::default() }.folders(), 0);
    }
}
