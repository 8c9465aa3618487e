//! An HTTP/1.1 connection on which the test says every byte itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The fields, their names in lower case.
    pub fields: BTreeMap<String, String>,
    /// The content, chunks put together.
    pub content: Vec<u8>,
}

impl Answer {
    /// A field, or nothing.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// One connection.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<TcpStream>,
}

impl Http {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> Result<Http> {
        Http::on(TcpStream::connect(address).with_context(|| format!("connect to {address}"))?)
    }

    fn on(stream: TcpStream) -> Result<Http> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Http { stream: BufReader::new(stream) })
    }

    /// Connects from an address of this machine.
    ///
    /// # Errors
    /// When nobody listens there, or the address is none of this machine.
    pub fn connect_from(from: IpAddr, address: SocketAddr) -> Result<Http> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.connect(&address.into()).with_context(|| format!("connect to {address}"))?;
        Http::on(socket.into())
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// When the other side takes none.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// Asks, with further lines of a head, and reads the answer.
    ///
    /// # Errors
    /// When none comes that is one.
    pub fn ask(&mut self, method: &str, target: &str, lines: &[&str]) -> Result<Answer> {
        let more: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{more}\r\n").as_bytes())?;
        self.receive(method == "HEAD")
    }

    /// Reads an answer; `head` says that no content follows, whatever its length.
    ///
    /// # Errors
    /// When it is none, or ends early.
    pub fn receive(&mut self, head: bool) -> Result<Answer> {
        let mut answer = self.receive_head()?;
        if head || answer.status == 204 || answer.status == 304 {
            return Ok(answer);
        }
        if answer.field("transfer-encoding") == "chunked" {
            loop {
                let len = u64::from_str_radix(&self.line()?, 16)?;
                (&mut self.stream).take(len).read_to_end(&mut answer.content)?;
                ensure!(self.line()?.is_empty(), "a chunk does not end");
                if len == 0 {
                    return Ok(answer);
                }
            }
        }
        let len: usize = answer.field("content-length").parse().context("no length")?;
        answer.content.resize(len, 0);
        self.stream.read_exact(&mut answer.content).context("the content ends early")?;
        Ok(answer)
    }

    /// Reads the head of an answer and leaves its content where it is.
    ///
    /// # Errors
    /// When it is none, or ends early.
    pub fn receive_head(&mut self) -> Result<Answer> {
        let line = self.line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
        let status = status.parse().with_context(|| format!("no status line: {line:?}"))?;
        let mut fields = BTreeMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").with_context(|| format!("no field: {line:?}"))?;
            let twice = fields.insert(name.to_ascii_lowercase(), value.to_owned());
            ensure!(twice.is_none(), "{name} twice");
        }
        Ok(Answer { status, fields, content: Vec::new() })
    }

    /// Whether the other side closes now, with nothing more to say.
    #[must_use]
    pub fn ends(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.strip_suffix("\r\n").with_context(|| format!("no whole line: {line:?}"))?.to_owned())
    }
}

/// Asks once, on a connection of its own.
///
/// # Errors
/// See [`Http::ask`].
pub fn ask(address: SocketAddr, method: &str, target: &str, lines: &[&str]) -> Result<Answer> {
    Http::connect(address)?.ask(method, target, lines)
}
