//! A connection to a peer that has files which are wanted here. Every wait has a deadline.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_proto::storage::{download, fetch_binlog, file_info, report_server_id};
use fdfs_proto::{
    GroupField, HEADER_LEN, Header, RESPONSE, RawName, Status, StorageCommand, StorageId, frame,
};
use storage_core::recovery::Version;
use store::{Content, Store, StoreError, named_content};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::tracker_link::wire;

/// What is read at a time, bytes.
const STEP: usize = 256 * 1024;

/// How long a peer may be silent while it looks through its log for files that are there (storage internals:
/// single-disk recovery).
const LIST_PAUSE_MIN: Duration = Duration::from_secs(600);

/// Longest answer about a file, bytes.
const INFO_LEN_MAX: usize = 256;

/// Why a peer did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// It does not answer, or broke off.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// It says no.
    #[error("it refuses: {0}")]
    Refused(Status),
    /// The store here does not take it.
    #[error("it cannot be stored: {0}")]
    Store(#[from] StoreError),
}

pub(crate) struct Peer {
    stream: TcpStream,
    timeout: Duration,
    group: GroupField,
}

impl Peer {
    /// Connects to the first of the addresses that answers.
    pub(crate) async fn open(
        addresses: &[SocketAddr],
        settings: &wire::Settings,
        group: GroupField,
    ) -> Result<Self, PeerError> {
        let stream = wire::open_any(addresses, settings).await?;
        Ok(Self { stream, timeout: settings.network_timeout, group })
    }

    async fn ask(
        &mut self,
        command: StorageCommand,
        wait: Duration,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Header, PeerError> {
        let mut message = Vec::new();
        frame::request(&mut message, command, body);
        self.send(&message, wait).await
    }

    async fn send(&mut self, message: &[u8], wait: Duration) -> Result<Header, PeerError> {
        let mut head = [0; HEADER_LEN];
        timeout(self.timeout, self.stream.write_all(message)).await.map_err(io::Error::from)??;
        timeout(wait, self.stream.read_exact(&mut head)).await.map_err(io::Error::from)??;
        let reply = Header::decode(&head).ok().filter(|reply| reply.command == RESPONSE);
        Ok(reply.ok_or(io::Error::from(io::ErrorKind::InvalidData))?)
    }

    /// Says who asks: from then on the peer tells what it has itself, and asks nobody else.
    pub(crate) async fn introduce(&mut self, me: StorageId) -> Result<(), PeerError> {
        let ask = report_server_id::Ask { id: me };
        let reply = self.ask(StorageCommand::ReportServerId, self.timeout, |out| ask.encode(out)).await?;
        match (reply.status(), reply.body_len) {
            (Status::OK, 0) => Ok(()),
            (Status::OK, _) => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
            (status, _) => Err(PeerError::Refused(status)),
        }
    }

    /// Writes the lines of a store path to `spool`, and leaves nothing else there. Consumes the connection, whose end
    /// is that of the list.
    pub(super) async fn list(mut self, path: StorePathIndex, mut spool: File) -> Result<File, PeerError> {
        let ask = fetch_binlog::Ask { group: self.group, path };
        let wait = self.timeout.max(LIST_PAUSE_MIN);
        let reply = self.ask(StorageCommand::FetchOnePathBinlog, wait, |out| ask.encode(out)).await?;
        if !reply.status().is_ok() {
            return Err(PeerError::Refused(reply.status()));
        }
        let mut len = 0;
        let mut buffer = vec![0; STEP];
        loop {
            let read = timeout(wait, self.stream.read(&mut buffer)).await.map_err(io::Error::from)??;
            if read == 0 {
                break;
            }
            len += read as u64;
            let write =
                move || spool.write_all(buffer.get(..read).unwrap_or_default()).map(|()| (spool, buffer));
            (spool, buffer) = spawn_blocking(write).await.map_err(io::Error::other)??;
        }
        let cut = move || {
            let mut trailer = [0; fetch_binlog::TRAILER_LEN];
            if let Some(at) = len.checked_sub(fetch_binlog::TRAILER_LEN as u64) {
                spool.read_exact_at(&mut trailer, at)?;
            }
            let text = fetch_binlog::check_trailer(len, trailer)
                .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, "its list is not complete"))?;
            spool.set_len(text)?;
            Ok::<_, io::Error>(spool)
        };
        Ok(spawn_blocking(cut).await.map_err(io::Error::other)??)
    }

    /// Which version of a file the peer has; `None` when it has it no more.
    pub(super) async fn version(&mut self, name: &FileName) -> Result<Option<Version>, PeerError> {
        let flags = file_info::Flags { no_crc: true, silent: true };
        let (group, name) = (self.group, RawName::new(name.as_str().as_bytes()));
        let mut message = Vec::new();
        frame::request_head(&mut message, StorageCommand::QueryFileInfo, flags.status(), 0, |out| {
            file_info::Ask { flags, group, name }.encode(out);
        });
        let reply = self.send(&message, self.timeout).await?;
        match reply.status() {
            Status::OK => {}
            Status::ENOENT => return Ok(None),
            status => return Err(PeerError::Refused(status)),
        }
        let mut body = vec![0; usize::try_from(reply.body_len).unwrap_or_default().min(INFO_LEN_MAX)];
        timeout(self.timeout, self.stream.read_exact(&mut body)).await.map_err(io::Error::from)??;
        let got = file_info::Got::decode(&body).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Some(Version { mtime: got.mtime, size: got.size }))
    }

    /// Fetches a file that will be `here` under this name; `None` when the peer has it no more.
    pub(crate) async fn download(
        &mut self,
        store: &Store,
        there: &FileName,
        here: &FileName,
    ) -> Result<Option<Content>, PeerError> {
        // The original refuses to send an empty file (wire protocol: defects).
        if named_content(there).is_some_and(|(len, _)| len == 0) {
            return Ok(Some(Content::Bytes(Vec::new().into())));
        }
        let name = RawName::new(there.as_str().as_bytes());
        let ask = download::Ask { offset: 0, len: 0, group: self.group, name };
        let reply = self.ask(StorageCommand::DownloadFile, self.timeout, |out| ask.encode(out)).await?;
        match reply.status() {
            Status::OK => {}
            Status::ENOENT => return Ok(None),
            status => return Err(PeerError::Refused(status)),
        }
        let mut left = reply.body_len;
        if let Ok(len) = usize::try_from(left)
            && len <= store.inline_max()
        {
            let mut content = vec![0; len];
            timeout(self.timeout, self.stream.read_exact(&mut content)).await.map_err(io::Error::from)??;
            return Ok(Some(Content::Bytes(content.into())));
        }
        let mut staged = store.stage(here.path_index(), left).await?;
        while left > 0 {
            let mut chunk = vec![0; STEP.min(usize::try_from(left).unwrap_or(STEP))];
            timeout(self.timeout, self.stream.read_exact(&mut chunk)).await.map_err(io::Error::from)??;
            left -= chunk.len() as u64;
            staged.write(chunk).await?;
        }
        Ok(Some(Content::Staged(staged)))
    }
}
