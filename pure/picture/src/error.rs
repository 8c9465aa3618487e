//! Why there is no smaller picture.

use crate::{INPUT_BYTES_MAX, MEMORY_BYTES_MAX, PIXELS_MAX, SIDE_MAX};

/// Why there is no smaller picture. All but [`PictureError::Resize`] and [`PictureError::EncodeJpeg`] are the input's fault.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Neither JPEG nor PNG nor WebP.
    #[error("neither JPEG nor PNG nor WebP")]
    NotAPicture,
    /// A longer file than [`INPUT_BYTES_MAX`].
    #[error("longer than {INPUT_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`PIXELS_MAX`] pixels, or a side beyond [`SIDE_MAX`].
    #[error("{width} by {height} is more than {PIXELS_MAX} pixels, or a side of more than {SIDE_MAX}")]
    TooLarge {
        /// What its head says, pixels.
        width: u32,
        /// What its head says, pixels.
        height: u32,
    },
    /// It could take more memory than [`MEMORY_BYTES_MAX`].
    #[error("it could take {bytes} bytes of memory, which is more than {MEMORY_BYTES_MAX}")]
    TooMuchMemory {
        /// How much.
        bytes: u64,
    },
    /// It could take more memory than the caller has for it.
    #[error("it could take {bytes} bytes of memory, and there are not so many")]
    NoRoom {
        /// How much, what is made of the file among it.
        bytes: u64,
    },
    /// A kind of JPEG that hardly anybody makes.
    #[error("unsupported: {0}")]
    Unsupported(&'static str),
    /// The file is not put together as its format says.
    #[error("broken: {0}")]
    Broken(&'static str),
    /// The JPEG decoder's word.
    #[error("JPEG: {0}")]
    Jpeg(zune_jpeg::errors::DecodeErrors),
    /// The PNG or WebP decoder's word, or the PNG encoder's.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// A decoder has a bug.
    #[error("a decoder panicked")]
    Panicked,
    /// It was decoded and can't be resized.
    #[error(transparent)]
    Resize(#[from] fast_image_resize::ResizeError),
    /// It was resized and can't be written.
    #[error(transparent)]
    EncodeJpeg(#[from] jpeg_encoder::EncodingError),
}
