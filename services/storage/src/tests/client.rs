//! A server in a temporary folder, and a client that sends bytes and reads replies.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fdfs_conf::StorageConf;
use fdfs_fileid::{FileName, GroupName, Source};
use fdfs_proto::tracker::parameters::{Parameters, ReservedSpace};
use fdfs_proto::{AddrWidth, HEADER_LEN, Header, Status, StorageCommand, StorageId, frame};
use storage_core::membership::{ClusterView, Identity, OwnIps};
use tempfile::TempDir;

use crate::run::{Running, launch};

/// Longest wait for anything in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct TestStorage {
    pub(super) dir: TempDir,
    pub(super) conf: StorageConf,
    pub(super) running: Option<Running>,
}

pub(super) fn view() -> ClusterView {
    let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
    let parameters = Parameters {
        reserved_storage_space: ReservedSpace::Mib(0),
        response_ip_addr_size: AddrWidth::V4,
        ..Parameters::default()
    };
    ClusterView {
        identity: Some(Arc::new(Identity {
            group: GroupName::parse(b"group1").unwrap(),
            id: StorageId::new(b"127.0.0.1").unwrap(),
            source: Source::Ip(Ipv4Addr::new(127, 0, 0, 1)),
            ips: OwnIps { first: ip, second: None },
            port: 23000,
        })),
        parameters: Some(parameters),
        ..ClusterView::default()
    }
}

impl TestStorage {
    /// A storage with two store paths, and further lines of configuration.
    pub(super) fn start(more: &str) -> Self {
        let mut storage = Self::prepare(more);
        storage.start_again();
        storage
    }

    /// The same before it runs.
    pub(super) fn prepare(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().display();
        let text = format!(
            "group_name=group1\nbase_path={root}/base\nstore_path_count=2\nstore_path0={root}/p0\nstore_path1={root}/p1\n\
             tracker_server=127.0.0.1:22122\nbind_addr=127.0.0.1\nport=23000\nsubdir_count_per_path=2\n\
             journal_size=32MB\n{more}\n"
        );
        for path in ["base", "p0", "p1"] {
            std::fs::create_dir(dir.path().join(path)).unwrap();
        }
        let mut loader = |_: &str| Ok(text.clone());
        let (mut conf, _) = StorageConf::load("storage.conf", &mut loader).unwrap();
        conf.listen.inner_port = 0;
        conf.listen.outer_port = 0;
        Self { dir, conf, running: None }
    }

    pub(super) fn start_again(&mut self) {
        let started = launch(&self.conf, |_, _, _, tell, _| {
            tell.send_replace(Arc::new(view()));
            Ok(())
        });
        self.running = Some(started.unwrap());
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().addresses()[0]
    }

    pub(super) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    pub(super) fn on_disk(&self, name: &FileName) -> PathBuf {
        let path = format!("p{}/data", name.path_index().0);
        self.dir.path().join(path).join(name.true_name())
    }

    /// Names of all files in all store paths, hidden ones (our own folder, the path mark) left out.
    pub(super) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for path in ["p0", "p1"] {
            let data = self.dir.path().join(path).join("data");
            let mut folders = vec![data.clone()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).unwrap() {
                    let entry = entry.unwrap().path();
                    if entry.is_dir() {
                        folders.push(entry);
                    } else {
                        found.push(entry.strip_prefix(&data).unwrap().display().to_string());
                    }
                }
            }
        }
        found.retain(|name| !name.starts_with('.'));
        found
    }

    /// Temporary files of all store paths.
    pub(super) fn temps(&self) -> usize {
        let count =
            |path| std::fs::read_dir(self.dir.path().join(path).join("data/.cairn/tmp")).unwrap().count();
        count("p0") + count("p1")
    }
}

impl Drop for TestStorage {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().unwrap();
        }
    }
}

pub(super) struct Client(pub(super) TcpStream);

pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn name(&self) -> FileName {
        assert_eq!(self.status, Status::OK);
        FileName::parse(&self.body[16..]).unwrap()
    }
}

impl Client {
    pub(super) fn send(&mut self, command: impl Into<u8>, status: u8, body: &[&[u8]]) {
        let body = body.concat();
        let mut message = Vec::new();
        frame::request_head(&mut message, command, status, 0, |out| out.extend_from_slice(&body));
        self.0.write_all(&message).unwrap();
    }

    pub(super) fn receive(&mut self) -> Reply {
        let mut header = [0; HEADER_LEN];
        self.0.read_exact(&mut header).unwrap();
        let header = Header::decode(&header).unwrap();
        assert_eq!(header.command, 100);
        let mut body = vec![0; header.body_len as usize];
        self.0.read_exact(&mut body).unwrap();
        Reply { status: header.status(), body }
    }

    pub(super) fn ask(&mut self, command: StorageCommand, body: &[&[u8]]) -> Reply {
        self.send(command, 0, body);
        self.receive()
    }

    pub(super) fn upload(&mut self, content: &[u8], ext: &str) -> Reply {
        self.upload_as(StorageCommand::UploadFile, 0, content, ext)
    }

    pub(super) fn upload_as(
        &mut self,
        command: StorageCommand,
        path: u8,
        content: &[u8],
        ext: &str,
    ) -> Reply {
        let mut padded = [0; 6];
        padded[..ext.len()].copy_from_slice(ext.as_bytes());
        self.ask(command, &[&[path], &number(content.len()), &padded, content])
    }

    pub(super) fn download(&mut self, name: &FileName, offset: u64, len: u64) -> Reply {
        let body: [&[u8]; 4] =
            [&offset.to_be_bytes(), &len.to_be_bytes(), &group("group1"), name.as_str().as_bytes()];
        self.ask(StorageCommand::DownloadFile, &body)
    }

    pub(super) fn of_file(&mut self, command: StorageCommand, name: &FileName) -> Reply {
        self.ask(command, &[&group("group1"), name.as_str().as_bytes()])
    }

    /// True when the connection still answers, false when the server has closed it.
    pub(super) fn is_open(&mut self) -> bool {
        let mut message = Vec::new();
        frame::request(&mut message, StorageCommand::ActiveTest, |_| {});
        if self.0.write_all(&message).is_err() {
            return false;
        }
        let mut header = [0; HEADER_LEN];
        match self.0.read_exact(&mut header) {
            Ok(()) => {
                assert_eq!(header, Header::reply(0).encode());
                true
            }
            Err(_) => false,
        }
    }
}

/// Waits for what the server comes to without telling anybody.
#[track_caller]
pub(super) fn until(what: &str, mut there: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < end, "still waiting: {what}");
        std::thread::yield_now();
    }
}

pub(super) fn number(n: usize) -> [u8; 8] {
    (n as u64).to_be_bytes()
}

pub(super) fn group(name: &str) -> [u8; 16] {
    let mut field = [0; 16];
    field[..name.len()].copy_from_slice(name.as_bytes());
    field
}
