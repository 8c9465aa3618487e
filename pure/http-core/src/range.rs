//! Parts of a file (RFC 9110 §14).

use crate::head::{decimal, trim_blanks};

/// Parts in one request at most. FastDFS's module takes five.
pub const RANGES_MAX: usize = 16;

/// Parts that may overlap earlier ones; more is an attempt to have the same bytes sent again and again.
pub const OVERLAPS_MAX: usize = 2;

/// The bytes `first` to `last`, both included: `first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteRange {
    /// The first byte, from 0.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

impl ByteRange {
    /// Number of bytes, at least one. Saturates for the range of all 2^64 bytes.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

/// Parts of a file: no two overlap or touch, in the order they were asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    list: [ByteRange; RANGES_MAX],
    count: usize,
}

impl std::fmt::Debug for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl Ranges {
    /// The parts, at least one.
    pub fn as_slice(&self) -> &[ByteRange] {
        &self.list[..self.count]
    }

    fn push(&mut self, range: ByteRange) {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = range;
            self.count += 1;
        }
    }

    /// Joins parts that overlap or touch, at the place of the earlier one.
    fn join(&mut self) {
        let mut at = 0;
        while at < self.count {
            let here = self.list[at];
            let later = (at + 1..self.count).find(|other| here.touches(self.list[*other]));
            let Some(other) = later else {
                at += 1;
                continue;
            };
            let there = self.list[other];
            self.list[at] = ByteRange { first: here.first.min(there.first), last: here.last.max(there.last) };
            self.list.copy_within(other + 1..self.count, other);
            self.count -= 1;
            // What has grown may reach an earlier one now.
            at = 0;
        }
    }
}

/// What a `Range` field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "made once a request on the stack: a box would cost an allocation"
)]
pub enum RangeAnswer {
    /// The whole file: there is no range in the field that means anything here.
    Whole,
    /// These parts.
    Parts(Ranges),
    /// Nothing that is there, or nothing that makes sense: 416.
    Unsatisfiable,
}

/// Reads a `Range` field for a file of `size` bytes. `several` allows more than one part.
///
/// A unit other than bytes is as if the field were not there. Text that makes no sense is 416, as in FastDFS's module and
/// in nginx; so are more than [`RANGES_MAX`] parts and more than [`OVERLAPS_MAX`] overlaps. Of several parts those that
/// are there are sent.
pub fn parse_range(field: &[u8], size: u64, several: bool) -> RangeAnswer {
    let Some(equals) = field.iter().position(|byte| *byte == b'=') else { return RangeAnswer::Whole };
    if !field[..equals].eq_ignore_ascii_case(b"bytes") {
        return RangeAnswer::Whole;
    }
    let mut ranges = Ranges { list: [ByteRange::default(); RANGES_MAX], count: 0 };
    let (mut asked, mut overlaps) = (0, 0);
    for part in field[equals + 1..].split(|byte| *byte == b',').map(trim_blanks) {
        if part.is_empty() {
            continue;
        }
        asked += 1;
        if asked > RANGES_MAX || asked > 1 && !several {
            return RangeAnswer::Unsatisfiable;
        }
        let Some(part) = parse_part(part, size) else { return RangeAnswer::Unsatisfiable };
        let Some(range) = part else { continue };
        overlaps += usize::from(ranges.as_slice().iter().any(|earlier| earlier.overlaps(range)));
        ranges.push(range);
    }
    if ranges.count == 0 || overlaps > OVERLAPS_MAX {
        return RangeAnswer::Unsatisfiable;
    }
    ranges.join();
    RangeAnswer::Parts(ranges)
}

/// One part: none when it makes no sense, `Some(None)` when it is not there.
fn parse_part(part: &[u8], size: u64) -> Option<Option<ByteRange>> {
    let dash = part.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (&part[..dash], &part[dash + 1..]);
    let end = size.checked_sub(1);
    if first.is_empty() {
        let suffix = number(last)?;
        let range = |end: u64| ByteRange { first: size.saturating_sub(suffix), last: end };
        return Some(end.filter(|_| suffix > 0).map(range));
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if first > last {
        return None;
    }
    Some(end.filter(|end| first <= *end).map(|end| ByteRange { first, last: last.min(end) }))
}

/// A number; one that does not fit is beyond every file.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| decimal(digits).unwrap_or(u64::MAX))
}
