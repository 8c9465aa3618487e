//! Trackers and storages of one group on one virtual clock, joined without a network.

use std::net::IpAddr;

use fdfs_conf::tracker::{
    DownloadServer, PlacementConf, ReservedSpace, StoreLookup, StorePathChoice, StoreServer,
};
use fdfs_fileid::GroupName;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::tracker::{Request as Ask, my_ip, tracker_status};
use fdfs_proto::{Brief, Host, IpText, StatBlock, Status, StorageId, StorageStatus, TrackerCommand, Version};
use storage_core::membership::{ClusterView, JoinRecord, Membership, Settings, TrackerIndex};
use storage_core::time::Mono;
use storage_core::tracker_link::{self, Action, Event, Failure, LinkInputs, Notice, TrackerLink, Trouble};
use tracker_core::{
    Action as TrackerAction, Caller, Cluster, ClusterConfig, ConnId, Event as TrackerEvent, Naming, Now,
    PlacementConfig, Refusal, Reply, Request, Saved, TrunkLoading,
};

const PORT: u16 = 22122;
/// Unix seconds at which every town begins.
const START: i64 = 1_800_000_000;

pub(crate) struct Inputs {
    pub(crate) free_mb: u64,
}

impl LinkInputs for Inputs {
    fn stat_block(&self) -> StatBlock {
        StatBlock::default()
    }

    fn disk_usage(&self) -> Vec<PathSpace> {
        vec![PathSpace { total_mb: 1000, free_mb: self.free_mb }]
    }
}

struct Tracker {
    ip: IpAddr,
    cluster: Cluster,
    up: bool,
}

pub(crate) struct Storage {
    pub(crate) ip: IpAddr,
    pub(crate) inputs: Inputs,
    record: JoinRecord,
    running: Option<Running>,
    connects: usize,
}

struct Running {
    membership: Membership,
    links: Vec<TrackerLink>,
    conns: Vec<Option<ConnId>>,
    /// The version of the membership that each link has seen.
    seen: Vec<u64>,
}

pub(crate) struct Town {
    trackers: Vec<Tracker>,
    pub(crate) storages: Vec<Storage>,
    pub(crate) follow_addresses: bool,
    now_ms: u64,
    last_conn: u64,
    troubles: Vec<Trouble>,
}

fn group() -> GroupName {
    GroupName::parse(b"group1").unwrap()
}

fn cluster(ip: IpAddr, saved: Saved, now: Now) -> Cluster {
    let config = ClusterConfig {
        placement: PlacementConfig {
            choice: PlacementConf {
                store_lookup: StoreLookup::RoundRobin,
                store_server: StoreServer::RoundRobin,
                store_path: StorePathChoice::RoundRobin,
                download_server: DownloadServer::RoundRobin,
                reserved_storage_space: ReservedSpace::Megabytes(100),
            },
            use_trunk: false,
            sync_max_delay_s: 86_400,
            sync_max_time_s: 300,
        },
        naming: Naming::ByAddress,
        trunk_loading: TrunkLoading::default(),
        silence_ms: 100_000,
        port: PORT,
        addrs: vec![ip],
        version: Version::new(b"6.16.1").unwrap(),
        up_time: now.wall,
        election: Default::default(),
    };
    Cluster::new(config, saved, now)
}

impl Town {
    /// Trackers 10.0.0.1 …, storages 10.1.0.1 …, which are not started yet.
    pub(crate) fn new(trackers: u8, storages: u8) -> Self {
        let now = Now { mono: tracker_core::Mono(0), wall: START };
        let tracker = |n| {
            let ip = IpAddr::from([10, 0, 0, n]);
            Tracker { ip, cluster: cluster(ip, Saved::default(), now), up: true }
        };
        let storage = |n| Storage {
            ip: IpAddr::from([10, 1, 0, n]),
            inputs: Inputs { free_mb: 500 },
            record: JoinRecord::first(START),
            running: None,
            connects: 0,
        };
        Self {
            trackers: (1..=trackers).map(tracker).collect(),
            storages: (1..=storages).map(storage).collect(),
            follow_addresses: false,
            now_ms: 0,
            last_conn: 0,
            troubles: Vec::new(),
        }
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.now_ms / 1000
    }

    fn now(&self) -> Now {
        Now { mono: tracker_core::Mono(self.now_ms), wall: START + (self.now_ms / 1000) as i64 }
    }

    // Storages

