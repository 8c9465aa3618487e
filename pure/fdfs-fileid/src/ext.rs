//! Extensions and slave prefixes: the parts of a name that a client chooses.

use crate::NameError;
use std::fmt;

/// Bytes in an extension field on the wire, and the longest extension.
pub const EXT_LEN_MAX: usize = 6;

/// Characters of a generated name's end: random digits, dot and extension, always seven together.
pub const EXT_PART_LEN: usize = EXT_LEN_MAX + 1;

/// Bytes in a slave prefix field on the wire, and the longest prefix.
pub const PREFIX_LEN_MAX: usize = 16;

/// A short text in a fixed-width field, padded with NUL.
type Padded<const N: usize> = [u8; N];

/// Copies the text before the first NUL, if it has only characters that a name may gain from a client.
fn padded<const N: usize>(field: &[u8]) -> Option<Padded<N>> {
    let text = field.split(|&byte| byte == 0).next().unwrap_or_default();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.len() > N || !text.iter().all(allowed) {
        return None;
    }
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text);
    Some(bytes)
}

/// The text of a padded field; only ASCII gets into one.
fn text<const N: usize>(bytes: &Padded<N>) -> &str {
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(N);
    std::str::from_utf8(&bytes[..len]).unwrap_or_default()
}

/// A file's extension without its dot: 0 to 6 of `A–Z a–z 0–9 . _ -`, such as `txt` or `tar.gz`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ExtName(Padded<EXT_LEN_MAX>);

impl ExtName {
    /// No extension.
    pub const NONE: Self = Self([0; EXT_LEN_MAX]);

    /// Reads an extension that fills all of `text`, given without its dot.
    pub fn parse(text: &[u8]) -> Result<Self, NameError> {
        if text.contains(&0) {
            return Err(NameError::Extension);
        }
        padded(text).map(Self).ok_or(NameError::Extension)
    }

    /// Reads the 6-byte field of an upload: the text before the first NUL.
    pub fn from_field(field: &[u8; EXT_LEN_MAX]) -> Result<Self, NameError> {
        padded(field).map(Self).ok_or(NameError::Extension)
    }

    /// The extension a client gives a local file: the last two parts of the name if they fit in six
    /// characters together with their dot (`x.tar.gz` has `tar.gz`), else the last part if it fits, else none.
    ///
    /// Characters that a storage would refuse also mean none, so that a file with a strange name can be stored.
    /// A dot that begins the whole path does not begin a longer extension.
    ///
    /// Source: wire protocol, "Extension part".
    pub fn from_path(path: &str) -> Self {
        let bytes = path.as_bytes();
        let Some(last_dot) = bytes.iter().rposition(|&byte| byte == b'.') else { return Self::NONE };
        let Some(short) = Self::tail(bytes, last_dot) else { return Self::NONE };
        let longer = bytes[..last_dot].iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
        longer.and_then(|dot| Self::tail(bytes, dot)).unwrap_or(short)
    }

    /// The extension after the dot at `dot`, if it is one.
    fn tail(path: &[u8], dot: usize) -> Option<Self> {
        Self::parse(path.get(dot + 1..)?).ok()
    }

    /// The extension without its dot.
    pub fn as_str(&self) -> &str {
        text(&self.0)
    }

    /// True for no extension.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// The 6-byte field of an upload.
    pub fn to_field(self) -> [u8; EXT_LEN_MAX] {
        self.0
    }

    /// The last seven characters of a generated name: as many of the decimal digits of `random` as there is
    /// room for, then dot and extension.
    pub fn part(&self, random: u32) -> String {
        let digits = if self.is_empty() { EXT_PART_LEN } else { EXT_LEN_MAX - self.as_str().len() };
        let random = u64::from(random) % 10_u64.pow(digits as u32);
        let mut part = if digits == 0 { String::new() } else { format!("{random:0digits$}") };
        if !self.is_empty() {
            part.push('.');
            part.push_str(self.as_str());
        }
        part
    }
}

impl fmt::Display for ExtName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ExtName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtName({})", self.as_str())
    }
}

/// What tells a slave from its master: 1 to 16 of `A–Z a–z 0–9 . _ -`, such as `_150x150`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlavePrefix(Padded<PREFIX_LEN_MAX>);

impl SlavePrefix {
    /// Reads a prefix that fills all of `text`.
    pub fn parse(text: &[u8]) -> Result<Self, NameError> {
        if text.is_empty() || text.contains(&0) {
            return Err(NameError::Prefix);
        }
        padded(text).map(Self).ok_or(NameError::Prefix)
    }

    /// Reads the 16-byte field of a slave upload: the text before the first NUL, which must not be empty.
    pub fn from_field(field: &[u8; PREFIX_LEN_MAX]) -> Result<Self, NameError> {
        Self::parse(field.split(|&byte| byte == 0).next().unwrap_or_default())
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        text(&self.0)
    }

    /// The 16-byte field of a slave upload.
    pub fn to_field(self) -> [u8; PREFIX_LEN_MAX] {
        self.0
    }
}

impl fmt::Display for SlavePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SlavePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlavePrefix({})", self.as_str())
    }
}
