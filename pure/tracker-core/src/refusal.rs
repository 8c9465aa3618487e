//! Why a request is refused, and the status that says so on the wire.

use fdfs_proto::Status;

/// A refusal is a decision, not a failure: nothing changed, and the peer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command is for connections that have joined.
    #[error("the connection has not joined")]
    NotJoined,
    /// A number or a name in the body cannot be.
    #[error("a value in the request is impossible")]
    BadValue,
    /// No such group.
    #[error("no such group")]
    UnknownGroup,
    /// No such storage, or only its tombstone.
    #[error("no such storage")]
    UnknownStorage,
    /// No storage of the group can take a change.
    #[error("no writable storage")]
    NothingWritable,
    /// No storage of the group can serve the file.
    #[error("no readable storage")]
    NothingReadable,
    /// The group has not announced store paths.
    #[error("the group has no store path")]
    NoStorePath,
    /// Every disk is full up to the reserve.
    #[error("no space left beside the reserve")]
    NoSpace,
    /// A table of this tracker is full ([`crate::limits`]).
    #[error("a limit of the tracker is reached")]
    LimitReached,
    /// The tracker list of a JOIN does not name this tracker.
    #[error("the tracker list does not name this tracker")]
    NotInTrackerList,
    /// Storages of one group must agree on port, store paths and directories.
    #[error("port, store paths or directories differ from the group's")]
    DiffersFromGroup,
    /// A storage id that belongs to another group.
    #[error("the storage id belongs to another group")]
    WrongGroup,
    /// A storage that should be known is not, and does not say that it is new.
    #[error("an unknown storage with an impossible status")]
    ImpossibleStatus,
    /// The group still has storages.
    #[error("the group is not empty")]
    GroupNotEmpty,
    /// The storage is connected or serving.
    #[error("the storage is in use")]
    StorageInUse,
    /// It was deleted, or renamed, before.
    #[error("already done")]
    AlreadyDone,
    /// The new address is already a storage's.
    #[error("the new address is already a storage's")]
    AddressTaken,
    /// Another connection holds what this one asks for.
    #[error("another connection holds it")]
    Held,
    /// This tracker does not lead.
    #[error("this tracker is not the leader")]
    NotLeader,
    /// Nobody leads.
    #[error("no leader is known")]
    NoLeader,
    /// The feature is switched off.
    #[error("the feature is off")]
    SwitchedOff,
    /// The tracker is not in the list.
    #[error("no such tracker")]
    UnknownTracker,
    /// A second leader was announced while this tracker leads.
    #[error("two leaders")]
    TwoLeaders,
    /// This connection has joined as a tracker before.
    #[error("the tracker has joined on this connection before")]
    TrackerJoined,
    /// This tracker has no groups, so it has nothing to say or to give.
    #[error("this tracker has no groups")]
    NoGroups,
    /// The command is only for the group's trunk server.
    #[error("not the trunk server")]
    NotTrunkServer,
    /// The trunk server is another, and serving.
    #[error("another trunk server is serving")]
    OtherTrunkServer,
    /// Only a serving storage can be trunk server.
    #[error("the storage is not active")]
    NotActive,
    /// Only a writable storage can be trunk server.
    #[error("the storage is not writable")]
    NotWritable,
    /// A storage that had to be asked did not answer.
    #[error("a storage did not answer")]
    StorageSilent,
    /// The answer would be longer than the tracker sends.
    #[error("the answer is too long")]
    TooLong,
}

impl Refusal {
    /// The status byte.
    pub const fn status(self) -> Status {
        match self {
            Self::UnknownGroup
            | Self::UnknownStorage
            | Self::NothingWritable
            | Self::NothingReadable
            | Self::NoStorePath
            | Self::NotInTrackerList
            | Self::NoLeader
            | Self::NoGroups
            | Self::UnknownTracker => Status::ENOENT,
            Self::NotJoined | Self::NotWritable => Status::EACCES,
            Self::ImpossibleStatus => Status::EFAULT,
            Self::GroupNotEmpty | Self::StorageInUse | Self::Held => Status::EBUSY,
            Self::TrackerJoined | Self::AddressTaken | Self::OtherTrunkServer => Status::EEXIST,
            Self::BadValue
            | Self::DiffersFromGroup
            | Self::WrongGroup
            | Self::TwoLeaders
            | Self::NotTrunkServer => Status::EINVAL,
            Self::NoSpace | Self::LimitReached | Self::TooLong => Status::ENOSPC,
            Self::StorageSilent => Status::EIO,
            Self::NotActive => Status::ENONET,
            Self::NotLeader | Self::SwitchedOff => Status::EOPNOTSUPP,
            Self::AlreadyDone => Status::EALREADY,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.status()
    }
}
