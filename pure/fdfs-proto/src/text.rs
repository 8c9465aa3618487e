//! Fixed-width text fields and the values that live in them.

use std::fmt;
use std::net::IpAddr;

use fdfs_fileid::{GroupName, NameError};

use crate::field::{before_nul, put_padded};
use crate::limits::{GROUP_LEN, HOST_TEXT_LEN, IP_TEXT_LEN, STORAGE_ID_LEN_MAX, VERSION_LEN};

/// A text of at most `N` bytes, kept inline: the value of an `N`-byte field, NULs behind it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixedText<const N: usize>([u8; N]);

impl<const N: usize> FixedText<N> {
    /// The empty text.
    pub const EMPTY: FixedText<N> = FixedText([0; N]);

    /// `None` when `text` is longer than the field or holds a NUL.
    pub fn new(text: &[u8]) -> Option<FixedText<N>> {
        if text.contains(&0) {
            return None;
        }
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(FixedText(bytes))
    }

    /// The value of a field as received: up to the first NUL or the end of the field; what does not fit into
    /// `N` bytes is left out.
    pub fn from_field(field: &[u8]) -> FixedText<N> {
        let text = before_nul(field);
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        FixedText(bytes)
    }

    /// The text without padding.
    pub fn as_bytes(&self) -> &[u8] {
        before_nul(&self.0)
    }

    /// The text, when it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// Nothing before the first NUL.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The whole field: text and NULs.
    pub const fn field(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Default for FixedText<N> {
    fn default() -> Self {
        FixedText::EMPTY
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_bytes().escape_ascii(), f)
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A version such as `6.16.1`; may fill its eight bytes.
pub type Version = FixedText<VERSION_LEN>;

/// An `ip:port` text, `[v6]:port` for IPv6, in its 52-byte field.
pub type HostText = FixedText<HOST_TEXT_LEN>;

/// An address as text, IPv6 without brackets, empty when unknown.
///
/// Kept as text because peers may send what does not parse; [`IpText::ip`] tries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IpText(FixedText<IP_TEXT_LEN>);

impl IpText {
    /// No address.
    pub const EMPTY: IpText = IpText(FixedText::EMPTY);

    /// `None` when longer than 46 bytes or with a NUL inside.
    pub fn new(text: &[u8]) -> Option<IpText> {
        FixedText::new(text).map(IpText)
    }

    /// The value of an address field of any width.
    pub fn from_field(field: &[u8]) -> IpText {
        IpText(FixedText::from_field(field))
    }

    /// The address, when the text is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.to_str()?.parse().ok()
    }

    /// The text without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// No address given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the text as a field of `width` bytes. A text that does not fit leaves the field empty: cut
    /// short it could be another, valid address.
    pub(crate) fn put(&self, out: &mut Vec<u8>, width: usize) {
        let text = self.as_bytes();
        put_padded(out, if text.len() <= width { text } else { &[] }, width);
    }
}

impl From<IpAddr> for IpText {
    fn from(ip: IpAddr) -> IpText {
        use std::io::Write;
        let mut bytes = [0; IP_TEXT_LEN];
        // The longest text of an address has 45 characters, so it always fits.
        if write!(&mut bytes[..], "{ip}").is_err() {
            return IpText::EMPTY;
        }
        IpText(FixedText(bytes))
    }
}

impl fmt::Display for IpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for IpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A group name as it stood in its 16-byte field, not yet checked.
///
/// Decoding keeps it raw, since a server answers a malformed body and an unknown group differently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GroupField(FixedText<GROUP_LEN>);

impl GroupField {
    /// The value of a group field of 16 or 17 bytes.
    pub fn from_field(field: &[u8]) -> GroupField {
        GroupField(FixedText::from_field(field))
    }

    /// The text without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The checked name.
    pub fn group(&self) -> Result<GroupName, NameError> {
        GroupName::parse(self.as_bytes())
    }

    /// Whether the field holds exactly this name.
    pub fn is(&self, group: &GroupName) -> bool {
        self.as_bytes() == group.as_str().as_bytes()
    }
}

impl From<GroupName> for GroupField {
    fn from(group: GroupName) -> GroupField {
        GroupField(FixedText(group.to_field()))
    }
}

impl From<&GroupName> for GroupField {
    fn from(group: &GroupName) -> GroupField {
        GroupField::from(*group)
    }
}

impl fmt::Display for GroupField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for GroupField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The identity of a storage inside a cluster: a decimal number when storage ids are used, otherwise the
/// text of its address (or a short code made from an IPv6 address). 1..=15 bytes.
///
/// It ends up in file names and in lines of text files, so only letters, digits and `. : - _ + =` are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageId(FixedText<{ STORAGE_ID_LEN_MAX + 1 }>);

impl StorageId {
    /// `None` when empty, too long or with characters outside the set.
    pub fn new(text: &[u8]) -> Option<StorageId> {
        let good = |byte: &u8| byte.is_ascii_alphanumeric() || b".:-_+=".contains(byte);
        if text.is_empty() || text.len() > STORAGE_ID_LEN_MAX || !text.iter().all(good) {
            return None;
        }
        FixedText::new(text).map(StorageId)
    }

    /// The text without padding.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn field(&self) -> &[u8; STORAGE_ID_LEN_MAX + 1] {
        self.0.field()
    }
}

impl std::str::FromStr for StorageId {
    type Err = BadStorageId;

    fn from_str(text: &str) -> Result<StorageId, BadStorageId> {
        StorageId::new(text.as_bytes()).ok_or(BadStorageId)
    }
}

/// The text is no storage id: empty, longer than 15 bytes, or with other characters than letters, digits and
/// `. : - _ + =`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a storage id")]
pub struct BadStorageId;

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
