//! A tracker whose days are told in sentences.
//!
//! Storages go by their address, without ids, unless the script has a table of ids. A step that is refused
//! panics where the sentence says that it happens; what is expected to be refused is asked with `try_…`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fdfs_conf::StorageIds;
use fdfs_conf::tracker::{
    DownloadServer, PlacementConf, ReservedSpace, StoreLookup, StorePathChoice, StoreServer,
};
use fdfs_fileid::{ExtName, FileName, GroupName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::sync_report::Synced;
use fdfs_proto::tracker::{change_list, join};
use fdfs_proto::{Brief, Host, IpText, StatBlock, StorageId, StorageStatus, Version};
use tracker_core::leader::ElectionTimes;
use tracker_core::{
    Action, Caller, Cluster, ClusterConfig, ConnId, Event, Group, Member, Mono, Naming, Note, Now,
    PlacementConfig, Refusal, Reply, Request, Saved, Section, Ticket, TrunkLoading, View,
};

/// Where every script's tracker is.
pub(crate) const TRACKER: &str = "10.0.0.254";
/// Where every script's clients are.
pub(crate) const CLIENT: &str = "10.9.9.9";
/// The port every script's tracker listens on.
pub(crate) const PORT: u16 = 22122;
/// Unix seconds at which every script begins.
pub(crate) const START: i64 = 1_800_000_000;

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::parse(name.as_bytes()).unwrap()
}

pub(crate) fn id(text: &str) -> StorageId {
    StorageId::new(text.as_bytes()).unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A file that a storage took at a unix second.
pub(crate) fn file_of(source: &str, made: i64) -> FileName {
    file(source, made, SizeWord::normal(100, 7))
}

/// An appender that a storage took at a unix second.
pub(crate) fn appender_of(source: &str, made: i64) -> FileName {
    file(source, made, SizeWord::appender(7))
}

fn file(source: &str, made: i64, size: SizeWord) -> FileName {
    let source = match source.parse::<std::net::Ipv4Addr>() {
        Ok(addr) => Source::Ip(addr),
        Err(_) => Source::Id(source.parse().unwrap()),
    };
    let stamp = Stamp { source, timestamp: u32::try_from(made).unwrap(), size, crc32: 1 };
    let ext = ExtName::from_path("a.txt");
    build_name(StorePathIndex(0), (0, 0), &stamp, &ext, 123)
}

/// What a script's tracker is set up with; the defaults of tracker.conf, but for a reserve of 100 MB.
pub(crate) fn config() -> ClusterConfig {
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
        silence_ms: 100_000,
        port: PORT,
        addrs: vec![ip(TRACKER)],
        version: Version::new(b"0.1.0").unwrap(),
        up_time: START,
        election: ElectionTimes::default(),
    }
}

/// Naming by a table: lines of `storage_ids.conf`.
pub(crate) fn ids(lines: &str, in_file_names: bool) -> Naming {
    let table = Arc::new(StorageIds::parse("storage_ids.conf", lines).unwrap());
    Naming::ByTable { table, trust: true, in_file_names }
}

/// A JOIN as a storage sends it on its first day.
pub(crate) fn first_join(group_name: &str) -> join::Ask {
    join::Ask {
        joiner: join::Joiner {
            group: group(group_name),
            storage_port: 23000,
            store_path_count: 1,
            subdir_count_per_path: 256,
            upload_priority: 10,
            join_time: START,
            up_time: START,
            version: Version::new(b"6.16.1").unwrap(),
            init: true,
            status: Some(StorageStatus::Init),
            storage_id: None,
            tracker_ip: IpText::from(ip(TRACKER)),
        },
        trackers: vec![Host::new(ip(TRACKER), PORT)],
    }
}

