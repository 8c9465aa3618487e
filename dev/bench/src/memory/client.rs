//! A client of the drive that sends and fetches files of any size with little memory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use md5::{Digest, Md5};
use serde_json::Value;

use super::content::Content;
use crate::drive::web::write_request;
use crate::drive::world::{JSON, bearer, v1};

/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(120);
/// A connection that has rested so long may be closed by the drive at any moment: another one is made.
const REST_MAX: Duration = Duration::from_secs(20);
/// Longest line of an answer's head.
const LINE_MAX: u64 = 16 << 10;
/// Longest answer that is kept.
const ANSWER_MAX: u64 = 64 << 20;

/// Somebody with one connection.
pub(super) struct Client {
    address: SocketAddr,
    /// Whose requests these are: whole lines.
    fields: String,
    stream: Option<BufReader<TcpStream>>,
    /// When something was sent on it last.
    used: Instant,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The lines of the head, as they came.
    head: String,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Client {
        Client { address, fields: String::new(), stream: None, used: Instant::now() }
    }

    /// As [`Client::new`], signed in.
    pub(super) fn signed_in(address: SocketAddr, name: &str, password: &str) -> Result<Client> {
        let mut client = Client::new(address);
        let fields = serde_json::json!({"user_name": name, "password": password, "hand": "token"});
        let session = client.send("POST", "/session", &fields, 201)?;
        client.fields = bearer(session["token"].as_str().context("no token")?);
        Ok(client)
    }

    /// The same person on another connection.
    pub(super) fn another(&self) -> Client {
        Client { address: self.address, fields: self.fields.clone(), stream: None, used: Instant::now() }
    }

    /// Sends JSON and gets JSON; `due` is the status that it must be.
    pub(super) fn send(&mut self, method: &str, path: &str, fields: &Value, due: u16) -> Result<Value> {
        self.ask(method, path, JSON, fields.to_string().as_bytes(), due)?.json()
    }

    /// Gets JSON.
    pub(super) fn get(&mut self, path: &str) -> Result<Value> {
        self.ask("GET", path, "", b"", 200)?.json()
    }

    /// Sends bytes.
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
        due: u16,
    ) -> Result<Answer> {
        let answer = self.exchange(method, path, fields, body)?;
        ensure!(answer.status == due, "{method} {path}: {}", answer.words());
        Ok(answer)
    }

    /// The same, whatever comes of it.
    pub(super) fn exchange(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> Result<Answer> {
        let mut request = Vec::new();
        write_request(&mut request, method, &v1(path), &format!("{}{fields}", self.fields), body);
        self.stream()?.get_mut().write_all(&request)?;
        self.answer(&mut |_| {})
    }

    /// Sends so much of a large file.
    pub(super) fn send_content(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        content: &mut Content,
        bytes: u64,
        due: u16,
    ) -> Result<Answer> {
        let head = format!(
            "{method} {} HTTP/1.1\r\nHost: drive.test\r\n{}{fields}Content-Length: {bytes}\r\n\r\n",
            v1(path),
            self.fields
        );
        let stream = self.stream()?.get_mut();
        stream.write_all(head.as_bytes())?;
        content.send(bytes, |block| stream.write_all(block))?;
        let answer = self.answer(&mut |_| {})?;
        ensure!(answer.status == due, "{method} {path}: {}", answer.words());
        Ok(answer)
    }

    /// Fetches a file of any size: its length and MD5.
    pub(super) fn fetch(&mut self, path: &str) -> Result<(u64, [u8; 16])> {
        let mut request = Vec::new();
        write_request(&mut request, "GET", &v1(path), &self.fields, b"");
        self.stream()?.get_mut().write_all(&request)?;
        let (mut length, mut digest) = (0, Md5::new());
        let answer = self.answer(&mut |bytes| {
            length += bytes.len() as u64;
            digest.update(bytes);
        })?;
        ensure!(answer.status == 200, "GET {path}: {}", answer.words());
        Ok((length, digest.finalize().into()))
    }

    fn stream(&mut self) -> Result<&mut BufReader<TcpStream>> {
        if self.stream.is_none() || self.used.elapsed() > REST_MAX {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            self.stream = Some(BufReader::new(stream));
        }
        self.used = Instant::now();
        self.stream.as_mut().context("no connection")
    }

    /// The body of a good answer that is a file goes to `sink` and is not kept.
    fn answer(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<Answer> {
        let stream = self.stream.as_mut().context("no connection")?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = stream.by_ref().take(LINE_MAX).read_line(&mut head).context("read an answer")?;
            ensure!(read > 0, "the connection ended before its answer: {head}");
        }
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).context("no status")?;
        let mut answer = Answer { status, head, body: Vec::new() };
        let length: u64 = match answer.field("content-length") {
            Some(digits) => digits.parse()?,
            None if status == 204 => 0,
            None => bail!("an answer without a length: {}", answer.head),
        };
        let is_json = answer.field("content-type").is_some_and(|value| value.contains("json"));
        if status == 200 && !is_json {
            let (mut left, mut piece) = (length, vec![0; 256 << 10]);
            while left > 0 {
                let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let got = stream.read(&mut piece[..most]).context("read a file")?;
                ensure!(got > 0, "the connection ended, {left} bytes of a file are missing");
                sink(&piece[..got]);
                left -= got as u64;
            }
        } else {
            ensure!(length <= ANSWER_MAX, "an answer of {length} bytes");
            answer.body = vec![0; usize::try_from(length)?];
            stream.read_exact(&mut answer.body).context("read an answer")?;
        }
        if answer.field("connection") == Some("close") {
            self.stream = None;
        }
        Ok(answer)
    }
}

impl Answer {
    pub(super) fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).with_context(|| self.words())
    }

    /// A field's value; `name` in small letters.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn words(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}
