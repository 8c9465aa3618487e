//! What is pushed to the other members of the group, in which order, and what follows from their answers.
//!
//! A storage reads its own binlog and sends every change to every peer (storage internals: replication). Small
//! machines, one for each question: which records a peer needs and where to begin ([`need`]), what may travel at the
//! same time and how far everything has arrived ([`window`]), what is sent for a record and what its answer means
//! ([`exchange`], [`steps`], [`stale`]), what a peer's status allows ([`life`]), how long to wait after a failure
//! ([`backoff`]). [`sender`] joins them for one peer. The other side is [`receive`]; [`synced`] says how far what others send
//! has come, and [`copies`] when enough members have a change.
//!
//! **Invariants**
//! - Two records that name one file never travel at the same time, and travel in the order of the log.
//! - The place that is saved has nothing before it that was not acknowledged, needs nothing, or was set aside in words.
//! - No single record holds up the records of other files.

pub mod backoff;
pub mod copies;
pub mod exchange;
pub mod life;
pub mod need;
pub mod receive;
pub mod sender;
pub mod stale;
pub mod steps;
pub mod synced;
pub mod window;

use std::fmt;

/// A place in the binlog: between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogPosition {
    /// Number of the file, that of `binlog.NNN`.
    pub file: u32,
    /// Bytes from its start.
    pub offset: u64,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "binlog.{:03}:{}", self.file, self.offset)
    }
}
