//! A cluster in memory: tracker and storage at one port, with faults to order.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use fdfs_client::{Client, ClientConfig, ServerAddr};
use fdfs_fileid::{FileId, GroupName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use fdfs_proto::storage::{FileAsk, download, file_info, named, upload};
use fdfs_proto::tracker::{Server, query_fetch, query_store};
use fdfs_proto::{AddrWidth, HEADER_LEN, Header, IpText, Status, frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The running cluster.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    count: u32,
    /// Uploads to come that get no answer.
    break_uploads: u32,
    /// Uploads that are answered before the rest fails; `None` for no limit.
    uploads_left: Option<u32>,
    uploads: u32,
    downloads: u32,
    /// How much of its answer each of the next downloads sends before its connection ends, in bytes.
    cut_downloads: VecDeque<usize>,
    /// A command that is not answered, and who is told when it comes.
    silent_to: Option<(u8, Arc<Notify>)>,
}

impl Fake {
    pub(crate) async fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, address, Arc::clone(&shared)));
            }
        });
        Fake { address, state, task }
    }

    pub(crate) fn client(&self) -> Client {
        let tracker = ServerAddr::new(self.address.ip(), self.address.port());
        Client::new(ClientConfig { connect_rounds: 1, ..ClientConfig::new([tracker]) })
    }

    /// The next uploads get no answer.
    pub(crate) fn break_uploads(&self, count: u32) {
        self.state.lock().unwrap().break_uploads = count;
    }

    /// Each of the next downloads ends with its connection when so many bytes of the content were sent; 0: before
    /// anything was.
    pub(crate) fn cut_downloads(&self, lens: &[usize]) {
        self.state.lock().unwrap().cut_downloads.extend(lens);
    }

    /// After so many uploads no more are answered.
    pub(crate) fn break_after(&self, count: Option<u32>) {
        self.state.lock().unwrap().uploads_left = count;
    }

    /// This command gets no answer any more, and its connection stays open. Gives what is told when it comes.
    pub(crate) fn keep_silent_to(&self, command: u8) -> Arc<Notify> {
        let asked = Arc::new(Notify::new());
        self.state.lock().unwrap().silent_to = Some((command, Arc::clone(&asked)));
        asked
    }

    /// Every command is answered again.
    pub(crate) fn answer_again(&self) {
        self.state.lock().unwrap().silent_to = None;
    }

    /// Uploads answered.
    pub(crate) fn uploads(&self) -> u32 {
        self.state.lock().unwrap().uploads
    }

    /// Downloads answered.
    pub(crate) fn downloads(&self) -> u32 {
        self.state.lock().unwrap().downloads
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.state.lock().unwrap().files.keys().cloned().collect()
    }

    pub(crate) fn content(&self, id: &FileId) -> Option<Vec<u8>> {
        self.state.lock().unwrap().files.get(&id.to_string()).cloned()
    }

    pub(crate) fn lose(&self, id: &FileId) {
        self.state.lock().unwrap().files.remove(&id.to_string()).unwrap();
    }

    pub(crate) fn damage(&self, id: &FileId) {
        self.state.lock().unwrap().files.get_mut(&id.to_string()).unwrap()[0] ^= 1;
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, address: SocketAddr, state: Arc<Mutex<State>>) {
    loop {
        let mut header = [0; HEADER_LEN];
        if stream.read_exact(&mut header).await.is_err() {
            return;
        }
        let header = Header::decode(&header).unwrap();
        let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let silent_to = state.lock().unwrap().silent_to.clone();
        if let Some((command, asked)) = silent_to
            && command == header.command
        {
            asked.notify_one();
            return std::future::pending().await;
        }
        let answer = answer(header, &body, address, &mut state.lock().unwrap());
        let Some(answer) = answer else { return };
        let cut = (header.command == 14).then(|| state.lock().unwrap().cut_downloads.pop_front()).flatten();
        let sent = match cut {
            None => &answer[..],
            Some(0) => return,
            Some(len) => &answer[..HEADER_LEN + len],
        };
        if stream.write_all(sent).await.is_err() || cut.is_some() {
            return;
        }
    }
}

/// The reply; `None` closes the connection without one.
fn answer(header: Header, body: &[u8], address: SocketAddr, state: &mut State) -> Option<Vec<u8>> {
    let group = GroupName::parse(b"group1").unwrap();
    let server = Server { ip: IpText::from(address.ip()), port: address.port() };
    let mut out = Vec::new();
    let refuse = |status| {
        let mut out = Vec::new();
        frame::status(&mut out, status);
        Some(out)
    };
    let key = |ask: &FileAsk<'_>| format!("{}/{}", ask.group, ask.name);
    match header.command {
        101 => {
            let got = query_store::Got { group, server, path: StorePathIndex(0) };
            frame::reply(&mut out, |out| got.encode(AddrWidth::V4, out));
        }
        102 | 103 => {
            let got = query_fetch::Got { group, server };
            frame::reply(&mut out, |out| got.encode(AddrWidth::V4, out));
        }
        105 => {
            let got = query_fetch::GotAll { group, servers: vec![server] };
            frame::reply(&mut out, |out| got.encode(AddrWidth::V4, out));
        }
        11 => {
            if state.break_uploads > 0 {
                state.break_uploads -= 1;
                return None;
            }
            match &mut state.uploads_left {
                Some(0) => return None,
                Some(left) => *left -= 1,
                None => {}
            }
            let ask = upload::Ask::decode(header.body_len, body).unwrap();
            let content = &body[upload::Ask::HEAD_LEN..];
            state.count += 1;
            state.uploads += 1;
            let IpAddr::V4(ip) = address.ip() else { return None };
            let stamp = Stamp {
                source: Source::Ip(ip),
                timestamp: 1_751_328_000,
                size: SizeWord::normal(content.len() as u64, state.count),
                crc32: crc32fast::hash(content),
            };
            let name = build_name(StorePathIndex(0), (0, 0), &stamp, &ask.ext_name().unwrap(), state.count);
            state.files.insert(format!("{group}/{name}"), content.to_vec());
            frame::reply(&mut out, |out| named::Got::new(group, &name).encode(out));
        }
        12 => {
            let ask = FileAsk::decode(body).unwrap();
            let removed = state.files.remove(&key(&ask));
            return refuse(if removed.is_some() { Status::OK } else { Status::ENOENT });
        }
        14 => {
            let ask = download::Ask::decode(body).unwrap();
            let Some(content) = state.files.get(&format!("{}/{}", ask.group, ask.name)) else {
                return refuse(Status::ENOENT);
            };
            state.downloads += 1;
            let offset = usize::try_from(ask.offset).unwrap();
            frame::reply(&mut out, |out| out.extend_from_slice(&content[offset..]));
        }
        22 => {
            let ask = file_info::Ask::decode(header.status, body).unwrap();
            let Some(content) = state.files.get(&format!("{}/{}", ask.group, ask.name)) else {
                return refuse(Status::ENOENT);
            };
            let got = file_info::Got {
                size: content.len() as u64,
                mtime: 1_751_328_000,
                crc32: crc32fast::hash(content),
                source: IpText::from(address.ip()),
            };
            frame::reply(&mut out, |out| got.encode(AddrWidth::V4, out));
        }
        111 => frame::status(&mut out, Status::OK),
        other => panic!("command {other}"),
    }
    Some(out)
}
