//! File names are bytes, JSON strings are not: how the one becomes the other and back.
//!
//! UTF-8 stays readable. A byte that is not part of valid UTF-8 becomes `%XX`, and so does `%` itself and every
//! control character, so that a manifest can be shown on a terminal.

use std::fmt::Write as _;

/// The text for `bytes`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_control() {
                let mut utf8 = [0; 4];
                push_bytes(&mut text, c.encode_utf8(&mut utf8).as_bytes());
            } else {
                text.push(c);
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02X}");
    }
}

/// The bytes behind a text made by [`escape`]; `None` when a `%` is not followed by two hex digits.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = tail;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_names_stay_readable() {
        assert_eq!(escape("2024 año/报告.txt".as_bytes()), "2024 año/报告.txt");
        assert_eq!(unescape("2024 año/报告.txt").unwrap(), "2024 año/报告.txt".as_bytes());
    }

    #[test]
    fn bytes_that_are_not_utf_8_survive() {
        assert_eq!(escape(b"caf\xe9.txt"), "caf%E9.txt");
        assert_eq!(unescape("caf%E9.txt").unwrap(), b"caf\xe9.txt");
        assert_eq!(escape(b"\xff\xfe\xe6\x8a"), "%FF%FE%E6%8A");
        assert_eq!(unescape("%ff%fe%E6%8A").unwrap(), b"\xff\xfe\xe6\x8a");
    }

    #[test]
    fn a_percent_sign_and_control_characters_are_escaped() {
        assert_eq!(escape(b"100%\n\x7f"), "100%25%0A%7F");
        assert_eq!(escape("\u{85}".as_bytes()), "%C2%85");
        assert_eq!(unescape("100%25%0A%7F").unwrap(), b"100%\n\x7f");
    }

    #[test]
    fn a_percent_sign_without_two_digits_is_an_error() {
        assert_eq!(unescape("50%"), None);
        assert_eq!(unescape("50%2"), None);
        assert_eq!(unescape("50%+2"), None);
    }
}
