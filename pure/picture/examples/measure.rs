//! How long a picture takes: `cargo run --release -p picture --example measure`.
#![allow(clippy::print_stdout, reason = "it is what it is for")]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::time::{Duration, Instant};

use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use picture::{Fit, Wanted, resized};

const WIDTH: u32 = 4000;
const HEIGHT: u32 = 3000;
const RUNS: usize = 11;

fn main() {
    let pixels = landscape();
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    encoder.write_image(&pixels, WIDTH, HEIGHT, ExtendedColorType::Rgb8).unwrap_or_default();
    let mut clear = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut clear);
    let mut with_alpha = DynamicImage::from(pixels.clone()).into_rgba8();
    with_alpha.pixels_mut().for_each(|pixel| pixel.0[3] = pixel.0[0] | 1);
    encoder.write_image(&with_alpha, WIDTH, HEIGHT, ExtendedColorType::Rgba8).unwrap_or_default();
    for (name, file) in [
        ("JPEG", jpeg(&pixels, false)),
        ("progressive JPEG", jpeg(&pixels, true)),
        ("PNG", png),
        ("PNG, transparent", clear),
    ] {
        for (width, height, fit) in [(200, 150, Fit::Contain), (1600, 1600, Fit::Cover)] {
            let wanted = Wanted { width: Some(width), height: Some(height), fit, format: None };
            let (median, bytes) = median(&file, &wanted);
            let rate = |bytes: f64| bytes / 1e6 / median.as_secs_f64();
            println!(
                "{name} {WIDTH}x{HEIGHT}, {:.1} MB -> {width}x{height}, {} kB: {:.1} ms, {:.0} MB/s of file, {:.0} MP/s",
                file.len() as f64 / 1e6,
                bytes / 1000,
                median.as_secs_f64() * 1e3,
                rate(file.len() as f64),
                rate(f64::from(WIDTH * HEIGHT)),
            );
        }
    }
}

/// The time that half of the runs stayed below, and the length of what came out.
fn median(file: &[u8], wanted: &Wanted) -> (Duration, usize) {
    let mut bytes = 0;
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            bytes = resized(file, wanted).map_or(0, |picture| picture.bytes.len());
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times.get(RUNS / 2).copied().unwrap_or_default(), bytes)
}

fn jpeg(pixels: &RgbImage, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder.encode(pixels, WIDTH as u16, HEIGHT as u16, ColorType::Rgb).unwrap_or_default();
    bytes
}

/// Slopes with a grain, which pack about as well as a photograph.
fn landscape() -> RgbImage {
    let mut seed = 1u32;
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (seed >> 28) as u8;
        let (x, y) = (x * 255 / WIDTH, y * 255 / HEIGHT);
        let ridge = if (x * x / 97 + y) % 64 < 32 { 40 } else { 0 };
        image::Rgb([(x / 2) as u8 + grain + ridge, (y / 2) as u8 + grain + ridge, 60 + grain])
    })
}
