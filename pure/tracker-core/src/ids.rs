//! Identities of storages: given in a table, or made from addresses.

use std::net::IpAddr;

use fdfs_conf::StorageEntry;
use fdfs_fileid::GroupName;
use fdfs_proto::{RwMode, StorageId};

use crate::{Naming, Refusal, ServerAddrs};

/// Who a storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub id: StorageId,
    /// Its addresses.
    pub addrs: ServerAddrs,
    /// What it may be used for.
    pub rw: RwMode,
}

impl Identity {
    /// What the table says about a storage. None for an entry whose names were not looked up.
    pub(crate) fn of_entry(entry: &StorageEntry) -> Option<Self> {
        Some(Self {
            id: StorageId::new(entry.id.to_string().as_bytes())?,
            addrs: ServerAddrs::collect(entry.addr.ips())?,
            rw: entry.rw,
        })
    }

    /// A storage named by its address.
    pub(crate) fn of_addr(addr: IpAddr) -> Option<Self> {
        Some(Self { id: id_of_addr(addr)?, addrs: ServerAddrs::one(addr), rw: RwMode::Both })
    }
}

impl Naming {
    /// Who a joining storage is (wire protocol: JOIN, the storage id).
    ///
    /// `claimed` is what it says, `peer` where it connects from, `port` what it listens on.
    pub fn identify(
        &self,
        group: &GroupName,
        claimed: Option<StorageId>,
        peer: IpAddr,
        port: u16,
    ) -> Result<Identity, Refusal> {
        let Self::ByTable { table, trust, .. } = self else {
            return Identity::of_addr(peer).ok_or(Refusal::BadValue);
        };
        let entry = match claimed {
            Some(id) if *trust => {
                let entry = table.by_id_text(id.as_str()).ok_or(Refusal::UnknownStorage)?;
                if entry.group != *group {
                    return Err(Refusal::WrongGroup);
                }
                entry
            }
            _ => table.by_group_and_addr(group, peer, port).ok_or(Refusal::UnknownStorage)?,
        };
        Identity::of_entry(entry).ok_or(Refusal::UnknownStorage)
    }

    /// The id of the storage of a group at an address (wire protocol: GET_SERVER_ID).
    pub(crate) fn id_at(&self, group: &GroupName, addr: IpAddr, port: u16) -> Result<StorageId, Refusal> {
        self.identify(group, None, addr, port).map(|identity| identity.id)
    }

    /// Who a storage is that another server reported under this id and address. With a table, an id that is
    /// not in it for this group is refused; without one, an id that is not the one of the address, which the original
    /// takes: saved is the address only, and of two with the same one no start could tell who is who.
    pub fn reported(
        &self,
        group: &GroupName,
        id: StorageId,
        addr: Option<IpAddr>,
    ) -> Result<Identity, Refusal> {
        match self {
            Self::ByAddress => {
                let by_addr = addr.and_then(Identity::of_addr);
                by_addr.filter(|identity| identity.id == id).ok_or(Refusal::BadValue)
            }
            Self::ByTable { table, .. } => table
                .by_id_text(id.as_str())
                .filter(|entry| entry.group == *group)
                .and_then(Identity::of_entry)
                .ok_or(Refusal::UnknownStorage),
        }
    }
}

/// The id of a storage where none are given: the text of its IPv4 address, or a short code for IPv6, whose
/// texts are too long for the field (wire protocol: JOIN).
///
/// The code is the base64 of the CRC-32 state over the text, not finalised, as eight bytes; the original fills it up to a
/// multiple of four with its padding, a dot.
pub fn id_of_addr(addr: IpAddr) -> Option<StorageId> {
    match addr.to_canonical() {
        IpAddr::V4(v4) => StorageId::new(v4.to_string().as_bytes()),
        IpAddr::V6(v6) => {
            let state = !crc32fast::hash(v6.to_string().as_bytes());
            let code = base64_url(&u64::from(state).to_le_bytes()) + ".";
            StorageId::new(code.as_bytes())
        }
    }
}

/// URL-safe base64 without padding.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().zip([16, 8, 0]).fold(0u32, |word, (byte, shift)| word | u32::from(*byte) << shift);
        for shift in [18, 12, 6, 0].into_iter().take(chunk.len() + 1) {
            let digit = word >> shift & 63;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}
