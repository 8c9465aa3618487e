//! What is written behind: entries of the durable queue, and how they are applied.
//!
//! Two kinds go through it. **Counts** (views, downloads) nobody waits for; many become one update. **Records**
//! (registrations, and what was uploaded) go through it so that one transaction holds many of them, and so that they
//! are certain while the database is away. Whoever sent a record waits for its outcome up to [`RECORD_WAIT`]: mostly
//! it is there in milliseconds, and the answer is the same as without a queue. If not, the answer is "accepted", and
//! says under which key the outcome will be found.
//!
//! When the queue is full or away, callers write to the database themselves, with the same rules and the same key.
//! When both are away, the request is refused.
//!
//! An applier claims a batch, finds out which keys were applied before, does the rest in one transaction together
//! with their keys and outcomes, commits, and acknowledges. Killed anywhere between, it or another does the batch
//! again, and the keys say what is done. Keys are kept for [`KEYS_KEPT`].

mod coalesce;
mod entry;
mod failure;

use std::time::Duration;

pub use coalesce::{Work, coalesce};
pub use entry::{
    Counter, DecodeError, ENTRY_BYTES_MAX, Entry, EntryKey, Event, Outcome, UploadRecord, decode, encode,
};
pub use failure::{ATTEMPTS_MAX, Failure, Verdict, verdict};

/// Entries that an applier claims at once.
pub const BATCH_ENTRIES: usize = 500;

/// How long a request waits for the outcome of its record.
pub const RECORD_WAIT: Duration = Duration::from_secs(2);

/// How long an applier has for a batch.
pub const BATCH_LEASE: Duration = Duration::from_secs(60);

/// How long keys and outcomes are kept: far longer than an entry is handed out again.
pub const KEYS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
