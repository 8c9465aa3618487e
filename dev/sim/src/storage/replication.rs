//! A model of replication, until the machines of `storage_core::replication` take its place: this file and its few
//! functions are all that the rest of the simulator knows of it.
//!
//! One pusher for each peer reads the own binlog from its mark, sends what the peer needs over a few connections at a
//! time, one change of a file at a time, and saves the place up to which everything is acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::{report_server_id, sync_copy, sync_delete};
use fdfs_proto::tracker::{status_report, sync_source};
use fdfs_proto::{Brief, IpText, RawName, Status, StorageCommand, StorageId, StorageStatus, TrackerCommand};

use super::store::Content;
use super::{PORT, Storage, id_of};
use crate::Fault;
use crate::wire::request;
use crate::world::{Conn, Env, NodeId};

/// Connections to a peer at a time.
const LANES: usize = 3;

/// Lines that are under way to a peer, or skipped ahead of the mark, at a time.
const WINDOW: usize = 16;

/// Pause after a failure, and between two reports that a copy is over, milliseconds.
const PAUSE_MS: u64 = 3_000;

/// Acknowledged lines between two savings of the mark.
const LINES_PER_SAVE: usize = 4;

/// What is saved for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// The line of the binlog that comes next.
    next: usize,
    /// This storage sends the old files, too.
    fills: bool,
    /// They are sent.
    filled: bool,
    /// Unix second: lines from before it are sent for others.
    until: i64,
}

impl Mark {
    fn encode(self) -> Vec<u8> {
        format!("{} {} {} {}", self.next, self.fills, self.filled, self.until).into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Mark> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.split(' ');
        Some(Mark {
            next: words.next()?.parse().ok()?,
            fills: words.next()?.parse().ok()?,
            filled: words.next()?.parse().ok()?,
            until: words.next()?.parse().ok()?,
        })
    }
}

#[derive(Debug, Default)]
struct Lane {
    /// It has said who this storage is.
    known: bool,
    /// The line under way.
    line: Option<usize>,
}

#[derive(Debug, Default)]
struct Pusher {
    mark: Option<Mark>,
    /// As it stands on disk.
    saved: Option<Mark>,
    lanes: BTreeMap<Conn, Lane>,
    /// Lines behind the mark that need nothing more.
    done: BTreeSet<usize>,
    /// Asking a tracker where the peer's old files come from.
    asking: Option<Conn>,
    /// True time before which nothing is begun.
    paused_until: u64,
    /// True time before which the trackers are not told again how far the copy is.
    report_at: u64,
}

#[derive(Debug, Default)]
pub(super) struct Replication {
    pushers: BTreeMap<StorageId, Pusher>,
    /// Reports to trackers under way.
    reports: BTreeMap<Conn, Vec<u8>>,
    /// Lines that a peer has acknowledged in this run.
    copied: BTreeSet<usize>,
}

impl Replication {
    /// True time at which [`go_on`] has something to do though nothing happens.
    pub(super) fn due(&self, now: u64) -> u64 {
        let times = self.pushers.values().flat_map(|pusher| [pusher.paused_until, pusher.report_at]);
        times.filter(|due| *due > now).min().unwrap_or(u64::MAX)
    }

    /// Whether a peer has acknowledged a line.
    pub(super) fn has_copy(&self, line: usize) -> bool {
        self.copied.contains(&line)
    }
}

/// Does what can be done now, for every peer.
pub(super) fn go_on(storage: &mut Storage, env: &mut Env) {
    let Some(view) = storage.view() else { return };
    for (id, peer) in &view.peers {
        let Some(node) = peer.ip.ip().and_then(|ip| env.node_at(ip)) else { continue };
        let Some(running) = &mut storage.running else { return };
        let mut pusher = running.replication.pushers.remove(id).unwrap_or_default();
        match peer.status {
            StorageStatus::WaitSync | StorageStatus::Syncing | StorageStatus::Active => {
                if pusher.paused_until <= env.now {
                    push(storage, env, &mut pusher, (*id, node, peer.status));
                }
            }
            _ => {
                for conn in std::mem::take(&mut pusher.lanes).into_keys() {
                    env.hang_up(conn, storage.place.me);
                }
            }
        }
        if let Some(running) = &mut storage.running {
            running.replication.pushers.insert(*id, pusher);
        }
    }
    storage.answer_waiting(env);
}

