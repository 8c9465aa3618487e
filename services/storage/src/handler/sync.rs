//! What other members of the group push: SYNC_CREATE_FILE, SYNC_UPDATE_FILE, SYNC_DELETE_FILE, SYNC_APPEND_FILE,
//! SYNC_MODIFY_FILE, SYNC_TRUNCATE_FILE, SYNC_CREATE_LINK, SYNC_RENAME_FILE, and REPORT_SERVER_ID (storage internals:
//! receiver behaviour).
//!
//! Served to members only, as the trackers name them (storage internals: holes, S2).

use fdfs_fileid::{FileName, Kind};
use fdfs_proto::storage::{report_server_id, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write};
use fdfs_proto::{GroupField, Header, RawName, Status, StorageCommand};
use net::{Conn, ConnError};
use storage_core::stats::Counter;
use store::{Received, StoreError, WhichCopy};

use super::change::head;
use super::link::copy_of;
use crate::answer;
use crate::connection::{Done, Session, malformed};
use crate::content::{self, Taken};
use crate::server::{Server, unix_now};

/// Which bytes of a file come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those behind its end.
    Appended,
    /// Those over others.
    Modified,
}

/// REPORT_SERVER_ID: whose changes come over this connection.
pub(crate) fn report_server_id(session: &mut Session, body: &[u8]) -> Done {
    match report_server_id::Ask::decode(body) {
        Ok(ask) => {
            session.source = Some(ask.id);
            Done::status(Status::OK)
        }
        Err(error) => malformed(error, 0),
    }
}

/// SYNC_CREATE_FILE and SYNC_UPDATE_FILE.
pub(crate) async fn copy(
    server: &Server,
    conn: &mut Conn,
    session: &Session,
    header: Header,
    which: WhichCopy,
) -> Result<Done, ConnError> {
    let (head, unread) = match head(conn, header, sync_copy::FIXED_LEN).await? {
        Ok(head) => head,
        Err(done) => return Ok(done),
    };
    let ask = match sync_copy::Ask::decode(header.status, header.body_len, &head) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, unread)),
    };
    let name = match name_in(server, &ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Ok(Done::refused(status, unread)),
    };
    let taken = match ask.has_content {
        true => match take(server, conn, &name, ask.size).await? {
            Ok(taken) => Some(taken),
            Err(done) => return Ok(done),
        },
        false => None,
    };
    let result = match taken {
        // Who deleted it has told the others, too.
        _ if came_too_late(server, &name) => Ok(Received::Had),
        // Who is told that it is not here after all sends it.
        None if matches!(
            server.store.open_file(&name).await,
            Err(StoreError::NotFound | StoreError::SetAside)
        ) =>
        {
            Err(StoreError::NotFound)
        }
        None => server.store.receive_claim(name, which, ask.timestamp).await.map(|()| Received::Had),
        Some(taken) => {
            let received = server.store.receive_copy(name.clone(), taken.into(), which, ask.timestamp).await;
            received.inspect(|_| server.relay.gone.remove(&name))
        }
    };
    let status = match &result {
        Ok(Received::Stored) => Status::OK,
        Ok(Received::Had) => Status::EEXIST,
        Err(error) => answer::status(error),
    };
    Ok(received(server, session, ask.timestamp, ask.content_len(), status))
}

/// SYNC_APPEND_FILE and SYNC_MODIFY_FILE.
pub(crate) async fn write(
    server: &Server,
    conn: &mut Conn,
    session: &Session,
    header: Header,
    part: Part,
) -> Result<Done, ConnError> {
    let (head, unread) = match head(conn, header, sync_write::FIXED_LEN).await? {
        Ok(head) => head,
        Err(done) => return Ok(done),
    };
    let ask = match sync_write::Ask::decode(header.body_len, &head) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, unread)),
    };
    let name = match name_in(server, &ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Ok(Done::refused(status, unread)),
    };
    let content = match take(server, conn, &name, ask.size).await? {
        Ok(taken) => taken.into(),
        Err(done) => return Ok(done),
    };
    let result = match part {
        Part::Appended => server.store.receive_append(name, ask.start, content, ask.timestamp).await,
        Part::Modified => server.store.receive_modify(name, ask.start, content, ask.timestamp).await,
    };
    let status = result.map_or_else(|error| change_status(&error), |()| Status::OK);
    Ok(received(server, session, ask.timestamp, ask.size, status))
}

/// The requests without content.
pub(crate) async fn whole(server: &Server, session: &Session, command: StorageCommand, body: &[u8]) -> Done {
    let answered = match command {
        StorageCommand::SyncDelete => delete(server, body).await,
        StorageCommand::SyncTruncate => truncate(server, body).await,
        StorageCommand::SyncRename => rename(server, body).await,
        _ => link(server, body).await,
    };
    match answered {
        Ok((time, status)) => received(server, session, time, 0, status),
        Err(done) => done,
    }
}

