//! What a request asks for: JSON and queries, bounded in bytes and in time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use bytes::{Bytes, BytesMut};
use drive_core::idempotency::Fingerprint;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::refusal::{
    BODY_BROKE, BODY_INVALID, BODY_LATE, BODY_TOO_LARGE, NOT_JSON, PATH_INVALID, QUERY_INVALID, Refusal,
};

/// Bytes of a JSON body at most.
pub const JSON_BYTES_MAX: usize = 64 * 1024;

/// How long the next bytes of a body may take.
pub const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// A JSON body.
pub(crate) struct Fields<T> {
    pub(crate) value: T,
    /// Of the whole request.
    pub(crate) fingerprint: Fingerprint,
}

/// The query of a URL.
pub(crate) struct Asked<T>(pub(crate) T);

/// What stands in the path of a URL for its parameters.
pub(crate) struct Path<T>(pub(crate) T);

/// Of a request without a body.
pub(crate) struct Bare(pub(crate) Fingerprint);

fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |target| target.as_str())
}

impl<S: Sync> FromRequestParts<S> for Bare {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self(Fingerprint::of(parts.method.as_str(), target(parts), &[])))
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Fields<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if !is_of(&parts.headers, "application/json") {
            return Err(NOT_JSON.because("the body has to be application/json"));
        }
        let bytes = whole(body, JSON_BYTES_MAX).await?;
        // Serde reads a list as an object, too, by the order of its fields: nulls for what was to stay.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(BODY_INVALID.because("the body has to be an object"));
        }
        let value =
            serde_json::from_slice(&bytes).map_err(|error| BODY_INVALID.because(error.to_string()))?;
        Ok(Self { value, fingerprint: Fingerprint::of(parts.method.as_str(), target(&parts), &bytes) })
    }
}

/// Is a body said to be of this media type?
pub(crate) fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = text.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(media_type)
}

/// A body of at most so many bytes.
pub(crate) async fn whole(mut body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    loop {
        let late = |_| BODY_LATE.because("the body did not come in time");
        let Some(frame) = tokio::time::timeout(BODY_PATIENCE, body.frame()).await.map_err(late)? else {
            return Ok(bytes.freeze());
        };
        let broke = |_| BODY_BROKE.because("the body broke off");
        if let Ok(data) = frame.map_err(broke)?.into_data() {
            if bytes.len() + data.len() > bytes_max {
                return Err(BODY_TOO_LARGE.because(format!("more than {bytes_max} bytes")));
            }
            bytes.extend_from_slice(&data);
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Query(value) =
            Query::try_from_uri(&parts.uri).map_err(|error| QUERY_INVALID.because(error.body_text()))?;
        Ok(Self(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(value) = found.map_err(|error| PATH_INVALID.because(error.body_text()))?;
        Ok(Self(value))
    }
}
