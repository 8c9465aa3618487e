//! Doing the journal's entries again after a crash.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use fdfs_format::journal::Change;

use crate::StoreError;
use crate::binlog::Binlog;
use crate::journal::{Replay, replay};
use crate::pack::{Loaded, RecordLine};
use crate::path::{Files, names_of};
use crate::plain::Turn;

/// Where a journal folder goes once its entries are done and synced; found at a start it is only removed.
const DONE_DIR: &str = "journal.done";

/// What a crash had left to do on one store path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    pub(crate) entries: u64,
    pub(crate) damaged: u64,
}

/// Brings all store paths and the binlog to the state that was acknowledged, durably, and leaves empty
/// journals and no temporary files.
pub(crate) fn recover(
    paths: &[Arc<Files>],
    packs: &[Loaded],
    binlog: &Binlog,
) -> Result<Vec<Recovered>, StoreError> {
    for path in paths {
        remove_dir(path, DONE_DIR)?;
    }
    let journals = paths.iter().map(|path| replay(&path.journal_dir)).collect::<io::Result<Vec<_>>>()?;
    let mut found = Vec::new();
    for (path, journal) in paths.iter().zip(&journals) {
        let entries = redo(path, journal)?;
        found.push(Recovered { entries: entries as u64, damaged: journal.damaged() });
    }
    complete_binlog(&journals, packs, binlog)?;
    binlog.sync()?;
    for (path, journal) in paths.iter().zip(&journals) {
        if !journal.is_empty() {
            rustix::fs::syncfs(&path.data_fd)?;
            path.disks.sync()?;
        }
        let done = path.journal_dir.with_file_name(DONE_DIR);
        fs::rename(&path.journal_dir, &done)?;
        daemon::state_file::sync_parent(&done)?;
        fs::create_dir(&path.journal_dir)?;
        remove_dir(path, DONE_DIR)?;
        clear_temps(path)?;
    }
    Ok(found)
}

/// Does the entries of one path again.
///
/// What was done to a name before its file last came to be, or went away, must not be done again: the file
/// that stands there now is another one. An entry that was taken back made no other one of it: what was done before
/// counts still.
fn redo(path: &Files, journal: &Replay) -> io::Result<usize> {
    let taken_back = taken_back(journal)?;
    let mut current_since: HashMap<Vec<u8>, usize> = HashMap::new();
    let plain = path.plain();
    journal.for_each(|index, entry| {
        let noted = path.note(&entry.change);
        let is_refused = entry.line.is_empty() || taken_back.contains(&index);
        // Of a change that was refused because its disk was not there, nothing can be there.
        if !is_refused {
            noted?;
        }
        excused(&entry.change, is_refused, plain.remove_half(&entry.change))?;
        match entry.change {
            _ if taken_back.contains(&index) => {}
            Change::Create { name, .. }
            | Change::Adopt { name, .. }
            | Change::Replace { name, .. }
            | Change::Delete { name }
            | Change::Fill { name, .. }
            | Change::FillStaged { name, .. }
            | Change::Empty { name } => {
                current_since.insert(name.to_vec(), index);
            }
            Change::Move { from, to } => {
                current_since.insert(from.to_vec(), index);
                current_since.insert(to.to_vec(), index);
            }
            Change::Write { .. } | Change::Splice { .. } | Change::Truncate { .. } | Change::Note { .. } => {}
        }
        Ok(())
    })?;
    journal.for_each(|index, entry| {
        let name = names_of(&entry.change).0;
        if taken_back.contains(&index) || current_since.get(name).is_some_and(|&since| index < since) {
            return Ok(());
        }
        let applied = plain.apply(&entry.change, entry.mtime, Turn::Again);
        excused(&entry.change, entry.line.is_empty(), applied)
    })
}

