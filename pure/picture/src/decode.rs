//! From a file to pixels.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageBuffer, ImageDecoder, Limits, RgbaImage, imageops};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::container::{Kind, Source};
use crate::error::PictureError;
use crate::{SCANS_MAX, SIDE_MAX};

/// What the PNG decoder may take for anything but pixels, bytes: rows and the unpacked colour profile.
const PNG_BESIDE_BYTES: u64 = 8 << 20;

/// Decodes what a [`Source`] holds, on its canvas, not turned yet; beside it the colour profile.
pub(crate) fn decode(source: Source) -> Result<(DynamicImage, Option<Vec<u8>>), PictureError> {
    let (pixels, unpacked) = guarded(|| match source.kind {
        Kind::Jpeg => jpeg(&source).map(|pixels| (pixels, None)),
        Kind::Png => png(&source),
        Kind::WebP => webp(&source).map(|pixels| (pixels, None)),
    })?;
    if (pixels.width(), pixels.height()) != (source.width, source.height) {
        return Err(PictureError::Broken("two sizes"));
    }
    let Some(canvas) = source.canvas else { return Ok((pixels, source.profile.or(unpacked))) };
    let mut whole = RgbaImage::new(canvas.width, canvas.height);
    imageops::replace(&mut whole, &pixels.into_rgba8(), i64::from(canvas.x), i64::from(canvas.y));
    Ok((whole.into(), source.profile))
}

/// The decoders do not answer for every input: an index out of range here and there is what their fuzzing finds. They hold
/// nothing that outlives a panic, so one is as good as an error.
fn guarded<T>(decoder: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(decoder)).unwrap_or(Err(PictureError::Panicked))
}

/// A file that ends too early gives what there is, as in browsers.
fn jpeg(source: &Source) -> Result<DynamicImage, PictureError> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(SIDE_MAX as usize)
        .set_max_height(SIDE_MAX as usize)
        .jpeg_set_max_scans(SCANS_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source.bytes.as_slice()), options);
    decoder.decode_headers().map_err(PictureError::Jpeg)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let colours = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let size = decoder
        .output_buffer_size()
        .filter(|_| (width, height) == (source.width as usize, source.height as usize));
    let size = size.ok_or(PictureError::Broken("two sizes"))?;
    // Colours are resized with four bytes a pixel: there is room for them at once, instead of a second time later.
    let room = if grey { size } else { width * height * 4 };
    let mut pixels = vec![0; room.max(size)];
    decoder.decode_into(pixels.get_mut(..size).unwrap_or_default()).map_err(PictureError::Jpeg)?;
    let decoded = if grey {
        ImageBuffer::from_raw(source.width, source.height, pixels).map(DynamicImage::ImageLuma8)
    } else {
        widen(&mut pixels, width);
        ImageBuffer::from_raw(source.width, source.height, pixels).map(DynamicImage::ImageRgba8)
    };
    decoded.ok_or(PictureError::Broken("two sizes"))
}

/// Makes pixels of three bytes, which lie at the beginning, opaque ones of four, which fill all; from the last row on, as
/// each comes to lie where only itself and those behind it were.
fn widen(pixels: &mut [u8], width: usize) {
    let mut row = vec![0; width * 3];
    for y in (0..pixels.len() / (width * 4).max(1)).rev() {
        let narrow = pixels.get(y * width * 3..(y + 1) * width * 3).unwrap_or_default();
        row.copy_from_slice(narrow);
        let wide = pixels.get_mut(y * width * 4..(y + 1) * width * 4).unwrap_or_default();
        for (wide, narrow) in wide.chunks_exact_mut(4).zip(row.chunks_exact(3)) {
            if let ([r, g, b, a], [red, green, blue]) = (wide, narrow) {
                (*r, *g, *b, *a) = (*red, *green, *blue, u8::MAX);
            }
        }
    }
}

fn png(source: &Source) -> Result<(DynamicImage, Option<Vec<u8>>), PictureError> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(PNG_BESIDE_BYTES);
    let mut decoder = PngDecoder::with_limits(Cursor::new(source.bytes.as_slice()), limits)?;
    let profile = decoder.icc_profile()?;
    Ok((eight_bits(DynamicImage::from_decoder(decoder)?), profile))
}

fn eight_bits(pixels: DynamicImage) -> DynamicImage {
    match pixels {
        DynamicImage::ImageLuma16(_) => pixels.into_luma8().into(),
        DynamicImage::ImageLumaA16(_) => pixels.into_luma_alpha8().into(),
        DynamicImage::ImageRgb16(_) => pixels.into_rgb8().into(),
        DynamicImage::ImageRgba16(_) => pixels.into_rgba8().into(),
        pixels => pixels,
    }
}

fn webp(source: &Source) -> Result<DynamicImage, PictureError> {
    Ok(DynamicImage::from_decoder(WebPDecoder::new(Cursor::new(source.bytes.as_slice()))?)?)
}

#[cfg(test)]
mod tests {
    use super::{PictureError, guarded, widen};

    #[test]
    fn pixels_become_wider_where_they_are() {
        let mut pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0];
        widen(&mut pixels, 2);
        assert_eq!(pixels, [1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 255, 10, 11, 12, 255]);
    }

    #[test]
    fn a_panic_of_a_decoder_is_an_error() {
        let beyond = |bytes: &[u8]| Ok(bytes[7]);
        assert_eq!(guarded(|| beyond(&[1; 8])).unwrap(), 1);
        assert!(matches!(guarded(|| beyond(&[1; 7])), Err(PictureError::Panicked)));
    }
}
