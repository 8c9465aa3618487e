//! The thread behind the writer: seals full packs, and rewrites packs that are mostly gone.
//!
//! Rewriting copies what is still there, in its order and with its sequence numbers, to a new file that takes the
//! place of one pack or of several neighbours. Nobody waits for it: the writer goes on with the head, readers read the
//! old file until the index names the new one.
//!
//! A gone record is needed as long as the record it names is on disk. When a pack is rewritten, what was gone by
//! then is left out, so gone records up to that sequence number that name a record of this pack are needed no more.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fdfs_format::pack::{
    ALIGN, HintGone, PACK_HEADER_LEN, PackHeader, RECORD_HEADER_LEN, Record, RecordHeader,
};
use parking_lot::Mutex;

use super::disk::Writable;
use super::head::seal;
use super::index::Fingerprint;
use super::listing::{hint_path, pack_path, read_file, write_hint};
use super::{Listing, Location, Pack, Packs, scan};
use crate::binlog::Binlog;

/// How long to wait between looks for something to rewrite.
const PAUSE: Duration = Duration::from_secs(5);

/// After an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(60);

/// So many neighbours that fit into one pack are made one, although nothing of them is gone: every start leaves a pack.
const NEIGHBOURS_MIN: usize = 8;

/// Full packs that wait until the binlog can be written; of more, the next start reads all.
const UNSEALED_MAX: usize = 64;

/// What is written at a time; little in tests, so that much can happen in between.
const STEP: usize = if cfg!(test) { 256 } else { 1 << 20 };

/// Work that may wait; a writer that brings more waits itself.
pub(super) const QUEUE_LEN: usize = 16;

/// Name of a pack that is being rewritten; one found at a start is removed.
pub(crate) const REWRITE_EXTENSION: &str = "rewrite";

/// When packs are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompactSettings {
    /// Gone part of a pack at which it is rewritten, per cent.
    pub(crate) dead_percent: u64,
    /// Most bytes read and written a second; 0 is no bound.
    pub(crate) rate: u64,
}

/// What the thread is asked for.
pub(crate) enum Work {
    /// A pack that takes no more records.
    Seal { pack: Arc<Pack>, to: Writable, listing: Listing },
}

/// The thread of a store path.
pub(crate) struct Compactor {
    work: SyncSender<Work>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    pub(crate) fn start(
        packs: Arc<Packs>,
        binlog: Arc<Binlog>,
        settings: CompactSettings,
    ) -> io::Result<Self> {
        let (work, waiting) = sync_channel(QUEUE_LEN);
        let run = Run::new(packs, binlog, settings);
        let thread =
            std::thread::Builder::new().name("store-packs".into()).spawn(move || run.run(&waiting))?;
        Ok(Self { work, thread: Some(thread) })
    }

    /// Where a head hands over full packs.
    pub(crate) fn work(&self) -> SyncSender<Work> {
        self.work.clone()
    }
}

impl Drop for Compactor {
    /// Ends the thread once every head is gone. Blocks.
    fn drop(&mut self) {
        // Nobody listens any more at the other end of this one.
        self.work = sync_channel(1).0;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that rewrites packs panicked");
        }
    }
}

/// What the thread does.
pub(super) struct Run {
    packs: Arc<Packs>,
    binlog: Arc<Binlog>,
    settings: CompactSettings,
    /// What could not be done because the binlog could not be written.
    unsealed: Mutex<Vec<Work>>,
}

impl Run {
    pub(super) fn new(packs: Arc<Packs>, binlog: Arc<Binlog>, settings: CompactSettings) -> Self {
        Self { packs, binlog, settings, unsealed: Mutex::new(Vec::new()) }
    }

