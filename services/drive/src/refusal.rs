//! Problems as answers: problem+json (RFC 9457).

use axum::response::{IntoResponse, Response};
use drive_core::{Class, Problem};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request is not answered as it wished.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The drive refuses.
    Problem(Problem),
    /// The request is not one that the drive could be asked.
    Http(StatusCode, &'static str, String),
}

/// The media type of problems.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal as programs see it: status and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) StatusCode, pub(crate) &'static str);

impl Refused {
    pub(crate) const fn of(problem: &Problem) -> Self {
        Self(status(problem.class()), problem.code())
    }

    pub(crate) fn because(self, detail: impl Into<String>) -> Refusal {
        Refusal::Http(self.0, self.1, detail.into())
    }
}

pub(crate) const BODY_BROKE: Refused = Refused(StatusCode::BAD_REQUEST, "body-broke");
pub(crate) const BODY_INVALID: Refused = Refused(StatusCode::BAD_REQUEST, "body-invalid");
pub(crate) const BODY_LATE: Refused = Refused(StatusCode::REQUEST_TIMEOUT, "body-late");
pub(crate) const BODY_TOO_LARGE: Refused = Refused(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large");
pub(crate) const CROSS_ORIGIN: Refused = Refused(StatusCode::FORBIDDEN, "cross-origin");
pub(crate) const FIELD_REPEATED: Refused = Refused(StatusCode::BAD_REQUEST, "field-repeated");
pub(crate) const FORM_INVALID: Refused = Refused(StatusCode::BAD_REQUEST, "form-invalid");
pub(crate) const METHOD_UNKNOWN: Refused = Refused(StatusCode::METHOD_NOT_ALLOWED, "method-unknown");
pub(crate) const NOT_A_FORM: Refused = Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-form");
pub(crate) const NOT_JSON: Refused = Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json");
pub(crate) const NOT_OCTETS: Refused = Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-octets");
pub(crate) const PATH_INVALID: Refused = Refused(StatusCode::BAD_REQUEST, "path-invalid");
pub(crate) const PATH_UNKNOWN: Refused = Refused(StatusCode::NOT_FOUND, "path-unknown");
pub(crate) const QUERY_INVALID: Refused = Refused(StatusCode::BAD_REQUEST, "query-invalid");
pub(crate) const RANGE_MISSING: Refused = Refused(StatusCode::RANGE_NOT_SATISFIABLE, "range-missing");
pub(crate) const TUS_VERSION_UNKNOWN: Refused =
    Refused(StatusCode::PRECONDITION_FAILED, "tus-version-unknown");
pub(crate) const VERSION_DIFFERS: Refused = Refused(StatusCode::PRECONDITION_FAILED, "version-differs");

/// Problems that have another status in tus, as the protocol says.
pub(crate) const TUS_BUSY: Refused = Refused(StatusCode::LOCKED, Problem::UploadBusy.code());
pub(crate) const TUS_CHECKSUM_DIFFERS: Refused = Refused(CHECKSUM_MISMATCH, Problem::ChecksumDiffers.code());
pub(crate) const TUS_NO_ROOM: Refused = Refused(StatusCode::PAYLOAD_TOO_LARGE, Problem::QuotaExceeded.code());

/// 460, which only tus has.
const CHECKSUM_MISMATCH: StatusCode = match StatusCode::from_u16(460) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

/// A problem as it is answered (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView {
    /// `/problems/` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What programs compare. It never changes.
    code: &'static str,
    /// What the status says.
    title: &'static str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// For logs, in English.
    detail: String,
    /// The field that is not as it must be, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'static str>,
    /// Where an upload goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    offset: Option<u64>,
    /// Bytes that a file may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<u64>,
    /// Seconds to wait, as in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_s: Option<u64>,
}

/// What handlers return.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// The status of a problem.
const fn status(class: Class) -> StatusCode {
    match class {
        Class::Invalid => StatusCode::BAD_REQUEST,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Forbidden => StatusCode::FORBIDDEN,
        Class::Missing => StatusCode::NOT_FOUND,
        Class::Conflict => StatusCode::CONFLICT,
        Class::Gone => StatusCode::GONE,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Class::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Fault => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, detail) = match &self {
            Self::Problem(problem) => (status(problem.class()), problem.code(), problem.to_string()),
            Self::Http(status, code, detail) => (*status, *code, detail.clone()),
        };
        let mut view = ProblemView {
            kind: format!("/problems/{code}"),
            code,
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            field: None,
            offset: None,
            limit: None,
            retry_after_s: None,
        };
        if let Self::Problem(problem) = &self {
            match problem {
                Problem::FieldMissing(field) | Problem::FieldInvalid(field) => view.field = Some(field),
                Problem::OffsetDiffers { expected } => view.offset = Some(expected.get()),
                Problem::FileTooLarge { limit } => view.limit = Some(limit.get()),
                _ => {}
            }
            // Rounded up: who waits that long is not too early.
            let seconds = problem.retry_after().map(|wait| wait.as_millis().div_ceil(1000).max(1));
            view.retry_after_s = seconds.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX));
        }
        let body = serde_json::to_string(&view).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = view.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
