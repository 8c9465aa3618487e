//! Answers: HTTP 200, JSON, with its length.

use axum::response::{IntoResponse, Response};
use drive_core::dialect::{Code, Plain};
use drive_core::share::ShareToken;
use drive_core::{NodeId, Problem};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;

/// An answer.
pub(super) fn reply(value: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_vec(value).map_err(|_| Problem::Contradiction("an answer can't be written"))?;
    Ok(json(text))
}

/// A code and nothing else.
pub(super) fn plain(code: Code) -> Response {
    let Plain { code } = code.into();
    json(format!("{{\"code\":{code}}}").into_bytes())
}

/// It is done.
pub(super) fn done() -> Response {
    plain(Code::Done)
}

fn json(text: Vec<u8>) -> Response {
    let length = text.len();
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// Where the bytes of one's own file are.
pub(super) fn own_url(node: NodeId) -> String {
    format!("/api/v1/nodes/{node}/content")
}

/// Where the bytes are that a link leads to.
pub(super) fn link_url(link: &ShareToken, node: NodeId) -> String {
    format!("/api/v1/public/shares/{}/nodes/{node}/content", link.as_str())
}
