//! Packs of a store path: our own format, byte by byte in `docs/formats.md`.
//!
//! A pack holds many small files in a row. It starts with a header, then records follow, each starting at a
//! multiple of [`ALIGN`]. A record is one file, or says that an earlier record is gone. It is valid by itself: its
//! checksum covers header, content and name. A hint lists the records of a pack that takes no more, so that a
//! start need not read the pack. All integers are big-endian.

/// Records start at multiples of this many bytes.
pub const ALIGN: usize = 8;

/// First bytes of a pack.
pub const PACK_MAGIC: [u8; 8] = *b"CAIRNP01";

/// First bytes of a hint.
pub const HINT_MAGIC: [u8; 8] = *b"CAIRNH01";

/// First bytes of a record.
pub const RECORD_MAGIC: [u8; 4] = *b"CPR1";

/// Length of the header of a pack.
pub const PACK_HEADER_LEN: usize = 64;

/// Length of the fixed part of a record.
pub const RECORD_HEADER_LEN: usize = 32;

/// Length of the header of a hint.
pub const HINT_HEADER_LEN: usize = 64;

/// Length of a file in a hint.
pub const HINT_FILE_LEN: usize = 28;

/// Length of a gone record in a hint.
pub const HINT_GONE_LEN: usize = 28;

/// Length of a fingerprint of a name.
pub const FINGERPRINT_LEN: usize = 12;

/// Longest content of a record, bytes: three bytes of the index say how long one is.
pub const CONTENT_MAX: usize = (1 << 24) - 1;

/// Longest pack, bytes: a place in one is a number of [`ALIGN`]s in four bytes.
pub const PACK_LEN_MAX: u64 = (1 << 32) * ALIGN as u64;

/// Bit of a record that is part of the change that the record before it belongs to.
const WITH_BEFORE: u8 = 1;

/// Bit of a record that is part of the change that the record behind it belongs to.
const WITH_NEXT: u8 = 2;

/// Length of what a gone record carries as content.
const VICTIM_LEN: usize = 16;

/// Why bytes are no pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackFormatError {
    /// The magic bytes are not there.
    #[error("no pack magic")]
    Magic,
    /// The bytes end early.
    #[error("pack bytes end early")]
    Short,
    /// The checksum differs.
    #[error("pack checksum differs")]
    Checksum,
    /// A length is beyond its limit.
    #[error("pack length beyond its limit")]
    Length,
    /// The kind of a record is unknown.
    #[error("unknown kind of pack record")]
    Kind,
}

/// The header of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHeader {
    /// Packs are in the order of their numbers.
    pub number: u64,
    /// The last number whose pack this one replaces: its own, unless it was made of several.
    pub covers: u64,
    /// No record of it has a lower sequence number.
    pub first_sequence: u64,
    /// What was gone when the sequence had reached this number has been left out; 0 as long as nothing was.
    pub rewritten: u64,
    /// The binlog file that was written to when the pack began.
    pub binlog_index: u32,
    /// The end of that file then: lines of this pack's records are at or behind it.
    pub binlog_offset: u64,
}

impl PackHeader {
    /// The first bytes of a pack.
    #[must_use]
    pub fn encode(&self) -> [u8; PACK_HEADER_LEN] {
        let mut bytes = [0; PACK_HEADER_LEN];
        put(&mut bytes, 0, &PACK_MAGIC);
        put(&mut bytes, 8, &self.number.to_be_bytes());
        put(&mut bytes, 16, &self.covers.to_be_bytes());
        put(&mut bytes, 24, &self.first_sequence.to_be_bytes());
        put(&mut bytes, 32, &self.rewritten.to_be_bytes());
        put(&mut bytes, 40, &self.binlog_index.to_be_bytes());
        put(&mut bytes, 44, &self.binlog_offset.to_be_bytes());
        seal(&mut bytes)
    }

