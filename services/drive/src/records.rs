//! What is written behind: records that somebody waits for, and counts that nobody waits for, through the durable queue.
//!
//! A record is certain as soon as the queue has it. Its outcome is waited for, and mostly there in milliseconds. When
//! the queue is full or away, or there is none, the entry is applied to the database at once, under the same key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drive_core::account::Registration;
use drive_core::ports::Append;
use drive_core::queue::{Counter, Entry, EntryKey, Event, Outcome, RECORD_WAIT, UploadRecord, encode};
use drive_core::share::{Share, VisitorMark};
use drive_core::{AccountId, NodeId, Part, Problem};
use drive_db::StoredFile;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::app::Drive;
use crate::take::give_up;

/// The first wait before the database is asked for an outcome that another process may have made; doubles.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written<T> {
    /// It was applied, and came to this.
    Applied(T),
    /// It is certain, and will be applied: its outcome will be found under its key.
    Accepted(EntryKey),
}

impl<T> Written<T> {
    fn and<U>(self, then: impl FnOnce(T) -> Result<U, Problem>) -> Result<Written<U>, Problem> {
        Ok(match self {
            Self::Applied(outcome) => Written::Applied(then(outcome)?),
            Self::Accepted(key) => Written::Accepted(key),
        })
    }
}

/// Is room reserved for a record?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// If the database answers.
    First,
    /// The database has just been found to be away.
    Nothing,
}

/// A record has an outcome of another kind.
const OTHER_OUTCOME: Problem = Problem::Contradiction("the outcome of another record");

/// Requests of this process that wait for the outcome of their record.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<EntryKey, oneshot::Sender<Outcome>>>);

impl Waiting {
    fn enter(&self, key: EntryKey) -> oneshot::Receiver<Outcome> {
        let (told, outcome) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, told);
        outcome
    }

    /// Tells who waits what came of it.
    pub(crate) fn tell(&self, outcomes: impl IntoIterator<Item = (EntryKey, Outcome)>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, outcome) in outcomes {
            if let Some(told) = waiting.remove(&key) {
                // Who does not wait any more finds it in the database.
                let _ = told.send(outcome);
            }
        }
    }

    fn leave(&self, key: EntryKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

/// Leaves, also when the request is dropped.
struct Place<'a>(&'a Waiting, EntryKey);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// A key that no other entry has.
pub(crate) fn new_key() -> EntryKey {
    EntryKey(rand::random())
}

impl Drive {
    /// Appends an entry to the queue. False when there is none, or it is full or away: nothing is certain then.
    async fn append(&self, entry: &Entry) -> Result<bool, Problem> {
        let Some(queue) = &self.queue else { return Ok(false) };
        let bytes = encode(entry).map_err(|_| Problem::Contradiction("an entry can't be written"))?;
        let lane = entry.event.lane();
        let appended = queue.append(lane, &[Append { bytes: Bytes::from(bytes) }]).await;
        self.counts.appended(lane, &appended);
        match appended {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::warn!(%error, "an entry is written to the database at once");
                Ok(false)
            }
        }
    }

    /// Makes a record certain, and waits for what comes of it.
    async fn record(&self, key: EntryKey, event: Event) -> Result<Written<Outcome>, Problem> {
        let entry = Entry { key, at: self.now(), event };
        let told = self.waiting.enter(key);
        let _place = Place(&self.waiting, key);
        if !self.append(&entry).await? {
            let mut outcomes = self.database.apply(&[entry], self.now()).await?;
            let outcome = outcomes.remove(&key);
            return outcome.map(Written::Applied).ok_or(Problem::Contradiction("a record without outcome"));
        }
        let end = Instant::now() + RECORD_WAIT;
        tokio::select! {
            told = timeout_at(end, told) => match told {
                Ok(Ok(outcome)) => Ok(Written::Applied(outcome)),
                Ok(Err(_)) | Err(_) => Ok(Written::Accepted(key)),
            },
            outcome = self.looked_up(key, end) => Ok(Written::Applied(outcome)),
        }
    }

    /// Makes an account.
    pub(crate) async fn record_account(
        &self,
        registration: Registration,
    ) -> Result<Written<AccountId>, Problem> {
        let written = self.record(new_key(), Event::Register(registration)).await?;
        written.and(|outcome| match outcome {
            Outcome::Registered(account) => Ok(account),
            Outcome::Refused(code) => Err(Problem::of_refused_record(&code)),
            Outcome::Recorded(_) => Err(OTHER_OUTCOME),
        })
    }

    /// Makes a file of what was stored. Room for it is reserved first, so that what is accepted is not refused later;
    /// with the database away it is taken past the quota.
    pub(crate) async fn record_file(
        &self,
        file: StoredFile,
        room: Reserve,
    ) -> Result<Written<NodeId>, Problem> {
        let (key, now) = (new_key(), self.now());
        let reserved = match room {
            Reserve::Nothing => false,
            Reserve::First => match self.database.reserve(file.owner, key, file.identity.size, now).await {
                Ok(()) => true,
                Err(Problem::Unavailable(Part::Database)) => false,
                Err(problem) => {
                    give_up(self, &file.blob).await;
                    return Err(problem);
                }
            },
        };
        let StoredFile { owner, parent, name, on_conflict, identity, md5, blob } = file;
        let record = UploadRecord { owner, parent, name, on_conflict, reserved, identity, md5, blob };
        match self.record(key, Event::RecordUpload(record)).await {
            Ok(written) => written.and(|outcome| match outcome {
                Outcome::Recorded(node) => Ok(node),
                Outcome::Refused(code) => Err(Problem::of_refused_record(&code)),
                Outcome::Registered(_) => Err(OTHER_OUTCOME),
            }),
            Err(problem) => {
                // If it was applied after all, nothing is reserved any more; if not, its room is free at once.
                if let Err(error) = self.database.unreserve(key).await {
                    tracing::warn!(problem = %error, "room stays reserved until the sweep");
                }
                Err(problem)
            }
        }
    }

    /// The outcome, once another process has made it: not before it has, and never after `end`.
    async fn looked_up(&self, key: EntryKey, end: Instant) -> Outcome {
        let mut pause = FIRST_LOOK;
        loop {
            sleep_until(Instant::now() + pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
            match self.database.outcome(key).await {
                Ok(Some(outcome)) => return outcome,
                // Away as the database may be, the record is certain.
                Ok(None) | Err(Problem::Unavailable(Part::Database)) if Instant::now() < end => {}
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Counts a download of what a link leads to: once per visitor and hour. One that has a limit is counted in the
    /// database, before it is exceeded.
    pub(crate) async fn count_shared(&self, share: &Share, visitor: &VisitorMark) -> Result<(), Problem> {
        let now = self.now();
        if share.downloads_left.is_some() {
            return self.database.count_download(share.id, visitor, now).await.map(drop);
        }
        let key = EntryKey::of_download(share.id, visitor, now);
        self.count(key, Counter::ShareDownloads(share.id)).await;
        Ok(())
    }

    /// Counts one more. A count is certain when this has answered; that it is not is no reason to refuse what is
    /// counted.
    pub(crate) async fn count(&self, key: EntryKey, counter: Counter) {
        let entry = Entry { key, at: self.now(), event: Event::Count(counter) };
        let counted = match self.append(&entry).await {
            Ok(true) => Ok(()),
            Ok(false) => self.database.apply(&[entry], self.now()).await.map(drop),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = counted {
            tracing::warn!(%problem, ?counter, "not counted");
        }
    }
}