async fn delete(server: &Server, body: &[u8]) -> Result<(u32, Status), Done> {
    let ask = sync_delete::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let name = name_in(server, &ask.group, ask.name).map_err(Done::status)?;
    let result = server.store.receive_delete(name.clone(), ask.timestamp).await;
    // One that is not here may still come, from a member that has not heard of its deletion.
    if matches!(result, Ok(()) | Err(StoreError::NotFound)) {
        server.relay.gone.add(name);
    }
    let status = result.map_or_else(|error| answer::status(&error), |()| Status::OK);
    Ok((ask.timestamp, status))
}

async fn truncate(server: &Server, body: &[u8]) -> Result<(u32, Status), Done> {
    let ask = sync_truncate::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let name = name_in(server, &ask.group, ask.name).map_err(Done::status)?;
    let result = server.store.receive_truncate(name, ask.old_size, ask.new_size, ask.timestamp).await;
    Ok((ask.timestamp, result.map_or_else(|error| change_status(&error), |()| Status::OK)))
}

async fn rename(server: &Server, body: &[u8]) -> Result<(u32, Status), Done> {
    let ask = sync_pair::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let to = name_in(server, &ask.group, ask.dest).map_err(Done::status)?;
    let from = name_in(server, &ask.group, ask.source).map_err(Done::status)?;
    let result = server.store.receive_rename(from, to, ask.timestamp).await;
    Ok((ask.timestamp, result.map_or_else(|error| answer::status(&error), |()| Status::OK)))
}

/// A link gets a copy of the content. One that is there, or without its source, is passed over, as by the original.
async fn link(server: &Server, body: &[u8]) -> Result<(u32, Status), Done> {
    let ask = sync_pair::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let link = name_in(server, &ask.group, ask.dest).map_err(Done::status)?;
    let source = name_in(server, &ask.group, ask.source).map_err(Done::status)?;
    let made = async {
        let stored = server.store.open_file(&source).await?;
        let content: Taken = copy_of(server, &stored, link.path_index()).await?;
        server.store.receive_link(link.clone(), source.clone(), content.into(), ask.timestamp).await
    };
    let status = match made.await {
        Ok(()) | Err(StoreError::Exists) => Status::OK,
        Err(StoreError::NotFound) => {
            tracing::warn!(%link, %source, "a link was not made, its source is not here");
            Status::OK
        }
        Err(error) => answer::status(&error),
    };
    Ok((ask.timestamp, status))
}

/// A name that a peer may use within our store paths: those of clients, and their metadata.
fn name_in(server: &Server, group: &GroupField, raw: RawName<'_>) -> Result<FileName, Status> {
    if !server.is_own_group(group) {
        return Err(Status::EINVAL);
    }
    let name: FileName = raw.parse().map_err(|_| Status::EINVAL)?;
    let of_client = name.metadata_master().unwrap_or_else(|| name.clone());
    let inside = usize::from(name.path_index().0) < server.store.path_count();
    if inside && of_client.check_client().is_ok() { Ok(name) } else { Err(Status::EINVAL) }
}

/// Whether no other file ever has this name: it carries random bits, which those of slaves and metadata share with
/// that of their file.
fn is_unique(name: &FileName) -> bool {
    matches!(name.kind(), Kind::Normal | Kind::Trunk) && name.metadata_master().is_none()
}

/// Whether a file that comes was deleted before: by a member whose word was faster than that of the one that made it
/// (storage internals: holes, D16).
fn came_too_late(server: &Server, name: &FileName) -> bool {
    let late = is_unique(name) && server.relay.gone.holds(name);
    if late {
        tracing::info!(%name, "a file came that was deleted already, it is not kept");
    }
    late
}

async fn take(
    server: &Server,
    conn: &mut Conn,
    name: &FileName,
    size: u64,
) -> Result<Result<Taken, Done>, ConnError> {
    Ok(match content::take(server, conn, name.path_index(), size).await? {
        Ok(taken) => Ok(taken),
        Err(refused) => {
            // The rest comes in any case; a peer of the original would send everything once more if we hung up.
            conn.discard(refused.unread).await?;
            Err(Done::status(refused.status))
        }
    })
}

/// The answer to a change of what is there (storage internals: receiver behaviour).
fn change_status(error: &StoreError) -> Status {
    match error {
        StoreError::Exists | StoreError::Differs | StoreError::NotRegular => Status::EEXIST,
        StoreError::Offset | StoreError::NotFound | StoreError::NotAppender => Status::ENOENT,
        other => answer::status(other),
    }
}

/// Books a change that came.
fn received(server: &Server, session: &Session, time: u32, len: u64, status: Status) -> Done {
    let done = matches!(status, Status::OK | Status::EEXIST);
    server.stats.add(Counter::SyncInBytes, len, if done { len } else { 0 });
    if done {
        server.stats.sync_updated(unix_now().into());
        if let Some(source) = session.source {
            server.synced.note(source, time);
        }
    }
    Done::status(status)
}
