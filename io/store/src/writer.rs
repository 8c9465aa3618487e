//! The writer of a store path: one thread that makes all changes to its files, in batches.
//!
//! A batch is whatever waits when the writer gets round to it, up to the first change to a file that the batch
//! already changes. The changes are checked, become certain with one write to the journal (and one sync), are
//! done, and answered. Since nobody else changes files, what was checked still holds when it is done, without
//! locks.

mod mend;
mod received;

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fdfs_fileid::{FileName, Kind};
use storage_core::naming::ATTEMPTS_MAX;
use storage_core::replication::receive::{self, Brought, Was};
use tokio::sync::{mpsc, oneshot};

use crate::binlog::Binlog;
use crate::fsck::name_key;
use crate::journal::Journal;
use crate::memory::Memory;
use crate::mutation::{
    At, Before, Checked, Content, Job, Mutation, NewName, Origin, Outcome, OwnedChange, OwnedEntry,
    PackedChange, Prepared,
};
use crate::pack::{Head, New, Packs};
use crate::path::Files;
use crate::plain::{Turn, is_link, is_regular, seen};
use crate::trunk::{self, Claims, Place};
use crate::{Durability, StoreError};

/// Changes that may wait for the writer; whoever brings one more waits himself.
const QUEUE_LEN: usize = 1024;

/// Changes in one batch at most.
const BATCH_CHANGES_MAX: usize = 256;

/// Bytes in one batch after which no more changes join it.
const BATCH_LEN_MAX: usize = 4 << 20;

/// How often a batch that waits for company looks for it.
const COMPANY_STEP: Duration = Duration::from_micros(50);

/// What a writer writes to, and how.
pub(crate) struct WriterParts {
    pub(crate) files: Arc<Files>,
    pub(crate) packs: Arc<Packs>,
    pub(crate) head: Head,
    /// Largest content of a new file that is packed, bytes; `None` packs nothing.
    pub(crate) pack_max: Option<usize>,
    pub(crate) journal: Journal,
    pub(crate) binlog: Arc<Binlog>,
    pub(crate) durability: Durability,
    /// How long a batch waits for company.
    pub(crate) commit_wait: Duration,
    pub(crate) orderly: Arc<AtomicBool>,
    pub(crate) memory: Arc<Memory>,
}

/// The way to the writer of one store path.
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// Tells the writer to end, and when it has.
pub(crate) struct WriterThread(JoinHandle<io::Result<()>>);

impl WriterThread {
    /// Waits until the writer has ended, which it does when every [`Writer`] is gone. Blocks.
    pub(crate) fn join(self) -> io::Result<()> {
        self.0.join().unwrap_or_else(|_| Err(io::Error::other("the writer of a store path panicked")))
    }
}

impl Writer {
    pub(crate) fn start(of: WriterParts) -> io::Result<(Self, WriterThread)> {
        let (jobs, waiting) = mpsc::channel(QUEUE_LEN);
        let WriterParts {
            files,
            packs,
            head,
            pack_max,
            journal,
            binlog,
            durability,
            commit_wait,
            orderly,
            memory,
        } = of;
        let (journal, regrets, claims) = (Some(journal), Vec::new(), Claims::default());
        let state = State {
            files,
            packs,
            head,
            pack_max,
            journal,
            binlog,
            durability,
            commit_wait,
            orderly,
            regrets,
            claims,
            gone: None,
            memory,
        };
        let thread =
            std::thread::Builder::new().name("store-writer".into()).spawn(move || state.run(waiting))?;
        Ok((Self { jobs }, WriterThread(thread)))
    }

    /// Has a mutation done and waits for what it came to.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn ask(&self, mutation: Mutation) -> Result<Outcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { mutation, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The same on a thread that may wait.
    pub(crate) fn ask_blocking(&self, mutation: Mutation) -> Result<Outcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.blocking_send(Job { mutation, reply }).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().map_err(|_| StoreError::Closed)?
    }
}

struct State {
    files: Arc<Files>,
    packs: Arc<Packs>,
    head: Head,
    pack_max: Option<usize>,
    /// Gone after it failed.
    journal: Option<Journal>,
    binlog: Arc<Binlog>,
    durability: Durability,
    commit_wait: Duration,
    /// Whether the journal shall be closed at the end. It is not when the store is only dropped: that is like
    /// a crash, and the next start does the rest.
    orderly: Arc<AtomicBool>,
    /// Entries that undo, at the next start, changes that could not be done, until the journal has them.
    regrets: Vec<OwnedEntry>,
    /// Slots of trunk files that changes of this batch fill.
    claims: Claims,
    /// Keys of names that went since somebody began to watch.
    gone: Option<HashSet<u64>>,
    memory: Arc<Memory>,
}

