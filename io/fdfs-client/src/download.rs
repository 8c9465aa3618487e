//! Downloads through the cluster: from another storage when one fails, and compared with the id.

use crate::client::{Client, Sources, another_may_help};
use crate::error::{Error, Kind, Result};
use crate::receive::{Receiver, Sink};
use crate::storage::{DOWNLOAD, Downloaded};
use crate::verify::Promise;
use fdfs_fileid::{FileId, Kind as FileKind};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncWrite;

/// Which part of a file is downloaded, and whether it is compared with the id.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// Where to begin. Default 0.
    pub offset: u64,
    /// How many bytes; `None` for all that follow. What the file does not have is not sent. Default `None`.
    pub length: Option<u64>,
    /// Compare size and CRC-32 with those in the id, where the whole file is downloaded and the id has them (normal
    /// files do, appenders and slaves do not); of a part only that the file does not end before it should. Default true.
    pub verify: bool,
}

impl Default for DownloadOptions {
    fn default() -> DownloadOptions {
        DownloadOptions { offset: 0, length: None, verify: true }
    }
}

impl DownloadOptions {
    /// What the id promises about what will be received.
    pub(crate) fn promise(&self, id: &FileId) -> Option<Promise> {
        let promise = Promise::of(&id.name).filter(|_| self.verify && self.offset == 0)?;
        self.length.is_none_or(|length| length == promise.size && length > 0).then_some(promise)
    }
}

impl Client {
    /// Downloads into memory, at most
    /// [`ClientConfig::max_buffered_download`](crate::ClientConfig::max_buffered_download) bytes.
    ///
    /// ```no_run
    /// # async fn example(client: fdfs_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use fdfs_client::{DownloadOptions, FileId};
    ///
    /// let id: FileId = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt".parse()?;
    /// let all = client.download(&id, &DownloadOptions::default()).await?;
    /// let part = DownloadOptions { offset: 6, length: Some(4), ..DownloadOptions::default() };
    /// assert_eq!(client.download(&id, &part).await?, all[6..10]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when no storage has the file, EINVAL when the offset is at or beyond its end;
    /// [`Kind::Corrupt`] when no storage has a copy that is what the id promises; [`Kind::TooLarge`].
    pub async fn download(&self, id: &FileId, options: &DownloadOptions) -> Result<Vec<u8>> {
        let limit = self.config().max_buffered_download;
        let mut receiver = Receiver::new(Sink::Buffer { bytes: Vec::new(), limit }, DOWNLOAD);
        self.receive(id, options, &mut receiver).await?;
        match receiver.sink {
            Sink::Buffer { bytes, .. } => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// Downloads into a writer, in bounded memory. When a storage fails on the way, another one gives the rest.
    ///
    /// # Errors
    /// As [`Client::download`]; [`Kind::LocalWrite`] when the writer fails. The writer may have received a part, or,
    /// with [`Kind::Corrupt`], bytes that are wrong.
    pub async fn download_to_writer(
        &self,
        id: &FileId,
        options: &DownloadOptions,
        writer: &mut (impl AsyncWrite + Send + Unpin),
    ) -> Result<Downloaded> {
        let mut receiver = Receiver::new(Sink::Writer(writer), DOWNLOAD);
        self.receive(id, options, &mut receiver).await
    }

    /// Downloads into the file `local`, in bounded memory. The file appears under its name, or replaces an old one,
    /// only when it is complete; until then it has a name of its own in the same folder. A symbolic link stays, and leads to
    /// the new file; a device or a pipe is written to as by [`Client::download_to_writer`].
    ///
    /// # Errors
    /// As [`Client::download`]; [`Kind::LocalWrite`] when the file cannot be written.
    pub async fn download_to_file(
        &self,
        id: &FileId,
        options: &DownloadOptions,
        local: impl AsRef<Path>,
    ) -> Result<Downloaded> {
        let local = local.as_ref();
        let failed = |cause| Error::local(Kind::LocalWrite, DOWNLOAD).caused_by(cause);
        let there = tokio::fs::metadata(local).await.ok();
        if there.as_ref().is_some_and(|there| !there.is_file() && !there.is_dir()) {
            let mut file = tokio::fs::OpenOptions::new().write(true).open(local).await.map_err(failed)?;
            return self.download_to_writer(id, options, &mut file).await;
        }
        let local = &match there {
            Some(_) => tokio::fs::canonicalize(local).await.map_err(failed)?,
            None => local.to_owned(),
        };
        let (partial, file) = Partial::beside(local).await.map_err(failed)?;
        let mut receiver = Receiver::new(Sink::File(tokio::fs::File::from_std(file)), DOWNLOAD);
        let downloaded = self.receive(id, options, &mut receiver).await?;
        tokio::fs::rename(&partial.path, local).await.map_err(failed)?;
        partial.keep();
        Ok(downloaded)
    }

    pub(crate) async fn receive(
        &self,
        id: &FileId,
        options: &DownloadOptions,
        receiver: &mut Receiver<'_>,
    ) -> Result<Downloaded> {
        if options.length == Some(0) {
            return Ok(Downloaded { size: 0, crc32: 0, verified: false, storage: None });
        }
        let sources = self.sources(id).await?;
        self.receive_from(sources, id, options, receiver).await
    }

    pub(crate) async fn receive_from(
        &self,
        mut sources: Sources<'_>,
        id: &FileId,
        options: &DownloadOptions,
        receiver: &mut Receiver<'_>,
    ) -> Result<Downloaded> {
        let promise = options.promise(id);
        let storage = loop {
            let storage = sources.present();
            let outcome = storage.fetch(id, options, promise, receiver).await;
            let error = match outcome {
                Ok(()) => match promise.map(|it| it.check(receiver.received, receiver.crc32())) {
                    Some(Err(kind)) => storage.error(kind, DOWNLOAD),
                    _ => break storage.address().clone(),
                },
                Err(error) => error,
            };
            if !another_may_help(&error) {
                return Err(error);
            }
            // An appender may have been changed in between, and of two copies that differ a half each is nobody's
            // file. All other content never changes, so the rest may come from elsewhere.
            let start_over =
                id.name.kind() == FileKind::Appender || matches!(error.kind(), Kind::Corrupt { .. });
            if start_over && !receiver.restart().await? {
                return Err(error);
            }
            sources.next_after(error).await?;
        };
        receiver.flush().await?;
        Ok(Downloaded {
            size: receiver.received,
            crc32: receiver.crc32(),
            verified: promise.is_some(),
            storage: Some(storage),
        })
    }
}

/// The name of a file of ours that is not complete; removed when it is dropped.
struct Partial {
    path: PathBuf,
    kept: bool,
}

/// Names that are tried for a file that is not complete.
const PARTIAL_NAMES_MAX: u32 = 1000;

impl Partial {
    /// A new file beside `local`. A name that is taken belongs to somebody else and is passed over: in containers
    /// that share a volume processes have the same numbers.
    async fn beside(local: &Path) -> io::Result<(Partial, File)> {
        let local = local.to_owned();
        // All in one, so that a file that was made when nobody waits for it any more is removed again.
        let made = tokio::task::spawn_blocking(move || Partial::make(&local)).await;
        made.map_err(io::Error::other)?
    }

    fn make(local: &Path) -> io::Result<(Partial, File)> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        for _ in 0..PARTIAL_NAMES_MAX {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = local.with_file_name(format!(".fdfs-{}-{count}.part", std::process::id()));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((Partial { path, kept: false }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove an incomplete download");
        }
    }
}
