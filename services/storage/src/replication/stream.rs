//! Sends to a peer for as long as it may be sent to: reads the log, lets records travel, saves how far they got.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fdfs_format::Mark;
use fdfs_proto::{GroupField, StorageId, StorageStatus};
use storage_core::replication::LogPosition;
use storage_core::replication::life::{Duty, duty};
use storage_core::replication::sender::{How, Pause, Sender, SenderRules};
use storage_core::replication::window::{Entry, Ticket, Verdict};
use store::binlog::{LogLine, LogReader, Read};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::changed;
use super::link::Link;
use super::peer::PeerTask;
use super::progress::Obstacle;
use super::send::{Outcome, push};
use crate::server::unix_now;

/// How often the log is read before everything else gets its turn.
const READS: usize = 16;

/// How often everything is looked at, whatever happens or not.
const LOOK: Duration = Duration::from_secs(1);

/// A peer counts as caught up again, for the log, when it is so many times less far behind than it may be.
const CAUGHT_UP: u32 = 8;

/// A connection that was not used for so long is closed, but for `sync_min_threads` of them.
const IDLE: Duration = Duration::from_secs(300);

/// Why sending has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The server stops.
    Stop,
    /// The peer has all old files now.
    Filled,
    /// Its status, or the time of day, allows no more.
    Over,
}

fn log_end(task: &PeerTask) -> LogPosition {
    let (file, offset) = task.shared.server.store.binlog().position();
    LogPosition { file, offset }
}

/// What a task brings back from one record.
struct Back {
    ticket: Ticket,
    entry: Arc<Entry>,
    link: Option<Link>,
    outcome: Outcome,
}

/// Sending to one peer.
pub(super) struct Stream<'a> {
    task: &'a mut PeerTask,
    sender: Sender,
    group: GroupField,
    me: StorageId,
    /// Lines that were read and have not entered the window.
    lines: VecDeque<LogLine>,
    reader: Option<LogReader>,
    /// Nothing more is in the log, as far as is known.
    at_end: bool,
    jobs: JoinSet<Back>,
    links: Vec<(Link, Instant)>,
    saving: Option<JoinHandle<bool>>,
    /// The peer is so far behind that changes by clients wait for it.
    behind: bool,
    /// And is not much farther behind than it would have to be for nobody to wait.
    nearly: bool,
    /// It was said that the peer is so far behind, and not yet that it has caught up.
    told_behind: bool,
    /// The peer took something since that was looked at.
    took: bool,
}

impl<'a> Stream<'a> {
    /// From the place of the mark on, without records before the first of `skip_to`.
    pub(super) fn new(
        task: &'a mut PeerTask,
        mark: Mark,
        skip_to: Option<i64>,
        group: GroupField,
        me: StorageId,
    ) -> Self {
        let sync = &task.shared.config.sync;
        let rules = SenderRules {
            travel_max: usize::try_from(sync.max_threads).unwrap_or(1),
            rest_ms: u64::try_from(sync.interval.as_millis()).unwrap_or(u64::MAX),
            save_each: sync.write_mark_file_freq.into(),
        };
        let sender = Sender::new(rules, mark, skip_to, log_end(task), task.shared.now());
        Self {
            task,
            sender,
            group,
            me,
            lines: VecDeque::new(),
            reader: None,
            at_end: false,
            jobs: JoinSet::new(),
            links: Vec::new(),
            saving: None,
            behind: false,
            nearly: false,
            told_behind: false,
            took: false,
        }
    }

    /// Sends until something ends it; gives back why, and the mark, which is saved.
    pub(super) async fn run(mut self) -> (End, Mark) {
        let mut appended = self.task.shared.server.store.binlog().appended();
        self.task.progress.send_if_modified(|progress| progress.lag.go_on());
        let end = loop {
            if let Some(end) = self.look() {
                break end;
            }
            // Seen before the log is read: what comes meanwhile wakes once more.
            if appended.has_changed().unwrap_or(false) {
                appended.borrow_and_update();
                self.at_end = false;
            }
            let more = self.read().await;
            if self.sender.filled() {
                break End::Filled;
            }
            self.dispatch();
            self.keep();
            self.publish();
            if more {
                self.take_in_all();
                tokio::task::yield_now().await;
            } else {
                self.wait(&mut appended).await;
            }
        };
        self.task.pace.release();
        // What travels is given up: the peer keeps nothing of what is incomplete, and the rest it will say it has.
        self.jobs.shutdown().await;
        if let Some(saving) = self.saving.take() {
            let _ = saving.await;
        }
        let mark = self.sender.mark();
        let _ = self.task.save(mark).await;
        self.publish();
        (end, mark)
    }

    /// Whether to end.
    fn look(&mut self) -> Option<End> {
        if self.task.stop.stopping() {
            return Some(End::Stop);
        }
        let status =
            self.task.cluster.borrow_and_update().peers.get(&self.task.id).map(|peer| peer.status)?;
        let may = matches!(duty(status, Some(&self.sender.mark())), Duty::Push | Duty::Fill);
        (!may || !self.task.is_time()).then_some(End::Over)
    }

