//! The drive's blob stores: a FastDFS cluster, or S3 and its like.
//!
//! Two adapters of one port, [`drive_core::ports::BlobStore`]. Both make a blob of *extents*: files of the cluster,
//! objects of the bucket. Its key is their names and lengths as text, so a sealed blob is whatever its key says, and
//! sealing writes next to nothing. Nearly every blob is one extent. One under construction gets more of them when a
//! storage loses an answer, or, in S3, with each piece.
//!
//! Invariants
//! - Bytes that a key stands for are never written again, and nothing that knows a blob under construction can remove
//!   them once it is sealed, except `discard`.
//! - What is repeated is repeated under a new name. So an answer that was lost costs an orphan and no bytes; in S3,
//!   where names are ours, it is looked for and removed.
//! - Memory does not grow with a blob, but for its index: 40 bytes (S3) for each 4 MiB of a blob that was appended.
//! - Every wait for the store has a deadline; waiting for a source has none.
//! - Whoever takes the bytes of a blob slowly keeps no connection to the store meanwhile, only the piece at hand.
//!
//! Besides, the servers of a FastDFS cluster are shown to who looks after them (`cluster`).
//!
//! Will never know: accounts, names of files, digests.
//!
//! Begin reading at `fdfs` or `s3`; what they share is in `blobs`.

mod blobs;
mod cluster;
mod exact;
mod extents;
mod fdfs;
mod objects;
mod s3;

use std::sync::Arc;

use drive_core::ports::{BlobError, BlobStore, Cluster};
use fdfs_client::Client;

use crate::blobs::Blobs;
pub use crate::fdfs::FdfsSettings;
pub use crate::s3::S3Settings;

/// Connections to one storage that a drive should be allowed. Whoever sends slowly keeps one, so it has to be more than may
/// send slowly (who fetches keeps none between two pieces); and a storage takes 256, from all of its clients, unless its
/// conf says more.
pub const STORAGE_CONNECTIONS: usize = 192;

/// Blobs in a FastDFS cluster, ours or the original.
///
/// The client's own timeouts hold besides `settings.deadline`; whichever is over first counts.
pub fn on_fastdfs(client: Client, settings: FdfsSettings) -> Arc<dyn BlobStore> {
    Arc::new(Blobs::new(fdfs::Fdfs::new(client, settings)))
}

/// The FastDFS cluster itself, for who looks after it.
pub fn cluster_of(client: Client) -> Arc<dyn Cluster> {
    Arc::new(cluster::FastDfs::new(client))
}

/// Blobs in a bucket. Nothing is connected yet.
///
/// # Errors
/// [`BlobError::Refused`] for settings that are none.
pub fn on_s3(settings: &S3Settings) -> Result<Arc<dyn BlobStore>, BlobError> {
    Ok(Arc::new(Blobs::new(s3::S3::new(settings)?)))
}
