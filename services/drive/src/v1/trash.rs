//! The trash: listed, restored from, emptied.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::TrashId;
use drive_core::access::Action;
use drive_core::page::{List, page_rows};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{CursorText, IdText, NodeText, Once, PageRows, refused};
use crate::fields::{Asked, Fields, Path};
use crate::refusal::Answer;
use crate::text::Id;
use crate::v1::nodes::{named, once};
use crate::v1::refusals::{NO_ACCOUNT, NO_TRASH, PAGE, PLACE, SCOPED};
use crate::v1::views::{NodeView, PageView, TrashView, cursor};
use crate::who::Signed;

/// Parts of an entry that one request removes at most. The sweep removes the rest.
const PARTS_MAX: u32 = 4;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    #[param(value_type = Option<CursorText>)]
    pub(crate) cursor: Option<String>,
    /// Rows of the page at most.
    #[param(value_type = Option<PageRows>)]
    pub(crate) limit: Option<u32>,
}

/// What is in the trash, the last deleted first.
#[utoipa::path(
    get, path = "/trash", operation_id = "listTrash", tag = "trash",
    params(PageQuery),
    responses((status = 200, description = "A page.", body = PageView<TrashView>)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PAGE])))),
)]
pub(crate) async fn list(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<PageView<TrashView>>> {
    let owner = signed.may(Action::Read)?;
    let after = cursor(query.cursor.as_deref(), List::Trash)?;
    let page = drive.database.list_trash(owner, after.as_ref(), page_rows(query.limit)?).await?;
    Ok(Json(PageView::of(page, List::Trash, TrashView::from)))
}

/// Where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreTo {
    /// A folder. Where it was, unless it is given; the root, if that is gone.
    #[schema(value_type = Option<NodeText>)]
    parent: Option<String>,
}

/// Restores an entry.
#[utoipa::path(
    post, path = "/trash/{entry}/restore", operation_id = "restoreTrashed", tag = "trash",
    params(("entry" = IdText, Path, description = "An entry of the trash."), Once),
    request_body = RestoreTo,
    responses((status = 200, description = "What is there again.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_TRASH, PLACE])))),
)]
pub(crate) async fn restore(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(entry): Path<String>,
    Fields { value, fingerprint }: Fields<RestoreTo>,
) -> Answer<Json<NodeView>> {
    let owner = signed.may(Action::Write)?;
    let entry = TrashId::of(&entry)?;
    let to = value.parent.as_deref().map(|folder| named(&signed, folder)).transpose()?;
    let database = &drive.database;
    let node = once(&drive, &signed, fingerprint, |cause| async move {
        database.restore(owner, entry, to, &cause).await
    });
    Ok(Json(node.await?.into()))
}

/// Removes an entry for good: 204, or 202 when so much is in it that the rest goes later. It is gone from lists at once.
#[utoipa::path(
    delete, path = "/trash/{entry}", operation_id = "purgeTrashed", tag = "trash",
    params(("entry" = IdText, Path, description = "An entry of the trash.")),
    responses(
        (status = 204, description = "It is removed."),
        (status = 202, description = "It is gone from lists; the rest is removed later."),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_TRASH])))),
)]
pub(crate) async fn purge(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(entry): Path<String>,
) -> Answer<StatusCode> {
    let owner = signed.may(Action::Write)?;
    let entry = TrashId::of(&entry)?;
    for _ in 0..PARTS_MAX {
        if drive.database.purge_part(owner, entry, &signed.cause(drive.now())).await?.last {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Ok(StatusCode::ACCEPTED)
}

/// What emptying did.
#[derive(Serialize, ToSchema)]
#[schema(as = Emptied)]
pub(crate) struct EmptiedView {
    /// Entries that are gone from lists, and are removed for good from now on.
    entries: u64,
}

/// Empties the trash.
#[utoipa::path(
    delete, path = "/trash", operation_id = "emptyTrash", tag = "trash",
    responses(
        (status = 202, description = "What is gone from lists, and is removed from now on.", body = EmptiedView),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_ACCOUNT])))),
)]
pub(crate) async fn empty(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
) -> Answer<(StatusCode, Json<EmptiedView>)> {
    let owner = signed.may(Action::Write)?;
    let entries = drive.database.empty_trash(owner, &signed.cause(drive.now())).await?;
    Ok((StatusCode::ACCEPTED, Json(EmptiedView { entries })))
}
