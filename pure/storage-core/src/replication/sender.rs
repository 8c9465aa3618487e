//! Sending to one peer: which lines of the log enter, what may travel now, what follows from how it went, and which place
//! is to be saved when.
//!
//! Its owner reads the log, carries out what [`Sender::take`] hands out, and saves marks. What travels when a sender ends
//! is given up: the peer keeps nothing of what is incomplete, and the rest it will say it has.

use std::sync::Arc;

use fdfs_format::Mark;
use fdfs_format::binlog::Record;

use super::LogPosition;
use super::backoff::Backoff;
use super::need::{Need, need};
use super::stale::Stale;
use super::steps::Done;
use super::window::{Entry, Job, Ticket, Verdict, Window, makes_room};
use crate::time::Mono;

/// How long a mark that changed may stay unsaved while nothing else asks for it, milliseconds.
pub const SAVE_AFTER_MS: u64 = 5_000;

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderRules {
    /// Records that travel at the same time, at most.
    pub travel_max: usize,
    /// How long a connection rests after a record, milliseconds (`sync_interval`).
    pub rest_ms: u64,
    /// Records after which the mark is saved (`write_mark_file_freq`).
    pub save_each: u64,
}

/// A record to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Travel {
    /// To report the outcome with.
    pub ticket: Ticket,
    /// The record.
    pub entry: Arc<Entry>,
    /// It gives a name to a file that may lack changes at the peer.
    pub stale: bool,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Done.
    Done(Done),
    /// It failed for a reason of its own.
    Failed,
    /// It failed, and whether for a reason of its own is not known: the peer did not answer.
    Unanswered,
    /// The peer can't be reached, or takes nothing.
    PeerUnable,
    /// The peer has no room: it takes nothing but what makes some.
    PeerFull,
}

/// What is to be said about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The peer takes changes again.
    pub works_again: bool,
    /// What becomes of a record that failed.
    pub verdict: Option<Verdict>,
    /// Nobody sends for a while from now on, and connections are not to be used again.
    pub pause: Option<Pause>,
}

/// An interruption begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// It worked until now.
    First,
    /// An attempt during an interruption has failed.
    Again,
}

/// Sending to one peer.
#[derive(Debug)]
pub struct Sender {
    rules: SenderRules,
    mark: Mark,
    skip_to: Option<i64>,
    window: Window,
    stale: Stale,
    /// The end of the log when it was reached first: the end of the copy.
    goal: Option<LogPosition>,
    /// Records that travel.
    travelling: usize,
    /// Until when connections rest.
    resting: Vec<Mono>,
    backoff: Backoff,
    /// Until when nothing is sent.
    paused: Option<Mono>,
    /// The peer has no room, as far as is known.
    full: bool,
    /// What finds out whether the peer is back.
    probe: Option<Ticket>,
    /// What was saved last, how many records that are, and when.
    saved: (LogPosition, u64, Mono),
    /// Records counted before this began.
    counted_before: u64,
}

/// The place that a mark names.
pub fn position(mark: &Mark) -> LogPosition {
    LogPosition { file: mark.binlog_index, offset: mark.binlog_offset }
}

impl Sender {
    /// From the place of the mark on, without records before the first of `skip_to` (Unix second). `log_end` is the end of
    /// the log now.
    pub fn new(
        rules: SenderRules,
        mark: Mark,
        skip_to: Option<i64>,
        log_end: LogPosition,
        now: Mono,
    ) -> Self {
        let from = position(&mark);
        Self {
            rules,
            mark,
            skip_to,
            window: Window::new(from),
            stale: Stale::new(log_end),
            goal: None,
            travelling: 0,
            resting: Vec::new(),
            backoff: Backoff::default(),
            paused: None,
            full: false,
            probe: None,
            // A new mark counts as never saved.
            saved: (from, 0, now),
            counted_before: mark.sync_row_count,
        }
    }

    /// The mark as it is to be saved: with the end of what has arrived without a gap.
    pub fn mark(&self) -> Mark {
        let LogPosition { file, offset } = self.window.acknowledged();
        Mark {
            binlog_index: file,
            binlog_offset: offset,
            sync_row_count: self.counted_before + self.window.acknowledged_count(),
            ..self.mark
        }
    }

