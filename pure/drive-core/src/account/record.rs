//! Accounts: who may do what, and how they come and change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::password::{PasswordHash, Verifiers};
use super::profile::{Email, NickName, Phone};
use super::user_name::UserName;
use crate::ids::{AccountId, NodeId};
use crate::problem::Problem;
use crate::quota::Quota;
use crate::time::UnixMillis;

/// What an account may do beyond its own drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nothing.
    User,
    /// Accounts, quotas, links of others. Not the files of others: those are nobody's business.
    Administrator,
}

/// May it be used?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// Yes.
    Active,
    /// No sign-in, no session, no token, no link of it works. Everything is kept.
    Frozen,
}

impl Role {
    /// As the database holds it.
    pub const fn to_db(self) -> i16 {
        match self {
            Self::User => 0,
            Self::Administrator => 1,
        }
    }

    /// From the database.
    pub const fn from_db(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::User),
            1 => Some(Self::Administrator),
            _ => None,
        }
    }
}

impl AccountState {
    /// As the database holds it.
    pub const fn to_db(self) -> i16 {
        match self {
            Self::Active => 0,
            Self::Frozen => 1,
        }
    }

    /// From the database.
    pub const fn from_db(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Active),
            1 => Some(Self::Frozen),
            _ => None,
        }
    }
}

/// Counters that sessions and tokens are made under. Raising one ends all that were made under an earlier value, in
/// one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Epochs {
    /// Of sessions.
    pub sessions: u32,
    /// Of API tokens.
    pub api_tokens: u32,
}

impl Epochs {
    /// After a password change, or when an administrator ends everything. Tokens go, too: whoever had the account may
    /// have made some. `keep_api_tokens` is for an owner who knows better.
    #[must_use]
    pub const fn raised(self, keep_api_tokens: bool) -> Self {
        Self {
            sessions: self.sessions.wrapping_add(1),
            api_tokens: if keep_api_tokens { self.api_tokens } else { self.api_tokens.wrapping_add(1) },
        }
    }
}

/// An account as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What its owner signs in with. [`UserName::key`] is unique.
    pub user_name: UserName,
    /// How its owner is called.
    pub nick_name: NickName,
    /// If it was given.
    pub email: Option<Email>,
    /// If it was given.
    pub phone: Option<Phone>,
    /// Its password.
    pub verifiers: Verifiers,
    /// What it may do.
    pub role: Role,
    /// May it be used?
    pub state: AccountState,
    /// What its sessions and tokens are made under.
    pub epochs: Epochs,
    /// What it stores and may store.
    pub quota: Quota,
    /// Its root folder, made together with it.
    pub root: NodeId,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// An account to be made: checked, and with its password hashed, so that it can wait in the durable queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// What its owner will sign in with.
    pub user_name: UserName,
    /// How its owner is called.
    pub nick_name: NickName,
    /// If it was given.
    pub email: Option<Email>,
    /// If it was given.
    pub phone: Option<Phone>,
    /// Its password.
    pub verifiers: Verifiers,
    /// What it will be allowed to do.
    pub role: Role,
    /// When it was asked for.
    pub at: UnixMillis,
}

/// Who asks for a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registrar {
    /// Anybody.
    Visitor,
    /// An administrator.
    Administrator,
}

/// May new accounts be made by everybody?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Yes.
    Open,
    /// Only by an administrator: the default.
    Closed,
}

/// May this caller make accounts?
pub const fn may_register(policy: RegistrationPolicy, registrar: Registrar) -> Result<(), Problem> {
    match (policy, registrar) {
        (RegistrationPolicy::Closed, Registrar::Visitor) => Err(Problem::RegistrationClosed),
        _ => Ok(()),
    }
}

/// The user name of the account that the drive makes itself.
pub const FIRST_ADMINISTRATOR: &str = "admin";

