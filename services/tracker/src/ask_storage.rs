//! The two questions a tracker asks a storage, each on a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fdfs_proto::{HEADER_LEN, Header, RESPONSE, StorageCommand, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracker_core::{ServerAddrs, StorageAsk};

/// How long to wait for a storage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the connection, at each of its addresses.
    pub(crate) connect: Duration,
    /// For the answer.
    pub(crate) answer: Duration,
}

/// Asks a storage at the first of its addresses that can be connected to. None when there is no answer, or a
/// refusal.
pub(crate) async fn ask(addrs: ServerAddrs, port: u16, ask: StorageAsk, patience: Patience) -> Option<u64> {
    for addr in addrs.iter() {
        let addr = SocketAddr::new(addr, port);
        let Ok(Ok(mut stream)) = timeout(patience.connect, TcpStream::connect(addr)).await else { continue };
        return match timeout(patience.answer, exchange(&mut stream, ask)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::warn!(%addr, ?ask, %error, "a storage broke off");
                None
            }
            Err(_) => {
                tracing::warn!(%addr, ?ask, "a storage does not answer");
                None
            }
        };
    }
    tracing::warn!(addr = %addrs.first(), port, ?ask, "a storage cannot be reached");
    None
}

async fn exchange(stream: &mut TcpStream, ask: StorageAsk) -> io::Result<Option<u64>> {
    let (command, answer_len) = match ask {
        StorageAsk::TrunkBinlogSize => (StorageCommand::TrunkBinlogSize, 8),
        StorageAsk::DeleteTrunkMarks => (StorageCommand::TrunkDeleteMarks, 0),
    };
    let mut request = Vec::with_capacity(HEADER_LEN);
    frame::request(&mut request, command, |_| {});
    stream.write_all(&request).await?;
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).await?;
    let header = Header::decode(&head).map_err(|_| io::ErrorKind::InvalidData)?;
    if header.command != RESPONSE || header.status != 0 || header.body_len != answer_len {
        return Ok(None);
    }
    let mut body = [0; 8];
    if answer_len > 0 {
        stream.read_exact(&mut body).await?;
    }
    Ok(u64::try_from(i64::from_be_bytes(body)).ok())
}
