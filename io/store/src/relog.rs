//! Writing the binlog anew from what is on the store paths, after the base path was lost (storage internals: holes, D23).
//!
//! Without its log a storage is a new member with a full disk: what no peer has yet is never sent, and what it has is
//! missing from copies that are made from it. So every file that is there gets a line. Those that may be here alone get
//! one of a client, which goes to every peer: what came within a day of the newest file of all, as that is the longest
//! delay of replication that trackers reckon with unless told otherwise. Others get one of a peer, which is there for
//! members that are filled from here. Appenders and metadata always do: peers may have newer content under the same
//! name.
//!
//! What cannot be found: deletions that no peer knows of, and names of files in slots of trunk files, which nothing on the
//! disk holds.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_fileid::{FileName, Kind, StorePathIndex};

use crate::binlog::Binlog;
use crate::pack::{Loaded, PACK_EXTENSION};
use crate::path::{Files, OWN_DIR, PACK_DIR};
use crate::{StoreError, StoreSettings};

/// Files that came so long before the newest of all may have no copy yet, seconds.
const RECENT_S: u64 = 86_400;

/// Lines between two looks whether the log can be written.
const LINES_STEP: u64 = 4096;

/// What the log was made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewLog {
    /// Files that have a line now, metadata included.
    pub files: u64,
    /// Those of them that are sent to the peers.
    pub sent: u64,
    /// Packed files that could not be read.
    pub unread: u64,
    /// Trunk files, in which others may be whose names are not known.
    pub containers: u64,
}

/// Whether store paths are in use and their log is gone. Blocks.
///
/// # Errors
/// What the file system says.
pub fn log_is_lost(settings: &StoreSettings) -> io::Result<bool> {
    let has_log = match fs::read_dir(&settings.binlog_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        entries => {
            entries?.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"binlog."))
        }
    };
    Ok(!has_log && settings.paths.iter().any(|root| holds_files(&root.join("data"))))
}

/// Whether a `data` folder has folders for files, or packs.
pub(crate) fn holds_files(data: &Path) -> bool {
    let has_packs = fs::read_dir(data.join(OWN_DIR).join(PACK_DIR)).is_ok_and(|entries| {
        entries.flatten().any(|e| e.path().extension().is_some_and(|e| e == PACK_EXTENSION))
    });
    let has_folders = fs::read_dir(data).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_str().is_some_and(is_folder) && entry.path().is_dir())
    });
    has_packs || has_folders
}

/// Whether a name is that of a folder for files: a number of two digits.
fn is_folder(text: &str) -> bool {
    u8::from_str_radix(text, 16).is_ok_and(|n| text == format!("{n:02X}"))
}

/// Writes the lines, durably. Done again after a crash it writes some twice, which does no harm.
pub(crate) fn write_log(
    paths: &[Arc<Files>],
    packs: &[Loaded],
    binlog: &Binlog,
) -> Result<NewLog, StoreError> {
    let spool = BufWriter::new(tempfile_in(binlog.dir())?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut found = Found { spool, now, newest: 0, log: NewLog::default() };
    for (index, (files, loaded)) in (0..=u8::MAX).map(StorePathIndex).zip(paths.iter().zip(packs)) {
        found.plain(index, &files.data)?;
        found.log.unread += loaded.packs.for_each_file(&mut |record| {
            let name = std::str::from_utf8(record.name).unwrap_or_default();
            found.add(index, name, record.header.mtime.into())
        })?;
    }
    let Found { spool, newest, mut log, .. } = found;
    let mut spool = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
    spool.rewind()?;
    for line in BufReader::new(spool).split(b'\n') {
        let line = line?;
        let Some((time, name)) = entry(&line) else { continue };
        let sent = time.saturating_add(RECENT_S) >= newest && !may_differ(&name);
        binlog.append(format!("{time} {} {name}\n", if sent { 'C' } else { 'c' }).as_bytes());
        log.files += 1;
        log.sent += u64::from(sent);
        if log.files.is_multiple_of(LINES_STEP) {
            binlog.flush()?;
        }
    }
    binlog.flush()?;
    binlog.sync()?;
    Ok(log)
}

/// A file without a name: it goes with its last descriptor, also in a crash.
fn tempfile_in(dir: &Path) -> io::Result<File> {
    let path = dir.join("cairn_files.tmp");
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Whether a peer may have other content under this name, and newer one.
fn may_differ(name: &FileName) -> bool {
    name.is_metadata() || name.kind() == Kind::Appender
}

fn entry(line: &[u8]) -> Option<(u64, FileName)> {
    let (time, name) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    Some((time.parse().ok()?, FileName::parse(name.as_bytes()).ok()?))
}

struct Found {
    /// A time and a name in each line: there may be more of them than memory is wanted for.
    spool: BufWriter<File>,
    now: u64,
    /// Time of the newest file; one that is to come counts as now.
    newest: u64,
    log: NewLog,
}

impl Found {
    /// A file of this true name, last changed at `time`.
    fn add(&mut self, index: StorePathIndex, true_name: &str, time: u64) -> io::Result<()> {
        let Ok(name) = FileName::parse(format!("{index}/{true_name}").as_bytes()) else { return Ok(()) };
        if name.is_trunk_container() {
            self.log.containers += 1;
            return Ok(());
        }
        let of_client = name.metadata_master().unwrap_or_else(|| name.clone());
        if of_client.check_client().is_err() {
            return Ok(());
        }
        self.newest = self.newest.max(time.min(self.now));
        writeln!(self.spool, "{time} {name}")
    }

    fn plain(&mut self, index: StorePathIndex, data: &Path) -> io::Result<()> {
        for high in folders(data)? {
            for low in folders(&data.join(&high))? {
                for entry in fs::read_dir(data.join(&high).join(&low))? {
                    let entry = entry?;
                    let text = entry.file_name();
                    let (Some(text), false) = (text.to_str(), entry.file_type()?.is_dir()) else { continue };
                    let time = u64::try_from(entry.metadata()?.mtime()).unwrap_or_default();
                    self.add(index, &format!("{high}/{low}/{text}"), time)?;
                }
            }
        }
        Ok(())
    }
}

fn folders(dir: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && is_folder(&name)
            && entry.path().is_dir()
        {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}
