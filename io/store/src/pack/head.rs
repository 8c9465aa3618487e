//! The head: the pack that takes new records. Only the writer of the store path has it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use fdfs_format::pack::{
    ALIGN, HintFile, HintGone, Kind, PACK_HEADER_LEN, PACK_LEN_MAX, PackHeader, RECORD_HEADER_LEN, Record,
    Victim,
};

use super::disk::Writable;
use super::index::{Fingerprint, Location};
use super::listing::{hint_path, pack_path, write_hint};
use super::{Listing, Pack, Packs};
use crate::StoreError;
use crate::binlog::Binlog;
use crate::pack::compact::Work;

/// Room that the file system keeps for the head ahead of its end, bytes, and asked for at a time.
const ALLOCATE_STEP: u64 = 16 << 20;

/// Of that, what new files leave for records that say what is gone: on a full disk files can be deleted.
const RESERVE: u64 = 256 * 1024;

/// Zeros that are written behind a batch, bytes, when every batch is synced. Syncing what is later written over them leaves
/// what the file system knows of the file as it is, which is twice as fast (ext4); with more of them, those that wait for
/// this batch wait longer.
const ZERO_STEP: u64 = 256 * 1024;

/// A batch of so many bytes has so much to write itself that zeros behind it only cost.
const ZERO_BEHIND_MAX: u64 = ZERO_STEP / 2;

/// A record to be.
pub(crate) enum New<'a> {
    /// A file; one of the same name that is there already goes.
    File { content: &'a [u8] },
    /// What has this name goes.
    Gone,
}

/// A place in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    batch: usize,
    pending: usize,
}

/// What a record of the batch means for the index.
enum Pending {
    File { fingerprint: Fingerprint, at: usize, sequence: u64, content_len: u32, name_len: u8 },
    Gone { fingerprint: Fingerprint, at: usize, sequence: u64, victim: Victim },
}

/// The pack that takes new records, and the records on their way into it.
pub(crate) struct Head {
    packs: Arc<Packs>,
    binlog: Arc<Binlog>,
    background: SyncSender<Work>,
    /// The pack; none before the first record.
    open: Option<Open>,
    next_number: u64,
    next_sequence: u64,
    batch: Vec<u8>,
    pending: Vec<Pending>,
    /// A pack could be neither written to nor sealed.
    broken: bool,
}

struct Open {
    pack: Arc<Pack>,
    to: Writable,
    end: u64,
    /// How far the file system keeps room.
    allocated: u64,
    /// How far the file was written to, be it with zeros.
    zeroed: u64,
    listing: Listing,
}

impl Head {
    pub(super) fn new(
        packs: Arc<Packs>,
        binlog: Arc<Binlog>,
        background: SyncSender<Work>,
        next_number: u64,
        next_sequence: u64,
    ) -> Self {
        let (batch, pending) = (Vec::new(), Vec::new());
        Self {
            packs,
            binlog,
            background,
            open: None,
            next_number,
            next_sequence,
            batch,
            pending,
            broken: false,
        }
    }

    /// Bytes of the batch.
    pub(crate) fn batch_len(&self) -> usize {
        self.batch.len()
    }

