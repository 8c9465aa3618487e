//! The replication log of a storage (`data/sync/binlog.NNN`): one line for every change, in the original's
//! form, so that peers of either kind can be told of it (storage internals: replication log).
//!
//! Lines are collected in memory and written together. That loses nothing: until a line is on disk here,
//! the journal of its store path holds it (see [`crate::journal`]).
//!
//! Whoever replicates follows the log with a [`LogReader`] and keeps its place in a [`MarkFile`].

mod mark_file;
mod reader;

pub use mark_file::{KeptMark, MarkFile};
pub use reader::{LogLine, LogReader, Read};

use std::fs::{self, File};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fdfs_format::binlog::{Origin, Record};
use parking_lot::Mutex;
use storage_core::replication::LogPosition;
use tokio::sync::watch;

use crate::plain::renewed;

/// Size at which the next file is begun.
const FILE_LEN_MAX: u64 = 1 << 30;

/// Lines held in memory before they are written.
const BUFFER_LEN: usize = 16 * 1024;

/// Lines held in memory, while the log can't be written, before changes are refused.
const BUFFER_LEN_MAX: usize = 16 << 20;

/// Longest line that a reader must cope with, newline included.
const LINE_LEN_MAX: usize = 256;

/// How much of the log is looked at for the first change that a peer lacks, bytes.
const FIRST_LOOK: u64 = 64 * 1024;

/// What is written once more at a time, bytes.
const RENEW_STEP: usize = 1 << 20;

/// Name of the file that tells which log is written to.
const INDEX_FILE: &str = "binlog_index.dat";

/// The log of one storage. All store paths share it.
#[derive(Debug)]
pub struct Binlog {
    dir: PathBuf,
    inner: Mutex<Inner>,
    /// A sync has failed: what the disk holds of the log is unknown, and only the first who asks is told.
    unsure: AtomicBool,
    /// Touched whenever lines come.
    appended: watch::Sender<()>,
}

#[derive(Debug)]
struct Inner {
    file: Arc<File>,
    index: u32,
    /// Bytes in the file.
    written: u64,
    buffer: Vec<u8>,
}

