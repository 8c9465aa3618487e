//! Metadata of a file: SET_METADATA 13, GET_METADATA 15.
//!
//! The metadata itself stays raw here: records `name 0x02 value` joined by 0x01. Source: wire protocol,
//! "SET_METADATA, GET_METADATA".

use crate::field::{Reader, put_int8, put_padded};
use crate::limits::{GROUP_LEN, NAME_LEN_MAX, STORAGE_BODY_MAX};
use crate::record::{Group16, Kind};
use crate::{DecodeError, Empty, GroupField, RawName, Why};

/// What happens to the metadata that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetaFlag {
    /// `O`: it goes.
    Overwrite,
    /// `M`: it stays, unless a new record has the same name.
    Merge,
    /// Anything else, for example a lower-case letter; a storage answers "invalid argument".
    Unknown(u8),
}

impl MetaFlag {
    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        match self {
            MetaFlag::Overwrite => b'O',
            MetaFlag::Merge => b'M',
            MetaFlag::Unknown(code) => code,
        }
    }

    /// The flag with this byte on the wire.
    pub const fn from_u8(code: u8) -> MetaFlag {
        match code {
            b'O' => MetaFlag::Overwrite,
            b'M' => MetaFlag::Merge,
            _ => MetaFlag::Unknown(code),
        }
    }
}

/// Body of 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskSet<'a> {
    /// Replace or merge.
    pub flag: MetaFlag,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, 1..=127 bytes.
    pub name: RawName<'a>,
    /// The records; empty with [`MetaFlag::Overwrite`] deletes them all.
    pub meta: &'a [u8],
}

/// The reply of 13.
pub type GotSet = Empty;

/// Body of 15.
pub type AskGet<'a> = super::FileAsk<'a>;

impl<'a> AskSet<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// A name length out of range, lengths that do not add up to the body's.
    pub fn decode(body: &'a [u8]) -> Result<AskSet<'a>, DecodeError> {
        let mut reader = Reader::new("set_metadata", body);
        let name_len = reader.name_len(1, NAME_LEN_MAX)?;
        let meta_len = reader.int8()?;
        let flag = MetaFlag::from_u8(reader.u8()?);
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        let name = RawName::new(reader.take(name_len)?);
        if reader.remaining() as u64 != meta_len {
            return Err(reader.fail(Why::Mismatch));
        }
        Ok(AskSet { flag, group, name, meta: reader.rest() })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_int8(out, self.name.len() as u64);
        put_int8(out, self.meta.len() as u64);
        out.push(self.flag.code());
        put_padded(out, self.group.as_bytes(), GROUP_LEN);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(self.meta);
    }
}

/// Reply of 15: the records as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GotGet<'a> {
    /// The records.
    pub meta: &'a [u8],
}

impl<'a> GotGet<'a> {
    /// Takes the body as it is.
    ///
    /// # Errors
    /// [`Why::Length`] beyond what can be set.
    pub fn decode(body: &'a [u8]) -> Result<GotGet<'a>, DecodeError> {
        if body.len() as u64 > STORAGE_BODY_MAX {
            return Err(Reader::new("get_metadata reply", body).fail(Why::Length));
        }
        Ok(GotGet { meta: body })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.meta);
    }
}
