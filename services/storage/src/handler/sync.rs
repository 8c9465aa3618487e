//! What other members of the group push: SYNC_CREATE_FILE, SYNC_UPDATE_FILE, SYNC_DELETE_FILE, SYNC_APPEND_FILE,
//! SYNC_MODIFY_FILE, SYNC_TRUNCATE_FILE, SYNC_CREATE_LINK, SYNC_RENAME_FILE, and REPORT_SERVER_ID (storage internals:
//! receiver behaviour).
//!
//! Served to members only, as the trackers name them (storage internals: holes, S2).

use std::collections::VecDeque;

use fdfs_fileid::FileName;
use fdfs_proto::storage::{report_server_id, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write};
use fdfs_proto::{GroupField, Header, RawName, Status, StorageCommand};
use net::{Conn, ConnError};
use parking_lot::Mutex;
use storage_core::stats::Counter;
use store::{Received, StoreError, WhichCopy};

use super::change::head;
use super::link::copy_of;
use crate::answer;
use crate::connection::{Done, Session, malformed};
use crate::content::{self, Taken};
use crate::server::{Coming, Server, unix_now};

/// Names of damaged copies that are remembered.
const DAMAGED_MAX: usize = 1024;

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
    let mut coming = server.synced.coming(session.source, &name, ask.timestamp);
    let taken = match ask.has_content {
        true => match take(server, conn, &mut coming, &name, ask.size).await? {
            Ok(taken) => Some(taken),
            Err(done) => return Ok(done),
        },
        false => None,
    };
    let result = match taken {
        // Who is told that it is not here after all sends it.
        None if !server.store.comes_too_late(&name)
            && matches!(
                server.store.open_file(&name).await,
                Err(StoreError::NotFound | StoreError::SetAside)
            ) =>
        {
            Err(StoreError::NotFound)
        }
        None => server.store.receive_claim(name.clone(), which, ask.timestamp).await.map(|()| Received::Had),
        Some(taken) => {
            let received = server.store.receive_copy(name.clone(), taken.into(), which, ask.timestamp).await;
            received.inspect(|_| server.damaged.forget(&name))
        }
    };
    let status = match &result {
        Ok(Received::Stored) => Status::OK,
        Ok(Received::Had) => Status::EEXIST,
        Err(StoreError::Corrupt { len, crc32, .. }) if server.damaged.came_again(&name) => {
            let crc32 = format_args!("{crc32:08x}");
            tracing::error!(%name, len, %crc32, "a file is damaged at the peer that sends it, it is not kept here");
            // Whoever sent it takes this as the end of the matter, but it did not arrive.
            return Ok(Done::status(Status::EEXIST));
        }
        Err(error) => answer::status(error),
    };
    Ok(received(server, coming, ask.content_len(), status))
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
    let mut coming = server.synced.coming(session.source, &name, ask.timestamp);
    let content = match take(server, conn, &mut coming, &name, ask.size).await? {
        Ok(taken) => taken.into(),
        Err(done) => return Ok(done),
    };
    let result = match part {
        Part::Appended => server.store.receive_append(name, ask.start, content, ask.timestamp).await,
        Part::Modified => server.store.receive_modify(name, ask.start, content, ask.timestamp).await,
    };
    let status = result.map_or_else(|error| change_status(&error), |()| Status::OK);
    Ok(received(server, coming, ask.size, status))
}

/// The requests without content.
pub(crate) async fn whole(server: &Server, session: &Session, command: StorageCommand, body: &[u8]) -> Done {
    let answered = match command {
        StorageCommand::SyncDelete => delete(server, session, body).await,
        StorageCommand::SyncTruncate => truncate(server, session, body).await,
        StorageCommand::SyncRename => rename(server, session, body).await,
        _ => link(server, session, body).await,
    };
    match answered {
        Ok((coming, status)) => received(server, coming, 0, status),
        Err(done) => done,
    }
}

/// A change that came, and how it is answered.
type Answered<'a> = Result<(Coming<'a>, Status), Done>;

