//! Bodies without a byte in them.

use crate::DecodeError;
use crate::field::Reader;

/// The body of a message that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Empty;

impl Empty {
    /// Any byte is an error.
    ///
    /// # Errors
    /// [`crate::Why::Trailing`].
    pub fn decode(body: &[u8]) -> Result<Empty, DecodeError> {
        Reader::new("empty body", body).end().map(|()| Empty)
    }

    /// Takes any bytes for nothing. The original answers some requests that change nothing (an append or a
    /// modification of no bytes, a truncation to the same size, a replicated rename) with left-over bytes.
    pub(crate) fn ignoring(_body: &[u8]) -> Empty {
        Empty
    }

    /// Writes nothing.
    pub fn encode(&self, _out: &mut Vec<u8>) {}
}