    /// Reads the first bytes of a pack.
    ///
    /// # Errors
    /// [`PackFormatError`] when they are short, no header, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, PackFormatError> {
        let bytes = checked(bytes, PACK_MAGIC)?;
        let header = Self {
            number: u64_at(bytes, 8)?,
            covers: u64_at(bytes, 16)?,
            first_sequence: u64_at(bytes, 24)?,
            rewritten: u64_at(bytes, 32)?,
            binlog_index: u32_at(bytes, 40)?,
            binlog_offset: u64_at(bytes, 44)?,
        };
        if header.covers < header.number {
            return Err(PackFormatError::Length);
        }
        Ok(header)
    }
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with this content.
    File,
    /// The record with another sequence number is gone.
    Gone,
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// CRC-32 of the record behind this field, without padding.
    pub checksum: u32,
    /// One more for each record of the store path; a record keeps its number when its pack is rewritten.
    pub sequence: u64,
    /// What it says.
    pub kind: Kind,
    /// The letter of its binlog line; 0 when it has none.
    pub op: u8,
    /// Length of the name behind the content.
    pub name_len: u8,
    /// Whether it counts only if the record right before it does, with the sequence number before its own.
    pub with_before: bool,
    /// Whether it counts only if the record right behind it is one that is [`RecordHeader::with_before`].
    pub with_next: bool,
    /// Modification time of the file, or of its going, Unix seconds: also the time of the binlog line.
    pub mtime: u32,
    /// Length of the content behind this header.
    pub content_len: u32,
}

impl RecordHeader {
    /// Reads the fixed part.
    ///
    /// # Errors
    /// [`PackFormatError`] when the bytes are short, no record, or say what no record says.
    pub fn decode(bytes: &[u8]) -> Result<Self, PackFormatError> {
        let bytes = bytes.get(..RECORD_HEADER_LEN).ok_or(PackFormatError::Short)?;
        if !bytes.starts_with(&RECORD_MAGIC) {
            return Err(PackFormatError::Magic);
        }
        let byte = |at: usize| bytes.get(at).copied().ok_or(PackFormatError::Short);
        let header = Self {
            checksum: u32_at(bytes, 4)?,
            sequence: u64_at(bytes, 8)?,
            kind: match byte(16)? {
                1 => Kind::File,
                2 => Kind::Gone,
                _ => return Err(PackFormatError::Kind),
            },
            op: byte(17)?,
            name_len: byte(18)?,
            with_before: byte(19)? & WITH_BEFORE != 0,
            with_next: byte(19)? & WITH_NEXT != 0,
            mtime: u32_at(bytes, 20)?,
            content_len: u32_at(bytes, 24)?,
        };
        if header.content_len as usize > CONTENT_MAX {
            return Err(PackFormatError::Length);
        }
        if byte(19)? & !(WITH_BEFORE | WITH_NEXT) != 0 {
            return Err(PackFormatError::Kind);
        }
        Ok(header)
    }

    /// Where the name begins in a record with so much content, bytes.
    #[must_use]
    pub fn name_at(content_len: u32) -> u64 {
        RECORD_HEADER_LEN as u64 + u64::from(content_len)
    }

    /// The record without padding, bytes.
    #[must_use]
    pub fn record_len(&self) -> usize {
        RECORD_HEADER_LEN + self.content_len as usize + usize::from(self.name_len)
    }

    /// What the record takes in its pack, bytes.
    #[must_use]
    pub fn padded_len(&self) -> usize {
        self.record_len().next_multiple_of(ALIGN)
    }
}

/// The record that another one says is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Victim {
    /// Its sequence number.
    pub sequence: u64,
    /// The number of the pack it was in.
    pub pack: u64,
}

impl Victim {
    /// The content of the record that says so.
    #[must_use]
    pub fn encode(&self) -> [u8; VICTIM_LEN] {
        let mut bytes = [0; VICTIM_LEN];
        put(&mut bytes, 0, &self.sequence.to_be_bytes());
        put(&mut bytes, 8, &self.pack.to_be_bytes());
        bytes
    }
}

/// A whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The fixed part.
    pub header: RecordHeader,
    /// Content of the file.
    pub content: &'a [u8],
    /// Name of the file below `data/`.
    pub name: &'a [u8],
}

