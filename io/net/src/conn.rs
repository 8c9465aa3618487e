//! One accepted connection: requests in, answers out, in order.
//!
//! Memory is held only for bytes that have arrived: an idle connection holds none, a peer that sends a byte
//! a second holds a few KiB, and content that is skipped passes through a scratch buffer of the thread.

use std::cell::RefCell;
use std::fs::File;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use fdfs_proto::{HEADER_LEN, Header};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::{ConnError, ConnStream, ConnWriter, Stop};

/// Size of the scratch buffer of a thread.
pub const SCRATCH_LEN: usize = 256 * 1024;

/// What is read ahead before a peer has shown that it sends quickly.
const FIRST_READ: usize = 8 * 1024;

/// Slowest average rate at which a body may arrive, bytes a second, before the deadline of its request
/// passes (holding a connection open costs its peer at least that much).
const SLOWEST_RATE: u64 = 1024;

/// Most bytes one `sendfile` call is asked for, so that one fast reader does not hold a thread.
const SENDFILE_STEP: usize = 1 << 20;

/// How long, and for how many bytes, the rest of a request is read after its last answer.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_LEN_MAX: u64 = 64 << 20;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the scratch buffer of this thread ([`SCRATCH_LEN`] bytes) for the length of `work`, which must
/// not lend it again.
pub fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.resize(SCRATCH_LEN, 0);
        work(scratch)
    })
}

