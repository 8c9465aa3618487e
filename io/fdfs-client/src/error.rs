//! What can go wrong, on which side, and whether asking again can help.

use fdfs_conf::ServerAddr;
use fdfs_proto::Status;
use std::fmt;
use std::io;

/// The client's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed call: what ([`Kind`]), where ([`Side`], address), and what may be done about it.
#[derive(Debug)]
pub struct Error(Box<Detail>);

#[derive(Debug)]
struct Detail {
    kind: Kind,
    side: Side,
    address: Option<ServerAddr>,
    /// The operation in words, as in "upload file".
    operation: &'static str,
    /// The request changes something on the server, and bytes of it have left.
    outcome_unknown: bool,
    cause: Option<io::Error>,
}

/// The sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The client has no tracker to ask.
    NoTracker,
    /// The request cannot be sent as it is; the text says why.
    InvalidRequest(&'static str),
    /// No connection: refused, unreachable, no such host, or not within the connect deadline.
    Connect,
    /// All connections the pool may open to this server stayed in use.
    Busy,
    /// The peer was silent for longer than the network deadline.
    Timeout,
    /// The peer closed the connection before the reply was whole.
    Closed,
    /// Reading from or writing to the connection failed.
    Io,
    /// The reply breaks the protocol; the text says how.
    Protocol(&'static str),
    /// The server refused.
    Status(Status),
    /// The content is not what the file id promises.
    Corrupt {
        /// The bytes promised.
        expected_size: u64,
        /// The bytes that arrived.
        actual_size: u64,
        /// The CRC-32 promised.
        expected_crc32: u32,
        /// The CRC-32 of what arrived.
        actual_crc32: u32,
    },
    /// The content is longer than the caller accepts.
    TooLarge {
        /// Its length in bytes.
        size: u64,
        /// The bytes accepted.
        limit: u64,
    },
    /// The local file or reader failed, or ended before its announced size.
    LocalRead,
    /// The local file or writer failed.
    LocalWrite,
}

/// Who failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A tracker.
    Tracker,
    /// A storage.
    Storage,
    /// This machine: arguments, files, configuration.
    Local,
}

impl Error {
    pub(crate) fn new(
        kind: Kind,
        side: Side,
        address: Option<&ServerAddr>,
        operation: &'static str,
    ) -> Error {
        let address = address.cloned();
        Error(Box::new(Detail { kind, side, address, operation, outcome_unknown: false, cause: None }))
    }

    pub(crate) fn local(kind: Kind, operation: &'static str) -> Error {
        Error::new(kind, Side::Local, None, operation)
    }

    pub(crate) fn caused_by(mut self, cause: io::Error) -> Error {
        self.0.cause = Some(cause);
        self
    }

    /// Marks a failure after which nobody here knows whether the server did what was asked.
    pub(crate) fn with_outcome_unknown(mut self) -> Error {
        self.0.outcome_unknown = true;
        self
    }

    /// The sort of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Who failed.
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// The server the call was talking to.
    pub fn address(&self) -> Option<&ServerAddr> {
        self.0.address.as_ref()
    }

    /// The operation in words, as in "upload file".
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The status the server answered with, when it answered.
    pub fn status(&self) -> Option<Status> {
        match self.0.kind {
            Kind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The server says that there is no such file, group or server.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(Status::ENOENT)
    }

    /// The same call may be made again: nothing was done that a second call would double, and the reason may pass.
    pub fn retryable(&self) -> bool {
        !self.0.outcome_unknown && self.transient()
    }

    /// The request was sent, no answer came, and so it may or may not have been carried out.
    ///
    /// For an upload a second try is harmless but may leave a file nobody knows the id of; for an append it may
    /// append twice.
    pub fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// The reason may pass by itself (a server that starts again, a busy one, a network that heals).
    pub fn transient(&self) -> bool {
        match self.0.kind {
            Kind::Connect | Kind::Busy | Kind::Timeout | Kind::Closed | Kind::Io => true,
            // Another server may hold a good copy.
            Kind::Corrupt { .. } => true,
            Kind::Status(Status::EAGAIN | Status::EBUSY) => true,
            // A tracker says ENOENT while no server of the group is up, and just after its own start.
            Kind::Status(Status::ENOENT) => self.0.side == Side::Tracker,
            _ => false,
        }
    }

    /// The connection was of no use: nothing a server decided.
    pub(crate) fn is_network(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::Connect | Kind::Busy | Kind::Timeout | Kind::Closed | Kind::Io | Kind::Protocol(_)
        )
    }

