//! Ids of rows: positive `i64`, one type for each kind of thing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A number that is no id: 0 or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no id")]
pub struct NoId(pub i64);

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[schema(minimum = 1)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The id with this number, which is positive.
            pub const fn new(number: i64) -> Option<Self> {
                if number > 0 { Some(Self(number)) } else { None }
            }

            /// Its number, as in the database.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = NoId;

            fn try_from(number: i64) -> Result<Self, NoId> {
                Self::new(number).ok_or(NoId(number))
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// An account.
    AccountId;
    /// A folder or file in somebody's tree.
    NodeId;
    /// Bytes that are stored once.
    ContentId;
    /// A sign-in.
    SessionId;
    /// An API token.
    ApiTokenId;
    /// An upload that can be resumed.
    UploadId;
    /// A link to a node.
    ShareId;
    /// What was deleted together, by one request.
    TrashId;
}

#[cfg(test)]
mod tests {
    use super::{NoId, NodeId};

    #[test]
    fn only_positive_numbers_are_ids() {
        for (number, id) in
            [(1, Some(1)), (i64::MAX, Some(i64::MAX)), (0, None), (-1, None), (i64::MIN, None)]
        {
            assert_eq!(NodeId::new(number).map(NodeId::get), id, "{number}");
        }
        assert_eq!(NodeId::try_from(-7), Err(NoId(-7)));
        assert!(serde_json::from_str::<NodeId>("0").is_err());
    }
}
