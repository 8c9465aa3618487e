//! Serving: connections, of clients or of web servers, and one router for all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use fastcgi::{Client, Doors};
use futures_util::FutureExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use net::{Conn, ConnCounters, ConnLimits, Listener, Stop, Workers};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::door::Peer;
use crate::unread::while_read;

/// Requests of one HTTP/2 connection that are answered at the same time.
const STREAMS_MAX: u32 = 64;

/// Bytes of an answer that wait to be sent, for each request.
const SEND_BUFFER_MAX: usize = 256 * 1024;

/// Bytes of a request's head at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Fields of a request's head at most.
const HEAD_FIELDS_MAX: usize = 100;

/// How often a peer of HTTP/2 is asked whether it is there, and how long it may take to say so.
const PING_EACH: Duration = Duration::from_secs(20);

/// How long what is being answered may take when the drive stops.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// What bounds connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time; one more is closed.
    pub connections: usize,
    /// How long a client may take to receive the next bytes of an answer. Then its connection is closed, or, if others of its
    /// requests go on, what the answer holds is let go of.
    pub send_timeout: Duration,
    /// How long the head of a request may take, and a connection rest between two.
    pub rest_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            send_timeout: Duration::from_secs(60),
            rest_timeout: Duration::from_secs(75),
        }
    }
}

/// Serves a router ([`crate::router`]) over HTTP until `stop`; then what is being answered is finished. `counters` tell
/// how many connections there are.
pub async fn serve(
    router: Router,
    workers: Arc<Workers>,
    listeners: Vec<Listener>,
    limits: Limits,
    counters: Arc<ConnCounters>,
    stop: Stop,
) {
    let of_connections = ConnLimits {
        max_connections: limits.connections,
        network_timeout: limits.send_timeout,
        allow: Arc::new(|_| true),
    };
    let handler = move |conn| connection(router.clone(), conn, limits);
    net::serve(workers, listeners, of_connections, counters, stop, handler).await;
}

/// Web servers in front.
#[derive(Debug)]
pub struct FastCgi {
    /// Where they connect to.
    pub doors: Doors,
    /// Their addresses: connections to ports from others are closed. Whoever connects is believed who the client is.
    pub web_servers: Vec<IpAddr>,
}

/// Serves a router ([`crate::router`]) to web servers, over FastCGI, until `stop`; then what is being answered is
/// finished.
pub async fn serve_fastcgi(
    router: Router,
    workers: Arc<Workers>,
    front: FastCgi,
    limits: Limits,
    counters: Arc<ConnCounters>,
    stop: Stop,
) {
    let FastCgi { doors, web_servers } = front;
    let of_connections = ConnLimits {
        max_connections: limits.connections,
        network_timeout: limits.send_timeout,
        allow: Arc::new(move |address| web_servers.contains(&address)),
    };
    let of_requests = fastcgi::Limits::default();
    fastcgi::serve(workers, doors, of_connections, counters, stop, of_requests, move |request| {
        let mut request = request.map(Body::new);
        let client = request.extensions().get::<Client>();
        // Clients that a web server says nothing of are one to the drive's limits.
        let ip = client.and_then(|client| client.ip).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let secure = client.is_some_and(|client| client.https);
        request.extensions_mut().insert(Peer { address: SocketAddr::new(ip, 0), secure });
        router.clone().oneshot(request).map(move |answered| match answered {
            Ok(response) => response.map(|body| while_read(body, limits.send_timeout)),
            Err(never) => match never {},
        })
    })
    .await;
}

async fn connection(router: Router, conn: Conn, limits: Limits) {
    let (peer, mut stop) = (conn.peer(), conn.stop());
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It runs while the connection rests, too.
        .header_read_timeout(limits.rest_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EACH)
        .keep_alive_timeout(PING_EACH)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_send_buf_size(SEND_BUFFER_MAX);
    let from = Peer { address: peer, secure: false };
    let service = router
        .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(from);
            request.map(Body::new)
        })
        .map_response(move |response: axum::response::Response| {
            response.map(|body| while_read(body, limits.send_timeout))
        });
    let stream = TokioIo::new(conn.into_stream(Vec::new()));
    let connection = builder.serve_connection(stream, TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stop.wait() => {
            connection.as_mut().graceful_shutdown();
            match timeout(CLOSE_WAIT, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}
