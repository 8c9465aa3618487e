//! One storage by group and address: GET_SERVER_ID 70 and STORAGE_GET_STATUS 71.
//!
//! Source: wire protocol, "GET_SERVER_ID, STORAGE_GET_STATUS".

use crate::field::{Reader, put_padded};
use crate::limits::{GROUP_LEN, HOST_TEXT_LEN};
use crate::record::{Group16, Kind};
use crate::{Brief, DecodeError, GroupField, Host, StorageId, Why};

/// Body of 70 and 71: the group and `ip:port`, 17..=68 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The group.
    pub group: GroupField,
    /// Address and port; one address.
    pub host: Host,
}

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Length`], or [`Why::Text`] when no `ip:port` follows the group.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        let mut reader = Reader::new("storage lookup", body);
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        if !(1..=HOST_TEXT_LEN).contains(&reader.remaining()) {
            return Err(reader.fail(Why::Length));
        }
        let host = Host::parse(reader.rest()).map_err(|_| reader.fail(Why::Text))?;
        Ok(Ask { group, host })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_bytes(), GROUP_LEN);
        self.host.put(out);
    }
}

/// Reply of 70: the id, unpadded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GotId {
    /// The id.
    pub id: StorageId,
}

impl GotId {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Text`] when it is no storage id.
    pub fn decode(body: &[u8]) -> Result<GotId, DecodeError> {
        let bad = || Reader::new("get_server_id reply", body).fail(Why::Text);
        StorageId::new(body).map(|id| GotId { id }).ok_or_else(bad)
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
    }
}

/// Reply of 71.
pub type GotStatus = Brief;
