//! storage_ids.conf: the numbers by which storages are known (wire protocol: storage_ids.conf, fetching storage ids).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use fdfs_fileid::GroupName;
use fdfs_proto::RwMode;

use crate::addr::{STORAGE_PORT, ServerAddr};
use crate::error::{ConfError, Reason};
use crate::ini::{Ini, Loader, beside};
use crate::registry::{Given, One};

/// Largest storage id: it must fit three bytes of a file name.
pub const STORAGE_ID_MAX: u32 = (1 << 24) - 1;
/// Most lines a file may have: 512 groups of 32 servers.
pub const STORAGES_MAX: usize = 16_384;

/// The word after `rw=`.
fn word(mode: RwMode) -> &'static str {
    match mode {
        RwMode::None => "none",
        RwMode::Read => "read",
        RwMode::Write => "write",
        RwMode::Both => "both",
    }
}

/// The mode that a word means, in letters of either case.
fn mode(word: &str) -> Option<RwMode> {
    match word.to_ascii_lowercase().as_str() {
        "none" => Some(RwMode::None),
        "read" | "readonly" => Some(RwMode::Read),
        "write" | "writeonly" => Some(RwMode::Write),
        "both" | "all" => Some(RwMode::Both),
        _ => None,
    }
}

/// One storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageEntry {
    /// 1..=[`STORAGE_ID_MAX`]
    pub id: u32,
    /// Its group.
    pub group: GroupName,
    /// One or two hosts (of two, the inner one first) and the port.
    pub addr: ServerAddr,
    /// What it may be used for.
    pub rw: RwMode,
    line: u32,
}

impl fmt::Display for StorageEntry {
    /// `id group hosts:port[ rw=mode]`, as a tracker hands it to storages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.id, self.group, self.addr)?;
        match self.rw {
            RwMode::Both => Ok(()),
            rw => write!(f, " rw={}", word(rw)),
        }
    }
}

/// The storages of a cluster by number. Never empty, no id and no address twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageIds {
    file: String,
    by_id: BTreeMap<u32, StorageEntry>,
    by_addr: BTreeMap<(IpAddr, u16), u32>,
}

impl StorageIds {
    /// Reads the text of a storage_ids.conf, or the lines a tracker sent. `file` is named in errors.
    ///
    /// Host names stay names and are in no lookup by address, see [`StorageIds::resolve`].
    pub fn parse(file: &str, text: &str) -> Result<StorageIds, ConfError> {
        let fault = |line: u32, reason: Reason| ConfError {
            file: file.to_owned(),
            line: Some(line),
            key: String::new(),
            reason: Box::new(reason),
        };
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if entries.len() == STORAGES_MAX {
                return Err(fault(number, Reason::TooManyStorages { limit: STORAGES_MAX }));
            }
            entries.push(parse_line(line, number).map_err(|reason| fault(number, reason))?);
        }
        StorageIds::index(file, entries)
    }

    fn index(file: &str, entries: Vec<StorageEntry>) -> Result<StorageIds, ConfError> {
        let fault = |line: Option<u32>, reason: Reason| ConfError {
            file: file.to_owned(),
            line,
            key: String::new(),
            reason: Box::new(reason),
        };
        let mut ids = StorageIds { file: file.to_owned(), by_id: BTreeMap::new(), by_addr: BTreeMap::new() };
        for entry in entries {
            if let Some(other) = ids.by_id.get(&entry.id) {
                return Err(fault(Some(entry.line), Reason::DuplicateId { id: entry.id, line: other.line }));
            }
            for ip in entry.addr.ips() {
                let port = entry.addr.port();
                let other = ids.by_addr.insert((ip, port), entry.id).and_then(|id| ids.by_id.get(&id));
                if let Some(other) = other {
                    let host = ip.to_string();
                    let reason = Reason::DuplicateAddress { host, port, line: other.line };
                    return Err(fault(Some(entry.line), reason));
                }
            }
            ids.by_id.insert(entry.id, entry);
        }
        if ids.by_id.is_empty() {
            return Err(fault(None, Reason::NoStorages));
        }
        Ok(ids)
    }

    /// The same storages with every host name replaced by its address. An address that turns out to be another storage's, or
    /// of the same class as its partner's, is an error just as if it had been written so.
    pub fn resolve(&self, look_up: &mut dyn FnMut(&str) -> Option<IpAddr>) -> Result<StorageIds, ConfError> {
        let mut entries = Vec::new();
        for entry in self.by_id.values() {
            let fault = |reason: Reason| ConfError {
                file: self.file.clone(),
                line: Some(entry.line),
                key: String::new(),
                reason: Box::new(reason),
            };
            let addr = entry
                .addr
                .resolve(look_up)
                .map_err(|name| fault(Reason::Unresolved { name: name.to_owned() }))?;
            addr.check_classes().map_err(|error| fault(error.into()))?;
            entries.push(StorageEntry { addr: addr.inner_first(), ..entry.clone() });
        }
        StorageIds::index(&self.file, entries)
    }

    /// The host names that still have to be looked up.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_id.values().flat_map(|entry| entry.addr.names())
    }

    /// The storage with this id.
    pub fn by_id(&self, id: u32) -> Option<&StorageEntry> {
        self.by_id.get(&id)
    }

    /// The storage with this id as text; `None` also when the text is no canonical number.
    pub fn by_id_text(&self, id: &str) -> Option<&StorageEntry> {
        self.by_id(parse_storage_id(id)?)
    }

    /// The storage at this address.
    pub fn by_addr(&self, ip: IpAddr, port: u16) -> Option<&StorageEntry> {
        self.by_id.get(self.by_addr.get(&(ip.to_canonical(), port))?)
    }

    /// The storage at this address, if it is in this group.
    pub fn by_group_and_addr(&self, group: &GroupName, ip: IpAddr, port: u16) -> Option<&StorageEntry> {
        self.by_addr(ip, port).filter(|entry| entry.group == *group)
    }

    /// The storages by number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &StorageEntry> {
        self.by_id.values()
    }

    /// The storages in the order of their ids *as texts*, the order of the tracker's pages.
    pub fn in_text_order(&self) -> Vec<&StorageEntry> {
        let mut entries: Vec<_> = self.by_id.values().collect();
        entries.sort_by_cached_key(|entry| entry.id.to_string());
        entries
    }

    /// How many there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether a storage has an IPv6 address, which makes replies wide (wire protocol: the address-size switch).
    pub fn has_ipv6(&self) -> bool {
        self.by_addr.keys().any(|(ip, _)| ip.is_ipv6())
    }

    /// All storages as lines, in text order.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for entry in self.in_text_order() {
            let _ = writeln!(text, "{entry}");
        }
        text
    }
}

