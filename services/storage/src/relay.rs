//! Asking the member that a file comes from for what has not arrived here yet (design: read what you wrote).
//!
//! The id of a file names the storage it was uploaded to. Until replication has brought it, a question about it is
//! passed on to that one, and its answer to the client. A storage never passes on a question about files of its own, so
//! questions do not go in circles.
//!
//! A change of an appender is passed on, too ([`change`]), whether the file is here or not.
//!
//! A file that is missing may have been deleted, and its origin may not know that yet: what was deleted here is remembered
//! ([`Store::is_gone`]) and never asked for.
//!
//! [`Store::is_gone`]: store::Store::is_gone

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_fileid::{FileName, Kind, Source};
use fdfs_proto::limits::{GROUP_LEN, NAME_LEN_MAX};
use fdfs_proto::storage::{FileAsk, download, report_server_id};
use fdfs_proto::{HEADER_LEN, Header, RESPONSE, Status, StorageCommand, StorageId, StorageStatus, frame};
use net::{Conn, ConnError};
use storage_core::membership::{ClusterView, has_left};
use storage_core::replication::LogPosition;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connection::Done;
use crate::replication;
use crate::server::Server;
use crate::settle::ChangeHere;
use crate::tracker_link::wire;

/// Questions that are passed on at the same time; a file asked for beyond them is busy.
const RELAYS_MAX: usize = 64;

/// How long connecting to another member may take while a client waits.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// What is passed on at a time, bytes.
const STEP: usize = 64 * 1024;

/// Longest body of an answer to a change, bytes: that to a new name is group and name.
const ANSWER_LEN_MAX: u64 = (GROUP_LEN + NAME_LEN_MAX) as u64;

/// How long a new name waits until the origin of the file has its metadata.
const METADATA_WAIT: Duration = Duration::from_secs(5);

/// What is needed to ask other members.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) wire: wire::Settings,
    slots: Semaphore,
}

impl Relay {
    pub(crate) fn new(conf: &StorageConf) -> Self {
        let mut wire = replication::Config::new(conf).wire;
        wire.connect_timeout = wire.connect_timeout.min(CONNECT_MAX);
        Self { wire, slots: Semaphore::new(RELAYS_MAX) }
    }
}

/// Passes a question on that could not be answered here for want of the file; `None` when there is nobody to ask, or
/// the file is missing there, too.
///
/// # Errors
/// [`ConnError`]; the connection is to be closed, part of an answer may be out.
pub(crate) async fn ask(
    server: &Server,
    conn: &mut Conn,
    command: StorageCommand,
    header: Header,
    body: &[u8],
) -> Result<Option<Done>, ConnError> {
    let Some(name) = asked_for(server, command, body) else { return Ok(None) };
    // Of a file whose copy here was bad, any member may have another one.
    let is_set_aside = server.store.is_set_aside(&name);
    let addresses = if is_set_aside { others(server) } else { origin(server, &name) };
    if addresses.is_empty() || server.store.is_gone(&name) {
        return Ok(None);
    }
    // What is here has been answered for.
    if server.store.open_file(&name).await.is_ok() {
        return Ok(None);
    }
    let Ok(_slot) = server.relay.slots.try_acquire() else {
        return Ok(Some(Done::status(Status::EBUSY)));
    };
    let mut link = match Link::open(&addresses, &server.relay.wire).await {
        Ok(link) => link,
        Err(error) => {
            tracing::debug!(%name, %error, "the origin of a file that is not here can't be asked");
            return Ok(None);
        }
    };
    if is_set_aside && let Err(error) = link.introduce(server).await {
        tracing::debug!(%name, %error, "a member does not say whether it has a file");
        return Ok(None);
    }
    let reply = match link.ask(header, body).await {
        Ok(reply) => reply,
        // It may be done: to say that there is no such file would be to say that it is not.
        Err(error) if command == StorageCommand::DeleteFile => {
            tracing::warn!(%name, %error, "a deletion was passed on and not answered");
            return Err(ConnError::Truncated);
        }
        Err(error) => {
            tracing::debug!(%name, %error, "the origin of a file that is not here does not answer");
            return Ok(None);
        }
    };
    if reply.status() == Status::ENOENT {
        return Ok(None);
    }
    if !reply.status().is_ok() || reply.body_len == 0 {
        return Ok(Some(Done::status(reply.status())));
    }
    conn.write_head(&Header::reply(reply.body_len).encode()).await?;
    let mut rest = reply.body_len;
    let mut buffer = vec![0; STEP.min(usize::try_from(rest).unwrap_or(STEP))];
    while rest > 0 {
        let room = buffer.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        let part = buffer.get_mut(..room).unwrap_or_default();
        if let Err(error) = link.read(part).await {
            // The length was promised: only closing tells the client.
            tracing::warn!(%name, %error, "an answer passed on for another member broke off");
            return Err(ConnError::Truncated);
        }
        conn.write(part).await?;
        rest -= room as u64;
    }
    Ok(Some(Done::sent(HEADER_LEN as u64 + reply.body_len)))
}

