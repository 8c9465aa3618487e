//! The group that belongs to an address, by the table of storage ids: GET_GROUP_NAME 109.
//!
//! Source: wire protocol, "GET_GROUP_NAME".

use std::net::IpAddr;

use fdfs_fileid::GroupName;

use crate::field::Reader;
use crate::limits::GROUP_NAME_IP_LEN_MAX;
use crate::record::{Group16, Kind, Port4, record};
use crate::{DecodeError, Why};

/// Body of 109: perhaps an address, then the port in 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The address as text; empty: the one the question comes from.
    pub ip_text: &'a [u8],
    /// The port.
    pub port: u16,
}

impl<'a> Ask<'a> {
    /// The address, when the text is one.
    pub fn ip(&self) -> Option<IpAddr> {
        std::str::from_utf8(self.ip_text).ok()?.parse().ok()
    }

    /// Reads the body.
    ///
    /// # Errors
    /// No port, or a text longer than is read at all.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("get_group_name", body);
        let ip_len = body.len().checked_sub(4).ok_or_else(|| reader.fail(Why::Short))?;
        if ip_len > GROUP_NAME_IP_LEN_MAX {
            return Err(reader.fail(Why::Length));
        }
        Ok(Ask { ip_text: reader.take(ip_len)?, port: Port4::read(&mut reader)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.ip_text);
        Port4::write(&self.port, out);
    }
}

record! {
    /// Reply of 109: 16 bytes.
    pub struct Got as "get_group_name reply" {
        /// The group.
        group: GroupName => Group16,
    }
}
