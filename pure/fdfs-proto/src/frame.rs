//! Whole messages: header and body in one buffer.
//!
//! Each function appends to `out`, which the caller keeps and reuses; nothing else is allocated.

use crate::{HEADER_LEN, Header, RESPONSE, Status};

/// Appends a request whose body `body` writes.
pub fn request(out: &mut Vec<u8>, command: impl Into<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    message(out, command.into(), 0, 0, body);
}

/// Appends the head of a request that is followed by `content_len` bytes of content, sent by the caller.
/// `status` is 0 but for the commands that use the status byte.
pub fn request_head(
    out: &mut Vec<u8>,
    command: impl Into<u8>,
    status: u8,
    content_len: u64,
    head: impl FnOnce(&mut Vec<u8>),
) {
    message(out, command.into(), status, content_len, head);
}

/// Appends a reply with status 0 whose body `body` writes.
pub fn reply(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    message(out, RESPONSE, 0, 0, body);
}

/// Appends a reply without a body: an empty success, or a refusal.
pub fn status(out: &mut Vec<u8>, status: Status) {
    out.extend_from_slice(&Header::refusal(status).encode());
}

fn message(out: &mut Vec<u8>, command: u8, status: u8, content_len: u64, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    body(out);
    let written = out.len().saturating_sub(start + HEADER_LEN) as u64;
    let header = Header { body_len: written.saturating_add(content_len), command, status };
    if let Some(place) = out.get_mut(start..start + HEADER_LEN) {
        place.copy_from_slice(&header.encode());
    }
}