    pub(crate) fn start(&mut self, storage: usize) -> &mut Self {
        let count = self.trackers.len();
        let settings = tracker_link::Settings {
            store_path_count: 1,
            subdir_count: 256,
            upload_priority: 10,
            up_time: self.now().wall,
            version: Version::new(b"6.16.1").unwrap(),
            beat_interval_ms: 30_000,
            disk_report_interval_ms: 60_000,
        };
        let place = &mut self.storages[storage];
        let mut membership = Membership::new(
            Settings {
                group: Some(group()),
                port: 23000,
                server_id: None,
                local_ips: Vec::new(),
                tracker_count: count as u8,
            },
            place.record.clone(),
        );
        for (index, tracker) in (0..).zip(&self.trackers) {
            membership.tracker_found(TrackerIndex(index), Host::new(tracker.ip, PORT));
        }
        let links =
            (0..count as u8).map(|index| TrackerLink::new(TrackerIndex(index), settings.clone())).collect();
        place.running = Some(Running { membership, links, conns: vec![None; count], seen: vec![0; count] });
        place.connects = 0;
        self
    }

    pub(crate) fn start_all(&mut self) -> &mut Self {
        for storage in 0..self.storages.len() {
            self.start(storage);
        }
        self
    }

    pub(crate) fn stop(&mut self, storage: usize) {
        let Some(running) = self.storages[storage].running.take() else { return };
        for (tracker, conn) in running.conns.into_iter().enumerate() {
            self.close(tracker, conn);
        }
    }

    pub(crate) fn restart(&mut self, storage: usize) {
        self.stop(storage);
        self.start(storage);
    }

    /// Starts these storages and plays the copy of old files until all serve.
    pub(crate) fn serving(&mut self, storages: &[usize]) {
        for &storage in storages {
            if self.storages[storage].running.is_none() {
                self.start(storage);
            }
            self.pass(35);
            if storage != storages[0] {
                self.report(storages[0], storage, StorageStatus::Syncing);
                self.report(storages[0], storage, StorageStatus::Offline);
            }
            self.pass(65);
        }
        for &storage in storages {
            assert_eq!(self.view(storage).my_status, Some(StorageStatus::Active), "storage {storage}");
            self.storages[storage].connects = self.trackers.len();
        }
    }

    /// 76, as replication sends it to every tracker.
    pub(crate) fn report(&mut self, from: usize, about: usize, status: StorageStatus) -> &mut Self {
        let (ip, peer) = (self.storages[about].ip, self.storages[from].ip);
        let id = StorageId::new(ip.to_string().as_bytes());
        let brief = Brief { status, port: 0, id, ip: IpText::from(ip) };
        for tracker in 0..self.trackers.len() {
            let conn = self.connect();
            let ask = Request::ReportStatus { group: group(), brief: &brief };
            if self.trackers[tracker].up {
                self.ask(tracker, conn, peer, ask).unwrap();
            }
        }
        self
    }

    pub(crate) fn view(&self, storage: usize) -> ClusterView {
        self.storages[storage].running.as_ref().unwrap().membership.view()
    }

    pub(crate) fn peer(&self, storage: usize, peer: usize) -> Option<StorageStatus> {
        self.peer_by_name(storage, &self.storages[peer].ip.to_string())
    }

    pub(crate) fn peer_by_name(&self, storage: usize, peer: &str) -> Option<StorageStatus> {
        self.view(storage).peers.get(&peer.parse().unwrap()).map(|peer| peer.status)
    }

    pub(crate) fn source_of(&self, storage: usize) -> Option<String> {
        let running = self.storages[storage].running.as_ref().unwrap();
        running.membership.record().source.map(|id| id.to_string())
    }

    /// Connections beyond the first one to each tracker.
    pub(crate) fn reconnects(&self, storage: usize) -> usize {
        self.storages[storage].connects - self.trackers.len()
    }

    pub(crate) fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    pub(crate) fn runs(&self, storage: usize) -> bool {
        self.storages[storage].running.is_some()
    }

    /// What replication will do: every running storage that is asked for its old files sends them and says
    /// so.
    pub(crate) fn copy_old_files(&mut self) {
        for from in 0..self.storages.len() {
            for about in (0..self.storages.len()).filter(|about| *about != from) {
                if !self.runs(from) || !self.runs(about) {
                    continue;
                }
                let waits =
                    matches!(self.peer(from, about), Some(StorageStatus::WaitSync | StorageStatus::Syncing));
                if waits && self.source_of(about) == Some(self.storages[from].ip.to_string()) {
                    self.report(from, about, StorageStatus::Syncing);
                    self.report(from, about, StorageStatus::Offline);
                }
            }
        }
    }

