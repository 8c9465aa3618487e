//! Finding out at a start what is in the packs.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fdfs_format::pack::{HintFile, PackHeader, RecordHeader, Victim};
use parking_lot::{Mutex, RwLock};

use super::compact::{REWRITE_EXTENSION, Work};
use super::disk::Writable;
use super::head::seal;
use super::index::{Fingerprint, Index};
use super::listing::{hint_numbers, hint_path, pack_path, read_file};
use super::{Head, Key, Listing, Location, Pack, PackSettings, Packs, numbers, read_header, scan};
use crate::StoreError;
use crate::binlog::Binlog;

/// Where the key of the fingerprints lies: 16 random bytes and their CRC-32.
const KEY_FILE: &str = "key";

/// Binlog file of a pack whose header can't be read: nobody knows which of its lines are in the binlog.
pub(crate) const UNKNOWN_LOG: u32 = u32::MAX;

/// A binlog line that a record stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordLine {
    pub(crate) time: u32,
    pub(crate) op: u8,
    /// Name below `data/`.
    pub(crate) name: Vec<u8>,
}

/// What was found.
pub(crate) struct Loaded {
    pub(crate) packs: Arc<Packs>,
    /// Binlog lines of packs that were not sealed, in order, and where in the binlog they may begin.
    pub(crate) lines: Vec<RecordLine>,
    pub(crate) binlog_from: Option<(u32, u64)>,
    /// Places in packs that can't be read although they were written once.
    pub(crate) damaged: u64,
    unsealed: Vec<Unsealed>,
    losers: Vec<(Vec<u8>, Victim)>,
    next_number: u64,
    next_sequence: u64,
}

struct Unsealed {
    pack: Arc<Pack>,
    to: Writable,
    listing: Listing,
}

/// Reads all packs of a folder, which is made if it is missing.
pub(crate) fn load(settings: PackSettings) -> Result<Loaded, StoreError> {
    fs::create_dir_all(&settings.dir)?;
    let key = read_key(&settings.dir)?;
    let Found { packs: found, unreadable, next_number } = headers(&settings)?;
    let mut survey = Survey::default();
    let mut listed = Vec::new();
    for (header, file) in found {
        let hint = read_file(&hint_path(&settings.dir, header.number))?;
        // Its numbers are relative to one that only the pack's own header says for sure.
        let hint = hint.filter(|_| header.binlog_index != UNKNOWN_LOG);
        let hint = hint.and_then(|bytes| Listing::from_hint(&bytes, key, &header));
        let (listing, sealed) = match hint {
            Some(listing) => (listing, true),
            None => (survey.read(key, &header, &file, settings.dir.as_path())?, false),
        };
        survey.gone.extend(listing.gone.iter().map(|gone| gone.victim.sequence));
        survey.files += listing.files.len();
        survey.next_sequence = survey.next_sequence.max(next_sequence(&header, &listing));
        let end = listing.end;
        // The list of a sealed pack is read again below: all of them at once would take more memory than the index.
        listed.push((header, file, end, if sealed { None } else { Some(listing) }));
    }
    if listed.is_empty() && unreadable.is_empty() {
        // Not to be guessed by whoever puts what looks like records into a file.
        survey.next_sequence = rand::random::<u64>() >> 2;
    }
    let files = survey.files.saturating_sub(survey.gone.len());
    let packs = Packs {
        settings,
        key,
        index: Index::with_capacity(files),
        table: RwLock::new(Vec::new()),
        forgotten: Mutex::default(),
        applied: AtomicU64::new(survey.next_sequence.saturating_sub(1)),
        unreadable,
    };
    let (mut unsealed, mut losers) = (Vec::new(), Vec::new());
    for (header, file, end, listing) in listed {
        let file = Arc::new(file);
        let pack = packs.add(header, Arc::clone(&file), end, listing.is_none())?;
        match listing {
            None => {
                let listing = super::compact::listing_of(&packs, &pack)?;
                insert(&packs, &pack, &listing.files, &survey.gone, &mut losers)?;
            }
            Some(listing) => {
                insert(&packs, &pack, &listing.files, &survey.gone, &mut losers)?;
                let to =
                    Writable { file: file.try_clone()?, path: pack_path(&packs.settings.dir, header.number) };
                unsealed.push(Unsealed { pack, to, listing });
            }
        }
    }
    Ok(Loaded {
        packs: Arc::new(packs),
        lines: survey.lines,
        binlog_from: survey.binlog_from,
        damaged: survey.damaged,
        unsealed,
        losers,
        next_number,
        next_sequence: survey.next_sequence.max(1),
    })
}

