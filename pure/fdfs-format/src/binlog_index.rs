//! `binlog_index.dat`: which file of the replication log is written to.
//!
//! Source: storage internals, "the replication log".

use crate::FormatError;
use crate::ini::{Ini, Number, put};

/// Name of the file below `data/sync/`.
pub const BINLOG_INDEX_FILE: &str = "binlog_index.dat";

/// Name it had in old versions, which wrote a bare number.
pub const OLD_BINLOG_INDEX_FILE: &str = "binlog.index";

/// Contents of `binlog_index.dat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BinlogIndex {
    /// The file that is written to.
    pub current_write: u32,
    /// The first file that has not been compressed.
    pub current_compress: u32,
}

impl BinlogIndex {
    /// Reads the file.
    ///
    /// # Errors
    /// [`FormatError`] when `current_write` is missing or a value is no number. The index is written in place
    /// by the original, so a crash can empty it; the files of the log themselves tell which is the last.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let keys = Ini::keys(bytes)?;
        Ok(Self {
            current_write: keys.required("current_write", Number::read)?,
            current_compress: keys.number("current_compress")?,
        })
    }

    /// Reads the file of old versions.
    ///
    /// # Errors
    /// [`FormatError`] when it is no number.
    pub fn decode_old(bytes: &[u8]) -> Result<Self, FormatError> {
        let text = std::str::from_utf8(bytes).map_err(|_| FormatError::NotText)?;
        let current_write = Number::read(text.trim());
        let current_write = current_write.ok_or(FormatError::Value { line: 1, key: "current_write" })?;
        Ok(Self { current_write, current_compress: 0 })
    }

    /// Writes the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        put(&mut out, "current_write", self.current_write);
        put(&mut out, "current_compress", self.current_compress);
        out.into_bytes()
    }
}

/// Name of one file of the log below `data/sync/`: `binlog.000`.
pub fn binlog_file(index: u32) -> String {
    format!("binlog.{index:03}")
}

/// The number in the name of a file of the log; none for other names, such as `binlog.000.gz`.
pub fn binlog_file_index(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("binlog.")?;
    let index = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    // Otherwise two names would mean one file.
    (digits == format!("{index:03}")).then_some(index)
}
