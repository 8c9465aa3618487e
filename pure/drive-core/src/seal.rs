//! Keyed digests with the drive's secret.
//!
//! One secret of the installation (32 random bytes; from a file or the environment, the same in all processes) signs
//! what is handed out and comes back: challenges, grants of links, extraction codes, marks of visitors. Each use has
//! its own [`Purpose`] inside the digest, so what was made for one is never valid for another. With a new secret all
//! of these end: generated codes change, grants and challenges are asked for anew. Nothing that is stored gets lost.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of a secret, of a digest.
pub(crate) const DIGEST_BYTES: usize = 32;

/// What a digest is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A challenge to prove possession of content.
    Challenge,
    /// The ranges a challenge asks for.
    ChallengeRanges,
    /// A grant: the code of a link was right.
    Grant,
    /// A generated code of a link.
    ShareCode,
    /// A chosen code of a link.
    ChosenCode,
    /// Who a visitor is, without saying it.
    Visitor,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Challenge => b"challenge",
            Self::ChallengeRanges => b"challenge-ranges",
            Self::Grant => b"grant",
            Self::ShareCode => b"share-code",
            Self::ChosenCode => b"chosen-code",
            Self::Visitor => b"visitor",
        }
    }
}

/// The drive's secret.
#[derive(Clone)]
pub struct DriveSecret([u8; DIGEST_BYTES]);

impl std::fmt::Debug for DriveSecret {
    /// Leaves the secret out: configurations get logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DriveSecret(..)")
    }
}

impl DriveSecret {
    /// The secret with these bytes, which are random.
    pub const fn new(bytes: [u8; DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The digest of some fields for a purpose. Each field is preceded by its length: `ab`, `c` and `a`, `bc` differ.
    pub(crate) fn digest(&self, purpose: Purpose, fields: &[&[u8]]) -> [u8; DIGEST_BYTES] {
        hmac(&self.0, std::iter::once(purpose.label()).chain(fields.iter().copied()))
    }
}

/// HMAC-SHA-256 of fields, each preceded by its length in eight bytes, the highest first.
pub(crate) fn hmac<'a>(
    key: &[u8; DIGEST_BYTES],
    fields: impl Iterator<Item = &'a [u8]>,
) -> [u8; DIGEST_BYTES] {
    let mut mac = keyed(key);
    for field in fields {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field);
    }
    mac.finalize().into_bytes().into()
}

/// An HMAC-SHA-256 with a key.
pub(crate) fn keyed(key: &[u8; DIGEST_BYTES]) -> Hmac<Sha256> {
    // HMAC fills a short key up to a block with zeros (RFC 2104, §2).
    let mut block = [0; 64];
    block[..DIGEST_BYTES].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new(&block.into())
}

/// Compares in a time that depends on the lengths alone.
pub(crate) fn equal(secret: &[u8], sent: &[u8]) -> bool {
    secret.ct_eq(sent).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_hmac_sha_256() {
        // RFC 4231 has no key of 32 bytes; this is Python's hmac.new(bytes(range(32)), b"\0\0\0\0\0\0\0\x02hi",
        // "sha256").
        let key = std::array::from_fn(|index| index as u8);
        let digest = hmac(&key, [b"hi".as_slice()].into_iter());
        assert_eq!(
            crate::hex::hex(&digest),
            "c0544abe8948d8604d743764ac95d7093857a2c6659ca8384d1554791072721e"
        );
    }

    #[test]
    fn fields_and_purposes_do_not_run_into_each_other() {
        let secret = DriveSecret::new([7; 32]);
        let one = secret.digest(Purpose::Grant, &[b"ab", b"c"]);
        assert_ne!(one, secret.digest(Purpose::Grant, &[b"a", b"bc"]));
        assert_ne!(one, secret.digest(Purpose::Visitor, &[b"ab", b"c"]));
        assert_ne!(one, DriveSecret::new([8; 32]).digest(Purpose::Grant, &[b"ab", b"c"]));
        assert_eq!(one, secret.digest(Purpose::Grant, &[b"ab", b"c"]));
    }

    #[test]
    fn comparing_finds_every_difference() {
        assert!(equal(b"abc", b"abc"));
        for other in [b"abd".as_slice(), b"xbc", b"ab", b"abcd", b""] {
            assert!(!equal(b"abc", other));
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", DriveSecret::new([0x41; 32])), "DriveSecret(..)");
    }
}
