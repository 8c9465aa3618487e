//! Uploads that are resumed: tus 1.0 (<https://tus.io/protocols/resumable-upload>), and the same in JSON to look at.
//!
//! Extensions: creation, creation-with-upload, creation-defer-length, checksum, expiration, termination. Metadata:
//! `filename`, `parent` (a node's id, `root` unless it is there), `on_conflict`, `sha256` (of the whole, in hex digits).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drive_core::access::Action;
use drive_core::content::Sha256Digest;
use drive_core::idempotency::Fingerprint;
use drive_core::node::NodeName;
use drive_core::tree::OnConflict;
use drive_core::upload::{Upload, UploadState};
use drive_core::{AccountId, ByteCount, NodeId, Problem, UnixMillis, UploadId};
use drive_db::{Made, NewUpload};
use http::header::{CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_core::date::DateText;
use serde::de::value::{Error as NoText, StrDeserializer};
use serde::de::{Deserialize, IntoDeserializer};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Drive;
use crate::described::{
    ByteNumber, FileBytes, IdText, NameText, Once, Sha256Text, TusChecksum, TusDeferred, TusMethod,
    TusVersion, refused,
};
use crate::fields::{Bare, Path};
use crate::form::arriving;
use crate::refusal::{
    Answer, METHOD_UNKNOWN, NOT_OCTETS, Refusal, TUS_BUSY, TUS_NO_ROOM, TUS_VERSION_UNKNOWN,
};
use crate::resume::{Checksum, Incoming, Written, end, write};
use crate::text::{Id, time};
use crate::v1::nodes::named;
use crate::v1::refusals::{MANY, NO_UPLOAD, NODES, OCTETS, OVER, OVERRIDE, PLACE, SCOPED, SENT, TUS};
use crate::who::Signed;

/// The one version of the protocol that is spoken.
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");

const EXTENSIONS: HeaderValue = HeaderValue::from_static(
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination",
);

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// What the bytes of an upload are sent as.
const OFFSET_OCTETS: &str = "application/offset+octet-stream";

/// The routes, with what the protocol wants of each.
pub(super) fn routes() -> OpenApiRouter<Arc<Drive>> {
    OpenApiRouter::new()
        .routes(routes!(list, create, options))
        .routes(routes!(look, head, patch, terminate, instead, options_of))
        .route_layer(from_fn(speak))
}

/// Who speaks another version is not understood; every answer says which one is spoken. JSON is not tus.
async fn speak(request: Request, next: Next) -> Response {
    let asks = ![Method::OPTIONS, Method::GET].contains(request.method());
    let mut response = if asks && request.headers().get(TUS_RESUMABLE) != Some(&VERSION) {
        let mut response = TUS_VERSION_UNKNOWN.because("Tus-Resumable has to be 1.0.0").into_response();
        response.headers_mut().insert(TUS_VERSION, VERSION);
        response
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(TUS_RESUMABLE, VERSION);
    response
}

/// Problems that have another status here, as the protocol says.
fn tus(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Problem(problem @ Problem::UploadBusy) => TUS_BUSY.because(problem.to_string()),
        Refusal::Problem(problem @ Problem::QuotaExceeded) => TUS_NO_ROOM.because(problem.to_string()),
        refusal => refusal,
    }
}

/// That tus is spoken.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Spoken {
    #[param(rename = "Tus-Resumable", value_type = TusVersion)]
    version: String,
}

/// What is said of a new upload.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Beginning {
    /// Bytes in all. It or `Upload-Defer-Length` has to be there.
    #[param(rename = "Upload-Length", value_type = Option<ByteNumber>)]
    length: Option<u64>,
    /// The length is said by a later request.
    #[param(rename = "Upload-Defer-Length", value_type = Option<TusDeferred>)]
    deferred: Option<String>,
    /// Keys and values in Base64, with commas between: `filename`; `parent`, a folder's id, `root` unless it is there;
    /// `on_conflict`; `sha256`, of the whole, in hex digits.
    #[param(rename = "Upload-Metadata")]
    metadata: String,
    #[param(rename = "Upload-Checksum", value_type = Option<TusChecksum>)]
    checksum: Option<String>,
}

/// What is said of bytes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Bringing {
    /// Where they begin: what is here.
    #[param(rename = "Upload-Offset", value_type = ByteNumber)]
    offset: u64,
    /// Bytes in all, of an upload whose length was not known.
    #[param(rename = "Upload-Length", value_type = Option<ByteNumber>)]
    length: Option<u64>,
    #[param(rename = "Upload-Checksum", value_type = Option<TusChecksum>)]
    checksum: Option<String>,
}

