//! Uploads that can be resumed: a row each, changed by whoever has the lease.

use std::time::Duration;

use drive_core::account::UserName;
use drive_core::content::{ContentIdentity, Md5Digest, Sha256Digest};
use drive_core::node::{Node, NodeName};
use drive_core::ports::{BlobKey, PartialBlob};
use drive_core::tree::{OnConflict, restore_to};
use drive_core::upload::{Advanced, Finish, Lease, UPLOADS_MAX, Upload, UploadState, begin};
use drive_core::{AccountId, ByteCount, Missing, NodeId, Problem, UnixMillis, UploadId};

use crate::accounts::Owner;
use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::{Columns, values};
use crate::error::Fault;
use crate::tree::NewChild;

/// Bytes of the state of the hashes at most.
pub const HASH_STATE_BYTES_MAX: usize = 1024;

/// The columns of an upload, as `u`.
const COLUMNS: &str = "u.id, u.owner_id, u.parent_id, u.name, u.on_conflict, u.length, u.done_bytes, u.reserved, \
     u.claimed, u.expires_at, u.state, u.blob_key, u.node_id, u.lease_holder, u.lease_until, u.doubtful, \
     u.partial_state, u.partial_length";

/// When an upload ended that was given up, or whose bytes are about to be discarded: it is over by every process's clock, also
/// by one that is behind. Each time more that its bytes are about to be, it is a millisecond earlier: so those whose bytes the
/// store does not discard take turns, and others come before them.
const OVER: UnixMillis = UnixMillis(0);

/// States in the database.
const OPEN: i16 = 0;
const SEALED: i16 = 1;
const DONE: i16 = 2;

fn read(columns: &mut Columns<'_>) -> Result<Upload, Fault> {
    let (id, owner, parent) = (columns.id()?, columns.id()?, columns.id()?);
    let name = columns.parsed(|text| NodeName::new(text).ok())?;
    let on_conflict = columns.made(OnConflict::from_db)?;
    let (length, offset, reserved) = (columns.opt_size()?, columns.size()?, columns.size()?);
    let claimed = columns.opt_array()?.map(Sha256Digest);
    let expires_at = columns.at()?;
    let state = i16::try_from(columns.int()?).unwrap_or(-1);
    let blob = columns.opt_parsed(BlobKey::new)?;
    let node: Option<NodeId> = columns.opt_id()?;
    let state = match (state, blob, node) {
        (OPEN, None, None) => UploadState::Open,
        (SEALED, Some(blob), None) => UploadState::Sealed(blob),
        (DONE, _, Some(node)) => UploadState::Done(node),
        _ => return Err(Problem::Contradiction("an upload in no state").into()),
    };
    let lease = match (columns.opt_int()?, columns.opt_at()?) {
        (Some(holder), Some(until)) => Some(Lease { holder, until }),
        _ => None,
    };
    let doubtful = columns.yes()?;
    let partial = match (columns.opt_text()?, columns.opt_size()?) {
        (Some(state), Some(length)) => Some(PartialBlob { state, length }),
        _ => None,
    };
    Ok(Upload {
        id,
        owner,
        parent,
        name,
        on_conflict,
        length,
        offset,
        reserved,
        claimed,
        expires_at,
        state,
        lease,
        doubtful,
        partial,
    })
}

/// An upload to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// Whose.
    pub owner: AccountId,
    /// The folder that the file will be in.
    pub parent: NodeId,
    /// Its name.
    pub name: NodeName,
    /// If the name is taken at its end.
    pub on_conflict: OnConflict,
    /// Bytes in all; none while the client has not said.
    pub length: Option<ByteCount>,
    /// What the client says the SHA-256 will be.
    pub claimed: Option<Sha256Digest>,
}

/// A piece that is durable in the blob store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub bytes: ByteCount,
    /// The blob under construction with it.
    pub partial: PartialBlob,
    /// The state of the hashes behind it, at most [`HASH_STATE_BYTES_MAX`] bytes.
    pub hash_state: Vec<u8>,
}

