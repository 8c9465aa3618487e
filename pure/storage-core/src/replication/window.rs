//! What travels at the same time, and how far everything has arrived.
//!
//! Records enter in the order of the log and leave in any order, except that those that name the same file follow each
//! other. The original compares whole columns, so that an append never equals the creation of its own file, and the
//! two overtake each other (storage internals: holes, D4). Only the place before which nothing is missing may be saved
//! (D6, D7, D20).
//!
//! A record that fails for a reason of its own is tried again while others go on, and in the end set aside (D17). That
//! needs a proof that the reason is its own: another record of the same store path was taken since it failed first.
//! Otherwise the peer, or a disk, takes nothing at all, and giving up one record after the other would lose them all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::binlog::{Change, Record};

use super::LogPosition;
use super::backoff::pause_ms;
use super::need::Need;
use crate::time::Mono;

/// Records that wait or travel at the same time, at most.
pub const WINDOW_RECORDS_MAX: usize = 4096;

/// Bytes of the log that these take, at most.
pub const WINDOW_BYTES_MAX: u64 = 1 << 20;

/// Records between the saved place and the newest one, at most, those that are done included: how far others get ahead
/// of one that is tried again.
pub const WINDOW_SPAN_MAX: usize = 65_536;

/// How often a record is tried before it is set aside.
pub const ATTEMPTS_MAX: u32 = 6;

/// A record on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// Whether the peer may have it already.
    pub need: Need,
    /// The end of its line.
    pub end: LogPosition,
    /// Length of its line, bytes.
    pub len: u64,
}

/// Names a record of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// A record to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// To report the outcome with.
    pub ticket: Ticket,
    /// The record.
    pub entry: Arc<Entry>,
}

/// What becomes of a record that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It will be tried again.
    Again {
        /// How often it has failed.
        attempts: u32,
    },
    /// It is given up; the peer lacks it.
    SetAside,
}

/// The records of one peer between its saved place and the end of what was read.
#[derive(Debug)]
pub struct Window {
    slots: VecDeque<Slot>,
    /// Number of the first slot.
    first: u64,
    acknowledged: LogPosition,
    acknowledged_count: u64,
    /// The slots that name a file, in order; the first may travel.
    lines: BTreeMap<Box<str>, VecDeque<u64>>,
    ready: BTreeSet<u64>,
    later: BTreeSet<(Mono, u64)>,
    /// How many records are not done, and their bytes.
    open: usize,
    open_bytes: u64,
    /// Records of each store path that the peer took.
    taken: BTreeMap<StorePathIndex, u64>,
}

#[derive(Debug)]
struct Slot {
    /// Where the log may be read again from once this and all before it is done.
    end: LogPosition,
    /// `None`: done.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    entry: Arc<Entry>,
    attempts: u32,
    /// How many records of its store path had been taken when it failed first.
    taken_before: u64,
    /// It was refused for want of room.
    needs_room: bool,
}

