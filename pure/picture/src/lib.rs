//! Bytes of a picture in, bytes of a smaller picture out.
//!
//! JPEG, PNG and WebP are read, told by their content; JPEG and PNG are written. EXIF's orientation is applied, and of
//! everything else that a file says about itself only the colour profile is passed on: no GPS, no camera, no comments. Of an
//! animated picture the first frame is taken (of an animated PNG the one that viewers without animation show).
//!
//! **Will never know**: sockets, files, caches, threads. It is work for the processor: the caller decides where, how many
//! at a time, and reads at most [`INPUT_BYTES_MAX`].
//!
//! **Invariants**
//! - No bytes make it panic. They are in the hands of decoders that were written by others and did have bugs: a panic in
//!   there is caught and is [`PictureError::Panicked`]. (That needs unwinding, which is the default of all our profiles.)
//! - A decoder gets to see only the parts of a file that it needs and that were understood here (`container/`), never
//!   metadata. So a size that is checked is the size that is decoded.
//! - Before anything is decoded the memory that it will take has been worked out. It is never more than
//!   [`MEMORY_BYTES_MAX`], beside the input and [`INPUT_COPIES`] times its length, nor more than the caller has
//!   ([`resized_within`]).
//! - What comes out has no side longer than [`SIDE_OUT_MAX`], and the sides of the [`plan()`].
//!
//! **Begin reading** at [`resized`], then [`plan()`] and `container/`.
//!
//! # Fit
//!
//! The names are CSS `object-fit`'s, as in sharp and Cloudflare's resizing.
//!
//! | fit | comes out | like |
//! |---|---|---|
//! | `contain` (default) | all of the picture, within the box, never larger than it was | imgix `max`, imgproxy `fit`, thumbor `fit-in` |
//! | `cover` | the box, filled, what is too much cut off on both sides alike; when the picture is smaller, the largest box of these proportions within it | imgproxy `fill-down`; imgix `crop` and sharp `cover` would enlarge it |
//! | `fill` | exactly the box, stretched, also when that enlarges it: who asks for it has a place of just this size | imgix `scale`, sharp `fill` |
//!
//! With one side only, proportions are kept whatever the fit says. A side that is not given is [`SIDE_OUT_MAX`].
//!
//! # What is not there
//!
//! - WebP and AVIF as output: a WebP encoder in Rust is lossless only, which makes photographs larger than JPEG does, and
//!   AVIF takes seconds.
//! - Decoding at a fraction of the size: zune-jpeg doesn't do it.
//! - Resizing in linear light: image services don't either.
//! - Lossless WebP beyond about a megabyte: its decoder can be made to build tables of 520 times the input's length
//!   (`container/webp.rs`).
//! - JPEG with more than [`SCANS_MAX`] scans, 12 bits, arithmetic coding or odd sampling factors.

mod container;
mod decode;
mod encode;
mod error;
mod plan;
mod resize;
mod room;
mod wanted;

pub use container::Kind;
pub use error::PictureError;
pub use plan::{Crop, Plan, plan};
pub use resize::{Picture, resized, resized_within};
pub use room::Room;
pub use wanted::{Fit, Format, Wanted, WantedError};

/// Changes when the same picture and the same wish give other bytes than before: what a cache keeps is of one recipe.
pub const RECIPE: u32 = 1;

/// Longest file, bytes.
pub const INPUT_BYTES_MAX: usize = 64 << 20;

/// Most pixels of a picture that is read.
pub const PIXELS_MAX: u64 = 50_000_000;

/// Longest side of a picture that is read, pixels.
pub const SIDE_MAX: u32 = 16384;

/// Longest side of a picture that is made, pixels.
pub const SIDE_OUT_MAX: u32 = 4096;

/// Most memory that one picture may take, bytes, beside its input and [`INPUT_COPIES`] of it.
pub const MEMORY_BYTES_MAX: u64 = 512 << 20;

/// How many times the input may be copied: once here for what the decoder sees, twice within decoders.
pub const INPUT_COPIES: usize = 3;

/// Most scans of a progressive JPEG. Encoders make about ten; each costs a walk over the whole picture, and hardly a byte.
pub const SCANS_MAX: usize = 32;

/// Quality of JPEGs that are made, of 100: above it files grow faster than anybody sees.
pub const JPEG_QUALITY: u8 = 82;

/// Longest colour profile that is passed on, bytes. Those of screens and cameras have some hundreds, the largest sRGB 60960.
pub const PROFILE_BYTES_MAX: usize = 64 << 10;
