//! Blobs in a FastDFS cluster.
//!
//! `put` makes a normal file, whose id carries size and CRC-32. A blob under construction is an appender file, and
//! stays one when it is sealed: giving it a name with a CRC-32 (REGENERATE_APPENDER_FILENAME) reads all of it, here
//! and in the original. So nothing but APPEND is ever sent to an appender. An append that arrives late makes the
//! file longer than the blob and changes no byte of it, and whatever lies behind the blob's bytes (an append whose
//! answer was lost) is left there: the blob goes on in a second file. MODIFY or TRUNCATE would mend such a file, and
//! could hit a sealed blob when *they* arrive late.
//!
//! One hole of the original stays: an append that breaks off cuts the file where *it* began, so one that was under way
//! before another began takes that one's bytes along. Ours takes in all of the content before it changes the file. A
//! blob that was cut can't be read to its end, and says so.
//!
//! Appends go to the storage that made the file, which has all of it. Another storage of the group may lack the end,
//! and would put the piece in the middle.

mod download;

use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{BlobError, ByteSource, Later};
use fdfs_client::{
    Client, Content, DownloadOptions, Error, FileId, GroupName, InfoFlags, Kind, ServerAddr, Side, Status,
    UploadOptions, Uploaded,
};
use tokio::io::AsyncWriteExt as _;

use crate::blobs::within;
use crate::exact::Exact;
use crate::extents::{Extent, Extents, foreign};
use crate::fdfs::download::Download;
use crate::objects::{Grown, Objects};

/// Content up to this size is sent from memory, with one wait for the source instead of many.
const GATHERED_BYTES_MAX: u64 = 256 * 1024;
/// Content on its way from a source to a connection.
const PIPE_BYTES: usize = 256 * 1024;
/// The share of the deadline in which the storage of an appender has to say how long it is. After it the blob goes on
/// in another file, for which the rest of the deadline must do.
const LOOK_SHARE: u32 = 4;

/// How a FastDFS cluster is used for blobs.
#[derive(Debug, Clone)]
pub struct FdfsSettings {
    /// New blobs go into this group; none: the tracker chooses.
    pub group: Option<GroupName>,
    /// How long a call may take that moves at most a piece, and each wait of the others.
    pub deadline: Duration,
}

/// See the module.
pub(crate) struct Fdfs {
    client: Client,
    settings: FdfsSettings,
}

impl Fdfs {
    pub(crate) fn new(client: Client, settings: FdfsSettings) -> Fdfs {
        Fdfs { client, settings }
    }

    fn options(&self, appender: bool) -> UploadOptions {
        UploadOptions { group: self.settings.group, appender, ..UploadOptions::default() }
    }

    async fn upload(&self, bytes: &[u8], appender: bool) -> Result<Uploaded, BlobError> {
        let options = self.options(appender);
        Box::pin(self.client.upload(bytes.into(), &options)).await.map_err(|error| told(&error))
    }

    async fn upload_stream(&self, length: u64, source: Exact<'_>) -> Result<Uploaded, BlobError> {
        let (reader, writer) = tokio::io::duplex(PIPE_BYTES);
        let options = self.options(false);
        let mut upload = Box::pin(self.client.upload(Content::reader(reader, length), &options));
        let fed = tokio::select! {
            biased;
            uploaded = &mut upload => return uploaded.map_err(|error| told(&error)),
            fed = feed(source, writer, self.settings.deadline) => fed,
        };
        // An upload that is dropped before its last byte closes the connection, and the storage keeps nothing.
        fed?;
        within(self.settings.deadline, async { upload.await.map_err(|error| told(&error)) }).await
    }

