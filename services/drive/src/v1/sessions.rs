//! Signing in and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use drive_core::access::Action;
use drive_core::account::{Typed, UserName};
use drive_core::session::{Session, Token};
use drive_core::{Problem, SessionId};
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{IdText, PasswordText, refused};
use crate::fields::{Fields, Path};
use crate::refusal::Answer;
use crate::sign_in::Shown;
use crate::text::Id;
use crate::v1::refusals::{FROZEN_ACCOUNT, NO_ACCOUNT, NO_SESSION, PASSWORD, PERSON};
use crate::v1::views::SessionView;
use crate::who::{Signed, Visitor, set_cookie};

/// How a token is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hand {
    /// As a cookie that scripts can't read: for browsers.
    #[default]
    Cookie,
    /// In the answer, to be sent as `Authorization: Bearer`: for programs.
    Token,
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    user_name: String,
    #[schema(value_type = PasswordText)]
    password: String,
    #[serde(default)]
    hand: Hand,
}

/// A session that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(crate) struct SignedInView {
    session: SessionView,
    /// Shown this once, if it was asked for.
    #[schema(required)]
    token: Option<String>,
}

impl SignedInView {
    pub(crate) fn of(session: &Session, hand: Hand, token: &Token) -> Self {
        let token = (hand == Hand::Token).then(|| token.to_text());
        Self { session: SessionView::of(session, Some(session.id)), token }
    }
}

/// Signs in.
#[utoipa::path(
    post, path = "/session", operation_id = "signIn", tag = "sessions",
    request_body = SignIn,
    security((), ("session" = [])),
    responses(
        (status = 201, description = "The session.", body = SignedInView,
         headers(("Set-Cookie" = String, description = "The session, unless it is handed as a token."))),
    ),
    extensions(("x-refusals" = json!(refused(&[PASSWORD, FROZEN_ACCOUNT, NO_ACCOUNT])))),
)]
pub(crate) async fn sign_in(
    State(drive): State<Arc<Drive>>,
    visitor: Visitor,
    fields: Fields<SignIn>,
) -> Answer<Response> {
    let SignIn { user_name, password, hand } = fields.value;
    let typed = Typed::new(&password).map_err(Problem::from)?;
    // A text that can't be a name costs what a name that nobody has costs.
    let name = UserName::parse(&user_name).ok();
    let (session, token) = drive.sign_in(&visitor, name.as_ref(), Shown::Typed(&typed)).await?;
    let mut response = (StatusCode::CREATED, Json(SignedInView::of(&session, hand, &token))).into_response();
    if hand == Hand::Cookie {
        response.headers_mut().insert(SET_COOKIE, set_cookie(Some(&token), visitor.secure)?);
    }
    Ok(response)
}

/// Signs out.
#[utoipa::path(
    delete, path = "/session", operation_id = "signOut", tag = "sessions",
    responses((status = 204, description = "It has ended.", headers(("Set-Cookie" = String)))),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_SESSION])))),
)]
pub(crate) async fn sign_out(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Response> {
    // Whoever has a session may end it, an old client too, which may do nothing else to the account.
    let session = signed.session().ok_or(Problem::NotAllowed)?;
    drive.database.end_session(signed.account(), session, &signed.cause(drive.now())).await?;
    drive.forget_token(signed.token).await;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(SET_COOKIE, set_cookie(None, signed.visitor.secure)?);
    Ok(response)
}

/// One's sign-ins, the last used first.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(crate) struct SessionsView {
    rows: Vec<SessionView>,
}

/// One's sign-ins.
#[utoipa::path(
    get, path = "/sessions", operation_id = "listSessions", tag = "sessions",
    responses((status = 200, description = "All of them.", body = SessionsView)),
    extensions(("x-refusals" = json!(refused(&[PERSON])))),
)]
pub(crate) async fn list(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<SessionsView>> {
    let account = signed.may(Action::KeepAccount)?;
    let now = drive.now();
    let alive = |session: &Session| {
        let lifetime = session.door.lifetime();
        now.since(session.created_at) < lifetime.absolute && now.since(session.used_at) < lifetime.idle
    };
    let sessions = drive.database.sessions(account).await?;
    let present = signed.session();
    let rows = sessions.iter().filter(|session| alive(session));
    Ok(Json(SessionsView { rows: rows.map(|session| SessionView::of(session, present)).collect() }))
}

/// Ends one of one's sign-ins.
#[utoipa::path(
    delete, path = "/sessions/{session}", operation_id = "endSession", tag = "sessions",
    params(("session" = IdText, Path, description = "A sign-in.")),
    responses((status = 204, description = "It has ended.")),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_SESSION])))),
)]
pub(crate) async fn end(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(session): Path<String>,
) -> Answer<StatusCode> {
    let account = signed.may(Action::KeepAccount)?;
    let session = SessionId::of(&session)?;
    drive.database.end_session(account, session, &signed.cause(drive.now())).await?;
    if signed.session() == Some(session) {
        drive.forget_token(signed.token).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of one's sign-ins and API tokens, this one too.
#[utoipa::path(
    delete, path = "/sessions", operation_id = "endAllSessions", tag = "sessions",
    responses((status = 204, description = "They have ended.", headers(("Set-Cookie" = String)))),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT])))),
)]
pub(crate) async fn end_all(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Response> {
    let account = signed.may(Action::KeepAccount)?;
    drive.database.everything_off(account, &signed.cause(drive.now())).await?;
    drive.forget_token(signed.token).await;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(SET_COOKIE, set_cookie(None, signed.visitor.secure)?);
    Ok(response)
}