fn push(storage: &mut Storage, env: &mut Env, pusher: &mut Pusher, peer: (StorageId, NodeId, StorageStatus)) {
    let (id, node, status) = peer;
    let me = storage.place.me;
    let Some(mark) = pusher.mark.or_else(|| Mark::decode(storage.disk.small.get(&mark_file(id))?)) else {
        if pusher.asking.is_none() {
            let leader = storage.view().and_then(|view| env.node_at(view.leader?.ip));
            if let Some(tracker) = leader.or_else(|| env.chance.pick(&storage.place.trackers).copied()) {
                pusher.asking = Some(env.connect(me, tracker));
            }
        }
        return;
    };
    pusher.mark = Some(mark);
    pusher.saved.get_or_insert(mark);
    if !mark.fills && status != StorageStatus::Active {
        return;
    }
    if mark.fills && status != StorageStatus::Active && pusher.report_at <= env.now {
        match mark.filled {
            true => report(storage, env, id, StorageStatus::Offline),
            false if status == StorageStatus::WaitSync => report(storage, env, id, StorageStatus::Syncing),
            false => {}
        }
        pusher.report_at = env.now + PAUSE_MS;
    }
    send_lines(storage, env, pusher, node);
    advance(storage, env, pusher, id);
}

/// Whether the peer gets a line from this storage.
fn needs(env: &Env, mark: &Mark, record: &Record) -> bool {
    // Also when the copy is over: a change from before it may come here late, and nobody else sends it
    // (storage internals, hole D8).
    let for_others = mark.fills && !(mark.filled && env.is(Fault::CopyMissesWindow));
    record.origin == Origin::Client || (for_others && record.timestamp <= mark.until)
}

/// Lines that may be sent.
fn limit(storage: &Storage, env: &Env) -> usize {
    let lines = |running: &super::Running| match env.is(Fault::MarkBeyondSynced) {
        true => running.store.binlog.len(),
        false => running.store.safe_lines(&storage.disk),
    };
    storage.running.as_ref().map_or(0, lines)
}

fn send_lines(storage: &mut Storage, env: &mut Env, pusher: &mut Pusher, node: NodeId) {
    let me = storage.place.me;
    let (Some(mark), Some(running)) = (pusher.mark, &storage.running) else { return };
    let end = limit(storage, env).min(mark.next + WINDOW);
    let mut busy = BTreeSet::new();
    for line in mark.next..end {
        if pusher.done.contains(&line) {
            continue;
        }
        let record = &running.store.binlog[line].record;
        let name = record.change.name();
        let under_way = pusher.lanes.values().any(|lane| lane.line == Some(line));
        // Changes of one file go one at a time, in their order.
        if under_way || busy.contains(name) {
            busy.insert(name);
            continue;
        }
        let group = storage.place.group.into();
        let (name, timestamp) = (RawName::from(name), record.timestamp as u32);
        let mut body = Vec::new();
        let command = match (&record.change, running.store.read(&storage.disk, record.change.name())) {
            _ if !needs(env, &mark, record) => None,
            (Change::Delete { .. }, Content::Missing) => {
                sync_delete::Ask { timestamp, group, name }.encode(&mut body);
                Some(StorageCommand::SyncDelete)
            }
            (Change::Create { .. }, Content::Whole(content)) => {
                let size = content.len() as u64;
                sync_copy::Ask { size, has_content: true, timestamp, group, name }.encode(&mut body);
                body.extend_from_slice(&content);
                Some(StorageCommand::SyncCreate)
            }
            // Never spread: it waits until it is mended.
            (Change::Create { .. }, Content::Damaged) => {
                busy.insert(record.change.name());
                continue;
            }
            _ => None,
        };
        let Some(command) = command else {
            pusher.done.insert(line);
            continue;
        };
        let idle = pusher.lanes.iter_mut().find(|(_, lane)| lane.known && lane.line.is_none());
        let Some((conn, lane)) = idle else {
            if pusher.lanes.len() < LANES && pusher.lanes.values().all(|lane| lane.known) {
                pusher.lanes.insert(env.connect(me, node), Lane::default());
            }
            return;
        };
        lane.line = Some(line);
        busy.insert(record.change.name());
        env.send(*conn, me, request(command, 0, &body));
        if env.is(Fault::CursorBeforeAck) {
            pusher.done.insert(line);
        }
    }
}

/// Moves the mark over what is done, and saves it now and then.
fn advance(storage: &mut Storage, env: &mut Env, pusher: &mut Pusher, id: StorageId) {
    let end = limit(storage, env);
    let Some(mark) = &mut pusher.mark else { return };
    if env.is(Fault::GapInPrefix) {
        mark.next = pusher.done.last().map_or(mark.next, |last| last + 1);
    }
    while pusher.done.remove(&mark.next) {
        mark.next += 1;
    }
    pusher.done.retain(|line| *line > mark.next);
    let idle = pusher.lanes.values().all(|lane| lane.line.is_none());
    if mark.next >= end && idle && mark.fills && !mark.filled {
        mark.filled = true;
        env.history.copied.insert(id);
        env.history.copies_due.remove(&id);
        env.note(storage.place.me, || format!("has sent {id} all old files"));
        pusher.report_at = 0;
        env.tell(storage.place.me, 1, crate::world::Happening::Wake);
    }
    let behind = pusher
        .saved
        .is_none_or(|saved| mark.next >= saved.next + LINES_PER_SAVE || saved.filled != mark.filled);
    if pusher.saved != Some(*mark) && (behind || idle) {
        pusher.saved = Some(*mark);
        storage.disk.small.insert(mark_file(id), mark.encode());
    }
}

