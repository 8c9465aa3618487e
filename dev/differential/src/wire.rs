//! Bytes to a server and back, and what counts as an answer: a status with a body, an end, silence.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use fdfs_proto::{HEADER_LEN, Header, TrackerCommand};
use socket2::{Domain, Socket, Type};

/// A server that says nothing for so long says nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connecting takes no longer.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// A longer body is one that ends with the connection.
const BODY_LEN_MAX: u64 = 64 << 20;

/// Something for each of the two clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pair<T> {
    pub(crate) ours: T,
    pub(crate) original: T,
}

impl<T> Pair<T> {
    pub(crate) fn new(ours: T, original: T) -> Pair<T> {
        Pair { ours, original }
    }

    pub(crate) fn map<U>(&self, mut of: impl FnMut(&T) -> U) -> Pair<U> {
        Pair { ours: of(&self.ours), original: of(&self.original) }
    }
}

impl<T: Clone> Pair<T> {
    /// The same for both.
    pub(crate) fn same(value: T) -> Pair<T> {
        Pair { ours: value.clone(), original: value }
    }
}

/// What came back for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A header and its body.
    Got { status: u8, body: Vec<u8> },
    /// The connection ended instead.
    Closed,
    /// Nothing came in time.
    Silent,
    /// A header that is none.
    Garbage(String),
}

impl Reply {
    pub(crate) fn is_ok(&self) -> bool {
        matches!(self, Reply::Got { status: 0, .. })
    }

    /// The body of a reply with status 0.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        match self {
            Reply::Got { status: 0, body } => Some(body),
            _ => None,
        }
    }
}

/// One connection to one server, made when it is needed.
pub(crate) struct Link {
    address: SocketAddr,
    /// Where it comes from, when that matters.
    from: Option<Ipv4Addr>,
    stream: Option<TcpStream>,
}

impl Link {
    pub(crate) fn new(address: SocketAddr, from: Option<Ipv4Addr>) -> Link {
        Link { address, from, stream: None }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    pub(crate) fn close(&mut self) {
        self.stream = None;
    }

    fn stream(&mut self) -> Result<&mut TcpStream> {
        if self.stream.is_none() {
            let place = || format!("connect to {}", self.address);
            let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
            if let Some(from) = self.from {
                socket.bind(&SocketAddr::from((from, 0)).into()).with_context(place)?;
            }
            socket.connect_timeout(&self.address.into(), CONNECT_TIME).with_context(place)?;
            let stream = TcpStream::from(socket);
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            self.stream = Some(stream);
        }
        self.stream.as_mut().context("a connection")
    }

    /// Sends bytes; with `end` nothing more will come. That the server has gone meanwhile shows when its answer is read.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) fn send(&mut self, bytes: &[u8], end: bool) -> Result<()> {
        let stream = self.stream()?;
        let _ = stream.write_all(bytes);
        if end {
            let _ = stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self) -> Reply {
        let Some(stream) = self.stream.as_mut() else { return Reply::Closed };
        let reply = receive(stream);
        if !matches!(reply, Reply::Got { .. }) {
            self.stream = None;
        }
        reply
    }

    /// Whether the connection goes on, in step, after what was answered: asked with an ACTIVE_TEST.
    pub(crate) fn after(&mut self) -> &'static str {
        let Some(stream) = self.stream.as_mut() else { return "closed" };
        let _ = stream.write_all(&Header::request(TrackerCommand::ActiveTest, 0).encode());
        let state = match receive(stream) {
            Reply::Got { status: 0, body } if body.is_empty() => return "open",
            Reply::Closed => "closed",
            Reply::Silent => "silent",
            Reply::Got { .. } | Reply::Garbage(_) => "out of step",
        };
        self.stream = None;
        state
    }
}

fn receive(stream: &mut TcpStream) -> Reply {
    let mut head = [0; HEADER_LEN];
    if let Err(error) = stream.read_exact(&mut head) {
        return match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Reply::Silent,
            _ => Reply::Closed,
        };
    }
    let header = match Header::decode(&head) {
        Ok(header) if header.command == fdfs_proto::RESPONSE => header,
        _ => return Reply::Garbage(format!("header {head:02x?}")),
    };
    let mut body = Vec::new();
    let read = if header.body_len > BODY_LEN_MAX {
        stream.read_to_end(&mut body).map(|_| ())
    } else {
        body.resize(header.body_len as usize, 0);
        stream.read_exact(&mut body)
    };
    match read {
        Ok(()) => Reply::Got { status: header.status, body },
        Err(error) => Reply::Garbage(format!("a body of {} bytes: {error}", header.body_len)),
    }
}

/// The same request to both, then both answers.
///
/// # Errors
/// When one of the servers is gone.
pub(crate) fn exchange(links: &mut Pair<Link>, bytes: &Pair<Vec<u8>>, end: bool) -> Result<Pair<Reply>> {
    links.ours.send(&bytes.ours, end).context("ours")?;
    links.original.send(&bytes.original, end).context("the original")?;
    Ok(Pair::new(links.ours.receive(), links.original.receive()))
}
