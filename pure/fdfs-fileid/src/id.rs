//! The full file id: group and logical name.

use crate::{FileName, GroupName, NameError};
use std::fmt;
use std::str::FromStr;

/// A file id as clients keep it: `group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The group that holds the file.
    pub group: GroupName,
    /// The logical name within the group.
    pub name: FileName,
}

impl FileId {
    /// Reads `group/name`, split at the first slash as the original's clients do.
    pub fn parse(text: &[u8]) -> Result<Self, NameError> {
        let slash = text.iter().position(|&byte| byte == b'/').ok_or(NameError::NoGroup)?;
        let (group, name) = text.split_at(slash);
        Ok(Self {
            group: GroupName::parse(group)?,
            name: FileName::parse(name.get(1..).unwrap_or_default())?,
        })
    }
}

impl FromStr for FileId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.name)
    }
}
