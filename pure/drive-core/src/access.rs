//! "What may this caller do?", as one function.
//!
//! It is asked before anything is read for the caller, with the owner of what is asked for. What belongs to somebody
//! else looks like what is not there, so ids tell nothing. Links have their own gate, [`crate::share::admit`].

use crate::account::Role;
use crate::ids::AccountId;
use crate::problem::{Missing, Problem};
use crate::session::{Scope, Scopes};

/// Who asks, after session or token was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nobody is signed in.
    Visitor,
    /// Somebody.
    SignedIn {
        /// Who.
        account: AccountId,
        /// What the account may do.
        role: Role,
        /// By what.
        by: Credential,
    },
}

/// By what somebody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A session: the person itself.
    Session,
    /// A token: a program, within its scopes.
    ApiToken(Scopes),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// List, search and download in somebody's drive.
    Read(AccountId),
    /// Upload, change and delete in somebody's drive.
    Write(AccountId),
    /// Make, change and end somebody's links.
    Share(AccountId),
    /// Save what a link leads to in one's own drive. What the link allows is for its gate.
    SaveShared,
    /// See and change profile, password, sessions and API tokens of an account. Persons only: a program that leaks
    /// its token must not have been able to make another one.
    KeepAccount(AccountId),
    /// Accounts, quotas, links of others, what the system does.
    Administer,
    /// Set somebody's password, or say who administers. Persons only, too: a program could become one by either.
    Empower,
}

/// May the caller do it? The account that does it, if so.
pub fn may(caller: &Caller, action: Action) -> Result<AccountId, Problem> {
    let Caller::SignedIn { account, role, by } = *caller else { return Err(Problem::SignInNeeded) };
    let (owner, scope, missing) = match action {
        Action::Read(owner) => (owner, Some(Scope::Read), Missing::Node),
        Action::Write(owner) => (owner, Some(Scope::Write), Missing::Node),
        Action::Share(owner) => (owner, Some(Scope::Share), Missing::Share),
        Action::SaveShared => (account, Some(Scope::Write), Missing::Node),
        Action::KeepAccount(owner) => (owner, None, Missing::Account),
        Action::Administer => (account, Some(Scope::Admin), Missing::Account),
        Action::Empower => (account, None, Missing::Account),
    };
    if owner != account {
        return Err(Problem::NotFound(missing));
    }
    if matches!(action, Action::Administer | Action::Empower) && role != Role::Administrator {
        return Err(Problem::NotAllowed);
    }
    match (by, scope) {
        (Credential::Session, _) => Ok(account),
        (Credential::ApiToken(scopes), Some(scope)) if scopes.has(scope) => Ok(account),
        (Credential::ApiToken(_), Some(scope)) => Err(Problem::ScopeMissing(scope)),
        (Credential::ApiToken(_), None) => Err(Problem::NotAllowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> AccountId {
        AccountId::new(number).unwrap()
    }

    fn caller(role: Role, by: Credential) -> Caller {
        Caller::SignedIn { account: id(1), role, by }
    }

    #[test]
    fn nobody_does_anything_without_signing_in() {
        for action in [
            Action::Read(id(1)),
            Action::Write(id(1)),
            Action::Share(id(1)),
            Action::SaveShared,
            Action::KeepAccount(id(1)),
            Action::Administer,
            Action::Empower,
        ] {
            assert_eq!(may(&Caller::Visitor, action), Err(Problem::SignInNeeded));
        }
    }

    #[test]
    fn what_belongs_to_others_is_not_there_for_administrators_either() {
        for role in [Role::User, Role::Administrator] {
            let caller = caller(role, Credential::Session);
            for (action, missing) in [
                (Action::Read(id(2)), Missing::Node),
                (Action::Write(id(2)), Missing::Node),
                (Action::Share(id(2)), Missing::Share),
                (Action::KeepAccount(id(2)), Missing::Account),
            ] {
                assert_eq!(may(&caller, action), Err(Problem::NotFound(missing)));
            }
        }
    }

    #[test]
    fn a_person_does_everything_of_its_own_and_an_administrator_administers() {
        for action in [
            Action::Read(id(1)),
            Action::Write(id(1)),
            Action::Share(id(1)),
            Action::SaveShared,
            Action::KeepAccount(id(1)),
        ] {
            assert_eq!(may(&caller(Role::User, Credential::Session), action), Ok(id(1)));
        }
        for action in [Action::Administer, Action::Empower] {
            assert_eq!(may(&caller(Role::User, Credential::Session), action), Err(Problem::NotAllowed));
            assert_eq!(may(&caller(Role::Administrator, Credential::Session), action), Ok(id(1)));
        }
    }

    #[test]
    fn a_token_does_what_its_scopes_say() {
        let actions = [
            (Action::Read(id(1)), Scope::Read),
            (Action::Write(id(1)), Scope::Write),
            (Action::Share(id(1)), Scope::Share),
            (Action::SaveShared, Scope::Write),
            (Action::Administer, Scope::Admin),
        ];
        for scope in Scope::ALL {
            let caller = caller(Role::Administrator, Credential::ApiToken(Scopes::of(&[scope])));
            for (action, needed) in actions {
                let expected = if needed == scope { Ok(id(1)) } else { Err(Problem::ScopeMissing(needed)) };
                assert_eq!(may(&caller, action), expected, "{scope} {action:?}");
            }
        }
    }

    #[test]
    fn a_token_keeps_no_account_and_makes_nobody_an_administrator() {
        let all = Credential::ApiToken(Scopes::of(&Scope::ALL));
        assert_eq!(may(&caller(Role::User, all), Action::KeepAccount(id(1))), Err(Problem::NotAllowed));
        assert_eq!(may(&caller(Role::User, all), Action::Administer), Err(Problem::NotAllowed));
        for role in [Role::User, Role::Administrator] {
            assert_eq!(may(&caller(role, all), Action::Empower), Err(Problem::NotAllowed));
        }
    }
}
