//! What is known for a while, by all processes of the drive.

use std::time::Duration;

use bytes::Bytes;

use super::Later;
use crate::account::{AddressBlock, Track};
use crate::content::possession::NONCE_BYTES;
use crate::hex::hex;
use crate::ids::{AccountId, ShareId};
use crate::ranking::RankEntry;
use crate::rate::{Admission, Rate};
use crate::session::TokenDigest;
use crate::share::VisitorMark;
use crate::time::UnixMillis;

/// Bytes of a value at most.
pub const CACHE_VALUE_BYTES_MAX: usize = 64 * 1024;

/// Entries of a board at most.
pub const BOARD_ENTRIES_MAX: usize = 100_000;

/// The highest score that a board tells from the next: Redis keeps floating point numbers. More is this.
pub const BOARD_SCORE_MAX: u64 = 1 << 53;

/// What something is kept under. Its text begins with what it is, so no name that somebody chose collides with another
/// kind of thing (W-10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheKey {
    /// Who a session's or API token stands for.
    Token(TokenDigest),
    /// Wrong passwords and codes.
    Attempts(Track),
    /// A challenge to prove possession that was answered, by its random bytes.
    Challenge([u8; NONCE_BYTES]),
    /// Whether this installation shares one cache: written by one process, read by another.
    Probe,
}

impl CacheKey {
    /// As adapters spell it, behind a prefix of the installation: at most 300 bytes.
    pub fn to_text(&self) -> String {
        match self {
            Self::Token(digest) => format!("token:{digest}"),
            Self::Attempts(Track::Account(key)) => format!("tries:account:{key}"),
            Self::Attempts(Track::Address(block)) => format!("tries:address:{block}"),
            Self::Attempts(Track::Share(share)) => format!("tries:share:{share}"),
            Self::Attempts(Track::ShareAddress(share, block)) => format!("tries:share:{share}:{block}"),
            Self::Challenge(nonce) => format!("challenge:{}", hex(nonce)),
            Self::Probe => "probe".to_owned(),
        }
    }
}

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateSubject {
    /// An account's, by whatever token.
    Account(AccountId),
    /// Those of visitors from an address.
    Address(AddressBlock),
    /// Those of a visitor of a link.
    Visitor(ShareId, VisitorMark),
}

/// Which requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PurposeOfRate {
    /// All of them.
    Request,
    /// New accounts.
    Registration,
    /// Challenges to prove possession: each asks for other ranges, and lets the server read.
    Proof,
    /// Pictures that are shown: which of these are views.
    Picture,
}

impl PurposeOfRate {
    /// As keys and settings spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Registration => "registration",
            Self::Proof => "proof",
            Self::Picture => "picture",
        }
    }
}

impl RateSubject {
    /// As adapters spell it, behind a prefix of the installation.
    pub fn to_text(&self, purpose: PurposeOfRate) -> String {
        let purpose = purpose.as_str();
        match self {
            Self::Account(account) => format!("rate:{purpose}:account:{account}"),
            Self::Address(block) => format!("rate:{purpose}:address:{block}"),
            Self::Visitor(share, mark) => format!("rate:{purpose}:share:{share}:{}", hex(&mark.0)),
        }
    }
}

/// A ranking that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Board {
    /// Listed links by downloads.
    Downloads,
}

/// From which end of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The highest score first; of equal ones the smaller id ([`RankEntry`]'s order).
    Highest,
    /// The same list from its end.
    Lowest,
}

/// The cache did not answer, or its answer made no sense. Callers go on without it, as after a miss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cache does not answer: {0}")]
pub struct CacheError(pub String);

/// Keeps what can be made again.
///
/// **May be lost**: everything, at any time, each entry by itself. **Never**: a value under another key, an old value
/// after a `put`, `swap` or `remove` of the same key was answered to anybody, a part of a value. **Atomic**: each
/// method, for each key. Bounded by the adapter's configuration; when it is full it forgets. After an error or a drop
/// the change may have been made, or not, or may still be made: a server that hung goes on with what it was sent.
/// Times are in milliseconds; what is kept for none is not kept.
pub trait Cache: Send + Sync {
    /// What is kept under a key, unless its time is over.
    fn get<'a>(&'a self, key: &'a CacheKey) -> Later<'a, Result<Option<Bytes>, CacheError>>;

