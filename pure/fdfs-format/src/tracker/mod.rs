//! The files in which a tracker keeps its cluster, below its `data/`.
//!
//! Source: wire protocol, "What a tracker persists".

pub mod changelog;
pub mod groups;
pub mod servers;
pub mod status;
pub mod sync_times;

use fdfs_fileid::GroupName;

/// Reads a group name out of a text file.
fn group(text: &str) -> Option<GroupName> {
    GroupName::parse(text.as_bytes()).ok()
}
