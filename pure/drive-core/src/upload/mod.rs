//! Uploads that can be resumed.
//!
//! An upload is a row: how far it is, until when, who writes. Its bytes go piece by piece into a blob under
//! construction ([`crate::ports::BlobStore::append`]), hashed on the way; the state of the hashes is stored beside
//! the row with each piece, so any process goes on. At its end the blob is sealed and a node made of it in one
//! transaction, whatever the size.
//!
//! **One writer.** A request takes a [`Lease`] before its first piece, renews it with each, and gives it back at its
//! end. Every change of the row is on the condition that the lease is still this request's. A lease that ran out may
//! be taken over; since the earlier writer may only have been asleep, and one more piece of it may still reach the
//! store, such an upload is *doubtful*: at its end the sealed blob is read back and hashed again before it becomes a
//! content that others may come to share.

use std::time::Duration;

use crate::content::Sha256Digest;
use crate::ids::{AccountId, NodeId, UploadId};
use crate::node::NodeName;
use crate::ports::{BlobKey, PartialBlob};
use crate::problem::Problem;
use crate::quota::Quota;
use crate::size::ByteCount;
use crate::time::UnixMillis;
use crate::tree::OnConflict;

/// How long an upload waits for its next byte.
pub const UPLOAD_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long a writer has for a piece.
pub const LEASE: Duration = Duration::from_secs(60);

/// Uploads of an account that have not ended at most.
pub const UPLOADS_MAX: usize = 100;

/// The right to write an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The request that has it: a random number.
    pub holder: i64,
    /// Until when nobody else takes it.
    pub until: UnixMillis,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadState {
    /// Bytes may come.
    Open,
    /// All bytes are here and have become this blob; the node is not made yet.
    Sealed(BlobKey),
    /// It has become this node.
    Done(NodeId),
}

/// An upload as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Whose it is.
    pub owner: AccountId,
    /// The folder that the file will be in.
    pub parent: NodeId,
    /// Its name.
    pub name: NodeName,
    /// If the name is taken at its end.
    pub on_conflict: OnConflict,
    /// Bytes in all; none while the client has not said.
    pub length: Option<ByteCount>,
    /// Bytes that are here. What the client is told to go on from.
    pub offset: ByteCount,
    /// Room that is reserved in the owner's quota.
    pub reserved: ByteCount,
    /// What the client says the SHA-256 will be.
    pub claimed: Option<Sha256Digest>,
    /// When it is given up unless something comes.
    pub expires_at: UnixMillis,
    /// How far it is.
    pub state: UploadState,
    /// Who writes.
    pub lease: Option<Lease>,
    /// A lease ran out and was taken over.
    pub doubtful: bool,
    /// The bytes so far; none before the first.
    pub partial: Option<PartialBlob>,
}

/// What a new upload begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The room it reserves.
    pub reserved: ByteCount,
    /// Its owner's quota from now on.
    pub quota: Quota,
    /// When it is given up unless something comes.
    pub expires_at: UnixMillis,
}

/// Begins an upload: of a known length with room for all of it, otherwise with none. `open` counts the owner's
/// uploads that have not ended.
pub fn begin(
    length: Option<ByteCount>,
    file_max: ByteCount,
    open: usize,
    quota: Quota,
    now: UnixMillis,
) -> Result<Begun, Problem> {
    if open >= UPLOADS_MAX {
        return Err(Problem::TooManyOf("uploads"));
    }
    let reserved = length.unwrap_or(ByteCount::ZERO);
    if reserved > file_max {
        return Err(Problem::FileTooLarge { limit: file_max });
    }
    Ok(Begun { reserved, quota: quota.reserve(reserved)?, expires_at: now.plus(UPLOAD_LIFETIME) })
}

/// What taking the lease changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The lease.
    pub lease: Lease,
    /// The row's `doubtful` from now on.
    pub doubtful: bool,
}

/// What a piece changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// The offset from now on.
    pub offset: ByteCount,
    /// The room from now on.
    pub reserved: ByteCount,
    /// Its owner's quota, when more room was needed.
    pub quota: Option<Quota>,
    /// The lease, renewed.
    pub lease: Lease,
    /// When it is given up unless something comes.
    pub expires_at: UnixMillis,
}

/// What the end of an upload needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The blob is to be sealed and its key kept, and then the node be made.
    Seal {
        /// Before the node is made, the sealed blob is read and hashed, and this is asked again.
        read_back: bool,
    },
    /// It has become this node before: the answer of then is given again.
    Done(NodeId),
}

