//! Copies that are shorter than the file: of an original's after a power cut there are often 0 bytes, and an appender may
//! be cut between two questions. What a client is sent then never looks complete.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fdfs_conf::{GatewayConf, LoadError};
use fdfs_fileid::{
    ExtName, FileId, FileName, GroupName, SizeWord, Source, Stamp, StorePathIndex, build_name,
};
use gateway::{Local, Running};
use store::{Content, Durability, NewName, Packing, Store, StoreSettings};
use testkit::address::{HTTP_PORT, Loopback, STORAGE_PORT};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the file: more than is fetched at a time in any of the ways that there are.
const LEN: usize = 3_000_000;
const TIME: u32 = 1_751_328_000;

/// Text, so that it is compressed for those who take it.
fn content() -> Vec<u8> {
    (0_u32..).flat_map(|line| format!("line {line}\n").into_bytes()).take(LEN).collect()
}

fn name(appender: bool) -> FileName {
    let mut crc = flate2::Crc::new();
    crc.update(&content());
    let size = if appender { SizeWord::appender(7) } else { SizeWord::normal(LEN as u64, 7) };
    let stamp = Stamp { source: Source::Ip(Ipv4Addr::LOCALHOST), timestamp: TIME, size, crc32: crc.sum() };
    build_name(StorePathIndex(0), (0, 0), &stamp, &ExtName::parse(b"txt").unwrap(), 1234)
}

/// A tracker and a storage in one, with one file.
struct Peer {
    address: SocketAddr,
    file: Arc<File>,
}

/// As a storage has it.
struct File {
    content: Vec<u8>,
    /// So many bytes are left of it.
    left: AtomicUsize,
    /// That the rest is gone was told once. Before, the file is said to be whole: it was when that was asked.
    told: AtomicBool,
}

impl Peer {
    fn start(place: &Loopback) -> Peer {
        let listener = TcpListener::bind(place.port(STORAGE_PORT)).unwrap();
        let address = listener.local_addr().unwrap();
        let (left, told) = (AtomicUsize::new(LEN), AtomicBool::new(false));
        let file = Arc::new(File { content: content(), left, told });
        let shared = Arc::clone(&file);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let file = Arc::clone(&shared);
                // It ends with its connection.
                thread::spawn(move || talk(stream.unwrap(), address, &file));
            }
        });
        Peer { address, file }
    }

    /// Leaves so much of the file.
    fn cut(&self, left: usize) {
        self.file.left.store(left, Ordering::Relaxed);
        self.file.told.store(false, Ordering::Relaxed);
    }
}

fn talk(mut stream: TcpStream, address: SocketAddr, file: &File) -> Option<()> {
    loop {
        let mut header = [0; 10];
        stream.read_exact(&mut header).ok()?;
        let mut body = vec![0; u64::from_be_bytes(header[..8].try_into().unwrap()) as usize];
        stream.read_exact(&mut body).ok()?;
        let number = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().unwrap()) as usize;
        let mut reply = Vec::new();
        let mut status = 0;
        match header[8] {
            // Who has the file, one and all.
            102 | 105 => {
                reply.resize(16, 0);
                reply[..6].copy_from_slice(b"group1");
                reply.extend_from_slice(address.ip().to_string().as_bytes());
                reply.resize(31, 0);
                reply.extend_from_slice(&u64::from(address.port()).to_be_bytes());
            }
            // What is known of it.
            22 => {
                let told = file.told.load(Ordering::Relaxed);
                let size = if told { file.left.load(Ordering::Relaxed) } else { LEN };
                reply.extend_from_slice(&(size as u64).to_be_bytes());
                reply.extend_from_slice(&u64::from(TIME).to_be_bytes());
                reply.extend_from_slice(&[0; 24]);
            }
            // Its bytes, as far as there are any.
            14 => {
                let content = &file.content[..file.left.load(Ordering::Relaxed)];
                let (at, len) = (number(0), number(8));
                match content.get(at..) {
                    Some(rest) if !rest.is_empty() => reply.extend_from_slice(&rest[..len.min(rest.len())]),
                    _ => {
                        file.told.store(true, Ordering::Relaxed);
                        status = 22;
                    }
                }
            }
            111 => {}
            _ => status = 2,
        }
        let mut whole = (reply.len() as u64).to_be_bytes().to_vec();
        whole.extend_from_slice(&[100, status]);
        whole.extend_from_slice(&reply);
        stream.write_all(&whole).ok()?;
        if status == 22 {
            return Some(());
        }
    }
}

fn gateway(place: &Loopback, tracker: Option<SocketAddr>, local: Option<Local>) -> Running {
    let tracker = tracker.map(|tracker| format!("tracker_server={tracker}\n")).unwrap_or_default();
    let text = format!("bind_addr={}\nport={HTTP_PORT}\nurl_have_group_name=true\n{tracker}", place.ip());
    let mut read = |path: &str| if path == "m.conf" { Ok(text.clone()) } else { Err(LoadError::NotFound) };
    let (conf, _) = GatewayConf::load("m.conf", &mut read).unwrap();
    gateway::start(&conf, local).unwrap()
}

/// What came back.
#[derive(Debug, PartialEq)]
enum Came {
    Whole {
        status: u16,
        content: Vec<u8>,
    },
    /// The connection was closed before the answer was whole.
    BrokenOff,
    /// It was not, and nothing more came.
    Hangs,
}

