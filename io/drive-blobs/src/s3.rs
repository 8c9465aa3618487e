//! Blobs in S3 and its like, through OpenDAL.
//!
//! `put` makes one object, by a multipart upload if it is long. A blob under construction is a row of objects: each
//! piece is one, and a last one that is shorter than [`SHORT`] is written again together with the next piece, under a
//! new name. A multipart upload would not do for those: its parts are 5 MiB at least; its end has to name every part,
//! and some stores copy them then; a part that arrives late replaces one that counts; stores forget it after some
//! days; and OpenDAL can't go on with one that another process began.
//!
//! Names are random and written once. Only what a later append may remove, a short last object and an index, is copied
//! to a name of its own when the blob is sealed, and removed under the old one: then an append that arrives late
//! finds nothing to go on from, and nothing that it may remove belongs to the blob. The copy is at most [`SHORT`] and
//! an index, which has 40 bytes for 4 MiB of the blob.
//!
//! An answer that is lost or late says nothing of the object. Whether it is there is asked, if there is time for it;
//! otherwise it is removed in the background, as nobody knows its name: at once, and again when the store may have made it
//! since ([`REMOVED_AGAIN`], [`LONG_REMOVED_AGAIN`]). What comes later still, or when this process is gone, stays; a long
//! object may be large, so its name is in the log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{BlobError, ByteSource, Later, PIECE_BYTES_MAX};
use opendal::layers::RetryLayer;
use opendal::{Buffer, ErrorKind, Operator, Writer};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::blobs::within;
use crate::exact::Exact;
use crate::extents::{Extent, Extents, foreign};
use crate::objects::{Grown, Objects};

/// A last object with fewer bytes is replaced by one that has the next piece, too. All others have as many at least.
const SHORT: u64 = PIECE_BYTES_MAX as u64;
/// A part of a long object; what `put` holds in memory. Stores take 10,000 parts.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// The longest object that `put` makes; what is longer becomes several.
const OBJECT_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Digits of a name.
const NAME_DIGITS: usize = 32;
/// What a name ends with when its object belongs to a sealed blob and was copied for that.
const SETTLED: char = 's';
/// What no object of ours is called.
const NO_NAME: &str = "check";
/// A request that fails in a way that passes is repeated so often, within its deadline.
const RETRIES: usize = 3;
/// The pause before the first repetition. It doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Deadlines that the end of a long object may take: its last parts are sent with it, and some stores copy all of them
/// then.
const END_DEADLINES: u32 = 4;
/// Deadlines after which an object is removed again of which nobody knows whether the store makes it still.
const REMOVED_AGAIN: [u32; 1] = [1];
/// The same of a long one, whose end may take a store minutes.
const LONG_REMOVED_AGAIN: [u32; 3] = [1, 4, 16];
/// Objects that are removed in the background at once at most. What there is no room for stays as an orphan.
const REMOVALS_MAX: usize = 256;

/// How an S3 store is used for blobs.
#[derive(Clone)]
pub struct S3Settings {
    /// Where it is: `https://s3.example.com`.
    pub endpoint: String,
    /// Its region; `us-east-1` where there are none.
    pub region: String,
    /// The bucket. It has to be there.
    pub bucket: String,
    /// All names begin with this; may be empty.
    pub prefix: String,
    /// Who we are.
    pub access_key_id: String,
    /// What only we know.
    pub secret_access_key: String,
    /// The bucket is a part of the host's name instead of the path.
    pub virtual_host_style: bool,
    /// How long a call may take that moves at most a piece, and each wait of the others; the end of a long object may
    /// take four of them.
    pub deadline: Duration,
}

/// See the module.
pub(crate) struct S3 {
    operator: Operator,
    deadline: Duration,
    object_bytes_max: u64,
    removals: Arc<Semaphore>,
}

