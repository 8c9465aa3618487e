//! A file of the store, open for reading.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use fdfs_format::pack::{Kind, RECORD_HEADER_LEN, RecordHeader};
use fdfs_format::{SLOT_HEADER_LEN, SlotHeader};
use rustix::io::{ReadWriteFlags, preadv2};

use crate::StoreError;
use crate::mutation::{Seen, Standing};
use crate::pack::{Location, Pack, damaged};
use crate::plain::{is_regular, seen};
use crate::pool::{Closing, Pool};
use crate::trunk::Slot;

/// How far apart the bytes are that are looked at to see whether a part is in the page cache.
const PROBE_STEP: u64 = 64 * 1024;

/// What is read at a time when a whole file is looked at, so that no thread of the disk is held for long.
const CHECK_STEP: usize = 4 << 20;

/// A file, open for reading: `len` bytes of `file` from `offset`.
pub struct StoredFile {
    /// The descriptor, which may hold more than this file.
    pub file: Arc<File>,
    /// Where the content begins in it.
    pub offset: u64,
    /// Length of the content, bytes.
    pub len: u64,
    kept: Kept,
    pool: Pool,
    /// Goes behind `file`. Packs are let go of by whoever rewrites them.
    _closing: Option<Closing>,
}

/// How it is kept.
#[derive(Clone)]
enum Kept {
    /// As a file of its own; so it was when it was opened, and changed last at that time, Unix seconds.
    Plain { seen: Seen, mtime: i64 },
    /// In a pack. Before content is given out, its record is looked at.
    Packed { pack: Arc<Pack>, location: Location },
    /// In a slot of a trunk file, whose header is this. It is looked at again when content has been read: who empties a
    /// slot wipes the header first, so what was read before is the file's.
    Slot { at: u64, header: SlotHeader },
}

impl StoredFile {
    pub(crate) fn new(file: File, pool: &Pool) -> Result<Self, StoreError> {
        let stat = rustix::fs::fstat(&file)?;
        if !is_regular(&stat) {
            return Err(StoreError::NotRegular);
        }
        let file = Arc::new(file);
        Ok(Self {
            _closing: Some(Closing::new(&file, pool)),
            file,
            offset: 0,
            len: stat.st_size.unsigned_abs(),
            kept: Kept::Plain { seen: seen(&stat), mtime: stat.st_mtime },
            pool: pool.clone(),
        })
    }

    pub(crate) fn packed(pack: Arc<Pack>, location: Location, pool: &Pool) -> Self {
        Self {
            file: Arc::clone(&pack.file),
            offset: location.offset() + RECORD_HEADER_LEN as u64,
            len: location.content_len().into(),
            kept: Kept::Packed { pack, location },
            pool: pool.clone(),
            _closing: None,
        }
    }

    pub(crate) fn in_slot(slot: Slot, pool: &Pool) -> Self {
        let file = Arc::new(slot.file);
        Self {
            _closing: Some(Closing::new(&file, pool)),
            file,
            offset: slot.place.content(),
            len: slot.header.file_size.into(),
            kept: Kept::Slot { at: slot.place.start(), header: slot.header },
            pool: pool.clone(),
        }
    }

    /// Whether other content may come to stand in the place of this one while it is being read. Then only what
    /// [`Self::read`] and [`Self::read_cached`] give is sure to be the file's.
    pub fn may_be_reused(&self) -> bool {
        matches!(self.kept, Kept::Slot { .. })
    }

    /// Last change, Unix seconds.
    ///
    /// # Errors
    /// What reading says.
    pub async fn mtime(&self) -> Result<i64, StoreError> {
        match &self.kept {
            Kept::Plain { mtime, .. } => Ok(*mtime),
            Kept::Slot { header, .. } => Ok(header.mtime.into()),
            Kept::Packed { pack, location } => {
                let (pack, location) = (Arc::clone(pack), *location);
                let header = self.pool.run(move || Ok(read_header(&pack, &location)?)).await?;
                Ok(header.mtime.into())
            }
        }
    }

    /// How the file was when it was opened; a packed one never changes.
    pub(crate) fn seen(&self) -> Option<Seen> {
        match self.kept {
            Kept::Plain { seen, .. } => Some(seen),
            Kept::Packed { .. } | Kept::Slot { .. } => None,
        }
    }

    /// What this is, to be recognised by.
    pub(crate) fn standing(&self) -> Standing {
        match &self.kept {
            Kept::Plain { seen, .. } => Standing::Plain(*seen),
            Kept::Packed { pack, location } => Standing::Packed(pack.sequence(location)),
            Kept::Slot { .. } => Standing::Slot,
        }
    }