impl Binlog {
    /// Opens the newest log of `dir` (`data/sync`), creating what is missing.
    ///
    /// Which log is the newest is read from the folder, not from the index file, which an interrupted write
    /// can leave empty. A tail without newline, left by a crash, is cut off.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let index = newest(dir)?.unwrap_or(0);
        let (file, written) = open_log(dir, index)?;
        let log = Self {
            dir: dir.to_owned(),
            inner: Mutex::new(Inner {
                file: Arc::new(file),
                index,
                written,
                buffer: Vec::with_capacity(BUFFER_LEN * 2),
            }),
            unsure: AtomicBool::new(false),
            appended: watch::Sender::new(()),
        };
        log.write_index(index)?;
        Ok(log)
    }

    /// The end of the log: file number and offset.
    pub fn position(&self) -> (u32, u64) {
        let inner = self.inner.lock();
        (inner.index, inner.written + inner.buffer.len() as u64)
    }

    /// Whether lines can still be taken: false while the log can't be written and its memory is full.
    pub fn accepts(&self) -> bool {
        self.inner.lock().buffer.len() < BUFFER_LEN_MAX
    }

    /// Adds a whole line with its newline.
    pub fn append(&self, line: &[u8]) {
        let mut inner = self.inner.lock();
        inner.buffer.extend_from_slice(line);
        if inner.buffer.len() >= BUFFER_LEN
            && let Err(error) = self.write_out(&mut inner)
        {
            tracing::error!(%error, dir = %self.dir.display(), "cannot write the binlog");
        }
        drop(inner);
        // Cheap while nobody waits.
        self.appended.send_replace(());
    }

    /// Changes whenever lines were added, so that who has read everything need not look again and again.
    pub fn appended(&self) -> watch::Receiver<()> {
        self.appended.subscribe()
    }

    /// The folder of the log, which also holds the marks.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes of the log behind a place, as far as its files are there.
    pub fn len_from(&self, from: LogPosition) -> u64 {
        let (last, end) = self.position();
        let len_of = |index| fs::metadata(log_path(&self.dir, index)).map_or(0, |file| file.len());
        let before: u64 = (from.file..last).map(len_of).sum();
        (before + end).saturating_sub(from.offset)
    }

    /// When the first change behind a place was made that a client of this storage made, Unix second. Only so much of the
    /// log is looked at that it costs next to nothing; `None` when none is in it, or it can't be read.
    pub fn first_made_from(&self, from: LogPosition) -> Option<i64> {
        let mut file = File::open(log_path(&self.dir, from.file)).ok()?;
        file.seek(SeekFrom::Start(from.offset)).ok()?;
        let mut bytes = Vec::new();
        file.take(FIRST_LOOK).read_to_end(&mut bytes).ok()?;
        let records = bytes.split(|&byte| byte == b'\n').filter_map(|line| Record::parse(line).ok());
        { records }.find(|record| record.origin == Origin::Client).map(|record| record.timestamp)
    }

    /// The place so many bytes before the end, or the beginning of the oldest log that is there.
    pub fn place_before_end(&self, mut len: u64) -> (u32, u64) {
        let (mut index, mut end) = self.position();
        while len > end {
            let before =
                index.checked_sub(1).map(|before| (before, fs::metadata(log_path(&self.dir, before))));
            let Some((before, Ok(file))) = before else { return (index, 0) };
            len -= end;
            (index, end) = (before, file.len());
        }
        (index, end - len)
    }

    /// Hands all lines to the operating system.
    ///
    /// # Errors
    /// What writing says; the lines stay in memory and are written by the next call.
    pub fn flush(&self) -> io::Result<()> {
        self.write_out(&mut self.inner.lock())
    }

    /// Makes all flushed lines durable.
    ///
    /// # Errors
    /// What syncing says; from then on, that it has failed.
    pub fn sync(&self) -> io::Result<()> {
        let file = Arc::clone(&self.inner.lock().file);
        self.sync_log(&file)?;
        if self.unsure.load(Ordering::Acquire) {
            return Err(io::Error::other("syncing the binlog failed before, what the disk holds is unknown"));
        }
        Ok(())
    }

    fn sync_log(&self, file: &File) -> io::Result<()> {
        file.sync_data().inspect_err(|_| self.unsure.store(true, Ordering::Release))
    }

    fn write_out(&self, inner: &mut Inner) -> io::Result<()> {
        if !inner.buffer.is_empty() {
            // Positioned, so that a retry after a part was written does not write that part twice.
            inner.file.write_all_at(&inner.buffer, inner.written)?;
            inner.written += inner.buffer.len() as u64;
            inner.buffer.clear();
        }
        if inner.written >= FILE_LEN_MAX {
            self.sync_log(&inner.file)?;
            let next = inner.index + 1;
            let (file, written) = open_log(&self.dir, next)?;
            self.write_index(next)?;
            (inner.file, inner.index, inner.written) = (Arc::new(file), next, written);
        }
        Ok(())
    }

    fn write_index(&self, index: u32) -> io::Result<()> {
        let path = self.dir.join(INDEX_FILE);
        let compressed = fs::read_to_string(&path).ok().and_then(|text| {
            let value = text.lines().find_map(|line| line.trim().strip_prefix("current_compress="))?;
            value.trim().parse::<u32>().ok()
        });
        let text = format!("current_write={index}\ncurrent_compress={}\n", compressed.unwrap_or(0));
        daemon::state_file::replace(&path, text.as_bytes())
    }

    /// Writes the lines from a place to the end once more, where they are, durably. To be done before they are believed to be
    /// there after a crash: those that the disk did not take are in the page cache only, and it never says so again.
    ///
    /// # Errors
    /// What reading, writing and syncing say.
    pub(crate) fn renew(&self, from: (u32, u64)) -> io::Result<()> {
        self.flush()?;
        let (last, _) = self.position();
        let mut step = vec![0; RENEW_STEP];
        for index in from.0..=last {
            let file = match File::options().read(true).write(true).open(log_path(&self.dir, index)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut at = if index == from.0 { from.1 } else { 0 };
            loop {
                let len = match file.read_at(&mut step, at) {
                    Ok(0) => break,
                    Ok(len) => len,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let lines = step.get(..len).unwrap_or_default();
                renewed(&file, file.write_all_at(lines, at), || {
                    let mut there = vec![0; len];
                    file.read_exact_at(&mut there, at).map(|()| there == lines)
                })?;
                at += len as u64;
            }
            self.sync_log(&file)?;
        }
        Ok(())
    }

    /// Calls `visit` with each line, newline included, from the given place to the end.
    ///
    /// # Errors
    /// What reading says.
    pub fn lines_from(&self, from: (u32, u64), mut visit: impl FnMut(&[u8])) -> io::Result<()> {
        self.flush()?;
        let (last, _) = self.position();
        for index in from.0..=last {
            let path = log_path(&self.dir, index);
            let mut file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if index == from.0 {
                file.seek(SeekFrom::Start(from.1))?;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            bytes.split_inclusive(|&byte| byte == b'\n').for_each(&mut visit);
        }
        Ok(())
    }
}

fn log_path(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("binlog.{index:03}"))
}

/// The highest number of a log file of the folder.
fn newest(dir: &Path) -> io::Result<Option<u32>> {
    let mut newest = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let index = name
            .to_str()
            .and_then(|name| name.strip_prefix("binlog."))
            .filter(|digits| digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()));
        newest = newest.max(index.and_then(|digits| digits.parse().ok()));
    }
    Ok(newest)
}

/// Opens a log for writing behind its last whole line.
fn open_log(dir: &Path, index: u32) -> io::Result<(File, u64)> {
    let path = log_path(dir, index);
    let is_new = !path.exists();
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
    if is_new {
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        return Ok((file, 0));
    }
    let len = file.metadata()?.len();
    let whole = len - torn_tail(&mut file, len)?;
    if whole < len {
        tracing::warn!(log = %path.display(), bytes = len - whole, "cut off an incomplete line at the end of the binlog");
        file.set_len(whole)?;
        file.flush()?;
    }
    Ok((file, whole))
}

/// How many bytes behind the last newline there are.
fn torn_tail(file: &mut File, len: u64) -> io::Result<u64> {
    let mut end = len;
    let mut block = vec![0; LINE_LEN_MAX * 16];
    while end > 0 {
        let take = usize::try_from(end).unwrap_or(usize::MAX).min(block.len());
        let chunk = block.get_mut(..take).unwrap_or_default();
        file.read_exact_at(chunk, end - take as u64)?;
        if let Some(at) = chunk.iter().rposition(|&byte| byte == b'\n') {
            return Ok(len - (end - take as u64 + at as u64 + 1));
        }
        end -= take as u64;
    }
    Ok(len)
}
