//! The file, and what is done in one transaction.

use std::fs::File;
use std::path::PathBuf;

use bytes::Bytes;
use drive_core::ports::{Delivery, Lane, QueueDepth, QueueError, SetAside};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, Table, TableDefinition};
use tokio::time::Instant;

use super::Ticket;
use super::lane::LaneState;
use crate::reason;

/// What an entry counts beside its bytes; why it was set aside does not count.
pub const ENTRY_COST: u64 = 64;

/// Bytes of the file that are kept in memory: what was just written is read next.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Lane and place, to the bytes of an entry.
type Places = TableDefinition<'static, (u8, u64), &'static [u8]>;
const ENTRIES: Places = TableDefinition::new("entries");
/// Those set aside, in the form of [`reason::join`].
const ASIDE: Places = TableDefinition::new("aside");
/// Lane, to the next place: no place is used again, as tickets may be older than the last start.
const NEXT: TableDefinition<'static, u8, u64> = TableDefinition::new("next");

/// Why the file can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another process has the queue")]
    InUse,
    /// It can't be read, written or made.
    #[error("the file of the queue: {0}")]
    File(#[source] Box<redb::Error>),
    /// There are no threads.
    #[error("no thread for the queue")]
    Thread(#[source] std::io::Error),
}

/// How to open the file, again after it failed.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

pub(super) fn file(path: PathBuf) -> Opener {
    Box::new(move || {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(&path)?;
        // A file that was just made is there for certain when its folder was synced.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(std::path::Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(redb::StorageError::Io)?;
        Ok(database)
    })
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Work {
    Append { lane: Lane, entries: Vec<Bytes> },
    Claim { lane: Lane, count: usize, now: Instant, until: Instant },
    Acknowledge { lane: Lane, tickets: Vec<Ticket> },
    GiveBack { lane: Lane, tickets: Vec<Ticket>, until: Instant },
    SetAside { lane: Lane, ticket: Ticket, reason: String },
    List { lane: Lane, after: u64, count: usize },
    Retry { lane: Lane, place: u64 },
    Drop { lane: Lane, place: u64 },
    Depth { lane: Lane },
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Claimed { deliveries: Vec<Delivery>, next: Option<Instant> },
    Listed(Vec<SetAside>),
    Depth(QueueDepth),
}

pub(super) struct Store {
    opener: Opener,
    /// None after a failure, and when it is closed.
    open: Option<Open>,
    lane_bytes_max: u64,
}

struct Open {
    database: Database,
    lanes: [LaneState; Lane::ALL.len()],
}

struct Tables<'txn> {
    entries: Table<'txn, (u8, u64), &'static [u8]>,
    aside: Table<'txn, (u8, u64), &'static [u8]>,
    next: Table<'txn, u8, u64>,
    /// Something was written.
    dirty: bool,
}

impl Store {
    pub(super) fn open(opener: Opener, lane_bytes_max: u64) -> Result<Self, OpenError> {
        let open = Open::new(&opener).map_err(|error| match *error {
            redb::Error::DatabaseAlreadyOpen => OpenError::InUse,
            _ => OpenError::File(error),
        })?;
        Ok(Self { opener, open: Some(open), lane_bytes_max })
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Does all of this in one transaction, synced before it comes back. After an error nothing was done, or all of it, and the file is opened again by the next call.
    pub(super) fn run<'a>(
        &mut self,
        works: impl Iterator<Item = &'a Work>,
    ) -> Result<Vec<Result<Answer, QueueError>>, Box<redb::Error>> {
        // Taken out: after an error what is in memory may be ahead of the file.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&self.opener)?,
        };
        let answers = open.run(works, self.lane_bytes_max)?;
        self.open = Some(open);
        Ok(answers)
    }

    /// Entries whose claimer went away before it had them.
    pub(super) fn take_back(&mut self, lane: Lane, deliveries: &[Delivery], now: Instant) {
        if let Some(open) = &mut self.open {
            for ticket in deliveries.iter().filter_map(|delivery| Ticket::parse(&delivery.ticket)) {
                open.lanes[lane as usize].hold_until(ticket, now);
            }
        }
    }
}