/// What came of doing an entry again, with the file named if that failed. Of a change that was refused, a disk that is
/// read-only may be it because of that, and says so of what is not there, too: for its sake nobody goes without all other files.
fn excused(change: &Change<'_>, is_refused: bool, result: io::Result<()>) -> io::Result<()> {
    let Err(error) = result else { return Ok(()) };
    let name = String::from_utf8_lossy(names_of(change).0);
    if is_refused && error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        tracing::warn!(%name, "the disk of a file is read-only, nothing was cleared away behind a change that was refused");
        return Ok(());
    }
    Err(io::Error::new(error.kind(), format!("data/{name}: {error}")))
}

/// The entries that could not be done when it was their turn, as the next one of the same name says: it has no binlog
/// lines, which every other has.
fn taken_back(journal: &Replay) -> io::Result<HashSet<usize>> {
    let mut last: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut found = HashSet::new();
    journal.for_each(|index, entry| {
        let before = last.insert(names_of(&entry.change).0.to_vec(), index);
        if entry.line.is_empty() {
            found.extend(before);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Adds the lines that the binlog lacks: those of each journal in the order of its entries, whatever their times (a file
/// that is regenerated keeps its time), those of several journals and of packs in the order of their times; of equal times, those
/// of journals in the order of store paths, and then those of packs likewise.
fn complete_binlog(journals: &[Replay], packs: &[Loaded], binlog: &Binlog) -> io::Result<()> {
    let mut missing: Vec<(u64, Vec<u8>)> = Vec::new();
    let of_journals = journals.iter().filter(|journal| !journal.is_empty()).filter_map(Replay::binlog_from);
    if let Some(from) = of_journals.chain(packs.iter().filter_map(|packs| packs.binlog_from)).min() {
        binlog.renew(from)?;
    }
    for journal in journals.iter().filter(|journal| !journal.is_empty()) {
        let Some(from) = journal.binlog_from() else { continue };
        let mut there = Lines::from(binlog, from)?;
        let taken_back = taken_back(journal)?;
        let mut newest = 0;
        journal.for_each(|index, entry| {
            if !taken_back.contains(&index) {
                for line in entry.line.split_inclusive(|&byte| byte == b'\n') {
                    newest = newest.max(time_of(line));
                    if !there.take(line) {
                        missing.push((newest, line.to_vec()));
                    }
                }
            }
            Ok(())
        })?;
    }
    for (index, packs) in packs.iter().enumerate() {
        let Some(from) = packs.binlog_from else { continue };
        let mut there = Lines::from(binlog, from)?;
        for RecordLine { time, op, name } in &packs.lines {
            let mut line = format!("{time} {} M{index:02X}/", char::from(*op)).into_bytes();
            line.extend_from_slice(name);
            line.push(b'\n');
            if !there.take(&line) {
                missing.push((u64::from(*time), line));
            }
        }
    }
    missing.sort_by_key(|(time, _)| *time);
    missing.iter().for_each(|(_, line)| binlog.append(line));
    binlog.flush()
}

/// Lines of the binlog from a place on, and how many of each. Everybody who expects lines has a place of their own: the
/// same change may have been made before, in the same second, and its line must not pass for a later one.
struct Lines(HashMap<Vec<u8>, u32>);

impl Lines {
    fn from(binlog: &Binlog, place: (u32, u64)) -> io::Result<Self> {
        let mut lines: HashMap<Vec<u8>, u32> = HashMap::new();
        binlog.lines_from(place, |line| *lines.entry(line.to_vec()).or_default() += 1)?;
        Ok(Self(lines))
    }

    /// Takes one such line away; whether there was one.
    fn take(&mut self, line: &[u8]) -> bool {
        match self.0.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

/// The time that a binlog line begins with.
fn time_of(line: &[u8]) -> u64 {
    let digits = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn remove_dir(path: &Files, name: &str) -> io::Result<()> {
    match fs::remove_dir_all(path.journal_dir.with_file_name(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what uploads that were never finished have left.
fn clear_temps(path: &Files) -> io::Result<()> {
    for entry in fs::read_dir(&path.temp_dir)? {
        fs::remove_file(entry?.path())?;
    }
    File::open(&path.temp_dir)?.sync_all()
}
