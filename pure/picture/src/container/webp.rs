//! WebP: chunks in a RIFF file (RFC 9649). Of an animation the first frame becomes a still picture on its canvas.

use image::metadata::Orientation;

use super::{Canvas, Kind, Source, orientation, pixels, take};
use crate::PROFILE_BYTES_MAX;
use crate::error::PictureError;

const RIFF_HEAD_BYTES: usize = 12;

/// Flag of `VP8X`: there is transparency.
const ALPHA_FLAG: u8 = 1 << 4;

/// Memory for tables that a byte of lossless data can make the decoder take: 24 bytes describe a code of 256 symbols with
/// most lengths beyond 10, for which it keeps a table of 4 KiB and 480 nodes of 16 bytes; with a colour cache 152 bytes make
/// 78 KB. libwebp keeps only the codes that pixels use, image-webp all that are announced.
const TABLE_BYTES: u64 = 520;

/// What the lossy decoder keeps of a pixel: luma and chroma, and of each 256 pixels a block of modes in a growing list.
const LOSSY_PIXEL_BYTES: u64 = 2;

/// The picture, or the first of an animation.
#[derive(Default, Clone, Copy)]
struct Parts<'a> {
    alpha: Option<&'a [u8]>,
    lossy: Option<&'a [u8]>,
    lossless: Option<&'a [u8]>,
}

/// What `VP8X` says.
struct Extended {
    alpha: bool,
    width: u32,
    height: u32,
}

pub(super) fn read(file: &[u8]) -> Result<Source, PictureError> {
    let mut extended = None;
    let mut parts = Parts::default();
    let mut frame = None;
    let mut turned = None;
    let mut profile = None;
    let mut chunks = Chunks(file.get(RIFF_HEAD_BYTES..).unwrap_or_default());
    while let Some((kind, data)) = chunks.next()? {
        match &kind {
            b"VP8X" => extended = extended.or(Some(Extended::read(data)?)),
            b"ANMF" if frame.is_none() => frame = Some(data),
            b"EXIF" => turned = turned.or_else(|| orientation(data)),
            b"ICCP" if data.len() <= PROFILE_BYTES_MAX => profile = profile.or_else(|| Some(data.to_vec())),
            _ => parts.add(kind, data),
        }
        // A simple file ends with its picture, whatever stands behind it.
        if extended.is_none() {
            break;
        }
    }
    let mut canvas = extended.as_ref().map(|it| Canvas { x: 0, y: 0, width: it.width, height: it.height });
    let mut sized = canvas.map(|canvas| (canvas.width, canvas.height));
    if let (Some(frame), Some(canvas)) = (frame, &mut canvas) {
        let (width, height);
        (parts, canvas.x, canvas.y, width, height) = read_frame(frame)?;
        let within = canvas.x + width <= canvas.width && canvas.y + height <= canvas.height;
        if !within {
            return Err(PictureError::Broken("a frame beyond the canvas"));
        }
        sized = Some((width, height));
    }
    let wants_alpha = extended.is_none_or(|extended| extended.alpha || frame.is_some());
    let mut source = parts.source(wants_alpha)?;
    if sized.is_some_and(|size| size != (source.width, source.height)) {
        return Err(PictureError::Broken("two sizes"));
    }
    source.orientation = turned.unwrap_or(Orientation::NoTransforms);
    source.profile = profile;
    source.canvas = canvas.filter(|canvas| (canvas.width, canvas.height) != (source.width, source.height));
    if let Some(canvas) = source.canvas {
        // The frame with transparency, beside the canvas.
        source.decoding_bytes += pixels(canvas.width, canvas.height)? * 4
            + pixels(source.width, source.height)? * (source.pixel_bytes + 4);
        (source.pixel_bytes, source.has_alpha) = (4, true);
    }
    Ok(source)
}

/// The parts of a frame, its place, and the size that it is said to have.
fn read_frame(frame: &[u8]) -> Result<(Parts<'_>, u32, u32, u32, u32), PictureError> {
    let field = |at| take::<3>(frame, at).map(number).ok_or(PictureError::Broken("the head of a frame"));
    let (x, y, width, height) = (field(0)? * 2, field(3)? * 2, field(6)? + 1, field(9)? + 1);
    let mut parts = Parts::default();
    let mut chunks = Chunks(frame.get(16..).unwrap_or_default());
    while let Some((kind, data)) = chunks.next()? {
        parts.add(kind, data);
    }
    Ok((parts, x, y, width, height))
}

impl<'a> Parts<'a> {
    fn add(&mut self, kind: [u8; 4], data: &'a [u8]) {
        let place = match &kind {
            b"ALPH" => &mut self.alpha,
            b"VP8 " => &mut self.lossy,
            b"VP8L" => &mut self.lossless,
            _ => return,
        };
        *place = place.or(Some(data));
    }

