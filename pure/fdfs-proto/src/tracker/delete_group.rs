//! Removes an empty group: DELETE_GROUP 108.
//!
//! Source: wire protocol, "DELETE_GROUP".

use super::GroupAsk;
use crate::Empty;

/// Body of 108.
pub type Ask = GroupAsk;

/// The reply.
pub type Got = Empty;
