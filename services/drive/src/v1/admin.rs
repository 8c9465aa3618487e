//! What administrators do: accounts, quotas, links of others, the audit log. Not the files of others.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::access::Action;
use drive_core::account::{AccountState, Decree, Role, Typed, Verifiers};
use drive_core::audit::{Actor, AuditEvent};
use drive_core::page::{List, SearchQuery, page_rows};
use drive_core::{AccountId, ByteCount, Problem, ShareId};
use drive_db::AuditRow;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{CursorText, IdText, NewPasswordText, PageRows, SearchText, refused};
use crate::fields::{Asked, Fields, Path};
use crate::refusal::Answer;
use crate::text::{Id, time};
use crate::v1::refusals::{ADMIN, LAST_ADMINISTRATOR, NEW_PASSWORD, NO_ACCOUNT, NO_SHARE, PAGE, PERSON};
use crate::v1::trash::PageQuery;
use crate::v1::views::{AccountView, PageView, cursor};
use crate::who::Signed;

pub(super) fn administers(signed: &Signed) -> Result<(), Problem> {
    signed.may(|_| Action::Administer).map(drop)
}

fn empowers(signed: &Signed) -> Result<(), Problem> {
    signed.may(|_| Action::Empower).map(drop)
}

/// Which accounts, and which page of them.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountsQuery {
    /// Terms with blanks between. Each has to be somewhere in the user name, the nick name or the e-mail address; upper and
    /// lower case, and full and half width, are the same. All accounts unless it is given.
    #[param(value_type = Option<SearchText>)]
    q: Option<String>,
    /// `next` of the page before.
    #[param(value_type = Option<CursorText>)]
    cursor: Option<String>,
    /// Rows of the page at most.
    #[param(value_type = Option<PageRows>)]
    limit: Option<u32>,
}

/// Accounts, by user name: all, or those that have all of these terms.
#[utoipa::path(
    get, path = "/admin/accounts", operation_id = "listAccounts", tag = "admin",
    params(AccountsQuery),
    responses((status = 200, description = "A page.", body = PageView<AccountView>)),
    extensions(("x-refusals" = json!(refused(&[ADMIN, PAGE])))),
)]
pub(crate) async fn accounts(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<AccountsQuery>,
) -> Answer<Json<PageView<AccountView>>> {
    administers(&signed)?;
    let (after, limit) = (cursor(query.cursor.as_deref(), List::Accounts)?, page_rows(query.limit)?);
    let page = match &query.q {
        None => drive.database.list_accounts(after.as_ref(), limit).await?,
        Some(text) => drive.database.search_accounts(&SearchQuery::new(text)?, after.as_ref(), limit).await?,
    };
    Ok(Json(PageView::of(page, List::Accounts, AccountView::from)))
}

/// An account.
#[utoipa::path(
    get, path = "/admin/accounts/{account}", operation_id = "getAccount", tag = "admin",
    params(("account" = IdText, Path, description = "An account.")),
    responses((status = 200, description = "It.", body = AccountView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN, NO_ACCOUNT])))),
)]
pub(crate) async fn account(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(account): Path<String>,
) -> Answer<Json<AccountView>> {
    administers(&signed)?;
    Ok(Json(drive.database.account(AccountId::of(&account)?).await?.into()))
}

/// What is changed about an account: one thing at a time, so that it is done or not.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccountChange)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// What it may do. Changed by a session only, not by API tokens.
    Role(Role),
    /// Whether it may be used.
    State(AccountState),
    /// Bytes that it may store; null: as many as there is room for.
    Quota(Option<ByteCount>),
}

/// Changes an account.
#[utoipa::path(
    patch, path = "/admin/accounts/{account}", operation_id = "changeAccount", tag = "admin",
    params(("account" = IdText, Path, description = "An account.")),
    request_body = Change,
    responses((status = 200, description = "The account as it is now.", body = AccountView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN, NO_ACCOUNT, LAST_ADMINISTRATOR])))),
)]
pub(crate) async fn change(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(account): Path<String>,
    fields: Fields<Change>,
) -> Answer<Json<AccountView>> {
    administers(&signed)?;
    let account = AccountId::of(&account)?;
    let cause = signed.cause(drive.now());
    match fields.value {
        Change::Role(role) => {
            empowers(&signed)?;
            drive.database.decree(account, Decree::Role(role), &cause).await?;
        }
        Change::State(state) => drive.database.decree(account, Decree::State(state), &cause).await?,
        Change::Quota(limit) => drive.database.set_quota(account, limit, &cause).await?,
    }
    Ok(Json(drive.database.account(account).await?.into()))
}