/// What becomes of a change.
pub(crate) enum Change {
    /// Another member has answered.
    PassedOn(Done),
    /// It is to be made here.
    Here(ChangeHere),
}

/// Passes a change of an appender on to the storage that it was uploaded to, as long as that serves: two members that
/// change a file at the same time would differ for ever (storage internals: holes, D11). `head` is what was read of the
/// request behind its header, `content` how many bytes follow.
///
/// # Errors
/// [`ConnError`]; the connection is to be closed, as what became of the change is not known.
pub(crate) async fn change(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    head: &[u8],
    name: &FileName,
    content: u64,
) -> Result<Change, ConnError> {
    // Before the origin is looked for: from when it is there on it waits for what was begun before.
    let here = server.settle.change();
    let addresses = origin(server, name);
    if addresses.is_empty() || name.kind() != Kind::Appender || server.store.is_gone(name) {
        return Ok(Change::Here(here));
    }
    let Ok(_slot) = server.relay.slots.try_acquire() else {
        return Ok(Change::PassedOn(Done::refused(Status::EBUSY, content)));
    };
    let mut link = match Link::open(&addresses, &server.relay.wire).await {
        Ok(link) => link,
        Err(error) => {
            tracing::info!(%name, %error, "the origin of a file can't be reached, the change is made here");
            return Ok(Change::Here(here));
        }
    };
    drop(here);
    let mut left = content;
    let mut sent = link.write(&[&header.encode()[..], head].concat()).await;
    while left > 0 && sent.is_ok() {
        conn.arrived().await?;
        let mut piece = Vec::with_capacity(STEP);
        left -= conn.take_arrived(left, &mut piece)? as u64;
        sent = link.write(&piece).await;
    }
    // Who refuses early may have closed before all was sent, and has said why.
    match link.answer().await {
        Ok((status, body)) if body.is_empty() => Ok(Change::PassedOn(Done::refused(status, left))),
        Ok((_, body)) => {
            let mut answer = Vec::with_capacity(HEADER_LEN + body.len());
            frame::reply(&mut answer, |out| out.extend_from_slice(&body));
            Ok(Change::PassedOn(Done { unread: left, ..Done::answer(answer) }))
        }
        Err(error) => {
            tracing::warn!(%name, %error, "a change was passed on and not answered");
            Err(ConnError::Truncated)
        }
    }
}

/// The file of a question that may be passed on. A deletion may: where the file comes from it is on record behind the
/// creation, so that it arrives here behind it, too (storage internals: holes, D16).
pub(crate) fn asked_for(server: &Server, command: StorageCommand, body: &[u8]) -> Option<FileName> {
    use StorageCommand as C;
    let (group, name) = match command {
        C::DownloadFile => download::Ask::decode(body).map(|ask| (ask.group, ask.name)).ok()?,
        C::GetMetadata | C::QueryFileInfo | C::DeleteFile => {
            FileAsk::decode(body).map(|ask| (ask.group, ask.name)).ok()?
        }
        _ => return None,
    };
    server.name_in(&group, name).ok()
}

/// Waits until the storage that a file was uploaded to, if that is another one and serves, has all that was changed here.
///
/// # Errors
/// `EAGAIN` when that takes too long.
pub(crate) async fn origin_has_all(server: &Server, name: &FileName) -> Result<(), Status> {
    let origin = origin_in(&server.cluster.borrow(), name);
    let Some(mut follow) = origin.and_then(|id| server.replication.follow(&id)) else { return Ok(()) };
    let (file, offset) = server.store.binlog().position();
    let place = LogPosition { file, offset };
    let has_all = follow.wait_for(|now| now.acknowledged.is_some_and(|at| at >= place));
    match timeout(METADATA_WAIT, has_all).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Status::EAGAIN),
    }
}

