//! Checks a store against its ids and its records, and says what it found. It changes nothing. The scrub of a storage
//! at work ([`crate::Store::scrub`]) is the same check, which asks the open store what counts and goes no faster than
//! it may.
//!
//! What is looked at
//! - **names and sizes** of everything in the folders `data/HH/HH`: whether a name is an id, whether an
//!   ordinary file has the size that its id says, whether metadata can be read and has its file, whether links
//!   stay in the store, whether the slots of trunk files have headers;
//! - **content**, on request: the CRC-32 of ordinary files and trunk slots against ids and slot headers, and
//!   whether every other file can be read to its end. Size and checksum of appenders and slaves are in no name;
//! - **records**, on request: files that the binlog says exist and that do not, and files without a record. The
//!   names are held as hashes of 8 bytes, at most 21 bytes of memory for each file recorded;
//! - **packs**: the files in them like all others, and whether packs can be read and their hints are right. The names
//!   are held as hashes too, and of what is gone a number of 8 bytes;
//! - **the journal**: what a crash has left to do, damage, temporary files left over.
//!
//! The store may be in use. No lock is taken; a file that looks wrong and has changed within the last
//! [`FsckSettings::settle`] is looked at again before it is reported. While FastDFS itself runs on the store, the
//! records of up to its `sync_binlog_buff_interval` are in its memory, so its newest files seem to have none.
//!
//! What cannot be told: a slave to which FastDFS gave exactly the length of an ordinary name reads as an ordinary
//! file, here as everywhere; what stands in the free space of trunk files; whether an older replica of an appender
//! is behind.
//!
//! Begin reading at [`check`], then `entry.rs`, which judges one file.

mod container;
mod damage;
mod entry;
mod fill;
mod finding;
mod names;
mod own;
mod pack_walk;
mod packed;
mod packs;
mod records;
mod scan;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fdfs_fileid::{FileName, Kind, StorePathIndex};
use fdfs_format::binlog::Record;
use rustix::fs::{Mode, OFlags};

pub use finding::{Finding, MetadataFault, Place, Severity, SlotFault};

pub(crate) use container::starts_a_slot;
pub(crate) use entry::{is_id, metadata_fault};
pub(crate) use names::key as name_key;

use crate::StoreError;
use crate::path::OWN_DIR;
use crate::unpack::UNPACK_MARK;
use entry::Class;
use names::Names;
use own::Own;
use packed::Packed;
use packs::Packs;
use records::{Effect, Logs, Reading};
use scan::{Again, Folder, FolderId, Scan};

/// How often a file that keeps changing is looked at again.
const LOOKS_MAX: u32 = 3;

/// Files that are kept for another look.
const AGAIN_MAX: usize = 100_000;

/// Files without a record, made while the check ran, that are kept until the records are read to their end.
const YOUNG_MAX: usize = 100_000;

/// What to check.
#[derive(Debug, Clone)]
pub struct FsckSettings {
    /// The folder whose `data/sync` holds the binlog.
    pub base_path: PathBuf,
    /// The store paths in the order of their indexes, each with its `data/`.
    pub paths: Vec<PathBuf>,
    /// Folders of each level, 1 to 256, as configured.
    pub subdir_count: u16,
    /// Whether content is read and compared.
    pub content: bool,
    /// Whether the binlog is compared with the files.
    pub records: bool,
    /// Folders that are checked at the same time, 1 or more.
    pub threads: usize,
    /// How long a file must have been left alone to be judged at the first look.
    pub settle: Duration,
}

impl FsckSettings {
    /// Settings for a check of names, sizes and records.
    pub fn new(base_path: PathBuf, paths: Vec<PathBuf>) -> Self {
        /// More than this keeps a disk's head moving more than reading.
        const THREADS_MAX: usize = 8;
        Self {
            base_path,
            paths,
            subdir_count: 256,
            content: false,
            records: true,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS_MAX)),
            settle: Duration::from_secs(2),
        }
    }
}

/// What the check says while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// How far it is; several times a second at most, and at the end of each stage.
    Progress(Progress),
    /// Something is not as it should be.
    Finding(Finding),
    /// A file that is missing, or is not what it should be, so that another member's copy of it is wanted. It goes with
    /// a finding, but for files in damaged places, which only the records can name: they come last.
    Victim {
        /// The file.
        name: FileName,
        /// When it was made by the records, Unix seconds, where they told its name.
        time: Option<i64>,
    },
    /// Everything up to here has been looked at; only in the check of an open store.
    Passed(Mark),
}

