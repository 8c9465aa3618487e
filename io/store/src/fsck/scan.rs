//! Going through the folders with several threads, and reporting in their order.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fdfs_fileid::FileName;
use parking_lot::{Condvar, Mutex};

use super::damage::Damage;
use super::entry::Class;
use super::finding::{Finding, Place};
use super::names::{self, Names};
use super::own::Own;
use super::{FsckSettings, Home, Pace};

/// How far the threads may be ahead of the folder that is reported next.
const WINDOW: usize = 256;

/// Time between two reports of progress.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// How much the kernel's file times may lag behind the clock, seconds.
const CLOCK_LAG: i64 = 1;

/// What looking at a file costs that is not read, bytes: about what a disk gives in the time.
pub(super) const LOOK_COST: u64 = 4096;

/// A folder `data/HH/HH`.
#[derive(Debug, Clone, Copy)]
pub(super) struct FolderId {
    pub(super) home: usize,
    pub(super) dirs: (u8, u8),
}

/// What was found in a folder, or in a pack.
#[derive(Default)]
pub(super) struct Folder {
    /// What its files are, and their sizes.
    pub(super) seen: Vec<(Class, u64)>,
    /// How many of them are in a pack.
    pub(super) packed: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) again: Vec<Again>,
    pub(super) unrecorded: Vec<Unrecorded>,
    /// Files that can't be read.
    pub(super) unreadable: Vec<FileName>,
    /// The check was ended before all of it was looked at.
    pub(super) cut: bool,
}

/// A file to be looked at again.
pub(super) struct Again {
    folder: FolderId,
    file_name: OsString,
    changed: Duration,
}

/// Something that the records do not know.
pub(super) struct Unrecorded {
    pub(super) key: u64,
    pub(super) place: Place,
    /// It may have been made after the records were read.
    pub(super) young: bool,
}

/// A step of the scan.
pub(super) enum Step {
    /// A folder is done; folders come in order.
    Folder(Folder),
    /// So many folders are done.
    Progress { done: u64 },
}

