//! What a visitor has after the right code: a signed text, bound to the link, its version, the visitor and an hour.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::record::Share;
use crate::account::AddressBlock;
use crate::ids::{AccountId, ShareId};
use crate::seal::{self, DIGEST_BYTES, DriveSecret, Purpose};
use crate::time::UnixMillis;

/// How long a grant works.
pub const GRANT_LIFETIME: Duration = Duration::from_secs(3600);

/// Link, version, visitor, end.
const BODY_BYTES: usize = 8 + 4 + MARK_BYTES + 8;

/// Bytes of a visitor's mark.
pub const MARK_BYTES: usize = 16;

/// Who a visitor is, without saying it: a keyed digest that only tells the same visitor of the same link again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitorMark(pub [u8; MARK_BYTES]);

impl VisitorMark {
    /// The mark of somebody who is signed in: one on all devices.
    pub fn of_account(secret: &DriveSecret, share: ShareId, account: AccountId) -> Self {
        Self::of(secret, share, &[b"account", &account.get().to_be_bytes()])
    }

    /// The mark of somebody at an address, with a browser. Two who have both alike count once, and whoever changes
    /// either counts again: it is an estimate, and no cookie.
    pub fn of_visitor(secret: &DriveSecret, share: ShareId, address: AddressBlock, agent: &str) -> Self {
        Self::of(secret, share, &[b"visitor", address.to_string().as_bytes(), agent.as_bytes()])
    }

    fn of(secret: &DriveSecret, share: ShareId, who: &[&[u8]]) -> Self {
        let number = share.get().to_be_bytes();
        let fields: Vec<&[u8]> = std::iter::once(number.as_slice()).chain(who.iter().copied()).collect();
        let digest = secret.digest(Purpose::Visitor, &fields);
        Self(std::array::from_fn(|index| digest[index]))
    }
}

/// The code of a link was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    share: ShareId,
    version: u32,
    visitor: VisitorMark,
    ends_at: UnixMillis,
}

impl Grant {
    pub(super) fn new(share: &Share, visitor: &VisitorMark, now: UnixMillis) -> Self {
        Self { share: share.id, version: share.version, visitor: *visitor, ends_at: now.plus(GRANT_LIFETIME) }
    }

    /// As the visitor gets it, in a cookie of the link's path.
    pub fn to_text(&self, secret: &DriveSecret) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + DIGEST_BYTES);
        bytes.extend(self.share.get().to_be_bytes());
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.visitor.0);
        bytes.extend(self.ends_at.0.to_be_bytes());
        bytes.extend(secret.digest(Purpose::Grant, &[&bytes]));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// When it ends.
    pub const fn ends_at(&self) -> UnixMillis {
        self.ends_at
    }

    pub(super) fn open(text: &str, secret: &DriveSecret) -> Option<Self> {
        // A longer text is no grant and is not decoded.
        if text.len() > 2 * (BODY_BYTES + DIGEST_BYTES) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, sealed) = bytes.split_at_checked(BODY_BYTES)?;
        if !seal::equal(&secret.digest(Purpose::Grant, &[body]), sealed) {
            return None;
        }
        let (share, rest) = body.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (visitor, ends_at) = rest.split_first_chunk()?;
        Some(Self {
            share: ShareId::new(i64::from_be_bytes(*share))?,
            version: u32::from_be_bytes(*version),
            visitor: VisitorMark(*visitor),
            ends_at: UnixMillis(i64::from_be_bytes(ends_at.try_into().ok()?)),
        })
    }

    pub(super) fn is_for(&self, share: &Share, visitor: &VisitorMark, now: UnixMillis) -> bool {
        self.share == share.id
            && self.version == share.version
            && self.visitor == *visitor
            && now < self.ends_at
    }
}