impl State {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> io::Result<()> {
        let mut left = None;
        while let Some(first) = left.take().or_else(|| jobs.blocking_recv()) {
            left = self.batch(first, &mut jobs);
        }
        if !self.orderly.load(Ordering::Acquire) {
            return Ok(());
        }
        let packed = self.head.close();
        match self.journal {
            Some(journal) => journal.close()?,
            None => return Err(io::Error::other("the journal had failed")),
        }
        packed
    }

    /// Does one batch that begins with `first`; gives back the job that has to wait for the next one.
    fn batch(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut touched = BTreeSet::new();
        self.regret();
        self.claims.clear();
        let mut batch = Vec::new();
        let mut next = Some(first);
        let mut left = None;
        let due = (!self.commit_wait.is_zero()).then(|| Instant::now() + self.commit_wait);
        while let Some(job) = next.take() {
            // Everything before it must be done.
            if matches!(job.mutation, Mutation::Watch) && !batch.is_empty() {
                left = Some(job);
                break;
            }
            if touches(&job.mutation).iter().flatten().any(|name| touched.contains(name.true_name())) {
                left = Some(job);
                break;
            }
            self.join(job, &mut touched, &mut batch);
            let len = self.journal.as_ref().map_or(0, Journal::batch_len) + self.head.batch_len();
            if batch.len() < BATCH_CHANGES_MAX && len < BATCH_LEN_MAX {
                next = jobs.try_recv().ok().or_else(|| company(jobs, due));
            }
        }
        self.commit(batch);
        left
    }

    /// Checks a job and adds its entries to the batch, or answers it.
    fn join(&mut self, job: Job, touched: &mut BTreeSet<String>, batch: &mut Vec<Prepared>) {
        let Job { mutation, reply } = job;
        if let (Some(gone), Some(name)) = (&mut self.gone, mend::goes(&mutation))
            && gone.len() < mend::GONE_MAX
        {
            gone.insert(name_key(name));
        }
        let settled =
            mend::settles(&mutation).filter(|name| self.files.quarantine.holds(name.true_name())).cloned();
        if matches!(mutation, Mutation::Watch) {
            self.gone = Some(HashSet::new());
        }
        let prepared = match &self.journal {
            None => Err(StoreError::JournalFailed),
            Some(_) if !self.binlog.accepts() => Err(StoreError::BinlogStuck),
            Some(_) if !self.regrets.is_empty() => Err(StoreError::Io(io::Error::other(
                "a change that could not be done has not been taken back in the journal yet",
            ))),
            Some(_) => self.prepare(mutation, touched),
        };
        let checked = match prepared.and_then(|checked| self.add(checked)) {
            Ok(checked) => checked,
            // Whoever asked may have gone away; here and below.
            Err(error) => return drop(reply.send(Err(error))),
        };
        if let Some(name) = settled {
            self.files.quarantine.settle(&name);
        }
        if checked.entries.is_empty() && checked.packed.is_empty() {
            return drop(reply.send(Ok(checked.outcome)));
        }
        for entry in &checked.entries {
            touched.extend(entry.names().map(|name| name.true_name().to_owned()));
            entry.fills().iter().for_each(|place| self.claims.add(place));
        }
        touched.extend(checked.packed.iter().map(|change| file_of(&change.name).true_name().to_owned()));
        batch.push(Prepared { checked, reply });
    }

    /// Adds what a checked change consists of to the batches of journal and pack: all of it or, when a pack has no
    /// room, nothing.
    fn add(&mut self, checked: Checked) -> Result<Checked, StoreError> {
        if let Some(journal) = &mut self.journal {
            let size = checked.staged.as_ref().map_or(0, crate::Staged::len);
            checked.entries.iter().for_each(|entry| journal.add(&entry.entry(), size));
        }
        let mark = self.head.mark();
        for PackedChange { name, content, op, time } in &checked.packed {
            let new = match content {
                Some(content) => New::File { content },
                None => New::Gone,
            };
            if let Err(error) = self.head.add(name.true_name(), *op as u8, *time, new) {
                self.head.take_back(mark);
                return Err(error);
            }
        }
        if checked.packed.len() > 1
            && let Err(error) = self.head.join(mark)
        {
            self.head.take_back(mark);
            return Err(error);
        }
        Ok(checked)
    }