impl Loaded {
    /// Seals what was not sealed, once the binlog has the lines; a head that goes on.
    pub(crate) fn finish(
        self,
        binlog: &Arc<Binlog>,
        background: std::sync::mpsc::SyncSender<Work>,
    ) -> Result<Head, StoreError> {
        for Unsealed { pack, to, listing } in &self.unsealed {
            seal(&self.packs, binlog, pack, to, listing)?;
        }
        let (packs, binlog) = (Arc::clone(&self.packs), Arc::clone(binlog));
        let mut head = Head::new(packs, binlog, background, self.next_number, self.next_sequence);
        for (name, victim) in self.losers {
            head.add_loser(&name, victim)?;
        }
        head.commit()?;
        Ok(head)
    }
}

/// What the lists of all packs together say.
#[derive(Default)]
struct Survey {
    gone: HashSet<u64>,
    files: usize,
    next_sequence: u64,
    lines: Vec<RecordLine>,
    binlog_from: Option<(u32, u64)>,
    damaged: u64,
}

impl Survey {
    /// Reads a pack that has no hint.
    fn read(&mut self, key: Key, header: &PackHeader, file: &File, dir: &Path) -> io::Result<Listing> {
        let mut listing = Listing { end: fdfs_format::pack::PACK_HEADER_LEN as u64, ..Listing::default() };
        let lines = &mut self.lines;
        let has_lines = header.rewritten == 0 && header.binlog_index != UNKNOWN_LOG;
        let damage = scan(file, Some(header.first_sequence), None, |at, record| {
            listing.add(key, header, at, record)?;
            listing.end = at + record.header.padded_len() as u64;
            // A pack was sealed before it was rewritten: its lines are in the binlog.
            if record.header.op != 0 && has_lines {
                let (time, op) = (record.header.mtime, record.header.op);
                lines.push(RecordLine { time, op, name: record.name.to_vec() });
            }
            Ok(())
        })?;
        for damage in &damage {
            let path = pack_path(dir, header.number);
            tracing::error!(pack = %path.display(), at = damage.at, bytes = damage.len, "a part of a pack can't be read, run fsck");
        }
        self.damaged += damage.len() as u64;
        if has_lines {
            let from = (header.binlog_index, header.binlog_offset);
            self.binlog_from = Some(self.binlog_from.map_or(from, |before| before.min(from)));
        }
        Ok(listing)
    }
}

/// Behind everything that a pack knows of. The highest number may be on no record any more: what a pack was rewritten
/// without must not be taken for what is gone later.
fn next_sequence(header: &PackHeader, listing: &Listing) -> u64 {
    let file =
        |file: &HintFile| header.first_sequence.saturating_add(u64::from(file.sequence)).saturating_add(1);
    let files = listing.files.iter().map(file).max().unwrap_or(0);
    let gone = listing.gone.iter().map(|gone| gone.sequence.saturating_add(1)).max().unwrap_or(0);
    files.max(gone).max(header.first_sequence).max(header.rewritten.saturating_add(1))
}

/// Puts the files of a pack into the index, but for those that are gone. Of two of one name the later one counts: packs
/// and their records come in the order of their sequence numbers.
fn insert(
    packs: &Packs,
    pack: &Pack,
    files: &[HintFile],
    gone: &HashSet<u64>,
    losers: &mut Vec<(Vec<u8>, Victim)>,
) -> Result<(), StoreError> {
    let mut live = 0;
    for file in files {
        if !gone.is_empty() && gone.contains(&(pack.header.first_sequence + u64::from(file.sequence))) {
            continue;
        }
        let location = Location::new(pack.slot, file.at, file.sequence, file.content_len, file.name_len);
        live += location.padded_len();
        let before = packs.index.insert(Fingerprint::from_bytes(file.fingerprint), location);
        if let Some(before) = before {
            let Some(old) = packs.pack(before.slot) else { continue };
            packs.give_up(&before);
            let victim = Victim { sequence: old.sequence(&before), pack: old.header.number };
            if victim.sequence == pack.sequence(&location) {
                // A copy: a pack whose header was lost had been made of this one. Both must not go.
                continue;
            }
            losers.push((name_of(&old, &before)?, victim));
        }
        if live > 1 << 20 {
            pack.live.fetch_add(std::mem::take(&mut live), Ordering::AcqRel);
        }
    }
    pack.live.fetch_add(live, Ordering::AcqRel);
    Ok(())
}

fn name_of(pack: &Pack, location: &Location) -> io::Result<Vec<u8>> {
    let mut name = vec![0; usize::from(location.name_len())];
    let at = location.offset() + RecordHeader::name_at(location.content_len());
    pack.file.read_exact_at(&mut name, at)?;
    Ok(name)
}

