//! The bytes of files: sent, fetched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drive_core::access::Action;
use drive_core::content::Sha256Digest;
use drive_core::idempotency::Fingerprint;
use drive_core::node::{Node, NodeKind, NodeName};
use drive_core::queue::Counter;
use drive_core::tree::OnConflict;
use drive_core::{AccountId, NodeId, Part, Problem};
use drive_db::{Made, StoredFile};
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::Instrument;
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{FileBytes, NameText, NodeText, Once, refused};
use crate::fields::{Asked, Path};
use crate::form::{FORM_FIELDS_MAX, arriving, form, form_refusal, soon};
use crate::give::{Given, give};
use crate::records::{Written, new_key};
use crate::refusal::{Answer, NOT_A_FORM};
use crate::take::{Room, Taken, give_up, keep, store, take};
use crate::v1::nodes::named;
use crate::v1::records::{RecordView, accepted};
use crate::v1::refusals::{CONTENT, DIGEST, FORM, MORE, NO_NODE, PLACE, SCOPED, SENT};
use crate::v1::views::NodeView;
use crate::who::{Fetcher, Sender, Signed};

/// Which bytes, and under which conditions (RFC 9110).
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Conditions {
    /// `bytes=…`: one range or several.
    #[param(rename = "Range")]
    range: Option<String>,
    /// Only of this version: an entity tag.
    #[param(rename = "If-Range")]
    if_range: Option<String>,
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
    #[param(rename = "If-Modified-Since")]
    if_modified_since: Option<String>,
    #[param(rename = "If-Unmodified-Since")]
    if_unmodified_since: Option<String>,
}

/// How a file is fetched.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetch {
    /// To be saved, even if it could be shown.
    #[serde(default)]
    pub(crate) save: bool,
    /// Of an old client: the one place that reads tokens has read it.
    #[serde(default, rename = "token")]
    #[param(value_type = Option<String>, rename = "token")]
    _token: IgnoredAny,
}

/// The bytes of a file, with ranges and conditions.
#[utoipa::path(
    get, path = "/nodes/{node}/content", operation_id = "getContent", tag = "files",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        Fetch,
        Conditions,
    ),
    responses(
        (status = 200, description = "All of it.", content_type = "*/*", body = FileBytes, headers(
            ("ETag" = String), ("Last-Modified" = String), ("Accept-Ranges" = String),
            ("Content-Disposition" = String), ("Content-Length" = u64),
        )),
        (status = 206, description = "The ranges that were asked for; several as `multipart/byteranges`.",
         content_type = "*/*", body = FileBytes, headers(("ETag" = String), ("Content-Range" = String))),
        (status = 304, description = "It is what it was.", headers(("ETag" = String))),
        (status = 416, description = "There are no such bytes.", headers(("Content-Range" = String))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE, CONTENT])))),
)]
pub(crate) async fn fetch(
    State(drive): State<Arc<Drive>>,
    Fetcher(signed): Fetcher,
    Path(node): Path<String>,
    Asked(query): Asked<Fetch>,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let owner = signed.may(Action::Read)?;
    let file = drive.database.file(owner, named(&signed, &node)?).await?;
    let response = give(&drive.blobs, &Given::of(&file, query.save), &method, &headers).await?;
    if query.save && method == Method::GET && has_begun(&response) {
        drive.count(new_key(), Counter::NodeDownloads(file.node.id)).await;
    }
    Ok(response)
}

/// Does an answer have the first byte of a content? The others of a download in parts are not counted.
pub(crate) fn has_begun(response: &Response) -> bool {
    let from = response.headers().get(CONTENT_RANGE).map(|value| value.as_bytes().starts_with(b"bytes 0-"));
    match response.status() {
        StatusCode::OK => true,
        StatusCode::PARTIAL_CONTENT => from == Some(true),
        _ => false,
    }
}

/// What happens if the name is taken.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    #[serde(default)]
    on_conflict: OnConflict,
}

/// What a client says of its body.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Digested {
    /// Digests of the body (RFC 9530). That of SHA-256, `sha-256=:…:`, is compared; others are not looked at.
    #[param(rename = "Content-Digest")]
    digest: Option<String>,
}

