//! Messages as bytes: the real header in front of the real body.

use fdfs_proto::{HEADER_LEN, Header, Status};

/// A request; `status` is the flag that a few commands carry in their header.
pub(crate) fn request(command: impl Into<u8>, status: u8, body: &[u8]) -> Vec<u8> {
    framed(Header { status, ..Header::request(command, body.len() as u64) }, body)
}

/// An answer; a refusal has no body.
pub(crate) fn answer(result: Result<Vec<u8>, Status>) -> Vec<u8> {
    match result {
        Ok(body) => framed(Header::reply(body.len() as u64), &body),
        Err(status) => framed(Header::refusal(status), &[]),
    }
}

fn framed(header: Header, body: &[u8]) -> Vec<u8> {
    let mut bytes = header.encode().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// Header and body of a message; `None` for what is none.
pub(crate) fn parts(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (head, body) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::decode(head).ok()?;
    (header.body_len == body.len() as u64).then_some((header, body))
}
