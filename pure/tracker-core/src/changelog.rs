//! The changelog: deletions and address changes, as text that storages read on from where they stopped.
//!
//! Source: wire protocol, CHANGELOG_REQ and what a tracker persists.

use fdfs_fileid::GroupName;
use fdfs_format::tracker::changelog;
use fdfs_proto::{StorageId, StorageStatus};

use crate::Refusal;
use crate::limits::{CHANGELOG_BYTES_MAX, CHANGELOG_PAGE};

/// The text of `storage_changelog.dat`. It only grows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changelog {
    text: Vec<u8>,
}

impl Changelog {
    /// Continues a text that was saved.
    pub(crate) fn new(text: Vec<u8>) -> Self {
        Self { text }
    }

    /// Bytes written so far.
    pub(crate) fn len(&self) -> u64 {
        self.text.len() as u64
    }

    /// The text.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Adds a line, its newline included.
    pub(crate) fn append(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if self.text.len() + line.len() > CHANGELOG_BYTES_MAX {
            return Err(Refusal::LimitReached);
        }
        self.text.extend_from_slice(line);
        Ok(())
    }

    /// Which storage of which group got which id, oldest first. Lines that cannot be read say nothing.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (GroupName, StorageId, StorageId)> + use<> {
        changelog::decode(&self.text).into_iter().flatten().filter_map(|change| {
            let new = change.new_address.filter(|_| change.status == StorageStatus::IpChanged)?;
            Some((change.group_name, change.storage, StorageId::new(new.as_bytes())?))
        })
    }

    /// Whether a line says that a storage was deleted, or has another address.
    pub(crate) fn says_left(&self, group: GroupName, id: StorageId) -> bool {
        let about = |change: &changelog::Change| change.group_name == group && change.storage == id;
        changelog::decode(&self.text).into_iter().flatten().any(|change| about(&change))
    }

    /// At most a page from `offset`, which may be cut inside a line.
    pub(crate) fn page(&self, offset: u64) -> &[u8] {
        let from = usize::try_from(offset).map_or(self.text.len(), |offset| offset.min(self.text.len()));
        let to = (from + CHANGELOG_PAGE).min(self.text.len());
        self.text.get(from..to).unwrap_or_default()
    }
}
