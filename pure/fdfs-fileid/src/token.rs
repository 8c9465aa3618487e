//! The anti-steal token of a download URL: `?token=<32 hex>&ts=<Unix seconds>`.
//!
//! The token is the MD5 of name, secret and time in decimal, one after the other. Which name depends on who
//! checks: the web server module and the Java client sign the name without its group, the original's test tools
//! print tokens for the whole id, which the module does not accept. So the name is an argument as text.
//!
//! MD5 here is the format, not a choice; and a link can be passed on until it expires.
//!
//! Source: wire protocol, "Anti-steal token"; HTTP access, "Tokens".

use md5::{Digest, Md5};

/// Characters of a token.
pub const TOKEN_LEN: usize = 32;

/// Why a token was refused. The checks are made in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// A token has 32 characters.
    #[error("token has the wrong length")]
    Length,
    /// More than the time to live has passed since `ts`.
    #[error("token has expired")]
    Expired,
    /// The token is not the one for this name, secret and time.
    #[error("token does not match")]
    Mismatch,
}

/// The token for `name` (without group, as web servers check it, or a whole id) at `ts` (Unix seconds).
pub fn make(name: &str, secret: &str, ts: i64) -> String {
    String::from_utf8_lossy(&digits(name, secret, ts)).into_owned()
}

/// Checks a token that came with `ts` at the time `now` (Unix seconds both) against a time to live in seconds.
///
/// As in the original, `ts` = 0 never expires, and a `ts` in the future counts as fresh. The comparison takes
/// the same time wherever the texts differ.
pub fn check(token: &str, name: &str, secret: &str, ts: i64, now: i64, ttl: u32) -> Result<(), TokenError> {
    if token.len() != TOKEN_LEN {
        return Err(TokenError::Length);
    }
    if ts != 0 && now.saturating_sub(ts) > i64::from(ttl) {
        return Err(TokenError::Expired);
    }
    let right = digits(name, secret, ts);
    let difference = token.bytes().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b));
    if std::hint::black_box(difference) == 0 { Ok(()) } else { Err(TokenError::Mismatch) }
}

fn digits(name: &str, secret: &str, ts: i64) -> [u8; TOKEN_LEN] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut hash = Md5::new();
    hash.update(name.as_bytes());
    hash.update(secret.as_bytes());
    hash.update(ts.to_string().as_bytes());
    let mut digits = [0; TOKEN_LEN];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.finalize()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 0xF)];
    }
    digits
}
