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
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fdfs_format::pack::{ALIGN, PACK_HEADER_LEN, PackHeader, Record, RecordHeader};

use super::disk::Writable;
use super::head::seal;
use super::index::Fingerprint;
use super::listing::{hint_path, pack_path, read_file, write_hint};
use super::{Listing, Location, Pack, Packs, Spare, scan};
use crate::binlog::Binlog;

/// How long to wait between looks for something to rewrite.
const PAUSE: Duration = Duration::from_secs(5);

/// After an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(60);

/// So many neighbours that fit into one pack are made one, although nothing of them is gone: every start leaves a pack.
const NEIGHBOURS_MIN: usize = 8;

/// What is written at a time.
const STEP: usize = 1 << 20;

/// Name of a pack that is being rewritten; one found at a start is removed.
pub(crate) const REWRITE_EXTENSION: &str = "rewrite";

/// Name of a file that is prepared for a pack; one found at a start is removed.
pub(super) const SPARE_EXTENSION: &str = "spare";

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
    /// A file of so many zeros for a pack to come.
    Prepare { len: u64 },
}

/// The thread of a store path.
pub(crate) struct Compactor {
    work: Sender<Work>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    pub(crate) fn start(
        packs: Arc<Packs>,
        binlog: Arc<Binlog>,
        settings: CompactSettings,
    ) -> io::Result<Self> {
        let (work, waiting) = channel();
        let run = Run { packs, binlog, settings, prepared: AtomicU64::new(0) };
        let thread =
            std::thread::Builder::new().name("store-packs".into()).spawn(move || run.run(&waiting))?;
        Ok(Self { work, thread: Some(thread) })
    }

    /// Where a head hands over full packs.
    pub(crate) fn work(&self) -> Sender<Work> {
        self.work.clone()
    }
}

impl Drop for Compactor {
    /// Ends the thread once every head is gone. Blocks.
    fn drop(&mut self) {
        // Nobody listens any more at the other end of this one.
        self.work = channel().0;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that rewrites packs panicked");
        }
    }
}

struct Run {
    packs: Arc<Packs>,
    binlog: Arc<Binlog>,
    settings: CompactSettings,
    /// How many files were prepared.
    prepared: AtomicU64,
}

impl Run {
    fn run(&self, waiting: &Receiver<Work>) {
        let mut next = Instant::now() + PAUSE;
        loop {
            match waiting.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Work::Seal { pack, to, listing }) => {
                    if let Err(error) = seal(&self.packs, &self.binlog, &pack, &to, &listing) {
                        tracing::error!(%error, pack = pack.header.number, "a full pack could not be closed, the next start reads all of it");
                    }
                }
                Ok(Work::Prepare { len }) => match self.prepare(len) {
                    Ok(spare) => *self.packs.spare.lock() = Spare::Ready(spare),
                    Err(error) => tracing::info!(%error, "no file could be prepared for the next pack"),
                },
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let stop =
                        || matches!(waiting.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
                    let rewritten = match choose(&self.packs, self.settings.dead_percent) {
                        Some(group) => rewrite(&self.packs, &group, self.settings.rate, stop),
                        None => Ok(false),
                    };
                    let pause = match rewritten {
                        Ok(true) => Duration::ZERO,
                        Ok(false) => PAUSE,
                        Err(error) => {
                            tracing::warn!(%error, "packs could not be rewritten, they stay as they are for now");
                            PAUSE_AFTER_ERROR
                        }
                    };
                    next = Instant::now() + pause;
                }
            }
        }
    }
}

impl Run {
    /// Makes a file of zeros that are on disk.
    fn prepare(&self, len: u64) -> io::Result<Writable> {
        let settings = &self.packs.settings;
        // A name of its own each time: the head may be about to take the one before.
        let number = self.prepared.fetch_add(1, Ordering::Relaxed);
        let path = settings.dir.join(format!("{number}.{SPARE_EXTENSION}"));
        let to = settings.disk.create(path.clone())?;
        let zeros = vec![0; STEP];
        let write = || {
            let mut at = 0;
            while at < len {
                let step = zeros.len().min(usize::try_from(len - at).unwrap_or(usize::MAX));
                settings.disk.write(&to, at, zeros.get(..step).unwrap_or_default())?;
                at += step as u64;
            }
            settings.disk.sync(&to)
        };
        if let Err(error) = write() {
            settings.disk.remove(&path)?;
            return Err(error);
        }
        Ok(to)
    }
}

