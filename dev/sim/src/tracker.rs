//! A tracker: the real machine with a simulated shell.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fdfs_conf::tracker::{
    DownloadServer, PlacementConf, ReservedSpace, StoreLookup, StorePathChoice, StoreServer,
};
use fdfs_fileid::{FileName, GroupName};
use fdfs_proto::StorageStatus::{Active, Deleted, Init, Syncing, WaitSync};
use fdfs_proto::tracker::leader::{Connections, Pong};
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::tracker::{HostBody, Request as Ask, my_ip, query_fetch, tracker_status};
use fdfs_proto::{AddrWidth, Status, StorageId, TrackerCommand, Version};
use tracker_core::leader::ElectionTimes;
use tracker_core::{
    Action, Caller, Cluster, ClusterConfig, ConnId, Event, Mono, Naming, Note, Now, PlacementConfig, Reply,
    Request, Saved, Section, Tables, Ticket, TrackerAnswer, TrackerAsk, TrunkLoading, View,
};

use crate::Fault;
use crate::history::Moved;
use crate::wire::{answer, parts, request};
use crate::world::{Conn, Env, Happening, NodeId};

/// The port of every tracker.
pub(crate) const PORT: u16 = 22122;

/// Where the state files are read and written: they are replaced whole, each by itself.
pub(crate) struct Tracker {
    me: NodeId,
    files: Tables,
    running: Option<Running>,
}

struct Running {
    cluster: Cluster,
    /// Questions to other trackers under way.
    asking: BTreeMap<Conn, Asking>,
    /// The connection to the leader that carries the pings.
    pings: Option<(NodeId, Conn)>,
}

struct Asking {
    ticket: Ticket,
    ask: TrackerAsk,
    /// The connection is to introduce this tracker before it pings.
    introduced: bool,
}

impl Tracker {
    pub(crate) fn new(me: NodeId) -> Self {
        Self { me, files: Tables::default(), running: None }
    }

    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// The state, as clients would see it.
    pub(crate) fn view(&mut self) -> Option<Arc<View>> {
        self.running.as_mut().map(|running| running.cluster.view())
    }

    pub(crate) fn happened(&mut self, env: &mut Env, what: Happening) {
        match what {
            Happening::Start => self.start(env),
            Happening::Connected(conn) => self.ask_now(env, conn),
            Happening::ConnectFailed(conn) => self.asked(env, conn, Err(TrackerAnswer::Silent)),
            Happening::Closed(conn) => {
                self.asked(env, conn, Err(TrackerAnswer::Silent));
                self.step(env, Event::Closed { conn: ConnId(conn.0) });
            }
            Happening::Message(conn, bytes) => {
                let asking = self.running.as_ref().is_some_and(|running| running.asking.contains_key(&conn));
                match asking {
                    true => self.asked(env, conn, Ok(bytes)),
                    false => self.serve(env, conn, &bytes),
                }
            }
            Happening::Wake | Happening::Synced(_) => {}
        }
        let due = |running: &Running| running.cluster.deadline().0;
        if self.running.as_ref().is_some_and(|running| due(running) <= env.mono(self.me)) {
            let chance = env.chance.bits();
            self.step(env, Event::Wake { chance });
        }
        if let Some(running) = &self.running {
            env.wake_at(self.me, due(running));
        }
    }

    fn now(&self, env: &Env) -> Now {
        Now { mono: Mono(env.mono(self.me)), wall: env.wall(self.me) }
    }

    fn start(&mut self, env: &mut Env) {
        let now = self.now(env);
        let config = config(env.ips[self.me], now);
        let saved = Saved::from_tables(self.files.clone(), &config.naming).unwrap_or_default();
        let cluster = Cluster::new(config, saved, now);
        self.running = Some(Running { cluster, asking: BTreeMap::new(), pings: None });
        self.step(env, Event::StateSought { found: None });
    }

