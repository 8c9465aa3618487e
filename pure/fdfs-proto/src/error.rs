//! Why a body could not be read.

use crate::Status;

/// What is wrong with a byte string, small enough to be copied around.
///
/// `what` names the message or record, `offset` is where in that byte string the trouble begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}, byte {offset}: {why}")]
pub struct DecodeError {
    /// The message or record, for example `join`.
    pub what: &'static str,
    /// Byte offset inside the decoded slice.
    pub offset: u32,
    /// The kind of trouble.
    pub why: Why,
}

/// The kinds of trouble a decoder can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The body ends before the field does.
    #[error("the body is too short")]
    Short,
    /// Bytes remain after the last field.
    #[error("bytes remain after the last field")]
    Trailing,
    /// The body's length fits none of the lengths this message can have.
    #[error("the length fits no form of this message")]
    Length,
    /// A length, size, count or offset is below zero.
    #[error("a number that counts something is negative")]
    Negative,
    /// A number is outside the range the field allows.
    #[error("the number is out of range")]
    Range,
    /// A text field holds bytes it must not hold.
    #[error("the text holds bytes it must not hold")]
    Text,
    /// A length inside the body contradicts the length of the body.
    #[error("an inner length contradicts the length of the body")]
    Mismatch,
    /// More records than the protocol allows.
    #[error("too many records")]
    TooMany,
}

impl DecodeError {
    pub(crate) fn new(what: &'static str, offset: usize, why: Why) -> DecodeError {
        DecodeError { what, offset: u32::try_from(offset).unwrap_or(u32::MAX), why }
    }

    /// The status a FastDFS server answers a malformed body with: always "invalid argument".
    pub const fn status(&self) -> Status {
        Status::EINVAL
    }
}

impl From<DecodeError> for Status {
    fn from(error: DecodeError) -> Status {
        error.status()
    }
}
