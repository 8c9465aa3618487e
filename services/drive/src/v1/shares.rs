//! One's own links.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::access::Action;
use drive_core::page::{Direction, List, ShareOrder, page_rows};
use drive_core::share::{Expiry, Share, ShareCode, ShareKind, ShareToken, WantedCode};
use drive_core::{DriveSecret, Problem, ShareId, UnixMillis};
use drive_db::{Made, NewShare, ShareChange, ShareFilter, ShareRow};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{
    CodeText, CursorText, Downloads, IdText, NodeText, Once, PageRows, ShareTokenText, refused,
};
use crate::fields::{Asked, Fields, Path};
use crate::refusal::Answer;
use crate::text::{Id, parse_time, time};
use crate::v1::accounts::present;
use crate::v1::nodes::named;
use crate::v1::refusals::{MANY, NO_NODE, NO_SHARE, PAGE, PICTURE, REVOKED, ROOT, SCOPED, TERMS};
use crate::v1::views::{NodeView, PageView, cursor};
use crate::who::Signed;

/// Which code a link is to have.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodeWish {
    /// None.
    #[default]
    None,
    /// One that can be shown again.
    Generated,
    /// This, which can't be shown again.
    Chosen(CodeText),
}

impl From<CodeWish> for WantedCode {
    fn from(wish: CodeWish) -> Self {
        match wish {
            CodeWish::None => Self::None,
            CodeWish::Generated => Self::Generated,
            CodeWish::Chosen(CodeText(text)) => Self::Chosen(text),
        }
    }
}

/// A link to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewShare)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(default)]
    #[schema(value_type = ShareKind)]
    kind: Kind,
    #[serde(default)]
    code: CodeWish,
    /// When it ends: after a week unless it is given; null: never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
    /// Downloads that it allows; any number unless it is given.
    #[schema(value_type = Option<Downloads>)]
    downloads: Option<u32>,
    /// For everybody to see.
    #[serde(default)]
    listed: bool,
}

/// What a link is for.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A file or folder.
    #[default]
    Link,
    /// A picture.
    Picture,
}

impl From<Kind> for ShareKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Link => Self::Link,
            Kind::Picture => Self::Picture,
        }
    }
}

/// A link, as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Share)]
pub(crate) struct ShareView {
    #[schema(value_type = IdText)]
    id: String,
    kind: ShareKind,
    /// What is in its URL.
    #[schema(value_type = ShareTokenText)]
    token: String,
    node: NodeView,
    code: CodeView,
    #[schema(format = DateTime, required)]
    expires_at: Option<String>,
    /// None: any number.
    #[schema(required)]
    downloads_left: Option<u32>,
    listed: bool,
    revoked: bool,
    views: u64,
    downloads: u64,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A link's code.
#[derive(Serialize, ToSchema)]
#[schema(as = ShareCode)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum CodeView {
    None,
    Generated {
        #[schema(required)]
        text: Option<String>,
    },
    /// It can't be shown again.
    Chosen,
}

impl ShareView {
    fn of(row: ShareRow, secret: &DriveSecret) -> Self {
        let Share { id, kind, token, code, version, .. } = &row.share;
        Self {
            id: id.to_string(),
            kind: *kind,
            token: token.as_str().to_owned(),
            code: match code {
                ShareCode::None => CodeView::None,
                ShareCode::Generated => CodeView::Generated { text: code.show(secret, *id, *version) },
                ShareCode::Chosen(_) => CodeView::Chosen,
            },
            expires_at: row.share.expires_at.map(time),
            downloads_left: row.share.downloads_left,
            listed: row.share.listed,
            revoked: row.share.revoked,
            views: row.share.views,
            downloads: row.share.downloads,
            created_at: time(row.share.created_at),
            node: row.node.into(),
        }
    }
}

fn expiry(asked: Option<Option<String>>) -> Result<Expiry, Problem> {
    Ok(match asked {
        None => Expiry::Usual,
        Some(None) => Expiry::Never,
        Some(Some(text)) => Expiry::At(parse_time(&text, "expires_at")?),
    })
}

async fn show(drive: &Drive, signed: &Signed, share: ShareId) -> Result<ShareView, Problem> {
    let row = drive.database.share(signed.account(), share).await?;
    Ok(ShareView::of(row, &drive.secret))
}

/// Makes a link to a node.
#[utoipa::path(
    post, path = "/nodes/{node}/shares", operation_id = "createShare", tag = "shares",
    params(("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."), Once),
    request_body = Wanted,
    responses((status = 201, description = "The link.", body = ShareView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE, NO_SHARE, ROOT, PICTURE, TERMS, MANY])))),
)]
pub(crate) async fn make(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
    Fields { value, fingerprint }: Fields<Wanted>,
) -> Answer<(StatusCode, Json<ShareView>)> {
    let owner = signed.may(Action::Share)?;
    let new = NewShare {
        owner,
        node: named(&signed, &node)?,
        kind: value.kind.into(),
        token: ShareToken::new(rand::random()),
        code: value.code.into(),
        expires_at: drive.settings.shares.expiry(expiry(value.expires_at)?, drive.now())?,
        downloads_left: value.downloads,
        listed: value.listed,
    };
    let (database, secret) = (&drive.database, &drive.secret);
    let work = |cause| async move { Ok(database.make_share(&new, secret, &cause).await?.id) };
    let share = drive.once(&signed, fingerprint, work, made_share).await?;
    Ok((StatusCode::CREATED, Json(show(&drive, &signed, share).await?)))
}

