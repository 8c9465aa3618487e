//! Getting the files of a lost store path back before the storage joins, as `services/storage/src/recovery` does: which
//! peers are asked and which files are wanted, `storage_core::recovery` says.

use std::collections::{BTreeSet, VecDeque};

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::{download, fetch_binlog, file_info};
use fdfs_proto::tracker::list_storages;
use fdfs_proto::{GroupField, RawName, Status, StorageCommand, StorageId, StorageStatus, TrackerCommand};
use storage_core::recovery::{self, LastChange, Member, OwnLog, Sources, Version};

use super::store::{fits, lines};
use super::{Storage, id_of, replication};
use crate::Fault;
use crate::wire::request;
use crate::world::{Conn, Env, NodeId};

/// The sign on the base path that the store path is being rebuilt.
pub(super) const FLAG: &str = ".recovery-00";

/// Pause before another attempt, milliseconds.
const RETRY_MS: u64 = 5_000;

/// How often the trackers are told of it once more, milliseconds.
const REPORT_EACH_MS: u64 = 30_000;

const PATH: StorePathIndex = StorePathIndex(0);

#[derive(Debug, Default)]
pub(super) struct Recovery {
    state: State,
    /// Peers that are to be asked.
    sources: VecDeque<NodeId>,
    /// Somebody who has files does not serve.
    away: bool,
    own: Option<OwnLog>,
    /// Files that a peer lists and could not give.
    bad: BTreeSet<FileName>,
    /// Trackers that do not know this storage.
    unknown: usize,
    /// True time.
    report_at: u64,
}

#[derive(Debug)]
enum State {
    /// Until a true time.
    Rest(u64),
    /// Asking a tracker, by its place in the configuration, who is there.
    Asking(Conn, usize),
    /// Asking a peer for its list.
    Listing(Conn),
    /// Fetching the files of a list.
    Fetching(Conn, VecDeque<Record>, Step),
    /// All lists are read. When what was fetched is certain, it shows what is missing.
    Judging,
    /// What was written is being synced.
    Ending,
}

/// What a peer was asked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    Version,
    Content(i64),
}

impl Default for State {
    fn default() -> Self {
        Self::Rest(0)
    }
}

impl State {
    fn conn(&self) -> Option<Conn> {
        match self {
            Self::Asking(conn, _) | Self::Listing(conn) | Self::Fetching(conn, ..) => Some(*conn),
            Self::Rest(_) | Self::Judging | Self::Ending => None,
        }
    }
}

impl Recovery {
    /// True time at which it has something to do.
    pub(super) fn due(&self) -> u64 {
        match self.state {
            State::Rest(until) => until,
            _ => u64::MAX,
        }
    }
}

/// Goes on; false when nothing is to be rebuilt.
pub(super) fn go_on(storage: &mut Storage, env: &mut Env) -> bool {
    let me = storage.place.me;
    let Some(mut recovery) = storage.running.as_mut().and_then(|running| running.recovery.take()) else {
        return false;
    };
    match recovery.state {
        State::Rest(until) if until <= env.now => {
            let mut own = OwnLog::new(PATH);
            if !env.is(Fault::RecoveryForgetsDeletions) {
                lines(&storage.base.binlog.bytes).flatten().for_each(|record| own.note(&record));
            }
            recovery.own = Some(own);
            recovery.bad.clear();
            recovery.unknown = 0;
            recovery.state = State::Asking(env.connect(me, storage.place.trackers[0]), 0);
        }
        State::Ending if storage.disk.log.synced == storage.disk.log.len() => {
            storage.base.small.remove(FLAG);
            env.history.recovering.remove(&me);
            env.history.rebuilt += 1;
            env.note(me, || "its store path is rebuilt".into());
            return false;
        }
        State::Judging if storage.running.as_ref().is_some_and(|it| !it.store.has_pending()) => {
            recovery.state = judge(storage, env, &recovery);
        }
        State::Judging | State::Ending => storage.sync(env),
        _ => {}
    }
    if let Some(running) = &mut storage.running {
        running.recovery = Some(recovery);
    }
    true
}

