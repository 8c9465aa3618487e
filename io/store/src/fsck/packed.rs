//! Which records of packs count.

use std::sync::Arc;

use fdfs_fileid::FileName;

use super::names::{self, Names};
use crate::pack::Packs;

/// The packed files of a store path.
pub(super) enum Packed {
    /// Nobody keeps the store open here: what counts is found out from the packs themselves, the newest first.
    Seen(Names),
    /// The store is open, and its index knows.
    Open(Arc<Packs>),
}

impl Packed {
    /// Whether there is a packed file of this name, as far as is known.
    pub(super) fn contains(&self, name: &FileName) -> bool {
        match self {
            Self::Seen(names) => names.contains(names::key(name)),
            Self::Open(packs) => packs.contains(name.true_name()),
        }
    }

    /// Takes note of a record, and tells whether it is the one that counts for its name.
    pub(super) fn take(&self, name: &FileName, sequence: u64) -> bool {
        match self {
            Self::Seen(names) => names.insert(names::key(name)),
            Self::Open(packs) => packs.counts(name.true_name(), sequence),
        }
    }

    /// The open packs, if they are.
    pub(super) fn open(&self) -> Option<&Packs> {
        match self {
            Self::Seen(_) => None,
            Self::Open(packs) => Some(packs),
        }
    }
}
