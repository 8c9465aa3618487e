//! A model of `io/store`: a log of changes with what belongs to them, files as they follow from it, and the binlog.
//!
//! One frame of the log holds a line of the binlog and the bytes of the change, so both come and go together, as in a pack
//! or a journal of the real store. A change waits in the log until it is certain; then it is done, and its line joins the
//! binlog, which nobody syncs for that: a start adds the lines that a power cut took.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use fdfs_fileid::{FileName, Kind};
use fdfs_format::binlog::{Change, Record};
use storage_core::replication::receive::{Gone, GoneLog, Was};

use crate::Fault;
use crate::disk::{Base, Disk, Full};

/// Lengths of line and content, whether it is only noted, then the CRC of these and the line, and that of the content.
const HEAD_LEN: usize = 15;

/// What reading a file gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Missing,
    /// Other bytes than its name says.
    Damaged,
    Whole(Vec<u8>),
}

/// How a file is kept.
#[derive(Debug)]
enum Kept {
    /// In the log, where it may rot.
    Packed(Range<usize>),
    /// By itself.
    Plain(Vec<u8>),
}

#[derive(Debug)]
struct Frame {
    record: Record,
    /// There is a line for it, and nothing to do.
    noted: bool,
    content: Range<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    files: BTreeMap<FileName, Kept>,
    /// When each was changed last, Unix second.
    times: BTreeMap<FileName, i64>,
    pub(crate) gone: Gone,
    /// Changes that are not certain yet.
    pending: VecDeque<Frame>,
    checks: bool,
}

impl Store {
    /// Reads the log; a torn end is cut off, lines that the binlog lacks are added, and all is synced before anybody
    /// relies on it.
    pub(crate) fn open(disk: &mut Disk, base: &mut Base, fault: Option<Fault>) -> Self {
        let keep_torn = fault == Some(Fault::TornTailKept);
        let mut frames = Vec::new();
        let mut at = 0;
        while let Some((frame, whole)) = frame(&disk.log.bytes, at) {
            // What was synced is whole, or rotten: that is not cut off but mended.
            if !whole && frame.content.end > disk.log.synced && !keep_torn {
                break;
            }
            at = frame.content.end;
            frames.push(frame);
        }
        disk.log.truncate(at);
        disk.log.sync(at);
        let whole_lines = base.binlog.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        base.binlog.truncate(whole_lines);
        complete(&frames, base, disk.binlog_from);
        base.binlog.sync(base.binlog.len());
        let checks = !matches!(fault, Some(Fault::TornTailKept | Fault::RotServed));
        let mut store = Self { checks, ..Self::default() };
        for frame in frames {
            store.apply(frame, &disk.log.bytes);
        }
        let mut log = GoneLog::default();
        for line in lines(&base.binlog.bytes) {
            line.into_iter().for_each(|record| log.note(&record));
        }
        store.gone = log.gone;
        store
    }

    fn apply(&mut self, frame: Frame, log: &[u8]) {
        if frame.noted {
            return;
        }
        let bytes = &log[frame.content.clone()];
        let name = frame.record.change.name().clone();
        self.times.insert(name.clone(), frame.record.timestamp);
        match &frame.record.change {
            Change::Delete { .. } => {
                self.files.remove(&name);
                self.times.remove(&name);
            }
            Change::Rename { old, .. } => {
                if let Some(kept) = self.files.remove(old) {
                    self.files.insert(name, kept);
                }
                self.times.remove(old);
            }
            Change::Append { offset, .. } | Change::Modify { offset, .. } => {
                if let Some(Kept::Plain(whole)) = self.files.get_mut(&name) {
                    let start = *offset as usize;
                    whole.resize(whole.len().max(start + bytes.len()), 0);
                    whole[start..start + bytes.len()].copy_from_slice(bytes);
                }
            }
            Change::Truncate { new_size, .. } => {
                if let Some(Kept::Plain(whole)) = self.files.get_mut(&name) {
                    whole.resize(*new_size as usize, 0);
                }
            }
            Change::Create { .. } | Change::Update { .. } | Change::Link { .. } => {
                let kept = match name.kind() {
                    Kind::Normal => Kept::Packed(frame.content),
                    _ => Kept::Plain(bytes.to_vec()),
                };
                self.files.insert(name, kept);
            }
        }
    }

    /// Writes a change, or only the line of it; certain once the log is synced up to the end that this returns.
    pub(crate) fn write(
        &mut self,
        disk: &mut Disk,
        record: Record,
        noted: bool,
        content: &[u8],
    ) -> Result<usize, Full> {
        let line = record.encode().unwrap_or_default();
        let mut head = (line.len() as u16).to_be_bytes().to_vec();
        head.extend((content.len() as u32).to_be_bytes());
        head.push(noted.into());
        let crc = crc32fast::hash(&[head.as_slice(), line.as_bytes()].concat());
        head.extend(crc.to_be_bytes());
        head.extend(crc32fast::hash(content).to_be_bytes());
        disk.append(&[head.as_slice(), line.as_bytes(), content].concat())?;
        let end = disk.log.len();
        self.pending.push_back(Frame { record, noted, content: end - content.len()..end });
        Ok(end)
    }

