//! A peer that plays a script: what it answers is written out in bytes.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fdfs_client::{Client, ClientConfig, ServerAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the peer does on one connection; at the end of the steps it closes.
#[derive(Clone)]
pub(crate) enum Step {
    /// Reads a whole request.
    Request,
    /// Reads so many bytes of a request.
    Read(usize),
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one, with pauses.
    Drip(Vec<u8>, Duration),
    /// Says nothing until the client closes.
    Hang,
}

/// A request as the peer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) command: u8,
    pub(crate) status: u8,
    pub(crate) body: Vec<u8>,
}

/// The running peer.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
    closed: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Peer {
    /// Plays one script per connection, in order; connections beyond that are closed at once.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Peer {
        Peer::start_at("127.0.0.1:0", scripts).await
    }

    pub(crate) async fn start_at(address: &str, scripts: Vec<Vec<Step>>) -> Peer {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (log, count) = (Arc::clone(&seen), Arc::clone(&connections));
        let (closing, closed) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                if let Some(script) = scripts.next() {
                    let (log, closing) = (Arc::clone(&log), closing.clone());
                    tokio::spawn(async move {
                        play(stream, script, log).await;
                        closing.send_modify(|count| *count += 1);
                    });
                }
            }
        });
        Peer { address, seen, connections, closed, task }
    }

    /// An address nobody listens on: the connection is refused.
    pub(crate) async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    pub(crate) fn server(&self) -> ServerAddr {
        ServerAddr::new(self.address.ip(), self.address.port())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn commands(&self) -> Vec<u8> {
        self.seen().iter().map(|seen| seen.command).collect()
    }

    /// Waits until the peer has closed so many connections.
    pub(crate) async fn has_closed(&self, count: usize) {
        self.closed.clone().wait_for(|closed| *closed >= count).await.unwrap();
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn play(mut stream: TcpStream, script: Vec<Step>, log: Arc<Mutex<Vec<Seen>>>) {
    for step in script {
        match step {
            Step::Request => {
                let Some(seen) = read_request(&mut stream).await else { return };
                log.lock().unwrap().push(seen);
            }
            Step::Read(len) => {
                let mut bytes = vec![0; len];
                if stream.read_exact(&mut bytes).await.is_err() {
                    return;
                }
            }
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    tokio::time::sleep(pause).await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
            }
            Step::Hang => {
                let mut byte = [0; 1];
                while matches!(stream.read(&mut byte).await, Ok(read) if read > 0) {}
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut header = [0; 10];
    stream.read_exact(&mut header).await.ok()?;
    let len = u64::from_be_bytes(header[..8].try_into().unwrap());
    let mut body = vec![0; usize::try_from(len).unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { command: header[8], status: header[9], body })
}

/// A reply: header with status, then the body.
pub(crate) fn reply(status: u8, body: &[u8]) -> Step {
    let mut bytes = (body.len() as u64).to_be_bytes().to_vec();
    bytes.extend_from_slice(&[100, status]);
    bytes.extend_from_slice(body);
    Step::Send(bytes)
}

/// Request and reply, again and again.
pub(crate) fn talk(replies: Vec<Step>) -> Vec<Step> {
    let mut script: Vec<Step> = replies.into_iter().flat_map(|reply| [Step::Request, reply]).collect();
    script.push(Step::Hang);
    script
}

fn padded(text: &str, width: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(width, 0);
    bytes
}

/// Group, address of 15 bytes, port.
pub(crate) fn fetch_body(storage: SocketAddr) -> Vec<u8> {
    fetch_all_body(&[storage])
}

pub(crate) fn fetch_all_body(storages: &[SocketAddr]) -> Vec<u8> {
    let mut body = padded("group1", 16);
    for storage in storages {
        body.extend(padded(&storage.ip().to_string(), 15));
        body.extend_from_slice(&u64::from(storage.port()).to_be_bytes());
    }
    body
}

/// The same and a store path.
pub(crate) fn store_body(storages: &[SocketAddr], path: u8) -> Vec<u8> {
    let mut body = fetch_all_body(storages);
    body.push(path);
    body
}

/// As [`store_body`], addresses of 45 bytes.
pub(crate) fn wide_store_body(storage: SocketAddr, path: u8) -> Vec<u8> {
    let mut body = padded("group1", 16);
    body.extend(padded(&storage.ip().to_string(), 45));
    body.extend_from_slice(&u64::from(storage.port()).to_be_bytes());
    body.push(path);
    body
}

/// The file of the reference's examples: 14 bytes `hello fastdfs\n`.
pub(crate) const NAME: &str = "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
pub(crate) const ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
pub(crate) const CONTENT: &[u8] = b"hello fastdfs\n";
/// An appender.
pub(crate) const APPENDER: &str = "group1/M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log";

/// A reply that names [`NAME`].
pub(crate) fn named() -> Step {
    let mut body = padded("group1", 16);
    body.extend_from_slice(NAME.as_bytes());
    reply(0, &body)
}

/// A reply of file information.
pub(crate) fn info(size: u64, crc32: u32) -> Step {
    let mut body = size.to_be_bytes().to_vec();
    body.extend_from_slice(&1_751_328_000_i64.to_be_bytes());
    body.extend_from_slice(&i64::from(crc32 as i32).to_be_bytes());
    body.extend(padded("192.168.0.196", 16));
    reply(0, &body)
}

/// A client with short deadlines and one round.
pub(crate) fn client(trackers: &[SocketAddr]) -> Client {
    Client::new(config(trackers))
}

pub(crate) fn config(trackers: &[SocketAddr]) -> ClientConfig {
    let trackers = trackers.iter().map(|address| ServerAddr::new(address.ip(), address.port()));
    ClientConfig {
        connect_timeout: Duration::from_secs(5),
        network_timeout: Duration::from_secs(5),
        connect_rounds: 1,
        ..ClientConfig::new(trackers)
    }
}
