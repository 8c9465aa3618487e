//! A group: storages that hold the same files.

use std::collections::BTreeMap;

use fdfs_conf::tracker::StoreServer;
use fdfs_fileid::GroupName;
use fdfs_proto::StorageId;

use crate::status::is_tombstone;
use crate::{Member, PathSpace, Turn};

/// A group of storages. A clone shares the turns with the original: both are pictures of one group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Its number in its cluster, by which a turn names it; 0 until it is in one. Not used again.
    pub number: usize,
    /// The port all of its storages use; none while there are none or when they differ.
    pub port: GroupPort,
    /// Store paths every storage has at least; 0 before the first JOIN.
    pub store_path_count: u32,
    /// Directories per level below a store path; 0 before the first JOIN.
    pub subdir_count: u32,
    /// Space of the storage with least of it: what the group can take.
    pub space: PathSpace,
    /// Free space inside trunk files, megabytes.
    pub trunk_free_mb: u64,
    /// Highest trunk file number that was reported.
    pub trunk_file_id: u32,
    /// The storage that allocates trunk space.
    pub trunk_server: Option<StorageId>,
    /// The one before it, or itself.
    pub last_trunk_server: Option<StorageId>,
    /// Its storages, tombstones included, by id as text.
    pub members: BTreeMap<StorageId, Member>,
    /// Which writable storage takes the next upload, counted in the order of ids.
    pub write_turn: Turn,
    /// Which readable storage is looked at first for the next download.
    pub read_turn: Turn,
    /// Counts changes of membership and status; storages are told when theirs differs.
    pub changes: u64,
    /// Counts changes of the trunk server.
    pub trunk_changes: u64,
    /// For (source, destination): unix seconds up to which the destination has the source's files.
    pub synced: BTreeMap<(StorageId, StorageId), u32>,
    /// Who got a new address, by the id before: names of files go on saying the old one.
    pub moved: BTreeMap<StorageId, StorageId>,
}

/// The port of a group's storages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupPort {
    /// Nobody has joined yet.
    Unset,
    /// All use this one.
    One(u16),
    /// They differ.
    Mixed,
}

impl GroupPort {
    /// As it is shown and saved: −1 when storages differ.
    pub fn number(self) -> i32 {
        match self {
            Self::Unset => 0,
            Self::One(port) => i32::from(port),
            Self::Mixed => -1,
        }
    }
}

impl Group {
    /// An empty group.
    pub fn new(name: GroupName) -> Self {
        Self {
            name,
            number: 0,
            port: GroupPort::Unset,
            store_path_count: 0,
            subdir_count: 0,
            space: PathSpace::default(),
            trunk_free_mb: 0,
            trunk_file_id: 0,
            trunk_server: None,
            last_trunk_server: None,
            members: BTreeMap::new(),
            write_turn: Turn::default(),
            read_turn: Turn::default(),
            changes: 1,
            trunk_changes: 0,
            synced: BTreeMap::new(),
            moved: BTreeMap::new(),
        }
    }

    /// Storages that downloads may be sent to, by id.
    pub fn readable(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.is_readable())
    }

    /// Storages that uploads and changes may be sent to, by id.
    pub fn writable(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.is_writable())
    }

    /// Storages that are more than a memory.
    pub fn standing(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| !is_tombstone(member.status))
    }

    /// The storage that stands for the group where one must: the first writable one, or the one with the
    /// smallest upload priority when those count (wire protocol: which server).
    pub fn store_server(&self, choice: StoreServer) -> Option<&Member> {
        match choice {
            StoreServer::Priority => self.writable().min_by_key(|member| member.upload_priority),
            StoreServer::RoundRobin | StoreServer::First => self.writable().next(),
        }
    }

    /// A storage of this group got another id.
    pub(crate) fn note_move(&mut self, old: StorageId, new: StorageId) {
        self.moved.insert(old, new);
        // It may have had this one before.
        self.moved.remove(&new);
    }

    /// The storage that has, or once had, an id.
    pub fn now_called(&self, id: &StorageId) -> Option<&Member> {
        let mut id = id;
        // No id leads back to itself, as the newest one of a storage leads nowhere.
        loop {
            match self.members.get(id) {
                Some(member) if !is_tombstone(member.status) => return Some(member),
                _ => id = self.moved.get(id)?,
            }
        }
    }

    /// Notes that storages must be told of a change.
    pub fn changed(&mut self) {
        self.changes += 1;
    }

    /// Forgets everything about a storage but what others remember of it themselves.
    pub fn remove(&mut self, id: &StorageId) {
        self.members.remove(id);
        self.synced.retain(|(source, dest), _| source != id && dest != id);
        self.changed();
    }
}
