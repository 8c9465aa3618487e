//! Judging the packs of a store path.
//!
//! Packs are looked at from the newest to the oldest: whatever says that a record is gone, or is a later record of
//! the same name, stands in the same pack or in a newer one. The storage may rewrite packs meanwhile. It leaves out what
//! is gone before it leaves out what says so, so that in this order nothing that is gone comes back; a pack whose
//! records are in another one by now shows names that have been seen.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_fileid::{FileName, Kind};
use fdfs_format::metadata::META_LEN_MAX;
use fdfs_format::pack::{self, ALIGN, HintFile, HintGone, PackHeader, RECORD_HEADER_LEN, RecordHeader};

use super::entry::{Class, is_id, metadata_fault};
use super::finding::{Finding, MetadataFault, Place};
use super::pack_walk::{Seen, Until, Walked, Want, walk};
use super::scan::{Folder, Scan};
use super::{Home, Keys, names};
use crate::pack::{
    HINT_EXTENSION, Key, Listing, REWRITE_EXTENSION, UNKNOWN_LOG, hint_path, is_blank, numbers, pack_path,
    read_file, read_header, stored_key,
};
use crate::path::{OWN_DIR, PACK_DIR};

/// The packs of a store path that count, and what else is with them.
#[derive(Default)]
pub(super) struct PackList {
    /// Their numbers, ascending.
    pub(super) numbers: Vec<u64>,
    /// What nobody needs, unless a storage is just at work with it.
    pub(super) leftovers: Vec<PathBuf>,
}

/// The folder of the packs.
pub(super) fn folder(home: &Home) -> PathBuf {
    home.data.join(OWN_DIR).join(PACK_DIR)
}

/// Lists the packs; none when there is no folder for them, as in a store of the original.
pub(super) fn list(dir: &Path) -> io::Result<PackList> {
    let mut list = PackList::default();
    let mut covered = 0;
    let found = match numbers(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(list),
        found => found?,
    };
    for number in found {
        if number <= covered {
            // A pack before it was made of it.
            list.leftovers.push(pack_path(dir, number));
            continue;
        }
        let header = match File::open(pack_path(dir, number)) {
            Ok(file) => read_header(&file)?.filter(|header| header.number == number),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        covered = header.map_or(number, |header| header.covers);
        list.numbers.push(number);
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let is_of_pack = number.is_some_and(|number: u64| list.numbers.binary_search(&number).is_ok());
        if extension == Some(REWRITE_EXTENSION) || extension == Some(HINT_EXTENSION) && !is_of_pack {
            list.leftovers.push(path);
        }
    }
    Ok(list)
}

/// One pack, open.
struct Pack {
    number: u64,
    path: PathBuf,
    file: File,
    /// `None` when it can't be read.
    header: Option<PackHeader>,
    hint: Option<(Key, Listing)>,
}

impl Pack {
    /// Opens a pack; `None` when it is not there any more, or has just been begun.
    fn open(dir: &Path, number: u64) -> io::Result<Option<Self>> {
        let path = pack_path(dir, number);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let header = read_header(&file)?.filter(|header| header.number == number);
        if header.is_none() && is_blank(&file)? {
            return Ok(None);
        }
        let mut pack = Self { number, path, file, header, hint: None };
        if let (Some(header), Some(key)) = (&pack.header, stored_key(dir)?) {
            let bytes = read_file(&hint_path(dir, number))?;
            let listing = bytes.and_then(|bytes| Listing::from_hint(&bytes, key, header));
            pack.hint = listing.map(|listing| (key, listing));
        }
        Ok(Some(pack))
    }

    fn until(&self) -> Until {
        match &self.hint {
            Some((_, listing)) => Until::Sealed(listing.end),
            None => Until::Open(u64::MAX),
        }
    }

    /// Whether its binlog lines may not be in the binlog.
    fn has_lines(&self) -> bool {
        let known = |header: &PackHeader| header.rewritten == 0 && header.binlog_index != UNKNOWN_LOG;
        self.hint.is_none() && self.header.as_ref().is_some_and(known)
    }

    fn covers(&self) -> u64 {
        self.header.map_or(self.number, |header| header.covers)
    }
}

/// Calls `visit` with every line that packs hold and the binlog may not. What can't be read is reported elsewhere.
/// Gives the first pack whose records may be younger than that.
pub(super) fn lines(home: &Home, visit: &mut dyn FnMut(&[u8])) -> u64 {
    let dir = folder(home);
    let found = list(&dir).unwrap_or_default().numbers;
    let mut young_from = found.last().map_or(0, |last| last + 1);
    for number in found {
        let Ok(Some(pack)) = Pack::open(&dir, number) else { continue };
        if pack.hint.is_none() {
            young_from = young_from.min(number);
        }
        if !pack.has_lines() {
            continue;
        }
        let _ = walk(&pack.file, pack.until(), Want::Names, &|_| Ok(()), &mut |seen| {
            if seen.header.op != 0 {
                let (time, op) = (seen.header.mtime, char::from(seen.header.op));
                visit(&[format!("{time} {op} {}/", home.index).as_bytes(), seen.name].concat());
            }
        });
    }
    young_from
}

/// Metadata whose file has not been seen in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    number: u64,
    at: u64,
    sequence: u64,
}

