//! Listening.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use net::{Conn, ConnCounters, ConnLimits, Listener, LocalListener, Stop, Workers};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::connection::{Broken, serve_stream};
use crate::{Body, Limits};

/// Where web servers connect to.
#[derive(Debug, Default)]
pub struct Doors {
    /// Ports.
    pub ports: Vec<Listener>,
    /// Local sockets.
    pub local: Vec<LocalListener>,
}

/// Serves web servers until `stop`, then lets them finish what they have begun (bounded). All doors count against one
/// limit of connections.
pub async fn serve<H, F, B>(
    workers: Arc<Workers>,
    doors: Doors,
    connections: ConnLimits,
    counters: Arc<ConnCounters>,
    stop: Stop,
    limits: Limits,
    service: H,
) where
    H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Display,
{
    let limits = Arc::new(Limits { max_connections: connections.max_connections, ..limits });
    let mut open = JoinSet::new();
    for listener in doors.local {
        let (limits, service) = (Arc::clone(&limits), service.clone());
        let handler =
            move |(stream, stop)| one(stream, stop, "local".to_owned(), Arc::clone(&limits), service.clone());
        let (workers, counters) = (Arc::clone(&workers), Arc::clone(&counters));
        open.spawn(net::serve_local(workers, listener, connections.clone(), counters, stop.clone(), handler));
    }
    let handler = move |conn: Conn| {
        let (peer, stop) = (conn.peer().to_string(), conn.stop());
        one(conn.into_stream(Vec::new()), stop, peer, Arc::clone(&limits), service.clone())
    };
    open.spawn(net::serve(workers, doors.ports, connections, counters, stop, handler));
    while open.join_next().await.is_some() {}
}

async fn one<S, H, F, B>(stream: S, stop: Stop, peer: String, limits: Arc<Limits>, service: H)
where
    S: AsyncRead + AsyncWrite,
    H: Fn(Request<Body>) -> F,
    F: Future<Output = Response<B>>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    match serve_stream(stream, stop, &limits, &service).await {
        Ok(()) => {}
        Err(error @ Broken::Answer(_)) => tracing::warn!(%peer, %error, "a connection was broken off"),
        Err(error) => tracing::debug!(%peer, %error, "a connection broke"),
    }
}