    /// The end of what has arrived without a gap.
    pub fn acknowledged(&self) -> LogPosition {
        self.window.acknowledged()
    }

    /// Records that wait or travel.
    pub fn open(&self) -> usize {
        self.window.open()
    }

    /// Whether lines of the log are wanted now.
    pub fn wants_lines(&self) -> bool {
        // Behind what has no room there may be what makes some.
        (self.paused.is_none() || self.full) && self.window.has_room()
    }

    /// The next line of the log, which begins and ends there; `None` for one that is no record.
    pub fn line(&mut self, at: LogPosition, end: LogPosition, record: Option<Record>) {
        self.mark.scan_row_count += 1;
        let Some(record) = record else { return self.window.pass(end) };
        if self.skip_to.is_some_and(|since| record.timestamp < since) {
            return self.window.pass(end);
        }
        self.skip_to = None;
        match need(&record, &self.mark) {
            Need::No => self.window.pass(end),
            needed @ (Need::Yes | Need::Perhaps) => {
                let len = end.offset.saturating_sub(at.offset);
                self.window.enter(Entry { record, need: needed, end, len });
            }
        }
    }

    /// Everything that was in the log has been read.
    pub fn end_reached(&mut self, end: LogPosition) {
        self.goal.get_or_insert(end);
    }

    /// All lines that were read have entered, and reading goes on at `end`: behind the last of them or, when the log has
    /// got a new file, at the start of that.
    pub fn all_entered(&mut self, end: LogPosition) {
        self.window.pass(end);
    }

    /// Whether the copy of old files has just become complete; said once.
    pub fn filled(&mut self) -> bool {
        let complete = self.mark.need_sync_old
            && !self.mark.sync_old_done
            && self.goal.is_some_and(|goal| self.window.acknowledged() >= goal);
        self.mark.sync_old_done |= complete;
        complete
    }

    /// The next record to be sent now. It is reported with [`Sender::back`].
    pub fn take(&mut self, now: Mono) -> Option<Travel> {
        let is_paused = self.paused.is_some_and(|until| until > now);
        if !is_paused {
            self.paused = None;
        }
        self.resting.retain(|until| *until > now);
        // Also when nothing may be taken: who waits until the next is due would not wait.
        self.window.come_due(now);
        let interrupted = self.backoff.failures() > 0;
        // After a failure of the whole peer one finds out whether it is back.
        let most = if interrupted && !self.full { 1 } else { self.rules.travel_max };
        if self.travelling >= most.saturating_sub(self.resting.len()) {
            return None;
        }
        let Job { ticket, entry } = if is_paused || interrupted && self.probe.is_some() {
            // What makes room travels beside the one that finds out whether there is some.
            if !self.full {
                return None;
            }
            self.window.take_what_makes_room(now)?
        } else {
            let job = self.window.take(now)?;
            self.probe = interrupted.then_some(job.ticket);
            job
        };
        self.travelling += 1;
        let stale = self.stale.is(&entry);
        Some(Travel { ticket, entry, stale })
    }

    /// What became of a record that travelled. `random` is any number.
    pub fn back(&mut self, ticket: Ticket, entry: &Entry, how: How, now: Mono, random: u32) -> Effect {
        self.travelling = self.travelling.saturating_sub(1);
        self.probe = self.probe.filter(|probe| *probe != ticket);
        if self.rules.rest_ms > 0 {
            self.resting.push(now.after_ms(self.rules.rest_ms));
        }
        let mut effect = Effect::default();
        match how {
            How::Done(done) => {
                self.stale.note(entry, done);
                self.window.taken(ticket, done.is_proof());
                // What makes room is no proof of some, unless it was all there was.
                let counts = !self.full || !makes_room(&entry.record.change) || self.window.open() == 0;
                if done.is_proof() && counts && self.backoff.failures() > 0 {
                    effect.works_again = true;
                    self.backoff.worked();
                    self.full = false;
                }
            }
            How::Failed => effect.verdict = Some(self.window.failed(ticket, now, random)),
            How::Unanswered => {
                self.window.may_have_come(ticket);
                effect.verdict = Some(self.window.failed(ticket, now, random));
                effect.pause = self.pause(now, random);
                self.full = false;
            }
            How::PeerUnable => {
                self.window.not_sent(ticket);
                effect.pause = self.pause(now, random);
                self.full = false;
            }
            How::PeerFull => {
                self.window.no_room(ticket);
                effect.pause = self.pause(now, random);
                self.full = true;
            }
        }
        effect
    }

