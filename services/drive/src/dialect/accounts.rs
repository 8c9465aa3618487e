//! `/api/reg`, `/api/login`.

use axum::response::Response;
use drive_core::account::{Registrar, Registration, Role, Verifiers, may_register};
use drive_core::dialect::{Code, SignedIn};
use drive_core::ports::PurposeOfRate;
use drive_core::{Part, Problem};

use super::call::Call;
use super::reply::{done, reply};
use crate::records::Written;
use crate::refusal::Answer;
use crate::sign_in::Shown;

/// Makes an account that old clients can sign in to, and API v1 with what was typed.
pub(super) async fn register(call: &Call) -> Answer<Response> {
    let (drive, visitor) = (&call.drive, call.visitor().await?);
    may_register(drive.settings.registration, Registrar::Visitor)?;
    let fields = call.fields.registration()?;
    visitor.take(drive, PurposeOfRate::Registration, drive.settings.registration_rate.as_ref()).await?;
    let dialect = drive.passwords.hash(fields.password.secret().clone()).await?;
    let now = drive.now();
    let registration = Registration {
        user_name: fields.user_name,
        nick_name: fields.nick_name,
        email: fields.email,
        phone: fields.phone,
        verifiers: Verifiers { text: None, dialect: Some(dialect) },
        role: Role::User,
        at: now,
    };
    match drive.record_account(registration).await? {
        Written::Applied(_) => Ok(done()),
        // Old clients know no "later": the account comes, and signing in works once it is there.
        Written::Accepted(_) => Err(Problem::Unavailable(Part::Database).into()),
    }
}

/// Signs in.
pub(super) async fn login(call: &Call) -> Answer<Response> {
    let visitor = call.visitor().await?;
    let (name, digits) = call.fields.sign_in()?;
    let (_, token) = call.drive.sign_in(&visitor, Some(&name), Shown::Digits(&digits)).await?;
    Ok(reply(&SignedIn { code: Code::Done.number(), token: token.to_text() })?)
}
