//! Sessions: how long they live and what ends them.
//!
//! A row per sign-in, so that its owner sees "my devices" and ends one. What may be kept in a cache is the outcome of
//! a check, and only for a moment: a session that was ended is dead everywhere after [`VERDICT_FRESH`], whatever
//! became of the cache.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::token::TokenDigest;
use crate::account::{AccountState, Epochs, Role};
use crate::ids::{AccountId, SessionId};
use crate::problem::Problem;
use crate::time::UnixMillis;

/// A verdict this old is asked for anew: the promise that what is ended is dead on all nodes within a second.
pub const VERDICT_FRESH: Duration = Duration::from_secs(1);
/// With the database away, a verdict up to this old still counts, for reading only. Nothing can have been ended
/// meanwhile, as ending is a write; what was ended just before the database went is the risk that is taken.
pub const VERDICT_STALE: Duration = Duration::from_secs(15 * 60);

/// The last use is written down no more often than this.
pub const TOUCH_EVERY: Duration = Duration::from_secs(5 * 60);

/// Sessions of an account at most; signing in once more ends the one that was used longest ago.
pub const SESSIONS_MAX: usize = 50;

/// Which door a session was made at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// API v1.
    V1,
    /// The old dialect.
    Dialect,
}

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLifetime {
    /// From the sign-in, used or not.
    pub absolute: Duration,
    /// From the last use.
    pub idle: Duration,
}

impl Door {
    /// How long sessions made here live. The old dialect's are a day, not renewed by use, as its clients know it.
    pub const fn lifetime(self) -> SessionLifetime {
        const DAY_S: u64 = 24 * 3600;
        match self {
            Self::V1 => SessionLifetime {
                absolute: Duration::from_secs(30 * DAY_S),
                idle: Duration::from_secs(7 * DAY_S),
            },
            Self::Dialect => {
                SessionLifetime { absolute: Duration::from_secs(DAY_S), idle: Duration::from_secs(DAY_S) }
            }
        }
    }

    /// As the database holds it.
    pub const fn to_db(self) -> i16 {
        match self {
            Self::V1 => 0,
            Self::Dialect => 1,
        }
    }

    /// From the database.
    pub const fn from_db(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::V1),
            1 => Some(Self::Dialect),
            _ => None,
        }
    }
}

/// A session as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id: how its owner names it.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// The digest of its token.
    pub token: TokenDigest,
    /// Where it was made.
    pub door: Door,
    /// What it was made under.
    pub epoch: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last used, to within [`TOUCH_EVERY`].
    pub used_at: UnixMillis,
}

/// The columns of an account that sessions and tokens depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What it may do.
    pub role: Role,
    /// May it be used?
    pub state: AccountState,
    /// What its sessions and tokens are made under.
    pub epochs: Epochs,
}

/// A session that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive {
    /// Its last use is to be written down.
    pub touch: bool,
}

impl Session {
    /// May it go on?
    pub fn check(&self, standing: &Standing, now: UnixMillis) -> Result<Alive, Problem> {
        let lifetime = self.door.lifetime();
        if self.epoch != standing.epochs.sessions
            || now.since(self.created_at) >= lifetime.absolute
            || now.since(self.used_at) >= lifetime.idle
        {
            return Err(Problem::SessionEnded);
        }
        match standing.state {
            AccountState::Frozen => Err(Problem::AccountFrozen),
            AccountState::Active => Ok(Alive { touch: now.since(self.used_at) >= TOUCH_EVERY }),
        }
    }
}

/// When a new token takes the place of an old one, and what becomes of others. A token is never used across one of
/// these: it is made anew, and the old one is dead at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Somebody signs in: whatever session the browser had is ended, so that a session that somebody else put there
    /// is not the one that becomes signed in.
    SignIn,
    /// The password was changed through this session.
    PasswordChange {
        /// The owner wants API tokens to go on.
        keep_api_tokens: bool,
    },
    /// The owner signs out here.
    SignOut,
    /// The owner, or an administrator, ends all sessions and tokens.
    EverythingOff,
}

/// What a turn does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnPlan {
    /// The session that asked ends.
    pub end_present: bool,
    /// A session is made, under the epochs that follow.
    pub make_session: bool,
    /// The account's epochs from now on.
    pub epochs: Epochs,
}

impl Turn {
    /// What it does to an account with these epochs.
    pub const fn plan(self, epochs: Epochs) -> TurnPlan {
        match self {
            Self::SignIn => TurnPlan { end_present: true, make_session: true, epochs },
            Self::PasswordChange { keep_api_tokens } => {
                TurnPlan { end_present: true, make_session: true, epochs: epochs.raised(keep_api_tokens) }
            }
            Self::SignOut => TurnPlan { end_present: true, make_session: false, epochs },
            Self::EverythingOff => {
                TurnPlan { end_present: true, make_session: false, epochs: epochs.raised(false) }
            }
        }
    }
}

