//! Turns an appender into a normal file under a new name: REGENERATE_APPENDER_FILENAME 38.
//!
//! Source: wire protocol, "REGENERATE_APPENDER_FILENAME".

use crate::field::Reader;
use crate::limits::{APPENDER_NAME_LEN_MIN, NAME_LEN_MAX};
use crate::{DecodeError, RawName, Why};

/// Body of 38. There is no group in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The appender, 44..=127 bytes.
    pub name: RawName<'a>,
}

/// The reply: group and new name.
pub use super::named::Got;

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Length`] for a name outside 44..=127 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        if !(APPENDER_NAME_LEN_MIN..=NAME_LEN_MAX).contains(&body.len()) {
            return Err(Reader::new("regenerate_name", body).fail(Why::Length));
        }
        Ok(Ask { name: RawName::new(body) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
    }
}
