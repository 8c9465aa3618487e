//! Lines of the replication log, `data/sync/binlog.NNN`.
//!
//! One change, one line: `<Unix seconds> <operation> <name>[ <more>]`. A capital operation was made here, by a
//! client, and is pushed to every peer; a small one arrived from a peer and is kept for those who are
//! filled from here.
//!
//! Source: storage internals, "the replication log".

use fdfs_fileid::{FileName, NameError};
use std::fmt::Write;

/// Longest line, bytes, its newline included.
pub const LINE_LEN_MAX: usize = 256;

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A client of this storage: to be pushed to every peer.
    Client,
    /// A peer, which has pushed it here.
    Peer,
}

/// What was done to a file. Offsets and sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// `C`: it was made; also a slave, an appender, or the first metadata of a file (`…-m`).
    Create {
        /// The file.
        name: FileName,
    },
    /// `A`: bytes were put at its end.
    Append {
        /// The appender.
        name: FileName,
        /// Its size before.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// `D`: it was deleted.
    Delete {
        /// The file.
        name: FileName,
    },
    /// `U`: its content was replaced; for metadata, and for appenders as replicas see them.
    Update {
        /// The file.
        name: FileName,
    },
    /// `M`: bytes inside it were overwritten.
    Modify {
        /// The appender.
        name: FileName,
        /// Where.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// `T`: it was cut, or grown with zeros.
    Truncate {
        /// The appender.
        name: FileName,
        /// Its size before.
        old_size: u64,
        /// Its size after.
        new_size: u64,
    },
    /// `L`: a link to another file was made.
    Link {
        /// The link.
        name: FileName,
        /// What it points to.
        source: FileName,
    },
    /// `R`: an appender became an ordinary file under another name.
    Rename {
        /// The new name.
        name: FileName,
        /// The old name.
        old: FileName,
    },
}

impl Change {
    /// The file that was changed; of a link or rename the new name.
    pub fn name(&self) -> &FileName {
        match self {
            Self::Create { name }
            | Self::Append { name, .. }
            | Self::Delete { name }
            | Self::Update { name }
            | Self::Modify { name, .. }
            | Self::Truncate { name, .. }
            | Self::Link { name, .. }
            | Self::Rename { name, .. } => name,
        }
    }

    /// The letter of the operation when a client made it.
    fn letter(&self) -> char {
        match self {
            Self::Create { .. } => 'C',
            Self::Append { .. } => 'A',
            Self::Delete { .. } => 'D',
            Self::Update { .. } => 'U',
            Self::Modify { .. } => 'M',
            Self::Truncate { .. } => 'T',
            Self::Link { .. } => 'L',
            Self::Rename { .. } => 'R',
        }
    }

    /// What stands behind the operation.
    fn column(&self) -> String {
        match self {
            Self::Create { name } | Self::Delete { name } | Self::Update { name } => name.to_string(),
            Self::Append { name, offset: a, len: b }
            | Self::Modify { name, offset: a, len: b }
            | Self::Truncate { name, old_size: a, new_size: b } => format!("{name} {a} {b}"),
            Self::Link { name, source: other } | Self::Rename { name, old: other } => {
                format!("{name} {other}")
            }
        }
    }

    fn parse(letter: u8, column: &[u8]) -> Result<Self, LineError> {
        let whole = || FileName::parse(column).map_err(LineError::Name);
        let numbers = || {
            let mut columns = column.splitn(3, |byte| *byte == b' ');
            let name = FileName::parse(columns.next().unwrap_or_default()).map_err(LineError::Name)?;
            let mut number = || columns.next().and_then(number::<u64>).ok_or(LineError::Numbers);
            Ok((name, number()?, number()?))
        };
        let names = || {
            let mut columns = column.splitn(2, |byte| *byte == b' ');
            let mut name = || FileName::parse(columns.next().unwrap_or_default()).map_err(LineError::Name);
            Ok((name()?, name()?))
        };
        Ok(match letter {
            b'C' => Self::Create { name: whole()? },
            b'D' => Self::Delete { name: whole()? },
            b'U' => Self::Update { name: whole()? },
            b'A' => numbers().map(|(name, offset, len)| Self::Append { name, offset, len })?,
            b'M' => numbers().map(|(name, offset, len)| Self::Modify { name, offset, len })?,
            b'T' => {
                numbers().map(|(name, old_size, new_size)| Self::Truncate { name, old_size, new_size })?
            }
            b'L' => names().map(|(name, source)| Self::Link { name, source })?,
            b'R' => names().map(|(name, old)| Self::Rename { name, old })?,
            _ => return Err(LineError::Operation),
        })
    }
}

/// Why a line is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LineError {
    /// It exceeds [`LINE_LEN_MAX`].
    #[error("line is too long")]
    TooLong,
    /// It has fewer than three columns.
    #[error("line has fewer than three columns")]
    Columns,
    /// The first column is no time.
    #[error("line does not begin with a time")]
    Timestamp,
    /// The second column is no operation.
    #[error("unknown operation")]
    Operation,
    /// A name is no file name; the original has been seen to write empty ones for links.
    #[error("wrong name: {0}")]
    Name(NameError),
    /// Offset and length, or the two sizes, are missing or no numbers.
    #[error("wrong offset or length")]
    Numbers,
    /// Zero bytes, as a crash leaves them where a file system had grown the file but not yet filled it.
    #[error("zero bytes")]
    Zeros,
}

/// One line of the replication log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Unix seconds. A change from a peer keeps the time it had there.
    pub timestamp: i64,
    /// Who made the change.
    pub origin: Origin,
    /// The change.
    pub change: Change,
}

impl Record {
    /// Reads a line without its newline.
    ///
    /// # Errors
    /// [`LineError`]; no line is half a record.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        if line.len() >= LINE_LEN_MAX {
            return Err(LineError::TooLong);
        }
        let mut columns = line.splitn(3, |byte| *byte == b' ');
        let (Some(timestamp), Some(operation), Some(column)) =
            (columns.next(), columns.next(), columns.next())
        else {
            return Err(LineError::Columns);
        };
        let timestamp = number(timestamp).ok_or(LineError::Timestamp)?;
        let [letter] = *operation else { return Err(LineError::Operation) };
        let origin = if letter.is_ascii_uppercase() { Origin::Client } else { Origin::Peer };
        Ok(Self { timestamp, origin, change: Change::parse(letter.to_ascii_uppercase(), column)? })
    }

    /// The line with its newline.
    ///
    /// # Errors
    /// [`LineError::TooLong`] for a link or rename between two names that do not fit into a line together.
    pub fn encode(&self) -> Result<String, LineError> {
        let letter = self.change.letter();
        let letter = match self.origin {
            Origin::Client => letter,
            Origin::Peer => letter.to_ascii_lowercase(),
        };
        let mut line = String::with_capacity(LINE_LEN_MAX);
        // Writing to a String cannot fail.
        let _ = writeln!(line, "{} {letter} {}", self.timestamp, self.change.column());
        if line.len() > LINE_LEN_MAX { Err(LineError::TooLong) } else { Ok(line) }
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    // A sign before a number was never written.
    text.first().filter(|byte| byte.is_ascii_digit())?;
    std::str::from_utf8(text).ok()?.parse().ok()
}
