//! The code of a link: what a visitor must know besides its URL.
//!
//! An owner wants to see the code again, to send it once more; the database should not give codes away to whoever
//! reads it, and a digest of six characters does. So a generated code, which is the usual one, is not stored at all:
//! it is derived from the drive's secret, the link's id and its version, to be shown and to be compared. A code that
//! the owner chose is kept as a keyed digest, of use to nobody without the secret, and can't be shown again; the page
//! says so and offers a generated one.

use crate::ids::ShareId;
use crate::problem::Problem;
use crate::seal::{self, DriveSecret, Purpose};

/// Characters of a generated code. 31^6 are 887 million; with the delays of [`crate::account::Track`] a guesser gets
/// through some tens of thousands a day.
pub const GENERATED_CODE_CHARS: usize = 6;
/// Characters of a chosen code at least.
pub const CODE_CHARS_MIN: usize = 4;
/// At most.
pub const CODE_CHARS_MAX: usize = 16;

/// Digits and letters that are not taken for each other: no 0 and o, no 1, l and i.
const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// What is kept of a link's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareCode {
    /// There is none.
    None,
    /// Derived. Nothing is kept.
    Generated,
    /// The keyed digest of what its owner chose.
    Chosen([u8; 32]),
}

/// Which code a link is to have.
#[derive(Clone, PartialEq, Eq)]
pub enum WantedCode {
    /// None.
    None,
    /// One of ours.
    Generated,
    /// This.
    Chosen(String),
}

impl std::fmt::Debug for WantedCode {
    /// Leaves the code out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Generated => "Generated",
            Self::Chosen(_) => "Chosen(..)",
        })
    }
}

impl WantedCode {
    /// What is kept for the link. Chosen ones have 4 to 16 ASCII letters and digits; case does not count.
    pub fn keep(&self, secret: &DriveSecret, share: ShareId) -> Result<ShareCode, Problem> {
        match self {
            Self::None => Ok(ShareCode::None),
            Self::Generated => Ok(ShareCode::Generated),
            Self::Chosen(text) => {
                let code = plain(text);
                let fits = (CODE_CHARS_MIN..=CODE_CHARS_MAX).contains(&code.len());
                if fits && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    Ok(ShareCode::Chosen(chosen(secret, share, &code)))
                } else {
                    Err(Problem::FieldInvalid("code"))
                }
            }
        }
    }
}

impl ShareCode {
    /// Is there one?
    pub const fn is_wanted(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The code, to show it to its owner. None when there is none, or it can't be shown.
    pub fn show(&self, secret: &DriveSecret, share: ShareId, version: u32) -> Option<String> {
        matches!(self, Self::Generated).then(|| generated(secret, share, version))
    }

    /// Is this the code? Compared in constant time; a link without a code has no right one.
    pub fn matches(&self, secret: &DriveSecret, share: ShareId, version: u32, sent: &str) -> bool {
        let sent = plain(sent);
        if sent.len() > CODE_CHARS_MAX {
            return false;
        }
        match self {
            Self::None => false,
            Self::Generated => seal::equal(generated(secret, share, version).as_bytes(), sent.as_bytes()),
            Self::Chosen(digest) => seal::equal(digest, &chosen(secret, share, &sent)),
        }
    }
}

/// As people copy it: with blanks around, in capitals.
fn plain(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

fn chosen(secret: &DriveSecret, share: ShareId, code: &str) -> [u8; 32] {
    secret.digest(Purpose::ChosenCode, &[&share.get().to_be_bytes(), code.as_bytes()])
}

fn generated(secret: &DriveSecret, share: ShareId, version: u32) -> String {
    let digest = secret.digest(Purpose::ShareCode, &[&share.get().to_be_bytes(), &version.to_be_bytes()]);
    // Sixteen bits for each character, so that all are about equally frequent.
    let digits = digest.chunks_exact(2).map(|pair| usize::from(pair[0]) << 8 | usize::from(pair[1]));
    digits.take(GENERATED_CODE_CHARS).map(|digit| char::from(ALPHABET[digit % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> DriveSecret {
        DriveSecret::new([7; 32])
    }

    fn id(number: i64) -> ShareId {
        ShareId::new(number).unwrap()
    }

    fn keep(code: &str) -> Result<ShareCode, Problem> {
        WantedCode::Chosen(code.to_owned()).keep(&secret(), id(1))
    }

    #[test]
    fn a_generated_code_is_shown_and_compared_and_never_kept() {
        let code = ShareCode::Generated;
        let shown = code.show(&secret(), id(1), 1).unwrap();
        assert_eq!(shown.len(), 6);
        assert!(shown.bytes().all(|byte| ALPHABET.contains(&byte)), "{shown}");
        assert!(code.matches(&secret(), id(1), 1, &shown));
        assert!(code.matches(&secret(), id(1), 1, &format!(" {}\n", shown.to_uppercase())));
        for sent in ["", &shown[1..], &format!("{shown}2"), "000000"] {
            assert!(!code.matches(&secret(), id(1), 1, sent), "{sent}");
        }
    }

    #[test]
    fn another_link_version_or_secret_has_another_code() {
        let code = ShareCode::Generated;
        let shown = code.show(&secret(), id(1), 1).unwrap();
        assert!(!code.matches(&secret(), id(2), 1, &shown));
        assert!(!code.matches(&secret(), id(1), 2, &shown));
        assert!(!code.matches(&DriveSecret::new([8; 32]), id(1), 1, &shown));
    }

    #[test]
    fn a_chosen_code_is_compared_and_not_shown() {
        let code = keep("Open42").unwrap();
        assert!(code.matches(&secret(), id(1), 1, "open42"));
        assert!(code.matches(&secret(), id(1), 9, "OPEN42"));
        assert!(!code.matches(&secret(), id(1), 1, "open43"));
        assert!(!code.matches(&secret(), id(2), 1, "open42"));
        assert!(!code.matches(&secret(), id(1), 1, &"o".repeat(1_000_000)));
        assert_eq!(code.show(&secret(), id(1), 1), None);
        assert_eq!(format!("{:?}", WantedCode::Chosen("hush".to_owned())), "Chosen(..)");
    }

    #[test]
    fn chosen_codes_are_short_and_plain() {
        for (text, fits) in [
            ("ab12", true),
            ("  ab12 ", true),
            (&*"a".repeat(16), true),
            ("abc", false),
            (&*"a".repeat(17), false),
            ("ab 12", false),
            ("密码密码", false),
            ("", false),
        ] {
            assert_eq!(keep(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_link_without_code_has_no_right_one() {
        assert!(!ShareCode::None.matches(&secret(), id(1), 1, ""));
        assert_eq!(ShareCode::None.show(&secret(), id(1), 1), None);
        assert!(!ShareCode::None.is_wanted());
        assert!(ShareCode::Generated.is_wanted() && keep("ab12").unwrap().is_wanted());
    }
}
