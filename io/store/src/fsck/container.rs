//! Trunk files: walking from slot to slot.
//!
//! Nothing in a trunk file says where its slots begin; deleted slots are zeros, header included. So the walk goes
//! from a slot to its end, over zeros to the next byte that is none, which is the kind of the next slot. Where
//! that fails it goes on byte by byte until a header has the right checksum. What else stands in free space is not
//! judged.

use std::fs::File;
use std::io;

use fdfs_fileid::FileName;
use fdfs_format::{SLOT_HEADER_LEN, SlotHeader, SlotKind};

use super::SlotFault;
use super::fill::fill;

/// What is read of a trunk file at a time.
const STEP: usize = 256 * 1024;

/// What the walk has come upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// A slot that is in order as far as it was checked.
    Slot { offset: u32, header: SlotHeader },
    /// A slot whose content has another checksum than its header.
    WrongCrc { offset: u32, header: SlotHeader, found: u32 },
    /// A slot that makes no sense.
    Bad { offset: u32, fault: SlotFault },
}

/// Walks through a trunk file. Content is compared with its checksum if `content`; `read` hears of the bytes read, and
/// ends the walk with its error.
pub(super) fn walk(
    file: &File,
    content: bool,
    read: &mut dyn FnMut(u64) -> io::Result<()>,
    seen: &mut dyn FnMut(Seen),
) -> io::Result<()> {
    // Offsets in a trunk file have 32 bits.
    let len = file.metadata()?.len().min(u64::from(u32::MAX));
    let mut walk = Walk { window: Window { file, start: 0, bytes: Vec::new(), read }, len };
    let mut at = 0;
    // Whether a slot, or zeros, must be at `at`; otherwise only a right checksum makes a slot.
    let mut lost = false;
    while let Some(start) = walk.next_nonzero(at)? {
        let offset = u32::try_from(start).unwrap_or(u32::MAX);
        let bytes = walk.header(start)?;
        match walk.slot(start, &bytes)? {
            Ok(header) => {
                let found = if content || lost { walk.crc32(start, &header)? } else { header.crc32 };
                let is_right = found == header.crc32;
                if lost && !is_right {
                    at = start + 1;
                    continue;
                }
                seen(if is_right {
                    Seen::Slot { offset, header }
                } else {
                    Seen::WrongCrc { offset, header, found }
                });
                lost = false;
                at = start + u64::from(header.alloc_size);
            }
            Err(fault) => {
                if !lost && start == at && !SlotHeader::is_unused(&bytes) {
                    seen(Seen::Bad { offset, fault });
                }
                lost = true;
                at = start + 1;
            }
        }
    }
    Ok(())
}

/// Whether one comes by a slot at `offset` when going through a trunk file from slot to slot. Blocks, while all of the
/// trunk file that is in use is read.
pub(crate) fn starts_a_slot(file: &File, offset: u32) -> io::Result<bool> {
    let mut found = false;
    walk(file, false, &mut |_| Ok(()), &mut |seen| {
        found |= matches!(seen, Seen::Slot { offset: at, .. } if at == offset);
    })?;
    Ok(found)
}

struct Walk<'a> {
    window: Window<'a>,
    len: u64,
}

impl Walk<'_> {
    /// The header that begins at `at`; what lies behind the end of the file is zero.
    fn header(&mut self, at: u64) -> io::Result<[u8; SLOT_HEADER_LEN]> {
        let mut header = [0; SLOT_HEADER_LEN];
        for (to, from) in header.iter_mut().zip(self.window.at(at, SLOT_HEADER_LEN)?) {
            *to = *from;
        }
        Ok(header)
    }

    /// Whether these bytes at `at` are the header of a slot.
    fn slot(&mut self, at: u64, bytes: &[u8; SLOT_HEADER_LEN]) -> io::Result<Result<SlotHeader, SlotFault>> {
        let header = match SlotHeader::decode(bytes) {
            Ok(header) if header.kind != SlotKind::Free => header,
            _ => return Ok(Err(SlotFault::Header)),
        };
        let used = SLOT_HEADER_LEN as u64 + u64::from(header.file_size);
        let is_sane =
            u64::from(header.alloc_size) >= used && header.ext_part.iter().all(u8::is_ascii_graphic);
        if !is_sane {
            return Ok(Err(SlotFault::Header));
        }
        if at + u64::from(header.alloc_size) > self.len {
            return Ok(Err(SlotFault::BeyondEnd));
        }
        if header.kind == SlotKind::Link {
            let len = usize::try_from(header.file_size).unwrap_or(usize::MAX);
            let target = self.window.at(at + SLOT_HEADER_LEN as u64, len.min(STEP))?;
            if FileName::parse(target).is_err() {
                return Ok(Err(SlotFault::Link));
            }
        }
        Ok(Ok(header))
    }

    /// The checksum of a slot's content. What a link holds is a name, whose slot has the checksum of its source.
    fn crc32(&mut self, at: u64, header: &SlotHeader) -> io::Result<u32> {
        if header.kind == SlotKind::Link {
            return Ok(header.crc32);
        }
        let mut crc = crc32fast::Hasher::new();
        let mut at = at + SLOT_HEADER_LEN as u64;
        let mut left = u64::from(header.file_size);
        while left > 0 {
            let bytes = self.window.at(at, usize::try_from(left).unwrap_or(STEP).min(STEP))?;
            if bytes.is_empty() {
                break;
            }
            crc.update(bytes);
            at += bytes.len() as u64;
            left -= bytes.len() as u64;
        }
        Ok(crc.finalize())
    }

    fn next_nonzero(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.len {
            let bytes = self.window.rest_from(at)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            match bytes.iter().position(|&byte| byte != 0) {
                Some(position) => {
                    let found = at + position as u64;
                    return Ok((found < self.len).then_some(found));
                }
                None => at += bytes.len() as u64,
            }
        }
        Ok(None)
    }
}

