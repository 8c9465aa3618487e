//! What comes out of good pictures.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod make;

use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgba, RgbaImage,
};
use make::{
    BLUE, GREEN, RED, WHITE, exif, flag, holds, jpeg, jpeg_by, lossless_webp, png, png_chunk, profile,
    quarters, wanted, webp_chunk, webp_head, webp_of, with_segment, within,
};
use picture::{Fit, Format, Kind, Picture, PictureError, Wanted, resized};
use zune_core::bytestream::ZCursor;

/// JPEG changes colours by as much.
const ABOUT: u8 = 24;

/// The pixels of what came out.
fn pixels(picture: &Picture) -> RgbaImage {
    let pixels = match picture.format {
        Format::Png => {
            image::load_from_memory_with_format(&picture.bytes, ImageFormat::Png).unwrap().into_rgba8()
        }
        Format::Jpeg => {
            let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(picture.bytes.as_slice()));
            let bytes = decoder.decode().unwrap();
            let (width, height) = decoder.dimensions().unwrap();
            let (width, height) = (width as u32, height as u32);
            let colours = image::RgbImage::from_raw(width, height, bytes.clone()).map(DynamicImage::from);
            let grey = || GrayImage::from_raw(width, height, bytes.clone()).map(DynamicImage::from);
            colours.or_else(grey).unwrap().into_rgba8()
        }
    };
    assert_eq!((pixels.width(), pixels.height()), (picture.width, picture.height));
    pixels
}

#[track_caller]
fn assert_colour(pixels: &RgbaImage, x: u32, y: u32, expected: [u8; 3]) {
    let found = pixels.get_pixel(x, y).0;
    let near = expected.iter().zip(found).all(|(expected, found)| expected.abs_diff(found) <= ABOUT);
    assert!(near, "{found:?} at {x},{y}, not {expected:?}");
}

fn made(file: &[u8], wanted: &Wanted) -> Picture {
    resized(file, wanted).unwrap()
}

#[track_caller]
fn assert_flag(picture: &Picture) {
    let pixels = pixels(picture);
    let (sixth, middle) = (pixels.width() / 6, pixels.height() / 2);
    for (part, colour) in [(1, RED), (3, GREEN), (5, BLUE)] {
        assert_colour(&pixels, part * sixth, middle, colour);
    }
}

#[test]
fn every_kind_of_file_becomes_a_smaller_jpeg() {
    let flag = flag(120, 80);
    let progressive = jpeg_by(&flag, |encoder| encoder.set_progressive(true));
    let full = jpeg_by(&flag, |it| it.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1));
    let wide = DynamicImage::from(flag.clone()).into_rgb16();
    for (name, file, kind) in [
        ("jpeg", jpeg(&flag), Kind::Jpeg),
        ("progressive", progressive, Kind::Jpeg),
        ("full colours", full, Kind::Jpeg),
        ("png", png(flag.clone()), Kind::Png),
        ("16 bits", png(wide), Kind::Png),
        ("webp", lossless_webp(&flag), Kind::WebP),
    ] {
        assert_eq!(Kind::of(&file[..Kind::HEAD_BYTES]), Some(kind), "{name}");
        let small = made(&file, &within(60, 60));
        assert_eq!((small.format, small.width, small.height), (Format::Jpeg, 60, 40), "{name}");
        assert_flag(&small);
        // The same size is written anew, too.
        let same = made(&file, &within(120, 80));
        assert_eq!((same.format, same.width, same.height), (Format::Jpeg, 120, 80), "{name}");
        assert_flag(&same);
    }
}

#[test]
fn what_other_programs_wrote_is_read() {
    // Red grows from left to right, green from top to bottom.
    for (name, file) in [
        ("lossy.webp", &include_bytes!("data/lossy.webp")[..]),
        ("cmyk.jpg", include_bytes!("data/cmyk.jpg")),
        ("palette.png", include_bytes!("data/palette.png")),
        ("animated.png", include_bytes!("data/animated.png")),
    ] {
        let small = made(file, &within(32, 32));
        assert_eq!((small.format, small.width, small.height), (Format::Jpeg, 32, 24), "{name}");
        let pixels = pixels(&small);
        let reds =
            [pixels.get_pixel(2, 12).0[0], pixels.get_pixel(16, 12).0[0], pixels.get_pixel(29, 12).0[0]];
        let greens =
            [pixels.get_pixel(16, 2).0[1], pixels.get_pixel(16, 12).0[1], pixels.get_pixel(16, 21).0[1]];
        assert!(reds[0] + 60 < reds[1] && reds[1] + 60 < reds[2], "{name}: {reds:?}");
        assert!(greens[0] + 60 < greens[1] && greens[1] + 60 < greens[2], "{name}: {greens:?}");
    }
}

