//! What really happened, which no node knows: the ground on which the invariants stand.

use std::collections::{BTreeMap, BTreeSet};

use fdfs_fileid::{FileId, FileName, GroupName};
use fdfs_proto::{StorageId, StorageStatus};

use crate::world::NodeId;

/// How far the deletion of a file is, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    None,
    /// Asked for; whether it was done is not known.
    Asked,
    Acknowledged,
}

/// A file that a client was told is stored.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    pub(crate) content: Vec<u8>,
    /// What it is if a change was made that nobody acknowledged. Such a file is not changed again.
    pub(crate) perhaps: Option<Vec<u8>>,
    /// The one that changes it.
    pub(crate) owner: NodeId,
    pub(crate) deletion: Deletion,
    /// It may be lost: its only copy was on a disk that is gone, and its level of durability promises no more.
    pub(crate) excused: bool,
}

impl Acknowledged {
    pub(crate) fn new(content: Vec<u8>, owner: NodeId) -> Self {
        Self { content, perhaps: None, owner, deletion: Deletion::None, excused: false }
    }
}

/// A tracker moved a storage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) tracker: NodeId,
    pub(crate) group: GroupName,
    pub(crate) id: StorageId,
    pub(crate) old: StorageStatus,
    pub(crate) new: StorageStatus,
    /// The tracker leads.
    pub(crate) leads: bool,
    /// The storage has a source of old files that has not sent all of them yet.
    pub(crate) copy_under_way: bool,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) files: BTreeMap<FileId, Acknowledged>,
    /// Every name that a storage gave.
    names: BTreeSet<(GroupName, FileName)>,
    pub(crate) names_twice: Vec<String>,
    pub(crate) moved: Vec<Moved>,
    /// What a client downloaded, when it was not what the file's name says.
    pub(crate) wrong_downloads: Vec<String>,
    /// Storages that were given a source of old files, and have not got all of them.
    pub(crate) copies_due: BTreeSet<StorageId>,
    /// Storages that have got all old files from their source.
    pub(crate) copied: BTreeSet<StorageId>,
    /// Files with a change that was acknowledged though no other member has it.
    pub(crate) alone: BTreeSet<(GroupName, FileName)>,
    /// Storages that have lost their disk and not rebuilt it yet.
    pub(crate) recovering: BTreeSet<NodeId>,
    pub(crate) rebuilt: u64,
    pub(crate) retired: BTreeSet<NodeId>,
    pub(crate) uploads: u64,
    pub(crate) changes: u64,
    pub(crate) deletions: u64,
}

impl History {
    pub(crate) fn named(&mut self, group: GroupName, name: &FileName) {
        if !self.names.insert((group, name.clone())) {
            self.names_twice.push(format!("{group}/{name}"));
        }
    }
}
