//! How many bytes an address takes in replies.

use crate::limits::{IP_TEXT_LEN, IPV4_TEXT_LEN};

/// The width of address fields in replies, a setting of the cluster (`response_ip_addr_size`).
///
/// Query replies carry one byte less (15 or 45), records and file information the full width. Source: wire
/// protocol, "the address-size switch".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddrWidth {
    /// 16 bytes: IPv4 only. What every client understands.
    #[default]
    V4,
    /// 46 bytes: any address.
    V6,
}

impl AddrWidth {
    /// Both widths, narrow first: the order in which a length is tried.
    pub const BOTH: [AddrWidth; 2] = [AddrWidth::V4, AddrWidth::V6];

    /// The field in records: 16 or 46.
    pub const fn field_len(self) -> usize {
        match self {
            AddrWidth::V4 => IPV4_TEXT_LEN,
            AddrWidth::V6 => IP_TEXT_LEN,
        }
    }

    /// The field in the replies of the query commands: 15 or 45.
    pub const fn query_len(self) -> usize {
        self.field_len() - 1
    }

    /// The width that goes by this number: 16 or 46.
    pub const fn from_len(len: usize) -> Option<AddrWidth> {
        match len {
            IPV4_TEXT_LEN => Some(AddrWidth::V4),
            IP_TEXT_LEN => Some(AddrWidth::V6),
            _ => None,
        }
    }
}