    fn commit(&mut self, batch: Vec<Prepared>) {
        let (packed, plain): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|prepared| prepared.checked.entries.is_empty());
        self.commit_packed(packed);
        self.commit_plain(plain);
    }

    fn commit_packed(&mut self, batch: Vec<Prepared>) {
        if batch.is_empty() {
            return;
        }
        let committed = self.head.commit();
        for Prepared { checked, reply } in batch {
            drop(reply.send(match &committed {
                Ok(()) => {
                    for change in checked.packed.iter().filter(|change| change.op != mend::NO_LINE) {
                        let line = line(change.time, change.op, &change.name, format_args!(""));
                        self.binlog.append(line.as_bytes());
                        self.memory.note(&change.name, &line, Was::Here);
                    }
                    Ok(checked.outcome)
                }
                Err(error) => Err(io::Error::new(error.kind(), error.to_string()).into()),
            }));
        }
    }

    fn commit_plain(&mut self, batch: Vec<Prepared>) {
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.certain() {
            for prepared in batch {
                drop(prepared.reply.send(Err(uncertain(&error))));
            }
            return;
        }
        let mut refused = Vec::new();
        for Prepared { checked, reply } in batch {
            if let Err(error) = self.apply(&checked.entries) {
                refused.push((reply, checked, error));
                continue;
            }
            if let Some(staged) = checked.staged {
                self.settle(staged, &checked.entries);
            }
            drop(reply.send(Ok(checked.outcome)));
        }
        // Only now: the journal may begin a new segment, for which all changes before must be done.
        self.regret();
        // Whoever is told that a change was not done does not find it done after the next start.
        for (reply, _checked, error) in refused {
            drop(reply.send(Err(error.into())));
        }
    }

    /// Writes the regrets to the journal. While that can't be done no change is taken: a regret speaks of the entry of its
    /// name that is before it.
    fn regret(&mut self) {
        if self.regrets.is_empty() {
            return;
        }
        if let Some(journal) = &mut self.journal {
            self.regrets.iter().for_each(|regret| journal.add(&regret.entry(), 0));
        }
        // An error is said by the call itself.
        if self.certain().is_ok() {
            self.regrets.clear();
        }
    }

    /// Writes what has been added to the journal.
    fn certain(&mut self) -> io::Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let committed = journal.commit();
        if let Err(error) = &committed {
            let path = self.files.data.display();
            if journal.has_failed() {
                tracing::error!(%error, %path, "the journal failed, this store path takes no more changes");
                self.journal = None;
            } else if error.kind() != io::ErrorKind::StorageFull {
                // A full disk is said by whoever asked.
                tracing::error!(%error, %path, "the journal can't be written at the moment");
            }
        }
        committed
    }

    fn apply(&mut self, entries: &[OwnedEntry]) -> io::Result<()> {
        for (at, owned) in entries.iter().enumerate() {
            let entry = owned.entry();
            if let Err(error) = self.files.apply(&entry.change, entry.mtime, Turn::First) {
                // A full disk is said by whoever asked.
                if error.kind() != io::ErrorKind::StorageFull {
                    tracing::error!(%error, path = %self.files.data.display(), "a change could not be done");
                }
                // Those behind it, which are not done now, are in the journal as well.
                entries.iter().skip(at).for_each(|owned| self.take_back(owned));
                return Err(error);
            }
            self.binlog.append(entry.line);
            let is_only_noted = matches!(owned.change, OwnedChange::Note { .. });
            let was = if is_only_noted { Was::Missing } else { Was::Here };
            self.memory.note(owned.name(), &owned.lines, was);
            if let OwnedChange::Empty { name } = &owned.change {
                self.files.trunk.verified.forget(name.true_name());
                if owned.is_deletion_by_a_client() {
                    self.files.trunk.freed.add(name);
                }
            }
        }
        Ok(())
    }

    /// A change was journalled and could not be done: sees to it that a later start does not do it either. An entry
    /// without binlog lines tells recovery to leave out the one of the same name before it, and undoes what a power cut
    /// may leave of it.
    fn take_back(&mut self, entry: &OwnedEntry) {
        let change = match &entry.change {
            OwnedChange::Fill { name, .. } | OwnedChange::FillStaged { name, .. } => {
                OwnedChange::Empty { name: name.clone() }
            }
            OwnedChange::Create { name, .. }
            | OwnedChange::Adopt { name, .. }
            | OwnedChange::Replace { name, .. } => {
                let stat = self.files.plain().stat(name.true_name()).ok().flatten();
                match stat {
                    // What was to be replaced.
                    Some(_) => OwnedChange::Note { name: name.clone() },
                    None => OwnedChange::Delete { name: name.clone() },
                }
            }
            OwnedChange::Write { name, .. } | OwnedChange::Splice { name, .. } => {
                let stat = self.files.plain().stat(name.true_name()).ok().flatten();
                match stat {
                    Some(stat) => {
                        OwnedChange::Truncate { name: name.clone(), size: stat.st_size.unsigned_abs() }
                    }
                    None => OwnedChange::Delete { name: name.clone() },
                }
            }
            // Another disk may have had no room.
            OwnedChange::Move { from, .. } => OwnedChange::Note { name: from.clone() },
            OwnedChange::Truncate { .. }
            | OwnedChange::Delete { .. }
            | OwnedChange::Empty { .. }
            | OwnedChange::Note { .. } => return,
        };
        self.regrets.push(OwnedEntry { change, mtime: 0, lines: String::new() });
    }

    /// What becomes of a temporary file whose change is done.
    fn settle(&mut self, staged: crate::Staged, entries: &[OwnedEntry]) {
        let is_copied = |entry: &OwnedEntry| {
            matches!(entry.change, OwnedChange::Splice { .. } | OwnedChange::FillStaged { .. })
        };
        if !entries.iter().any(is_copied) {
            // It has its final name now.
            return staged.forget();
        }
        // A crash before the checkpoint does the copy again, as everything before and after it, at either durability.
        if let Some(journal) = &mut self.journal {
            journal.remove_later(staged.temp_path());
            staged.forget();
        }
    }
}

