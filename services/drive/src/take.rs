//! Contents on their way in: streamed into the store of bytes while their digests are computed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use drive_core::content::{ContentIdentity, Md5Digest, Sha256Digest};
use drive_core::node::Node;
use drive_core::ports::{
    BlobError, BlobKey, BlobStore, ByteSource, Later, PIECE_BYTES_MAX, PartialBlob, RateSubject,
};
use drive_core::quota::Quota;
use drive_core::upload::Upload;
use drive_core::{AccountId, ByteCount, Part, Problem};
use drive_db::{Cause, Engine, StoredFile};
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};
use sha2::Sha256;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::app::Drive;
use crate::fields::BODY_PATIENCE;
use crate::give::blob_problem;
use crate::places::{Held, Places};
use crate::records::{Reserve, Written};
use crate::refusal::{BODY_BROKE, BODY_LATE, Refusal};

/// Files that are taken at the same time.
pub(crate) const UPLOADS_AT_ONCE: usize = 256;
/// Those among them that may be long: each may have a piece in memory ([`PIECE_BYTES_MAX`], and twice that of an S3
/// store), and come slowly. Short ones are taken beside them.
pub const LONG_UPLOADS_AT_ONCE: usize = 64;
/// What has no more bytes, and says so beforehand, is short.
pub const SHORT_BYTES_MAX: u64 = 1024 * 1024;

/// Files of one account among all that are taken at the same time.
const UPLOADS_OF_ONE: usize = 64;
/// And among those that may be long.
pub const LONG_UPLOADS_OF_ONE: usize = 16;

/// Who may send.
pub(crate) struct Uploads {
    all: Places,
    long: Places,
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self {
            all: Places::new(UPLOADS_AT_ONCE, UPLOADS_OF_ONE),
            long: Places::new(LONG_UPLOADS_AT_ONCE, LONG_UPLOADS_OF_ONE),
        }
    }

    /// A place for somebody who sends so many bytes, if that was said.
    pub(crate) fn take(
        &self,
        owner: AccountId,
        length: Option<u64>,
    ) -> Result<(Held, Option<Held>), Problem> {
        let whose = RateSubject::Account(owner);
        let short = length.is_some_and(|length| length <= SHORT_BYTES_MAX);
        let long = if short { None } else { Some(self.long.take(whose)?) };
        Ok((self.all.take(whose)?, long))
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.all.taken()
    }

    /// Those of them that are for what may be long.
    pub(crate) fn taken_by_long(&self) -> usize {
        self.long.taken()
    }
}

/// What was stored.
pub(crate) struct Taken {
    pub(crate) blob: BlobKey,
    pub(crate) identity: ContentIdentity,
    pub(crate) md5: Md5Digest,
}

/// How much somebody may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Of one file.
    file_max: ByteCount,
    /// Until the quota is used up.
    left: ByteCount,
}

impl Room {
    pub(crate) async fn of(drive: &Drive, owner: AccountId) -> Result<Self, Problem> {
        match drive.database.usage(owner).await {
            Ok(quota) => Ok(Self::within(drive, Some(quota))),
            Err(Problem::Unavailable(Part::Database)) if drive.queue.is_some() => {
                Ok(Self::within(drive, None))
            }
            Err(problem) => Err(problem),
        }
    }

    /// The room that a quota leaves. If that can't be asked for, what is sent now is accepted past it.
    pub(crate) fn within(drive: &Drive, quota: Option<Quota>) -> Self {
        let left = quota.and_then(Quota::left).unwrap_or(ByteCount::MAX);
        Self { file_max: drive.database.policy().file_max, left }
    }

    /// What may still come of an upload: of one with a length the room is reserved. Of another it is reserved piece by piece,
    /// and the quota says what may be stored before.
    pub(crate) async fn rest_of(drive: &Drive, upload: &Upload, left: ByteCount) -> Result<Self, Problem> {
        if upload.length.is_some() {
            return Ok(Self { file_max: left, left: ByteCount::MAX });
        }
        let quota = drive.database.usage(upload.owner).await?;
        let ahead = upload.reserved.minus(upload.offset).unwrap_or(ByteCount::ZERO);
        let free = quota.left().map_or(ByteCount::MAX, |free| free.plus(ahead).unwrap_or(ByteCount::MAX));
        Ok(Self { file_max: left, left: free })
    }

