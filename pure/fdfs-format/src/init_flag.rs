//! `.data_init_flag`: what a storage must not forget about itself.
//!
//! Its absence means a first start.
//!
//! Source: storage internals, ".data_init_flag".

use crate::ini::{Ini, flag, or_empty, put};
use crate::{FormatError, PathMark};
use fdfs_fileid::StorePathIndex;
use fdfs_proto::StorageId;
use std::collections::BTreeMap;

/// Name of the file below `data/`.
pub const INIT_FLAG_FILE: &str = ".data_init_flag";

const MARK_PREFIX: &str = "store_path_mark";

/// Contents of `.data_init_flag`. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InitFlag {
    /// When the storage joined for the first time.
    pub storage_join_time: i64,
    /// Whether it is decided who fills this storage, or that nobody has to.
    pub sync_old_done: bool,
    /// The storage that fills this one.
    pub sync_src_server: Option<StorageId>,
    /// Up to which time that one's files count.
    pub sync_until_timestamp: i64,
    /// This storage's own addresses at the last start, separated by a comma when there are two.
    pub last_ip_addr: String,
    /// Its port at the last start; 0 in files of very old versions.
    pub last_server_port: u16,
    /// Number of the trunk file made last; means something on the trunk server.
    pub current_trunk_file_id: u32,
    /// When the trunk binlog was compressed last.
    pub trunk_last_compress_time: i64,
    /// How far that came, 0 to 9.
    pub trunk_binlog_compress_stage: u8,
    /// The marks of the store paths, where they are in use.
    pub store_path_marks: BTreeMap<StorePathIndex, PathMark>,
}

impl InitFlag {
    /// Reads the file.
    ///
    /// # Errors
    /// [`FormatError`] when one of the first three keys is missing or a value is not what it should be.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let keys = Ini::keys(bytes)?;
        keys.check_has("sync_old_done")?;
        keys.check_has("sync_src_server")?;
        let mut store_path_marks = BTreeMap::new();
        for (key, value) in keys.iter() {
            let index = key.strip_prefix(MARK_PREFIX).and_then(|index| index.parse().ok());
            if let Some(index) = index
                && let Some(mark) = PathMark::new(value)
            {
                store_path_marks.insert(StorePathIndex(index), mark);
            }
        }
        Ok(Self {
            storage_join_time: keys.required("storage_join_time", |text| text.parse().ok())?,
            sync_old_done: keys.value("sync_old_done", flag)?.unwrap_or_default(),
            sync_src_server: keys.value("sync_src_server", |text| text.parse().ok())?,
            sync_until_timestamp: keys.number("sync_until_timestamp")?,
            last_ip_addr: keys.text("last_ip_addr").to_owned(),
            last_server_port: keys.number("last_server_port")?,
            current_trunk_file_id: keys.number("current_trunk_file_id")?,
            trunk_last_compress_time: keys.number("trunk_last_compress_time")?,
            trunk_binlog_compress_stage: keys.number("trunk_binlog_compress_stage")?,
            store_path_marks,
        })
    }

    /// Writes the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        put(&mut out, "storage_join_time", self.storage_join_time);
        put(&mut out, "sync_old_done", u8::from(self.sync_old_done));
        put(&mut out, "sync_src_server", or_empty(&self.sync_src_server));
        put(&mut out, "sync_until_timestamp", self.sync_until_timestamp);
        put(&mut out, "last_ip_addr", &self.last_ip_addr);
        put(&mut out, "last_server_port", self.last_server_port);
        put(&mut out, "current_trunk_file_id", self.current_trunk_file_id);
        put(&mut out, "trunk_last_compress_time", self.trunk_last_compress_time);
        put(&mut out, "trunk_binlog_compress_stage", self.trunk_binlog_compress_stage);
        for (path, mark) in &self.store_path_marks {
            put(&mut out, &format!("{MARK_PREFIX}{}", path.0), mark);
        }
        out.into_bytes()
    }
}
