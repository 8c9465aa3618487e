//! Compression on the way: which coding a client takes (RFC 9110 §12.5.3).

use crate::fields::Lines;
use crate::head::trim_blanks;

/// Least size worth compressing, bytes: below, it all fits into one packet anyway.
pub const COMPRESS_BYTES_MIN: u64 = 1024;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Zstandard (RFC 8878).
    Zstd,
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// All, the preferred first: best speed for its size first.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// As in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// What `Accept-Encoding` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The best of the codings at hand; none when the client takes none of them, or prefers the bytes as they are.
    pub coding: Option<Coding>,
    /// The bytes as they are will do.
    pub identity: bool,
}

/// Weights in thousandths.
type Weight = u16;

/// Weighs the codings in `offered` (the preferred first) by what the client sent. Without the field only the bytes as
/// they are will do: old programs send none, and do not decode.
pub fn accepted(accept_encoding: &Lines<'_>, offered: &[Coding]) -> Accepted {
    if accept_encoding.is_absent() {
        return Accepted { coding: None, identity: true };
    }
    let (mut any, mut identity): (Option<Weight>, Option<Weight>) = (None, None);
    let mut named: [Option<Weight>; Coding::ALL.len()] = [None; Coding::ALL.len()];
    for element in accept_encoding.elements() {
        let (name, weight) = weighed(element);
        match name {
            b"*" => any = any.or(Some(weight)),
            _ if name.eq_ignore_ascii_case(b"identity") => identity = identity.or(Some(weight)),
            _ => {
                let name: &[u8] = if name.eq_ignore_ascii_case(b"x-gzip") { b"gzip" } else { name };
                let known =
                    Coding::ALL.iter().position(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()));
                if let Some(known) = known {
                    named[known] = named[known].or(Some(weight));
                }
            }
        }
    }
    let weight_of = |coding: Coding| {
        let place = Coding::ALL.iter().position(|known| *known == coding);
        place.and_then(|place| named[place]).or(any).unwrap_or(0)
    };
    let mut best: Option<(Weight, Coding)> = None;
    for coding in offered.iter().copied() {
        let weight = weight_of(coding);
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, coding));
        }
    }
    // Unless it is spoken of, the content as it is will do, and is liked least.
    let plain = identity.or(any.filter(|any| *any == 0));
    let coding = best.filter(|(weight, _)| *weight >= identity.unwrap_or(0)).map(|(_, coding)| coding);
    Accepted { coding, identity: plain != Some(0) }
}

/// `gzip;q=0.5`: the name and the weight. A weight that makes no sense counts as none: 0.
fn weighed(element: &[u8]) -> (&[u8], Weight) {
    let mut parts = element.split(|byte| *byte == b';').map(trim_blanks);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    (name, weight.map_or(1000, |digits| thousandths(digits).unwrap_or(0)))
}

/// `0`, `0.5`, `0.123`, `1`, `1.000`.
fn thousandths(digits: &[u8]) -> Option<Weight> {
    let (whole, rest) = digits.split_first()?;
    let whole = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    let fraction = match rest {
        [] => return Some(whole),
        [b'.', fraction @ ..] if fraction.len() <= 3 => fraction,
        _ => return None,
    };
    let mut weight = whole;
    for (digit, unit) in fraction.iter().zip([100, 10, 1]) {
        weight += digit.is_ascii_digit().then(|| Weight::from(digit - b'0') * unit)?;
    }
    (weight <= 1000).then_some(weight)
}
