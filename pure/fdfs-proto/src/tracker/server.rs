//! Address and port of a storage in the replies of the query commands.

use crate::field::Reader;
use crate::record::{Kind, Port8};
use crate::{AddrWidth, DecodeError, IpText, Why};

/// A storage to talk to: address text of 15 or 45 bytes, port of 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Server {
    /// The storage's address.
    pub ip: IpText,
    /// The storage's port.
    pub port: u16,
}

impl Server {
    /// Bytes on the wire: 23 or 53.
    pub const fn len(width: AddrWidth) -> usize {
        width.query_len() + 8
    }

    /// The width in which `bytes` bytes are a whole number of servers, at least one. Narrow is tried first,
    /// except where both fit: that needs 53 narrow servers or more, beyond the protocol's 32.
    pub(crate) fn list_width(bytes: usize) -> Option<AddrWidth> {
        let fits = |width| bytes > 0 && bytes.is_multiple_of(Server::len(width));
        if fits(AddrWidth::V6) {
            return Some(AddrWidth::V6);
        }
        fits(AddrWidth::V4).then_some(AddrWidth::V4)
    }

    pub(crate) fn read(reader: &mut Reader<'_>, width: AddrWidth) -> Result<Server, DecodeError> {
        let ip = IpText::from_field(reader.take(width.query_len())?);
        Ok(Server { ip, port: Port8::read(reader)? })
    }

    /// All servers up to the last `tail` bytes.
    pub(crate) fn read_list(
        reader: &mut Reader<'_>,
        width: AddrWidth,
        tail: usize,
    ) -> Result<Vec<Server>, DecodeError> {
        let bytes = reader.remaining().checked_sub(tail).ok_or_else(|| reader.fail(Why::Short))?;
        let count = bytes / Server::len(width);
        let mut servers = Vec::with_capacity(count);
        for _ in 0..count {
            servers.push(Server::read(reader, width)?);
        }
        Ok(servers)
    }

    pub(crate) fn write(&self, width: AddrWidth, out: &mut Vec<u8>) {
        self.ip.put(out, width.query_len());
        Port8::write(&self.port, out);
    }
}
