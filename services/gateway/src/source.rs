//! Where a file is, and its bytes.

use fdfs_client::{Client, DownloadOptions, InfoFlags, Kind, Side, named_size};
use fdfs_fileid::FileId;
use http_core::validator::never_changes;
use http_core::{FileFacts, Status};
use net::Conn;
use send_file::SendError;
use store::{StoreError, StoredFile};
use tokio::io::AsyncWriteExt;

use crate::run::Gateway;

/// A file that is there.
pub(crate) enum Source {
    /// In the store of this process, or on a store path of this host.
    Here(StoredFile),
    /// At storages that the trackers name.
    There { cluster: Client, id: FileId },
}

/// What is fetched before the head goes out, so that there may be another answer, bytes.
const FIRST_LEN: u64 = 64 * 1024;

/// Why the bytes of a file did not all go out. Unless [`Broken::unsent`] says otherwise the connection is to be closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Unfetched(fdfs_client::Error),
    /// As [`Broken::Short`], before anything went out.
    #[error("a storage has less of the file than there should be")]
    ShortAtOnce,
    #[error("a storage has less of the file than there should be")]
    Short,
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Fetch(#[from] fdfs_client::Error),
    #[error(transparent)]
    Conn(#[from] net::ConnError),
    #[error("{0}")]
    Write(#[from] std::io::Error),
}

/// The file if it is in the store of this process, or on a store path that the configuration names; another member may have
/// it when it can't be read.
pub(crate) async fn here(gateway: &Gateway, id: &FileId) -> Result<Option<(Source, FileFacts)>, Status> {
    let opened = match (gateway.local(&id.group), gateway.shelf(&id.group)) {
        // An open store knows more than its folders tell.
        (Some(local), _) => local.store.open_file(&id.name).await,
        (None, Some(shelf)) => shelf.open_file(&id.name).await,
        (None, None) => return Ok(None),
    };
    match opened {
        // As a power cut may leave it. Another member may have all of it.
        Ok(file) if named_size(&id.name).is_some_and(|size| size != file.len) => {
            gateway.local(&id.group).into_iter().for_each(|local| (local.suspect)(&id.name));
            Ok(None)
        }
        Ok(file) => {
            // Of what never changes the time is in the name.
            let modified = match never_changes(&id.name) {
                true => 0,
                false => file.mtime().await.map_err(|error| failed(id, &error))?,
            };
            let facts = FileFacts { size: file.len, modified };
            Ok(Some((Source::Here(file), facts)))
        }
        // Another member may have it, or a good copy of it.
        Err(
            StoreError::NotFound | StoreError::NotRegular | StoreError::NoSuchPath | StoreError::SetAside,
        ) => Ok(None),
        Err(error) => Err(failed(id, &error)),
    }
}

fn failed(id: &FileId, error: &StoreError) -> Status {
    tracing::error!(%id, %error, "a file can't be read here");
    Status::INTERNAL_ERROR
}

/// The file if a storage has it that the trackers name. One that is `to_be_read` at once needs no question before: what its
/// name says of it is enough, and reading tells that it is not there ([`Broken::unsent`]).
pub(crate) async fn there(
    cluster: &Client,
    id: &FileId,
    to_be_read: bool,
) -> Result<Option<(Source, FileFacts)>, Status> {
    let named = named_size(&id.name);
    if let Some(size) = named.filter(|size| to_be_read && *size > 0) {
        let source = Source::There { cluster: cluster.clone(), id: id.clone() };
        return Ok(Some((source, FileFacts { size, modified: 0 })));
    }
    let flags = InfoFlags { no_crc: true, silent: true };
    match cluster.file_info(id, flags).await {
        Ok(info) => {
            let source = Source::There { cluster: cluster.clone(), id: id.clone() };
            // The name is right where a copy is not.
            let size = named.unwrap_or(info.size);
            Ok(Some((source, FileFacts { size, modified: info.mtime })))
        }
        Err(error) if is_nowhere(&error) => Ok(None),
        Err(error) => {
            tracing::warn!(%id, %error, "a file can't be had from its group");
            Err(status(&error))
        }
    }
}

/// Whether nobody has such a file: it is not there, or its group has no such store path.
fn is_nowhere(error: &fdfs_client::Error) -> bool {
    error.is_not_found() || error.status() == Some(fdfs_client::Status::EINVAL)
}

/// What a client is told about a failure of others.
pub(crate) fn status(error: &fdfs_client::Error) -> Status {
    match (error.kind(), error.side()) {
        (Kind::Timeout, _) => Status::GATEWAY_TIMEOUT,
        (Kind::Busy, _) => Status::SERVICE_UNAVAILABLE,
        (Kind::NoTracker, _) | (_, Side::Local) => Status::INTERNAL_ERROR,
        _ => Status::BAD_GATEWAY,
    }
}

impl Broken {
    /// What failed before anything went out.
    pub(crate) fn early(self) -> Self {
        match self {
            Self::Fetch(error) => Self::Unfetched(error),
            Self::Short => Self::ShortAtOnce,
            Self::Send(SendError::BrokenOff(error)) => Self::Send(SendError::Unread(error)),
            other => other,
        }
    }

    /// Whether the own copy can't be read.
    pub(crate) fn is_unread_here(&self) -> bool {
        matches!(self, Self::Send(SendError::Unread(_) | SendError::BrokenOff(_)))
    }

    /// What failed behind what has gone out.
    pub(crate) fn late(self) -> Self {
        match self {
            Self::Unfetched(error) => Self::Fetch(error),
            Self::ShortAtOnce => Self::Short,
            Self::Send(SendError::Unread(error)) => Self::Send(SendError::BrokenOff(error)),
            other => other,
        }
    }

    /// The length was promised: only closing the connection tells the client.
    pub(crate) fn into_conn(self, id: &FileId) -> net::ConnError {
        match self {
            Self::Conn(error) | Self::Send(SendError::Conn(error)) => error,
            error => {
                tracing::warn!(%id, %error, "an answer broke off");
                net::ConnError::Truncated
            }
        }
    }

    /// The status to answer with, when nothing has gone out.
    pub(crate) fn unsent(&self) -> Option<Status> {
        match self {
            Self::Unfetched(error) if is_nowhere(error) => Some(Status::NOT_FOUND),
            Self::Unfetched(error) => Some(status(error)),
            Self::ShortAtOnce => Some(Status::BAD_GATEWAY),
            Self::Send(SendError::Unread(_)) => Some(Status::INTERNAL_ERROR),
            _ => None,
        }
    }
}

impl Source {
    /// Sends `head`, and behind it `len` bytes from `at` on.
    pub(crate) async fn send(
        &mut self,
        conn: &mut Conn,
        head: &[u8],
        at: u64,
        len: u64,
    ) -> Result<(), Broken> {
        match self {
            Self::Here(file) => Ok(send_file::send(conn, head, file, at, len).await?),
            Self::There { cluster, id } => {
                let first = len.min(FIRST_LEN);
                let content = fetch(cluster, id, at, first).await.map_err(Broken::early)?;
                conn.write_pair(head, &content).await?;
                let (at, len) = (at + first, len - first);
                if len > 0 {
                    let mut writer = conn.writer();
                    let fetched = cluster.download_to_writer(id, &part(at, len), &mut writer).await?;
                    if fetched.size != len {
                        return Err(Broken::Short);
                    }
                    writer.flush().await?;
                }
                Ok(())
            }
        }
    }

    /// Reads `len` bytes from `at` on.
    pub(crate) async fn read(&mut self, at: u64, len: usize) -> Result<Vec<u8>, Broken> {
        match self {
            Self::Here(file) => Ok(file.read(at, len).await.map_err(SendError::BrokenOff)?),
            Self::There { cluster, id } => fetch(cluster, id, at, len as u64).await,
        }
    }
}

fn part(at: u64, len: u64) -> DownloadOptions {
    DownloadOptions { offset: at, length: Some(len), ..DownloadOptions::default() }
}

/// Exactly `len` bytes from `at` on. Storages send what they have: of an appender that was cut meanwhile, less.
async fn fetch(cluster: &Client, id: &FileId, at: u64, len: u64) -> Result<Vec<u8>, Broken> {
    match cluster.download(id, &part(at, len)).await {
        Ok(content) if content.len() as u64 == len => Ok(content),
        Ok(_) => Err(Broken::Short),
        // So is one told that ends before the part begins. That its group has no such store path was told before.
        Err(error) if at > 0 && error.status() == Some(fdfs_client::Status::EINVAL) => Err(Broken::Short),
        Err(error) => Err(error.into()),
    }
}