    /// One step, and what it wants; the reply that it gives.
    fn step(&mut self, env: &mut Env, event: Event<'_>) -> Option<Result<Reply, Status>> {
        let now = self.now(env);
        let mut actions = Vec::new();
        self.running.as_mut()?.cluster.step(now, event, &mut actions);
        let mut replied = None;
        for action in actions {
            match action {
                Action::Reply { reply, .. } => replied = Some(reply.map_err(|refusal| refusal.status())),
                Action::Persist { section, .. } => self.save(now, section),
                Action::AskTracker { ticket, addrs, ask, .. } => {
                    self.ask_tracker(env, ticket, addrs.first(), ask)
                }
                Action::AskStorage { .. } => {}
                Action::Note(note) => self.noted(env, &note),
            }
        }
        replied
    }

    fn save(&mut self, now: Now, section: Section) {
        let Some(running) = &mut self.running else { return };
        let tables = running.cluster.tables(now);
        match section {
            Section::Groups => self.files.groups = tables.groups,
            // Columns of the times go by the rows of the servers.
            Section::Servers | Section::SyncTimes => {
                self.files.servers = tables.servers;
                self.files.sync_times = tables.sync_times;
            }
            Section::Changelog => self.files.changelog = tables.changelog,
            Section::Status => self.files.status = tables.status,
        }
    }

    fn noted(&mut self, env: &mut Env, note: &Note) {
        if let Note::StatusChanged { group, id, old, new } = *note {
            let copy_under_way = env.history.copies_due.contains(&id);
            let leads = self.view().is_some_and(|view| view.trackers().leads());
            let tracker = self.me;
            env.history.moved.push(Moved { tracker, group, id, old, new, leads, copy_under_way });
        }
        env.note(self.me, || format!("{note:?}"));
    }

    // Other trackers

    fn ask_tracker(&mut self, env: &mut Env, ticket: Ticket, addr: IpAddr, ask: TrackerAsk) {
        let Some(to) = env.node_at(addr) else { return };
        let me = self.me;
        let Some(running) = &mut self.running else { return };
        let ping = matches!(ask, TrackerAsk::Ping(_));
        if let Some((_, conn)) = running.pings.filter(|(node, _)| ping && *node == to) {
            running.asking.insert(conn, Asking { ticket, ask, introduced: true });
            return self.ask_now(env, conn);
        }
        let conn = env.connect(me, to);
        if ping {
            running.pings = Some((to, conn));
        }
        running.asking.insert(conn, Asking { ticket, ask, introduced: !ping });
    }

    fn ask_now(&mut self, env: &mut Env, conn: Conn) {
        let Some(asking) = self.running.as_ref().and_then(|running| running.asking.get(&conn)) else {
            return;
        };
        let mut body = Vec::new();
        let command = match asking.ask {
            TrackerAsk::Status => TrackerCommand::TrackerStatus,
            TrackerAsk::Notify(host) => {
                HostBody { host }.encode(&mut body);
                TrackerCommand::NotifyNextLeader
            }
            TrackerAsk::Commit(host) => {
                HostBody { host }.encode(&mut body);
                TrackerCommand::CommitNextLeader
            }
            TrackerAsk::Ping(me) if !asking.introduced => {
                me.encode(&mut body);
                TrackerCommand::JoinLeader
            }
            TrackerAsk::Ping(_) => {
                Connections::default().encode(&mut body);
                TrackerCommand::PingLeader
            }
        };
        env.send(conn, self.me, request(command, 0, &body));
    }

