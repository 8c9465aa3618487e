//! `storage_changelog.dat`: storages that were deleted or changed their address, one line each, only appended to.
//!
//! Storages read it page by page to rename what is named after an address, and a page may end inside a line.

use crate::FormatError;
use crate::ini::{Number, or_empty};
use fdfs_fileid::GroupName;
use fdfs_proto::{IpText, StorageId, StorageStatus};

/// Name of the file below `data/`.
pub const CHANGELOG_FILE: &str = "storage_changelog.dat";

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When, Unix seconds.
    pub timestamp: i64,
    /// The storage's group.
    pub group_name: GroupName,
    /// The storage as it was known before.
    pub storage: StorageId,
    /// What became of it: `Deleted` or `IpChanged`.
    pub status: StorageStatus,
    /// Its new address, when that is what changed.
    pub new_address: Option<IpText>,
}

impl Change {
    /// The line with its newline. Without a new address it ends in a blank, as the original's does.
    pub fn encode(&self) -> Vec<u8> {
        let (group, storage, status) = (self.group_name, self.storage, self.status.code());
        format!("{} {group} {storage} {status} {}\n", self.timestamp, or_empty(&self.new_address))
            .into_bytes()
    }

    fn decode(text: &str) -> Result<Self, &'static str> {
        let mut columns = text.split_ascii_whitespace();
        let mut next = || columns.next().unwrap_or_default();
        Ok(Self {
            timestamp: i64::read(next()).ok_or("time")?,
            group_name: super::group(next()).ok_or("group")?,
            storage: next().parse().map_err(|_| "storage id")?,
            status: u8::read(next()).and_then(StorageStatus::from_u8).ok_or("status")?,
            new_address: match columns.next() {
                None => None,
                Some(address) => Some(IpText::new(address.as_bytes()).ok_or("address")?),
            },
        })
    }
}

/// Reads the complete lines of a file or of a page of it, each on its own: a broken line hides no other.
pub fn decode(bytes: &[u8]) -> Vec<Result<Change, FormatError>> {
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let lines = (1..).zip(bytes[..complete].split(|byte| *byte == b'\n'));
    let lines = lines.filter(|(_, line)| !line.is_empty());
    lines
        .map(|(line, bytes)| {
            let text = std::str::from_utf8(bytes).map_err(|_| FormatError::NotText)?;
            Change::decode(text).map_err(|column| FormatError::Column { line, column })
        })
        .collect()
}
