//! Uploads that are resumed: pieces on their way into the store, under a lease, and the file that they become.
//!
//! What a request brings is written in a task of its own. It goes on when the client goes away: what has arrived is
//! kept, and the lease given back.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use drive_core::content::{ContentIdentity, Md5Digest, Sha256Digest};
use drive_core::node::Node;
use drive_core::ports::{BlobKey, ByteSource, PIECE_BYTES_MAX};
use drive_core::upload::{Finish, LEASE, Upload, UploadState};
use drive_core::{AccountId, ByteCount, NodeId, Part, Problem, UnixMillis, UploadId};
use drive_db::{Cause, FinishBy, Piece, SealedUpload};
use futures_util::{Stream, StreamExt, stream};
use md5::{Digest, Md5};
use net::Stop;
use rand::seq::SliceRandom;
use sha1::Sha1;
use sha2::Sha256;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::app::Drive;
use crate::fields::BODY_PATIENCE;
use crate::give::blob_problem;
use crate::hashes::Hashes;
use crate::refusal::{Answer, BODY_BROKE, BODY_LATE, Refusal, TUS_CHECKSUM_DIFFERS};
use crate::take::{Once, Room, Taken, give_up, take};

/// How long bytes of a slow client are gathered before they are stored: the lease is renewed with each piece.
const GATHER: Duration = Duration::from_secs(15);

/// How often the lease is renewed while no piece is written.
const RENEW_EACH: Duration = Duration::from_secs(20);
const _: () = assert!(RENEW_EACH.as_secs() * 2 < LEASE.as_secs());

/// What the client says about the bytes of one request.
pub(crate) enum Checksum {
    Sha256([u8; 32]),
    Sha1([u8; 20]),
    Md5([u8; 16]),
}

impl Checksum {
    /// Algorithms, as they are told.
    pub(crate) const ALGORITHMS: &str = "sha256,sha1,md5";

    /// A digest of this algorithm.
    pub(crate) fn new(algorithm: &str, digest: Vec<u8>) -> Option<Self> {
        match algorithm {
            "sha256" => digest.try_into().ok().map(Self::Sha256),
            "sha1" => digest.try_into().ok().map(Self::Sha1),
            "md5" => digest.try_into().ok().map(Self::Md5),
            _ => None,
        }
    }

    fn begin(self) -> Checking {
        match self {
            Self::Sha256(expected) => Checking::Sha256(Sha256::new(), expected),
            Self::Sha1(expected) => Checking::Sha1(Sha1::new(), expected),
            Self::Md5(expected) => Checking::Md5(Md5::new(), expected),
        }
    }
}

/// A checksum that is being computed, and what it has to be.
enum Checking {
    Sha256(Sha256, [u8; 32]),
    Sha1(Sha1, [u8; 20]),
    Md5(Md5, [u8; 16]),
}

impl Checking {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest, _) => digest.update(bytes),
            Self::Sha1(digest, _) => digest.update(bytes),
            Self::Md5(digest, _) => digest.update(bytes),
        }
    }

    fn check(self) -> Result<(), Refusal> {
        let equal = match self {
            Self::Sha256(digest, expected) => digest.finalize()[..] == expected,
            Self::Sha1(digest, expected) => digest.finalize()[..] == expected,
            Self::Md5(digest, expected) => digest.finalize()[..] == expected,
        };
        if equal { Ok(()) } else { Err(TUS_CHECKSUM_DIFFERS.because(Problem::ChecksumDiffers.to_string())) }
    }
}

/// What a request brings.
pub(crate) struct Incoming<S> {
    pub(crate) offset: ByteCount,
    /// How long the whole will be, if it is said now.
    pub(crate) whole: Option<ByteCount>,
    pub(crate) checksum: Option<Checksum>,
    /// Bytes of the body, if that was said.
    pub(crate) length: Option<u64>,
    pub(crate) bytes: S,
}

/// What came of it.
pub(crate) struct Written {
    pub(crate) upload: Upload,
    /// The file, when these were the last bytes.
    pub(crate) node: Option<NodeId>,
}