    // Trackers

    /// The first tracker that is up leads, and all others that are up know it; what an election would do.
    pub(crate) fn elect_somebody(&mut self) {
        let Some(leader) = self.trackers.iter().position(|tracker| tracker.up) else { return };
        let known = |town: &mut Self, tracker: usize| {
            let own = town.trackers[leader].ip;
            let view = town.trackers[tracker].cluster.view();
            view.leader(own).is_ok_and(|host| host.ip == own)
        };
        for tracker in 0..self.trackers.len() {
            // A tracker that no storage has joined knows nobody to elect.
            if self.trackers[tracker].up && !known(self, tracker) {
                let (addr, conn) = (self.trackers[leader].ip, self.connect());
                let _ = self.ask(tracker, conn, addr, Request::NotifyLeader { addr, port: PORT });
                let _ = self.ask(tracker, conn, addr, Request::CommitLeader { addr, port: PORT });
            }
        }
    }

    pub(crate) fn take_down(&mut self, tracker: usize) {
        self.trackers[tracker].up = false;
        for storage in 0..self.storages.len() {
            let Some(running) = &mut self.storages[storage].running else { continue };
            let conn = running.conns.get_mut(tracker).and_then(Option::take);
            self.close(tracker, conn);
            if conn.is_some() {
                self.feed(storage, tracker, Event::Failed(Failure::Closed));
            }
        }
    }

    pub(crate) fn bring_up(&mut self, tracker: usize) {
        self.trackers[tracker].up = true;
    }

    pub(crate) fn forget_everything(&mut self, tracker: usize) {
        let now = self.now();
        let place = &mut self.trackers[tracker];
        place.cluster = cluster(place.ip, Saved::default(), now);
    }

    /// A tracker that is down begins again with what it saved.
    pub(crate) fn restart_tracker(&mut self, tracker: usize) {
        let now = self.now();
        let place = &mut self.trackers[tracker];
        let saved = Saved::from_tables(place.cluster.tables(now), &Naming::ByAddress).unwrap();
        place.cluster = cluster(place.ip, saved, now);
    }

    /// One more tracker, which knows nothing. Storages know it from their next start on.
    pub(crate) fn add_tracker(&mut self) {
        let (now, number) = (self.now(), self.trackers.len() as u8 + 1);
        let ip = IpAddr::from([10, 0, 0, number]);
        self.trackers.push(Tracker { ip, cluster: cluster(ip, Saved::default(), now), up: true });
    }

    /// All trackers that are up agree on this one.
    pub(crate) fn lead(&mut self, leader: usize) {
        for tracker in 0..self.trackers.len() {
            if self.trackers[tracker].up {
                self.elect(tracker, leader);
            }
        }
    }

    pub(crate) fn lead_without_telling(&mut self, leader: usize) {
        self.elect(leader, leader);
    }

    fn elect(&mut self, tracker: usize, leader: usize) {
        let (addr, conn) = (self.trackers[leader].ip, self.connect());
        self.ask(tracker, conn, addr, Request::NotifyLeader { addr, port: PORT }).unwrap();
        self.ask(tracker, conn, addr, Request::CommitLeader { addr, port: PORT }).unwrap();
    }

    pub(crate) fn leads(&mut self, tracker: usize) -> bool {
        let own = self.trackers[tracker].ip;
        self.trackers[tracker].cluster.view().leader(own).is_ok_and(|leader| leader.ip == own)
    }

    pub(crate) fn status_at(&mut self, tracker: usize, storage: usize) -> Option<StorageStatus> {
        let id: StorageId = self.storages[storage].ip.to_string().parse().unwrap();
        let view = self.trackers[tracker].cluster.view();
        view.group(group()).ok()?.members.get(&id).map(|member| member.status)
    }

    /// Storages of the group that a tracker has and that are not tombstones.
    pub(crate) fn store_count(&mut self, tracker: usize) -> usize {
        let view = self.trackers[tracker].cluster.view();
        let alive = |status| !matches!(status, StorageStatus::IpChanged | StorageStatus::Deleted);
        view.group(group()).unwrap().members.values().filter(|member| alive(member.status)).count()
    }

