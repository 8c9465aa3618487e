//! What is certain to be done, later.

use std::time::Duration;

use bytes::Bytes;

use super::Later;

/// Bytes of a ticket at most.
pub const TICKET_BYTES_MAX: usize = 255;

/// Bytes of the reason for which an entry was set aside at most.
pub const REASON_BYTES_MAX: usize = 500;

/// A queue of its own, so that counters never hold up what somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Registrations and upload records: somebody may wait for the outcome.
    Records,
    /// Views and downloads.
    Counts,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 2] = [Self::Records, Self::Counts];

    /// As adapters and settings spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Counts => "counts",
        }
    }
}

/// Why the queue did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The lane has as much as it may. The caller writes to the database itself, or refuses.
    #[error("the queue is full")]
    Full,
    /// The queue did not answer in time, or its answer made no sense.
    #[error("the queue does not answer: {0}")]
    Unavailable(String),
}

/// What was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// An entry as [`crate::queue::encode`] writes it.
    pub bytes: Bytes,
}

/// An entry that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names this delivery to the adapter; another delivery of the same entry may have another one. At most
    /// [`TICKET_BYTES_MAX`] bytes.
    pub ticket: String,
    /// How often the entry was handed out, this time included: from 1. Answers that got lost count. What a
    /// process or server that was killed had counted may be forgotten.
    pub attempt: u32,
    /// What was appended.
    pub bytes: Bytes,
}

/// An entry that nobody could apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Names it.
    pub ticket: String,
    /// Why, for an administrator.
    pub reason: String,
    /// What was appended.
    pub bytes: Bytes,
}

/// How much there is in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Appended and not acknowledged: waiting or handed out.
    pub waiting: u64,
    /// Set aside.
    pub set_aside: u64,
}

/// A durable queue with one group of consumers.
///
/// **Durable**: an entry whose append was answered is handed out until it is acknowledged or set aside, whatever
/// process is killed. Power cuts and machines that are lost: what the adapter's server promises, which its documents
/// say; the embedded one has synced. **At least once**: entries may be handed out again, also after an acknowledgement
/// that was lost; appliers know entries by their key ([`crate::queue::EntryKey`]). Two entries whose bytes are the same
/// may become one. **Order**: about that of appending, nothing is promised. **Bounded**: each lane by the adapter's
/// configuration, those set aside included or by a bound of their own; nothing is ever dropped to make room. After an
/// error or a drop the change may have been made, or not, or may still be made.
///
/// The lease, how long entries that were handed out are one consumer's, is configured with the adapter
/// ([`crate::queue::BATCH_LEASE`]), the same for all processes: a JetStream consumer has one.
///
/// A ticket names a place in its lane. What it names may be gone, and a text may be no ticket at all: then there is
/// nothing to do, and that is success.
pub trait Queue: Send + Sync {
    /// Appends entries to a lane. When it has answered, all are written. After an error none, some or all may be there;
    /// the same entries may be appended again, since appliers know them by their keys. Appends of several callers at
    /// once are written together.
    fn append<'a>(&'a self, lane: Lane, entries: &'a [Append]) -> Later<'a, Result<(), QueueError>>;

    /// Takes up to `count` entries that nobody has; waits for the first of them up to `wait`, which comes on top of the
    /// deadline. They are this consumer's for the lease: unless acknowledged, set aside or given back by then, they are
    /// handed out again, to anybody. Entries of a process that died come back in the same way, or sooner when it was
    /// the only one.
    fn claim(&self, lane: Lane, count: usize, wait: Duration)
    -> Later<'_, Result<Vec<Delivery>, QueueError>>;

    /// These are done: called after the database has committed. Also when the lease is over, and somebody else has the
    /// entry meanwhile: done is done.
    fn acknowledge<'a>(&'a self, lane: Lane, tickets: &'a [String]) -> Later<'a, Result<(), QueueError>>;

    /// These were not done: they are handed out again, not before `after`, which is at most the lease. For tickets
    /// whose lease is over it may do nothing, or hand the entry out once more.
    fn give_back<'a>(
        &'a self,
        lane: Lane,
        tickets: &'a [String],
        after: Duration,
    ) -> Later<'a, Result<(), QueueError>>;

    /// Takes an entry out of the lane and keeps it among those set aside, in one step or so that it is in both places
    /// for a moment: it is never in neither. [`QueueError::Full`] when there is no room among those set aside; the
    /// entry stays in the lane. `reason` has at most [`REASON_BYTES_MAX`] bytes, and is cut there.
    fn set_aside<'a>(
        &'a self,
        lane: Lane,
        ticket: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<(), QueueError>>;

    /// Up to `count` of those set aside, the one that was set aside first in front, behind the place that `after` names, whether or not one is
    /// there still.
    fn list_set_aside<'a>(
        &'a self,
        lane: Lane,
        after: Option<&'a str>,
        count: usize,
    ) -> Later<'a, Result<Vec<SetAside>, QueueError>>;

    /// Appends one that was set aside again, as if it had never been handed out: an administrator has mended what was
    /// the matter. In one step, or so that it is in both places for a moment.
    fn retry_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>>;

    /// Forgets one that was set aside: an administrator has decided so.
    fn drop_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>>;

    /// How much there is. Not exact while others append and acknowledge.
    fn depth(&self, lane: Lane) -> Later<'_, Result<QueueDepth, QueueError>>;
}
