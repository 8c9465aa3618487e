//! What an account says of its owner: nick name, e-mail, phone. All of it is only shown; nothing is sent to, or
//! signed in with, an address that nobody has confirmed.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::characters;
use crate::problem::Problem;

/// Characters of a nick name at most, as in the old dialect.
pub const NICK_NAME_CHARS_MAX: usize = 32;
/// Bytes of an e-mail address at most (RFC 5321, §4.5.3.1.3). The old dialect's 64 are a part of that.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Characters of a phone number at most, as in the old dialect.
pub const PHONE_CHARS_MAX: usize = 16;

/// How somebody is called: any text of one line. Not unique; the user name is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NickName(String);

impl NickName {
    /// The nick name that this text is.
    pub fn new(text: &str) -> Result<Self, Problem> {
        const INVALID: Problem = Problem::FieldInvalid("nick_name");
        let foreign =
            |c: char| characters::breaks_lines(c) || characters::reorders(c) || characters::is_no_text(c);
        // The longest character has 4 bytes, and a text in NFD up to three times as many as one in NFC.
        if text.len() > 12 * NICK_NAME_CHARS_MAX || text.chars().any(foreign) {
            return Err(INVALID);
        }
        let name: String = text.trim().nfc().collect();
        let fits = (1..=NICK_NAME_CHARS_MAX).contains(&name.chars().count());
        if fits { Ok(Self(name)) } else { Err(INVALID) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address: something, `@`, a domain. Whether it is one only a letter would tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The address that this text is.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let plain = |c: char| !c.is_whitespace() && !characters::breaks_lines(c) && !characters::reorders(c);
        let domain = |domain: &str| {
            domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
                && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        };
        let shaped = text.rsplit_once('@').is_some_and(|(local, after)| {
            !local.is_empty() && !local.contains(['@', '<', '>', '"', ',']) && domain(after)
        });
        if text.len() <= EMAIL_BYTES_MAX && shaped && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::FieldInvalid("email"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A phone number: digits, perhaps with a plus in front and blanks, hyphens or brackets between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// The number that this text is.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let rest = text.strip_prefix('+').unwrap_or(text);
        let shaped = rest.bytes().all(|byte| byte.is_ascii_digit() || b" -()".contains(&byte))
            && rest.bytes().filter(u8::is_ascii_digit).count() >= 3;
        if text.len() <= PHONE_CHARS_MAX && shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::FieldInvalid("phone"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nick_names_are_any_text_of_one_line() {
        for (text, kept) in [
            ("李 雷 😀", Some("李 雷 😀")),
            ("  Anna  ", Some("Anna")),
            ("cafe\u{301}", Some("café")),
            (&*"名".repeat(32), Some(&*"名".repeat(32))),
            (&*"名".repeat(33), None),
            (" ", None),
            ("a\nb", None),
            ("a\u{202e}b", None),
        ] {
            assert_eq!(NickName::new(text).ok().as_ref().map(NickName::as_str), kept, "{text:?}");
        }
    }

    #[test]
    fn addresses_have_the_shape_of_addresses() {
        for (text, fits) in [
            ("a@b.cn", true),
            (" a.b+c@mail.example.org ", true),
            ("李@例子.公司", true),
            ("a@b", false),
            ("@b.cn", false),
            ("a b@c.cn", false),
            ("a@b@c.cn", false),
            ("a@b..cn", false),
            ("a@b.cn\r\nBcc: x@y.cn", false),
            ("<a@b.cn>", false),
            ("", false),
            (&*format!("{}@b.cn", "a".repeat(250)), false),
        ] {
            assert_eq!(Email::new(text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn phone_numbers_have_digits() {
        for (text, fits) in [
            ("13800138000", true),
            ("+86 138 0013 800", true),
            ("(010) 123-456", true),
            ("110", true),
            ("12", false),
            ("12345678901234567", false),
            ("1380013800a", false),
            ("1+23", false),
            ("", false),
        ] {
            assert_eq!(Phone::new(text).is_ok(), fits, "{text:?}");
        }
    }
}
