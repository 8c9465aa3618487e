//! A connection to another member, for messages about slots.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fdfs_proto::{HEADER_LEN, Header, RESPONSE, Status, StorageCommand, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tracker_link::wire;

/// Longest body of an answer, bytes.
const ANSWER_LEN_MAX: u64 = 64;

pub(super) struct Link {
    stream: TcpStream,
    timeout: Duration,
}

impl Link {
    /// Connects to the first of the addresses that answers.
    pub(super) async fn open(addresses: &[SocketAddr], settings: &wire::Settings) -> io::Result<Self> {
        let stream = wire::open_any(addresses, settings).await?;
        Ok(Self { stream, timeout: settings.network_timeout })
    }

    /// Asks, with this status in the header of the question. After an error, or `EINVAL`, it is not to be used again.
    pub(super) async fn ask(
        &mut self,
        command: StorageCommand,
        status: Status,
        body: &[u8],
    ) -> io::Result<(Status, Vec<u8>)> {
        let mut question = Vec::new();
        frame::request_head(&mut question, command, status.0, 0, |out| out.extend_from_slice(body));
        let exchange = async {
            self.stream.write_all(&question).await?;
            let mut head = [0; HEADER_LEN];
            self.stream.read_exact(&mut head).await?;
            let header = Header::decode(&head).ok().filter(|header| header.command == RESPONSE);
            let header = header.ok_or(io::ErrorKind::InvalidData)?;
            if header.body_len > ANSWER_LEN_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut body = vec![0; usize::try_from(header.body_len).unwrap_or_default()];
            self.stream.read_exact(&mut body).await?;
            Ok((header.status(), body))
        };
        timeout(self.timeout, exchange).await?
    }

    /// Whether the peer has not closed it meanwhile.
    pub(super) fn is_usable(&self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