/// A place between two parts of the check of an open store, to begin at again. Text has it as three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// 0 among the packs, 1 among the folders.
    stage: u8,
    path: u8,
    /// Of the pack, or both of the folder.
    number: u64,
}

impl Mark {
    fn of_pack(path: StorePathIndex, number: u64) -> Self {
        Self { stage: 0, path: path.0, number }
    }

    fn of_folder(folder: &FolderId) -> Self {
        let path = u8::try_from(folder.home).unwrap_or(u8::MAX);
        Self { stage: 1, path, number: u64::from(folder.dirs.0) << 8 | u64::from(folder.dirs.1) }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.stage, self.path, self.number)
    }
}

impl FromStr for Mark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default();
        Ok(Self { stage: word().parse()?, path: word().parse()?, number: word().parse()? })
    }
}

/// How fast a check may go, and whether it is to end.
pub trait Pace: Sync {
    /// So many bytes were read, or what costs as much was done. Waits until more may be; false ends the check.
    fn spend(&self, bytes: u64) -> bool;

    /// Whether the check is to end.
    fn is_over(&self) -> bool;
}

/// As fast as it goes, to the end.
struct Unbounded;

impl Pace for Unbounded {
    fn spend(&self, _: u64) -> bool {
        true
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// How far the check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done: see [`Stage`].
    pub done: u64,
    /// How much it is.
    pub total: u64,
    /// Files looked at so far, in all.
    pub files: u64,
    /// Bytes of content read so far, in all.
    pub bytes: u64,
}

/// A part of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the binlog; `done` and `total` count its bytes.
    Records,
    /// Checking the files; `done` and `total` count packs and folders.
    Files,
    /// Looking again at what looked wrong while it was changing; `done` and `total` count files.
    Again,
    /// Reading the binlog once more, to name what is missing; `done` and `total` count its bytes.
    Names,
}

/// How far the records could be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// Records read.
    pub lines: u64,
    /// Binlog files that were not read: compressed ones (`binlog.000.gz`), and numbers that are missing
    /// (`binlog.000`). With one of them, files without a record are not looked for, and of the files that should
    /// exist only those count that were recorded after the last of them.
    pub unread: Vec<String>,
}

/// What the check has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// A storage process was using the store.
    pub running: bool,
    /// Folders `data/HH/HH`.
    pub folders: u64,
    /// Ordinary files, whose size and checksum are in their name.
    pub normal: u64,
    /// Appender files.
    pub appenders: u64,
    /// Slave files.
    pub slaves: u64,
    /// Symbolic links.
    pub links: u64,
    /// Metadata files.
    pub metadata: u64,
    /// Trunk files.
    pub containers: u64,
    /// Files in slots of trunk files.
    pub slots: u64,
    /// Size of all these, bytes.
    pub bytes: u64,
    /// Packs.
    pub packs: u64,
    /// How many of the files are in them.
    pub packed: u64,
    /// Bytes of content read.
    pub bytes_read: u64,
    /// Files that looked wrong and kept changing as long as they were watched; nothing is said about them.
    pub unsettled: u64,
    /// How far the records could be used; none when they were not asked for.
    pub records: Option<Records>,
    /// Findings of [`Severity::Damage`].
    pub damaged: u64,
    /// Findings of [`Severity::Odd`].
    pub odd: u64,
}

impl Summary {
    /// Whether there was nothing to report.
    pub fn is_clean(&self) -> bool {
        self.damaged == 0 && self.odd == 0
    }

    /// Whether everything that was asked for could be checked.
    pub fn is_complete(&self) -> bool {
        self.unsettled == 0 && self.records.as_ref().is_none_or(|records| records.unread.is_empty())
    }

    fn count(&mut self, class: Class, bytes: u64) {
        let counter = match class {
            Class::Normal => &mut self.normal,
            Class::Appender => &mut self.appenders,
            Class::Slave => &mut self.slaves,
            Class::Link => &mut self.links,
            Class::Metadata => &mut self.metadata,
            Class::Container { slots } => {
                self.slots += slots;
                &mut self.containers
            }
            Class::Other => return,
        };
        *counter += 1;
        self.bytes += bytes;
    }
}

