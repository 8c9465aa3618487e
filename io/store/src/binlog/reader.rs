//! Follows the log from a place to its end, and on as it grows.
//!
//! A line that is no record never stops a reader: it is told with its place, and the next newline begins a new attempt
//! (storage internals: holes, D5). So is what was torn at the end of a file that is not written to any more, where the
//! original waits for ever.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_format::binlog::{LINE_LEN_MAX, LineError, Record};
use fdfs_format::{Line, LineReader};
use flate2::read::MultiGzDecoder;
use storage_core::replication::LogPosition;

use super::{Binlog, log_path, newest};

/// Bytes of the log that are read at a time.
const STEP: usize = 64 * 1024;

/// A line and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it begins.
    pub at: LogPosition,
    /// Where it ends.
    pub end: LogPosition,
    /// The record, or why there is none.
    pub record: Result<Record, LineError>,
}

/// How far a call of [`LogReader::read`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// There may be more.
    More,
    /// Everything that was in the log when the call began has been read.
    End,
}

/// One reader of the log. It keeps nothing on disk.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    file: u32,
    source: Source,
    lines: LineReader,
    buffer: Vec<u8>,
    /// Lines that were no records, and ends of files that were torn.
    skipped: u64,
    found: Vec<Line>,
}

/// Where the bytes of a file of the log come from.
#[derive(Debug)]
enum Source {
    /// Not opened yet.
    Closed,
    Plain(File),
    /// Compressed by the original, as it does with files it has read (storage internals: compression).
    Compressed(Box<MultiGzDecoder<File>>),
}

impl LogReader {
    /// Begins at `from`. A place that is not there, as in a mark of a log that was lost since, gives way to
    /// the last one before it that is, and is told: what is read twice does no harm. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(log: &Binlog, from: LogPosition) -> io::Result<Self> {
        log.flush()?;
        let dir = log.dir().to_owned();
        let place = usable(&dir, from)?;
        if place != from {
            tracing::warn!(wanted = %from, from = %place, "the binlog does not have this place as the beginning of a line, it is read from an earlier one");
        }
        Ok(Self {
            dir,
            file: place.file,
            source: Source::Closed,
            lines: LineReader::new(place.offset),
            buffer: vec![0; STEP],
            skipped: 0,
            found: Vec::new(),
        })
    }

    /// Where to go on: behind the last line that was told.
    pub fn position(&self) -> LogPosition {
        LogPosition { file: self.file, offset: self.lines.offset() }
    }

    /// How many lines were no records.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Adds the next lines to `out`, about [`STEP`] bytes of them. Hands lines that are only in memory to the operating
    /// system first. Blocks.
    ///
    /// # Errors
    /// What the file system says; the next call tries again at the same place.
    pub fn read(&mut self, log: &Binlog, out: &mut Vec<LogLine>) -> io::Result<Read> {
        log.flush()?;
        // Asked before reading: what is then at its end has no more to come.
        let (newest, _) = log.position();
        loop {
            let len = self.fill()?;
            if len > 0 {
                self.lines.feed(self.buffer.get(..len).unwrap_or_default(), &mut self.found);
                self.hand_over(out);
                return Ok(Read::More);
            }
            if self.file >= newest {
                return Ok(Read::End);
            }
            self.end_file(out);
        }
    }

    /// The next bytes of the file in hand; none at its end, and when it is not there.
    fn fill(&mut self) -> io::Result<usize> {
        if matches!(self.source, Source::Closed) {
            let seen = self.lines.offset() + self.lines.incomplete_len();
            match open(&self.dir, self.file, seen)? {
                Some(source) => self.source = source,
                None => return Ok(0),
            }
        }
        let read = match &mut self.source {
            Source::Closed => Ok(0),
            Source::Plain(file) => file.read(&mut self.buffer),
            Source::Compressed(file) => file.read(&mut self.buffer),
        };
        if read.is_err() {
            self.source = Source::Closed;
        }
        read
    }

    fn end_file(&mut self, out: &mut Vec<LogLine>) {
        let at = self.position();
        let torn = self.lines.incomplete_len();
        let next = LogPosition { file: self.file + 1, offset: 0 };
        if torn > 0 {
            tracing::warn!(%at, bytes = torn, "the binlog has a torn line at the end of a file, skipped");
            self.skipped += 1;
            out.push(LogLine { at, end: next, record: Err(LineError::Columns) });
        } else if matches!(self.source, Source::Closed) {
            tracing::warn!(%at, "a file of the binlog is missing, what it held is not replicated");
        }
        self.file = next.file;
        self.source = Source::Closed;
        self.lines = LineReader::new(0);
    }

    fn hand_over(&mut self, out: &mut Vec<LogLine>) {
        for line in self.found.drain(..) {
            let at = LogPosition { file: self.file, offset: line.offset };
            if let Err(error) = &line.record {
                self.skipped += 1;
                tracing::warn!(%at, bytes = line.len, %error, "a line of the binlog is no record, skipped");
            }
            let end = LogPosition { offset: line.offset + line.len, ..at };
            out.push(LogLine { at, end, record: line.record });
        }
    }
}

/// Opens a file of the log behind its first `skip` bytes; `None` when it is not there.
fn open(dir: &Path, index: u32, skip: u64) -> io::Result<Option<Source>> {
    match File::open(log_path(dir, index)) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(skip))?;
            return Ok(Some(Source::Plain(file)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match File::open(dir.join(format!("binlog.{index:03}.gz"))) {
        Ok(file) => {
            let mut text = MultiGzDecoder::new(file);
            io::copy(&mut (&mut text).take(skip), &mut io::sink())?;
            Ok(Some(Source::Compressed(Box::new(text))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last place up to `from` at which a line begins, in a file that is there.
fn usable(dir: &Path, from: LogPosition) -> io::Result<LogPosition> {
    if newest(dir)?.is_some_and(|newest| from.file > newest) {
        return Ok(LogPosition::default());
    }
    if from.offset == 0 {
        return Ok(from);
    }
    let file = match File::open(log_path(dir, from.file)) {
        Ok(file) => file,
        // Perhaps it was compressed, and then its text is what it was.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(from),
        Err(error) => return Err(error),
    };
    let whole = LogPosition { offset: 0, ..from };
    if file.metadata()?.len() < from.offset {
        return Ok(whole);
    }
    let look = from.offset.min(LINE_LEN_MAX as u64);
    let mut before = vec![0; usize::try_from(look).unwrap_or_default()];
    file.read_exact_at(&mut before, from.offset - look)?;
    match before.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => Ok(LogPosition { offset: from.offset - look + newline as u64 + 1, ..from }),
        // In the middle of what is no line.
        None => Ok(whole),
    }
}
