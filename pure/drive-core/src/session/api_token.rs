//! API tokens: for programs, with scopes, until their owner ends them.

use super::lifetime::Standing;
use super::scope::{Scope, Scopes};
use super::token::TokenDigest;
use crate::account::{AccountState, NickName, Role};
use crate::ids::{AccountId, ApiTokenId};
use crate::problem::Problem;
use crate::time::UnixMillis;

/// API tokens of an account at most.
pub const API_TOKENS_MAX: usize = 50;

/// An API token as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id: how its owner names it.
    pub id: ApiTokenId,
    /// Whose it is.
    pub account: AccountId,
    /// The digest of the token.
    pub token: TokenDigest,
    /// What its owner calls it; the rules of nick names.
    pub label: NickName,
    /// What it may do.
    pub scopes: Scopes,
    /// What it was made under.
    pub epoch: u32,
    /// When it ends, if it does.
    pub expires_at: Option<UnixMillis>,
}

impl ApiToken {
    /// May it be used?
    pub fn check(&self, standing: &Standing, now: UnixMillis) -> Result<(), Problem> {
        if self.epoch != standing.epochs.api_tokens || self.expires_at.is_some_and(|end| now >= end) {
            return Err(Problem::SessionEnded);
        }
        match standing.state {
            AccountState::Frozen => Err(Problem::AccountFrozen),
            AccountState::Active => Ok(()),
        }
    }
}

/// May such a token be made? `existing` counts those the account has.
pub fn may_make_api_token(
    role: Role,
    scopes: Scopes,
    expires_at: Option<UnixMillis>,
    existing: usize,
    now: UnixMillis,
) -> Result<(), Problem> {
    if scopes.is_empty() {
        return Err(Problem::FieldInvalid("scopes"));
    }
    if scopes.has(Scope::Admin) && role != Role::Administrator {
        return Err(Problem::NotAllowed);
    }
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::FieldInvalid("expires_at"));
    }
    if existing >= API_TOKENS_MAX { Err(Problem::TooManyOf("api tokens")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Epochs;

    #[test]
    fn a_token_ends_with_its_time_and_its_epoch() {
        let token = |epoch, expires_at: Option<i64>| ApiToken {
            id: ApiTokenId::new(1).unwrap(),
            account: AccountId::new(1).unwrap(),
            token: TokenDigest([0; 32]),
            label: NickName::new("picgo").unwrap(),
            scopes: Scopes::of(&[Scope::Write]),
            epoch,
            expires_at: expires_at.map(UnixMillis),
        };
        let standing =
            |state| Standing { role: Role::User, state, epochs: Epochs { sessions: 9, api_tokens: 2 } };
        let ended = Err(Problem::SessionEnded);
        for (token, state, now, expected) in [
            (token(2, None), AccountState::Active, i64::MAX, Ok(())),
            (token(2, Some(100)), AccountState::Active, 99, Ok(())),
            (token(2, Some(100)), AccountState::Active, 100, ended.clone()),
            (token(1, None), AccountState::Active, 0, ended.clone()),
            (token(9, None), AccountState::Active, 0, ended),
            (token(2, None), AccountState::Frozen, 0, Err(Problem::AccountFrozen)),
        ] {
            assert_eq!(token.check(&standing(state), UnixMillis(now)), expected);
        }
    }

    #[test]
    fn tokens_are_made_within_what_their_owner_may() {
        let (read, admin) = (Scopes::of(&[Scope::Read]), Scopes::of(&[Scope::Admin]));
        for (role, scopes, expires_at, existing, expected) in [
            (Role::User, read, None, 0, Ok(())),
            (Role::User, read, Some(11), 49, Ok(())),
            (Role::User, read, Some(10), 0, Err(Problem::FieldInvalid("expires_at"))),
            (Role::User, read, None, 50, Err(Problem::TooManyOf("api tokens"))),
            (Role::User, Scopes::default(), None, 0, Err(Problem::FieldInvalid("scopes"))),
            (Role::User, admin, None, 0, Err(Problem::NotAllowed)),
            (Role::Administrator, admin, None, 0, Ok(())),
        ] {
            let made = may_make_api_token(role, scopes, expires_at.map(UnixMillis), existing, UnixMillis(10));
            assert_eq!(made, expected);
        }
    }
}