/// Writes what a request brings, and makes the file when it is the last. Goes on when the client goes away.
pub(crate) async fn write<S>(
    drive: &Arc<Drive>,
    owner: AccountId,
    upload: UploadId,
    incoming: Incoming<S>,
    cause: Cause,
) -> Answer<Written>
where
    S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send + 'static,
{
    let drive = Arc::clone(drive);
    let written = tokio::spawn(traces::carried(async move {
        let _place = drive.uploads.take(owner, incoming.length)?;
        let mut writing = Writing::begin(&drive, owner, upload, incoming.offset).await?;
        let outcome = writing.run(incoming, &cause).await;
        writing.release().await;
        let node = outcome?.map(|node| node.id);
        Ok(Written { upload: writing.upload, node })
    }));
    written.await.map_err(|_| Problem::Contradiction("a bug"))?
}

/// Blobs, one after the other, that the store does not answer for, until the rest of a batch is left for later: each more
/// would wait as long.
pub(crate) const AWAY_RUN_MAX: u32 = 5;

/// Finishes up to `limit` uploads whose bytes are all here and whose clients are not ([`Upload::is_left`]), until `stop`:
/// how many became files. For a background worker; several may do it at once.
///
/// # Errors
/// [`Part::BlobStore`] is away for some of them: then the others became files, unless it is away for all.
pub async fn finish_left(
    drive: &Arc<Drive>,
    now: UnixMillis,
    limit: u32,
    stop: &Stop,
) -> Result<u64, Problem> {
    let mut left = drive.database.left_uploads(now, limit).await?;
    // Those whose group is away are not always the first.
    left.shuffle(&mut rand::rng());
    let (mut finished, mut away_run, mut away) = (0, 0, None);
    for left in left {
        if stop.stopping() || away_run == AWAY_RUN_MAX {
            break;
        }
        let id = left.id;
        match finish_one(drive, &left, now).await {
            Ok(()) => (finished, away_run) = (finished + 1, 0),
            // Somebody else is about it.
            Err(Problem::UploadBusy | Problem::UploadEnded | Problem::NotFound(_)) => {}
            Err(problem @ Problem::Unavailable(Part::Database | Part::Queue)) => return Err(problem),
            Err(problem) => {
                tracing::warn!(upload = %id, %problem, "an upload does not become a file");
                if matches!(problem, Problem::Unavailable(_)) {
                    (away_run, away) = (away_run + 1, Some(problem));
                }
            }
        }
    }
    away.map_or(Ok(finished), Err)
}

async fn finish_one(drive: &Arc<Drive>, left: &Upload, now: UnixMillis) -> Result<(), Problem> {
    let mut writing = Writing::take(drive, left.owner, left.id, left.offset, now).await?;
    let outcome = writing.finish(FinishBy::Drive, &Cause::system(now)).await;
    writing.release().await;
    outcome.map(drop)
}

/// Ends up to `limit` uploads whose time is over ([`Upload::is_over`]), until `stop`: their bytes are discarded, their room
/// is given back. How many. For a background worker; several may do it at once.
///
/// # Errors
/// [`Part::BlobStore`] did not discard some of them: then the others are ended, unless it is away for all.
pub async fn end_over(drive: &Arc<Drive>, now: UnixMillis, limit: u32, stop: &Stop) -> Result<u64, Problem> {
    // Those whose group is away are not the first again: each attempt puts them back.
    let over = drive.database.over_uploads(now, limit).await?;
    let (mut ended, mut away_run, mut away) = (0, 0, None);
    for over in over {
        if stop.stopping() || away_run == AWAY_RUN_MAX {
            break;
        }
        // Somebody whose clock is behind may have gone on with it since.
        let Some(claimed) = drive.database.claim_over_upload(over.owner, over.id, now).await? else {
            continue;
        };
        if end(drive, &claimed, now).await? {
            (ended, away_run) = (ended + 1, 0);
        } else {
            (away_run, away) = (away_run + 1, Some(Problem::Unavailable(Part::BlobStore)));
        }
    }
    away.map_or(Ok(ended), Err)
}

/// Discards the bytes of an upload that is over by every clock (cancelled, or claimed) and removes its row. Not when the
/// store does not do it: then it stays over, and somebody tries again.
pub(crate) async fn end(drive: &Drive, over: &Upload, now: UnixMillis) -> Result<bool, Problem> {
    if let (UploadState::Open, Some(partial)) = (&over.state, &over.partial)
        && let Err(error) = drive.blobs.discard(partial).await
    {
        tracing::warn!(upload = %over.id, %error, "the bytes of an upload that is over could not be discarded");
        return Ok(false);
    }
    drive.database.remove_upload(over.owner, over.id, now).await?;
    Ok(true)
}

