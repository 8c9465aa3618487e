//! What can happen to a [`crate::Cluster`].

use std::net::IpAddr;

use crate::Saved;
use fdfs_fileid::GroupName;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::join;
use fdfs_proto::tracker::leader::{Connections, Pong};
use fdfs_proto::tracker::sync_report::Synced;
use fdfs_proto::tracker::tracker_status;
use fdfs_proto::{Brief, StatBlock, Status, StorageId, StorageStatus, Version};

/// A connection, numbered by the server. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A question to a storage, numbered by the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The connection.
    pub conn: ConnId,
    /// Address of the other end, canonical.
    pub peer: IpAddr,
    /// Address of this end, canonical.
    pub local: IpAddr,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A request arrived. The step gives exactly one [`crate::Action::Reply`] for it; only for
    /// [`Request::SetTrunkServer`] it may come with a later step.
    Request {
        /// Where from.
        from: Caller,
        /// What it asks.
        ask: Request<'a>,
    },
    /// A connection is gone.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// A storage answered what [`crate::Action::AskStorage`] asked, or did not in good time.
    StorageAnswered {
        /// Which question.
        ticket: Ticket,
        /// The number it answered with, 0 where the answer is empty; none when it refused or was silent.
        answer: Option<u64>,
    },
    /// Another tracker answered what [`crate::Action::AskTracker`] asked, or did not in good time.
    TrackerAnswered {
        /// Which question.
        ticket: Ticket,
        /// What it said.
        answer: TrackerAnswer,
    },
    /// The state of other trackers was looked for, as [`crate::Cluster::state_wanted`] said.
    StateSought {
        /// The state to take over; none when there is no better one.
        found: Option<Box<Saved>>,
    },
    /// The time announced by [`crate::Cluster::deadline`] has come.
    Wake {
        /// Uniformly random.
        chance: u32,
    },
}

/// What came of asking another tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackerAnswer {
    /// To [`crate::TrackerAsk::Status`].
    Status(tracker_status::Got),
    /// To [`crate::TrackerAsk::Notify`] and [`crate::TrackerAsk::Commit`].
    Done,
    /// To [`crate::TrackerAsk::Ping`].
    Pong(Pong),
    /// A status that is not 0.
    Refused(Status),
    /// Its machine says that nothing listens there.
    NotRunning,
    /// It cannot be reached, is silent, or does not make sense.
    Silent,
}

/// What may be asked of a tracker and is answered by a step. Questions that change nothing but turns go to
/// [`crate::View`].
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// 81: a storage joins.
    Join(&'a join::Ask),
    /// 83: a storage beats, with its counters when they changed.
    Beat {
        /// The counters.
        stat: Option<&'a StatBlock>,
    },
    /// 84: a storage reports its store paths.
    ReportDisks {
        /// In order.
        paths: &'a [PathSpace],
    },
    /// 89: a storage reports what it has of the others.
    ReportSync {
        /// Per source; sources may be missing.
        times: &'a [Synced],
    },
    /// 87: a new storage asks where it gets its old data.
    RequestSource,
    /// 88: a storage says where it gets its old data.
    NotifySource {
        /// The source; none when it needs none.
        source: Option<StorageId>,
        /// Unix seconds up to which it gets data from there.
        until: i64,
    },
    /// 86: a storage asks where another gets its old data.
    SourceOf {
        /// Their group.
        group: GroupName,
        /// The other storage.
        dest: StorageId,
    },
    /// 79: a storage asks where it gets its own old data.
    OwnSource,
    /// 76: somebody reports the status of a storage.
    ReportStatus {
        /// Its group.
        group: GroupName,
        /// The storage as the reporter sees it.
        brief: &'a Brief,
    },
    /// 85: a storage reports how it sees others of its group.
    ReportReplicas {
        /// The others.
        briefs: &'a [Brief],
    },
    /// 59: a storage corrects its own status.
    ChangeStatus {
        /// What it should be.
        status: StorageStatus,
    },
    /// 72: a storage asks for the highest trunk file number.
    TrunkFileId,
    /// 73: the trunk server reports the highest trunk file number.
    ReportTrunkFileId {
        /// The number.
        id: u32,
    },
    /// 74: the trunk server reports free space inside trunk files.
    ReportTrunkFree {
        /// Megabytes.
        free_mb: u64,
    },
    /// 77: a storage reads on in the changelog.
    ReadChangelog {
        /// Which storage, on a connection that has not joined.
        of: Option<(GroupName, StorageId)>,
    },
    /// 78: a storage has a new address.
    ReportIpChanged {
        /// Its group.
        group: GroupName,
        /// The address it had.
        old: IpAddr,
        /// The address it has.
        new: IpAddr,
    },
    /// 93: an administrator deletes a storage.
    DeleteStorage {
        /// Its group.
        group: GroupName,
        /// Its id.
        id: StorageId,
    },
    /// 108: an administrator deletes an empty group.
    DeleteGroup {
        /// Its name.
        group: GroupName,
    },
    /// 94: an administrator asks for a trunk server.
    SetTrunkServer {
        /// The group.
        group: GroupName,
        /// The storage; none leaves the choice to the tracker.
        id: Option<StorageId>,
    },
    /// 58: another tracker joins this one as its leader.
    JoinLeader {
        /// Unix seconds of its start.
        up_time: i64,
        /// Its version.
        version: Version,
        /// The port it listens on.
        port: u16,
    },
    /// 65: another tracker pings its leader.
    PingLeader {
        /// Its connection counts.
        connections: Connections,
    },
    /// 66: a tracker names the next leader.
    NotifyLeader {
        /// The leader's address.
        addr: IpAddr,
        /// The leader's port.
        port: u16,
    },
    /// 67: a tracker says that the next leader leads.
    CommitLeader {
        /// The leader's address.
        addr: IpAddr,
        /// The leader's port.
        port: u16,
    },
    /// 68: a storage saw two leaders.
    ReselectLeader,
    /// 61: another tracker wants to copy the state files.
    HoldSysFiles,
    /// 62: it is done.
    ReleaseSysFiles,
}
