//! What a [`crate::Cluster`] wants done: the complete list of its effects.

use std::net::IpAddr;

use fdfs_fileid::GroupName;
use fdfs_proto::tracker::{change_list, join, leader, set_trunk_server, sync_source, trunk};
use fdfs_proto::{Host, StorageId, StorageStatus};

use crate::{ConnId, Refusal, ServerAddrs, Ticket};

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer the request that this connection waits for.
    Reply {
        /// On this connection.
        conn: ConnId,
        /// With this.
        reply: Result<Reply, Refusal>,
    },
    /// Save a part of the state.
    Persist {
        /// Which part.
        section: Section,
        /// Whether the answer should wait for it. When saving fails it is answered nonetheless: the tracker
        /// keeps working from memory.
        before_reply: bool,
    },
    /// Ask a storage something; the answer, or its absence, comes back as
    /// [`crate::Event::StorageAnswered`] in any case.
    AskStorage {
        /// To tell the answer by.
        ticket: Ticket,
        /// Where the storage is.
        addrs: ServerAddrs,
        /// Its port.
        port: u16,
        /// What to ask.
        ask: StorageAsk,
    },
    /// Ask another tracker something; the answer, or its absence, comes back as
    /// [`crate::Event::TrackerAnswered`] in any case.
    AskTracker {
        /// To tell the answer by. These tickets are counted apart from those of storages.
        ticket: Ticket,
        /// Where the tracker is.
        addrs: ServerAddrs,
        /// Its port.
        port: u16,
        /// What to ask.
        ask: TrackerAsk,
    },
    /// Something happened that an operator may want to read.
    Note(Note),
}

/// What a tracker asks another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackerAsk {
    /// 64: its running figures.
    Status,
    /// 66: that this one shall lead.
    Notify(Host),
    /// 67: that this one leads.
    Commit(Host),
    /// 65, on the connection of the last ping to the same tracker; on a new one behind a 58 that says this.
    Ping(leader::Join),
}

/// What a tracker asks a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageAsk {
    /// Storage command 31: how long its trunk binlog is, in bytes.
    TrunkBinlogSize,
    /// Storage command 32: to forget how far its peers have the trunk binlog.
    DeleteTrunkMarks,
}

/// A part of the state that is saved by itself (wire protocol: what a tracker persists).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `storage_groups_new.dat`
    Groups,
    /// `storage_servers_new.dat`
    Servers,
    /// `storage_sync_timestamp.dat`
    SyncTimes,
    /// `storage_changelog.dat`
    Changelog,
    /// `.tracker_status`
    Status,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing but success.
    Done,
    /// To a JOIN.
    Joined(join::Got),
    /// To beats and reports: what changed since the last one.
    Changes(change_list::Got),
    /// Where a storage gets its old data, if anywhere.
    Source(sync_source::Got),
    /// The highest trunk file number.
    TrunkFileId(trunk::FileNumber),
    /// A part of the changelog.
    Changelog(Vec<u8>),
    /// The trunk server.
    TrunkServer(set_trunk_server::Got),
    /// To a ping: the trunk servers of all groups, when some changed since the last ping.
    TrunkServers(leader::Pong),
}

/// Something an operator may want to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A group appeared.
    GroupAdded(GroupName),
    /// A group was deleted.
    GroupDeleted(GroupName),
    /// A storage appeared.
    StorageAdded {
        /// Its group.
        group: GroupName,
        /// Its id.
        id: StorageId,
        /// Its addresses.
        addrs: ServerAddrs,
    },
    /// A storage's status changed.
    StatusChanged {
        /// Its group.
        group: GroupName,
        /// Its id.
        id: StorageId,
        /// From.
        old: StorageStatus,
        /// To.
        new: StorageStatus,
    },
    /// A storage has a new address.
    AddrChanged {
        /// Its group.
        group: GroupName,
        /// The old id.
        old: StorageId,
        /// The new one.
        new: StorageId,
    },
    /// Another tracker, or nobody, leads.
    LeaderChanged {
        /// The leader's address and port.
        leader: Option<(IpAddr, u16)>,
        /// Whether it is this tracker.
        me: bool,
    },
    /// The state of another tracker is in force instead of this one's, the changelog included.
    StateTaken,
    /// A tracker was learnt from a storage.
    TrackerLearnt {
        /// Its addresses.
        addrs: ServerAddrs,
        /// Its port.
        port: u16,
    },
    /// Another trunk server, or none.
    TrunkServerChanged {
        /// The group.
        group: GroupName,
        /// The storage.
        id: Option<StorageId>,
    },
}
