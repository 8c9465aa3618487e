//! The whole way from a file to a smaller one.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};

use crate::MEMORY_BYTES_MAX;
use crate::container::Source;
use crate::decode::decode;
use crate::encode::encode;
use crate::error::PictureError;
use crate::plan::{Crop, Plan, plan};
use crate::wanted::{Format, Wanted};

/// Rows and tables of decoders and encoders, bytes: they grow with a side of a picture, or not at all.
const BESIDE_BYTES: u64 = 32 << 20;

/// A picture that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it is.
    pub format: Format,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// Makes the picture that is wanted of a file. Takes a processor for about a tenth of a second per ten megapixels, for seconds
/// in the worst case, and memory up to [`MEMORY_BYTES_MAX`].
///
/// # Errors
/// [`PictureError`]: what is in the way, as a rule the file itself.
pub fn resized(file: &[u8], wanted: &Wanted) -> Result<Picture, PictureError> {
    let source = Source::read(file)?;
    let orientation = source.orientation;
    let (width, height) = source.size();
    let plan = if on_its_side(orientation) {
        plan(height, width, wanted).turned()
    } else {
        plan(width, height, wanted)
    };
    let bytes = memory(&source, &plan);
    if bytes > MEMORY_BYTES_MAX {
        return Err(PictureError::TooMuchMemory { bytes });
    }
    let (pixels, profile) = decode(source)?;
    let mut pixels = shrink(pixels, &plan)?;
    pixels.apply_orientation(orientation);
    encode(pixels, profile, wanted.format)
}

fn on_its_side(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// What decoding, resizing or encoding takes at most, whichever is most, bytes.
fn memory(source: &Source, plan: &Plan) -> u64 {
    let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let (width, height) = source.size();
    let (out, part) = (area(plan.width, plan.height), area(plan.crop.width, plan.crop.height));
    // The pixels, with transparency once more multiplied by it, and once with only one side resized.
    let between = area(plan.width, plan.crop.height).max(area(plan.crop.width, plan.height));
    let multiplied = if source.has_alpha { part } else { 0 };
    let resizing = (area(width, height) + multiplied + between + out) * source.pixel_bytes;
    // The pixels, turned or in another form, and a file that grows by doubling and is no larger than they are.
    let encoding = out * (source.pixel_bytes + 4 + 4 * 3);
    source.decoding_bytes.max(resizing).max(encoding) + BESIDE_BYTES
}

/// Follows the plan; what comes out has 8 bits a channel.
fn shrink(pixels: DynamicImage, plan: &Plan) -> Result<DynamicImage, PictureError> {
    let Crop { x, y, width, height } = plan.crop;
    if (width, height) == (pixels.width(), pixels.height()) && (width, height) == (plan.width, plan.height) {
        return Ok(eight_bits(pixels));
    }
    let kind = match &pixels {
        DynamicImage::ImageLuma8(_) => PixelType::U8,
        DynamicImage::ImageLumaA8(_) => PixelType::U8x2,
        DynamicImage::ImageRgb8(_) => PixelType::U8x3,
        DynamicImage::ImageRgba8(_) => PixelType::U8x4,
        DynamicImage::ImageLuma16(_) => PixelType::U16,
        DynamicImage::ImageLumaA16(_) => PixelType::U16x2,
        DynamicImage::ImageRgb16(_) => PixelType::U16x3,
        DynamicImage::ImageRgba16(_) => PixelType::U16x4,
        _ => return Err(PictureError::Unsupported("pixels in floating point")),
    };
    let misfit = PictureError::Broken("two sizes");
    let Ok(from) = ImageRef::new(pixels.width(), pixels.height(), pixels.as_bytes(), kind) else {
        return Err(misfit);
    };
    let mut to = Image::new(plan.width, plan.height, kind);
    let options = ResizeOptions::new().crop(f64::from(x), f64::from(y), f64::from(width), f64::from(height));
    Resizer::new().resize(&from, &mut to, &options)?;
    let (width, height) = (plan.width, plan.height);
    let samples = to.into_vec();
    let samples = if matches!(kind, PixelType::U8 | PixelType::U8x2 | PixelType::U8x3 | PixelType::U8x4) {
        samples
    } else {
        samples.as_chunks().0.iter().map(|sample| eight_of(u16::from_ne_bytes(*sample))).collect()
    };
    let made = match kind {
        PixelType::U8 | PixelType::U16 => {
            ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
        }
        PixelType::U8x2 | PixelType::U16x2 => {
            ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLumaA8)
        }
        PixelType::U8x3 | PixelType::U16x3 => {
            ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
        }
        _ => ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba8),
    };
    made.ok_or(misfit)
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

/// A sample of 16 bits in 8, rounded.
fn eight_of(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32767) / 65535) as u8
}
