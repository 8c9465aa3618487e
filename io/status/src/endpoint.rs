//! Where it is asked: a listener and a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_core::head::Content;
use http_core::{Method, Status, parse_head};
use net::{Conn, ConnCounters, ConnError, ConnLimits, Listener, StopSource, Workers};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

use crate::node::Node;
use crate::page::{Answer, Pages};

/// Connections at one time: a few collectors, a load balancer, and people.
const CONNECTIONS_MAX: usize = 32;

/// Longest head of a request, bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What is read of it at a time, bytes.
const STEP: usize = 1024;

/// How long the head of a request may take, and a peer take nothing of an answer.
const NETWORK_TIMEOUT: Duration =
    if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(5) };

/// How long a connection may take as a whole: one request, one answer.
const CONNECTION_TIMEOUT: Duration =
    if cfg!(test) { Duration::from_secs(1) } else { Duration::from_secs(10) };

/// Nobody can be asked here.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address can't be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Threads can't be started.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// It is listened, and not answered yet: so that a port that is taken is known before anything is started.
#[derive(Debug)]
pub struct Bound {
    runtime: Runtime,
    listeners: Vec<Listener>,
}

impl Bound {
    /// Listens on these addresses.
    ///
    /// # Errors
    /// [`BindError`]; nothing is left behind.
    pub fn to(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(BindError::Threads)?;
        let bind = |&address| Listener::bind(address).map_err(|error| BindError::Listen { address, error });
        let listeners = {
            let _inside = runtime.enter();
            addresses.iter().map(bind).collect::<Result<Vec<_>, _>>()?
        };
        Ok(Self { runtime, listeners })
    }

    /// Answers for these nodes until [`Endpoint::stop`].
    ///
    /// # Errors
    /// [`BindError::Threads`].
    pub fn serve(self, nodes: Vec<Arc<dyn Node>>) -> Result<Endpoint, BindError> {
        let Self { runtime, listeners } = self;
        let addresses: Vec<_> = listeners.iter().map(Listener::addr).collect();
        let (stop, stopping) = StopSource::new();
        let limits = ConnLimits {
            max_connections: CONNECTIONS_MAX,
            network_timeout: NETWORK_TIMEOUT,
            allow: Arc::new(|_| true),
        };
        let pages = Arc::new(Pages::new(nodes));
        let handler = move |conn| connection(Arc::clone(&pages), conn);
        let work = move || {
            runtime.block_on(async {
                let counters = Arc::new(ConnCounters::default());
                net::serve(Workers::here().into(), listeners, limits, counters, stopping, handler).await;
            });
        };
        let thread = thread::Builder::new().name("status".into()).spawn(work).map_err(BindError::Threads)?;
        tracing::info!(?addresses, "metrics and health are told");
        Ok(Endpoint { addresses, stop, thread })
    }
}

/// Tells, until it is stopped.
#[derive(Debug)]
pub struct Endpoint {
    addresses: Vec<SocketAddr>,
    stop: StopSource,
    thread: JoinHandle<()>,
}

impl Endpoint {
    /// What it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops, and lets go of the nodes. Blocks.
    pub fn stop(self) {
        self.stop.stop();
        if self.thread.join().is_err() {
            tracing::error!("the thread that tells metrics and health had panicked");
        }
    }
}

async fn connection(pages: Arc<Pages>, conn: Conn) {
    let peer = conn.peer();
    match timeout(CONNECTION_TIMEOUT, exchange(&pages, conn)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "somebody who asked for metrics or health has gone"),
        Err(_) => tracing::debug!(%peer, "somebody who asked for metrics or health took too long"),
    }
}