async fn made_share(made: Made) -> Result<ShareId, Problem> {
    match made {
        Made::Share(share) => Ok(share),
        _ => Err(Problem::Contradiction("a request made something else")),
    }
}

/// Which page, of which links, in which order.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[param(value_type = Option<ShareKind>)]
    kind: Option<Kind>,
    /// Only links to this folder or file itself, not to what is in it.
    #[param(value_type = Option<NodeText>)]
    node: Option<String>,
    #[serde(default)]
    order: ShareOrder,
    #[serde(default)]
    direction: Direction,
    /// `next` of the page before.
    #[param(value_type = Option<CursorText>)]
    cursor: Option<String>,
    /// Rows of the page at most.
    #[param(value_type = Option<PageRows>)]
    limit: Option<u32>,
}

/// One's links.
#[utoipa::path(
    get, path = "/shares", operation_id = "listShares", tag = "shares",
    params(ListQuery),
    responses((status = 200, description = "A page.", body = PageView<ShareView>)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PAGE, NO_NODE])))),
)]
pub(crate) async fn list(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<ListQuery>,
) -> Answer<Json<PageView<ShareView>>> {
    let owner = signed.may(Action::Share)?;
    let list = List::Shares(query.order, query.direction);
    let after = cursor(query.cursor.as_deref(), list)?;
    let limit = page_rows(query.limit)?;
    let node = query.node.map(|text| named(&signed, &text)).transpose()?;
    let which = ShareFilter { kind: query.kind.map(ShareKind::from), node };
    let page =
        drive.database.list_shares(owner, which, query.order, query.direction, after.as_ref(), limit).await?;
    Ok(Json(PageView::of(page, list, |row| ShareView::of(row, &drive.secret))))
}

/// A link.
#[utoipa::path(
    get, path = "/shares/{share}", operation_id = "getShare", tag = "shares",
    params(("share" = IdText, Path, description = "A link.")),
    responses((status = 200, description = "It.", body = ShareView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_SHARE])))),
)]
pub(crate) async fn get(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(share): Path<String>,
) -> Answer<Json<ShareView>> {
    signed.may(Action::Share)?;
    Ok(Json(show(&drive, &signed, ShareId::of(&share)?).await?))
}

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = ShareChanges)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    code: Option<CodeWish>,
    /// null: never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
    /// null: any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Downloads>)]
    downloads: Option<Option<u32>>,
    listed: Option<bool>,
    /// Visitors have to show the code again; a generated one is another from now on.
    #[serde(default)]
    renew: bool,
}

impl Changes {
    fn into_change(self, drive: &Drive, now: UnixMillis) -> Result<ShareChange, Problem> {
        let expires_at = match expiry(self.expires_at)? {
            Expiry::Usual => None,
            asked => Some(drive.settings.shares.expiry(asked, now)?),
        };
        Ok(ShareChange {
            code: self.code.map(WantedCode::from),
            expires_at,
            downloads_left: self.downloads,
            listed: self.listed,
            renew: self.renew,
        })
    }
}

/// Changes a link.
#[utoipa::path(
    patch, path = "/shares/{share}", operation_id = "changeShare", tag = "shares",
    params(("share" = IdText, Path, description = "A link."), Once),
    request_body = Changes,
    responses((status = 200, description = "The link as it is now.", body = ShareView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_SHARE, TERMS, REVOKED])))),
)]
pub(crate) async fn change(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(share): Path<String>,
    Fields { value, fingerprint }: Fields<Changes>,
) -> Answer<Json<ShareView>> {
    let owner = signed.may(Action::Share)?;
    let share = ShareId::of(&share)?;
    let change = value.into_change(&drive, drive.now())?;
    let (database, secret) = (&drive.database, &drive.secret);
    let work =
        |cause| async move { Ok(database.change_share(owner, share, &change, secret, &cause).await?.id) };
    let share = drive.once(&signed, fingerprint, work, made_share).await?;
    Ok(Json(show(&drive, &signed, share).await?))
}

/// Takes a link back: its URL says so from now on.
#[utoipa::path(
    post, path = "/shares/{share}/revoke", operation_id = "revokeShare", tag = "shares",
    params(("share" = IdText, Path, description = "A link.")),
    responses((status = 204, description = "It is taken back.")),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_SHARE])))),
)]
pub(crate) async fn revoke(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(share): Path<String>,
) -> Answer<StatusCode> {
    let owner = signed.may(Action::Share)?;
    drive.database.revoke_share(Some(owner), ShareId::of(&share)?, &signed.cause(drive.now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a link: its URL leads nowhere.
#[utoipa::path(
    delete, path = "/shares/{share}", operation_id = "removeShare", tag = "shares",
    params(("share" = IdText, Path, description = "A link.")),
    responses((status = 204, description = "It is removed.")),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_SHARE])))),
)]
pub(crate) async fn remove(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(share): Path<String>,
) -> Answer<StatusCode> {
    let owner = signed.may(Action::Share)?;
    drive.database.remove_share(owner, ShareId::of(&share)?, &signed.cause(drive.now())).await?;
    Ok(StatusCode::NO_CONTENT)
}
