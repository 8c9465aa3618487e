//! The journal of a store path: our own format, byte by byte in `docs/formats.md`.
//!
//! A journal is a row of segment files. A segment starts with one header block, then batches follow, each
//! starting at a block boundary. A batch is what one sync made durable: it is valid as a whole or not there.
//! A batch holds entries, each one change to one file and the binlog line that belongs to it. All integers
//! are big-endian.

/// Batches start at multiples of this many bytes, so that a torn write never touches an older batch's block.
pub const BLOCK_LEN: usize = 512;

/// First bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"CAIRNJ01";

/// First bytes of a batch.
pub const BATCH_MAGIC: [u8; 4] = *b"CJB1";

/// Length of the used part of a segment header; the rest of its block is zero.
pub const SEGMENT_HEADER_LEN: usize = 40;

/// Length of a batch header.
pub const BATCH_HEADER_LEN: usize = 24;

/// Largest payload of a batch; a reader refuses to believe more.
pub const BATCH_PAYLOAD_MAX: usize = 64 << 20;

/// Longest file name of an entry, in bytes: a metadata name of the form without store path.
pub const NAME_MAX: usize = 129;

/// Longest binlog text of an entry, bytes: two lines (storage internals: replication log).
pub const LINE_MAX: usize = 512;

/// Why bytes are not a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalFormatError {
    /// The magic bytes are not there.
    #[error("no journal magic")]
    Magic,
    /// The bytes end early.
    #[error("journal bytes end early")]
    Short,
    /// The checksum differs.
    #[error("journal checksum differs")]
    Checksum,
    /// A length is beyond its limit.
    #[error("journal length beyond its limit")]
    Length,
    /// The kind of an entry is unknown.
    #[error("unknown kind of journal entry")]
    Kind,
}

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Segments are replayed in the order of their numbers, whatever their files are called.
    pub number: u64,
    /// The number of the first batch of this segment.
    pub first_batch: u64,
    /// The binlog file that was written to when the segment began.
    pub binlog_index: u32,
    /// The end of that file then: lines of this segment's entries are at or behind it.
    pub binlog_offset: u64,
}

impl SegmentHeader {
    /// One block.
    pub fn encode(&self) -> [u8; BLOCK_LEN] {
        let mut block = [0; BLOCK_LEN];
        let mut at = Writer { out: &mut block, at: 0 };
        at.put(&SEGMENT_MAGIC);
        at.put(&self.number.to_be_bytes());
        at.put(&self.first_batch.to_be_bytes());
        at.put(&self.binlog_index.to_be_bytes());
        at.put(&self.binlog_offset.to_be_bytes());
        let crc = crc32fast::hash(&block[..SEGMENT_HEADER_LEN - 4]);
        block[SEGMENT_HEADER_LEN - 4..SEGMENT_HEADER_LEN].copy_from_slice(&crc.to_be_bytes());
        block
    }

    /// Reads a header from the first bytes of a segment.
    ///
    /// # Errors
    /// [`JournalFormatError`] when the bytes are short, no header, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalFormatError> {
        let bytes = bytes.get(..SEGMENT_HEADER_LEN).ok_or(JournalFormatError::Short)?;
        let mut at = Reader { bytes };
        if at.take(8)? != SEGMENT_MAGIC {
            return Err(JournalFormatError::Magic);
        }
        let header = Self {
            number: at.u64()?,
            first_batch: at.u64()?,
            binlog_index: at.u32()?,
            binlog_offset: at.u64()?,
        };
        let crc = at.u32()?;
        if crc != crc32fast::hash(bytes.get(..SEGMENT_HEADER_LEN - 4).unwrap_or_default()) {
            return Err(JournalFormatError::Checksum);
        }
        Ok(header)
    }
}

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Batches are numbered without gaps over all segments.
    pub number: u64,
    /// Bytes of entries behind this header.
    pub payload_len: u32,
    /// How many entries they are.
    pub entries: u32,
}

impl BatchHeader {
    /// Writes the header over the first [`BATCH_HEADER_LEN`] bytes of `batch`, whose rest is the payload.
    pub fn seal(number: u64, entries: u32, batch: &mut [u8]) {
        let payload_len = (batch.len() - BATCH_HEADER_LEN) as u32;
        let mut at = Writer { out: batch, at: 0 };
        at.put(&BATCH_MAGIC);
        at.put(&[0; 4]);
        at.put(&number.to_be_bytes());
        at.put(&payload_len.to_be_bytes());
        at.put(&entries.to_be_bytes());
        let crc = crc32fast::hash(&batch[8..]);
        batch[4..8].copy_from_slice(&crc.to_be_bytes());
    }

