//! What a file is made of, and what of it a decoder needs to see.
//!
//! Each format's module walks through the parts of a file, takes out what is known by name, and puts together a file of
//! just the parts that carry pixels. Decoders read sizes again from there, so they can't be told another one than was
//! checked, and the code that reads metadata (where a length is easily believed) is not reached at all.

mod jpeg;
mod png;
mod webp;

use image::metadata::Orientation;

use crate::error::PictureError;
use crate::{INPUT_BYTES_MAX, INPUT_COPIES, PIXELS_MAX, SIDE_MAX};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Baseline or progressive.
    Jpeg,
    /// Animated ones too.
    Png,
    /// Lossy, lossless, animated.
    WebP,
}

impl Kind {
    /// Bytes that [`Kind::of`] looks at.
    pub const HEAD_BYTES: usize = 12;

    /// What begins with these bytes; only the first [`Kind::HEAD_BYTES`] matter.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xFF, 0xD8, 0xFF, ..] => Some(Kind::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Kind::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Kind::WebP),
            _ => None,
        }
    }
}

/// A picture, undecoded.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    /// Of the pixels in `bytes`.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The first frame of an animation need not fill it.
    pub(crate) canvas: Option<Canvas>,
    pub(crate) orientation: Orientation,
    /// The colour profile as the file has it. Of a PNG it is left to the decoder, being compressed.
    pub(crate) profile: Option<Vec<u8>>,
    /// The parts that the decoder needs.
    pub(crate) bytes: Vec<u8>,
    /// Of a decoded pixel, at most: 8 bits a channel.
    pub(crate) pixel_bytes: u64,
    /// Whether one of them is transparency, which counts.
    pub(crate) has_alpha: bool,
    /// What decoding takes at most, the decoded pixels among it, bytes.
    pub(crate) decoding_bytes: u64,
}

/// Where on what a frame is drawn, pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canvas {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Source {
    /// What a decoder takes beside pixels, bytes: rows and tables, which grow with a side of a picture, or not at all.
    pub(crate) fn beside_bytes(&self) -> u64 {
        match self.kind {
            Kind::Jpeg => 8 << 20,
            Kind::Png | Kind::WebP => 32 << 20,
        }
    }

    /// How many times there is as much as `bytes`: once here, and what the decoder copies.
    pub(crate) fn copies(&self) -> u64 {
        match self.kind {
            Kind::Jpeg => 1,
            Kind::Png | Kind::WebP => INPUT_COPIES as u64,
        }
    }

    /// Takes a file apart.
    pub(crate) fn read(file: &[u8]) -> Result<Self, PictureError> {
        let kind = Kind::of(file).ok_or(PictureError::NotAPicture)?;
        if file.len() > INPUT_BYTES_MAX {
            return Err(PictureError::TooLong);
        }
        match kind {
            Kind::Jpeg => jpeg::read(file),
            Kind::Png => png::read(file),
            Kind::WebP => webp::read(file),
        }
    }

    /// Width and height of what is shown before it is turned, pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.canvas.map_or((self.width, self.height), |canvas| (canvas.width, canvas.height))
    }
}

/// Number of pixels, if they are not too many.
fn pixels(width: u32, height: u32) -> Result<u64, PictureError> {
    let pixels = u64::from(width) * u64::from(height);
    if width == 0 || height == 0 {
        Err(PictureError::Broken("a picture without pixels"))
    } else if width > SIDE_MAX || height > SIDE_MAX || pixels > PIXELS_MAX {
        Err(PictureError::TooLarge { width, height })
    } else {
        Ok(pixels)
    }
}

/// The orientation in an EXIF block, which may have its name in front.
fn orientation(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// Reads big- or little-endian numbers of a part that is long enough.
fn take<const N: usize>(part: &[u8], at: usize) -> Option<[u8; N]> {
    part.get(at..)?.first_chunk().copied()
}
