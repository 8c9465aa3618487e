//! Pictures as large as those of cameras.

use anyhow::{Context, Result};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A photograph of 24 megapixels, more or less: slopes with noise on them.
pub(super) fn photograph(progressive: bool) -> Result<Vec<u8>> {
    const SIDES: (u16, u16) = (6000, 4000);
    let mut noise = 1u32;
    let mut pixels = Vec::with_capacity(usize::from(SIDES.0) * usize::from(SIDES.1) * 3);
    for y in 0..u32::from(SIDES.1) {
        for x in 0..u32::from(SIDES.0) {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = noise >> 28;
            let colours = [x / 24 + grain, y / 17 + grain, (x + y) / 42 + grain];
            pixels.extend(colours.map(|value| value.min(255) as u8));
        }
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels, SIDES.0, SIDES.1, ColorType::Rgb).context("encode a picture")?;
    Ok(file)
}