/// Keys of names.
type Keys = HashSet<u64>;

/// One store path under check.
struct Home {
    index: StorePathIndex,
    data: PathBuf,
    data_fd: OwnedFd,
    /// The files that are in packs.
    packed: Packed,
    /// They are being written as files of their own, which do not count yet.
    unpacking: bool,
}

impl Home {
    fn open(index: usize, root: &Path, packed: Packed) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { path: root.to_owned(), reason };
        let index =
            u8::try_from(index).map_err(|_| unusable("there are more than 256 store paths".into()))?;
        let data = root.join("data");
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let data_fd = rustix::fs::open(&data, flags, Mode::empty()).map_err(|error| {
            unusable(format!("cannot open {}: {error}; is the disk mounted?", data.display()))
        })?;
        let unpacking = data.join(OWN_DIR).join(UNPACK_MARK).exists();
        Ok(Self { index: StorePathIndex(index), data, data_fd, packed, unpacking })
    }

    /// A name below `data/`, if it is one.
    fn name(&self, true_name: &[u8]) -> Option<FileName> {
        FileName::parse(&[format!("{}/", self.index).as_bytes(), true_name].concat()).ok()
    }
}

/// Passes events on and counts them.
struct Reporter<'a> {
    event: &'a mut dyn FnMut(Event),
    summary: Summary,
    pace: &'a dyn Pace,
    /// What comes was not looked at to its end, and says nothing.
    cut: bool,
}

impl Reporter<'_> {
    fn finding(&mut self, finding: Finding) {
        if self.cut {
            return;
        }
        if let Some(name) = finding.victim() {
            let name = name.clone();
            (self.event)(Event::Victim { name, time: None });
        }
        match finding.severity() {
            Severity::Damage => self.summary.damaged += 1,
            Severity::Odd => self.summary.odd += 1,
        }
        (self.event)(Event::Finding(finding));
    }

    fn victim(&mut self, name: &FileName, time: i64) {
        if !self.cut {
            (self.event)(Event::Victim { name: name.clone(), time: Some(time) });
        }
    }

    fn passed(&mut self, home: &Home, mark: Mark) {
        if home.packed.open().is_some() && !self.cut {
            (self.event)(Event::Passed(mark));
        }
    }

    fn progress(&mut self, stage: Stage, done: u64, total: u64, (files, bytes): (u64, u64)) {
        (self.event)(Event::Progress(Progress { stage, done, total, files, bytes }));
    }
}

/// Checks a store. `event` hears of progress and findings as they come: those of packs, then those of one folder
/// together and sorted, folders in order, then what had to be looked at again, then what is missing. Blocks, for hours when a large
/// store's content is read.
///
/// # Errors
/// [`StoreError::Unusable`] when a store path or the binlog's folder is not there at all. Everything else that
/// can't be read is a finding.
pub fn check(settings: &FsckSettings, event: &mut dyn FnMut(Event)) -> Result<Summary, StoreError> {
    let started = SystemTime::now();
    let mut homes = Vec::new();
    for (index, root) in settings.paths.iter().enumerate() {
        homes.push(Home::open(index, root, Packed::Seen(Names::new()))?);
    }
    let mut reporter = Reporter { event, summary: Summary::default(), pace: &Unbounded, cut: false };

    // The journals before the binlog: a line leaves a journal only when the binlog has it.
    let own = Own::look(&homes);
    reporter.summary.running = own.running;
    for finding in &own.findings {
        reporter.finding(finding.clone());
    }
    let names = Names::new();
    let mut records = match settings.records {
        true => Some(CheckRecords::read(&settings.base_path, &names, &mut reporter)?),
        false => None,
    };

    let names_of_records = settings.records.then_some(&names);
    let scan = Scan::new(&homes, settings, &own, names_of_records, started, &Unbounded);
    let judges_unrecorded = records.as_ref().is_some_and(|records| records.logs.unread.is_empty());
    let young = look_at_files(&scan, settings, judges_unrecorded, None, &mut reporter);
    if let Some(records) = &mut records {
        records.finish(&scan, young, settings.settle, &mut reporter);
        let unread = records.logs.unread.clone();
        reporter.summary.records = Some(Records { lines: records.lines, unread });
    }
    reporter.summary.bytes_read = scan.so_far().1;
    Ok(reporter.summary)
}