    /// Is there room for so many bytes?
    pub(crate) fn check(&self, bytes: u64) -> Result<ByteCount, Problem> {
        match ByteCount::new(bytes) {
            Some(bytes) if bytes <= self.file_max && bytes <= self.left => Ok(bytes),
            Some(bytes) if bytes <= self.file_max => Err(Problem::QuotaExceeded),
            _ => Err(Problem::FileTooLarge { limit: self.file_max }),
        }
    }
}

/// Bytes that arrive, counted and digested.
struct Arriving<S> {
    stream: S,
    room: Room,
    length: u64,
    sha256: Sha256,
    md5: Md5,
    /// Why it broke off.
    fault: Option<Refusal>,
}

impl<S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send> Arriving<S> {
    async fn piece(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let late = |_| BODY_LATE.because("the next bytes did not come in time");
            let Some(bytes) = timeout(BODY_PATIENCE, self.stream.next()).await.map_err(late)? else {
                return Ok(None);
            };
            let bytes = bytes?;
            if !bytes.is_empty() {
                self.length = self.room.check(self.length.saturating_add(bytes.len() as u64))?.get();
                self.sha256.update(&bytes);
                self.md5.update(&bytes);
                return Ok(Some(bytes));
            }
        }
    }

    /// What the store's error means: mostly that the source broke, and then why.
    fn refusal(&mut self, error: &BlobError) -> Refusal {
        match self.fault.take() {
            Some(fault) => fault,
            None if *error == BlobError::SourceBroke => {
                BODY_BROKE.because("the body ended before its length")
            }
            None => blob_problem(error).into(),
        }
    }

    fn taken(self, blob: BlobKey) -> Result<Taken, Refusal> {
        let size = ByteCount::new(self.length).ok_or(Problem::QuotaExceeded)?;
        let sha256 = Sha256Digest(self.sha256.finalize().into());
        Ok(Taken {
            blob,
            identity: ContentIdentity { sha256, size },
            md5: Md5Digest(self.md5.finalize().into()),
        })
    }
}

impl<S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send> ByteSource for Arriving<S> {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async {
            self.piece().await.map_err(|fault| {
                self.fault = Some(fault);
                BlobError::SourceBroke
            })
        })
    }
}

/// One piece.
pub(crate) struct Once(Option<Bytes>);

impl Once {
    pub(crate) const fn nothing() -> Self {
        Self(None)
    }
}

impl ByteSource for Once {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async { Ok(self.0.take()) })
    }
}

/// Stores what arrives. `length` is how much that will be, if it was said.
pub(crate) async fn take(
    drive: &Drive,
    stream: impl Stream<Item = Result<Bytes, Refusal>> + Unpin + Send,
    length: Option<u64>,
    room: Room,
) -> Result<Taken, Refusal> {
    let mut arriving =
        Arriving { stream, room, length: 0, sha256: Sha256::new(), md5: Md5::new(), fault: None };
    let stored = match length {
        Some(length) => {
            let length = room.check(length)?;
            drive.blobs.put(length, &mut arriving).await
        }
        None => in_pieces(drive, &mut arriving).await,
    };
    match stored {
        Ok(blob) => arriving.taken(blob),
        Err(error) => Err(arriving.refusal(&error)),
    }
}

/// A blob under construction. Given up when it is dropped before it was sealed: when the source broke, or the request
/// was ended with its future, as FastCGI and HTTP/2 do.
struct Unsealed {
    blobs: Arc<dyn BlobStore>,
    partial: Option<PartialBlob>,
}

