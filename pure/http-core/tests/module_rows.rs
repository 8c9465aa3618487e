//! The rows of the reference's table of requests, each with the module's answer and ours, and a test for each of the
//! module's bugs, named after it.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name, token};
use http_core::cors::Origins;
use http_core::date::DateText;
use http_core::elsewhere::{NotHere, ResponseMode, location, not_here};
use http_core::mime::MimeTypes;
use http_core::multipart::Boundary;
use http_core::token::{Access, TokenRules};
use http_core::{
    FileFacts, FileRequest, FileRules, FileTarget, Method, Status, Target, Version, answer_file, parse_head,
};

/// What files that never change are answered with, as it is configured by default.
const CACHE_FOREVER: &str = "public, max-age=31536000, immutable";
const MADE: u32 = 1_700_000_000;
const NOW: i64 = 1_700_100_000;

fn name(extension: &[u8]) -> FileName {
    let stamp =
        Stamp { source: Source::Id(7), timestamp: MADE, size: SizeWord::normal(1000, 5), crc32: 0x1234_ABCD };
    build_name(StorePathIndex(0), (0, 0), &stamp, &ExtName::parse(extension).unwrap(), 1)
}

fn rules() -> FileRules {
    FileRules {
        several_ranges: true,
        cache_control: CACHE_FOREVER.to_owned(),
        origins: Origins::Own,
        codings: Vec::new(),
        types: MimeTypes::built_in(),
        flv_extension: None,
    }
}

