//! What links lead to, for everybody who may have it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use drive_core::access::Action;
use drive_core::content::serving;
use drive_core::node::{Node, NodeKind, NodeName};
use drive_core::page::{List, page_rows};
use drive_core::ports::Order;
use drive_core::share::{ShareKind, VisitorMark, Wish, admit};
use drive_core::tree::OnConflict;
use drive_core::{NodeId, Problem, ShareId};
use drive_db::{ListedShare, SaveShared};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{
    FileBytes, IdText, NameText, NodeText, Once, PageRows, RankStart, ShareTokenText, refused,
};
use crate::door::RESOURCE_POLICY;
use crate::fields::{Asked, Fields, Path};
use crate::gate::{Admitted, Guest, Wanted, token};
use crate::give::{Given, give};
use crate::refusal::Answer;
use crate::text::{Id, time};
use crate::v1::files::{Conditions, Fetch};
use crate::v1::nodes::{ListQuery, named, once};
use crate::v1::refusals::{
    CODE, CONTENT, FIELDS, GATE, INTO, MORE, NO_NODE, NOT_A_FOLDER, PAGE, PLACE, ROOT, SAVER, USED_UP,
};
use crate::v1::trash::PageQuery;
use crate::v1::views::{NodeView, PageView, cursor};

/// What a visitor shows at a link that wants its code.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Granted {
    /// What the right code gave; browsers have it as a cookie.
    #[param(rename = "Share-Grant")]
    grant: Option<String>,
}

/// A node, as visitors see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SharedNode {
    #[schema(value_type = IdText)]
    id: String,
    kind: NodeKind,
    name: String,
    #[schema(required)]
    size: Option<u64>,
    #[schema(required)]
    media_type: Option<&'static str>,
    #[schema(format = DateTime)]
    modified_at: String,
}

impl From<&Node> for SharedNode {
    fn from(node: &Node) -> Self {
        Self {
            id: node.id.to_string(),
            kind: node.kind(),
            size: node.content.map(|content| content.size.get()),
            media_type: node.content.map(|_| serving(&node.name).media_type),
            name: node.name.to_string(),
            modified_at: time(node.modified_at),
        }
    }
}

/// A link, as visitors see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Shared)]
pub(crate) struct SharedView {
    kind: ShareKind,
    /// Who shares it.
    owner: String,
    node: SharedNode,
    #[schema(format = DateTime, required)]
    expires_at: Option<String>,
    #[schema(required)]
    downloads_left: Option<u32>,
}

/// What a link leads to. Counted as a view.
#[utoipa::path(
    get, path = "/public/shares/{token}", operation_id = "lookAtShare", tag = "public",
    params(("token" = ShareTokenText, Path, description = "What is in the link's URL."), Granted),
    security((), ("token" = []), ("session" = [])),
    responses((status = 200, description = "It.", body = SharedView)),
    extensions(("x-refusals" = json!(refused(&[GATE])))),
)]
pub(crate) async fn look(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path(text): Path<String>,
) -> Answer<Json<SharedView>> {
    let Admitted { view, mark, .. } = drive.enter(&guest, &text, None, Wanted::Look).await?;
    drive.count_opened(&view.share, &mark).await;
    Ok(Json(SharedView {
        kind: view.share.kind,
        owner: view.owner_name.as_str().to_owned(),
        node: SharedNode::from(&view.top),
        expires_at: view.share.expires_at.map(time),
        downloads_left: view.share.downloads_left,
    }))
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    code: String,
}

/// What the right code gives.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantView {
    /// To be sent in the field `Share-Grant`; browsers have it as a cookie. None when no code is wanted.
    #[schema(required)]
    grant: Option<String>,
    #[schema(format = DateTime, required)]
    ends_at: Option<String>,
}

/// Shows a code.
#[utoipa::path(
    post, path = "/public/shares/{token}/grant", operation_id = "showCode", tag = "public",
    params(("token" = ShareTokenText, Path, description = "What is in the link's URL.")),
    request_body = Code,
    security((), ("token" = []), ("session" = [])),
    responses(
        (status = 200, description = "The grant.", body = GrantView,
         headers(("Set-Cookie" = String, description = "The grant, for browsers; none when no code is wanted."))),
    ),
    extensions(("x-refusals" = json!(refused(&[GATE, CODE])))),
)]
pub(crate) async fn show_code(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path(text): Path<String>,
    fields: Fields<Code>,
) -> Answer<Response> {
    let admitted = drive.try_code(&guest, &text, &fields.value.code).await?;
    let grant = admitted.pass.grant.map(|grant| (grant.to_text(&drive.secret), grant.ends_at()));
    let view = GrantView {
        grant: grant.as_ref().map(|(text, _)| text.clone()),
        ends_at: grant.as_ref().map(|(_, end)| time(*end)),
    };
    let mut response = Json(view).into_response();
    if let Some((grant, _)) = grant {
        let line = guest.grant_cookie(&admitted.view.share.token, &grant)?;
        response.headers_mut().insert(SET_COOKIE, line);
    }
    Ok(response)
}

