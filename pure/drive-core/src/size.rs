//! Numbers of bytes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A number of bytes that the database can hold: 0 to 2^63 − 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct ByteCount(u64);

/// More bytes than a [`ByteCount`] holds, or less than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no number of bytes")]
pub struct NoByteCount;

impl ByteCount {
    /// None.
    pub const ZERO: Self = Self(0);
    /// The most there can be.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// So many bytes.
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes <= Self::MAX.0 { Some(Self(bytes)) } else { None }
    }

    /// How many.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As the database holds it.
    pub const fn to_db(self) -> i64 {
        self.0 as i64
    }

    /// From the database. None below 0.
    pub const fn from_db(bytes: i64) -> Option<Self> {
        if bytes >= 0 { Some(Self(bytes as u64)) } else { None }
    }

    /// Both together, if that can be held.
    pub fn plus(self, more: Self) -> Option<Self> {
        // Two numbers below 2^63 do not overflow 64 bits.
        Self::new(self.0 + more.0)
    }

    /// What is left without `less`, if it is that much.
    pub fn minus(self, less: Self) -> Option<Self> {
        self.0.checked_sub(less.0).map(Self)
    }
}

impl TryFrom<u64> for ByteCount {
    type Error = NoByteCount;

    fn try_from(bytes: u64) -> Result<Self, NoByteCount> {
        Self::new(bytes).ok_or(NoByteCount)
    }
}

impl From<ByteCount> for u64 {
    fn from(bytes: ByteCount) -> u64 {
        bytes.0
    }
}

impl std::fmt::Display for ByteCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteCount;

    #[test]
    fn a_number_of_bytes_fits_the_database_or_is_none() {
        assert_eq!(ByteCount::new(i64::MAX as u64), Some(ByteCount::MAX));
        assert_eq!(ByteCount::new(i64::MAX as u64 + 1), None);
        assert_eq!(ByteCount::from_db(-1), None);
        assert_eq!(ByteCount::from_db(i64::MAX), Some(ByteCount::MAX));
        assert_eq!(ByteCount::MAX.to_db(), i64::MAX);
        assert!(serde_json::from_str::<ByteCount>("9223372036854775808").is_err());
    }

    #[test]
    fn sums_and_differences_leave_the_range_as_none() {
        let (one, two) = (ByteCount(1), ByteCount(2));
        assert_eq!(one.plus(two), Some(ByteCount(3)));
        assert_eq!(ByteCount::MAX.plus(ByteCount::ZERO), Some(ByteCount::MAX));
        assert_eq!(ByteCount::MAX.plus(one), None);
        assert_eq!(ByteCount::MAX.plus(ByteCount::MAX), None);
        assert_eq!(two.minus(one), Some(one));
        assert_eq!(one.minus(two), None);
    }
}
