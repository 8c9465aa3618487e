//! No byte string makes a decoder panic, and what it does accept it writes again to the same value.

use fdfs_proto::tracker::{Reply as TrackerReply, Request as TrackerRequest};
use fdfs_proto::{AddrWidth, Header, Host, StorageCommand, StorageId, TrackerCommand, storage, tracker};
use proptest::collection::vec;
use proptest::prelude::*;

fn take_tracker(body: &[u8]) {
    for &command in TrackerCommand::ALL {
        let mut out = Vec::new();
        if let Ok(ask) = TrackerRequest::decode(command, body) {
            ask.encode(&mut out);
            assert_eq!(TrackerRequest::decode(command, &out), Ok(ask));
        }
        if let Ok(got) = TrackerReply::decode(command, body) {
            out.clear();
            got.encode(AddrWidth::V6, &mut out);
            assert_eq!(TrackerReply::decode(command, &out), Ok(got));
        }
    }
}

fn take_storage(header: Header, body: &[u8]) {
    for &command in StorageCommand::ALL {
        let mut out = Vec::new();
        if let Ok(ask) = storage::Request::decode(command, &header, body) {
            ask.encode(&mut out);
            let body_len = out.len() as u64 + ask.content_len();
            let header = Header { body_len, command: command.code(), status: ask.status() };
            assert_eq!(storage::Request::decode(command, &header, &out), Ok(ask));
        }
        if let Ok(got) = storage::Reply::decode(command, body) {
            out.clear();
            got.encode(AddrWidth::V6, &mut out);
            assert_eq!(storage::Reply::decode(command, &out), Ok(got));
        }
    }
}

/// Mostly small numbers and text, so that lengths inside a body have a chance to fit.
fn likely_body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..40),
        (0..200_u64).prop_map(|number| number.to_be_bytes().to_vec()),
        (0..50_u32).prop_map(|number| number.to_be_bytes().to_vec()),
        Just(b"group1\0\0\0\0\0\0\0\0\0\0".to_vec()),
        Just(b"M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt".to_vec()),
        Just(b"127.0.0.1:22122\n".to_vec()),
        (1..70_usize).prop_map(|len| vec![0; len]),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_bytes_are_taken_or_refused(body in vec(any::<u8>(), 0..700), status in any::<u8>()) {
        take_tracker(&body);
        take_storage(Header { body_len: body.len() as u64, command: 0, status }, &body);
    }

    #[test]
    fn likely_bodies_are_taken_or_refused(
        body in likely_body(),
        status in 0..20_u8,
        more in prop_oneof![Just(0), 0..1000_u64, any::<u64>()],
    ) {
        take_tracker(&body);
        let body_len = (body.len() as u64).saturating_add(more);
        take_storage(Header { body_len, command: 0, status }, &body);
    }

    #[test]
    fn any_ten_bytes_are_a_header_or_refused(bytes in any::<[u8; 10]>()) {
        match Header::decode(&bytes) {
            Ok(header) => prop_assert_eq!(header.encode(), bytes),
            Err(_) => prop_assert!(bytes[0] >= 0x80),
        }
    }

    #[test]
    fn any_text_is_a_host_or_refused(text in "[0-9a-f:.,\\[\\]]{0,60}") {
        if let Ok(host) = Host::parse(text.as_bytes()) {
            prop_assert_eq!(Host::parse(host.to_string().as_bytes()), Ok(host));
        }
    }

    #[test]
    fn any_text_is_a_storage_id_or_refused(text in vec(any::<u8>(), 0..20)) {
        if let Some(id) = StorageId::new(&text) {
            prop_assert_eq!(id.as_bytes(), &text[..]);
        }
    }

    #[test]
    fn lists_reserve_no_more_than_the_body_holds(body in vec(Just(0_u8), 0..40_000)) {
        if let Ok(got) = tracker::disk_usage::Ask::decode(&body) {
            prop_assert!(got.paths.capacity() * 16 <= body.len());
        }
        if let Ok(got) = tracker::status_report::Replicas::decode(&body) {
            prop_assert!(got.briefs.capacity() * 67 <= body.len());
        }
    }
}

#[test]
fn a_count_that_the_body_cannot_hold_reserves_nothing() {
    let mut body = vec![0, 0];
    body.extend_from_slice(&u32::MAX.to_be_bytes());
    assert!(tracker::storage_cluster_stat::Got::decode(&body).is_err());
    assert!(tracker::storage_volume_stat::Got::decode(&body[1..]).is_err());
    assert!(tracker::storage_ids::Got::decode(&[0xff; 8]).is_err());
}
