//! The 24 bytes before the content in a slot of a trunk file.
//!
//! Source: storage internals, "Trunk files".

use fdfs_fileid::{EXT_PART_LEN, FileName};

/// Bytes of a slot header.
pub const SLOT_HEADER_LEN: usize = 24;

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// Nothing.
    Free,
    /// A file.
    File,
    /// The logical name of another file.
    Link,
}

impl SlotKind {
    const fn code(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::File => b'F',
            Self::Link => b'L',
        }
    }
}

/// The type byte is none of those that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of trunk slot {0:#04x}")]
pub struct UnknownSlotKind(pub u8);

/// The header of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotHeader {
    /// What the slot holds.
    pub kind: SlotKind,
    /// Bytes of the slot, this header included.
    pub alloc_size: u32,
    /// Bytes of content.
    pub file_size: u32,
    /// CRC-32 of the content.
    pub crc32: u32,
    /// Unix seconds, the time in the name.
    pub mtime: u32,
    /// The last seven characters of the name.
    pub ext_part: [u8; EXT_PART_LEN],
}

impl SlotHeader {
    /// The header that belongs to the name of a file in a trunk slot; none for any other name.
    ///
    /// A file is there exactly when its slot has this header; [`Self::is_of`] compares.
    pub fn of(name: &FileName) -> Option<Self> {
        let slot = name.trunk_part()?;
        let stamp = name.stamp()?;
        Some(Self {
            kind: SlotKind::File,
            alloc_size: slot.alloc_size,
            // A trunk name has no larger size than its 32 bits.
            file_size: u32::try_from(stamp.size.size()?).ok()?,
            crc32: stamp.crc32,
            mtime: stamp.timestamp,
            ext_part: name.ext_part()?,
        })
    }

    /// True when the slot with this header holds the file `name`, or a link of that name.
    pub fn is_of(&self, name: &FileName) -> bool {
        let expected = Self::of(name).map(|expected| Self { kind: self.kind, ..expected });
        self.kind != SlotKind::Free && expected == Some(*self)
    }

    /// The 24 bytes, big-endian.
    pub fn encode(&self) -> [u8; SLOT_HEADER_LEN] {
        let mut bytes = [0; SLOT_HEADER_LEN];
        bytes[0] = self.kind.code();
        bytes[1..5].copy_from_slice(&self.alloc_size.to_be_bytes());
        bytes[5..9].copy_from_slice(&self.file_size.to_be_bytes());
        bytes[9..13].copy_from_slice(&self.crc32.to_be_bytes());
        bytes[13..17].copy_from_slice(&self.mtime.to_be_bytes());
        bytes[17..].copy_from_slice(&self.ext_part);
        bytes
    }

    /// Reads the 24 bytes.
    ///
    /// # Errors
    /// [`UnknownSlotKind`] when the first byte is none of the three.
    pub fn decode(bytes: &[u8; SLOT_HEADER_LEN]) -> Result<Self, UnknownSlotKind> {
        let [kind, a0, a1, a2, a3, f0, f1, f2, f3, c0, c1, c2, c3, t0, t1, t2, t3, ext_part @ ..] = *bytes;
        let kind = match kind {
            0 => SlotKind::Free,
            b'F' => SlotKind::File,
            b'L' => SlotKind::Link,
            other => return Err(UnknownSlotKind(other)),
        };
        Ok(Self {
            kind,
            alloc_size: u32::from_be_bytes([a0, a1, a2, a3]),
            file_size: u32::from_be_bytes([f0, f1, f2, f3]),
            crc32: u32::from_be_bytes([c0, c1, c2, c3]),
            mtime: u32::from_be_bytes([t0, t1, t2, t3]),
            ext_part,
        })
    }

    /// True when nothing speaks against writing to the slot with these first bytes: no checksum, time or extension
    /// is left of a file. Kind and sizes do not count, as the original does not count them either.
    pub fn is_unused(bytes: &[u8; SLOT_HEADER_LEN]) -> bool {
        bytes[9..].iter().all(|byte| *byte == 0)
    }
}