/// Checking a mutation against the files as they are, and turning it into entries.
impl State {
    /// What there is to be said of a whole file that a peer brings, under its name or under a new one, when it was deleted
    /// before: who deleted it has told the others, too. Its creation may be under way still when its deletion is done: over
    /// another connection, or from another member.
    fn too_late(&self, mutation: &Mutation) -> Result<Option<Outcome>, StoreError> {
        match mutation {
            Mutation::Copy { name, origin: Origin::Peer(_), .. } if self.memory.came_too_late(name) => {
                tracing::info!(%name, "a file came that was deleted already, it is not kept");
                Ok(Some(Outcome::Had))
            }
            Mutation::Move { new: NewName::Fixed(name), origin: Origin::Peer(_), .. }
                if self.memory.came_too_late(name) =>
            {
                tracing::info!(%name, "a file was to get the name of one that was deleted already");
                Err(StoreError::Exists)
            }
            _ => Ok(None),
        }
    }

    /// What there is to be said of a change that a peer brings once more, which was here before one that was made here.
    fn overtaken(&self, mutation: &Mutation) -> Result<Option<Outcome>, StoreError> {
        let (name, origin, what, outcome) = match mutation {
            Mutation::Copy { name, origin, .. } => (name, origin, Brought::Whole, Outcome::Had),
            Mutation::Write { name, at: At::KnownEnd(start), origin, .. } => {
                (name, origin, Brought::Append(*start), Outcome::At(*start))
            }
            Mutation::Write { name, at: At::Offset(offset), origin, .. } => {
                (name, origin, Brought::Modify(*offset), Outcome::At(*offset))
            }
            Mutation::Truncate { name, size, origin, .. } => {
                (name, origin, Brought::Truncate(*size), Outcome::At(*size))
            }
            Mutation::Delete { name, origin } => (name, origin, Brought::Delete, Outcome::Had),
            _ => return Ok(None),
        };
        let is_again = matches!(origin, Origin::Peer(time) if self.memory.is_overtaken(name, *time, what));
        // One that is missing for another reason is better than none.
        let stays =
            is_again && (what != Brought::Whole || self.memory.went(name) || self.standing(name)?.is_some());
        Ok(stays.then_some(outcome))
    }

    fn prepare(&self, mutation: Mutation, touched: &BTreeSet<String>) -> Result<Checked, StoreError> {
        if let Some(outcome) = self.too_late(&mutation)? {
            return Ok(Checked::nothing(outcome));
        }
        if let Some(outcome) = self.overtaken(&mutation)? {
            return Ok(Checked::nothing(outcome));
        }
        match mutation {
            Mutation::Create { name, content, link_to, origin } => {
                let must_be_slot = matches!(name, NewName::Slot(_));
                let name = self.unused(name, touched)?;
                self.create(name, must_be_slot, content, link_to, origin)
            }
            Mutation::Copy { name, content, same, op, origin } => self.copy(name, content, same, op, origin),
            Mutation::Mend { name, content, bad, time } => self.mend(name, content, bad, time),
            Mutation::SetAside { name, bad, time } => self.set_aside(name, bad, time),
            Mutation::Watch => Ok(Checked::nothing(Outcome::Done)),
            Mutation::Write { name, at, content, origin } => self.write(name, at, content, origin),
            Mutation::Truncate { name, size, old, origin } => self.truncate(name, size, old, origin),
            Mutation::Move { name, new, seen: before, origin } => {
                let new = self.unused(new, touched)?;
                let stat = self.changeable(&name, origin)?;
                let mark = self.files.changes.mark(name.true_name().as_bytes());
                let now = mark.map(|mark| Before { seen: seen(&stat), mark });
                if before.is_some() && before != now {
                    return Ok(Checked::nothing(Outcome::Changed));
                }
                self.rename(name, new, origin)
            }
            Mutation::Delete { name, origin } => self.delete(name, origin),
            Mutation::Metadata { name, update, origin } => self.metadata(name, update, origin),
        }
    }

