//! Variables of CGI as HTTP requests, and HTTP responses as what CGI programs print.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::IpAddr;

use fcgi_proto::{Client, Head, HeadError, Params, Unanswerable, answer_head, push_pair, request_head};
use http::{HeaderMap, Method, Response, StatusCode, Version};

fn params(pairs: &[(&str, &[u8])]) -> Params {
    let mut bytes = Vec::new();
    for (name, value) in pairs {
        push_pair(name.as_bytes(), value, &mut bytes);
    }
    Params::decode(bytes.into(), pairs.len()).unwrap()
}

/// A request with these variables behind what every request has.
fn head(more: &[(&str, &[u8])]) -> Result<Head, HeadError> {
    let mut pairs: Vec<(&str, &[u8])> = vec![("REQUEST_METHOD", b"GET"), ("REQUEST_URI", b"/")];
    pairs.extend(more);
    request_head(&params(&pairs))
}

fn uri(pairs: &[(&str, &[u8])]) -> Result<String, HeadError> {
    let mut all: Vec<(&str, &[u8])> = vec![("REQUEST_METHOD", b"GET")];
    all.extend(pairs);
    request_head(&params(&all)).map(|head| head.request.uri().to_string())
}

#[test]
fn the_target_is_the_one_that_was_sent() {
    let long = format!("/{}", "a".repeat(16 << 10)).into_bytes();
    let rows: [(&str, Result<&str, HeadError>); 14] = [
        ("/a/b?c=d&e=%E4%BD%A0", Ok("/a/b?c=d&e=%E4%BD%A0")),
        ("/你好?名=值", Ok("/%E4%BD%A0%E5%A5%BD?%E5%90%8D=%E5%80%BC")),
        ("//double/./../x", Ok("//double/./../x")),
        ("/{a}|b\"<>^`\\", Ok("/%7Ba%7D%7Cb%22%3C%3E%5E%60%5C")),
        ("/a?b?c[0]=1", Ok("/a?b?c[0]=1")),
        ("*", Ok("*")),
        ("http://host:81/p?q", Ok("/p?q")),
        ("http://host", Ok("/")),
        ("host:443", Err(HeadError::Target)),
        ("name", Err(HeadError::Target)),
        ("/a b", Err(HeadError::Target)),
        ("/a\r\nX: y", Err(HeadError::Target)),
        ("/a#b", Err(HeadError::Target)),
        ("?a", Err(HeadError::Target)),
    ];
    for (sent, wanted) in rows {
        assert_eq!(uri(&[("REQUEST_URI", sent.as_bytes())]), wanted.map(str::to_owned), "{sent}");
    }
    assert_eq!(uri(&[("REQUEST_URI", &long)]), Err(HeadError::TargetTooLong));
    assert_eq!(uri(&[("REQUEST_URI", &long[1..])]).map_err(HeadError::status), Err(StatusCode::BAD_REQUEST));
    assert_eq!(uri(&[("REQUEST_URI", b"/\xff\xfe")]), Ok("/%FF%FE".to_owned()));
}

#[test]
fn without_it_the_target_is_put_together() {
    type Row<'a> = (&'a [(&'a str, &'a [u8])], Result<&'a str, HeadError>);
    let rows: [Row<'_>; 8] = [
        (&[("SCRIPT_NAME", b"/a b%"), ("PATH_INFO", "/文?#".as_bytes())], Ok("/a%20b%25/%E6%96%87%3F%23")),
        (&[("SCRIPT_NAME", b"/a"), ("QUERY_STRING", b"x=1&y=%20")], Ok("/a?x=1&y=%20")),
        (&[("PATH_INFO", b"/p"), ("REQUEST_URI", b"")], Ok("/p")),
        (&[("SCRIPT_NAME", b"/a\nb")], Ok("/a%0Ab")),
        (&[("SCRIPT_NAME", b"/a"), ("QUERY_STRING", b"a\nb")], Err(HeadError::Target)),
        (&[("SCRIPT_NAME", b"a")], Err(HeadError::Target)),
        (&[("QUERY_STRING", b"a=b")], Err(HeadError::NoTarget)),
        (&[], Err(HeadError::NoTarget)),
    ];
    for (pairs, wanted) in rows {
        assert_eq!(uri(pairs), wanted.map(str::to_owned), "{pairs:?}");
    }
}

