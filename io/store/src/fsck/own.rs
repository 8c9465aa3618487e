//! Our own folder of each store path: the journal, temporary files, whether a storage is at work.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::binlog::Record;
use fdfs_format::journal::{Change, Entry};

use super::records::{Effect, effects};
use super::{Finding, Home, Keys, names, packs};
use crate::journal::replay;
use crate::path::{OWN_DIR, QUARANTINE_DIR, names_of};
use crate::quarantine::usage_of;
use crate::unpack::UNPACK_MARK;

/// How often the journal of a running storage is read when it changes under the reader.
const READS_MAX: u32 = 3;

/// Age at which FastDFS itself takes over a temporary file of its replication.
const FOREIGN_TEMP_AGE: Duration = Duration::from_secs(600);

/// What is known before the files are looked at.
#[derive(Default)]
pub(super) struct Own {
    /// A storage holds the lock of a store path.
    pub(super) running: bool,
    pub(super) findings: Vec<Finding>,
    /// Names that the next start will change: nothing is said about them.
    pub(super) pending: Keys,
    /// Names whose records may not be in the binlog yet.
    pub(super) recorded: Keys,
    /// For each store path, the first pack whose records may be younger than the binlog as it will be read.
    pub(super) young_packs: Vec<u64>,
}

impl Own {
    /// Of a store that this process has open: what its journal holds is done.
    pub(super) fn of_open_store() -> Self {
        Self { running: true, ..Self::default() }
    }

    pub(super) fn look(homes: &[Home]) -> Self {
        let mut own = Self::default();
        for home in homes {
            own.look_at(home);
        }
        own
    }

    /// Takes note of a line that may not be in the binlog yet.
    fn record(&mut self, line: &[u8]) {
        let Ok(record) = Record::parse(line) else { return };
        effects(&record.change, |effect| {
            if let Effect::Made(name) = effect {
                self.recorded.insert(names::key(name));
            }
        });
    }

    fn look_at(&mut self, home: &Home) {
        let dir = home.data.join(OWN_DIR);
        let running = is_locked(&dir.join("lock"));
        self.running |= running;
        let journal = dir.join("journal");
        let mut temps = Vec::new();
        let looked = read_journal(&journal, running, &mut |entry| {
            entry.line.split(|&byte| byte == b'\n').for_each(|line| self.record(line));
            if !running {
                self.pending.extend(touched(home.index, &entry.change));
                temps.extend(staged(&entry.change).map(|temp| temp.to_string()));
            }
        });
        match looked {
            Ok(found) => {
                if found.entries > 0 && !running {
                    let path = journal.clone();
                    self.findings.push(Finding::JournalPending { path, entries: found.entries });
                }
                if found.damaged > 0 {
                    self.findings.push(Finding::JournalDamaged { path: journal, batches: found.damaged });
                }
            }
            Err(error) => {
                self.findings.push(Finding::Unreadable { path: journal, error: error.kind() });
            }
        }
        self.findings.extend(quarantined(&dir.join(QUARANTINE_DIR)));
        let young_from = packs::lines(home, &mut |line| self.record(line));
        self.young_packs.push(young_from);
        if !running {
            self.findings.extend(leftovers(&dir.join("tmp"), &temps));
            self.findings.extend(pack_leftovers(&packs::folder(home)));
            if home.unpacking {
                self.findings.push(Finding::UnpackUnfinished { path: dir.join(UNPACK_MARK) });
            }
        }
        self.findings.extend(foreign(&home.data));
    }
}

/// Calls `visit` with every line that is in the journals now, or in packs that are not sealed.
pub(super) fn journal_lines(homes: &[Home], visit: &mut dyn FnMut(&[u8])) {
    for home in homes {
        let dir = home.data.join(OWN_DIR);
        // Its damage has been reported.
        let _ = read_journal(&dir.join("journal"), is_locked(&dir.join("lock")), &mut |entry| {
            entry.line.split(|&byte| byte == b'\n').for_each(&mut *visit);
        });
        packs::lines(home, visit);
    }
}

/// What is in a journal.
#[derive(Debug, Clone, Copy, Default)]
struct Journal {
    entries: u64,
    damaged: u64,
}

