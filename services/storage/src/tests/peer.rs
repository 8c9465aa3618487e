//! A member of the group that takes replicated changes as the original does (storage internals: receiver behaviour),
//! remembers what came, and can be told to refuse, to keep silent or to hang up. And a tracker that says who fills
//! whom.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fdfs_proto::storage::{Request, file_info};
use fdfs_proto::tracker::status_report;
use fdfs_proto::tracker::sync_source::{Got, SyncSource};
use fdfs_proto::tracker::trunk::FileNumber;
use fdfs_proto::{
    AddrWidth, HEADER_LEN, Header, IpText, RawName, Status, StorageCommand as C, StorageStatus,
    TrackerCommand, frame,
};
use parking_lot::{Condvar, Mutex};
use rustix::net;

use super::client::until;

/// One message that came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Number of its connection.
    pub(super) connection: u64,
    pub(super) command: C,
    pub(super) status: u8,
    /// The file, of two names the first; empty where there is none.
    pub(super) name: String,
    pub(super) timestamp: u32,
    pub(super) body: Vec<u8>,
}

/// What to do instead of the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    Refuse(Status),
    HangUp,
    /// Waits until the gate is opened, then does the usual.
    Wait,
}

type Rule = Box<dyn FnMut(&Seen) -> Option<Instead> + Send>;

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    seen: Vec<Seen>,
    /// Names of files whose changes are being dealt with.
    busy: Vec<String>,
    /// Two messages about one file were there at the same time.
    overlapped: bool,
    rule: Option<Rule>,
    open: bool,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    gate: Condvar,
    connections: AtomicU64,
}

pub(super) struct FakePeer {
    pub(super) address: SocketAddr,
    desk: Arc<Desk>,
}

/// An address that refuses connections until somebody listens.
pub(super) struct LatePeer {
    socket: OwnedFd,
    pub(super) address: SocketAddr,
}

impl LatePeer {
    pub(super) fn reserve() -> Self {
        let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
        net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = net::getsockname(&socket).unwrap().try_into().unwrap();
        Self { socket, address }
    }

    pub(super) fn listen(self) -> FakePeer {
        net::listen(&self.socket, 16).unwrap();
        FakePeer::serve(self.socket.into())
    }
}

impl FakePeer {
    pub(super) fn start() -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn serve(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk::default());
        let serving = Arc::clone(&desk);
        // Ends with the process: nobody connects to it after the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let desk = Arc::clone(&serving);
                std::thread::spawn(move || serve(stream.unwrap(), &desk));
            }
        });
        Self { address, desk }
    }

    /// From now on `rule` may say what to do instead of the usual.
    pub(super) fn obey(&self, rule: impl FnMut(&Seen) -> Option<Instead> + Send + 'static) {
        self.desk.state.lock().rule = Some(Box::new(rule));
    }

    pub(super) fn open_gate(&self) {
        self.desk.state.lock().open = true;
        self.desk.gate.notify_all();
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.desk.state.lock().seen.clone()
    }

    /// The commands that came about a file.
    pub(super) fn about(&self, name: &str) -> Vec<C> {
        self.seen().iter().filter(|seen| seen.name == name).map(|seen| seen.command).collect()
    }

    pub(super) fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.desk.state.lock().files.get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.desk.state.lock().files.keys().cloned().collect()
    }

    pub(super) fn put(&self, name: &str, content: &[u8]) {
        self.desk.state.lock().files.insert(name.to_owned(), content.to_vec());
    }

    pub(super) fn forget(&self, name: &str) {
        self.desk.state.lock().files.remove(name);
    }

    pub(super) fn overlapped(&self) -> bool {
        self.desk.state.lock().overlapped
    }

    #[track_caller]
    pub(super) fn wait_for(&self, name: &str, content: &[u8]) {
        until(&format!("{name} at the peer"), || self.content(name).as_deref() == Some(content));
    }
}