    /// Fills `buffer` from `at` bytes into the content if that can be done without waiting for the disk, and the content
    /// is what it should be: [`StoredFile::read`] says what is wrong with it otherwise.
    pub fn read_cached(&self, buffer: &mut [u8], at: u64) -> bool {
        let want = buffer.len();
        let mut header = [0; RECORD_HEADER_LEN];
        let from = self.offset + at;
        match &self.kept {
            Kept::Plain { .. } => {
                preadv2(&self.file, &mut [IoSliceMut::new(buffer)], from, ReadWriteFlags::NOWAIT) == Ok(want)
            }
            Kept::Slot { at, header } => {
                let mut bytes = [0; SLOT_HEADER_LEN];
                let read = |buffer: &mut [u8], at| {
                    preadv2(&self.file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT)
                };
                read(buffer, from) == Ok(want)
                    && read(&mut bytes, *at) == Ok(SLOT_HEADER_LEN)
                    && bytes == header.encode()
            }
            // Record and content in one call.
            Kept::Packed { pack, location } if from == location.offset() + RECORD_HEADER_LEN as u64 => {
                let mut parts = [IoSliceMut::new(&mut header), IoSliceMut::new(buffer)];
                let read = preadv2(&self.file, &mut parts, location.offset(), ReadWriteFlags::NOWAIT);
                read == Ok(RECORD_HEADER_LEN + want) && check_header(&header, pack, location).is_ok()
            }
            Kept::Packed { pack, location } => {
                let mut parts = [IoSliceMut::new(&mut header)];
                let read = preadv2(&self.file, &mut parts, location.offset(), ReadWriteFlags::NOWAIT);
                read == Ok(RECORD_HEADER_LEN)
                    && check_header(&header, pack, location).is_ok()
                    && preadv2(&self.file, &mut [IoSliceMut::new(buffer)], from, ReadWriteFlags::NOWAIT)
                        == Ok(want)
            }
        }
    }

    /// What makes sure, on a thread that may block, that the content is what it should be.
    fn check(&self) -> Check {
        Check { kept: self.kept.clone(), file: Arc::clone(&self.file) }
    }

    /// Reads `len` bytes from `at` bytes into the content.
    ///
    /// # Errors
    /// What reading says; also when the file ends early.
    pub async fn read(&self, at: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let (file, at, check) = (Arc::clone(&self.file), self.offset + at, self.check());
        let read = move || {
            check.before()?;
            let mut buffer = vec![0; len];
            file.read_exact_at(&mut buffer, at).map_err(StoreError::Io)?;
            check.after()?;
            Ok(buffer)
        };
        self.pool.run(read).await
    }

    /// Sees to it that a part is in the page cache, so that sending it does not wait for the disk.
    ///
    /// # Errors
    /// What reading says.
    pub async fn warm(&self, at: u64, len: u64) -> Result<(), StoreError> {
        let mut byte = [0];
        let mut is_cached = |probe: u64| {
            let mut parts = [IoSliceMut::new(&mut byte)];
            preadv2(&self.file, &mut parts, self.offset + probe, ReadWriteFlags::NOWAIT) == Ok(1)
        };
        let later = (at..at + len).step_by(PROBE_STEP as usize).skip(1).chain((at + len).checked_sub(1));
        // The first looks at the record of a packed file, too.
        if self.read_cached(&mut [0], at) && { later }.all(&mut is_cached) {
            return Ok(());
        }
        let (file, from, end) = (Arc::clone(&self.file), self.offset + at, self.offset + at + len);
        let check = self.check();
        let read = move || {
            check.before()?;
            let mut buffer = vec![0; PROBE_STEP as usize];
            let mut at = from;
            while at < end {
                let room = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
                let n =
                    file.read_at(buffer.get_mut(..room).unwrap_or_default(), at).map_err(StoreError::Io)?;
                if n == 0 {
                    break;
                }
                at += n as u64;
            }
            check.after()
        };
        self.pool.run(read).await
    }

    /// CRC-32 of the content, read whole.
    ///
    /// # Errors
    /// What reading says.
    pub async fn crc32(&self) -> Result<u32, StoreError> {
        let mut crc = crc32fast::Hasher::new();
        let mut at = 0;
        while at < self.len {
            let len = CHECK_STEP.min(usize::try_from(self.len - at).unwrap_or(usize::MAX));
            let (file, from, check) = (Arc::clone(&self.file), self.offset + at, self.check());
            let step = move || {
                check.before()?;
                let mut buffer = vec![0; len];
                file.read_exact_at(&mut buffer, from).map_err(StoreError::Io)?;
                check.after()?;
                crc.update(&buffer);
                Ok(crc)
            };
            crc = self.pool.run(step).await?;
            at += len as u64;
        }
        Ok(crc.finalize())
    }
}

/// See [`StoredFile::check`].
struct Check {
    kept: Kept,
    file: Arc<File>,
}

impl Check {
    /// To be done before content is read. Blocks.
    fn before(&self) -> Result<(), StoreError> {
        match &self.kept {
            Kept::Packed { pack, location } => Ok(read_header(pack, location).map(drop)?),
            Kept::Plain { .. } | Kept::Slot { .. } => Ok(()),
        }
    }

    /// To be done when content has been read, before it is given out. Blocks.
    fn after(&self) -> Result<(), StoreError> {
        let Kept::Slot { at, header } = &self.kept else { return Ok(()) };
        let mut bytes = [0; SLOT_HEADER_LEN];
        self.file.read_exact_at(&mut bytes, *at).map_err(StoreError::Io)?;
        if bytes == header.encode() { Ok(()) } else { Err(StoreError::NotFound) }
    }
}

/// Reads the record of a packed file up to its content, and checks that it is that file's. Blocks.
pub(crate) fn read_header(pack: &Pack, location: &Location) -> io::Result<RecordHeader> {
    let mut header = [0; RECORD_HEADER_LEN];
    pack.file.read_exact_at(&mut header, location.offset())?;
    check_header(&header, pack, location)
}

fn check_header(bytes: &[u8], pack: &Pack, location: &Location) -> io::Result<RecordHeader> {
    let header = RecordHeader::decode(bytes).map_err(|error| damaged(pack, location, error))?;
    let is_it = header.kind == Kind::File
        && header.sequence == pack.sequence(location)
        && header.content_len == location.content_len();
    if is_it { Ok(header) } else { Err(damaged(pack, location, "it is another one")) }
}