async fn delete<'a>(server: &'a Server, session: &Session, body: &[u8]) -> Answered<'a> {
    let ask = sync_delete::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let name = name_in(server, &ask.group, ask.name).map_err(Done::status)?;
    let mut coming = server.synced.coming(session.source, &name, ask.timestamp).makes_room();
    let status = match server.store.receive_delete(name, ask.timestamp).await {
        // It had come before, and the file was made again here since.
        Ok(()) | Err(StoreError::Exists) => Status::OK,
        Err(error) => {
            // It may still come, from a member that has not heard of its deletion, and is not kept then.
            if matches!(error, StoreError::NotFound) {
                coming.taken();
            }
            answer::status(&error)
        }
    };
    Ok((coming, status))
}

async fn truncate<'a>(server: &'a Server, session: &Session, body: &[u8]) -> Answered<'a> {
    let ask = sync_truncate::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let name = name_in(server, &ask.group, ask.name).map_err(Done::status)?;
    let mut coming = server.synced.coming(session.source, &name, ask.timestamp);
    if ask.new_size < ask.old_size {
        coming = coming.makes_room();
    }
    let result = server.store.receive_truncate(name, ask.old_size, ask.new_size, ask.timestamp).await;
    Ok((coming, result.map_or_else(|error| change_status(&error), |()| Status::OK)))
}

async fn rename<'a>(server: &'a Server, session: &Session, body: &[u8]) -> Answered<'a> {
    let ask = sync_pair::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let to = name_in(server, &ask.group, ask.dest).map_err(Done::status)?;
    let from = name_in(server, &ask.group, ask.source).map_err(Done::status)?;
    let coming = server.synced.coming(session.source, &to, ask.timestamp);
    let result = server.store.receive_rename(from.clone(), to, ask.timestamp).await;
    if matches!(result, Err(StoreError::NotFound | StoreError::Exists)) {
        // What came here before it was renamed there, by a copy of all files, has no use under the old name; and a member
        // of the original sends its creation at the same time: it may come only now.
        match server.store.receive_delete(from, ask.timestamp).await {
            Ok(()) | Err(StoreError::NotFound | StoreError::Exists) => {}
            Err(error) => return Ok((coming, answer::status(&error))),
        }
    }
    Ok((coming, result.map_or_else(|error| answer::status(&error), |()| Status::OK)))
}

/// A link gets a copy of the content. One that is there, or without its source, is passed over, as by the original.
async fn link<'a>(server: &'a Server, session: &Session, body: &[u8]) -> Answered<'a> {
    let ask = sync_pair::Ask::decode(body).map_err(|error| malformed(error, 0))?;
    let link = name_in(server, &ask.group, ask.dest).map_err(Done::status)?;
    let source = name_in(server, &ask.group, ask.source).map_err(Done::status)?;
    let coming = server.synced.coming(session.source, &link, ask.timestamp);
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
    Ok((coming, status))
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

/// Names whose copies came damaged. A copy may suffer on its way, and the first is refused so that it comes again; but
/// a peer of the original sends what is damaged on its own disk for ever, and nothing behind it, until somebody takes
/// it or has it (storage internals: holes, D17, D21).
#[derive(Debug, Default)]
pub(crate) struct Damaged(Mutex<VecDeque<FileName>>);

impl Damaged {
    /// Whether a damaged copy of this file has come before.
    fn came_again(&self, name: &FileName) -> bool {
        let mut names = self.0.lock();
        if names.contains(name) {
            return true;
        }
        names.push_back(name.clone());
        if names.len() > DAMAGED_MAX {
            names.pop_front();
        }
        false
    }

    /// A good one came.
    fn forget(&self, name: &FileName) {
        self.0.lock().retain(|other| other != name);
    }
}

async fn take(
    server: &Server,
    conn: &mut Conn,
    coming: &mut Coming<'_>,
    name: &FileName,
    size: u64,
) -> Result<Result<Taken, Done>, ConnError> {
    Ok(match content::take(server, conn, name.path_index(), size).await? {
        Ok(taken) => Ok(taken),
        Err(refused) => {
            // The rest comes in any case; a peer of the original would send everything once more if we hung up.
            conn.discard(refused.unread).await?;
            coming.refused(refused.status);
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
fn received(server: &Server, mut coming: Coming<'_>, len: u64, status: Status) -> Done {
    let done = matches!(status, Status::OK | Status::EEXIST);
    server.stats.add(Counter::SyncInBytes, len, if done { len } else { 0 });
    if done {
        server.stats.sync_updated(unix_now().into());
        coming.taken();
    } else {
        coming.refused(status);
    }
    Done::status(status)
}