/// A connection is there; whether it is one of these.
pub(super) fn connected(storage: &mut Storage, env: &mut Env, conn: Conn) -> bool {
    let me = storage.place.me;
    let group = GroupField::from(storage.place.group);
    let Some(recovery) = storage.running.as_ref().and_then(|running| running.recovery.as_ref()) else {
        return false;
    };
    let mut body = Vec::new();
    match &recovery.state {
        State::Asking(asking, _) if *asking == conn => {
            list_storages::Ask { group, id: None }.encode(&mut body);
            env.send(conn, me, request(TrackerCommand::ListStorages, 0, &body));
        }
        State::Listing(asking) if *asking == conn => {
            fetch_binlog::Ask { group, path: PATH }.encode(&mut body);
            env.send(conn, me, request(StorageCommand::FetchOnePathBinlog, 0, &body));
        }
        _ => return false,
    }
    true
}

/// A connection is gone; whether it was one of these.
pub(super) fn lost(storage: &mut Storage, env: &mut Env, conn: Conn) -> bool {
    let trackers = storage.place.trackers.clone();
    let me = storage.place.me;
    let Some(recovery) = storage.running.as_mut().and_then(|running| running.recovery.as_mut()) else {
        return false;
    };
    if recovery.state.conn() != Some(conn) {
        return false;
    }
    let fetching = !matches!(recovery.state, State::Asking(..));
    recovery.state = match recovery.state {
        State::Asking(_, index) if index + 1 < trackers.len() => {
            State::Asking(env.connect(me, trackers[index + 1]), index + 1)
        }
        // What is here is not fetched again.
        _ => State::Rest(env.now + RETRY_MS),
    };
    if fetching && env.is(Fault::RecoveryDoneEarly) {
        recovery.state = State::Ending;
    }
    true
}

/// An answer came; whether to a question of these.
pub(super) fn answered(
    storage: &mut Storage,
    env: &mut Env,
    conn: Conn,
    status: Status,
    body: &[u8],
) -> bool {
    let Some(running) = &mut storage.running else { return false };
    let Some(recovery) = running.recovery.as_mut().filter(|it| it.state.conn() == Some(conn)) else {
        return false;
    };
    match std::mem::take(&mut recovery.state) {
        State::Asking(_, index) => {
            env.hang_up(conn, storage.place.me);
            listed(storage, env, index, status, body);
        }
        State::Listing(_) if status == Status::OK => {
            let records: VecDeque<Record> =
                text_of(body).map(|text| lines(text).flatten().collect()).unwrap_or_default();
            fetch(storage, env, conn, records);
        }
        State::Fetching(_, records, step) => got(storage, env, conn, records, (step, status, body)),
        // It refuses: as a peer that is not ready does. It is asked again, with all others.
        _ => {
            env.hang_up(conn, storage.place.me);
            recovery.state = State::Rest(env.now + RETRY_MS);
        }
    }
    true
}

fn text_of(body: &[u8]) -> Option<&[u8]> {
    let (text, trailer) = body.split_last_chunk()?;
    fetch_binlog::check_trailer(body.len() as u64, *trailer).ok()?;
    Some(text)
}

fn set(storage: &mut Storage, state: State) {
    if let Some(recovery) = storage.running.as_mut().and_then(|running| running.recovery.as_mut()) {
        recovery.state = state;
    }
}