    /// Reads a header without looking at the payload.
    ///
    /// # Errors
    /// [`JournalFormatError`] when the bytes are short, no batch, or announce too much.
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalFormatError> {
        let mut at = Reader { bytes };
        if at.take(4)? != BATCH_MAGIC {
            return Err(JournalFormatError::Magic);
        }
        at.take(4)?;
        let header = Self { number: at.u64()?, payload_len: at.u32()?, entries: at.u32()? };
        if header.payload_len as usize > BATCH_PAYLOAD_MAX {
            return Err(JournalFormatError::Length);
        }
        Ok(header)
    }

    /// Whether `batch` (header and payload, no padding) is what was sealed.
    pub fn verify(batch: &[u8]) -> bool {
        let Some(stored) = batch.get(4..8) else { return false };
        let Some(rest) = batch.get(8..) else { return false };
        stored == crc32fast::hash(rest).to_be_bytes()
    }
}

/// Length of `batch_len` bytes with padding to the next block.
pub fn padded(batch_len: usize) -> usize {
    batch_len.next_multiple_of(BLOCK_LEN)
}

/// One change. Names are true names: `HH/HH/…` below the path's `data/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A new file with this content.
    Create {
        /// Its name.
        name: &'a [u8],
        /// All of it.
        content: &'a [u8],
    },
    /// A new file: the temporary file of that number, whose content is on disk.
    Adopt {
        /// Its name.
        name: &'a [u8],
        /// The number of the temporary file.
        temp: u64,
    },
    /// A file gets this content, whether it was there or not.
    Replace {
        /// Its name.
        name: &'a [u8],
        /// All of it.
        content: &'a [u8],
    },
    /// Bytes within or at the end of a file.
    Write {
        /// Its name.
        name: &'a [u8],
        /// Where they go.
        offset: u64,
        /// The bytes.
        content: &'a [u8],
    },
    /// Like `Write`, the bytes being those of a temporary file.
    Splice {
        /// The name of the file written to.
        name: &'a [u8],
        /// Where they go.
        offset: u64,
        /// The number of the temporary file.
        temp: u64,
    },
    /// A file gets this size.
    Truncate {
        /// Its name.
        name: &'a [u8],
        /// The size, bytes.
        size: u64,
    },
    /// A file goes away.
    Delete {
        /// Its name.
        name: &'a [u8],
    },
    /// A file gets another name; its content was on disk before.
    Move {
        /// The old name.
        from: &'a [u8],
        /// The new one.
        to: &'a [u8],
    },
    /// A file stays as it is: there is only something to be noted of it in the binlog.
    Note {
        /// Its name.
        name: &'a [u8],
    },
    /// A new file in the slot of a trunk file that its name speaks of.
    Fill {
        /// Its name.
        name: &'a [u8],
        /// Length of the trunk file should it have to be made, bytes.
        file_len: u32,
        /// All of it.
        content: &'a [u8],
    },
    /// Like `Fill`, the content being that of a temporary file, which is on disk.
    FillStaged {
        /// Its name.
        name: &'a [u8],
        /// Length of the trunk file should it have to be made, bytes.
        file_len: u32,
        /// The number of the temporary file.
        temp: u64,
    },
    /// A file in a slot of a trunk file goes away.
    Empty {
        /// Its name.
        name: &'a [u8],
    },
}

