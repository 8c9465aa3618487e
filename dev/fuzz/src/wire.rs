//! Messages. The first four bytes of the input choose: command (as an index into the registry), status byte,
//! and two bytes of length beyond the body at hand, as a streamed message has it.

use fdfs_proto::{AddrWidth, Header, StorageCommand, TrackerCommand, storage, tracker};

/// Bytes in front of the body.
pub const WIRE_PREFIX_LEN: usize = 4;

/// Longest message a round trip may make of an accepted body: texts such as addresses may be spelled longer.
fn grown(body: &[u8]) -> usize {
    body.len() * 2 + 4096
}

fn split(bytes: &[u8]) -> Option<(usize, u8, u64, &[u8])> {
    let (&[index, status, high, low], body) = bytes.split_first_chunk()?;
    Some((usize::from(index), status, u64::from(u16::from_be_bytes([high, low])), body))
}

/// The body of a request to a tracker.
pub fn tracker_request(bytes: &[u8]) {
    let Some((index, _, _, body)) = split(bytes) else { return };
    let command = TrackerCommand::ALL[index % TrackerCommand::ALL.len()];
    let Ok(ask) = tracker::Request::decode(command, body) else { return };
    let mut out = Vec::new();
    ask.encode(&mut out);
    assert!(out.len() <= grown(body));
    assert_eq!(tracker::Request::decode(command, &out), Ok(ask));
}

/// The body of a tracker's reply.
pub fn tracker_reply(bytes: &[u8]) {
    let Some((index, _, _, body)) = split(bytes) else { return };
    let command = TrackerCommand::ALL[index % TrackerCommand::ALL.len()];
    let Ok(got) = tracker::Reply::decode(command, body) else { return };
    let mut out = Vec::new();
    got.encode(AddrWidth::V6, &mut out);
    assert!(out.len() <= grown(body) * 2);
    assert_eq!(tracker::Reply::decode(command, &out), Ok(got));
}

/// Header and body (or its head) of a request to a storage.
pub fn storage_request(bytes: &[u8]) {
    let Some((index, status, more, body)) = split(bytes) else { return };
    let command = StorageCommand::ALL[index % StorageCommand::ALL.len()];
    let header = Header { body_len: body.len() as u64 + more, command: command.code(), status };
    assert_eq!(Header::decode(&header.encode()), Ok(header));
    let Ok(ask) = storage::Request::decode(command, &header, body) else { return };
    let mut out = Vec::new();
    ask.encode(&mut out);
    assert!(out.len() <= grown(body));
    let body_len = out.len() as u64 + ask.content_len();
    let again = Header { body_len, command: command.code(), status: ask.status() };
    assert_eq!(storage::Request::decode(command, &again, &out), Ok(ask));
    // Of a streamed message, as many bytes as the registry asks for are enough.
    let enough = command.body().bytes_to_decode(header.body_len).map_or(body.len(), |len| len as usize);
    if let Some(head) = body.get(..enough) {
        assert_eq!(storage::Request::decode(command, &header, head), Ok(ask));
    }
}

/// The body of a storage's reply.
pub fn storage_reply(bytes: &[u8]) {
    let Some((index, _, _, body)) = split(bytes) else { return };
    let command = StorageCommand::ALL[index % StorageCommand::ALL.len()];
    let Ok(got) = storage::Reply::decode(command, body) else { return };
    let mut out = Vec::new();
    got.encode(AddrWidth::V6, &mut out);
    assert!(out.len() <= grown(body));
    assert_eq!(storage::Reply::decode(command, &out), Ok(got));
}
