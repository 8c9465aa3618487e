//! One storage, addressed directly: every command, no tracker asked.

use crate::call::{self, Call};
use crate::client::Shared;
use crate::connection::Peer;
use crate::content::Content;
use crate::download::DownloadOptions;
use crate::error::{Error, Kind, Result};
use crate::info::{FileInfo, InfoFlags};
use crate::metadata::{MetaFlag, Metadata};
use crate::pool::{self, Lease};
use crate::receive::{Receiver, Sink};
use crate::send::{Sent, send_content};
use crate::verify::Promise;
use fdfs_conf::ServerAddr;
use fdfs_fileid::{ExtName, FileId, Kind as FileKind, SlavePrefix, StorePathIndex};
use fdfs_proto::storage::{append, download, modify, upload, upload_slave};
use fdfs_proto::{RawName, Status, StorageCommand};
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// Content is received in pieces of this size.
const PIECE_LEN: usize = 128 * 1024;

pub(crate) const UPLOAD: &str = "upload file";
pub(crate) const UPLOAD_SLAVE: &str = "upload slave file";
pub(crate) const APPEND: &str = "append to file";
pub(crate) const MODIFY: &str = "modify file";
pub(crate) const DOWNLOAD: &str = "download file";

/// One storage, addressed directly.
///
/// Made by [`Client::storage`](crate::Client::storage). The operations are those of the client, without the question
/// to a tracker and without a second server to turn to.
///
/// ```no_run
/// # async fn example() -> fdfs_client::Result<()> {
/// use fdfs_client::{Client, ClientConfig, ServerAddr, UploadOptions};
///
/// let client = Client::new(ClientConfig::new([]));
/// let storage = client.storage(ServerAddr::new([127, 0, 0, 1].into(), 23000));
/// let uploaded = storage.upload("hello".into(), None, &UploadOptions::default()).await?;
/// println!("{}", uploaded.id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Storage {
    shared: Arc<Shared>,
    peer: Peer,
}

/// What an upload gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The id of the new file.
    pub id: FileId,
    /// The bytes sent.
    pub size: u64,
    /// The CRC-32 of the bytes sent.
    pub crc32: u32,
    /// The storage that took it.
    pub storage: ServerAddr,
}

/// What a download gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The bytes received.
    pub size: u64,
    /// Their CRC-32.
    pub crc32: u32,
    /// Size and CRC-32 were compared with the file id, and agree.
    pub verified: bool,
    /// The storage they came from; the last one, when several were needed. None when nothing had to be fetched.
    pub storage: Option<ServerAddr>,
}

/// How a file is stored.
#[derive(Debug, Clone, Default)]
pub struct UploadOptions {
    /// The extension the file's id gets. Where a local path is uploaded, `None` takes it from there.
    pub ext: Option<ExtName>,
    /// Into this group; `None` leaves the choice to the tracker. Not used where a storage is addressed directly.
    pub group: Option<fdfs_fileid::GroupName>,
    /// As an appender, which can be changed later.
    pub appender: bool,
    /// Metadata to keep with the file. When that fails, the file is deleted again.
    pub metadata: Metadata,
}

impl Storage {
    pub(crate) fn new(shared: Arc<Shared>, address: &ServerAddr) -> Storage {
        Storage { shared, peer: Peer::storage(address) }
    }

    /// The storage's address.
    pub fn address(&self) -> &ServerAddr {
        &self.peer.address
    }

    pub(crate) fn error(&self, kind: Kind, operation: &'static str) -> Error {
        self.peer.error(kind, operation)
    }

