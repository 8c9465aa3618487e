//! Accepting connections within limits, and letting them finish when the server stops.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::{Conn, ConnStream, Listener, LocalListener, Workers};

/// How long open connections may take to finish their request once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// How long accepting pauses after the kernel refused us a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What bounds the connections of one server.
#[derive(Clone)]
pub struct ConnLimits {
    /// Connections open at one time; one more is closed as soon as it is accepted.
    pub max_connections: usize,
    /// Longest wait for progress on a request or an answer.
    pub network_timeout: Duration,
    /// Who may connect; others are closed without an answer (wire protocol: connection life cycle). To a local socket
    /// whoever the permissions of its file let.
    pub allow: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

/// Counts of connections, as trackers show them.
#[derive(Debug, Default)]
pub struct ConnCounters {
    current: AtomicU32,
    max: AtomicU32,
}

impl ConnCounters {
    /// Open connections now.
    pub fn current(&self) -> u32 {
        self.current.load(Relaxed)
    }

    /// The most that were ever open at one time.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    fn opened(&self) {
        let now = self.current.fetch_add(1, Relaxed) + 1;
        self.max.fetch_max(now, Relaxed);
    }

    fn closed(&self) {
        self.current.fetch_sub(1, Relaxed);
    }
}

/// Tells every holder of its [`Stop`]s that the server stops. Dropping it stops too.
#[derive(Debug)]
pub struct StopSource(watch::Sender<bool>);

impl StopSource {
    /// A source and its first listener.
    pub fn new() -> (Self, Stop) {
        let (send, receive) = watch::channel(false);
        (Self(send), Stop(receive))
    }

    /// Says stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Where a task learns that the server stops.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Whether stopping has begun.
    pub fn stopping(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until stopping begins.
    pub async fn wait(&mut self) {
        // An error means that the source is gone, which is a stop as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Where connections come from.
trait Door: Send + Sync + 'static {
    /// As accepted, of no runtime.
    type Accepted: Send + 'static;
    /// As served.
    type Conn: Send;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Accepted, Option<SocketAddr>)>> + Send;

    /// Puts it into the current runtime.
    fn open(
        accepted: Self::Accepted,
        peer: Option<SocketAddr>,
        timeout: Duration,
        stop: Stop,
    ) -> io::Result<Self::Conn>;
}

impl Door for Listener {
    type Accepted = std::net::TcpStream;
    type Conn = Conn;

    async fn accept(&self) -> io::Result<(Self::Accepted, Option<SocketAddr>)> {
        let (stream, peer) = Listener::accept(self).await?;
        Ok((stream.into_std()?, Some(peer)))
    }

    fn open(
        accepted: Self::Accepted,
        peer: Option<SocketAddr>,
        timeout: Duration,
        stop: Stop,
    ) -> io::Result<Conn> {
        let peer = peer.map_or_else(|| accepted.peer_addr(), Ok)?;
        Ok(Conn::new(TcpStream::from_std(accepted)?, peer, timeout, stop))
    }
}

impl Door for LocalListener {
    type Accepted = std::os::unix::net::UnixStream;
    type Conn = (ConnStream<UnixStream>, Stop);

    async fn accept(&self) -> io::Result<(Self::Accepted, Option<SocketAddr>)> {
        Ok((LocalListener::accept(self).await?.into_std()?, None))
    }

    fn open(
        accepted: Self::Accepted,
        _peer: Option<SocketAddr>,
        timeout: Duration,
        stop: Stop,
    ) -> io::Result<Self::Conn> {
        Ok((ConnStream::new(UnixStream::from_std(accepted)?, Vec::new(), timeout), stop))
    }
}

/// Accepts connections from all `listeners` until `stop`, running `handler` for each on one of the `workers`,
/// then waits (bounded) until the open ones have finished.
pub async fn serve<H, F>(
    workers: Arc<Workers>,
    listeners: Vec<Listener>,
    limits: ConnLimits,
    counters: Arc<ConnCounters>,
    stop: Stop,
    handler: H,
) where
    H: Fn(Conn) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept_loop(
            Arc::clone(&workers),
            listener,
            limits.clone(),
            Arc::clone(&counters),
            stop.clone(),
            handler.clone(),
        ));
    }
    while loops.join_next().await.is_some() {}
}

/// [`serve`] for a local socket. A connection has no address, and nothing but its stream.
pub async fn serve_local<H, F>(
    workers: Arc<Workers>,
    listener: LocalListener,
    limits: ConnLimits,
    counters: Arc<ConnCounters>,
    stop: Stop,
    handler: H,
) where
    H: Fn((ConnStream<UnixStream>, Stop)) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    accept_loop(workers, listener, limits, counters, stop, handler).await;
}

async fn accept_loop<D, H, F>(
    workers: Arc<Workers>,
    listener: D,
    limits: ConnLimits,
    counters: Arc<ConnCounters>,
    mut stop: Stop,
    handler: H,
) where
    D: Door,
    H: Fn(D::Conn) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.wait() => break,
            accepted = listener.accept() => accepted,
        };
        let (accepted, peer) = match accepted {
            Ok(pair) => pair,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if peer.is_some_and(|peer| !(limits.allow)(peer.ip().to_canonical())) {
            tracing::warn!(peer = %shown(peer), "connection refused by allow_hosts");
            continue;
        }
        if counters.current() as usize >= limits.max_connections {
            let max_connections = limits.max_connections;
            tracing::warn!(peer = %shown(peer), max_connections, "connection refused, too many are open");
            continue;
        }
        let counted = Open::new(Arc::clone(&counters));
        let Some((worker, place)) = workers.least() else { break };
        let (handler, timeout, stop) = (handler.clone(), limits.network_timeout, stop.clone());
        let work = async move {
            // The runtime that accepted a connection is not the one that waits for it.
            match D::open(accepted, peer, timeout, stop) {
                Ok(conn) => handler(conn).await,
                Err(error) => tracing::warn!(peer = %shown(peer), %error, "cannot serve a connection"),
            }
            drop((counted, place));
        };
        open.spawn_on(work, &worker.runtime);
    }
    drop(listener);
    let deadline = Instant::now() + DRAIN;
    while let Ok(Some(_)) = timeout_at(deadline, open.join_next()).await {}
}

fn shown(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(|| "local".to_owned(), |peer| peer.to_string())
}

struct Open(Arc<ConnCounters>);

impl Open {
    fn new(counters: Arc<ConnCounters>) -> Self {
        counters.opened();
        Self(counters)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}
