//! Heads in front of streamed content.

use crate::field::Reader;
use crate::{DecodeError, Why};

/// A reader over the head: the first bytes of a body of `body_len` bytes, content behind the head allowed.
pub(crate) fn head<'a>(what: &'static str, body_len: u64, bytes: &'a [u8]) -> Reader<'a> {
    let len = usize::try_from(body_len).unwrap_or(usize::MAX);
    Reader::new(what, bytes.get(..len).unwrap_or(bytes))
}

/// The content announced must be what is left of the body.
pub(crate) fn check_len(reader: &Reader<'_>, body_len: u64, content_len: u64) -> Result<(), DecodeError> {
    match body_len.checked_sub(reader.at() as u64) {
        Some(left) if left == content_len => Ok(()),
        _ => Err(reader.fail(Why::Mismatch)),
    }
}
