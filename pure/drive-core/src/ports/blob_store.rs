//! Where the bytes of contents are.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Later;
use crate::size::ByteCount;

/// Bytes of a key at most. A FastDFS file id has up to 143.
pub const BLOB_KEY_BYTES_MAX: usize = 255;

/// Bytes of the state of a blob under construction at most.
pub const PARTIAL_STATE_BYTES_MAX: usize = 512;

/// Bytes of one piece at most: what the drive holds in memory for an upload of unknown length.
pub const PIECE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The name of a blob in its store: printable ASCII without blanks. Chosen by the store, never used again for other
/// bytes, never shown to users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobKey(String);

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a blob")]
pub struct NoBlobKey;

impl TryFrom<String> for BlobKey {
    type Error = NoBlobKey;

    fn try_from(text: String) -> Result<Self, NoBlobKey> {
        Self::new(&text).ok_or(NoBlobKey)
    }
}

impl From<BlobKey> for String {
    fn from(key: BlobKey) -> String {
        key.0
    }
}

impl BlobKey {
    /// The key that this text is.
    pub fn new(text: &str) -> Option<Self> {
        let fits =
            (1..=BLOB_KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A blob under construction. A value, so that another process can go on: the caller keeps it in the upload's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialBlob {
    /// What the store needs to go on, at most [`PARTIAL_STATE_BYTES_MAX`] bytes of text; nobody else reads it.
    pub state: String,
    /// Bytes that are durable.
    pub length: ByteCount,
}

/// Why a blob store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob, or none any more.
    #[error("no such blob")]
    Missing,
    /// The store has no room.
    #[error("the blob store is full")]
    Full,
    /// The store did not answer in time, or its answer made no sense. The same call may succeed later.
    #[error("the blob store does not answer: {0}")]
    Unavailable(String),
    /// The store refuses what was asked for, and will again.
    #[error("the blob store refuses: {0}")]
    Refused(String),
    /// The bytes that are stored are not those that were: found by the store's own check.
    #[error("the blob is damaged")]
    Damaged,
    /// The source of the bytes ended early or failed: the client went away.
    #[error("the source of the bytes broke off")]
    SourceBroke,
}

/// Bytes on their way, in order.
pub trait ByteSource: Send {
    /// The next bytes, never an empty piece; none at the end. After the end or an error it is not asked again.
    ///
    /// A dropped future may have lost a piece: the source is not to be used after that.
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>>;
}

/// Keeps blobs: bytes without names, owners or meaning.
///
/// **Durable**: when `put`, `append` or `seal` has answered, the bytes survive what the store promises to survive
/// (for a FastDFS cluster its `durability`). **Visible**: a blob can be read by every process as soon as its key was
/// answered. **Immutable**: no method changes the bytes under a key. **Unordered**: calls about different blobs do
/// not wait for each other.
///
/// What is stored without its key becoming known (a crash, a dropped future, [`BlobError::Unavailable`] after the
/// last byte) is an orphan: the store need not find it, and nothing refers to it.
pub trait BlobStore: Send + Sync {
    /// Stores exactly `length` bytes of `source` as a new blob.
    ///
    /// A source that ends early is [`BlobError::SourceBroke`]; of one that has more, at most one piece more is taken,
    /// and it is [`BlobError::Refused`]. After an error or a drop no key leads to a part of it. Memory does not grow
    /// with `length`. No bytes are a blob, too.
    fn put<'a>(
        &'a self,
        length: ByteCount,
        source: &'a mut dyn ByteSource,
    ) -> Later<'a, Result<BlobKey, BlobError>>;

    /// Makes `piece` the bytes behind the first `to.length` ones of a blob under construction, or the first bytes of
    /// a new one. `piece` has 1 to [`PIECE_BYTES_MAX`] bytes.
    ///
    /// Whatever lies beyond `to.length`, from an append whose answer was lost, is replaced: the same call again has
    /// the same outcome. After an error or a drop `to` is still what to go on from. A call with `to` also says that
    /// it is kept: nobody goes on from what came before it, and the store may let go of what only that needs.
    ///
    /// Two appends to one blob at once are the caller's fault (uploads are leased); they may mix their pieces beyond
    /// the smaller length, never before it, and nothing else.
    fn append<'a>(
        &'a self,
        to: Option<&'a PartialBlob>,
        piece: Bytes,
    ) -> Later<'a, Result<PartialBlob, BlobError>>;

    /// Makes a blob of what was appended: its first `partial.length` bytes. Takes a time that does not depend on them.
    ///
    /// From then on no append, not even one that was under way, changes it. Sealing again what was sealed answers the
    /// same key, or [`BlobError::Missing`] if the store can't tell any more; the caller keeps the key as soon as it
    /// has it.
    ///
    /// What an append answers that came after the seal may share bytes with the blob, as `partial` does: neither is to
    /// be discarded, nor another blob to be made of it and deleted.
    fn seal<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<BlobKey, BlobError>>;

    /// Gives up what one append answered for which nobody else goes on, and which is kept nowhere: `after` came of an append
    /// to `before`, of which another may go on or have made a blob. That stays as it is.
    fn take_back<'a>(
        &'a self,
        before: Option<&'a PartialBlob>,
        after: &'a PartialBlob,
    ) -> Later<'a, Result<(), BlobError>>;

    /// Gives up what was appended. What is not there (any more) is success.
    fn discard<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<(), BlobError>>;

    /// `length` bytes of a blob from `offset` on, both within it; `length` 0 reads nothing and succeeds if the blob
    /// is there.
    ///
    /// The answer comes when the first bytes are here or are certain to come, so that [`BlobError::Missing`] can
    /// still become a status; what breaks later is an error of the source. The source gives exactly `length` bytes or
    /// an error, in pieces of at most [`PIECE_BYTES_MAX`].
    fn read<'a>(
        &'a self,
        key: &'a BlobKey,
        offset: ByteCount,
        length: ByteCount,
    ) -> Later<'a, Result<Box<dyn ByteSource>, BlobError>>;

    /// Removes a blob. What is not there (any more) is success. Readers that have begun may break off.
    ///
    /// A store that keeps a long blob in many parts removes them in as many requests as it takes, each within the
    /// deadline; after an error the same call goes on. So does [`BlobStore::discard`].
    fn delete<'a>(&'a self, key: &'a BlobKey) -> Later<'a, Result<(), BlobError>>;

    /// Does it answer? Reads nothing, writes nothing.
    fn check(&self) -> Later<'_, Result<(), BlobError>>;
}

#[cfg(test)]
mod tests {
    use super::BlobKey;

    #[test]
    fn a_key_is_printable_ascii_of_bounded_length() {
        for (text, fits) in [
            ("group1/M00/00/00/CgEBAmc-abc.jpg", true),
            ("", false),
            ("a b", false),
            ("文", false),
            ("a\n", false),
            (&*"k".repeat(255), true),
            (&*"k".repeat(256), false),
        ] {
            assert_eq!(BlobKey::new(text).is_some(), fits, "{text}");
        }
    }
}