/// An upload whose lease is held.
struct Writing<'d> {
    drive: &'d Arc<Drive>,
    owner: AccountId,
    holder: i64,
    upload: Upload,
    /// None when what an earlier version has left can't be gone on with: then the whole is read at the end.
    hashes: Option<Hashes>,
}

impl<'d> Writing<'d> {
    async fn begin(
        drive: &'d Arc<Drive>,
        owner: AccountId,
        upload: UploadId,
        offset: ByteCount,
    ) -> Result<Self, Problem> {
        Self::take(drive, owner, upload, offset, drive.now()).await
    }

    async fn take(
        drive: &'d Arc<Drive>,
        owner: AccountId,
        upload: UploadId,
        offset: ByteCount,
        now: UnixMillis,
    ) -> Result<Self, Problem> {
        let holder: i64 = rand::random();
        let (upload, state) = drive.database.take_upload(owner, upload, holder, offset, now).await?;
        let hashes = match state {
            None => Some(Hashes::new()),
            Some(state) => Hashes::from_state(&state),
        };
        Ok(Self { drive, owner, holder, upload, hashes })
    }

    /// Gives the lease back; what can't be given back runs out.
    async fn release(&self) {
        let released = self.drive.database.release_upload(self.owner, self.upload.id, self.holder).await;
        if let Err(problem) = released {
            tracing::warn!(upload = %self.upload.id, %problem, "the lease of an upload was not given back");
        }
    }

    async fn run<S>(&mut self, incoming: Incoming<S>, cause: &Cause) -> Answer<Option<Node>>
    where
        S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send,
    {
        let Incoming { whole, checksum, length, bytes, .. } = incoming;
        if let Some(whole) = whole {
            // The row has the lease already.
            self.upload = self.drive.database.set_upload_length(self.owner, self.upload.id, whole).await?;
        }
        let limit = self.upload.length.unwrap_or(self.drive.database.policy().file_max);
        let left = limit.minus(self.upload.offset).unwrap_or(ByteCount::ZERO);
        if length.is_some_and(|length| length > left.get()) {
            return Err(Problem::FileTooLarge { limit }.into());
        }
        let written = match checksum {
            None => self.write_all(bytes).await,
            Some(checksum) => self.write_checked(bytes, length, checksum.begin(), left).await,
        };
        // All may be here although the connection broke, or is about to.
        if self.upload.length == Some(self.upload.offset) {
            let node = self.finish(FinishBy::Client, cause).await?;
            return written.map(|()| Some(node));
        }
        written.map(|()| None)
    }

    /// Writes what comes, piece by piece: each is kept, also when what follows does not come.
    async fn write_all<S>(&mut self, bytes: S) -> Answer<()>
    where
        S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send,
    {
        let mut pieces = Pieces { stream: bytes, rest: Bytes::new() };
        loop {
            let (piece, then) = pieces.next().await;
            if !piece.is_empty() {
                self.write(piece).await?;
            }
            match then {
                Then::More => {}
                Then::End => return Ok(()),
                Then::Broke(refusal) => return Err(refusal),
            }
        }
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), Problem> {
        let (drive, id) = (self.drive, self.upload.id);
        let bytes = ByteCount::new(piece.len() as u64).ok_or(Problem::QuotaExceeded)?;
        drive.database.may_advance(&self.upload, self.holder, bytes, drive.now()).await?;
        let appended = drive.blobs.append(self.upload.partial.as_ref(), piece.clone()).await;
        let partial = appended.map_err(|error| blob_problem(&error))?;
        if let Some(hashes) = &mut self.hashes {
            hashes.update(&piece);
        }
        let hash_state = self.hashes.as_ref().map(Hashes::to_state).unwrap_or_default();
        let piece = Piece { bytes, partial, hash_state };
        let advanced = drive.database.advance_upload(self.owner, id, self.holder, &piece, drive.now()).await;
        // Given up, or taken over, meanwhile: only this request knows what was made for the piece.
        if let Err(problem) = &advanced
            && !matches!(problem, Problem::Unavailable(_))
            && let Err(error) = drive.blobs.take_back(self.upload.partial.as_ref(), &piece.partial).await
        {
            tracing::warn!(upload = %id, %error, "a piece of an upload that was given up stays in the store");
        }
        self.upload = advanced?;
        Ok(())
    }