    fn asked(&mut self, env: &mut Env, conn: Conn, bytes: Result<Vec<u8>, TrackerAnswer>) {
        let Some(running) = &mut self.running else { return };
        let Some(mut asking) = running.asking.remove(&conn) else {
            running.pings = running.pings.filter(|(_, ping)| *ping != conn);
            return;
        };
        let heard = bytes.and_then(|bytes| {
            let (header, body) = parts(&bytes).ok_or(TrackerAnswer::Silent)?;
            match header.status() {
                Status::OK => Ok(body.to_vec()),
                refused => Err(TrackerAnswer::Refused(refused)),
            }
        });
        let heard = match heard {
            Ok(_) if !asking.introduced => {
                asking.introduced = true;
                running.asking.insert(conn, asking);
                return self.ask_now(env, conn);
            }
            Ok(body) => match asking.ask {
                TrackerAsk::Status => {
                    tracker_status::Got::decode(&body).map_or(TrackerAnswer::Silent, TrackerAnswer::Status)
                }
                TrackerAsk::Ping(_) => Pong::decode(&body).map_or(TrackerAnswer::Silent, TrackerAnswer::Pong),
                TrackerAsk::Notify(_) | TrackerAsk::Commit(_) => TrackerAnswer::Done,
            },
            Err(failed) => failed,
        };
        let keep = matches!(heard, TrackerAnswer::Pong(_));
        if !keep {
            running.pings = running.pings.filter(|(_, ping)| *ping != conn);
            env.hang_up(conn, self.me);
        }
        let alone = env.is(Fault::TwoLeaders) && asking.ask == TrackerAsk::Status;
        let heard = if alone { TrackerAnswer::NotRunning } else { heard };
        self.step(env, Event::TrackerAnswered { ticket: asking.ticket, answer: heard });
    }

    // Requests

    fn serve(&mut self, env: &mut Env, conn: Conn, bytes: &[u8]) {
        let result = match parts(bytes) {
            Some((header, body)) => match TrackerCommand::from_u8(header.command) {
                Some(command) => self.answer(env, conn, command, body),
                None => Err(Status::EINVAL),
            },
            None => Err(Status::EINVAL),
        };
        env.send(conn, self.me, answer(result));
    }

    fn answer(
        &mut self,
        env: &mut Env,
        conn: Conn,
        command: TrackerCommand,
        body: &[u8],
    ) -> Result<Vec<u8>, Status> {
        let ask = Ask::decode(command, body).map_err(|_| Status::EINVAL)?;
        let now = self.now(env);
        let peer = env.peer_of(conn, self.me);
        let view = self.view().ok_or(Status::EAGAIN)?;
        let mut out = Vec::new();
        let refused = tracker_core::Refusal::status;
        let file = |ask: &query_fetch::Ask<'_>| -> Result<_, Status> {
            let name: FileName = ask.name.parse().map_err(|_| Status::EINVAL)?;
            Ok((ask.group.group().map_err(|_| Status::EINVAL)?, name))
        };
        let command = match &ask {
            Ask::QueryStoreOne(_) => {
                view.store_one(None, peer).map_err(refused)?.encode(AddrWidth::V4, &mut out);
                return Ok(out);
            }
            Ask::QueryFetchOne(ask) => {
                let (group, name) = file(ask)?;
                view.fetch_one(now, group, &name, peer).map_err(refused)?.encode(AddrWidth::V4, &mut out);
                return Ok(out);
            }
            Ask::QueryUpdate(ask) => {
                let (group, name) = file(ask)?;
                view.update(group, &name, peer).map_err(refused)?.encode(AddrWidth::V4, &mut out);
                return Ok(out);
            }
            Ask::GetMyIp(_) => {
                my_ip::Got { ip: peer, second: None }.encode(&mut out);
                return Ok(out);
            }
            Ask::GetParameters(_) => {
                Parameters::default().encode(&mut out);
                return Ok(out);
            }
            Ask::TrackerStatus(_) => {
                view.running_figures(now).map_err(refused)?.encode(&mut out);
                return Ok(out);
            }
            Ask::GetStorageStatus(ask) => {
                let group = ask.group.group().map_err(|_| Status::EINVAL)?;
                view.storage_at(group, ask.host.ip, ask.host.port).map_err(refused)?.encode(&mut out);
                return Ok(out);
            }
            Ask::ListStorages(ask) => {
                let group = ask.group.group().map_err(|_| Status::EINVAL)?;
                view.storage_stats(group, ask.id, peer).map_err(refused)?.encode(AddrWidth::V4, &mut out);
                return Ok(out);
            }
            Ask::ReselectLeader(_) | Ask::NotifyNextLeader(_) | Ask::CommitNextLeader(_)
                if env.is(Fault::TwoLeaders) =>
            {
                return Ok(out);
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
            Ask::SyncSrcRequest(ask) => Request::SourceOf {
                group: ask.group.group().map_err(|_| Status::EINVAL)?,
                dest: ask.dest_id.ok_or(Status::ENOENT)?,
            },
            Ask::ReportStatus(report) => Request::ReportStatus {
                group: report.group.group().map_err(|_| Status::EINVAL)?,
                brief: &report.brief,
            },
            Ask::ReplicaChange(replicas) => Request::ReportReplicas { briefs: &replicas.briefs },
            Ask::ChangeStatus(change) => Request::ChangeStatus { status: change.status },
            Ask::ReselectLeader(_) => Request::ReselectLeader,
            Ask::JoinLeader(join) => {
                Request::JoinLeader { up_time: join.up_time, version: join.version, port: join.server_port }
            }
            Ask::PingLeader(ping) => Request::PingLeader { connections: *ping },
            Ask::NotifyNextLeader(next) => Request::NotifyLeader { addr: next.host.ip, port: next.host.port },
            Ask::CommitNextLeader(next) => Request::CommitLeader { addr: next.host.ip, port: next.host.port },
            _ => return Err(Status::EOPNOTSUPP),
        };
        let from = Caller { conn: ConnId(conn.0), peer, local: env.ips[self.me] };
        let beat = matches!(command, Request::Beat { .. });
        let reply = self.step(env, Event::Request { from, ask: command }).unwrap_or(Err(Status::EAGAIN))?;
        if beat && env.is(Fault::StaleStatusAccepted) && self.is_filled(from.peer) && env.chance.one_in(3) {
            self.step(env, Event::Request { from, ask: Request::NotifySource { source: None, until: 0 } });
        }
        match reply {
            Reply::Done => {}
            Reply::Joined(got) => got.encode(&mut out),
            Reply::Changes(got) => got.encode(&mut out),
            Reply::Source(got) => got.encode(&mut out),
            Reply::Changelog(text) => out = text,
            Reply::TrunkServers(pong) => pong.encode(&mut out),
            Reply::TrunkFileId(_) | Reply::TrunkServer(_) => return Err(Status::EOPNOTSUPP),
        }
        Ok(out)
    }