    pub(crate) async fn run<T>(&self, call: &Call<T>) -> Result<T> {
        let body = self.shared.pool.ask(&self.peer, &call.request).await?;
        (call.decode)(&body).map_err(|broken| self.peer.error(broken.kind(), call.request.operation))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// The storage cannot be reached, or does not answer.
    pub async fn active_test(&self) -> Result<()> {
        self.shared.pool.ask(&self.peer, &pool::active_test(self.peer.side)).await.map(|_| ())
    }

    /// What a storage of Cairn tells about itself: names and values. One of FastDFS tells nothing.
    ///
    /// # Errors
    /// The storage cannot be reached, or does not answer.
    pub async fn figures(&self) -> Result<Vec<(String, u64)>> {
        self.run(&call::figures()).await
    }

    /// Stores a file in the store path `path`, or in one the storage chooses.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOSPC when the storage is full, EINVAL when it has no such store path;
    /// [`Kind::Corrupt`] when the id it gave does not fit what was sent (the file is deleted again).
    pub async fn upload(
        &self,
        content: Content<'_>,
        path: Option<StorePathIndex>,
        options: &UploadOptions,
    ) -> Result<Uploaded> {
        let lease = self.connect(UPLOAD).await?;
        self.upload_on(lease, content, path, options).await
    }

    /// Stores the file at `local`. See [`Storage::upload`].
    ///
    /// # Errors
    /// As [`Storage::upload`]; [`Kind::LocalRead`] when the local file cannot be read.
    pub async fn upload_file(
        &self,
        local: impl AsRef<Path>,
        path: Option<StorePathIndex>,
        options: &UploadOptions,
    ) -> Result<Uploaded> {
        let content = Content::file(&local).await?;
        self.upload(content, path, &options.with_ext_of(local.as_ref())).await
    }

    pub(crate) async fn connect(&self, operation: &'static str) -> Result<Lease> {
        self.shared.pool.lease(&self.peer, operation).await
    }

    pub(crate) async fn upload_on(
        &self,
        lease: Lease,
        content: Content<'_>,
        path: Option<StorePathIndex>,
        options: &UploadOptions,
    ) -> Result<Uploaded> {
        let command = match options.appender {
            false => StorageCommand::UploadFile,
            true => StorageCommand::UploadAppender,
        };
        let ask = upload::Ask::new(path, content.size(), &options.ext.unwrap_or_default());
        // Refused before anything is sent.
        options.metadata.encode().map_err(|why| Error::local(Kind::InvalidRequest(why), UPLOAD))?;
        let (reply, sent) = send_content(lease, UPLOAD, command, |out| ask.encode(out), content).await?;
        let uploaded = self.uploaded(&reply, sent, UPLOAD)?;
        self.check_upload(&uploaded).await?;
        self.add_metadata(&uploaded.id, &options.metadata).await?;
        Ok(uploaded)
    }

    fn uploaded(&self, reply: &[u8], sent: Sent, operation: &'static str) -> Result<Uploaded> {
        let id = call::named(reply).map_err(|broken| self.peer.error(broken.kind(), operation))?;
        Ok(Uploaded { id, size: sent.size, crc32: sent.crc32, storage: self.peer.address.clone() })
    }

    /// The id carries what the storage received; compared with what was sent.
    async fn check_upload(&self, uploaded: &Uploaded) -> Result<()> {
        if !self.shared.config.verify_uploads {
            return Ok(());
        }
        let check = Promise::of(&uploaded.id.name).map(|it| it.check(uploaded.size, uploaded.crc32));
        match check {
            Some(Err(kind)) => {
                self.delete_again(&uploaded.id).await;
                Err(self.peer.error(kind, UPLOAD))
            }
            _ => Ok(()),
        }
    }

    async fn add_metadata(&self, id: &FileId, metadata: &Metadata) -> Result<()> {
        if metadata.is_empty() {
            return Ok(());
        }
        let set = self.set_metadata(id, metadata, MetaFlag::Overwrite).await;
        if set.is_err() {
            self.delete_again(id).await;
        }
        set
    }

    async fn delete_again(&self, id: &FileId) {
        if let Err(error) = self.delete(id).await {
            tracing::warn!(%id, %error, "a file that was not wanted stays in the cluster");
        }
    }

    /// Stores a file under a name derived from `master`'s: its name without extension, `prefix`, and the extension of
    /// `options`. The storage must have the master.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when the master is not there, EEXIST when the slave is.
    pub async fn upload_slave(
        &self,
        master: &FileId,
        prefix: &SlavePrefix,
        content: Content<'_>,
        options: &UploadOptions,
    ) -> Result<Uploaded> {
        let lease = self.connect(UPLOAD_SLAVE).await?;
        self.upload_slave_on(lease, master, prefix, content, options).await
    }

    pub(crate) async fn upload_slave_on(
        &self,
        lease: Lease,
        master: &FileId,
        prefix: &SlavePrefix,
        content: Content<'_>,
        options: &UploadOptions,
    ) -> Result<Uploaded> {
        options.metadata.encode().map_err(|why| Error::local(Kind::InvalidRequest(why), UPLOAD_SLAVE))?;
        let ext = options.ext.unwrap_or_default();
        let ask = upload_slave::Ask::new(content.size(), prefix, &ext, RawName::from(&master.name));
        let head = |out: &mut Vec<u8>| ask.encode(out);
        let (reply, sent) =
            send_content(lease, UPLOAD_SLAVE, StorageCommand::UploadSlave, head, content).await?;
        let uploaded = self.uploaded(&reply, sent, UPLOAD_SLAVE)?;
        self.add_metadata(&uploaded.id, &options.metadata).await?;
        Ok(uploaded)
    }

    /// Adds to the end of an appender. Nothing is sent when there is nothing to add.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender. After [`Error::outcome_unknown`] look at the file's size
    /// before you try again.
    pub async fn append(&self, id: &FileId, content: Content<'_>) -> Result<()> {
        check_appender(id, APPEND)?;
        if content.size() == 0 {
            return Ok(());
        }
        let lease = self.connect(APPEND).await?;
        self.append_on(lease, id, content).await
    }

    pub(crate) async fn append_on(&self, lease: Lease, id: &FileId, content: Content<'_>) -> Result<()> {
        let ask = append::Ask { size: content.size(), name: RawName::from(&id.name) };
        let head = |out: &mut Vec<u8>| ask.encode(out);
        send_content(lease, APPEND, StorageCommand::Append, head, content).await.map(|_| ())
    }

    /// Overwrites an appender from `offset` on, which may be at most its size. Nothing is sent when the content is
    /// empty.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender; [`Kind::Status`] with EINVAL for an offset beyond the
    /// end.
    pub async fn modify(&self, id: &FileId, offset: u64, content: Content<'_>) -> Result<()> {
        check_appender(id, MODIFY)?;
        if content.size() == 0 {
            return Ok(());
        }
        let lease = self.connect(MODIFY).await?;
        self.modify_on(lease, id, offset, content).await
    }

    pub(crate) async fn modify_on(
        &self,
        lease: Lease,
        id: &FileId,
        offset: u64,
        content: Content<'_>,
    ) -> Result<()> {
        let ask = modify::Ask { offset, size: content.size(), name: RawName::from(&id.name) };
        let head = |out: &mut Vec<u8>| ask.encode(out);
        send_content(lease, MODIFY, StorageCommand::Modify, head, content).await.map(|_| ())
    }

    /// Sets the size of an appender; beyond its present size it grows by zeros.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender.
    pub async fn truncate(&self, id: &FileId, size: u64) -> Result<()> {
        check_appender(id, "truncate file")?;
        self.run(&call::truncate(&id.name, size)).await
    }

    /// Turns an appender into a normal file with a new id, which is returned; the old id is gone.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender.
    pub async fn regenerate(&self, id: &FileId) -> Result<FileId> {
        check_appender(id, "regenerate file name")?;
        self.run(&call::regenerate(&id.name)).await
    }

    /// Deletes a file and its metadata.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file.
    pub async fn delete(&self, id: &FileId) -> Result<()> {
        self.run(&call::delete(id)).await
    }

    /// Replaces or merges the metadata of a file. Overwriting with nothing deletes it.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] for names and values that are too long; [`Kind::Status`] with ENOENT when there is no
    /// such file.
    pub async fn set_metadata(&self, id: &FileId, metadata: &Metadata, flag: MetaFlag) -> Result<()> {
        self.run(&call::set_metadata(id, metadata, flag)?).await
    }

    /// The metadata of a file.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file, and also when it has no metadata.
    pub async fn metadata(&self, id: &FileId) -> Result<Metadata> {
        self.run(&call::get_metadata(id)).await
    }

    /// Size, time, CRC and source of a file.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file.
    pub async fn file_info(&self, id: &FileId, flags: InfoFlags) -> Result<FileInfo> {
        self.run(&call::file_info(id, flags)).await
    }

    /// Downloads into memory, at most [`ClientConfig::max_buffered_download`](crate::ClientConfig) bytes.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file, EINVAL when the offset is at or beyond its end;
    /// [`Kind::Corrupt`] when the content is not what the id promises; [`Kind::TooLarge`].
    pub async fn download(&self, id: &FileId, options: &DownloadOptions) -> Result<Vec<u8>> {
        let limit = self.shared.config.max_buffered_download;
        let mut receiver = Receiver::new(Sink::Buffer { bytes: Vec::new(), limit }, DOWNLOAD);
        self.download_verified(id, options, &mut receiver).await?;
        match receiver.sink {
            Sink::Buffer { bytes, .. } => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// Downloads into a writer, in bounded memory.
    ///
    /// # Errors
    /// As [`Storage::download`]; [`Kind::LocalWrite`] when the writer fails. The writer may have received a part.
    pub async fn download_to_writer(
        &self,
        id: &FileId,
        options: &DownloadOptions,
        writer: &mut (impl AsyncWrite + Send + Unpin),
    ) -> Result<Downloaded> {
        let mut receiver = Receiver::new(Sink::Writer(writer), DOWNLOAD);
        self.download_verified(id, options, &mut receiver).await
    }

    pub(crate) async fn download_verified(
        &self,
        id: &FileId,
        options: &DownloadOptions,
        receiver: &mut Receiver<'_>,
    ) -> Result<Downloaded> {
        let promise = options.promise(id);
        if options.length != Some(0) {
            self.fetch(id, options, promise, receiver).await?;
        }
        if let Some(promise) = promise {
            promise
                .check(receiver.received, receiver.crc32())
                .map_err(|kind| self.peer.error(kind, DOWNLOAD))?;
        }
        receiver.flush().await?;
        Ok(Downloaded {
            size: receiver.received,
            crc32: receiver.crc32(),
            verified: promise.is_some(),
            storage: Some(self.peer.address.clone()),
        })
    }

    /// Fetches what `receiver` does not have yet.
    pub(crate) async fn fetch(
        &self,
        id: &FileId,
        options: &DownloadOptions,
        promise: Option<Promise>,
        receiver: &mut Receiver<'_>,
    ) -> Result<()> {
        let offset = options.offset.saturating_add(receiver.received);
        // 0 stands for "to the end", so a length that is used up must not be asked for.
        let len = options.length.map(|length| length.saturating_sub(receiver.received));
        if len == Some(0) || promise.is_some_and(|it| it.size > 0 && it.size == receiver.received) {
            return Ok(());
        }
        // A download has to begin before the end of the file, so an empty one cannot be downloaded (wire protocol:
        // DOWNLOAD_FILE). That it is there and empty has to be asked for.
        let flags = InfoFlags { no_crc: true, silent: true };
        if promise.is_some_and(|it| it.size == 0) {
            let size = self.file_info(id, flags).await?.size;
            let check = promise.map_or(Ok(()), |it| it.check(size, it.crc32));
            return check.map_err(|kind| self.peer.error(kind, DOWNLOAD));
        }
        // Of a part the name tells whether a copy ends too early.
        let named = Promise::of(&id.name).filter(|it| options.verify && it.size > offset);
        match self.fetch_from(id, offset, len, promise, named, receiver).await {
            Err(error) if error.status() == Some(Status::EINVAL) && (offset == 0 || named.is_some()) => {
                match self.file_info(id, flags).await {
                    Ok(info) if info.size <= offset => {
                        let check = named.map_or(Ok(()), |it| it.check(info.size, it.crc32));
                        check.map_err(|kind| self.peer.error(kind, DOWNLOAD))
                    }
                    _ => Err(error),
                }
            }
            other => other,
        }
    }

    async fn fetch_from(
        &self,
        id: &FileId,
        offset: u64,
        len: Option<u64>,
        promise: Option<Promise>,
        named: Option<Promise>,
        receiver: &mut Receiver<'_>,
    ) -> Result<()> {
        let ask = download::Ask {
            offset,
            len: len.unwrap_or(0),
            group: id.group.into(),
            name: RawName::from(&id.name),
        };
        let mut request = Vec::new();
        fdfs_proto::frame::request(&mut request, StorageCommand::DownloadFile, |out| ask.encode(out));
        let (mut lease, announced) = self.start_download(&request).await?;
        let fits = match (len, promise) {
            (Some(len), _) if announced > len => Err(Kind::Protocol("more bytes than were asked for")),
            (_, Some(promise)) if announced != promise.size.saturating_sub(receiver.received) => {
                // Not worth fetching: it is another file than the id says.
                let actual = receiver.received.saturating_add(announced);
                promise.check(actual, promise.crc32)
            }
            _ => named.map_or(Ok(()), |it| {
                let least = it.size.saturating_sub(offset).min(len.unwrap_or(u64::MAX));
                if announced < least { it.check(offset.saturating_add(announced), it.crc32) } else { Ok(()) }
            }),
        };
        fits.map_err(|kind| self.peer.error(kind, DOWNLOAD))?;
        receiver.expect(announced)?;
        let mut left = announced;
        let mut piece = vec![0; usize::try_from(announced).unwrap_or(PIECE_LEN).min(PIECE_LEN)];
        let mut pace = lease.connection().pace();
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE_LEN).min(PIECE_LEN);
            let read = lease.connection().read_content(&mut piece[..wanted], &mut pace, DOWNLOAD).await?;
            let before = Instant::now();
            receiver.write(&piece[..read]).await?;
            pace.forgive(before);
            left = left.saturating_sub(read as u64);
        }
        lease.release();
        Ok(())
    }

    /// Sends the request and reads the header of the reply; once more on a new connection if the one from the pool
    /// had died.
    async fn start_download(&self, request: &[u8]) -> Result<(Lease, u64)> {
        let mut reuse = true;
        loop {
            let mut lease = self.shared.pool.lease_any(&self.peer, DOWNLOAD, reuse).await?;
            let connection = lease.connection();
            connection.begin();
            let mut pace = connection.pace();
            let header = match connection.send(request, &mut pace, DOWNLOAD).await {
                Ok(()) => connection.reply_header(DOWNLOAD).await,
                Err(error) => Err(error),
            };
            match header {
                Ok(announced) => return Ok((lease, announced)),
                Err(error) => match error.status() {
                    Some(status) => {
                        lease.release_after(status);
                        return Err(error);
                    }
                    None if lease.is_reused() && error.kind() != Kind::Timeout => reuse = false,
                    None => return Err(error),
                },
            }
        }
    }
}

pub(crate) fn check_appender(id: &FileId, operation: &'static str) -> Result<()> {
    match id.name.kind() {
        FileKind::Appender => Ok(()),
        _ => Err(Error::local(
            Kind::InvalidRequest("only appender files can be changed: upload it as an appender"),
            operation,
        )),
    }
}

impl UploadOptions {
    /// The same, with the extension of a local file where none is given.
    pub(crate) fn with_ext_of(&self, local: &Path) -> UploadOptions {
        let name = local.file_name().unwrap_or_default().to_string_lossy();
        let ext = self.ext.unwrap_or_else(|| ExtName::from_path(&name));
        UploadOptions { ext: Some(ext), ..self.clone() }
    }
}
