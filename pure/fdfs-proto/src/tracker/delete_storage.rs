//! Removes a storage that is not in service: DELETE_STORAGE 93.
//!
//! Source: wire protocol, "DELETE_STORAGE".

use super::group_ask::with_id;
use crate::{DecodeError, Empty, GroupField, StorageId, Why};

/// Body of 93: 17..=31 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The group.
    pub group: GroupField,
    /// The storage.
    pub id: StorageId,
}

/// The reply.
pub type Got = Empty;

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// A length out of range, or an id that is none.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        let what = "delete_storage";
        let (group, id) = with_id::decode(what, body)?;
        let id = id.ok_or_else(|| DecodeError::new(what, body.len(), Why::Length))?;
        Ok(Ask { group, id })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        with_id::encode(self.group, Some(&self.id), out);
    }
}
