//! Packs: walking from record to record.
//!
//! The walk goes from a record to its end, where the next one begins. Where that fails it goes on by [`ALIGN`] until
//! a record is right as a whole. Without `content` only what a record says of itself is read, and a record is checked
//! as a whole when nothing follows it that looks like one.

use std::fs::File;
use std::io;

use fdfs_fileid::METADATA_SUFFIX;
use fdfs_format::pack::{ALIGN, Kind, PACK_HEADER_LEN, RECORD_HEADER_LEN, Record, RecordHeader, Victim};

use super::fill::fill;

/// What is read of a pack at a time when all of it is read.
const STEP: usize = 1 << 20;

/// And when only headers and names are.
const STEP_QUICK: usize = 4096;

/// A record that is in order as far as it was checked.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) at: u64,
    pub(super) header: RecordHeader,
    pub(super) name: &'a [u8],
    /// Only where it was read.
    pub(super) content: Option<&'a [u8]>,
    /// What it says is gone.
    pub(super) victim: Option<Victim>,
}

/// A stretch that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) at: u64,
    pub(super) len: u64,
    /// The name in its first record, as far as that says.
    pub(super) name: Vec<u8>,
}

/// How far a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// To the end that the hint names: everything before it is records.
    Sealed(u64),
    /// As far as there are records before this place. What follows the last of them was never finished.
    Open(u64),
}

/// What a walk has come to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Where the last record ends.
    pub(super) end: u64,
    pub(super) bad: Vec<Bad>,
}

/// What is read of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// What they say of themselves.
    Names,
    /// That, and metadata.
    Metadata,
    /// Everything.
    Content,
}

/// Walks through a pack. `read` hears of the bytes read, and ends the walk with its error.
pub(super) fn walk(
    file: &File,
    until: Until,
    want: Want,
    read: &dyn Fn(u64) -> io::Result<()>,
    visit: &mut dyn FnMut(Seen<'_>),
) -> io::Result<Walked> {
    let (Until::Sealed(limit) | Until::Open(limit)) = until;
    let len = limit.min(file.metadata()?.len());
    let step = if want == Want::Content { STEP } else { STEP_QUICK };
    let mut window = Window { file, start: 0, bytes: Vec::new(), step, read };
    let mut at = PACK_HEADER_LEN as u64;
    let mut walked = Walked { end: at, bad: Vec::new() };
    let mut bad: Option<Bad> = None;
    // The last record, when it was not checked as a whole.
    let mut unchecked = None;
    let mut looked_again = None;
    while at + RECORD_HEADER_LEN as u64 <= len {
        let header = window.header(at)?.filter(|header| at + header.record_len() as u64 <= len);
        let (whole, is_right) = match &header {
            Some(header) => {
                let whole = bad.is_some() || window.is_wanted(at, header, want)?;
                (whole, !whole || window.is_whole(at, header)?)
            }
            None => (false, false),
        };
        let (Some(header), true) = (header, is_right) else {
            if let Some((before, header)) = unchecked.take()
                && !window.is_whole(before, &header)?
            {
                at = before;
            }
            if bad.is_none() {
                bad = Some(Bad { at, len: 0, name: window.name_in(at)? });
            }
            at += ALIGN as u64;
            match window.zeros(at)? {
                Some(zeros) => at += zeros,
                // It was sealed, and so shortened, meanwhile.
                None => break,
            }
            continue;
        };
        if let Some(stretch) = bad.take() {
            // The record behind it was written later, so in a pack that is being written it is whole by now.
            if matches!(until, Until::Open(_)) && looked_again != Some(stretch.at) {
                looked_again = Some(stretch.at);
                window.bytes.clear();
                at = stretch.at;
                continue;
            }
            walked.bad.push(Bad { len: at - stretch.at, ..stretch });
        }
        window.show(at, header, whole, visit)?;
        unchecked = (!whole).then_some((at, header));
        at += header.padded_len() as u64;
        walked.end = at;
    }
    if let Some((before, header)) = unchecked
        && until != Until::Sealed(at)
        && !window.is_whole(before, &header)?
    {
        walked.end = before;
        bad = bad.or(Some(Bad { at: before, len: 0, name: window.name_in(before)? }));
    }
    if let Until::Sealed(end) = until
        && walked.end < end
    {
        let at = walked.end;
        let name = bad.map(|bad| bad.name).unwrap_or_default();
        walked.bad.push(Bad { at, len: end - at, name });
    }
    Ok(walked)
}

/// A piece of a pack in memory.
struct Window<'a> {
    file: &'a File,
    start: u64,
    bytes: Vec<u8>,
    step: usize,
    read: &'a dyn Fn(u64) -> io::Result<()>,
}