    /// Writes bytes of which nothing is kept unless they are what was said. A blob under construction can't be taken
    /// back by more than a piece, so more than that is stored aside until it is known to be right.
    async fn write_checked<S>(
        &mut self,
        bytes: S,
        length: Option<u64>,
        mut checking: Checking,
        left: ByteCount,
    ) -> Answer<()>
    where
        S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send,
    {
        if length.is_some_and(|length| length <= PIECE_BYTES_MAX as u64) {
            let piece = self.renewing(whole_piece(bytes)).await?;
            if length != Some(piece.len() as u64) {
                return Err(BODY_BROKE.because("the body ended before its length"));
            }
            checking.update(&piece);
            checking.check()?;
            if !piece.is_empty() {
                self.write(piece).await?;
            }
            return Ok(());
        }
        let seen = bytes.map(|bytes| {
            if let Ok(bytes) = &bytes {
                checking.update(bytes);
            }
            bytes
        });
        let drive = self.drive;
        let room = Room::rest_of(drive, &self.upload, left).await?;
        let aside = self.renewing(take(drive, seen, length, room)).await?;
        let copied = match checking.check() {
            Ok(()) => self.copy(&aside).await,
            Err(refusal) => Err(refusal),
        };
        give_up(drive, &aside.blob).await;
        copied
    }

    async fn copy(&mut self, aside: &Taken) -> Answer<()> {
        let source = self.drive.blobs.read(&aside.blob, ByteCount::ZERO, aside.identity.size).await;
        let source = source.map_err(|error| blob_problem(&error))?;
        self.write_all(from_store(source)).await
    }

    /// Makes a file of it, all of whose bytes are here. What is never to become one is ended.
    async fn finish(&mut self, by: FinishBy, cause: &Cause) -> Result<Node, Problem> {
        let outcome = self.make(by, cause).await;
        if outcome == Err(Problem::ChecksumDiffers) {
            let now = cause.at.max(self.drive.now());
            let cancelled =
                self.drive.database.cancel_upload(self.owner, self.upload.id, &Cause::system(now)).await;
            let ended = match cancelled {
                Ok(over) => end(self.drive, &over, now).await.map(drop),
                Err(problem) => Err(problem),
            };
            if let Err(problem) = ended {
                tracing::warn!(upload = %self.upload.id, %problem, "an upload was not ended");
            }
        }
        outcome
    }

    async fn make(&mut self, by: FinishBy, cause: &Cause) -> Result<Node, Problem> {
        // The clock of who asks may be ahead of this one.
        let now = cause.at.max(self.drive.now());
        let computed = self.hashes.take().map(Hashes::finish);
        let finish = match &computed {
            Some((sha256, _)) => self.upload.finish(self.holder, *sha256, false, now)?,
            // Until it is read nothing but the rest can be known.
            None => Finish::Seal { read_back: true },
        };
        let Finish::Seal { read_back } = finish else { return Err(Problem::UploadEnded) };
        let blob = self.seal().await?;
        let (identity, md5) = match computed {
            Some((sha256, md5)) if !read_back => (ContentIdentity { sha256, size: self.upload.offset }, md5),
            _ => self.renewing(self.read_back(&blob)).await?,
        };
        // A disk that lost bytes, or another writer: they are not what was sent, whoever claimed what.
        if computed.is_some_and(|(sha256, _)| sha256 != identity.sha256) {
            return Err(Problem::ChecksumDiffers);
        }
        let sealed = SealedUpload { identity, md5, read_back };
        let cause = Cause { at: now, ..cause.clone() };
        let (owner, id, holder) = (self.owner, self.upload.id, self.holder);
        self.drive.database.finish_upload(owner, id, holder, &sealed, by, &cause).await
    }

    async fn seal(&mut self) -> Result<BlobKey, Problem> {
        let drive = self.drive;
        if let UploadState::Sealed(blob) = &self.upload.state {
            return Ok(blob.clone());
        }
        let sealed = match &self.upload.partial {
            Some(partial) => drive.blobs.seal(partial).await,
            None => drive.blobs.put(ByteCount::ZERO, &mut Once::nothing()).await,
        };
        let blob = sealed.map_err(|error| blob_problem(&error))?;
        let written = drive.database.seal_upload(self.owner, self.upload.id, self.holder, &blob).await;
        if let (Err(problem), None) = (&written, &self.upload.partial)
            && !matches!(problem, Problem::Unavailable(_))
        {
            give_up(drive, &blob).await;
        }
        written?;
        self.upload.state = UploadState::Sealed(blob.clone());
        Ok(blob)
    }

