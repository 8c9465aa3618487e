//! Contents on their way out: conditions, ranges, headers.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use drive_core::content::{Content, serving};
use drive_core::node::NodeName;
use drive_core::ports::{BlobError, BlobKey, BlobStore, ByteSource};
use drive_core::{ByteCount, Part, Problem, UnixMillis};
use drive_db::FileRow;
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_core::condition::{Current, Outcome, evaluate};
use http_core::date::DateText;
use http_core::disposition::push_disposition;
use http_core::multipart::{Boundary, Multipart};
use http_core::range::{ByteRange, RangeAnswer, parse_range};
use http_core::validator::EntityTag;
use http_core::{Parameters, RequestFields};

use crate::refusal::{Answer, FIELD_REPEATED, RANGE_MISSING, VERSION_DIFFERS};

/// What is shown in place can't run, fetch or be framed by others. Browsers show no PDF in a sandbox.
pub(crate) const CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'self'; sandbox";
const PDF_POLICY: &str = "default-src 'none'; object-src 'self'; frame-ancestors 'self'";

/// A content that somebody may have.
pub(crate) struct Given<'a> {
    pub(crate) content: &'a Content,
    pub(crate) name: &'a NodeName,
    pub(crate) modified: UnixMillis,
    /// To be saved, whatever it is.
    pub(crate) save: bool,
}

impl<'a> Given<'a> {
    pub(crate) const fn of(file: &'a FileRow, save: bool) -> Self {
        Self { content: &file.content, name: &file.node.name, modified: file.node.modified_at, save }
    }
}

/// What goes out, one after the other.
enum Piece {
    Text(Bytes),
    Blob(ByteRange),
}

/// Answers a GET or HEAD of a content.
pub(crate) async fn give(
    blobs: &Arc<dyn BlobStore>,
    given: &Given<'_>,
    method: &Method,
    headers: &HeaderMap,
) -> Answer<Response> {
    let lines = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let fields = RequestFields::collect(lines, None)
        .map_err(|repeated| FIELD_REPEATED.because(format!("{} is there twice", repeated.name)))?;
    let size = given.content.identity.size.get();
    let [digest, _] = halves(given.content.identity.sha256.0);
    let tag = EntityTag::of_digest(digest);
    let modified = given.modified.0.div_euclid(1000).max(0);
    let mut out = HeaderMap::new();
    let mut text = Vec::new();
    tag.push_to(&mut text);
    out.insert(ETAG, value(&text)?);
    out.insert(LAST_MODIFIED, value(DateText::new(modified).as_bytes())?);
    out.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    let range = match evaluate(&fields, &Current { tag, modified, never_changes: false }) {
        Outcome::Failed => return Err(VERSION_DIFFERS.because("this is another version")),
        Outcome::NotModified => return Ok((StatusCode::NOT_MODIFIED, out).into_response()),
        // HEAD has no parts (RFC 9110 §14.2).
        Outcome::Go { range } => fields.range.filter(|_| range && *method == Method::GET),
    };
    let serving = serving(given.name);
    out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(CONTENT_TYPE, HeaderValue::from_static(serving.media_type));
    out.insert(CONTENT_DISPOSITION, disposition(given.name, serving.inline && !given.save)?);
    let policy = if serving.media_type == "application/pdf" { PDF_POLICY } else { CONTENT_POLICY };
    out.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));

    let whole = size.checked_sub(1).map(|last| Piece::Blob(ByteRange { first: 0, last }));
    let (status, pieces, length) = match range.map(|field| parse_range(field, size, true)) {
        None | Some(RangeAnswer::Whole) => (StatusCode::OK, Vec::from_iter(whole), size),
        Some(RangeAnswer::Unsatisfiable) => {
            let mut response = RANGE_MISSING.because(format!("there are {size} bytes")).into_response();
            response.headers_mut().insert(CONTENT_RANGE, value(format!("bytes */{size}").as_bytes())?);
            return Ok(response);
        }
        Some(RangeAnswer::Parts(ranges)) => match *ranges.as_slice() {
            [part] => {
                let text = format!("bytes {}-{}/{size}", part.first, part.last);
                out.insert(CONTENT_RANGE, value(text.as_bytes())?);
                (StatusCode::PARTIAL_CONTENT, vec![Piece::Blob(part)], part.len())
            }
            _ => {
                let boundary = Boundary::new(rand::random());
                let several = Multipart { boundary, media: serving.media_type, size, ranges };
                let mut text = b"multipart/byteranges; boundary=".to_vec();
                text.extend_from_slice(boundary.as_bytes());
                out.insert(CONTENT_TYPE, value(&text)?);
                (StatusCode::PARTIAL_CONTENT, pieces_of(&several), several.content_len())
            }
        },
    };
    out.insert(CONTENT_LENGTH, length.into());
    let body = match *method == Method::HEAD {
        true => Body::empty(),
        false => {
            let (blobs, key) = (Arc::clone(blobs), given.content.blob.clone());
            streamed(Sending { blobs, key, pieces: pieces.into_iter(), reading: None }).await?
        }
    };
    Ok((status, out, body).into_response())
}

