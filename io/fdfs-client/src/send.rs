//! Requests with content: a head in memory, then any number of bytes in bounded memory.

use crate::content::{Content, Source};
use crate::error::{Error, Kind, Result};
use crate::pool::Lease;
use fdfs_proto::StorageCommand;
use fdfs_proto::frame;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

/// Content is sent in pieces of this size.
const PIECE_LEN: usize = 256 * 1024;
/// Content up to this size is sent together with the head.
const JOIN_LEN: usize = 32 * 1024;
/// The longest reply: a group and a name.
const REPLY_LEN_MAX: usize = 1024;

/// What was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) size: u64,
    pub(crate) crc32: u32,
}

/// Sends head and content on a leased connection and gives the body of the reply.
///
/// After any failure the connection is closed: the storage may not have read all of the content. A refusal came
/// before the storage did anything; after all other failures the outcome is not known, unless not all of the content
/// was sent, because then no storage does anything.
pub(crate) async fn send_content(
    mut lease: Lease,
    operation: &'static str,
    command: StorageCommand,
    head: impl FnOnce(&mut Vec<u8>),
    content: Content<'_>,
) -> Result<(Vec<u8>, Sent)> {
    let size = content.size();
    let mut buffer = Vec::new();
    frame::request_head(&mut buffer, command, 0, size, head);
    let connection = lease.connection();
    connection.begin();
    let mut pace = connection.pace();
    let mut crc = crc32fast::Hasher::new();
    match content.source {
        Source::Bytes(bytes) => {
            crc.update(bytes);
            if bytes.len() <= JOIN_LEN {
                buffer.extend_from_slice(bytes);
                connection.send(&buffer, &mut pace, operation).await?;
            } else {
                connection.send(&buffer, &mut pace, operation).await?;
                connection.send(bytes, &mut pace, operation).await?;
            }
        }
        Source::Reader { mut reader, size } => {
            let mut left = size;
            buffer.reserve(usize::try_from(size).unwrap_or(PIECE_LEN).min(PIECE_LEN));
            loop {
                let before = Instant::now();
                let room = (PIECE_LEN as u64).saturating_sub(buffer.len() as u64).min(left);
                let from = buffer.len();
                let read = (&mut reader).take(room).read_to_end(&mut buffer).await;
                pace.forgive(before);
                let read = read.map_err(|cause| Error::local(Kind::LocalRead, operation).caused_by(cause))?;
                if (read as u64) < room {
                    let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Err(Error::local(Kind::LocalRead, operation).caused_by(early));
                }
                crc.update(&buffer[from..]);
                connection.send(&buffer, &mut pace, operation).await?;
                buffer.clear();
                left -= room;
                if left == 0 {
                    break;
                }
            }
        }
    }
    match connection.reply(REPLY_LEN_MAX, operation).await {
        Ok(reply) => {
            lease.release();
            Ok((reply, Sent { size, crc32: crc.finalize() }))
        }
        Err(error) if error.status().is_some() => Err(error),
        Err(error) => Err(error.with_outcome_unknown()),
    }
}