/// Asks for the file on a connection that is kept.
fn ask(gateway: &Running, target: &str, line: &str) -> Came {
    let mut stream = TcpStream::connect(gateway.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: test\r\n{line}\r\n").unwrap();
    let (mut got, mut buffer) = (Vec::new(), vec![0; 65536]);
    loop {
        if let Some((status, content)) = whole(&got) {
            return Came::Whole { status, content };
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Came::BrokenOff,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Came::Hangs,
            Err(_) => return Came::BrokenOff,
        }
    }
}

/// The status and the content of an answer that has come as a whole.
fn whole(got: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_len = got.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(got[..head_len].to_ascii_lowercase()).unwrap();
    let status = head[9..12].parse().unwrap();
    let content = &got[head_len..];
    let complete = match head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")) {
        Some(len) => content.len() == len.parse::<usize>().unwrap(),
        None => content.ends_with(b"0\r\n\r\n"),
    };
    complete.then(|| (status, content.to_vec()))
}

/// Ways to ask for all of it, or for its end, or for parts at both ends.
fn lines() -> [&'static str; 6] {
    [
        "",
        "Accept-Encoding: gzip\r\n",
        "Accept-Encoding: zstd\r\n",
        "Range: bytes=1000000-\r\n",
        "Range: bytes=100-2999999\r\n",
        "Range: bytes=0-99,2999000-2999999\r\n",
    ]
}

#[test]
fn a_storage_that_sends_less_of_a_file_than_there_is_gives_no_complete_answer() {
    let place = Loopback::claim().unwrap();
    let peer = Peer::start(&place);
    let gateway = gateway(&place, Some(peer.address), None);
    for appender in [false, true] {
        let target = format!("/group1/{}", name(appender));
        for line in lines() {
            peer.cut(LEN);
            let came = ask(&gateway, &target, line);
            assert!(matches!(came, Came::Whole { status: 200 | 206, .. }), "{appender} {line}");
            for has in [0, 1, 1000, 65_536, 100_000, 1_000_000, 1_500_000, 2_999_999] {
                peer.cut(has);
                match ask(&gateway, &target, line) {
                    Came::BrokenOff => {}
                    Came::Whole { status: 502, .. } => {}
                    Came::Hangs => panic!("{appender} {line:?} {has}: hangs"),
                    Came::Whole { status, content } => {
                        panic!("{appender} {line:?} {has}: {status} and {} bytes", content.len())
                    }
                }
            }
        }
        // Nothing had gone out yet.
        for line in &lines()[..5] {
            peer.cut(0);
            let came = ask(&gateway, &target, line);
            assert!(matches!(came, Came::Whole { status: 502, .. }), "{appender} {line:?}");
        }
    }
    gateway.stop();
}

#[test]
fn what_follows_on_a_connection_is_not_taken_for_the_rest_of_a_short_copy() {
    let place = Loopback::claim().unwrap();
    let peer = Peer::start(&place);
    let gateway = gateway(&place, Some(peer.address), None);
    peer.cut(100_000);
    let mut stream = TcpStream::connect(gateway.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /group1/{} HTTP/1.1\r\nHost: test\r\n\r\n", name(true));
    stream.write_all(request.repeat(2).as_bytes()).unwrap();
    let mut got = Vec::new();
    // It may be cut off instead of closed, as there is a request that nobody read.
    if let Err(error) = stream.read_to_end(&mut got) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(got.windows(9).filter(|part| part == b"HTTP/1.1 ").count(), 1);
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_own_store_that_is_shorter_than_its_name_says_comes_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        binlog_dir: folder.path().join("data/sync"),
        paths: vec![folder.path().to_owned()],
        durability: Durability::Disk,
        inline_max: 4096,
        journal_len: 1 << 20,
        packing: Packing::OFF,
        commit_wait: Duration::ZERO,
    };
    let store = Arc::new(Store::open(&settings).unwrap().0);
    let id = FileId { group: GroupName::parse(b"group1").unwrap(), name: name(false) };
    let bytes = Content::Bytes(b"all that a power cut left".to_vec().into());
    store.create(StorePathIndex(0), NewName::Fixed(id.name.clone()), bytes, TIME).await.unwrap();
    let suspected = Arc::new(AtomicBool::new(false));
    let local = || {
        let suspected = Arc::clone(&suspected);
        Local {
            owns: Arc::new(|_| true),
            store: Arc::clone(&store),
            suspect: Arc::new(move |_| suspected.store(true, Ordering::Relaxed)),
        }
    };
    let target = format!("/{id}");
    let place = Loopback::claim().unwrap();
    let ask = async |tracker: Option<SocketAddr>| {
        let (gateway, target) = (gateway(&place, tracker, Some(local())), target.clone());
        let asked = move || {
            let came = ask(&gateway, &target, "");
            gateway.stop();
            came
        };
        tokio::task::spawn_blocking(asked).await.unwrap()
    };
    let peer = Peer::start(&place);
    assert!(ask(Some(peer.address)).await == Came::Whole { status: 200, content: content() });
    assert!(suspected.load(Ordering::Relaxed));
    assert!(matches!(ask(None).await, Came::Whole { status: 404, .. }));
}