/// A tracker has said who is in the group.
fn listed(storage: &mut Storage, env: &mut Env, index: usize, status: Status, body: &[u8]) {
    let me = storage.place.me;
    let my_id = id_of(env.ips[me]);
    let trackers = storage.place.trackers.clone();
    let Some(recovery) = storage.running.as_mut().and_then(|running| running.recovery.as_mut()) else {
        return;
    };
    let got = list_storages::Got::decode(body).ok().filter(|_| status == Status::OK);
    let found = got.map(|got| {
        let member = |storage: &list_storages::StorageStat| Member {
            id: storage.who.id,
            status: storage.who.status,
            readable: storage.who.rw_mode.can_read(),
        };
        let members: Vec<Member> = got.storages.iter().map(member).collect();
        let me_listed = my_id.filter(|id| members.iter().any(|member| member.id == *id));
        (
            recovery::sources(me_listed.as_ref(), &members),
            recovery::holders_away(me_listed.as_ref(), &members),
        )
    });
    let rest = State::Rest(env.now + RETRY_MS);
    let next = match found {
        Some((Sources::These(ids), away)) => {
            let nodes = ids.iter().filter_map(|id: &StorageId| env.node_at(id.as_str().parse().ok()?));
            recovery.sources = nodes.collect();
            recovery.away = away;
            if recovery.report_at <= env.now {
                recovery.report_at = env.now + REPORT_EACH_MS;
                if let Some(id) = my_id {
                    replication::report(storage, env, id, StorageStatus::Recovery);
                }
            }
            return next_source(storage, env);
        }
        Some((Sources::Nobody, _)) => State::Ending,
        Some((Sources::Wait, _)) => rest,
        Some((Sources::Unknown, _)) | None => {
            recovery.unknown += usize::from(found.is_some());
            match trackers.get(index + 1) {
                Some(tracker) => State::Asking(env.connect(me, *tracker), index + 1),
                None if recovery.unknown == trackers.len() => State::Ending,
                None => rest,
            }
        }
    };
    env.note(me, || format!("looks for peers to rebuild from: {next:?}"));
    set(storage, next);
}

/// Asks the next peer, or ends.
fn next_source(storage: &mut Storage, env: &mut Env) {
    let me = storage.place.me;
    let Some(recovery) = storage.running.as_mut().and_then(|running| running.recovery.as_mut()) else {
        return;
    };
    recovery.state = match recovery.sources.pop_front() {
        Some(node) => State::Listing(env.connect(me, node)),
        None => State::Judging,
    };
}

/// Everybody was asked: whether that is the end, and what is to be sent again.
fn judge(storage: &mut Storage, env: &mut Env, recovery: &Recovery) -> State {
    let again = State::Rest(env.now + RETRY_MS);
    let (Some(running), Some(own)) = (&storage.running, &recovery.own) else { return again };
    let is_missing = |record: Record| own.expected(&record).is_some_and(|name| !running.store.has(name));
    let lost = lines(&storage.base.binlog.bytes).flatten().any(is_missing)
        || recovery.bad.iter().any(|name| !running.store.has(name));
    let lacks = |name: &FileName, last: LastChange| {
        let (size, mtime) = (running.store.len_of(name), running.store.time_of(name));
        size.is_some_and(|size| last.is_missing_in(Version { mtime, size }))
    };
    let older: Vec<_> = own.changed().filter(|(name, last)| lacks(name, *last)).collect();
    if (lost || !older.is_empty()) && recovery.away && !env.is(Fault::RecoveryDoneEarly) {
        return again;
    }
    let made_here = older.into_iter().filter(|(_, last)| last.made_here);
    let changes: Vec<_> = made_here.map(|(name, _)| Change::Update { name: name.clone() }).collect();
    for change in changes {
        let record = Record { timestamp: env.wall(storage.place.me), origin: Origin::Client, change };
        if storage.write(env, record, true, &[]).is_err() {
            return again;
        }
    }
    State::Ending
}