/// A storage id: a decimal number from 1 to [`STORAGE_ID_MAX`], without sign or leading zeros.
pub fn parse_storage_id(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|id| canonical && (1..=STORAGE_ID_MAX).contains(id))
}

fn parse_line(line: &str, number: u32) -> Result<StorageEntry, Reason> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = after.trim_start_matches([' ', '\t']);
        word
    };
    let (id, group, host) = (word(), word(), word());
    let option = rest.trim();
    if host.is_empty() {
        return Err(Reason::NotAStorageLine);
    }
    let id = parse_storage_id(id).ok_or_else(|| Reason::NotAStorageId { got: id.to_owned() })?;
    let group =
        GroupName::parse(group.as_bytes()).map_err(|_| Reason::NotAGroupName { got: group.to_owned() })?;
    let addr = ServerAddr::parse(host, STORAGE_PORT)?.inner_first();
    let rw = match option.split_once('=') {
        None if option.is_empty() => RwMode::Both,
        Some((name, word)) if name.eq_ignore_ascii_case("rw") => {
            mode(word).ok_or_else(|| Reason::UnknownOption { got: option.to_owned() })?
        }
        _ => return Err(Reason::UnknownOption { got: option.to_owned() }),
    };
    Ok(StorageEntry { id, group, addr, rw, line: number })
}

/// Reads the file `storage_ids_filename` names, which `use_storage_id` demands.
pub(crate) fn load_storage_ids(
    ini: &Ini,
    use_storage_id: &One<bool>,
    filename: Option<&Given<String>>,
    loader: &mut Loader<'_>,
) -> Result<StorageIds, ConfError> {
    let Some(given) = filename else {
        let fault = use_storage_id.fault(ini, Reason::NeededBy { other: "use_storage_id is true" });
        return Err(ConfError { key: "storage_ids_filename".to_owned(), ..fault });
    };
    if given.value.is_empty() {
        return Err(given.fault(ini, Reason::Empty));
    }
    let path = beside(ini.file(), &given.value);
    let text = loader(&path).map_err(|error| given.fault(ini, Reason::File { path: path.clone(), error }))?;
    StorageIds::parse(&path, &text)
}