    fn run(&self, waiting: &Receiver<Work>) {
        let mut next = Instant::now() + PAUSE;
        loop {
            match waiting.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(work) => self.work_off(work),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => next = Instant::now() + self.rewrite_some(waiting),
            }
        }
    }

    pub(super) fn work_off(&self, work: Work) {
        if let Err(error) = self.binlog.flush() {
            // Nothing has been tried that can't be tried again.
            let mut unsealed = self.unsealed.lock();
            if unsealed.len() < UNSEALED_MAX {
                tracing::warn!(%error, "a full pack can't be closed before the binlog can be written");
                return unsealed.push(work);
            }
        }
        match work {
            Work::Seal { pack, to, listing } => {
                if let Err(error) = seal(&self.packs, &self.binlog, &pack, &to, &listing) {
                    tracing::error!(%error, pack = pack.header.number, "a full pack could not be closed, the next start reads all of it");
                }
            }
        }
    }

    /// Does what the writer has asked for meanwhile; whether nobody is there any more who could ask for something.
    pub(super) fn interrupted(&self, waiting: &Receiver<Work>) -> bool {
        loop {
            match waiting.try_recv() {
                Ok(work) => self.work_off(work),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Rewrites what is worth it, if anything is; how long to wait before the next look.
    fn rewrite_some(&self, waiting: &Receiver<Work>) -> Duration {
        self.packs.close_forgotten();
        let unsealed = std::mem::take(&mut *self.unsealed.lock());
        unsealed.into_iter().for_each(|work| self.work_off(work));
        let Some(group) = choose(&self.packs, self.settings.dead_percent) else { return PAUSE };
        match rewrite(&self.packs, &group, self.settings.rate, || self.interrupted(waiting)) {
            Ok(true) => Duration::ZERO,
            Ok(false) => PAUSE,
            Err(error) => {
                tracing::warn!(%error, "packs could not be rewritten, they stay as they are for now");
                PAUSE_AFTER_ERROR
            }
        }
    }
}

/// Packs that may be made one, as long as they are neighbours in the same list: the new one stands for every number
/// between its first and its last, so none of these may belong to a pack that is not a part of it.
pub(super) fn neighbours(packs: &Packs) -> Vec<Vec<Arc<Pack>>> {
    let mut lists: Vec<Vec<Arc<Pack>>> = Vec::new();
    let mut before: Option<u64> = None;
    for pack in packs.packs() {
        if !pack.sealed.load(Ordering::Acquire) || pack.left_alone.load(Ordering::Acquire) {
            before = None;
            continue;
        }
        let (number, covers) = (pack.header.number, pack.header.covers);
        let next_to_it = before
            .is_some_and(|before| !packs.unreadable.iter().any(|other| (before..number).contains(other)));
        match lists.last_mut() {
            Some(list) if next_to_it => list.push(pack),
            _ => lists.push(vec![pack]),
        }
        before = Some(covers);
    }
    lists
}

/// The neighbours to rewrite into one pack, if any are worth it.
pub(super) fn choose(packs: &Packs, dead_percent: u64) -> Option<Vec<Arc<Pack>>> {
    let lists = neighbours(packs);
    let used = |pack: &Pack| pack.end.load(Ordering::Acquire).saturating_sub(PACK_HEADER_LEN as u64);
    let live = |pack: &Pack| pack.live.load(Ordering::Acquire);
    let worth = |pack: &Pack| {
        let (used, kept) = (used(pack), pack.kept.load(Ordering::Acquire));
        let dead = pack.dead().saturating_sub(kept);
        used == 0 || dead > 0 && dead * 100 >= used * dead_percent && needless(packs, pack)
    };
    let pack_len = packs.settings.pack_len;
    // The group of neighbours from `first` on whose files fit into one pack, as long as `fits` says so.
    let group = |list: &[Arc<Pack>], first: usize, fits: &dyn Fn(&Pack) -> bool| -> Vec<Arc<Pack>> {
        let mut sum = 0;
        let neighbours = list.iter().skip(first).take_while(|pack| {
            sum += live(pack);
            fits(pack) && sum <= pack_len
        });
        neighbours.cloned().collect()
    };
    for list in &lists {
        if let Some(first) = list.iter().position(|pack| worth(pack)) {
            let mut chosen = group(list, first, &|pack| worth(pack) || used(pack) <= pack_len / 8);
            if chosen.is_empty() {
                chosen = list.get(first).cloned().into_iter().collect();
            }
            return Some(chosen);
        }
    }
    let small = |pack: &Pack| used(pack) <= pack_len / 8;
    let groups = lists.iter().flat_map(|list| (0..list.len()).map(|first| group(list, first, &small)));
    { groups }.find(|group| group.len() >= NEIGHBOURS_MIN)
}

/// Whether rewriting a pack would leave something out: gone records that are still needed are not.
fn needless(packs: &Packs, pack: &Pack) -> bool {
    pack.header.rewritten < packs.applied.load(Ordering::Acquire)
}

/// Makes one pack of `group`. False when `stop` said so before it was done; then nothing has changed.
pub(super) fn rewrite(
    packs: &Arc<Packs>,
    group: &[Arc<Pack>],
    rate: u64,
    stop: impl Fn() -> bool,
) -> io::Result<bool> {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(false) };
    let (disk, dir) = (&packs.settings.disk, &packs.settings.dir);
    let header = PackHeader {
        covers: last.header.covers,
        // Before anything is looked up: whatever is gone by now is not found below.
        rewritten: packs.applied.load(Ordering::Acquire),
        ..first.header
    };
    let (path, hint) = (pack_path(dir, header.number), hint_path(dir, header.number));
    let temp = path.with_extension(REWRITE_EXTENSION);
    let to = disk.create(temp.clone())?;
    let mut copy = Copy {
        packs,
        header,
        to: &to,
        buffer: header.encode().to_vec(),
        written: 0,
        listing: Listing::default(),
        moves: Vec::new(),
        left_out: 0,
        pace: Pace { rate, started: Instant::now(), bytes: 0 },
    };
    let copied = copy.all(group, &stop);
    let Copy { listing, moves, written, left_out, .. } = copy;
    let empty = group.len() == 1 && listing.files.is_empty() && listing.gone.is_empty();
    // Two states of a pack that say the same of themselves could not be told apart by their hint.
    let is_other = header != first.header;
    if !matches!(copied, Ok(true)) || empty || !is_other {
        // What can't be removed is removed by the next start.
        let _ = disk.remove(&temp);
        if !matches!(copied, Ok(true)) || !empty {
            return copied.map(|copied| copied && is_other);
        }
        disk.remove(&path)?;
        disk.remove(&hint)?;
        disk.sync_dir(dir)?;
        // Only now: as long as it may come back, gone records about it are needed.
        packs.forget(first);
        return Ok(true);
    }
    // From here on the new file stands for all of the group, whatever else is still there.
    if let Err(error) = disk.rename(&temp, &path).and_then(|()| disk.sync_dir(dir)) {
        // Whichever of the two the next start finds, it holds everything; but if it is the new one, others of the group
        // are removed then, and must have got nothing that is not in it.
        group.iter().for_each(|pack| pack.left_alone.store(true, Ordering::Release));
        return Err(error);
    }
    let listing = Listing { end: written, ..listing };
    if let Err(error) = write_hint(disk, &hint, &listing.hint(packs.key, &header)) {
        tracing::warn!(%error, pack = header.number, "a rewritten pack got no hint, the next start reads all of it");
    }
    let new = packs.add(header, Arc::new(to.file), written, true)?;
    for (fingerprint, from, mut location) in moves {
        location.slot = new.slot;
        new.live.fetch_add(location.padded_len(), Ordering::AcqRel);
        if !packs.index.relocate(fingerprint, from, location) {
            new.live.fetch_sub(location.padded_len(), Ordering::AcqRel);
        }
    }
    group.iter().for_each(|pack| packs.forget(pack));
    if left_out > 0 {
        // Gone records about what was left out are needed no more, wherever they are.
        packs.packs().iter().for_each(|pack| pack.kept.store(0, Ordering::Release));
    }
    let kept = listing.gone.iter().map(|gone| gone_len(&new, gone)).sum::<io::Result<u64>>();
    new.kept.store(kept.unwrap_or(0), Ordering::Release);
    if let Err(error) = remove_replaced(packs, group) {
        // It is removed by the next start, as long as the one that stands for it is there.
        new.left_alone.store(true, Ordering::Release);
        tracing::warn!(%error, pack = header.number, "packs that were made one could not be removed");
    }
    tracing::debug!(packs = group.len(), files = listing.files.len(), bytes = written, "packs rewritten");
    Ok(true)
}

/// Removes the packs of a group but for the first, in whose place the new one is.
fn remove_replaced(packs: &Packs, group: &[Arc<Pack>]) -> io::Result<()> {
    let (disk, dir) = (&packs.settings.disk, &packs.settings.dir);
    for pack in group.iter().skip(1) {
        disk.remove(&pack_path(dir, pack.header.number))?;
        disk.remove(&hint_path(dir, pack.header.number))?;
    }
    // Before the one that stands for them may be removed itself.
    if group.len() > 1 { disk.sync_dir(dir) } else { Ok(()) }
}

/// What has been copied to a new pack.
struct Copy<'a> {
    packs: &'a Packs,
    header: PackHeader,
    to: &'a Writable,
    buffer: Vec<u8>,
    written: u64,
    listing: Listing,
    /// Files, where they were, and where they will be but for the slot.
    moves: Vec<(Fingerprint, Location, Location)>,
    /// Files that are gone.
    left_out: u64,
    pace: Pace,
}