/// What this server can do.
#[utoipa::path(
    options, path = "/uploads", operation_id = "getUploadOptions", tag = "uploads",
    security(()),
    responses((status = 204, description = "What of tus is spoken.", headers(
        ("Tus-Resumable" = String), ("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64),
        ("Tus-Checksum-Algorithm" = String),
    ))),
)]
pub(crate) async fn options(State(drive): State<Arc<Drive>>) -> Response {
    abilities(&drive)
}

/// What this server can do with an upload.
#[utoipa::path(
    options, path = "/uploads/{upload}", operation_id = "getUploadOptionsOf", tag = "uploads",
    params(("upload" = String, Path, description = "An upload, or none.")),
    security(()),
    responses((status = 204, description = "What of tus is spoken.", headers(
        ("Tus-Resumable" = String), ("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64),
        ("Tus-Checksum-Algorithm" = String),
    ))),
)]
pub(crate) async fn options_of(State(drive): State<Arc<Drive>>) -> Response {
    abilities(&drive)
}

fn abilities(drive: &Drive) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, VERSION);
    headers.insert(TUS_EXTENSION, EXTENSIONS);
    headers.insert(TUS_MAX_SIZE, drive.database.policy().file_max.get().into());
    headers.insert(TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(Checksum::ALGORITHMS));
    response
}

/// An upload.
#[derive(Debug, serde::Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadView {
    #[schema(value_type = IdText)]
    id: String,
    /// Of the file that it becomes.
    #[schema(value_type = NameText)]
    name: String,
    /// The folder that the file will be in.
    #[schema(value_type = IdText)]
    parent: String,
    on_conflict: OnConflict,
    /// Bytes in all; none while that is not known.
    #[schema(required)]
    length: Option<u64>,
    /// Bytes that are here: where the client goes on.
    offset: u64,
    /// When it is given up unless something comes.
    #[schema(format = DateTime)]
    expires_at: String,
    /// What the client says the SHA-256 will be.
    #[schema(value_type = Option<Sha256Text>, required)]
    sha256: Option<String>,
    /// The file, when it is finished.
    #[schema(value_type = Option<IdText>, required)]
    node: Option<String>,
}

impl From<Upload> for UploadView {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id.to_string(),
            parent: upload.parent.to_string(),
            on_conflict: upload.on_conflict,
            length: upload.length.map(ByteCount::get),
            offset: upload.offset.get(),
            expires_at: time(upload.expires_at),
            sha256: upload.claimed.map(|digest| digest.to_string()),
            node: done(&upload).map(|node| node.to_string()),
            name: String::from(upload.name),
        }
    }
}

/// The uploads of somebody that are not finished.
#[derive(Debug, serde::Serialize, ToSchema)]
#[schema(as = Uploads)]
pub(crate) struct UploadsView {
    /// The oldest first.
    rows: Vec<UploadView>,
}

const fn done(upload: &Upload) -> Option<NodeId> {
    match upload.state {
        UploadState::Done(node) => Some(node),
        UploadState::Open | UploadState::Sealed(_) => None,
    }
}

impl Drive {
    /// An upload that can be told of.
    async fn going(&self, owner: AccountId, text: &str) -> Result<Upload, Problem> {
        let upload = self.database.upload(owner, UploadId::of(text)?).await?;
        if self.now() >= upload.expires_at { Err(Problem::UploadExpired) } else { Ok(upload) }
    }
}

/// One's own uploads that are not finished, to go on with.
#[utoipa::path(
    get, path = "/uploads", operation_id = "listUploads", tag = "uploads",
    responses((status = 200, description = "All of them.", body = UploadsView,
               headers(("Tus-Resumable" = String)))),
    extensions(("x-refusals" = json!(refused(&[SCOPED])))),
)]
pub(crate) async fn list(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<UploadsView>> {
    let owner = signed.may(Action::Write)?;
    let now = drive.now();
    let uploads = drive.database.unfinished_uploads(owner).await?.into_iter();
    Ok(Json(UploadsView {
        rows: uploads.filter(|upload| now < upload.expires_at).map(UploadView::from).collect(),
    }))
}

/// How far an upload is, and what has become of it.
#[utoipa::path(
    get, path = "/uploads/{upload}", operation_id = "getUpload", tag = "uploads",
    params(("upload" = IdText, Path, description = "An upload.")),
    responses((status = 200, description = "It.", body = UploadView, headers(("Tus-Resumable" = String)))),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_UPLOAD, OVER])))),
)]
pub(crate) async fn look(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(upload): Path<String>,
) -> Answer<Json<UploadView>> {
    let owner = signed.may(Action::Write)?;
    Ok(Json(drive.going(owner, &upload).await?.into()))
}

