//! The head of an HTTP/1.x request, for the fast path (RFC 9112).
//!
//! One exception to the grammar: FastDFS's nginx module, when it passes a request on to the storage that has the file,
//! writes **two blanks** before `HTTP/1.0` (HTTP access: proxy mode). Exactly that is accepted, and nothing near it: not
//! with HTTP/1.1, not three blanks, not before the target.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Request, Status as Parsed};

use crate::fields::{Repeated, RequestFields};
use crate::status::Status;
use crate::target::URL_BYTES_MAX;

/// Header fields of a request at most.
pub const FIELDS_MAX: usize = 64;

/// What a client that speaks HTTP/2 without asking begins with. Such a connection is for another decoder.
pub const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A request's method, as far as files have answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method<'a> {
    /// The content.
    Get,
    /// What GET would answer, without the content.
    Head,
    /// What is possible.
    Options,
    /// Anything else.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// Reads a method; its case counts.
    pub fn parse(text: &'a str) -> Self {
        match text {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "OPTIONS" => Method::Options,
            other => Method::Other(other),
        }
    }
}

/// The version of HTTP, as far as it changes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// No chunks, and the connection ends unless both sides say otherwise.
    Http10,
    /// The connection stays unless one side says otherwise.
    Http11,
    /// Framing is somebody else's.
    Http2,
}

/// How much content follows the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// None.
    None,
    /// So many bytes, more than none.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// A request head. Everything in it points into the bytes that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// What is asked for.
    pub method: Method<'a>,
    /// The request target as sent.
    pub target: &'a str,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The fields that count.
    pub fields: RequestFields<'a>,
    /// What follows.
    pub content: Content,
    /// Whether the connection may serve another request after this one, if its content is read to the end.
    pub keep_alive: bool,
    /// The request line is that of FastDFS's module passing a request on.
    pub from_original_proxy: bool,
    /// Bytes of the head, leading empty lines included.
    pub len: usize,
}

/// Why a head was refused. The connection must be closed: where the next request begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum HeadError {
    #[error("not an HTTP/1 request")]
    Malformed,
    #[error("a version of HTTP that is neither 1.0 nor 1.1")]
    Version,
    #[error("the request line is too long")]
    LineTooLong,
    #[error("the head is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("more than {limit} header fields", limit = FIELDS_MAX)]
    TooManyFields,
    #[error(transparent)]
    Repeated(#[from] Repeated),
    #[error("an HTTP/1.1 request without Host")]
    NoHost,
    #[error("Content-Length is not a number")]
    ContentLength,
    #[error("Content-Length and Transfer-Encoding contradict each other")]
    TwoLengths,
    #[error("a Transfer-Encoding other than chunked, or in HTTP/1.0")]
    TransferEncoding,
}

impl HeadError {
    /// The status that says so.
    pub fn status(self) -> Status {
        match self {
            HeadError::Version => Status::VERSION_NOT_SUPPORTED,
            HeadError::LineTooLong => Status::URI_TOO_LONG,
            HeadError::TooLong { .. } | HeadError::TooManyFields => Status::FIELDS_TOO_LARGE,
            HeadError::TransferEncoding => Status::NOT_IMPLEMENTED,
            _ => Status::BAD_REQUEST,
        }
    }
}

/// Drops blanks and tabs at both ends, and nothing else: a field value may hold bytes above ASCII.
pub(crate) fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Reads the head at the beginning of `bytes`; `Ok(None)` while its end has not come. `limit` is for the whole head, in
/// bytes. `bypass_name` as for [`RequestFields::collect`].
pub fn parse_head<'a>(
    bytes: &'a [u8],
    limit: usize,
    bypass_name: Option<&str>,
) -> Result<Option<RequestHead<'a>>, HeadError> {
    let seen = bytes.get(..limit).unwrap_or(bytes);
    let mut storage = [const { MaybeUninit::<Header<'a>>::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let mut config = ParserConfig::default();
    // Which blanks are right is looked at below.
    config.allow_multiple_spaces_in_request_line_delimiters(true);
    let parsed = config.parse_request_with_uninit_headers(&mut request, seen, &mut storage);
    let len = match parsed {
        Ok(Parsed::Complete(len)) => len,
        Ok(Parsed::Partial) if seen.len() == limit => {
            let line_ended = request.version.is_some();
            return Err(if line_ended { HeadError::TooLong { limit } } else { HeadError::LineTooLong });
        }
        Ok(Parsed::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
        // A later HTTP is told from what is none at all.
        Err(httparse::Error::Version) if names_a_version(seen) => return Err(HeadError::Version),
        Err(_) => return Err(HeadError::Malformed),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(HeadError::Malformed);
    };
    let from_original_proxy = check_line(seen, method, target, minor)?;
    let (version, http11) = if minor == 0 { (Version::Http10, false) } else { (Version::Http11, true) };
    let fields = RequestFields::collect(request.headers.iter().map(|h| (h.name, h.value)), bypass_name)?;
    if http11 && fields.host.is_none() {
        return Err(HeadError::NoHost);
    }
    Ok(Some(RequestHead {
        method: Method::parse(method),
        target,
        version,
        content: content(&fields, http11)?,
        keep_alive: keep_alive(&fields, http11),
        fields,
        from_original_proxy,
        len,
    }))
}

/// Looks at the blanks of the request line: true when they are those of FastDFS's module.
fn check_line(bytes: &[u8], method: &str, target: &str, minor: u8) -> Result<bool, HeadError> {
    if target.len() > URL_BYTES_MAX {
        return Err(HeadError::LineTooLong);
    }
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
    let after_method = bytes.get(start + method.len()..).unwrap_or_default();
    let rest = after_method.strip_prefix(b" ").and_then(|rest| rest.strip_prefix(target.as_bytes()));
    match rest {
        Some([b' ', b'H', ..]) => Ok(false),
        Some([b' ', b' ', b'H', ..]) if minor == 0 => Ok(true),
        _ => Err(HeadError::Malformed),
    }
}

fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').find(|line| line.len() > 1).unwrap_or_default();
    let last = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    matches!(last, [b'H', b'T', b'T', b'P', b'/', d, b'.', m] if d.is_ascii_digit() && m.is_ascii_digit())
}

fn content(fields: &RequestFields<'_>, http11: bool) -> Result<Content, HeadError> {
    match (fields.transfer_encoding, fields.content_length) {
        (None, None) => Ok(Content::None),
        (Some(_), Some(_)) => Err(HeadError::TwoLengths),
        (Some(coding), None) if http11 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Content::Chunked),
        (Some(_), None) => Err(HeadError::TransferEncoding),
        (None, Some(digits)) => match decimal(digits).ok_or(HeadError::ContentLength)? {
            0 => Ok(Content::None),
            len => Ok(Content::Length(len)),
        },
    }
}

/// Digits and nothing else, at least one; none when the number does not fit.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn keep_alive(fields: &RequestFields<'_>, http11: bool) -> bool {
    let says = |wanted: &[u8]| fields.connection.elements().any(|option| option.eq_ignore_ascii_case(wanted));
    !says(b"close") && (http11 || says(b"keep-alive"))
}