/// The head of the answer to a request for a file of 1000 bytes (or one that is gone), with these lines of header.
fn ask(method: &str, query: &str, lines: &str, there: bool) -> String {
    let name = name(b"jpg");
    let text = format!("{method} /group1/{name}{query} HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    let head = parse_head(text.as_bytes(), 8192, None).unwrap().unwrap();
    let target = Target::parse(head.target).unwrap();
    let file = FileTarget::parse(&target.path, true).unwrap();
    let request = FileRequest {
        method: head.method,
        version: head.version,
        fields: &head.fields,
        parameters: &target.parameters,
        name: &file.name,
        link_left: None,
        boundary: Boundary::new(1),
        now: NOW,
        may_compress: true,
        derived: false,
    };
    let rules = rules();
    let facts = FileFacts { size: 1000, modified: NOW - 50 };
    let answer = answer_file(&request, there.then_some(&facts), &rules);
    let mut out = Vec::new();
    answer.write_http1(&mut out, &DateText::new(NOW), head.version, head.keep_alive);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn holds(head: &str, status: u16, lines: &[&str]) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    for line in lines {
        assert!(head.lines().any(|found| found == *line), "{line} is not in {head}");
    }
}

fn made() -> String {
    String::from_utf8(DateText::new(MADE.into()).as_bytes().to_vec()).unwrap()
}

fn range(field: &str, status: u16, content_range: &str, len: u64) {
    let head = ask("GET", "", &format!("Range: {field}\r\n"), true);
    let content_range = format!("Content-Range: bytes {content_range}");
    holds(&head, status, &[&content_range, &format!("Content-Length: {len}")]);
}

#[test]
fn a_file_that_is_there_has_the_time_in_its_name() {
    let last_modified = format!("Last-Modified: {}", made());
    let tag = "ETag: \"1234abcd-3e8\"";
    let cache = format!("Cache-Control: {CACHE_FOREVER}");
    holds(&ask("GET", "", "", true), 200, &[&last_modified, tag, &cache, "Content-Length: 1000"]);
}

#[test]
fn a_time_that_is_equal_or_later_is_not_modified_and_an_earlier_one_is() {
    let since = |seconds: i64| {
        let date = DateText::new(i64::from(MADE) + seconds);
        let date = String::from_utf8(date.as_bytes().to_vec()).unwrap();
        ask("GET", "", &format!("If-Modified-Since: {date}\r\n"), true)
    };
    holds(&since(0), 304, &[]);
    // The module answers 200: it compares texts.
    holds(&since(1), 304, &[]);
    holds(&since(-1), 200, &[]);
}

#[test]
fn ranges_are_answered_as_the_module_does_where_it_is_right() {
    range("bytes=0-99", 206, "0-99/1000", 100);
    range("bytes=-100", 206, "900-999/1000", 100);
    range("bytes=900-2000", 206, "900-999/1000", 100);
    let head = ask("GET", "", "Range: bytes=1000-\r\n", true);
    holds(&head, 416, &["Content-Range: bytes */1000"]);
    let head = ask("GET", "", "Range: bytes=0-1,5-6\r\n", true);
    holds(&head, 206, &["Content-Type: multipart/byteranges; boundary=1000000000000000"]);
    // The module takes any unit for bytes: RFC 9110 has others ignored.
    holds(&ask("GET", "", "Range: items=0-99\r\n", true), 200, &["Content-Length: 1000"]);
    // The module stops at five.
    holds(&ask("GET", "", "Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10\r\n", true), 206, &[]);
}

#[test]
fn other_methods_are_told_which_there_are() {
    holds(&ask("POST", "", "", true), 405, &["Allow: GET, HEAD, OPTIONS"]);
}

#[test]
fn names_of_the_wrong_form_are_bad_requests() {
    let status = |path: &str| FileTarget::parse(path, true).err().map(|error| error.status());
    assert_eq!(status("/group1/M00/00/00/short"), Some(Status::BAD_REQUEST));
    assert_eq!(status("/group1/M00/00/0g/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt"), Some(Status::BAD_REQUEST));
    assert_eq!(status("/group1/M00/00/00/000001"), Some(Status::BAD_REQUEST));
}

#[test]
fn a_name_to_save_under_comes_from_filename_and_from_attname() {
    let plain = "Content-Disposition: attachment; filename=\"a b.txt\"";
    holds(&ask("GET", "?filename=a%20b.txt", "", true), 200, &[plain]);
    holds(&ask("GET", "?attname=a+b.txt", "", true), 200, &[plain]);
    let chinese =
        "Content-Disposition: attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%96%87%E4%BB%B6.txt";
    holds(&ask("GET", "?filename=%E6%96%87%E4%BB%B6.txt", "", true), 200, &[chinese]);
}

fn access(query: &str) -> Access {
    let rules = TokenRules {
        secret: "FastDFS1234567890".to_owned(),
        ttl: 900,
        bypass: None,
        fail_status: Status::FORBIDDEN,
    };
    let parameters = http_core::Parameters::parse(query).unwrap();
    rules.check("M00/00/00/abc.jpg", &parameters, &http_core::RequestFields::default(), NOW)
}

#[test]
fn tokens_are_the_modules_but_expire() {
    let made = |ts: i64| {
        let token = token::make("M00/00/00/abc.jpg", "FastDFS1234567890", ts);
        access(&format!("token={token}&ts={ts}"))
    };
    assert_eq!(access(""), Access::Missing);
    assert_eq!(made(NOW), Access::Granted { left: Some(900) });
    assert_eq!(made(NOW - 900), Access::Granted { left: Some(0) });
    assert_eq!(made(NOW - 901), Access::Refused);
    // For ever, in the module.
    assert_eq!(made(0), Access::Refused);
    assert_eq!(made(NOW + 900), Access::Granted { left: Some(1800) });
    assert_eq!(made(NOW + 901), Access::Refused);
    assert_eq!(access(&format!("token=34b3c6ce0cb93d609c3795431d00f9ba&ts={NOW}")), Access::Refused);
}

#[test]
fn bug_1_304_before_existence_check() {
    let lines = format!("If-Modified-Since: {}\r\nIf-None-Match: *\r\n", made());
    holds(&ask("GET", "", &lines, false), 404, &[]);
}

#[test]
fn bug_2_redirect_buffer_over_read() {
    let raw = format!("/group1/M00/00/00/{}?a=b", "x".repeat(300));
    let member = "[2001:db8::1]:8888".parse().unwrap();
    assert_eq!(location(member, &raw), format!("http://[2001:db8::1]:8888{raw}&redirect=1"));
    assert_eq!(location("10.0.0.1:80".parse().unwrap(), "/a"), "http://10.0.0.1/a?redirect=1");
}

#[test]
fn bug_3_header_injection_by_filename() {
    let head = ask("GET", "?filename=a%22%0D%0ASet-Cookie:%20b", "", true);
    assert!(!head.lines().any(|line| line.starts_with("Set-Cookie")), "{head}");
    holds(&head, 200, &[]);
}

#[test]
fn bug_4_bytes_0_0_is_the_whole_file() {
    range("bytes=0-0", 206, "0-0/1000", 1);
}

#[test]
fn bug_5_two_spaces_before_http_1_0() {
    let parse = |text: &[u8]| parse_head(text, 8192, None).map(|head| head.map(|h| h.from_original_proxy));
    assert_eq!(parse(b"GET /a?redirect=1  HTTP/1.0\r\nHost: h\r\n\r\n"), Ok(Some(true)));
    assert_eq!(parse(b"GET /a HTTP/1.0\r\n\r\n"), Ok(Some(false)));
    for refused in [
        &b"GET /a  HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"GET /a   HTTP/1.0\r\n\r\n",
        b"GET  /a HTTP/1.0\r\n\r\n",
    ] {
        assert!(parse(refused).is_err());
    }
}

#[test]
fn bug_6_names_cut_at_127_characters() {
    let path = format!("/group1/M00/00/00/{}", "x".repeat(200));
    assert_eq!(FileTarget::parse(&path, true).err().map(|e| e.status()), Some(Status::BAD_REQUEST));
}

#[test]
fn bug_8_metadata_files_over_http() {
    let path = format!("/group1/{}-m", name(b"jpg"));
    assert_eq!(FileTarget::parse(&path, true).err().map(|e| e.status()), Some(Status::NOT_FOUND));
}

#[test]
fn bug_11_redirect_as_a_users_parameter() {
    let parameters = http_core::Parameters::parse("redirect=1").unwrap();
    assert_eq!(not_here(&parameters, false, ResponseMode::Proxy), NotHere::PassOn);
    assert_eq!(not_here(&parameters, true, ResponseMode::Proxy), NotHere::NotFound);
}

#[test]
fn bug_12_a_name_is_always_an_attachment() {
    let shown = "Content-Disposition: inline; filename=\"a.jpg\"";
    holds(&ask("GET", "?filename=a.jpg&disposition=inline", "", true), 200, &[shown]);
}

#[test]
fn conditions_have_the_order_of_rfc_9110() {
    let tag = "\"1234abcd-3e8\"";
    let asked = |lines: &str| ask("GET", "", lines, true);
    holds(&asked(&format!("If-None-Match: \"x\", W/{tag}\r\n")), 304, &[]);
    holds(&asked("If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n"), 200, &[]);
    holds(&asked("If-Match: \"x\"\r\nIf-None-Match: *\r\n"), 412, &[]);
    holds(&asked("If-Unmodified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n"), 412, &[]);
    holds(&asked(&format!("If-Range: {tag}\r\nRange: bytes=1-1\r\n")), 206, &[]);
    holds(&asked(&format!("If-Range: W/{tag}\r\nRange: bytes=1-1\r\n")), 200, &[]);
    holds(&asked(&format!("If-Range: {}\r\nRange: bytes=1-1\r\n", made())), 206, &[]);
    assert_eq!(Method::parse("get"), Method::Other("get"));
    assert_ne!(Version::Http10, Version::Http11);
}