impl Copy<'_> {
    /// Copies what is needed of a group, durably; false when `stop` said so.
    fn all(&mut self, group: &[Arc<Pack>], stop: &impl Fn() -> bool) -> io::Result<bool> {
        for pack in group {
            if !self.pack(pack, group, stop)? {
                return Ok(false);
            }
        }
        self.flush()?;
        let settings = &self.packs.settings;
        settings.disk.sync(self.to)?;
        if !settings.sync {
            // What is left out because a record of the head says so must not go while that record can still be lost.
            for pack in self.packs.packs().iter().filter(|pack| !pack.sealed.load(Ordering::Acquire)) {
                let path = pack_path(&settings.dir, pack.header.number);
                settings.disk.sync(&Writable { file: pack.file.try_clone()?, path })?;
            }
            settings.disk.sync_dir(&settings.dir)?;
        }
        Ok(true)
    }

    /// Copies what is needed of a pack; false when `stop` said so.
    fn pack(&mut self, pack: &Pack, group: &[Arc<Pack>], stop: &impl Fn() -> bool) -> io::Result<bool> {
        let listing = listing_of(self.packs, pack)?;
        let mut files = listing.files.iter().peekable();
        let mut gone = listing.gone.iter().peekable();
        loop {
            let file_is_next = match (files.peek(), gone.peek()) {
                (Some(file), Some(gone)) => file.at < gone.at,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return Ok(true),
            };
            if file_is_next {
                let Some(file) = files.next() else { continue };
                let fingerprint = Fingerprint::from_bytes(file.fingerprint);
                let from = Location::new(pack.slot, file.at, file.sequence, file.content_len, file.name_len);
                if self.packs.index.get(fingerprint) == Some(from) {
                    let at = self.record(pack, from.offset(), from.padded_len() as usize)?;
                    let sequence = pack.sequence(&from) - self.header.first_sequence;
                    let to = Location::new(
                        0,
                        u32::try_from(at / ALIGN as u64).map_err(io::Error::other)?,
                        u32::try_from(sequence).map_err(io::Error::other)?,
                        file.content_len,
                        file.name_len,
                    );
                    self.moves.push((fingerprint, from, to));
                } else {
                    self.left_out += 1;
                }
            } else if let Some(gone) = gone.next()
                && self.is_needed(gone, group)
            {
                let len = gone_len(pack, gone)?;
                self.record(pack, u64::from(gone.at) * ALIGN as u64, len as usize)?;
            }
            if self.buffer.len() >= STEP {
                if stop() {
                    return Ok(false);
                }
                self.flush()?;
            }
        }
    }

    /// Whether what a gone record names may still be on disk when the group is gone.
    fn is_needed(&self, gone: &HintGone, group: &[Arc<Pack>]) -> bool {
        let covers = |pack: &Pack| (pack.header.number..=pack.header.covers).contains(&gone.victim.pack);
        if group.iter().any(|pack| covers(pack)) {
            return false;
        }
        self.packs.packs().iter().any(|pack| covers(pack) && pack.header.rewritten < gone.sequence)
    }

    /// Copies a record after checking it; where it begins in the new pack.
    fn record(&mut self, pack: &Pack, at: u64, len: usize) -> io::Result<u64> {
        let start = self.buffer.len();
        self.buffer.resize(start + len, 0);
        let place = self.buffer.get_mut(start..).unwrap_or_default();
        pack.file.read_exact_at(place, at)?;
        let header = Record::decode(place).map_err(|error| unreadable(pack, at, &error))?.header;
        if header.with_before || header.with_next {
            // What it came with may be left out, and all that is copied is synced before it counts.
            Record::join(place, false, false).map_err(io::Error::other)?;
        }
        let record = Record::decode(place).map_err(|error| unreadable(pack, at, &error))?;
        let new_at = self.written + start as u64;
        self.listing.add(self.packs.key, &self.header, new_at, &record)?;
        Ok(new_at)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.packs.settings.disk.write(self.to, self.written, &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.pace.passed(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }
}

/// Length of a gone record, padding included.
fn gone_len(pack: &Pack, gone: &HintGone) -> io::Result<u64> {
    let at = u64::from(gone.at) * ALIGN as u64;
    let mut head = [0; RECORD_HEADER_LEN];
    pack.file.read_exact_at(&mut head, at)?;
    let header = RecordHeader::decode(&head).map_err(|error| unreadable(pack, at, &error))?;
    Ok(header.padded_len() as u64)
}

/// A record of a pack can't be read. Others shall be rewritten nevertheless, so this one stays as it is.
fn unreadable(pack: &Pack, at: u64, why: &dyn std::fmt::Display) -> io::Error {
    pack.left_alone.store(true, Ordering::Release);
    let number = pack.header.number;
    io::Error::new(io::ErrorKind::InvalidData, format!("record at {at} of pack {number}: {why}; run fsck"))
}

/// Reads what is in a pack.
pub(super) fn listing_of(packs: &Packs, pack: &Pack) -> io::Result<Listing> {
    let path = hint_path(&packs.settings.dir, pack.header.number);
    if let Some(bytes) = read_file(&path)?
        && let Some(listing) = Listing::from_hint(&bytes, packs.key, &pack.header)
    {
        return Ok(listing);
    }
    let end = pack.end.load(Ordering::Acquire);
    let mut listing = Listing { end, ..Listing::default() };
    let first = Some(pack.header.first_sequence);
    let damage =
        scan(&pack.file, first, Some(end), |at, record| listing.add(packs.key, &pack.header, at, record))?;
    match damage.first() {
        // There may be files that are found in the index.
        Some(damage) => Err(unreadable(pack, damage.at, &"it can't be read")),
        None => Ok(listing),
    }
}

/// Keeps to a rate.
struct Pace {
    rate: u64,
    started: Instant,
    bytes: u64,
}

impl Pace {
    fn passed(&mut self, bytes: u64) {
        self.bytes += bytes;
        let Some(due) = (self.bytes * 1000).checked_div(self.rate) else { return };
        let ahead = Duration::from_millis(due).saturating_sub(self.started.elapsed());
        std::thread::sleep(ahead);
    }
}
