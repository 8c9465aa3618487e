//! Accounts: made, seen, changed by their owners.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use drive_core::Problem;
use drive_core::access::Action;
use drive_core::account::{
    Account, AddressBlock, Email, NickName, Phone, Registrar, Registration, Role, Track, Typed, UserName,
    Verifiers, check_typed, may_register,
};
use drive_core::ports::PurposeOfRate;
use drive_core::session::{Door, Token, TokenKind};
use drive_db::{PasswordChange, Profile};
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{
    EmailText, NewPasswordText, NickNameText, PasswordText, PhoneText, UserNameText, refused,
};
use crate::fields::Fields;
use crate::passwords::Compared;
use crate::records::Written;
use crate::refusal::Answer;
use crate::v1::records::{RecordView, accepted};
use crate::v1::refusals::{
    CLOSED, FIELDS, NEW_PASSWORD, NO_ACCOUNT, PASSWORD, PERSON, SCOPED, TOKEN, USER_NAME,
};
use crate::v1::sessions::{Hand, SignedInView};
use crate::v1::views::{AccountView, UsageView};
use crate::who::{Signed, Visitor, set_cookie};

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    #[schema(value_type = UserNameText)]
    user_name: String,
    #[schema(value_type = NewPasswordText)]
    password: String,
    /// The user name, unless it is given.
    #[schema(value_type = Option<NickNameText>)]
    nick_name: Option<String>,
    #[schema(value_type = Option<EmailText>)]
    email: Option<String>,
    #[schema(value_type = Option<PhoneText>)]
    phone: Option<String>,
}

/// Makes an account: everybody where registration is open, else administrators.
#[utoipa::path(
    post, path = "/accounts", operation_id = "register", tag = "accounts",
    request_body = NewAccount,
    security((), ("token" = []), ("session" = [])),
    responses(
        (status = 201, description = "The account.", body = AccountView),
        (status = 202, description = "It is certain, and comes later.", body = RecordView,
         headers(("Location" = String, description = "Where it is told what came of it."))),
    ),
    extensions(("x-refusals" = json!(refused(&[CLOSED, TOKEN, FIELDS, USER_NAME, NEW_PASSWORD])))),
)]
pub(crate) async fn register(
    State(drive): State<Arc<Drive>>,
    visitor: Visitor,
    fields: Fields<NewAccount>,
) -> Answer<Response> {
    let asked = fields.value;
    let now = drive.now();
    let signed = visitor.clone().sign(&drive).await?;
    let administrator = signed.filter(|signed| signed.may(|_| Action::Administer).is_ok());
    let registrar = administrator.as_ref().map_or(Registrar::Visitor, |_| Registrar::Administrator);
    may_register(drive.settings.registration, registrar)?;
    if administrator.is_none() {
        let rate = drive.settings.registration_rate.as_ref();
        visitor.take(&drive, PurposeOfRate::Registration, rate).await?;
    }
    let user_name = UserName::new(&asked.user_name).map_err(Problem::from)?;
    let typed = Typed::new(&asked.password).map_err(Problem::from)?;
    typed.check_policy(&user_name).map_err(Problem::from)?;
    let profile = profile(
        asked.nick_name.as_deref().unwrap_or(user_name.as_str()),
        asked.email.as_deref(),
        asked.phone.as_deref(),
    )?;
    let text = drive.passwords.hash(typed.text_secret()).await?;
    let registration = Registration {
        user_name,
        nick_name: profile.nick_name,
        email: profile.email,
        phone: profile.phone,
        verifiers: Verifiers { text: Some(text), dialect: None },
        role: Role::User,
        at: now,
    };
    let written = match administrator {
        Some(signed) => {
            let made = drive.database.register(&registration, &signed.cause(now)).await;
            Written::Applied(made?)
        }
        None => drive.record_account(registration).await?,
    };
    match written {
        Written::Applied(account) => {
            let account = drive.database.account(account).await?;
            Ok((StatusCode::CREATED, Json(AccountView::from(account))).into_response())
        }
        Written::Accepted(key) => Ok(accepted(key)),
    }
}

fn profile(nick_name: &str, email: Option<&str>, phone: Option<&str>) -> Result<Profile, Problem> {
    Ok(Profile {
        nick_name: NickName::new(nick_name)?,
        email: email.map(Email::new).transpose()?,
        phone: phone.map(Phone::new).transpose()?,
    })
}

/// One's own account.
#[utoipa::path(
    get, path = "/me", operation_id = "getMe", tag = "accounts",
    responses((status = 200, description = "The account.", body = AccountView)),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT])))),
)]
pub(crate) async fn me(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<AccountView>> {
    let account = signed.may(Action::KeepAccount)?;
    Ok(Json(drive.database.account(account).await?.into()))
}

/// What is to be changed; what is left out stays, and null takes it away.
#[derive(Deserialize, ToSchema)]
#[schema(as = ProfileChanges)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    #[schema(value_type = Option<NickNameText>)]
    nick_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<EmailText>)]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PhoneText>)]
    phone: Option<Option<String>>,
}

/// Tells null from nothing.
pub(crate) fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes one's profile.
#[utoipa::path(
    patch, path = "/me", operation_id = "changeMe", tag = "accounts",
    request_body = Changes,
    responses((status = 200, description = "The account as it is now.", body = AccountView)),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT, FIELDS])))),
)]
pub(crate) async fn change(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    fields: Fields<Changes>,
) -> Answer<Json<AccountView>> {
    let account = signed.may(Action::KeepAccount)?;
    let before = drive.database.account(account).await?;
    let Changes { nick_name, email, phone } = fields.value;
    let email = email.unwrap_or_else(|| before.email.map(|email| email.as_str().to_owned()));
    let phone = phone.unwrap_or_else(|| before.phone.map(|phone| phone.as_str().to_owned()));
    let nick_name = nick_name.as_deref().unwrap_or(before.nick_name.as_str());
    let profile = profile(nick_name, email.as_deref(), phone.as_deref())?;
    drive.database.change_profile(account, &profile, &signed.cause(drive.now())).await?;
    Ok(Json(drive.database.account(account).await?.into()))
}