/// All bytes of an upload, in a blob that nothing changes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedUpload {
    /// What was computed while they came, or when they were read back.
    pub identity: ContentIdentity,
    /// The alias.
    pub md5: Md5Digest,
    /// They were read back.
    pub read_back: bool,
}

/// Uploads under way, of everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// The last begun first, with the names of their owners; some of them.
    pub uploads: Vec<(Upload, UserName)>,
    /// How many there are. [`UNDER_WAY_COUNTED_MAX`]: so many or more.
    pub count: u64,
}

/// Uploads under way that are counted at most.
pub const UNDER_WAY_COUNTED_MAX: u32 = 10_000;

/// How an upload's name and folder are taken at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishBy {
    /// The client is there: it is told of a folder that is gone, and of a name that is taken.
    Client,
    /// The client is not ([`Upload::is_left`]): nothing is refused that can be kept.
    Drive,
}

/// The statement of uploads in one state, the last begun first.
pub(crate) fn under_way_text() -> String {
    format!(
        "SELECT {COLUMNS}, a.user_name FROM uploads u JOIN accounts a ON a.id = u.owner_id \
         WHERE u.state = ? AND u.expires_at > ? ORDER BY u.id DESC LIMIT ?"
    )
}

/// The statement of uploads that are over, in the order in which they are ended.
pub(crate) fn over_text() -> String {
    format!(
        "SELECT {COLUMNS} FROM uploads u WHERE u.expires_at <= ? \
         AND (u.lease_until IS NULL OR u.lease_until <= ?) ORDER BY u.expires_at DESC, u.id DESC LIMIT ?"
    )
}

/// The statement that counts uploads that are not done, up to a bound.
pub(crate) const fn count_under_way_text() -> &'static str {
    "SELECT COUNT(*) FROM (SELECT id FROM uploads WHERE state < ? LIMIT ?) AS counted"
}

impl Tx<'_> {
    async fn upload(&mut self, owner: AccountId, upload: UploadId) -> Result<Upload, Fault> {
        let sql = format!("SELECT {COLUMNS} FROM uploads u WHERE id = ? AND owner_id = ? FOR UPDATE");
        let found = self.get(sql, values![upload, owner], read).await?;
        found.ok_or_else(|| Problem::NotFound(Missing::Upload).into())
    }

    async fn hash_state(&mut self, upload: UploadId) -> Result<Option<Vec<u8>>, Fault> {
        let sql = "SELECT hash_state FROM uploads WHERE id = ?";
        Ok(self.get(sql, values![upload], |columns| columns.opt_bytes()).await?.flatten())
    }

    /// Marks whether all bytes are here and no node was made.
    async fn mark_complete(&mut self, upload: &Upload) -> Result<(), Fault> {
        let complete = upload.length == Some(upload.offset) && !matches!(upload.state, UploadState::Done(_));
        let sql = "UPDATE uploads SET complete = ? WHERE id = ?";
        self.change(sql, values![complete, upload.id]).await
    }

    async fn write_advanced(
        &mut self,
        upload: &mut Upload,
        advanced: Advanced,
        piece: &Piece,
    ) -> Result<(), Fault> {
        let sql = "UPDATE uploads SET done_bytes = ?, reserved = ?, lease_holder = ?, lease_until = ?, \
             expires_at = ?, partial_state = ?, partial_length = ?, hash_state = ? WHERE id = ?";
        let Advanced { offset, reserved, lease, expires_at, .. } = advanced;
        let values = values![
            offset,
            reserved,
            lease.holder,
            lease.until,
            expires_at,
            piece.partial.state.as_str(),
            piece.partial.length,
            piece.hash_state.as_slice(),
            upload.id,
        ];
        self.change(sql, &values).await?;
        (upload.offset, upload.reserved, upload.lease, upload.expires_at) =
            (offset, reserved, Some(lease), expires_at);
        upload.partial = Some(piece.partial.clone());
        self.mark_complete(upload).await
    }

    /// From now on an upload is over, and nobody writes it.
    async fn write_over(&mut self, upload: &mut Upload) -> Result<(), Fault> {
        let over = upload.expires_at.minus(Duration::from_millis(1)).min(OVER);
        let sql = "UPDATE uploads SET expires_at = ?, lease_holder = NULL, lease_until = NULL WHERE id = ?";
        self.change(sql, values![over, upload.id]).await?;
        (upload.expires_at, upload.lease) = (over, None);
        Ok(())
    }

    /// Gives back the room of an upload whose owner is locked.
    async fn release(&mut self, owner: &mut Owner, upload: &Upload) -> Result<(), Fault> {
        owner.quota = owner.quota.release(upload.reserved)?;
        self.write_quota(owner.id, owner.quota).await
    }
}