    /// DELETE_STORAGE by an administrator; whether the storage is gone.
    pub(crate) fn remove(&mut self, env: &mut Env, group: GroupName, id: StorageId) -> bool {
        let local = env.ips[self.me];
        let from = Caller { conn: ConnId(0), peer: local, local };
        let done = self.step(env, Event::Request { from, ask: Request::DeleteStorage { group, id } });
        done.is_some_and(|done| matches!(done, Ok(_) | Err(Status::EALREADY | Status::ENOENT)))
    }

    /// Whether a storage serves, as this tracker sees it.
    pub(crate) fn has_active(&mut self, group: GroupName, id: &StorageId) -> bool {
        let Some(view) = self.view() else { return false };
        view.group(group).is_ok_and(|group| group.members.get(id).is_some_and(|it| it.status == Active))
    }

    /// Whether a storage waits for old files here.
    fn is_filled(&mut self, ip: IpAddr) -> bool {
        let Some(view) = self.view() else { return false };
        let mut members = view.groups().flat_map(|group| group.members.values());
        members.any(|member| member.addrs.contains(ip) && matches!(member.status, WaitSync | Syncing))
    }

    /// Storages that are not serving, as this tracker sees it.
    pub(crate) fn not_active(&mut self) -> Vec<String> {
        let Some(view) = self.view() else { return vec!["not running".into()] };
        let mut out = Vec::new();
        for group in view.groups() {
            let waiting =
                group.members.values().filter(|member| !matches!(member.status, Active | Init | Deleted));
            out.extend(waiting.map(|member| format!("{} is {:?}", member.id, member.status)));
            let unborn = group.members.values().filter(|member| member.status == Init);
            out.extend(unborn.map(|member| format!("{} is INIT", member.id)));
        }
        out
    }
}

fn config(ip: IpAddr, now: Now) -> ClusterConfig {
    ClusterConfig {
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
        silence_ms: 60_000,
        port: PORT,
        addrs: vec![ip],
        version: Version::new(b"6.16.1").unwrap_or_default(),
        up_time: now.wall,
        election: ElectionTimes::default(),
    }
}
