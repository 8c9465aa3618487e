//! The life of one connection: requests in, answers out, in order.

use std::time::Instant;

use fdfs_fileid::Kind;
use fdfs_proto::storage::{active_test, file_info};
use fdfs_proto::{Body, DecodeError, Ending, Header, Status, StorageCommand, StorageId, frame};
use net::{Conn, ConnError};
use storage_core::stats::Counter;
use store::WhichCopy;
use traces::End;

use crate::access_log::Access;
use crate::copies;
use crate::figures;
use crate::handler;
use crate::handler::sync::{self, Part};
use crate::metrics;
use crate::relay;
use crate::server::Server;
use crate::settle;

/// Rest of a refused upload that is read so that the connection can go on; of a longer one it is closed.
const DRAIN_LEN_MAX: u64 = 1 << 20;

/// How a request ended.
pub(crate) struct Done {
    pub(crate) status: Status,
    /// The answer when it is not sent yet; empty for a status alone.
    pub(crate) answer: Vec<u8>,
    /// Bytes of the request that are still to be read.
    pub(crate) unread: u64,
    /// Bytes of the answer that were sent already, header included.
    pub(crate) sent: u64,
}

impl Done {
    /// Refused or, with `Status::OK`, done without a body.
    pub(crate) fn status(status: Status) -> Self {
        Self { status, answer: Vec::new(), unread: 0, sent: 0 }
    }

    /// Refused with so much of the request unread.
    pub(crate) fn refused(status: Status, unread: u64) -> Self {
        Self { unread, ..Self::status(status) }
    }

    /// Done, with a whole answer, header included.
    pub(crate) fn answer(answer: Vec<u8>) -> Self {
        Self { answer, ..Self::status(Status::OK) }
    }

    /// Done and answered.
    pub(crate) fn sent(bytes: u64) -> Self {
        Self { sent: bytes, ..Self::status(Status::OK) }
    }
}

/// What is known of the other side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The member whose changes come over it.
    pub(crate) source: Option<StorageId>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(server: &Server, mut conn: Conn) {
    let mut session = Session::default();
    loop {
        match request(server, &mut conn, &mut session).await {
            // A quick peer has its next request here already: the others of this thread come first.
            Ok(Next::Request) => tokio::task::yield_now().await,
            Ok(Next::Close) => return,
            Ok(Next::Linger) => return conn.linger().await,
            Err(error) => {
                tracing::debug!(peer = %conn.peer(), %error, "connection ended");
                return;
            }
        }
    }
}

enum Next {
    Request,
    Close,
    Linger,
}

async fn request(server: &Server, conn: &mut Conn, session: &mut Session) -> Result<Next, ConnError> {
    let Some(header) = conn.read_header().await? else { return Ok(Next::Close) };
    let began = Instant::now();
    let Some(command) = StorageCommand::from_u8(header.command) else {
        tracing::info!(peer = %conn.peer(), command = header.command, "unknown command");
        server.requests.count(metrics::UNKNOWN, Ending::Refused as usize, began.elapsed());
        return finish(conn, Done::refused(Status::EINVAL, header.body_len)).await;
    };
    if command == StorageCommand::Quit {
        return Ok(Next::Close);
    }
    let mut access = Access::begin(server, command);
    let done = if copies::is_change(command) {
        change(server, conn, session, command, header, &mut access).await?
    } else {
        // On the heap, so that an idle connection does not keep room for the largest handler.
        Box::pin(dispatch(server, conn, session, command, header, &mut access)).await?
    };
    access.end(server, conn, header, &done);
    let status = done.status;
    let next = finish(conn, done).await;
    let (ending, took) = (status.ending(), began.elapsed());
    server.requests.count(metrics::kind(command), ending as usize, took);
    let end = End { word: ending.word(), failed: ending == Ending::Failed };
    traces::request_ended("storage", command.name(), took, end);
    next
}

