//! What is in a pack: read from its hint, or from the pack itself.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_format::pack::{
    ALIGN, HINT_FILE_LEN, HINT_GONE_LEN, HINT_HEADER_LEN, HintFile, HintGone, HintHeader, PACK_HEADER_LEN,
    PackFormatError, PackHeader, RECORD_HEADER_LEN, Record, RecordHeader,
};

use super::disk::Disk;
use super::index::Fingerprint;

/// What is read of a pack at a time.
const STEP: usize = 4 << 20;

/// The key of a store path's fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u64, pub(crate) u64);

impl Key {
    pub(crate) fn fingerprint(self, name: &[u8]) -> Fingerprint {
        Fingerprint::of((self.0, self.1), name)
    }

    /// What a hint says of the key it was made with.
    fn check(self) -> u64 {
        self.fingerprint(b"").bytes().first_chunk().copied().map_or(0, u64::from_be_bytes)
    }
}

/// The records of a pack, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) files: Vec<HintFile>,
    pub(crate) gone: Vec<HintGone>,
    /// Where they end, bytes.
    pub(crate) end: u64,
}

impl Listing {
    /// Adds a record that begins at `at` bytes.
    pub(crate) fn add(
        &mut self,
        key: Key,
        header: &PackHeader,
        at: u64,
        record: &Record<'_>,
    ) -> io::Result<()> {
        let place = u32::try_from(at / ALIGN as u64).map_err(io::Error::other)?;
        if let Some(victim) = record.victim() {
            self.gone.push(HintGone { sequence: record.header.sequence, victim, at: place });
        } else {
            let sequence = record.header.sequence.checked_sub(header.first_sequence);
            self.files.push(HintFile {
                fingerprint: key.fingerprint(record.name).bytes(),
                sequence: sequence
                    .and_then(|sequence| u32::try_from(sequence).ok())
                    .ok_or_else(|| io::Error::other("a record's sequence number does not fit its pack"))?,
                at: place,
                content_len: record.header.content_len,
                name_len: record.header.name_len,
            });
        }
        Ok(())
    }

    /// The hint of a pack that takes no more records.
    pub(crate) fn hint(&self, key: Key, header: &PackHeader) -> Vec<u8> {
        let mut list = Vec::with_capacity(self.files.len() * HINT_FILE_LEN + self.gone.len() * HINT_GONE_LEN);
        self.files.iter().for_each(|file| file.encode(&mut list));
        self.gone.iter().for_each(|gone| gone.encode(&mut list));
        let head = HintHeader {
            number: header.number,
            covers: header.covers,
            rewritten: header.rewritten,
            end: self.end,
            // A pack is not long enough for more records than that.
            files: self.files.len() as u32,
            gone: self.gone.len() as u32,
            key_check: key.check(),
            list_checksum: crc32fast::hash(&list),
        };
        [head.encode().as_slice(), &list].concat()
    }

    /// Reads a hint. `None` when it is none, is damaged, or is not of this pack as it is now.
    pub(crate) fn from_hint(bytes: &[u8], key: Key, header: &PackHeader) -> Option<Self> {
        let head = HintHeader::decode(bytes).ok()?;
        let of_this = head.number == header.number
            && head.covers == header.covers
            && head.rewritten == header.rewritten
            && head.key_check == key.check();
        let list = bytes.get(HINT_HEADER_LEN..).filter(|_| of_this)?;
        if crc32fast::hash(list) != head.list_checksum {
            return None;
        }
        let (files, gone) = (usize::try_from(head.files).ok()?, usize::try_from(head.gone).ok()?);
        let (files, gone) = list
            .split_at_checked(files.checked_mul(HINT_FILE_LEN)?)
            .filter(|(_, rest)| gone.checked_mul(HINT_GONE_LEN).is_some_and(|len| len == rest.len()))?;
        Some(Self {
            files: files.chunks_exact(HINT_FILE_LEN).map(HintFile::decode).collect::<Result<_, _>>().ok()?,
            gone: gone.chunks_exact(HINT_GONE_LEN).map(HintGone::decode).collect::<Result<_, _>>().ok()?,
            end: head.end,
        })
    }
}

/// Writes the hint of a pack, durably.
pub(crate) fn write_hint(disk: &Disk, path: &Path, hint: &[u8]) -> io::Result<()> {
    let file = disk.create(path.to_owned())?;
    disk.write(&file, 0, hint)?;
    disk.sync(&file)?;
    disk.sync_dir(path.parent().unwrap_or(path))
}

/// Ending of the name of a pack.
pub(crate) const PACK_EXTENSION: &str = "pack";

/// The pack with this number.
pub(crate) fn pack_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{PACK_EXTENSION}"))
}

/// Ending of the name of a hint.
pub(crate) const HINT_EXTENSION: &str = "hint";