    /// The errno the classic tools exit with.
    pub fn errno(&self) -> u8 {
        const EIO: u8 = 5;
        const ENOENT: u8 = 2;
        const EINVAL: u8 = 22;
        const EFBIG: u8 = 27;
        const ENOTCONN: u8 = 107;
        const ETIMEDOUT: u8 = 110;
        const ECONNREFUSED: u8 = 111;
        let cause = || {
            self.0.cause.as_ref().and_then(io::Error::raw_os_error).and_then(|code| u8::try_from(code).ok())
        };
        match self.0.kind {
            Kind::Status(status) => status.0,
            Kind::NoTracker => ENOENT,
            Kind::InvalidRequest(_) | Kind::Protocol(_) => EINVAL,
            Kind::Connect => cause().unwrap_or(ECONNREFUSED),
            Kind::Busy | Kind::Timeout => ETIMEDOUT,
            Kind::Closed => ENOTCONN,
            Kind::Corrupt { .. } => EIO,
            Kind::TooLarge { .. } => EFBIG,
            Kind::Io | Kind::LocalRead | Kind::LocalWrite => cause().unwrap_or(EIO),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Tracker => "tracker",
            Side::Storage => "storage",
            Side::Local => "this machine",
        })
    }
}

impl fmt::Display for Error {
    /// One line: what was tried, where, what happened, what to do next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &*self.0;
        write!(f, "{}", detail.operation)?;
        match &detail.address {
            Some(address) => write!(f, ": {} {address}", detail.side)?,
            None if detail.side != Side::Local => write!(f, ": {}", detail.side)?,
            None => {}
        }
        match detail.kind {
            Kind::NoTracker => write!(f, ": no tracker is configured")?,
            Kind::InvalidRequest(why) => write!(f, ": {why}")?,
            Kind::Connect => write!(f, ": cannot connect")?,
            Kind::Busy => write!(f, ": all connections allowed to it stayed in use")?,
            Kind::Timeout => write!(f, ": no answer in time")?,
            Kind::Closed => write!(f, ": closed the connection before the answer was complete")?,
            Kind::Io => write!(f, ": the connection broke")?,
            Kind::Protocol(how) => write!(f, ": the answer breaks the protocol: {how}")?,
            Kind::Status(status) => write!(f, ": refused: {} ({})", status.message(), status.0)?,
            Kind::Corrupt { expected_size, actual_size, .. } if expected_size != actual_size => {
                write!(f, ": the content has {actual_size} bytes, its id says {expected_size}")?;
            }
            Kind::Corrupt { expected_crc32, actual_crc32, .. } => {
                write!(f, ": the content has CRC-32 {actual_crc32:08x}, its id says {expected_crc32:08x}")?;
            }
            Kind::TooLarge { size, limit } => write!(f, ": {size} bytes, more than the {limit} accepted")?,
            Kind::LocalRead => write!(f, ": cannot read the local content")?,
            Kind::LocalWrite => write!(f, ": cannot write the local content")?,
        }
        if let Some(cause) = &detail.cause {
            write!(f, ": {cause}")?;
        }
        if detail.outcome_unknown {
            write!(f, "; whether the server carried it out is not known")?;
        }
        match self.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// What the person who reads the message can do next.
    fn advice(&self) -> Option<&'static str> {
        let side = self.0.side;
        Some(match self.0.kind {
            Kind::NoTracker => "add a tracker_server line to client.conf",
            Kind::Connect => "check that it runs, that the address is right, and that no firewall is between",
            Kind::Busy => "raise max_connections_per_server or make fewer calls at once",
            Kind::Timeout => "check the server's load and disk, or raise network_timeout",
            Kind::Closed | Kind::Io => {
                "look into the server's log, and check that its allow_hosts has this machine"
            }
            Kind::Protocol(_) => "check that a FastDFS server listens on that port",
            Kind::Corrupt { .. } => {
                "that copy is damaged: fetch the file from another server and repair this one"
            }
            Kind::TooLarge { .. } => "download it to a file",
            Kind::Status(Status::ENOENT) if side == Side::Tracker => {
                "check the group's name, and with fdfs_monitor that a storage of it is ACTIVE"
            }
            Kind::Status(Status::ENOENT) => "check the file id; the file may have been deleted",
            Kind::Status(Status::ENOSPC) => "free some space, add a storage, or lower reserved_storage_space",
            Kind::Status(Status::EINVAL) => "check the file id, the offset and the length",
            Kind::Status(Status::EEXIST) => "choose another name, or delete the old file first",
            Kind::Status(Status::EBUSY | Status::EAGAIN) => "try again later",
            _ => return None,
        })
    }
}

/// Without a source: the line says the cause, and what to do about it behind that.
impl std::error::Error for Error {}