    /// Does the changes that are certain: those up to `end`.
    pub(crate) fn commit(&mut self, disk: &Disk, base: &mut Base, end: usize) {
        while let Some(frame) = self.pending.pop_front_if(|frame| frame.content.end <= end) {
            base.binlog.bytes.extend(frame.record.encode().unwrap_or_default().bytes());
            let was = self.files.contains_key(frame.record.change.name());
            self.gone.note(&frame.record.change, if was { Was::Here } else { Was::Missing });
            self.apply(frame, &disk.log.bytes);
        }
    }

    /// Whether a change of the file waits to be certain.
    pub(crate) fn is_busy(&self, name: &FileName) -> bool {
        let names_it = |change: &Change| {
            change.name() == name || matches!(change, Change::Rename { old, .. } if old == name)
        };
        self.pending.iter().any(|frame| names_it(&frame.record.change))
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn has(&self, name: &FileName) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn len_of(&self, name: &FileName) -> Option<u64> {
        Some(match self.files.get(name)? {
            Kept::Packed(range) => range.len() as u64,
            Kept::Plain(bytes) => bytes.len() as u64,
        })
    }

    /// When a file was changed last, Unix second.
    pub(crate) fn time_of(&self, name: &FileName) -> i64 {
        self.times.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &FileName> {
        self.files.keys()
    }

    /// The bytes of a file as they are, right or wrong.
    pub(crate) fn bytes<'a>(&'a self, disk: &'a Disk, name: &FileName) -> Option<&'a [u8]> {
        Some(match self.files.get(name)? {
            Kept::Packed(range) => &disk.log.bytes[range.clone()],
            Kept::Plain(bytes) => bytes,
        })
    }

    pub(crate) fn read(&self, disk: &Disk, name: &FileName) -> Content {
        match self.bytes(disk, name) {
            None => Content::Missing,
            Some(bytes) if self.checks && !fits(name, bytes) => Content::Damaged,
            Some(bytes) => Content::Whole(bytes.to_vec()),
        }
    }

    /// Where the content of a file lies, if it may rot.
    pub(crate) fn place(&self, name: &FileName) -> Option<Range<usize>> {
        match self.files.get(name) {
            Some(Kept::Packed(range)) => Some(range.clone()),
            _ => None,
        }
    }

    /// Puts a good copy over a damaged one.
    pub(crate) fn mend(&self, disk: &mut Disk, name: &FileName, good: &[u8]) {
        if let Some(range) = self.place(name).filter(|range| range.len() == good.len() && fits(name, good)) {
            disk.log.bytes[range].copy_from_slice(good);
        }
    }

    /// Files whose content is not what their names say.
    pub(crate) fn damaged(&self, disk: &Disk) -> Vec<FileName> {
        let bad = |name: &&FileName| self.bytes(disk, name).is_some_and(|bytes| !fits(name, bytes));
        self.names().filter(bad).cloned().collect()
    }
}

/// Whether these bytes are what the name says, as far as it says anything (storage design: every byte is checked).
pub(crate) fn fits(name: &FileName, bytes: &[u8]) -> bool {
    name.kind() != Kind::Normal
        || name.is_metadata()
        || name.stamp().is_none_or(|stamp| {
            stamp.crc32 == crc32fast::hash(bytes)
                && stamp.size.size().is_none_or(|size| size == bytes.len() as u64)
        })
}

/// The records of a text of lines; `None` for a line that is none.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = Option<Record>> + '_ {
    text.split_inclusive(|byte| *byte == b'\n')
        .map(|line| Record::parse(line.strip_suffix(b"\n").unwrap_or(line)).ok())
}

/// Adds the lines that the binlog lacks from a place on, in the order of their times.
fn complete(frames: &[Frame], base: &mut Base, from: usize) {
    let text = base.binlog.bytes.get(from..).unwrap_or_default();
    let mut there: BTreeMap<&[u8], u32> = BTreeMap::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        *there.entry(line).or_default() += 1;
    }
    let mut missing: Vec<(i64, String)> = Vec::new();
    for frame in frames {
        let line = frame.record.encode().unwrap_or_default();
        match there.get_mut(line.as_bytes()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push((frame.record.timestamp, line)),
        }
    }
    missing.sort_by_key(|(time, _)| *time);
    missing.iter().for_each(|(_, line)| base.binlog.bytes.extend(line.bytes()));
}

/// The frame at a place, and whether its content is as it was written.
fn frame(log: &[u8], at: usize) -> Option<(Frame, bool)> {
    let (head, rest) = log.get(at..)?.split_first_chunk::<HEAD_LEN>()?;
    let [a, b, c, d, e, f, noted, g, h, i, j, content_crc @ ..] = *head;
    let line_len = usize::from(u16::from_be_bytes([a, b]));
    let content_len = u32::from_be_bytes([c, d, e, f]) as usize;
    let line = rest.get(..line_len)?;
    if u32::from_be_bytes([g, h, i, j]) != crc32fast::hash(&[&head[..7], line].concat()) {
        return None;
    }
    let start = at + HEAD_LEN + line_len;
    let content = start..start + content_len;
    let whole = u32::from_be_bytes(content_crc) == crc32fast::hash(log.get(content.clone())?);
    let record = Record::parse(line.strip_suffix(b"\n")?).ok()?;
    Some((Frame { record, noted: noted != 0, content }, whole))
}