#[test]
fn header_fields_are_the_variables_that_begin_so() {
    let head = head(&[
        ("HTTP_HOST", b"example.com"),
        ("HTTP_X_FORWARDED_FOR", b"10.0.0.1"),
        ("HTTP_COOKIE", b"a=1"),
        ("HTTP_COOKIE", b"b=2"),
        ("HTTP_X_NAME", "你好".as_bytes()),
        ("HTTP_IF_NONE_MATCH", b""),
        ("HTTP_PROXY", b"http://evil/"),
        ("HTTP_CONTENT_LENGTH", b"99"),
        ("HTTP_CONTENT_TYPE", b"text/x"),
        ("HTTP_CONTENT-LENGTH", b"99"),
        ("HTTP_CONNECTION", b"keep-alive"),
        ("HTTP_TRANSFER_ENCODING", b"chunked"),
        ("HTTP_EXPECT", b"100-continue"),
        ("HTTP_UPGRADE", b"h2c"),
        ("HTTPS", b"on"),
        ("CONTENT_TYPE", b"text/plain"),
        ("CONTENT_LENGTH", b"5"),
        ("DOCUMENT_ROOT", b"/srv"),
    ])
    .unwrap();
    let mut wanted = HeaderMap::new();
    for (name, value) in [
        ("host", "example.com"),
        ("x-forwarded-for", "10.0.0.1"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("content-type", "text/plain"),
        ("content-length", "5"),
    ] {
        wanted.append(name, value.parse().unwrap());
    }
    wanted.append("x-name", http::HeaderValue::from_bytes("你好".as_bytes()).unwrap());
    assert_eq!(head.request.headers(), &wanted);
    assert_eq!(head.content_len, Some(5));
}

#[test]
fn nothing_gets_into_a_head_that_is_no_field() {
    let rows: [(&str, &[u8], HeadError); 12] = [
        ("HTTP_X", b"a\r\nY: b", HeadError::Field),
        ("HTTP_X", b"a\nb", HeadError::Field),
        ("HTTP_X", b"a\0b", HeadError::Field),
        ("HTTP_X", b"a\x7fb", HeadError::Field),
        ("HTTP_X Y", b"a", HeadError::Field),
        ("HTTP_X\r\nY", b"a", HeadError::Field),
        ("HTTP_X:Y", b"a", HeadError::Field),
        ("HTTP_", b"a", HeadError::Field),
        ("CONTENT_TYPE", b"a\r\nb", HeadError::Field),
        ("CONTENT_LENGTH", b"+5", HeadError::ContentLength),
        ("CONTENT_LENGTH", b"5, 5", HeadError::ContentLength),
        ("CONTENT_LENGTH", b"99999999999999999999", HeadError::ContentLength),
    ];
    for (name, value, wanted) in rows {
        assert_eq!(head(&[(name, value)]).unwrap_err(), wanted, "{name:?} {value:?}");
        assert_eq!(wanted.status(), StatusCode::BAD_REQUEST);
    }
    for method in [&b"GET\r\nX: y"[..], b"G T"] {
        assert_eq!(head(&[("REQUEST_METHOD", method)]).unwrap_err(), HeadError::Method);
    }
    let missing = request_head(&params(&[("REQUEST_URI", b"/")])).unwrap_err();
    assert_eq!((missing, missing.status().as_u16()), (HeadError::NoMethod, 500));
}

#[test]
fn a_variable_that_is_set_twice_has_its_last_value() {
    let head = head(&[("REQUEST_METHOD", b"PROPFIND"), ("REQUEST_URI", b"/later")]).unwrap();
    assert_eq!((head.request.method().as_str(), head.request.uri().path()), ("PROPFIND", "/later"));
}

#[test]
fn who_asks_is_known_as_far_as_the_web_server_says() {
    type Row<'a> = (&'a [(&'a str, &'a [u8])], Option<&'a str>, bool);
    let rows: [Row<'_>; 7] = [
        (&[("REMOTE_ADDR", b"192.0.2.7"), ("HTTPS", b"on")], Some("192.0.2.7"), true),
        (&[("REMOTE_ADDR", b"2001:db8::1"), ("HTTPS", b"1")], Some("2001:db8::1"), true),
        (&[("REMOTE_ADDR", b"::ffff:192.0.2.7"), ("HTTPS", b"")], Some("192.0.2.7"), false),
        (&[("REMOTE_ADDR", b"unix:"), ("HTTPS", b"off")], None, false),
        (&[("REMOTE_ADDR", b"192.0.2.7:80"), ("HTTPS", b"OFF")], None, false),
        (&[("HTTP_REMOTE_ADDR", b"192.0.2.9"), ("HTTP_HTTPS", b"on")], None, false),
        (&[], None, false),
    ];
    for (pairs, ip, https) in rows {
        let head = head(pairs).unwrap();
        let ip: Option<IpAddr> = ip.map(|text| text.parse().unwrap());
        assert_eq!(head.request.extensions().get(), Some(&Client { ip, https }), "{pairs:?}");
    }
}

#[test]
fn versions_are_those_of_http() {
    let rows = [
        (&b"HTTP/1.0"[..], Version::HTTP_10),
        (b"HTTP/1.1", Version::HTTP_11),
        (b"HTTP/2.0", Version::HTTP_2),
        (b"HTTP/3.0", Version::HTTP_3),
        (b"INCLUDED", Version::HTTP_11),
    ];
    for (text, wanted) in rows {
        assert_eq!(head(&[("SERVER_PROTOCOL", text)]).unwrap().request.version(), wanted);
    }
    assert_eq!(head(&[]).unwrap().content_len, None);
    assert_eq!(head(&[("CONTENT_LENGTH", b"")]).unwrap().content_len, None);
    assert_eq!(head(&[("CONTENT_LENGTH", b"0")]).unwrap().content_len, Some(0));
}

fn answer(
    method: &str,
    status: u16,
    fields: &[(&str, &str)],
    known: Option<u64>,
) -> Result<(String, bool, Option<u64>), Unanswerable> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let parts = response.body(()).unwrap().into_parts().0;
    let head = answer_head(&Method::from_bytes(method.as_bytes()).unwrap(), &parts, known)?;
    Ok((String::from_utf8(head.bytes).unwrap(), head.has_content, head.content_len))
}

