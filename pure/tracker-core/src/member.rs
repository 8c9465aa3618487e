//! One storage, as the tracker knows it.

use fdfs_proto::{RwMode, StatBlock, StorageId, StorageStatus, Version};

use crate::{Mono, ServerAddrs, Turn};

/// Space of one store path, in megabytes (2^20 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathSpace {
    /// Size of the file system.
    pub total_mb: u64,
    /// Free for uploads.
    pub free_mb: u64,
}

/// Where a storage gets, or got, its old data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncSource {
    /// The storage that sends it.
    pub source: StorageId,
    /// Unix seconds up to which it sends; what is newer every storage sends itself.
    pub until: i64,
}

/// A storage of a group, tombstones included. A clone shares the turn of the store paths with the original.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its identity: a given id, or one made from its address.
    pub id: StorageId,
    /// Its addresses.
    pub addrs: ServerAddrs,
    /// The port it serves on; 0 until it has joined or been reported with one.
    pub port: u16,
    /// Where it stands in its life.
    pub status: StorageStatus,
    /// What it may be used for.
    pub rw: RwMode,
    /// The version it announced.
    pub version: Version,
    /// Unix seconds of its first installation, as it says.
    pub join_time: i64,
    /// Unix seconds of its start; 0 while it is not connected.
    pub up_time: i64,
    /// Smaller is preferred, where that is looked at.
    pub upload_priority: i64,
    /// Store paths it announced.
    pub store_path_count: u32,
    /// Directories per level it announced.
    pub subdir_count: u32,
    /// Its store paths as last reported; empty before the first report.
    pub paths: Vec<PathSpace>,
    /// Sum over its store paths.
    pub space: PathSpace,
    /// The store path that the next upload is tried on.
    pub path_turn: Turn,
    /// Where it gets its old data; none for the first of a group.
    pub sync_source: Option<SyncSource>,
    /// Its counters, as of its last beat.
    pub stat: StatBlock,
    /// Bytes of the changelog it has read.
    pub changelog_offset: u64,
    /// Last beat or report since this tracker started.
    pub last_beat: Option<Mono>,
    /// Joined connections. Usually one; a second while an old one has not been noticed to be dead.
    pub connections: u32,
    /// Group changes it has been told of.
    pub changes_seen: u64,
    /// Trunk server changes it has been told of.
    pub trunk_changes_seen: u64,
}

impl Member {
    /// A storage of which nothing is known but who and where it is.
    pub fn new(id: StorageId, addrs: ServerAddrs, port: u16, status: StorageStatus, rw: RwMode) -> Self {
        Self {
            id,
            addrs,
            port,
            status,
            rw,
            version: Version::EMPTY,
            join_time: 0,
            up_time: 0,
            upload_priority: 0,
            store_path_count: 0,
            subdir_count: 0,
            paths: Vec::new(),
            space: PathSpace::default(),
            path_turn: Turn::default(),
            sync_source: None,
            stat: StatBlock::default(),
            changelog_offset: 0,
            last_beat: None,
            connections: 0,
            changes_seen: 0,
            trunk_changes_seen: 0,
        }
    }

    /// Whether it serves at all.
    pub fn is_active(&self) -> bool {
        self.status == StorageStatus::Active
    }

    /// Whether downloads may be sent to it.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_active() && self.rw.can_read()
    }

    /// Whether uploads and changes may be sent to it.
    pub(crate) fn is_writable(&self) -> bool {
        self.is_active() && self.rw.can_write()
    }

    /// Keeps a disk report.
    pub(crate) fn set_paths(&mut self, paths: impl IntoIterator<Item = PathSpace>) {
        self.paths.clear();
        self.paths.extend(paths);
        self.space = self.paths.iter().fold(PathSpace::default(), |sum, path| PathSpace {
            total_mb: sum.total_mb.saturating_add(path.total_mb),
            free_mb: sum.free_mb.saturating_add(path.free_mb),
        });
    }

    /// The one of the first `count` store paths with most free space; the first of equals.
    pub(crate) fn roomiest_path(&self, count: u32) -> Option<u32> {
        let paths = (0..count).zip(&self.paths);
        paths
            .reduce(|best, path| if path.1.free_mb > best.1.free_mb { path } else { best })
            .map(|(path, _)| path)
    }
}
