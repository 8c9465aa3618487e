//! Links: a node that others get at, on terms.
//!
//! One kind of row, and one gate, for links to files and folders and for picture links. A link has its own id, so
//! several people, or one, may share equal content under equal names, and ending one touches no other (W-24).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code::ShareCode;
use crate::content::serving;
use crate::ids::{AccountId, NodeId, ShareId};
use crate::node::{Node, NodeKind};
use crate::problem::{Missing, Problem};
use crate::time::UnixMillis;

/// Random bytes of the token in a link's URL: nobody finds one by counting or trying (W-17).
pub const SHARE_TOKEN_BYTES: usize = 16;

/// How long a new link lives when its owner says nothing.
pub const SHARE_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Downloads a link may be limited to at most.
pub const SHARE_DOWNLOADS_MAX: u32 = 1_000_000;

/// Links of an account that have not been removed at most.
pub const SHARES_MAX: usize = 10_000;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareKind {
    /// A file or folder to look at, download, save.
    Link,
    /// A picture to show.
    Picture,
}

impl ShareKind {
    /// As the database holds it.
    pub const fn to_db(self) -> i16 {
        match self {
            Self::Link => 0,
            Self::Picture => 1,
        }
    }

    /// From the database.
    pub const fn from_db(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Link),
            1 => Some(Self::Picture),
            _ => None,
        }
    }
}

/// The token in a link's URL: 32 lower-case hex digits, as the old dialect's `urlmd5`. Kept as it is and found by a
/// unique index: its owner wants to see the link again, and what it opens is in the same database. What protects more
/// than the link itself is its code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareToken(String);

impl ShareToken {
    /// A new token of random bytes.
    pub fn new(random: [u8; SHARE_TOKEN_BYTES]) -> Self {
        Self(crate::hex::hex(&random))
    }

    /// The token that a text is. None for what can't be one: it is not looked up.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 2 * SHARE_TOKEN_BYTES && digits).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A link as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its id.
    pub id: ShareId,
    /// What it is for.
    pub kind: ShareKind,
    /// Whose it is.
    pub owner: AccountId,
    /// What it leads to.
    pub node: NodeId,
    /// What is in its URL.
    pub token: ShareToken,
    /// Its code.
    pub code: ShareCode,
    /// Raised by every change of its code or when its owner wants visitors to show it again: grants are bound to it.
    pub version: u32,
    /// When it ends.
    pub expires_at: Option<UnixMillis>,
    /// How many downloads are left. None: any number.
    pub downloads_left: Option<u32>,
    /// Shown to everybody, in the list of shared files and in the ranking.
    pub listed: bool,
    /// Taken back by its owner or an administrator.
    pub revoked: bool,
    /// How often its page or picture was seen.
    pub views: u64,
    /// How often it was downloaded.
    pub downloads: u64,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl Share {
    /// Is it in the public list and the ranking at `now`? What wants a code is not: its name is not for everybody.
    /// Its owner must be active and its node there, besides.
    pub fn is_listed(&self, now: UnixMillis) -> bool {
        self.listed
            && self.kind == ShareKind::Link
            && !self.revoked
            && self.code == ShareCode::None
            && self.expires_at.is_none_or(|end| now < end)
    }
}

/// When a new or changed link is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Its owner says nothing: after [`SHARE_LIFETIME`], or the policy's longest if that is shorter.
    Usual,
    /// Never, if the policy allows it.
    Never,
    /// Then.
    At(UnixMillis),
}

/// What the administrator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SharePolicy {
    /// No link lives longer. None: links without end are allowed.
    pub lifetime_max: Option<Duration>,
}

impl SharePolicy {
    /// When a link ends for which this is asked.
    pub fn expiry(&self, asked: Expiry, now: UnixMillis) -> Result<Option<UnixMillis>, Problem> {
        let latest = self.lifetime_max.map(|longest| now.plus(longest));
        match asked {
            Expiry::Usual => {
                let lifetime =
                    self.lifetime_max.map_or(SHARE_LIFETIME, |longest| longest.min(SHARE_LIFETIME));
                Ok(Some(now.plus(lifetime)))
            }
            Expiry::Never if latest.is_some() => Err(Problem::ShareTermsInvalid("links must end")),
            Expiry::Never => Ok(None),
            Expiry::At(end) if end <= now => Err(Problem::ShareTermsInvalid("the end is past")),
            Expiry::At(end) if latest.is_some_and(|latest| end > latest) => {
                Err(Problem::ShareTermsInvalid("the end is too far"))
            }
            Expiry::At(end) => Ok(Some(end)),
        }
    }
}

/// May a link of this kind be made to this node, by an owner of so many? A root is nobody's to look at as a whole; a
/// picture link shows a picture.
pub fn may_share(kind: ShareKind, node: &Node, existing: usize) -> Result<(), Problem> {
    if existing >= SHARES_MAX {
        Err(Problem::TooManyOf("links"))
    } else if node.trash.is_some() {
        Err(Problem::NotFound(Missing::Node))
    } else if node.is_root() {
        Err(Problem::RootStays)
    } else if kind == ShareKind::Picture && (node.kind() == NodeKind::Folder || !serving(&node.name).picture)
    {
        Err(Problem::NotAPicture)
    } else {
        Ok(())
    }
}

