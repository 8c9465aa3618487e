//! Sessions and API tokens.

use drive_core::account::{AccountState, Decree, NickName, Verifiers};
use drive_core::session::{API_TOKENS_MAX, Door, SESSIONS_MAX, Scope, Scopes, Session, TokenDigest};
use drive_core::{Missing, Problem, UnixMillis};
use drive_db::{NewApiToken, PasswordChange};

use crate::kit::{Bed, NOW, Person, at, by, hash, later, system};

on_both! {
    a_sign_in_makes_a_session_and_ends_the_one_that_was_there
    a_sign_in_needs_the_verifiers_it_was_checked_against
    beyond_the_limit_the_session_used_longest_ago_ends
    a_session_ends_for_its_owner_only
    a_password_change_ends_everything_but_one_new_session
    everything_off_is_everything
    tokens_of_programs_are_made_and_ended
}

fn token(number: u8) -> TokenDigest {
    TokenDigest([number; 32])
}

fn seen() -> Verifiers {
    Verifiers { text: Some(hash("first")), dialect: None }
}

async fn sign_in(bed: &Bed, person: Person, number: u8) -> Session {
    bed.sign_in(person.id, &seen(), token(number), Door::V1, None, &by(person)).await.unwrap()
}

async fn a_sign_in_makes_a_session_and_ends_the_one_that_was_there(bed: Bed) {
    let person = bed.account("lilei").await;
    let first = sign_in(&bed, person, 1).await;
    let (found, holder) = bed.session_by_token(token(1)).await.unwrap().unwrap();
    assert_eq!(found, first);
    assert_eq!((holder.user_name.as_str(), holder.root), ("lilei", person.root));
    assert!(found.check(&holder.standing, NOW).is_ok());
    let second = bed.sign_in(person.id, &seen(), token(2), Door::Dialect, Some(token(1)), &by(person)).await;
    assert_eq!(second.unwrap().door, Door::Dialect);
    assert_eq!(bed.session_by_token(token(1)).await.unwrap(), None);
    assert_eq!(bed.sessions(person.id).await.unwrap().len(), 1);
    bed.touch_session(found.id, later(1)).await.unwrap();
    let there = bed.sessions(person.id).await.unwrap()[0].clone();
    bed.touch_session(there.id, later(7)).await.unwrap();
    bed.touch_session(there.id, later(5)).await.unwrap();
    assert_eq!(bed.sessions(person.id).await.unwrap()[0].used_at, later(7));
}

async fn a_sign_in_needs_the_verifiers_it_was_checked_against(bed: Bed) {
    let person = bed.account("lilei").await;
    let stale = Verifiers { text: Some(hash("older")), dialect: None };
    let refused = bed.sign_in(person.id, &stale, token(1), Door::V1, None, &by(person)).await;
    assert_eq!(refused, Err(Problem::SignInFailed));
    bed.decree(person.id, Decree::State(AccountState::Frozen), &system()).await.unwrap();
    let refused = bed.sign_in(person.id, &seen(), token(1), Door::V1, None, &by(person)).await;
    assert_eq!(refused, Err(Problem::AccountFrozen));
    assert_eq!(bed.session_by_token(token(1)).await.unwrap(), None);
}

async fn beyond_the_limit_the_session_used_longest_ago_ends(bed: Bed) {
    let person = bed.account("lilei").await;
    for number in 0..SESSIONS_MAX as u8 {
        let cause = at(person, NOW.0 + i64::from(number));
        bed.sign_in(person.id, &seen(), token(number), Door::V1, None, &cause).await.unwrap();
    }
    let first = bed.session_by_token(token(0)).await.unwrap().unwrap().0;
    bed.touch_session(first.id, later(1_000)).await.unwrap();
    bed.sign_in(person.id, &seen(), token(200), Door::V1, None, &at(person, NOW.0 + 2_000)).await.unwrap();
    assert_eq!(bed.sessions(person.id).await.unwrap().len(), SESSIONS_MAX);
    assert!(bed.session_by_token(token(0)).await.unwrap().is_some());
    assert!(bed.session_by_token(token(1)).await.unwrap().is_none());
}

