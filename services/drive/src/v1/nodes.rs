//! Folders and files: listed, found, made, moved, copied, deleted. `root` stands for the id of one's root folder.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::access::Action;
use drive_core::idempotency::Fingerprint;
use drive_core::node::{Node, NodeName};
use drive_core::page::{Direction, List, NodeOrder, SearchQuery, page_rows};
use drive_core::tree::OnConflict;
use drive_core::{NodeId, Problem, TrashId};
use drive_db::{Cause, FoundNode, Made};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{CursorText, IdText, NameText, NodeText, Once, PageRows, SearchText, refused};
use crate::fields::{Asked, Bare, Fields, Path};
use crate::refusal::Answer;
use crate::text::Id;
use crate::v1::refusals::{INTO, MORE, NO_NODE, NODES, NOT_A_FOLDER, PAGE, PLACE, ROOT, SCOPED};
use crate::v1::trash::PageQuery;
use crate::v1::views::{NodeView, PageView, cursor};
use crate::who::Signed;

/// The node that a text names.
pub(crate) fn named(signed: &Signed, text: &str) -> Result<NodeId, Problem> {
    if text == "root" { Ok(signed.verdict.root) } else { NodeId::of(text) }
}

/// Makes or changes a node, once if the request has a key.
pub(crate) async fn once<W: Future<Output = Result<Node, Problem>>>(
    drive: &Drive,
    signed: &Signed,
    fingerprint: Fingerprint,
    work: impl FnOnce(Cause) -> W,
) -> Result<Node, Problem> {
    let again = |made| async move {
        match made {
            Made::Node(node) => drive.database.node(signed.account(), node).await,
            _ => Err(Problem::Contradiction("a request made something else")),
        }
    };
    drive.once(signed, fingerprint, work, again).await
}

/// A folder or file.
#[utoipa::path(
    get, path = "/nodes/{node}", operation_id = "getNode", tag = "nodes",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder.")),
    responses((status = 200, description = "It.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE])))),
)]
pub(crate) async fn get(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
) -> Answer<Json<NodeView>> {
    let owner = signed.may(Action::Read)?;
    Ok(Json(drive.database.node(owner, named(&signed, &node)?).await?.into()))
}

/// Which page of a folder, and in which order.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[serde(default)]
    pub(crate) order: NodeOrder,
    #[serde(default)]
    pub(crate) direction: Direction,
    /// `next` of the page before.
    #[param(value_type = Option<CursorText>)]
    pub(crate) cursor: Option<String>,
    /// Rows of the page at most.
    #[param(value_type = Option<PageRows>)]
    pub(crate) limit: Option<u32>,
}

/// What is in a folder, folders first.
#[utoipa::path(
    get, path = "/nodes/{node}/children", operation_id = "listChildren", tag = "nodes",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        ListQuery,
    ),
    responses((status = 200, description = "A page.", body = PageView<NodeView>)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE, PAGE, NOT_A_FOLDER])))),
)]
pub(crate) async fn list(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(folder): Path<String>,
    Asked(query): Asked<ListQuery>,
) -> Answer<Json<PageView<NodeView>>> {
    let owner = signed.may(Action::Read)?;
    let list = List::Nodes(query.order, query.direction);
    let after = cursor(query.cursor.as_deref(), list)?;
    let limit = page_rows(query.limit)?;
    let folder = named(&signed, &folder)?;
    let page = drive
        .database
        .list_folder(owner, folder, query.order, query.direction, after.as_ref(), limit)
        .await?;
    Ok(Json(PageView::of(page, list, NodeView::from)))
}

/// The folders that a node is in.
#[derive(Serialize, ToSchema)]
#[schema(as = NodePath)]
pub(crate) struct PathView {
    /// From the root on; the node is the last.
    rows: Vec<NodeView>,
}

/// Where a node is.
#[utoipa::path(
    get, path = "/nodes/{node}/path", operation_id = "getPath", tag = "nodes",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder.")),
    responses((status = 200, description = "The folders from the root on.", body = PathView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE])))),
)]
pub(crate) async fn path(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
) -> Answer<Json<PathView>> {
    let owner = signed.may(Action::Read)?;
    let path = drive.database.path(owner, named(&signed, &node)?).await?;
    Ok(Json(PathView { rows: path.into_iter().map(NodeView::from).collect() }))
}

/// A new folder.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFolder {
    #[schema(value_type = NameText)]
    name: String,
    #[serde(default)]
    on_conflict: OnConflict,
}

/// Makes a folder.
#[utoipa::path(
    post, path = "/nodes/{node}/children", operation_id = "createFolder", tag = "nodes",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."), Once),
    request_body = NewFolder,
    responses((status = 201, description = "The folder.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, MORE])))),
)]
pub(crate) async fn create_folder(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(parent): Path<String>,
    Fields { value, fingerprint }: Fields<NewFolder>,
) -> Answer<(StatusCode, Json<NodeView>)> {
    let owner = signed.may(Action::Write)?;
    let parent = named(&signed, &parent)?;
    let name = NodeName::new(&value.name).map_err(Problem::from)?;
    let database = &drive.database;
    let node = once(&drive, &signed, fingerprint, |cause| async move {
        database.create_folder(owner, parent, &name, value.on_conflict, &cause).await
    });
    Ok((StatusCode::CREATED, Json(node.await?.into())))
}

/// Another name, another folder, or both.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relocation {
    #[schema(value_type = Option<NameText>)]
    name: Option<String>,
    #[schema(value_type = Option<NodeText>)]
    parent: Option<String>,
    #[serde(default)]
    on_conflict: OnConflict,
}

