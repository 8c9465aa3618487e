//! One storage and its trackers, played without a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fdfs_proto::StorageStatus::Init;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::parameters::{IdType, Parameters};
use fdfs_proto::tracker::{change_list, join, tracker_status};
use fdfs_proto::{
    Brief, DecodeError, Host, IpText, StatBlock, Status, StorageId, StorageStatus, TrackerCommand as Cmd,
    Version,
};
use storage_core::membership::{ClusterView, JoinRecord, Membership, Settings, TrackerIndex};
use storage_core::time::Mono;
use storage_core::tracker_link::{
    self, Action, Event, Failure, LinkInputs, Notice, TrackerLink, Trouble, TrunkFigures,
};

pub(crate) fn secs(n: u64) -> Mono {
    Mono(n * 1000)
}

pub(crate) fn id(text: &str) -> StorageId {
    text.parse().unwrap()
}

/// Counters, space and replication as a test wants them.
#[derive(Default)]
pub(crate) struct Inputs {
    pub(crate) stat: StatBlock,
    pub(crate) synced: BTreeMap<StorageId, u32>,
    pub(crate) trunk: Option<TrunkFigures>,
}

impl LinkInputs for Inputs {
    fn stat_block(&self) -> StatBlock {
        self.stat
    }

    fn disk_usage(&self) -> Vec<PathSpace> {
        vec![PathSpace { total_mb: 1000, free_mb: 600 }, PathSpace { total_mb: 2000, free_mb: 700 }]
    }

    fn synced_from(&self) -> BTreeMap<StorageId, u32> {
        self.synced.clone()
    }

    fn trunk(&self) -> Option<TrunkFigures> {
        self.trunk
    }
}

struct Played {
    link: TrackerLink,
    actions: Vec<Action>,
    notices: Vec<Notice>,
}

pub(crate) struct Script {
    /// Change these before the first step.
    pub(crate) settings: Settings,
    pub(crate) record: JoinRecord,
    pub(crate) parameters: Parameters,
    pub(crate) ids: String,
    pub(crate) own_ip: String,
    pub(crate) inputs: Inputs,
    /// The trackers have names: their addresses become known when a link connects.
    pub(crate) named_trackers: bool,
    pub(crate) now: Mono,
    pub(crate) membership: Membership,
    links: Vec<Played>,
    begun: bool,
}

/// A question that a tracker got.
pub(crate) struct Asked<'a> {
    script: &'a mut Script,
    tracker: usize,
    pub(crate) body: Vec<u8>,
}

impl Asked<'_> {
    pub(crate) fn read<T>(&self, decode: impl Fn(&[u8]) -> Result<T, DecodeError>) -> T {
        decode(&self.body).unwrap()
    }

    pub(crate) fn reply(self, body: &[u8]) -> Vec<Action> {
        self.script.step(self.tracker, Event::Replied { status: Status::OK, body })
    }

    pub(crate) fn refuse(self, status: Status) {
        self.script.step(self.tracker, Event::Replied { status, body: &[] });
    }

    /// Replies to a JOIN.
    pub(crate) fn joined(self, status: StorageStatus) {
        let mut body = Vec::new();
        join::Got { status, src_id: None }.encode(&mut body);
        self.reply(&body);
    }

    /// Replies with the servers of the group.
    pub(crate) fn list(self, servers: &[(&str, StorageStatus)]) {
        self.changes(None, servers);
    }

    /// Replies with a leader, and with the servers of the group when there are any.
    pub(crate) fn leader_and_list(self, leader: u8, servers: &[(&str, StorageStatus)]) {
        let ip = IpText::new(format!("10.0.0.{}", leader + 1).as_bytes()).unwrap();
        let id = StorageId::new(ip.as_bytes());
        self.changes(Some(Brief { status: Init, port: 22122, id, ip }), servers);
    }

    /// Replies with a trunk server.
    pub(crate) fn trunk_server(self, ip: &str) {
        let trunk_server = Some(brief_of(ip, StorageStatus::Active));
        let mut body = Vec::new();
        change_list::Got { leader: None, trunk_server, storages: None }.encode(&mut body);
        self.reply(&body);
    }

    fn changes(self, leader: Option<Brief>, servers: &[(&str, StorageStatus)]) {
        let briefs: Vec<Brief> = servers.iter().map(|(ip, status)| brief_of(ip, *status)).collect();
        let mut body = Vec::new();
        change_list::Got {
            leader,
            trunk_server: None,
            storages: Some(briefs).filter(|briefs| !briefs.is_empty()),
        }
        .encode(&mut body);
        self.reply(&body);
    }
}