/// How far an upload is, for tus.
#[utoipa::path(
    head, path = "/uploads/{upload}", operation_id = "getUploadOffset", tag = "uploads",
    params(("upload" = IdText, Path, description = "An upload."), Spoken),
    responses(
        (status = 200, description = "Where it goes on.", headers(
            ("Tus-Resumable" = String), ("Upload-Offset" = u64),
            ("Upload-Expires" = String, description = "When it is given up unless something comes; none of a file."),
            ("Content-Location" = String, description = "The file, when it is finished."),
            ("Upload-Length" = u64, description = "None while it is not known."),
            ("Upload-Defer-Length" = String, description = "`1` while the length is not known."),
            ("Upload-Metadata" = String),
        )),
        (status = 412, description = "Another version of tus is spoken.", headers(("Tus-Version" = String))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, TUS, NO_UPLOAD, OVER])))),
)]
pub(crate) async fn head(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(upload): Path<String>,
) -> Answer<Response> {
    let owner = signed.may(Action::Write)?;
    let upload = drive.going(owner, &upload).await?;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    match upload.length {
        Some(length) => headers.insert(UPLOAD_LENGTH, length.get().into()),
        None => headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    headers.insert(UPLOAD_METADATA, Metadata::of(&upload).to_value()?);
    progress(headers, &upload, done(&upload))?;
    Ok(response)
}

/// Where an upload is, until when, and what has become of it.
fn progress(headers: &mut HeaderMap, upload: &Upload, node: Option<NodeId>) -> Result<(), Problem> {
    headers.insert(UPLOAD_OFFSET, upload.offset.get().into());
    match node {
        Some(node) => {
            let place = HeaderValue::try_from(format!("/api/v1/nodes/{node}"));
            headers.insert(CONTENT_LOCATION, place.map_err(|_| CANT_BE_SENT)?);
        }
        None => {
            headers.insert(UPLOAD_EXPIRES, expires(upload.expires_at)?);
        }
    }
    Ok(())
}

const CANT_BE_SENT: Problem = Problem::Contradiction("a field can't be sent");

fn expires(at: UnixMillis) -> Result<HeaderValue, Problem> {
    let date = DateText::new(at.0.div_euclid(1000).max(0));
    HeaderValue::from_bytes(date.as_bytes()).map_err(|_| CANT_BE_SENT)
}

/// An upload as it is.
fn there(upload: Upload) -> Written {
    Written { node: done(&upload), upload }
}

/// Begins an upload, and takes its first bytes if they are there.
#[utoipa::path(
    post, path = "/uploads", operation_id = "beginUpload", tag = "uploads",
    params(Spoken, Beginning, Once),
    request_body(content = Option<FileBytes>, content_type = "application/offset+octet-stream",
                 description = "Its first bytes, or all of them, or none."),
    responses(
        (status = 201, description = "It is begun.", headers(
            ("Location" = String, description = "The upload."),
            ("Tus-Resumable" = String), ("Upload-Offset" = u64),
            ("Upload-Expires" = String, description = "When it is given up unless something comes; none of a file."),
            ("Content-Location" = String, description = "The file, when it is finished."),
        )),
        (status = 412, description = "Another version of tus is spoken.", headers(("Tus-Version" = String))),
        (status = 460, description = "The bytes are not what their checksum says."),
    ),
    extensions(("x-refusals" = json!(refused(&[
        SCOPED, TUS, PLACE, NODES, MANY, OCTETS, NO_UPLOAD, OVER, SENT,
    ])))),
)]
pub(crate) async fn create(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Bare(_): Bare,
    request: Request,
) -> Answer<Response> {
    let owner = signed.may(Action::Write)?;
    let headers = request.headers();
    let fingerprint = fingerprint(&request);
    let length = new_length(headers)?;
    let metadata = Metadata::parse(headers)?;
    let brings = brings(headers)?;
    let new = metadata.upload(&signed, owner, length)?;
    // Nobody sends a gigabyte to be told that the name is taken; what is certain is decided at the end.
    if new.on_conflict == OnConflict::Fail
        && drive.database.child(owner, new.parent, &new.name).await?.is_some()
    {
        return Err(Problem::NameTaken.into());
    }
    let ask = Ask::of(headers)?;
    let database = &drive.database;
    let work = |cause| async move { database.begin_upload(&new, &cause).await };
    let again = |made| async move {
        match made {
            Made::Upload(upload) => database.upload(owner, upload).await,
            _ => Err(Problem::Contradiction("a request made something else")),
        }
    };
    let upload =
        drive.once(&signed, fingerprint, work, again).await.map_err(|problem| tus(problem.into()))?;
    let id = upload.id;
    let place = HeaderValue::try_from(format!("/api/v1/uploads/{id}")).map_err(|_| CANT_BE_SENT)?;
    // A request that comes again brings bytes that are here.
    let takes = upload.offset == ByteCount::ZERO && done(&upload).is_none();
    let written = if takes && (brings || upload.length == Some(ByteCount::ZERO)) {
        let incoming = ask.incoming(ByteCount::ZERO, None, arriving(request.into_body()));
        match write(&drive, owner, id, incoming, signed.cause(drive.now())).await {
            // Nothing was to come, and the drive has finished it already.
            Err(Refusal::Problem(Problem::UploadEnded)) => Ok(there(drive.database.upload(owner, id).await?)),
            written => written,
        }
    } else {
        Ok(there(upload))
    };
    let mut response = match written {
        Ok(Written { upload, node }) => {
            let mut response = StatusCode::CREATED.into_response();
            progress(response.headers_mut(), &upload, node)?;
            response
        }
        Err(refusal) => tus(refusal).into_response(),
    };
    response.headers_mut().insert(LOCATION, place);
    Ok(response)
}