/// Checks the content of a store that is open in this process, whose packs these are, and then its records: only what
/// these say is here and is not, or is in a damaged place, is held in memory. Begins behind `from`. Findings that mean
/// no damage are made, too. `before_records` is called before the binlog is read. Blocks, for as long as `pace` has it.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_open(
    settings: &FsckSettings,
    packs: Vec<Arc<crate::pack::Packs>>,
    from: Option<Mark>,
    pace: &dyn Pace,
    before_records: &dyn Fn() -> Result<(), StoreError>,
    event: &mut dyn FnMut(Event),
) -> Result<Summary, StoreError> {
    let mut homes = Vec::new();
    for ((index, root), packs) in settings.paths.iter().enumerate().zip(packs) {
        homes.push(Home::open(index, root, Packed::Open(packs))?);
    }
    let mut reporter = Reporter { event, summary: Summary::default(), pace, cut: false };
    let own = Own::of_open_store();
    reporter.summary.running = true;
    let scan = Scan::new(&homes, settings, &own, None, SystemTime::now(), pace);
    look_at_files(&scan, settings, false, from, &mut reporter);
    if settings.records && !pace.is_over() {
        before_records()?;
        let names = Names::new();
        let mut records = CheckRecords::read_against(&scan, &settings.base_path, &names, &mut reporter)?;
        records.finish(&scan, BTreeMap::new(), settings.settle, &mut reporter);
        let unread = records.logs.unread.clone();
        reporter.summary.records = Some(Records { lines: records.lines, unread });
    }
    reporter.summary.bytes_read = scan.so_far().1;
    Ok(reporter.summary)
}

/// Goes through packs and folders. Gives what has no record and may be younger than they are.
fn look_at_files(
    scan: &Scan<'_>,
    settings: &FsckSettings,
    judges_unrecorded: bool,
    from: Option<Mark>,
    reporter: &mut Reporter<'_>,
) -> BTreeMap<u64, Place> {
    let homes = scan.homes;
    let is_ahead = |mark: Mark| from.is_none_or(|from| mark > from);
    let (mut folders, findings) = scan::folders(homes, settings.subdir_count);
    for finding in findings {
        reporter.finding(finding);
    }
    folders.retain(|folder| is_ahead(Mark::of_folder(folder)));
    let mut later = Later { judges_unrecorded, again: Vec::new(), young: BTreeMap::new() };
    let mut packs = Vec::new();
    for home in homes {
        let packed = Packs::new(scan, home);
        match packed.numbers() {
            Ok(mut numbers) => {
                numbers.retain(|number| is_ahead(Mark::of_pack(home.index, *number)));
                packs.push((home, packed, numbers));
            }
            Err(finding) => reporter.finding(finding),
        }
    }
    let of_packs: usize = packs.iter().map(|(_, _, numbers)| numbers.len()).sum();
    let total = (of_packs + folders.len()) as u64;
    let (mut done, mut told) = (0, Instant::now());
    for (home, packs, numbers) in &mut packs {
        for &number in &*numbers {
            let looked = packs.look(number);
            reporter.cut |= reporter.pace.is_over();
            if reporter.cut {
                break;
            }
            if let Some(pack) = looked {
                reporter.summary.packs += 1;
                later.take(pack, reporter);
            }
            done += 1;
            reporter.passed(home, Mark::of_pack(home.index, number));
            if told.elapsed() >= scan::TICK {
                reporter.progress(Stage::Files, done, total, scan.so_far());
                told = Instant::now();
            }
        }
    }
    let mut passed = folders.iter();
    scan.run(&folders, settings.threads, |step| match step {
        scan::Step::Folder(folder) => {
            reporter.cut |= folder.cut;
            reporter.summary.folders += 1;
            later.take(folder, reporter);
            if let Some((home, folder)) = passed.next().and_then(|id| Some((homes.get(id.home)?, id))) {
                reporter.passed(home, Mark::of_folder(folder));
            }
        }
        scan::Step::Progress { done } => {
            reporter.progress(Stage::Files, of_packs as u64 + done, total, scan.so_far());
        }
    });

    reporter.cut |= reporter.pace.is_over();
    look_again(scan, later.again, settings.settle, reporter);
    for (_, packs, _) in packs {
        let (findings, moved) = packs.finish();
        findings.into_iter().for_each(|finding| reporter.finding(finding));
        reporter.summary.unsettled += moved;
    }
    later.young
}

