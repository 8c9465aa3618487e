//! What pictures can make decoders take. One test, so that nothing else is measured with it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod make;

use image::{Rgba, RgbaImage};
use make::{flag, jpeg_by, png, png_chunk, webp_chunk, webp_head, webp_of, within};
use peak_alloc::PeakAlloc;
use picture::{INPUT_COPIES, MEMORY_BYTES_MAX, PictureError, resized, resized_within};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Puts numbers together bit by bit, the lowest first, as lossless WebP does.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        for bit in 0..bits {
            if self.used == 0 {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << self.used;
            self.used = (self.used + 1) % 8;
        }
    }

    /// A code with one symbol, below 256.
    fn put_single(&mut self, symbol: u32) {
        self.put(0b1_0_1, 3);
        self.put(symbol, 8);
    }

    /// A code of 2328 symbols: the first 560 of 12 bits, the others of 11. The lengths 12 and 11 are announced with two
    /// bits, `the same again` with one.
    fn put_large(&mut self) {
        self.put(0, 1);
        self.put(12, 4);
        // In this order: 17, 18, 0 to 5, 16, 6 to 12.
        for length in [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 2] {
            self.put(length, 3);
        }
        self.put(0, 1);
        for (symbol, repeated) in [(0b11, 559), (0b01, 1767)] {
            self.put(symbol, 2);
            let mut left = repeated;
            while left > 0 {
                let times = if left >= 9 { 6 } else { left.min(if left > 6 { 4 } else { 6 }) };
                self.put(0, 1);
                self.put(times - 3, 2);
                left -= times;
            }
        }
    }
}

/// Lossless data of 4 by 4 pixels and as many codes as fit, none of which a pixel needs.
fn many_tables(length: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0x2F, 8);
    bits.put(3 | 3 << 14, 28);
    // No transparency, version 0, no transforms, a colour cache of 11 bits.
    bits.put(0, 1 + 3 + 1);
    bits.put(1 | 11 << 1, 5);
    // Which codes are for which pixels: one pixel, which says 65535.
    bits.put(1, 1);
    bits.put(0, 3 + 1);
    for symbol in [255, 255, 0, 0, 0] {
        bits.put_single(symbol);
    }
    while bits.bytes.len() < length {
        bits.put_large();
        (0..4).for_each(|_| bits.put_single(0));
    }
    bits.bytes
}

#[test]
fn no_picture_takes_more_memory_than_is_stated() {
    const MIB: usize = 1 << 20;
    let full = jpeg_by(&flag(64, 64), |encoder| {
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
        encoder.set_progressive(true);
    });
    let halved = jpeg_by(&flag(64, 64), |encoder| {
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
        encoder.set_progressive(true);
    });
    let [full, halved] = [full, halved].map(|mut file| {
        // 8000 by 6250, with far too little data.
        let at = file.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
        file[at + 5..at + 9].copy_from_slice(&[0x18, 0x6A, 0x1F, 0x40]);
        file
    });
    let clear = png(RgbaImage::from_pixel(6000, 5000, Rgba([9, 9, 9, 99])));
    let mut lossy = webp_chunk(include_bytes!("data/lossy.webp"), b"VP8 ").to_vec();
    lossy[6..10].copy_from_slice(&[0x58, 0x1B, 0x58, 0x1B]);
    let lossy = webp_of(&[(b"VP8X", &webp_head(0, 7000, 7000)), (b"VP8 ", &lossy)]);
    let tables = webp_of(&[(b"VP8L", &many_tables(900 << 10))]);
    let mut wide = include_bytes!("data/animated_part.webp").to_vec();
    let at = wide.windows(4).position(|bytes| bytes == b"VP8X").unwrap();
    wide[at + 12..at + 18].copy_from_slice(&webp_head(0, 6500, 6500)[4..]);
    // Packed 160 times: a profile as long as one may be, and a comment of half a gigabyte.
    let small = png(flag(16, 16));
    let profile = [b"x\0\0".to_vec(), zeros(60 << 10)].concat();
    let packed = [&small[..33], &png_chunk(b"iCCP", &profile), &small[33..]].concat();
    let comment =
        [&small[..33], &png_chunk(b"zTXt", &[b"x\0\0".to_vec(), zeros(4 << 20)].concat()), &small[33..]];
    let comment = comment.concat();
    // What it takes at least shows that it is as bad as it was meant to be.
    for (name, file, at_least) in [
        ("full colours", full, 425 * MIB),
        ("halved colours", halved, 280 * MIB),
        ("transparency", clear, 230 * MIB),
        ("lossy", lossy, 200 * MIB),
        ("tables", tables, 430 * MIB),
        ("small on a wide canvas", wide, 320 * MIB),
        ("profile", packed, 0),
        ("comment", comment, 0),
    ] {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let made = resized(&file, &within(200, 150)).is_ok();
        let taken = MEMORY.peak_usage() - before;
        // With less it is not begun, and with what it says it needs it needs no more.
        if let Err(PictureError::NoRoom { bytes }) = resized_within(&file, &within(200, 150), 1) {
            assert!(taken as u64 <= bytes, "{name}: {taken} bytes, not {bytes}");
        }
        let bound = MEMORY_BYTES_MAX as usize + INPUT_COPIES * file.len();
        assert!(taken <= bound && taken >= at_least, "{name}: {taken} bytes, made: {made}");
    }
    photograph();
}

/// A photograph, as small machines meet them most: four bytes a pixel, and little beside.
fn photograph() {
    let file = jpeg_by(&flag(6000, 4000), |encoder| {
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    });
    let pixels = 6000 * 4000 * 4;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let room = pixels as u64 + (16 << 20);
    resized_within(&file, &within(320, 320), room).unwrap();
    let taken = MEMORY.peak_usage() - before;
    assert!((pixels..=room as usize).contains(&taken), "{taken}");
    let refused = resized_within(&file, &within(320, 320), pixels as u64);
    assert!(matches!(refused, Err(PictureError::NoRoom { .. })));
}

/// `length` bytes that unpack to zeros: one, then the same 258 times, again and again (RFC 1950, RFC 1951 §3.2.6).
fn zeros(length: usize) -> Vec<u8> {
    let mut bits = Bits { bytes: vec![0x78, 0x9C], used: 0 };
    // The last block, with fixed codes. A literal 0, then length 258 (285: 8 bits, 11000101) at distance 1 (5 bits, 0).
    bits.put(1 | 1 << 1, 3);
    bits.put(0b0000_1100, 8);
    while bits.bytes.len() < length {
        bits.put(0b1010_0011, 8);
        bits.put(0, 5);
    }
    bits.put(0, 7);
    bits.bytes
}
