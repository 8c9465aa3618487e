//! What was said to the original's tracker, said to ours; and whether ours answers the same.
//!
//! Every connection of the recording is made again from the same address, every request is sent in the recorded
//! order, every answer is compared. What must differ is put aside first: the tracker's port, and times, which
//! are moved to the day of the test.

use std::collections::BTreeMap;
use std::path::Path;

use fdfs_fileid::{FileName, Stamp};
use fdfs_proto::tracker::{
    Reply, Request, change_list, join, list_storages, query_fetch, sync_report, sync_source,
};
use fdfs_proto::{Brief, Host, RawName, Status, StorageStatus, TrackerCommand};
use serde_json::Value;

use crate::peer::Peer;
use crate::server::Server;

/// tracker.conf of the recorded clusters.
const CONF: &str = "store_lookup = 0\nreserved_storage_space = 1%\nslot_max_size = 1MB\ntrunk_alloc_alignment_size = 256\n\
    trunk_create_file_space_threshold = 20G\ntrunk_free_space_merge = true\ntrunk_compress_binlog_min_interval = 86400\n\
    trunk_compress_binlog_interval = 86400\ntrunk_binlog_max_backups = 7\ncheck_active_interval = 1000\n";

/// One line of a recording.
struct Line {
    stream: u64,
    from: String,
    is_request: bool,
    command: u8,
    status: u8,
    body: Vec<u8>,
}