/// What one stores and may store.
#[utoipa::path(
    get, path = "/usage", operation_id = "getUsage", tag = "accounts",
    responses((status = 200, description = "What it is.", body = UsageView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_ACCOUNT])))),
)]
pub(crate) async fn usage(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<UsageView>> {
    let account = signed.may(Action::Read)?;
    Ok(Json(drive.database.usage(account).await?.into()))
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    #[schema(value_type = PasswordText)]
    old: String,
    #[schema(value_type = NewPasswordText)]
    new: String,
    /// API tokens go on; otherwise they end, as all sessions do.
    #[serde(default)]
    keep_api_tokens: bool,
    /// How the token of the session that follows is given.
    #[serde(default)]
    hand: Hand,
}

/// Changes one's password. All sessions end, and one is made in place of the present one.
#[utoipa::path(
    put, path = "/me/password", operation_id = "changePassword", tag = "accounts",
    request_body = NewPassword,
    responses(
        (status = 200, description = "The session that follows.", body = SignedInView,
         headers(("Set-Cookie" = String, description = "The session, unless it is handed as a token."))),
    ),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT, NEW_PASSWORD, PASSWORD])))),
)]
pub(crate) async fn change_password(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    fields: Fields<NewPassword>,
) -> Answer<Response> {
    let account = signed.may(Action::KeepAccount)?;
    let NewPassword { old, new, keep_api_tokens, hand } = fields.value;
    let now = drive.now();
    let account = drive.database.account(account).await?;
    let (old, new) = (Typed::new(&old).map_err(Problem::from)?, Typed::new(&new).map_err(Problem::from)?);
    new.check_policy(&account.user_name).map_err(Problem::from)?;
    confirm(&drive, &signed, &account, &old).await?;
    let dialect = match account.verifiers.dialect {
        Some(_) => Some(drive.passwords.hash(new.dialect_secret()).await?),
        None => None,
    };
    let text = Some(drive.passwords.hash(new.text_secret()).await?);
    let token = Token::new(TokenKind::Session, rand::random());
    let change = PasswordChange {
        account: account.id,
        seen: account.verifiers,
        verifiers: Verifiers { text, dialect },
        token: token.digest(),
        door: Door::V1,
        keep_api_tokens,
    };
    let session = drive.database.change_password(&change, &signed.cause(now)).await?;
    drive.forget_token(signed.token).await;
    let view = Json(SignedInView::of(&session, hand, &token));
    let mut response = view.into_response();
    if hand == Hand::Cookie {
        response.headers_mut().insert(SET_COOKIE, set_cookie(Some(&token), signed.visitor.secure)?);
    }
    Ok(response)
}

/// Is this one's password? A session that was left open must not be a way to guess it.
async fn confirm(drive: &Drive, signed: &Signed, account: &Account, typed: &Typed) -> Result<(), Problem> {
    let tracks = [
        Track::Address(AddressBlock::of(signed.visitor.address)),
        Track::Account(account.user_name.key().to_owned()),
    ];
    drive.count_attempt(&tracks, drive.now()).await?;
    let check = check_typed(Some(&account.verifiers), typed);
    if drive.passwords.compare(&check).await? == Compared::Differs {
        return Err(Problem::SignInFailed);
    }
    drive.forgive_attempt(&tracks).await;
    Ok(())
}

/// One's password, once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    #[schema(value_type = PasswordText)]
    password: String,
}

/// Lets clients of the old dialect sign in to one's account with the same password, of which they send an MD5.
#[utoipa::path(
    put, path = "/me/old-clients", operation_id = "allowOldClients", tag = "accounts",
    request_body = Confirmation,
    responses((status = 200, description = "The account as it is now.", body = AccountView)),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT, PASSWORD])))),
)]
pub(crate) async fn allow_old_clients(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    fields: Fields<Confirmation>,
) -> Answer<Json<AccountView>> {
    let account = drive.database.account(signed.may(Action::KeepAccount)?).await?;
    let typed = Typed::new(&fields.value.password).map_err(Problem::from)?;
    confirm(&drive, &signed, &account, &typed).await?;
    let digits = drive.passwords.hash(typed.dialect_secret()).await?;
    let (seen, cause) = (&account.verifiers, signed.cause(drive.now()));
    drive.database.allow_dialect(account.id, Some(&digits), seen, &cause).await?;
    Ok(Json(drive.database.account(account.id).await?.into()))
}

/// Lets clients of the old dialect sign in no more. Not for an account that only they have ever signed in to: it would have no
/// password.
#[utoipa::path(
    delete, path = "/me/old-clients", operation_id = "refuseOldClients", tag = "accounts",
    responses((status = 200, description = "The account as it is now.", body = AccountView)),
    extensions(("x-refusals" = json!(refused(&[PERSON, NO_ACCOUNT])))),
)]
pub(crate) async fn refuse_old_clients(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
) -> Answer<Json<AccountView>> {
    let account = signed.may(Action::KeepAccount)?;
    drive.database.allow_dialect(account, None, &Verifiers::default(), &signed.cause(drive.now())).await?;
    Ok(Json(drive.database.account(account).await?.into()))
}
