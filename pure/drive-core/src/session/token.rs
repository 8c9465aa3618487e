//! Opaque tokens: 256 random bits, of which only the SHA-256 is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// Random bytes of a token.
pub const TOKEN_BYTES: usize = 32;

/// Characters of a session's token: base64 for URLs, no padding.
pub const SESSION_TOKEN_CHARS: usize = 43;

/// What an API token begins with, so that scanners for leaked secrets know it.
pub const API_TOKEN_PREFIX: &str = "cairn_";

/// A token as its holder has it. Shown once, never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    kind: TokenKind,
    bytes: [u8; TOKEN_BYTES],
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A sign-in.
    Session,
    /// A program of the owner's.
    Api,
}

impl std::fmt::Debug for Token {
    /// Leaves the token out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?}, ..)", self.kind)
    }
}

impl Token {
    /// A new token of random bytes.
    pub const fn new(kind: TokenKind, random: [u8; TOKEN_BYTES]) -> Self {
        Self { kind, bytes: random }
    }

    /// The token that a text is. None for all else, the empty text above all (W-01): what is no token is not looked up.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = match text.strip_prefix(API_TOKEN_PREFIX) {
            Some(digits) => (TokenKind::Api, digits),
            None => (TokenKind::Session, text),
        };
        if digits.len() != SESSION_TOKEN_CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(digits).ok()?.try_into().ok()?;
        Some(Self { kind, bytes })
    }

    /// As its holder gets it.
    pub fn to_text(&self) -> String {
        let digits = URL_SAFE_NO_PAD.encode(self.bytes);
        match self.kind {
            TokenKind::Session => digits,
            TokenKind::Api => format!("{API_TOKEN_PREFIX}{digits}"),
        }
    }

    /// What it stands for.
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// What is kept of it and looked up. A digest of random bits can be looked up without comparing in constant time:
    /// what a guess's digest begins with can't be chosen.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.bytes).into())
    }
}

/// The SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenDigest(pub [u8; 32]);

impl std::fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_as_what_it_is() {
        let bytes = std::array::from_fn(|index| index as u8 * 8);
        for (kind, text) in [
            (TokenKind::Session, "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg"),
            (TokenKind::Api, "cairn_AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg"),
        ] {
            let token = Token::new(kind, bytes);
            assert_eq!(token.to_text(), text);
            assert_eq!(Token::parse(text), Some(token));
        }
    }

    #[test]
    fn what_is_no_token_is_not_looked_up() {
        for text in [
            "",
            "1",
            "cairn_",
            "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8P",
            "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pgg",
            "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8P=",
            "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8P'",
            // The last digit has two bits too many: another spelling of the same bytes.
            "AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Ph",
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_digest_is_sha_256_of_the_bytes() {
        let token = Token::new(TokenKind::Session, [0; 32]);
        let digest = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(token.digest().to_string(), digest);
        assert_eq!(format!("{token:?}"), "Token(Session, ..)");
    }
}
