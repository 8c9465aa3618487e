//! `storage_groups_new.dat`: the groups of a cluster.

use crate::FormatError;
use crate::ini::{Ini, Number, or_empty, put_inside};
use fdfs_fileid::GroupName;
use fdfs_proto::StorageId;
use std::fmt::Write;

/// Name of the file below `data/`.
pub const GROUPS_FILE: &str = "storage_groups_new.dat";

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub group_name: GroupName,
    /// Port of its storages; −1 when they use different ones.
    pub storage_port: i32,
    /// Store paths of each storage.
    pub store_path_count: u16,
    /// Directories on each of the two levels below a store path.
    pub subdir_count_per_path: u16,
    /// Number of the trunk file made last.
    pub current_trunk_file_id: u32,
    /// The storage that hands out slots in trunk files.
    pub trunk_server: Option<StorageId>,
    /// The one that did so before.
    pub last_trunk_server: Option<StorageId>,
}

/// Reads the file.
///
/// # Errors
/// [`FormatError`] when the number of groups or a group's section or name is missing, or a value is not what it
/// should be.
pub fn decode(bytes: &[u8]) -> Result<Vec<Group>, FormatError> {
    let ini = Ini::parse(bytes)?;
    let count: u32 = ini.section("Global")?.required("group_count", Number::read)?;
    (1..=count)
        .map(|number| {
            let keys = ini.section(&format!("Group{number:03}"))?;
            Ok(Group {
                group_name: keys.required("group_name", super::group)?,
                storage_port: keys.number("storage_port")?,
                store_path_count: keys.number("store_path_count")?,
                subdir_count_per_path: keys.number("subdir_count_per_path")?,
                current_trunk_file_id: keys.number("current_trunk_file_id")?,
                trunk_server: keys.value("trunk_server", |text| text.parse().ok())?,
                last_trunk_server: keys.value("last_trunk_server", |text| text.parse().ok())?,
            })
        })
        .collect()
}

/// Writes the file. The original has the groups in the order of their names.
pub fn encode(groups: &[Group]) -> Vec<u8> {
    let mut out = String::from("[Global]\n");
    put_inside(&mut out, "group_count", groups.len());
    out.push('\n');
    for (number, group) in (1..).zip(groups) {
        // Writing to a String cannot fail.
        let _ = write!(out, "# group: {}\n[Group{number:03}]\n", group.group_name);
        put_inside(&mut out, "group_name", group.group_name);
        put_inside(&mut out, "storage_port", group.storage_port);
        put_inside(&mut out, "store_path_count", group.store_path_count);
        put_inside(&mut out, "subdir_count_per_path", group.subdir_count_per_path);
        put_inside(&mut out, "current_trunk_file_id", group.current_trunk_file_id);
        put_inside(&mut out, "trunk_server", or_empty(&group.trunk_server));
        put_inside(&mut out, "last_trunk_server", or_empty(&group.last_trunk_server));
        out.push('\n');
    }
    out.into_bytes()
}