impl S3 {
    pub(crate) fn new(settings: &S3Settings) -> Result<S3, BlobError> {
        // OpenDAL has no transport of its own until this is called; calling it again does nothing.
        opendal::install_default();
        let mut builder = opendal::services::S3::default()
            .endpoint(&settings.endpoint)
            .region(&settings.region)
            .bucket(&settings.bucket)
            .root(&settings.prefix)
            .access_key_id(&settings.access_key_id)
            .secret_access_key(&settings.secret_access_key)
            // Nothing comes from the environment or from a cloud's metadata service.
            .disable_config_load()
            .disable_ec2_metadata();
        if settings.virtual_host_style {
            builder = builder.enable_virtual_host_style();
        }
        let operator = Operator::new(builder).map_err(told)?;
        let retries = RetryLayer::new().with_max_times(RETRIES).with_min_delay(RETRY_PAUSE).with_jitter();
        Ok(S3::over(operator.layer(retries), settings.deadline, OBJECT_BYTES_MAX))
    }

    fn over(operator: Operator, deadline: Duration, object_bytes_max: u64) -> S3 {
        S3 { operator, deadline, object_bytes_max, removals: Arc::new(Semaphore::new(REMOVALS_MAX)) }
    }

    async fn store(&self, bytes: impl Into<Buffer>) -> Result<String, BlobError> {
        let bytes = bytes.into();
        let extent = Extent { name: new_name(), length: bytes.len() as u64 };
        let mut unknown = Unknown { s3: self, name: &extent.name, is_long: false, is_known: false };
        if let Err(error) = self.operator.write(&extent.name, bytes).await {
            self.probe(&extent).await.map_err(|_| told_of_write(error))?;
        }
        unknown.is_known = true;
        drop(unknown);
        Ok(extent.name)
    }

    /// One object of the next bytes of `source`, at most `self.object_bytes_max`; `over` is what was taken beyond it.
    async fn put_object(&self, source: &mut Exact<'_>, over: &mut Bytes) -> Result<Extent, BlobError> {
        let name = new_name();
        let open = async { self.operator.writer_with(&name).chunk(PART_BYTES).await.map_err(told) };
        let mut writer = within(self.deadline, open).await?;
        let ended = match self.fill(&mut writer, source, over).await {
            Ok(length) => self.end(&mut writer, Extent { name, length }).await,
            Err(error) => Err(error),
        };
        if ended.is_err() {
            // Parts that stay are never read and can't be found by name; the store's own rules remove them.
            if let Err(failed) = within(self.deadline, async { writer.abort().await.map_err(told) }).await {
                tracing::debug!(error = %failed, "a multipart upload could not be given up");
            }
        }
        ended
    }

    /// Ends an object. When a proxy loses the store's answer, a repetition finds nothing to end: what counts is whether
    /// the object is there.
    async fn end(&self, writer: &mut Writer, extent: Extent) -> Result<Extent, BlobError> {
        let is_long = extent.length > PART_BYTES as u64;
        let mut unknown = Unknown { s3: self, name: &extent.name, is_long, is_known: false };
        let ended = async |writer: &mut Writer, limit| {
            let close = async { writer.close().await.map_err(told_of_write) };
            match within(limit, close).await {
                Ok(_) => Ok(()),
                Err(error) => within(self.deadline, self.probe(&extent)).await.map_err(|_| error),
            }
        };
        if is_long {
            ended(writer, self.deadline.saturating_mul(END_DEADLINES)).await?;
        } else {
            // One request, and no time to ask when that is late.
            within(self.deadline, ended(writer, self.deadline)).await?;
        }
        unknown.is_known = true;
        drop(unknown);
        Ok(extent)
    }

    async fn fill(
        &self,
        writer: &mut Writer,
        source: &mut Exact<'_>,
        over: &mut Bytes,
    ) -> Result<u64, BlobError> {
        let mut length = 0;
        loop {
            if over.is_empty() {
                match source.next().await? {
                    Some(piece) => *over = piece,
                    None => break,
                }
            }
            let room = usize::try_from(self.object_bytes_max - length).unwrap_or(usize::MAX);
            let some = over.split_to(over.len().min(room).min(PART_BYTES));
            length += some.len() as u64;
            within(self.deadline, async { writer.write(some).await.map_err(told_of_write) }).await?;
            if length == self.object_bytes_max {
                break;
            }
        }
        Ok(length)
    }

