//! Slots in trunk files and the trunk binlog: TRUNK_ALLOC_SPACE 27, TRUNK_ALLOC_CONFIRM 28, TRUNK_FREE_SPACE 29,
//! TRUNK_SYNC_BINLOG 30, TRUNK_GET_BINLOG_SIZE 31, TRUNK_DELETE_BINLOG_MARKS 32, TRUNK_TRUNCATE_BINLOG_FILE 33.
//!
//! Source: wire protocol, "storage ↔ storage"; storage internals, "trunk messages".

use crate::field::Reader;
use crate::limits::STORAGE_BODY_MAX;
use crate::record::{Byte, Group16, Int4, Int8, record};
use crate::{DecodeError, Empty, GroupField, Why};

record! {
    /// A slot in a trunk file: 15 bytes. Reply of 27.
    #[derive(Hash)]
    pub struct Slot as "trunk slot" {
        /// The store path of the trunk file.
        path: u8 => Byte,
        /// Its first directory.
        dir_high: u8 => Byte,
        /// Its second directory.
        dir_low: u8 => Byte,
        /// Number of the trunk file.
        file_id: u32 => Int4,
        /// Where in it the slot's header begins.
        offset: u32 => Int4,
        /// Size of the slot, its 24-byte header included.
        size: u32 => Int4,
    }
}

record! {
    /// Body of 27: 21 bytes.
    #[derive(Hash)]
    pub struct AskAlloc as "trunk_alloc" {
        /// The group; must be the storage's own.
        group: GroupField => Group16,
        /// Size wanted: the data and 24 bytes of header.
        size: u32 => Int4,
        /// The store path wanted.
        path: u8 => Byte,
    }
}

record! {
    /// Body of 28 and 29: 31 bytes. For 28 the status byte of the request says how the write went.
    #[derive(Hash)]
    pub struct AskSlot as "trunk slot message" {
        /// The group; must be the storage's own.
        group: GroupField => Group16,
        /// The slot.
        slot: Slot => Slot,
    }
}

/// Body of 30: whole lines of the trunk binlog, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskBinlog<'a> {
    /// The lines, each with its newline.
    pub lines: &'a [u8],
}

impl<'a> AskBinlog<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Length`] when empty or too long, [`Why::Text`] when the last line has no newline.
    pub fn decode(body: &'a [u8]) -> Result<AskBinlog<'a>, DecodeError> {
        let reader = Reader::new("trunk_sync_binlog", body);
        if body.is_empty() || body.len() as u64 > STORAGE_BODY_MAX {
            return Err(reader.fail(Why::Length));
        }
        if !body.ends_with(b"\n") {
            return Err(reader.fail(Why::Text));
        }
        Ok(AskBinlog { lines: body })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.lines);
    }
}

/// Body of 31, 32 and 33.
pub type Ask = Empty;

record! {
    /// Reply of 31: 8 bytes.
    pub struct BinlogSize as "trunk_binlog_size reply" {
        /// Length of the trunk binlog.
        size: u64 => Int8,
    }
}

/// Reply of 28, 29, 30, 32 and 33.
pub type Got = Empty;