/// Brings bytes.
#[utoipa::path(
    patch, path = "/uploads/{upload}", operation_id = "continueUpload", tag = "uploads",
    params(("upload" = IdText, Path, description = "An upload."), Spoken, Bringing),
    request_body(content = FileBytes, content_type = "application/offset+octet-stream",
                 description = "The next bytes."),
    responses(
        (status = 204, description = "They are kept.", headers(
            ("Tus-Resumable" = String), ("Upload-Offset" = u64),
            ("Upload-Expires" = String, description = "When it is given up unless something comes; none of a file."),
            ("Content-Location" = String, description = "The file, when it is finished."),
        )),
        (status = 412, description = "Another version of tus is spoken.", headers(("Tus-Version" = String))),
        (status = 460, description = "The bytes are not what their checksum says."),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, TUS, NO_UPLOAD, OVER, OCTETS, PLACE, NODES, SENT])))),
)]
pub(crate) async fn patch(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(upload): Path<String>,
    request: Request,
) -> Answer<Response> {
    let owner = signed.may(Action::Write)?;
    let id = UploadId::of(&upload)?;
    let headers = request.headers();
    if !brings(headers)? {
        return Err(not_octets());
    }
    let offset = number(headers, &UPLOAD_OFFSET)?.ok_or(Problem::FieldMissing("upload-offset"))?;
    let whole = number(headers, &UPLOAD_LENGTH)?;
    let incoming = Ask::of(headers)?.incoming(offset, whole, arriving(request.into_body()));
    let written = write(&drive, owner, id, incoming, signed.cause(drive.now())).await.map_err(tus)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    progress(response.headers_mut(), &written.upload, written.node)?;
    Ok(response)
}

