//! One Redis: a server, the master that Sentinels name, or a Cluster; through one connection that comes back.
//!
//! Will never know: what is kept there.
//!
//! **Invariants**
//! - Nothing is done at [`Link::new`]: a server that is away is found again by the next call.
//! - Every call ends by the deadline. A server that refuses connections, or does not answer, is asked again after
//!   [`RETRY_PAUSE`] at the earliest; until then calls fail at once.
//! - After an answer that did not come, or that says that this server is not the one to ask, the connection is given up:
//!   an answer is never taken for that to another call, and a master that was replaced is left.
//! - The password is not printed.
//!
//! Begin reading at [`Link`].

mod address;
mod config;
mod connect;
mod error;
mod link;

pub use address::{ServerAddress, WrongAddress};
pub use config::{PREFIX_BYTES_MAX, RedisConfig, Secret, Servers, WrongConfig};
pub use error::RedisError;
pub use link::{Link, RETRY_PAUSE};
