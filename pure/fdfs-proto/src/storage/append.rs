//! Adds to the end of an appender: APPEND_FILE 24.
//!
//! Source: wire protocol, "APPEND_FILE".

use super::content;
use crate::field::put_int8;
use crate::limits::{APPENDER_NAME_LEN_MIN, NAME_LEN_MAX};
use crate::{DecodeError, Empty, RawName};

/// Head of 24: 16 bytes and the name, then the content. There is no group in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Length of the content.
    pub size: u64,
    /// The appender, 44..=127 bytes.
    pub name: RawName<'a>,
}

/// The reply. The original may send left-over bytes when nothing changed: see [`Empty::ignoring`].
pub type Got = Empty;

impl<'a> Ask<'a> {
    /// Length of the head.
    pub fn head_len(&self) -> usize {
        16 + self.name.len()
    }

    /// Reads the head from the first bytes of a body of `body_len` bytes.
    ///
    /// # Errors
    /// A head cut short, a name length out of range, or a size that is not the rest of the body.
    pub fn decode(body_len: u64, bytes: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = content::head("append", body_len, bytes);
        let name_len = reader.name_len(APPENDER_NAME_LEN_MIN, NAME_LEN_MAX)?;
        let size = reader.int8()?;
        let name = RawName::new(reader.take(name_len)?);
        content::check_len(&reader, body_len, size)?;
        Ok(Ask { size, name })
    }

    /// Appends the head; `size` bytes of content follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.name.len() as u64);
        put_int8(out, self.size);
        out.extend_from_slice(self.name.as_bytes());
    }
}
