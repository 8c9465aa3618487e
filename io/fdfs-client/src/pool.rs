//! Open connections, kept per server and used again.
//!
//! A connection goes back only after a reply was read to its end. Everything else (an error, a call that was
//! dropped half way) closes it, because the two sides may no longer agree where the next message begins.

use crate::config::ClientConfig;
use crate::connection::{Connection, Peer, PeerSide};
use crate::error::{Kind, Result};
use fdfs_proto::{Header, Status, StorageCommand, TrackerCommand};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Servers remembered at once; beyond that, those without connections are forgotten.
const MAX_SERVERS: usize = 1024;
/// The longest reply accepted where the content is not streamed: 512 groups of 32 storages, each 106 bytes, and room.
const MAX_REPLY_LEN: usize = 4 << 20;

/// A request that fits into memory.
pub(crate) struct Request {
    /// In words, for messages.
    pub(crate) operation: &'static str,
    pub(crate) command: u8,
    /// The status byte of the header: flags of QUERY_FILE_INFO, else 0.
    pub(crate) flags: u8,
    pub(crate) body: Vec<u8>,
    /// Asking twice does no harm: the request changes nothing.
    pub(crate) safe: bool,
}

impl Request {
    /// Header and body as they go out.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let header = Header {
            body_len: u64::try_from(self.body.len()).unwrap_or(u64::MAX),
            command: self.command,
            status: self.flags,
        };
        let mut frame = Vec::with_capacity(fdfs_proto::HEADER_LEN + self.body.len());
        frame.extend_from_slice(&header.encode());
        frame.extend_from_slice(&self.body);
        frame
    }
}

/// The pool of all servers.
pub(crate) struct Pool {
    config: Arc<ClientConfig>,
    servers: Mutex<BTreeMap<Peer, Arc<Server>>>,
    /// When all servers were last looked through for connections that were unused for too long.
    swept: Mutex<Instant>,
}

struct Server {
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
}

impl Server {
    fn take_idle(&self) -> Option<Idle> {
        self.idle.lock().pop()
    }
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection in use. [`Lease::release`] gives it back; dropping it closes the connection.
pub(crate) struct Lease {
    connection: Connection,
    server: Arc<Server>,
    _permit: OwnedSemaphorePermit,
    reused: bool,
}

impl Lease {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// It had served before, so a failure may only mean that it had grown old.
    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Gives the connection back; the reply has been read to its end.
    pub(crate) fn release(self) {
        self.server.idle.lock().push(Idle { connection: self.connection, since: Instant::now() });
    }

    /// Gives the connection back when the peer keeps it open after this status: a storage closes after EINVAL.
    pub(crate) fn release_after(self, status: Status) {
        if !(self.connection.peer().side == PeerSide::Storage && status == Status::EINVAL) {
            self.release();
        }
    }
}

impl Pool {
    pub(crate) fn new(config: Arc<ClientConfig>) -> Pool {
        Pool { config, servers: Mutex::new(BTreeMap::new()), swept: Mutex::new(Instant::now()) }
    }

    fn server(&self, peer: &Peer) -> Arc<Server> {
        let mut servers = self.servers.lock();
        if let Some(server) = servers.get(peer) {
            return Arc::clone(server);
        }
        if servers.len() >= MAX_SERVERS {
            servers.retain(|_, server| Arc::strong_count(server) > 1);
        }
        let permits = self.config.max_connections_per_server.max(1);
        let server =
            Arc::new(Server { idle: Mutex::new(Vec::new()), permits: Arc::new(Semaphore::new(permits)) });
        servers.insert(peer.clone(), Arc::clone(&server));
        server
    }

    /// A connection to `peer`: one that waits in the pool, or a new one.
    pub(crate) async fn lease(&self, peer: &Peer, operation: &'static str) -> Result<Lease> {
        self.lease_any(peer, operation, true).await
    }

    pub(crate) async fn lease_any(&self, peer: &Peer, operation: &'static str, reuse: bool) -> Result<Lease> {
        let server = self.server(peer);
        let permits = Arc::clone(&server.permits);
        let permit = match timeout(self.config.connect_timeout, permits.acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(peer.error(Kind::Busy, operation)),
        };
        self.close_expired();
        // The newest first, so that those no longer needed grow old and are closed.
        while let Some(idle) = reuse.then(|| server.take_idle()).flatten() {
            let mut connection = idle.connection;
            if !connection.is_quiet() {
                continue;
            }
            if idle.since.elapsed() >= self.config.test_idle_after && !is_alive(&mut connection).await {
                continue;
            }
            return Ok(Lease { connection, server, _permit: permit, reused: true });
        }
        let connection = Connection::open(peer, &self.config).await?;
        Ok(Lease { connection, server, _permit: permit, reused: false })
    }

    /// Closes what was unused for too long, now and then. Until then it may be used again, after a look at it.
    fn close_expired(&self) {
        let max_idle = self.config.max_idle_time;
        {
            let mut swept = self.swept.lock();
            if swept.elapsed() < max_idle / 4 {
                return;
            }
            *swept = Instant::now();
        }
        for server in self.servers.lock().values() {
            server.idle.lock().retain(|idle| idle.since.elapsed() < max_idle);
        }
    }

    /// Closes every connection that is not in use.
    pub(crate) fn close_idle(&self) {
        for server in self.servers.lock().values() {
            server.idle.lock().clear();
        }
    }

    /// Sends a request and reads the whole reply. A request that met a connection which had died in the pool is sent
    /// once more on a new one, if it is safe to repeat or nothing of it had left.
    pub(crate) async fn ask(&self, peer: &Peer, request: &Request) -> Result<Vec<u8>> {
        let mut reuse = true;
        loop {
            let mut lease = self.lease_any(peer, request.operation, reuse).await?;
            let connection = lease.connection();
            let outcome = match send(connection, request).await {
                Ok(()) => match connection.reply(MAX_REPLY_LEN, request.operation).await {
                    Ok(body) => {
                        lease.release();
                        return Ok(body);
                    }
                    Err(error) => match error.status() {
                        Some(status) => {
                            lease.release_after(status);
                            return Err(error);
                        }
                        None => error,
                    },
                },
                Err(error) => error,
            };
            let untouched = request.safe || !lease.connection().has_sent();
            if untouched && lease.reused && outcome.kind() != Kind::Timeout {
                reuse = false;
                continue;
            }
            return Err(if untouched { outcome } else { outcome.with_outcome_unknown() });
        }
    }
}

async fn send(connection: &mut Connection, request: &Request) -> Result<()> {
    connection.begin();
    let mut pace = connection.pace();
    connection.send(&request.frame(), &mut pace, request.operation).await
}

/// ACTIVE_TEST has the same number and form on both sides.
pub(crate) fn active_test(side: PeerSide) -> Request {
    let command = match side {
        PeerSide::Tracker => TrackerCommand::ActiveTest.code(),
        PeerSide::Storage => StorageCommand::ActiveTest.code(),
    };
    Request { operation: "test the connection", command, flags: 0, body: Vec::new(), safe: true }
}

async fn is_alive(connection: &mut Connection) -> bool {
    let request = active_test(connection.peer().side);
    send(connection, &request).await.is_ok() && connection.reply(0, request.operation).await.is_ok()
}