fn serve(mut stream: TcpStream, desk: &Desk) {
    let connection = desk.connections.fetch_add(1, Ordering::Relaxed);
    let mut head = [0; HEADER_LEN];
    while stream.read_exact(&mut head).is_ok() {
        let header = Header::decode(&head).unwrap();
        let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let command = C::from_u8(header.command).unwrap();
        let request = Request::decode(command, &header, &body).unwrap();
        let seen = look_at(connection, command, header.status, &request, &body);
        let file = seen.name.strip_suffix("-m").unwrap_or(&seen.name).to_owned();
        let instead = {
            let mut state = desk.state.lock();
            state.overlapped |= !file.is_empty() && state.busy.contains(&file);
            state.busy.push(file.clone());
            state.seen.push(seen.clone());
            let mut rule = state.rule.take();
            let instead = rule.as_mut().and_then(|rule| rule(&seen));
            state.rule = rule;
            if instead == Some(Instead::Wait) {
                desk.gate.wait_while_for(&mut state, |state| !state.open, Duration::from_secs(20));
            }
            instead
        };
        let answer = match instead {
            Some(Instead::Refuse(status)) => Some((status, Vec::new())),
            Some(Instead::HangUp) => None,
            Some(Instead::Wait) | None => {
                let content = body.len() - usize::try_from(request.content_len()).unwrap();
                Some(apply(&mut desk.state.lock().files, &request, &body[content..]))
            }
        };
        desk.state.lock().busy.retain(|busy| *busy != file);
        let Some((status, body)) = answer else { return };
        let mut out = Vec::new();
        let reply = Header { body_len: body.len() as u64, command: 100, status: status.0 };
        out.extend_from_slice(&reply.encode());
        out.extend_from_slice(&body);
        if stream.write_all(&out).is_err() || status == Status::EINVAL {
            return;
        }
    }
}

fn text(name: RawName<'_>) -> String {
    String::from_utf8(name.as_bytes().to_vec()).unwrap()
}

fn look_at(connection: u64, command: C, status: u8, request: &Request<'_>, body: &[u8]) -> Seen {
    let (name, timestamp) = match request {
        Request::SyncCreate(ask) | Request::SyncUpdate(ask) => (text(ask.name), ask.timestamp),
        Request::SyncDelete(ask) => (text(ask.name), ask.timestamp),
        Request::SyncCreateLink(ask) | Request::SyncRename(ask) => (text(ask.dest), ask.timestamp),
        Request::SyncAppend(ask) | Request::SyncModify(ask) => (text(ask.name), ask.timestamp),
        Request::SyncTruncate(ask) => (text(ask.name), ask.timestamp),
        Request::QueryFileInfo(ask) => (text(ask.name), 0),
        _ => (String::new(), 0),
    };
    Seen { connection, command, status, name, timestamp, body: body.to_vec() }
}

