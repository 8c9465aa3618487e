//! A tracker with prepared answers, and a storage's links with nothing behind them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::tracker::{change_list as list, join};
use fdfs_proto::{
    Brief, HEADER_LEN, Header, IpText, StatBlock, Status, StorageId, StorageStatus, TrackerCommand as Cmd,
    frame,
};
use net::StopSource;
use parking_lot::Mutex;
use storage_core::membership::ClusterView;
use storage_core::tracker_link::LinkInputs;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::{LinkConfig, TrackerLinks};

/// Longest wait for anything in these tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn brief(ip: &str, status: StorageStatus) -> Brief {
    let id = StorageId::new(ip.as_bytes());
    Brief { status, port: 23000, id, ip: IpText::new(ip.as_bytes()).unwrap() }
}

pub(super) fn change_list(storages: &[Brief]) -> Vec<u8> {
    let mut body = Vec::new();
    list::Got { leader: None, trunk_server: None, storages: Some(storages.to_vec()) }.encode(&mut body);
    body
}

type Capture = (Cmd, Box<dyn Fn() -> Vec<u8> + Send>, mpsc::UnboundedSender<Vec<u8>>);

/// What the connections of a tracker share.
#[derive(Default)]
struct Desk {
    /// Prepared answers, header included; `None`: none at all.
    answers: Mutex<BTreeMap<Cmd, Option<Vec<u8>>>>,
    counts: Mutex<BTreeMap<Cmd, usize>>,
    captures: Mutex<Vec<Capture>>,
    peer: Mutex<Option<SocketAddr>>,
    hang_up: Notify,
    left: Notify,
}

pub(super) struct FakeTracker {
    address: SocketAddr,
    desk: Arc<Desk>,
    asked: mpsc::UnboundedReceiver<(Cmd, Vec<u8>)>,
    accepting: JoinHandle<()>,
}

impl Drop for FakeTracker {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An address that refuses connections until somebody listens.
pub(super) struct LateTracker {
    socket: TcpSocket,
}

impl LateTracker {
    pub(super) fn reserve(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
        socket.bind(SocketAddr::new(ip, 0)).unwrap();
        Self { socket }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(super) fn listen(self) -> FakeTracker {
        let listener = self.socket.listen(16).unwrap();
        let (tell, asked) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk::default());
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&desk), tell));
        FakeTracker { address, desk, asked, accepting }
    }
}