    /// Fills the window from the log; whether it has room for what there is left to read.
    async fn read(&mut self) -> bool {
        let mut reads = 0;
        while self.sender.wants_lines() {
            if let Some(line) = self.lines.pop_front() {
                self.enter(line);
                continue;
            }
            if self.at_end {
                if let Some(reader) = &self.reader {
                    self.sender.all_entered(reader.position());
                }
                return false;
            }
            if reads == READS {
                return true;
            }
            reads += 1;
            let (server, reader) = (Arc::clone(&self.task.shared.server), self.reader.take());
            let from = self.sender.acknowledged();
            let read = move || {
                let log = server.store.binlog();
                let mut reader = match reader {
                    Some(reader) => reader,
                    None => LogReader::open(log, from)?,
                };
                let mut lines = Vec::new();
                let read = reader.read(log, &mut lines)?;
                Ok::<_, std::io::Error>((reader, lines, read))
            };
            match spawn_blocking(read).await {
                Ok(Ok((reader, lines, read))) => {
                    self.lines.extend(lines);
                    self.at_end = read == Read::End;
                    if self.at_end {
                        self.sender.end_reached(reader.position());
                    }
                    self.reader = Some(reader);
                }
                Ok(Err(error)) => self.log_unreadable(&error.to_string()),
                Err(error) => self.log_unreadable(&error.to_string()),
            }
        }
        false
    }

    /// The reader is lost with its place: everything that has not been acknowledged is read again.
    fn log_unreadable(&mut self, error: &str) {
        tracing::error!(peer = %self.task.id, error, "the binlog cannot be read, replication waits");
        // Dropped, what travels is given up.
        self.jobs = JoinSet::new();
        self.links.clear();
        self.sender.begin_again(log_end(self.task));
        self.lines.clear();
        (self.reader, self.at_end) = (None, false);
        self.pause(Obstacle::Log, &format!("the binlog cannot be read: {error}"));
    }

    fn enter(&mut self, line: LogLine) {
        if line.record.is_err() {
            self.task.progress.send_modify(|progress| progress.lag.bad_lines += 1);
        }
        self.sender.line(line.at, line.end, line.record.ok());
    }

    fn dispatch(&mut self) {
        while let Some(travel) = self.sender.take(self.task.shared.now()) {
            let link = self.links.pop().map(|(link, _)| link).filter(Link::is_usable);
            let addresses = if link.is_none() { self.task.addresses() } else { Vec::new() };
            let (shared, group, me) = (Arc::clone(&self.task.shared), self.group, self.me);
            self.jobs.spawn(async move {
                let link = match link {
                    Some(link) => Ok(link),
                    None => Link::open(&addresses, &shared.config.wire, me).await,
                };
                let (link, outcome) = match link {
                    Ok(mut link) => {
                        let outcome = push(&shared.server, group, &mut link, &travel).await;
                        (Some(link), outcome)
                    }
                    Err(error) => (None, Outcome::Peer(error.to_string())),
                };
                Back { ticket: travel.ticket, entry: travel.entry, link, outcome }
            });
        }
    }

    /// Takes in what became of a record.
    fn back(&mut self, back: Back) {
        if let Some(link) = back.link.filter(Link::is_usable) {
            self.links.push((link, Instant::now()));
        }
        let (how, reason) = back.outcome.into_how();
        if matches!(how, How::Done(done) if done.is_proof()) {
            self.took = true;
            self.task.pace.taken(self.nearly);
        }
        let now = self.task.shared.now();
        let effect = self.sender.back(back.ticket, &back.entry, how, now, rand::random());
        if effect.works_again {
            tracing::info!(peer = %self.task.id, "replication to a peer works again");
        }
        if let Some(verdict) = &effect.verdict {
            self.failed(verdict, &back.entry, &reason);
        }
        if let Some(pause) = effect.pause {
            self.paused(Obstacle::Peer, pause, &reason);
        }
        if effect.verdict.is_none() && effect.pause.is_none() && self.sender.works() {
            self.task.progress.send_if_modified(|progress| progress.lag.go_on());
        }
    }

    fn failed(&mut self, verdict: &Verdict, entry: &Entry, reason: &str) {
        let (peer, change) = (self.task.id, &entry.record.change);
        let name = change.name();
        match verdict {
            Verdict::Again { attempts: 1 } => {
                tracing::warn!(%peer, %name, at = %entry.end, reason, "a change could not be replicated, trying again while others go on");
            }
            Verdict::Again { attempts } => {
                tracing::debug!(%peer, %name, attempts, reason, "a change could not be replicated");
            }
            Verdict::SetAside => {
                tracing::error!(%peer, %name, ?change, at = %entry.end, reason, "gave up replicating a change, the peer lacks it");
                self.task.progress.send_modify(|progress| progress.lag.set_aside += 1);
            }
        }
        let words = format!("{name}: {reason}");
        self.task.progress.send_modify(|progress| progress.lag.held_up(Obstacle::Change, words));
    }

