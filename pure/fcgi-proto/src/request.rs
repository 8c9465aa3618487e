//! The variables of CGI as the head of an HTTP request (RFC 3875 section 4.1).

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri, Version};

use crate::pairs::Params;

/// Longest target of a request, with what has to be escaped in it, bytes.
pub const TARGET_BYTES_MAX: usize = 16 << 10;

/// Header fields that are not the application's business. nginx passes all on.
const NOT_PASSED_ON: [&str; 12] = [
    // A program would take it for the address of its proxy: "httpoxy", CVE-2016-5385.
    "proxy",
    // They have variables of their own, which say what really follows.
    "content-length",
    "content-type",
    // They are about the connection to the web server (RFC 9110 section 7.6.1), which has dealt with them.
    "connection",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Who asks, as the web server says; among the extensions of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The address, IPv4 as such; none when the web server does not say it, or is connected to by a local socket.
    pub ip: Option<IpAddr>,
    /// The connection to the web server is encrypted.
    pub https: bool,
}

/// What the variables say.
#[derive(Debug)]
pub struct Head {
    /// With [`Client`] among its extensions.
    pub request: Request<()>,
    /// How much content follows, bytes; none when the web server does not know.
    pub content_len: Option<u64>,
}

/// Why variables are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Nobody set it in the configuration of the web server.
    #[error("the web server sets no REQUEST_METHOD")]
    NoMethod,
    /// Nobody set one of them in the configuration of the web server.
    #[error("the web server sets neither REQUEST_URI nor SCRIPT_NAME nor PATH_INFO")]
    NoTarget,
    /// It is none.
    #[error("a method that is none")]
    Method,
    /// It is none, or has a fragment.
    #[error("a target that is none")]
    Target,
    /// It is longer than [`TARGET_BYTES_MAX`].
    #[error("a target of more than {TARGET_BYTES_MAX} bytes")]
    TargetTooLong,
    /// It is no number.
    #[error("a length of content that is no number")]
    ContentLength,
    /// Its name or value has characters that must not be there.
    #[error("a header field with characters that must not be in it")]
    Field,
}

impl HeadError {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            HeadError::NoMethod | HeadError::NoTarget => StatusCode::INTERNAL_SERVER_ERROR,
            HeadError::TargetTooLong => StatusCode::URI_TOO_LONG,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// The head that the variables stand for.
///
/// Which variables count: `REQUEST_METHOD`; `REQUEST_URI`, or else `SCRIPT_NAME`, `PATH_INFO` and `QUERY_STRING`;
/// `SERVER_PROTOCOL`; `CONTENT_TYPE`, `CONTENT_LENGTH`; `REMOTE_ADDR`, `HTTPS`; and every `HTTP_*` but a few. A variable
/// with an empty value is one that is not set: that is how a web server's configuration takes one away.
///
/// # Errors
/// [`HeadError`].
pub fn request_head(params: &Params) -> Result<Head, HeadError> {
    let set = |name| params.get(name).filter(|value| !value.is_empty());
    let mut request = Request::new(());
    let method = set("REQUEST_METHOD").ok_or(HeadError::NoMethod)?;
    *request.method_mut() = Method::from_bytes(method).map_err(|_| HeadError::Method)?;
    *request.uri_mut() = target(params)?;
    *request.version_mut() = match set("SERVER_PROTOCOL").map(|text| &text[..]) {
        Some(b"HTTP/1.0") => Version::HTTP_10,
        Some(b"HTTP/2.0") => Version::HTTP_2,
        Some(b"HTTP/3.0") => Version::HTTP_3,
        _ => Version::HTTP_11,
    };
    let headers = request.headers_mut();
    for (name, value) in params.iter() {
        let Some(name) = name.strip_prefix(b"HTTP_") else { continue };
        let name = field_name(name)?;
        if !value.is_empty() && !NOT_PASSED_ON.contains(&name.as_str()) {
            headers.append(name, field_value(value)?);
        }
    }
    if let Some(media) = set("CONTENT_TYPE") {
        headers.insert(CONTENT_TYPE, field_value(media)?);
    }
    let content_len = content_len(set("CONTENT_LENGTH"), headers)?;
    request.extensions_mut().insert(Client {
        ip: set("REMOTE_ADDR").and_then(|text| ip(text)),
        https: set("HTTPS").is_some_and(|value| !value.eq_ignore_ascii_case(b"off")),
    });
    Ok(Head { request, content_len })
}

fn content_len(digits: Option<&Bytes>, headers: &mut HeaderMap) -> Result<Option<u64>, HeadError> {
    let Some(digits) = digits else { return Ok(None) };
    // `parse` takes a sign, too.
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let len: u64 = text.and_then(|text| text.parse().ok()).ok_or(HeadError::ContentLength)?;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    Ok(Some(len))
}

fn ip(text: &[u8]) -> Option<IpAddr> {
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

fn field_name(variable: &[u8]) -> Result<HeaderName, HeadError> {
    let name: Vec<u8> = variable.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
    HeaderName::from_bytes(&name).map_err(|_| HeadError::Field)
}

/// Bytes above ASCII may be in it, line breaks and other controls may not.
fn field_value(value: &Bytes) -> Result<HeaderValue, HeadError> {
    HeaderValue::from_maybe_shared(value.clone()).map_err(|_| HeadError::Field)
}

fn target(params: &Params) -> Result<Uri, HeadError> {
    let set = |name| params.get(name).filter(|value| !value.is_empty());
    let mut text = String::new();
    if let Some(as_sent) = set("REQUEST_URI") {
        push_escaped(as_sent, Kind::AsSent, &mut text)?;
    } else {
        let parts = [set("SCRIPT_NAME"), set("PATH_INFO")];
        if parts == [None, None] {
            return Err(HeadError::NoTarget);
        }
        for part in parts.into_iter().flatten() {
            push_escaped(part, Kind::Path, &mut text)?;
        }
        if let Some(query) = set("QUERY_STRING") {
            text.push('?');
            push_escaped(query, Kind::AsSent, &mut text)?;
        }
    }
    let uri: Uri = text.parse().map_err(|_| HeadError::Target)?;
    // One with scheme and host in it is asked for by its path; one with a host alone is for a proxy.
    let target = uri.into_parts().path_and_query.ok_or(HeadError::Target)?;
    if !target.as_str().starts_with(['/', '*']) {
        return Err(HeadError::Target);
    }
    Ok(Uri::from(target))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As the client wrote it: escaped, though perhaps not everything that should be.
    AsSent,
    /// A path without escapes: what means something in a target means itself in it.
    Path,
}

/// Appends part of a target, with everything escaped that is not allowed in one (RFC 3986 sections 2.2, 2.3). Names in
/// any language arrive as they are from clients that don't escape.
fn push_escaped(bytes: &[u8], kind: Kind, out: &mut String) -> Result<(), HeadError> {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for &byte in bytes {
        let allowed = match byte {
            b'#' if kind == Kind::AsSent => return Err(HeadError::Target),
            b'%' | b'?' | b'[' | b']' => kind == Kind::AsSent,
            b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';'
            | b'=' => true,
            b'-' | b'.' | b'_' | b'~' => true,
            // A blank or a line break, as sent, is an attempt at something.
            0..=b' ' | 0x7f if kind == Kind::AsSent => return Err(HeadError::Target),
            byte => byte.is_ascii_alphanumeric(),
        };
        match allowed {
            true => out.push(char::from(byte)),
            false => {
                let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
                out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        if out.len() > TARGET_BYTES_MAX {
            return Err(HeadError::TargetTooLong);
        }
    }
    Ok(())
}