    /// What is in the store, whatever was computed while it came.
    async fn read_back(&self, blob: &BlobKey) -> Result<(ContentIdentity, Md5Digest), Problem> {
        let size = self.upload.offset;
        let source = self.drive.blobs.read(blob, ByteCount::ZERO, size).await;
        let mut source = source.map_err(|error| blob_problem(&error))?;
        let mut hashes = Hashes::new();
        while let Some(bytes) = source.next().await.map_err(|error| blob_problem(&error))? {
            hashes.update(&bytes);
        }
        let (sha256, md5): (Sha256Digest, Md5Digest) = hashes.finish();
        Ok((ContentIdentity { sha256, size }, md5))
    }

    /// Renews the lease while something takes its time.
    async fn renewing<T>(&self, work: impl Future<Output = T>) -> T {
        let mut ticks = interval_at(Instant::now() + RENEW_EACH, RENEW_EACH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {
                    let Self { drive, owner, holder, upload, .. } = self;
                    let now = drive.now();
                    let renewed = drive.database.take_upload(*owner, upload.id, *holder, upload.offset, now).await;
                    if let Err(problem) = renewed {
                        tracing::warn!(upload = %upload.id, %problem, "the lease of an upload was not renewed");
                    }
                }
            }
        }
    }
}

/// What comes behind a piece.
enum Then {
    More,
    End,
    Broke(Refusal),
}

/// Bytes as they come, gathered to pieces.
struct Pieces<S> {
    stream: S,
    rest: Bytes,
}

impl<S: Stream<Item = Result<Bytes, Refusal>> + Unpin> Pieces<S> {
    async fn next(&mut self) -> (Bytes, Then) {
        let mut piece = BytesMut::from(self.rest.split_to(self.rest.len().min(PIECE_BYTES_MAX)));
        let until = Instant::now() + GATHER;
        while piece.len() < PIECE_BYTES_MAX {
            let patience = match piece.is_empty() {
                true => BODY_PATIENCE,
                false => until.saturating_duration_since(Instant::now()),
            };
            match timeout(patience, self.stream.next()).await {
                Ok(Some(Ok(mut bytes))) => {
                    let fits = bytes.len().min(PIECE_BYTES_MAX - piece.len());
                    piece.extend_from_slice(&bytes.split_to(fits));
                    self.rest = bytes;
                }
                Ok(Some(Err(refusal))) => return (piece.freeze(), Then::Broke(refusal)),
                Ok(None) => return (piece.freeze(), Then::End),
                Err(_) if piece.is_empty() => {
                    let late = BODY_LATE.because("the next bytes did not come in time");
                    return (Bytes::new(), Then::Broke(late));
                }
                Err(_) => break,
            }
        }
        (piece.freeze(), Then::More)
    }
}

/// All of a body that is said to fit a piece.
async fn whole_piece<S>(bytes: S) -> Answer<Bytes>
where
    S: Stream<Item = Result<Bytes, Refusal>> + Unpin,
{
    let mut pieces = Pieces { stream: bytes, rest: Bytes::new() };
    let mut whole = BytesMut::new();
    loop {
        let (piece, then) = pieces.next().await;
        whole.extend_from_slice(&piece);
        match then {
            Then::End => return Ok(whole.freeze()),
            Then::More if whole.len() <= PIECE_BYTES_MAX => {}
            Then::More => return Err(Problem::Contradiction("a body has more than its length").into()),
            Then::Broke(refusal) => return Err(refusal),
        }
    }
}

/// What the store gives, as if it came from a client.
fn from_store(source: Box<dyn ByteSource>) -> impl Stream<Item = Result<Bytes, Refusal>> + Unpin + Send {
    Box::pin(stream::unfold(Some(source), |source| async {
        let mut source = source?;
        match source.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(source))),
            Ok(None) => None,
            Err(error) => {
                blob_problem(&error);
                Some((Err(Problem::Unavailable(Part::BlobStore).into()), None))
            }
        }
    }))
}