/// A form with a file: the first field with a file name is it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct FileForm {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Makes a file of the body.
#[utoipa::path(
    put, path = "/nodes/{node}/files/{name}", operation_id = "putFile", tag = "files",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        ("name" = NameText, Path, description = "The name of the file."),
        Send,
        Digested,
        Once,
    ),
    request_body(content = FileBytes, content_type = "application/octet-stream", description = "Its bytes."),
    responses(
        (status = 201, description = "The file.", body = NodeView),
        (status = 202, description = "It is certain, and comes later.", body = RecordView,
         headers(("Location" = String, description = "Where it is told what came of it."))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, MORE, SENT, DIGEST])))),
)]
pub(crate) async fn put(
    State(drive): State<Arc<Drive>>,
    Sender(signed): Sender,
    Path((parent, name)): Path<(String, String)>,
    Asked(query): Asked<Send>,
    request: Request,
) -> Answer<Response> {
    let owner = signed.may(Action::Write)?;
    let place = Place::of(&drive, owner, named(&signed, &parent)?, query.on_conflict).await?;
    let name = NodeName::new(&name).map_err(Problem::from)?;
    place.check_name(&drive, &signed, &name).await?;
    let headers = request.headers();
    let claimed = claimed(headers)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    to_the_end(async move {
        let _place = drive.uploads.take(owner, length)?;
        let taken = take(&drive, arriving(request.into_body()), length, place.room).await?;
        place.keep(&drive, &signed, name, taken, claimed).await
    })
    .await
}

/// Takes a file and keeps it. Goes on when the client goes away, so that no blob is left that nobody knows.
async fn to_the_end(
    taking: impl Future<Output = Answer<Response>> + std::marker::Send + 'static,
) -> Answer<Response> {
    tokio::spawn(traces::carried(taking.in_current_span()))
        .await
        .map_err(|_| Problem::Contradiction("a bug"))?
}

/// Makes a file of the field of a form (`multipart/form-data`) that has a file name.
#[utoipa::path(
    post, path = "/nodes/{node}/files", operation_id = "postFile", tag = "files",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        Send,
        Once,
    ),
    request_body(content = FileForm, content_type = "multipart/form-data", description = "A form with a file."),
    responses(
        (status = 201, description = "The file.", body = NodeView),
        (status = 202, description = "It is certain, and comes later.", body = RecordView,
         headers(("Location" = String, description = "Where it is told what came of it."))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, MORE, SENT, FORM])))),
)]
pub(crate) async fn post(
    State(drive): State<Arc<Drive>>,
    Sender(signed): Sender,
    Path(parent): Path<String>,
    Asked(query): Asked<Send>,
    request: Request,
) -> Answer<Response> {
    let owner = signed.may(Action::Write)?;
    let place = Place::of(&drive, owner, named(&signed, &parent)?, query.on_conflict).await?;
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(boundary) = media_type.and_then(|text| multer::parse_boundary(text).ok()) else {
        return Err(NOT_A_FORM.because("the body has to be multipart/form-data"));
    };
    to_the_end(async move {
        let _place = drive.uploads.take(owner, None)?;
        let mut form = form(arriving(request.into_body()), boundary);
        for _ in 0..FORM_FIELDS_MAX {
            let Some(field) = soon(form.next_field()).await? else { break };
            let Some(name) = field.file_name() else { continue };
            let name = NodeName::new(name).map_err(Problem::from)?;
            place.check_name(&drive, &signed, &name).await?;
            let bytes = field.map(|bytes| bytes.map_err(form_refusal));
            let taken = take(&drive, Box::pin(bytes), None, place.room).await?;
            return place.keep(&drive, &signed, name, taken, None).await;
        }
        Err(Problem::FieldMissing("file").into())
    })
    .await
}

/// Where a file comes.
pub(crate) struct Place {
    owner: AccountId,
    parent: NodeId,
    on_conflict: OnConflict,
    pub(crate) room: Room,
}

