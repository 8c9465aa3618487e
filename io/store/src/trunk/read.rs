//! Finding a file in its slot.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use fdfs_fileid::{FILE_NAME_LEN_MAX, FileName};
use fdfs_format::{SLOT_HEADER_LEN, SlotHeader, SlotKind};

use super::Place;
use crate::StoreError;
use crate::fsck::starts_a_slot;
use crate::path::Files;
use crate::plain::Plain;
use crate::trunk::Verified;

/// What is read of a slot at a time.
const STEP: usize = 256 * 1024;

/// A slot that has the header its name asks for.
pub(crate) struct Slot {
    pub(crate) file: File,
    pub(crate) place: Place,
    pub(crate) header: SlotHeader,
}

/// What a name in a slot leads to.
pub(crate) enum Opened {
    /// The file.
    Slot(Slot),
    /// Another name, whose file this is.
    Link(FileName),
}

/// The slot of a file, if it is there.
pub(crate) fn find(plain: &Plain<'_>, name: &FileName) -> io::Result<Option<Slot>> {
    let Some(place) = Place::of(name) else { return Ok(None) };
    let file = match plain.open(&place.container) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(bytes) = header_at(&file, place.start())? else { return Ok(None) };
    Ok(SlotHeader::decode(&bytes).ok().filter(|header| header.is_of(name)).map(|header| Slot {
        file,
        place,
        header,
    }))
}

/// The 24 bytes at a place of a trunk file; none when it ends before.
pub(super) fn header_at(file: &File, at: u64) -> io::Result<Option<[u8; SLOT_HEADER_LEN]>> {
    let mut bytes = [0; SLOT_HEADER_LEN];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file in a slot for reading, or tells the name that it is a link to. Blocks; reads the content when it is not
/// known to be right, which nothing is without `verified`.
///
/// # Errors
/// [`StoreError::NotFound`] also for content that is not what the header says: it is damaged, or the name is forged.
pub(crate) fn open(
    plain: &Plain<'_>,
    verified: Option<&Verified>,
    name: &FileName,
) -> Result<Opened, StoreError> {
    let slot = find(plain, name)?.ok_or(StoreError::NotFound)?;
    if slot.header.kind == SlotKind::Link {
        return Ok(Opened::Link(slot.link()?.ok_or(StoreError::NotFound)?));
    }
    if verified.is_some_and(|verified| verified.knows(name.true_name())) {
        return Ok(Opened::Slot(slot));
    }
    if !slot.is_whole()? {
        tracing::warn!(%name, "the slot of the file holds something else: damaged, or the name is made up");
        return Err(StoreError::NotFound);
    }
    if let Some(verified) = verified {
        verified.add(name.true_name());
        // Emptied since the header was read: the deletion may have asked to forget the name before it was added.
        if find(plain, name)?.is_none() {
            verified.forget(name.true_name());
            return Err(StoreError::NotFound);
        }
    }
    Ok(Opened::Slot(slot))
}

/// Whether a file is in its slot, so that the slot may be wiped: its content is what its header says or, should it be
/// damaged, the slot is one of those that one comes by going through the trunk file from slot to slot. Blocks.
pub(crate) fn is_in_slot(files: &Files, name: &FileName) -> io::Result<bool> {
    let Some(slot) = find(&files.plain(), name)? else { return Ok(false) };
    if files.trunk.verified.knows(name.true_name()) || slot.is_whole()? {
        return Ok(true);
    }
    starts_a_slot(&slot.file, slot.place.part.offset)
}

impl Slot {
    /// Whether it fits, and its content has the checksum in its header; of a link, whether it is a file name.
    pub(crate) fn is_whole(&self) -> io::Result<bool> {
        let used = SLOT_HEADER_LEN as u64 + u64::from(self.header.file_size);
        if used > u64::from(self.header.alloc_size) {
            return Ok(false);
        }
        if self.header.kind == SlotKind::Link {
            return Ok(self.link()?.is_some());
        }
        let mut crc = crc32fast::Hasher::new();
        let mut buffer = vec![0; STEP.min(self.header.file_size as usize)];
        let (mut at, end) = (self.place.content(), self.place.start() + used);
        while at < end {
            let len = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let part = buffer.get_mut(..len).unwrap_or_default();
            match self.file.read_exact_at(part, at) {
                Ok(()) => crc.update(part),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error),
            }
            at += len as u64;
        }
        Ok(crc.finalize() == self.header.crc32)
    }

    /// The name in a link.
    fn link(&self) -> io::Result<Option<FileName>> {
        let len = self.header.file_size as usize;
        if len > FILE_NAME_LEN_MAX {
            return Ok(None);
        }
        let mut bytes = vec![0; len];
        match self.file.read_exact_at(&mut bytes, self.place.content()) {
            Ok(()) => Ok(FileName::parse(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}
