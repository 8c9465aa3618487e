//! API tokens: for one's own programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::ApiTokenId;
use drive_core::access::Action;
use drive_core::account::NickName;
use drive_core::session::{ApiToken, Scope, Scopes, Token, TokenKind};
use drive_db::NewApiToken;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{IdText, NickNameText, refused};
use crate::fields::{Fields, Path};
use crate::refusal::Answer;
use crate::text::{Id, parse_time, time};
use crate::v1::refusals::{FIELDS, MANY, NO_ACCOUNT, NO_TOKEN, PERSON};
use crate::who::Signed;

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// What its owner calls it.
    #[schema(value_type = NickNameText)]
    label: String,
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// When it ends; never, unless it is given.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A token, without the token.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView {
    #[schema(value_type = IdText)]
    id: String,
    label: String,
    scopes: Vec<Scope>,
    #[schema(format = DateTime, required)]
    expires_at: Option<String>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.as_str().to_owned(),
            scopes: token.scopes.iter().collect(),
            expires_at: token.expires_at.map(time),
        }
    }
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeToken)]
pub(crate) struct NewTokenView {
    #[serde(flatten)]
    about: TokenView,
    /// Shown this once.
    token: String,
}

/// One's tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensView {
    rows: Vec<TokenView>,
}

/// Makes a token.
#[utoipa::path(
    post, path = "/tokens", operation_id = "createToken", tag = "tokens",
    request_body = Wanted,
    responses((status = 201, description = "The token, shown this once.", body = NewTokenView)),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT, FIELDS, MANY])))),
)]
pub(crate) async fn make(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    fields: Fields<Wanted>,
) -> Answer<(StatusCode, Json<NewTokenView>)> {
    let account = signed.may(Action::KeepAccount)?;
    let Wanted { label, scopes, expires_at } = fields.value;
    let token = Token::new(TokenKind::Api, rand::random());
    let new = NewApiToken {
        account,
        token: token.digest(),
        label: NickName::new(&label)?,
        scopes: Scopes::of(&scopes),
        expires_at: expires_at.map(|text| parse_time(&text, "expires_at")).transpose()?,
    };
    let made = drive.database.make_api_token(&new, &signed.cause(drive.now())).await?;
    Ok((StatusCode::CREATED, Json(NewTokenView { about: made.into(), token: token.to_text() })))
}

/// One's tokens, the oldest first.
#[utoipa::path(
    get, path = "/tokens", operation_id = "listTokens", tag = "tokens",
    responses((status = 200, description = "All of them.", body = TokensView)),
    extensions(("x-refusals" = json!(refused(&[PERSON])))),
)]
pub(crate) async fn list(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<TokensView>> {
    let account = signed.may(Action::KeepAccount)?;
    let tokens = drive.database.api_tokens(account).await?;
    Ok(Json(TokensView { rows: tokens.into_iter().map(TokenView::from).collect() }))
}

/// Ends a token.
#[utoipa::path(
    delete, path = "/tokens/{token}", operation_id = "endToken", tag = "tokens",
    params(("token" = IdText, Path, description = "An API token.")),
    responses((status = 204, description = "It has ended.")),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_TOKEN])))),
)]
pub(crate) async fn end(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(token): Path<String>,
) -> Answer<StatusCode> {
    let account = signed.may(Action::KeepAccount)?;
    drive.database.end_api_token(account, ApiTokenId::of(&token)?, &signed.cause(drive.now())).await?;
    Ok(StatusCode::NO_CONTENT)
}