/// A digest as two numbers.
fn halves(digest: [u8; 32]) -> [u128; 2] {
    let mut halves = [0u128; 2];
    for (half, bytes) in halves.iter_mut().zip(digest.chunks_exact(16)) {
        *half = bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    }
    halves
}

fn value(bytes: &[u8]) -> Result<HeaderValue, Problem> {
    HeaderValue::from_bytes(bytes).map_err(|_| Problem::Contradiction("a field can't be sent"))
}

pub(crate) fn disposition(name: &NodeName, inline: bool) -> Result<HeaderValue, Problem> {
    let escaped: String = name.as_str().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let way = if inline { "inline" } else { "attachment" };
    let parameters = Parameters { filename: Some(&escaped), disposition: Some(way), ..Parameters::default() };
    let mut text = Vec::new();
    push_disposition(&parameters, &mut text);
    value(&text)
}

fn pieces_of(several: &Multipart<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in several.ranges.as_slice() {
        let mut head = Vec::new();
        several.push_part_head(*part, &mut head);
        pieces.extend([Piece::Text(head.into()), Piece::Blob(*part)]);
    }
    let mut end = Vec::new();
    several.push_end(&mut end);
    pieces.push(Piece::Text(end.into()));
    pieces
}

/// What is still to be sent.
struct Sending {
    blobs: Arc<dyn BlobStore>,
    key: BlobKey,
    pieces: std::vec::IntoIter<Piece>,
    reading: Option<Box<dyn ByteSource>>,
}

impl Outgoing for Sending {
    const WHAT: &str = "a content";

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        self.read().await.map_err(|error| blob_problem(&error))
    }
}

impl Sending {
    async fn read(&mut self) -> Result<Option<Bytes>, BlobError> {
        loop {
            if let Some(source) = &mut self.reading {
                match source.next().await? {
                    Some(bytes) => return Ok(Some(bytes)),
                    None => self.reading = None,
                }
            }
            match self.pieces.next() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some(text)),
                Some(Piece::Blob(range)) => {
                    let size = |bytes| ByteCount::new(bytes).ok_or(BlobError::Missing);
                    let (first, length) = (size(range.first)?, size(range.len())?);
                    self.reading = Some(self.blobs.read(&self.key, first, length).await?);
                }
            }
        }
    }
}

/// What is made as it is sent.
pub(crate) trait Outgoing: Send + 'static {
    /// What it is called in the log.
    const WHAT: &str;

    /// The next bytes; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Problem>> + Send;
}

/// A body of this. The first bytes are made before the answer begins, so that it can still be another one; what breaks
/// later breaks the connection.
pub(crate) async fn streamed<O: Outgoing>(mut outgoing: O) -> Result<Body, Problem> {
    let Some(first) = outgoing.next().await? else { return Ok(Body::empty()) };
    let rest = stream::unfold(Some((outgoing, Some(first))), |state| async {
        let (mut outgoing, first) = state?;
        let next = match first {
            Some(first) => Ok(Some(first)),
            None => outgoing.next().await,
        };
        match next {
            Ok(Some(bytes)) => Some((Ok(bytes), Some((outgoing, None)))),
            Ok(None) => None,
            Err(problem) => {
                tracing::warn!(%problem, "{} broke off", O::WHAT);
                Some((Err(io::Error::other(problem)), None))
            }
        }
    });
    Ok(Body::from_stream(rest))
}

/// What is answered when the store of bytes does not do it.
pub(crate) fn blob_problem(error: &BlobError) -> Problem {
    tracing::error!(%error, "the store of bytes does not do it");
    match error {
        BlobError::Missing => Problem::Contradiction("a blob is not there"),
        BlobError::Damaged => Problem::Contradiction("a blob is damaged"),
        BlobError::Refused(_) => Problem::Contradiction("the store of bytes refuses"),
        BlobError::Full | BlobError::Unavailable(_) | BlobError::SourceBroke => {
            Problem::Unavailable(Part::BlobStore)
        }
    }
}