/// Gives an upload up. The file of one that is finished stays.
#[utoipa::path(
    delete, path = "/uploads/{upload}", operation_id = "endUpload", tag = "uploads",
    params(("upload" = IdText, Path, description = "An upload."), Spoken),
    responses(
        (status = 204, description = "It is gone.", headers(("Tus-Resumable" = String))),
        (status = 412, description = "Another version of tus is spoken.", headers(("Tus-Version" = String))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, TUS, NO_UPLOAD])))),
)]
pub(crate) async fn terminate(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(upload): Path<String>,
) -> Answer<StatusCode> {
    let owner = signed.may(Action::Write)?;
    let now = drive.now();
    let over = drive.database.cancel_upload(owner, UploadId::of(&upload)?, &signed.cause(now)).await?;
    let ending = Arc::clone(&drive);
    // What the store does not discard now is discarded later.
    let ended = tokio::spawn(traces::carried(async move { end(&ending, &over, now).await })).await;
    ended.map_err(|_| Problem::Contradiction("a bug"))??;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be done in truth.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Overridden {
    #[param(rename = "X-HTTP-Method-Override", value_type = TusMethod)]
    method: String,
    /// Where the bytes begin, if it is PATCH.
    #[param(rename = "Upload-Offset", value_type = Option<ByteNumber>)]
    offset: Option<u64>,
    #[param(rename = "Upload-Length", value_type = Option<ByteNumber>)]
    length: Option<u64>,
    #[param(rename = "Upload-Checksum", value_type = Option<TusChecksum>)]
    checksum: Option<String>,
}

/// PATCH and DELETE of clients that can send neither.
#[utoipa::path(
    post, path = "/uploads/{upload}", operation_id = "overrideMethod", tag = "uploads",
    params(("upload" = IdText, Path, description = "An upload."), Spoken, Overridden),
    request_body(content = Option<FileBytes>, content_type = "application/offset+octet-stream",
                 description = "The next bytes, if it is PATCH."),
    responses(
        (status = 204, description = "It is done.", headers(("Tus-Resumable" = String))),
        (status = 412, description = "Another version of tus is spoken.", headers(("Tus-Version" = String))),
        (status = 460, description = "The bytes are not what their checksum says."),
    ),
    extensions(("x-refusals" = json!(refused(&[
        SCOPED, TUS, OVERRIDE, NO_UPLOAD, OVER, OCTETS, PLACE, NODES, SENT,
    ])))),
)]
pub(crate) async fn instead(
    state: State<Arc<Drive>>,
    signed: Signed,
    path: Path<String>,
    request: Request,
) -> Answer<Response> {
    match request.headers().get(METHOD_OVERRIDE).map(HeaderValue::as_bytes) {
        Some(b"PATCH") => patch(state, signed, path, request).await,
        Some(b"DELETE") => Ok(terminate(state, signed, path).await?.into_response()),
        _ => Err(METHOD_UNKNOWN.because("X-HTTP-Method-Override has to be PATCH or DELETE")),
    }
}

/// What makes a request that begins an upload the same as another.
fn fingerprint(request: &Request) -> Fingerprint {
    let mut lines = Vec::new();
    for name in [&UPLOAD_LENGTH, &UPLOAD_DEFER_LENGTH, &UPLOAD_METADATA] {
        lines.extend(request.headers().get(name).map_or(&b""[..], HeaderValue::as_bytes));
        lines.push(b'\n');
    }
    Fingerprint::of(request.method().as_str(), request.uri().path(), &lines)
}

/// A field's number of bytes.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<ByteCount>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).and_then(ByteCount::new);
    match number {
        Some(number) => Ok(Some(number)),
        None if *name == UPLOAD_OFFSET => Err(Problem::FieldInvalid("upload-offset")),
        None => Err(Problem::FieldInvalid("upload-length")),
    }
}

/// The length of a new upload, or that it is not known yet.
fn new_length(headers: &HeaderMap) -> Result<Option<ByteCount>, Problem> {
    let deferred = headers.get(UPLOAD_DEFER_LENGTH).map(HeaderValue::as_bytes);
    match (number(headers, &UPLOAD_LENGTH)?, deferred) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some(b"1")) => Ok(None),
        (None, None) => Err(Problem::FieldMissing("upload-length")),
        _ => Err(Problem::FieldInvalid("upload-defer-length")),
    }
}

/// Does a request bring bytes of an upload?
fn brings(headers: &HeaderMap) -> Result<bool, Refusal> {
    let octets = headers.get(CONTENT_TYPE).is_some_and(|value| {
        value.to_str().is_ok_and(|text| text.trim().eq_ignore_ascii_case(OFFSET_OCTETS))
    });
    let body = body_length(headers).map_or(headers.contains_key("transfer-encoding"), |length| length > 0);
    if body && !octets { Err(not_octets()) } else { Ok(octets) }
}

fn not_octets() -> Refusal {
    NOT_OCTETS.because(format!("the body has to be {OFFSET_OCTETS}"))
}

fn body_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

/// What is said of the bytes that a request brings.
struct Ask {
    checksum: Option<Checksum>,
    length: Option<u64>,
}

impl Ask {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        const INVALID: Problem = Problem::FieldInvalid("upload-checksum");
        let checksum = headers.get(UPLOAD_CHECKSUM).map(|value| {
            let (algorithm, digits) =
                value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(INVALID)?;
            let digest = STANDARD.decode(digits.trim()).map_err(|_| INVALID)?;
            Checksum::new(algorithm, digest).ok_or(INVALID)
        });
        Ok(Self { checksum: checksum.transpose()?, length: body_length(headers) })
    }

    fn incoming<S>(self, offset: ByteCount, whole: Option<ByteCount>, bytes: S) -> Incoming<S> {
        Incoming { offset, whole, checksum: self.checksum, length: self.length, bytes }
    }
}

