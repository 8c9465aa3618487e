//! Values that are bound to statements.

use drive_core::content::{Md5Digest, Sha256Digest};
use drive_core::ports::BlobKey;
use drive_core::{
    AccountId, ApiTokenId, ByteCount, ContentId, NodeId, SessionId, ShareId, TrashId, UnixMillis, UploadId,
};

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'v> {
    Null,
    Int(i64),
    Text(&'v str),
    Bytes(&'v [u8]),
}

/// A list of values of whatever types.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::engine::Value::from($value)),*] };
}
pub(crate) use values;

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i16> for Value<'_> {
    fn from(number: i16) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Int(yes.into())
    }
}

impl From<UnixMillis> for Value<'_> {
    fn from(at: UnixMillis) -> Self {
        Self::Int(at.0)
    }
}

impl From<ByteCount> for Value<'_> {
    fn from(bytes: ByteCount) -> Self {
        Self::Int(bytes.to_db())
    }
}

macro_rules! from_ids {
    ($($id:ident)+) => {$(
        impl From<$id> for Value<'_> {
            fn from(id: $id) -> Self {
                Self::Int(id.get())
            }
        }
    )+};
}
from_ids!(AccountId ApiTokenId ContentId NodeId SessionId ShareId TrashId UploadId);

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v BlobKey> for Value<'v> {
    fn from(key: &'v BlobKey) -> Self {
        Self::Text(key.as_str())
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'v, const N: usize> From<&'v [u8; N]> for Value<'v> {
    fn from(bytes: &'v [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'v> From<&'v Sha256Digest> for Value<'v> {
    fn from(digest: &'v Sha256Digest) -> Self {
        Self::Bytes(&digest.0)
    }
}

impl<'v> From<&'v Md5Digest> for Value<'v> {
    fn from(digest: &'v Md5Digest) -> Self {
        Self::Bytes(&digest.0)
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
