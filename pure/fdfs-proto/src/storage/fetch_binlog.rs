//! The files of one store path, for a peer that lost its disk: FETCH_ONE_PATH_BINLOG 26.
//!
//! The reply has no length of its own: its header says [`REPLY_LEN`], then come binlog lines until the
//! connection closes, and the last eight bytes say how many bytes of lines there were. Source: wire protocol,
//! "storage ↔ storage"; storage internals, "FETCH_ONE_PATH_BINLOG".

use fdfs_fileid::StorePathIndex;

use crate::field::Reader;
use crate::limits::INFINITE_BODY_LEN;
use crate::record::{Group16, Kind, record};
use crate::{DecodeError, GroupField, Why};

/// The body length in the header of the reply.
pub const REPLY_LEN: u64 = INFINITE_BODY_LEN;

/// Bytes of the trailer.
pub const TRAILER_LEN: usize = 8;

/// The store path in one byte.
struct Path;

impl Kind<StorePathIndex> for Path {
    const LEN: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<StorePathIndex, DecodeError> {
        reader.u8().map(StorePathIndex)
    }
    fn write(value: &StorePathIndex, out: &mut Vec<u8>) {
        out.push(value.0);
    }
}

record! {
    /// Body of 26: 17 bytes.
    #[derive(Hash)]
    pub struct Ask as "fetch_one_path_binlog" {
        /// The group; must be the storage's own.
        group: GroupField => Group16,
        /// The store path.
        path: StorePathIndex => Path,
    }
}

/// The trailer behind `text_len` bytes of lines.
pub const fn trailer(text_len: u64) -> [u8; TRAILER_LEN] {
    text_len.to_be_bytes()
}

/// Checks the trailer of a reply that was received to its end: `received` bytes, trailer included. Gives the
/// length of the lines.
///
/// # Errors
/// [`Why::Short`] when there is no room for a trailer, [`Why::Mismatch`] when bytes are missing.
pub fn check_trailer(received: u64, trailer: [u8; TRAILER_LEN]) -> Result<u64, DecodeError> {
    let fail = |why| DecodeError::new("fetch_one_path_binlog reply", 0, why);
    let text_len = received.checked_sub(TRAILER_LEN as u64).ok_or_else(|| fail(Why::Short))?;
    if u64::from_be_bytes(trailer) == text_len { Ok(text_len) } else { Err(fail(Why::Mismatch)) }
}