impl Place {
    /// Before any byte is read: is it there, and is there room?
    pub(crate) async fn of(
        drive: &Drive,
        owner: AccountId,
        parent: NodeId,
        on_conflict: OnConflict,
    ) -> Result<Self, Problem> {
        let room = match drive.database.node_and_usage(owner, parent).await {
            Ok((node, quota)) if node.kind() == NodeKind::Folder => Room::within(drive, Some(quota)),
            Ok(_) => return Err(Problem::NotAFolder),
            // It is looked for when the record is applied.
            Err(Problem::Unavailable(Part::Database)) if drive.queue.is_some() => Room::within(drive, None),
            Err(problem) => return Err(problem),
        };
        Ok(Self { owner, parent, on_conflict, room })
    }

    /// Nobody sends a gigabyte to be told that the name is taken; what is certain is decided at the end.
    pub(crate) async fn check_name(
        &self,
        drive: &Drive,
        signed: &Signed,
        name: &NodeName,
    ) -> Result<(), Problem> {
        // With a key the name may be taken by this very request, which came before.
        if self.on_conflict != OnConflict::Fail || signed.visitor.key.is_some() {
            return Ok(());
        }
        match drive.database.child(self.owner, self.parent, name).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Problem::NameTaken),
            Err(Problem::Unavailable(Part::Database)) if drive.queue.is_some() => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// Makes a file of what was stored.
    async fn keep(
        &self,
        drive: &Drive,
        signed: &Signed,
        name: NodeName,
        taken: Taken,
        claimed: Option<Sha256Digest>,
    ) -> Answer<Response> {
        if claimed.is_some_and(|claimed| claimed != taken.identity.sha256) {
            give_up(drive, &taken.blob).await;
            return Err(Problem::ChecksumDiffers.into());
        }
        let file = StoredFile {
            owner: self.owner,
            parent: self.parent,
            name,
            on_conflict: self.on_conflict,
            identity: taken.identity,
            md5: taken.md5,
            blob: taken.blob,
        };
        if signed.visitor.key.is_some() {
            let node = self.keep_once(drive, signed, file).await?;
            return Ok((StatusCode::CREATED, Json(NodeView::from(node))).into_response());
        }
        Ok(match keep(drive, file, signed.cause(drive.now())).await? {
            Written::Applied(node) => (StatusCode::CREATED, Json(NodeView::from(node))).into_response(),
            Written::Accepted(key) => accepted(key),
        })
    }

    /// Makes the file that a request with a key asks for, once. The key is kept in the database with the file: such a
    /// request does not go through the queue.
    async fn keep_once(&self, drive: &Drive, signed: &Signed, file: StoredFile) -> Result<Node, Problem> {
        let place = format!("{}/{:?}/{}", file.parent, file.on_conflict, file.name);
        let fingerprint = Fingerprint::of("file", &place, &file.identity.sha256.0);
        let (owner, blob) = (file.owner, file.blob.clone());
        let tried = AtomicBool::new(false);
        let work = |cause| {
            tried.store(true, Ordering::Relaxed);
            store(drive, &file, cause)
        };
        let again = |made| async move {
            match made {
                Made::Node(node) => drive.database.node(owner, node).await,
                _ => Err(Problem::Contradiction("a request made something else")),
            }
        };
        let outcome = drive.once(signed, fingerprint, work, again).await;
        // It is there already, or the key was not taken.
        if !tried.load(Ordering::Relaxed) {
            give_up(drive, &blob).await;
        }
        outcome
    }
}

/// The SHA-256 that a client says its body has (RFC 9530, `Content-Digest`). Other algorithms are not looked at.
fn claimed(headers: &HeaderMap) -> Result<Option<Sha256Digest>, Problem> {
    const INVALID: Problem = Problem::FieldInvalid("content-digest");
    let lines = headers.get_all("content-digest").iter().map(|line| line.to_str().map_err(|_| INVALID));
    for line in lines {
        for member in line?.split(',') {
            let Some(text) = member.trim().strip_prefix("sha-256=:") else { continue };
            let digits = text.strip_suffix(':').ok_or(INVALID)?;
            let bytes = STANDARD.decode(digits).map_err(|_| INVALID)?;
            return Ok(Some(Sha256Digest(bytes.try_into().map_err(|_| INVALID)?)));
        }
    }
    Ok(None)
}
