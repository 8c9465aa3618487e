//! Stores a file: UPLOAD_FILE 11 and UPLOAD_APPENDER_FILE 23.
//!
//! Source: wire protocol, "UPLOAD_FILE, UPLOAD_APPENDER_FILE".

use fdfs_fileid::{ExtName, NameError, StorePathIndex};

use super::content;
use crate::field::put_int8;
use crate::limits::EXT_LEN;
use crate::{DecodeError, FixedText};

/// The path byte that leaves the choice to the storage.
const ANY_PATH: u8 = 0xFF;

/// Head of 11 and 23: 15 bytes, then the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The store path to use; `None` when the storage may choose.
    pub path: Option<StorePathIndex>,
    /// Length of the content.
    pub size: u64,
    /// The extension, without a dot.
    pub ext: FixedText<EXT_LEN>,
}

/// The reply: group and name.
pub use super::named::Got;

impl Ask {
    /// Length of the head.
    pub const HEAD_LEN: usize = 15;

    /// An upload of so many bytes.
    pub fn new(path: Option<StorePathIndex>, size: u64, ext: &ExtName) -> Ask {
        Ask { path, size, ext: FixedText::from_field(&ext.to_field()) }
    }

    /// The checked extension.
    ///
    /// # Errors
    /// When it has characters a name cannot have.
    pub fn ext_name(&self) -> Result<ExtName, NameError> {
        ExtName::parse(self.ext.as_bytes())
    }

    /// Reads the head from the first bytes of a body of `body_len` bytes.
    ///
    /// # Errors
    /// A head cut short, or a size that is not the rest of the body.
    pub fn decode(body_len: u64, bytes: &[u8]) -> Result<Ask, DecodeError> {
        let mut reader = content::head("upload", body_len, bytes);
        let path = Some(reader.u8()?).filter(|path| *path != ANY_PATH).map(StorePathIndex);
        let size = reader.int8()?;
        let ext = FixedText::from_field(reader.take(EXT_LEN)?);
        content::check_len(&reader, body_len, size)?;
        Ok(Ask { path, size, ext })
    }

    /// Appends the head; `size` bytes of content follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.path.map_or(ANY_PATH, |path| path.0));
        put_int8(out, self.size);
        out.extend_from_slice(self.ext.field());
    }
}
