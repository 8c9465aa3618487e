//! Reading a journal back after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_format::journal::{BATCH_HEADER_LEN, BLOCK_LEN, BatchHeader, Entry, SegmentHeader, padded};

use super::segment;

/// Bytes of a segment that are in memory at a time; more when a batch is longer.
const WINDOW: usize = 256 * 1024;

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
        let Batches { found: batches, next, lost } = batches(&mut Window::open(&path)?, header.first_batch)?;
        damaged += lost;
        expected = Some(next);
        segments.push(Found { path, header, batches });
    }
    Ok(Replay { segments, damaged })
}

/// The valid batches of a segment.
struct Batches {
    /// Offset and length, header included, of each.
    found: Vec<(usize, usize)>,
    /// The number after the last of them.
    next: u64,
    /// How many before that are lost.
    lost: u64,
}

fn batches(segment: &mut Window, first: u64) -> io::Result<Batches> {
    let mut found = Vec::new();
    let (mut at, mut expected, mut lost) = (BLOCK_LEN, first, 0);
    while let Some(header) = segment.get(at, BATCH_HEADER_LEN)? {
        let header = BatchHeader::decode(header).ok();
        match header.map(|header| valid_batch(segment, at, &header)).transpose()?.flatten() {
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
    Ok(Batches { found, next: expected, lost })
}

fn valid_batch(segment: &mut Window, at: usize, header: &BatchHeader) -> io::Result<Option<(u64, usize)>> {
    let len = BATCH_HEADER_LEN + header.payload_len as usize;
    let batch = segment.get(at, len)?;
    Ok(batch.is_some_and(BatchHeader::verify).then_some((header.number, len)))
}

/// A segment, of which a part is in memory: all of it may be more than a small machine has.
#[derive(Debug)]
struct Window {
    file: File,
    len: usize,
    /// Where the part begins.
    from: usize,
    part: Vec<u8>,
}

impl Window {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Self { file, len, from: 0, part: Vec::new() })
    }

    /// So many bytes at an offset; nothing when the file ends before.
    fn get(&mut self, at: usize, len: usize) -> io::Result<Option<&[u8]>> {
        let Some(end) = at.checked_add(len).filter(|end| *end <= self.len) else { return Ok(None) };
        if at < self.from || end > self.from + self.part.len() {
            self.part.clear();
            self.part.resize(len.max(WINDOW).min(self.len - at), 0);
            self.from = at;
            let mut read = 0;
            while let Some(rest) = self.part.get_mut(read..).filter(|rest| !rest.is_empty()) {
                match self.file.read_at(rest, (at + read) as u64) {
                    // It was cut meanwhile.
                    Ok(0) => self.part.truncate(read),
                    Ok(more) => read += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.part.clear();
                        return Err(error);
                    }
                }
            }
        }
        Ok(self.part.get(at - self.from..end - self.from))
    }
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
            let mut window = Window::open(&segment.path)?;
            for &(at, len) in &segment.batches {
                let batch = window.get(at, len)?.unwrap_or_default();
                let mut rest = batch.get(BATCH_HEADER_LEN..).unwrap_or_default();
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "helpers of tests")]
mod tests {
    use super::*;

    /// Batches with these payloads, and what is found of them.
    fn found(payloads: &[Vec<u8>]) -> (Vec<(usize, usize)>, u64, u64, usize) {
        let mut bytes = vec![0; BLOCK_LEN];
        for (number, payload) in (7..).zip(payloads) {
            let mut batch = [&[0; BATCH_HEADER_LEN][..], payload].concat();
            BatchHeader::seal(number, 1, &mut batch);
            bytes.extend(batch);
            bytes.resize(bytes.len().next_multiple_of(BLOCK_LEN), 0);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.journal");
        std::fs::write(&path, bytes).unwrap();
        let mut window = Window::open(&path).unwrap();
        let Batches { found, next, lost } = batches(&mut window, 7).unwrap();
        (found, next, lost, window.part.capacity())
    }

    #[test]
    fn a_long_segment_is_read_with_little_memory() {
        // 12 MiB, and no batch ends where a window does.
        let payloads: Vec<Vec<u8>> = (0..120).map(|number| vec![number; 100_000]).collect();
        let (batches, next, lost, memory) = found(&payloads);
        assert_eq!((batches.len(), next, lost), (120, 127, 0));
        assert!(batches.iter().all(|(_, len)| *len == BATCH_HEADER_LEN + 100_000));
        assert_eq!(memory, WINDOW);
    }

    #[test]
    fn a_batch_that_is_longer_than_a_window_is_read_as_a_whole() {
        let (batches, next, lost, _) = found(&[vec![1; 10], vec![2; 3 * WINDOW], vec![3; 10]]);
        let lengths: Vec<usize> = batches.iter().map(|(_, len)| len - BATCH_HEADER_LEN).collect();
        assert_eq!((lengths, next, lost), (vec![10, 3 * WINDOW, 10], 10, 0));
    }
}
