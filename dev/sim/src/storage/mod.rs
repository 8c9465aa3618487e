//! A storage: the real machines of membership and tracker links, a model of its store, a simulated shell.

pub(crate) mod replication;
mod server;
pub(crate) mod store;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use fdfs_fileid::{FileName, GroupName};
use fdfs_proto::storage::download;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::{Host, RawName, StatBlock, Status, StorageCommand, StorageId, StorageStatus, Version};
use storage_core::membership::{ClusterView, JoinRecord, Membership, Settings, TrackerIndex};
use storage_core::time::Mono;
use storage_core::tracker_link::{self, Action, Event, Failure, LinkInputs, TrackerLink};

use crate::Fault;
use crate::disk::Disk;
use crate::scenario::Durability;
use crate::tracker::PORT as TRACKER_PORT;
use crate::wire::{parts, request};
use crate::world::{Conn, Env, Happening, NodeId, START};
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
}

pub(crate) struct Storage {
    pub(crate) place: Place,
    pub(crate) disk: Disk,
    record: JoinRecord,
    pub(crate) running: Option<Running>,
}

pub(crate) struct Running {
    membership: Membership,
    links: Vec<Link>,
    pub(crate) store: Store,
    replication: Replication,
    waiting: VecDeque<Waiting>,
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

/// An answer that is given when the log is on disk up to `end`.
struct Waiting {
    end: usize,
    conn: Conn,
    bytes: Vec<u8>,
    /// The line of the binlog that another member must have, too.
    copy_of: Option<usize>,
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
        Self { place, disk: Disk::new(), record: JoinRecord::first(START), running: None }
    }

    pub(crate) fn stop(&mut self) {
        self.running = None;
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
        let store = Store::open(&mut self.disk, env.fault);
        self.running = Some(Running {
            membership,
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
        replication::connected(self, env, conn);
    }

    fn lost(&mut self, env: &mut Env, conn: Conn, failure: Failure) {
        let Some(running) = &mut self.running else { return };
        running.sources.remove(&conn);
        running.mending.remove(&conn);
        running.waiting.retain(|waiting| waiting.conn != conn);
        if let Some(index) = running.links.iter().position(|link| link.conn == Some(conn)) {
            running.links[index].conn = None;
            return self.feed(env, index, Event::Failed(failure));
        }
        replication::lost(self, env, conn);
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
            return replication::answered(self, env, conn, header.status(), body);
        }
        server::serve(self, env, conn, &header, body);
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
        for _ in 0..100 {
            let now = env.mono(me);
            let Some(running) = &mut self.running else { return };
            let version = running.membership.version();
            let due =
                |link: &Link| link.seen != version || link.machine.deadline().is_some_and(|due| due.0 <= now);
            let Some(index) = running.links.iter().position(due) else { break };
            running.links[index].seen = version;
            self.feed(env, index, Event::Wake);
        }
        replication::go_on(self, env);
        self.scrub(env);
        let lazy = self.running.as_mut().is_some_and(|running| {
            let lazy = running.lazy_sync_at <= env.now;
            if lazy {
                running.lazy_sync_at = env.now + LAZY_SYNC_MS;
            }
            lazy
        });
        if lazy && self.disk.synced < self.disk.log.len() {
            self.sync(env);
        }
        let Some(running) = &self.running else { return };
        let links = running.links.iter().filter_map(|link| link.machine.deadline()).map(|due| due.0).min();
        let other =
            running.scrub_at.min(running.lazy_sync_at).min(running.replication.due(env.now)).max(env.now);
        let other = env.mono(me) + (other - env.now);
        env.wake_at(me, links.unwrap_or(other).min(other));
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
        self.disk.sync(end);
        let Some(running) = &mut self.running else { return };
        running.syncing = false;
        if running.waiting.iter().any(|waiting| waiting.end > self.disk.synced) {
            self.sync(env);
        }
        self.answer_waiting(env);
    }

    /// Gives the answers that wait for nothing any more.
    fn answer_waiting(&mut self, env: &mut Env) {
        let Some(running) = &mut self.running else { return };
        let view = running.membership.view();
        let alone = !view.peers.values().any(|peer| peer.status == StorageStatus::Active);
        let (synced, lazily) = (self.disk.synced, self.place.durability == Durability::Process);
        let replication = &running.replication;
        let ready = |waiting: &Waiting| {
            let copied = waiting.copy_of.is_none_or(|line| alone || replication.has_copy(line));
            (lazily || waiting.end <= synced) && copied
        };
        let (go, stay): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut running.waiting).into_iter().partition(ready);
        running.waiting = stay;
        for Waiting { conn, bytes, .. } in go {
            env.send(conn, self.place.me, bytes);
        }
    }

    /// Answers once the log is on disk up to `end`; `early` does not wait for that.
    fn answer_at(
        &mut self,
        env: &mut Env,
        conn: Conn,
        end: usize,
        bytes: Vec<u8>,
        early: bool,
        copy_of: Option<usize>,
    ) {
        if early {
            env.send(conn, self.place.me, bytes);
        } else if let Some(running) = &mut self.running {
            let copy_of = copy_of.filter(|_| self.place.durability == Durability::Copies);
            running.waiting.push_back(Waiting { end, conn, bytes, copy_of });
        }
        if self.place.durability != Durability::Process {
            self.sync(env);
        }
        self.answer_waiting(env);
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
        let peers: Vec<_> = running.membership.view().peers.keys().copied().collect();
        for name in running.store.damaged(&self.disk) {
            let peer = env.chance.pick(&peers).and_then(|id| id.as_str().parse().ok());
            if let Some(node) = peer.and_then(|ip| env.node_at(ip)) {
                let conn = env.connect(self.place.me, node);
                running.mending.insert(conn, name);
            }
        }
    }
}