    /// A still picture of these parts.
    fn source(self, wants_alpha: bool) -> Result<Source, PictureError> {
        let (size, has_alpha, chunks, decoder) = match (self.lossy, self.lossless) {
            (Some(lossy), None) => {
                let size = lossy_size(lossy)?;
                let alpha = self.alpha.filter(|_| wants_alpha);
                let pixels = pixels(size.0, size.1)?;
                // Unfiltered, and before that as a picture of its own.
                let alpha_bytes = alpha.map_or(0, |alpha| match alpha.first().map_or(0, |head| head & 3) {
                    0 => pixels,
                    _ => pixels * 5 + alpha.len() as u64 * TABLE_BYTES,
                });
                let mut chunks = Vec::with_capacity(lossy.len() + alpha.map_or(0, <[u8]>::len) + 64);
                if let Some(alpha) = alpha {
                    let [w0, w1, w2, _] = (size.0 - 1).to_le_bytes();
                    let [h0, h1, h2, _] = (size.1 - 1).to_le_bytes();
                    put(&mut chunks, *b"VP8X", &[ALPHA_FLAG, 0, 0, 0, w0, w1, w2, h0, h1, h2]);
                    put(&mut chunks, *b"ALPH", alpha);
                }
                put(&mut chunks, *b"VP8 ", lossy);
                (size, alpha.is_some(), chunks, pixels * LOSSY_PIXEL_BYTES + alpha_bytes)
            }
            (None, Some(lossless)) => {
                let (size, has_alpha) = lossless_size(lossless)?;
                let mut chunks = Vec::with_capacity(lossless.len() + 64);
                put(&mut chunks, *b"VP8L", lossless);
                // Without transparency it is decoded with it, beside the pixels; transforms have pixels of their own.
                let pixels = pixels(size.0, size.1)?;
                let decoder = pixels * if has_alpha { 1 } else { 5 } + lossless.len() as u64 * TABLE_BYTES;
                (size, has_alpha, chunks, decoder)
            }
            _ => return Err(PictureError::Broken("not one picture")),
        };
        let (width, height) = size;
        let pixel_bytes = if has_alpha { 4 } else { 3 };
        let mut bytes = Vec::with_capacity(RIFF_HEAD_BYTES + chunks.len());
        bytes.extend_from_slice(b"RIFF");
        bytes.extend_from_slice(&length_of(chunks.len() + 4));
        bytes.extend_from_slice(b"WEBP");
        bytes.extend_from_slice(&chunks);
        Ok(Source {
            kind: Kind::WebP,
            width,
            height,
            canvas: None,
            orientation: Orientation::NoTransforms,
            profile: None,
            bytes,
            pixel_bytes,
            has_alpha,
            decoding_bytes: pixels(width, height)? * pixel_bytes + decoder,
        })
    }
}

impl Extended {
    fn read(data: &[u8]) -> Result<Self, PictureError> {
        let broken = PictureError::Broken("the extended head");
        let (Some(flags), Some(width), Some(height)) = (data.first(), take(data, 4), take(data, 7)) else {
            return Err(broken);
        };
        let (width, height) = (number(width) + 1, number(height) + 1);
        pixels(width, height)?;
        Ok(Self { alpha: flags & ALPHA_FLAG != 0, width, height })
    }
}

/// The size in the head of a VP8 key frame (RFC 6386 §9.1).
fn lossy_size(data: &[u8]) -> Result<(u32, u32), PictureError> {
    match take(data, 3) {
        Some([0x9D, 0x01, 0x2A, w0, w1, h0, h1]) => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
            Ok((side(w0, w1), side(h0, h1)))
        }
        _ => Err(PictureError::Broken("the head of lossy data")),
    }
}

/// Size and transparency in the head of lossless data (RFC 9649 §3.4).
fn lossless_size(data: &[u8]) -> Result<((u32, u32), bool), PictureError> {
    match (data.first(), take(data, 1).map(u32::from_le_bytes)) {
        (Some(0x2F), Some(head)) => {
            Ok((((head & 0x3FFF) + 1, (head >> 14 & 0x3FFF) + 1), head >> 28 & 1 == 1))
        }
        _ => Err(PictureError::Broken("the head of lossless data")),
    }
}

/// A chunk's name and data.
type Chunk<'a> = ([u8; 4], &'a [u8]);

/// The way through the chunks.
struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    /// The next one, none at the end. What is too short to be a chunk is an end, too.
    fn next(&mut self) -> Result<Option<Chunk<'a>>, PictureError> {
        let (Some(kind), Some(length)) = (take(self.0, 0), take(self.0, 4)) else { return Ok(None) };
        let length = u32::from_le_bytes(length) as usize;
        let rest = self.0.get(8..).unwrap_or_default();
        let (data, rest) =
            rest.split_at_checked(length).ok_or(PictureError::Broken("it ends before the picture does"))?;
        self.0 = rest.get(length % 2..).unwrap_or_default();
        Ok(Some((kind, data)))
    }
}

fn put(chunks: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    chunks.extend_from_slice(&kind);
    chunks.extend_from_slice(&length_of(data.len()));
    chunks.extend_from_slice(data);
    chunks.resize(chunks.len() + data.len() % 2, 0);
}

/// Of what has been read, so it fits.
fn length_of(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn number([low, middle, high]: [u8; 3]) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}