/// What the original does with it.
fn apply(files: &mut BTreeMap<String, Vec<u8>>, request: &Request<'_>, content: &[u8]) -> (Status, Vec<u8>) {
    let at = |n: u64| usize::try_from(n).unwrap();
    let status = match request {
        Request::SyncCreate(ask) | Request::SyncUpdate(ask) => {
            let update = matches!(request, Request::SyncUpdate(_));
            let has = files.get(&text(ask.name)).is_some_and(|old| old.len() as u64 == ask.size);
            if !ask.has_content || has && !update {
                Status::EEXIST
            } else {
                files.insert(text(ask.name), content.to_vec());
                Status::OK
            }
        }
        Request::SyncDelete(ask) => {
            if files.remove(&text(ask.name)).is_some() {
                Status::OK
            } else {
                Status::ENOENT
            }
        }
        Request::SyncAppend(ask) => match files.get_mut(&text(ask.name)) {
            Some(file) if file.len() == at(ask.start) => {
                file.extend_from_slice(content);
                Status::OK
            }
            Some(file) if file.len() >= at(ask.start + ask.size) => Status::EEXIST,
            _ => Status::ENOENT,
        },
        Request::SyncModify(ask) => match files.get_mut(&text(ask.name)) {
            Some(file) if file.len() >= at(ask.start) => {
                let end = at(ask.start + ask.size).max(file.len());
                file.resize(end, 0);
                file[at(ask.start)..at(ask.start + ask.size)].copy_from_slice(content);
                Status::OK
            }
            _ => Status::ENOENT,
        },
        Request::SyncTruncate(ask) => match files.get_mut(&text(ask.name)) {
            None => Status::ENOENT,
            Some(file) if file.len() != at(ask.old_size) => Status::EEXIST,
            Some(file) => {
                file.resize(at(ask.new_size), 0);
                Status::OK
            }
        },
        Request::SyncRename(ask) => {
            if files.contains_key(&text(ask.dest)) {
                Status::EEXIST
            } else if let Some(file) = files.remove(&text(ask.source)) {
                files.insert(text(ask.dest), file);
                // Its answer has the request's length (storage internals: holes, D18).
                return (Status::OK, vec![b'x'; 140]);
            } else {
                Status::ENOENT
            }
        }
        Request::QueryFileInfo(ask) => match files.get(&text(ask.name)) {
            None => Status::ENOENT,
            Some(file) => {
                let got =
                    file_info::Got { size: file.len() as u64, mtime: 0, crc32: 0, source: IpText::EMPTY };
                let mut body = Vec::new();
                got.encode(AddrWidth::V4, &mut body);
                return (Status::OK, body);
            }
        },
        _ => Status::OK,
    };
    (status, Vec::new())
}

/// A tracker that answers 86, remembers what 76 told it, and knows of no trunk file.
pub(super) struct FakeTracker {
    pub(super) address: SocketAddr,
    desk: Arc<Mutex<Told>>,
}

/// Who fills the peer, what was reported about it, and how often the first was asked.
#[derive(Default)]
struct Told {
    source: Option<SyncSource>,
    reports: Vec<StorageStatus>,
    asked: usize,
}

impl FakeTracker {
    pub(super) fn start(source: Option<SyncSource>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Mutex::new(Told { source, ..Told::default() }));
        let serving = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let desk = Arc::clone(&serving);
                std::thread::spawn(move || answer(stream.unwrap(), &desk));
            }
        });
        Self { address, desk }
    }

    pub(super) fn reports(&self) -> Vec<StorageStatus> {
        self.desk.lock().reports.clone()
    }

    /// How often it was asked who fills a peer.
    pub(super) fn asked(&self) -> usize {
        self.desk.lock().asked
    }
}

fn answer(mut stream: TcpStream, desk: &Mutex<Told>) {
    let mut head = [0; HEADER_LEN];
    while stream.read_exact(&mut head).is_ok() {
        let header = Header::decode(&head).unwrap();
        let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
        stream.read_exact(&mut body).unwrap();
        let mut out = Vec::new();
        let mut desk = desk.lock();
        match TrackerCommand::from_u8(header.command).unwrap() {
            TrackerCommand::SyncSrcRequest => {
                desk.asked += 1;
                let got = Got { source: desk.source };
                frame::reply(&mut out, |out| got.encode(out));
            }
            TrackerCommand::ReportStatus => {
                desk.reports.push(status_report::Report::decode(&body).unwrap().brief.status);
                frame::status(&mut out, Status::OK);
            }
            TrackerCommand::FetchTrunkFileId => {
                frame::reply(&mut out, |out| FileNumber { id: 0 }.encode(out))
            }
            TrackerCommand::ReportTrunkFileId | TrackerCommand::ReportTrunkFree => {
                frame::status(&mut out, Status::OK);
            }
            other => panic!("{other} was not expected"),
        }
        drop(desk);
        stream.write_all(&out).unwrap();
    }
}
