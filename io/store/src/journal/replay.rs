//! Reading a journal back after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_format::journal::{BATCH_HEADER_LEN, BLOCK_LEN, BatchHeader, Entry, SegmentHeader, padded};

use super::segment;

/// What a crash has left in a journal folder.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Segments with their valid batches, oldest first.
    segments: Vec<Found>,
    /// Batches that were acknowledged once and cannot be read any more.
    damaged: u64,
}

#[derive(Debug)]
struct Found {
    path: PathBuf,
    header: SegmentHeader,
    /// Offset and length, header included, of each batch.
    batches: Vec<(usize, usize)>,
}

/// Looks through the segments of `dir`.
///
/// # Errors
/// What reading says. Damage is no error: it is counted, and what can be read is kept.
pub(crate) fn replay(dir: &Path) -> io::Result<Replay> {
    let mut by_number = BTreeMap::new();
    for path in segment::list(dir)? {
        let mut bytes = [0; BLOCK_LEN];
        let len = File::open(&path)?.read_at(&mut bytes, 0)?;
        // A segment whose header never reached the disk holds nothing that anybody was told of.
        if let Ok(header) = SegmentHeader::decode(bytes.get(..len).unwrap_or_default()) {
            by_number.insert(header.number, (path, header));
        }
    }
    // Segments before a gap were checkpointed, only their removal did not reach the disk.
    let mut chain: Vec<(PathBuf, SegmentHeader)> = Vec::new();
    for (number, (path, header)) in by_number {
        if chain.last().is_some_and(|(_, last)| last.number + 1 != number) {
            chain.clear();
        }
        chain.push((path, header));
    }
    let mut damaged = 0;
    let mut segments = Vec::new();
    let mut expected = None;
    for (path, header) in chain {
        damaged += header.first_batch.saturating_sub(expected.unwrap_or(header.first_batch));
        let bytes = std::fs::read(&path)?;
        let (batches, next, lost) = batches(&bytes, header.first_batch);
        damaged += lost;
        expected = Some(next);
        segments.push(Found { path, header, batches });
    }
    Ok(Replay { segments, damaged })
}

/// The valid batches of a segment, the number after the last of them, and how many before that are lost.
fn batches(bytes: &[u8], first: u64) -> (Vec<(usize, usize)>, u64, u64) {
    let mut found = Vec::new();
    let (mut at, mut expected, mut lost) = (BLOCK_LEN, first, 0);
    while let Some(rest) = bytes.get(at..)
        && rest.len() >= BATCH_HEADER_LEN
    {
        match valid_batch(rest) {
            Some((number, len)) if number >= expected => {
                // A batch is written only after the one before it was synced: a gap is damage, not a torn tail.
                lost += number - expected;
                expected = number + 1;
                found.push((at, len));
                at += padded(len);
            }
            // Older than expected: left from the segment's earlier life.
            Some(_) | None => at += BLOCK_LEN,
        }
    }
    (found, expected, lost)
}

fn valid_batch(bytes: &[u8]) -> Option<(u64, usize)> {
    let header = BatchHeader::decode(bytes).ok()?;
    let len = BATCH_HEADER_LEN + header.payload_len as usize;
    BatchHeader::verify(bytes.get(..len)?).then_some((header.number, len))
}

impl Replay {
    /// Whether there is nothing to do again.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.iter().all(|segment| segment.batches.is_empty())
    }

    /// Batches that were acknowledged once and cannot be read any more.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Where in the binlog the lines of the entries may begin: file and offset.
    pub(crate) fn binlog_from(&self) -> Option<(u32, u64)> {
        self.segments.first().map(|segment| (segment.header.binlog_index, segment.header.binlog_offset))
    }

    /// Calls `visit` for every entry in order, with its position in that order.
    ///
    /// # Errors
    /// What reading says, or `visit`'s.
    pub(crate) fn for_each(
        &self,
        mut visit: impl FnMut(usize, Entry<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut index = 0;
        for segment in &self.segments {
            let bytes = std::fs::read(&segment.path)?;
            for &(at, len) in &segment.batches {
                let mut rest = bytes.get(at + BATCH_HEADER_LEN..at + len).unwrap_or_default();
                while !rest.is_empty() {
                    // The checksum is right, so an entry that does not decode is a mistake of the writer.
                    let entry = Entry::decode(&mut rest)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    visit(index, entry)?;
                    index += 1;
                }
            }
        }
        Ok(index)
    }
}