/// The account that is made at the first start: when there is no administrator, not when there are no accounts, so
/// that nobody who registers first becomes one. `hash` is that of a random password, printed once. None when there is
/// one.
pub fn first_administrator(
    administrators: u64,
    hash: PasswordHash,
    at: UnixMillis,
) -> Result<Option<Registration>, Problem> {
    if administrators > 0 {
        return Ok(None);
    }
    Ok(Some(Registration {
        user_name: UserName::parse(FIRST_ADMINISTRATOR)?,
        nick_name: NickName::new(FIRST_ADMINISTRATOR)?,
        email: None,
        phone: None,
        verifiers: Verifiers { text: Some(hash), dialect: None },
        role: Role::Administrator,
        at,
    }))
}

/// What an administrator changes about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decree {
    /// Another role.
    Role(Role),
    /// Freeze it, or let it be used again.
    State(AccountState),
}

/// May this be changed? `active_administrators` counts those that are active, the account among them if it is one; it
/// is read in the transaction that makes the change.
pub fn decree(
    account: (Role, AccountState),
    decree: Decree,
    active_administrators: u64,
) -> Result<(Role, AccountState), Problem> {
    let before = account;
    let after = match decree {
        Decree::Role(role) => (role, before.1),
        Decree::State(state) => (before.0, state),
    };
    const ADMINISTERS: (Role, AccountState) = (Role::Administrator, AccountState::Active);
    if before == ADMINISTERS && after != ADMINISTERS && active_administrators <= 1 {
        return Err(Problem::LastAdministrator);
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_is_open_or_the_administrators() {
        use {Registrar as R, RegistrationPolicy as P};
        for (policy, registrar, expected) in [
            (P::Open, R::Visitor, Ok(())),
            (P::Open, R::Administrator, Ok(())),
            (P::Closed, R::Administrator, Ok(())),
            (P::Closed, R::Visitor, Err(Problem::RegistrationClosed)),
        ] {
            assert_eq!(may_register(policy, registrar), expected);
        }
    }

    #[test]
    fn the_first_start_makes_an_administrator_and_later_ones_do_not() {
        let hash = PasswordHash("h".to_owned());
        let first = first_administrator(0, hash.clone(), UnixMillis(5)).unwrap().unwrap();
        assert_eq!((first.user_name.as_str(), first.role), ("admin", Role::Administrator));
        assert_eq!(first.verifiers, Verifiers { text: Some(hash.clone()), dialect: None });
        assert_eq!(first_administrator(1, hash, UnixMillis(5)), Ok(None));
    }

    #[test]
    fn the_last_administrator_stays() {
        use AccountState::{Active, Frozen};
        use Role::{Administrator, User};
        let last = Err(Problem::LastAdministrator);
        for (account, change, administrators, expected) in [
            ((Administrator, Active), Decree::Role(User), 1, last.clone()),
            ((Administrator, Active), Decree::State(Frozen), 1, last),
            ((Administrator, Active), Decree::Role(User), 2, Ok((User, Active))),
            ((Administrator, Active), Decree::State(Frozen), 2, Ok((Administrator, Frozen))),
            ((Administrator, Active), Decree::State(Active), 1, Ok((Administrator, Active))),
            ((Administrator, Frozen), Decree::Role(User), 1, Ok((User, Frozen))),
            ((User, Active), Decree::State(Frozen), 1, Ok((User, Frozen))),
            ((User, Active), Decree::Role(Administrator), 1, Ok((Administrator, Active))),
        ] {
            assert_eq!(decree(account, change, administrators), expected, "{account:?} {change:?}");
        }
    }

    #[test]
    fn a_password_change_ends_sessions_and_tokens() {
        let epochs = Epochs { sessions: 3, api_tokens: 8 };
        assert_eq!(epochs.raised(false), Epochs { sessions: 4, api_tokens: 9 });
        assert_eq!(epochs.raised(true), Epochs { sessions: 4, api_tokens: 8 });
    }
}
