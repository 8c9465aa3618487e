//! Names of folders and files, in any language.
//!
//! A name is what two people see as the same text, so it is kept in one form: normalised (NFC), without blanks around
//! it. Upper and lower case are different names, as in the databases' binary collations and on most servers. What
//! can't be a name is refused, never replaced, so that nobody finds a file under a name that they did not give.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::characters;
use crate::problem::Problem;

/// Bytes of a name in UTF-8 at most, the limit of file systems: every name fits where the file is saved.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    #[error("it is too long")]
    TooLong,
    /// `.` and `..` mean folders.
    #[error("it means a folder")]
    Dots,
    /// `/` stands between names.
    #[error("it has a slash")]
    Slash,
    /// A control character or the end of a line.
    #[error("it has a control character")]
    Control,
    /// A character that reorders the text around it.
    #[error("it has a character that reorders text")]
    Reorders,
    /// A code point that is no character.
    #[error("it has a code point that is no character")]
    NoText,
}

/// The name of a folder or file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// The name that this text is.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        // Normalising can make a text longer, but no text that is far too long short enough.
        if text.len() > 4 * NAME_BYTES_MAX {
            return Err(NameFault::TooLong);
        }
        // Characters first: some line ends are blanks, too, and must not vanish unseen.
        for c in text.chars() {
            match c {
                '/' => return Err(NameFault::Slash),
                c if characters::breaks_lines(c) => return Err(NameFault::Control),
                c if characters::reorders(c) => return Err(NameFault::Reorders),
                c if characters::is_no_text(c) => return Err(NameFault::NoText),
                _ => {}
            }
        }
        let text = text.trim();
        // ASCII is in its normal form.
        let name: String = if text.is_ascii() { text.to_owned() } else { text.nfc().collect() };
        match name.as_str() {
            "" => Err(NameFault::Empty),
            "." | ".." => Err(NameFault::Dots),
            name if name.len() > NAME_BYTES_MAX => Err(NameFault::TooLong),
            _ => Ok(Self(name)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last dot, when it looks like an extension: 1 to [`EXTENSION_CHARS_MAX`] letters or digits, and
    /// something before the dot.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.0.rsplit_once('.')?;
        let chars = extension.chars().count();
        let fits = (1..=EXTENSION_CHARS_MAX).contains(&chars) && extension.chars().all(char::is_alphanumeric);
        (fits && !stem.is_empty()).then_some(extension)
    }
}

/// Characters of an extension at most. What is longer is a part of the name that has a dot in it.
pub const EXTENSION_CHARS_MAX: usize = 16;

impl TryFrom<String> for NodeName {
    type Error = NameFault;

    fn try_from(text: String) -> Result<Self, NameFault> {
        Self::new(&text)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> String {
        name.0
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<NameFault> for Problem {
    fn from(fault: NameFault) -> Self {
        Self::NameInvalid(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_language_are_kept_in_one_form() {
        for (text, kept) in [
            ("报告 最终版.docx", "报告 最终版.docx"),
            ("cafe\u{301}.txt", "café.txt"),
            ("  a b  ", "a b"),
            ("\u{3000}全角\u{3000}", "全角"),
            ("😀👨‍👩‍👧.png", "😀👨‍👩‍👧.png"),
            ("مستند.pdf", "مستند.pdf"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("שלום\u{200f}.txt", "שלום\u{200f}.txt"),
            ("a\\b:c*?\"<>|'", "a\\b:c*?\"<>|'"),
            ("...", "..."),
            (".hidden", ".hidden"),
            ("\u{212b}", "\u{c5}"),
        ] {
            assert_eq!(NodeName::new(text).as_ref().map(NodeName::as_str), Ok(kept));
        }
    }

    #[test]
    fn what_can_be_no_name_is_refused_not_mended() {
        use NameFault::{Control, Dots, Empty, NoText, Reorders, Slash, TooLong};
        for (text, fault) in [
            ("", Empty),
            ("   ", Empty),
            ("\u{3000}", Empty),
            (".", Dots),
            ("..", Dots),
            (" .. ", Dots),
            ("a/b", Slash),
            ("../etc/passwd", Slash),
            ("a\0b", Control),
            ("a\r\nb", Control),
            ("a\n", Control),
            ("\ta", Control),
            ("a\u{7f}", Control),
            ("a\u{85}b", Control),
            ("a\u{2028}b", Control),
            ("photo\u{202e}gpj.exe", Reorders),
            ("a\u{2066}b", Reorders),
            ("\u{feff}a", NoText),
            ("a\u{ffff}", NoText),
            (&*"文".repeat(86), TooLong),
            (&*"a".repeat(256), TooLong),
            (&*"a".repeat(1_000_000), TooLong),
            // Two bytes each, and four when normalised.
            (&*"\u{344}".repeat(100), TooLong),
        ] {
            assert_eq!(NodeName::new(text), Err(fault), "{text:?}");
        }
        assert!(NodeName::new(&"文".repeat(85)).is_ok());
        assert!(NodeName::new(&"a".repeat(255)).is_ok());
    }

    #[test]
    fn a_name_that_is_read_back_is_checked() {
        assert!(serde_json::from_str::<NodeName>("\"a/b\"").is_err());
        assert_eq!(serde_json::from_str::<NodeName>("\"a\"").unwrap().as_str(), "a");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_refused_or_a_name_that_stays_itself(text in proptest::prelude::any::<String>()) {
            if let Ok(name) = NodeName::new(&text) {
                proptest::prop_assert!((1..=NAME_BYTES_MAX).contains(&name.as_str().len()));
                proptest::prop_assert_eq!(NodeName::new(name.as_str()), Ok(name));
            }
        }
    }
}