    fn unused(&self, name: NewName, touched: &BTreeSet<String>) -> Result<FileName, StoreError> {
        let taken = |name: &FileName| -> Result<bool, StoreError> {
            let (plain, true_name) = (self.files.plain(), name.true_name());
            Ok(touched.contains(true_name)
                || self.packs.contains(true_name)
                || plain.stat(true_name)?.is_some()
                || trunk::find(&plain, name)?.is_some())
        };
        match name {
            NewName::Fixed(name) | NewName::Slot(name) => {
                if taken(&name)? {
                    Err(StoreError::Exists)
                } else {
                    Ok(name)
                }
            }
            NewName::Fresh(mut make) => {
                for attempt in 0..ATTEMPTS_MAX {
                    let name = make(attempt);
                    if !taken(&name)? {
                        return Ok(name);
                    }
                }
                Err(StoreError::NoName)
            }
        }
    }

    fn create(
        &self,
        name: FileName,
        must_be_slot: bool,
        content: Content,
        link_to: Option<FileName>,
        origin: Origin,
    ) -> Result<Checked, StoreError> {
        let (mtime, op) = (origin.time(), origin.letter(if link_to.is_some() { 'L' } else { 'C' }));
        let outcome = Outcome::Named(name.clone());
        if let Some(file_len) = self.slot_for(&name, &content)? {
            let lines = line(mtime, op, &name, format_args!(""));
            return Ok(in_slot(name, file_len, content, mtime, lines, outcome));
        }
        if must_be_slot {
            return Err(StoreError::Exists);
        }
        let content = match content {
            // A record has no room for a second name.
            Content::Bytes(content)
                if link_to.is_none() && self.packs_new(&name, content.len(), origin)? =>
            {
                let change = PackedChange { name, content: Some(content), op, time: mtime };
                return Ok(Checked::packed(vec![change], outcome));
            }
            content => content,
        };
        let lines = match link_to {
            Some(to) => link_line(origin, &name, &to),
            None => line(mtime, op, &name, format_args!("")),
        };
        let (change, staged) = match content {
            Content::Bytes(content) => (OwnedChange::Create { name, content }, None),
            Content::Staged(staged) => {
                crate::plain::set_mtime(staged.file(), mtime)?;
                (OwnedChange::Adopt { name, temp: staged.number() }, Some(staged))
            }
        };
        Ok(Checked { staged, ..Checked::plain(vec![OwnedEntry { change, mtime, lines }], outcome) })
    }

    /// The length of trunk files, if a new file goes into the slot that its name speaks of: new files get slots, the
    /// content is what the name says, and the slot is free. Otherwise the name serves as any other.
    fn slot_for(&self, name: &FileName, content: &Content) -> Result<Option<u32>, StoreError> {
        let (Some(file_len), Some(place)) = (self.files.trunk.file_len(), Place::of(name)) else {
            return Ok(None);
        };
        let is_right = trunk::suits(name, content.len(), || match content {
            Content::Bytes(bytes) => crc32fast::hash(bytes),
            Content::Staged(staged) => staged.crc32(),
        });
        if !is_right || place.end() > file_len.into() {
            return Ok(None);
        }
        if self.claims.overlap(&place) || !trunk::is_free(&self.files.plain(), &place)? {
            tracing::warn!(%name, "the slot of a new file is in use, it is kept beside");
            return Ok(None);
        }
        Ok(Some(file_len))
    }

