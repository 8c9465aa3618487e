//! Asking the member that a file comes from for what has not arrived here yet (design: read what you wrote).
//!
//! The id of a file names the storage it was uploaded to. Until replication has brought it, a question about it is
//! passed on to that one, and its answer to the client. A storage never passes on a question about files of its own, so
//! questions do not go in circles.
//!
//! A file that is missing may have been deleted, and its origin may not know that yet: what was deleted here is remembered
//! ([`Gone`]) and never asked for.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_fileid::{FileName, Source};
use fdfs_format::binlog::{Change, Record};
use fdfs_proto::storage::{FileAsk, download, report_server_id};
use fdfs_proto::{HEADER_LEN, Header, RESPONSE, Status, StorageCommand, StorageId, StorageStatus};
use net::{Conn, ConnError};
use parking_lot::Mutex;
use storage_core::membership::ClusterView;
use store::binlog::Binlog;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connection::Done;
use crate::replication;
use crate::server::Server;
use crate::tracker_link::wire;

/// Questions that are passed on at the same time; a file asked for beyond them is busy.
const RELAYS_MAX: usize = 64;

/// How long connecting to another member may take while a client waits.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// What is passed on at a time, bytes.
const STEP: usize = 64 * 1024;

/// Names of deleted files that are remembered.
const GONE_MAX: usize = 65_536;

/// How much of the binlog is read for them at a start, bytes.
const GONE_LOG_LEN: u64 = 4 << 20;

/// What is needed to ask other members.
#[derive(Debug)]
pub(crate) struct Relay {
    wire: wire::Settings,
    slots: Semaphore,
    /// Files that were deleted here.
    pub(crate) gone: Gone,
}

impl Relay {
    /// Reads from the log what was deleted last. Blocks.
    ///
    /// # Errors
    /// What reading the log says.
    pub(crate) fn new(conf: &StorageConf, binlog: &Binlog) -> io::Result<Self> {
        let mut wire = replication::Config::new(conf).wire;
        wire.connect_timeout = wire.connect_timeout.min(CONNECT_MAX);
        Ok(Self { wire, slots: Semaphore::new(RELAYS_MAX), gone: Gone::read(binlog)? })
    }
}

/// The names of files that were deleted last.
#[derive(Debug, Default)]
pub(crate) struct Gone(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    known: HashSet<FileName>,
    /// The same, the oldest first.
    order: VecDeque<FileName>,
}

impl Gone {
    fn read(binlog: &Binlog) -> io::Result<Self> {
        let gone = Self::default();
        let (index, end) = binlog.position();
        // The first line may be cut; then it is none.
        binlog.lines_from((index, end.saturating_sub(GONE_LOG_LEN)), |line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match Record::parse(line) {
                Ok(Record { change: Change::Delete { name }, .. }) => gone.add(name),
                // Slaves and metadata may have the name of one that was deleted.
                Ok(Record { change: Change::Create { name }, .. }) => gone.remove(&name),
                _ => {}
            }
        })?;
        Ok(gone)
    }

    /// A file was deleted here.
    pub(crate) fn add(&self, name: FileName) {
        let names = &mut *self.0.lock();
        if !names.known.insert(name.clone()) {
            return;
        }
        names.order.push_back(name);
        if names.order.len() > GONE_MAX
            && let Some(oldest) = names.order.pop_front()
        {
            names.known.remove(&oldest);
        }
    }

    /// It is here again.
    pub(crate) fn remove(&self, name: &FileName) {
        let names = &mut *self.0.lock();
        if names.known.remove(name) {
            names.order.retain(|other| other != name);
        }
    }

    pub(crate) fn holds(&self, name: &FileName) -> bool {
        self.0.lock().known.contains(name)
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
    if addresses.is_empty() || server.relay.gone.holds(&name) {
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

/// Where the storage is reached that a file was uploaded to; empty when that is this one, or one that does not serve.
fn origin(server: &Server, name: &FileName) -> Vec<SocketAddr> {
    let view = server.cluster.borrow().clone();
    let (Some(me), Some(stamp)) = (&view.identity, name.stamp()) else { return Vec::new() };
    if me.source == stamp.source {
        return Vec::new();
    }
    let peer = member(&view, stamp.source)
        .filter(|id| view.peers.get(id).is_some_and(|peer| peer.status == StorageStatus::Active));
    peer.map_or(Vec::new(), |id| replication::addresses(&view, &id))
}

/// Where the other members are reached that serve.
fn others(server: &Server) -> Vec<SocketAddr> {
    let view = server.cluster.borrow().clone();
    let active = view.peers.iter().filter(|(_, peer)| peer.status == StorageStatus::Active);
    active.flat_map(|(id, _)| replication::addresses(&view, id)).collect()
}

/// The member that is the source of a name.
pub(crate) fn member(view: &ClusterView, source: Source) -> Option<StorageId> {
    match source {
        Source::Id(id) => StorageId::new(id.to_string().as_bytes()),
        Source::Ip(ip) => {
            let has_it = |(_, peer): &(_, &storage_core::membership::Peer)| peer.ip.ip() == Some(ip.into());
            view.peers.iter().find(has_it).map(|(id, _)| *id)
        }
    }
}

/// A connection to another member, for one question.
struct Link {
    stream: TcpStream,
    timeout: Duration,
}

impl Link {
    async fn open(addresses: &[SocketAddr], settings: &wire::Settings) -> io::Result<Self> {
        let mut failed = io::ErrorKind::AddrNotAvailable.into();
        for address in addresses {
            match timeout(settings.connect_timeout, wire::open(*address, &settings.bind)).await {
                Ok(Ok(stream)) => return Ok(Self { stream, timeout: settings.network_timeout }),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }

    /// Says who asks: a member that does not have the file must not ask this one for it.
    async fn introduce(&mut self, server: &Server) -> io::Result<()> {
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
    async fn ask(&mut self, header: Header, body: &[u8]) -> io::Result<Header> {
        let question = [&header.encode()[..], body].concat();
        let exchange = async {
            self.stream.write_all(&question).await?;
            let mut head = [0; HEADER_LEN];
            self.stream.read_exact(&mut head).await?;
            Header::decode(&head)
                .ok()
                .filter(|reply| reply.command == RESPONSE)
                .ok_or_else(|| io::ErrorKind::InvalidData.into())
        };
        timeout(self.timeout, exchange).await?
    }

    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        timeout(self.timeout, self.stream.read_exact(buffer)).await?.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> FileName {
        FileName::parse(format!("M00/00/00/{number:027}.a").as_bytes()).unwrap()
    }

    #[test]
    fn the_files_deleted_last_are_remembered_and_no_more_than_that() {
        let gone = Gone::default();
        (0..GONE_MAX).for_each(|number| gone.add(name(number)));
        gone.add(name(0));
        assert!(gone.holds(&name(0)));
        gone.add(name(GONE_MAX));
        assert!(!gone.holds(&name(0)));
        assert!(gone.holds(&name(1)) && gone.holds(&name(GONE_MAX)));
    }
}