impl Window {
    /// Nothing behind `from` is acknowledged.
    pub fn new(from: LogPosition) -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            acknowledged: from,
            acknowledged_count: 0,
            lines: BTreeMap::new(),
            ready: BTreeSet::new(),
            later: BTreeSet::new(),
            open: 0,
            open_bytes: 0,
            taken: BTreeMap::new(),
        }
    }

    /// The end of what has arrived without a gap: the place to save.
    pub fn acknowledged(&self) -> LogPosition {
        self.acknowledged
    }

    /// How many records have left the window for good: those before [`Window::acknowledged`].
    pub fn acknowledged_count(&self) -> u64 {
        self.acknowledged_count
    }

    /// Records that wait or travel.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether one more record may enter.
    pub fn has_room(&self) -> bool {
        self.open < WINDOW_RECORDS_MAX
            && self.open_bytes < WINDOW_BYTES_MAX
            && self.slots.len() < WINDOW_SPAN_MAX
    }

    /// Lines up to `end` need nothing.
    pub fn pass(&mut self, end: LogPosition) {
        match self.slots.back_mut() {
            Some(last) => last.end = end,
            None => self.acknowledged = end,
        }
    }

    /// The next record of the log.
    pub fn enter(&mut self, entry: Entry) {
        let number = self.first + self.slots.len() as u64;
        let mut is_first = true;
        for key in keys(&entry.record.change) {
            let line = self.lines.entry(key).or_default();
            is_first &= line.is_empty();
            line.push_back(number);
        }
        if is_first {
            self.ready.insert(number);
        }
        self.open += 1;
        self.open_bytes += entry.len;
        let open = Open { entry: Arc::new(entry), attempts: 0, taken_before: 0, needs_room: false };
        self.slots.push_back(Slot { end: open.entry.end, open: Some(open) });
    }

    /// The earliest record that may be sent at `now`. It is reported with [`Window::taken`], [`Window::failed`] or
    /// [`Window::not_sent`].
    pub fn take(&mut self, now: Mono) -> Option<Job> {
        self.come_due(now);
        let number = *self.ready.first()?;
        self.job(number)
    }

    /// The earliest of those that make room at the peer, and were not refused for want of it.
    pub fn take_what_makes_room(&mut self, now: Mono) -> Option<Job> {
        self.come_due(now);
        let makes_room = |number: &&u64| {
            let open = self.slot(**number).and_then(|slot| slot.open.as_ref());
            open.is_some_and(|open| makes_room(&open.entry.record.change) && !open.needs_room)
        };
        let number = *self.ready.iter().find(makes_room)?;
        self.job(number)
    }

    /// Records that failed and are to be tried again at `now` may be taken.
    pub(super) fn come_due(&mut self, now: Mono) {
        while let Some(&(due, number)) = self.later.first()
            && due <= now
        {
            self.later.pop_first();
            self.ready.insert(number);
        }
    }

    fn job(&mut self, number: u64) -> Option<Job> {
        self.ready.remove(&number);
        let entry = Arc::clone(&self.slot(number)?.open.as_ref()?.entry);
        Some(Job { ticket: Ticket(number), entry })
    }

    /// Second of the earliest record that might travel and never has, as the log has it; `None` when there is none.
    pub fn waiting_since(&self) -> Option<i64> {
        let waiting = self.ready.iter().filter_map(|number| self.slot(*number)?.open.as_ref());
        waiting.filter(|open| open.attempts == 0).map(|open| open.entry.record.timestamp).next()
    }

    /// When a record that failed is to be tried again; `None` when none waits for that.
    pub fn next_due(&self) -> Option<Mono> {
        self.later.first().map(|(due, _)| *due)
    }

    /// The peer took it, or needs nothing: the latter is no proof that it takes anything.
    pub fn taken(&mut self, ticket: Ticket, is_proof: bool) {
        if let Some(open) = self.slot(ticket.0).and_then(|slot| slot.open.as_ref())
            && is_proof
        {
            let path = open.entry.record.change.name().path_index();
            *self.taken.entry(path).or_default() += 1;
        }
        self.finish(ticket);
    }

    /// The peer refused it, or it can't be read here. `random` is any number.
    pub fn failed(&mut self, ticket: Ticket, now: Mono, random: u32) -> Verdict {
        let Some(path) = self.path_of(ticket) else { return Verdict::SetAside };
        let taken = self.taken.get(&path).copied().unwrap_or(0);
        let Some(open) = self.slot_mut(ticket.0).and_then(|slot| slot.open.as_mut()) else {
            return Verdict::SetAside;
        };
        if open.attempts == 0 {
            open.taken_before = taken;
        }
        open.attempts = open.attempts.saturating_add(1);
        let attempts = open.attempts;
        if attempts >= ATTEMPTS_MAX && taken > open.taken_before {
            self.finish(ticket);
            return Verdict::SetAside;
        }
        self.later.insert((now.after_ms(pause_ms(attempts - 1, random)), ticket.0));
        Verdict::Again { attempts }
    }

    /// It did not get to the peer, for no fault of its own: the next one to be taken.
    pub fn not_sent(&mut self, ticket: Ticket) {
        if self.path_of(ticket).is_some() {
            self.ready.insert(ticket.0);
        }
    }

    /// All of it went out and no answer came: the peer may have a file that is new, and is asked before all of that is
    /// sent again.
    pub fn may_have_come(&mut self, ticket: Ticket) {
        if let Some(open) = self.slot_mut(ticket.0).and_then(|slot| slot.open.as_mut())
            && matches!(open.entry.record.change, Change::Create { .. })
        {
            Arc::make_mut(&mut open.entry).need = Need::Perhaps;
        }
    }

    /// The peer has no room for it: as [`Window::not_sent`], and it is none of those that make room.
    pub fn no_room(&mut self, ticket: Ticket) {
        if let Some(open) = self.slot_mut(ticket.0).and_then(|slot| slot.open.as_mut()) {
            open.needs_room = true;
            self.ready.insert(ticket.0);
        }
    }

    fn path_of(&self, ticket: Ticket) -> Option<StorePathIndex> {
        Some(self.slot(ticket.0)?.open.as_ref()?.entry.record.change.name().path_index())
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The record is done with: those behind it in the lines of its files move up.
    fn finish(&mut self, Ticket(number): Ticket) {
        let Some(open) = self.slot_mut(number).and_then(|slot| slot.open.take()) else { return };
        self.open -= 1;
        self.open_bytes -= open.entry.len;
        for key in keys(&open.entry.record.change) {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            // Only the first of a line ever travels.
            line.pop_front();
            match line.front().copied() {
                None => {
                    self.lines.remove(&key);
                }
                Some(next) if self.leads_everywhere(next) => {
                    self.ready.insert(next);
                }
                Some(_) => {}
            }
        }
        while let Some(slot) = self.slots.front()
            && slot.open.is_none()
        {
            self.acknowledged = slot.end;
            self.acknowledged_count += 1;
            self.first += 1;
            self.slots.pop_front();
        }
    }

    fn leads_everywhere(&self, number: u64) -> bool {
        let Some(open) = self.slot(number).and_then(|slot| slot.open.as_ref()) else { return false };
        keys(&open.entry.record.change)
            .all(|key| self.lines.get(&key).and_then(VecDeque::front) == Some(&number))
    }
}

/// Whether the peer needs less room after a change than before.
pub(super) fn makes_room(change: &Change) -> bool {
    match change {
        Change::Delete { .. } => true,
        Change::Truncate { old_size, new_size, .. } => new_size < old_size,
        _ => false,
    }
}

/// What no two records that travel may share: the files that a change names, each once, whose metadata is theirs.
pub(super) fn keys(change: &Change) -> impl Iterator<Item = Box<str>> {
    let one = key(change.name());
    let two = match change {
        Change::Link { source: other, .. } | Change::Rename { old: other, .. } => Some(key(other)),
        _ => None,
    };
    let two = two.filter(|two| *two != one);
    std::iter::once(one).chain(two)
}

/// One text for a file, however its name is written.
pub(super) fn key(name: &FileName) -> Box<str> {
    let file = name.metadata_master();
    let file = file.as_ref().unwrap_or(name);
    format!("{}/{}", file.path_index(), file.true_name()).into()
}
