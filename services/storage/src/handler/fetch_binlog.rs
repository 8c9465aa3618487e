//! FETCH_ONE_PATH_BINLOG: which files a store path has, for a member of the group that lost its disk (storage internals:
//! FETCH_ONE_PATH_BINLOG).
//!
//! The answer has no length: lines follow until the connection closes. Each names a file that is there now as a new one:
//! here a link has its own content, and a file that was renamed or replaced is copied like any other.

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::binlog::{Change, Record};
use fdfs_proto::storage::download;
use fdfs_proto::storage::fetch_binlog::{Ask, REPLY_LEN, trailer};
use fdfs_proto::{HEADER_LEN, Header, Status, StorageCommand};
use net::{Conn, ConnError};
use storage_core::recovery;
use storage_core::replication::LogPosition;
use store::StoreError;
use store::binlog::{LogReader, Read};
use tokio::task::spawn_blocking;

use crate::answer;
use crate::connection::{Done, malformed};
use crate::server::Server;

/// Every id of a store path is nobody else's business than the members' (storage internals: holes, S4).
pub(crate) async fn fetch(server: &Server, conn: &mut Conn, body: &[u8]) -> Result<Done, ConnError> {
    let ask = match Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, 0)),
    };
    if !server.admits_member(conn.peer_ip(), StorageCommand::FetchOnePathBinlog) {
        return Ok(Done::status(Status::EINVAL));
    }
    let own_group = server.known().is_some_and(|known| ask.group.is(&known.group));
    if !own_group || usize::from(ask.path.0) >= server.store.path_count() {
        return Ok(Done::status(Status::EINVAL));
    }
    let (log, begin) = (server.store.shared_binlog(), LogPosition::default());
    let Ok(Ok(reader)) = spawn_blocking(move || LogReader::open(&log, begin)).await else {
        return Ok(Done::status(Status::EIO));
    };
    tracing::info!(peer = %conn.peer(), path = ask.path.0, "a peer fetches the list of a store path");
    conn.write_head(&Header::reply(REPLY_LEN).encode()).await?;
    let len = send(server, conn, ask.path, reader).await?;
    conn.write(&trailer(len)).await?;
    // The end of the answer is that of the connection: as after a request of which too much is unread, nothing more is
    // taken from it.
    Ok(Done { unread: u64::MAX, ..Done::sent(HEADER_LEN as u64 + len) })
}

/// Sends the lines; gives their length.
async fn send(
    server: &Server,
    conn: &mut Conn,
    path: StorePathIndex,
    mut reader: LogReader,
) -> Result<u64, ConnError> {
    let mut len = 0;
    loop {
        let log = server.store.shared_binlog();
        let read = move || {
            let mut lines = Vec::new();
            let read = reader.read(&log, &mut lines);
            (reader, read, lines)
        };
        // The peer sees from the missing trailer that this is not all.
        let Ok((back, read, lines)) = spawn_blocking(read).await else { return Err(ConnError::Stopping) };
        reader = back;
        let mut text = String::new();
        for record in lines.into_iter().filter_map(|line| line.record.ok()) {
            let Some(name) = recovery::listed(&record, path) else { continue };
            if !is_here(server, name).await? {
                continue;
            }
            let change = Change::Create { name: name.clone() };
            let line = Record { timestamp: record.timestamp, origin: record.origin, change };
            text.push_str(&line.encode().unwrap_or_default());
        }
        conn.write(text.as_bytes()).await?;
        len += text.len() as u64;
        match read {
            Ok(Read::More) => {}
            Ok(Read::End) => return Ok(len),
            Err(error) => {
                tracing::error!(%error, "the binlog can't be read, the list of a store path broke off");
                return Err(ConnError::Truncated);
            }
        }
    }
}

async fn is_here(server: &Server, name: &FileName) -> Result<bool, ConnError> {
    match server.store.open_file(name).await {
        // One whose copy was bad is on record here: the download is refused then, and whoever asks looks elsewhere.
        Ok(_) | Err(StoreError::SetAside) => Ok(true),
        Err(StoreError::NotFound | StoreError::NotRegular) => Ok(false),
        // A list without this file would look complete.
        Err(error) => {
            tracing::error!(%name, status = %answer::status(&error), "the list of a store path broke off");
            Err(ConnError::Truncated)
        }
    }
}

/// What a member of the group downloads by its own name, as the original does with what such a list has: metadata
/// files, and the trunk file as a whole where the list has files in slots; refused that, it asks for ever. From anybody
/// else these are no names (storage internals: holes, S3, S10).
pub(crate) fn for_member(server: &Server, conn: &Conn, ask: &download::Ask<'_>) -> Option<FileName> {
    let name: FileName = ask.name.parse().ok()?;
    let is_metadata = name.metadata_master().is_some_and(|master| master.check_client().is_ok());
    let inside = usize::from(name.path_index().0) < server.store.path_count();
    let own_group = server.known().is_some_and(|known| ask.group.is(&known.group));
    let allowed =
        (is_metadata || name.is_trunk_container()) && inside && own_group && server.is_member(conn.peer_ip());
    allowed.then_some(name)
}