impl Open {
    fn new(opener: &Opener) -> Result<Self, Box<redb::Error>> {
        let database = opener().map_err(boxed)?;
        let make = database.begin_write().map_err(boxed)?;
        make.open_table(ENTRIES).map_err(boxed)?;
        make.open_table(ASIDE).map_err(boxed)?;
        make.open_table(NEXT).map_err(boxed)?;
        make.commit().map_err(boxed)?;
        let read = database.begin_read().map_err(boxed)?;
        let mut lanes: [LaneState; Lane::ALL.len()] = Default::default();
        for (lane, next) in read.open_table(NEXT).map_err(boxed)?.iter().map_err(boxed)?.flatten() {
            if let Some(state) = lanes.get_mut(usize::from(lane.value())) {
                state.next = next.value();
            }
        }
        for (table, set_aside) in [(ENTRIES, false), (ASIDE, true)] {
            for row in read.open_table(table).map_err(boxed)?.iter().map_err(boxed)? {
                let (key, value) = row.map_err(boxed)?;
                let (lane, place) = key.value();
                let Some(state) = lanes.get_mut(usize::from(lane)) else { continue };
                if set_aside {
                    state.bytes += cost(split(value.value()).map_err(boxed)?.1);
                    state.aside += 1;
                } else {
                    state.bytes += cost(value.value());
                    state.add(place);
                }
            }
        }
        Ok(Self { database, lanes })
    }

    fn run<'a>(
        &mut self,
        works: impl Iterator<Item = &'a Work>,
        bytes_max: u64,
    ) -> Result<Vec<Result<Answer, QueueError>>, Box<redb::Error>> {
        let transaction = self.database.begin_write().map_err(boxed)?;
        let mut tables = Tables {
            entries: transaction.open_table(ENTRIES).map_err(boxed)?,
            aside: transaction.open_table(ASIDE).map_err(boxed)?,
            next: transaction.open_table(NEXT).map_err(boxed)?,
            dirty: false,
        };
        let mut answers = Vec::new();
        for work in works {
            answers.push(match work {
                Work::Append { lane, entries } => {
                    tables.append(&mut self.lanes, *lane, entries, bytes_max).map_err(boxed)?
                }
                _ => Ok(tables.apply(&mut self.lanes, work).map_err(boxed)?),
            });
        }
        let dirty = tables.dirty;
        drop(tables);
        if dirty {
            transaction.commit().map_err(boxed)?;
        } else {
            transaction.abort().map_err(boxed)?;
        }
        Ok(answers)
    }
}