/// Reads a journal. That of a running storage may turn over meanwhile, which looks like damage: then it is read
/// again, and `visit` sees entries more than once.
fn read_journal(dir: &Path, running: bool, visit: &mut dyn FnMut(Entry<'_>)) -> io::Result<Journal> {
    let mut read = || -> io::Result<Journal> {
        if !dir.try_exists()? {
            return Ok(Journal::default());
        }
        let journal = replay(dir)?;
        let entries = journal.for_each(|_, entry| {
            visit(entry);
            Ok(())
        })?;
        Ok(Journal { entries: entries as u64, damaged: journal.damaged() })
    };
    let mut result = read();
    for _ in 1..if running { READS_MAX } else { 1 } {
        if matches!(result, Ok(Journal { damaged: 0, .. })) {
            break;
        }
        result = read();
    }
    result
}

/// The names that a change has to do with.
fn touched(path: StorePathIndex, change: &Change<'_>) -> impl Iterator<Item = u64> + use<> {
    let (name, other) = names_of(change);
    let prefix = format!("{path}/").into_bytes();
    let keys = [Some(name), other].map(|name| {
        let name = FileName::parse(&[&prefix, name?].concat()).ok()?;
        Some(names::key(&name))
    });
    keys.into_iter().flatten()
}

/// The temporary file that a change takes up.
fn staged(change: &Change<'_>) -> Option<u64> {
    match *change {
        Change::Adopt { temp, .. } | Change::Splice { temp, .. } | Change::FillStaged { temp, .. } => {
            Some(temp)
        }
        _ => None,
    }
}

/// Bad copies that a storage has kept.
fn quarantined(path: &Path) -> Option<Finding> {
    match usage_of(path) {
        Ok(usage) if usage.copies == 0 => None,
        Ok(usage) => Some(Finding::Quarantine {
            path: path.to_owned(),
            copies: usage.copies,
            bytes: usage.bytes,
            lost: usage.lost,
        }),
        Err(error) => Some(Finding::Unreadable { path: path.to_owned(), error: error.kind() }),
    }
}

/// Temporary files of uploads that were never finished.
fn leftovers(dir: &Path, needed: &[String]) -> Option<Finding> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Finding::Unreadable { path: dir.to_owned(), error: error.kind() }),
    };
    let (mut files, mut bytes) = (0, 0);
    for entry in entries.flatten() {
        if !needed.iter().any(|temp| entry.file_name() == temp.as_str()) {
            files += 1;
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    (files > 0).then(|| Finding::Leftovers { path: dir.to_owned(), files, bytes })
}

/// Packs and hints that others have taken the place of, and packs that were being rewritten.
fn pack_leftovers(dir: &Path) -> Option<Finding> {
    // A folder that can't be listed is said when its packs are looked at.
    let found = packs::list(dir).unwrap_or_default().leftovers;
    let len = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let (files, bytes) = (found.len() as u64, found.iter().map(len).sum());
    (files > 0).then(|| Finding::Leftovers { path: dir.to_owned(), files, bytes })
}

/// What FastDFS leaves directly under `data/` when it is interrupted.
fn foreign(data: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in fs::read_dir(data).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = entry.path();
        if name == ".recovery.flag" {
            findings.push(Finding::RecoveryUnfinished { path });
        } else if name.starts_with(".cp") && name.ends_with(".tmp") {
            findings.extend(entry.metadata().ok().and_then(|metadata| foreign_temp(path, &metadata)));
        }
    }
    findings.sort_by_cached_key(|finding| format!("{finding:?}"));
    findings
}

/// A temporary file of FastDFS, if it is too old to be in use.
pub(super) fn foreign_temp(path: PathBuf, metadata: &fs::Metadata) -> Option<Finding> {
    let modified = metadata.modified().ok()?;
    let is_old = SystemTime::now().duration_since(modified).is_ok_and(|age| age > FOREIGN_TEMP_AGE);
    is_old.then_some(Finding::Leftovers { path, files: 1, bytes: metadata.len() })
}

/// Whether a process holds a lock on a file. Asking the kernel's list does not need the lock, so a storage that
/// starts at this moment is not kept out.
fn is_locked(file: &Path) -> bool {
    let Ok(metadata) = fs::metadata(file) else { return false };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let (dev, ino) = (metadata.dev(), metadata.ino());
    let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
    locks.lines().any(|line| {
        let mut columns = line.split_ascii_whitespace();
        if !columns.any(|column| column == "FLOCK") {
            return false;
        }
        let place = columns.find(|column| column.contains(':')).unwrap_or_default();
        let mut numbers = place.split(':');
        let mut hex = || u32::from_str_radix(numbers.next().unwrap_or_default(), 16).ok();
        let (lock_major, lock_minor) = (hex(), hex());
        // File systems without a device of their own may give their files another number than the list has.
        let same_device = lock_major == Some(major) && (lock_minor == Some(minor) || major == 0);
        same_device && numbers.next().and_then(|number| number.parse().ok()) == Some(ino)
    })
}

#[cfg(test)]
mod tests {
    use super::is_locked;
    use rustix::fs::{FlockOperation, flock};
    use std::fs::File;

    #[test]
    fn a_lock_is_seen_while_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!is_locked(&path));
        let file = File::create(&path).unwrap();
        assert!(!is_locked(&path));
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(is_locked(&path));
        drop(file);
        assert!(!is_locked(&path));
    }
}
