//! `storage_stat.dat`: a storage's counters and the place of its directory cursor.
//!
//! 43 lines in the original's order. A missing or empty file means zeros; so does a missing key.
//!
//! Source: storage internals, "storage_stat.dat".

use crate::FormatError;
use crate::ini::{Ini, Section, put};
use fdfs_proto::StatBlock;

/// Name of the file below `data/`.
pub const STAT_FILE: &str = "storage_stat.dat";

/// Contents of `storage_stat.dat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatFile {
    /// The counters and the two times of the last update. The other fields of the block (connections, and the
    /// two times a tracker fills in) are not kept, and zero after reading.
    pub stat: StatBlock,
    /// First-level directory the next file goes to.
    pub dist_path_index_high: u16,
    /// Second-level directory the next file goes to.
    pub dist_path_index_low: u16,
    /// Files this directory has received in its turn.
    pub dist_write_file_count: u32,
}

macro_rules! kept_in_this_order {
    ($($field:ident)*) => {
        fn put_stat(out: &mut String, stat: &StatBlock) {
            $(put(out, stringify!($field), stat.$field);)*
        }

        fn read_stat(keys: &Section<'_>) -> Result<StatBlock, FormatError> {
            Ok(StatBlock { $($field: keys.number(stringify!($field))?,)* ..StatBlock::default() })
        }
    };
}

kept_in_this_order! {
    total_upload_count success_upload_count
    total_append_count success_append_count
    total_modify_count success_modify_count
    total_truncate_count success_truncate_count
    total_download_count success_download_count
    last_source_update last_sync_update
    total_set_meta_count success_set_meta_count
    total_delete_count success_delete_count
    total_get_meta_count success_get_meta_count
    total_create_link_count success_create_link_count
    total_delete_link_count success_delete_link_count
    total_upload_bytes success_upload_bytes
    total_append_bytes success_append_bytes
    total_modify_bytes success_modify_bytes
    total_download_bytes success_download_bytes
    total_sync_in_bytes success_sync_in_bytes
    total_sync_out_bytes success_sync_out_bytes
    total_file_open_count success_file_open_count
    total_file_read_count success_file_read_count
    total_file_write_count success_file_write_count
}

impl StatFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`FormatError`] when a value is no number.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let keys = Ini::keys(bytes)?;
        Ok(Self {
            stat: read_stat(&keys)?,
            dist_path_index_high: keys.number("dist_path_index_high")?,
            dist_path_index_low: keys.number("dist_path_index_low")?,
            dist_write_file_count: keys.number("dist_write_file_count")?,
        })
    }

    /// Writes the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        put_stat(&mut out, &self.stat);
        put(&mut out, "dist_path_index_high", self.dist_path_index_high);
        put(&mut out, "dist_path_index_low", self.dist_path_index_low);
        put(&mut out, "dist_write_file_count", self.dist_write_file_count);
        out.into_bytes()
    }
}