/// Going through the packs of a store path.
pub(super) struct Packs<'a> {
    scan: &'a Scan<'a>,
    home: &'a Home,
    dir: PathBuf,
    /// Sequence numbers of records that are gone.
    gone: HashSet<u64>,
    /// By the keys of the files that they wait for.
    waiting: HashMap<u64, Waiting>,
    /// From this pack on, records may be younger than the records of the binlog that were read.
    young_from: u64,
}

impl<'a> Packs<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, home: &'a Home) -> Self {
        let young_from = scan.own.young_packs.get(usize::from(home.index.0)).copied().unwrap_or(0);
        let (gone, waiting) = (HashSet::new(), HashMap::new());
        Self { scan, home, dir: folder(home), gone, waiting, young_from }
    }

    /// The packs to look at, in this order: the newest first unless the index says what counts.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, Finding> {
        let mut numbers = list(&self.dir).map_err(|error| self.unreadable(&self.dir, &error))?.numbers;
        if self.home.packed.open().is_none() {
            numbers.reverse();
        }
        Ok(numbers)
    }

    fn unreadable(&self, path: &Path, error: &io::Error) -> Finding {
        Finding::Unreadable { path: path.to_owned(), error: error.kind() }
    }

    /// Looks at a pack; `None` when it is not there any more.
    pub(super) fn look(&mut self, number: u64) -> Option<Folder> {
        let mut found = Folder::default();
        let looked = match Pack::open(&self.dir, number) {
            Ok(None) => return None,
            Ok(Some(pack)) => self.look_into(&pack, &mut found),
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            found.findings.push(self.unreadable(&pack_path(&self.dir, number), &error));
        }
        Some(found)
    }

    fn look_into(&mut self, pack: &Pack, found: &mut Folder) -> io::Result<()> {
        let (until, last) = match self.home.packed.open() {
            // It was rewritten: the pack that stands for it is looked at in its turn.
            Some(packs) => match packs.end_of(pack.number) {
                Some(end) => (Until::Sealed(end), None),
                None => return Ok(()),
            },
            None => self.survey(pack)?,
        };
        if pack.header.is_none() {
            found.findings.push(Finding::PackHeader { pack: pack.path.clone() });
        }
        let want = if self.scan.content { Want::Content } else { Want::Metadata };
        let mut listed = pack.header.zip(pack.hint.as_ref()).map(|(header, (key, listing))| Listed {
            key: *key,
            header,
            files: listing.files.iter().peekable(),
            gone: listing.gone.iter().peekable(),
            passed: Vec::new(),
            differs: None,
        });
        let scan = self.scan;
        let walked = walk(&pack.file, until, want, &|read| scan.pace(read), &mut |seen| {
            if let Some(listed) = &mut listed {
                listed.compare(&seen);
            }
            self.record(pack, last.as_ref(), &seen, found);
        })?;
        if let Some(at) = listed.and_then(|listed| listed.differs(&walked)) {
            found.findings.push(Finding::PackHint { hint: hint_path(&self.dir, pack.number), at });
        }
        for bad in walked.bad {
            let name = self.home.name(&bad.name);
            self.scan.damage.add_in_pack(self.home.index, pack.number, bad.at..bad.at + bad.len);
            found.findings.push(Finding::PackDamaged {
                pack: pack.path.clone(),
                at: bad.at,
                len: bad.len,
                name,
            });
        }
        Ok(())
    }

    /// Finds out what counts in a pack: how far it goes, and the highest sequence number of each name.
    fn survey(&mut self, pack: &Pack) -> io::Result<(Until, Option<HashMap<u64, u64>>)> {
        let mut files = Vec::new();
        let walked =
            walk(&pack.file, pack.until(), Want::Names, &|_| Ok(()), &mut |seen| match seen.victim {
                Some(victim) => drop(self.gone.insert(victim.sequence)),
                None => {
                    let key = self.home.name(seen.name).map(|name| names::key(&name));
                    files.extend(key.map(|key| (key, seen.header.sequence)));
                }
            })?;
        let mut last = HashMap::new();
        for (key, sequence) in files.into_iter().filter(|(_, sequence)| !self.gone.contains(sequence)) {
            let highest = last.entry(key).or_insert(sequence);
            *highest = sequence.max(*highest);
        }
        // A pack that grows may have more by now, of which nothing is known yet.
        let until = match pack.until() {
            Until::Open(_) => Until::Open(walked.end),
            until @ Until::Sealed(_) => until,
        };
        Ok((until, Some(last)))
    }

    /// Judges a record, if its file is there.
    fn record(&mut self, pack: &Pack, last: Option<&HashMap<u64, u64>>, seen: &Seen<'_>, found: &mut Folder) {
        let sequence = seen.header.sequence;
        if seen.header.kind == pack::Kind::Gone || self.gone.contains(&sequence) {
            return;
        }
        let Some(name) = self.home.name(seen.name) else {
            found.findings.push(Finding::PackedNotAnId { pack: pack.path.clone(), at: seen.at });
            return;
        };
        let key = names::key(&name);
        if last.is_some_and(|last| last.get(&key) != Some(&sequence))
            || !self.home.packed.take(&name, sequence)
        {
            // There is a later one.
            return;
        }
        self.waiting.remove(&key);
        let len = u64::from(seen.header.content_len);
        self.scan.count(1, seen.content.map_or(0, |content| content.len() as u64));
        if let Some(master) = name.metadata_master().filter(is_id) {
            found.seen.push((Class::Metadata, len));
            let fault = match seen.content {
                _ if len > META_LEN_MAX as u64 => Some(MetadataFault::TooLong { len }),
                Some(content) => metadata_fault(content),
                None => None,
            };
            found.findings.extend(fault.map(|fault| Finding::BadMetadata { name: name.clone(), fault }));
            if !self.home.packed.contains(&master) {
                self.waiting
                    .insert(names::key(&master), Waiting { number: pack.number, at: seen.at, sequence });
            }
        } else if is_id(&name) {
            found.seen.push((Class::of(&name), len));
            found.findings.extend(wrong(&name, len, seen.content));
        } else {
            found.findings.push(Finding::PackedNotAnId { pack: pack.path.clone(), at: seen.at });
            return;
        }
        found.packed += 1;
        if !self.home.unpacking && self.home.plain().stat(name.true_name()).is_ok_and(|stat| stat.is_some()) {
            found.findings.push(Finding::Twice { name: name.clone() });
        }
        // A start adds the lines that the binlog lacks, to packs that were not sealed.
        let is_young = pack.covers() >= self.young_from;
        let changed = if is_young { i64::MAX } else { seen.header.mtime.into() };
        found.unrecorded.extend(self.scan.unrecorded(key, changed, || Some(Place::File(name))));
    }

    /// What is wrong with metadata whose files are not there, once everything has been looked at; and how many of them
    /// the storage has moved meanwhile.
    pub(super) fn finish(self) -> (Vec<Finding>, u64) {
        let (mut findings, mut moved) = (Vec::new(), 0);
        let mut waiting: Vec<_> = self.waiting.into_values().collect();
        waiting.sort_unstable();
        let gone = if waiting.is_empty() { HashSet::new() } else { gone_since(&self.dir, self.young_from) };
        for metadata in waiting.into_iter().filter(|metadata| !gone.contains(&metadata.sequence)) {
            let Some(name) = name_at(&self.dir, metadata).and_then(|name| self.home.name(&name)) else {
                moved += 1;
                continue;
            };
            let is_stranded = name.metadata_master().is_some_and(|master| {
                !self.scan.exists(&master) && !self.scan.own.pending.contains(&names::key(&master))
            });
            findings.extend(is_stranded.then_some(Finding::StrandedMetadata { name }));
        }
        (findings, moved)
    }
}

