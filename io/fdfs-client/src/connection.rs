//! One connection to a tracker or a storage: requests out, replies in, every wait with a deadline.

use crate::config::ClientConfig;
use crate::error::{Error, Kind, Result, Side};
use fdfs_conf::{Host, ServerAddr};
use fdfs_proto::{HEADER_LEN, Header, RESPONSE, Status};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// What is read ahead: a short reply arrives with one read.
const INBOX_LEN: usize = 1024;
/// Content has to move on by at least this much within one network deadline.
const MIN_PROGRESS: usize = 64 * 1024;

/// An open connection and the bytes that arrived but were not asked for yet.
pub(crate) struct Connection {
    stream: TcpStream,
    peer: Peer,
    network_timeout: Duration,
    inbox: Box<[u8; INBOX_LEN]>,
    inbox_start: usize,
    inbox_end: usize,
    /// Bytes of the present request have left.
    has_sent: bool,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) side: PeerSide,
    pub(crate) address: ServerAddr,
}

/// The two roles a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PeerSide {
    Tracker,
    Storage,
}

impl Peer {
    pub(crate) fn tracker(address: &ServerAddr) -> Peer {
        Peer { side: PeerSide::Tracker, address: address.clone() }
    }

    pub(crate) fn storage(address: &ServerAddr) -> Peer {
        Peer { side: PeerSide::Storage, address: address.clone() }
    }

    pub(crate) fn error(&self, kind: Kind, operation: &'static str) -> Error {
        let side = match self.side {
            PeerSide::Tracker => Side::Tracker,
            PeerSide::Storage => Side::Storage,
        };
        Error::new(kind, side, Some(&self.address), operation)
    }
}

/// A deadline that moves on while content flows: at least [`MIN_PROGRESS`] bytes per network timeout.
pub(crate) struct Pace {
    timeout: Duration,
    deadline: Instant,
    moved: usize,
}

impl Pace {
    fn new(timeout: Duration) -> Pace {
        Pace { timeout, deadline: Instant::now() + timeout, moved: 0 }
    }

    fn advance(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= MIN_PROGRESS {
            self.moved = 0;
            self.deadline = Instant::now() + self.timeout;
        }
    }

    /// Time that went into the local reader or writer does not count against the peer.
    pub(crate) fn forgive(&mut self, since: Instant) {
        self.deadline += since.elapsed();
    }
}

impl Connection {
    /// Connects to the first host that answers; all of them together have `connect_timeout`.
    pub(crate) async fn open(peer: &Peer, config: &ClientConfig) -> Result<Connection> {
        const OPERATION: &str = "connect";
        let deadline = Instant::now() + config.connect_timeout;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        // With two hosts, a silent first one must leave time for the second.
        let hosts = peer.address.hosts().count();
        let share = config.connect_timeout / u32::try_from(hosts).unwrap_or(1).max(1);
        for host in peer.address.hosts() {
            let host_deadline = deadline.min(Instant::now() + share);
            match timeout_at(host_deadline, connect(host, peer.address.port())).await {
                Ok(Ok(stream)) => {
                    // Requests are written whole; waiting to fill a segment only costs time.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, address = %peer.address, "cannot switch off nagle's algorithm");
                    }
                    return Ok(Connection {
                        stream,
                        peer: peer.clone(),
                        network_timeout: config.network_timeout,
                        inbox: Box::new([0; INBOX_LEN]),
                        inbox_start: 0,
                        inbox_end: 0,
                        has_sent: false,
                    });
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
        Err(peer.error(Kind::Connect, OPERATION).caused_by(last))
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// A new request starts.
    pub(crate) fn begin(&mut self) {
        self.has_sent = false;
    }

    /// Bytes of the present request have left, so the peer may have acted on it.
    pub(crate) fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// A deadline for content that is about to flow.
    pub(crate) fn pace(&self) -> Pace {
        Pace::new(self.network_timeout)
    }

    /// Whether the connection looks usable without asking the peer: nothing unread, not closed.
    ///
    /// Asks the kernel, because the runtime learns of a close only when it next polls for events.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.inbox_start == self.inbox_end
            && matches!(recv(&self.stream, &mut byte, flags), Err(Errno::AGAIN))
    }

    fn error(&self, kind: Kind, operation: &'static str) -> Error {
        self.peer.error(kind, operation)
    }

    fn broken(&self, cause: io::Error, operation: &'static str) -> Error {
        let kind = match cause.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Kind::Closed,
            _ => Kind::Io,
        };
        self.error(kind, operation).caused_by(cause)
    }

    /// Sends `bytes`. A peer that answers or closes before it has all of them stops the sending: then its answer is
    /// the error, because the original's storage refuses an upload without reading it to the end.
    pub(crate) async fn send(
        &mut self,
        bytes: &[u8],
        pace: &mut Pace,
        operation: &'static str,
    ) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            let ready = tokio::select! {
                biased;
                readable = self.stream.readable() => readable.map(|()| true),
                writable = self.stream.writable() => writable.map(|()| false),
                () = tokio::time::sleep_until(pace.deadline) => return Err(self.error(Kind::Timeout, operation)),
            };
            let readable = ready.map_err(|cause| self.broken(cause, operation))?;
            if readable {
                match self.stream.try_read(&mut self.inbox[self.inbox_end..]) {
                    // Only leftover readiness; it is cleared now.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(cause) => return Err(self.broken(cause, operation)),
                    Ok(0) => return Err(self.error(Kind::Closed, operation)),
                    Ok(read) => {
                        self.inbox_end += read;
                        return Err(self.early_answer(operation).await);
                    }
                }
            }
            match self.stream.try_write(&bytes[sent..]) {
                Ok(written) => {
                    sent += written;
                    self.has_sent = true;
                    pace.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(cause) => {
                    // What the peer said before it closed may still be there to read.
                    let broken = self.broken(cause, operation);
                    return Err(match self.reply_header(operation).await {
                        Err(refusal) if refusal.status().is_some() => refusal,
                        _ => broken,
                    });
                }
            }
        }
        Ok(())
    }