impl<'a> Record<'a> {
    /// Adds a record to `out`, padding included. What is longer than the format allows is the caller's mistake.
    ///
    /// # Errors
    /// [`PackFormatError::Length`].
    pub fn encode(
        sequence: u64,
        kind: Kind,
        op: u8,
        mtime: u32,
        content: &[u8],
        name: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), PackFormatError> {
        let name_len = u8::try_from(name.len()).map_err(|_| PackFormatError::Length)?;
        if content.len() > CONTENT_MAX {
            return Err(PackFormatError::Length);
        }
        let mut head = [0; RECORD_HEADER_LEN];
        put(&mut head, 0, &RECORD_MAGIC);
        put(&mut head, 8, &sequence.to_be_bytes());
        put(&mut head, 16, &[if kind == Kind::File { 1 } else { 2 }, op, name_len]);
        put(&mut head, 20, &mtime.to_be_bytes());
        put(&mut head, 24, &(content.len() as u32).to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(head.get(8..).unwrap_or_default());
        crc.update(content);
        crc.update(name);
        put(&mut head, 4, &crc.finalize().to_be_bytes());
        let start = out.len();
        out.extend_from_slice(&head);
        out.extend_from_slice(content);
        out.extend_from_slice(name);
        out.resize(start + (out.len() - start).next_multiple_of(ALIGN), 0);
        Ok(())
    }

    /// Has a record that was encoded count only together with the ones next to it, or else by itself.
    ///
    /// # Errors
    /// [`PackFormatError`] when the bytes do not begin with a record.
    pub fn join(bytes: &mut [u8], with_before: bool, with_next: bool) -> Result<(), PackFormatError> {
        let len = RecordHeader::decode(bytes)?.record_len();
        let record = bytes.get_mut(..len).ok_or(PackFormatError::Short)?;
        let bits = if with_before { WITH_BEFORE } else { 0 } | if with_next { WITH_NEXT } else { 0 };
        put(record, 19, &[bits]);
        let checksum = crc32fast::hash(record.get(8..).unwrap_or_default());
        put(record, 4, &checksum.to_be_bytes());
        Ok(())
    }

    /// Reads a record and checks all of it.
    ///
    /// # Errors
    /// [`PackFormatError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PackFormatError> {
        let header = RecordHeader::decode(bytes)?;
        let whole = bytes.get(..header.record_len()).ok_or(PackFormatError::Short)?;
        if crc32fast::hash(whole.get(8..).unwrap_or_default()) != header.checksum {
            return Err(PackFormatError::Checksum);
        }
        let rest = whole.get(RECORD_HEADER_LEN..).unwrap_or_default();
        let (content, name) =
            rest.split_at_checked(header.content_len as usize).ok_or(PackFormatError::Short)?;
        if header.kind == Kind::Gone && content.len() != VICTIM_LEN {
            return Err(PackFormatError::Length);
        }
        Ok(Self { header, content, name })
    }

    /// The record that this one says is gone.
    #[must_use]
    pub fn victim(&self) -> Option<Victim> {
        if self.header.kind != Kind::Gone {
            return None;
        }
        Some(Victim { sequence: u64_at(self.content, 0).ok()?, pack: u64_at(self.content, 8).ok()? })
    }
}

/// The header of a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HintHeader {
    /// The number of its pack.
    pub number: u64,
    /// [`PackHeader::covers`] of its pack.
    pub covers: u64,
    /// [`PackHeader::rewritten`] of its pack: a hint of another state of the pack is no hint, and no two states have
    /// this and what they cover in common.
    pub rewritten: u64,
    /// Where the records of the pack end, bytes; nothing behind it counts.
    pub end: u64,
    /// How many files it lists.
    pub files: u32,
    /// How many gone records it lists, behind the files.
    pub gone: u32,
    /// What the key of the fingerprints is known by.
    pub key_check: u64,
    /// CRC-32 of what it lists.
    pub list_checksum: u32,
}

impl HintHeader {
    /// The first bytes of a hint.
    #[must_use]
    pub fn encode(&self) -> [u8; HINT_HEADER_LEN] {
        let mut bytes = [0; HINT_HEADER_LEN];
        put(&mut bytes, 0, &HINT_MAGIC);
        put(&mut bytes, 8, &self.number.to_be_bytes());
        put(&mut bytes, 16, &self.covers.to_be_bytes());
        put(&mut bytes, 24, &self.rewritten.to_be_bytes());
        put(&mut bytes, 32, &self.end.to_be_bytes());
        put(&mut bytes, 40, &self.files.to_be_bytes());
        put(&mut bytes, 44, &self.gone.to_be_bytes());
        put(&mut bytes, 48, &self.key_check.to_be_bytes());
        put(&mut bytes, 56, &self.list_checksum.to_be_bytes());
        seal(&mut bytes)
    }

