//! What web servers send, byte for byte, and what is answered.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::{Bytes, BytesMut};
use fcgi_proto::{
    DecodeError, Decoder, Event, Limits, PairsError, Params, ProtocolStatus, Values, encode, kind, push_pair,
};

const LIMITS: Limits = Limits { params_bytes: 1000, params: 4 };

fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::record(kind, id, content, &mut out);
    out
}

fn begin(id: u16, role: u8, flags: u8) -> Vec<u8> {
    record(kind::BEGIN_REQUEST, id, &[0, role, flags, 0, 0, 0, 0, 0])
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        push_pair(name.as_bytes(), value.as_bytes(), &mut out);
    }
    out
}

fn params(list: &[(&str, &str)]) -> Event {
    Event::Params(Params::decode(pairs(list).into(), list.len()).unwrap())
}

/// All events of `bytes`, which arrive in one piece.
fn events(bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
    let (mut decoder, mut input) = (Decoder::new(LIMITS), BytesMut::from(bytes));
    let mut events = Vec::new();
    while let Some(event) = decoder.next(&mut input)? {
        events.push(event);
    }
    assert!(input.len() < fcgi_proto::HEADER_LEN);
    Ok(events)
}

const STDIN: fn(&str) -> Event = |text| Event::Stdin(Bytes::copy_from_slice(text.as_bytes()));

#[test]
fn a_request_as_nginx_sends_it_is_read() {
    // Recorded from nginx 1.22.1 with two variables and `fastcgi_keep_conn on`.
    let bytes = b"\x01\x01\0\x01\0\x08\0\0\0\x01\x01\0\0\0\0\0\
        \x01\x04\0\x01\0\x2f\x01\0\x0e\x04REQUEST_METHODPOST\x0b\x0eREQUEST_URI/%E4%BD%A0?a=b\0\
        \x01\x04\0\x01\0\0\0\0\
        \x01\x05\0\x01\0\x05\x03\0hello\0\0\0\
        \x01\x05\0\x01\0\0\0\0";
    let wanted = vec![
        Event::Begin { id: 1, keep: true },
        params(&[("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/%E4%BD%A0?a=b")]),
        STDIN("hello"),
        Event::StdinEnd,
    ];
    assert_eq!(events(bytes).unwrap(), wanted);
    // The same, a byte at a time.
    let (mut decoder, mut input) = (Decoder::new(LIMITS), BytesMut::new());
    let mut seen = Vec::new();
    for byte in bytes {
        input.extend_from_slice(&[*byte]);
        while let Some(event) = decoder.next(&mut input).unwrap() {
            seen.push(event);
        }
    }
    let content: Vec<u8> = seen
        .iter()
        .filter_map(|event| if let Event::Stdin(bytes) = event { Some(bytes.to_vec()) } else { None })
        .flatten()
        .collect();
    assert_eq!(content, b"hello");
    seen.retain(|event| !matches!(event, Event::Stdin(_)));
    assert_eq!(seen, [wanted[0].clone(), wanted[1].clone(), wanted[3].clone()]);
}

#[test]
fn variables_may_be_split_over_records_anywhere() {
    let long = "值".repeat(100);
    let list = [("A", long.as_str()), ("B", "")];
    let text = pairs(&list);
    // Lengths of 128 and more take four bytes.
    assert_eq!(text[..6], [1, 0x80, 0, 0x01, 0x2c, b'A']);
    for at in 0..=text.len() {
        let mut bytes = begin(7, 1, 0);
        for part in [&text[..at], &text[at..]] {
            if !part.is_empty() {
                bytes.extend(record(kind::PARAMS, 7, part));
            }
        }
        bytes.extend(record(kind::PARAMS, 7, &[]));
        assert_eq!(events(&bytes).unwrap(), [Event::Begin { id: 7, keep: false }, params(&list)], "{at}");
    }
}