/// What is decided when everything has been looked at once.
struct Later {
    /// Whether the records are whole enough to say that a file has none.
    judges_unrecorded: bool,
    again: Vec<Again>,
    young: BTreeMap<u64, Place>,
}

impl Later {
    /// Reports what was found in a folder or pack, and keeps the rest.
    fn take(&mut self, found: Folder, reporter: &mut Reporter<'_>) {
        for (class, bytes) in found.seen {
            reporter.summary.count(class, bytes);
        }
        reporter.summary.packed += found.packed;
        // Of an appender nobody knows which copy is the right one.
        let may_be_fetched = |name: &FileName| is_id(name) && name.kind() != Kind::Appender;
        for name in found.unreadable.into_iter().filter(may_be_fetched) {
            if !reporter.cut {
                (reporter.event)(Event::Victim { name, time: None });
            }
        }
        for finding in found.findings {
            reporter.finding(finding);
        }
        let room = AGAIN_MAX - self.again.len();
        reporter.summary.unsettled += found.again.len().saturating_sub(room) as u64;
        self.again.extend(found.again.into_iter().take(room));
        for unrecorded in found.unrecorded.into_iter().filter(|_| self.judges_unrecorded) {
            if !unrecorded.young {
                reporter.finding(Finding::Unrecorded { place: unrecorded.place });
            } else if self.young.len() < YOUNG_MAX {
                self.young.insert(unrecorded.key, unrecorded.place);
            } else {
                reporter.summary.unsettled += 1;
            }
        }
    }
}

/// Looks again at what looked wrong while it changed, until it looks right, stays as it is, or has been looked at
/// often enough.
fn look_again(scan: &Scan<'_>, mut again: Vec<Again>, settle: Duration, reporter: &mut Reporter<'_>) {
    let total = again.len() as u64;
    for _ in 0..LOOKS_MAX {
        if again.is_empty() || reporter.cut {
            return;
        }
        std::thread::sleep(settle);
        let mut still = Vec::new();
        for entry in again {
            match scan.look_again(entry) {
                Ok(findings) => findings.into_iter().for_each(|finding| reporter.finding(finding)),
                Err(changed) => still.push(changed),
            }
        }
        again = still;
        reporter.progress(Stage::Again, total - again.len() as u64, total, scan.so_far());
    }
    reporter.summary.unsettled += again.len() as u64;
}

/// The comparison of the binlog with the files.
struct CheckRecords<'a> {
    logs: Logs,
    /// What exists by the records and has not been seen yet.
    names: &'a Names,
    reading: Option<Reading>,
    lines: u64,
}

impl<'a> CheckRecords<'a> {
    /// Reads the binlog as far as it goes now.
    fn read(base_path: &Path, names: &'a Names, reporter: &mut Reporter<'_>) -> Result<Self, StoreError> {
        Self::read_if(base_path, names, reporter, |_| true)
    }

    /// The same when everything has been looked at: only what is not there, or damaged, is taken.
    fn read_against(
        scan: &Scan<'_>,
        base_path: &Path,
        names: &'a Names,
        reporter: &mut Reporter<'_>,
    ) -> Result<Self, StoreError> {
        let no_damage = scan.damage.is_empty();
        Self::read_if(base_path, names, reporter, |name| {
            // What ends the check is seen below.
            let _ = scan.pace(scan::LOOK_COST);
            scan.is_missing(name) || !no_damage && scan.is_damaged(name)
        })
    }

    fn read_if(
        base_path: &Path,
        names: &'a Names,
        reporter: &mut Reporter<'_>,
        wanted: impl Fn(&FileName) -> bool,
    ) -> Result<Self, StoreError> {
        let dir = base_path.join("data/sync");
        let logs = Logs::list(&dir).map_err(|error| StoreError::Unusable {
            path: base_path.to_owned(),
            reason: format!("cannot read the binlog in {}: {error}; is this the base_path?", dir.display()),
        })?;
        let mut records = Self { names, reading: None, lines: 0, logs };
        let total = records.logs.len();
        let mut done = 0;
        for index in records.logs.indexes() {
            reporter.cut |= reporter.pace.is_over();
            if reporter.cut {
                break;
            }
            let mut reading = records.logs.open(index);
            records.read_on(&mut reading, reporter, |names, effect| match effect {
                Effect::Made(name) if !wanted(name) => {}
                Effect::Made(name) => drop(names.insert(names::key(name))),
                Effect::Gone(name) => {
                    names.remove(names::key(name));
                }
            });
            done += reading.offset();
            reporter.progress(Stage::Records, done, total, (0, 0));
            // The newest is read on later.
            if let Some(older) = records.reading.replace(reading) {
                older.torn().into_iter().for_each(|finding| reporter.finding(finding));
            }
        }
        Ok(records)
    }