    /// Whether nothing has failed that has not worked since.
    pub fn works(&self) -> bool {
        self.backoff.failures() == 0 && self.window.next_due().is_none()
    }

    /// Whether the peer, as far as is known, can be sent to.
    pub fn reaches_peer(&self) -> bool {
        self.paused.is_none() && self.backoff.failures() == 0
    }

    /// Second of the earliest record that might travel and never has, as the log has it; `None` when there is none.
    pub fn waiting_since(&self) -> Option<i64> {
        self.window.waiting_since()
    }

    /// The peer as a whole can't be sent to, or the log can't be read: nobody tries for a while. `None` when that is so
    /// already, as those that travelled together fail together, and count once.
    pub fn pause(&mut self, now: Mono, random: u32) -> Option<Pause> {
        if self.paused.is_some_and(|until| until > now) {
            return None;
        }
        let first = self.backoff.failures() == 0;
        self.paused = Some(now.after_ms(self.backoff.failed(random)));
        Some(if first { Pause::First } else { Pause::Again })
    }

    /// The peer was heard of: whether it can be sent to is found out now.
    pub fn peer_lives(&mut self) {
        self.paused = None;
    }

    /// Everything that has not been acknowledged is read and sent again; what travels is given up.
    pub fn begin_again(&mut self, log_end: LogPosition) {
        self.mark = self.mark();
        self.counted_before = self.mark.sync_row_count;
        self.window = Window::new(self.window.acknowledged());
        self.stale = Stale::new(log_end);
        self.travelling = 0;
        (self.full, self.probe) = (false, None);
        self.saved.1 = 0;
    }

    /// Whether the mark is to be saved: when enough was acknowledged, or something was and nothing else asks for it.
    pub fn save_due(&self, now: Mono) -> bool {
        let (place, count, when) = self.saved;
        let many = self.window.acknowledged_count().saturating_sub(count) >= self.rules.save_each;
        many || self.window.acknowledged() != place && now >= when.after_ms(SAVE_AFTER_MS)
    }

    /// The mark is being saved as it is now.
    pub fn saving(&mut self, now: Mono) {
        self.saved = (self.window.acknowledged(), self.window.acknowledged_count(), now);
    }