async fn a_session_ends_for_its_owner_only(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let session = sign_in(&bed, person, 1).await;
    let missing = Err(Problem::NotFound(Missing::Session));
    assert_eq!(bed.end_session(other.id, session.id, &by(other)).await, missing);
    assert!(bed.session_by_token(token(1)).await.unwrap().is_some());
    bed.end_session(person.id, session.id, &by(person)).await.unwrap();
    assert_eq!(bed.session_by_token(token(1)).await.unwrap(), None);
    assert_eq!(bed.end_session(person.id, session.id, &by(person)).await, missing);
}

async fn a_password_change_ends_everything_but_one_new_session(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    sign_in(&bed, person, 1).await;
    sign_in(&bed, person, 2).await;
    sign_in(&bed, other, 3).await;
    api_token(&bed, person, 4).await.unwrap();
    let mut change = PasswordChange {
        account: person.id,
        seen: Verifiers::default(),
        verifiers: Verifiers { text: Some(hash("second")), dialect: None },
        token: token(9),
        door: Door::V1,
        keep_api_tokens: true,
    };
    let refused = bed.change_password(&change, &by(person)).await;
    assert_eq!(refused, Err(Problem::SignInFailed), "the old password was checked against something else");
    change.seen = seen();
    bed.change_password(&change, &by(person)).await.unwrap();
    assert_eq!(bed.sessions(person.id).await.unwrap().len(), 1);
    let (session, holder) = bed.session_by_token(token(9)).await.unwrap().unwrap();
    assert!(session.check(&holder.standing, NOW).is_ok());
    let (program, holder) = bed.api_token_by_token(token(4)).await.unwrap().unwrap();
    assert!(program.check(&holder.standing, NOW).is_ok());
    change =
        PasswordChange { seen: change.verifiers.clone(), token: token(10), keep_api_tokens: false, ..change };
    bed.change_password(&change, &by(person)).await.unwrap();
    assert_eq!(bed.api_tokens(person.id).await.unwrap(), []);
    assert_eq!(bed.sessions(other.id).await.unwrap().len(), 1);
}

async fn everything_off_is_everything(bed: Bed) {
    let person = bed.account("lilei").await;
    sign_in(&bed, person, 1).await;
    api_token(&bed, person, 2).await.unwrap();
    bed.everything_off(person.id, &system()).await.unwrap();
    assert_eq!(bed.sessions(person.id).await.unwrap(), []);
    assert_eq!(bed.api_tokens(person.id).await.unwrap(), []);
    sign_in(&bed, person, 3).await;
    bed.set_password(person.id, &Verifiers { text: Some(hash("new")), dialect: None }, &system())
        .await
        .unwrap();
    assert_eq!(bed.sessions(person.id).await.unwrap(), []);
    assert_eq!(bed.db.account(person.id).await.unwrap().verifiers.text, Some(hash("new")));
}

async fn api_token(bed: &Bed, person: Person, number: u8) -> Result<drive_core::session::ApiToken, Problem> {
    let new = NewApiToken {
        account: person.id,
        token: token(number),
        label: NickName::new("back-up").unwrap(),
        scopes: Scopes::of(&[Scope::Read, Scope::Write]),
        expires_at: Some(UnixMillis(NOW.0 + 5)),
    };
    bed.make_api_token(&new, &by(person)).await
}

async fn tokens_of_programs_are_made_and_ended(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let made = api_token(&bed, person, 1).await.unwrap();
    let (found, holder) = bed.api_token_by_token(token(1)).await.unwrap().unwrap();
    assert_eq!((&found, holder.root), (&made, person.root));
    let missing = Err(Problem::NotFound(Missing::ApiToken));
    assert_eq!(bed.end_api_token(other.id, made.id, &by(other)).await, missing);
    for number in 2..=API_TOKENS_MAX as u8 {
        api_token(&bed, person, number).await.unwrap();
    }
    assert_eq!(api_token(&bed, person, 99).await, Err(Problem::TooManyOf("api tokens")));
    bed.end_api_token(person.id, made.id, &by(person)).await.unwrap();
    assert_eq!(bed.api_token_by_token(token(1)).await.unwrap(), None);
    assert_eq!(bed.api_tokens(person.id).await.unwrap().len(), API_TOKENS_MAX - 1);
}
