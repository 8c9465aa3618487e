//! Serving: connections, of clients or of web servers, and one router for all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use fastcgi::{Client, Doors};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use net::{Conn, ConnCounters, ConnLimits, Listener, Stop, Workers};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::door::Peer;

/// Bytes of a request's head at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Fields of a request's head at most.
const HEAD_FIELDS_MAX: usize = 100;

/// How long what is being answered may take when the drive stops.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// What bounds connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time; one more is closed.
    pub connections: usize,
    /// How long a client may take to receive the next bytes of an answer. Then its connection is closed.
    pub send_timeout: Duration,
    /// How long the head of a request may take, and a connection rest before the first and between two.
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
    let handler = move |conn: Conn| {
        let (peer, stop) = (conn.peer(), conn.stop());
        connection(router.clone(), conn.into_stream(Vec::new()), peer, limits, stop)
    };
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
        let answered = router.clone().oneshot(request);
        async move {
            match answered.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
    .await;
}

/// HTTP/1 only: browsers speak HTTP/2 behind TLS alone, and that is for the web server in front.
async fn connection<S>(router: Router, stream: S, peer: SocketAddr, limits: Limits, mut stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let from = Peer { address: peer, secure: false };
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(from);
        router.clone().oneshot(request)
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        // It runs while the connection rests, too.
        .header_read_timeout(limits.rest_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let broke = |error| tracing::debug!(%peer, %error, "a connection broke");
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended.unwrap_or_else(broke),
        () = stop.wait() => connection.as_mut().graceful_shutdown(),
    }
    match timeout(CLOSE_WAIT, connection).await {
        Ok(ended) => ended.unwrap_or_else(broke),
        Err(_) => tracing::debug!(%peer, "what is asked took too long for a stop"),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::routing::get;
    use bytes::Bytes;
    use futures_util::stream;
    use http_body_util::{BodyExt, Empty};
    use hyper::client::conn::http1;
    use net::StopSource;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// How long a connection may rest.
    const REST: Duration = Duration::from_secs(75);

    /// Longer than whatever is to end may take: the clock of these tests is not the world's.
    const LATE: Duration = Duration::from_secs(3600);

    /// A connection to a router that answers at once, slowly, with content that comes slowly, or never.
    struct Served {
        stop: StopSource,
        ended: JoinHandle<()>,
    }

    fn connect() -> (DuplexStream, Served) {
        let slow = || async {
            sleep(REST * 3).await;
            "slow"
        };
        let pieces = || async {
            let pieces = stream::unfold(0, |made| async move {
                sleep(REST * 2).await;
                (made < 3).then(|| (Ok::<_, Infallible>("piece "), made + 1))
            });
            Body::from_stream(Box::pin(pieces))
        };
        let router = Router::new()
            .route("/", get(|| async { "fast" }))
            .route("/slow", get(slow))
            .route("/pieces", get(pieces))
            .route("/never", get(std::future::pending::<&str>));
        let limits = Limits { rest_timeout: REST, ..Limits::default() };
        let (ours, theirs) = duplex(64 * 1024);
        let (source, stop) = StopSource::new();
        let peer = (Ipv4Addr::LOCALHOST, 1).into();
        let ended = tokio::spawn(connection(router, theirs, peer, limits, stop));
        (ours, Served { stop: source, ended })
    }

    async fn ask_on_one() -> (http1::SendRequest<Empty<Bytes>>, Served) {
        let (stream, served) = connect();
        let (asking, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        (asking, served)
    }

    fn request(path: &str) -> http::Request<Empty<Bytes>> {
        let uri = format!("http://drive{path}");
        http::Request::get(uri).header("host", "drive").body(Empty::new()).unwrap()
    }

    async fn text(response: http::Response<hyper::body::Incoming>) -> String {
        assert_eq!(response.status(), 200);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    impl Served {
        /// It ends, after about so long.
        async fn ends_after(self, about: Duration) {
            let began = Instant::now();
            timeout(LATE, self.ended).await.expect("the connection is still open").unwrap();
            let took = began.elapsed();
            assert!(took + Duration::from_secs(1) > about && took <= about + CLOSE_WAIT, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_is_closed() {
        for said in ["", "P", "GET / HTTP/1.1\r\nhost: dr"] {
            let (mut stream, served) = connect();
            stream.write_all(said.as_bytes()).await.unwrap();
            served.ends_after(REST).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_rest_between_two_requests() {
        let (mut asking, served) = ask_on_one().await;
        for _ in 0..3 {
            assert_eq!(text(asking.send_request(request("/")).await.unwrap()).await, "fast");
            sleep(REST - Duration::from_secs(1)).await;
        }
        assert_eq!(text(asking.send_request(request("/")).await.unwrap()).await, "fast");
        served.ends_after(REST).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_may_take_longer_than_a_connection_may_rest() {
        for (path, whole) in [("/slow", "slow"), ("/pieces", "piece piece piece ")] {
            let (mut asking, served) = ask_on_one().await;
            assert_eq!(text(asking.send_request(request(path)).await.unwrap()).await, whole);
            served.ends_after(REST).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_may_not_hold_up_a_stop() {
        let (mut asking, served) = ask_on_one().await;
        let never = tokio::spawn(asking.send_request(request("/never")));
        sleep(REST * 3).await;
        assert!(!served.ended.is_finished());
        served.stop.stop();
        served.ends_after(CLOSE_WAIT).await;
        never.await.unwrap().unwrap_err();
    }
}