/// The neighbours to rewrite into one pack, if any are worth it.
pub(super) fn choose(packs: &Packs, dead_percent: u64) -> Option<Vec<Arc<Pack>>> {
    let sealed: Vec<_> =
        packs.packs().into_iter().filter(|pack| pack.sealed.load(Ordering::Acquire)).collect();
    let used = |pack: &Pack| pack.end.load(Ordering::Acquire).saturating_sub(PACK_HEADER_LEN as u64);
    let live = |pack: &Pack| pack.live.load(Ordering::Acquire);
    let worth = |pack: &Pack| {
        let used = used(pack);
        used == 0 || pack.dead() * 100 >= used * dead_percent.max(1) && needless(packs, pack)
    };
    let pack_len = packs.settings.pack_len;
    // The group of neighbours from `first` on whose files fit into one pack, as long as `fits` says so.
    let group = |first: usize, fits: &dyn Fn(&Pack) -> bool| -> Vec<Arc<Pack>> {
        let mut sum = 0;
        let neighbours = sealed.iter().skip(first).take_while(|pack| {
            sum += live(pack);
            fits(pack) && sum <= pack_len
        });
        neighbours.cloned().collect()
    };
    let first_worth = sealed.iter().position(|pack| worth(pack));
    if let Some(first) = first_worth {
        let mut chosen = group(first, &|pack| worth(pack) || used(pack) <= pack_len / 8);
        if chosen.is_empty() {
            chosen = sealed.get(first).cloned().into_iter().collect();
        }
        return Some(chosen);
    }
    let small = |pack: &Pack| used(pack) <= pack_len / 8;
    (0..sealed.len()).map(|first| group(first, &small)).find(|group| group.len() >= NEIGHBOURS_MIN)
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
    let settings = &packs.settings;
    let dir = &settings.dir;
    let header = PackHeader {
        covers: last.header.covers,
        // Before anything is looked up: whatever is gone by now is not found below.
        rewritten: packs.applied.load(Ordering::Acquire),
        ..first.header
    };
    let temp = pack_path(dir, header.number).with_extension(REWRITE_EXTENSION);
    let to = settings.disk.create(temp.clone())?;
    let mut copy = Copy {
        packs,
        header,
        to: &to,
        buffer: header.encode().to_vec(),
        written: 0,
        listing: Listing::default(),
        moves: Vec::new(),
        pace: Pace { rate, started: Instant::now(), bytes: 0 },
    };
    for pack in group {
        if !copy.pack(pack, group, &stop)? {
            settings.disk.remove(&temp)?;
            return Ok(false);
        }
    }
    let copied = copy.flush();
    let Copy { listing, moves, written, .. } = copy;
    let finished = copied.and_then(|()| settings.disk.sync(&to));
    if let Err(error) = finished {
        settings.disk.remove(&temp)?;
        return Err(error);
    }
    let listing = Listing { end: written, ..listing };
    let empty = listing.files.is_empty() && listing.gone.is_empty();
    if empty && group.len() == 1 {
        settings.disk.remove(&temp)?;
        packs.forget(first);
        settings.disk.remove(&pack_path(dir, header.number))?;
        settings.disk.remove(&hint_path(dir, header.number))?;
        return Ok(true);
    }
    // Nothing was gone since the first of the group was rewritten: its hint would pass for that of the new file, and a
    // crash before the new hint is there would lose the rest of the group.
    if header.rewritten == first.header.rewritten {
        settings.disk.remove(&hint_path(dir, header.number))?;
        settings.disk.sync_dir(dir)?;
    }
    // From here on the new file stands for all of the group, whatever else is still there.
    settings.disk.rename(&temp, &pack_path(dir, header.number))?;
    settings.disk.sync_dir(dir)?;
    write_hint(&settings.disk, &hint_path(dir, header.number), &listing.hint(packs.key, &header))?;
    let new = packs.add(header, Arc::new(to.file.try_clone()?), written, true)?;
    for (fingerprint, from, mut location) in moves {
        location.slot = new.slot;
        new.live.fetch_add(location.padded_len(), Ordering::AcqRel);
        if !packs.index.relocate(fingerprint, from, location) {
            new.live.fetch_sub(location.padded_len(), Ordering::AcqRel);
        }
    }
    for pack in group {
        packs.forget(pack);
        if pack.header.number != header.number {
            settings.disk.remove(&pack_path(dir, pack.header.number))?;
            settings.disk.remove(&hint_path(dir, pack.header.number))?;
        }
    }
    tracing::debug!(packs = group.len(), files = listing.files.len(), bytes = written, "packs rewritten");
    Ok(true)
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
    pace: Pace,
}

