//! Filling and emptying slots.
//!
//! The order makes a slot that is half done read as no file at all: content before header, header away before content. A
//! crash of the machine may leave any part of either; the journal has the change, and does it again (`Turn::Again`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use fdfs_fileid::FileName;
use fdfs_format::{SLOT_HEADER_LEN, SlotHeader, SlotKind};
use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::read::{Slot, header_at};
use super::{Place, find};
use crate::plain::{Plain, Turn, renewed};

/// What is read or written at a time.
const STEP: usize = 256 * 1024;

/// What goes into a slot.
pub(crate) enum SlotContent<'a> {
    Bytes(&'a [u8]),
    Staged(File),
}

/// Whether a slot, as far as its trunk file reaches, holds nothing but zeros. Blocks.
pub(crate) fn is_free(plain: &Plain<'_>, place: &Place) -> io::Result<bool> {
    let file = match plain.open(&place.container) {
        Ok(Some(file)) => file,
        // A link is not followed for writing.
        Ok(None) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut buffer = vec![0; STEP.min(place.part.alloc_size as usize)];
    let (mut at, end) = (place.start(), place.end());
    while at < end {
        let len = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        let n = match file.read_at(buffer.get_mut(..len).unwrap_or_default(), at) {
            Ok(0) => return Ok(true),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.get(..n).unwrap_or_default().iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += n as u64;
    }
    Ok(true)
}

/// Makes a trunk file as long as a slot that is all of it; false when something has its name.
pub(crate) fn make(plain: &Plain<'_>, place: &Place) -> io::Result<bool> {
    plain.make_dirs(&place.container)?;
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    let made = rustix::fs::openat(plain.data, place.container.as_str(), flags, Mode::from_raw_mode(0o644));
    let file: File = match made {
        Ok(file) => file.into(),
        Err(Errno::EXIST) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    file.set_len(place.end())?;
    Ok(true)
}

/// Whether content of this length and checksum is what a name says, and fits into the slot it speaks of.
pub(crate) fn suits(name: &FileName, len: u64, crc32: impl FnOnce() -> u32) -> bool {
    let Some(header) = SlotHeader::of(name) else { return false };
    let fits = SLOT_HEADER_LEN as u64 + len <= u64::from(header.alloc_size);
    fits && u64::from(header.file_size) == len && header.crc32 == crc32()
}

/// Puts a file into its slot, whose trunk file is made, `file_len` bytes long, if it is not there. That the slot is free
/// was found out before; done again after a crash, another whole file is left in it, which came later.
pub(crate) fn fill(
    plain: &Plain<'_>,
    name: &[u8],
    file_len: u32,
    content: &SlotContent<'_>,
    turn: Turn,
) -> io::Result<()> {
    let (name, place, header) = parse(name)?;
    let file = open_container(plain, &place, file_len.into())?;
    if turn == Turn::Again {
        let bytes = header_at(&file, place.start())?.unwrap_or_default();
        if let Ok(there) = SlotHeader::decode(&bytes)
            && there.kind != SlotKind::Free
        {
            let place = place.clone();
            let slot = Slot { file: file.try_clone()?, place, header: there };
            if slot.is_whole()? {
                if there != header {
                    tracing::warn!(%name, "its slot holds another file by now, which stays");
                    return Ok(());
                }
                // Perhaps the disk did not take it, and only the page cache has it.
                let written = put(&file, &slot.place, content)
                    .and_then(|()| file.write_all_at(&bytes, slot.place.start()));
                return renewed(&file, written, || {
                    Ok(header_at(&file, slot.place.start())? == Some(bytes) && slot.is_whole()?)
                });
            }
        }
    }
    let used = SLOT_HEADER_LEN as u64 + u64::from(header.file_size);
    match retry_on_intr(|| rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, place.start(), used)) {
        // A file system that can't say so in advance.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let written = put(&file, &place, content);
    if let Err(error) = written {
        // Free space is zeros.
        let _ = wipe(&file, place.content(), header.file_size.into());
        return Err(error);
    }
    file.write_all_at(&header.encode(), place.start())
}

fn put(file: &File, place: &Place, content: &SlotContent<'_>) -> io::Result<()> {
    match content {
        SlotContent::Bytes(bytes) => file.write_all_at(bytes, place.content()),
        SlotContent::Staged(staged) => crate::plain::copy(staged, file, place.content()),
    }
}

/// Wipes a file out of its slot: the header, then the content. What lies behind it in the slot is zeros already.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when the slot holds another file or none.
pub(crate) fn empty(plain: &Plain<'_>, name: &[u8], turn: Turn) -> io::Result<()> {
    let (name, place, header) = parse(name)?;
    let is_there = match turn {
        Turn::First => find(plain, &name)?.is_some(),
        Turn::Again => is_trace(plain, &place, &header)?,
    };
    if !is_there {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = open_container(plain, &place, 0)?;
    file.write_all_at(&[0; SLOT_HEADER_LEN], place.start())?;
    wipe(&file, place.content(), header.file_size.into())
}

/// Whether what stands at the place of a header is that header, or what may be left of it: some of its bytes, the rest
/// zeros. Another file's is not.
fn is_trace(plain: &Plain<'_>, place: &Place, header: &SlotHeader) -> io::Result<bool> {
    let Some(file) = plain.open(&place.container)? else { return Ok(false) };
    let Some(bytes) = header_at(&file, place.start())? else { return Ok(false) };
    let link = SlotHeader { kind: SlotKind::Link, ..*header }.encode();
    Ok([header.encode(), link]
        .iter()
        .any(|whole| bytes.iter().zip(whole).all(|(byte, whole)| *byte == 0 || byte == whole)))
}

fn wipe(file: &File, at: u64, len: u64) -> io::Result<()> {
    let zeros = vec![0; STEP.min(usize::try_from(len).unwrap_or(STEP))];
    let (mut at, end) = (at, at + len);
    while at < end {
        let len = zeros.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        file.write_all_at(zeros.get(..len).unwrap_or_default(), at)?;
        at += len as u64;
    }
    Ok(())
}

/// Opens a trunk file for writing. With a `len` it is made if it is missing, and is that long, or as long as the slot needs,
/// if it is shorter: its maker may have been stopped before it had its length.
fn open_container(plain: &Plain<'_>, place: &Place, len: u64) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let opened = rustix::fs::openat(plain.data, place.container.as_str(), flags, mode);
    let file: File = match opened {
        Err(Errno::NOENT) if len > 0 => {
            plain.make_dirs(&place.container)?;
            let flags = flags | OFlags::CREATE;
            rustix::fs::openat(plain.data, place.container.as_str(), flags, mode)?.into()
        }
        opened => opened?.into(),
    };
    if len > 0 && file.metadata()?.len() < place.end() {
        file.set_len(len.max(place.end()))?;
    }
    Ok(file)
}

fn parse(name: &[u8]) -> io::Result<(FileName, Place, SlotHeader)> {
    let name = FileName::parse(name).map_err(|_| io::ErrorKind::InvalidData)?;
    let place = Place::of(&name).ok_or(io::ErrorKind::InvalidData)?;
    let header = SlotHeader::of(&name).ok_or(io::ErrorKind::InvalidData)?;
    Ok((name, place, header))
}