/// A piece of a file in memory.
struct Window<'a> {
    file: &'a File,
    start: u64,
    bytes: Vec<u8>,
    read: &'a mut dyn FnMut(u64) -> io::Result<()>,
}

impl Window<'_> {
    /// Up to `len` bytes, no more than [`STEP`], from `at`; fewer only at the end of the file.
    fn at(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let end = at + len as u64;
        if at < self.start || end > self.start + self.bytes.len() as u64 {
            self.load(at)?;
        }
        let rest = self.loaded_from(at);
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// What is in memory from `at` on, at least a byte unless the file ends there.
    fn rest_from(&mut self, at: u64) -> io::Result<&[u8]> {
        if at < self.start || at >= self.start + self.bytes.len() as u64 {
            self.load(at)?;
        }
        Ok(self.loaded_from(at))
    }

    fn loaded_from(&self, at: u64) -> &[u8] {
        let skip = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        self.bytes.get(skip..).unwrap_or_default()
    }

    fn load(&mut self, at: u64) -> io::Result<()> {
        self.bytes.resize(STEP, 0);
        self.start = at;
        fill(self.file, &mut self.bytes, at)?;
        (self.read)(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{STEP, Seen, SlotFault, walk};
    use fdfs_format::{SLOT_HEADER_LEN, SlotHeader, SlotKind};
    use std::io::Write;

    fn slot(content: &[u8], slack: usize) -> Vec<u8> {
        let header = SlotHeader {
            kind: SlotKind::File,
            alloc_size: (SLOT_HEADER_LEN + content.len() + slack) as u32,
            file_size: content.len() as u32,
            crc32: crc32fast::hash(content),
            mtime: 1_751_328_000,
            ext_part: *b"123.txt",
        };
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len() + slack, 0);
        bytes
    }

    fn offsets(bytes: &[u8], content: bool) -> Vec<(u32, &'static str)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut found = Vec::new();
        walk(&file, content, &mut |_| Ok(()), &mut |seen| {
            found.push(match seen {
                Seen::Slot { offset, .. } => (offset, "slot"),
                Seen::WrongCrc { offset, .. } => (offset, "crc"),
                Seen::Bad { offset, fault: SlotFault::Header } => (offset, "header"),
                Seen::Bad { offset, fault: SlotFault::BeyondEnd } => (offset, "beyond"),
                Seen::Bad { offset, fault: SlotFault::Link } => (offset, "link"),
            });
        })
        .unwrap();
        found
    }

    #[test]
    fn slots_are_found_one_behind_the_other_and_behind_free_space_of_any_length() {
        let mut bytes = slot(b"one", 5);
        bytes.extend_from_slice(&slot(b"", 0));
        bytes.extend_from_slice(&[0; 1001]);
        bytes.extend_from_slice(&slot(&[7; 3 * STEP + 11], 100));
        bytes.extend_from_slice(&vec![0; 2 * STEP]);
        let last = bytes.len() as u32;
        bytes.extend_from_slice(&slot(b"last", 0));
        let expected = vec![(0, "slot"), (32, "slot"), (1057, "slot"), (last, "slot")];
        assert_eq!(offsets(&bytes, true), expected);
        assert_eq!(offsets(&bytes, false), expected);
    }

    #[test]
    fn content_with_another_checksum_is_seen_only_when_content_is_read() {
        let mut bytes = slot(b"one", 0);
        bytes.extend_from_slice(&slot(b"two", 0));
        bytes[25] ^= 1;
        assert_eq!(offsets(&bytes, true), [(0, "crc"), (27, "slot")]);
        assert_eq!(offsets(&bytes, false), [(0, "slot"), (27, "slot")]);
    }

    #[test]
    fn behind_a_damaged_header_the_next_slot_is_found_again() {
        let mut bytes = slot(b"FFFLLL", 10);
        bytes.extend_from_slice(&slot(b"two", 0));
        bytes[0] = b'X';
        assert_eq!(offsets(&bytes, false), [(0, "header"), (40, "slot")]);
    }

    #[test]
    fn a_slot_cut_off_by_the_end_of_the_file_is_damage() {
        let bytes = slot(b"one", 5);
        assert_eq!(offsets(&bytes[..30], true), [(0, "beyond")]);
        assert_eq!(offsets(&bytes[..10], true), [(0, "header")]);
    }

    #[test]
    fn what_an_upload_that_was_never_finished_left_in_free_space_is_not_judged() {
        let mut bytes = vec![0; SLOT_HEADER_LEN];
        bytes.extend_from_slice(b"content without its header");
        bytes.extend_from_slice(&slot(b"two", 0));
        assert_eq!(offsets(&bytes, true), [(50, "slot")]);
    }

    #[test]
    fn a_link_slot_must_hold_a_file_name() {
        let link = |target: &[u8]| {
            let mut bytes = slot(target, 0);
            bytes[0] = b'L';
            bytes[9] ^= 1;
            bytes
        };
        assert_eq!(offsets(&link(b"M00/00/00/fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin"), true), [(0, "slot")]);
        assert_eq!(offsets(&link(b"nonsense"), true), [(0, "link")]);
    }
}