    pub(crate) fn store_goes_to(&mut self, tracker: usize) -> Result<String, Status> {
        let view = self.trackers[tracker].cluster.view();
        let got = view.store_one(None, IpAddr::from([10, 9, 9, 9])).map_err(Refusal::status)?;
        Ok(got.server.ip.to_string())
    }

    pub(crate) fn delete(&mut self, storage: usize) -> Result<(), Refusal> {
        let id = self.storages[storage].ip.to_string().parse().unwrap();
        let conn = self.connect();
        let ask = Request::DeleteStorage { group: group(), id };
        self.ask(0, conn, IpAddr::from([10, 9, 9, 9]), ask).map(|_| ())
    }

    fn connect(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    fn close(&mut self, tracker: usize, conn: Option<ConnId>) {
        if let Some(conn) = conn {
            let now = self.now();
            self.trackers[tracker].cluster.step(now, TrackerEvent::Closed { conn }, &mut Vec::new());
        }
    }

    fn ask(
        &mut self,
        tracker: usize,
        conn: ConnId,
        peer: IpAddr,
        ask: Request<'_>,
    ) -> Result<Reply, Refusal> {
        let now = self.now();
        let place = &mut self.trackers[tracker];
        let from = Caller { conn, peer, local: place.ip };
        let mut actions = Vec::new();
        place.cluster.step(now, TrackerEvent::Request { from, ask }, &mut actions);
        let mut replies = actions.into_iter().filter_map(|action| match action {
            TrackerAction::Reply { reply, .. } => Some(reply),
            _ => None,
        });
        replies.next().unwrap()
    }

    // Time

    /// Lets everything happen up to this second.
    pub(crate) fn until(&mut self, seconds: u64) -> &mut Self {
        let end = seconds * 1000;
        loop {
            self.settle();
            let links = self.storages.iter().filter_map(|storage| storage.running.as_ref());
            let link_due = links.flat_map(|running| &running.links).filter_map(|link| link.deadline());
            let tracker_due = self.trackers.iter().map(|tracker| tracker.cluster.deadline().0);
            let next = link_due.map(|due| due.0).chain(tracker_due).min().unwrap().max(self.now_ms + 1);
            if next > end {
                self.now_ms = self.now_ms.max(end);
                self.settle();
                return self;
            }
            self.now_ms = next;
            let now = self.now();
            for tracker in &mut self.trackers {
                if tracker.cluster.deadline().0 <= self.now_ms {
                    tracker.cluster.step(now, TrackerEvent::Wake { chance: 0 }, &mut Vec::new());
                }
            }
        }
    }

    /// Lets so many seconds pass.
    pub(crate) fn pass(&mut self, seconds: u64) -> &mut Self {
        self.until(self.seconds() + seconds)
    }

    /// Wakes every link that is due or has not seen the newest membership, until none is.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let mut quiet = true;
            for storage in 0..self.storages.len() {
                for tracker in 0..self.trackers.len() {
                    let Some(running) = &mut self.storages[storage].running else { continue };
                    // One that started before the tracker was there does not know it.
                    if tracker >= running.links.len() {
                        continue;
                    }
                    let version = running.membership.version();
                    let due = running.links[tracker].deadline().is_some_and(|due| due.0 <= self.now_ms);
                    if due || running.seen[tracker] != version {
                        running.seen[tracker] = version;
                        quiet = false;
                        self.feed(storage, tracker, Event::Wake);
                    }
                }
            }
            if quiet {
                return;
            }
        }
        panic!("the links never come to rest");
    }

    /// Gives a link an event, and carries out what it wants until it rests.
    fn feed(&mut self, storage: usize, tracker: usize, event: Event<'_>) {
        let mut next = self.step(storage, tracker, event);
        while let Some(action) = next {
            next = match action {
                Action::Connect => self.connect_link(storage, tracker),
                Action::Send { command, body } => self.send(storage, tracker, command, &body),
                _ => None,
            };
        }
    }

    /// One step; the connect or the question that it ends with.
    fn step(&mut self, storage: usize, tracker: usize, event: Event<'_>) -> Option<Action> {
        let now = Mono(self.now_ms);
        let place = &mut self.storages[storage];
        let running = place.running.as_mut()?;
        let mut actions = Vec::new();
        running.links[tracker].step(now, event, &mut running.membership, &place.inputs, &mut actions);
        let mut hung_up = None;
        for action in &actions {
            match action {
                Action::Persist => place.record = running.membership.record().clone(),
                Action::Disconnect => hung_up = running.conns[tracker].take(),
                Action::Report(Notice::Trouble(trouble)) => self.troubles.push(*trouble),
                _ => {}
            }
        }
        self.close(tracker, hung_up);
        actions.pop().filter(|action| matches!(action, Action::Connect | Action::Send { .. }))
    }

    fn connect_link(&mut self, storage: usize, tracker: usize) -> Option<Action> {
        let (ip, up) = (self.trackers[tracker].ip, self.trackers[tracker].up);
        let conn = self.connect();
        let place = &mut self.storages[storage];
        let running = place.running.as_mut()?;
        if !up {
            return self.step(storage, tracker, Event::Failed(Failure::ConnectionRefused));
        }
        running.conns[tracker] = Some(conn);
        place.connects += 1;
        self.step(storage, tracker, Event::Connected(ip))
    }

    fn send(
        &mut self,
        storage: usize,
        tracker: usize,
        command: TrackerCommand,
        body: &[u8],
    ) -> Option<Action> {
        let (status, body) = self.exchange(storage, tracker, command, body);
        self.step(storage, tracker, Event::Replied { status, body: &body })
    }

    fn exchange(
        &mut self,
        storage: usize,
        tracker: usize,
        command: TrackerCommand,
        body: &[u8],
    ) -> (Status, Vec<u8>) {
        let peer = self.storages[storage].ip;
        let conn = self.storages[storage].running.as_ref().unwrap().conns[tracker].unwrap();
        let mut out = Vec::new();
        let ask = Ask::decode(command, body).unwrap();
        let request = match &ask {
            Ask::GetMyIp(_) => {
                my_ip::Got { ip: peer, second: None }.encode(&mut out);
                return (Status::OK, out);
            }
            Ask::GetParameters(_) => {
                let follow = self.follow_addresses;
                Parameters { storage_ip_changed_auto_adjust: follow, ..Parameters::default() }
                    .encode(&mut out);
                return (Status::OK, out);
            }
            Ask::TrackerStatus(_) => {
                let is_leader = self.leads(tracker);
                tracker_status::Got { is_leader, running_time: 0, restart_interval: 0 }.encode(&mut out);
                return (Status::OK, out);
            }
            Ask::GetStorageStatus(ask) => {
                let id: StorageId = ask.host.ip.to_string().parse().unwrap();
                let view = self.trackers[tracker].cluster.view();
                let Some(member) = view.group(group()).ok().and_then(|group| group.members.get(&id)) else {
                    return (Status::ENOENT, out);
                };
                let ip = IpText::from(ask.host.ip);
                Brief { status: member.status, port: ask.host.port, id: Some(id), ip }.encode(&mut out);
                return (Status::OK, out);
            }
            Ask::Join(join) => Request::Join(join),
            Ask::Beat(beat) => Request::Beat { stat: beat.stat.as_ref() },
            Ask::ReportDiskUsage(report) => Request::ReportDisks { paths: &report.paths },
            Ask::SyncReport(report) => Request::ReportSync { times: &report.sources },
            Ask::SyncDestRequest(_) => Request::RequestSource,
            Ask::SyncNotify(notify) => {
                Request::NotifySource { source: notify.src_id, until: notify.until_timestamp }
            }
            Ask::SyncDestQuery(_) => Request::OwnSource,
            Ask::ReplicaChange(replicas) => Request::ReportReplicas { briefs: &replicas.briefs },
            Ask::ChangeStatus(change) => Request::ChangeStatus { status: change.status },
            Ask::GetChangelog(_) => Request::ReadChangelog { of: None },
            Ask::ReportIpChanged(report) => Request::ReportIpChanged {
                group: report.group.group().unwrap(),
                old: report.old_ip.ip().unwrap(),
                new: report.new_ip.ip().unwrap(),
            },
            Ask::ReselectLeader(_) => Request::ReselectLeader,
            other => panic!("storages of this town do not ask {other:?}"),
        };
        match self.ask(tracker, conn, peer, request) {
            Ok(Reply::Done) => {}
            Ok(Reply::Joined(got)) => got.encode(&mut out),
            Ok(Reply::Changes(got)) => got.encode(&mut out),
            Ok(Reply::Source(got)) => got.encode(&mut out),
            Ok(Reply::Changelog(text)) => out = text,
            Ok(other) => panic!("no reply to a storage: {other:?}"),
            Err(refusal) => return (refusal.status(), out),
        }
        (Status::OK, out)
    }
}