    /// When something may be taken that may not now; `None` when nothing waits for that.
    pub fn next_due(&self) -> Option<Mono> {
        let rested = self.resting.iter().copied();
        [self.window.next_due(), self.paused].into_iter().flatten().chain(rested).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: SenderRules = SenderRules { travel_max: 2, rest_ms: 0, save_each: 3 };
    const UNTIL: i64 = 1_700_000_000;
    const NOW: Mono = Mono(1_000);

    fn at(offset: u64) -> LogPosition {
        LogPosition { file: 0, offset }
    }

    fn record(n: u64, op: char, timestamp: i64) -> Record {
        Record::parse(format!("{timestamp} {op} M00/00/00/file{n:06}").as_bytes()).unwrap()
    }

    /// Hands over one line for each record, each of 10 bytes.
    fn sender(mark: Mark, skip_to: Option<i64>, records: &[Record]) -> Sender {
        let mut sender = Sender::new(RULES, mark, skip_to, at(0), NOW);
        for (n, record) in (0..).zip(records) {
            sender.line(at(n * 10), at(n * 10 + 10), Some(record.clone()));
        }
        sender
    }

    fn files(count: u64) -> Sender {
        let records: Vec<_> = (0..count).map(|n| record(n, 'C', UNTIL + 1)).collect();
        sender(Mark::default(), None, &records)
    }

    fn take(sender: &mut Sender, now: Mono) -> Vec<Travel> {
        std::iter::from_fn(|| sender.take(now)).collect()
    }

    fn back(sender: &mut Sender, travel: &Travel, how: How, now: Mono) -> Effect {
        sender.back(travel.ticket, &travel.entry, how, now, 0)
    }

    #[test]
    fn as_many_records_travel_as_are_allowed_and_the_next_when_one_is_back() {
        let mut sender = files(4);
        let first = take(&mut sender, NOW);
        assert_eq!(first.len(), 2);
        back(&mut sender, &first[1], How::Done(Done::Taken), NOW);
        assert_eq!(sender.acknowledged(), at(0));
        assert_eq!(take(&mut sender, NOW).len(), 1);
        back(&mut sender, &first[0], How::Done(Done::Taken), NOW);
        assert_eq!((sender.acknowledged(), sender.open()), (at(20), 2));
    }

    #[test]
    fn a_connection_rests_as_long_as_configured() {
        let mut sender = files(4);
        sender.rules.rest_ms = 500;
        for travel in take(&mut sender, NOW) {
            back(&mut sender, &travel, How::Done(Done::Taken), NOW);
        }
        assert_eq!(sender.take(NOW.after_ms(499)), None);
        assert_eq!(sender.next_due(), Some(NOW.after_ms(500)));
        assert_eq!(take(&mut sender, NOW.after_ms(500)).len(), 2);
    }

    #[test]
    fn d7_while_the_peer_takes_nothing_one_record_finds_out_whether_it_is_back() {
        let mut sender = files(4);
        let travels = take(&mut sender, NOW);
        assert_eq!(back(&mut sender, &travels[0], How::PeerUnable, NOW).pause, Some(Pause::First));
        assert_eq!(back(&mut sender, &travels[1], How::PeerUnable, NOW), Effect::default());
        assert!(!sender.wants_lines() && !sender.works());
        assert_eq!((sender.take(NOW.after_ms(999)), sender.next_due()), (None, Some(NOW.after_ms(1_000))));
        let later = NOW.after_ms(1_000);
        let probe = take(&mut sender, later);
        assert_eq!((probe.len(), probe[0].ticket), (1, travels[0].ticket));
        assert_eq!(back(&mut sender, &probe[0], How::PeerUnable, later).pause, Some(Pause::Again));
        let later = later.after_ms(2_000);
        let probe = take(&mut sender, later);
        let effect = back(&mut sender, &probe[0], How::Done(Done::Nothing), later);
        assert!(!effect.works_again, "needing nothing proves nothing");
        let probe = take(&mut sender, later);
        assert_eq!(probe.len(), 1);
        assert!(back(&mut sender, &probe[0], How::Done(Done::Existed), later).works_again);
        assert_eq!(take(&mut sender, later).len(), 2);
        assert_eq!(sender.acknowledged(), at(20));
    }

    #[test]
    fn d17_a_record_without_an_answer_has_failed_and_everybody_waits() {
        let mut sender = files(2);
        let travels = take(&mut sender, NOW);
        let effect = back(&mut sender, &travels[0], How::Unanswered, NOW);
        assert_eq!(effect.verdict, Some(Verdict::Again { attempts: 1 }));
        assert_eq!(effect.pause, Some(Pause::First));
        let failed = back(&mut sender, &travels[1], How::Failed, NOW);
        assert_eq!(failed, Effect { verdict: Some(Verdict::Again { attempts: 1 }), ..Effect::default() });
        assert!(!sender.works());
    }

    #[test]
    fn nothing_is_due_in_the_past_when_nothing_may_be_taken() {
        let failed = |sender: &mut Sender| {
            let travels = take(sender, NOW);
            back(sender, &travels[0], How::Failed, NOW);
            travels[1].clone()
        };
        let due = NOW.after_ms(1_000);
        // The peer can't be reached.
        let mut paused = files(4);
        let other = failed(&mut paused);
        back(&mut paused, &other, How::PeerUnable, NOW.after_ms(500));
        assert_eq!((paused.take(due), paused.next_due()), (None, Some(NOW.after_ms(1_500))));
        // It is found out whether it is back.
        let later = NOW.after_ms(1_500);
        assert!(paused.take(later).is_some());
        assert_eq!((paused.take(later), paused.next_due()), (None, None));
        // As many travel as may.
        let mut busy = files(4);
        failed(&mut busy);
        assert_eq!((take(&mut busy, NOW).len(), busy.next_due()), (1, Some(due)));
        assert_eq!((busy.take(due), busy.next_due()), (None, None));
    }

    #[test]
    fn lines_that_are_skipped_need_nothing_and_those_behind_the_first_that_counts_do() {
        let mark = Mark { until_timestamp: UNTIL, ..Mark::default() };
        let records = [record(1, 'C', 5), record(2, 'C', 10), record(3, 'C', 5), record(4, 'c', 20)];
        let mut sender = sender(mark, Some(10), &records);
        sender.line(at(40), at(50), None);
        assert_eq!((sender.acknowledged(), sender.open(), sender.mark().scan_row_count), (at(10), 2, 5));
        let travels = take(&mut sender, NOW);
        assert!(travels.iter().all(|travel| travel.entry.need == Need::Perhaps));
        for travel in travels {
            back(&mut sender, &travel, How::Done(Done::Existed), NOW);
        }
        assert_eq!((sender.acknowledged(), sender.mark().sync_row_count), (at(50), 2));
    }

    #[test]
    fn d9_a_copy_is_complete_when_all_has_arrived_that_was_in_the_log_when_its_end_was_reached_first() {
        let mark = Mark { need_sync_old: true, until_timestamp: UNTIL, ..Mark::default() };
        let mut sender = sender(mark, None, &[record(1, 'c', UNTIL)]);
        assert!(!sender.filled(), "the end is not known");
        sender.end_reached(at(10));
        sender.line(at(10), at(20), Some(record(2, 'C', UNTIL + 1)));
        sender.end_reached(at(20));
        let travels = take(&mut sender, NOW);
        back(&mut sender, &travels[1], How::Done(Done::Taken), NOW);
        assert!(!sender.filled());
        back(&mut sender, &travels[0], How::Done(Done::Taken), NOW);
        assert!(sender.filled() && !sender.filled());
        assert!(sender.mark().sync_old_done);
    }

    #[test]
    fn a_mark_is_saved_after_so_many_records_or_so_long() {
        let mut sender = files(4);
        let none_saved = |sender: &Sender, now| !sender.save_due(now);
        assert!(none_saved(&sender, NOW.after_ms(SAVE_AFTER_MS)), "nothing to save");
        let mut taken = 0;
        while let Some(travel) = sender.take(NOW) {
            back(&mut sender, &travel, How::Done(Done::Taken), NOW);
            taken += 1;
            assert_eq!(sender.save_due(NOW), taken >= 3);
            assert_eq!(sender.save_due(NOW.after_ms(SAVE_AFTER_MS)), taken >= 1);
        }
        sender.saving(NOW);
        assert!(none_saved(&sender, NOW.after_ms(SAVE_AFTER_MS)));
    }

    #[test]
    fn a_peer_that_was_heard_of_is_tried_at_once() {
        let mut sender = files(2);
        let travels = take(&mut sender, NOW);
        for travel in &travels {
            back(&mut sender, travel, How::PeerUnable, NOW);
        }
        assert_eq!((sender.take(NOW), sender.wants_lines()), (None, false));
        sender.peer_lives();
        assert_eq!((take(&mut sender, NOW).len(), sender.wants_lines()), (1, true), "one finds out");
    }

    #[test]
    fn after_a_new_beginning_what_was_not_acknowledged_is_read_again() {
        let mut sender = files(2);
        let travels = take(&mut sender, NOW);
        back(&mut sender, &travels[0], How::Done(Done::Taken), NOW);
        sender.begin_again(at(20));
        assert_eq!((position(&sender.mark()), sender.open()), (at(10), 0));
        sender.line(at(10), at(20), Some(record(1, 'C', UNTIL + 1)));
        let again = take(&mut sender, NOW);
        assert_eq!(again[0].entry.end, at(20));
        back(&mut sender, &again[0], How::Done(Done::Existed), NOW);
        assert_eq!((sender.acknowledged(), sender.mark().sync_row_count), (at(20), 2));
    }
}
