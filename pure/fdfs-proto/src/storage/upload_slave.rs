//! Stores a file under a name derived from a master's: UPLOAD_SLAVE_FILE 21.
//!
//! Source: wire protocol, "UPLOAD_SLAVE_FILE".

use fdfs_fileid::{ExtName, NameError, SlavePrefix};

use super::content;
use crate::field::put_int8;
use crate::limits::{EXT_LEN, MASTER_NAME_LEN_MIN, NAME_LEN_MAX, PREFIX_LEN};
use crate::{DecodeError, FixedText, RawName};

/// Head of 21: 38 bytes and the master's name, then the content. There is no group in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Length of the content.
    pub size: u64,
    /// What the name gets behind the master's.
    pub prefix: FixedText<PREFIX_LEN>,
    /// The extension, without a dot; empty for none.
    pub ext: FixedText<EXT_LEN>,
    /// The master, 11..=127 bytes.
    pub master: RawName<'a>,
}

/// The reply: group and name.
pub use super::named::Got;

impl<'a> Ask<'a> {
    /// Length of the head in front of the master's name.
    pub const FIXED_LEN: usize = 38;

    /// A slave of so many bytes.
    pub fn new(size: u64, prefix: &SlavePrefix, ext: &ExtName, master: RawName<'a>) -> Ask<'a> {
        Ask {
            size,
            prefix: FixedText::from_field(&prefix.to_field()),
            ext: FixedText::from_field(&ext.to_field()),
            master,
        }
    }

    /// Length of the head.
    pub fn head_len(&self) -> usize {
        Self::FIXED_LEN + self.master.len()
    }

    /// The checked extension.
    ///
    /// # Errors
    /// When it has characters a name cannot have.
    pub fn ext_name(&self) -> Result<ExtName, NameError> {
        ExtName::parse(self.ext.as_bytes())
    }

    /// The checked prefix.
    ///
    /// # Errors
    /// When it is empty or has characters a name cannot have.
    pub fn slave_prefix(&self) -> Result<SlavePrefix, NameError> {
        SlavePrefix::parse(self.prefix.as_bytes())
    }

    /// Reads the head from the first bytes of a body of `body_len` bytes.
    ///
    /// # Errors
    /// A head cut short, a name length out of range, or a size that is not the rest of the body.
    pub fn decode(body_len: u64, bytes: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = content::head("upload_slave", body_len, bytes);
        let master_len = reader.name_len(MASTER_NAME_LEN_MIN, NAME_LEN_MAX)?;
        let size = reader.int8()?;
        let prefix = FixedText::from_field(reader.take(PREFIX_LEN)?);
        let ext = FixedText::from_field(reader.take(EXT_LEN)?);
        let master = RawName::new(reader.take(master_len)?);
        content::check_len(&reader, body_len, size)?;
        Ok(Ask { size, prefix, ext, master })
    }

    /// Appends the head; `size` bytes of content follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.master.len() as u64);
        put_int8(out, self.size);
        out.extend_from_slice(self.prefix.field());
        out.extend_from_slice(self.ext.field());
        out.extend_from_slice(self.master.as_bytes());
    }
}