    async fn whole(&self, extent: &Extent) -> Result<Bytes, BlobError> {
        let bytes = self.operator.read(path(&extent.name)?).await.map_err(told)?;
        if bytes.len() as u64 == extent.length { Ok(bytes.to_bytes()) } else { Err(BlobError::Damaged) }
    }

    /// Gives an object the name under which it stays. Once that is done, the same call finds it done.
    async fn settle_object(&self, name: &mut String) -> Result<(), BlobError> {
        let stays = format!("{name}{SETTLED}");
        match self.operator.copy(path(name)?, &stays).await.map_err(told) {
            Ok(_) => {}
            Err(BlobError::Missing) => {
                self.operator.stat(&stays).await.map_err(told)?;
            }
            Err(error) => return Err(error),
        }
        self.operator.delete(name).await.map_err(told)?;
        *name = stays;
        Ok(())
    }
}

impl Objects for S3 {
    const REMOVES_STALE: bool = true;

    fn settled(name: &str) -> Option<String> {
        Some(format!("{name}{SETTLED}"))
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn put<'a>(&'a self, length: u64, mut source: Exact<'a>) -> Later<'a, Result<Vec<Extent>, BlobError>> {
        Box::pin(async move {
            let mut row = Vec::new();
            let mut over = Bytes::new();
            let mut stored = 0;
            loop {
                match self.put_object(&mut source, &mut over).await {
                    Ok(extent) => {
                        stored += extent.length;
                        row.push(extent);
                    }
                    Err(error) => {
                        let names: Vec<String> = row.into_iter().map(|extent| extent.name).collect();
                        if !names.is_empty()
                            && let Err(failed) = within(self.deadline, self.remove(&names)).await
                        {
                            tracing::warn!(error = %failed, ?names, "objects that are no blob stay in the store");
                        }
                        return Err(error);
                    }
                }
                if stored == length {
                    return Ok(row);
                }
            }
        })
    }

    fn grow<'a>(
        &'a self,
        last: Option<(&'a Extent, &'a str)>,
        piece: Bytes,
    ) -> Later<'a, Result<(Grown, String), BlobError>> {
        Box::pin(async move {
            let length = piece.len() as u64;
            let grown = match last {
                Some((last, _)) if last.length < SHORT => {
                    let before = self.whole(last).await?;
                    let name = self.store(vec![before, piece]).await?;
                    Grown::Instead(Extent { name, length: last.length + length })
                }
                _ => Grown::Behind(Extent { name: self.store(piece).await?, length }),
            };
            Ok((grown, String::new()))
        })
    }

    fn settle(&self, mut extents: Extents) -> Later<'_, Result<Extents, BlobError>> {
        Box::pin(async move {
            if let Some(last) = extents.tail.last_mut() {
                if last.length < SHORT {
                    self.settle_object(&mut last.name).await?;
                } else {
                    self.probe(last).await?;
                }
            }
            if let Some(index) = &mut extents.index {
                self.settle_object(&mut index.name).await?;
            }
            Ok(extents)
        })
    }

    fn write(&self, bytes: Vec<u8>) -> Later<'_, Result<String, BlobError>> {
        Box::pin(self.store(bytes))
    }

    fn load<'a>(&'a self, name: &'a str) -> Later<'a, Result<Bytes, BlobError>> {
        Box::pin(async move { Ok(self.operator.read(path(name)?).await.map_err(told)?.to_bytes()) })
    }

    fn open(&self, extent: Extent, offset: u64, length: u64) -> Result<Box<dyn ByteSource>, BlobError> {
        path(&extent.name)?;
        let end = offset.saturating_add(length);
        Ok(Box::new(Part { operator: self.operator.clone(), extent, at: offset, end }))
    }

    fn probe<'a>(&'a self, extent: &'a Extent) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let found = self.operator.stat(path(&extent.name)?).await.map_err(told)?;
            if found.content_length() == extent.length { Ok(()) } else { Err(BlobError::Damaged) }
        })
    }

    fn remove<'a>(&'a self, names: &'a [String]) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            for name in names {
                path(name)?;
            }
            self.operator.delete_iter(names.iter().cloned()).await.map_err(told)
        })
    }

    fn check(&self) -> Later<'_, Result<(), BlobError>> {
        Box::pin(async move {
            // `Operator::check` takes a bucket that is not there for an empty one. Asking for an object that can't be
            // there tells the two apart.
            match self.operator.read(NO_NAME).await.map_err(told) {
                Ok(_) | Err(BlobError::Missing) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        })
    }
}

