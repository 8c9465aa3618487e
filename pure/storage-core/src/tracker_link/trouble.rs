//! What can stand in the way, in words an operator can use.

use fdfs_proto::{DecodeError, Status, TrackerCommand};
use thiserror::Error;

use crate::membership::IdentityProblem;

/// What the shell found wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The tracker's name has no address.
    #[error("its name has no address")]
    NoAddress,
    /// Nobody listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// No connection within `connect_timeout`.
    #[error("no connection within connect_timeout")]
    ConnectTimeout,
    /// The system could not connect.
    #[error("no way to it: errno {0}")]
    ConnectFailed(i32),
    /// No answer within `network_timeout`.
    #[error("no answer within network_timeout")]
    ReplyTimeout,
    /// The tracker closed the connection.
    #[error("the tracker closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: errno {0}")]
    Broken(i32),
    /// What came is no answer, or longer than any answer can be.
    #[error("what came back is no FastDFS reply")]
    NotAReply,
}

/// Why a link cannot do its work at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// No connection.
    #[error("cannot reach the tracker: {0}")]
    Unreachable(Failure),
    /// The connection is gone.
    #[error("lost the tracker: {0}")]
    Lost(Failure),
    /// The tracker said no.
    #[error("the tracker refused {command}: {status}")]
    Refused {
        /// What was asked.
        command: TrackerCommand,
        /// Its answer.
        status: Status,
    },
    /// The tracker's answer cannot be read.
    #[error("the tracker's answer to {command} cannot be read: {error}")]
    Garbled {
        /// What was asked.
        command: TrackerCommand,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The storage ids it sent contradict themselves.
    #[error("the tracker's storage ids cannot be read")]
    BadStorageIds,
    /// Configuration and storage ids contradict each other.
    #[error(transparent)]
    Identity(#[from] IdentityProblem),
}

impl Trouble {
    /// What to do about it; `None` when waiting is all there is.
    pub fn advice(&self) -> Option<&'static str> {
        use TrackerCommand::{
            FetchStorageIds, GetGroupName, GetServerId, Join, ReportIpChanged, SyncDestRequest,
        };
        Some(match self {
            Self::Unreachable(Failure::NoAddress) => {
                "check the host name in tracker_server, or the name service of this machine"
            }
            Self::Unreachable(Failure::ConnectionRefused) => {
                "start the tracker, or correct address and port in tracker_server"
            }
            Self::Unreachable(_) => {
                "check that the tracker's machine is up and that no firewall is between; tracker_server names its address"
            }
            Self::Lost(Failure::Closed) => "if this repeats, check allow_hosts of the tracker and its log",
            Self::Lost(Failure::NotAReply) | Self::Garbled { .. } => {
                "check that tracker_server names a tracker of FastDFS 6.16 or of this project"
            }
            Self::Lost(_) => return None,
            Self::Identity(IdentityProblem::IdNotListed(_))
            | Self::Identity(IdentityProblem::OtherGroup { .. }) => {
                "correct server_id or group_name in storage.conf, or storage_ids.conf on every tracker"
            }
            Self::Identity(IdentityProblem::NotANumber(_)) | Self::BadStorageIds => {
                "check storage_ids.conf on that tracker"
            }
            Self::Refused { command, status } => match (*command, *status) {
                (GetServerId, Status::ENOENT) => {
                    "add a line with this storage's group, address and port to storage_ids.conf on every tracker"
                }
                (GetGroupName, _) => {
                    "set group_name in storage.conf, or add this storage to storage_ids.conf on every tracker"
                }
                (FetchStorageIds, _) => "check use_storage_id and storage_ids.conf on that tracker",
                (Join, Status::ENOENT) => {
                    "tracker_server must name this tracker by one of its own addresses; with storage ids, its storage_ids.conf must have this storage"
                }
                (Join, Status::EINVAL) => {
                    "port, number of store paths and subdir_count_per_path must be those of the other storages of the group; with storage ids, the group must be the listed one"
                }
                (Join, Status::EFAULT) => {
                    "the tracker has forgotten this storage; it takes it back once every tracker in tracker_server has answered"
                }
                (Join, Status::EAGAIN) => {
                    "the tracker waits for another tracker to start from; start that one"
                }
                (SyncDestRequest, Status::ENOENT) => {
                    "no other storage of the group is active to send the old files; start one"
                }
                (ReportIpChanged, Status::EBUSY) => {
                    "the old address of this storage is still in use in the cluster; stop the other process"
                }
                _ => return None,
            },
        })
    }
}