fn brief_of(ip: &str, status: StorageStatus) -> Brief {
    Brief { status, port: 23000, id: Some(id(ip)), ip: IpText::new(ip.as_bytes()).unwrap() }
}

fn host(tracker: u8) -> Host {
    Host::new(IpAddr::from([10, 0, 0, tracker + 1]), 22122)
}

fn membership(settings: &Settings, record: &JoinRecord) -> Membership {
    Membership::new(settings.clone(), record.clone())
}

impl Script {
    /// A first start of a storage of group1 with one tracker, which uses no storage ids.
    pub(crate) fn new() -> Self {
        let settings = Settings {
            group: Some("group1".parse().unwrap()),
            port: 23000,
            server_id: None,
            local_ips: Vec::new(),
            tracker_count: 1,
        };
        let record = JoinRecord::first(1_700_000_000);
        let parameters = Parameters { trust_storage_server_id: true, ..Parameters::default() };
        let membership = membership(&settings, &record);
        let mut script = Self {
            settings,
            record,
            parameters,
            ids: String::new(),
            own_ip: "127.0.0.3".into(),
            inputs: Inputs::default(),
            named_trackers: false,
            now: Mono(0),
            membership,
            links: Vec::new(),
            begun: false,
        };
        script.trackers(1);
        script
    }

    /// A storage that was told its source in an earlier run.
    pub(crate) fn established(source: &str) -> Self {
        let mut script = Self::new();
        script.record.source_settled = true;
        script.record.source = Some(id(source));
        script.record.until = 1_600_000_000;
        script
    }

    /// The tracker uses storage ids, in names too.
    pub(crate) fn with_ids(lines: &str) -> Self {
        let mut script = Self::new();
        script.parameters.use_storage_id = true;
        script.parameters.id_type_in_filename = IdType::Id;
        script.ids = lines.into();
        script
    }

    /// Trackers 10.0.0.1, 10.0.0.2, …
    pub(crate) fn trackers(&mut self, count: u8) {
        assert!(!self.begun);
        self.settings.tracker_count = count;
        let link = |index| {
            TrackerLink::new(
                TrackerIndex(index),
                tracker_link::Settings {
                    store_path_count: 2,
                    subdir_count: 256,
                    upload_priority: 10,
                    up_time: 1_700_000_777,
                    version: Version::new(b"6.16.1").unwrap(),
                    beat_interval_ms: 30_000,
                    disk_report_interval_ms: 60_000,
                },
            )
        };
        self.links = (0..count)
            .map(|index| Played { link: link(index), actions: Vec::new(), notices: Vec::new() })
            .collect();
    }

    pub(crate) fn at(&mut self, now: Mono) -> &mut Self {
        self.now = self.now.max(now);
        self
    }

    /// The only caller of the machine.
    fn step(&mut self, tracker: usize, event: Event<'_>) -> Vec<Action> {
        if !std::mem::replace(&mut self.begun, true) {
            self.membership = membership(&self.settings, &self.record);
            if !self.named_trackers {
                for tracker in 0..self.settings.tracker_count {
                    self.membership.tracker_found(TrackerIndex(tracker), host(tracker));
                }
            }
        }
        let played = &mut self.links[tracker];
        let mut actions = Vec::new();
        played.link.step(self.now, event, &mut self.membership, &self.inputs, &mut actions);
        let last_ones = |action: &Action| matches!(action, Action::Connect | Action::Send { .. });
        let before_last = actions.split_last().map_or(&[][..], |(_, before)| before);
        assert!(!before_last.iter().any(last_ones), "something follows a question: {actions:?}");
        for action in &actions {
            if let Action::Report(notice) = action {
                played.notices.push(*notice);
            }
        }
        played.actions = actions.clone();
        actions
    }

    pub(crate) fn wake(&mut self, tracker: usize) {
        self.step(tracker, Event::Wake);
    }

    pub(crate) fn wake_at_deadline(&mut self, tracker: usize) {
        let deadline = self.deadline(tracker).unwrap();
        self.at(deadline).wake(tracker);
    }

    pub(crate) fn deadline(&self, tracker: usize) -> Option<Mono> {
        self.links[tracker].link.deadline()
    }

    /// The link wants a connection and gets it.
    pub(crate) fn connect(&mut self, tracker: usize) {
        self.wake(tracker);
        self.connected(tracker);
    }

    pub(crate) fn connect_again(&mut self, tracker: usize) {
        let deadline = self.deadline(tracker).unwrap();
        self.at(deadline).connect(tracker);
    }

    pub(crate) fn connected(&mut self, tracker: usize) {
        assert_eq!(self.links[tracker].actions.last(), Some(&Action::Connect));
        let host = host(tracker as u8);
        self.membership.tracker_found(TrackerIndex(tracker as u8), host);
        self.step(tracker, Event::Connected(host.ip));
    }

