//! A storage's counters, as it sends them with a beat and as a tracker lists them.

use crate::record::{Counter8, Int4, Time8, record};

record! {
    /// A storage's counters since it was installed: 348 bytes, three of four and 42 of eight.
    ///
    /// Counters are taken as they are, a wrapped one is no reason to refuse a beat. Source: wire protocol,
    /// "stat block".
    #[derive(Default)]
    pub struct StatBlock as "stat block" {
        /// Connections allocated.
        connection_alloc_count: u32 => Int4,
        /// Connections now open.
        connection_current_count: u32 => Int4,
        /// Connections open at once, at most.
        connection_max_count: u32 => Int4,
        /// Uploads, tried.
        total_upload_count: u64 => Counter8,
        /// Uploads, done.
        success_upload_count: u64 => Counter8,
        /// Appends, tried.
        total_append_count: u64 => Counter8,
        /// Appends, done.
        success_append_count: u64 => Counter8,
        /// Modifications, tried.
        total_modify_count: u64 => Counter8,
        /// Modifications, done.
        success_modify_count: u64 => Counter8,
        /// Truncations, tried.
        total_truncate_count: u64 => Counter8,
        /// Truncations, done.
        success_truncate_count: u64 => Counter8,
        /// Metadata changes, tried.
        total_set_meta_count: u64 => Counter8,
        /// Metadata changes, done.
        success_set_meta_count: u64 => Counter8,
        /// Deletions, tried.
        total_delete_count: u64 => Counter8,
        /// Deletions, done.
        success_delete_count: u64 => Counter8,
        /// Downloads, tried.
        total_download_count: u64 => Counter8,
        /// Downloads, done.
        success_download_count: u64 => Counter8,
        /// Metadata reads, tried.
        total_get_meta_count: u64 => Counter8,
        /// Metadata reads, done.
        success_get_meta_count: u64 => Counter8,
        /// Links created, tried.
        total_create_link_count: u64 => Counter8,
        /// Links created, done.
        success_create_link_count: u64 => Counter8,
        /// Links deleted, tried.
        total_delete_link_count: u64 => Counter8,
        /// Links deleted, done.
        success_delete_link_count: u64 => Counter8,
        /// Bytes uploaded, tried.
        total_upload_bytes: u64 => Counter8,
        /// Bytes uploaded, done.
        success_upload_bytes: u64 => Counter8,
        /// Bytes appended, tried.
        total_append_bytes: u64 => Counter8,
        /// Bytes appended, done.
        success_append_bytes: u64 => Counter8,
        /// Bytes modified, tried.
        total_modify_bytes: u64 => Counter8,
        /// Bytes modified, done.
        success_modify_bytes: u64 => Counter8,
        /// Bytes downloaded, tried.
        total_download_bytes: u64 => Counter8,
        /// Bytes downloaded, done.
        success_download_bytes: u64 => Counter8,
        /// Bytes replicated in, tried.
        total_sync_in_bytes: u64 => Counter8,
        /// Bytes replicated in, done.
        success_sync_in_bytes: u64 => Counter8,
        /// Bytes replicated out, tried.
        total_sync_out_bytes: u64 => Counter8,
        /// Bytes replicated out, done.
        success_sync_out_bytes: u64 => Counter8,
        /// Files opened, tried.
        total_file_open_count: u64 => Counter8,
        /// Files opened, done.
        success_file_open_count: u64 => Counter8,
        /// File reads, tried.
        total_file_read_count: u64 => Counter8,
        /// File reads, done.
        success_file_read_count: u64 => Counter8,
        /// File writes, tried.
        total_file_write_count: u64 => Counter8,
        /// File writes, done.
        success_file_write_count: u64 => Counter8,
        /// Unix second of the last change by a client.
        last_source_update: i64 => Time8,
        /// Unix second of the last change by replication.
        last_sync_update: i64 => Time8,
        /// Unix second up to which all sources' files are here; 0 in a beat, the tracker's own figure in a listing.
        last_synced_timestamp: i64 => Time8,
        /// Unix second of the last beat; 0 in a beat, the tracker's own figure in a listing.
        last_heart_beat_time: i64 => Time8,
    }
}