/// What is wrong with an ordinary file, by its id.
fn wrong(name: &FileName, len: u64, content: Option<&[u8]>) -> Option<Finding> {
    let stamp = match name.kind() {
        Kind::Normal | Kind::Trunk => name.stamp()?,
        Kind::Appender | Kind::Slave => return None,
    };
    let expected = stamp.size.size()?;
    if expected != len {
        return Some(Finding::WrongSize { name: name.clone(), expected, found: len });
    }
    let found = crc32fast::hash(content?);
    let place = Place::File(name.clone());
    (found != stamp.crc32).then_some(Finding::WrongCrc { place, expected: stamp.crc32, found })
}

/// What packs from this one on say is gone.
fn gone_since(dir: &Path, first: u64) -> HashSet<u64> {
    let mut gone = Keys::new();
    for number in list(dir).unwrap_or_default().numbers {
        let Ok(Some(pack)) = Pack::open(dir, number) else { continue };
        if pack.covers() < first {
            continue;
        }
        let _ = walk(&pack.file, pack.until(), Want::Names, &|_| Ok(()), &mut |seen| {
            gone.extend(seen.victim.map(|victim| victim.sequence));
        });
    }
    gone
}

/// The name in a record, if it is still there.
fn name_at(dir: &Path, of: Waiting) -> Option<Vec<u8>> {
    let file = File::open(pack_path(dir, of.number)).ok()?;
    let mut bytes = [0; RECORD_HEADER_LEN];
    file.read_exact_at(&mut bytes, of.at).ok()?;
    let header = RecordHeader::decode(&bytes).ok().filter(|header| header.sequence == of.sequence)?;
    let mut name = vec![0; header.name_len.into()];
    file.read_exact_at(&mut name, of.at + RecordHeader::name_at(header.content_len)).ok()?;
    Some(name)
}