    /// Reads the first bytes of a hint.
    ///
    /// # Errors
    /// [`PackFormatError`] when they are short, no header, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, PackFormatError> {
        let bytes = checked(bytes, HINT_MAGIC)?;
        Ok(Self {
            number: u64_at(bytes, 8)?,
            covers: u64_at(bytes, 16)?,
            rewritten: u64_at(bytes, 24)?,
            end: u64_at(bytes, 32)?,
            files: u32_at(bytes, 40)?,
            gone: u32_at(bytes, 44)?,
            key_check: u64_at(bytes, 48)?,
            list_checksum: u32_at(bytes, 56)?,
        })
    }
}

/// A file in a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HintFile {
    /// Keyed fingerprint of the name.
    pub fingerprint: [u8; FINGERPRINT_LEN],
    /// Sequence number of the record, less [`PackHeader::first_sequence`].
    pub sequence: u32,
    /// Where the record begins, in [`ALIGN`]s.
    pub at: u32,
    /// Length of the content, at most [`CONTENT_MAX`].
    pub content_len: u32,
    /// Length of the name.
    pub name_len: u8,
}

impl HintFile {
    /// Adds it to a list.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fingerprint);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.at.to_be_bytes());
        out.extend_from_slice(&self.content_len.to_be_bytes());
        out.extend_from_slice(&[self.name_len, 0, 0, 0]);
    }

    /// Reads one from a list.
    ///
    /// # Errors
    /// [`PackFormatError::Short`], [`PackFormatError::Length`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PackFormatError> {
        let fingerprint = *bytes.first_chunk().ok_or(PackFormatError::Short)?;
        let content_len = u32_at(bytes, 20)?;
        if content_len as usize > CONTENT_MAX {
            return Err(PackFormatError::Length);
        }
        let name_len = bytes.get(24).copied().ok_or(PackFormatError::Short)?;
        Ok(Self { fingerprint, sequence: u32_at(bytes, 12)?, at: u32_at(bytes, 16)?, content_len, name_len })
    }
}

/// A gone record in a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HintGone {
    /// Its own sequence number.
    pub sequence: u64,
    /// What is gone.
    pub victim: Victim,
    /// Where it begins, in [`ALIGN`]s.
    pub at: u32,
}

impl HintGone {
    /// Adds it to a list.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.victim.sequence.to_be_bytes());
        out.extend_from_slice(&self.victim.pack.to_be_bytes());
        out.extend_from_slice(&self.at.to_be_bytes());
    }

    /// Reads one from a list.
    ///
    /// # Errors
    /// [`PackFormatError::Short`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PackFormatError> {
        let victim = Victim { sequence: u64_at(bytes, 8)?, pack: u64_at(bytes, 16)? };
        Ok(Self { sequence: u64_at(bytes, 0)?, victim, at: u32_at(bytes, 24)? })
    }
}

/// Ends a header of 64 bytes with the CRC-32 of the bytes before.
fn seal(bytes: &mut [u8; 64]) -> [u8; 64] {
    let crc = crc32fast::hash(bytes.get(..60).unwrap_or_default());
    put(bytes, 60, &crc.to_be_bytes());
    *bytes
}

fn checked(bytes: &[u8], magic: [u8; 8]) -> Result<&[u8], PackFormatError> {
    let bytes = bytes.get(..64).ok_or(PackFormatError::Short)?;
    if !bytes.starts_with(&magic) {
        return Err(PackFormatError::Magic);
    }
    if crc32fast::hash(bytes.get(..60).unwrap_or_default()) != u32_at(bytes, 60)? {
        return Err(PackFormatError::Checksum);
    }
    Ok(bytes)
}

/// Writes a field; every caller's array is long enough.
fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, PackFormatError> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(PackFormatError::Short)?;
    Ok(u64::from_be_bytes(*field))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, PackFormatError> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(PackFormatError::Short)?;
    Ok(u32::from_be_bytes(*field))
}