/// Makes a change, when it is its turn, and waits until as many members have it as shall.
async fn change(
    server: &Server,
    conn: &mut Conn,
    session: &mut Session,
    command: StorageCommand,
    header: Header,
    access: &mut Access,
) -> Result<Done, ConnError> {
    if let Err(status) = copies::admit(server) {
        return Ok(Done::refused(status, header.body_len));
    }
    if settle::waits(command)
        && let Err(status) = server.settle.wait().await
    {
        return Ok(Done::refused(status, header.body_len));
    }
    // Before any memory or space is taken for it.
    server.replication.turn().await;
    let done = Box::pin(dispatch(server, conn, session, command, header, access)).await?;
    if !done.status.is_ok() {
        return Ok(done);
    }
    Ok(match Box::pin(copies::wait(server)).await {
        Ok(()) => done,
        Err(status) => Done::status(status),
    })
}

async fn finish(conn: &mut Conn, done: Done) -> Result<Next, ConnError> {
    if done.sent == 0 {
        if done.answer.is_empty() {
            let mut answer = Vec::new();
            frame::status(&mut answer, done.status);
            conn.write(&answer).await?;
        } else {
            conn.write(&done.answer).await?;
        }
    }
    // The original closes after this status and after no other (wire protocol: connection life cycle).
    if done.status == Status::EINVAL || done.unread > DRAIN_LEN_MAX {
        return Ok(Next::Linger);
    }
    conn.discard(done.unread).await?;
    Ok(Next::Request)
}

async fn dispatch(
    server: &Server,
    conn: &mut Conn,
    session: &mut Session,
    command: StorageCommand,
    header: Header,
    access: &mut Access,
) -> Result<Done, ConnError> {
    use StorageCommand as C;
    let Some(head_len) = command.body().bytes_to_decode(header.body_len) else {
        return Ok(Done::refused(Status::EINVAL, header.body_len));
    };
    if is_of_members(command) && !server.admits_member(conn.peer_ip(), command) {
        return Ok(Done::refused(Status::EINVAL, header.body_len));
    }
    if matches!(command.body(), Body::Streamed { .. }) {
        return match command {
            C::UploadFile => handler::upload::upload(server, conn, header, false, access).await,
            C::UploadAppender => handler::upload::upload(server, conn, header, true, access).await,
            C::UploadSlave => handler::upload::upload_slave(server, conn, header, access).await,
            C::Append => handler::change::append(server, conn, header, access).await,
            C::Modify => handler::change::modify(server, conn, header, access).await,
            C::SyncCreate => sync::copy(server, conn, session, header, WhichCopy::Created).await,
            C::SyncUpdate => sync::copy(server, conn, session, header, WhichCopy::Updated).await,
            C::SyncAppend => sync::write(server, conn, session, header, Part::Appended).await,
            C::SyncModify => sync::write(server, conn, session, header, Part::Modified).await,
            _ => Ok(not_served(command, header.body_len)),
        };
    }
    // Bounded by `Body::Whole`'s length.
    let body = conn.read_owned(usize::try_from(head_len).unwrap_or_default()).await?;
    let body = body.as_ref();
    match command {
        C::ActiveTest if body.is_empty() && header.status == active_test::ALL_SENT => {
            return Ok(Done::status(settle::all_sent(server, session.source).await));
        }
        C::ReportServerId => return Ok(sync::report_server_id(session, body)),
        C::SyncDelete | C::SyncTruncate | C::SyncRename | C::SyncCreateLink => {
            return Ok(sync::whole(server, session, command, body).await);
        }
        _ => {}
    }
    let done = answer(server, conn, command, header, body, access).await?;
    if done.status == Status::EIO
        && let Some(name) = relay::asked_for(server, command, body)
    {
        server.scrub.suspect(&name);
        if server.store.is_set_aside(&name) {
            // To other members it is missing, so that they send it.
            if asks_what_is_here(session, command, header) {
                return Ok(Done::status(Status::ENOENT));
            }
            return Ok(relay::ask(server, conn, command, header, body).await?.unwrap_or(done));
        }
    }
    // So is a slot answered that holds something else than its header says.
    if done.status == Status::ENOENT
        && command == StorageCommand::DownloadFile
        && let Some(name) = relay::asked_for(server, command, body).filter(|name| name.kind() == Kind::Trunk)
    {
        server.scrub.suspect(&name);
    }
    if done.status == Status::ENOENT
        && !asks_what_is_here(session, command, header)
        && let Some(relayed) = relay::ask(server, conn, command, header, body).await?
    {
        return Ok(relayed);
    }
    Ok(done)
}