    /// Adds a record to the batch. `op` is the letter of its binlog line.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`], [`StoreError::JournalFailed`]; then the batch is as it was.
    pub(crate) fn add(&mut self, name: &str, op: u8, mtime: u32, new: New<'_>) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::JournalFailed);
        }
        let before = self.packs.find(name);
        let fingerprint = self.packs.key.fingerprint(name.as_bytes());
        let victim = before
            .map(|(pack, location)| Victim { sequence: pack.sequence(&location), pack: pack.header.number });
        let (content_len, is_file) = match new {
            New::File { content } => (content.len(), true),
            New::Gone => (0, false),
        };
        // A file may be followed by a record that says that the one before it is gone.
        self.room(content_len + 2 * (RECORD_HEADER_LEN + name.len() + 2 * ALIGN + 16), is_file)?;
        let mark = self.mark();
        let added = self.add_records(fingerprint, name, op, mtime, new, victim);
        if added.is_err() {
            self.take_back(mark);
        }
        added
    }

    /// The end of the batch as it is, for [`Head::take_back`].
    pub(crate) fn mark(&self) -> Mark {
        Mark { batch: self.batch.len(), pending: self.pending.len() }
    }

    /// Takes what was added since then out of the batch.
    pub(crate) fn take_back(&mut self, mark: Mark) {
        self.batch.truncate(mark.batch);
        self.pending.truncate(mark.pending);
    }

    fn add_records(
        &mut self,
        fingerprint: Fingerprint,
        name: &str,
        op: u8,
        mtime: u32,
        new: New<'_>,
        victim: Option<Victim>,
    ) -> Result<(), StoreError> {
        // The new one first. When only that reaches the disk, there are two, of which the later one counts; the other
        // does not count alone, for then there would be none.
        if let New::File { content } = new {
            let at = self.batch.len();
            let sequence = self.encode(Kind::File, op, mtime, content, name)?;
            let (content_len, name_len) = (content.len() as u32, name.len() as u8);
            self.pending.push(Pending::File { fingerprint, at, sequence, content_len, name_len });
        }
        if let Some(victim) = victim {
            let op = if matches!(new, New::Gone) { op } else { 0 };
            let at = self.batch.len();
            self.add_gone(fingerprint, name, op, mtime, victim)?;
            if matches!(new, New::File { .. }) {
                join(&mut self.batch, at, true, false)?;
            }
        }
        Ok(())
    }

    /// Makes one change of everything that was added since then: after a crash all of it counts, or nothing.
    pub(crate) fn join(&mut self, since: Mark) -> Result<(), StoreError> {
        let records = self.pending.get(since.pending..).unwrap_or_default();
        let last = records.len().saturating_sub(1);
        for (index, record) in records.iter().enumerate() {
            let (Pending::File { at, .. } | Pending::Gone { at, .. }) = record;
            join(&mut self.batch, *at, index > 0, index < last)?;
        }
        Ok(())
    }

    fn add_gone(
        &mut self,
        fingerprint: Fingerprint,
        name: &str,
        op: u8,
        mtime: u32,
        victim: Victim,
    ) -> Result<(), StoreError> {
        let at = self.batch.len();
        let sequence = self.encode(Kind::Gone, op, mtime, &victim.encode(), name)?;
        self.pending.push(Pending::Gone { fingerprint, at, sequence, victim });
        Ok(())
    }

    fn encode(
        &mut self,
        kind: Kind,
        op: u8,
        mtime: u32,
        content: &[u8],
        name: &str,
    ) -> Result<u64, StoreError> {
        let sequence = self.next_sequence;
        Record::encode(sequence, kind, op, mtime, content, name.as_bytes(), &mut self.batch)
            .map_err(|error| StoreError::Io(io::Error::other(error)))?;
        self.next_sequence += 1;
        Ok(sequence)
    }

    /// Says that the loser of two files of one name is gone: a crash came between the record of the later one and that.
    pub(super) fn add_loser(&mut self, name: &[u8], victim: Victim) -> Result<(), StoreError> {
        let name = std::str::from_utf8(name).map_err(|error| StoreError::Io(io::Error::other(error)))?;
        self.room(RECORD_HEADER_LEN + name.len() + 3 * ALIGN, false)?;
        self.add_gone(self.packs.key.fingerprint(name.as_bytes()), name, 0, 0, victim)
    }

    /// Sees to it that there is room for `len` more bytes, in this pack or in the next one.
    fn room(&mut self, len: usize, is_file: bool) -> Result<(), StoreError> {
        let batch = self.batch.len() as u64;
        let full = |open: &Open| batch == 0 && open.end >= self.packs.settings.pack_len.min(PACK_LEN_MAX / 2);
        if self.open.as_ref().is_none_or(full) {
            match self.next() {
                Err(error) if self.open.is_some() && !is_file => {
                    tracing::debug!(%error, "no room for a new pack")
                }
                other => other?,
            }
        }
        let Some(open) = &mut self.open else { return Err(StoreError::NoSpace) };
        let need = open.end + batch + len as u64 + if is_file { RESERVE } else { 0 };
        if need > open.allocated {
            let more = (open.allocated + allocate_step(&self.packs)).max(need);
            match self.packs.settings.disk.allocate(&open.to, open.allocated, more) {
                Ok(()) => open.allocated = more,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Begins the next pack and has the one before sealed in the background.
    fn next(&mut self) -> Result<(), StoreError> {
        let next = self.begin()?;
        if let Some(before) = self.open.replace(next) {
            let Open { pack, to, listing, .. } = before;
            // The thread ends only after the head does.
            let _ = self.background.send(Work::Seal { pack, to, listing });
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Open> {
        let settings = &self.packs.settings;
        let (binlog_index, binlog_offset) = self.binlog.position();
        let number = self.next_number;
        let header = PackHeader {
            number,
            covers: number,
            first_sequence: self.next_sequence,
            rewritten: 0,
            binlog_index,
            binlog_offset,
        };
        let path = pack_path(&settings.dir, number);
        let allocated = allocate_step(&self.packs);
        let file = settings.disk.create(path.clone());
        let made = file.and_then(|to| {
            settings.disk.allocate(&to, 0, allocated)?;
            settings.disk.write(&to, 0, &header.encode())?;
            if settings.sync {
                settings.disk.sync(&to)?;
                settings.disk.sync_dir(&settings.dir)?;
            }
            Ok(to)
        });
        let to = match made {
            Ok(to) => to,
            Err(error) => {
                // There is nothing in it; what can't be removed is passed over by the next start.
                let _ = settings.disk.remove(&path);
                return Err(error);
            }
        };
        self.next_number += 1;
        let end = PACK_HEADER_LEN as u64;
        let pack = self.packs.add(header, Arc::new(to.file.try_clone()?), end, false)?;
        Ok(Open { pack, to, end, allocated, zeroed: end, listing: Listing { end, ..Listing::default() } })
    }

    /// Makes the records of the batch certain and shows them to everybody.
    ///
    /// # Errors
    /// What writing or syncing says; then none of them counts, now or after the next start: the pack is sealed where
    /// it ended before, and whatever else it may hold is suspect.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = self.write();
        match &written {
            Ok(()) => self.apply(),
            Err(error) => self.abandon(error),
        }
        self.batch.clear();
        self.pending.clear();
        written
    }

    fn write(&mut self) -> io::Result<()> {
        let open = self.open.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let settings = &self.packs.settings;
        let len = self.batch.len();
        let end = open.end + len as u64;
        if settings.sync && end > open.zeroed {
            let zeros = if len as u64 <= ZERO_BEHIND_MAX { ZERO_STEP } else { 0 };
            open.zeroed = (end + zeros).min(open.allocated.max(end));
            self.batch.resize(usize::try_from(open.zeroed - open.end).unwrap_or(len), 0);
        }
        let written = settings.disk.write(&open.to, open.end, &self.batch);
        self.batch.truncate(len);
        written?;
        if settings.sync { settings.disk.sync(&open.to) } else { Ok(()) }
    }

    /// Shows the records of the batch to everybody. A pack has no more places and numbers than four bytes can tell
    /// apart: it is full long before ([`PACK_LEN_MAX`]).
    fn apply(&mut self) {
        let Some(open) = &mut self.open else { return };
        let place = |at: usize| ((open.end + at as u64) / ALIGN as u64) as u32;
        for pending in self.pending.drain(..) {
            match pending {
                Pending::File { fingerprint, at, sequence, content_len, name_len } => {
                    let (at, sequence) = (place(at), (sequence - open.pack.header.first_sequence) as u32);
                    let location = Location::new(open.pack.slot, at, sequence, content_len, name_len);
                    let fingerprint_bytes = fingerprint.bytes();
                    let file =
                        HintFile { fingerprint: fingerprint_bytes, sequence, at, content_len, name_len };
                    open.listing.files.push(file);
                    open.pack.live.fetch_add(location.padded_len(), Ordering::AcqRel);
                    if let Some(before) = self.packs.index.insert(fingerprint, location) {
                        self.packs.give_up(&before);
                    }
                }
                Pending::Gone { fingerprint, at, sequence, victim } => {
                    open.listing.gone.push(HintGone { sequence, victim, at: place(at) });
                    let is_victim = |location: &Location| {
                        let pack = self.packs.pack(location.slot);
                        pack.is_some_and(|pack| pack.sequence(location) == victim.sequence)
                    };
                    if let Some(before) = self.packs.index.remove_if(fingerprint, is_victim) {
                        self.packs.give_up(&before);
                    }
                }
            }
        }
        open.end += self.batch.len() as u64;
        open.listing.end = open.end;
        open.pack.end.store(open.end, Ordering::Release);
        self.packs.applied.store(self.next_sequence - 1, Ordering::Release);
    }

    /// A batch could not be written or synced: what the disk holds behind the end is unknown, and a second sync would
    /// not tell. The pack is sealed at the end, so that the next start knows where it is, and a new one is begun.
    /// Its hint speaks for it then, also about its lines, so these must be in the binlog before.
    fn abandon(&mut self, error: &io::Error) {
        tracing::error!(%error, dir = %self.packs.settings.dir.display(), "a pack could not be written, it is closed and a new one begun");
        let Some(open) = self.open.take() else { return };
        let settings = &self.packs.settings;
        let hint = open.listing.hint(self.packs.key, &open.pack.header);
        let path = hint_path(&settings.dir, open.pack.header.number);
        // Should the hint be lost one day, it is good when there is nothing behind the end. Whether there is does not
        // depend on it.
        let _ = settings.disk.set_len(&open.to, open.end);
        let closed = self.binlog.flush().and_then(|()| self.binlog.sync());
        if let Err(error) = closed.and_then(|()| write_hint(&settings.disk, &path, &hint)) {
            tracing::error!(%error, "the pack could not be closed, this store path takes no more small files");
            self.broken = true;
            return;
        }
        open.pack.sealed.store(true, Ordering::Release);
    }

    /// Closes the pack in order. Blocks.
    ///
    /// # Errors
    /// What writing and syncing say; the next start reads the pack itself.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(open) => seal(&self.packs, &self.binlog, &open.pack, &open.to, &open.listing),
            None => Ok(()),
        }
    }
}

fn join(batch: &mut [u8], at: usize, with_before: bool, with_next: bool) -> io::Result<()> {
    let record = batch.get_mut(at..).unwrap_or_default();
    Record::join(record, with_before, with_next).map_err(io::Error::other)
}

/// Room asked for at a time: no more than a pack takes.
fn allocate_step(packs: &Packs) -> u64 {
    ALLOCATE_STEP.min(packs.settings.pack_len + RESERVE)
}

/// Seals a pack: from now on its hint speaks for it, also about its binlog lines.
pub(super) fn seal(
    packs: &Packs,
    binlog: &Binlog,
    pack: &Pack,
    to: &Writable,
    listing: &Listing,
) -> io::Result<()> {
    let settings = &packs.settings;
    binlog.flush()?;
    binlog.sync()?;
    settings.disk.set_len(to, listing.end)?;
    settings.disk.sync(to)?;
    let hint = listing.hint(packs.key, &pack.header);
    write_hint(&settings.disk, &hint_path(&settings.dir, pack.header.number), &hint)?;
    pack.sealed.store(true, Ordering::Release);
    Ok(())
}
