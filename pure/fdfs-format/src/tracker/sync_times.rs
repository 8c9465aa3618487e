//! `storage_sync_timestamp.dat`: up to which time every storage has what every other made.

use crate::FormatError;
use crate::ini::Number;
use fdfs_fileid::GroupName;
use fdfs_proto::StorageId;
use std::fmt::Write;

/// Name of the file below `data/`.
pub const SYNC_TIMES_FILE: &str = "storage_sync_timestamp.dat";

/// One line: a storage as the source of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncTimes {
    /// Its group.
    pub group_name: GroupName,
    /// The source.
    pub source: StorageId,
    /// Unix seconds up to which each storage of the group has the source's files, in the order in which the
    /// sources of the group have their lines (and the storages theirs in the servers file).
    pub synced_until: Vec<i64>,
}

/// Reads the file.
///
/// # Errors
/// [`FormatError`] when a line has fewer than three columns or one that is not what it should be.
pub fn decode(bytes: &[u8]) -> Result<Vec<SyncTimes>, FormatError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FormatError::NotText)?;
    let lines = (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty());
    lines
        .map(|(line, text)| {
            let wrong = |column| FormatError::Column { line, column };
            let mut columns = text.split(',').map(str::trim);
            let group_name = columns.next().and_then(super::group).ok_or(wrong("group"))?;
            let source = columns.next().and_then(|id| id.parse().ok()).ok_or(wrong("storage id"))?;
            let synced_until: Option<Vec<i64>> = columns.map(i64::read).collect();
            match synced_until {
                Some(synced_until) if !synced_until.is_empty() => {
                    Ok(SyncTimes { group_name, source, synced_until })
                }
                _ => Err(wrong("time")),
            }
        })
        .collect()
}

/// Writes the file.
pub fn encode(rows: &[SyncTimes]) -> Vec<u8> {
    let mut out = String::new();
    for row in rows {
        // Writing to a String cannot fail.
        let _ = write!(out, "{},{}", row.group_name, row.source);
        for time in &row.synced_until {
            let _ = write!(out, ",{time}");
        }
        out.push('\n');
    }
    out.into_bytes()
}