/// What is in a shared folder.
#[utoipa::path(
    get, path = "/public/shares/{token}/nodes/{node}/children", operation_id = "listSharedChildren", tag = "public",
    params(
        ("token" = ShareTokenText, Path, description = "What is in the link's URL."),
        ("node" = IdText, Path, description = "A folder that is shared, or in one that is."),
        ListQuery,
        Granted,
    ),
    security((), ("token" = []), ("session" = [])),
    responses((status = 200, description = "A page.", body = PageView<SharedNode>)),
    extensions(("x-refusals" = json!(refused(&[GATE, NO_NODE, PAGE, NOT_A_FOLDER])))),
)]
pub(crate) async fn list(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path((text, folder)): Path<(String, String)>,
    Asked(query): Asked<ListQuery>,
) -> Answer<Json<PageView<SharedNode>>> {
    let folder = NodeId::of(&folder)?;
    let list = List::Nodes(query.order, query.direction);
    let after = cursor(query.cursor.as_deref(), list)?;
    let limit = page_rows(query.limit)?;
    let share = drive.enter(&guest, &text, Some(folder), Wanted::Look).await?.view.share;
    let (order, direction) = (query.order, query.direction);
    let page =
        drive.database.list_folder(share.owner, folder, order, direction, after.as_ref(), limit).await?;
    Ok(Json(PageView::of(page, list, |node| SharedNode::from(&node))))
}

/// The bytes of a shared file. Counted as a download at their first one. The picture of a picture link is counted as a view
/// instead: once per visitor and hour, and not while the visitor has its link open.
#[utoipa::path(
    get, path = "/public/shares/{token}/nodes/{node}/content", operation_id = "getSharedContent", tag = "public",
    params(
        ("token" = ShareTokenText, Path, description = "What is in the link's URL."),
        ("node" = IdText, Path, description = "A file that is shared, or in a folder that is."),
        Fetch,
        Granted,
        Conditions,
    ),
    security((), ("token" = []), ("session" = [])),
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
    extensions(("x-refusals" = json!(refused(&[GATE, NO_NODE, USED_UP, CONTENT])))),
)]
pub(crate) async fn fetch(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path((text, node)): Path<(String, String)>,
    Asked(query): Asked<Fetch>,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let node = NodeId::of(&node)?;
    let admitted = drive.enter(&guest, &text, Some(node), Wanted::Download).await?;
    let share = &admitted.view.share;
    let file = drive.database.file(share.owner, node).await?;
    let mut response = give(&drive.blobs, &Given::of(&file, query.save), &method, &headers).await?;
    let bytes = matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT);
    if admitted.pass.count && method == Method::GET && bytes {
        drive.count_shared(share, &admitted.mark).await?;
    }
    if share.kind == ShareKind::Picture {
        let shown = bytes || response.status() == StatusCode::NOT_MODIFIED;
        if shown && method == Method::GET {
            drive.count_shown(share, &admitted.mark).await;
        }
        // To be shown by other pages is what it is for.
        response.headers_mut().insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    }
    Ok(response)
}

/// What is saved, and where.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Save {
    /// What of it; all, unless it is given.
    #[schema(value_type = Option<IdText>)]
    node: Option<String>,
    /// A folder of one's own.
    #[schema(value_type = NodeText)]
    parent: String,
    /// Its own, unless it is given.
    #[schema(value_type = Option<NameText>)]
    name: Option<String>,
    #[serde(default)]
    on_conflict: OnConflict,
}

