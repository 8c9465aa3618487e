//! Where to upload: QUERY_STORE, 101 and 106 without, 104 and 107 with a group.
//!
//! Source: wire protocol, "QUERY_STORE".

use fdfs_fileid::{GroupName, StorePathIndex};

use super::{GroupAsk, Server};
use crate::field::{Reader, put_padded};
use crate::limits::GROUP_LEN;
use crate::record::{Group16, Kind};
use crate::{AddrWidth, DecodeError, Empty, Why};

/// 101, 106: any group.
pub type Ask = Empty;

/// 104, 107: within a group.
pub type AskGroup = GroupAsk;

/// Reply of 101 and 104: one storage; 40 or 70 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got {
    /// The group to upload into.
    pub group: GroupName,
    /// The storage to upload to.
    pub server: Server,
    /// The store path the tracker proposes.
    pub path: StorePathIndex,
}

impl Got {
    /// The address width a reply of this length has.
    pub fn width(body_len: usize) -> Option<AddrWidth> {
        AddrWidth::BOTH.into_iter().find(|width| body_len == GROUP_LEN + Server::len(*width) + 1)
    }

    /// Reads either width, told apart by the length.
    ///
    /// # Errors
    /// [`Why::Length`] for any other length; a bad group name or port.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("query_store reply", body);
        let width = Got::width(body.len()).ok_or_else(|| reader.fail(Why::Length))?;
        let got = Got {
            group: <Group16 as Kind<GroupName>>::read(&mut reader)?,
            server: Server::read(&mut reader, width)?,
            path: StorePathIndex(reader.u8()?),
        };
        reader.end()?;
        Ok(got)
    }

    /// Appends the body.
    pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_str().as_bytes(), GROUP_LEN);
        self.server.write(width, out);
        out.push(self.path.0);
    }
}

/// Reply of 106 and 107: every storage of the group that takes uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GotAll {
    /// The group to upload into.
    pub group: GroupName,
    /// Its writable storages, by id.
    pub servers: Vec<Server>,
    /// The store path the tracker proposes, computed for the first server.
    pub path: StorePathIndex,
}

impl GotAll {
    /// The address width a reply of this length has. A length that fits both (1219 bytes) is taken as the
    /// wide one, since a group of 53 narrow records exceeds the protocol's 32.
    pub fn width(body_len: usize) -> Option<AddrWidth> {
        Server::list_width(body_len.checked_sub(GROUP_LEN + 1)?)
    }

    /// Reads either width, told apart by the length.
    ///
    /// # Errors
    /// [`Why::Length`] when the length fits no whole number of records; a bad group name or port.
    pub fn decode(body: &[u8]) -> Result<GotAll, DecodeError> {
        let mut reader = Reader::new("query_store_all reply", body);
        let width = GotAll::width(body.len()).ok_or_else(|| reader.fail(Why::Length))?;
        let group = <Group16 as Kind<GroupName>>::read(&mut reader)?;
        let servers = Server::read_list(&mut reader, width, 1)?;
        let got = GotAll { group, servers, path: StorePathIndex(reader.u8()?) };
        reader.end()?;
        Ok(got)
    }

    /// Appends the body.
    pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_str().as_bytes(), GROUP_LEN);
        for server in &self.servers {
            server.write(width, out);
        }
        out.push(self.path.0);
    }
}
