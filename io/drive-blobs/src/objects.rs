//! What [`Blobs`](crate::blobs::Blobs) needs of a store.

use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{BlobError, ByteSource, Later};

use crate::exact::Exact;
use crate::extents::{Extent, Extents};

/// What became of the last extent of a blob under construction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grown {
    /// It is this one now; what it was before is its first part, under the same name or gone stale.
    Instead(Extent),
    /// It stays as it is, and this one comes behind it.
    Behind(Extent),
}

/// Named bytes. Names have none of `*@,|`. Every single request has a deadline; [`Blobs`](crate::blobs::Blobs) gives
/// it to all but `put`, which waits for its source as well.
pub(crate) trait Objects: Send + Sync + 'static {
    /// Whether an object that a blob under construction has no more use for may be removed by a later append. It may
    /// only if [`Objects::settle`] makes sure that a sealed blob needs none of them.
    const REMOVES_STALE: bool;

    /// What [`Objects::settle`] may have called an object instead.
    fn settled(name: &str) -> Option<String>;

    /// How long one request may take.
    fn deadline(&self) -> Duration;

    /// Stores all of `source`, `length` bytes, as one extent or more.
    fn put<'a>(&'a self, length: u64, source: Exact<'a>) -> Later<'a, Result<Vec<Extent>, BlobError>>;

    /// Puts `piece` behind the last extent, or makes a first one; gives the new place, too.
    fn grow<'a>(
        &'a self,
        last: Option<(&'a Extent, &'a str)>,
        piece: Bytes,
    ) -> Later<'a, Result<(Grown, String), BlobError>>;

    /// Makes sure that no append that knows a state of this blob can change or remove what the result is made of, and
    /// that the end of it is there.
    fn settle(&self, extents: Extents) -> Later<'_, Result<Extents, BlobError>>;

    /// Stores an index.
    fn write(&self, bytes: Vec<u8>) -> Later<'_, Result<String, BlobError>>;

    /// Reads an index.
    fn load<'a>(&'a self, name: &'a str) -> Later<'a, Result<Bytes, BlobError>>;

    /// `length` bytes, one at least, of an extent: exactly those, or an error. Nothing is asked of the store before
    /// the first piece is.
    fn open(&self, extent: Extent, offset: u64, length: u64) -> Result<Box<dyn ByteSource>, BlobError>;

    /// Is it there, with as many bytes as the extent has?
    fn probe<'a>(&'a self, extent: &'a Extent) -> Later<'a, Result<(), BlobError>>;

    /// Removes objects, [`REMOVED_AT_ONCE`] at most. What is not there is success.
    fn remove<'a>(&'a self, names: &'a [String]) -> Later<'a, Result<(), BlobError>>;

    /// Does it answer?
    fn check(&self) -> Later<'_, Result<(), BlobError>>;
}

/// Objects removed within one deadline: what S3 takes in one request.
pub(crate) const REMOVED_AT_ONCE: usize = 1000;