/// Answers a request of which the whole body is there.
async fn answer(
    server: &Server,
    conn: &mut Conn,
    command: StorageCommand,
    header: Header,
    body: &[u8],
    access: &mut Access,
) -> Result<Done, ConnError> {
    use StorageCommand as C;
    match command {
        C::ActiveTest if body.is_empty() && header.status == active_test::FIGURES => {
            let mut answer = Vec::new();
            frame::reply(&mut answer, |out| out.extend_from_slice(figures::text(server).as_bytes()));
            Ok(Done::answer(answer))
        }
        C::ActiveTest if body.is_empty() => Ok(Done::status(Status::OK)),
        C::DownloadFile => handler::download::download(server, conn, body, access).await,
        C::DeleteFile => Ok(handler::change::delete(server, body, access).await),
        C::Truncate => handler::change::truncate(server, conn, header, body, access).await,
        C::RegenerateName => handler::change::regenerate(server, conn, header, body, access).await,
        C::SetMetadata => Ok(handler::metadata::set(server, body, access).await),
        C::GetMetadata => Ok(handler::metadata::get(server, body, access).await),
        C::QueryFileInfo => {
            Ok(handler::info::query(server, conn.peer_ip(), header.status, body, access).await)
        }
        C::FetchOnePathBinlog => handler::fetch_binlog::fetch(server, conn, body).await,
        C::CreateLink => Ok(handler::link::create(server, body).await),
        C::TrunkAlloc
        | C::TrunkConfirm
        | C::TrunkFree
        | C::TrunkSyncBinlog
        | C::TrunkBinlogSize
        | C::TrunkDeleteMarks
        | C::TrunkTruncateBinlog => {
            Ok(server.trunk.answer(server, conn.peer_ip(), command, header, body).await)
        }
        _ => Ok(not_served(command, 0)),
    }
}

/// Whether another member asks what this storage itself has, to know what it must send: somebody who said who he is, or
/// who asks without wanting a missing file to be noticed, as only members of the original do.
fn asks_what_is_here(session: &Session, command: StorageCommand, header: Header) -> bool {
    let silent = file_info::Flags::from_status(header.status).silent;
    session.source.is_some() || command == StorageCommand::QueryFileInfo && silent
}

/// Commands that only another member of the group may use (storage internals: holes, S2).
fn is_of_members(command: StorageCommand) -> bool {
    use StorageCommand as C;
    matches!(
        command,
        C::ReportServerId
            | C::SyncCreate
            | C::SyncUpdate
            | C::SyncDelete
            | C::SyncCreateLink
            | C::SyncAppend
            | C::SyncModify
            | C::SyncTruncate
            | C::SyncRename
    )
}

/// Commands that storages and trackers use among themselves and that this server does not serve.
fn not_served(command: StorageCommand, unread: u64) -> Done {
    tracing::info!(%command, "command is not served");
    Done::refused(Status::EINVAL, unread)
}

/// What a malformed request is answered with.
pub(crate) fn malformed(error: DecodeError, unread: u64) -> Done {
    tracing::debug!(%error, "malformed request");
    Done::refused(Status::EINVAL, unread)
}

/// Counts a request of this kind and whether it succeeded.
pub(crate) fn count(server: &Server, counter: Counter, done: &Done) {
    server.stats.count(counter, done.status.is_ok());
}