impl FakeTracker {
    pub(super) async fn start(ip: &str) -> Self {
        LateTracker::reserve(ip).listen()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that connected last.
    pub(super) fn peer(&self) -> SocketAddr {
        self.desk.peer.lock().unwrap()
    }

    /// Waits for this command, passing over others, and returns its body.
    pub(super) async fn asked(&mut self, command: Cmd) -> Vec<u8> {
        let wait = async {
            loop {
                let (asked, body) = self.asked.recv().await.unwrap();
                if asked == command {
                    return body;
                }
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{command} was never asked"))
    }

    pub(super) fn count(&self, command: Cmd) -> usize {
        self.desk.counts.lock().get(&command).copied().unwrap_or_default()
    }

    pub(super) fn answer(&self, command: Cmd, body: &[u8]) {
        let mut out = Vec::new();
        frame::reply(&mut out, |out| out.extend_from_slice(body));
        self.answer_raw(command, &out);
    }

    pub(super) fn refuse(&self, command: Cmd, status: Status) {
        let mut out = Vec::new();
        frame::status(&mut out, status);
        self.answer_raw(command, &out);
    }

    pub(super) fn answer_raw(&self, command: Cmd, bytes: &[u8]) {
        self.desk.answers.lock().insert(command, Some(bytes.to_vec()));
    }

    pub(super) fn keep_silent_about(&self, command: Cmd) {
        self.desk.answers.lock().insert(command, None);
    }

    /// Back to the usual answer.
    pub(super) fn forget_answer(&self, command: Cmd) {
        self.desk.answers.lock().remove(&command);
    }

    /// Runs `look` whenever this command comes, before it is answered.
    pub(super) fn capture(
        &self,
        command: Cmd,
        look: impl Fn() -> Vec<u8> + Send + 'static,
    ) -> mpsc::UnboundedReceiver<Vec<u8>> {
        let (tell, told) = mpsc::unbounded_channel();
        self.desk.captures.lock().push((command, Box::new(look), tell));
        told
    }

    /// Closes the connections that are open.
    pub(super) fn hang_up(&self) {
        self.desk.hang_up.notify_waiters();
    }

    /// A storage has closed its connection.
    pub(super) async fn left(&self) {
        self.desk.left.notified().await;
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>, tell: mpsc::UnboundedSender<(Cmd, Vec<u8>)>) {
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        *desk.peer.lock() = Some(peer);
        let (desk, tell) = (Arc::clone(&desk), tell.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = desk.hang_up.notified() => {}
                () = serve(stream, peer, &desk, &tell) => desk.left.notify_one(),
            }
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    desk: &Desk,
    tell: &mpsc::UnboundedSender<(Cmd, Vec<u8>)>,
) {
    let mut head = [0; HEADER_LEN];
    while stream.read_exact(&mut head).await.is_ok() {
        let header = Header::decode(&head).unwrap();
        let command = Cmd::from_u8(header.command).unwrap();
        let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        *desk.counts.lock().entry(command).or_default() += 1;
        for (_, look, tell) in desk.captures.lock().iter().filter(|(of, ..)| *of == command) {
            let _ = tell.send(look());
        }
        let prepared = desk.answers.lock().get(&command).cloned();
        let _ = tell.send((command, body));
        match prepared {
            Some(None) => {}
            Some(Some(answer)) => stream.write_all(&answer).await.unwrap(),
            None => stream.write_all(&usual(command, peer)).await.unwrap(),
        }
    }
}

fn usual(command: Cmd, peer: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    if command == Cmd::GetStorageStatus {
        frame::status(&mut out, Status::ENOENT);
        return out;
    }
    frame::reply(&mut out, |out| match command {
        Cmd::GetMyIp => out.extend_from_slice(peer.ip().to_string().as_bytes()),
        Cmd::GetParameters => Parameters::default().encode(out),
        Cmd::Join => join::Got { status: StorageStatus::Init, src_id: None }.encode(out),
        Cmd::Beat | Cmd::ReportDiskUsage | Cmd::SyncReport => out.push(0),
        _ => {}
    });
    out
}

struct Inputs;

impl LinkInputs for Inputs {
    fn stat_block(&self) -> StatBlock {
        StatBlock { connection_max_count: 7, total_upload_count: 42, ..StatBlock::default() }
    }

    fn disk_usage(&self) -> Vec<PathSpace> {
        vec![PathSpace { total_mb: 200, free_mb: 100 }]
    }
}

/// The links of a storage before they run.
pub(super) struct Prepared {
    dir: TempDir,
    config: LinkConfig,
    links: TrackerLinks,
}

/// The links of a storage.
pub(super) struct Linked {
    dir: TempDir,
    stop: StopSource,
    /// Has the trackers asked how the cluster is.
    pub(super) look: watch::Sender<()>,
    view: watch::Receiver<Arc<ClusterView>>,
    running: JoinHandle<()>,
}

impl Prepared {
    pub(super) fn flag_path(&self) -> PathBuf {
        self.dir.path().join(fdfs_format::INIT_FLAG_FILE)
    }

    /// Reads the record again.
    pub(super) fn reopen(self) -> Self {
        Linked::with(self.dir, self.config)
    }

    pub(super) fn run(self) -> Linked {
        let (stop, stopping) = StopSource::new();
        let (tell, view) = watch::channel(Arc::default());
        let (_, trunk) = watch::channel(None);
        let look = watch::Sender::default();
        let running = tokio::spawn(self.links.run(Arc::new(Inputs), tell, trunk, look.subscribe(), stopping));
        Linked { dir: self.dir, stop, look, view, running }
    }
}

impl Linked {
    pub(super) fn config(dir: &TempDir, trackers: &[SocketAddr], more: &str) -> LinkConfig {
        let lines: String = trackers.iter().map(|tracker| format!("tracker_server={tracker}\n")).collect();
        let text =
            format!("group_name=group1\nbase_path={}\nport=23000\n{lines}{more}\n", dir.path().display());
        let mut loader = |_: &str| Ok(text.clone());
        let (conf, _) = StorageConf::load("storage.conf", &mut loader).unwrap();
        LinkConfig::new(&conf, 23000, dir.path(), 1_700_000_000)
    }

    pub(super) fn with(dir: TempDir, config: LinkConfig) -> Prepared {
        let links = TrackerLinks::open(config.clone()).unwrap();
        Prepared { dir, config, links }
    }

    pub(super) fn prepare(trackers: &[SocketAddr], more: &str) -> Prepared {
        let dir = tempfile::tempdir().unwrap();
        let config = Self::config(&dir, trackers, more);
        Self::with(dir, config)
    }

    pub(super) fn start(trackers: &[SocketAddr], more: &str) -> Self {
        Self::prepare(trackers, more).run()
    }

    pub(super) fn flag_path(&self) -> PathBuf {
        self.dir.path().join(fdfs_format::INIT_FLAG_FILE)
    }

    pub(super) fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.view.borrow())
    }

    /// Waits until the view is as wanted.
    pub(super) async fn view_with(&mut self, wanted: impl Fn(&ClusterView) -> bool) -> ClusterView {
        let seen = timeout(PATIENCE, self.view.wait_for(|view| wanted(view))).await;
        ClusterView::clone(&seen.unwrap().unwrap())
    }

    pub(super) async fn stop(self) {
        self.stop.stop();
        self.running.await.unwrap();
    }
}