    /// A plain file that may be changed: for a client, that is an appender; peers have looked at that.
    fn changeable(&self, name: &FileName, origin: Origin) -> Result<rustix::fs::Stat, StoreError> {
        let here = matches!(origin, Origin::Here(_));
        if here && self.packs.contains(name.true_name()) {
            return Err(StoreError::NotAppender);
        }
        let stat = self.files.plain().stat(name.true_name())?.ok_or(StoreError::NotFound)?;
        if !is_regular(&stat) {
            return Err(StoreError::NotRegular);
        }
        if here && name.kind() != Kind::Appender { Err(StoreError::NotAppender) } else { Ok(stat) }
    }

    fn write(&self, name: FileName, at: At, content: Content, origin: Origin) -> Result<Checked, StoreError> {
        if matches!(origin, Origin::Peer(_)) && self.packs.contains(name.true_name()) {
            return self.write_packed(name, at, content, origin);
        }
        let size = self.changeable(&name, origin)?.st_size.unsigned_abs();
        let offset = offset_of(at, size, content.len())?;
        let now = origin.time();
        let op = origin.letter(if matches!(at, At::Offset(_)) { 'M' } else { 'A' });
        let outcome = Outcome::At(offset);
        if content.len() == 0 && matches!(origin, Origin::Here(_)) {
            return Ok(Checked::nothing(outcome));
        }
        let lines = line(now, op, &name, format_args!(" {offset} {}", content.len()));
        let (change, staged) = match content {
            Content::Bytes(content) => (OwnedChange::Write { name, offset, content }, None),
            Content::Staged(staged) => {
                (OwnedChange::Splice { name, offset, temp: staged.number() }, Some(staged))
            }
        };
        Ok(Checked { staged, ..Checked::plain(vec![OwnedEntry { change, mtime: now, lines }], outcome) })
    }

    fn truncate(
        &self,
        name: FileName,
        size: u64,
        wanted: Option<u64>,
        origin: Origin,
    ) -> Result<Checked, StoreError> {
        if matches!(origin, Origin::Peer(_)) && self.packs.contains(name.true_name()) {
            return self.truncate_packed(name, size, wanted, origin);
        }
        let old = self.changeable(&name, origin)?.st_size.unsigned_abs();
        if wanted.is_some_and(|wanted| wanted != old) {
            return Err(StoreError::Differs);
        }
        if old == size && matches!(origin, Origin::Here(_)) {
            return Ok(Checked::nothing(Outcome::At(old)));
        }
        let now = origin.time();
        let lines = line(now, origin.letter('T'), &name, format_args!(" {old} {size}"));
        let change = OwnedChange::Truncate { name, size };
        Ok(Checked::plain(vec![OwnedEntry { change, mtime: now, lines }], Outcome::At(old)))
    }

    fn rename(&self, name: FileName, new: FileName, origin: Origin) -> Result<Checked, StoreError> {
        let now = origin.time();
        if self.durability == Durability::Disk {
            // What was written under the old name must not depend on entries that speak of that name.
            self.files.plain().sync(name.true_name())?;
        }
        let (old_meta, new_meta) = (name.metadata_name(), new.metadata_name());
        let mut entries = vec![OwnedEntry {
            lines: rename_line(origin, &name, &new),
            change: OwnedChange::Move { from: name, to: new.clone() },
            mtime: 0,
        }];
        if self.files.plain().stat(old_meta.true_name())?.is_some() {
            if self.durability == Durability::Disk {
                self.files.plain().sync(old_meta.true_name())?;
            }
            let lines = line(now, origin.letter('C'), &new_meta, format_args!(""))
                + &line(now, origin.letter('D'), &old_meta, format_args!(""));
            let change = OwnedChange::Move { from: old_meta, to: new_meta };
            entries.push(OwnedEntry { change, mtime: 0, lines });
        }
        Ok(Checked::plain(entries, Outcome::Named(new)))
    }

    fn delete(&self, name: FileName, origin: Origin) -> Result<Checked, StoreError> {
        let (now, op) = (origin.time(), origin.letter('D'));
        if self.packs.contains(name.true_name()) {
            let metadata = name.metadata_name();
            let going = |name| PackedChange { name, content: None, op, time: now };
            let mut packed = vec![going(name)];
            if self.packs.contains(metadata.true_name()) {
                packed.push(going(metadata));
            }
            return Ok(Checked::packed(packed, Outcome::Done));
        }
        let plain = self.files.plain();
        let metadata = name.metadata_name();
        let mut entries = Vec::with_capacity(2);
        let lines = line(now, op, &name, format_args!(""));
        let change = match plain.stat(name.true_name())? {
            Some(stat) if is_regular(&stat) || is_link(&stat) => OwnedChange::Delete { name },
            Some(_) => return Err(StoreError::NotRegular),
            None => {
                if !trunk::is_in_slot(&self.files, &name)? {
                    if !self.files.quarantine.holds(name.true_name()) {
                        return missing(name, lines, origin);
                    }
                    OwnedChange::Note { name }
                } else {
                    OwnedChange::Empty { name }
                }
            }
        };
        entries.push(OwnedEntry { change, mtime: 0, lines });
        if plain.stat(metadata.true_name())?.is_some() {
            let lines = line(now, op, &metadata, format_args!(""));
            entries.push(OwnedEntry { change: OwnedChange::Delete { name: metadata }, mtime: 0, lines });
        }
        Ok(Checked::plain(entries, Outcome::Done))
    }