    /// The peer as a whole can't be sent to: nobody tries for a while.
    fn pause(&mut self, by: Obstacle, reason: &str) {
        if let Some(pause) = self.sender.pause(self.task.shared.now(), rand::random()) {
            self.paused(by, pause, reason);
        }
    }

    fn paused(&mut self, by: Obstacle, pause: Pause, reason: &str) {
        if pause == Pause::First {
            tracing::warn!(peer = %self.task.id, reason, "replication to a peer is interrupted, trying again");
        }
        self.links.clear();
        self.task.progress.send_modify(|progress| progress.lag.held_up(by, reason.to_owned()));
    }

    /// Saves the place when enough was acknowledged, or when something was and nothing is under way, and closes
    /// connections that nobody needs.
    fn keep(&mut self) {
        let least = usize::try_from(self.task.shared.config.sync.min_threads).unwrap_or(1);
        // The last used is at the end, and is used next.
        while self.links.len() > least && self.links.first().is_some_and(|(_, used)| used.elapsed() > IDLE) {
            self.links.remove(0);
        }
        if self.saving.as_ref().is_some_and(JoinHandle::is_finished) {
            self.saving = None;
        }
        let now = self.task.shared.now();
        if self.sender.save_due(now) && self.saving.is_none() {
            self.saving = Some(self.task.save(self.sender.mark()));
            self.sender.saving(now);
        }
    }

    fn publish(&mut self) {
        let oldest = self.oldest();
        self.keep_pace(oldest);
        let acknowledged = self.sender.acknowledged();
        let bytes = self.task.shared.server.store.binlog().len_from(acknowledged);
        let records = (self.sender.open() + self.lines.len()) as u64;
        self.task.progress.send_if_modified(|progress| {
            let lag = &mut progress.lag;
            let changed = progress.acknowledged != Some(acknowledged)
                || (lag.bytes, lag.records, lag.oldest) != (bytes, records, oldest);
            progress.acknowledged = Some(acknowledged);
            (lag.bytes, lag.records, lag.oldest) = (bytes, records, oldest);
            changed
        });
    }

    /// Age of the oldest record that waits for its turn, in whole seconds, as the log has them.
    fn oldest(&self) -> Duration {
        let age = self.sender.waiting_since().map_or(0, |since| i64::from(unix_now()).saturating_sub(since));
        Duration::from_secs(u64::try_from(age).unwrap_or(0))
    }

    /// Has changes by clients wait for a peer that serves, takes something, and is too far behind all the same, until it
    /// is half as far. That keeps bounded what is lost with this storage, or with its disks.
    fn keep_pace(&mut self, oldest: Duration) {
        let (id, limit) = (self.task.id, self.task.shared.config.sync.lag_max);
        let took = std::mem::take(&mut self.took);
        let status = self.task.cluster.borrow().peers.get(&id).map(|peer| peer.status);
        let is_there = status == Some(StorageStatus::Active) && self.sender.reaches_peer();
        let behind_s = oldest.as_secs();
        if self.told_behind && (!is_there || oldest <= limit / CAUGHT_UP) {
            tracing::info!(peer = %id, behind_s, "clients do not wait for a peer any more that was far behind");
            self.told_behind = false;
        }
        if limit.is_zero() || !is_there || oldest <= limit / 2 {
            self.behind = false;
            return self.task.pace.release();
        }
        self.behind |= oldest > limit;
        // From here on it is enough when what it lacks does not grow.
        self.nearly = oldest <= limit * 3 / 4;
        // Released by somebody whose patience was over, it is held again when the peer takes something.
        if self.behind && took && !self.task.pace.is_held() {
            self.task.pace.hold();
            if !self.told_behind {
                self.told_behind = true;
                tracing::warn!(peer = %id, behind_s, limit_s = limit.as_secs(), "a peer takes changes more slowly than clients make them, they wait for it (sync_lag_max)");
            }
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, appended: &mut watch::Receiver<()>) {
        let now = self.task.shared.now();
        // Nothing may be taken while connections rest or nothing is sent; what was read and has room goes on at once.
        let pause = self
            .sender
            .next_due()
            .map_or(LOOK, |due| Duration::from_millis(due.0.saturating_sub(now.0).max(1)))
            .min(LOOK);
        let lines_wanted = self.at_end && self.sender.wants_lines();
        tokio::select! {
            Some(back) = self.jobs.join_next() => {
                self.take_in(back);
                self.take_in_all();
            }
            _ = appended.changed(), if lines_wanted => self.at_end = false,
            () = changed(&mut self.task.cluster) => {}
            // The sender lives as long as the server.
            _ = self.task.lives.changed() => self.sender.peer_lives(),
            () = self.task.stop.wait() => {}
            () = sleep(pause) => {}
        }
    }

    /// All that are back already.
    fn take_in_all(&mut self) {
        while let Some(back) = self.jobs.try_join_next() {
            self.take_in(back);
        }
    }

    fn take_in(&mut self, back: Result<Back, tokio::task::JoinError>) {
        match back {
            Ok(back) => self.back(back),
            // Its ticket is lost with it: all that travels is sent once more.
            Err(error) => self.log_unreadable(&format!("a task died: {error}")),
        }
    }
}
