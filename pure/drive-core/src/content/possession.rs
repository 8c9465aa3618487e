//! Instant upload: content that the server has need not be sent, by somebody who proves to have it, too.
//!
//! A digest proves nothing: it may have been read somewhere, and whoever is believed gets the bytes (W-06). So:
//!
//! 1. **One's own**: a content that one of the user's own nodes refers to (in the trash, too) is linked without more
//!    ado. The old dialect's `/api/md5` can do only this: its clients prove nothing.
//! 2. **Proof**: the client names SHA-256 and size. It gets a [`Challenge`], whether or not there is such a content:
//!    32 random bytes sealed together with the account, the identity and an end, and the [ranges](Challenge::ranges)
//!    that follow from them: the whole content up to [`SAMPLE_BYTES_TOTAL`], otherwise [`SAMPLES`] ranges of
//!    [`SAMPLE_BYTES`] each, one in each of as many equal stretches. The answer is HMAC-SHA-256 with the 32 bytes as
//!    key over the ranges' bytes, one after the other. The server reads the same ranges of its copy and compares.
//!
//! Somebody who lacks an eighth of the content in one piece never passes; somebody who lacks half of it, in many
//! pieces, does so with one challenge in 2^16. Challenges are limited ([`crate::ports::PurposeOfRate::Proof`]),
//! because a new one asks for other ranges. For the last few percent the proof is weak: whoever has 99 of 100 bytes
//! passes mostly. It can also be answered by an accomplice who has the content; so could the upload.
//!
//! **Misses look like wrong answers**: no content, a content that went meanwhile, and a wrong proof are all
//! [`Problem::ContentUnknown`], and the answer is not given before [`ANSWER_AFTER`] has passed since the question,
//! which is longer than reading the ranges takes as a rule. What remains to be learned by timing is whether a content
//! exists, by somebody who knows its digest.
//!
//! A challenge is answered once, right or wrong ([`crate::ports::CacheKey::Challenge`]). A cache that forgets that lets
//! it be answered again until it ends: all it can do is link the same content for the same account.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use super::identity::{ContentIdentity, Sha256Digest};
use crate::ids::AccountId;
use crate::problem::Problem;
use crate::seal::{self, DIGEST_BYTES, DriveSecret, Purpose};
use crate::size::ByteCount;
use crate::time::UnixMillis;

/// Ranges of a content that is not read as a whole.
pub const SAMPLES: u64 = 16;
/// Bytes of each.
pub const SAMPLE_BYTES: u64 = 16 * 1024;
/// Bytes of all of them; a content of that size or less is read as a whole. What a proof costs the server.
pub const SAMPLE_BYTES_TOTAL: u64 = SAMPLES * SAMPLE_BYTES;

/// How long a challenge can be answered.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_secs(120);

/// No answer to a proof goes out before this much time has passed since it came.
pub const ANSWER_AFTER: Duration = Duration::from_millis(100);

/// Random bytes of a challenge.
pub const NONCE_BYTES: usize = 32;

/// Nonce, end, digest, size; then the seal.
const BODY_BYTES: usize = NONCE_BYTES + 8 + 32 + 8;

/// A part of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its first byte.
    pub offset: u64,
    /// Its bytes, one at least.
    pub length: u64,
}

/// What has to be proved, by whom, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    nonce: [u8; NONCE_BYTES],
    identity: ContentIdentity,
    ends_at: UnixMillis,
}

impl Challenge {
    /// A new challenge of random bytes.
    pub fn new(identity: ContentIdentity, nonce: [u8; NONCE_BYTES], now: UnixMillis) -> Self {
        Self { nonce, identity, ends_at: now.plus(CHALLENGE_LIFETIME) }
    }

