//! What the store says, in the words of the wire.

use fdfs_proto::Status;
use store::StoreError;

/// The status for a refusal or failure of the store (wire protocol: status codes). Failures that need a person
/// are logged here, once.
pub(crate) fn status(error: &StoreError) -> Status {
    match error {
        StoreError::NotFound => Status::ENOENT,
        StoreError::Exists | StoreError::Differs => Status::EEXIST,
        StoreError::NoSuchPath | StoreError::NotAppender | StoreError::Offset => Status::EINVAL,
        StoreError::NotRegular => Status::EISDIR,
        StoreError::NoName | StoreError::Busy => Status::EBUSY,
        StoreError::NoSpace => {
            tracing::warn!("a change was refused, the disk is full");
            Status::ENOSPC
        }
        // Said when it was found out.
        StoreError::SetAside => Status::EIO,
        StoreError::BinlogStuck
        | StoreError::JournalFailed
        | StoreError::Closed
        | StoreError::Corrupt { .. }
        | StoreError::Io(_)
        | StoreError::Unusable { .. } => {
            tracing::error!(%error, "the store failed");
            Status::EIO
        }
    }
}
