//! Any bytes, cut anywhere.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::BytesMut;
use fcgi_proto::{DecodeError, Decoder, Event, Limits, Params, encode, kind, push_pair, request_head};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits { params_bytes: 4096, params: 32 };

/// Content that is one piece whatever pieces it came in.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(Event::Stdin(before)), Event::Stdin(more)) => {
                *before = [&before[..], &more[..]].concat().into()
            }
            (_, event) => joined.push(event),
        }
    }
    joined
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<DecodeError>) {
    let (mut decoder, mut input) = (Decoder::new(LIMITS), BytesMut::new());
    let mut events = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (joined(events), Some(error)),
            }
        }
        assert!(input.len() < fcgi_proto::HEADER_LEN, "what has come is taken");
    }
    (joined(events), None)
}

/// Mostly what a web server could send, in any order.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let content = prop_oneof![
        vec(any::<u8>(), 0..40),
        Just(vec![0, 1, 0, 0, 0, 0, 0, 0]),
        Just(vec![0, 1, 1, 0, 0, 0, 0, 0]),
        Just(b"\x0e\x03REQUEST_METHODGET\x0b\x01REQUEST_URI/".to_vec()),
        Just(vec![]),
    ];
    let one = (0u8..13, 0u16..3, content, 0u8..4).prop_map(|(kind, id, content, padding)| {
        let mut out = Vec::new();
        encode::record(kind, id, &content, &mut out);
        out[6] = padding;
        out.extend(vec![0xee; usize::from(padding)]);
        out
    });
    vec(one, 0..12).prop_map(|records| records.concat())
}

proptest! {
    #[test]
    fn bytes_mean_the_same_however_they_are_cut(
        bytes in prop_oneof![vec(any::<u8>(), 0..200), records()],
        step in 1usize..40,
    ) {
        let whole = decode([&bytes[..]]);
        prop_assert_eq!(decode(bytes.chunks(step)), whole);
    }

    #[test]
    fn variables_come_out_as_they_went_in(
        pairs in vec((vec(any::<u8>(), 0..200), vec(any::<u8>(), 0..200)), 0..8),
    ) {
        let mut bytes = Vec::new();
        for (name, value) in &pairs {
            push_pair(name, value, &mut bytes);
        }
        let params = Params::decode(bytes.into(), 8).unwrap();
        let back: Vec<_> = params.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(back, pairs);
    }

    #[test]
    fn content_comes_out_as_it_went_in(content in vec(any::<u8>(), 0..5000), size in 1usize..700) {
        let mut bytes = Vec::new();
        encode::record(kind::BEGIN_REQUEST, 3, &[0, 1, 0, 0, 0, 0, 0, 0], &mut bytes);
        encode::record(kind::PARAMS, 3, &[], &mut bytes);
        for part in content.chunks(size) {
            encode::record(kind::STDIN, 3, part, &mut bytes);
        }
        encode::record(kind::STDIN, 3, &[], &mut bytes);
        let (events, error) = decode([&bytes[..]]);
        prop_assert_eq!(error, None);
        let back: Vec<u8> = events
            .iter()
            .filter_map(|event| if let Event::Stdin(bytes) = event { Some(bytes.to_vec()) } else { None })
            .flatten()
            .collect();
        prop_assert_eq!(back, content);
        prop_assert_eq!(events.last(), Some(&Event::StdinEnd));
    }

    #[test]
    fn no_variable_adds_a_line(
        name in "HTTP_[ -~]{1,8}|REQUEST_URI|CONTENT_TYPE|SCRIPT_NAME",
        value in vec(any::<u8>(), 0..30),
    ) {
        let mut bytes = Vec::new();
        push_pair(b"REQUEST_METHOD", b"GET", &mut bytes);
        push_pair(b"PATH_INFO", b"/", &mut bytes);
        push_pair(name.as_bytes(), &value, &mut bytes);
        let Ok(head) = request_head(&Params::decode(bytes.into(), 3).unwrap()) else { return Ok(()) };
        prop_assert!(head.request.uri().to_string().bytes().all(|byte| byte.is_ascii_graphic()));
        for (name, value) in head.request.headers() {
            prop_assert!(!name.as_str().contains(['\r', '\n', ' ', ':']));
            prop_assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }
}
