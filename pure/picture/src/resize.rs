//! The whole way from a file to a smaller one.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, RgbaImage};

use crate::MEMORY_BYTES_MAX;
use crate::container::Source;
use crate::decode::decode;
use crate::encode::encode;
use crate::error::PictureError;
use crate::plan::{Crop, Plan, plan};
use crate::wanted::{Format, Wanted};

/// Of a pixel that is resized.
const RESIZED_BYTES: u64 = 4;

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
    resized_within(file, wanted, u64::MAX)
}

/// As [`resized`], on a machine that has not so much memory for it: with all it makes of the file, and beside the file, it takes
/// `memory` bytes at most.
///
/// # Errors
/// As [`resized`]; [`PictureError::NoRoom`] when another machine could do it.
pub fn resized_within(file: &[u8], wanted: &Wanted, memory: u64) -> Result<Picture, PictureError> {
    let source = Source::read(file)?;
    let orientation = source.orientation;
    let (width, height) = source.size();
    let plan = if on_its_side(orientation) {
        plan(height, width, wanted).turned()
    } else {
        plan(width, height, wanted)
    };
    let bytes = needed(&source, &plan);
    if bytes > MEMORY_BYTES_MAX {
        return Err(PictureError::TooMuchMemory { bytes });
    }
    let bytes = bytes + source.copies() * file.len() as u64;
    if bytes > memory {
        return Err(PictureError::NoRoom { bytes });
    }
    let has_alpha = source.has_alpha;
    let (pixels, profile) = decode(source)?;
    let mut pixels = shrink(pixels, &plan, has_alpha)?;
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
fn needed(source: &Source, plan: &Plan) -> u64 {
    let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let (width, height) = source.size();
    let (out, part) = (area(plan.width, plan.height), area(plan.crop.width, plan.crop.height));
    // The pixels, as they were decoded and as they are resized, unless that is the same.
    let decoded = if source.pixel_bytes == RESIZED_BYTES { 0 } else { source.pixel_bytes };
    let widening = area(width, height) * (decoded + RESIZED_BYTES);
    // The pixels, with transparency once more multiplied by it, and once with only one side resized.
    let between = area(plan.width, plan.crop.height).max(area(plan.crop.width, plan.height));
    let multiplied = if source.has_alpha { part } else { 0 };
    let resizing = (area(width, height) + multiplied + between + out) * RESIZED_BYTES;
    // The pixels, turned or in another form, and a file that grows by doubling and is no larger than they are.
    let encoding = out * (RESIZED_BYTES + 4 + 4 * 3);
    source.decoding_bytes.max(widening).max(resizing).max(encoding) + source.beside_bytes()
}

/// Follows the plan. All kinds of pixels go through one, which is put back to what it was: each kind is ten megabytes of
/// code where it is resized.
fn shrink(pixels: DynamicImage, plan: &Plan, has_alpha: bool) -> Result<DynamicImage, PictureError> {
    let Crop { x, y, width, height } = plan.crop;
    if (width, height) == (pixels.width(), pixels.height()) && (width, height) == (plan.width, plan.height) {
        return Ok(pixels);
    }
    let kind = pixels.color();
    let from = pixels.into_rgba8();
    let mut to = RgbaImage::new(plan.width, plan.height);
    let source = TypedImageRef::<U8x4>::from_buffer(from.width(), from.height(), from.as_raw());
    let target = TypedImage::<U8x4>::from_buffer(plan.width, plan.height, &mut to);
    let (Ok(source), Ok(mut target)) = (source, target) else {
        return Err(PictureError::Broken("two sizes"));
    };
    let options = ResizeOptions::new()
        .crop(f64::from(x), f64::from(y), f64::from(width), f64::from(height))
        .use_alpha(has_alpha && kind.has_alpha());
    Resizer::new().resize_typed(&source, &mut target, &options)?;
    let to = DynamicImage::from(to);
    Ok(match kind {
        ColorType::L8 => to.into_luma8().into(),
        ColorType::La8 => to.into_luma_alpha8().into(),
        ColorType::Rgb8 => to.into_rgb8().into(),
        _ => to,
    })
}
