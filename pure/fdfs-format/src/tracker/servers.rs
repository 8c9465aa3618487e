//! `storage_servers_new.dat`: the storages of a cluster, without deleted ones and tombstones.

use crate::FormatError;
use crate::ini::{Ini, Number, Section, or_empty, put_inside};
use fdfs_fileid::GroupName;
use fdfs_proto::{StatBlock, StorageId, StorageStatus, Version};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// Name of the file below `data/`.
pub const SERVERS_FILE: &str = "storage_servers_new.dat";

/// One storage. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its id, only in clusters that use storage ids; elsewhere its address identifies it.
    pub id: Option<StorageId>,
    /// Its group.
    pub group_name: GroupName,
    /// Its address; of two, the one in use.
    pub ip_addr: IpAddr,
    /// Its status when the file was written. After a restart of the tracker only the statuses before the first
    /// beat (`Init`, `WaitSync`, `Syncing`) still mean something; numbers nobody knows read as `Offline`.
    pub status: StorageStatus,
    /// Its version.
    pub version: Version,
    /// When it joined for the first time.
    pub join_time: i64,
    /// Its port.
    pub storage_port: u16,
    /// The storage that fills or filled it.
    pub sync_src_server: Option<StorageId>,
    /// Up to which time that one's files count.
    pub sync_until_timestamp: i64,
    /// Size of its store paths together, MiB.
    pub total_mb: u64,
    /// Free space of its store paths together, MiB.
    pub free_mb: u64,
    /// How far it has read the tracker's change log, bytes.
    pub changelog_offset: u64,
    /// Its store paths.
    pub store_path_count: u16,
    /// Directories on each of the two levels below a store path.
    pub subdir_count_per_path: u16,
    /// Its place among the writable storages of its group, smallest first.
    pub upload_priority: i32,
    /// Its counters and times. Connections and the counters of modifying and truncating are not kept, and zero
    /// after reading.
    pub stat: StatBlock,
}

macro_rules! kept_in_this_order {
    ($($field:ident)*) => {
        fn put_stat(out: &mut String, stat: &StatBlock) {
            $(put_inside(out, stringify!($field), stat.$field);)*
        }

        fn read_stat(keys: &Section<'_>) -> Result<StatBlock, FormatError> {
            Ok(StatBlock { $($field: keys.number(stringify!($field))?,)* ..StatBlock::default() })
        }
    };
}

kept_in_this_order! {
    total_upload_count success_upload_count
    total_append_count success_append_count
    total_set_meta_count success_set_meta_count
    total_delete_count success_delete_count
    total_download_count success_download_count
    total_get_meta_count success_get_meta_count
    total_create_link_count success_create_link_count
    total_delete_link_count success_delete_link_count
    total_upload_bytes success_upload_bytes
    total_append_bytes success_append_bytes
    total_download_bytes success_download_bytes
    total_sync_in_bytes success_sync_in_bytes
    total_sync_out_bytes success_sync_out_bytes
    total_file_open_count success_file_open_count
    total_file_read_count success_file_read_count
    total_file_write_count success_file_write_count
    last_source_update last_sync_update last_synced_timestamp last_heart_beat_time
}

/// Reads the file.
///
/// # Errors
/// [`FormatError`] when the number of storages or a storage's section, group or address is missing, or a value is
/// not what it should be.
pub fn decode(bytes: &[u8]) -> Result<Vec<Server>, FormatError> {
    let ini = Ini::parse(bytes)?;
    let count: u32 = ini.section("Global")?.required("storage_count", Number::read)?;
    (1..=count)
        .map(|number| {
            let keys = ini.section(&format!("Storage{number:03}"))?;
            Ok(Server {
                id: keys.value("id", |text| text.parse().ok())?,
                group_name: keys.required("group_name", super::group)?,
                ip_addr: keys.required("ip_addr", |text| text.parse().ok())?,
                status: keys.value("status", status)?.unwrap_or(StorageStatus::Init),
                version: Version::from_field(keys.text("version").as_bytes()),
                join_time: keys.number("join_time")?,
                storage_port: keys.number("storage_port")?,
                sync_src_server: keys.value("sync_src_server", |text| text.parse().ok())?,
                sync_until_timestamp: keys.number("sync_until_timestamp")?,
                total_mb: keys.number("total_mb")?,
                free_mb: keys.number("free_mb")?,
                changelog_offset: keys.number("changelog_offset")?,
                store_path_count: keys.number("store_path_count")?,
                subdir_count_per_path: keys.number("subdir_count_per_path")?,
                upload_priority: keys.number("upload_priority")?,
                stat: read_stat(keys)?,
            })
        })
        .collect()
}

/// Writes the file. The original has the storages group by group.
pub fn encode(servers: &[Server]) -> Vec<u8> {
    let mut out = String::new();
    for (number, server) in (1..).zip(servers) {
        let address = SocketAddr::new(server.ip_addr, server.storage_port);
        // Writing to a String cannot fail.
        let _ = write!(out, "# storage: {address}\n[Storage{number:03}]\n");
        if let Some(id) = server.id {
            put_inside(&mut out, "id", id);
        }
        put_inside(&mut out, "group_name", server.group_name);
        put_inside(&mut out, "ip_addr", server.ip_addr);
        put_inside(&mut out, "status", server.status.code());
        put_inside(&mut out, "version", server.version);
        put_inside(&mut out, "join_time", server.join_time);
        put_inside(&mut out, "storage_port", server.storage_port);
        put_inside(&mut out, "sync_src_server", or_empty(&server.sync_src_server));
        put_inside(&mut out, "sync_until_timestamp", server.sync_until_timestamp);
        put_inside(&mut out, "total_mb", server.total_mb);
        put_inside(&mut out, "free_mb", server.free_mb);
        put_inside(&mut out, "changelog_offset", server.changelog_offset);
        put_inside(&mut out, "store_path_count", server.store_path_count);
        put_inside(&mut out, "subdir_count_per_path", server.subdir_count_per_path);
        put_inside(&mut out, "upload_priority", server.upload_priority);
        put_stat(&mut out, &server.stat);
        out.push('\n');
    }
    out.push_str("\n[Global]\n");
    put_inside(&mut out, "storage_count", servers.len());
    out.into_bytes()
}

fn status(text: &str) -> Option<StorageStatus> {
    let number = i64::read(text)?;
    Some(u8::try_from(number).ok().and_then(StorageStatus::from_u8).unwrap_or(StorageStatus::Offline))
}
