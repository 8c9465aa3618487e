//! PNG: chunks (W3C PNG, third edition, §5). An animation's own chunks are left out, and with them all but the picture
//! that viewers without animation show.

use image::metadata::Orientation;

use super::{Kind, Source, orientation, pixels, take};
use crate::PROFILE_BYTES_MAX;
use crate::error::PictureError;

const SIGNATURE_BYTES: usize = 8;

/// Length, type and checksum of a chunk.
const AROUND_BYTES: usize = 12;

struct Head {
    width: u32,
    height: u32,
    depth: u8,
    colour: u8,
}

pub(super) fn read(file: &[u8]) -> Result<Source, PictureError> {
    let mut rest = file.get(SIGNATURE_BYTES..).unwrap_or_default();
    let mut bytes = Vec::with_capacity(file.len());
    bytes.extend_from_slice(file.get(..SIGNATURE_BYTES).unwrap_or_default());
    let mut head = None;
    let mut turned = None;
    let mut transparent_colour = false;
    loop {
        let length = take(rest, 0).map_or(usize::MAX, |length| u32::from_be_bytes(length) as usize);
        let whole = length.checked_add(AROUND_BYTES).and_then(|whole| rest.split_at_checked(whole));
        let (chunk, next) = whole.ok_or(PictureError::Broken("it ends before the picture does"))?;
        rest = next;
        let data = chunk.get(8..8 + length).unwrap_or_default();
        let kind = take::<4>(chunk, 4).unwrap_or_default();
        if head.is_none() != (kind == *b"IHDR") {
            return Err(PictureError::Broken("not one head, in front"));
        }
        match &kind {
            b"IHDR" => head = Some(Head::read(data)?),
            b"tRNS" => transparent_colour = true,
            b"iCCP" if length > PROFILE_BYTES_MAX => continue,
            b"PLTE" | b"IDAT" | b"IEND" | b"iCCP" => {}
            b"eXIf" => {
                turned = turned.or_else(|| orientation(data));
                continue;
            }
            _ => continue,
        }
        bytes.extend_from_slice(chunk);
        if kind == *b"IEND" {
            break;
        }
    }
    let head = head.ok_or(PictureError::Broken("no head"))?;
    let pixels = pixels(head.width, head.height)?;
    let (channels, has_alpha) = match head.colour {
        0 => (1, false),
        2 | 3 => (3, false),
        4 => (2, true),
        6 => (4, true),
        _ => return Err(PictureError::Broken("a kind of colour that there isn't")),
    };
    let pixel_bytes = channels + u64::from(transparent_colour && !has_alpha);
    // Channels of 16 bits, beside those of 8 that they become.
    let decoding = if head.depth == 16 { 2 + 1 } else { 1 };
    Ok(Source {
        kind: Kind::Png,
        width: head.width,
        height: head.height,
        canvas: None,
        orientation: turned.unwrap_or(Orientation::NoTransforms),
        profile: None,
        bytes,
        pixel_bytes,
        has_alpha: has_alpha || transparent_colour,
        decoding_bytes: pixels * pixel_bytes * decoding,
    })
}

impl Head {
    fn read(data: &[u8]) -> Result<Self, PictureError> {
        let (Some(width), Some(height), Some([depth, colour])) =
            (take(data, 0), take(data, 4), take(data, 8))
        else {
            return Err(PictureError::Broken("the head"));
        };
        Ok(Self { width: u32::from_be_bytes(width), height: u32::from_be_bytes(height), depth, colour })
    }
}
