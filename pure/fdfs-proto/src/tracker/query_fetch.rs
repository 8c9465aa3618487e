//! Where to download or change a file: QUERY_FETCH_ONE 102, QUERY_UPDATE 103, QUERY_FETCH_ALL 105.
//!
//! Source: wire protocol, "QUERY_FETCH / QUERY_UPDATE".

use fdfs_fileid::GroupName;

use super::Server;
use crate::field::{Reader, put_padded};
use crate::limits::{GROUP_LEN, NAME_LEN_MAX, QUERY_NAME_LEN_MIN};
use crate::record::{Group16, Kind};
use crate::{AddrWidth, DecodeError, GroupField, RawName, Why};

/// Body of 102, 103 and 105.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The group of the file.
    pub group: GroupField,
    /// The file, without its group.
    pub name: RawName<'a>,
}

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Length`] when the name is shorter than 22 or longer than 127 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("query_fetch", body);
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        if !(QUERY_NAME_LEN_MIN..=NAME_LEN_MAX).contains(&reader.remaining()) {
            return Err(reader.fail(Why::Length));
        }
        Ok(Ask { group, name: RawName::new(reader.rest()) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_bytes(), GROUP_LEN);
        out.extend_from_slice(self.name.as_bytes());
    }
}

/// Reply of 102 and 103: one storage; 39 or 69 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got {
    /// The group of the file.
    pub group: GroupName,
    /// The storage to ask.
    pub server: Server,
}

impl Got {
    /// The address width a reply of this length has.
    pub fn width(body_len: usize) -> Option<AddrWidth> {
        AddrWidth::BOTH.into_iter().find(|width| body_len == GROUP_LEN + Server::len(*width))
    }

    /// Reads either width, told apart by the length.
    ///
    /// # Errors
    /// [`Why::Length`] for any other length; a bad group name or port.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("query_fetch reply", body);
        let width = Got::width(body.len()).ok_or_else(|| reader.fail(Why::Length))?;
        let group = <Group16 as Kind<GroupName>>::read(&mut reader)?;
        let got = Got { group, server: Server::read(&mut reader, width)? };
        reader.end()?;
        Ok(got)
    }

    /// Appends the body.
    pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_str().as_bytes(), GROUP_LEN);
        self.server.write(width, out);
    }
}

/// Reply of 105: every storage that has the file, at least one. Address and port are repeated for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GotAll {
    /// The group of the file.
    pub group: GroupName,
    /// The storages to ask, best first.
    pub servers: Vec<Server>,
}

impl GotAll {
    /// The address width a reply of this length has; see [`super::query_store::GotAll::width`].
    pub fn width(body_len: usize) -> Option<AddrWidth> {
        Server::list_width(body_len.checked_sub(GROUP_LEN)?)
    }

    /// Reads either width, told apart by the length.
    ///
    /// # Errors
    /// [`Why::Length`] when the length fits no whole number of records or there is none; a bad group name or
    /// port.
    pub fn decode(body: &[u8]) -> Result<GotAll, DecodeError> {
        let mut reader = Reader::new("query_fetch_all reply", body);
        let width = GotAll::width(body.len()).ok_or_else(|| reader.fail(Why::Length))?;
        let group = <Group16 as Kind<GroupName>>::read(&mut reader)?;
        let got = GotAll { group, servers: Server::read_list(&mut reader, width, 0)? };
        reader.end()?;
        Ok(got)
    }

    /// Appends the body.
    pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
        put_padded(out, self.group.as_str().as_bytes(), GROUP_LEN);
        for server in &self.servers {
            server.write(width, out);
        }
    }
}