/// What every thread needs to know.
pub(super) struct Scan<'a> {
    pub(super) homes: &'a [Home],
    pub(super) content: bool,
    pub(super) own: &'a Own,
    /// Bytes of content read.
    pub(super) bytes: AtomicU64,
    files: AtomicU64,
    settle: Duration,
    names: Option<&'a Names>,
    /// Unix seconds; what changed since may be younger than the records that were read.
    young_from: i64,
    pub(super) damage: Damage,
    limit: &'a dyn Pace,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        homes: &'a [Home],
        settings: &FsckSettings,
        own: &'a Own,
        names: Option<&'a Names>,
        started: SystemTime,
        limit: &'a dyn Pace,
    ) -> Self {
        let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = i64::try_from(started.as_secs()).unwrap_or(i64::MAX);
        Self {
            homes,
            content: settings.content,
            own,
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            settle: settings.settle,
            names,
            young_from: started - CLOCK_LAG,
            damage: Damage::default(),
            limit,
        }
    }

    /// So many bytes were read, or a file was looked at that costs as much. Waits as long as it has to.
    ///
    /// # Errors
    /// The check is to end.
    pub(super) fn pace(&self, bytes: u64) -> io::Result<()> {
        if self.limit.spend(bytes) { Ok(()) } else { Err(io::Error::other("the check was stopped")) }
    }

    /// Files looked at and bytes read.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// More files were looked at, and bytes read.
    pub(super) fn count(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Goes through all folders.
    pub(super) fn run(&self, folders: &[FolderId], threads: usize, mut step: impl FnMut(Step)) {
        let queue = Queue::new(folders.len());
        let (send, results) = sync_channel::<(usize, Folder)>(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                let (send, queue) = (send.clone(), &queue);
                scope.spawn(move || {
                    let mut buffer = Vec::new();
                    while let Some(index) = queue.take() {
                        let Some(folder) = folders.get(index).filter(|_| !self.limit.is_over()) else {
                            return;
                        };
                        if send.send((index, self.look_into(*folder, &mut buffer))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            let _release = Release(&queue);
            let mut waiting = BTreeMap::new();
            let mut done = 0;
            let mut told = Instant::now();
            loop {
                match results.recv_timeout(TICK) {
                    Ok((index, folder)) => {
                        waiting.insert(index, folder);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                while let Some(folder) = waiting.remove(&done) {
                    step(Step::Folder(folder));
                    done += 1;
                    queue.delivered(done);
                }
                if told.elapsed() >= TICK {
                    step(Step::Progress { done: done as u64 });
                    told = Instant::now();
                }
            }
            step(Step::Progress { done: done as u64 });
        });
    }

    fn look_into(&self, id: FolderId, buffer: &mut Vec<u8>) -> Folder {
        let mut folder = Folder::default();
        let Some(home) = self.homes.get(id.home) else { return folder };
        let path = home.data.join(format!("{:02X}/{:02X}", id.dirs.0, id.dirs.1));
        let mut entries = match list(&path) {
            Ok(entries) => entries,
            Err(error) => {
                folder.findings.push(Finding::Unreadable { path, error: error.kind() });
                return folder;
            }
        };
        entries.sort_unstable();
        for file_name in entries {
            if home.unpacking && is_packed(home, id.dirs, &file_name) {
                continue;
            }
            let Some(looked) = self.look(home, id.dirs, &file_name, buffer) else { continue };
            self.files.fetch_add(1, Ordering::Relaxed);
            if self.pace(LOOK_COST).is_err() {
                break;
            }
            folder.seen.push((looked.class, looked.bytes));
            let is_pending = looked.recordable.iter().any(|r| self.own.pending.contains(&r.key));
            if self.names.is_some() {
                folder.unrecorded.extend(
                    looked
                        .recordable
                        .iter()
                        .filter(|r| {
                            r.slot.is_some()
                                || !looked.name.as_ref().is_some_and(|name| home.packed.contains(name))
                        })
                        .filter_map(|r| self.unrecorded(r.key, r.changed, || looked.place(r.slot))),
                );
            }
            if looked.findings.is_empty() || is_pending {
                continue;
            }
            if looked.in_motion || self.is_recent(looked.changed) {
                folder.again.push(Again { folder: id, file_name, changed: looked.changed });
            } else {
                let is_unreadable = looked.findings.iter().any(|f| matches!(f, Finding::Unreadable { .. }));
                folder.unreadable.extend(looked.name.filter(|_| is_unreadable));
                folder.findings.extend(looked.findings);
            }
        }
        // Whatever was under way then looks wrong.
        folder.cut = self.limit.is_over();
        folder
    }

    /// Strikes a place off the names that should exist; if it is not among them, it has no record.
    pub(super) fn unrecorded(
        &self,
        key: u64,
        changed: i64,
        place: impl FnOnce() -> Option<Place>,
    ) -> Option<Unrecorded> {
        let is_known =
            self.names?.remove(key) || self.own.recorded.contains(&key) || self.own.pending.contains(&key);
        if is_known {
            return None;
        }
        Some(Unrecorded { key, place: place()?, young: changed >= self.young_from })
    }

    fn is_recent(&self, changed: Duration) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        !self.settle.is_zero() && changed + self.settle > now
    }

    /// Looks at a file again: what is wrong with it, or, when it has changed again and still looks wrong, itself.
    pub(super) fn look_again(&self, again: Again) -> Result<Vec<Finding>, Again> {
        let Some(home) = self.homes.get(again.folder.home) else { return Ok(Vec::new()) };
        match self.look(home, again.folder.dirs, &again.file_name, &mut Vec::new()) {
            Some(looked) if looked.findings.is_empty() || looked.changed == again.changed => {
                Ok(looked.findings)
            }
            Some(looked) => Err(Again { changed: looked.changed, ..again }),
            None => Ok(Vec::new()),
        }
    }

    /// Whether a file is in a place that is damaged.
    pub(super) fn is_damaged(&self, name: &FileName) -> bool {
        let home = self.homes.get(usize::from(name.path_index().0));
        home.is_some_and(|home| self.damage.holds(home, name))
    }

    /// Whether a file is missing that should exist by the records.
    pub(super) fn is_missing(&self, name: &FileName) -> bool {
        !self.own.pending.contains(&names::key(name)) && !self.exists(name)
    }
}

fn is_packed(home: &Home, (high, low): (u8, u8), file_name: &OsStr) -> bool {
    let name = home.name(&[format!("{high:02X}/{low:02X}/").as_bytes(), file_name.as_bytes()].concat());
    name.is_some_and(|name| home.packed.contains(&name))
}

/// Hands out folders to threads, no further ahead than [`WINDOW`].
struct Queue {
    turn: Mutex<Turn>,
    moved: Condvar,
    len: usize,
}

struct Turn {
    next: usize,
    end: usize,
}

impl Queue {
    fn new(len: usize) -> Self {
        Self { turn: Mutex::new(Turn { next: 0, end: WINDOW }), moved: Condvar::new(), len }
    }

    fn take(&self) -> Option<usize> {
        let mut turn = self.turn.lock();
        while turn.next < self.len && turn.next >= turn.end {
            self.moved.wait(&mut turn);
        }
        let index = turn.next;
        turn.next += 1;
        (index < self.len).then_some(index)
    }

    fn delivered(&self, count: usize) {
        self.turn.lock().end = count.saturating_add(WINDOW);
        self.moved.notify_all();
    }
}

/// Lets the threads run to their end when nobody reads their results any more.
struct Release<'a>(&'a Queue);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.delivered(usize::MAX);
    }
}

/// The folders of all store paths in order, and what is wrong on the way to them.
pub(super) fn folders(homes: &[Home], subdir_count: u16) -> (Vec<FolderId>, Vec<Finding>) {
    let mut folders = Vec::new();
    let mut findings = Vec::new();
    for (index, home) in homes.iter().enumerate() {
        // Directly under `data/` there are many things that are nobody's files.
        for high in subfolders(&home.data, &mut findings, |_| {}) {
            let path = home.data.join(format!("{high:02X}"));
            let mut strange = Vec::new();
            for low in subfolders(&path, &mut findings, |path| strange.push(Finding::NotAnId { path })) {
                let path = path.join(format!("{low:02X}"));
                if u16::from(high.max(low)) >= subdir_count && list(&path).is_ok_and(|list| !list.is_empty())
                {
                    findings.push(Finding::FolderOutOfRange { path });
                }
                folders.push(FolderId { home: index, dirs: (high, low) });
            }
            findings.extend(strange);
        }
    }
    (folders, findings)
}

/// The folders of two upper-case hexadecimal digits in a folder, sorted; links to folders count, as an operator may
/// have spread a store over several disks with them.
fn subfolders(path: &Path, findings: &mut Vec<Finding>, mut other: impl FnMut(PathBuf)) -> Vec<u8> {
    let mut entries = list(path).unwrap_or_else(|error| {
        findings.push(Finding::Unreadable { path: path.to_owned(), error: error.kind() });
        Vec::new()
    });
    entries.sort_unstable();
    let mut numbers = Vec::new();
    for name in entries {
        let number = name.to_str().and_then(|text| {
            let number = u8::from_str_radix(text, 16).ok()?;
            (text == format!("{number:02X}") && path.join(text).is_dir()).then_some(number)
        });
        match number {
            Some(number) => numbers.push(number),
            None => other(path.join(name)),
        }
    }
    numbers
}

fn list(path: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
}
