//! What the drive needs of the world: a few traits, most with several adapters.
//!
//! [`BlobStore`]: a FastDFS cluster, or S3 and its like. [`Cache`]: memory, or Redis. [`Queue`]: embedded, Redis
//! Streams, or NATS JetStream. [`Cluster`]: the FastDFS cluster, if the bytes are in one. The database has no trait here: SQLite and MySQL are one code, and its contract tests
//! run on both engines.
//!
//! The traits are object safe, and their methods return boxed futures ([`Later`]). Which adapters run together is
//! known at start, from the configuration, so services hold `Arc<dyn …>`: one compiled drive instead of twelve,
//! handlers without type parameters (which the OpenAPI macros could not describe), and tests that wrap a port to make
//! it fail. It costs one allocation a call, beside a lock at the least and mostly a round trip. `async fn` in a trait
//! would need type parameters or an enum of all adapters above `io/`; an adapter writes `Box::pin(async move { … })`.
//!
//! Every future may be dropped at any time; each method says what may have happened then. Every call ends by a
//! deadline of the adapter's own configuration. Contract suites are written from the texts here: what is not promised
//! is not to be relied on.

mod blob_store;
mod cache;
mod cluster;
mod queue;

pub use blob_store::{
    BLOB_KEY_BYTES_MAX, BlobError, BlobKey, BlobStore, ByteSource, NoBlobKey, PARTIAL_STATE_BYTES_MAX,
    PIECE_BYTES_MAX, PartialBlob,
};
pub use cache::{
    BOARD_ENTRIES_MAX, BOARD_SCORE_MAX, Board, CACHE_VALUE_BYTES_MAX, Cache, CacheError, CacheKey, Order,
    PurposeOfRate, RateSubject,
};
pub use cluster::Cluster;
pub use queue::{
    Append, Delivery, Lane, Queue, QueueDepth, QueueError, REASON_BYTES_MAX, SetAside, TICKET_BYTES_MAX,
};

/// What a method of a port returns.
pub type Later<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
