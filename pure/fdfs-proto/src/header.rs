//! The ten bytes in front of every message.

use crate::{DecodeError, RESPONSE, Status, Why};

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 10;

/// Body length 8, command 1, status 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes that follow the header.
    pub body_len: u64,
    /// The request's command; [`RESPONSE`] in every reply.
    pub command: u8,
    /// In a reply the errno, 0 for success. In a request 0, but for the commands that use it as a flag.
    pub status: u8,
}

impl Header {
    /// A request whose status byte means nothing.
    pub fn request(command: impl Into<u8>, body_len: u64) -> Header {
        Header { body_len, command: command.into(), status: 0 }
    }

    /// A reply with status 0.
    pub const fn reply(body_len: u64) -> Header {
        Header { body_len, command: RESPONSE, status: 0 }
    }

    /// A reply that refuses: never with a body.
    pub const fn refusal(status: Status) -> Header {
        Header { body_len: 0, command: RESPONSE, status: status.0 }
    }

    /// The bytes for the wire. A body length beyond the signed range becomes the largest sayable one.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [a, b, c, d, e, f, g, h] = self.body_len.min(i64::MAX as u64).to_be_bytes();
        [a, b, c, d, e, f, g, h, self.command, self.status]
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`Why::Negative`] for a negative body length; the connection must then be closed, there is no way to
    /// find the next message.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Header, DecodeError> {
        let [a, b, c, d, e, f, g, h, command, status] = *bytes;
        let body_len = u64::try_from(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
            .map_err(|_| DecodeError::new("header", 0, Why::Negative))?;
        Ok(Header { body_len, command, status })
    }

    /// The status byte read as the status of a reply.
    pub const fn status(&self) -> Status {
        Status(self.status)
    }
}
