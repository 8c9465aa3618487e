//! Sets the size of an appender: TRUNCATE_FILE 36.
//!
//! Source: wire protocol, "TRUNCATE_FILE".

use crate::field::{Reader, put_int8};
use crate::limits::{APPENDER_NAME_LEN_MIN, NAME_LEN_MAX};
use crate::{DecodeError, Empty, RawName};

/// Body of 36. There is no group in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The size the file shall have; beyond the present size it grows by zeros.
    pub size: u64,
    /// The appender, 44..=127 bytes.
    pub name: RawName<'a>,
}

/// The reply. The original may send left-over bytes when nothing changed: see [`Empty::ignoring`].
pub type Got = Empty;

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// A name length out of range or other than the rest of the body.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("truncate", body);
        let name_len = reader.name_len(APPENDER_NAME_LEN_MIN, NAME_LEN_MAX)?;
        let size = reader.int8()?;
        let name = RawName::new(reader.take(name_len)?);
        reader.end()?;
        Ok(Ask { size, name })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.name.len() as u64);
        put_int8(out, self.size);
        out.extend_from_slice(self.name.as_bytes());
    }
}