/// Its hint.
pub(crate) fn hint_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{HINT_EXTENSION}"))
}

/// The numbers of the packs of a folder, ascending.
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    numbers_of(dir, ".pack")
}

/// The numbers of the hints of a folder, ascending.
pub(super) fn hint_numbers(dir: &Path) -> io::Result<Vec<u64>> {
    numbers_of(dir, ".hint")
}

fn numbers_of(dir: &Path, suffix: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(suffix));
        let number = digits.filter(|digits| digits.len() == 12).and_then(|digits| digits.parse::<u64>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The header of a pack; `None` when it has none that is whole.
pub(crate) fn read_header(file: &File) -> io::Result<Option<PackHeader>> {
    let mut bytes = [0; PACK_HEADER_LEN];
    match file.read_exact_at(&mut bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(PackHeader::decode(&bytes).ok()),
    }
}

/// Bytes of a pack that are no record although records follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) at: u64,
    pub(crate) len: u64,
}

/// Reads the records of a pack up to `end`, or up to the last one there is, and checks each. What is no record is passed
/// over: in a pack that was being written it belongs to changes that nobody was told of, in another it is damage.
///
/// The records of a pack are in the order of their sequence numbers, beginning with `first` when that is known. What
/// is out of order is no record of the pack: it may be the content of a file whose own record can't be read.
///
/// Of a batch that was being written any part may be there. A record that counts only with its neighbour is passed
/// over without it.
pub(crate) fn scan(
    file: &File,
    first: Option<u64>,
    end: Option<u64>,
    mut visit: impl FnMut(u64, &Record<'_>) -> io::Result<()>,
) -> io::Result<Vec<Damage>> {
    let len = end.unwrap_or(u64::MAX).min(file.metadata()?.len());
    let mut window = Window { file, len, start: PACK_HEADER_LEN as u64, bytes: Vec::new() };
    let mut at = PACK_HEADER_LEN as u64;
    let mut damage = Vec::new();
    let mut bad_since = None;
    // Where the last record that counts ends, and the sequence number behind its own.
    let mut before = None;
    let mut least = first.unwrap_or(0);
    let most = first.map_or(u64::MAX, |first| first.saturating_add(u32::MAX.into()));
    while at + RECORD_HEADER_LEN as u64 <= len {
        let in_order = |header: &RecordHeader| (least..=most).contains(&header.sequence);
        let header = RecordHeader::decode(window.part(at, RECORD_HEADER_LEN)?).ok().filter(in_order);
        let counts = match &header {
            Some(header) => {
                (!header.with_before || before == Some((at, header.sequence)))
                    && (!header.with_next || window.is_whole(at, *header)?)
            }
            None => false,
        };
        let taken = match window.record(at)? {
            Ok(record) if counts => {
                least = record.header.sequence.saturating_add(1);
                before = Some((at + record.header.padded_len() as u64, least));
                if let Some(since) = bad_since.take() {
                    damage.push(Damage { at: since, len: at - since });
                }
                visit(at, &record)?;
                record.header.padded_len()
            }
            // Its content is not looked at for records.
            Ok(_) => {
                bad_since.get_or_insert(at);
                header.map_or(ALIGN, |header| header.padded_len())
            }
            Err(_) => {
                bad_since.get_or_insert(at);
                ALIGN
            }
        };
        at += taken as u64;
    }
    if let (Some(since), Some(end)) = (bad_since, end) {
        damage.push(Damage { at: since, len: end.saturating_sub(since) });
    }
    Ok(damage)
}

/// A part of a pack in memory.
struct Window<'a> {
    file: &'a File,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    fn record(&mut self, at: u64) -> io::Result<Result<Record<'_>, PackFormatError>> {
        let head = self.part(at, RECORD_HEADER_LEN)?;
        let header = match RecordHeader::decode(head) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Record::decode(self.part(at, header.record_len())?))
    }

    /// Whether all records are there that count only together with this one and are behind it.
    fn is_whole(&mut self, mut at: u64, mut header: RecordHeader) -> io::Result<bool> {
        while header.with_next {
            at += header.padded_len() as u64;
            match self.record(at)? {
                Ok(next)
                    if next.header.with_before && next.header.sequence == header.sequence.wrapping_add(1) =>
                {
                    header = next.header;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Up to `len` bytes from `at`, fewer at the end.
    fn part(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let covered = at >= self.start && at + len as u64 <= self.start + self.bytes.len() as u64;
        if !covered {
            let room = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
            self.bytes.resize(STEP.max(len).min(room), 0);
            self.file.read_exact_at(&mut self.bytes, at)?;
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        Ok(rest.get(..len.min(rest.len())).unwrap_or_default())
    }
}

/// A whole file, if it is there.
pub(crate) fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(mut file) => {
            file.read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
    }
}