/// A change, its time, and the binlog lines that tell peers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What happens.
    pub change: Change<'a>,
    /// Modification time of the file afterwards, unix seconds; 0 leaves it.
    pub mtime: u32,
    /// Whole lines with their newlines, or nothing.
    pub line: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Appends the entry. Names beyond [`NAME_MAX`] and text beyond [`LINE_MAX`] are a mistake of the caller.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, name, to, a, b, content): (u8, &[u8], &[u8], u64, u64, &[u8]) = match self.change {
            Change::Create { name, content } => (1, name, &[], 0, 0, content),
            Change::Adopt { name, temp } => (2, name, &[], temp, 0, &[]),
            Change::Replace { name, content } => (3, name, &[], 0, 0, content),
            Change::Write { name, offset, content } => (4, name, &[], offset, 0, content),
            Change::Splice { name, offset, temp } => (5, name, &[], offset, temp, &[]),
            Change::Truncate { name, size } => (6, name, &[], size, 0, &[]),
            Change::Delete { name } => (7, name, &[], 0, 0, &[]),
            Change::Move { from, to } => (8, from, to, 0, 0, &[]),
            Change::Fill { name, file_len, content } => (16, name, &[], file_len.into(), 0, content),
            Change::FillStaged { name, file_len, temp } => (17, name, &[], file_len.into(), temp, &[]),
            Change::Empty { name } => (18, name, &[], 0, 0, &[]),
            Change::Note { name } => (9, name, &[], 0, 0, &[]),
        };
        debug_assert!(name.len() <= NAME_MAX && to.len() <= NAME_MAX && self.line.len() <= LINE_MAX);
        out.push(kind);
        out.push(name.len() as u8);
        out.push(to.len() as u8);
        out.push(0);
        out.extend_from_slice(&a.to_be_bytes());
        out.extend_from_slice(&b.to_be_bytes());
        out.extend_from_slice(&self.mtime.to_be_bytes());
        out.extend_from_slice(&(self.line.len() as u32).to_be_bytes());
        out.extend_from_slice(&(content.len() as u32).to_be_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(to);
        out.extend_from_slice(self.line);
        out.extend_from_slice(content);
    }

    /// Takes one entry off the front of `bytes`.
    ///
    /// # Errors
    /// [`JournalFormatError`] when the bytes are short, a length is beyond its limit, or the kind is unknown.
    pub fn decode(bytes: &mut &'a [u8]) -> Result<Self, JournalFormatError> {
        let mut at = Reader { bytes };
        let lens = at.take(4)?;
        let (kind, name_len, to_len) = match *lens {
            [kind, name_len, to_len, _] => (kind, usize::from(name_len), usize::from(to_len)),
            _ => return Err(JournalFormatError::Short),
        };
        let a = at.u64()?;
        let b = at.u64()?;
        let mtime = at.u32()?;
        let line_len = at.u32()? as usize;
        let content_len = at.u32()? as usize;
        if name_len > NAME_MAX || to_len > NAME_MAX || line_len > LINE_MAX {
            return Err(JournalFormatError::Length);
        }
        let name = at.take(name_len)?;
        let to = at.take(to_len)?;
        let line = at.take(line_len)?;
        let content = at.take(content_len)?;
        let change = match kind {
            1 => Change::Create { name, content },
            2 => Change::Adopt { name, temp: a },
            3 => Change::Replace { name, content },
            4 => Change::Write { name, offset: a, content },
            5 => Change::Splice { name, offset: a, temp: b },
            6 => Change::Truncate { name, size: a },
            7 => Change::Delete { name },
            8 => Change::Move { from: name, to },
            16 => Change::Fill { name, file_len: slot_file_len(a)?, content },
            17 => Change::FillStaged { name, file_len: slot_file_len(a)?, temp: b },
            18 => Change::Empty { name },
            9 => Change::Note { name },
            _ => return Err(JournalFormatError::Kind),
        };
        *bytes = at.bytes;
        Ok(Self { change, mtime, line })
    }
}

