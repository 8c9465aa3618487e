//! DOWNLOAD_FILE.

use fdfs_fileid::FileName;
use fdfs_proto::storage::download::Ask;
use fdfs_proto::{HEADER_LEN, Header};
use net::{Conn, ConnError};
use send_file::SendError;
use storage_core::stats::Counter;
use store::{StoreError, StoredFile};

use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::server::Server;

pub(crate) async fn download(
    server: &Server,
    conn: &mut Conn,
    body: &[u8],
    access: &mut Access,
) -> Result<Done, ConnError> {
    let ask = match Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, 0)),
    };
    let name =
        match (server.name_in(&ask.group, ask.name), super::fetch_binlog::for_member(server, conn, &ask)) {
            (Ok(name), _) | (Err(_), Some(name)) => name,
            (Err(status), None) => return Ok(Done::status(status)),
        };
    access.name(&name);
    let done = match server.store.open_file(&name).await.and_then(|file| part(file, &ask)) {
        Ok((file, at, len)) => send(server, conn, &name, (&file, at, len)).await?,
        Err(error) => Done::status(answer::status(&error)),
    };
    count(server, Counter::DownloadCount, &done);
    server.stats.count(Counter::FileOpenCount, done.status.is_ok());
    let content = done.sent.saturating_sub(HEADER_LEN as u64);
    server.stats.add(Counter::DownloadBytes, content, content);
    Ok(done)
}

/// The part of the file that is asked for: beyond the end is a mistake of the client, too long is cut. The
/// start of an empty file is an empty part, which the original refuses (wire protocol: defects).
fn part(file: StoredFile, ask: &Ask<'_>) -> Result<(StoredFile, u64, u64), StoreError> {
    if ask.offset > file.len || (ask.offset == file.len && file.len > 0) {
        return Err(StoreError::Offset);
    }
    let rest = file.len - ask.offset;
    let len = if ask.len == 0 { rest } else { ask.len.min(rest) };
    Ok((file, ask.offset, len))
}

/// The length was promised: only closing tells the peer.
async fn send(
    server: &Server,
    conn: &mut Conn,
    name: &FileName,
    (file, at, len): (&StoredFile, u64, u64),
) -> Result<Done, ConnError> {
    match send_file::send(conn, &Header::reply(len).encode(), file, at, len).await {
        Ok(()) => Ok(Done::sent(HEADER_LEN as u64 + len)),
        Err(SendError::Unread(error)) => Ok(Done::status(answer::status(&error))),
        Err(SendError::BrokenOff(error)) => {
            server.scrub.suspect(name);
            tracing::error!(%name, %error, "a download broke off, the file can't be read");
            Err(ConnError::Truncated)
        }
        Err(SendError::Conn(error)) => Err(error),
    }
}