    /// As the client gets it and sends it back, valid for this account only.
    pub fn to_text(&self, secret: &DriveSecret, account: AccountId) -> String {
        let mut bytes = self.body();
        bytes.extend(tag(secret, account, &bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The challenge that was given to this account. One that ended, or was given to another, or was never given,
    /// leads nowhere.
    pub fn open(
        text: &str,
        secret: &DriveSecret,
        account: AccountId,
        now: UnixMillis,
    ) -> Result<Self, Problem> {
        let challenge = Self::parse(text, secret, account).ok_or(Problem::FieldInvalid("challenge"))?;
        if now >= challenge.ends_at { Err(Problem::ContentUnknown) } else { Ok(challenge) }
    }

    fn parse(text: &str, secret: &DriveSecret, account: AccountId) -> Option<Self> {
        // A longer text is no challenge and is not decoded.
        if text.len() > 2 * (BODY_BYTES + DIGEST_BYTES) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, sealed) = bytes.split_at_checked(BODY_BYTES)?;
        if !seal::equal(&tag(secret, account, body), sealed) {
            return None;
        }
        let (nonce, rest) = body.split_first_chunk()?;
        let (ends_at, rest) = rest.split_first_chunk()?;
        let (sha256, size) = rest.split_first_chunk()?;
        let size = ByteCount::new(u64::from_be_bytes(size.try_into().ok()?))?;
        Some(Self {
            nonce: *nonce,
            identity: ContentIdentity { sha256: Sha256Digest(*sha256), size },
            ends_at: UnixMillis(i64::from_be_bytes(*ends_at)),
        })
    }

    fn body(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BODY_BYTES + DIGEST_BYTES);
        bytes.extend(self.nonce);
        bytes.extend(self.ends_at.0.to_be_bytes());
        bytes.extend(self.identity.sha256.0);
        bytes.extend(self.identity.size.get().to_be_bytes());
        bytes
    }

    /// What has to be proved to be had.
    pub const fn identity(&self) -> ContentIdentity {
        self.identity
    }

    /// The key of the answer, in the challenge's reply, with the ranges.
    pub const fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.nonce
    }

    /// Until when.
    pub const fn ends_at(&self) -> UnixMillis {
        self.ends_at
    }

    /// Which bytes are asked for: in order, without overlap, within the content. Chosen by the nonce with the drive's
    /// secret, so that whoever could choose a nonce could still not choose the ranges.
    pub fn ranges(&self, secret: &DriveSecret) -> Vec<Range> {
        let size = self.identity.size.get();
        if size == 0 {
            return Vec::new();
        }
        if size <= SAMPLE_BYTES_TOTAL {
            return vec![Range { offset: 0, length: size }];
        }
        (0..SAMPLES).map(|index| self.sample(secret, index)).collect()
    }

    /// One range within the stretch of this index; every stretch is longer than a range.
    fn sample(&self, secret: &DriveSecret, index: u64) -> Range {
        let size = u128::from(self.identity.size.get());
        let edge = |index: u64| (size * u128::from(index) / u128::from(SAMPLES)) as u64;
        let (first, end) = (edge(index), edge(index + 1));
        let choices = end - first - SAMPLE_BYTES + 1;
        let digest = secret.digest(Purpose::ChallengeRanges, &[&self.nonce, &index.to_be_bytes()]);
        let random = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Range { offset: first + random % choices, length: SAMPLE_BYTES }
    }
}

fn tag(secret: &DriveSecret, account: AccountId, body: &[u8]) -> [u8; DIGEST_BYTES] {
    secret.digest(Purpose::Challenge, &[&account.get().to_be_bytes(), body])
}

/// Computes the proof while the ranges are read, in their order: the same on both sides.
#[derive(Debug)]
pub struct Proof(hmac::Hmac<sha2::Sha256>);

impl Proof {
    /// Begins with a challenge's nonce.
    pub fn new(nonce: &[u8; NONCE_BYTES]) -> Self {
        Self(seal::keyed(nonce))
    }

