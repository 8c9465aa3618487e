//! A storage: the real machines of membership, tracker links, replication and recovery, a model of its store, a
//! simulated shell.

mod copies;
mod recovery;
mod replication;
mod server;
pub(crate) mod store;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use fdfs_fileid::{FileName, GroupName};
use fdfs_format::binlog::Record;
use fdfs_proto::storage::download;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::{Header, Host, RawName, StatBlock, Status, StorageCommand, StorageId, Version};
use storage_core::membership::{ClusterView, JoinRecord, Membership, Settings, TrackerIndex};
use storage_core::replication::copies::CopiesRule;
use storage_core::time::Mono;
use storage_core::tracker_link::{self, Action, Event, Failure, LinkInputs, TrackerLink};

use crate::Fault;
use crate::disk::{Base, Disk};
use crate::scenario::Durability;
use crate::tracker::PORT as TRACKER_PORT;
use crate::wire::{parts, request};
use crate::world::{Conn, Env, Happening, NodeId, START};
use copies::Waiting;
use recovery::Recovery;
use replication::Replication;
use store::Store;

/// The port of every storage.
pub(crate) const PORT: u16 = 23000;

/// Between two looks at every byte, milliseconds.
const SCRUB_MS: u64 = 20_000;

/// Between two syncs where nobody waits for them, milliseconds.
const LAZY_SYNC_MS: u64 = 1_000;

/// What is configured.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) me: NodeId,
    pub(crate) group: GroupName,
    pub(crate) trackers: Vec<NodeId>,
    pub(crate) durability: Durability,
    pub(crate) copies: CopiesRule,
}

pub(crate) struct Storage {
    pub(crate) place: Place,
    pub(crate) base: Base,
    pub(crate) disk: Disk,
    record: JoinRecord,
    pub(crate) running: Option<Running>,
}

pub(crate) struct Running {
    membership: Membership,
    /// The cluster as of `view_version` of the membership.
    view: ClusterView,
    view_version: u64,
    links: Vec<Link>,
    pub(crate) store: Store,
    replication: Replication,
    /// While this runs, the storage has not joined.
    recovery: Option<Recovery>,
    waiting: VecDeque<Waiting>,
    /// Requests for files that are being changed.
    deferred: Vec<(Conn, Header, Vec<u8>)>,
    syncing: bool,
    inputs: Inputs,
    /// Who said on a connection that it is replicating.
    sources: BTreeMap<Conn, StorageId>,
    scrub_at: u64,
    lazy_sync_at: u64,
    /// Good copies under way.
    mending: BTreeMap<Conn, FileName>,
    names_given: u32,
}

struct Link {
    machine: TrackerLink,
    conn: Option<Conn>,
    /// The version of the membership that it has seen.
    seen: u64,
    /// A question goes out when the connection is there.
    connecting: bool,
}

#[derive(Default)]
struct Inputs {
    free_mb: u64,
    synced: BTreeMap<StorageId, u32>,
}

impl LinkInputs for Inputs {
    fn stat_block(&self) -> StatBlock {
        StatBlock::default()
    }

    fn disk_usage(&self) -> Vec<PathSpace> {
        vec![PathSpace { total_mb: 1000, free_mb: self.free_mb }]
    }

    fn synced_from(&self) -> BTreeMap<StorageId, u32> {
        self.synced.clone()
    }
}

/// The id of a storage that goes by its address.
pub(crate) fn id_of(ip: IpAddr) -> Option<StorageId> {
    StorageId::new(ip.to_string().as_bytes())
}