impl Drop for Unsealed {
    fn drop(&mut self) {
        let (Some(partial), Ok(runtime)) = (self.partial.take(), Handle::try_current()) else { return };
        let blobs = Arc::clone(&self.blobs);
        runtime.spawn(async move {
            if let Err(error) = blobs.discard(&partial).await {
                tracing::warn!(%error, "what came of a file that broke off stays in the store");
            }
        });
    }
}

/// Stores bytes of which nobody knows how many they are: what fits a piece at once, the rest piece by piece.
async fn in_pieces(drive: &Drive, source: &mut dyn ByteSource) -> Result<BlobKey, BlobError> {
    let mut unsealed = Unsealed { blobs: Arc::clone(&drive.blobs), partial: None };
    let mut rest = Bytes::new();
    loop {
        let mut piece = BytesMut::from(rest.split_to(rest.len().min(PIECE_BYTES_MAX)));
        let mut ended = false;
        while piece.len() < PIECE_BYTES_MAX && !ended {
            match source.next().await? {
                Some(mut bytes) => {
                    piece.extend_from_slice(&bytes.split_to(bytes.len().min(PIECE_BYTES_MAX - piece.len())));
                    rest = bytes;
                }
                None => ended = true,
            }
        }
        let piece = piece.freeze();
        match (&unsealed.partial, ended) {
            (None, true) => {
                let length = ByteCount::new(piece.len() as u64).unwrap_or(ByteCount::ZERO);
                let mut once = Once(Some(piece).filter(|piece| !piece.is_empty()));
                return drive.blobs.put(length, &mut once).await;
            }
            _ if piece.is_empty() => {}
            _ => unsealed.partial = Some(drive.blobs.append(unsealed.partial.as_ref(), piece).await?),
        }
        if let (true, Some(partial)) = (ended, &unsealed.partial) {
            let sealed = drive.blobs.seal(partial).await?;
            unsealed.partial = None;
            return Ok(sealed);
        }
    }
}

/// Makes a file of what was stored. In a task that goes on when the client goes away.
///
/// Through the queue, so that a database of servers gets many at once; SQLite takes many at once by itself
/// (docs/decisions/0011), and the queue only gets what it can't take.
pub(crate) async fn keep(drive: &Drive, file: StoredFile, cause: Cause) -> Result<Written<Node>, Problem> {
    let mut room = Reserve::First;
    if drive.queue.is_none() {
        return store(drive, &file, cause).await.map(Written::Applied);
    }
    if drive.database.engine() == Engine::Sqlite {
        let stored = drive.database.try_store_file(&file, &cause).await;
        match stored_or_given_up(drive, &file, stored).await? {
            Some(node) => return Ok(Written::Applied(node)),
            // What may be there after all is not made once more: who sends it is told that nobody knows.
            None => room = Reserve::Nothing,
        }
    }
    let owner = file.owner;
    match drive.record_file(file, room).await? {
        Written::Applied(node) => drive.database.node(owner, node).await.map(Written::Applied),
        Written::Accepted(key) => Ok(Written::Accepted(key)),
    }
}

/// As [`keep`], in the database at once.
pub(crate) async fn store(drive: &Drive, file: &StoredFile, cause: Cause) -> Result<Node, Problem> {
    let stored = drive.database.store_file(file, &cause).await;
    stored_or_given_up(drive, file, stored).await
}

async fn stored_or_given_up<T>(
    drive: &Drive,
    file: &StoredFile,
    stored: Result<T, Problem>,
) -> Result<T, Problem> {
    match &stored {
        // It may have been kept after all.
        Ok(_) | Err(Problem::Unavailable(_)) => {}
        Err(_) => give_up(drive, &file.blob).await,
    }
    stored
}

/// A blob became nothing: it is deleted after a while, or at once when that can't be written down.
pub(crate) async fn give_up(drive: &Drive, blob: &BlobKey) {
    let Err(problem) = drive.database.drop_blob(blob, drive.now()).await else { return };
    if let Err(error) = drive.blobs.delete(blob).await {
        tracing::error!(blob = blob.as_str(), %problem, %error, "a blob that nobody needs stays in the store");
    }
}
