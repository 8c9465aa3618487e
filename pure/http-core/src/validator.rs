//! What tells one version of a file from another: entity tags and times (RFC 9110 §8.8).
//!
//! An ordinary file never changes, and its id holds its CRC and size: its tag is made of both and is **strong**, and its
//! time is that of the upload, in the id. So every member of a group gives the same answer, before it has even opened
//! the file.
//!
//! A slave and an appender have only the time and size that the storage knows. Both are whole seconds on a copy, so the
//! tag of an **appender is always weak**: two changes within a second may leave the size as it was. A **slave** is
//! written once; its tag is weak while its second is not over, as it could be deleted and uploaded anew in it, and
//! strong from then on, so that an interrupted download can go on.

use fdfs_fileid::{FileName, Kind};

use crate::fields::Lines;
use crate::head::trim_blanks;

/// After so many seconds without a change a slave's time and size tell its content.
const SETTLED_AFTER_S: i64 = 2;

/// Longest entity tag made here: two numbers in hex, a dash and quotes.
const TAG_LEN_MAX: usize = 16 + 1 + 16 + 2;

/// What a storage knows about a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// When it was last changed, Unix seconds.
    pub modified: i64,
}

/// True for files whose content is settled by their id.
pub fn never_changes(name: &FileName) -> bool {
    matches!(name.kind(), Kind::Normal | Kind::Trunk)
}

/// An entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    text: [u8; TAG_LEN_MAX],
    len: usize,
}

impl EntityTag {
    /// The tag of a file, at the time `now` (Unix seconds).
    pub fn of(name: &FileName, facts: &FileFacts, now: i64) -> Self {
        match name.stamp() {
            Some(stamp) if never_changes(name) => Self::new(false, stamp.crc32.into(), 8, facts.size),
            _ => {
                let settled =
                    name.kind() == Kind::Slave && now.saturating_sub(facts.modified) >= SETTLED_AFTER_S;
                Self::new(!settled, facts.modified.cast_unsigned(), 1, facts.size)
            }
        }
    }

    /// The strong tag of a content, of 128 bits of its digest.
    pub fn of_digest(digest: u128) -> Self {
        let mut tag = Self { weak: false, text: [0; TAG_LEN_MAX], len: 0 };
        tag.push(b'"');
        tag.push_hex((digest >> 64) as u64, 16);
        tag.push_hex(digest as u64, 16);
        tag.push(b'"');
        tag
    }

    fn new(weak: bool, first: u64, digits: u32, second: u64) -> Self {
        let mut tag = Self { weak, text: [0; TAG_LEN_MAX], len: 0 };
        tag.push(b'"');
        tag.push_hex(first, digits);
        tag.push(b'-');
        tag.push_hex(second, 1);
        tag.push(b'"');
        tag
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn push_hex(&mut self, number: u64, digits_min: u32) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(digits_min);
        for at in (0..digits).rev() {
            self.push(HEX[(number >> (at * 4) & 0xF) as usize]);
        }
    }

    /// The same version in another form, such as compressed: equal for a cache, not byte for byte.
    pub(crate) fn weakened(self) -> Self {
        Self { weak: true, ..self }
    }

    /// With quotes, without `W/`.
    fn opaque(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// Writes the tag as a field holds it.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        if self.weak {
            out.extend_from_slice(b"W/");
        }
        out.extend_from_slice(self.opaque());
    }

    /// Weak comparison: the same version, whatever its form.
    pub(crate) fn matches_weakly(&self, sent: &[u8]) -> bool {
        sent.strip_prefix(b"W/").unwrap_or(sent) == self.opaque()
    }

    /// Strong comparison: byte for byte the same.
    pub(crate) fn matches_strongly(&self, sent: &[u8]) -> bool {
        !self.weak && sent == self.opaque()
    }

    /// Does a list of tags, or `*`, name this one? `matches` compares.
    pub(crate) fn is_in(&self, list: &Lines<'_>, matches: fn(&Self, &[u8]) -> bool) -> bool {
        list.iter().any(|line| line == b"*" || tags(line).any(|tag| matches(self, tag)))
    }
}

/// The tags of one line. Unlike other lists this one has elements that may hold commas: they end with their quote. What is
/// no tag ends the list.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            rest = trim_blanks(rest);
            match rest.strip_prefix(b",") {
                Some(after) => rest = after,
                None => break,
            }
        }
        let open =
            rest.iter().position(|byte| *byte == b'"').filter(|at| matches!(&rest[..*at], b"" | b"W/"))?;
        let inside = rest.get(open + 1..)?;
        let close = inside.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = rest.split_at(open + close + 2);
        rest = after;
        Some(tag)
    })
}

/// When the file was last changed, Unix seconds: in the id for a file that never changes. Never later than `now`.
pub fn last_modified(name: &FileName, facts: &FileFacts, now: i64) -> i64 {
    let time = match name.stamp() {
        Some(stamp) if never_changes(name) => i64::from(stamp.timestamp),
        _ => facts.modified,
    };
    time.min(now).max(0)
}

#[cfg(test)]
mod tests {
    use super::EntityTag;

    #[test]
    fn the_tag_of_a_digest_is_strong_and_has_all_of_its_digits() {
        for (digest, text) in [
            (0, "\"00000000000000000000000000000000\""),
            (u128::MAX, "\"ffffffffffffffffffffffffffffffff\""),
            (0x0123_4567_89ab_cdef_0011_2233_4455_6677, "\"0123456789abcdef0011223344556677\""),
        ] {
            let tag = EntityTag::of_digest(digest);
            let mut written = Vec::new();
            tag.push_to(&mut written);
            assert_eq!(std::str::from_utf8(&written), Ok(text));
            assert!(!tag.weak);
        }
    }
}