    fn metadata(
        &self,
        name: FileName,
        update: crate::mutation::MetadataUpdate,
        origin: Origin,
    ) -> Result<Checked, StoreError> {
        let is_packed = self.packs.contains(name.true_name());
        if !is_packed {
            let is_plain = self.files.plain().stat(name.true_name())?.is_some();
            if !is_plain && !trunk::is_in_slot(&self.files, &name)? {
                return Err(StoreError::NotFound);
            }
        }
        let name = name.metadata_name();
        let old = if is_packed { self.packs.read(name.true_name())? } else { self.plain_content(&name)? };
        let new = update(old.as_deref());
        let (op, new) = match (old, new) {
            (None, None) => return Ok(Checked::nothing(Outcome::Done)),
            (Some(old), Some(new)) if old == new => return Ok(Checked::nothing(Outcome::Done)),
            (Some(_), None) => ('D', None),
            (Some(_), Some(content)) => ('U', Some(content)),
            (None, Some(content)) => ('C', Some(content)),
        };
        let (now, op) = (origin.time(), origin.letter(op));
        if is_packed {
            let change = PackedChange { name, content: new.map(Into::into), op, time: now };
            return Ok(Checked::packed(vec![change], Outcome::Done));
        }
        let lines = line(now, op, &name, format_args!(""));
        let change = match new {
            Some(content) => OwnedChange::Replace { name, content },
            None => OwnedChange::Delete { name },
        };
        Ok(Checked::plain(vec![OwnedEntry { change, mtime: 0, lines }], Outcome::Done))
    }

