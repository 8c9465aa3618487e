//! A replicating peer says who it is: REPORT_SERVER_ID 9.
//!
//! Source: wire protocol, "storage ↔ storage".

use crate::record::{Id16, record};
use crate::{Empty, StorageId};

record! {
    /// Body of 9: 16 bytes.
    #[derive(Hash)]
    pub struct Ask as "report_server_id" {
        /// The peer; what follows on this connection comes from it.
        id: StorageId => Id16,
    }
}

/// The reply.
pub type Got = Empty;
