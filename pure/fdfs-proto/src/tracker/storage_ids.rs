//! The table of storage ids, page by page: FETCH_STORAGE_IDS 69.
//!
//! Source: wire protocol, "FETCH_STORAGE_IDS".

use crate::field::Reader;
use crate::record::{Flag, Int4, Kind, record};
use crate::{DecodeError, Why};

record! {
    /// Body of 69: 5 bytes.
    pub struct Ask as "fetch_storage_ids" {
        /// The first line wanted, 0 for the first page.
        start: u32 => Int4,
        /// Answer an empty table instead of a refusal when storage ids are off.
        allow_empty: bool => Flag,
    }
}

/// Reply of 69: a page of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got<'a> {
    /// Lines in the whole table.
    pub total: u32,
    /// Lines in this page.
    pub count: u32,
    /// The lines, in the grammar of `storage_ids.conf`, each with its newline.
    pub lines: &'a [u8],
}

impl<'a> Got<'a> {
    /// The answer when storage ids are off and the asker allows that.
    pub const EMPTY: Got<'static> = Got { total: 0, count: 0, lines: &[] };

    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Mismatch`] when the page does not hold as many lines as it says, or more than the table.
    pub fn decode(body: &'a [u8]) -> Result<Got<'a>, DecodeError> {
        let mut reader = Reader::new("fetch_storage_ids reply", body);
        let (total, count) = (Int4::read(&mut reader)?, Int4::read(&mut reader)?);
        let lines = reader.rest();
        let newlines = lines.iter().filter(|byte| **byte == b'\n').count();
        let whole = lines.is_empty() || lines.ends_with(b"\n");
        if !whole || newlines as u64 != u64::from(count) || count > total {
            return Err(reader.fail(Why::Mismatch));
        }
        Ok(Got { total, count, lines })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Int4::write(&self.total, out);
        Int4::write(&self.count, out);
        out.extend_from_slice(self.lines);
    }
}
