//! One connection to a peer. Every wait has a deadline.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fdfs_proto::storage::report_server_id;
use fdfs_proto::{HEADER_LEN, Header, RESPONSE, Status, StorageCommand, StorageId, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tracker_link::wire;

/// Longest body of an answer, bytes. That of the original to a rename holds the names (storage internals: holes, D18).
const ANSWER_LEN_MAX: u64 = 4096;

/// How long an answer is waited for that may have come before the connection broke.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What became of a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The peer has no address, or none of them answers.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The peer does not take this storage as a peer.
    #[error("the peer refused the connection: {0}")]
    Refused(Status),
    /// It broke before a message was out.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// A message could not be written for so long.
    #[error("the peer takes nothing any more")]
    Stuck,
    /// A whole message went out, and no answer came.
    #[error("no answer: {0}")]
    Unanswered(String),
}

impl LinkError {
    /// Whether the record that was sent may be the reason.
    pub(super) fn is_about_record(&self) -> bool {
        matches!(self, Self::Unanswered(_))
    }
}

/// A connection to a peer that knows whose changes come over it.
pub(super) struct Link {
    stream: TcpStream,
    timeout: Duration,
    /// Nothing more can be said on it.
    broken: bool,
    /// The peer had the last file already, so it may have the next one.
    pub(super) peer_has: bool,
}

impl Link {
    /// Connects to the first of the addresses that answers, and says who this storage is.
    pub(super) async fn open(
        addresses: &[SocketAddr],
        settings: &wire::Settings,
        me: StorageId,
    ) -> Result<Self, LinkError> {
        let stream = wire::open_any(addresses, settings).await;
        let stream = stream.map_err(|error| LinkError::Connect(error.to_string()))?;
        let mut link = Self { stream, timeout: settings.network_timeout, broken: false, peer_has: false };
        link.introduce(me).await?;
        Ok(link)
    }

    async fn introduce(&mut self, id: StorageId) -> Result<(), LinkError> {
        let mut message = Vec::new();
        frame::request(&mut message, StorageCommand::ReportServerId, |out| {
            report_server_id::Ask { id }.encode(out);
        });
        self.write(&message).await?;
        match self.answer().await? {
            (Status::OK, _) => Ok(()),
            (status, _) => Err(LinkError::Refused(status)),
        }
    }

    /// Whether it can be used again: nothing failed, and the peer has not closed it meanwhile.
    pub(super) fn is_usable(&self) -> bool {
        let silent = || matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        !self.broken && silent()
    }

    /// Writes a message or a part of one, each within the network timeout.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        match timeout(self.timeout, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.broken = true;
                Err(LinkError::Broken(error))
            }
            Err(_) => {
                self.broken = true;
                Err(LinkError::Stuck)
            }
        }
    }

    /// The answer to a message that is out: its status and body.
    pub(super) async fn answer(&mut self) -> Result<(Status, Vec<u8>), LinkError> {
        let read = timeout(self.timeout, read_answer(&mut self.stream)).await;
        match read {
            Ok(Ok((status, body))) => {
                // A peer of the original closes after this one; where a refusal has a body, nobody knows where it ends.
                self.broken |= status == Status::EINVAL || !status.is_ok() && !body.is_empty();
                Ok((status, body))
            }
            Ok(Err(error)) => {
                self.broken = true;
                Err(LinkError::Unanswered(error.to_string()))
            }
            Err(_) => {
                self.broken = true;
                Err(LinkError::Unanswered("time is up".to_owned()))
            }
        }
    }

    /// After a message could not be written whole: the refusal that may have come before, or else `error`.
    pub(super) async fn last_words(&mut self, error: LinkError) -> Result<(Status, Vec<u8>), LinkError> {
        match timeout(LAST_WORDS, read_answer(&mut self.stream)).await {
            Ok(Ok((status, body))) if !status.is_ok() => Ok((status, body)),
            _ => Err(error),
        }
    }

    /// The content of a message can't be completed: only closing tells the peer so.
    pub(super) fn give_up(&mut self) {
        self.broken = true;
    }
}

async fn read_answer(stream: &mut TcpStream) -> io::Result<(Status, Vec<u8>)> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).await?;
    let header = Header::decode(&head).map_err(|_| invalid("it is no header"))?;
    if header.command != RESPONSE {
        return Err(invalid("it is no answer"));
    }
    if header.body_len > ANSWER_LEN_MAX {
        return Err(invalid("it is too long"));
    }
    let mut body = vec![0; usize::try_from(header.body_len).unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    Ok((header.status(), body))
}