/// Renames or moves a node.
#[utoipa::path(
    patch, path = "/nodes/{node}", operation_id = "relocateNode", tag = "nodes",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."), Once),
    request_body = Relocation,
    responses((status = 200, description = "The node as it is now.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, INTO, ROOT])))),
)]
pub(crate) async fn relocate(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
    Fields { value, fingerprint }: Fields<Relocation>,
) -> Answer<Json<NodeView>> {
    let owner = signed.may(Action::Write)?;
    let node = named(&signed, &node)?;
    let folder = value.parent.as_deref().map(|folder| named(&signed, folder)).transpose()?;
    let name = value.name.as_deref().map(NodeName::new).transpose().map_err(Problem::from)?;
    let database = &drive.database;
    let node = once(&drive, &signed, fingerprint, |cause| async move {
        database.relocate(owner, node, folder, name.as_ref(), value.on_conflict, &cause).await
    });
    Ok(Json(node.await?.into()))
}

/// Where a copy comes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCopy {
    #[schema(value_type = NodeText)]
    parent: String,
    /// Its own, unless it is given.
    #[schema(value_type = Option<NameText>)]
    name: Option<String>,
    #[serde(default)]
    on_conflict: OnConflict,
}

/// Copies a node and all below it.
#[utoipa::path(
    post, path = "/nodes/{node}/copies", operation_id = "copyNode", tag = "nodes",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."), Once),
    request_body = NewCopy,
    responses((status = 201, description = "The copy.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, INTO, ROOT, MORE])))),
)]
pub(crate) async fn copy(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
    Fields { value, fingerprint }: Fields<NewCopy>,
) -> Answer<(StatusCode, Json<NodeView>)> {
    let owner = signed.may(Action::Write)?;
    let node = named(&signed, &node)?;
    let folder = named(&signed, &value.parent)?;
    let name = match &value.name {
        Some(name) => NodeName::new(name).map_err(Problem::from)?,
        None => drive.database.node(owner, node).await?.name,
    };
    let database = &drive.database;
    let copied = once(&drive, &signed, fingerprint, |cause| async move {
        database.copy(owner, node, folder, &name, value.on_conflict, &cause).await
    });
    Ok((StatusCode::CREATED, Json(copied.await?.into())))
}

/// What deleting made.
#[derive(Serialize, ToSchema)]
#[schema(as = Trashed)]
pub(crate) struct TrashedView {
    /// The entry of the trash.
    #[schema(value_type = IdText)]
    trash: String,
}

/// Deletes a node, to the trash.
#[utoipa::path(
    delete, path = "/nodes/{node}", operation_id = "trashNode", tag = "nodes",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."), Once),
    responses((status = 200, description = "Where it is now.", body = TrashedView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE, ROOT, NODES])))),
)]
pub(crate) async fn trash(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
    Bare(fingerprint): Bare,
) -> Answer<Json<TrashedView>> {
    let owner = signed.may(Action::Write)?;
    let node = named(&signed, &node)?;
    let database = &drive.database;
    let work = |cause| async move { database.trash(owner, node, &cause).await };
    let again = |made| async move {
        match made {
            Made::Trash(entry) => Ok::<TrashId, _>(entry),
            _ => Err(Problem::Contradiction("a request made something else")),
        }
    };
    let entry = drive.once(&signed, fingerprint, work, again).await?;
    Ok(Json(TrashedView { trash: entry.to_string() }))
}

/// One's files that are not in the trash, the last changed first.
#[utoipa::path(
    get, path = "/recent", operation_id = "listRecent", tag = "nodes",
    params(PageQuery),
    responses((status = 200, description = "A page.", body = PageView<FoundView>)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PAGE])))),
)]
pub(crate) async fn recent(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<PageView<FoundView>>> {
    let owner = signed.may(Action::Read)?;
    let after = cursor(query.cursor.as_deref(), List::Recent)?;
    let page = drive.database.recent(owner, after.as_ref(), page_rows(query.limit)?).await?;
    Ok(Json(PageView::of(page, List::Recent, FoundView::from)))
}

/// What is looked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchFor {
    /// Terms that a name has, with blanks between.
    #[param(value_type = SearchText)]
    q: String,
    /// `next` of the page before.
    #[param(value_type = Option<CursorText>)]
    cursor: Option<String>,
    /// Rows of the page at most.
    #[param(value_type = Option<PageRows>)]
    limit: Option<u32>,
}

/// Something that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = Found)]
pub(crate) struct FoundView {
    #[serde(flatten)]
    node: NodeView,
    /// The name of the folder it is in; none of the root folder.
    #[schema(required)]
    folder: Option<String>,
}

impl From<FoundNode> for FoundView {
    fn from(found: FoundNode) -> Self {
        Self { node: found.node.into(), folder: found.folder.map(String::from) }
    }
}

/// Looks for names that have all of these terms.
#[utoipa::path(
    get, path = "/search", operation_id = "searchNodes", tag = "nodes",
    params(SearchFor),
    responses((status = 200, description = "A page.", body = PageView<FoundView>)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PAGE])))),
)]
pub(crate) async fn search(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<SearchFor>,
) -> Answer<Json<PageView<FoundView>>> {
    let owner = signed.may(Action::Read)?;
    let after = cursor(query.cursor.as_deref(), List::Search)?;
    let limit = page_rows(query.limit)?;
    let page = drive.database.search(owner, &SearchQuery::new(&query.q)?, after.as_ref(), limit).await?;
    Ok(Json(PageView::of(page, List::Search, FoundView::from)))
}