    pub(crate) fn fail(&mut self, tracker: usize, failure: Failure) {
        self.step(tracker, Event::Failed(failure));
    }

    /// The question under way must be this one.
    pub(crate) fn asked(&mut self, tracker: usize, expected: Cmd) -> Asked<'_> {
        let Some(Action::Send { command, body }) = self.links[tracker].actions.last() else {
            panic!("tracker {tracker}: {expected} expected, got {:?}", self.links[tracker].actions);
        };
        assert_eq!(*command, expected);
        let body = body.clone();
        Asked { script: self, tracker, body }
    }

    pub(crate) fn nothing_asked(&self, tracker: usize) {
        assert_eq!(self.question(tracker), None);
    }

    fn question(&self, tracker: usize) -> Option<Cmd> {
        match self.links[tracker].actions.last() {
            Some(Action::Send { command, .. }) => Some(*command),
            _ => None,
        }
    }

    /// The usual answer to whatever is asked; false when nothing is.
    pub(crate) fn canned(&mut self, tracker: usize) -> bool {
        let Some(command) = self.question(tracker) else { return false };
        let mut body = Vec::new();
        match command {
            Cmd::GetMyIp => body.extend_from_slice(self.own_ip.as_bytes()),
            Cmd::GetParameters => self.parameters.encode(&mut body),
            Cmd::FetchStorageIds => {
                let lines = self.ids.lines().count() as u32;
                body.extend_from_slice(&lines.to_be_bytes());
                body.extend_from_slice(&lines.to_be_bytes());
                body.extend_from_slice(self.ids.as_bytes());
            }
            Cmd::Join => join::Got { status: Init, src_id: None }.encode(&mut body),
            Cmd::Beat | Cmd::ReportDiskUsage | Cmd::SyncReport => body.push(0),
            Cmd::SyncDestRequest | Cmd::SyncNotify | Cmd::GetChangelog | Cmd::ReplicaChange => {}
            Cmd::GetStorageStatus => {
                self.step(tracker, Event::Replied { status: Status::ENOENT, body: &[] });
                return true;
            }
            other => panic!("no canned answer to {other}"),
        }
        self.step(tracker, Event::Replied { status: Status::OK, body: &body });
        true
    }

    /// Plays the usual answers until this is asked.
    pub(crate) fn run_to(&mut self, tracker: usize, command: Cmd) {
        if self.question(tracker).is_none() {
            self.wake(tracker);
        }
        if self.links[tracker].actions.last() == Some(&Action::Connect) {
            self.connected(tracker);
        }
        while self.question(tracker) != Some(command) {
            let asked = self.question(tracker);
            assert!(self.canned(tracker), "{command} is never asked, after {asked:?}");
        }
    }

    /// Plays the usual answers until nothing is asked any more.
    pub(crate) fn run_to_rest(&mut self, tracker: usize) {
        if self.question(tracker).is_none() {
            self.wake(tracker);
        }
        if self.links[tracker].actions.last() == Some(&Action::Connect) {
            self.connected(tracker);
        }
        while self.canned(tracker) {}
    }

    pub(crate) fn never_asks_before_rest(&mut self, tracker: usize, unwanted: Cmd) {
        loop {
            assert_ne!(self.question(tracker), Some(unwanted));
            if !self.canned(tracker) {
                return;
            }
        }
    }

    /// The link gave up its connection, for this reason if any.
    pub(crate) fn left(&mut self, tracker: usize, trouble: Option<Trouble>) {
        let actions = &self.links[tracker].actions;
        assert_eq!(actions.last(), Some(&Action::Disconnect), "{actions:?}");
        let reported = actions.iter().find_map(|action| match action {
            Action::Report(Notice::Trouble(trouble)) => Some(*trouble),
            _ => None,
        });
        assert_eq!(reported, trouble);
    }

    pub(crate) fn notices(&self, tracker: usize) -> Vec<Notice> {
        self.links[tracker].notices.clone()
    }

    pub(crate) fn view(&self) -> ClusterView {
        self.membership.view()
    }

    pub(crate) fn peer(&self, ip: &str) -> Option<StorageStatus> {
        self.view().peers.get(&id(ip)).map(|peer| peer.status)
    }

    pub(crate) fn brief(ip: &str, status: StorageStatus) -> Vec<u8> {
        let mut body = Vec::new();
        brief_of(ip, status).encode(&mut body);
        body
    }

    pub(crate) fn tracker_status(is_leader: bool) -> Vec<u8> {
        let mut body = Vec::new();
        tracker_status::Got { is_leader, running_time: 0, restart_interval: 0 }.encode(&mut body);
        body
    }
}