/// Compares what a hint lists with the records of its pack.
struct Listed<'a> {
    key: Key,
    header: PackHeader,
    files: std::iter::Peekable<std::slice::Iter<'a, HintFile>>,
    gone: std::iter::Peekable<std::slice::Iter<'a, HintGone>>,
    /// Where it lists records that were not seen.
    passed: Vec<u64>,
    /// Where it says something else.
    differs: Option<u64>,
}

impl Listed<'_> {
    fn compare(&mut self, seen: &Seen<'_>) {
        let place = |at: u32| u64::from(at) * ALIGN as u64;
        while let Some(file) = self.files.next_if(|file| place(file.at) < seen.at) {
            self.passed.push(place(file.at));
        }
        while let Some(gone) = self.gone.next_if(|gone| place(gone.at) < seen.at) {
            self.passed.push(place(gone.at));
        }
        let sequence = seen.header.sequence;
        let is_listed = match seen.victim {
            Some(victim) => self
                .gone
                .next_if(|gone| place(gone.at) == seen.at)
                .is_some_and(|gone| (gone.sequence, gone.victim) == (sequence, victim)),
            None => self.files.next_if(|file| place(file.at) == seen.at).is_some_and(|file| {
                self.header.first_sequence + u64::from(file.sequence) == sequence
                    && (file.content_len, file.name_len) == (seen.header.content_len, seen.header.name_len)
                    && file.fingerprint == self.key.fingerprint(seen.name).bytes()
            }),
        };
        if !is_listed {
            self.differs = self.differs.or(Some(seen.at));
        }
    }

    /// The first place where the two differ although the pack can be read there.
    fn differs(mut self, walked: &Walked) -> Option<u64> {
        let left = self.files.map(|file| file.at).chain(self.gone.map(|gone| gone.at));
        self.passed.extend(left.map(|at| u64::from(at) * ALIGN as u64));
        let is_bad = |at: &u64| walked.bad.iter().any(|bad| (bad.at..bad.at + bad.len).contains(at));
        let passed = self.passed.iter().copied().filter(|at| !is_bad(at)).min();
        [self.differs, passed].into_iter().flatten().min()
    }
}