/// A password for somebody who forgot theirs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenPassword {
    #[schema(value_type = NewPasswordText)]
    password: String,
}

/// Sets somebody's password: by a session only, not by API tokens. All their sessions and API tokens end, and old clients
/// are let in no more.
#[utoipa::path(
    put, path = "/admin/accounts/{account}/password", operation_id = "setPassword", tag = "admin",
    params(("account" = IdText, Path, description = "An account.")),
    request_body = GivenPassword,
    responses((status = 204, description = "It is set.")),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT, NEW_PASSWORD])))),
)]
pub(crate) async fn set_password(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(account): Path<String>,
    fields: Fields<GivenPassword>,
) -> Answer<StatusCode> {
    empowers(&signed)?;
    let account = drive.database.account(AccountId::of(&account)?).await?;
    let typed = Typed::new(&fields.value.password).map_err(Problem::from)?;
    typed.check_policy(&account.user_name).map_err(Problem::from)?;
    let text = Some(drive.passwords.hash(typed.text_secret()).await?);
    let verifiers = Verifiers { text, dialect: None };
    drive.database.set_password(account.id, &verifiers, &signed.cause(drive.now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of somebody's sessions and API tokens.
#[utoipa::path(
    delete, path = "/admin/accounts/{account}/sessions", operation_id = "endSessionsOf", tag = "admin",
    params(("account" = IdText, Path, description = "An account.")),
    responses((status = 204, description = "They have ended.")),
    extensions(("x-refusals" = json!(refused(&[ADMIN, NO_ACCOUNT])))),
)]
pub(crate) async fn end_sessions(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(account): Path<String>,
) -> Answer<StatusCode> {
    administers(&signed)?;
    let account = AccountId::of(&account)?;
    drive.database.everything_off(account, &signed.cause(drive.now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes somebody's link back.
#[utoipa::path(
    post, path = "/admin/shares/{share}/revoke", operation_id = "revokeShareOf", tag = "admin",
    params(("share" = IdText, Path, description = "A link.")),
    responses((status = 204, description = "It is taken back.")),
    extensions(("x-refusals" = json!(refused(&[ADMIN, NO_SHARE])))),
)]
pub(crate) async fn revoke_share(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(share): Path<String>,
) -> Answer<StatusCode> {
    administers(&signed)?;
    drive.database.revoke_share(None, ShareId::of(&share)?, &signed.cause(drive.now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A line of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLine)]
pub(crate) struct AuditView {
    #[schema(value_type = IdText)]
    id: String,
    #[schema(format = DateTime)]
    at: String,
    /// Who did it: an account's id, or what else it was.
    actor: ActorView,
    #[schema(value_type = Option<String>, required)]
    address: Option<IpAddr>,
    /// What was done; ids in it are numbers.
    #[serde(flatten)]
    event: AuditEvent,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
#[serde(rename_all = "kebab-case")]
enum ActorView {
    Account(IdText),
    Visitor,
    System,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id.to_string(),
            at: time(row.record.at),
            actor: match row.record.actor {
                Actor::Account(account) => ActorView::Account(IdText(account.to_string())),
                Actor::Visitor => ActorView::Visitor,
                Actor::System => ActorView::System,
            },
            address: row.record.address,
            event: row.record.event,
        }
    }
}

/// The audit log, the newest first.
#[utoipa::path(
    get, path = "/admin/audit", operation_id = "listAudit", tag = "admin",
    params(PageQuery),
    responses((status = 200, description = "A page.", body = PageView<AuditView>)),
    extensions(("x-refusals" = json!(refused(&[ADMIN, PAGE])))),
)]
pub(crate) async fn audit(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<PageView<AuditView>>> {
    administers(&signed)?;
    let after = cursor(query.cursor.as_deref(), List::Audit)?;
    let page = drive.database.list_audit(after.as_ref(), page_rows(query.limit)?).await?;
    Ok(Json(PageView::of(page, List::Audit, AuditView::from)))
}
