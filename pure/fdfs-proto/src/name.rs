//! File names as they stand in a body.

use std::fmt;

use fdfs_fileid::{FileName, NameError};

/// A logical file name (`M00/…`, no group, no NUL) as it stood in a body, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawName<'a>(&'a [u8]);

impl<'a> RawName<'a> {
    /// Takes the bytes as they are.
    pub const fn new(bytes: &'a [u8]) -> RawName<'a> {
        RawName(bytes)
    }

    /// The bytes as they are.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// No bytes at all.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The checked name.
    pub fn parse(&self) -> Result<FileName, NameError> {
        FileName::parse(self.0)
    }
}

impl<'a> From<&'a FileName> for RawName<'a> {
    fn from(name: &'a FileName) -> RawName<'a> {
        RawName(name.as_str().as_bytes())
    }
}

impl fmt::Display for RawName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

impl fmt::Debug for RawName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
