//! The cache of the drive: in memory, for one process, or in Redis, for all of them.
//!
//! Both are adapters of [`drive_core::ports::Cache`], whose text is the contract; `tests/contract` asks it of both.
//!
//! Will never know: what a value means, who is let in.
//!
//! **Invariants**
//! - What one kind of thing needs is not taken from another: in memory, tokens, attempts and rates have room of their own,
//!   so that nobody is forgiven wrong passwords because many are at work.
//! - No lock is held while anything is waited for.
//! - In Redis, every change of one key is one script or command, and all keys of one call share a slot of a Cluster.
//!
//! Begin reading at [`MemoryCache`], then [`RedisCache`].

mod board;
mod memory;
mod redis;
mod shelf;
mod ttl;

pub use memory::{MemoryCache, MemoryCacheConfig, SHELF_BYTES_MIN};
pub use redis::RedisCache;
