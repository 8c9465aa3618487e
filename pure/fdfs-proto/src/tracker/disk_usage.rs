//! Space of a storage: REPORT_DISK_USAGE 84.
//!
//! Source: wire protocol, "REPORT_DISK_USAGE".

use crate::field::Reader;
use crate::limits::STORE_PATHS_MAX;
use crate::record::{Int8, read_all, record};
use crate::{DecodeError, Why};

record! {
    /// Space of one store path, in MiB: 16 bytes.
    pub struct PathSpace as "store path space" {
        /// Its size.
        total_mb: u64 => Int8,
        /// What is free.
        free_mb: u64 => Int8,
    }
}

/// Body of 84: one record per store path, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The store paths; at least one.
    pub paths: Vec<PathSpace>,
}

/// The reply.
pub use super::change_list::Got;

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// No whole number of records, none, or more than 256.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        let mut reader = Reader::new("report_disk_usage", body);
        if body.is_empty() {
            return Err(reader.fail(Why::Length));
        }
        Ok(Ask { paths: read_all(&mut reader, STORE_PATHS_MAX)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for path in &self.paths {
            path.encode(out);
        }
    }
}