    /// Keeps a value of at most [`CACHE_VALUE_BYTES_MAX`] bytes for `ttl`, or not at all. More bytes are an error, and
    /// change nothing.
    fn put<'a>(&'a self, key: &'a CacheKey, value: Bytes, ttl: Duration)
    -> Later<'a, Result<(), CacheError>>;

    /// Forgets what is kept under these keys, each atomically.
    fn remove<'a>(&'a self, keys: &'a [CacheKey]) -> Later<'a, Result<(), CacheError>>;

    /// Keeps `new` for `ttl` if what is kept now is `expected`, none meaning nothing. False, and nothing changed, if
    /// it is not. Of several that expect the same, one at most gets true.
    fn swap<'a>(
        &'a self,
        key: &'a CacheKey,
        expected: Option<&'a [u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Later<'a, Result<bool, CacheError>>;

    /// Counts one request, with the arithmetic of [`Rate::admit`] to the millisecond. A request that is refused is
    /// not counted. What is kept for it lives no longer than it means something.
    fn take<'a>(
        &'a self,
        subject: &'a RateSubject,
        purpose: PurposeOfRate,
        rate: &'a Rate,
        now: UnixMillis,
    ) -> Later<'a, Result<Admission, CacheError>>;

    /// Adds to scores of a board that is kept. Without the board nothing is done: half a board is worse than none. An
    /// id that is not on it comes onto it; beyond [`BOARD_ENTRIES_MAX`] it may be left out.
    fn board_add<'a>(&'a self, board: Board, more: &'a [RankEntry]) -> Later<'a, Result<(), CacheError>>;

    /// Takes links off a board.
    fn board_remove<'a>(&'a self, board: Board, shares: &'a [ShareId]) -> Later<'a, Result<(), CacheError>>;

    /// Puts a whole board, made from the database, in the place of what is kept, in one step: readers see the old one
    /// or the new one (W-25). It is kept for `ttl`, so that what drifted apart is made good by the next. At most
    /// [`BOARD_ENTRIES_MAX`] entries; more is an error. No two of them have one id.
    fn board_replace<'a>(
        &'a self,
        board: Board,
        entries: &'a [RankEntry],
        ttl: Duration,
    ) -> Later<'a, Result<(), CacheError>>;

    /// `count` entries from the place `from` on. None when the board is not kept: it is made again then. An empty
    /// list is an answer.
    fn board_page<'a>(
        &'a self,
        board: Board,
        order: Order,
        from: usize,
        count: usize,
    ) -> Later<'a, Result<Option<Vec<RankEntry>>, CacheError>>;

    /// Does it answer?
    fn check(&self) -> Later<'_, Result<(), CacheError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_key_of_another_kind() {
        let block = AddressBlock::of(std::net::IpAddr::from([192, 0, 2, 7]));
        let (account, share) = (AccountId::new(7).unwrap(), ShareId::new(7).unwrap());
        let attempts = |track| CacheKey::Attempts(track).to_text();
        for (text, expected) in [
            (CacheKey::Token(TokenDigest([0xab; 32])).to_text(), format!("token:{}", "ab".repeat(32))),
            (
                attempts(Track::Account("file_public_zset".to_owned())),
                "tries:account:file_public_zset".to_owned(),
            ),
            (attempts(Track::Address(block)), "tries:address:192.0.2.7".to_owned()),
            (attempts(Track::Share(share)), "tries:share:7".to_owned()),
            (attempts(Track::ShareAddress(share, block)), "tries:share:7:192.0.2.7".to_owned()),
            (CacheKey::Challenge([0xcd; 32]).to_text(), format!("challenge:{}", "cd".repeat(32))),
            (CacheKey::Probe.to_text(), "probe".to_owned()),
            (RateSubject::Account(account).to_text(PurposeOfRate::Proof), "rate:proof:account:7".to_owned()),
            (
                RateSubject::Address(block).to_text(PurposeOfRate::Request),
                "rate:request:address:192.0.2.7".to_owned(),
            ),
            (
                RateSubject::Visitor(share, VisitorMark([0xef; 16])).to_text(PurposeOfRate::Picture),
                format!("rate:picture:share:7:{}", "ef".repeat(16)),
            ),
        ] {
            assert_eq!(text, expected);
        }
    }
}
