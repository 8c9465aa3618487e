//! Size, time, CRC and source of a file: QUERY_FILE_INFO 22.
//!
//! Source: wire protocol, "QUERY_FILE_INFO".

use super::FileAsk;
use crate::field::{Reader, put_int8};
use crate::limits::INFO_NAME_LEN_MAX;
use crate::{AddrWidth, DecodeError, GroupField, IpText, RawName, Why};

/// What the status byte of the request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// Do not read an appender or a slave to compute its CRC; 0 is answered instead.
    pub no_crc: bool,
    /// Do not log a missing file.
    pub silent: bool,
}

impl Flags {
    /// Reads the status byte of the request; other bits are ignored.
    pub const fn from_status(status: u8) -> Flags {
        Flags { no_crc: status & 1 != 0, silent: status & 2 != 0 }
    }

    /// The status byte of the request.
    pub const fn status(self) -> u8 {
        (self.no_crc as u8) | ((self.silent as u8) << 1)
    }
}

/// Body of 22, and the flags in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The flags, from the header.
    pub flags: Flags,
    /// The group; must be the storage's own.
    pub group: GroupField,
    /// The file, 1..=131 bytes.
    pub name: RawName<'a>,
}

impl<'a> Ask<'a> {
    /// Reads the status byte of the header and the body.
    ///
    /// # Errors
    /// [`Why::Length`] for a name outside 1..=131 bytes.
    pub fn decode(status: u8, body: &'a [u8]) -> Result<Ask<'a>, DecodeError> {
        let FileAsk { group, name } = FileAsk::decode_within("query_file_info", body, 1, INFO_NAME_LEN_MAX)?;
        Ok(Ask { flags: Flags::from_status(status), group, name })
    }

    /// Appends the body; [`Flags::status`] goes into the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        FileAsk { group: self.group, name: self.name }.encode(out);
    }
}

/// Reply of 22: 40 or 70 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got {
    /// The file's size now.
    pub size: u64,
    /// Unix second of its last change.
    pub mtime: i64,
    /// Its CRC-32: of a normal file from its name, of others computed, 0 when not asked for. On the wire it is
    /// a signed 32-bit number stretched to 64 bits.
    pub crc32: u32,
    /// The address of the storage that made it; empty when not known.
    pub source: IpText,
}

impl Got {
    /// The address width a reply of this length has.
    pub fn width(body_len: usize) -> Option<AddrWidth> {
        AddrWidth::BOTH.into_iter().find(|width| body_len == 24 + width.field_len())
    }

    /// Reads either width, told apart by the length.
    ///
    /// # Errors
    /// [`Why::Length`] for any other length; a negative size.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("query_file_info reply", body);
        let width = Got::width(body.len()).ok_or_else(|| reader.fail(Why::Length))?;
        let size = reader.int8()?;
        let mtime = i64::from_be_bytes(reader.array()?);
        // Some storages stretch the number without its sign, so only the low half counts.
        let [_, _, _, _, a, b, c, d] = reader.array()?;
        let source = IpText::from_field(reader.take(width.field_len())?);
        reader.end()?;
        Ok(Got { size, mtime, crc32: u32::from_be_bytes([a, b, c, d]), source })
    }

    /// Appends the body.
    pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
        put_int8(out, self.size);
        out.extend_from_slice(&self.mtime.to_be_bytes());
        out.extend_from_slice(&i64::from(self.crc32.cast_signed()).to_be_bytes());
        self.source.put(out, width.field_len());
    }
}
