//! The other end of a connection to a tracker.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use fdfs_proto::tracker::{Request, beat, disk_usage, join, list_storages};
use fdfs_proto::{
    Empty, GroupField, HEADER_LEN, Header, Host, IpText, Status, StorageId, StorageStatus, Version,
};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    stream: TcpStream,
    from: IpAddr,
    tracker: SocketAddr,
}

/// Status and body of an answer.
pub(crate) type Answer = (Status, Vec<u8>);

pub(crate) fn group(name: &str) -> GroupField {
    GroupField::from_field(name.as_bytes())
}

pub(crate) fn id(text: &str) -> StorageId {
    StorageId::new(text.as_bytes()).unwrap()
}

impl Peer {
    pub(crate) fn connect(from: IpAddr, tracker: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(tracker);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect(&tracker.into()).unwrap();
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, from, tracker }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a request of any command and body.
    pub(crate) fn ask_raw(&mut self, command: u8, body: &[u8]) -> Answer {
        let header = Header { body_len: body.len() as u64, command, status: 0 };
        self.send(&[&header.encode(), body].concat());
        self.answer()
    }

    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = [0; HEADER_LEN];
        self.stream.read_exact(&mut head).unwrap();
        let header = Header::decode(&head).unwrap();
        assert_eq!(header.command, 100, "every answer has the same command");
        let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        (Status(header.status), body)
    }

    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Answer {
        let mut body = Vec::new();
        request.encode(&mut body);
        self.ask_raw(request.command().code(), &body)
    }

    /// The body of an answer that must be a success.
    pub(crate) fn get(&mut self, request: &Request<'_>) -> Vec<u8> {
        let (status, body) = self.ask(request);
        assert_eq!(status, Status::OK, "{request:?}");
        body
    }

    /// The status of an answer that must be a refusal.
    pub(crate) fn refused(&mut self, request: &Request<'_>) -> Status {
        let (status, body) = self.ask(request);
        assert_ne!(status, Status::OK, "{request:?}");
        assert!(body.is_empty(), "a refusal has no body");
        status
    }

    /// Whether the tracker has closed the connection, without a byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("neither closed nor answered: {error}"),
        }
    }

    pub(crate) fn is_in_step(&mut self) -> bool {
        self.ask(&Request::ActiveTest(Empty)) == (Status::OK, Vec::new())
    }

    /// A JOIN of the first day, from this address to this tracker.
    pub(crate) fn first_join(&self, group_name: &str, port: u16) -> join::Ask {
        join::Ask {
            joiner: join::Joiner {
                group: group(group_name).group().unwrap(),
                storage_port: port,
                store_path_count: 1,
                subdir_count_per_path: 256,
                upload_priority: 10,
                join_time: 1_700_000_000,
                up_time: 1_700_000_000,
                version: Version::new(b"6.16.1").unwrap(),
                init: true,
                status: Some(StorageStatus::Init),
                storage_id: None,
                tracker_ip: IpText::from(self.tracker.ip()),
            },
            trackers: vec![Host::from(self.tracker)],
        }
    }

    pub(crate) fn join(&mut self, group_name: &str) -> join::Got {
        let ask = self.first_join(group_name, 23000);
        join::Got::decode(&self.get(&Request::Join(ask))).unwrap()
    }

    /// Joins a group in which it needs no old data, and serves: 1000 MB, of which 500 are free.
    pub(crate) fn serve(&mut self, group_name: &str) {
        let mut ask = self.first_join(group_name, 23000);
        ask.joiner.init = false;
        ask.joiner.status = Some(StorageStatus::Online);
        self.get(&Request::Join(ask));
        self.beat_and_report();
    }

    pub(crate) fn beat_and_report(&mut self) {
        self.get(&Request::Beat(beat::Ask { stat: None }));
        let paths = vec![disk_usage::PathSpace { total_mb: 1000, free_mb: 500 }];
        self.get(&Request::ReportDiskUsage(disk_usage::Ask { paths }));
    }

    pub(crate) fn list(&mut self, group_name: &str) -> Vec<list_storages::StorageStat> {
        let ask = list_storages::Ask { group: group(group_name), id: None };
        list_storages::Got::decode(&self.get(&Request::ListStorages(ask))).unwrap().storages
    }

    /// Waits until the tracker shows something about a storage.
    pub(crate) fn until(
        &mut self,
        group_name: &str,
        storage: &str,
        wanted: impl Fn(&list_storages::StorageStat) -> bool,
    ) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !self.list(group_name).iter().any(|stat| stat.who.id == id(storage) && wanted(stat)) {
            assert!(std::time::Instant::now() < deadline, "{storage} never got there");
            std::thread::yield_now();
        }
    }

    pub(crate) fn from(&self) -> IpAddr {
        self.from
    }
}