impl Copy<'_> {
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
                }
            } else if let Some(gone) = gone.next()
                && self.is_needed(gone, group)
            {
                let at = u64::from(gone.at) * ALIGN as u64;
                let mut head = [0; fdfs_format::pack::RECORD_HEADER_LEN];
                pack.file.read_exact_at(&mut head, at)?;
                let header = RecordHeader::decode(&head).map_err(io::Error::other)?;
                self.record(pack, at, header.padded_len())?;
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
    fn is_needed(&self, gone: &fdfs_format::pack::HintGone, group: &[Arc<Pack>]) -> bool {
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
        let record = Record::decode(place).map_err(|error| {
            let number = pack.header.number;
            io::Error::other(format!("record at {at} of pack {number}: {error}; run fsck"))
        })?;
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
    scan(&pack.file, Some(end), |at, record| listing.add(packs.key, &pack.header, at, record))?;
    Ok(listing)
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use fdfs_format::pack::HintHeader;
    use parking_lot::Mutex;

    use super::super::disk::{Disk, Step};
    use super::super::head::New;
    use super::super::{PackSettings, load, read_header};
    use super::*;

    /// Whether a start would take the hint beside a pack for its own.
    fn has_hint(pack: &Path) -> bool {
        let header = read_header(&File::open(pack).unwrap()).unwrap().unwrap();
        let hint = read_file(&pack.with_extension("hint")).unwrap();
        let hint = hint.and_then(|bytes| HintHeader::decode(&bytes).ok());
        hint.is_some_and(|hint| (hint.number, hint.rewritten) == (header.number, header.rewritten))
    }

    #[test]
    fn the_hint_of_a_pack_never_passes_for_that_of_one_made_of_it_and_its_neighbours() {
        let dir = tempfile::tempdir().unwrap();
        let binlog = Arc::new(Binlog::open(&dir.path().join("sync")).unwrap());
        let passed = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&passed);
        let trace = move |step: Step| {
            if let Step::Rename(_, to) = step {
                seen.lock().push(has_hint(&to));
            }
        };
        let disk = Disk { trace: Some(Arc::new(trace)) };
        let settings = PackSettings { dir: dir.path().join("packs"), pack_len: 1 << 20, sync: true, disk };
        let loaded = load(settings).unwrap();
        let packs = Arc::clone(&loaded.packs);
        let mut head = loaded.finish(&binlog, channel().0).unwrap();
        for name in ["00/00/one", "00/00/two"] {
            head.add(name, b'C', 1, New::File { content: name.as_bytes() }).unwrap();
            head.commit().unwrap();
            head.close().unwrap();
        }
        // Nothing changes between the two.
        for group in [1, 2] {
            let group: Vec<_> = packs.packs().into_iter().take(group).collect();
            assert!(rewrite(&packs, &group, 0, || false).unwrap());
        }
        assert_eq!(*passed.lock(), [false, false]);
        let [pack] = &packs.packs()[..] else { panic!("they are one") };
        assert_eq!((pack.header.number, pack.header.covers), (1, 2));
        assert_eq!(packs.read("00/00/two").unwrap().unwrap(), b"00/00/two");
        assert!(has_hint(&pack_path(&dir.path().join("packs"), 1)));
    }
}
