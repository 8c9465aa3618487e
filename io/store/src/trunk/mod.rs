//! Files in slots of trunk files, as the original merges small files (storage internals: trunk store).
//!
//! A trunk file has the length that the cluster agreed on and no header of its own. A slot is 24 bytes that say whose it
//! is, and the content behind them; free space is zeros. Where a file's slot is stands in its name, so nothing has to be
//! looked up: `read.rs` compares the header with the name, `write.rs` fills and empties slots, `claims.rs` keeps two
//! changes of one batch from sharing space, `freed.rs` remembers what the trunk server has to be told.
//!
//! What is not done, although the original does it
//! - **A slot is never filled unless all of it is zeros.** The original does not look when it replicates, and two files
//!   then own one slot. Here the newcomer gets a file of its own under its name, which is found all the same, or is
//!   refused where it could have had another slot ([`crate::NewName::Slot`]).
//! - **A name is not believed.** It says where to read and how much to wipe, and anybody can write one that points into
//!   what he uploaded, with his neighbours behind it. So the content must have the checksum that the header says before
//!   the first byte is given out or wiped, and what lies between its end and the end of the slot is never wiped: nobody
//!   writes there, so it is zeros.

mod claims;
mod freed;
mod read;
mod verified;
mod write;

pub(crate) use claims::Claims;
pub use freed::{FreedSlot, FreedSlots};
pub(crate) use read::{Opened, Slot, find, is_in_slot, open};
pub(crate) use write::{SlotContent, empty, fill, is_free, make, suits};

use fdfs_fileid::{FileName, TrunkPart};
use fdfs_format::SLOT_HEADER_LEN;
use std::sync::atomic::{AtomicU32, Ordering};

use freed::Freed;
pub(crate) use verified::Verified;

/// What the slots of one store path need in memory.
pub(crate) struct Trunk {
    /// Length of new trunk files, bytes; 0 while new files get no slots.
    file_len: AtomicU32,
    pub(crate) verified: Verified,
    pub(crate) freed: Freed,
}

impl Trunk {
    pub(crate) fn new() -> Self {
        Self { file_len: AtomicU32::new(0), verified: Verified::new(), freed: Freed::new() }
    }

    /// Length of new trunk files, bytes, if new files get slots.
    pub(crate) fn file_len(&self) -> Option<u32> {
        Some(self.file_len.load(Ordering::Relaxed)).filter(|len| *len > 0)
    }

    pub(crate) fn set_file_len(&self, len: Option<u32>) {
        self.file_len.store(len.unwrap_or(0), Ordering::Relaxed);
    }
}

/// Where a name says that its file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The trunk file, below `data/`.
    pub(crate) container: String,
    pub(crate) part: TrunkPart,
}

impl Place {
    /// None for a name that speaks of no slot, or of one too small for its header.
    pub(crate) fn of(name: &FileName) -> Option<Self> {
        let part = name.trunk_part()?;
        let has_room = part.alloc_size as usize >= SLOT_HEADER_LEN;
        has_room.then(|| Self::at(name.dirs(), part))
    }

    /// A slot of the trunk file in these directories.
    pub(crate) fn at((high, low): (u8, u8), part: TrunkPart) -> Self {
        Self { container: format!("{high:02X}/{low:02X}/{}", part.container()), part }
    }

    /// Where the header begins.
    pub(crate) fn start(&self) -> u64 {
        self.part.offset.into()
    }

    /// Where the content begins.
    pub(crate) fn content(&self) -> u64 {
        self.start() + SLOT_HEADER_LEN as u64
    }

    /// Where the slot ends; beyond what a trunk file can hold in a forged name.
    pub(crate) fn end(&self) -> u64 {
        self.start() + u64::from(self.part.alloc_size)
    }
}