#[test]
fn what_is_no_picture_is_told_by_its_content() {
    for file in [
        &b""[..],
        b"GIF89a\x01\0\x01\0\0\0\0;",
        b"\xFF\xD8",
        b"<svg/>",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"\x89PNG\r\n",
    ] {
        assert_eq!(Kind::of(file), None);
        assert!(matches!(resized(file, &within(9, 9)), Err(PictureError::NotAPicture)), "{file:?}");
    }
}

#[test]
fn every_orientation_is_applied() {
    let upright =
        jpeg_by(&quarters(64, 32), |it| it.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1));
    // By EXIF's number: the size of what comes out, and its quarters by rows.
    for (number, size, quarters) in [
        (1, (32, 16), [RED, GREEN, BLUE, WHITE]),
        (2, (32, 16), [GREEN, RED, WHITE, BLUE]),
        (3, (32, 16), [WHITE, BLUE, GREEN, RED]),
        (4, (32, 16), [BLUE, WHITE, RED, GREEN]),
        (5, (16, 32), [RED, BLUE, GREEN, WHITE]),
        (6, (16, 32), [BLUE, RED, WHITE, GREEN]),
        (7, (16, 32), [WHITE, GREEN, BLUE, RED]),
        (8, (16, 32), [GREEN, WHITE, RED, BLUE]),
        // Nonsense is as if there were nothing.
        (9, (32, 16), [RED, GREEN, BLUE, WHITE]),
    ] {
        let file = with_segment(&upright, 0xE1, &[&b"Exif\0\0"[..], &exif(number)].concat());
        let small = made(&file, &within(size.0, size.1));
        assert_eq!((small.width, small.height), size, "{number}");
        let pixels = pixels(&small);
        let (w, h) = (size.0 / 4, size.1 / 4);
        for ((x, y), colour) in [(w, h), (3 * w, h), (w, 3 * h), (3 * w, 3 * h)].into_iter().zip(quarters) {
            assert_colour(&pixels, x, y, colour);
        }
    }
}

#[test]
fn the_box_is_for_the_picture_as_it_is_shown() {
    let file = with_segment(&jpeg(&flag(90, 30)), 0xE1, &[&b"Exif\0\0"[..], &exif(6)].concat());
    // Shown it is 30 by 90, red above, green in the middle.
    let small = made(&file, &wanted(30, 30, Fit::Cover, None));
    assert_eq!((small.width, small.height), (30, 30));
    assert_colour(&pixels(&small), 15, 15, GREEN);
    let small = made(&file, &within(0, 45));
    assert_eq!((small.width, small.height), (15, 45));
    assert_colour(&pixels(&small), 7, 6, RED);
}

#[test]
fn png_and_webp_are_turned_too() {
    for (name, file) in [
        ("turned.png", &include_bytes!("data/turned.png")[..]),
        ("turned.webp", include_bytes!("data/turned.webp")),
    ] {
        let small = made(file, &within(48, 64));
        assert_eq!((small.width, small.height), (48, 64), "{name}");
        // What grew to the right grows downwards.
        let pixels = pixels(&small);
        assert!(pixels.get_pixel(24, 5).0[0] + 100 < pixels.get_pixel(24, 60).0[0], "{name}");
    }
}

#[test]
fn nothing_of_metadata_is_passed_on() {
    let flag = flag(60, 40);
    let gps = exif(1);
    let mut file = with_segment(&jpeg(&flag), 0xE1, &[&b"Exif\0\0"[..], &gps].concat());
    file = with_segment(&file, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<GPS 52.5163/>");
    file = with_segment(&file, 0xFE, b"GPS 52.5163");
    file = with_segment(&file, 0xED, b"Photoshop 3.0\0GPS 52.5163");
    let written = png(flag.clone());
    let mut chunks = written[..33].to_vec();
    chunks.extend(png_chunk(b"eXIf", &gps));
    chunks.extend(png_chunk(b"tEXt", b"Comment\0GPS 52.5163"));
    chunks.extend_from_slice(&written[33..]);
    let lossless = lossless_webp(&flag);
    let webp = webp_of(&[
        (b"VP8X", &webp_head(0b1100, 60, 40)),
        (b"VP8L", webp_chunk(&lossless, b"VP8L")),
        (b"EXIF", &gps),
        (b"XMP ", b"GPS 52.5163"),
    ]);
    for file in [file, chunks, webp] {
        assert!(holds(&file, b"GPS 52.5163"));
        for format in [Format::Jpeg, Format::Png] {
            for side in [60, 30] {
                let small = made(&file, &wanted(side, 0, Fit::Contain, Some(format)));
                assert!(!holds(&small.bytes, b"GPS") && !holds(&small.bytes, b"52.5163"));
                assert!(!holds(&small.bytes, b"Exif") && !holds(&small.bytes, b"eXIf"));
                assert_flag(&small);
            }
        }
    }
}

/// The colour profile of what came out.
fn profile_in(picture: &Picture) -> Option<Vec<u8>> {
    use image::ImageDecoder;
    match picture.format {
        Format::Jpeg => {
            let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(picture.bytes.as_slice()));
            decoder.decode_headers().unwrap();
            decoder.icc_profile()
        }
        Format::Png => {
            let bytes = std::io::Cursor::new(&picture.bytes);
            image::codecs::png::PngDecoder::new(bytes).unwrap().icc_profile().unwrap()
        }
    }
}

