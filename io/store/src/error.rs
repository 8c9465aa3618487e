//! Why the store refuses or fails.

use std::io;
use std::path::PathBuf;

/// Why an operation on the store did not happen. None of them leaves a half change behind.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name points into a store path that is not there.
    #[error("no such store path")]
    NoSuchPath,
    /// No such file.
    #[error("no such file")]
    NotFound,
    /// The name is taken.
    #[error("the file exists")]
    Exists,
    /// What stands under the name is no regular file.
    #[error("not a regular file")]
    NotRegular,
    /// The file cannot be appended to, modified or truncated: it is no appender.
    #[error("not an appender file")]
    NotAppender,
    /// The offset lies beyond the end of the file.
    #[error("offset beyond the end of the file")]
    Offset,
    /// The file has another size than whoever changes it believes.
    #[error("the file has another size")]
    Differs,
    /// The content is not what the checksum in its name says.
    #[error("{len} bytes with the CRC-32 {crc32:08x} are not what the name {name} says")]
    Corrupt {
        /// The name.
        name: Box<str>,
        /// Length of the content, bytes.
        len: u64,
        /// Its checksum.
        crc32: u32,
    },
    /// The copy that was here is in the quarantine, and no other one has come.
    #[error("the copy that was here is damaged and in the quarantine")]
    SetAside,
    /// No unused name was found.
    #[error("no unused name was found")]
    NoName,
    /// The file keeps changing.
    #[error("the file keeps changing")]
    Busy,
    /// The disk is full.
    #[error("no space left on the store path")]
    NoSpace,
    /// The replication log can't be written, so no change can be promised to the group.
    #[error("the binlog can't be written")]
    BinlogStuck,
    /// The journal of the store path failed earlier; what it would have said is in the log.
    #[error("the journal of the store path has failed, it takes no more changes")]
    JournalFailed,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(io::Error),
    /// A store path can't be used at all.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The store path.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

impl From<rustix::io::Errno> for StoreError {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}