impl Storage {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            base: Base::default(),
            disk: Disk::new(0),
            record: JoinRecord::first(START),
            running: None,
        }
    }

    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// The disk of the store path is a new one now, and somebody has said so.
    pub(crate) fn lose_disk(&mut self) {
        self.disk = Disk::new(self.base.binlog.len());
        self.base.small.insert(recovery::FLAG.into(), Vec::new());
    }

    /// Whether these peers have everything that is in the log.
    pub(crate) fn is_replicated(&self, peers: &[StorageId]) -> bool {
        let certain = self.running.as_ref().filter(|running| !running.store.has_pending());
        certain.is_some_and(|running| running.replication.is_complete(peers, self.base.binlog.len()))
    }

    /// The cluster as this storage sees it.
    pub(crate) fn view(&self) -> Option<ClusterView> {
        self.running.as_ref().map(|running| running.membership.view())
    }

    pub(crate) fn happened(&mut self, env: &mut Env, what: Happening) {
        match what {
            Happening::Start => self.start(env),
            Happening::Connected(conn) => self.connected(env, conn),
            Happening::ConnectFailed(conn) => self.lost(env, conn, Failure::ConnectTimeout),
            Happening::Closed(conn) => self.lost(env, conn, Failure::Closed),
            Happening::Message(conn, bytes) => self.message(env, conn, &bytes),
            Happening::Synced(end) => self.synced(env, end),
            Happening::Wake => {}
        }
        self.go_on(env);
    }

    fn start(&mut self, env: &mut Env) {
        let count = self.place.trackers.len() as u8;
        let settings = Settings {
            group: Some(self.place.group),
            port: PORT,
            server_id: None,
            local_ips: Vec::new(),
            tracker_count: count,
        };
        let link = tracker_link::Settings {
            store_path_count: 1,
            subdir_count: 256,
            upload_priority: 10,
            up_time: env.wall(self.place.me),
            version: Version::new(b"6.16.1").unwrap_or_default(),
            beat_interval_ms: 10_000,
            disk_report_interval_ms: 30_000,
        };
        let mut membership = Membership::new(settings, self.record.clone());
        for (index, tracker) in (0..).zip(&self.place.trackers) {
            membership.tracker_found(TrackerIndex(index), Host::new(env.ips[*tracker], TRACKER_PORT));
        }
        let link = |index| Link {
            machine: TrackerLink::new(TrackerIndex(index), link.clone()),
            conn: None,
            seen: 0,
            connecting: false,
        };
        let store = Store::open(&mut self.disk, &mut self.base, env.fault);
        let recovery = self.base.small.contains_key(recovery::FLAG).then(Recovery::default);
        self.running = Some(Running {
            view: membership.view(),
            view_version: membership.version(),
            membership,
            recovery,
            deferred: Vec::new(),
            links: (0..count).map(link).collect(),
            store,
            replication: Replication::default(),
            waiting: VecDeque::new(),
            syncing: false,
            inputs: Inputs::default(),
            sources: BTreeMap::new(),
            scrub_at: env.now + SCRUB_MS,
            lazy_sync_at: env.now + LAZY_SYNC_MS,
            mending: BTreeMap::new(),
            names_given: 0,
        });
        env.note(self.place.me, || "starts".into());
    }

    fn connected(&mut self, env: &mut Env, conn: Conn) {
        let me = self.place.me;
        let Some(running) = &mut self.running else { return };
        if let Some(index) = running.links.iter().position(|link| link.conn == Some(conn)) {
            running.links[index].connecting = false;
            let ip = env.ips[self.place.trackers[index]];
            return self.feed(env, index, Event::Connected(ip));
        }
        if let Some(name) = running.mending.get(&conn) {
            let mut body = Vec::new();
            let (group, name) = (self.place.group.into(), RawName::from(name));
            download::Ask { offset: 0, len: 0, group, name }.encode(&mut body);
            return env.send(conn, me, request(StorageCommand::DownloadFile, 0, &body));
        }
        if !recovery::connected(self, env, conn) {
            replication::connected(self, env, conn);
        }
    }

    fn lost(&mut self, env: &mut Env, conn: Conn, failure: Failure) {
        let Some(running) = &mut self.running else { return };
        running.sources.remove(&conn);
        running.mending.remove(&conn);
        running.waiting.retain(|waiting| waiting.conn != conn);
        running.deferred.retain(|(other, ..)| *other != conn);
        if let Some(index) = running.links.iter().position(|link| link.conn == Some(conn)) {
            running.links[index].conn = None;
            return self.feed(env, index, Event::Failed(failure));
        }
        if !recovery::lost(self, env, conn) {
            replication::lost(self, env, conn);
        }
    }

    fn message(&mut self, env: &mut Env, conn: Conn, bytes: &[u8]) {
        let Some(running) = &mut self.running else { return };
        let Some((header, body)) = parts(bytes) else { return };
        if let Some(index) = running.links.iter().position(|link| link.conn == Some(conn)) {
            return self.feed(env, index, Event::Replied { status: header.status(), body });
        }
        if let Some(name) = running.mending.remove(&conn) {
            env.hang_up(conn, self.place.me);
            if header.status() == Status::OK {
                running.store.mend(&mut self.disk, &name, body);
            }
            return;
        }
        if header.command == fdfs_proto::RESPONSE {
            let (status, body) = (header.status(), body);
            if !recovery::answered(self, env, conn, status, body) {
                replication::answered(self, env, conn, status, body);
            }
            return;
        }
        server::serve(self, env, conn, header, body);
    }

    // Trackers

    /// Gives a link an event and carries out what it wants.
    fn feed(&mut self, env: &mut Env, index: usize, event: Event<'_>) {
        let me = self.place.me;
        let now = Mono(env.mono(me));
        let Some(running) = &mut self.running else { return };
        let mut actions = Vec::new();
        let link = &mut running.links[index];
        running.inputs.free_mb = if self.disk.capacity == usize::MAX { 900 } else { 50 };
        link.machine.step(now, event, &mut running.membership, &running.inputs, &mut actions);
        for action in actions {
            match action {
                Action::Persist => {
                    self.record = running.membership.record().clone();
                    if let (Some(id), Some(_)) = (id_of(env.ips[me]), self.record.source)
                        && !env.history.copied.contains(&id)
                    {
                        env.history.copies_due.insert(id);
                    }
                }
                Action::Report(notice) => env.note(me, || format!("{notice:?}")),
                Action::Connect => {
                    link.conn = Some(env.connect(me, self.place.trackers[index]));
                    link.connecting = true;
                }
                Action::Send { command, body } => {
                    if let Some(conn) = link.conn {
                        env.send(conn, me, request(command, 0, &body));
                    }
                }
                Action::Disconnect => {
                    if let Some(conn) = link.conn.take() {
                        env.hang_up(conn, me);
                    }
                }
            }
        }
    }

    // What is due

    fn go_on(&mut self, env: &mut Env) {
        let me = self.place.me;
        if !recovery::go_on(self, env) {
            self.talk(env);
            replication::go_on(self, env);
            self.scrub(env);
        }
        self.sync_lazily(env);
        self.answer_waiting(env);
        let Some(running) = &self.running else { return };
        let links = running.links.iter().filter_map(|link| link.machine.deadline()).map(|due| due.0).min();
        let joined = running.recovery.is_none();
        let mut due = links.filter(|_| joined).into_iter().chain(running.replication.due(env.mono(me))).min();
        let other = running.scrub_at.min(running.lazy_sync_at).min(running.due_of_answers());
        let other = other.min(running.recovery.as_ref().map_or(u64::MAX, Recovery::due)).max(env.now);
        let other = env.mono(me) + (other - env.now);
        due = due.map(|due| due.min(other));
        env.wake_at(me, due.unwrap_or(other));
    }

    /// Lets the links to trackers do what is due.
    fn talk(&mut self, env: &mut Env) {
        for _ in 0..100 {
            let now = env.mono(self.place.me);
            let Some(running) = &mut self.running else { return };
            let version = running.membership.version();
            let due =
                |link: &Link| link.seen != version || link.machine.deadline().is_some_and(|due| due.0 <= now);
            let Some(index) = running.links.iter().position(due) else { break };
            running.links[index].seen = version;
            self.feed(env, index, Event::Wake);
        }
        let Some(running) = &mut self.running else { return };
        if running.view_version != running.membership.version() {
            running.view_version = running.membership.version();
            running.view = running.membership.view();
        }
    }

    fn sync_lazily(&mut self, env: &mut Env) {
        let Some(running) = self.running.as_mut().filter(|running| running.lazy_sync_at <= env.now) else {
            return;
        };
        running.lazy_sync_at = env.now + LAZY_SYNC_MS;
        if self.disk.log.synced < self.disk.log.len() {
            self.sync(env);
        }
    }

    /// Starts a sync, unless one is under way: then the next one serves all that came meanwhile.
    fn sync(&mut self, env: &mut Env) {
        let Some(running) = &mut self.running else { return };
        if !running.syncing {
            running.syncing = true;
            let delay = env.chance.between(1, 40);
            env.tell(self.place.me, delay, Happening::Synced(self.disk.log.len()));
        }
    }

    fn synced(&mut self, env: &mut Env, end: usize) {
        self.disk.log.sync(end);
        let Some(running) = &mut self.running else { return };
        running.syncing = false;
        running.store.commit(&self.disk, &mut self.base, self.disk.log.synced);
        let deferred = std::mem::take(&mut running.deferred);
        if running.waiting.iter().any(|waiting| waiting.end > self.disk.log.synced) {
            self.sync(env);
        }
        for (conn, header, body) in deferred {
            server::serve(self, env, conn, header, &body);
        }
        recovery::certain(self, env);
    }

    /// Writes a change; gives the length of the log that makes it certain.
    fn write(&mut self, env: &mut Env, record: Record, noted: bool, content: &[u8]) -> Result<usize, Status> {
        let running = self.running.as_mut().ok_or(Status::EAGAIN)?;
        let end = running.store.write(&mut self.disk, record, noted, content).map_err(|_| Status::ENOSPC)?;
        if self.place.durability == Durability::Process {
            running.store.commit(&self.disk, &mut self.base, end);
        } else {
            self.sync(env);
        }
        Ok(end)
    }

    /// Looks at every byte; a damaged file is fetched from another member.
    fn scrub(&mut self, env: &mut Env) {
        let Some(running) = self.running.as_mut().filter(|running| running.scrub_at <= env.now) else {
            return;
        };
        running.scrub_at = env.now + SCRUB_MS;
        if env.is(Fault::RotServed) {
            return;
        }
        let peers: Vec<_> = running.view.peers.keys().copied().collect();
        for name in running.store.damaged(&self.disk) {
            let peer = env.chance.pick(&peers).and_then(|id| id.as_str().parse().ok());
            if let Some(node) = peer.and_then(|ip| env.node_at(ip)) {
                let conn = env.connect(self.place.me, node);
                running.mending.insert(conn, name);
            }
        }
    }
}
