//! Group names.

use crate::NameError;
use std::fmt;
use std::str::FromStr;

/// Bytes in a group name field on the wire, and the longest group name.
pub const GROUP_NAME_LEN_MAX: usize = 16;

/// Name of a group of storages that hold the same files: 1 to 16 ASCII letters and digits.
///
/// Ordered like its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName {
    /// Zero padded, so that comparing the arrays compares the texts.
    bytes: [u8; GROUP_NAME_LEN_MAX],
}

impl GroupName {
    /// Reads a group name that fills all of `text`.
    pub fn parse(text: &[u8]) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > GROUP_NAME_LEN_MAX {
            return Err(NameError::GroupLength);
        }
        if !text.iter().all(u8::is_ascii_alphanumeric) {
            return Err(NameError::GroupCharacter);
        }
        let mut bytes = [0; GROUP_NAME_LEN_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes })
    }

    /// Reads a group name from a fixed-width field (16 bytes on the wire): the text before the first NUL.
    ///
    /// What follows the NUL is ignored, as the original leaves uninitialised bytes there.
    pub fn from_field(field: &[u8]) -> Result<Self, NameError> {
        Self::parse(field.split(|&byte| byte == 0).next().unwrap_or_default())
    }

    /// The name as a 16-byte field, padded with NUL.
    pub fn to_field(self) -> [u8; GROUP_NAME_LEN_MAX] {
        self.bytes
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let len = self.bytes.iter().position(|&byte| byte == 0).unwrap_or(GROUP_NAME_LEN_MAX);
        // Only letters and digits get in, so the fallback is never taken.
        std::str::from_utf8(&self.bytes[..len]).unwrap_or_default()
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupName({})", self.as_str())
    }
}

impl FromStr for GroupName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text.as_bytes())
    }
}
