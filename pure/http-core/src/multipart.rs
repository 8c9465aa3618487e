//! Several parts of a file in one answer: `multipart/byteranges` (RFC 9110 §14.6).
//!
//! ```text
//! CRLF --boundary CRLF Content-Type: T CRLF Content-Range: bytes a-b/n CRLF CRLF   (a part's head)
//! bytes a to b of the file
//! …                                                                                (further parts)
//! CRLF --boundary-- CRLF                                                           (the end)
//! ```

use crate::range::{ByteRange, Ranges};
use crate::response::push_number;

/// Characters of a boundary.
const BOUNDARY_LEN: usize = 16;

/// What separates parts: 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary([u8; BOUNDARY_LEN]);

impl Boundary {
    /// A boundary out of a random number, so that nobody can make a file that holds it.
    pub fn new(random: u64) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; BOUNDARY_LEN];
        for (digit, shift) in text.iter_mut().zip((0..u64::BITS).step_by(4)) {
            *digit = HEX[(random >> shift & 0xF) as usize];
        }
        Self(text)
    }

    /// The characters.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An answer of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipart<'a> {
    /// The separator.
    pub boundary: Boundary,
    /// Media type of the file.
    pub media: &'a str,
    /// Bytes of the whole file.
    pub size: u64,
    /// Which parts.
    pub ranges: Ranges,
}

impl Multipart<'_> {
    /// Writes what stands before the bytes of a part.
    pub fn push_part_head(&self, part: ByteRange, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(self.boundary.as_bytes());
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(self.media.as_bytes());
        out.extend_from_slice(b"\r\nContent-Range: ");
        push_content_range(Some(part), self.size, out);
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// Writes what stands behind the last part.
    pub fn push_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(self.boundary.as_bytes());
        out.extend_from_slice(b"--\r\n");
    }

    /// Bytes of all of it: heads, parts and end.
    pub fn content_len(&self) -> u64 {
        // At most a few lines for each part, and only for the rare answer of several: simply written out.
        let mut framing = Vec::new();
        let mut bytes = 0u64;
        for part in self.ranges.as_slice() {
            self.push_part_head(*part, &mut framing);
            bytes = bytes.saturating_add(part.len());
        }
        self.push_end(&mut framing);
        bytes.saturating_add(framing.len() as u64)
    }
}

/// `bytes 0-99/1000`, or `bytes */1000` when no part is there.
pub(crate) fn push_content_range(part: Option<ByteRange>, size: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"bytes ");
    match part {
        Some(part) => {
            push_number(out, part.first);
            out.push(b'-');
            push_number(out, part.last);
        }
        None => out.push(b'*'),
    }
    out.push(b'/');
    push_number(out, size);
}
