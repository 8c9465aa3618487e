//! Who leads, and who shall lead: GET_LEADER 95, NOTIFY_NEXT_LEADER 66, COMMIT_NEXT_LEADER 67,
//! NOTIFY_RESELECT_LEADER 68, JOIN_LEADER 58, PING_LEADER 65.
//!
//! Source: wire protocol, "GET_LEADER" and "tracker ↔ tracker".

use fdfs_fileid::GroupName;

use super::HostBody;
use crate::field::Reader;
use crate::limits::GROUPS_MAX;
use crate::record::{Group16, Id16, Int4, Port8, Text, Time8, read_all, record};
use crate::{DecodeError, Empty, StorageId, Version};

/// Body of 95.
pub type Ask = Empty;

/// Reply of 95: the leader.
pub type Got = HostBody;

/// Body of 66 and 67: the tracker that shall lead.
pub type Next = HostBody;

record! {
    /// Body of 58: 24 bytes. Must come first on the connection that carries the pings.
    pub struct Join as "join_leader" {
        /// Unix second of the follower's start.
        up_time: i64 => Time8,
        /// Its version.
        version: Version => Text,
        /// The port it serves, not that of this connection.
        server_port: u16 => Port8,
    }
}

record! {
    /// Body of 65, and part of the cluster figures: 12 bytes.
    #[derive(Default)]
    pub struct Connections as "connection counts" {
        /// Allocated.
        alloc_count: u32 => Int4,
        /// Now open.
        current_count: u32 => Int4,
        /// Open at once, at most.
        max_count: u32 => Int4,
    }
}

/// Body of 65.
pub type Ping = Connections;

record! {
    /// The trunk server of one group: 32 bytes.
    pub struct TrunkServer as "ping_leader reply entry" {
        /// The group.
        group: GroupName => Group16,
        /// Its trunk server; `None` when it has none.
        id: Option<StorageId> => Id16,
    }
}

/// Reply of 65: the trunk servers of all groups by name, or nothing when none changed since the last ping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pong {
    /// One entry per group.
    pub trunk_servers: Vec<TrunkServer>,
}

impl Pong {
    /// Reads the body.
    ///
    /// # Errors
    /// No whole number of entries, or more than 512.
    pub fn decode(body: &[u8]) -> Result<Pong, DecodeError> {
        let mut reader = Reader::new("ping_leader reply", body);
        Ok(Pong { trunk_servers: read_all(&mut reader, GROUPS_MAX)? })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for entry in &self.trunk_servers {
            entry.encode(out);
        }
    }
}