    async fn early_answer(&mut self, operation: &'static str) -> Error {
        match self.reply_header(operation).await {
            Err(error) => error,
            Ok(_) => self.error(Kind::Protocol("an answer before the request was complete"), operation),
        }
    }

    /// Waits for the header of the reply; gives the length of the body. A status other than 0 is an error.
    pub(crate) async fn reply_header(&mut self, operation: &'static str) -> Result<u64> {
        let deadline = Instant::now() + self.network_timeout;
        let mut header = [0; HEADER_LEN];
        self.read_exact(&mut header, deadline, operation).await?;
        let header = Header::decode(&header)
            .map_err(|_| self.error(Kind::Protocol("a negative body length"), operation))?;
        if header.command != RESPONSE {
            return Err(self.error(Kind::Protocol("not marked as a response"), operation));
        }
        match Status(header.status) {
            Status::OK => Ok(header.body_len),
            status if header.body_len == 0 => Err(self.error(Kind::Status(status), operation)),
            // A refusal has no body (wire protocol: header). Some of the original's have; nobody reads it, the
            // connection is given up.
            status => {
                self.poison();
                Err(self.error(Kind::Status(status), operation))
            }
        }
    }

    /// Waits for a short reply, at most `limit` bytes.
    pub(crate) async fn reply(&mut self, limit: usize, operation: &'static str) -> Result<Vec<u8>> {
        let len = self.reply_header(operation).await?;
        let len = match usize::try_from(len) {
            Ok(len) if len <= limit => len,
            _ => return Err(self.error(Kind::Protocol("a longer body than this command has"), operation)),
        };
        let deadline = Instant::now() + self.network_timeout;
        let mut body = vec![0; len];
        self.read_exact(&mut body, deadline, operation).await?;
        Ok(body)
    }

    async fn read_exact(&mut self, out: &mut [u8], deadline: Instant, operation: &'static str) -> Result<()> {
        let mut filled = self.take_inbox(out);
        while filled < out.len() {
            let rest = &mut out[filled..];
            if rest.len() >= INBOX_LEN {
                filled += self.read_stream(rest, deadline, operation).await?;
            } else {
                self.fill_inbox(deadline, operation).await?;
                filled += self.take_inbox(&mut out[filled..]);
            }
        }
        Ok(())
    }

    /// Reads some content into `out` (not empty), at least one byte.
    pub(crate) async fn read_content(
        &mut self,
        out: &mut [u8],
        pace: &mut Pace,
        operation: &'static str,
    ) -> Result<usize> {
        let mut read = self.take_inbox(out);
        if read == 0 {
            read = self.read_stream(out, pace.deadline, operation).await?;
        }
        pace.advance(read);
        Ok(read)
    }

    fn take_inbox(&mut self, out: &mut [u8]) -> usize {
        let unread = &self.inbox[self.inbox_start..self.inbox_end];
        let taken = unread.len().min(out.len());
        out[..taken].copy_from_slice(&unread[..taken]);
        self.inbox_start += taken;
        if self.inbox_start == self.inbox_end {
            self.inbox_start = 0;
            self.inbox_end = 0;
        }
        taken
    }

    /// Called with an empty inbox only.
    async fn fill_inbox(&mut self, deadline: Instant, operation: &'static str) -> Result<()> {
        use tokio::io::AsyncReadExt as _;
        let read = match timeout_at(deadline, self.stream.read(&mut self.inbox[..])).await {
            Err(_) => return Err(self.error(Kind::Timeout, operation)),
            Ok(Err(cause)) => return Err(self.broken(cause, operation)),
            Ok(Ok(0)) => return Err(self.error(Kind::Closed, operation)),
            Ok(Ok(read)) => read,
        };
        self.inbox_start = 0;
        self.inbox_end = read;
        Ok(())
    }

    async fn read_stream(
        &mut self,
        out: &mut [u8],
        deadline: Instant,
        operation: &'static str,
    ) -> Result<usize> {
        use tokio::io::AsyncReadExt as _;
        match timeout_at(deadline, self.stream.read(out)).await {
            Err(_) => Err(self.error(Kind::Timeout, operation)),
            Ok(Err(cause)) => Err(self.broken(cause, operation)),
            Ok(Ok(0)) => Err(self.error(Kind::Closed, operation)),
            Ok(Ok(read)) => Ok(read),
        }
    }

    /// Makes [`Connection::is_quiet`] false for good.
    fn poison(&mut self) {
        self.inbox_start = 0;
        self.inbox_end = 1;
    }
}

async fn connect(host: &Host, port: u16) -> io::Result<TcpStream> {
    match host {
        Host::Ip(ip) => TcpStream::connect((*ip, port)).await,
        Host::Name(name) => TcpStream::connect((name.as_str(), port)).await,
    }
}
