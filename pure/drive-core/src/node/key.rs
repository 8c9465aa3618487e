//! What a name is found and sorted by.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Bytes of a key at most. Compatibility forms can be many times longer than what they stand for; what is cut off is
/// found by its beginning.
pub const SEARCH_KEY_BYTES_MAX: usize = 512;

/// A text as search sees it: compatibility forms resolved (NFKC: full-width letters, ligatures), case folded. Two
/// texts with one key are the same to search. Accents count.
///
/// Kept in a column beside the name. A new Unicode version may fold more; the column is then written anew by a
/// migration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SearchKey(String);

impl SearchKey {
    /// The key of a text.
    pub fn of(text: &str) -> Self {
        let mut key = fold(text);
        key.truncate(key.floor_char_boundary(SEARCH_KEY_BYTES_MAX));
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Folds case, and forms that only look different. By way of upper case, because ß and ς meet SS and Σ only there.
pub(crate) fn fold(text: &str) -> String {
    // Most names, without the tables that would say the same.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_look_alike_have_one_key() {
        for (one, other) in [
            ("Report.PDF", "report.pdf"),
            ("ＡＢＣ１２３", "abc123"),
            ("straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("cafe\u{301}", "café"),
            ("ﬁle", "file"),
            ("Привет", "привет"),
            ("ｶﾞ", "ガ"),
        ] {
            assert_eq!(SearchKey::of(one), SearchKey::of(other), "{one} {other}");
        }
    }

    #[test]
    fn letters_of_ascii_are_folded_as_the_tables_fold_them() {
        let text: String = (0..128u8).map(char::from).collect();
        let by_tables: String =
            text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
        assert_eq!(fold(&text), by_tables);
    }

    #[test]
    fn texts_that_differ_keep_their_keys() {
        for (one, other) in [("cafe", "café"), ("文档", "文件"), ("a b", "ab"), ("か", "カ")] {
            assert_ne!(SearchKey::of(one), SearchKey::of(other), "{one} {other}");
        }
        assert_eq!(SearchKey::of("我的文档.TXT").as_str(), "我的文档.txt");
    }

    #[test]
    fn a_key_is_cut_between_characters() {
        // Each of these is 3 bytes and becomes 33.
        let key = SearchKey::of(&"\u{fdfa}".repeat(85));
        assert!((SEARCH_KEY_BYTES_MAX - 3..=SEARCH_KEY_BYTES_MAX).contains(&key.as_str().len()));
        assert_eq!(SearchKey::of(&"文".repeat(300)).as_str(), "文".repeat(170));
    }
}
