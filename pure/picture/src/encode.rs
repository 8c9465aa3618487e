//! From pixels to a file.

use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder};

use crate::error::PictureError;
use crate::resize::Picture;
use crate::wanted::Format;
use crate::{JPEG_QUALITY, PROFILE_BYTES_MAX};

/// What transparent pixels of a JPEG are on: white.
const GROUND: u8 = 255;

/// Writes pixels of 8 bits a channel: without a format JPEG, or PNG when any of them is transparent.
pub(crate) fn encode(
    pixels: DynamicImage,
    profile: Option<Vec<u8>>,
    format: Option<Format>,
) -> Result<Picture, PictureError> {
    let transparent = is_transparent(&pixels);
    let format = format.unwrap_or(if transparent { Format::Png } else { Format::Jpeg });
    let pixels = if transparent && format == Format::Jpeg { on_ground(pixels) } else { pixels };
    let keep_alpha = transparent && format == Format::Png;
    let pixels = if keep_alpha { pixels } else { without_alpha(pixels) };
    let grey = matches!(pixels, DynamicImage::ImageLuma8(_) | DynamicImage::ImageLumaA8(_));
    let profile = profile.filter(|profile| is_of(profile, grey));
    let (width, height) = (pixels.width(), pixels.height());
    let mut bytes = Vec::new();
    match format {
        Format::Jpeg => {
            let side = |side: u32| u16::try_from(side).map_err(|_| PictureError::TooLarge { width, height });
            let mut encoder = Encoder::new(&mut bytes, JPEG_QUALITY);
            if let Some(profile) = &profile {
                encoder.add_icc_profile(profile)?;
            }
            let colours = if grey { ColorType::Luma } else { ColorType::Rgb };
            encoder.encode(pixels.as_bytes(), side(width)?, side(height)?, colours)?;
        }
        Format::Png => {
            let mut encoder = PngEncoder::new(&mut bytes);
            if let Some(profile) = profile {
                encoder.set_icc_profile(profile).map_err(image::ImageError::Unsupported)?;
            }
            encoder.write_image(pixels.as_bytes(), width, height, pixels.color().into())?;
        }
    }
    Ok(Picture { bytes, format, width, height })
}

/// Whether a profile is for such pixels and not too long (ICC.1 §7.2: what it describes at 16, its mark at 36). That of a
/// CMYK picture means nothing once it is RGB.
fn is_of(profile: &[u8], grey: bool) -> bool {
    let colours: &[u8] = if grey { b"GRAY" } else { b"RGB " };
    profile.len() <= PROFILE_BYTES_MAX
        && profile.get(16..20) == Some(colours)
        && profile.get(36..40) == Some(b"acsp")
}

fn is_transparent(pixels: &DynamicImage) -> bool {
    match pixels {
        DynamicImage::ImageLumaA8(pixels) => pixels.pixels().any(|pixel| pixel.0[1] < u8::MAX),
        DynamicImage::ImageRgba8(pixels) => pixels.pixels().any(|pixel| pixel.0[3] < u8::MAX),
        _ => false,
    }
}

fn on_ground(mut pixels: DynamicImage) -> DynamicImage {
    let on = |sample: u8, alpha: u8| {
        let (sample, alpha) = (u32::from(sample), u32::from(alpha));
        ((sample * alpha + u32::from(GROUND) * (255 - alpha) + 127) / 255) as u8
    };
    match &mut pixels {
        DynamicImage::ImageLumaA8(pixels) => {
            pixels.pixels_mut().for_each(|pixel| pixel.0 = [on(pixel.0[0], pixel.0[1]), u8::MAX]);
        }
        DynamicImage::ImageRgba8(pixels) => pixels.pixels_mut().for_each(|pixel| {
            let [red, green, blue, alpha] = pixel.0;
            pixel.0 = [on(red, alpha), on(green, alpha), on(blue, alpha), u8::MAX];
        }),
        _ => {}
    }
    pixels
}

fn without_alpha(pixels: DynamicImage) -> DynamicImage {
    match pixels {
        DynamicImage::ImageLumaA8(_) => pixels.into_luma8().into(),
        DynamicImage::ImageRgba8(_) => pixels.into_rgb8().into(),
        pixels => pixels,
    }
}
