//! A connection on which the test says every byte itself, for what no well-behaved client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

/// Length of the header in front of every message.
pub const HEADER_LEN: usize = 10;
/// The command byte of every answer.
const RESPONSE: u8 = 100;
/// Is the other side in step?
const ACTIVE_TEST: u8 = 111;
/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer to a question of these tests is longer.
const BODY_MAX: u64 = 64 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 0, or an errno.
    pub status: u8,
    /// What came behind the header.
    pub body: Vec<u8>,
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(server: SocketAddr) -> Result<Wire> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE);
        Wire::over(stream.with_context(|| format!("connect to {server}"))?)
    }

    /// Connects from an address of one's own: trackers tell storages apart by it.
    ///
    /// # Errors
    /// When the address is not of this machine, or nobody listens there.
    pub fn connect_from(own: IpAddr, server: SocketAddr) -> Result<Wire> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(own, 0).into()).with_context(|| format!("bind to {own}"))?;
        socket.connect_timeout(&server.into(), PATIENCE).with_context(|| format!("connect to {server}"))?;
        Wire::over(socket.into())
    }

    fn over(stream: TcpStream) -> Result<Wire> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the other side has closed.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("send")
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// When the other side closes, or its answer is not one.
    pub fn ask(&mut self, command: u8, body: &[u8]) -> Result<Answer> {
        self.ask_with(command, 0, body)
    }

    /// As [`Wire::ask`], with a status byte in the request; one command takes flags there.
    ///
    /// # Errors
    /// As [`Wire::ask`].
    pub fn ask_with(&mut self, command: u8, status: u8, body: &[u8]) -> Result<Answer> {
        self.send(&request(command, status, body.len() as u64, body))?;
        self.answer()
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// As [`Wire::ask`].
    pub fn answer(&mut self) -> Result<Answer> {
        let (status, length) = self.answer_header()?;
        ensure!(length <= BODY_MAX, "an answer of {length} bytes");
        let mut body = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut body).context("read an answer")?;
        Ok(Answer { status, body })
    }

    /// Reads and forgets so many bytes of an answer.
    ///
    /// # Errors
    /// When the other side closes before.
    pub fn skip(&mut self, bytes: u64) -> Result<()> {
        let skipped = std::io::copy(&mut (&self.stream).take(bytes), &mut std::io::sink())?;
        ensure!(skipped == bytes, "closed after {skipped} of {bytes} bytes");
        Ok(())
    }

    /// Reads the header of an answer; its status, and how many bytes follow.
    ///
    /// # Errors
    /// As [`Wire::ask`].
    pub fn answer_header(&mut self) -> Result<(u8, u64)> {
        let mut header = [0; HEADER_LEN];
        self.stream.read_exact(&mut header).context("read the header of an answer")?;
        let [length @ .., command, status] = header;
        ensure!(command == RESPONSE, "command {command} in an answer");
        Ok((status, u64::from_be_bytes(length)))
    }

    /// Whether the other side still answers on this connection.
    #[must_use]
    pub fn is_in_step(&mut self) -> bool {
        self.ask(ACTIVE_TEST, &[]).is_ok_and(|answer| answer == Answer { status: 0, body: Vec::new() })
    }

    /// Whether the other side has closed by now; waits for nothing. What it has sent before is not looked at.
    #[must_use]
    pub fn has_closed(&self) -> bool {
        let _ = self.stream.set_nonblocking(true);
        let found = self.stream.peek(&mut [0; 1]);
        let _ = self.stream.set_nonblocking(false);
        match found {
            Ok(there) => there == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Whether the other side closes, or has closed, without sending a further byte.
    #[must_use]
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// A request as it goes over the wire; `length` is the one it announces.
#[must_use]
pub fn request(command: u8, status: u8, length: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend([command, status]);
    bytes.extend_from_slice(body);
    bytes
}

/// A name padded with NULs to the width of its field.
///
/// # Panics
/// When it does not fit.
#[must_use]
pub fn field(name: &str, width: usize) -> Vec<u8> {
    assert!(name.len() <= width, "{name} is longer than its field");
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(width, 0);
    bytes
}