    /// Appends where the file was made, if it ends there with the extent; whether it could.
    async fn append_in_place(&self, last: &Extent, place: &str, piece: &Bytes) -> Result<bool, BlobError> {
        let id = id(&last.name)?;
        let address = ServerAddr::parse(place, 0).map_err(|_| foreign())?;
        let storage = self.client.storage(address);
        let size = || async {
            storage.file_info(&id, LOOK).await.map(|info| info.size).map_err(|error| told(&error))
        };
        let before = match within(self.settings.deadline / LOOK_SHARE, size()).await {
            Ok(before) => before,
            // Its storage is away. The upload need not wait for it.
            Err(BlobError::Unavailable(why)) => {
                tracing::debug!(%id, why, "the blob goes on in another file");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if before < last.length {
            return Err(BlobError::Damaged);
        }
        if before > last.length {
            return Ok(false);
        }
        match Box::pin(storage.append(&id, piece.as_ref().into())).await.map_err(|error| told(&error)) {
            Ok(()) => {}
            Err(BlobError::Full) => return Ok(false),
            Err(error) => return Err(error),
        }
        // Another append may have come in between, and then this piece lies behind that one.
        Ok(size().await? == last.length + piece.len() as u64)
    }
}

/// Size only.
const LOOK: InfoFlags = InfoFlags { no_crc: true, silent: true };

/// Writes a source into a pipe. The time in which the pipe is full is the store's.
async fn feed(
    mut source: Exact<'_>,
    mut pipe: tokio::io::DuplexStream,
    deadline: Duration,
) -> Result<(), BlobError> {
    while let Some(piece) = source.next().await? {
        for some in piece.chunks(PIPE_BYTES) {
            let write = async {
                pipe.write_all(some).await.map_err(|error| BlobError::Unavailable(error.to_string()))
            };
            within(deadline, write).await?;
        }
    }
    Ok(())
}

impl Objects for Fdfs {
    /// Storages choose names, so an index can't be written again under a name that follows from its first. There are
    /// few: one for every second append whose answer was lost.
    const REMOVES_STALE: bool = false;

    fn settled(_: &str) -> Option<String> {
        None
    }

    fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    fn put<'a>(&'a self, length: u64, source: Exact<'a>) -> Later<'a, Result<Vec<Extent>, BlobError>> {
        Box::pin(async move {
            let uploaded = if length <= GATHERED_BYTES_MAX {
                let bytes = source.gather().await?;
                within(self.settings.deadline, self.upload(&bytes, false)).await
            } else {
                self.upload_stream(length, source).await
            };
            let uploaded = uploaded.map_err(|error| match error {
                // Other bytes arrived than were sent. They are no blob, and may arrive well the next time.
                BlobError::Damaged => BlobError::Unavailable("the content was damaged on its way".to_owned()),
                other => other,
            })?;
            Ok(vec![Extent { name: uploaded.id.to_string(), length }])
        })
    }

    fn grow<'a>(
        &'a self,
        last: Option<(&'a Extent, &'a str)>,
        piece: Bytes,
    ) -> Later<'a, Result<(Grown, String), BlobError>> {
        Box::pin(async move {
            let length = piece.len() as u64;
            if let Some((last, place)) = last
                && self.append_in_place(last, place, &piece).await?
            {
                let longer = Extent { name: last.name.clone(), length: last.length + length };
                return Ok((Grown::Instead(longer), place.to_owned()));
            }
            let uploaded = self.upload(&piece, true).await?;
            let new = Extent { name: uploaded.id.to_string(), length };
            Ok((Grown::Behind(new), uploaded.storage.to_string()))
        })
    }

    fn settle(&self, extents: Extents) -> Later<'_, Result<Extents, BlobError>> {
        Box::pin(async move {
            if let Some(last) = extents.tail.last() {
                self.probe(last).await?;
            }
            Ok(extents)
        })
    }

    fn write(&self, bytes: Vec<u8>) -> Later<'_, Result<String, BlobError>> {
        Box::pin(async move { Ok(self.upload(&bytes, false).await?.id.to_string()) })
    }

    fn load<'a>(&'a self, name: &'a str) -> Later<'a, Result<Bytes, BlobError>> {
        Box::pin(async move {
            let id = id(name)?;
            let bytes = Box::pin(self.client.download(&id, &DownloadOptions::default())).await;
            bytes.map(Bytes::from).map_err(|error| told(&error))
        })
    }

    fn open(&self, extent: Extent, offset: u64, length: u64) -> Result<Box<dyn ByteSource>, BlobError> {
        let id = id(&extent.name)?;
        Ok(Box::new(Download::new(&self.client, id, offset, length)))
    }

    fn probe<'a>(&'a self, extent: &'a Extent) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let id = id(&extent.name)?;
            let info = self.client.file_info(&id, LOOK).await.map_err(|error| told(&error))?;
            if info.size < extent.length { Err(too_short(&id)) } else { Ok(()) }
        })
    }

    fn remove<'a>(&'a self, names: &'a [String]) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            for name in names {
                match self.client.delete(&id(name)?).await.map_err(|error| told(&error)) {
                    Ok(()) | Err(BlobError::Missing) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    fn check(&self) -> Later<'_, Result<(), BlobError>> {
        Box::pin(async move {
            let checked = async {
                let target = self.client.query_store(self.settings.group).await?;
                self.client.storage(target.storage).active_test().await
            };
            checked.await.map_err(|error| told(&error))
        })
    }
}

fn id(name: &str) -> Result<FileId, BlobError> {
    name.parse().map_err(|_| foreign())
}

/// A file that is shorter than it was. Of an appender a member that copies it may simply not have the end yet.
fn too_short(id: &FileId) -> BlobError {
    match id.name.kind() {
        fdfs_fileid::Kind::Appender => BlobError::Unavailable(format!("the end of {id} is not there (yet)")),
        _ => BlobError::Damaged,
    }
}

/// What a failure of the client means for a blob.
fn told(error: &Error) -> BlobError {
    match error.kind() {
        // Of a tracker it means that no storage of the group is up: nothing is known of the file then.
        Kind::Status(Status::ENOENT) if error.side() == Side::Storage => BlobError::Missing,
        Kind::Status(Status::ENOSPC) => BlobError::Full,
        Kind::Corrupt { .. } => BlobError::Damaged,
        Kind::InvalidRequest(_)
        | Kind::TooLarge { .. }
        | Kind::Status(Status::EINVAL | Status::EPERM | Status::EACCES) => {
            BlobError::Refused(error.to_string())
        }
        _ => BlobError::Unavailable(error.to_string()),
    }
}
