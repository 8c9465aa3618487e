//! Creates a link to a file that is already there: CREATE_LINK 20.
//!
//! Source: wire protocol, "CREATE_LINK".

use crate::field::{Reader, put_int8, put_padded};
use crate::limits::{EXT_LEN, GROUP_LEN, LINK_NAMES_LEN_MAX, NAME_LEN_MAX, PREFIX_LEN};
use crate::record::{Group16, Kind};
use crate::{DecodeError, FixedText, GroupField, RawName, Why};

/// Body of 20: 62 bytes and three texts, together at most 256 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// What the name gets behind the master's; empty without a master.
    pub prefix: FixedText<PREFIX_LEN>,
    /// The extension, without a dot.
    pub ext: FixedText<EXT_LEN>,
    /// The master whose slave the link becomes; empty for a link with a name of its own.
    pub master: RawName<'a>,
    /// The file the link leads to, 1..=127 bytes.
    pub source: RawName<'a>,
    /// The digest by which the file was found.
    pub signature: &'a [u8],
}

/// The reply: group and name.
pub use super::named::Got;

impl<'a> Ask<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// Name lengths out of range or that do not add up to the body's.
    pub fn decode(body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let mut reader = Reader::new("create_link", body);
        let master_len = reader.name_len(0, NAME_LEN_MAX)?;
        let source_len = reader.name_len(1, NAME_LEN_MAX)?;
        let signature_len = reader.name_len(0, LINK_NAMES_LEN_MAX)?;
        if master_len + source_len + signature_len > LINK_NAMES_LEN_MAX {
            return Err(reader.fail(Why::Range));
        }
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        let prefix = FixedText::from_field(reader.take(PREFIX_LEN)?);
        let ext = FixedText::from_field(reader.take(EXT_LEN)?);
        let master = RawName::new(reader.take(master_len)?);
        let source = RawName::new(reader.take(source_len)?);
        let signature = reader.take(signature_len)?;
        reader.end()?;
        Ok(Ask { group, prefix, ext, master, source, signature })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.master.len() as u64);
        put_int8(out, self.source.len() as u64);
        put_int8(out, self.signature.len() as u64);
        put_padded(out, self.group.as_bytes(), GROUP_LEN);
        out.extend_from_slice(self.prefix.field());
        out.extend_from_slice(self.ext.field());
        out.extend_from_slice(self.master.as_bytes());
        out.extend_from_slice(self.source.as_bytes());
        out.extend_from_slice(self.signature);
    }
}