/// One accepted connection.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    timeout: Duration,
    stop: Stop,
    /// Bytes that have arrived and are not consumed: `input[start..]`.
    input: Vec<u8>,
    start: usize,
    /// When the request that is being read must have arrived completely.
    due: Option<Instant>,
    /// A first request has been served, from now on idling is allowed.
    served: bool,
    /// Bytes that went out.
    sent: u64,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, timeout: Duration, stop: Stop) -> Self {
        // Both only tune; a socket that refuses them still works.
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(&stream).set_keepalive(true);
        let local = stream.local_addr().unwrap_or(peer);
        Self {
            stream,
            peer,
            local,
            timeout,
            stop,
            input: Vec::new(),
            start: 0,
            due: None,
            served: false,
            sent: 0,
        }
    }

    /// The address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The peer's address without port, an IPv4 address as such even on an IPv6 socket.
    pub fn peer_ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// The address the peer connected to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    fn buffered(&self) -> &[u8] {
        self.input.get(self.start..).unwrap_or_default()
    }

    /// The next request header; `None` when the peer has closed the connection between two requests or the
    /// server stops. A connection may idle for ever once a first request was served, before that it has the
    /// network timeout (wire protocol: connection life cycle).
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn read_header(&mut self) -> Result<Option<Header>, ConnError> {
        if self.buffered().is_empty() && !self.wait_first_byte().await? {
            return Ok(None);
        }
        self.due = Some(Instant::now() + self.timeout);
        self.fill(HEADER_LEN, HEADER_LEN).await?;
        let mut raw = [0; HEADER_LEN];
        raw.copy_from_slice(self.buffered().get(..HEADER_LEN).ok_or(ConnError::Truncated)?);
        self.start += HEADER_LEN;
        let header = Header::decode(&raw).map_err(|_| ConnError::BadHeader)?;
        self.due = Some(Instant::now() + self.timeout + Duration::from_secs(header.body_len / SLOWEST_RATE));
        self.served = true;
        Ok(Some(header))
    }

    /// Waits for input with no buffer held; false when the peer closed or the server stops.
    async fn wait_first_byte(&mut self) -> Result<bool, ConnError> {
        self.start = 0;
        self.input.clear();
        // A quick peer has the next request there already: no need to give the buffer back for that.
        if self.receive(FIRST_READ)? {
            return Ok(!self.input.is_empty());
        }
        self.input.shrink_to_fit();
        self.due = None;
        loop {
            let patience = (!self.served).then_some(self.timeout);
            let wait = async {
                tokio::select! {
                    biased;
                    ready = self.stream.readable() => ready.map(|()| true),
                    () = self.stop.wait() => Ok(false),
                }
            };
            let ready = match patience {
                None => wait.await?,
                Some(patience) => {
                    timeout(patience, wait).await.map_err(|_| ConnError::Timeout(patience))??
                }
            };
            if !ready {
                return Ok(false);
            }
            if self.receive(FIRST_READ)? {
                return Ok(!self.input.is_empty());
            }
        }
    }

    /// One `recv` of at most `room` bytes behind the buffered ones: true when it returned (no bytes: end of
    /// stream), false when nothing is there yet.
    fn receive(&mut self, room: usize) -> Result<bool, ConnError> {
        if self.start > 0 && self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
        self.input.reserve(room);
        match self.stream.try_read_buf(&mut (&mut self.input).limit(room)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads until at least `need` bytes are buffered, reading ahead up to `want`.
    async fn fill(&mut self, need: usize, want: usize) -> Result<(), ConnError> {
        let mut quick = false;
        while self.buffered().len() < need {
            let have = self.buffered().len();
            let room = if quick { want.saturating_sub(have) } else { FIRST_READ.min(want.max(need) - have) };
            let before = self.input.len() - self.start;
            if self.receive(room.max(1))? {
                let got = self.buffered().len() - before;
                if got == 0 {
                    return Err(ConnError::Truncated);
                }
                quick = got >= room;
            } else {
                self.more().await?;
            }
        }
        Ok(())
    }

    /// Waits for more of a message. What has arrived is acknowledged at once: of a peer that sends head and content
    /// with a call for each, as clients and storages of the original do, the content is held back until then, for 40
    /// ms.
    async fn more(&self) -> Result<(), ConnError> {
        // It only tunes, and the system forgets it again.
        let _ = rustix::net::sockopt::set_tcp_quickack(&self.stream, true);
        self.within(self.stream.readable()).await
    }

    async fn within(&self, ready: impl Future<Output = io::Result<()>>) -> Result<(), ConnError> {
        let now = Instant::now();
        let patience =
            self.due.map_or(self.timeout, |due| due.saturating_duration_since(now).min(self.timeout));
        match timeout(patience, ready).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(ConnError::Timeout(self.timeout)),
        }
    }

    /// The next `len` bytes of the body, in one piece.
    ///
    /// The caller bounds `len`; memory is taken as bytes arrive.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn read(&mut self, len: usize) -> Result<&[u8], ConnError> {
        self.fill(len, len).await?;
        let from = self.start;
        self.start += len;
        self.input.get(from..from + len).ok_or(ConnError::Truncated)
    }

    /// The next `len` bytes of the body as an owned buffer. Without a copy where the bytes are all that is
    /// buffered.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn read_owned(&mut self, len: usize) -> Result<Bytes, ConnError> {
        self.fill(len, len).await?;
        let from = self.start;
        if self.input.len() == from + len {
            self.start = 0;
            return Ok(Bytes::from(std::mem::take(&mut self.input)).slice(from..));
        }
        self.start += len;
        let bytes = self.input.get(from..from + len).ok_or(ConnError::Truncated)?;
        Ok(Bytes::copy_from_slice(bytes))
    }

    /// Moves what has arrived of the next `len` bytes of the body to the end of `buffer`, as far as it has
    /// room: how many bytes, 0 when nothing is there: wait with [`Conn::arrived`].
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub fn take_arrived(&mut self, len: u64, buffer: &mut Vec<u8>) -> Result<usize, ConnError> {
        let room = usize::try_from(len).unwrap_or(usize::MAX).min(buffer.capacity() - buffer.len());
        let ahead = room.min(self.buffered().len());
        if ahead > 0 {
            buffer.extend_from_slice(self.buffered().get(..ahead).unwrap_or_default());
            self.start += ahead;
            return Ok(ahead);
        }
        if room == 0 {
            return Ok(0);
        }
        match self.stream.try_read_buf(&mut (&mut *buffer).limit(room)) {
            Ok(0) => Err(ConnError::Truncated),
            Ok(n) => Ok(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until more of the body may have arrived, within the deadline of the request.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn arrived(&self) -> Result<(), ConnError> {
        if self.buffered().is_empty() { self.more().await } else { Ok(()) }
    }

    /// Waits, for at most `patience`, until there is something to take with [`Conn::take_some`], the end of the stream
    /// included; false when that is over, or the server stops. For protocols with heads of their own.
    ///
    /// # Errors
    /// [`ConnError::Io`]; the connection is to be closed.
    pub async fn has_come(&mut self, patience: Duration) -> Result<bool, ConnError> {
        let wait = async {
            tokio::select! {
                biased;
                ready = self.stream.readable() => ready.map(|()| true),
                () = self.stop.wait() => Ok(false),
            }
        };
        match timeout(patience, wait).await {
            Ok(ready) => Ok(ready?),
            Err(_) => Ok(false),
        }
    }

    /// Moves at most `room` bytes of what has come to the end of `buffer`, which grows for them: how many, 0 when nothing is
    /// there; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`ConnError::Io`]; the connection is to be closed.
    pub fn take_some(&mut self, room: usize, buffer: &mut Vec<u8>) -> Result<Option<usize>, ConnError> {
        buffer.reserve(room);
        match self.stream.try_read_buf(&mut buffer.limit(room)) {
            Ok(0) => Ok(None),
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(0)),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for more and moves at most `room` bytes of it to the end of `buffer`; false when there will be none, or not
    /// before `due`.
    ///
    /// # Errors
    /// [`ConnError::Io`]; the connection is to be closed.
    pub async fn take_more(
        &mut self,
        room: usize,
        buffer: &mut Vec<u8>,
        due: Instant,
    ) -> Result<bool, ConnError> {
        loop {
            match self.take_some(room, buffer)? {
                None => return Ok(false),
                Some(0) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() || !self.has_come(left).await? {
                        return Ok(false);
                    }
                }
                Some(_) => return Ok(true),
            }
        }
    }

    /// For whoever writes through [`tokio::io::AsyncWrite`].
    pub fn writer(&mut self) -> ConnWriter<'_> {
        ConnWriter::new(&mut self.stream, &mut self.sent, self.timeout)
    }

    /// Gives the connection to a library that speaks with the peer itself; `before` is what had been taken of it and is
    /// not consumed.
    pub fn into_stream(self, before: Vec<u8>) -> ConnStream {
        ConnStream::new(self.stream, before, self.timeout)
    }

    /// Where to learn that the server stops.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// How many bytes went out so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the server stops: answers are the last ones then.
    pub fn is_stopping(&self) -> bool {
        self.stop.stopping()
    }

    /// Reads and forgets the next `len` bytes, so that the stream stays in step after an early answer.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn discard(&mut self, len: u64) -> Result<(), ConnError> {
        let mut left = len;
        while left > 0 {
            let ahead = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffered().len());
            self.start += ahead;
            left -= ahead as u64;
            if left == 0 {
                break;
            }
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(SCRATCH_LEN);
            let read =
                with_scratch(|scratch| self.stream.try_read(scratch.get_mut(..room).unwrap_or_default()));
            match read {
                Ok(0) => return Err(ConnError::Truncated),
                Ok(n) => left -= n as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.arrived().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Ends the connection after a last answer while the peer may still be sending: says that nothing more
    /// follows and reads what comes for a while, so that the answer is not lost in a reset.
    pub async fn linger(mut self) {
        if rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        self.due = Some(Instant::now() + LINGER);
        // However it ends, the connection is over.
        let _ = self.discard(LINGER_LEN_MAX).await;
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ConnError> {
        self.write_pair(bytes, &[]).await
    }

    /// Writes a header and a body with as few calls as possible.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn write_pair(&mut self, head: &[u8], body: &[u8]) -> Result<(), ConnError> {
        self.due = None;
        let total = head.len() + body.len();
        let mut done = 0;
        while done < total {
            let parts = [
                IoSlice::new(head.get(done..).unwrap_or_default()),
                IoSlice::new(body.get(done.saturating_sub(head.len())..).unwrap_or_default()),
            ];
            match self.stream.try_write_vectored(&parts) {
                Ok(n) => {
                    done += n;
                    self.sent += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Tries to write at once; how many bytes went out (0 when the socket is full).
    ///
    /// # Errors
    /// [`ConnError::Io`]; the connection is to be closed.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize, ConnError> {
        match self.stream.try_write(bytes) {
            Ok(n) => {
                self.sent += n as u64;
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the socket takes more bytes.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn writable(&self) -> Result<(), ConnError> {
        self.within(self.stream.writable()).await
    }

    /// Writes a head that is followed by file content at once, so that they may travel together.
    ///
    /// # Errors
    /// [`ConnError`]; the connection is to be closed.
    pub async fn write_head(&mut self, head: &[u8]) -> Result<(), ConnError> {
        let sent = self.stream.try_io(Interest::WRITABLE, || {
            rustix::net::send(&self.stream, head, rustix::net::SendFlags::MORE).map_err(io::Error::from)
        });
        match sent {
            Ok(n) => {
                self.sent += n as u64;
                self.write(head.get(n..).unwrap_or_default()).await
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.write(head).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Sends some of `len` bytes of `file` from `offset` with `sendfile`, without copying them through this
    /// process; how many. 0 means that the socket is full: wait with [`Conn::writable`]. Blocks
    /// when the content is not in the page cache.
    ///
    /// # Errors
    /// [`ConnError`]; a file that ends early is one, since the length was promised.
    pub fn send_file(&mut self, file: &File, offset: u64, len: u64) -> Result<u64, ConnError> {
        let step = usize::try_from(len).unwrap_or(usize::MAX).min(SENDFILE_STEP);
        let mut at = offset;
        let sent = self.stream.try_io(Interest::WRITABLE, || {
            rustix::fs::sendfile(&self.stream, file, Some(&mut at), step).map_err(io::Error::from)
        });
        match sent {
            Ok(0) => Err(ConnError::Truncated),
            Ok(n) => {
                self.sent += n as u64;
                Ok(n as u64)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