/// Where the storage is reached that a file was uploaded to; empty when that is this one, or one that does not serve.
fn origin(server: &Server, name: &FileName) -> Vec<SocketAddr> {
    let view = server.cluster.borrow().clone();
    origin_in(&view, name).map_or(Vec::new(), |id| replication::addresses(&view, &id))
}

/// The storage that a file was uploaded to, if it is another one and serves.
fn origin_in(view: &ClusterView, name: &FileName) -> Option<StorageId> {
    let (me, stamp) = (view.identity.as_ref()?, name.stamp()?);
    if me.source.encode() == stamp.source.encode() {
        return None;
    }
    member(view, stamp.source)
        .filter(|id| view.peers.get(id).is_some_and(|peer| peer.status == StorageStatus::Active))
}

/// Where the other members are reached that serve.
fn others(server: &Server) -> Vec<SocketAddr> {
    let view = server.cluster.borrow().clone();
    let active = view.peers.iter().filter(|(_, peer)| peer.status == StorageStatus::Active);
    active.flat_map(|(id, _)| replication::addresses(&view, id)).collect()
}

/// The member that is the source of a name.
pub(crate) fn member(view: &ClusterView, source: Source) -> Option<StorageId> {
    if let Source::Id(id) = source
        && let Some(id) = StorageId::new(id.to_string().as_bytes())
        && view.peers.contains_key(&id)
    {
        return Some(id);
    }
    let ip = source.address();
    let has_it = |(_, peer): &(_, &storage_core::membership::Peer)| peer.ip.ip() == Some(ip.into());
    let peer = view.peers.iter().filter(|(_, peer)| !has_left(peer.status)).find(has_it);
    // It may have had that address when it took the file.
    peer.map(|(id, _)| *id)
        .or_else(|| StorageId::new(ip.to_string().as_bytes()).map(|id| view.now_called(id)))
}

/// A connection to another member, for one question.
pub(crate) struct Link {
    stream: TcpStream,
    timeout: Duration,
}

impl Link {
    pub(crate) async fn open(addresses: &[SocketAddr], settings: &wire::Settings) -> io::Result<Self> {
        let stream = wire::open_any(addresses, settings).await?;
        Ok(Self { stream, timeout: settings.network_timeout })
    }

    /// Says who asks: a member that does not have the file must not ask this one for it.
    pub(crate) async fn introduce(&mut self, server: &Server) -> io::Result<()> {
        let identity = server.cluster.borrow().identity.clone();
        let id = identity.ok_or(io::ErrorKind::NotConnected)?.id;
        let mut body = Vec::new();
        report_server_id::Ask { id }.encode(&mut body);
        let command = StorageCommand::ReportServerId.code();
        let header = Header { body_len: body.len() as u64, command, status: 0 };
        let reply = self.ask(header, &body).await?;
        let is_taken = reply.status().is_ok() && reply.body_len == 0;
        if is_taken { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }

    /// Asks the same, and reads the header of the answer.
    pub(crate) async fn ask(&mut self, header: Header, body: &[u8]) -> io::Result<Header> {
        self.write(&[&header.encode()[..], body].concat()).await?;
        self.reply().await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(self.timeout, self.stream.write_all(bytes)).await?
    }

    /// The header of an answer.
    async fn reply(&mut self) -> io::Result<Header> {
        let mut head = [0; HEADER_LEN];
        self.read(&mut head).await?;
        let reply = Header::decode(&head).ok().filter(|reply| reply.command == RESPONSE);
        reply.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// A whole answer: its status and, when that is good, its body.
    async fn answer(&mut self) -> io::Result<(Status, Vec<u8>)> {
        let reply = self.reply().await?;
        if !reply.status().is_ok() {
            return Ok((reply.status(), Vec::new()));
        }
        if reply.body_len > ANSWER_LEN_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; usize::try_from(reply.body_len).unwrap_or_default()];
        self.read(&mut body).await?;
        Ok((reply.status(), body))
    }

    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        timeout(self.timeout, self.stream.read_exact(buffer)).await?.map(|_| ())
    }
}
