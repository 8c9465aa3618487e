//! Why an entry was set aside, within the bound.

use drive_core::ports::REASON_BYTES_MAX;

/// The first [`REASON_BYTES_MAX`] bytes of a text, and no part of a character.
pub(crate) fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]
}

/// A reason and an entry in one piece of bytes: two bytes of length, the reason, the entry.
pub(crate) fn join(reason: &str, entry: &[u8]) -> Vec<u8> {
    let reason = cut(reason);
    let mut bytes = Vec::with_capacity(2 + reason.len() + entry.len());
    bytes.extend_from_slice(&(reason.len() as u16).to_be_bytes());
    bytes.extend_from_slice(reason.as_bytes());
    bytes.extend_from_slice(entry);
    bytes
}

/// What [`join`] joined; none for anything else.
pub(crate) fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (reason, entry) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((std::str::from_utf8(reason).ok()?, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(cut("文"), "文");
        assert_eq!(cut(&"x".repeat(501)), "x".repeat(500));
        assert_eq!(cut(&"文".repeat(167)), "文".repeat(166));
    }

    #[test]
    fn what_was_joined_comes_apart_and_nothing_else_does() {
        for (reason, entry) in [("", &b""[..]), ("文", b"\x00\xff"), ("a", b"")] {
            assert_eq!(split(&join(reason, entry)), Some((reason, entry)));
        }
        for bytes in [&b""[..], b"\x00", b"\x00\x01", b"\x00\x01\xff"] {
            assert_eq!(split(bytes), None, "{bytes:?}");
        }
    }
}