/// Can the database be asked?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Yes.
    There,
    /// No: it was tried.
    Away,
}

/// May a verdict from a cache be used for a request that only reads, or does a request that writes need the database
/// anyway?
pub fn may_use_cached(made_at: UnixMillis, now: UnixMillis, truth: Truth, writes: bool) -> bool {
    // A verdict from the future is from a clock that is ahead; how old it really is nobody knows.
    if made_at > now.plus(VERDICT_FRESH) {
        return false;
    }
    let age = now.since(made_at);
    age < VERDICT_FRESH || (truth == Truth::Away && !writes && age < VERDICT_STALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn session(door: Door, created_at: i64, used_at: i64) -> Session {
        Session {
            id: SessionId::new(1).unwrap(),
            account: AccountId::new(1).unwrap(),
            token: TokenDigest([0; 32]),
            door,
            epoch: 4,
            created_at: UnixMillis(created_at),
            used_at: UnixMillis(used_at),
        }
    }

    fn standing(state: AccountState, sessions: u32) -> Standing {
        Standing { role: Role::User, state, epochs: Epochs { sessions, api_tokens: 9 } }
    }

    #[test]
    fn a_session_ends_by_age_by_rest_and_with_its_epoch() {
        use AccountState::{Active, Frozen};
        let (ended, frozen) = (Err(Problem::SessionEnded), Err(Problem::AccountFrozen));
        let alive = |touch| Ok(Alive { touch });
        for (session, standing, now, expected) in [
            (session(Door::V1, 0, 0), standing(Active, 4), 0, alive(false)),
            (session(Door::V1, 0, 0), standing(Active, 4), 299_999, alive(false)),
            (session(Door::V1, 0, 0), standing(Active, 4), 300_000, alive(true)),
            (session(Door::V1, 0, 0), standing(Active, 4), 7 * DAY - 1, alive(true)),
            (session(Door::V1, 0, 0), standing(Active, 4), 7 * DAY, ended.clone()),
            (session(Door::V1, 0, 29 * DAY), standing(Active, 4), 30 * DAY - 1, alive(true)),
            (session(Door::V1, 0, 29 * DAY), standing(Active, 4), 30 * DAY, ended.clone()),
            (session(Door::Dialect, 0, DAY - 10), standing(Active, 4), DAY - 1, alive(false)),
            (session(Door::Dialect, 0, DAY - 10), standing(Active, 4), DAY, ended.clone()),
            (session(Door::V1, 0, 0), standing(Active, 5), 0, ended.clone()),
            (session(Door::V1, 0, 0), standing(Active, 3), 0, ended.clone()),
            (session(Door::V1, 0, 0), standing(Frozen, 4), 0, frozen),
            (session(Door::V1, 0, 0), standing(Frozen, 5), 0, ended),
        ] {
            assert_eq!(session.check(&standing, UnixMillis(now)), expected, "{session:?} at {now}");
        }
    }

    #[test]
    fn a_token_is_never_used_across_a_turn() {
        let epochs = Epochs { sessions: 1, api_tokens: 1 };
        for (turn, makes, sessions, api_tokens) in [
            (Turn::SignIn, true, 1, 1),
            (Turn::PasswordChange { keep_api_tokens: false }, true, 2, 2),
            (Turn::PasswordChange { keep_api_tokens: true }, true, 2, 1),
            (Turn::SignOut, false, 1, 1),
            (Turn::EverythingOff, false, 2, 2),
        ] {
            let plan = turn.plan(epochs);
            let expected =
                TurnPlan { end_present: true, make_session: makes, epochs: Epochs { sessions, api_tokens } };
            assert_eq!(plan, expected, "{turn:?}");
        }
    }

    #[test]
    fn a_cached_verdict_counts_for_a_second_and_longer_only_without_the_database() {
        use Truth::{Away, There};
        for (age_ms, truth, writes, expected) in [
            (0, There, true, true),
            (999, There, false, true),
            (1000, There, false, false),
            (1000, Away, false, true),
            (1000, Away, true, false),
            (899_999, Away, false, true),
            (900_000, Away, false, false),
            (-1000, There, false, true),
            (-1001, There, false, false),
            (-1001, Away, false, false),
        ] {
            let (made, now) = (UnixMillis(1_000_000), UnixMillis(1_000_000 + age_ms));
            assert_eq!(may_use_cached(made, now, truth, writes), expected, "{age_ms} {truth:?} {writes}");
        }
    }
}