/// Saves what a link leads to in one's own drive.
#[utoipa::path(
    post, path = "/public/shares/{token}/save", operation_id = "saveShared", tag = "public",
    params(("token" = ShareTokenText, Path, description = "What is in the link's URL."), Granted, Once),
    request_body = Save,
    security((), ("token" = []), ("session" = [])),
    responses((status = 201, description = "What is in one's own drive now.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[GATE, SAVER, USED_UP, PLACE, INTO, ROOT, MORE])))),
)]
pub(crate) async fn save(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path(text): Path<String>,
    Fields { value, fingerprint }: Fields<Save>,
) -> Answer<(StatusCode, Json<NodeView>)> {
    let signed = guest.signed.as_ref().ok_or(Problem::SignInNeeded)?;
    let saver = signed.may(|_| Action::SaveShared)?;
    let share = drive.behind(&text, None).await?.share;
    let visitor = VisitorMark::of_account(&drive.secret, share.id, saver);
    let save = SaveShared {
        saver,
        token: token(&text)?,
        node: value.node.as_deref().map(NodeId::of).transpose()?,
        folder: named(signed, &value.parent)?,
        name: value.name.as_deref().map(NodeName::new).transpose().map_err(Problem::from)?,
        on_conflict: value.on_conflict,
        visitor,
    };
    let (drive_, guest, save) = (&drive, &guest, &save);
    let node = once(&drive, signed, fingerprint, |cause| async move {
        let now = cause.at;
        let gate = |share: &_, behind: &_, seen| {
            admit(share, behind, guest.shown(), &visitor, Wish::Save(seen), &drive_.secret, now)
        };
        drive_.database.save_shared(save, &gate, &cause).await
    });
    Ok((StatusCode::CREATED, Json(node.await?.into())))
}

/// A link that everybody sees.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedShare)]
pub(crate) struct ListedView {
    #[schema(value_type = ShareTokenText)]
    token: String,
    owner: String,
    node: SharedNode,
    views: u64,
    downloads: u64,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<ListedShare> for ListedView {
    fn from(listed: ListedShare) -> Self {
        Self {
            token: listed.share.token.as_str().to_owned(),
            owner: listed.owner_name.as_str().to_owned(),
            node: SharedNode::from(&listed.node),
            views: listed.share.views,
            downloads: listed.share.downloads,
            created_at: time(listed.share.created_at),
        }
    }
}

/// From where on, and how many.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RankingQuery {
    /// `next` of the part before.
    #[serde(default)]
    #[param(value_type = RankStart)]
    from: u32,
    #[param(value_type = Option<PageRows>)]
    limit: Option<u32>,
}

/// A part of the ranking.
#[derive(Serialize, ToSchema)]
#[schema(as = Ranking)]
pub(crate) struct RankingView {
    /// A link that was taken back since the ranking was made is left out.
    rows: Vec<ListedView>,
    /// Where the next part begins; none at the end.
    #[schema(value_type = Option<u64>, required)]
    next: Option<usize>,
}

/// What everybody shares with everybody, the most downloaded first; at most half a minute old.
#[utoipa::path(
    get, path = "/public/ranking", operation_id = "getRanking", tag = "public",
    params(RankingQuery),
    security((), ("token" = []), ("session" = [])),
    responses((status = 200, description = "A part.", body = RankingView)),
    extensions(("x-refusals" = json!(refused(&[FIELDS])))),
)]
pub(crate) async fn ranking(
    State(drive): State<Arc<Drive>>,
    _guest: Guest,
    Asked(query): Asked<RankingQuery>,
) -> Answer<Json<RankingView>> {
    let (from, limit) = (query.from as usize, page_rows(query.limit)? as usize);
    let entries = drive.ranked(Order::Highest, from, limit).await?;
    let shares: Vec<ShareId> = entries.iter().map(|entry| entry.share).collect();
    let rows = drive.database.listed_shares(&shares, drive.now()).await?;
    let next = (entries.len() == limit).then(|| from.saturating_add(limit));
    Ok(Json(RankingView { rows: rows.into_iter().map(ListedView::from).collect(), next }))
}

/// What everybody shares with everybody, the newest first.
#[utoipa::path(
    get, path = "/public/shares", operation_id = "listPublicShares", tag = "public",
    params(PageQuery),
    security((), ("token" = []), ("session" = [])),
    responses((status = 200, description = "A page.", body = PageView<ListedView>)),
    extensions(("x-refusals" = json!(refused(&[PAGE])))),
)]
pub(crate) async fn listed(
    State(drive): State<Arc<Drive>>,
    _guest: Guest,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<PageView<ListedView>>> {
    let after = cursor(query.cursor.as_deref(), List::Listed)?;
    let limit = page_rows(query.limit)?;
    let page = drive.database.list_listed(after.as_ref(), limit, drive.now()).await?;
    Ok(Json(PageView::of(page, List::Listed, ListedView::from)))
}
