//! A model of `io/store`: a log of changes with their content, and an index of it in memory.
//!
//! One frame of the log holds a line of the binlog and the content that belongs to it, so both come and go together, as
//! in a pack or a journal of the real store. Its lines are real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use fdfs_fileid::FileName;
use fdfs_format::binlog::{Change, Record};

use crate::Fault;
use crate::disk::{Disk, Full};

/// Lengths of line and content, then the CRC of line and lengths.
const HEAD_LEN: usize = 10;

/// One line of the binlog, and where its frame ends.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) record: Record,
    pub(crate) end: usize,
}

/// What reading a file gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Missing,
    /// Other bytes than its name says.
    Damaged,
    Whole(Vec<u8>),
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    files: BTreeMap<FileName, Range<usize>>,
    /// Names of files that were here, or would have come, and were deleted.
    gone: BTreeSet<FileName>,
    pub(crate) binlog: Vec<Line>,
    checks: bool,
}

impl Store {
    /// Reads the log; a torn end is cut off, and what is left is synced before anybody relies on it.
    pub(crate) fn open(disk: &mut Disk, fault: Option<Fault>) -> Self {
        let mut frames = Vec::new();
        let mut at = 0;
        while let Some((record, content)) = frame(&disk.log, at) {
            at = content.end;
            frames.push((record, content));
        }
        let keep_torn = fault == Some(Fault::TornTailKept);
        // What was synced is whole, or rotten: that is not cut off but mended. The real store tells the two apart by what
        // stands behind a synced batch.
        while let Some((record, content)) =
            frames.last().filter(|(_, content)| !keep_torn && content.end > disk.synced)
        {
            if !matches!(record.change, Change::Create { .. })
                || is_whole(&record.change, &disk.log[content.clone()])
            {
                break;
            }
            frames.pop();
        }
        let end = frames.last().map_or(0, |(_, content)| content.end);
        disk.truncate(end);
        disk.sync(end);
        let checks = !matches!(fault, Some(Fault::TornTailKept | Fault::RotServed));
        let mut store = Self { checks, ..Self::default() };
        for (record, content) in frames {
            store.apply(record, content);
        }
        store
    }

    fn apply(&mut self, record: Record, content: Range<usize>) {
        let end = content.end;
        match &record.change {
            Change::Delete { name } => {
                self.files.remove(name);
                self.gone.insert(name.clone());
            }
            change => {
                self.files.insert(change.name().clone(), content);
            }
        }
        self.binlog.push(Line { record, end });
    }

    /// Makes a change; safe once the log is synced up to the end that this returns.
    pub(crate) fn write(&mut self, disk: &mut Disk, record: Record, content: &[u8]) -> Result<usize, Full> {
        let line = record.encode().unwrap_or_default();
        let lens =
            [(line.len() as u16).to_be_bytes().as_slice(), &(content.len() as u32).to_be_bytes()].concat();
        let crc = crc32fast::hash(&[lens.as_slice(), line.as_bytes()].concat());
        let frame = [lens.as_slice(), &crc.to_be_bytes(), line.as_bytes(), content].concat();
        disk.append(&frame)?;
        let end = disk.log.len();
        self.apply(record, end - content.len()..end);
        Ok(end)
    }

    pub(crate) fn has(&self, name: &FileName) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn is_gone(&self, name: &FileName) -> bool {
        self.gone.contains(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &FileName> {
        self.files.keys()
    }

    pub(crate) fn read(&self, disk: &Disk, name: &FileName) -> Content {
        let Some(range) = self.files.get(name) else { return Content::Missing };
        let bytes = &disk.log[range.clone()];
        match self.checks && !crc_fits(name, bytes) {
            true => Content::Damaged,
            false => Content::Whole(bytes.to_vec()),
        }
    }

    /// Where the content of a file lies.
    pub(crate) fn place(&self, name: &FileName) -> Option<Range<usize>> {
        self.files.get(name).cloned()
    }

    /// Puts a good copy over a damaged one.
    pub(crate) fn mend(&self, disk: &mut Disk, name: &FileName, good: &[u8]) {
        if let Some(range) =
            self.files.get(name).filter(|range| range.len() == good.len() && crc_fits(name, good))
        {
            disk.log[range.clone()].copy_from_slice(good);
        }
    }

    /// Files whose content is not what their names say.
    pub(crate) fn damaged(&self, disk: &Disk) -> Vec<FileName> {
        let bad = |(name, range): &(&FileName, &Range<usize>)| !crc_fits(name, &disk.log[(*range).clone()]);
        self.files.iter().filter(bad).map(|(name, _)| name.clone()).collect()
    }

    /// Lines that a power cut leaves.
    pub(crate) fn safe_lines(&self, disk: &Disk) -> usize {
        self.binlog.partition_point(|line| line.end <= disk.synced)
    }
}

/// Whether these bytes are what the name says (storage design: every byte is checked).
pub(crate) fn crc_fits(name: &FileName, bytes: &[u8]) -> bool {
    name.stamp().is_none_or(|stamp| stamp.crc32 == crc32fast::hash(bytes))
}

fn is_whole(change: &Change, bytes: &[u8]) -> bool {
    crc_fits(change.name(), bytes)
}

fn frame(log: &[u8], at: usize) -> Option<(Record, Range<usize>)> {
    let (head, rest) = log.get(at..)?.split_first_chunk::<HEAD_LEN>()?;
    let [a, b, c, d, e, f, crc @ ..] = *head;
    let line_len = usize::from(u16::from_be_bytes([a, b]));
    let content_len = u32::from_be_bytes([c, d, e, f]) as usize;
    let line = rest.get(..line_len)?;
    if u32::from_be_bytes(crc) != crc32fast::hash(&[&head[..6], line].concat()) {
        return None;
    }
    let start = at + HEAD_LEN + line_len;
    let content = start..start + content_len;
    log.get(content.clone())?;
    Record::parse(line.strip_suffix(b"\n")?).ok().map(|record| (record, content))
}
