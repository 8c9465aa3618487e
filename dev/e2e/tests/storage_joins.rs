//! Trackers and storages in one process, over real sockets: who is known to whom, and where uploads go.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use fdfs_conf::{LoadError, StorageConf, TrackerConf};
use fdfs_fileid::{ExtName, FileName, GroupName, Source};
use fdfs_proto::StorageStatus::{self, Active, Offline, WaitSync};
use fdfs_proto::tracker::{GroupAsk, list_storages, query_store};
use fdfs_proto::{HEADER_LEN, Header, Status, StorageCommand, TrackerCommand, frame};
use tempfile::TempDir;
use testkit::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use testkit::wait;

const PATIENCE: Duration = Duration::from_secs(30);

fn group() -> GroupName {
    "group1".parse().unwrap()
}

/// One request on a connection of its own; the status, and the body when that is 0.
fn ask(to: SocketAddr, command: u8, body: &[u8]) -> (Status, Vec<u8>) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut out = Vec::new();
    frame::request(&mut out, command, |out| out.extend_from_slice(body));
    stream.write_all(&out).unwrap();
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head).unwrap();
    let header = Header::decode(&head).unwrap();
    let mut body = vec![0; usize::try_from(header.body_len).unwrap()];
    stream.read_exact(&mut body).unwrap();
    (Status(header.status), body)
}

struct Tracker {
    at: Loopback,
    conf: TrackerConf,
    running: Option<tracker::Running>,
    _dir: TempDir,
}

impl Tracker {
    fn start(more: &str) -> Self {
        Self::start_with(more, |_| {})
    }

    /// `prepare` may put files beside the configuration.
    fn start_with(more: &str, prepare: impl FnOnce(&Path)) -> Self {
        let (at, dir) = (Loopback::claim().unwrap(), tempfile::tempdir().unwrap());
        prepare(dir.path());
        let text = format!(
            "bind_addr={}\nbase_path={}\nreserved_storage_space=1MB\n{}\n",
            at.ip(),
            dir.path().display(),
            more.replace("DIR", &dir.path().display().to_string()),
        );
        let path = dir.path().join("tracker.conf").display().to_string();
        let mut loader = |name: &str| match name == path {
            true => Ok(text.clone()),
            false => std::fs::read_to_string(name).map_err(|error| LoadError::Unreadable(error.to_string())),
        };
        let (conf, _) = TrackerConf::load(&path, &mut loader).unwrap();
        let mut tracker = Self { at, conf, running: None, _dir: dir };
        tracker.start_again();
        tracker
    }

    fn start_again(&mut self) {
        self.running = Some(tracker::start(&self.conf).unwrap());
    }

    fn stop(&mut self) {
        self.running.take().unwrap().stop().unwrap();
    }

    fn address(&self) -> SocketAddr {
        self.at.port(TRACKER_PORT)
    }

    fn store(&self) -> Result<query_store::Got, Status> {
        let (status, body) = ask(self.address(), TrackerCommand::QueryStoreOne.code(), &[]);
        if status.is_ok() { Ok(query_store::Got::decode(&body).unwrap()) } else { Err(status) }
    }

    /// Waits until an upload would go somewhere.
    fn placed(&self) -> query_store::Got {
        wait::until("a storage for an upload", PATIENCE, || self.store().ok()).unwrap()
    }

    fn status_of(&self, storage: &Storage) -> Option<StorageStatus> {
        let mut body = Vec::new();
        GroupAsk { group: group().into() }.encode(&mut body);
        let (status, body) = ask(self.address(), TrackerCommand::ListStorages.code(), &body);
        if !status.is_ok() {
            return None;
        }
        let listed = list_storages::Got::decode(&body).unwrap();
        let ip = storage.at.ip().to_string();
        listed.storages.iter().find(|listed| listed.ip.to_string() == ip).map(|listed| listed.who.status)
    }

    fn sees(&self, storage: &Storage, wanted: StorageStatus) {
        let what = format!("{} {}", storage.at.ip(), wanted.caption());
        wait::until(&what, PATIENCE, || (self.status_of(storage) == Some(wanted)).then_some(())).unwrap();
    }
}

struct Storage {
    at: Loopback,
    conf: StorageConf,
    running: Option<storage::Running>,
    _dir: TempDir,
}

impl Storage {
    fn start(trackers: &[&Tracker]) -> Self {
        Self::start_at(Loopback::claim().unwrap(), trackers)
    }

