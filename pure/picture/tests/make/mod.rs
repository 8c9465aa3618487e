//! Pictures made for tests, and files put together by hand.
#![allow(dead_code, reason = "each test file uses its part")]

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};
use picture::{Fit, Format, Wanted};

pub(crate) const RED: [u8; 3] = [220, 20, 20];
pub(crate) const GREEN: [u8; 3] = [20, 200, 20];
pub(crate) const BLUE: [u8; 3] = [20, 20, 220];
pub(crate) const WHITE: [u8; 3] = [255, 255, 255];

/// From left to right: red, green, blue, each as wide.
pub(crate) fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| image::Rgb([RED, GREEN, BLUE][(x * 3 / width) as usize]))
}

/// Quarters, by rows: red, green, blue, white.
pub(crate) fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (right, low) = (x >= width / 2, y >= height / 2);
        image::Rgb([RED, GREEN, BLUE, WHITE][usize::from(right) + 2 * usize::from(low)])
    })
}

pub(crate) fn jpeg(pixels: &RgbImage) -> Vec<u8> {
    jpeg_by(pixels, |_| {})
}

pub(crate) fn jpeg_by(
    pixels: &RgbImage,
    set: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    set(&mut encoder);
    let (width, height) = (pixels.width() as u16, pixels.height() as u16);
    encoder.encode(pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

pub(crate) fn png(pixels: impl Into<DynamicImage>) -> Vec<u8> {
    let pixels = pixels.into();
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    encoder.write_image(pixels.as_bytes(), pixels.width(), pixels.height(), pixels.color().into()).unwrap();
    bytes
}

pub(crate) fn lossless_webp(pixels: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.encode(pixels, pixels.width(), pixels.height(), ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// A segment behind the start of a JPEG.
pub(crate) fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &length, payload, &jpeg[2..]].concat()
}

/// EXIF with an orientation, and GPS's latitude as text.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    [
        &b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..],
        &[orientation, 0, 0, 0, 0, 0, 0, 0],
        b"GPS 52.5163",
    ]
    .concat()
}

/// A chunk of a PNG.
pub(crate) fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &body, &crc32(&body).to_be_bytes()].concat()
}

/// A PNG of these chunks.
pub(crate) fn png_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let chunks = chunks.iter().map(|(kind, data)| png_chunk(kind, data));
    [b"\x89PNG\r\n\x1a\n".to_vec()].into_iter().chain(chunks).flatten().collect()
}

/// The head of a PNG.
pub(crate) fn png_head(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat()
}

/// A WebP of these chunks.
pub(crate) fn webp_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, data) in chunks {
        body.extend_from_slice(*kind);
        body.extend_from_slice(&(data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len() + data.len() % 2, 0);
    }
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// `VP8X`: flags and canvas.
pub(crate) fn webp_head(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let (width, height) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    [&[flags, 0, 0, 0], &width[..3], &height[..3]].concat()
}

/// The first chunk of a kind in a WebP.
pub(crate) fn webp_chunk<'a>(webp: &'a [u8], kind: &[u8; 4]) -> &'a [u8] {
    let at = webp.windows(4).position(|bytes| bytes == kind).unwrap();
    let length = u32::from_le_bytes(webp[at + 4..at + 8].try_into().unwrap()) as usize;
    &webp[at + 8..at + 8 + length]
}

/// A profile's head: what it describes and its mark.
pub(crate) fn profile(colours: &[u8; 4], length: usize) -> Vec<u8> {
    let mut profile = vec![0x5A; length];
    profile[16..20].copy_from_slice(colours);
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

pub(crate) fn within(width: u32, height: u32) -> Wanted {
    wanted(width, height, Fit::Contain, None)
}

pub(crate) fn wanted(width: u32, height: u32, fit: Fit, format: Option<Format>) -> Wanted {
    let given = |side: u32| (side > 0).then_some(side);
    Wanted { width: given(width), height: given(height), fit, format }
}

pub(crate) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}
