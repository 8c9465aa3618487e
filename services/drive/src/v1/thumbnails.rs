//! Small pictures of pictures.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use drive_core::NodeId;
use drive_core::access::Action;
use http::{HeaderMap, Method};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Drive;
use crate::described::{FileBytes, IdText, NodeText, ShareTokenText, ThumbnailEdge, refused};
use crate::fields::{Asked, Path};
use crate::gate::{Guest, Wanted};
use crate::refusal::Answer;
use crate::text::Id;
use crate::thumbnails::Edge;
use crate::v1::nodes::named;
use crate::v1::public::Granted;
use crate::v1::refusals::{GATE, NO_NODE, SCOPED, THUMBNAIL};
use crate::who::Signed;

/// How small.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Size {
    /// Pixels of the longer side at most. A picture that is smaller stays as small.
    #[param(value_type = ThumbnailEdge)]
    edge: u32,
}

/// What the client has.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Known {
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// A small picture of a file that is a JPEG, PNG or WebP, told by its content. `no-thumbnail` says that there is none.
#[utoipa::path(
    get, path = "/nodes/{node}/thumbnail", operation_id = "getThumbnail", tag = "files",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        Size,
        Known,
    ),
    responses(
        (status = 200, description = "A JPEG, or a PNG if it is transparent.",
         content((FileBytes = "image/jpeg"), (FileBytes = "image/png")), headers(("ETag" = String), ("Cache-Control" = String), ("Content-Length" = u64))),
        (status = 304, description = "It is what it was.", headers(("ETag" = String))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE, THUMBNAIL])))),
)]
pub(crate) async fn own(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
    Asked(size): Asked<Size>,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let owner = signed.may(Action::Read)?;
    let edge = Edge::new(size.edge)?;
    let file = drive.database.file(owner, named(&signed, &node)?).await?;
    drive.thumbnails.give(&drive.blobs, &file.content, edge, &method, &headers).await
}

/// A small picture of a shared file. Not counted: looking at what a link leads to shows it.
#[utoipa::path(
    get, path = "/public/shares/{token}/nodes/{node}/thumbnail", operation_id = "getSharedThumbnail", tag = "public",
    params(
        ("token" = ShareTokenText, Path, description = "What is in the link's URL."),
        ("node" = IdText, Path, description = "A file that is shared, or in a folder that is."),
        Size,
        Known,
        Granted,
    ),
    security((), ("token" = []), ("session" = [])),
    responses(
        (status = 200, description = "A JPEG, or a PNG if it is transparent.",
         content((FileBytes = "image/jpeg"), (FileBytes = "image/png")), headers(("ETag" = String), ("Cache-Control" = String), ("Content-Length" = u64))),
        (status = 304, description = "It is what it was.", headers(("ETag" = String))),
    ),
    extensions(("x-refusals" = json!(refused(&[GATE, NO_NODE, THUMBNAIL])))),
)]
pub(crate) async fn shared(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path((text, node)): Path<(String, String)>,
    Asked(size): Asked<Size>,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let (node, edge) = (NodeId::of(&node)?, Edge::new(size.edge)?);
    let admitted = drive.enter(&guest, &text, Some(node), Wanted::Look).await?;
    let file = drive.database.file(admitted.view.share.owner, node).await?;
    drive.thumbnails.give(&drive.blobs, &file.content, edge, &method, &headers).await
}