/// One request and its answer.
async fn exchange(pages: &Pages, mut conn: Conn) -> Result<(), ConnError> {
    let due = Instant::now() + NETWORK_TIMEOUT;
    let mut input = Vec::new();
    let (answer, with_content) = loop {
        match parse_head(&input, HEAD_BYTES_MAX, None) {
            Ok(Some(head)) => {
                let path = head.target.split_once('?').map_or(head.target, |(path, _)| path);
                let answer = match (head.method, head.content) {
                    (Method::Get | Method::Head, Content::None) => pages.answer(path),
                    (Method::Get | Method::Head, _) => Answer::words(400, "a question has no content"),
                    _ => Answer::words(405, "only GET and HEAD"),
                };
                break (answer, head.method != Method::Head);
            }
            Ok(None) => {
                if !conn.take_more(STEP, &mut input, due).await? {
                    return Ok(());
                }
            }
            Err(error) => break (Answer::words(error.status().0, &error.to_string()), true),
        }
    };
    let head = head_of(&answer);
    let content = if with_content { answer.content.as_bytes() } else { &[] };
    conn.write_pair(head.as_bytes(), content).await?;
    conn.linger().await;
    Ok(())
}

fn head_of(answer: &Answer) -> String {
    let Answer { status, media, content } = answer;
    let (line, len) = (Status(*status).line(), content.len());
    let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
    format!(
        "HTTP/1.1 {line}\r\nContent-Type: {media}\r\nContent-Length: {len}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{allow}Connection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// Longest wait for anything in these tests.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn endpoint() -> Endpoint {
        Bound::to(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap().serve(Vec::new()).unwrap()
    }

    fn connect(endpoint: &Endpoint) -> TcpStream {
        let stream = TcpStream::connect(endpoint.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// All that is said before the connection ends.
    fn rest(mut stream: TcpStream) -> String {
        let mut said = String::new();
        // One that is closed with something unread is reset.
        let _ = stream.read_to_string(&mut said);
        said
    }

    fn ask(endpoint: &Endpoint, request: &str) -> String {
        let mut stream = connect(endpoint);
        stream.write_all(request.as_bytes()).unwrap();
        rest(stream)
    }

    #[test]
    fn a_question_is_answered_and_the_connection_ends() {
        let endpoint = endpoint();
        let answer = ask(&endpoint, "GET /healthz?x=1 HTTP/1.1\r\nHost: here\r\n\r\n");
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), "{head}");
        assert!(head.contains("\r\nConnection: close"), "{head}");
        assert_eq!(content, "{\"healthy\":true,\"stalled\":[]}\n");
        let head = ask(&endpoint, "HEAD /healthz HTTP/1.1\r\nHost: here\r\n\r\n");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", content.len())), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        endpoint.stop();
    }

    #[test]
    fn what_is_no_question_is_refused() {
        let endpoint = endpoint();
        let long = format!("GET / HTTP/1.1\r\nHost: here\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        for (request, status) in [
            ("GET /nothing HTTP/1.1\r\nHost: here\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n", "405"),
            ("GET /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc", "400"),
            ("GET /metrics HTTP/1.1\r\n\r\n", "400"),
            ("nonsense\r\n\r\n", "400"),
            (&long, "431"),
        ] {
            let answer = ask(&endpoint, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        }
        endpoint.stop();
    }

    #[test]
    fn who_says_nothing_or_little_is_not_waited_for() {
        let endpoint = endpoint();
        let silent = connect(&endpoint);
        let mut slow = connect(&endpoint);
        slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:").unwrap();
        assert_eq!((rest(silent), rest(slow)), (String::new(), String::new()));
        endpoint.stop();
    }

    #[test]
    fn there_is_a_bound_on_connections_and_room_again_when_they_end() {
        let endpoint = endpoint();
        let held: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect(&endpoint)).collect();
        // Each in turn is accepted before the next.
        assert_eq!(rest(connect(&endpoint)), "");
        drop(held);
        let until = std::time::Instant::now() + PATIENCE;
        while !ask(&endpoint, "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n").starts_with("HTTP/1.1 200 ") {
            assert!(std::time::Instant::now() < until, "there is no room again");
        }
        endpoint.stop();
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let first = endpoint();
        let address = first.addresses()[0];
        let error = Bound::to(&[address]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
        first.stop();
    }
}