/// Asks for the next file that is wanted of a list.
fn fetch(storage: &mut Storage, env: &mut Env, conn: Conn, mut records: VecDeque<Record>) {
    let me = storage.place.me;
    let group = GroupField::from(storage.place.group);
    let Some(running) = &mut storage.running else { return };
    let Some(recovery) = &mut running.recovery else { return };
    let Some(own) = &recovery.own else { return };
    while let Some(record) = records.front() {
        let wanted = own.wanted(record);
        let is_here = wanted.is_some_and(|wanted| running.store.has(wanted.here));
        match wanted {
            Some(wanted) if running.store.is_busy(wanted.here) => {
                // Its sync is awaited, as by a connection of the real one: see `certain`.
                recovery.state = State::Fetching(conn, records, Step::Nothing);
                return;
            }
            Some(wanted) if !is_here || recovery::can_differ(wanted.here) => {
                let mut body = Vec::new();
                let name = RawName::from(wanted.there);
                let flags = file_info::Flags { no_crc: true, silent: true };
                file_info::Ask { flags, group, name }.encode(&mut body);
                let (command, status, step) = match recovery::can_differ(wanted.here) {
                    true => (StorageCommand::QueryFileInfo, flags.status(), Step::Version),
                    false => {
                        body.clear();
                        download::Ask { offset: 0, len: 0, group, name }.encode(&mut body);
                        (StorageCommand::DownloadFile, 0, Step::Content(record.timestamp))
                    }
                };
                env.send(conn, me, request(command, status, &body));
                recovery.state = State::Fetching(conn, records, step);
                return;
            }
            _ => {
                records.pop_front();
            }
        }
    }
    env.hang_up(conn, me);
    next_source(storage, env);
}

/// A peer has answered about the first of these.
fn got(
    storage: &mut Storage,
    env: &mut Env,
    conn: Conn,
    mut records: VecDeque<Record>,
    (step, status, body): (Step, Status, &[u8]),
) {
    let me = storage.place.me;
    let Some(running) = &mut storage.running else { return };
    let Some(recovery) = &mut running.recovery else { return };
    let Some(own) = &recovery.own else { return };
    let Some(record) = records.front().cloned() else { return };
    let Some(wanted) = own.wanted(&record) else { return };
    let (there, here) = (wanted.there.clone(), wanted.here.clone());
    if step == Step::Version {
        let info = file_info::Got::decode(body).ok().filter(|_| status == Status::OK);
        let theirs = info.map(|info| Version { mtime: info.mtime, size: info.size });
        let ours =
            running.store.len_of(&here).map(|size| Version { mtime: running.store.time_of(&here), size });
        if let Some(theirs) = theirs.filter(|theirs| recovery::is_better(ours, *theirs)) {
            let mut body = Vec::new();
            let (group, name) = (GroupField::from(storage.place.group), RawName::from(&there));
            download::Ask { offset: 0, len: 0, group, name }.encode(&mut body);
            env.send(conn, me, request(StorageCommand::DownloadFile, 0, &body));
            recovery.state = State::Fetching(conn, records, Step::Content(theirs.mtime));
            return;
        }
    } else if let (Step::Content(timestamp), Status::OK) = (step, status) {
        if fits(&here, body) {
            let change = match running.store.has(&here) {
                true => Change::Update { name: here },
                false => Change::Create { name: here },
            };
            let record = Record { timestamp, origin: Origin::Peer, change };
            if storage.write(env, record, false, body).is_err() {
                env.hang_up(conn, me);
                return set(storage, State::Rest(env.now + RETRY_MS));
            }
        } else {
            recovery.bad.insert(here);
        }
    } else if status != Status::ENOENT {
        recovery.bad.insert(here);
    }
    records.pop_front();
    fetch(storage, env, conn, records);
}

/// A file that is being written may be certain now.
pub(super) fn certain(storage: &mut Storage, env: &mut Env) {
    let Some(running) = &mut storage.running else { return };
    let Some(recovery) = &mut running.recovery else { return };
    if let State::Fetching(_, _, Step::Nothing) = recovery.state
        && let State::Fetching(conn, records, _) = std::mem::take(&mut recovery.state)
    {
        fetch(storage, env, conn, records);
    }
}
