//! Files that lie, end early or cost more than they should.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod make;

use make::{
    flag, jpeg, jpeg_by, lossless_webp, png, png_chunk, png_head, png_of, webp_chunk, webp_head, webp_of,
    within,
};
use picture::{PIXELS_MAX, PictureError, SCANS_MAX, SIDE_MAX, Wanted, resized};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};

fn refused(file: &[u8]) -> PictureError {
    resized(file, &within(100, 100)).unwrap_err()
}

/// A JPEG with another size in its head.
fn resized_jpeg(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = jpeg.to_vec();
    let at = jpeg.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0 | 0xC2])).unwrap();
    jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

#[test]
fn a_size_is_looked_at_before_anything_is_decoded() {
    let lossy = include_bytes!("data/lossy.webp");
    let mut lossy = webp_chunk(lossy, b"VP8 ").to_vec();
    lossy[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let lossless = [0x2F, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0];
    let small = jpeg(&flag(16, 16));
    for (file, width, height) in [
        (resized_jpeg(&small, 65535, 65535), 65535, 65535),
        (resized_jpeg(&small, 16385, 1), 16385, 1),
        (resized_jpeg(&small, 8000, 6251), 8000, 6251),
        (png_of(&[(b"IHDR", &png_head(u32::MAX, 1, 8, 2)), (b"IEND", b"")]), u32::MAX, 1),
        (png_of(&[(b"IHDR", &png_head(1 << 31, 1 << 31, 8, 2)), (b"IEND", b"")]), 1 << 31, 1 << 31),
        (webp_of(&[(b"VP8 ", &lossy)]), 16383, 16383),
        (webp_of(&[(b"VP8L", &lossless)]), 16384, 16384),
        (webp_of(&[(b"VP8X", &webp_head(0, 1 << 24, 1 << 24)), (b"VP8L", &lossless)]), 1 << 24, 1 << 24),
        // The canvas is small, the picture on it is not.
        (webp_of(&[(b"VP8X", &webp_head(0, 1, 1)), (b"VP8 ", &lossy)]), 16383, 16383),
        (webp_of(&[(b"VP8X", &webp_head(0, 1, 1)), (b"VP8L", &lossless)]), 16384, 16384),
    ] {
        assert!(width > SIDE_MAX || height > SIDE_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX);
        match refused(&file) {
            PictureError::TooLarge { width: w, height: h } => assert_eq!((w, h), (width, height)),
            other => panic!("{width} by {height}: {other:?}"),
        }
    }
}

#[test]
fn a_picture_without_pixels_is_broken() {
    let small = jpeg(&flag(16, 16));
    let empty = png_of(&[(b"IHDR", &png_head(0, 5, 8, 2)), (b"IEND", b"")]);
    for file in [resized_jpeg(&small, 0, 9), resized_jpeg(&small, 9, 0), empty] {
        assert!(matches!(refused(&file), PictureError::Broken(_)));
    }
}

#[test]
fn what_could_take_too_much_memory_is_refused() {
    // 16 bits and transparency: 8 bytes a pixel, and half as much for 8 bits.
    let wide = png_of(&[(b"IHDR", &png_head(7000, 7000, 16, 6)), (b"IDAT", b""), (b"IEND", b"")]);
    // Tables for every byte of it.
    let lossless = lossless_webp(&flag(16, 16));
    let mut lossless = webp_chunk(&lossless, b"VP8L").to_vec();
    lossless.resize(2 << 20, 0xA5);
    let lossless = webp_of(&[(b"VP8L", &lossless)]);
    // Coefficients of four components.
    let cmyk = include_bytes!("data/cmyk.jpg").to_vec();
    let at = cmyk.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    let mut cmyk = resized_jpeg(&cmyk, 7000, 7000);
    cmyk[at + 1] = 0xC2;
    for (file, at_least) in [(wide, 588_000_000), (lossless, 1_090_000_000), (cmyk, 539_000_000)] {
        match refused(&file) {
            PictureError::TooMuchMemory { bytes } => {
                assert!(bytes >= at_least && bytes < at_least * 5 / 4, "{bytes}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn frames_and_canvases_that_do_not_fit_are_broken() {
    let whole = lossless_webp(&flag(16, 8));
    let lossless = webp_chunk(&whole, b"VP8L");
    let lossy = webp_chunk(include_bytes!("data/lossy.webp"), b"VP8 ");
    let both = webp_of(&[(b"VP8X", &webp_head(0, 16, 8)), (b"VP8L", lossless), (b"VP8 ", lossy)]);
    let part = |kind: &[u8; 4], data: &[u8]| [kind, &(data.len() as u32).to_le_bytes()[..], data].concat();
    let frame = |x: u8, width: u8, height: u8, parts: Vec<u8>| {
        let head = [x, 0, 0, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0, 100, 0, 0, 0];
        [head.to_vec(), parts].concat()
    };
    let animation =
        |frame: Vec<u8>| webp_of(&[(b"VP8X", &webp_head(2, 64, 48)), (b"ANIM", &[0; 6]), (b"ANMF", &frame)]);
    // The decoder would read transparency of 16 by 8 pixels, and draw a picture of 64 by 48 on it.
    let smaller_alpha = [part(b"ALPH", &[0; 129]), vec![0], part(b"VP8 ", lossy)].concat();
    for (name, file) in [
        ("other size", webp_of(&[(b"VP8X", &webp_head(0, 16, 9)), (b"VP8L", lossless)])),
        ("two pictures", both),
        ("none", webp_of(&[(b"VP8X", &webp_head(0, 16, 8)), (b"ICCP", b"xx")])),
        ("no canvas", webp_of(&[(b"VP8X", b"")])),
        ("no head", webp_of(&[(b"VP8L", b"\x2F\0\0")])),
        ("frame of another size", animation(frame(0, 16, 9, part(b"VP8L", lossless)))),
        ("frame beyond", animation(frame(25, 16, 8, part(b"VP8L", lossless)))),
        ("frame without a picture", animation(frame(0, 16, 8, Vec::new()))),
        ("frame with little transparency", animation(frame(0, 16, 8, smaller_alpha))),
        ("frame without a head", animation(vec![0; 8])),
    ] {
        let error = refused(&file);
        assert!(matches!(error, PictureError::Broken(_)), "{name}: {error:?}");
    }
    let fits = animation(frame(24, 16, 8, part(b"VP8L", lossless)));
    assert!(resized(&fits, &within(100, 100)).is_ok());
}

#[test]
fn lengths_beyond_the_end_are_broken() {
    let pixels = flag(16, 16);
    let webp = lossless_webp(&pixels);
    let mut long_exif = webp_of(&[
        (b"VP8X", &webp_head(8, 16, 16)),
        (b"VP8L", webp_chunk(&webp, b"VP8L")),
        (b"EXIF", b"abcd"),
    ]);
    let at = long_exif.len() - 8;
    long_exif[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut long_chunk = png(pixels.clone());
    long_chunk[33..37].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut no_length = jpeg(&pixels);
    no_length[4..6].copy_from_slice(&[0, 1]);
    let headless = png_of(&[(b"IDAT", b""), (b"IHDR", &png_head(1, 1, 8, 2)), (b"IEND", b"")]);
    let head = png_head(1, 1, 8, 2);
    let two_heads = png_of(&[(b"IHDR", &head), (b"IHDR", &head), (b"IEND", b"")]);
    for file in [long_exif, long_chunk, no_length, headless, two_heads] {
        let error = refused(&file);
        assert!(matches!(error, PictureError::Broken(_)), "{error:?}");
    }
}

#[test]
fn what_stands_beside_the_pixels_of_a_png_may_be_long() {
    let small = png(flag(16, 16));
    let long = vec![0xA5; 9 << 20];
    for kind in [b"iCCP", b"zTXt", b"tEXt", b"eXIf"] {
        let file = [&small[..33], &png_chunk(kind, &long), &small[33..]].concat();
        assert_eq!(resized(&file, &within(9, 9)).unwrap(), resized(&small, &within(9, 9)).unwrap());
    }
}

#[test]
fn jpegs_that_hardly_anybody_makes_are_told() {
    let small = jpeg(&flag(16, 16));
    let at = small.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    for (offset, byte) in [(1, 0xC9), (1, 0xC3), (4, 12), (11, 0x31), (11, 0x13), (11, 0x00), (11, 0x81)] {
        let mut file = small.clone();
        file[at + offset] = byte;
        let error = refused(&file);
        assert!(matches!(error, PictureError::Unsupported(_)), "{offset}: {error:?}");
    }
    let second = [&small[..at], &small[at..at + 19], &small[at..]].concat();
    assert!(matches!(refused(&second), PictureError::Broken("two frames")));
}

#[test]
fn too_many_scans_are_refused() {
    let file = jpeg_by(&flag(64, 64), |encoder| encoder.set_progressive_scans(4));
    let scans = file.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
    assert!((2..=SCANS_MAX).contains(&scans));
    assert!(resized(&file, &within(9, 9)).is_ok());
    // The last scan, again and again.
    let last = file.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let (scan, end) = (&file[last..file.len() - 2], &file[file.len() - 2..]);
    let more = |times: usize| [file[..last].to_vec(), scan.repeat(times), end.to_vec()].concat();
    assert!(resized(&more(SCANS_MAX + 1 - scans), &within(9, 9)).is_ok());
    assert!(matches!(refused(&more(SCANS_MAX + 2 - scans)), PictureError::Jpeg(_)));
}

#[test]
fn cut_anywhere_a_file_is_refused_or_read() {
    let pixels = flag(40, 30);
    for (name, file) in
        [("jpeg", jpeg(&pixels)), ("png", png(pixels.clone())), ("webp", lossless_webp(&pixels))]
    {
        // The last byte of the WebP fills up its chunk.
        for length in 0..file.len() - 1 {
            match resized(&file[..length], &within(20, 20)) {
                Ok(picture) => assert_eq!((name, picture.width, picture.height), ("jpeg", 20, 15)),
                Err(PictureError::Panicked | PictureError::Resize(_) | PictureError::EncodeJpeg(_)) => {
                    panic!("{name}, {length} bytes")
                }
                Err(_) => {}
            }
        }
    }
}

/// One small file of each kind there is.
fn corpus() -> Vec<Vec<u8>> {
    let pixels = flag(48, 32);
    let full = |it: &mut jpeg_encoder::Encoder<&mut Vec<u8>>| {
        it.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
        it.set_restart_interval(3);
    };
    vec![
        jpeg(&pixels),
        jpeg_by(&pixels, |encoder| encoder.set_progressive(true)),
        jpeg_by(&pixels, full),
        include_bytes!("data/cmyk.jpg").to_vec(),
        png(pixels.clone()),
        include_bytes!("data/palette.png").to_vec(),
        include_bytes!("data/animated.png").to_vec(),
        lossless_webp(&pixels),
        include_bytes!("data/lossy.webp").to_vec(),
        include_bytes!("data/lossy_alpha.webp").to_vec(),
        include_bytes!("data/animated.webp").to_vec(),
        include_bytes!("data/animated_part.webp").to_vec(),
        include_bytes!("data/turned.webp").to_vec(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_mutation_of_a_picture_gets_more_than_its_box(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        repeat in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let mut file = which.get(&corpus()).clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some((from, to)) = repeat {
            let (from, to) = (from.index(file.len()), to.index(file.len()));
            let part = file[from.min(to)..from.max(to)].to_vec();
            file.splice(from..from, part);
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(picture) = resized(&file, &within(20, 20)) {
            prop_assert!(picture.width <= 20 && picture.height <= 20);
        }
    }

    #[test]
    fn no_bytes_behind_a_signature_make_it_panic(
        which in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let heads = [&b"\xFF\xD8\xFF"[..], b"\x89PNG\r\n\x1a\n", b"RIFF\0\x01\0\0WEBPVP8L", b"RIFF\0\x01\0\0WEBPVP8X\x0A\0\0\0"];
        let file = [*which.get(&heads), &bytes].concat();
        if let Ok(picture) = resized(&file, &Wanted::default()) {
            prop_assert!(picture.width > 0 && picture.height > 0);
        }
    }
}
