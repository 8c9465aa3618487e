//! What is written down for the administrator: who did what that matters later.
//!
//! In the database, in the transaction of what it speaks of. Never a password, token or code, nor the name of
//! anybody's file. Listing and downloading are the access log's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::{AccountState, Role};
use crate::ids::{AccountId, ApiTokenId, NodeId, SessionId, ShareId, TrashId};
use crate::session::Door;
use crate::size::ByteCount;
use crate::time::UnixMillis;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// An account.
    Account(AccountId),
    /// Nobody who is signed in.
    Visitor,
    /// The drive itself.
    System,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum AuditEvent {
    /// An account was made.
    AccountMade {
        /// It.
        account: AccountId,
    },
    /// Somebody signed in.
    SignedIn {
        /// The session.
        session: SessionId,
        /// At which door.
        door: Door,
    },
    /// Somebody tried to and failed. The name is not written down: people type passwords into that field.
    SignInFailed {
        /// The account, if anybody has the name.
        account: Option<AccountId>,
        /// At which door.
        door: Door,
    },
    /// Somebody signed out, or ended another session of theirs.
    SessionEnded {
        /// The session.
        session: SessionId,
    },
    /// All sessions, and tokens if so, were ended.
    EverythingOff {
        /// Of which account.
        account: AccountId,
        /// API tokens, too.
        api_tokens: bool,
    },
    /// A password was changed.
    PasswordChanged {
        /// Of which account.
        account: AccountId,
    },
    /// Old clients were let in, or not any more: an account has a verifier for the old dialect.
    DialectAllowed {
        /// From now on?
        allowed: bool,
    },
    /// An API token was made.
    ApiTokenMade {
        /// It.
        token: ApiTokenId,
    },
    /// An API token was ended.
    ApiTokenEnded {
        /// It.
        token: ApiTokenId,
    },
    /// An account has another role.
    RoleChanged {
        /// Which account.
        account: AccountId,
        /// From now on.
        role: Role,
    },
    /// An account was frozen, or may be used again.
    StateChanged {
        /// Which account.
        account: AccountId,
        /// From now on.
        state: AccountState,
    },
    /// An account may store more, or less.
    QuotaChanged {
        /// Which account.
        account: AccountId,
        /// From now on.
        limit: Option<ByteCount>,
    },
    /// Something was deleted.
    Trashed {
        /// The node.
        node: NodeId,
        /// The entry of the trash.
        entry: TrashId,
    },
    /// Something was restored.
    Restored {
        /// The node.
        node: NodeId,
    },
    /// Something was removed for good.
    Purged {
        /// The entry of the trash.
        entry: TrashId,
    },
    /// A link was made.
    ShareMade {
        /// It.
        share: ShareId,
    },
    /// A link has other terms or another code.
    ShareChanged {
        /// It.
        share: ShareId,
    },
    /// A link was taken back.
    ShareRevoked {
        /// It.
        share: ShareId,
    },
    /// A link was copied into somebody's drive.
    ShareSaved {
        /// The link.
        share: ShareId,
        /// The new node.
        node: NodeId,
    },
    /// Too many wrong codes: the link slows down.
    ShareSlowedDown {
        /// It.
        share: ShareId,
    },
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When.
    pub at: UnixMillis,
    /// Who.
    pub actor: Actor,
    /// From which address; none for the drive itself.
    pub address: Option<std::net::IpAddr>,
    /// What.
    #[serde(flatten)]
    pub event: AuditEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_flat_json_that_is_read_back() {
        let record = AuditRecord {
            at: UnixMillis(5),
            actor: Actor::Account(AccountId::new(3).unwrap()),
            address: Some([192, 0, 2, 7].into()),
            event: AuditEvent::SignInFailed { account: None, door: Door::Dialect },
        };
        let text = serde_json::to_string(&record).unwrap();
        let expected = concat!(
            "{\"at\":5,\"actor\":{\"account\":3},\"address\":\"192.0.2.7\",",
            "\"event\":\"sign-in-failed\",\"account\":null,\"door\":\"dialect\"}",
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<AuditRecord>(&text).unwrap(), record);
    }
}
