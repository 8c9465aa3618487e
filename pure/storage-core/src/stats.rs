//! What a storage has counted since its first start: the values of `storage_stat.dat` that also travel to the
//! trackers.
//!
//! Counters are bumped by every request on every thread, so they are relaxed atomics: each is exact, but a
//! snapshot may show a total and its success a moment apart. Source: storage internals "Counters".

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use fdfs_format::StatFile;
use fdfs_proto::StatBlock;

use crate::directories::CursorPosition;

/// Connections of a storage, reported together with its counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connections that memory is held for.
    pub allocated: u32,
    /// Connections now open.
    pub current: u32,
    /// Connections open at once, at most, since the start.
    pub max: u32,
}

/// Total and success of one [`Counter`].
#[derive(Debug, Default)]
struct Pair {
    total: AtomicU64,
    success: AtomicU64,
}

macro_rules! counters {
    ($($(#[$meta:meta])* $counter:ident $total:ident $success:ident;)*) => {
        /// What is counted as a pair of total and success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Counter {
            $($(#[$meta])* $counter,)*
        }

        impl Counter {
            /// Every counter.
            pub const ALL: &'static [Counter] = &[$(Counter::$counter,)*];
        }

        impl Statistics {
            /// The counters of an earlier run.
            pub fn restore(&self, kept: &StatFile) {
                $(self.set(Counter::$counter, kept.stat.$total, kept.stat.$success);)*
                self.last_source_update.store(kept.stat.last_source_update, Relaxed);
                self.last_sync_update.store(kept.stat.last_sync_update, Relaxed);
            }

            /// The block that travels with a beat. The two times that only a tracker knows stay zero.
            pub fn block(&self, connections: Connections) -> StatBlock {
                let mut block = StatBlock {
                    connection_alloc_count: connections.allocated,
                    connection_current_count: connections.current,
                    connection_max_count: connections.max,
                    last_source_update: self.last_source_update.load(Relaxed),
                    last_sync_update: self.last_sync_update.load(Relaxed),
                    ..StatBlock::default()
                };
                $((block.$total, block.$success) = self.get(Counter::$counter);)*
                block
            }
        }
    };
}

counters! {
    /// Uploads.
    UploadCount total_upload_count success_upload_count;
    /// Appends.
    AppendCount total_append_count success_append_count;
    /// Modifications.
    ModifyCount total_modify_count success_modify_count;
    /// Truncations.
    TruncateCount total_truncate_count success_truncate_count;
    /// Changes of metadata.
    SetMetaCount total_set_meta_count success_set_meta_count;
    /// Deletions.
    DeleteCount total_delete_count success_delete_count;
    /// Downloads.
    DownloadCount total_download_count success_download_count;
    /// Metadata given out.
    GetMetaCount total_get_meta_count success_get_meta_count;
    /// Links made.
    CreateLinkCount total_create_link_count success_create_link_count;
    /// Links deleted.
    DeleteLinkCount total_delete_link_count success_delete_link_count;
    /// Bytes of uploads.
    UploadBytes total_upload_bytes success_upload_bytes;
    /// Bytes appended.
    AppendBytes total_append_bytes success_append_bytes;
    /// Bytes modified.
    ModifyBytes total_modify_bytes success_modify_bytes;
    /// Bytes given out.
    DownloadBytes total_download_bytes success_download_bytes;
    /// Bytes that replication brought.
    SyncInBytes total_sync_in_bytes success_sync_in_bytes;
    /// Bytes that replication took to others.
    SyncOutBytes total_sync_out_bytes success_sync_out_bytes;
    /// Files opened.
    FileOpenCount total_file_open_count success_file_open_count;
    /// Reads of files.
    FileReadCount total_file_read_count success_file_read_count;
    /// Writes to files.
    FileWriteCount total_file_write_count success_file_write_count;
}

/// How many [`Counter`]s there are.
const COUNTERS: usize = Counter::ALL.len();

/// The counters of a storage, shared by all its threads.
#[derive(Debug, Default)]
pub struct Statistics {
    pairs: [Pair; COUNTERS],
    last_source_update: AtomicI64,
    last_sync_update: AtomicI64,
    changes: AtomicU64,
}

impl Statistics {
    /// Counts one request (or one access to a file) and whether it succeeded.
    pub fn count(&self, counter: Counter, success: bool) {
        self.add(counter, 1, u64::from(success));
    }

    /// Adds to a counter: how many came or went, and how many of them belong to a request that succeeded.
    pub fn add(&self, counter: Counter, total: u64, success: u64) {
        if let Some(pair) = self.pairs.get(counter as usize) {
            pair.total.fetch_add(total, Relaxed);
            pair.success.fetch_add(success, Relaxed);
            self.changes.fetch_add(1, Relaxed);
        }
    }

    /// Notes that a client changed something at this Unix second.
    pub fn source_updated(&self, now: i64) {
        self.last_source_update.store(now, Relaxed);
        self.changes.fetch_add(1, Relaxed);
    }

    /// Notes that replication changed something at this Unix second.
    pub fn sync_updated(&self, now: i64) {
        self.last_sync_update.store(now, Relaxed);
        self.changes.fetch_add(1, Relaxed);
    }

    /// Grows with every change: equal values mean that there is nothing new to save.
    pub fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// Total and success of a counter.
    pub fn get(&self, counter: Counter) -> (u64, u64) {
        let load = |pair: &Pair| (pair.total.load(Relaxed), pair.success.load(Relaxed));
        self.pairs.get(counter as usize).map(load).unwrap_or_default()
    }

    /// What `storage_stat.dat` keeps.
    pub fn file(&self, cursor: CursorPosition) -> StatFile {
        StatFile {
            stat: self.block(Connections::default()),
            dist_path_index_high: cursor.high,
            dist_path_index_low: cursor.low,
            dist_write_file_count: cursor.written,
        }
    }

    fn set(&self, counter: Counter, total: u64, success: u64) {
        if let Some(pair) = self.pairs.get(counter as usize) {
            pair.total.store(total, Relaxed);
            pair.success.store(success, Relaxed);
        }
    }
}

impl From<&StatFile> for CursorPosition {
    fn from(file: &StatFile) -> Self {
        Self {
            high: file.dist_path_index_high,
            low: file.dist_path_index_low,
            written: file.dist_write_file_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_as_total_and_when_it_worked_as_success() {
        let statistics = Statistics::default();
        statistics.count(Counter::UploadCount, true);
        statistics.count(Counter::UploadCount, false);
        statistics.add(Counter::UploadBytes, 300, 100);
        assert_eq!(statistics.get(Counter::UploadCount), (2, 1));
        assert_eq!(statistics.get(Counter::UploadBytes), (300, 100));
        assert_eq!(statistics.get(Counter::DeleteCount), (0, 0));
    }

    #[test]
    fn every_kind_of_change_moves_the_change_counter() {
        let statistics = Statistics::default();
        statistics.count(Counter::GetMetaCount, false);
        statistics.source_updated(1_700_000_000);
        statistics.sync_updated(1_700_000_001);
        assert_eq!(statistics.changes(), 3);
    }

    #[test]
    fn the_block_has_each_counter_in_its_own_place() {
        let statistics = Statistics::default();
        for (n, counter) in (1..).zip(Counter::ALL) {
            statistics.add(*counter, n * 10, n);
        }
        statistics.source_updated(1_700_000_000);
        statistics.sync_updated(1_700_000_001);
        let mut body = Vec::new();
        statistics.block(Connections { allocated: 64, current: 3, max: 7 }).encode(&mut body);
        let word = |offset: usize| u64::from_be_bytes(body[offset..offset + 8].try_into().unwrap());
        // Offsets as in the wire protocol's table of the stat block.
        assert_eq!(body[..12], [0, 0, 0, 64, 0, 0, 0, 3, 0, 0, 0, 7]);
        assert_eq!((word(12), word(20)), (10, 1), "upload");
        assert_eq!((word(92), word(100)), (60, 6), "delete");
        assert_eq!((word(108), word(116)), (70, 7), "download");
        assert_eq!((word(172), word(180)), (110, 11), "upload bytes");
        assert_eq!((word(252), word(260)), (160, 16), "sync out bytes");
        assert_eq!((word(300), word(308)), (190, 19), "file writes");
        assert_eq!((word(316), word(324)), (1_700_000_000, 1_700_000_001));
        assert_eq!((word(332), word(340)), (0, 0));
    }

    #[test]
    fn the_file_brings_back_the_counters_and_the_cursor() {
        let before = Statistics::default();
        for (n, counter) in (1..).zip(Counter::ALL) {
            before.add(*counter, n * 10, n);
        }
        before.source_updated(1_700_000_000);
        let cursor = CursorPosition { high: 3, low: 255, written: 99 };
        let bytes = before.file(cursor).encode();

        let kept = StatFile::decode(&bytes).unwrap();
        let after = Statistics::default();
        after.restore(&kept);
        assert_eq!(CursorPosition::from(&kept), cursor);
        assert_eq!(after.get(Counter::DownloadCount), (70, 7));
        assert_eq!(after.block(Connections::default()), before.block(Connections::default()));
        assert_eq!(after.changes(), 0);
    }

    #[test]
    fn connections_are_not_kept_in_the_file() {
        let statistics = Statistics::default();
        let text = String::from_utf8(statistics.file(CursorPosition::default()).encode()).unwrap();
        assert_eq!(text.lines().count(), 43);
        assert!(!text.contains("connection"));
    }
}
