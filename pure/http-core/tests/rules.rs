//! Tables of what RFC 9110, 9112, 6266 and 8187 ask for, and of what is refused.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

use http_core::cors::Origins;
use http_core::date::{DateText, parse_date};
use http_core::disposition::push_disposition;
use http_core::encoding::{Coding, accepted};
use http_core::fields::Lines;
use http_core::head::{Content, HeadError};
use http_core::mime::{MimeError, MimeTypes};
use http_core::multipart::{Boundary, Multipart};
use http_core::range::{ByteRange, RangeAnswer, parse_range};
use http_core::{Parameters, RequestFields, RequestHead, Target, TargetError, parse_head};
use proptest::prelude::*;

fn head(text: &str) -> Result<RequestHead<'_>, HeadError> {
    parse_head(text.as_bytes(), 4096, None).map(|head| head.unwrap())
}

#[test]
fn a_length_that_is_said_twice_or_in_two_ways_is_refused() {
    let with = |lines: &str| {
        let text = format!("POST /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        head(&text).map(|head| head.content)
    };
    assert_eq!(with("Content-Length: 5\r\n"), Ok(Content::Length(5)));
    assert_eq!(with("Transfer-Encoding: chunked\r\n"), Ok(Content::Chunked));
    assert!(matches!(
        with("Content-Length: 5\r\nContent-Length: 5\r\n"),
        Err(HeadError::Repeated(repeated)) if repeated.name == "content-length"
    ));
    assert_eq!(with("Content-Length: 5, 5\r\n"), Err(HeadError::ContentLength));
    assert_eq!(with("Content-Length: +5\r\n"), Err(HeadError::ContentLength));
    assert_eq!(with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Err(HeadError::TwoLengths));
    assert_eq!(with("Transfer-Encoding: gzip, chunked\r\n"), Err(HeadError::TransferEncoding));
    assert!(with("Content-Length : 5\r\n").is_err());
    assert!(with("Host: other\r\n").is_err());
    assert_eq!(head("GET / HTTP/1.1\r\n\r\n").err(), Some(HeadError::NoHost));
    assert_eq!(head("GET / HTTP/2.0\r\n\r\n").err(), Some(HeadError::Version));
}

#[test]
fn connections_stay_as_each_version_has_it() {
    let stays = |version: &str, lines: &str| {
        head(&format!("GET / {version}\r\nHost: h\r\n{lines}\r\n")).unwrap().keep_alive
    };
    assert!(stays("HTTP/1.1", "") && stays("HTTP/1.0", "Connection: Keep-Alive\r\n"));
    assert!(!stays("HTTP/1.0", "") && !stays("HTTP/1.1", "Connection: x, close\r\n"));
}

#[test]
fn heads_have_limits() {
    let long = |target: usize, fields: usize| {
        let lines = "X: y\r\n".repeat(fields);
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n{lines}\r\n", "a".repeat(target))
    };
    let parse = |text: &str| parse_head(text.as_bytes(), 8192, None).map(|head| head.is_some());
    assert_eq!(parse(&long(4000, 10)), Ok(true));
    assert_eq!(parse(&long(4096, 10)), Err(HeadError::LineTooLong));
    assert_eq!(parse(&long(9000, 0)), Err(HeadError::LineTooLong));
    assert_eq!(parse(&long(10, 64)), Err(HeadError::TooManyFields));
    let wide = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "y".repeat(9000));
    assert_eq!(parse(&wide), Err(HeadError::TooLong { limit: 8192 }));
    assert_eq!(parse("GET / HTTP/1.1\r\nHost"), Ok(false));
}

#[test]
fn paths_are_decoded_and_must_be_normal() {
    let path = |target| Target::parse(target).map(|target| target.path.into_owned());
    assert_eq!(path("/a%20b/%E6%96%87"), Ok("/a b/文".to_owned()));
    assert_eq!(path("http://host:8888/a?b"), Ok("/a".to_owned()));
    for (target, error) in [
        ("/a%00b", TargetError::PathText),
        ("/a%0d%0ab", TargetError::PathText),
        ("/a%ff", TargetError::PathText),
        ("/a%2", TargetError::Escape),
        ("/a/../b", TargetError::Segment),
        ("/a/%2e%2E/b", TargetError::Segment),
        ("/a/..%2Fb", TargetError::Segment),
        ("//a", TargetError::Segment),
        ("/a//b", TargetError::Segment),
        ("/a/.", TargetError::Segment),
        ("a", TargetError::Form),
        ("*", TargetError::Form),
        ("/a#b", TargetError::Character),
    ] {
        assert_eq!(path(target), Err(error), "{target}");
    }
    let many = "a=b&".repeat(32);
    assert_eq!(path(&format!("/x?{many}")), Err(TargetError::TooManyParameters));
}