    /// Reads a log to its present end. What precedes a log that can't be read says nothing about what exists.
    fn read_on(
        &mut self,
        reading: &mut Reading,
        reporter: &mut Reporter<'_>,
        mut effect: impl FnMut(&Names, Effect<'_>),
    ) {
        let counts = reading.index() >= self.logs.whole_from;
        let (names, lines) = (self.names, &mut self.lines);
        let read = reading.read_on(&mut |line| match line {
            Ok(record) => {
                *lines += 1;
                if counts {
                    records::effects(&record.change, |change| effect(names, change));
                }
            }
            Err(finding) => reporter.finding(finding),
        });
        if let Err(error) = read {
            reporter.finding(Finding::Unreadable { path: reading.path().to_owned(), error: error.kind() });
        }
    }

    /// Reads what was recorded meanwhile, then reports what has no record and what is missing.
    fn finish(
        &mut self,
        scan: &Scan<'_>,
        mut young: BTreeMap<u64, Place>,
        settle: Duration,
        reporter: &mut Reporter<'_>,
    ) {
        // Whether a file came or went first does not matter for what changed while the check ran: neither the
        // one nor the other is reported then.
        own::journal_lines(scan.homes, &mut |line| {
            if let Ok(record) = Record::parse(line) {
                records::effects(&record.change, |effect| late(self.names, &mut young, effect));
            }
        });
        self.read_tail(settle, &mut young, reporter);
        for (_, place) in young {
            reporter.finding(Finding::Unrecorded { place });
        }
        reporter.cut |= reporter.pace.is_over();
        if self.names.is_empty() || reporter.cut {
            return;
        }
        let total = self.logs.len();
        let mut done = 0;
        for index in self.logs.indexes().filter(|&index| index >= self.logs.whole_from) {
            let mut reading = self.logs.open(index);
            let names = self.names;
            // Whatever is wrong with this log was said at the first reading.
            let _ = reading.read_on(&mut |line| {
                let Ok(record) = line else { return };
                records::effects(&record.change, |effect| {
                    let Effect::Made(name) = effect else { return };
                    if !names.remove(names::key(name)) {
                        return;
                    }
                    if scan.is_missing(name) {
                        reporter.victim(name, record.timestamp);
                        reporter.finding(Finding::Missing { name: name.clone() });
                    } else if scan.is_damaged(name) {
                        reporter.victim(name, record.timestamp);
                    }
                });
            });
            done += reading.offset();
            reporter.progress(Stage::Names, done, total, scan.so_far());
        }
    }

    fn read_tail(&mut self, settle: Duration, young: &mut BTreeMap<u64, Place>, reporter: &mut Reporter<'_>) {
        let Some(mut reading) = self.reading.take() else { return };
        self.read_on(&mut reading, reporter, |names, effect| late(names, young, effect));
        if reading.is_torn() {
            // Perhaps just being written.
            std::thread::sleep(settle);
            self.read_on(&mut reading, reporter, |names, effect| late(names, young, effect));
        }
        reading.torn().into_iter().for_each(|finding| reporter.finding(finding));
        let newer = self.logs.newer_than(reading.index());
        for index in newer {
            let mut reading = self.logs.open(index);
            self.read_on(&mut reading, reporter, |names, effect| late(names, young, effect));
        }
    }
}

/// Takes note of a record that was read after the files had been looked at.
fn late(names: &Names, young: &mut BTreeMap<u64, Place>, effect: Effect<'_>) {
    match effect {
        Effect::Made(name) => {
            young.remove(&names::key(name));
        }
        Effect::Gone(name) => {
            names.remove(names::key(name));
        }
    }
}