/// Checks a limit of downloads.
pub const fn check_downloads_limit(limit: Option<u32>) -> Result<(), Problem> {
    match limit {
        Some(0) => Err(Problem::ShareTermsInvalid("no downloads at all")),
        Some(limit) if limit > SHARE_DOWNLOADS_MAX => Err(Problem::ShareTermsInvalid("too many downloads")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn a_token_is_32_lower_case_hex_digits() {
        let token = ShareToken::new(std::array::from_fn(|index| index as u8 * 16));
        assert_eq!(token.as_str(), "00102030405060708090a0b0c0d0e0f0");
        assert_eq!(ShareToken::parse(token.as_str()), Some(token));
        for text in
            ["", "0", "00102030405060708090A0B0C0D0E0F0", "00102030405060708090a0b0c0d0e0f'", &"0".repeat(33)]
        {
            assert_eq!(ShareToken::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_link_ends_as_its_owner_asks_within_the_policy() {
        let now = UnixMillis(1_000);
        let in_days = |days| now.plus(DAY * days);
        let (open, three) = (SharePolicy::default(), SharePolicy { lifetime_max: Some(DAY * 3) });
        let invalid = |why| Err(Problem::ShareTermsInvalid(why));
        for (policy, asked, expected) in [
            (open, Expiry::Usual, Ok(Some(in_days(7)))),
            (three, Expiry::Usual, Ok(Some(in_days(3)))),
            (open, Expiry::Never, Ok(None)),
            (three, Expiry::Never, invalid("links must end")),
            (open, Expiry::At(in_days(400)), Ok(Some(in_days(400)))),
            (three, Expiry::At(in_days(3)), Ok(Some(in_days(3)))),
            (three, Expiry::At(in_days(4)), invalid("the end is too far")),
            (open, Expiry::At(now), invalid("the end is past")),
        ] {
            assert_eq!(policy.expiry(asked, now), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_limit_of_downloads_means_something() {
        for (limit, fits) in [
            (None, true),
            (Some(1), true),
            (Some(1_000_000), true),
            (Some(0), false),
            (Some(1_000_001), false),
        ] {
            assert_eq!(check_downloads_limit(limit).is_ok(), fits, "{limit:?}");
        }
    }

    #[test]
    fn what_is_not_for_everybody_is_not_listed() {
        let listed = Share {
            id: ShareId::new(1).unwrap(),
            kind: ShareKind::Link,
            owner: AccountId::new(1).unwrap(),
            node: NodeId::new(1).unwrap(),
            token: ShareToken::new([0; 16]),
            code: ShareCode::None,
            version: 1,
            expires_at: Some(UnixMillis(100)),
            downloads_left: Some(0),
            listed: true,
            revoked: false,
            views: 0,
            downloads: 0,
            created_at: UnixMillis(0),
        };
        assert!(listed.is_listed(UnixMillis(99)));
        assert!(!listed.is_listed(UnixMillis(100)));
        assert!(Share { expires_at: None, ..listed.clone() }.is_listed(UnixMillis(i64::MAX)));
        for other in [
            Share { listed: false, ..listed.clone() },
            Share { revoked: true, ..listed.clone() },
            Share { kind: ShareKind::Picture, ..listed.clone() },
            Share { code: ShareCode::Generated, ..listed.clone() },
            Share { code: ShareCode::Chosen([0; 32]), ..listed },
        ] {
            assert!(!other.is_listed(UnixMillis(99)), "{other:?}");
        }
    }

    #[test]
    fn a_link_leads_to_what_can_be_shown() {
        use crate::ids::{ContentId, TrashId};
        use crate::node::{FileContent, NodeName};
        let node = |name: &str, parent: i64, file: bool, trash: i64| Node {
            id: NodeId::new(5).unwrap(),
            owner: AccountId::new(1).unwrap(),
            parent: NodeId::new(parent),
            name: NodeName::new(name).unwrap(),
            content: file
                .then(|| FileContent { id: ContentId::new(1).unwrap(), size: crate::size::ByteCount::ZERO }),
            created_at: UnixMillis(0),
            modified_at: UnixMillis(0),
            downloads: 0,
            trash: TrashId::new(trash),
        };
        let missing = Err(Problem::NotFound(Missing::Node));
        for (kind, node, expected) in [
            (ShareKind::Link, node("a.html", 1, true, 0), Ok(())),
            (ShareKind::Link, node("folder", 1, false, 0), Ok(())),
            (ShareKind::Link, node("root", 0, false, 0), Err(Problem::RootStays)),
            (ShareKind::Link, node("a.png", 0, true, 3), missing.clone()),
            (ShareKind::Picture, node("a.PNG", 1, true, 0), Ok(())),
            (ShareKind::Picture, node("a.svg", 1, true, 0), Err(Problem::NotAPicture)),
            (ShareKind::Picture, node("a.png", 1, false, 0), Err(Problem::NotAPicture)),
            (ShareKind::Picture, node("a.png", 1, true, 3), missing),
        ] {
            assert_eq!(may_share(kind, &node, 9_999), expected, "{kind:?} {node:?}");
        }
        let many = may_share(ShareKind::Link, &node("folder", 1, false, 0), 10_000);
        assert_eq!(many, Err(Problem::TooManyOf("links")));
    }
}