impl Upload {
    /// May a request write from `offset` on? Its lease, if so.
    pub fn take(&self, holder: i64, offset: ByteCount, now: UnixMillis) -> Result<Taken, Problem> {
        self.check_going(now)?;
        let others = self.lease.filter(|lease| lease.holder != holder);
        if others.is_some_and(|lease| now < lease.until) {
            return Err(Problem::UploadBusy);
        }
        if offset != self.offset {
            return Err(Problem::OffsetDiffers { expected: self.offset });
        }
        Ok(Taken { lease: lease(holder, now), doubtful: self.doubtful || others.is_some() })
    }

    /// What becomes of the row when `piece` bytes more are durable. Asked before the piece is given to the store, and
    /// written after.
    pub fn advance(
        &self,
        holder: i64,
        piece: ByteCount,
        file_max: ByteCount,
        quota: Quota,
        now: UnixMillis,
    ) -> Result<Advanced, Problem> {
        self.check_holder(holder)?;
        let limit = self.length.unwrap_or(file_max);
        let too_large = Problem::FileTooLarge { limit };
        let offset = self.offset.plus(piece).filter(|offset| *offset <= limit).ok_or(too_large)?;
        let (reserved, quota) = match offset.minus(self.reserved) {
            Some(more) if more > ByteCount::ZERO => (offset, Some(quota.reserve(more)?)),
            _ => (self.reserved, None),
        };
        let expires_at = now.plus(UPLOAD_LIFETIME);
        Ok(Advanced { offset, reserved, quota, lease: lease(holder, now), expires_at })
    }

    /// The client says how long it will be: once, and not less than has come. The room for the rest is reserved.
    pub fn set_length(
        &self,
        length: ByteCount,
        file_max: ByteCount,
        quota: Quota,
    ) -> Result<(ByteCount, Quota), Problem> {
        match self.length {
            Some(known) if known == length => return Ok((self.reserved, quota)),
            Some(_) => return Err(Problem::FieldInvalid("length")),
            None if length < self.offset => return Err(Problem::FieldInvalid("length")),
            None if length > file_max => return Err(Problem::FileTooLarge { limit: file_max }),
            None => {}
        }
        let more = length.minus(self.reserved).unwrap_or(ByteCount::ZERO);
        Ok((self.reserved.max(length), quota.reserve(more)?))
    }

    /// What is needed to make a node of it. `sha256` is what was computed while the bytes came; once it was read
    /// back, what was computed then, and `read_back` is true.
    pub fn finish(
        &self,
        holder: i64,
        sha256: Sha256Digest,
        read_back: bool,
        now: UnixMillis,
    ) -> Result<Finish, Problem> {
        if let UploadState::Done(node) = self.state {
            return Ok(Finish::Done(node));
        }
        if now >= self.expires_at {
            return Err(Problem::UploadExpired);
        }
        self.check_holder(holder)?;
        if self.length != Some(self.offset) {
            return Err(Problem::UploadIncomplete);
        }
        if self.claimed.is_some_and(|claimed| claimed != sha256) {
            return Err(Problem::ChecksumDiffers);
        }
        Ok(Finish::Seal { read_back: self.doubtful && !read_back })
    }

    /// Are all bytes here, and nobody makes a node of them? Whoever brought the last byte may have died just after.
    /// The drive then takes the upload itself and finishes it: keeping both if the name is taken, in the owner's root
    /// if the folder is gone ([`crate::tree::restore_to`]).
    pub fn is_left(&self, now: UnixMillis) -> bool {
        self.length == Some(self.offset)
            && !matches!(self.state, UploadState::Done(_))
            && self.lease.is_none_or(|lease| now >= lease.until)
            && now < self.expires_at
    }

    /// Is it to be given up: its room released, its bytes discarded, its row removed? A row that is done stays as
    /// long as well, to answer a client that lost the answer.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        now >= self.expires_at && self.lease.is_none_or(|lease| now >= lease.until)
    }

    fn check_going(&self, now: UnixMillis) -> Result<(), Problem> {
        // One that is sealed may be taken to make its node; bytes beyond its length are refused by the length.
        if matches!(self.state, UploadState::Done(_)) {
            Err(Problem::UploadEnded)
        } else if now >= self.expires_at {
            Err(Problem::UploadExpired)
        } else {
            Ok(())
        }
    }

    fn check_holder(&self, holder: i64) -> Result<(), Problem> {
        // A lease that ran out counts until somebody takes it.
        if self.lease.is_some_and(|lease| lease.holder == holder) { Ok(()) } else { Err(Problem::UploadBusy) }
    }
}

fn lease(holder: i64, now: UnixMillis) -> Lease {
    Lease { holder, until: now.plus(LEASE) }
}

#[cfg(test)]
mod tests;