fn mark_file(peer: StorageId) -> String {
    format!("{peer}.mark")
}

/// 76 to every tracker.
fn report(storage: &mut Storage, env: &mut Env, about: StorageId, status: StorageStatus) {
    let ip = IpText::new(about.as_bytes()).unwrap_or_default();
    let brief = Brief { status, port: PORT, id: Some(about), ip };
    let mut body = Vec::new();
    status_report::Report { group: storage.place.group.into(), brief }.encode(&mut body);
    let Some(running) = &mut storage.running else { return };
    for tracker in &storage.place.trackers {
        let conn = env.connect(storage.place.me, *tracker);
        running.replication.reports.insert(conn, request(TrackerCommand::ReportStatus, 0, &body));
    }
}

/// A connection is there.
pub(super) fn connected(storage: &mut Storage, env: &mut Env, conn: Conn) {
    let me = storage.place.me;
    let Some(running) = &mut storage.running else { return };
    let mut body = Vec::new();
    if let Some(bytes) = running.replication.reports.get(&conn) {
        return env.send(conn, me, bytes.clone());
    }
    for (id, pusher) in &running.replication.pushers {
        if pusher.asking == Some(conn) {
            sync_source::AskDest { group: storage.place.group.into(), dest_id: Some(*id) }.encode(&mut body);
            return env.send(conn, me, request(TrackerCommand::SyncSrcRequest, 0, &body));
        }
        if pusher.lanes.contains_key(&conn)
            && let Some(id) = id_of(env.ips[me])
        {
            report_server_id::Ask { id }.encode(&mut body);
            return env.send(conn, me, request(StorageCommand::ReportServerId, 0, &body));
        }
    }
}

/// A connection is gone.
pub(super) fn lost(storage: &mut Storage, env: &Env, conn: Conn) {
    let Some(running) = &mut storage.running else { return };
    running.replication.reports.remove(&conn);
    for pusher in running.replication.pushers.values_mut() {
        if pusher.lanes.remove(&conn).is_some() || pusher.asking == Some(conn) {
            pusher.asking = pusher.asking.filter(|asking| *asking != conn);
            pusher.paused_until = env.now + PAUSE_MS;
        }
    }
}

/// An answer came.
pub(super) fn answered(storage: &mut Storage, env: &mut Env, conn: Conn, status: Status, body: &[u8]) {
    let me = storage.place.me;
    let my_id = id_of(env.ips[me]);
    let Some(running) = &mut storage.running else { return };
    if running.replication.reports.remove(&conn).is_some() {
        return env.hang_up(conn, me);
    }
    for (id, pusher) in &mut running.replication.pushers {
        if pusher.asking == Some(conn) {
            pusher.asking = None;
            pusher.paused_until = env.now + PAUSE_MS;
            env.hang_up(conn, me);
            let Some(got) = sync_source::Got::decode(body).ok().filter(|_| status == Status::OK) else {
                return;
            };
            let source = got.source.filter(|source| source.src_id.is_some());
            let (fills, until) = source.map_or((false, 0), |got| (got.src_id == my_id, got.until_timestamp));
            let mut mark = Mark { next: 0, fills, filled: false, until };
            if !fills {
                let before = |line: &super::store::Line| line.record.timestamp < until;
                mark.next = running.store.binlog.iter().take_while(|line| before(line)).count();
            }
            // Of the skipped lines, those that a power cut takes back are not skipped.
            mark.next = mark.next.min(running.store.safe_lines(&storage.disk));
            env.note(me, || format!("begins to push to {id}: {mark:?}"));
            storage.disk.small.insert(mark_file(*id), mark.encode());
            (pusher.mark, pusher.saved) = (Some(mark), Some(mark));
            pusher.paused_until = 0;
            return;
        }
        let Some(lane) = pusher.lanes.get_mut(&conn) else { continue };
        let Some(line) = lane.line.take() else {
            lane.known = true;
            return;
        };
        match status {
            Status::OK | Status::EEXIST | Status::ENOENT => {
                pusher.done.insert(line);
                running.replication.copied.insert(line);
            }
            _ if env.is(Fault::SkipOnError) => {
                pusher.done.insert(line);
            }
            _ => pusher.paused_until = env.now + PAUSE_MS,
        }
        return;
    }
}