    /// Takes bytes of the ranges, in any pieces.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Is this, 64 hex digits, the proof? Compared in constant time.
    pub fn check(self, answer: &str) -> Result<(), Problem> {
        let right: [u8; 32] = self.0.finalize().into_bytes().into();
        match crate::hex::unhex::<32>(answer) {
            Some(sent) if seal::equal(&right, &sent) => Ok(()),
            _ => Err(Problem::ContentUnknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> DriveSecret {
        DriveSecret::new([7; 32])
    }

    fn account(number: i64) -> AccountId {
        AccountId::new(number).unwrap()
    }

    fn challenge(size: u64, nonce: u8) -> Challenge {
        let identity = ContentIdentity { sha256: Sha256Digest([3; 32]), size: ByteCount::new(size).unwrap() };
        Challenge::new(identity, [nonce; 32], UnixMillis(1_000))
    }

    #[test]
    fn a_challenge_comes_back_from_the_account_it_was_given_to() {
        let given = challenge(500, 9);
        let text = given.to_text(&secret(), account(1));
        let open = |text: &str, account, now| Challenge::open(text, &secret(), account, UnixMillis(now));
        assert_eq!(open(&text, account(1), 1_000), Ok(given.clone()));
        assert_eq!(open(&text, account(1), 120_999), Ok(given));
        assert_eq!(open(&text, account(1), 121_000), Err(Problem::ContentUnknown));
        assert_eq!(open(&text, account(2), 1_000), Err(Problem::FieldInvalid("challenge")));
        let other = Challenge::open(&text, &DriveSecret::new([8; 32]), account(1), UnixMillis(1_000));
        assert_eq!(other, Err(Problem::FieldInvalid("challenge")));
    }

    #[test]
    fn no_byte_of_a_challenge_can_be_changed() {
        let bytes = URL_SAFE_NO_PAD.decode(challenge(500, 9).to_text(&secret(), account(1))).unwrap();
        for index in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[index] ^= 1;
            let text = URL_SAFE_NO_PAD.encode(&forged);
            assert!(Challenge::open(&text, &secret(), account(1), UnixMillis(1_000)).is_err(), "{index}");
        }
        for text in ["", "AAAA", &"A".repeat(10_000), "!"] {
            assert!(Challenge::open(text, &secret(), account(1), UnixMillis(1_000)).is_err());
        }
    }

    #[test]
    fn small_contents_are_read_as_a_whole() {
        assert_eq!(challenge(0, 1).ranges(&secret()), []);
        assert_eq!(challenge(1, 1).ranges(&secret()), [Range { offset: 0, length: 1 }]);
        assert_eq!(challenge(262_144, 1).ranges(&secret()), [Range { offset: 0, length: 262_144 }]);
    }

    #[test]
    fn samples_lie_in_the_content_in_order_and_apart() {
        for size in [262_145, 262_160, 1_000_003, 10_737_418_240, i64::MAX as u64] {
            for nonce in 0..20 {
                let ranges = challenge(size, nonce).ranges(&secret());
                assert_eq!(ranges.len(), 16);
                let mut end = 0;
                for range in ranges {
                    assert_eq!(range.length, 16_384);
                    assert!(range.offset >= end, "{size} {nonce}");
                    end = range.offset + range.length;
                }
                assert!(end <= size);
            }
        }
    }

    #[test]
    fn nobody_knows_the_ranges_before_the_nonce_or_without_the_secret() {
        let (one, other) = (challenge(1 << 30, 1), challenge(1 << 30, 2));
        assert_ne!(one.ranges(&secret()), other.ranges(&secret()));
        assert_ne!(one.ranges(&secret()), one.ranges(&DriveSecret::new([8; 32])));
        assert_eq!(one.ranges(&secret()), one.ranges(&secret()));
    }

    #[test]
    fn the_proof_is_the_hmac_of_the_ranges() {
        let proof = |pieces: &[&[u8]]| {
            let mut proof = Proof::new(&[0x0b; 32]);
            pieces.iter().for_each(|piece| proof.update(piece));
            proof
        };
        // Python: hmac.new(b"\x0b" * 32, b"Hi There", "sha256")
        let right = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";
        assert_eq!(proof(&[b"Hi There"]).check(right), Ok(()));
        assert_eq!(proof(&[b"Hi", b" ", b"There"]).check(&right.to_uppercase()), Ok(()));
        for (piece, answer) in
            [(b"Hi There".as_slice(), ""), (b"Hi There", &right[2..]), (b"Hi there", right)]
        {
            assert_eq!(proof(&[piece]).check(answer), Err(Problem::ContentUnknown));
        }
    }
}