#[test]
fn overlapping_and_many_ranges_are_joined_or_refused() {
    let parts = |field: &str| match parse_range(field.as_bytes(), 100, true) {
        RangeAnswer::Parts(ranges) => ranges.as_slice().iter().map(|r| (r.first, r.last)).collect(),
        RangeAnswer::Whole => vec![(0, 99)],
        RangeAnswer::Unsatisfiable => Vec::new(),
    };
    assert_eq!(parts("bytes=50-59,0-9"), [(50, 59), (0, 9)]);
    assert_eq!(parts("bytes=0-9,10-19"), [(0, 19)]);
    assert_eq!(parts("bytes=0-9,40-49,5-44"), [(0, 49)]);
    assert_eq!(parts("bytes=0-,0-,0-,0-"), []);
    assert_eq!(parts("bytes=0-9, 200-"), [(0, 9)]);
    assert_eq!(parts("bytes=9-0"), []);
    assert_eq!(parts("bytes=x"), []);
    assert_eq!(parts("bytes=-0"), []);
    assert_eq!(parts("bytes=-18446744073709551616"), [(0, 99)]);
    assert_eq!(parts("BYTES=1-18446744073709551616"), [(1, 99)]);
    assert_eq!(parts(&format!("bytes={}", "0-0,".repeat(17))), []);
    assert_eq!(parse_range(b"bytes=0-0", 0, true), RangeAnswer::Unsatisfiable);
    assert_eq!(parse_range(b"bytes=0-0,2-2", 9, false), RangeAnswer::Unsatisfiable);
}

#[test]
fn a_multipart_answer_is_as_long_as_it_says() {
    let RangeAnswer::Parts(ranges) = parse_range(b"bytes=0-1,5-6", 10, true) else { unreachable!() };
    let multipart = Multipart { boundary: Boundary::new(0xAB), media: "a/b", size: 10, ranges };
    let mut out = Vec::new();
    for part in ranges.as_slice() {
        multipart.push_part_head(*part, &mut out);
        out.extend_from_slice(&b"0123456789"[part.first as usize..=part.last as usize]);
    }
    multipart.push_end(&mut out);
    assert_eq!(out.len() as u64, multipart.content_len());
    let text = String::from_utf8(out).unwrap();
    let head = "\r\n--ba00000000000000\r\nContent-Type: a/b\r\nContent-Range: bytes 0-1/10\r\n\r\n01";
    assert!(text.starts_with(head) && text.ends_with("56\r\n--ba00000000000000--\r\n"), "{text}");
    assert_eq!(ByteRange { first: 0, last: u64::MAX }.len(), u64::MAX);
}

#[test]
fn dates_come_in_three_formats_and_go_out_in_one() {
    let texts =
        ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
    for text in texts {
        assert_eq!(parse_date(text.as_bytes()), Some(784_111_777), "{text}");
    }
    assert_eq!(DateText::new(784_111_777).as_bytes(), texts[0].as_bytes());
    assert_eq!(parse_date(b"yesterday"), None);
    DateText::new(i64::MAX);
    DateText::new(i64::MIN);
}

#[test]
fn codings_are_weighed() {
    let choose = |field: &'static str| {
        let accepted = accepted(&Lines::one(field.as_bytes()), &Coding::ALL);
        (accepted.coding, accepted.identity)
    };
    assert_eq!(choose("gzip, br"), (Some(Coding::Brotli), true));
    assert_eq!(choose("gzip;q=1, br;q=0.5"), (Some(Coding::Gzip), true));
    assert_eq!(choose("gzip;q=0"), (None, true));
    assert_eq!(choose("*"), (Some(Coding::Zstd), true));
    assert_eq!(choose("identity, gzip;q=0.5"), (None, true));
    assert_eq!(choose("identity;q=0, gzip;q=0.5"), (Some(Coding::Gzip), false));
    assert_eq!(choose("*;q=0"), (None, false));
    assert_eq!(choose("gzip;q=2"), (None, true));
    assert_eq!(accepted(&Lines::default(), &Coding::ALL).coding, None);
}

#[test]
fn media_types_are_read_in_apaches_form() {
    let types = MimeTypes::parse("# c\ntext/plain txt\nimage/jpeg jpg JPEG # d\napplication/x\n");
    assert!(types.is_ok());
    assert_eq!(
        MimeTypes::parse("a\n").err().unwrap().to_string(),
        "line 1: \"a\" is no media type such as text/plain"
    );
    assert!(matches!(MimeTypes::parse("\ntypes {\n"), Err(MimeError::Nginx { line: 2 })));
    assert!(MimeTypes::built_in().with_default("a/b\r\nc").is_none());
}

#[test]
fn origins_are_allowed_by_list() {
    let page = RequestFields { origin: Some(b"https://a.example"), ..RequestFields::default() };
    let other = RequestFields { origin: Some(b"https://b.example"), ..RequestFields::default() };
    let listed = Origins::Listed(vec!["https://a.example".to_owned()]);
    assert_eq!(listed.decide(&page).allow_origin, Some("https://a.example"));
    assert_eq!(listed.decide(&other).allow_origin, None);
    assert!(listed.decide(&other).vary);
    assert_eq!(Origins::All.decide(&other).allow_origin, Some("*"));
    assert_eq!(Origins::Own.decide(&page).allow_origin, None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_head_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_head(&bytes, 100, Some("x"));
    }

    #[test]
    fn any_name_to_save_under_is_one_visible_line(raw in "[ -~]{0,80}|(%[0-9a-fA-F]{2}){0,40}") {
        let parameters = Parameters { filename: Some(&raw), ..Parameters::default() };
        let mut out = Vec::new();
        push_disposition(&parameters, &mut out);
        prop_assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')));
    }
}