#[test]
fn an_answer_begins_with_its_status() {
    type Row<'a> = (&'a str, u16, &'a [(&'a str, &'a str)], Option<u64>, (&'a str, bool, Option<u64>));
    let rows: [Row<'_>; 12] = [
        ("GET", 200, &[], None, ("Status: 200 OK\r\n\r\n", true, None)),
        ("GET", 200, &[], Some(3), ("Status: 200 OK\r\ncontent-length: 3\r\n\r\n", true, Some(3))),
        (
            "POST",
            404,
            &[("content-length", "7"), ("x-name", "值")],
            Some(9),
            ("Status: 404 Not Found\r\nx-name: 值\r\ncontent-length: 7\r\n\r\n", true, Some(7)),
        ),
        (
            "HEAD",
            200,
            &[("content-length", "7")],
            Some(0),
            ("Status: 200 OK\r\ncontent-length: 7\r\n\r\n", false, Some(7)),
        ),
        ("HEAD", 200, &[], Some(0), ("Status: 200 OK\r\n\r\n", false, None)),
        ("HEAD", 200, &[], Some(3), ("Status: 200 OK\r\ncontent-length: 3\r\n\r\n", false, Some(3))),
        ("HEAD", 304, &[], Some(3), ("Status: 304 Not Modified\r\n\r\n", false, None)),
        ("GET", 204, &[("content-length", "0")], Some(0), ("Status: 204 No Content\r\n\r\n", false, Some(0))),
        (
            "GET",
            304,
            &[("etag", "\"a\"")],
            Some(0),
            ("Status: 304 Not Modified\r\netag: \"a\"\r\n\r\n", false, None),
        ),
        (
            "GET",
            200,
            &[("set-cookie", "a=1"), ("set-cookie", "b=2")],
            None,
            ("Status: 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n", true, None),
        ),
        (
            "GET",
            302,
            &[
                ("location", "/there"),
                ("connection", "close"),
                ("transfer-encoding", "chunked"),
                ("status", "200"),
            ],
            None,
            ("Status: 302 Found\r\nlocation: /there\r\n\r\n", true, None),
        ),
        ("GET", 599, &[], None, ("Status: 599\r\n\r\n", true, None)),
    ];
    for (method, status, fields, known, (text, has_content, len)) in rows {
        let wanted = (text.to_owned(), has_content, len);
        assert_eq!(answer(method, status, fields, known), Ok(wanted), "{method} {status}");
    }
}

#[test]
fn there_are_answers_that_can_not_be_given() {
    assert_eq!(answer("GET", 101, &[], None), Err(Unanswerable::Interim(StatusCode::SWITCHING_PROTOCOLS)));
    for lengths in [&["1", "1"][..], &["+1"], &["x"], &[""]] {
        let fields: Vec<_> = lengths.iter().map(|len| ("content-length", *len)).collect();
        assert_eq!(answer("GET", 200, &fields, None), Err(Unanswerable::ContentLength), "{lengths:?}");
    }
}