fn recorded(cluster: &str) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/fastdfs-6.16.1")
        .join(cluster)
        .join("wire.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let values = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    values
        .filter(|value| value["server"] == "tracker")
        .map(|value| Line {
            stream: value["stream"].as_u64().unwrap(),
            from: value["from"].as_str().unwrap().to_owned(),
            is_request: value["kind"] == "request",
            command: u8::try_from(value["cmd"].as_u64().unwrap()).unwrap(),
            status: u8::try_from(value["status"].as_u64().unwrap()).unwrap(),
            body: unhex(value["body"].as_str().unwrap_or_default()),
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

struct Replay {
    server: Server,
    /// Seconds from the day of the recording to today.
    later: i64,
    streams: BTreeMap<u64, Stream>,
}

struct Stream {
    peer: Peer,
    command: TrackerCommand,
    /// Our answer to the request that is not compared yet.
    answer: Option<(Status, Vec<u8>)>,
    /// The storage that joined on it.
    joined: Option<join::Joiner>,
    /// What its storage was told, by the original and by us.
    told: (change_list::Got, change_list::Got),
}

impl Replay {
    fn new(tracker: &str, first_second: i64) -> Self {
        let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let later = i64::try_from(today).unwrap() - first_second;
        Self { server: Server::at(tracker, CONF, &[]), later, streams: BTreeMap::new() }
    }

    fn request(&mut self, line: &Line) {
        let command = TrackerCommand::from_u8(line.command).unwrap();
        let mut asked = Request::decode(command, &line.body).unwrap();
        let name = self.translate(&mut asked);
        if let (
            Request::QueryFetchOne(ask) | Request::QueryFetchAll(ask) | Request::QueryUpdate(ask),
            Some(name),
        ) = (&mut asked, &name)
        {
            ask.name = RawName::from(name);
        }
        let stream = self.streams.entry(line.stream).or_insert_with(|| Stream {
            peer: self.server.peer(&line.from),
            command,
            answer: None,
            joined: None,
            told: Default::default(),
        });
        stream.command = command;
        if command == TrackerCommand::Quit {
            stream.peer.send(&fdfs_proto::Header { body_len: 0, command: 82, status: 0 }.encode());
            assert!(stream.peer.is_closed());
            return;
        }
        if let Request::Join(ask) = &asked {
            stream.joined = Some(ask.joiner);
        }
        stream.answer = Some(stream.peer.ask(&asked));
    }

    /// Moves a request to this tracker's port and to today; the name it asks about, moved as well.
    fn translate(&self, asked: &mut Request<'_>) -> Option<FileName> {
        match asked {
            Request::Join(ask) => {
                for tracker in &mut ask.trackers {
                    *tracker = Host { port: self.server.address.port(), ..*tracker };
                }
            }
            Request::SyncReport(sync_report::Ask { sources }) => {
                for source in sources.iter_mut().filter(|source| source.timestamp > 0) {
                    source.timestamp = self.today(source.timestamp);
                }
            }
            Request::SyncNotify(sync_source::SyncSource { until_timestamp, .. }) if *until_timestamp > 0 => {
                *until_timestamp += self.later;
            }
            Request::QueryFetchOne(ask) | Request::QueryFetchAll(ask) | Request::QueryUpdate(ask) => {
                return Some(self.moved(ask));
            }
            _ => {}
        }
        None
    }

    fn today(&self, second: u32) -> u32 {
        u32::try_from(i64::from(second) + self.later).unwrap()
    }

    fn moved(&self, ask: &query_fetch::Ask<'_>) -> FileName {
        let name = ask.name.parse().unwrap();
        let stamp = name.stamp().unwrap();
        let stamp = Stamp { timestamp: self.today(stamp.timestamp), ..stamp };
        let moved = name.as_str().replacen(&name.base()[..27], &stamp.to_text(), 1);
        FileName::parse(moved.as_bytes()).unwrap()
    }

    fn response(&mut self, number: usize, line: &Line) {
        let port = self.server.address.port();
        let stream = self.streams.get_mut(&line.stream).unwrap();
        let command = stream.command;
        let (status, body) = stream.answer.take().unwrap();
        let what = format!("answer {number}, to {command}");
        assert_eq!(status, Status(line.status), "{what}");
        if !status.is_ok() {
            assert!(body.is_empty(), "{what}");
            return;
        }
        let theirs = Reply::decode(command, &line.body).unwrap();
        let ours = Reply::decode(command, &body).unwrap_or_else(|error| panic!("{what}: {error}"));
        match (theirs, ours) {
            (
                Reply::Beat(theirs) | Reply::ReportDiskUsage(theirs) | Reply::SyncReport(theirs),
                Reply::Beat(ours) | Reply::ReportDiskUsage(ours) | Reply::SyncReport(ours),
            ) => stream.tell(&what, theirs, ours, port),
            (Reply::ListStorages(theirs), Reply::ListStorages(ours)) => {
                self.compare_lists(&what, &theirs, &ours);
            }
            (
                Reply::SyncDestRequest(theirs) | Reply::SyncSrcRequest(theirs),
                Reply::SyncDestRequest(ours) | Reply::SyncSrcRequest(ours),
            ) => {
                let source = |got: sync_source::Got| got.source.map(|source| source.src_id);
                assert_eq!(source(ours), source(theirs), "{what}");
            }
            (theirs, ours) => {
                assert_eq!(ours, theirs, "{what}");
                assert_eq!(body, line.body, "{what}, byte by byte");
            }
        }
    }

    fn compare_lists(&self, what: &str, theirs: &list_storages::Got, ours: &list_storages::Got) {
        assert_eq!(ours.storages.len(), theirs.storages.len(), "{what}");
        for (ours, theirs) in ours.storages.iter().zip(&theirs.storages) {
            assert_eq!((ours.who, ours.ip), (theirs.who, theirs.ip), "{what}");
            let mut figures = ours.figures;
            figures.stat.last_heart_beat_time = theirs.figures.stat.last_heart_beat_time;
            if figures.stat.last_synced_timestamp > 0 {
                figures.stat.last_synced_timestamp -= self.later;
            }
            assert_eq!(figures, theirs.figures, "{what}, {}", ours.who.id);
        }
    }

    /// Ends a connection that has nothing more to say, when its storage is gone or when it never was a
    /// storage's; waits until the tracker has noticed.
    fn end_if(&mut self, stream: u64, gone: &[String]) -> bool {
        let Some(Stream { joined, peer, .. }) = self.streams.get(&stream) else { return true };
        let storage = peer.from().to_string();
        let Some(joined) = *joined else {
            self.streams.remove(&stream);
            return true;
        };
        if !gone.contains(&storage) {
            return false;
        }
        self.streams.remove(&stream);
        let mut watcher = self.server.client();
        watcher.until(joined.group.as_str(), &storage, |stat| stat.figures.up_time == 0);
        true
    }
}

impl Stream {
    /// The original's leader needs a second to be elected, ours is known at once; from then on both tell the
    /// same.
    fn tell(&mut self, what: &str, theirs: change_list::Got, ours: change_list::Got, port: u16) {
        let leader = |brief: Brief| Brief { port, ..brief };
        let update = |told: &mut change_list::Got, news: change_list::Got| {
            told.leader = news.leader.map(leader).or(told.leader);
            told.trunk_server = news.trunk_server.or(told.trunk_server);
            told.storages = news.storages.or(told.storages.take());
        };
        update(&mut self.told.0, theirs);
        update(&mut self.told.1, ours);
        if self.told.0.leader.is_some() {
            assert_eq!(self.told.1, self.told.0, "{what}");
        }
    }
}

fn replay(cluster: &str, tracker: &str, first_second: i64) {
    let lines = recorded(cluster);
    let last_of: BTreeMap<u64, usize> =
        lines.iter().enumerate().map(|(number, line)| (line.stream, number)).collect();
    let mut replay = Replay::new(tracker, first_second);
    let mut over = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if line.is_request {
            // The recording has no ends of connections. A storage's ended when the original says so.
            let reply = lines[number + 1..].iter().find(|other| other.stream == line.stream);
            let gone = reply.map(|reply| absent(line.command, &reply.body)).unwrap_or_default();
            over.retain(|stream| !replay.end_if(*stream, &gone));
            replay.request(line);
        } else {
            replay.response(number, line);
        }
        if last_of[&line.stream] == number {
            over.push(line.stream);
        }
    }
}

/// The storages that an answer says are off line.
fn absent(command: u8, body: &[u8]) -> Vec<String> {
    let off_line = |brief: &Brief| (brief.status == StorageStatus::Offline).then(|| brief.ip.to_string());
    match TrackerCommand::from_u8(command).map(|command| Reply::decode(command, body)) {
        Some(Ok(Reply::Beat(got) | Reply::ReportDiskUsage(got) | Reply::SyncReport(got))) => {
            got.storages.iter().flatten().filter_map(off_line).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_days_of_two_plain_storages_go_as_with_the_original() {
    replay("plain-2-storages", "127.0.0.2", 1_795_350_669);
}

#[test]
fn a_late_join_and_a_disk_recovery_go_as_with_the_original() {
    replay("late-join-disk-recovery", "127.0.0.22", 1_795_352_257);
}
