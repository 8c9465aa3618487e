//! JPEG: segments up to the first scan, then coded data (ITU-T T.81 annex B).

use image::metadata::Orientation;

use super::{Kind, Source, orientation, pixels, take};
use crate::PROFILE_BYTES_MAX;
use crate::error::PictureError;

/// What a segment of the colour profile begins with (ICC.1 annex B.4); its number and how many there are follow.
const PROFILE_NAME: &[u8] = b"ICC_PROFILE\0";

/// The frame header: size and components.
struct Frame {
    width: u32,
    height: u32,
    components: u64,
    progressive: bool,
    /// Of the coefficients of all components, bytes.
    coefficients: u64,
}

pub(super) fn read(file: &[u8]) -> Result<Source, PictureError> {
    let mut walk = Walk { file, at: 2 };
    let mut bytes = Vec::with_capacity(file.len());
    bytes.extend_from_slice(&[0xFF, 0xD8]);
    let mut frame = None;
    let mut turned = None;
    let mut profile = Profile::default();
    loop {
        let Segment { marker, payload, whole } = walk.next()?;
        match marker {
            0xC0..=0xC2 if frame.is_some() => return Err(PictureError::Broken("two frames")),
            0xC0..=0xC2 => frame = Some(Frame::read(payload, marker == 0xC2)?),
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(PictureError::Unsupported("lossless, hierarchical or arithmetic JPEG"));
            }
            0xDA | 0xC4 | 0xDB | 0xDD | 0xEE => {}
            0xE1 if payload.starts_with(b"Exif\0\0") => {
                turned = turned.or_else(|| orientation(payload));
                continue;
            }
            0xE2 if payload.starts_with(PROFILE_NAME) => {
                profile.add(payload.get(PROFILE_NAME.len()..).unwrap_or_default());
                continue;
            }
            _ => continue,
        }
        bytes.extend_from_slice(&[0xFF, marker]);
        bytes.extend_from_slice(whole);
        if marker == 0xDA {
            let frame = frame.ok_or(PictureError::Broken("a scan before the frame"))?;
            bytes.extend_from_slice(file.get(walk.at..).unwrap_or_default());
            let scanned = u64::from(payload.first().copied().unwrap_or(0));
            return Ok(source(&frame, scanned, turned, profile, bytes));
        }
    }
}

fn source(
    frame: &Frame,
    scanned: u64,
    turned: Option<Orientation>,
    profile: Profile,
    bytes: Vec<u8>,
) -> Source {
    let pixel_bytes = if frame.components == 1 { 1 } else { 4 };
    // Coefficients are kept only when not all of a pixel comes at once.
    let at_once = !frame.progressive && scanned == frame.components;
    let coefficients = if at_once { 0 } else { frame.coefficients };
    Source {
        kind: Kind::Jpeg,
        width: frame.width,
        height: frame.height,
        canvas: None,
        orientation: turned.unwrap_or(Orientation::NoTransforms),
        profile: profile.whole(),
        bytes,
        pixel_bytes,
        has_alpha: false,
        decoding_bytes: u64::from(frame.width) * u64::from(frame.height) * pixel_bytes + coefficients,
    }
}

impl Frame {
    fn read(payload: &[u8], progressive: bool) -> Result<Self, PictureError> {
        let broken = PictureError::Broken("the frame header");
        let Some([precision, h1, h0, w1, w0, count]) = take(payload, 0) else { return Err(broken) };
        if precision != 8 {
            return Err(PictureError::Unsupported("JPEG of other than 8 bits"));
        }
        let (height, width) =
            (u32::from(u16::from_be_bytes([h1, h0])), u32::from(u16::from_be_bytes([w1, w0])));
        pixels(width, height)?;
        if !matches!(count, 1 | 3 | 4) || payload.len() != 6 + 3 * usize::from(count) {
            return Err(broken);
        }
        let factors: Vec<(u32, u32)> = payload
            .get(6..)
            .unwrap_or_default()
            .chunks_exact(3)
            .filter_map(|component| component.get(1))
            .map(|factors| (u32::from(factors >> 4), u32::from(factors & 0xF)))
            .collect();
        let odd = |factor: u32| !matches!(factor, 1 | 2 | 4);
        if factors.iter().any(|(across, down)| odd(*across) || odd(*down)) {
            return Err(PictureError::Unsupported("JPEG sampling factors other than 1, 2 and 4"));
        }
        let across_max = factors.iter().map(|(across, _)| *across).max().unwrap_or(1);
        let down_max = factors.iter().map(|(_, down)| *down).max().unwrap_or(1);
        let units = u64::from(width.div_ceil(8 * across_max)) * u64::from(height.div_ceil(8 * down_max));
        let blocks: u64 = factors.iter().map(|(across, down)| u64::from(across * down)).sum();
        let coefficients = units * blocks * 64 * size_of::<i16>() as u64;
        Ok(Self { width, height, components: u64::from(count), progressive, coefficients })
    }
}

/// The way through the segments.
struct Walk<'a> {
    file: &'a [u8],
    at: usize,
}

struct Segment<'a> {
    marker: u8,
    payload: &'a [u8],
    /// With its length in front.
    whole: &'a [u8],
}

impl<'a> Walk<'a> {
    /// The next segment. Bytes between segments are no reason to refuse a file: some cameras have them.
    fn next(&mut self) -> Result<Segment<'a>, PictureError> {
        let ended = PictureError::Broken("it ends before the picture begins");
        loop {
            let rest = self.file.get(self.at..).unwrap_or_default();
            let Some(fill) = rest.iter().position(|byte| *byte == 0xFF) else { return Err(ended) };
            let Some(length) = rest.get(fill..).unwrap_or_default().iter().position(|byte| *byte != 0xFF)
            else {
                return Err(ended);
            };
            let Some(marker) = rest.get(fill + length).copied() else { return Err(ended) };
            self.at += fill + length + 1;
            match marker {
                // No markers, or such as stand alone.
                0x00 | 0x01 | 0xD0..=0xD8 => {}
                0xD9 => return Err(ended),
                _ => {
                    let length = take(self.file, self.at).map_or(0, u16::from_be_bytes);
                    let end = self.at + usize::from(length);
                    let Some(whole) = self.file.get(self.at..end) else { return Err(ended) };
                    let Some(payload) = whole.get(2..) else {
                        return Err(PictureError::Broken("the length of a segment"));
                    };
                    self.at = end;
                    return Ok(Segment { marker, payload, whole });
                }
            }
        }
    }
}

/// The colour profile, which comes in numbered parts, as a rule in order.
#[derive(Default)]
struct Profile {
    bytes: Vec<u8>,
    parts: u8,
    of: u8,
    lost: bool,
}

impl Profile {
    fn add(&mut self, part: &[u8]) {
        let [number, of, bytes @ ..] = part else {
            self.lost = true;
            return;
        };
        let next = self.parts.checked_add(1) == Some(*number) && (self.parts == 0 || self.of == *of);
        if self.lost || !next || self.bytes.len() + bytes.len() > PROFILE_BYTES_MAX {
            self.lost = true;
            return;
        }
        (self.parts, self.of) = (*number, *of);
        self.bytes.extend_from_slice(bytes);
    }

    fn whole(self) -> Option<Vec<u8>> {
        (!self.lost && self.parts > 0 && self.parts == self.of).then_some(self.bytes)
    }
}
