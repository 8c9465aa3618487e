//! Quotas: what an account stores, and what it may.
//!
//! Every file counts with its full size, though equal bytes are stored once: what a copy costs must not depend on
//! what others have. What lies in the trash counts. An upload reserves its room before its first byte and turns that
//! into use when it is committed, so that fifty uploads at once never go past the limit.

use crate::problem::Problem;
use crate::size::ByteCount;

/// Folders and files of an account at most, those in the trash included: bounds every walk and list.
pub const NODES_MAX: u64 = 5_000_000;

/// What an account stores and may store. Columns of its row, changed in the transaction of what changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes it may have. None: as many as there is room for.
    pub limit: Option<ByteCount>,
    /// Bytes of its files.
    pub used: ByteCount,
    /// Bytes of its uploads under way.
    pub reserved: ByteCount,
    /// Its folders and files.
    pub nodes: u64,
}

/// What a plan adds to, and takes from, an account's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes.
    pub bytes: ByteCount,
    /// Folders and files.
    pub nodes: u64,
}

impl Quota {
    /// Room for an upload of so many bytes.
    pub fn reserve(self, bytes: ByteCount) -> Result<Self, Problem> {
        let reserved = self.reserved.plus(bytes).ok_or(Problem::QuotaExceeded)?;
        Self { reserved, ..self }.checked()
    }

    /// Gives reserved room back.
    pub fn release(self, bytes: ByteCount) -> Result<Self, Problem> {
        let reserved =
            self.reserved.minus(bytes).ok_or(Problem::Contradiction("more released than reserved"))?;
        Ok(Self { reserved, ..self })
    }

    /// Adds what a plan makes. An account over its limit, because the limit was lowered, adds nothing, not even
    /// folders.
    pub fn grow(self, more: Usage) -> Result<Self, Problem> {
        let used = self.used.plus(more.bytes).ok_or(Problem::QuotaExceeded)?;
        let nodes = self.nodes.checked_add(more.nodes).filter(|nodes| *nodes <= NODES_MAX);
        Self { used, nodes: nodes.ok_or(Problem::TooManyNodes)?, ..self }.checked()
    }

    /// Adds what was accepted while nobody could ask for the quota: past the limit rather than lost. How much that
    /// can be is bounded by the queue it waited in.
    pub fn grow_past_limit(self, more: Usage) -> Result<Self, Problem> {
        const BEYOND: Problem = Problem::Contradiction("more than can be counted");
        let used = self.used.plus(more.bytes).ok_or(BEYOND)?;
        let nodes = self.nodes.checked_add(more.nodes).ok_or(BEYOND)?;
        Ok(Self { used, nodes, ..self })
    }

    /// Takes away what a plan removes for good.
    pub fn shrink(self, less: Usage) -> Result<Self, Problem> {
        const BELOW: Problem = Problem::Contradiction("more removed than there was");
        let used = self.used.minus(less.bytes).ok_or(BELOW)?;
        let nodes = self.nodes.checked_sub(less.nodes).ok_or(BELOW)?;
        Ok(Self { used, nodes, ..self })
    }

    /// What can still be stored.
    pub fn left(self) -> Option<ByteCount> {
        let taken = self.used.plus(self.reserved).unwrap_or(ByteCount::MAX);
        self.limit.map(|limit| limit.minus(taken).unwrap_or(ByteCount::ZERO))
    }

    fn checked(self) -> Result<Self, Problem> {
        let taken = self.used.plus(self.reserved).ok_or(Problem::QuotaExceeded)?;
        match self.limit {
            Some(limit) if taken > limit => Err(Problem::QuotaExceeded),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(number: u64) -> ByteCount {
        ByteCount::new(number).unwrap()
    }

    fn quota(limit: Option<u64>, used: u64, reserved: u64) -> Quota {
        Quota { limit: limit.map(bytes), used: bytes(used), reserved: bytes(reserved), nodes: 10 }
    }

    #[test]
    fn room_is_reserved_up_to_the_limit() {
        let over = Err(Problem::QuotaExceeded);
        let max = ByteCount::MAX.get();
        for (quota, more, expected) in [
            (quota(Some(100), 40, 20), 40, Ok(quota(Some(100), 40, 60))),
            (quota(Some(100), 40, 20), 41, over.clone()),
            (quota(Some(0), 0, 0), 0, Ok(quota(Some(0), 0, 0))),
            (quota(Some(10), 40, 0), 0, over.clone()),
            (quota(None, 0, 0), max, Ok(quota(None, 0, max))),
            (quota(None, 1, 0), max, over.clone()),
            (quota(None, 0, 1), max, over),
        ] {
            assert_eq!(quota.reserve(bytes(more)), expected);
        }
    }

    #[test]
    fn an_upload_turns_room_into_use() {
        let before = quota(Some(100), 40, 60);
        let released = before.release(bytes(60)).unwrap();
        let after = released.grow(Usage { bytes: bytes(60), nodes: 1 }).unwrap();
        assert_eq!(after, Quota { nodes: 11, ..quota(Some(100), 100, 0) });
        assert_eq!(after.grow(Usage { bytes: bytes(1), nodes: 0 }), Err(Problem::QuotaExceeded));
    }

    #[test]
    fn nothing_goes_below_none() {
        let gone = |quota: Quota, bytes_less, nodes| quota.shrink(Usage { bytes: bytes(bytes_less), nodes });
        assert_eq!(gone(quota(None, 5, 0), 5, 10), Ok(Quota { nodes: 0, ..quota(None, 0, 0) }));
        assert!(matches!(gone(quota(None, 5, 0), 6, 0), Err(Problem::Contradiction(_))));
        assert!(matches!(gone(quota(None, 5, 0), 0, 11), Err(Problem::Contradiction(_))));
        assert!(matches!(quota(None, 0, 5).release(bytes(6)), Err(Problem::Contradiction(_))));
    }

    #[test]
    fn removing_works_over_the_limit() {
        let over = quota(Some(10), 40, 0);
        assert_eq!(over.shrink(Usage { bytes: bytes(5), nodes: 0 }), Ok(quota(Some(10), 35, 0)));
        assert_eq!(over.left(), Some(ByteCount::ZERO));
        assert_eq!(quota(Some(100), 40, 20).left(), Some(bytes(40)));
        assert_eq!(quota(None, 40, 20).left(), None);
    }

    #[test]
    fn what_was_accepted_blindly_goes_past_the_limit() {
        let usage = Usage { bytes: bytes(70), nodes: 1 };
        let after = Quota { nodes: 11, ..quota(Some(100), 110, 20) };
        assert_eq!(quota(Some(100), 40, 20).grow(usage), Err(Problem::QuotaExceeded));
        assert_eq!(quota(Some(100), 40, 20).grow_past_limit(usage), Ok(after));
        let beyond = quota(None, ByteCount::MAX.get(), 0).grow_past_limit(usage);
        assert!(matches!(beyond, Err(Problem::Contradiction(_))));
    }

    #[test]
    fn nodes_are_bounded() {
        let full = Quota { nodes: NODES_MAX, ..quota(None, 0, 0) };
        assert_eq!(full.grow(Usage { bytes: ByteCount::ZERO, nodes: 1 }), Err(Problem::TooManyNodes));
        let almost = Quota { nodes: NODES_MAX - 1, ..full };
        assert_eq!(almost.grow(Usage { bytes: ByteCount::ZERO, nodes: 1 }), Ok(full));
        assert_eq!(full.grow(Usage { bytes: ByteCount::ZERO, nodes: u64::MAX }), Err(Problem::TooManyNodes));
    }
}
