//! User names: what somebody signs in with.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::reserved::is_reserved;
use crate::node::fold;
use crate::problem::Problem;

/// Characters of a user name at least: names in Chinese have two.
pub const USER_NAME_CHARS_MIN: usize = 2;
/// At most, as in the old dialect.
pub const USER_NAME_CHARS_MAX: usize = 32;

/// Bytes of a key at most. Some letters are a whole phrase when they are folded.
pub const USER_NAME_KEY_BYTES_MAX: usize = 255;

/// Why a text is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserNameFault {
    /// Under [`USER_NAME_CHARS_MIN`] or over [`USER_NAME_CHARS_MAX`] characters.
    #[error("it has too few or too many characters")]
    Length,
    /// Something other than letters, digits and `.`, `-`, `_` within.
    #[error("it has other characters than letters, digits and . - _")]
    Character,
    /// A name that the system has, or had in another product, a use for.
    #[error("it is reserved")]
    Reserved,
}

/// A user name: letters and digits of any language, and `.`, `-`, `_` after the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName {
    text: String,
    key: String,
}

impl UserName {
    /// The name for a new account.
    pub fn new(text: &str) -> Result<Self, UserNameFault> {
        let name = Self::parse(text)?;
        if is_reserved(&name.key) { Err(UserNameFault::Reserved) } else { Ok(name) }
    }

    /// The name of an account that may exist, reserved or not: for signing in, and for the account that the drive
    /// itself makes at its first start.
    pub fn parse(text: &str) -> Result<Self, UserNameFault> {
        // A long text is not normalised.
        if text.len() > 8 * USER_NAME_CHARS_MAX {
            return Err(UserNameFault::Length);
        }
        let text: String = text.nfc().collect();
        let chars = text.chars().count();
        if !(USER_NAME_CHARS_MIN..=USER_NAME_CHARS_MAX).contains(&chars) {
            return Err(UserNameFault::Length);
        }
        let key = fold(&text);
        if !is_name(&text) || !is_name(&key) {
            return Err(UserNameFault::Character);
        }
        if key.len() > USER_NAME_KEY_BYTES_MAX { Err(UserNameFault::Length) } else { Ok(Self { text, key }) }
    }

    /// The name as it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What makes names the same: `Admin`, `admin` and `ａｄｍｉｎ` are one. A unique column. Letters of different scripts
    /// that look the same are not folded together.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Letters and digits, and what may stand behind the first of them.
fn is_name(text: &str) -> bool {
    let within = |c: char| matches!(c, '.' | '-' | '_') || is_combining_mark(c);
    text.starts_with(char::is_alphanumeric) && text.chars().all(|c| c.is_alphanumeric() || within(c))
}

impl TryFrom<String> for UserName {
    type Error = UserNameFault;

    fn try_from(text: String) -> Result<Self, UserNameFault> {
        Self::parse(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> String {
        name.text
    }
}

impl From<UserNameFault> for Problem {
    fn from(fault: UserNameFault) -> Self {
        Self::UserNameInvalid(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_language_are_user_names() {
        for text in ["li", "李雷", "Anna-Maria_1.b", "Łukasz", "अजय", "e10adc3949", "1user"] {
            assert_eq!(UserName::new(text).as_ref().map(UserName::as_str), Ok(text));
        }
        assert!(UserName::new(&"用".repeat(32)).is_ok());
    }

    #[test]
    fn what_is_no_user_name_is_refused() {
        use UserNameFault::{Character, Length, Reserved};
        for (text, fault) in [
            ("", Length),
            ("a", Length),
            (&*"a".repeat(33), Length),
            (&*"a".repeat(10_000), Length),
            ("a b", Character),
            ("_a", Character),
            ("-rf", Character),
            ("..", Character),
            ("a/b", Character),
            ("a:b", Character),
            ("a@b", Character),
            ("a'b", Character),
            ("a\0b", Character),
            ("a\u{202e}b", Character),
            ("a\u{200b}b", Character),
            ("😀😀", Character),
            // One letter that is folded to four words.
            ("\u{fdfa}a", Character),
            // Thirty-two that are folded to four each: a byte too many.
            (&*"\u{fdf4}".repeat(32), Length),
            ("admin", Reserved),
            ("ＡＤＭＩＮ", Reserved),
        ] {
            assert_eq!(UserName::new(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn names_that_differ_in_case_or_form_are_one() {
        let key = |text| UserName::parse(text).unwrap().key().to_owned();
        assert_eq!(key("Admin"), "admin");
        assert_eq!(key("ａｄｍｉｎ"), "admin");
        assert_eq!(key("cafe\u{301}"), key("CAFÉ"));
        assert_ne!(key("аdmin"), "admin"); // begins with a Cyrillic letter
    }
}