#[test]
fn what_belongs_to_no_request_of_ours_is_refused_or_skipped() {
    let refused = |id, status, keep| Event::Refused { id, status, keep };
    let going = Event::Begin { id: 1, keep: true };
    type Row = (&'static str, Vec<Vec<u8>>, Vec<Event>);
    let rows: [Row; 9] = [
        (
            "an authorizer",
            vec![begin(1, 2, 1), record(kind::PARAMS, 1, b"x"), record(kind::STDIN, 1, b"x")],
            vec![refused(1, ProtocolStatus::UnknownRole, true)],
        ),
        ("a filter", vec![begin(1, 3, 0)], vec![refused(1, ProtocolStatus::UnknownRole, false)]),
        (
            "another beside it",
            vec![begin(1, 1, 1), begin(2, 1, 0), record(kind::PARAMS, 2, b"x"), record(kind::PARAMS, 1, &[])],
            vec![going.clone(), refused(2, ProtocolStatus::CantMpxConn, false), params(&[])],
        ),
        ("content of nothing", vec![record(kind::STDIN, 9, b"x"), begin(1, 1, 1)], vec![going.clone()]),
        (
            "content for a filter",
            vec![begin(1, 1, 1), record(kind::DATA, 1, b"x"), record(kind::PARAMS, 1, &[])],
            vec![going.clone(), params(&[])],
        ),
        (
            "aborted before it was complete",
            vec![
                begin(1, 1, 1),
                record(kind::ABORT_REQUEST, 1, &[]),
                record(kind::PARAMS, 1, b"x"),
                begin(1, 1, 1),
            ],
            vec![going.clone(), Event::Abort { id: 1 }, going.clone()],
        ),
        ("an abort of nothing", vec![record(kind::ABORT_REQUEST, 1, &[])], vec![]),
        ("a kind of another time", vec![record(77, 0, b"x")], vec![Event::UnknownType(77)]),
        (
            "questions",
            vec![
                record(
                    kind::GET_VALUES,
                    0,
                    &pairs(&[("FCGI_MAX_CONNS", ""), ("FCGI_MPXS_CONNS", ""), ("X", "")]),
                ),
                record(kind::GET_VALUES, 0, &pairs(&[("FCGI_MAX_REQS", "")])),
            ],
            vec![
                Event::GetValues(Values { max_conns: true, max_reqs: false, mpxs_conns: true }),
                Event::GetValues(Values { max_conns: false, max_reqs: true, mpxs_conns: false }),
            ],
        ),
    ];
    for (what, records, wanted) in rows {
        assert_eq!(events(&records.concat()).unwrap(), wanted, "{what}");
    }
}

#[test]
fn what_makes_no_sense_ends_the_connection() {
    let many = pairs(&[("A", ""), ("B", ""), ("C", ""), ("D", ""), ("E", "")]);
    let all = |content: &[u8]| {
        [begin(1, 1, 0), record(kind::PARAMS, 1, content), record(kind::PARAMS, 1, &[])].concat()
    };
    let rows: [(&str, Vec<u8>, DecodeError); 14] = [
        ("HTTP", b"GET / HTTP/1.1\r\n".to_vec(), DecodeError::Version),
        ("version 0", vec![0; 8], DecodeError::Version),
        ("a short beginning", record(kind::BEGIN_REQUEST, 1, &[0, 1, 0]), DecodeError::BeginLen { len: 3 }),
        ("a long beginning", record(kind::BEGIN_REQUEST, 1, &[0; 9]), DecodeError::BeginLen { len: 9 }),
        ("the number 0", begin(0, 1, 0), DecodeError::NullId),
        ("the same number", [begin(1, 1, 0), begin(1, 1, 0)].concat(), DecodeError::BeganTwice),
        ("a name cut off", all(&[5, 0, b'A']), DecodeError::Pairs(PairsError::CutOff)),
        ("a length cut off", all(&[0x80, 0]), DecodeError::Pairs(PairsError::CutOff)),
        ("a length without a second", all(&[1]), DecodeError::Pairs(PairsError::CutOff)),
        ("too many", all(&many), DecodeError::Pairs(PairsError::TooMany { limit: 4 })),
        (
            "too long, which its header says",
            [begin(1, 1, 0), record(kind::PARAMS, 1, &[0; 1001])[..8].to_vec()].concat(),
            DecodeError::ParamsTooLong { limit: 1000 },
        ),
        (
            "too long together",
            [begin(1, 1, 0), record(kind::PARAMS, 1, &[0; 600]), record(kind::PARAMS, 1, &[0; 401])].concat(),
            DecodeError::ParamsTooLong { limit: 1000 },
        ),
        (
            "content too early",
            [begin(1, 1, 0), record(kind::STDIN, 1, b"x")].concat(),
            DecodeError::OutOfOrder,
        ),
        (
            "a long question",
            record(kind::GET_VALUES, 0, &[0; 1025])[..8].to_vec(),
            DecodeError::ValuesTooLong { len: 1025 },
        ),
    ];
    for (what, bytes, wanted) in rows {
        assert_eq!(events(&bytes), Err(wanted), "{what}");
    }
    for late in [record(kind::PARAMS, 1, b"x"), record(kind::STDIN, 1, b"x"), record(kind::STDIN, 1, &[])] {
        let bytes = [all(&[]), record(kind::STDIN, 1, &[]), late].concat();
        assert_eq!(events(&bytes), Err(DecodeError::OutOfOrder));
    }
}

#[test]
fn what_comes_for_a_finished_request_is_skipped_and_the_next_may_have_its_number() {
    let (mut decoder, mut input) = (Decoder::new(LIMITS), BytesMut::new());
    input.extend([begin(1, 1, 1), record(kind::PARAMS, 1, &[])].concat());
    assert_eq!(decoder.next(&mut input), Ok(Some(Event::Begin { id: 1, keep: true })));
    assert_eq!(decoder.next(&mut input), Ok(Some(params(&[]))));
    // Half a record has come when the answer is complete.
    let content = record(kind::STDIN, 1, b"abcdef");
    input.extend_from_slice(&content[..11]);
    assert_eq!(decoder.next(&mut input), Ok(Some(STDIN("abc"))));
    decoder.end_request();
    input.extend_from_slice(&content[11..]);
    input.extend([content, record(kind::STDIN, 1, &[]), begin(1, 1, 0)].concat());
    assert_eq!(decoder.next(&mut input), Ok(Some(Event::Begin { id: 1, keep: false })));
    assert_eq!(decoder.next(&mut input), Ok(None));
}

#[test]
fn answers_are_these_bytes() {
    let mut out = Vec::new();
    encode::stdout(1, b"hi", &mut out);
    encode::stdout(1, b"", &mut out);
    encode::stderr(1, "no", &mut out);
    encode::answered(258, &mut out);
    assert_eq!(
        out,
        b"\x01\x06\0\x01\0\x02\0\0hi\x01\x07\0\x01\0\x02\0\0no\
          \x01\x06\x01\x02\0\0\0\0\x01\x03\x01\x02\0\x08\0\0\0\0\0\0\0\0\0\0"
    );
    out.clear();
    encode::end_request(2, ProtocolStatus::CantMpxConn, &mut out);
    encode::unknown_type(77, &mut out);
    let asked = Values { max_conns: true, max_reqs: false, mpxs_conns: true };
    encode::values(asked, 12, &mut out);
    assert_eq!(
        out,
        b"\x01\x03\0\x02\0\x08\0\0\0\0\0\0\x01\0\0\0\x01\x0b\0\0\0\x08\0\0\x4d\0\0\0\0\0\0\0\
          \x01\x0a\0\0\0\x24\0\0\x0e\x02FCGI_MAX_CONNS12\x0f\x01FCGI_MPXS_CONNS0"
    );
}

#[test]
fn a_long_answer_takes_several_records() {
    let (mut out, content) = (Vec::new(), vec![b'x'; 32768 + 5]);
    encode::stdout(1, &content, &mut out);
    assert_eq!((out.len(), &out[..8]), (32768 + 5 + 16, &b"\x01\x06\0\x01\x80\0\0\0"[..]));
    assert_eq!(out[8 + 32768..][..8], *b"\x01\x06\0\x01\0\x05\0\0");
    out.clear();
    encode::stderr(1, &"y".repeat(5000), &mut out);
    assert_eq!(out.len(), 8 + 1024);
}
