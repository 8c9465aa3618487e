//! The durable queue of the drive: embedded in one process, in Redis Streams, or in NATS JetStream.
//!
//! All are adapters of [`drive_core::ports::Queue`], whose text is the contract; `tests/contract` asks it of each.
//!
//! Will never know: what an entry means, whether it was applied before, who is at fault when it can't be.
//!
//! **Invariants**
//! - Nothing is dropped to make room: what does not fit is refused.
//! - An entry leaves its lane when it is acknowledged, or after it is among those set aside: never before.
//! - An entry that was handed out comes back by itself.
//!
//! **What survives a power cut** is not the same: [`EmbeddedQueue`] syncs; [`RedisQueue`] needs `appendfsync always`,
//! and asks for it; [`NatsQueue`] needs `sync_interval: always` (since 2.10) or replicas on machines that don't fail
//! together, and can't see either. All survive the end of any process.
//!
//! Begin reading at [`EmbeddedQueue`].

mod embedded;
mod nats;
mod reason;
mod redis;

pub use embedded::{ENTRY_COST, EmbeddedQueue, EmbeddedQueueConfig, OpenError};
pub use nats::{NatsLogin, NatsQueue, NatsQueueConfig, WrongNatsConfig};
pub use redis::{Persistence, RedisQueue, RedisQueueConfig};