#[test]
fn a_colour_profile_of_its_colours_is_passed_on() {
    use image::ImageEncoder;
    let flag = flag(60, 40);
    let with_profile = |profile: &[u8]| {
        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        encoder.write_image(&flag, 60, 40, image::ExtendedColorType::Rgb8).unwrap();
        let lossless = lossless_webp(&flag);
        let head = webp_head(1 << 5, 60, 40);
        let webp = [(b"VP8X", &head[..]), (b"ICCP", profile), (b"VP8L", webp_chunk(&lossless, b"VP8L"))];
        [jpeg_by(&flag, |encoder| encoder.add_icc_profile(profile).unwrap()), png, webp_of(&webp)]
    };
    let screen = profile(b"RGB ", 600);
    let long = profile(b"RGB ", 60960);
    let too_long = profile(b"RGB ", 65537);
    let paper = profile(b"CMYK", 600);
    for (given, expected) in [
        (&screen, Some(&screen)),
        (&long, Some(&long)),
        (&too_long, None),
        (&paper, None),
        (&vec![0x5A; 600], None),
    ] {
        for file in with_profile(given) {
            for format in [Format::Jpeg, Format::Png] {
                let small = made(&file, &wanted(30, 0, Fit::Contain, Some(format)));
                assert_eq!(profile_in(&small).as_ref(), expected);
                assert_flag(&small);
            }
        }
    }
}

#[test]
fn a_profile_in_wrong_parts_is_left_out() {
    let part = |number: u8, of: u8| [&b"ICC_PROFILE\0"[..], &[number, of], &profile(b"RGB ", 100)].concat();
    // Given from the last to the first, as each goes in front.
    for parts in
        [vec![part(2, 2)], vec![part(1, 2)], vec![part(2, 3), part(1, 2)], vec![b"ICC_PROFILE\0".to_vec()]]
    {
        let file = parts.iter().fold(jpeg(&flag(60, 40)), |file, part| with_segment(&file, 0xE2, part));
        let small = made(&file, &within(30, 30));
        assert_eq!(profile_in(&small), None);
        assert_flag(&small);
    }
}

#[test]
fn transparency_decides_the_format_unless_one_is_wanted() {
    let half = RgbaImage::from_fn(40, 20, |x, _| Rgba([220, 20, 20, if x < 20 { 255 } else { 0 }]));
    let opaque = RgbaImage::from_pixel(40, 20, Rgba([220, 20, 20, 255]));
    let grey_half = GrayAlphaImage::from_fn(40, 20, |x, _| LumaA([20, if x < 20 { 255 } else { 0 }]));
    let wide = DynamicImage::from(half.clone()).into_rgba16();
    for (name, file, left) in
        [("colours", png(half), RED), ("grey", png(grey_half), [20, 20, 20]), ("16 bits", png(wide), RED)]
    {
        for side in [20, 40] {
            let small = made(&file, &within(side, side));
            assert_eq!((small.format, small.width), (Format::Png, side), "{name}");
            let seen = pixels(&small);
            assert_colour(&seen, side / 4, side / 4, left);
            assert_eq!(
                (seen.get_pixel(side / 4, 1).0[3], seen.get_pixel(side - 2, 1).0[3]),
                (255, 0),
                "{name}"
            );
            // On white.
            let small = made(&file, &wanted(side, side, Fit::Contain, Some(Format::Jpeg)));
            assert_eq!(small.format, Format::Jpeg, "{name}");
            let seen = pixels(&small);
            assert_colour(&seen, side / 8, side / 4, left);
            assert_colour(&seen, side - 2, side / 4, WHITE);
        }
    }
    let small = made(&png(opaque), &within(20, 20));
    assert_eq!(small.format, Format::Jpeg);
    assert_colour(&pixels(&small), 10, 5, RED);
}

