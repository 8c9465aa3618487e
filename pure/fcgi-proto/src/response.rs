//! The head of an HTTP response as a web server reads it from a CGI program (RFC 3875 section 6).

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Method, StatusCode, response};

/// Fields of an answer that are the web server's to set (RFC 9110 section 7.6.1), or mean something else in CGI.
const NOT_PASSED_ON: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("status"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A head on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// Its lines, with the empty one at the end.
    pub bytes: Vec<u8>,
    /// Content follows.
    pub has_content: bool,
    /// How much, if that is known.
    pub content_len: Option<u64>,
}

/// Why there can't be an answer with such a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// A status below 200 is not the last one, and CGI has no others.
    #[error("{0} is no last answer to a request")]
    Interim(StatusCode),
    /// More than one, or no number.
    #[error("the length of the content is not one number")]
    ContentLength,
}

/// The head of an answer to `method`. `known_len` is the length of the content where that is certain: it is announced, if
/// the application did not do so.
///
/// # Errors
/// [`Unanswerable`].
pub fn answer_head(
    method: &Method,
    parts: &response::Parts,
    known_len: Option<u64>,
) -> Result<AnswerHead, Unanswerable> {
    let status = parts.status;
    if status.is_informational() {
        return Err(Unanswerable::Interim(status));
    }
    // RFC 9110 sections 6.4.1 and 8.6: none of them has content, and the first must not announce any.
    let announces = status != StatusCode::NO_CONTENT;
    let has_content = announces && status != StatusCode::NOT_MODIFIED && method != Method::HEAD;
    let given_len = given_len(&parts.headers)?;
    let mut bytes = format!("Status: {}", status.as_str()).into_bytes();
    if let Some(words) = status.canonical_reason() {
        bytes.push(b' ');
        bytes.extend_from_slice(words.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    let mut push = |name: &HeaderName, value: &[u8]| {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    };
    for (name, value) in &parts.headers {
        if !NOT_PASSED_ON.contains(name) && name != CONTENT_LENGTH {
            push(name, value.as_bytes());
        }
    }
    // An application may leave the content out itself for HEAD: none says nothing about what GET would answer.
    let says =
        |len: &u64| has_content || (method == Method::HEAD && status != StatusCode::NOT_MODIFIED && *len > 0);
    let content_len = given_len.or(known_len.filter(says));
    if let Some(len) = content_len.filter(|_| announces) {
        push(&CONTENT_LENGTH, HeaderValue::from(len).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(AnswerHead { bytes, has_content, content_len })
}

fn given_len(headers: &http::HeaderMap) -> Result<Option<u64>, Unanswerable> {
    let mut given = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = given.next() else { return Ok(None) };
    let digits = first.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits.and_then(|digits| digits.parse().ok()), given.next()) {
        (Some(len), None) => Ok(Some(len)),
        _ => Err(Unanswerable::ContentLength),
    }
}