/// Offsets in a trunk file have 32 bits, and so has its length.
fn slot_file_len(number: u64) -> Result<u32, JournalFormatError> {
    u32::try_from(number).map_err(|_| JournalFormatError::Length)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], JournalFormatError> {
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(JournalFormatError::Short)?;
        self.bytes = rest;
        Ok(head)
    }

    fn u32(&mut self) -> Result<u32, JournalFormatError> {
        let (head, rest) = self.bytes.split_first_chunk().ok_or(JournalFormatError::Short)?;
        self.bytes = rest;
        Ok(u32::from_be_bytes(*head))
    }

    fn u64(&mut self) -> Result<u64, JournalFormatError> {
        let (head, rest) = self.bytes.split_first_chunk().ok_or(JournalFormatError::Short)?;
        self.bytes = rest;
        Ok(u64::from_be_bytes(*head))
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BATCH_HEADER_LEN, BLOCK_LEN, BatchHeader, Change, Entry, JournalFormatError, SEGMENT_HEADER_LEN,
        SegmentHeader, padded,
    };

    fn entries() -> Vec<Entry<'static>> {
        let changes = [
            Change::Create { name: b"00/00/a", content: b"hello" },
            Change::Adopt { name: b"00/00/b", temp: 7 },
            Change::Replace { name: b"00/00/a-m", content: b"k\x02v" },
            Change::Write { name: b"00/00/a", offset: 5, content: b" world" },
            Change::Splice { name: b"00/00/a", offset: 11, temp: 8 },
            Change::Truncate { name: b"00/00/a", size: 3 },
            Change::Delete { name: b"00/00/a" },
            Change::Move { from: b"00/00/b", to: b"00/00/c" },
            Change::Fill { name: b"00/00/s", file_len: 64 << 20, content: b"hello" },
            Change::FillStaged { name: b"00/00/t", file_len: u32::MAX, temp: 9 },
            Change::Empty { name: b"00/00/s" },
            Change::Note { name: b"00/00/c" },
        ];
        changes.map(|change| Entry { change, mtime: 9, line: b"9 C M00/00/00/a\n" }).to_vec()
    }

    #[test]
    fn every_kind_of_entry_reads_back_as_written() {
        let mut bytes = Vec::new();
        for entry in entries() {
            entry.encode(&mut bytes);
        }
        let mut rest = &bytes[..];
        for entry in entries() {
            assert_eq!(Entry::decode(&mut rest), Ok(entry));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn an_entry_has_the_documented_layout() {
        let mut bytes = Vec::new();
        let entry =
            Entry { change: Change::Write { name: b"n", offset: 2, content: b"cc" }, mtime: 3, line: b"l\n" };
        entry.encode(&mut bytes);
        assert_eq!(
            bytes,
            b"\x04\x01\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x02\0\0\0\x02nl\ncc"
        );
    }

    #[test]
    fn a_batch_with_any_flipped_bit_is_not_valid() {
        let mut batch = vec![0; BATCH_HEADER_LEN];
        entries()[0].encode(&mut batch);
        BatchHeader::seal(5, 1, &mut batch);
        assert!(BatchHeader::verify(&batch));
        assert_eq!(BatchHeader::decode(&batch).map(|h| (h.number, h.entries)), Ok((5, 1)));
        for bit in 32..batch.len() * 8 {
            batch[bit / 8] ^= 1 << (bit % 8);
            assert!(!BatchHeader::verify(&batch), "bit {bit}");
            batch[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_segment_header_reads_back_and_damage_is_seen() {
        let header = SegmentHeader { number: 3, first_batch: 40, binlog_index: 2, binlog_offset: 1 << 33 };
        let mut block = header.encode();
        assert_eq!(SegmentHeader::decode(&block), Ok(header));
        block[20] ^= 1;
        assert_eq!(SegmentHeader::decode(&block), Err(JournalFormatError::Checksum));
        assert_eq!(SegmentHeader::decode(b"CAIRN"), Err(JournalFormatError::Short));
    }

    #[test]
    fn batches_start_at_block_boundaries() {
        assert_eq!([padded(1), padded(512), padded(513)], [512, 512, 1024]);
    }
    /// The lines of a hex dump that begins at `offset`.
    fn dump(offset: usize, bytes: &[u8]) -> Vec<String> {
        let line = |(number, bytes): (usize, &[u8])| {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let visible = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
            let text: String = bytes.iter().map(visible).collect();
            format!("{:04x}  {:<47}  {text}", offset + number * 16, hex.join(" "))
        };
        bytes.chunks(16).enumerate().map(line).collect()
    }

    #[test]
    fn the_worked_example_of_the_format_page_is_what_is_written() {
        let page = include_str!("../../../docs/formats.md");
        let header = SegmentHeader { number: 1, first_batch: 1, binlog_index: 0, binlog_offset: 0 }.encode();
        let mut batch = vec![0; BATCH_HEADER_LEN];
        let name = b"00/00/fwAABGsC4I2AIaxRAAAADg4Qul0217.txt";
        let change = Change::Create { name, content: b"hello fastdfs\n" };
        let line = b"1795350669 C M00/00/00/fwAABGsC4I2AIaxRAAAADg4Qul0217.txt\n";
        Entry { change, mtime: 1_795_350_669, line }.encode(&mut batch);
        BatchHeader::seal(1, 1, &mut batch);
        let mut lines = dump(0, &header[..SEGMENT_HEADER_LEN]);
        lines.extend(dump(BLOCK_LEN, &batch));
        for line in &lines {
            assert!(page.contains(line.as_str()), "docs/formats.md should have\n{}", lines.join("\n"));
        }
    }
}