#[test]
fn a_colour_does_not_leak_out_of_transparent_pixels() {
    // Green that nobody sees, beside red.
    let file = png(RgbaImage::from_fn(40, 40, |x, _| {
        if x % 2 == 0 { Rgba([220, 20, 20, 255]) } else { Rgba([20, 220, 20, 0]) }
    }));
    let small = pixels(&made(&file, &within(10, 10)));
    let [red, green, _, alpha] = small.get_pixel(5, 5).0;
    assert!(red > 190 && green < 50 && (100..156).contains(&alpha), "{red} {green} {alpha}");
}

#[test]
fn transparent_lossy_webp_keeps_its_transparency() {
    let small = made(include_bytes!("data/lossy_alpha.webp"), &within(32, 24));
    assert_eq!(small.format, Format::Png);
    let pixels = pixels(&small);
    assert_eq!((pixels.get_pixel(4, 12).0[3], pixels.get_pixel(28, 12).0[3]), (0, 255));
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let small = made(include_bytes!("data/animated.webp"), &within(20, 20));
    assert_eq!((small.format, small.width, small.height), (Format::Jpeg, 20, 15));
    assert_colour(&pixels(&small), 10, 7, [200, 0, 0]);
    // A frame of 20 by 10 at 10, 10.
    let small = made(include_bytes!("data/animated_part.webp"), &within(40, 40));
    assert_eq!((small.format, small.width, small.height), (Format::Png, 40, 30));
    let pixels = pixels(&small);
    assert_eq!(pixels.get_pixel(20, 15).0, [200, 0, 0, 255]);
    assert_eq!([(9, 9), (30, 15), (15, 20)].map(|(x, y)| pixels.get_pixel(x, y).0[3]), [0, 0, 0]);
    assert_eq!([(10, 10), (29, 19)].map(|(x, y)| pixels.get_pixel(x, y).0[3]), [255, 255]);
}

#[test]
fn cover_cuts_both_sides_alike_and_fill_stretches() {
    let file = png(flag(90, 30));
    let small = made(&file, &wanted(20, 20, Fit::Cover, Some(Format::Png)));
    assert_eq!((small.width, small.height), (20, 20));
    let seen = pixels(&small);
    assert!(seen.pixels().all(|pixel| pixel.0[1] > 180 && pixel.0[0] < 40 && pixel.0[2] < 40));
    let small = made(&file, &wanted(120, 12, Fit::Fill, Some(Format::Png)));
    assert_eq!((small.width, small.height), (120, 12));
    assert_flag(&small);
}

#[test]
fn grey_stays_grey() {
    let grey: GrayImage = ImageBuffer::from_fn(40, 20, |x, _| Luma([x as u8 * 6]));
    let mut as_jpeg = Vec::new();
    jpeg_encoder::Encoder::new(&mut as_jpeg, 90)
        .encode(&grey, 40, 20, jpeg_encoder::ColorType::Luma)
        .unwrap();
    for file in [png(grey), as_jpeg] {
        let small = made(&file, &within(20, 20));
        // One component: the head of its frame is 11 bytes long.
        assert!(holds(&small.bytes, &[0xFF, 0xC0, 0, 11, 8, 0, 10, 0, 20, 1]));
        let pixels = pixels(&small);
        assert!(pixels.get_pixel(2, 5).0[0] < 50 && pixels.get_pixel(18, 5).0[0] > 190);
    }
}

#[test]
fn a_jpeg_that_ends_early_gives_what_there_is() {
    let noise = image::RgbImage::from_fn(160, 160, |x, y| image::Rgb([(x * y) as u8, x as u8, y as u8]));
    for progressive in [false, true] {
        let file = jpeg_by(&noise, |encoder| encoder.set_progressive(progressive));
        let small = made(&file[..file.len() * 2 / 3], &within(80, 80));
        assert_eq!((small.width, small.height), (80, 80));
    }
}

#[test]
fn bytes_between_segments_are_passed_over() {
    let file = jpeg(&flag(60, 40));
    // Behind the first segment, JFIF's.
    let file = [&file[..20], b"\0\0\xFF\0\xFF\xFF", &file[20..]].concat();
    assert_flag(&made(&file, &within(30, 30)));
}