impl Database {
    /// Begins an upload.
    ///
    /// # Errors
    /// Those of [`begin`]; what is the matter with folder and name is told at the end, but for a folder that is not
    /// there.
    pub async fn begin_upload(&self, new: &NewUpload, cause: &Cause) -> Result<Upload, Problem> {
        self.write("begin upload", |tx| {
            Box::pin(async move {
                let owner = tx.lock_owner(new.owner).await?;
                tx.live_folder(owner.id, new.parent).await?;
                let open = tx.number(
                    "SELECT COUNT(*) FROM uploads WHERE owner_id = ? AND state < ?",
                    values![owner.id, DONE],
                );
                let open = usize::try_from(open.await?).unwrap_or(usize::MAX);
                let begun = begin(new.length, tx.policy().file_max, open, owner.quota, cause.at)?;
                tx.write_quota(owner.id, begun.quota).await?;
                let upload = Upload {
                    id: tx.id()?,
                    owner: owner.id,
                    parent: new.parent,
                    name: new.name.clone(),
                    on_conflict: new.on_conflict,
                    length: new.length,
                    offset: ByteCount::ZERO,
                    reserved: begun.reserved,
                    claimed: new.claimed,
                    expires_at: begun.expires_at,
                    state: UploadState::Open,
                    lease: None,
                    doubtful: false,
                    partial: None,
                };
                let sql = "INSERT INTO uploads (id, owner_id, parent_id, name, on_conflict, length, done_bytes, \
                     reserved, claimed, expires_at, state, doubtful, complete) \
                     VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 0, 0, 0)";
                let values = values![
                    upload.id,
                    upload.owner,
                    upload.parent,
                    upload.name.as_str(),
                    upload.on_conflict.to_db(),
                    upload.length,
                    upload.reserved,
                    upload.claimed.as_ref(),
                    upload.expires_at,
                ];
                tx.change(sql, &values).await?;
                tx.mark_complete(&upload).await?;
                tx.answer(cause, Made::Upload(upload.id)).await?;
                Ok(upload)
            })
        })
        .await
    }