/// An object that is being written, and may come to be whatever is answered. If it is dropped before it is known, nobody
/// will ever ask for the object, and it is removed.
struct Unknown<'a> {
    s3: &'a S3,
    name: &'a str,
    /// It is made by a multipart upload, whose end may take long.
    is_long: bool,
    is_known: bool,
}

impl Drop for Unknown<'_> {
    fn drop(&mut self) {
        if self.is_known {
            return;
        }
        let name = self.name.to_owned();
        let permit = Arc::clone(&self.s3.removals).try_acquire_owned();
        let (Ok(runtime), Ok(permit)) = (Handle::try_current(), permit) else {
            tracing::warn!(name, "an object that is no blob may stay in the store");
            return;
        };
        let again: &[u32] = if self.is_long { &LONG_REMOVED_AGAIN } else { &REMOVED_AGAIN };
        if self.is_long {
            tracing::warn!(
                name,
                "a long object that is no blob may come to the store still; it is removed for a while"
            );
        }
        let (operator, deadline) = (self.s3.operator.clone(), self.s3.deadline);
        runtime.spawn(async move {
            let _permit = permit;
            let remove = || within(deadline, async { operator.delete(&name).await.map_err(told) });
            // What is there already, and then what the store was still doing.
            let begun = Instant::now();
            let mut removed = remove().await;
            for times in again {
                sleep_until(begun + deadline.saturating_mul(*times)).await;
                removed = remove().await;
            }
            if let Err(error) = removed {
                tracing::warn!(%error, name, "an object that is no blob may stay in the store");
            }
        });
    }
}

/// Some bytes of an object, one request for each piece: whoever takes them slowly holds no connection.
struct Part {
    operator: Operator,
    extent: Extent,
    at: u64,
    end: u64,
}

impl Part {
    async fn read(&self, to: u64) -> Result<Bytes, BlobError> {
        let error = match self.operator.read_with(&self.extent.name).range(self.at..to).await {
            Ok(piece) => return Ok(piece.to_bytes()),
            Err(error) => told(error),
        };
        // To OpenDAL fewer bytes than were asked for are a failure like others.
        match self.operator.stat(&self.extent.name).await {
            Ok(found) if found.content_length() < to => Err(BlobError::Damaged),
            _ => Err(error),
        }
    }
}

impl ByteSource for Part {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async {
            let to = self.end.min(self.at.saturating_add(PIECE_BYTES_MAX as u64));
            if self.at == to {
                return Ok(None);
            }
            let piece = self.read(to).await?;
            self.at = to;
            Ok(Some(piece))
        })
    }
}

fn new_name() -> String {
    format!("{:0NAME_DIGITS$x}", rand::random::<u128>())
}

/// The name, if it is one of ours: no other can be a path to something else.
fn path(name: &str) -> Result<&str, BlobError> {
    let digits = name.strip_suffix(SETTLED).unwrap_or(name);
    let ours = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if ours { Ok(name) } else { Err(foreign()) }
}

