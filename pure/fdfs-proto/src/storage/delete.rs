//! Deletes a file and its metadata: DELETE_FILE 12.
//!
//! Source: wire protocol, "DELETE_FILE".

use crate::Empty;

/// Body of 12.
pub type Ask<'a> = super::FileAsk<'a>;

/// The reply.
pub type Got = Empty;