/// What is said of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metadata {
    filename: Option<String>,
    parent: Option<String>,
    on_conflict: Option<String>,
    sha256: Option<String>,
}

impl Metadata {
    /// Keys, each with a value in Base64 or none. Those that nobody knows are not looked at.
    fn parse(headers: &HeaderMap) -> Result<Self, Problem> {
        const INVALID: Problem = Problem::FieldInvalid("upload-metadata");
        let mut metadata = Self::default();
        let Some(value) = headers.get(UPLOAD_METADATA) else { return Ok(metadata) };
        let text = value.to_str().map_err(|_| INVALID)?;
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, digits) = pair.split_once(' ').unwrap_or((pair, ""));
            let slot = match key {
                "filename" => &mut metadata.filename,
                "parent" => &mut metadata.parent,
                "on_conflict" => &mut metadata.on_conflict,
                "sha256" => &mut metadata.sha256,
                _ => continue,
            };
            let bytes = STANDARD.decode(digits.trim()).map_err(|_| INVALID)?;
            let text = String::from_utf8(bytes).map_err(|_| INVALID)?;
            if slot.replace(text).is_some() {
                return Err(INVALID);
            }
        }
        Ok(metadata)
    }

    fn of(upload: &Upload) -> Self {
        let on_conflict = match upload.on_conflict {
            OnConflict::Fail => "fail",
            OnConflict::KeepBoth => "keep-both",
            OnConflict::Replace => "replace",
        };
        Self {
            filename: Some(upload.name.as_str().to_owned()),
            parent: Some(upload.parent.to_string()),
            on_conflict: Some(on_conflict.to_owned()),
            sha256: upload.claimed.map(|digest| digest.to_string()),
        }
    }

    fn to_value(&self) -> Result<HeaderValue, Problem> {
        let pairs = [
            ("filename", &self.filename),
            ("parent", &self.parent),
            ("on_conflict", &self.on_conflict),
            ("sha256", &self.sha256),
        ];
        let pairs = pairs.into_iter().filter_map(|(key, value)| {
            value.as_ref().map(|value| format!("{key} {}", STANDARD.encode(value)))
        });
        HeaderValue::try_from(pairs.collect::<Vec<_>>().join(",")).map_err(|_| CANT_BE_SENT)
    }

    fn upload(
        &self,
        signed: &Signed,
        owner: AccountId,
        length: Option<ByteCount>,
    ) -> Result<NewUpload, Problem> {
        let name = self.filename.as_deref().ok_or(Problem::FieldMissing("filename"))?;
        let on_conflict = self.on_conflict.as_deref().map(|text| {
            let text: StrDeserializer<'_, NoText> = text.into_deserializer();
            OnConflict::deserialize(text).map_err(|_| Problem::FieldInvalid("on_conflict"))
        });
        let claimed = self
            .sha256
            .as_deref()
            .map(|text| Sha256Digest::from_hex(text).ok_or(Problem::FieldInvalid("sha256")));
        Ok(NewUpload {
            owner,
            parent: named(signed, self.parent.as_deref().unwrap_or("root"))?,
            name: NodeName::new(name)?,
            on_conflict: on_conflict.transpose()?.unwrap_or_default(),
            length,
            claimed: claimed.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Metadata, Problem> {
        let value = HeaderValue::from_static(text);
        Metadata::parse(&HeaderMap::from_iter([(UPLOAD_METADATA, value)]))
    }

    #[test]
    fn metadata_is_pairs_in_base64_and_only_what_is_known_is_kept() {
        let text = "filename 5oql5ZGKLnBkZg==,filetype YXBwbGljYXRpb24vcGRm,is_confidential, parent Nw==";
        let metadata = parse(text).unwrap();
        assert_eq!(metadata.filename.as_deref(), Some("报告.pdf"));
        assert_eq!(metadata.parent.as_deref(), Some("7"));
        assert_eq!(metadata.to_value().unwrap(), "filename 5oql5ZGKLnBkZg==,parent Nw==");
        assert_eq!(parse("").unwrap(), Metadata::default());
        for wrong in ["filename !", "filename /w==", "filename YQ==,filename YQ==", "sha256 A"] {
            assert_eq!(parse(wrong), Err(Problem::FieldInvalid("upload-metadata")), "{wrong}");
        }
    }
}