/// The packs of a folder.
struct Found {
    /// Those that count, in order, open for reading and writing.
    packs: Vec<(PackHeader, File)>,
    unreadable: Vec<u64>,
    /// Higher than that of any file of the folder.
    next_number: u64,
}

fn headers(settings: &PackSettings) -> Result<Found, StoreError> {
    let mut found: Vec<(PackHeader, File)> = Vec::new();
    let mut unreadable = Vec::new();
    let mut removed = remove_unfinished(settings)?;
    let (numbers, hints) = (numbers(&settings.dir)?, hint_numbers(&settings.dir)?);
    for &number in &numbers {
        let path = pack_path(&settings.dir, number);
        if found.last().is_some_and(|(before, _)| number <= before.covers) {
            // The one before was made of it.
            settings.disk.remove(&path)?;
            settings.disk.remove(&hint_path(&settings.dir, number))?;
            removed = true;
            continue;
        }
        let file = File::options().read(true).write(true).open(&path)?;
        let header = read_header(&file)?.filter(|header| header.number == number);
        let header = match header {
            Some(header) => Some(header),
            None => header_from_records(&file, number)?,
        };
        match header {
            Some(header) => found.push((header, file)),
            // A crash came while it was begun, or nothing of it can be read: then fsck shall see it.
            None if is_blank(&file)? => {
                settings.disk.remove(&path)?;
                removed = true;
            }
            None => {
                tracing::error!(pack = %path.display(), "nothing of this pack can be read, run fsck");
                unreadable.push(number);
            }
        }
    }
    for number in hints.iter().filter(|number| numbers.binary_search(number).is_err()) {
        // Its pack was removed and then the power went. Another one may be given its number.
        settings.disk.remove(&hint_path(&settings.dir, *number))?;
        removed = true;
    }
    if removed {
        // What stands for a removed pack may go itself, and then that one must not be there again.
        settings.disk.sync_dir(&settings.dir)?;
    }
    let covered = found.iter().map(|(header, _)| header.covers);
    let next_number = covered.chain(numbers).max().map_or(1, |number| number.saturating_add(1));
    Ok(Found { packs: found, unreadable, next_number })
}

/// A header for a pack whose own can't be read.
fn header_from_records(file: &File, number: u64) -> io::Result<Option<PackHeader>> {
    let mut first = None;
    scan(file, None, None, |_, record| {
        first.get_or_insert(record.header.sequence);
        Ok(())
    })?;
    Ok(first.map(|first_sequence| PackHeader {
        number,
        covers: number,
        first_sequence,
        rewritten: 0,
        binlog_index: UNKNOWN_LOG,
        binlog_offset: 0,
    }))
}

/// Whether a pack holds nothing, not even a header.
pub(crate) fn is_blank(file: &File) -> io::Result<bool> {
    let len = file.metadata()?.len();
    let mut buffer = vec![0; 64 * 1024];
    let mut at = 0;
    while at < len {
        let n = file.read_at(&mut buffer, at)?;
        if n == 0 || buffer.get(..n).unwrap_or_default().iter().any(|&byte| byte != 0) {
            return Ok(n == 0);
        }
        at += n as u64;
    }
    Ok(true)
}

/// Removes what rewriting left behind when it was interrupted; whether there was something.
fn remove_unfinished(settings: &PackSettings) -> io::Result<bool> {
    let mut removed = false;
    for entry in fs::read_dir(&settings.dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == REWRITE_EXTENSION) {
            settings.disk.remove(&path)?;
            removed = true;
        }
    }
    Ok(removed)
}

/// The key of the folder; `None` when there is none or it is damaged.
pub(crate) fn stored_key(dir: &Path) -> io::Result<Option<Key>> {
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u64::from_be_bytes)
    };
    if let Some(bytes) = read_file(&dir.join(KEY_FILE))?
        && bytes.len() == 20
        && bytes.get(16..) == Some(&crc32fast::hash(bytes.get(..16).unwrap_or_default()).to_be_bytes())
        && let (Some(first), Some(second)) = (word(&bytes, 0), word(&bytes, 8))
    {
        return Ok(Some(Key(first, second)));
    }
    Ok(None)
}

/// The key of the folder; a new one when there is none, which makes all hints useless and nothing else.
fn read_key(dir: &Path) -> io::Result<Key> {
    if let Some(key) = stored_key(dir)? {
        return Ok(key);
    }
    let key = Key(rand::random(), rand::random());
    let mut bytes = [key.0.to_be_bytes(), key.1.to_be_bytes()].concat();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    daemon::state_file::replace(&dir.join(KEY_FILE), &bytes)?;
    Ok(key)
}
