//! A bounded folder of blobs by key: a cache that may be deleted at any time.
//!
//! Will never know: what the blobs are, where keys come from, runtimes. Its calls block.
//!
//! Invariants
//! - The files of the cache, those that are being written among them, never take more than the given bytes, each counted in
//!   whole blocks of [`BLOCK_BYTES`]; there are never more than [`ENTRIES_MAX`]. What has not been used for longest goes first.
//! - What [`DiskCache::get`] gives is what was put under that key. Nothing is synced: a file that a crash left torn, or that
//!   a disk changed, is told by its checksum, is a miss, and is removed.
//! - Only files that are named like those of a cache are ever removed, and only in its own folders.
//! - One process at a time has a folder: a lock on [`LOCK_NAME`], which goes with the process.
//! - No error stops the cache. A full disk is an error of one [`DiskCache::put`].
//!
//! On disk a blob is `ab/cd/<64 hex digits of the key>.blob`; the digits begin with `abcd`. In the file stands its head
//! (`blob.rs`), then the content. `<64 hex digits>.<number>.tmp` beside it is being written.
//!
//! The order of use is kept in memory. After a restart it is the order in which the files were written, as a use leaves no
//! trace on disk. The index is our own (`index.rs`), fifty lines: a general cache that evicts on its own time, in a
//! maintenance of its own, would have the folder grow beyond the bound until then, and would tell its listener about a file that
//! a later `put` has just replaced.
//!
//! Begin reading at [`DiskCache`], then `index.rs`.

mod blob;
mod cache;
mod folder;
mod index;

pub use cache::{DiskCache, Usage};
pub use folder::OpenError;

/// Blobs at most, so that the index in memory is bounded too: about 150 bytes each.
pub const ENTRIES_MAX: usize = 500_000;

/// A blob that takes more than the cache's bytes through this is not kept: it would push out too much for one.
pub const SHARE: u64 = 8;

/// What file systems give a file at a time, bytes.
pub const BLOCK_BYTES: u64 = 4096;

/// The file in the folder that says whose it is.
pub const LOCK_NAME: &str = "disk-cache.lock";

/// What a blob is found by: a digest, made by the caller of everything that the blob depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(pub [u8; 32]);
