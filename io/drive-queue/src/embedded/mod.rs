//! The queue of one process, in one file.

mod lane;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use drive_core::ports::{Append, Delivery, Lane, Later, Queue, QueueDepth, QueueError, SetAside};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::reason::cut;
use store::{Answer, Store, Work};
pub use store::{ENTRY_COST, OpenError};
use writer::Job;

/// Where the queue is, and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedQueueConfig {
    /// Its file; the folder is there. One process at a time has it.
    pub file: PathBuf,
    /// Bytes of a lane at most, those set aside included; each entry counts as [`ENTRY_COST`] more. The file may become
    /// about twice as large as both lanes.
    pub lane_bytes_max: u64,
    /// How long entries that were handed out are one consumer's.
    pub lease: Duration,
    /// How long a call may take.
    pub deadline: Duration,
}

/// The queue of one process: a file that one thread writes. What many callers want at once is one transaction, synced
/// once; calls are answered after that.
///
/// Attempts and leases are in memory: after a start, or when the disk failed, all entries are ready, for the first time.
#[derive(Debug)]
pub struct EmbeddedQueue {
    jobs: mpsc::Sender<Job>,
    /// Counts up when entries of a lane became ready, in the order of [`Lane::ALL`].
    ready: [watch::Receiver<u64>; Lane::ALL.len()],
    lease: Duration,
    deadline: Duration,
}

impl EmbeddedQueue {
    /// Opens the file, or makes it. Reads it once: not for threads that must not wait.
    ///
    /// # Errors
    /// When another process has it, or it can't be read.
    pub fn open(config: &EmbeddedQueueConfig) -> Result<Self, OpenError> {
        let store = Store::open(store::file(config.file.clone()), config.lane_bytes_max)?;
        Self::with(store, config)
    }

    fn with(store: Store, config: &EmbeddedQueueConfig) -> Result<Self, OpenError> {
        let (jobs, ready) = writer::start(store)?;
        Ok(Self { jobs, ready, lease: config.lease, deadline: config.deadline })
    }

    /// Gives the file back, after what is under way. Later calls are errors.
    ///
    /// # Errors
    /// When that is not done within the deadline.
    pub async fn close(&self) -> Result<(), QueueError> {
        self.done(Work::Close).await
    }

    async fn ask(&self, work: Work) -> Result<Answer, QueueError> {
        let end = Instant::now() + self.deadline;
        let late = |_| QueueError::Unavailable(format!("the disk takes longer than {:?}", self.deadline));
        let gone = || QueueError::Unavailable("the queue is closed".to_owned());
        let (reply, answer) = oneshot::channel();
        timeout_at(end, self.jobs.send(Job { work, reply })).await.map_err(late)?.map_err(|_| gone())?;
        timeout_at(end, answer).await.map_err(late)?.map_err(|_| gone())?
    }

    async fn done(&self, work: Work) -> Result<(), QueueError> {
        self.ask(work).await.map(|_| ())
    }
}

/// An answer to another question: a bug of the writer, told instead of believed.
fn senseless<T>() -> Result<T, QueueError> {
    Err(QueueError::Unavailable("an answer to another question".to_owned()))
}

impl Queue for EmbeddedQueue {
    fn append<'a>(&'a self, lane: Lane, entries: &'a [Append]) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let entries = entries.iter().map(|entry| entry.bytes.clone()).collect();
            self.done(Work::Append { lane, entries }).await
        })
    }

    fn claim(
        &self,
        lane: Lane,
        count: usize,
        wait: Duration,
    ) -> Later<'_, Result<Vec<Delivery>, QueueError>> {
        Box::pin(async move {
            let end = Instant::now() + wait;
            let mut ready = self.ready[lane as usize].clone();
            loop {
                ready.mark_unchanged();
                let now = Instant::now();
                let work = Work::Claim { lane, count, now, until: now + self.lease };
                let Answer::Claimed { deliveries, next } = self.ask(work).await? else { return senseless() };
                if !deliveries.is_empty() || count == 0 || Instant::now() >= end {
                    return Ok(deliveries);
                }
                let wake = next.map_or(end, |next| next.min(end));
                // Late, or changed: both mean to look again. The writer that went away is told by the next question.
                let _ = timeout_at(wake, ready.changed()).await;
            }
        })
    }

    fn acknowledge<'a>(&'a self, lane: Lane, tickets: &'a [String]) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let tickets = tickets.iter().filter_map(|ticket| Ticket::parse(ticket)).collect();
            self.done(Work::Acknowledge { lane, tickets }).await
        })
    }

    fn give_back<'a>(
        &'a self,
        lane: Lane,
        tickets: &'a [String],
        after: Duration,
    ) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let tickets = tickets.iter().filter_map(|ticket| Ticket::parse(ticket)).collect();
            let until = Instant::now() + after.min(self.lease);
            self.done(Work::GiveBack { lane, tickets, until }).await
        })
    }

    fn set_aside<'a>(
        &'a self,
        lane: Lane,
        ticket: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let Some(ticket) = Ticket::parse(ticket) else { return Ok(()) };
            self.done(Work::SetAside { lane, ticket, reason: cut(reason).to_owned() }).await
        })
    }

    fn list_set_aside<'a>(
        &'a self,
        lane: Lane,
        after: Option<&'a str>,
        count: usize,
    ) -> Later<'a, Result<Vec<SetAside>, QueueError>> {
        Box::pin(async move {
            let after = match after.map(str::parse) {
                None => 0,
                Some(Ok(place)) => place,
                Some(Err(_)) => return Ok(Vec::new()),
            };
            match self.ask(Work::List { lane, after, count }).await? {
                Answer::Listed(list) => Ok(list),
                _ => senseless(),
            }
        })
    }

    fn retry_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let Ok(place) = ticket.parse() else { return Ok(()) };
            self.done(Work::Retry { lane, place }).await
        })
    }

    fn drop_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let Ok(place) = ticket.parse() else { return Ok(()) };
            self.done(Work::Drop { lane, place }).await
        })
    }

    fn depth(&self, lane: Lane) -> Later<'_, Result<QueueDepth, QueueError>> {
        Box::pin(async move {
            match self.ask(Work::Depth { lane }).await? {
                Answer::Depth(depth) => Ok(depth),
                _ => senseless(),
            }
        })
    }
}

/// One delivery of the entry at a place: `place.attempt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    place: u64,
    attempt: u32,
}

impl Ticket {
    fn parse(text: &str) -> Option<Self> {
        let (place, attempt) = text.split_once('.')?;
        Some(Self { place: place.parse().ok()?, attempt: attempt.parse().ok()? })
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.place, self.attempt)
    }
}
