//! Requests that are sent again because their answer was lost.
//!
//! A client puts a key into a request that changes something (the header `Idempotency-Key`); the same key again gives
//! the answer of the first time. A row for each key of an account, written before the work and completed with the
//! answer in the work's transaction.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::problem::Problem;
use crate::time::UnixMillis;

/// Characters of a key at most.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 64;

/// How long an answer is kept.
pub const ANSWER_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a request may take. After that it has died without an answer, and the next one does the work.
pub const WORK_MAX: Duration = Duration::from_secs(120);

/// What a client tells its requests apart by: visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a text is.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::FieldInvalid("idempotency-key"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a request asks for: two with one fingerprint are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of a request's method, target and body.
    pub fn of(method: &str, target: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for field in [method.as_bytes(), target.as_bytes(), body] {
            digest.update((field.len() as u64).to_be_bytes());
            digest.update(field);
        }
        Self(digest.finalize().into())
    }
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// What was asked for.
    pub fingerprint: Fingerprint,
    /// When.
    pub begun_at: UnixMillis,
    /// What was answered; none while it is being done.
    pub answer: Option<Vec<u8>>,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat<'a> {
    /// Do it: the key is new, or forgotten, or its first request died.
    Do,
    /// Answer this.
    Answer(&'a [u8]),
}

/// Decides about a request with a key.
pub fn repeat<'a>(
    remembered: Option<&'a Remembered>,
    fingerprint: Fingerprint,
    now: UnixMillis,
) -> Result<Repeat<'a>, Problem> {
    let Some(first) = remembered.filter(|first| now.since(first.begun_at) < ANSWER_KEPT) else {
        return Ok(Repeat::Do);
    };
    if first.fingerprint != fingerprint {
        return Err(Problem::IdempotencyKeyReused);
    }
    match &first.answer {
        Some(answer) => Ok(Repeat::Answer(answer)),
        None if now.since(first.begun_at) < WORK_MAX => Err(Problem::IdempotencyInProgress),
        None => Ok(Repeat::Do),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_gets_the_same_answer_and_is_done_once() {
        let (this, other) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let first = |fingerprint, answer: Option<&[u8]>| Remembered {
            fingerprint,
            begun_at: UnixMillis(0),
            answer: answer.map(<[u8]>::to_vec),
        };
        let day = 24 * 3_600_000;
        for (remembered, now, expected) in [
            (None, 0, Ok(Repeat::Do)),
            (Some(first(this, Some(b"201"))), day - 1, Ok(Repeat::Answer(b"201"))),
            (Some(first(this, Some(b"201"))), day, Ok(Repeat::Do)),
            (Some(first(this, None)), 119_999, Err(Problem::IdempotencyInProgress)),
            (Some(first(this, None)), 120_000, Ok(Repeat::Do)),
            (Some(first(other, Some(b"201"))), 0, Err(Problem::IdempotencyKeyReused)),
            (Some(first(other, None)), 120_000, Err(Problem::IdempotencyKeyReused)),
        ] {
            assert_eq!(repeat(remembered.as_ref(), this, UnixMillis(now)), expected, "{remembered:?} {now}");
        }
    }

    #[test]
    fn a_fingerprint_tells_requests_apart() {
        let one = Fingerprint::of("POST", "/api/v1/shares", b"{}");
        assert_eq!(one, Fingerprint::of("POST", "/api/v1/shares", b"{}"));
        for (method, target, body) in [
            ("PUT", "/api/v1/shares", b"{}".as_slice()),
            ("POST", "/api/v1/share", b"s{}"),
            ("POST", "/api/v1/shares", b""),
        ] {
            assert_ne!(one, Fingerprint::of(method, target, body));
        }
    }

    #[test]
    fn keys_are_short_and_visible() {
        for (text, fits) in [
            ("a", true),
            (&*"k".repeat(64), true),
            (&*"k".repeat(65), false),
            ("", false),
            ("a b", false),
            ("é", false),
        ] {
            assert_eq!(IdempotencyKey::new(text).is_ok(), fits, "{text}");
        }
    }
}