impl Window<'_> {
    /// The fixed part of the record that begins at `at`, if one does.
    fn header(&mut self, at: u64) -> io::Result<Option<RecordHeader>> {
        Ok(RecordHeader::decode(self.part(at, RECORD_HEADER_LEN)?).ok())
    }

    /// Whether all of a record is what its checksum says.
    fn is_whole(&mut self, at: u64, header: &RecordHeader) -> io::Result<bool> {
        Ok(Record::decode(self.part(at, header.record_len())?).is_ok())
    }

    /// The name in a record that need not be right.
    fn name_in(&mut self, at: u64) -> io::Result<Vec<u8>> {
        let Some(header) = self.header(at)? else { return Ok(Vec::new()) };
        let at = at + RecordHeader::name_at(header.content_len);
        Ok(self.part(at, header.name_len.into())?.to_vec())
    }

    /// Whether a record is to be read as a whole.
    fn is_wanted(&mut self, at: u64, header: &RecordHeader, want: Want) -> io::Result<bool> {
        Ok(match want {
            Want::Content => true,
            Want::Metadata if header.kind == Kind::File => {
                let name_at = at + RecordHeader::name_at(header.content_len);
                self.part(name_at, header.name_len.into())?.ends_with(METADATA_SUFFIX.as_bytes())
            }
            // What these say decides what is there.
            Want::Metadata | Want::Names => header.kind == Kind::Gone,
        })
    }

    /// Passes a record on, as a whole if it was checked.
    fn show(
        &mut self,
        at: u64,
        header: RecordHeader,
        whole: bool,
        visit: &mut dyn FnMut(Seen<'_>),
    ) -> io::Result<()> {
        if whole {
            if let Ok(record) = Record::decode(self.part(at, header.record_len())?) {
                let (name, content, victim) = (record.name, Some(record.content), record.victim());
                visit(Seen { at, header, name, content, victim });
            }
            return Ok(());
        }
        let name_at = at + RecordHeader::name_at(header.content_len);
        let name = self.part(name_at, header.name_len.into())?;
        visit(Seen { at, header, name, content: None, victim: None });
        Ok(())
    }

    /// How many bytes from `at` on are zeros for sure, in whole [`ALIGN`]s; `None` at the end of the file.
    fn zeros(&mut self, at: u64) -> io::Result<Option<u64>> {
        if at < self.start || at >= self.start + self.bytes.len() as u64 {
            self.load(at, STEP)?;
        }
        let bytes = self.rest_from(at);
        let zeros = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len());
        Ok((!bytes.is_empty()).then_some((zeros - zeros % ALIGN) as u64))
    }

    /// Up to `len` bytes from `at`; fewer only at the end of the file.
    fn part(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let is_there = at >= self.start && at + len as u64 <= self.start + self.bytes.len() as u64;
        if !is_there {
            self.load(at, len.max(self.step))?;
        }
        let rest = self.rest_from(at);
        Ok(rest.get(..len).unwrap_or(rest))
    }

    fn rest_from(&self, at: u64) -> &[u8] {
        let skip = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        self.bytes.get(skip..).unwrap_or_default()
    }

    fn load(&mut self, at: u64, want: usize) -> io::Result<()> {
        self.bytes.resize(want, 0);
        self.start = at;
        fill(self.file, &mut self.bytes, at)?;
        (self.read)(self.bytes.len() as u64)
    }
}