impl Tables<'_> {
    fn append(
        &mut self,
        lanes: &mut [LaneState],
        lane: Lane,
        entries: &[Bytes],
        bytes_max: u64,
    ) -> Result<Result<Answer, QueueError>, redb::Error> {
        let state = &mut lanes[lane as usize];
        let more: u64 = entries.iter().map(|entry| cost(entry)).sum();
        if more > bytes_max.saturating_sub(state.bytes) {
            return Ok(Err(QueueError::Full));
        }
        for entry in entries {
            self.insert(state, lane, entry)?;
        }
        Ok(Ok(Answer::Done))
    }

    fn insert(&mut self, state: &mut LaneState, lane: Lane, entry: &[u8]) -> Result<(), redb::Error> {
        let place = self.place(state, lane)?;
        self.entries.insert((lane as u8, place), entry)?;
        state.bytes += cost(entry);
        state.add(place);
        Ok(())
    }

    /// A place that no entry had before.
    fn place(&mut self, state: &mut LaneState, lane: Lane) -> Result<u64, redb::Error> {
        state.next += 1;
        self.next.insert(lane as u8, state.next)?;
        self.dirty = true;
        Ok(state.next)
    }

    fn apply(&mut self, lanes: &mut [LaneState], work: &Work) -> Result<Answer, redb::Error> {
        match work {
            Work::Claim { lane, count, now, until } => {
                let state = &mut lanes[*lane as usize];
                let mut deliveries = Vec::new();
                for ticket in state.hold(*count, *now, *until) {
                    if let Some(bytes) = self.entries.get((*lane as u8, ticket.place))? {
                        let bytes = Bytes::copy_from_slice(bytes.value());
                        let (ticket, attempt) = (ticket.to_string(), ticket.attempt);
                        deliveries.push(Delivery { ticket, attempt, bytes });
                    }
                }
                return Ok(Answer::Claimed { deliveries, next: state.next_end() });
            }
            Work::Acknowledge { lane, tickets } => {
                for ticket in tickets {
                    self.take(&mut lanes[*lane as usize], *lane, ticket.place)?;
                }
            }
            Work::GiveBack { lane, tickets, until } => {
                for ticket in tickets {
                    lanes[*lane as usize].hold_until(*ticket, *until);
                }
            }
            Work::SetAside { lane, ticket, reason } => {
                let state = &mut lanes[*lane as usize];
                if let Some(entry) = self.take(state, *lane, ticket.place)? {
                    let row = reason::join(reason, &entry);
                    let place = self.place(state, *lane)?;
                    self.aside.insert((*lane as u8, place), row.as_slice())?;
                    state.bytes += cost(&entry);
                    state.aside += 1;
                }
            }
            Work::List { lane, after, count } => {
                return Ok(Answer::Listed(self.list(*lane, *after, *count)?));
            }
            Work::Retry { lane, place } => {
                let state = &mut lanes[*lane as usize];
                if let Some(row) = self.take_aside(state, *lane, *place)? {
                    let (_, entry) = split(&row)?;
                    self.insert(state, *lane, entry)?;
                }
            }
            Work::Drop { lane, place } => {
                self.take_aside(&mut lanes[*lane as usize], *lane, *place)?;
            }
            Work::Depth { lane } => {
                let state = &lanes[*lane as usize];
                return Ok(Answer::Depth(QueueDepth { waiting: state.waiting(), set_aside: state.aside }));
            }
            // By the caller: it needs the outcome of checks, or is none of the file's business.
            Work::Append { .. } | Work::Close => {}
        }
        Ok(Answer::Done)
    }

    fn take(
        &mut self,
        state: &mut LaneState,
        lane: Lane,
        place: u64,
    ) -> Result<Option<Vec<u8>>, redb::Error> {
        if !state.remove(place) {
            return Ok(None);
        }
        let entry = self.entries.remove((lane as u8, place))?.map(|entry| entry.value().to_vec());
        state.bytes -= entry.as_deref().map_or(0, cost);
        self.dirty = true;
        Ok(entry)
    }

    fn take_aside(
        &mut self,
        state: &mut LaneState,
        lane: Lane,
        place: u64,
    ) -> Result<Option<Vec<u8>>, redb::Error> {
        let row = self.aside.remove((lane as u8, place))?.map(|row| row.value().to_vec());
        if let Some(row) = &row {
            state.bytes -= cost(split(row)?.1);
            state.aside -= 1;
            self.dirty = true;
        }
        Ok(row)
    }

    fn list(&self, lane: Lane, after: u64, count: usize) -> Result<Vec<SetAside>, redb::Error> {
        let lane = lane as u8;
        let mut list = Vec::new();
        for row in self.aside.range((lane, after.saturating_add(1))..=(lane, u64::MAX))?.take(count) {
            let (key, row) = row?;
            let (reason, entry) = split(row.value())?;
            let (ticket, bytes) = (key.value().1.to_string(), Bytes::copy_from_slice(entry));
            list.push(SetAside { ticket, reason: reason.to_owned(), bytes });
        }
        Ok(list)
    }
}

fn split(row: &[u8]) -> Result<(&str, &[u8]), redb::Error> {
    reason::split(row).ok_or_else(|| redb::Error::Corrupted("a row of those set aside".to_owned()))
}

fn cost(bytes: &[u8]) -> u64 {
    bytes.len() as u64 + ENTRY_COST
}

fn boxed(error: impl Into<redb::Error>) -> Box<redb::Error> {
    Box::new(error.into())
}