    /// All of a plain file; `None` when there is none.
    fn plain_content(&self, name: &FileName) -> io::Result<Option<Vec<u8>>> {
        match self.files.plain().open(name.true_name()) {
            Ok(Some(mut file)) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Why changes did not become certain; never that a file of theirs is there or not.
fn uncertain(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => {
            StoreError::Io(io::Error::other(error.to_string()))
        }
        kind => io::Error::new(kind, error.to_string()).into(),
    }
}

/// A file that is to go is not here. When a peer says so, it may only not have come yet, and the log has to know what must
/// not come any more; metadata goes with its file.
fn missing(name: FileName, lines: String, origin: Origin) -> Result<Checked, StoreError> {
    if matches!(origin, Origin::Here(_)) || name.is_metadata() {
        return Err(StoreError::NotFound);
    }
    let entry = OwnedEntry { change: OwnedChange::Note { name }, mtime: 0, lines };
    Ok(Checked::plain(vec![entry], Outcome::Missing))
}

/// A new file in its slot.
fn in_slot(
    name: FileName,
    file_len: u32,
    content: Content,
    mtime: u32,
    lines: String,
    outcome: Outcome,
) -> Checked {
    let (change, staged) = match content {
        Content::Bytes(content) => (OwnedChange::Fill { name, file_len, content }, None),
        Content::Staged(staged) => {
            (OwnedChange::FillStaged { name, file_len, temp: staged.number() }, Some(staged))
        }
    };
    Checked { staged, ..Checked::plain(vec![OwnedEntry { change, mtime, lines }], outcome) }
}

/// The files that a mutation is about, but for those that nobody knows yet. A metadata name stands for its file.
fn touches(mutation: &Mutation) -> [Option<FileName>; 2] {
    match mutation {
        Mutation::Create { name: NewName::Fresh(_), .. } | Mutation::Watch => [None, None],
        Mutation::Move { name, new: NewName::Fixed(new), .. } => [Some(file_of(name)), Some(file_of(new))],
        Mutation::Create { name: NewName::Fixed(name) | NewName::Slot(name), .. }
        | Mutation::Copy { name, .. }
        | Mutation::Mend { name, .. }
        | Mutation::SetAside { name, .. }
        | Mutation::Write { name, .. }
        | Mutation::Truncate { name, .. }
        | Mutation::Move { name, .. }
        | Mutation::Delete { name, .. }
        | Mutation::Metadata { name, .. } => [Some(file_of(name)), None],
    }
}

impl OwnedEntry {
    /// The name that it is about; of a move, the one before.
    fn name(&self) -> &FileName {
        match &self.change {
            OwnedChange::Create { name, .. }
            | OwnedChange::Adopt { name, .. }
            | OwnedChange::Replace { name, .. }
            | OwnedChange::Write { name, .. }
            | OwnedChange::Splice { name, .. }
            | OwnedChange::Truncate { name, .. }
            | OwnedChange::Note { name }
            | OwnedChange::Delete { name }
            | OwnedChange::Fill { name, .. }
            | OwnedChange::FillStaged { name, .. }
            | OwnedChange::Empty { name }
            | OwnedChange::Move { from: name, .. } => name,
        }
    }

    /// The names that must not be touched by another change of the same batch: a metadata name stands for
    /// its file.
    fn names(&self) -> impl Iterator<Item = FileName> {
        let other = match &self.change {
            OwnedChange::Move { to, .. } => Some(to),
            _ => None,
        };
        std::iter::once(self.name()).chain(other).map(file_of)
    }

    /// The slot that it fills.
    fn fills(&self) -> Option<Place> {
        match &self.change {
            OwnedChange::Fill { name, .. } | OwnedChange::FillStaged { name, .. } => Place::of(name),
            _ => None,
        }
    }

    /// Whether the trunk server is to hear from this storage that a slot is free: a deletion that another member passes on
    /// was reported there.
    fn is_deletion_by_a_client(&self) -> bool {
        self.lines.split(' ').nth(1) == Some("D")
    }
}

/// A metadata name stands for its file.
fn file_of(name: &FileName) -> FileName {
    name.metadata_master().unwrap_or_else(|| name.clone())
}

/// Waits for one more change until it is `due`.
fn company(jobs: &mut mpsc::Receiver<Job>, due: Option<Instant>) -> Option<Job> {
    let due = due?;
    while Instant::now() < due {
        // A channel that can be waited for with a deadline would need a runtime here.
        std::thread::sleep(COMPANY_STEP.min(due.saturating_duration_since(Instant::now())));
        if let Ok(job) = jobs.try_recv() {
            return Some(job);
        }
    }
    None
}

/// Where bytes go in a file of `size` bytes.
fn offset_of(at: At, size: u64, len: u64) -> Result<u64, StoreError> {
    match at {
        At::End => Ok(size),
        At::KnownEnd(start) => match receive::appended(size, start, len) {
            receive::Appended::Here => Ok(start),
            receive::Appended::Had => Err(StoreError::Exists),
            receive::Appended::Unfit => Err(StoreError::NotFound),
        },
        At::Offset(offset) if offset <= size => Ok(offset),
        At::Offset(_) => Err(StoreError::Offset),
    }
}

/// Longest column of names in a binlog line that the original reads; a longer one would hold up its readers for ever
/// (storage internals: holes, D5).
const COLUMN_LEN_MAX: usize = 127;

/// The line of one more name for a file; with names too long for one line, it is that of a new file, which it is here.
fn link_line(origin: Origin, name: &FileName, to: &FileName) -> String {
    if name.as_str().len() + 1 + to.as_str().len() > COLUMN_LEN_MAX {
        return line(origin.time(), origin.letter('C'), name, format_args!(""));
    }
    line(origin.time(), origin.letter('L'), name, format_args!(" {to}"))
}

/// A binlog line (storage internals: replication log).
///
/// Where the original could not read what was changed in a file with a long name, and would read nothing behind it
/// either (storage internals: holes, D5), the line says that the file was replaced.
fn line(time: u32, op: char, name: &FileName, extra: std::fmt::Arguments<'_>) -> String {
    let column = format!("{name}{extra}");
    if column.len() <= COLUMN_LEN_MAX || column.len() == name.as_str().len() {
        return format!("{time} {op} {column}\n");
    }
    let replaced = if op.is_ascii_lowercase() { 'u' } else { 'U' };
    format!("{time} {replaced} {name}\n")
}

/// The line of a rename; of one that the original could not read, those of a copy and a deletion.
fn rename_line(origin: Origin, old: &FileName, new: &FileName) -> String {
    let time = origin.time();
    if new.as_str().len() + 1 + old.as_str().len() <= COLUMN_LEN_MAX {
        return line(time, origin.letter('R'), new, format_args!(" {old}"));
    }
    line(time, origin.letter('C'), new, format_args!(""))
        + &line(time, origin.letter('D'), old, format_args!(""))
}