pub(crate) struct Script {
    pub(crate) cluster: Cluster,
    pub(crate) now: Now,
    /// Everything wanted since it was last taken.
    pub(crate) actions: Vec<Action>,
    /// The connection on which each storage joined last, and its group.
    conns: BTreeMap<String, (ConnId, String)>,
    last_conn: u64,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ClusterConfig)) -> Self {
        Self::restarted(Saved::default(), change)
    }

    pub(crate) fn restarted(saved: Saved, change: impl FnOnce(&mut ClusterConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        let now = Now { mono: Mono(5_000_000), wall: START };
        let cluster = Cluster::new(config, saved, now);
        Self { cluster, now, actions: Vec::new(), conns: BTreeMap::new(), last_conn: 0 }
    }

    /// Seconds after the beginning.
    pub(crate) fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = Now { mono: Mono(5_000_000 + seconds * 1000), wall: START + seconds as i64 };
        self
    }

    pub(crate) fn wake(&mut self) -> &mut Self {
        self.cluster.step(self.now, Event::Wake { chance: 0 }, &mut self.actions);
        self
    }

    /// Lets time pass, waking the tracker whenever it asked to be.
    pub(crate) fn until(&mut self, seconds: u64) -> &mut Self {
        let end = 5_000_000 + seconds * 1000;
        while self.cluster.deadline().0 <= end {
            let due = self.cluster.deadline().0.max(self.now.mono.0);
            self.now = Now { mono: Mono(due), wall: START + (due as i64 - 5_000_000) / 1000 };
            self.wake();
        }
        self.at(seconds)
    }

    pub(crate) fn connect(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    pub(crate) fn ask(&mut self, conn: ConnId, peer: &str, ask: Request<'_>) -> Result<Reply, Refusal> {
        self.start(conn, peer, ask).expect("every request is answered")
    }

    /// A request that may be answered by a later step.
    pub(crate) fn start(
        &mut self,
        conn: ConnId,
        peer: &str,
        ask: Request<'_>,
    ) -> Option<Result<Reply, Refusal>> {
        let from = Caller { conn, peer: ip(peer), local: ip(TRACKER) };
        let before = self.actions.len();
        self.cluster.step(self.now, Event::Request { from, ask }, &mut self.actions);
        let mut replies = Vec::new();
        let mut index = before;
        while index < self.actions.len() {
            match &self.actions[index] {
                Action::Reply { conn: to, .. } if *to == conn => match self.actions.remove(index) {
                    Action::Reply { reply, .. } => replies.push(reply),
                    _ => unreachable!(),
                },
                _ => index += 1,
            }
        }
        assert!(replies.len() <= 1, "one request, one reply");
        replies.pop()
    }

    /// A question of a client on a connection of its own.
    pub(crate) fn client(&mut self, ask: Request<'_>) -> Result<Reply, Refusal> {
        let conn = self.connect();
        self.ask(conn, CLIENT, ask)
    }

    pub(crate) fn try_join(&mut self, storage: &str, ask: &join::Ask) -> Result<join::Got, Refusal> {
        let conn = self.connect();
        let got = match self.ask(conn, storage, Request::Join(ask))? {
            Reply::Joined(got) => got,
            other => panic!("not a reply to JOIN: {other:?}"),
        };
        self.conns.insert(storage.to_owned(), (conn, ask.joiner.group.as_str().to_owned()));
        Ok(got)
    }

    pub(crate) fn join_with(&mut self, storage: &str, change: impl FnOnce(&mut join::Ask)) -> join::Got {
        let mut ask = first_join("group1");
        change(&mut ask);
        self.try_join(storage, &ask).unwrap()
    }

    /// A storage joins for the first time.
    pub(crate) fn joins(&mut self, group_name: &str, storage: &str) -> &mut Self {
        self.join_with(storage, |ask| ask.joiner.group = group(group_name));
        self
    }

    /// A storage that was there before joins again, as it does after a restart.
    pub(crate) fn rejoins(&mut self, storage: &str) -> join::Got {
        let group_name = self.conns[storage].1.clone();
        self.join_with(storage, |ask| {
            ask.joiner.group = group(&group_name);
            ask.joiner.init = false;
            ask.joiner.status = Some(StorageStatus::Active);
        })
    }

    pub(crate) fn conn(&self, storage: &str) -> ConnId {
        self.conns[storage].0
    }

    pub(crate) fn joined_ask(&mut self, storage: &str, ask: Request<'_>) -> Result<Reply, Refusal> {
        self.ask(self.conn(storage), storage, ask)
    }

    pub(crate) fn beat(&mut self, storage: &str) -> change_list::Got {
        changes(self.joined_ask(storage, Request::Beat { stat: None }))
    }

    pub(crate) fn beat_with(&mut self, storage: &str, stat: &StatBlock) -> change_list::Got {
        changes(self.joined_ask(storage, Request::Beat { stat: Some(stat) }))
    }

    /// A storage reports its store paths: (total, free) in megabytes.
    pub(crate) fn disks(&mut self, storage: &str, paths: &[(u64, u64)]) -> change_list::Got {
        changes(self.try_disks(storage, paths))
    }

    pub(crate) fn try_disks(&mut self, storage: &str, paths: &[(u64, u64)]) -> Result<Reply, Refusal> {
        let paths: Vec<_> = paths
            .iter()
            .map(|(total_mb, free_mb)| PathSpace { total_mb: *total_mb, free_mb: *free_mb })
            .collect();
        self.joined_ask(storage, Request::ReportDisks { paths: &paths })
    }

    /// A storage reports up to when it has the files of others.
    pub(crate) fn synced(&mut self, storage: &str, times: &[(&str, i64)]) -> change_list::Got {
        let times: Vec<_> = times
            .iter()
            .map(|(source, time)| Synced { src_id: Some(id(source)), timestamp: *time as u32 })
            .collect();
        changes(self.joined_ask(storage, Request::ReportSync { times: &times }))
    }

    /// Somebody reports the status of a storage.
    pub(crate) fn reports(
        &mut self,
        who: &str,
        about: &str,
        status: StorageStatus,
    ) -> Result<Reply, Refusal> {
        let brief = brief(about, status);
        let conn = self.connect();
        self.ask(conn, who, Request::ReportStatus { group: group("group1"), brief: &brief })
    }

    pub(crate) fn closes(&mut self, conn: ConnId) -> &mut Self {
        self.cluster.step(self.now, Event::Closed { conn }, &mut self.actions);
        self
    }

    /// The connection of a storage's last JOIN closes.
    pub(crate) fn leaves(&mut self, storage: &str) -> &mut Self {
        let conn = self.conn(storage);
        self.closes(conn)
    }

    pub(crate) fn answers(&mut self, ticket: Ticket, answer: Option<u64>) -> &mut Self {
        self.cluster.step(self.now, Event::StorageAnswered { ticket, answer }, &mut self.actions);
        self
    }

    /// Storages of a group join, need no old data, and serve: 1000 MB, of which 500 are free.
    pub(crate) fn serving(&mut self, group_name: &str, storages: &[&str]) -> &mut Self {
        for storage in storages {
            self.join_with(storage, |ask| {
                ask.joiner.group = group(group_name);
                ask.joiner.init = false;
                ask.joiner.status = Some(StorageStatus::Online);
            });
            self.beat(storage);
            self.disks(storage, &[(1000, 500)]);
        }
        self
    }

    pub(crate) fn group(&mut self, name: &str) -> Group {
        self.cluster.view().group(group(name)).unwrap().clone()
    }

    pub(crate) fn member(&mut self, storage: &str) -> Member {
        let view = self.cluster.view();
        let found = view.groups().find_map(|group| group.members.get(&id(storage)));
        found.unwrap_or_else(|| panic!("{storage} is not known")).clone()
    }

    pub(crate) fn status(&mut self, storage: &str) -> StorageStatus {
        self.member(storage).status
    }

    /// Where an upload would go: `group storage path`.
    pub(crate) fn store(&mut self) -> Result<String, Refusal> {
        self.store_in(None)
    }

    pub(crate) fn store_in(&mut self, named: Option<&str>) -> Result<String, Refusal> {
        place_in(&self.cluster.view(), named)
    }

    pub(crate) fn fetch(&mut self, name: &FileName) -> Result<String, Refusal> {
        let got = self.cluster.view().fetch_one(self.now, group("group1"), name, ip(CLIENT))?;
        Ok(got.server.ip.to_string())
    }

    pub(crate) fn fetch_all(&mut self, name: &FileName) -> Result<Vec<String>, Refusal> {
        let got = self.cluster.view().fetch_all(self.now, group("group1"), name, ip(CLIENT))?;
        Ok(got.servers.iter().map(|server| server.ip.to_string()).collect())
    }

    pub(crate) fn update(&mut self, name: &FileName) -> Result<String, Refusal> {
        let got = self.cluster.view().update(group("group1"), name, ip(CLIENT))?;
        Ok(got.server.ip.to_string())
    }

    /// The sections that were to be saved since this was last asked.
    pub(crate) fn saved(&mut self) -> Vec<Section> {
        let mut sections: Vec<_> = self
            .actions
            .drain(..)
            .filter_map(|action| match action {
                Action::Persist { section, .. } => Some(section),
                _ => None,
            })
            .collect();
        sections.sort();
        sections.dedup();
        sections
    }

    pub(crate) fn notes(&self) -> Vec<&Note> {
        let mut notes = Vec::new();
        for action in &self.actions {
            if let Action::Note(note) = action {
                notes.push(note);
            }
        }
        notes
    }
}

/// Where an upload would go by a view: `group storage path`.
pub(crate) fn place_in(view: &View, named: Option<&str>) -> Result<String, Refusal> {
    let got = view.store_one(named.map(group), ip(CLIENT))?;
    Ok(format!("{} {} {}", got.group, got.server.ip, got.path))
}

pub(crate) fn brief(about: &str, status: StorageStatus) -> Brief {
    let ip = about.parse::<IpAddr>().map_or(IpText::EMPTY, IpText::from);
    Brief { status, port: 23000, id: Some(id(about)), ip }
}

fn changes(reply: Result<Reply, Refusal>) -> change_list::Got {
    match reply.unwrap() {
        Reply::Changes(changes) => changes,
        other => panic!("not a change list: {other:?}"),
    }
}
