//! Names or asks for the trunk server of a group: SET_TRUNK_SERVER 94.
//!
//! Source: wire protocol, "SET_TRUNK_SERVER".

use super::group_ask::with_id;
use crate::field::Reader;
use crate::{DecodeError, GroupField, StorageId, Why};

/// Body of 94: 16..=31 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The group.
    pub group: GroupField,
    /// The storage that shall be trunk server; `None` leaves the choice to the tracker.
    pub id: Option<StorageId>,
}

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// A length out of range, or an id that is none.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        with_id::decode("set_trunk_server", body).map(|(group, id)| Ask { group, id })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        with_id::encode(self.group, self.id.as_ref(), out);
    }
}

/// Reply of 94: the id, and a NUL behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got {
    /// The trunk server.
    pub id: StorageId,
}

impl Got {
    /// Reads the body, with or without its NUL.
    ///
    /// # Errors
    /// [`Why::Text`] when it is no storage id.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let bad = || Reader::new("set_trunk_server reply", body).fail(Why::Text);
        StorageId::new(body.strip_suffix(&[0]).unwrap_or(body)).map(|id| Got { id }).ok_or_else(bad)
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        out.push(0);
    }
}