/// Codes of stores that have no room.
const FULL: [&str; 4] = ["XMinioStorageFull", "InsufficientStorage", "InsufficientCapacity", "QuotaExceeded"];

/// What a failure of OpenDAL means for a blob.
fn told(error: opendal::Error) -> BlobError {
    let text = || error.to_string();
    match error.kind() {
        ErrorKind::NotFound => BlobError::Missing,
        ErrorKind::PermissionDenied | ErrorKind::ConfigInvalid | ErrorKind::Unsupported => {
            BlobError::Refused(text())
        }
        _ if FULL.iter().any(|code| error.message().contains(code)) => BlobError::Full,
        _ => BlobError::Unavailable(text()),
    }
}

/// What a failure of a write means: what a store does not know then is an upload, and no blob.
fn told_of_write(error: opendal::Error) -> BlobError {
    match error.kind() {
        ErrorKind::NotFound => BlobError::Unavailable(error.to_string()),
        _ => told(error),
    }
}

#[cfg(test)]
mod tests {
    use drive_core::ByteCount;
    use drive_core::ports::BlobStore as _;

    use super::*;
    use crate::blobs::Blobs;

    /// Gives these bytes three at a time, and then the end.
    struct Threes(Bytes);

    impl ByteSource for Threes {
        fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
            let piece = self.0.split_to(self.0.len().min(3));
            Box::pin(async move { Ok(Some(piece).filter(|piece| !piece.is_empty())) })
        }
    }

    // The clock stands still but for what waits for it.
    #[tokio::test(start_paused = true)]
    async fn a_long_object_is_removed_also_when_it_comes_many_deadlines_late() {
        let operator = Operator::new(opendal::services::Memory::default()).unwrap();
        let deadline = Duration::from_secs(10);
        let s3 = S3::over(operator.clone(), deadline, 10);
        let name = new_name();
        drop(Unknown { s3: &s3, name: &name, is_long: true, is_known: false });
        let begun = Instant::now();
        for (comes, is_gone) in [(2, 5), (15, 17)] {
            sleep_until(begun + deadline * comes).await;
            operator.write(&name, "late").await.unwrap();
            sleep_until(begun + deadline * is_gone).await;
            assert!(!operator.exists(&name).await.unwrap(), "after {comes} deadlines");
        }
    }

    #[tokio::test]
    async fn a_blob_that_is_longer_than_an_object_is_several() {
        let operator = Operator::new(opendal::services::Memory::default()).unwrap();
        let deadline = Duration::from_secs(10);
        let blobs = Blobs::new(S3::over(operator.clone(), deadline, 10));
        let content = Bytes::from_static(
            b"the quick brown fox jumps over the lazy dog, and over all of the others, too",
        );
        let count = |bytes: usize| ByteCount::new(bytes as u64).unwrap();
        // An object each, and one that lists them if they don't fit a key.
        for (length, objects) in [(0, 1), (9, 1), (10, 1), (11, 2), (20, 2), (29, 3), (70, 7), (75, 9)] {
            let mut source = Threes(content.slice(..length));
            let key = blobs.put(count(length), &mut source).await.unwrap();
            assert_eq!(operator.list("").await.unwrap().len(), objects, "{length}");
            for from in 0..length {
                let mut source = blobs.read(&key, count(from), count(length - from)).await.unwrap();
                let mut read = Vec::new();
                while let Some(piece) = source.next().await.unwrap() {
                    read.extend_from_slice(&piece);
                }
                assert_eq!(read, content[from..length], "{length} from {from}");
            }
            blobs.delete(&key).await.unwrap();
            assert_eq!(operator.list("").await.unwrap().len(), 0, "{length}");
        }
        for announced in [30, 28] {
            let outcome = blobs.put(count(announced), &mut Threes(content.slice(..29))).await;
            assert!(matches!(outcome, Err(BlobError::SourceBroke | BlobError::Refused(_))), "{outcome:?}");
            assert_eq!(operator.list("").await.unwrap().len(), 0, "{announced}");
        }
    }
}