    fn start_at(at: Loopback, trackers: &[&Tracker]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trackers: String =
            trackers.iter().map(|tracker| format!("tracker_server={}\n", tracker.address())).collect();
        let text = format!(
            "group_name=group1\nbind_addr={}\nbase_path={}\nsubdir_count_per_path=2\njournal_size=32MB\n\
             heart_beat_interval=1\n{trackers}",
            at.ip(),
            dir.path().display()
        );
        let mut loader = |_: &str| Ok(text.clone());
        let (conf, _) = StorageConf::load("storage.conf", &mut loader).unwrap();
        let mut storage = Self { at, conf, running: None, _dir: dir };
        storage.start_again();
        storage
    }

    fn start_again(&mut self) {
        self.running = Some(storage::start(&self.conf).unwrap());
    }

    fn stop(&mut self) {
        self.running.take().unwrap().stop().unwrap();
    }

    fn knows_itself(&self) -> bool {
        self.running.as_ref().unwrap().knows_itself()
    }

    fn upload(&self, content: &[u8]) -> Result<FileName, Status> {
        let mut body = vec![0xFF];
        body.extend_from_slice(&(content.len() as u64).to_be_bytes());
        body.extend_from_slice(&ExtName::from_path("a.txt").to_field());
        body.extend_from_slice(content);
        let (status, body) = ask(self.at.port(STORAGE_PORT), StorageCommand::UploadFile.code(), &body);
        if status.is_ok() { Ok(FileName::parse(&body[16..]).unwrap()) } else { Err(status) }
    }
}

#[test]
fn a_storage_joins_its_tracker_and_uploads_go_there() {
    let tracker = Tracker::start("");
    assert_eq!(tracker.store().unwrap_err(), Status::ENOENT);
    let storage = Storage::start(&[&tracker]);
    let place = tracker.placed();
    assert_eq!((place.server.ip.ip(), place.server.port), (Some(storage.at.ip().into()), STORAGE_PORT));
    let name = storage.upload(b"hello fastdfs\n").unwrap();
    assert_eq!(name.stamp().unwrap().source, Source::Ip(storage.at.ip()));
}

#[test]
fn with_storage_ids_names_carry_the_number_of_the_storage() {
    let at = Loopback::claim().unwrap();
    let line = format!("100007 group1 {}\n", at.ip());
    let tracker = Tracker::start_with(
        "use_storage_id=true\nid_type_in_filename=id\nstorage_ids_filename=DIR/storage_ids.conf",
        |dir| std::fs::write(dir.join("storage_ids.conf"), &line).unwrap(),
    );
    let storage = Storage::start_at(at, &[&tracker]);
    tracker.placed();
    let name = storage.upload(b"hello fastdfs\n").unwrap();
    assert_eq!(name.stamp().unwrap().source, Source::Id(100_007));
}

#[test]
fn a_storage_without_a_tracker_listens_and_takes_uploads_once_there_is_one() {
    let mut tracker = Tracker::start("");
    tracker.stop();
    let storage = Storage::start(&[&tracker]);
    assert!(!storage.knows_itself());
    assert!(storage.upload(b"too early").is_err());
    tracker.start_again();
    tracker.placed();
    storage.upload(b"now").unwrap();
}

#[test]
fn a_storage_comes_back_when_its_tracker_was_restarted() {
    let mut tracker = Tracker::start("");
    let storage = Storage::start(&[&tracker]);
    tracker.placed();
    tracker.stop();
    storage.upload(b"no tracker is needed for this").unwrap();
    tracker.start_again();
    tracker.sees(&storage, Active);
}

#[test]
fn a_stopped_storage_is_offline_and_a_started_one_serves_again() {
    let tracker = Tracker::start("");
    let mut storage = Storage::start(&[&tracker]);
    tracker.sees(&storage, Active);
    storage.stop();
    tracker.sees(&storage, Offline);
    storage.start_again();
    tracker.sees(&storage, Active);
}

#[test]
fn a_second_storage_of_the_group_waits_for_the_files_of_the_first() {
    let tracker = Tracker::start("");
    let first = Storage::start(&[&tracker]);
    tracker.sees(&first, Active);
    let second = Storage::start(&[&tracker]);
    tracker.sees(&second, WaitSync);
    assert_eq!(tracker.placed().server.ip.ip(), Some(first.at.ip().into()));
}

#[test]
fn both_trackers_hear_of_a_storage() {
    let trackers = [Tracker::start(""), Tracker::start("")];
    let storage = Storage::start(&[&trackers[0], &trackers[1]]);
    for tracker in &trackers {
        tracker.sees(&storage, Active);
        tracker.placed();
    }
}