    /// An upload of somebody.
    pub async fn upload(&self, owner: AccountId, upload: UploadId) -> Result<Upload, Problem> {
        let found = self.read("upload", |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM uploads u WHERE id = ? AND owner_id = ?");
                tx.get(sql, values![upload, owner], read).await
            })
        });
        found.await?.ok_or(Problem::NotFound(Missing::Upload))
    }

    /// The uploads of somebody, the oldest first; those that are done among them until they expire, so there may be
    /// more than [`drive_core::upload::UPLOADS_MAX`]: the first `limit`.
    pub async fn uploads(&self, owner: AccountId, limit: u32) -> Result<Vec<Upload>, Problem> {
        self.read("uploads", |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM uploads u WHERE owner_id = ? ORDER BY id LIMIT ?");
                tx.list(sql, values![owner, limit], read).await
            })
        })
        .await
    }

    /// The uploads of somebody that have become no node, the oldest first; those that are over among them until they
    /// are removed. At most [`drive_core::upload::UPLOADS_MAX`].
    pub async fn unfinished_uploads(&self, owner: AccountId) -> Result<Vec<Upload>, Problem> {
        self.read("unfinished uploads", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM uploads u WHERE owner_id = ? AND state < ? ORDER BY id LIMIT ?"
                );
                tx.list(sql, values![owner, DONE, UPLOADS_MAX as u32], read).await
            })
        })
        .await
    }

    /// Uploads of everybody that have become no node and are not over, the last begun first: the first `limit`, and how
    /// many there are.
    pub async fn uploads_under_way(&self, limit: u32, now: UnixMillis) -> Result<UnderWay, Problem> {
        self.read("uploads under way", |tx| {
            Box::pin(async move {
                let mut uploads = Vec::new();
                // Each state is a range of an index that has them in order.
                for state in [OPEN, SEALED] {
                    uploads.extend(
                        tx.list(under_way_text(), values![state, now, limit], |columns| {
                            Ok((read(columns)?, columns.parsed(|text| UserName::parse(text).ok())?))
                        })
                        .await?,
                    );
                }
                uploads.sort_by_key(|(upload, _)| std::cmp::Reverse(upload.id));
                uploads.truncate(limit as usize);
                let count = tx.number(count_under_way_text(), values![DONE, UNDER_WAY_COUNTED_MAX]).await?;
                Ok(UnderWay { uploads, count: u64::try_from(count).unwrap_or(0) })
            })
        })
        .await
    }

    /// Takes the lease, to write from `offset` on. The row, and the state of the hashes behind its last piece.
    pub async fn take_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        holder: i64,
        offset: ByteCount,
        now: UnixMillis,
    ) -> Result<(Upload, Option<Vec<u8>>), Problem> {
        self.write("take upload", |tx| {
            Box::pin(async move {
                let mut upload = tx.upload(owner, upload).await?;
                let taken = upload.take(holder, offset, now)?;
                let sql = "UPDATE uploads SET lease_holder = ?, lease_until = ?, doubtful = ? WHERE id = ?";
                let values = values![taken.lease.holder, taken.lease.until, taken.doubtful, upload.id];
                tx.change(sql, &values).await?;
                (upload.lease, upload.doubtful) = (Some(taken.lease), taken.doubtful);
                let state = tx.hash_state(upload.id).await?;
                Ok((upload, state))
            })
        })
        .await
    }

    /// Is there room for a piece, as far as is known before it is given to the store? Writes nothing.
    pub async fn may_advance(
        &self,
        upload: &Upload,
        holder: i64,
        piece: ByteCount,
        now: UnixMillis,
    ) -> Result<(), Problem> {
        let quota = self.usage(upload.owner).await?;
        upload.advance(holder, piece, self.policy().file_max, quota, now).map(drop)
    }

    /// Writes down a piece that is durable. The row from now on.
    pub async fn advance_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        holder: i64,
        piece: &Piece,
        now: UnixMillis,
    ) -> Result<Upload, Problem> {
        self.write("advance upload", |tx| {
            Box::pin(async move {
                if piece.hash_state.len() > HASH_STATE_BYTES_MAX {
                    return Err(Fault::Broken("the state of the hashes is too long".to_owned()));
                }
                let owner = tx.lock_owner(owner).await?;
                let mut upload = tx.upload(owner.id, upload).await?;
                let file_max = tx.policy().file_max;
                let advanced = upload.advance(holder, piece.bytes, file_max, owner.quota, now)?;
                if let Some(quota) = advanced.quota {
                    tx.write_quota(owner.id, quota).await?;
                }
                tx.write_advanced(&mut upload, advanced, piece).await?;
                Ok(upload)
            })
        })
        .await
    }

    /// Writes down how long an upload will be.
    pub async fn set_upload_length(
        &self,
        owner: AccountId,
        upload: UploadId,
        length: ByteCount,
    ) -> Result<Upload, Problem> {
        self.write("set upload length", |tx| {
            Box::pin(async move {
                let owner = tx.lock_owner(owner).await?;
                let mut upload = tx.upload(owner.id, upload).await?;
                let (reserved, quota) = upload.set_length(length, tx.policy().file_max, owner.quota)?;
                tx.write_quota(owner.id, quota).await?;
                let sql = "UPDATE uploads SET length = ?, reserved = ? WHERE id = ?";
                tx.change(sql, values![length, reserved, upload.id]).await?;
                (upload.length, upload.reserved) = (Some(length), reserved);
                tx.mark_complete(&upload).await?;
                Ok(upload)
            })
        })
        .await
    }

    /// Gives the lease back, if it is still this holder's.
    pub async fn release_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        holder: i64,
    ) -> Result<(), Problem> {
        self.write("release upload", |tx| {
            Box::pin(async move {
                let sql = "UPDATE uploads SET lease_holder = NULL, lease_until = NULL \
                     WHERE id = ? AND owner_id = ? AND lease_holder = ?";
                tx.run(sql, values![upload, owner, holder]).await.map(drop)
            })
        })
        .await
    }

    /// Writes down the key of the sealed blob, before a node is made of it.
    pub async fn seal_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        holder: i64,
        blob: &BlobKey,
    ) -> Result<(), Problem> {
        self.write("seal upload", |tx| {
            Box::pin(async move {
                let upload = tx.upload(owner, upload).await?;
                if upload.lease.is_none_or(|lease| lease.holder != holder) {
                    return Err(Problem::UploadBusy.into());
                }
                match &upload.state {
                    UploadState::Open => {}
                    UploadState::Sealed(there) if there == blob => return Ok(()),
                    UploadState::Sealed(_) | UploadState::Done(_) => return Err(Problem::UploadEnded.into()),
                }
                let sql = "UPDATE uploads SET state = ?, blob_key = ? WHERE id = ?";
                tx.change(sql, values![SEALED, blob, upload.id]).await
            })
        })
        .await
    }

    /// Makes a node of an upload that is sealed, in a time that does not depend on its length. An upload that was
    /// finished before answers what it has become.
    ///
    /// # Errors
    /// Those of [`Upload::finish`]; [`Problem::UploadIncomplete`] too when it is not sealed, or is to be read back.
    pub async fn finish_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        holder: i64,
        sealed: &SealedUpload,
        by: FinishBy,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("finish upload", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(owner).await?;
                let upload = tx.upload(owner.id, upload).await?;
                let sha256 = sealed.identity.sha256;
                match upload.finish(holder, sha256, sealed.read_back, cause.at)? {
                    Finish::Done(node) => return tx.node(owner.id, node).await,
                    Finish::Seal { read_back: true } => return Err(Problem::UploadIncomplete.into()),
                    Finish::Seal { read_back: false } => {}
                }
                let UploadState::Sealed(blob) = &upload.state else {
                    return Err(Problem::UploadIncomplete.into());
                };
                if sealed.identity.size != upload.offset {
                    return Err(Problem::Contradiction("an upload and its bytes differ in length").into());
                }
                tx.release(&mut owner, &upload).await?;
                let (folder, on_conflict) = match by {
                    FinishBy::Client => (upload.parent, upload.on_conflict),
                    FinishBy::Drive => {
                        let former = tx.node(owner.id, upload.parent).await;
                        let former = match former {
                            Ok(node) => Some(node),
                            Err(Fault::Problem(_)) => None,
                            Err(fault) => return Err(fault),
                        };
                        (restore_to(former.as_ref(), owner.id, owner.root).folder(), OnConflict::KeepBoth)
                    }
                };
                let folder = tx.place(owner.id, folder).await?;
                let content = tx.store_content(&sealed.identity, &sealed.md5, blob, cause.at).await?;
                let past_limit = by == FinishBy::Drive;
                let new = NewChild { name: &upload.name, on_conflict, content: Some(content), past_limit };
                let node = tx.make_node(&mut owner, &folder, new, cause).await?;
                let sql = "UPDATE uploads SET state = ?, node_id = ?, reserved = 0, complete = 0, \
                     lease_holder = NULL, lease_until = NULL, hash_state = NULL WHERE id = ?";
                tx.change(sql, values![DONE, node.id, upload.id]).await?;
                tx.answer(cause, Made::Node(node.id)).await?;
                Ok(node)
            })
        })
        .await
    }

    /// Gives an upload up: from now on it is over ([`Upload::is_over`]), and nobody takes it any more. Its bytes are
    /// then discarded, and [`Database::remove_upload`] removes the row. One that is done is only forgotten.
    pub async fn cancel_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        cause: &Cause,
    ) -> Result<Upload, Problem> {
        self.write("cancel upload", |tx| {
            Box::pin(async move {
                let mut upload = tx.upload(owner, upload).await?;
                tx.write_over(&mut upload).await?;
                tx.answer(cause, Made::Done).await?;
                Ok(upload)
            })
        })
        .await
    }

    /// Uploads that are over, the first `limit`: those that time ended, the latest first, and then those that were given up or
    /// claimed, the least often claimed first. Each is to be claimed ([`Database::claim_over_upload`]), its bytes discarded,
    /// then the row removed.
    pub async fn over_uploads(&self, now: UnixMillis, limit: u32) -> Result<Vec<Upload>, Problem> {
        self.read("over uploads", |tx| {
            Box::pin(async move { tx.list(over_text(), values![now, now, limit], read).await })
        })
        .await
    }

    /// Before the bytes of an upload that is over are discarded: from now on it is over by every clock, so that nobody goes on
    /// with it, or makes a file of it, meanwhile. The row as it is; none when it is not over any more, or not there.
    pub async fn claim_over_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        now: UnixMillis,
    ) -> Result<Option<Upload>, Problem> {
        self.write("claim over upload", |tx| {
            Box::pin(async move {
                let mut upload = match tx.upload(owner, upload).await {
                    Err(Fault::Problem(Problem::NotFound(_))) => return Ok(None),
                    upload => upload?,
                };
                if !upload.is_over(now) {
                    return Ok(None);
                }
                tx.write_over(&mut upload).await?;
                Ok(Some(upload))
            })
        })
        .await
    }

    /// Uploads whose bytes are all here and that nobody finishes: the drive takes them ([`FinishBy::Drive`]).
    pub async fn left_uploads(&self, now: UnixMillis, limit: u32) -> Result<Vec<Upload>, Problem> {
        let found = self.read("left uploads", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM uploads u WHERE complete = 1 \
                     AND (lease_until IS NULL OR lease_until <= ?) AND expires_at > ? ORDER BY id LIMIT ?"
                );
                tx.list(sql, values![now, now, limit], read).await
            })
        });
        Ok(found.await?.into_iter().filter(|upload| upload.is_left(now)).collect())
    }

    /// Removes the row of an upload that is over, and gives its room back. A sealed blob that became no node is written
    /// down as dropped; the bytes of an open one were discarded before. Nothing is done when it is not over.
    pub async fn remove_upload(
        &self,
        owner: AccountId,
        upload: UploadId,
        now: UnixMillis,
    ) -> Result<(), Problem> {
        self.write("remove upload", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(owner).await?;
                let upload = match tx.upload(owner.id, upload).await {
                    Err(Fault::Problem(Problem::NotFound(_))) => return Ok(()),
                    upload => upload?,
                };
                if !upload.is_over(now) {
                    return Ok(());
                }
                tx.release(&mut owner, &upload).await?;
                if let UploadState::Sealed(blob) = &upload.state {
                    tx.drop_blobs(std::slice::from_ref(blob), now).await?;
                }
                tx.change("DELETE FROM uploads WHERE id = ?", values![upload.id]).await
            })
        })
        .await
    }
}
