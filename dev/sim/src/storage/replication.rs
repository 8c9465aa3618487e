//! The shell around the machines of replication: it reads the binlog, connects, sends and saves marks, as
//! `services/storage/src/replication` does. What is sent when, and what follows, `storage_core::replication` says.

use std::collections::BTreeMap;

use fdfs_fileid::FileName;
use fdfs_format::Mark;
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::{
    file_info, report_server_id, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write,
};
use fdfs_proto::tracker::{status_report, sync_source};
use fdfs_proto::{
    Brief, GroupField, IpText, RawName, Status, StorageCommand as C, StorageId, StorageStatus, TrackerCommand,
};
use storage_core::replication::LogPosition;
use storage_core::replication::backoff::Backoff;
use storage_core::replication::copies::Progress;
use storage_core::replication::exchange::{self, Exchange};
use storage_core::replication::life::{Duty, duty};
use storage_core::replication::need::{Kept, Start, start};
use storage_core::replication::sender::{How, Sender, SenderRules, Travel, position};
use storage_core::replication::steps::{self, Answer, Done, Local, Next, Step};
use storage_core::replication::window::Verdict;
use storage_core::time::Mono;

use super::store::{fits, lines};
use super::{PORT, Storage, id_of};
use crate::Fault;
use crate::wire::request;
use crate::world::{Conn, Env, NodeId};

/// Little, so that restarts find much that is not saved.
const RULES: SenderRules = SenderRules { travel_max: 3, rest_ms: 0, save_each: 6 };

/// How often a question is asked again that no change of the cluster will answer, milliseconds.
const ASK_AGAIN_MS: u64 = 30_000;

/// How often a stream is looked at, whatever happens or not, milliseconds.
const LOOK_MS: u64 = 1_000;

/// One connection to a peer.
#[derive(Debug)]
struct Lane {
    /// It has said who this storage is.
    known: bool,
    /// The peer had the last file already.
    peer_has: bool,
    /// An answer is to come that nobody waits for: a planted bug.
    unheard: bool,
    /// The record under way, and its messages once the connection is known.
    job: Option<(Travel, Option<(Exchange, Step)>)>,
}

/// What the task of a peer knows.
#[derive(Debug, Default)]
struct Peer {
    loaded: bool,
    mark: Option<Mark>,
    skip_to: Option<i64>,
    stream: Option<Stream>,
    /// Asking a tracker where the peer's old files come from.
    asking: Option<Conn>,
    backoff: Backoff,
    /// Steady time before which nothing is begun, unless the cluster looks different.
    rest_until: u64,
    /// The version of the membership that was looked at when resting began.
    rests_at: u64,
    progress: Progress,
}

/// Sending to a peer.
#[derive(Debug)]
struct Stream {
    sender: Sender,
    /// Where reading of the log goes on.
    read: usize,
    lanes: BTreeMap<Conn, Lane>,
    /// Steady time at which it is looked at.
    due: u64,
    /// Records that were given up.
    set_aside: u64,
    /// The furthest place that was acknowledged, gaps or not, for a planted bug.
    furthest: LogPosition,
}

#[derive(Debug, Default)]
pub(super) struct Replication {
    peers: BTreeMap<StorageId, Peer>,
    /// Reports to trackers under way.
    reports: BTreeMap<Conn, Vec<u8>>,
}

impl Replication {
    /// Steady time at which [`go_on`] has something to do though nothing happens.
    pub(super) fn due(&self, now: u64) -> Option<u64> {
        let times = self.peers.values().map(|peer| match &peer.stream {
            Some(stream) => stream.due,
            None => peer.rest_until,
        });
        times.filter(|due| *due > now).min()
    }

    pub(super) fn progress(&self, peer: &StorageId) -> Progress {
        self.peers.get(peer).map(|peer| peer.progress).unwrap_or_default()
    }

    /// Whether every peer of these has everything in the log.
    pub(crate) fn is_complete(&self, peers: &[StorageId], end: usize) -> bool {
        let end = place(end);
        peers.iter().all(|id| self.progress(id).acknowledged.is_some_and(|at| at >= end))
    }
}

fn place(offset: usize) -> LogPosition {
    LogPosition { file: 0, offset: offset as u64 }
}

/// Does what can be done now, for every peer.
pub(super) fn go_on(storage: &mut Storage, env: &mut Env) {
    let Some(running) = &storage.running else { return };
    if running.view.identity.is_none() {
        return;
    }
    let peers: Vec<_> = running.view.peers.iter().map(|(id, peer)| (*id, *peer)).collect();
    for (id, listed) in peers {
        let Some(node) = listed.ip.ip().and_then(|ip| env.node_at(ip)) else { continue };
        let Some(running) = &mut storage.running else { return };
        let known = running.replication.peers.remove(&id);
        let ends = matches!(duty(listed.status, None), Duty::End);
        if known.is_none() && ends {
            continue;
        }
        let mut peer = known.unwrap_or_default();
        if !peer.loaded {
            peer.loaded = true;
            peer.mark = storage.base.small.get(&mark_file(id)).and_then(|bytes| Mark::decode(bytes).ok());
        }
        let stays = live(storage, env, &mut peer, (id, node, listed.status));
        if let Some(running) = storage.running.as_mut().filter(|_| stays) {
            running.replication.peers.insert(id, peer);
        }
    }
}

/// The life of a peer, one look at it; whether it goes on.
fn live(
    storage: &mut Storage,
    env: &mut Env,
    peer: &mut Peer,
    who: (StorageId, NodeId, StorageStatus),
) -> bool {
    let (id, node, status) = who;
    let me = storage.place.me;
    // Twice: what a stream comes to has consequences at once.
    for _ in 0..2 {
        let mark = peer.stream.as_ref().map(|stream| stream.sender.mark()).or(peer.mark);
        let now = env.mono(me);
        let version = storage.running.as_ref().map_or(0, |running| running.view_version);
        let rests = now < peer.rest_until && version == peer.rests_at;
        match duty(status, mark.as_ref()) {
            Duty::End => {
                end_stream(storage, env, peer, id);
                storage.base.small.remove(&mark_file(id));
                env.note(me, || format!("{id} has left, its mark is put away"));
                return false;
            }
            Duty::Wait => {
                end_stream(storage, env, peer, id);
                return true;
            }
            Duty::Ask | Duty::Finished if peer.stream.is_some() => end_stream(storage, env, peer, id),
            Duty::Ask => {
                if peer.asking.is_none() && !rests {
                    let leader = storage.running.as_ref().and_then(|running| running.view.leader);
                    let leader =
                        leader.and_then(|host| env.node_at(host.ip)).filter(|_| peer.backoff.failures() == 0);
                    if let Some(tracker) =
                        leader.or_else(|| env.chance.pick(&storage.place.trackers).copied())
                    {
                        peer.asking = Some(env.connect(me, tracker));
                    }
                }
                return true;
            }
            Duty::Finished => {
                if !rests {
                    report(storage, env, id, StorageStatus::Offline);
                    (peer.rest_until, peer.rests_at) = (now + ASK_AGAIN_MS, version);
                }
                return true;
            }
            Duty::Fill | Duty::Push => {
                if peer.stream.is_none() {
                    let Some(mark) = peer.mark else { return true };
                    if status == StorageStatus::WaitSync {
                        report(storage, env, id, StorageStatus::Syncing);
                    }
                    peer.stream = Some(Stream::begin(storage, mark, peer.skip_to.take(), Mono(now)));
                }
                if !stream(storage, env, peer, (id, node)) {
                    return true;
                }
                env.history.copied.insert(id);
                env.history.copies_due.remove(&id);
                env.note(me, || format!("has sent {id} all old files"));
                end_stream(storage, env, peer, id);
            }
        }
    }
    true
}

/// Ends sending: what travels is given up, and the mark saved.
fn end_stream(storage: &mut Storage, env: &mut Env, peer: &mut Peer, id: StorageId) {
    let Some(stream) = peer.stream.take() else { return };
    peer.mark = Some(stream.sender.mark());
    stream.lanes.into_keys().for_each(|conn| env.hang_up(conn, storage.place.me));
    save(storage, env, id, stream.sender.mark());
}

/// Saves a mark, the log first.
fn save(storage: &mut Storage, env: &Env, id: StorageId, mark: Mark) {
    if !env.is(Fault::MarkBeyondSynced) {
        let end = storage.base.binlog.len();
        storage.base.binlog.sync(end);
    }
    storage.base.small.insert(mark_file(id), mark.encode());
}

fn mark_file(peer: StorageId) -> String {
    format!("{peer}.mark")
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.known && self.job.is_none() && !self.unheard
    }
}

impl Stream {
    fn begin(storage: &Storage, mark: Mark, skip_to: Option<i64>, now: Mono) -> Self {
        let end = place(storage.base.binlog.len());
        // As `LogReader` does: a place that is not behind a line gives way to the last one before it that is.
        let wanted = (mark.binlog_offset as usize).min(storage.base.binlog.len());
        let text = &storage.base.binlog.bytes[..wanted];
        let read = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        Self {
            sender: Sender::new(RULES, mark, skip_to, end, now),
            read,
            lanes: BTreeMap::new(),
            due: 0,
            set_aside: 0,
            furthest: position(&mark),
        }
    }

    /// Hands lines over as long as they are wanted.
    fn read(&mut self, storage: &Storage, env: &Env) {
        while self.sender.wants_lines() {
            let text = storage.base.binlog.bytes.get(self.read..).unwrap_or_default();
            let Some(len) = text.iter().position(|byte| *byte == b'\n').map(|at| at + 1) else {
                return self.sender.end_reached(place(self.read));
            };
            let (at, end) = (place(self.read), place(self.read + len));
            self.read += len;
            let record = lines(&text[..len]).next().flatten();
            let late = |record: &Record| {
                env.is(Fault::CopyMissesWindow)
                    && record.origin == Origin::Peer
                    && self.sender.mark().sync_old_done
            };
            self.sender.line(at, end, record.filter(|record| !late(record)));
        }
    }
}

/// Reads, sends and saves; whether the copy of old files has become complete.
fn stream(storage: &mut Storage, env: &mut Env, peer: &mut Peer, (id, node): (StorageId, NodeId)) -> bool {
    let me = storage.place.me;
    let now = Mono(env.mono(me));
    let Some(stream) = &mut peer.stream else { return false };
    stream.read(storage, env);
    if stream.sender.filled() {
        return true;
    }
    let mut begun = false;
    while let Some(travel) = stream.sender.take(now) {
        begun = true;
        let idle = stream.lanes.iter_mut().find(|(_, lane)| lane.is_idle());
        match idle {
            Some((conn, lane)) => {
                let (conn, peer_has) = (*conn, lane.peer_has);
                let (exchange, next) = Exchange::begin(&travel, peer_has, local(storage, &travel));
                lane.job = Some((travel, None));
                go(storage, env, stream, conn, Some(exchange), next);
            }
            None => {
                let lane = Lane { known: false, peer_has: false, unheard: false, job: Some((travel, None)) };
                stream.lanes.insert(env.connect(me, node), lane);
            }
        }
    }
    peer.progress.acknowledged = Some(stream.sender.acknowledged());
    peer.progress.set_aside += std::mem::take(&mut stream.set_aside);
    let mut mark = stream.sender.mark();
    let mut due = stream.sender.save_due(now);
    if env.is(Fault::CursorBeforeAck) {
        mark.binlog_offset = stream.read as u64;
        due |= begun;
    } else if env.is(Fault::GapInPrefix) {
        due |= stream.furthest > stream.sender.acknowledged();
        mark.binlog_offset = mark.binlog_offset.max(stream.furthest.offset);
    }
    if due {
        stream.sender.saving(now);
        save(storage, env, id, mark);
    }
    stream.due =
        stream.sender.next_due().map_or(now.0 + LOOK_MS, |due| due.0.clamp(now.0 + 1, now.0 + LOOK_MS));
    false
}

fn local(storage: &Storage, travel: &Travel) -> Local {
    let size = storage.running.as_ref().and_then(|it| it.store.len_of(travel.entry.record.change.name()));
    size.map_or(Local::Missing, |size| Local::There { size })
}

/// Carries out what comes next for the record of a connection.
fn go(
    storage: &Storage,
    env: &mut Env,
    stream: &mut Stream,
    conn: Conn,
    exchange: Option<Exchange>,
    next: Next,
) {
    let Some(lane) = stream.lanes.get_mut(&conn) else { return };
    let how = match next {
        Next::Send(step) => match message(storage, lane, step) {
            Some(bytes) => {
                env.send(conn, storage.place.me, bytes);
                if env.is(Fault::OrderBroken) && matches!(step, Step::Append { .. } | Step::Truncate { .. }) {
                    lane.unheard = true;
                    let Some((travel, _)) = lane.job.take() else { return };
                    return back(storage, env, stream, &travel, How::Done(Done::Taken));
                }
                if let (Some((_, under_way)), Some(exchange)) = (&mut lane.job, exchange) {
                    *under_way = Some((exchange, step));
                }
                return;
            }
            // Its content is damaged here.
            None => How::Failed,
        },
        Next::Done(done) => {
            lane.peer_has = exchange::peer_has(lane.peer_has, done);
            How::Done(done)
        }
        Next::Refused(_) | Next::Nowhere => How::Failed,
        Next::PeerUnable(status) if steps::is_want_of_room(status) => How::PeerFull,
        Next::PeerUnable(_) => How::PeerUnable,
    };
    let Some((travel, _)) = lane.job.take() else { return };
    back(storage, env, stream, &travel, how);
}

fn back(storage: &Storage, env: &mut Env, stream: &mut Stream, travel: &Travel, how: How) {
    let me = storage.place.me;
    let how = match how {
        How::Failed | How::PeerUnable | How::PeerFull if env.is(Fault::SkipOnError) => How::Done(Done::Taken),
        how => how,
    };
    if matches!(how, How::Done(_)) {
        stream.furthest = stream.furthest.max(travel.entry.end);
    }
    let random = env.chance.bits();
    let effect = stream.sender.back(travel.ticket, &travel.entry, how, Mono(env.mono(me)), random);
    if effect.verdict == Some(Verdict::SetAside) {
        stream.set_aside += 1;
        env.note(me, || format!("gives up {:?}", travel.entry.record));
    }
    if effect.pause.is_some() {
        // Those that are idle; the others are not used again once they are.
        let idle: Vec<_> =
            stream.lanes.iter().filter(|(_, lane)| lane.is_idle()).map(|(conn, _)| *conn).collect();
        for conn in idle {
            stream.lanes.remove(&conn);
            env.hang_up(conn, me);
        }
    }
}

/// A step as a message; `None` when the content is not what the name says: it must not spread.
fn message(storage: &Storage, lane: &Lane, step: Step) -> Option<Vec<u8>> {
    let (travel, _) = lane.job.as_ref()?;
    let record = &travel.entry.record;
    let name = record.change.name();
    let group = GroupField::from(storage.place.group);
    let (raw, timestamp) = (RawName::from(name), record.timestamp as u32);
    let whole = content(storage, name);
    let size = whole.as_ref().map_or(0, |bytes| bytes.len() as u64);
    let part = |start: u64, len: u64| -> Vec<u8> {
        let bytes = whole.as_deref().unwrap_or_default();
        bytes.get(start as usize..(start + len) as usize).unwrap_or_default().to_vec()
    };
    let mut body = Vec::new();
    let old = match &record.change {
        Change::Rename { old, .. } => RawName::from(old),
        _ => raw,
    };
    let (command, status) = match step {
        Step::Ask => {
            let flags = file_info::Flags { no_crc: true, silent: true };
            file_info::Ask { flags, group, name: raw }.encode(&mut body);
            (C::QueryFileInfo, flags.status())
        }
        Step::Confirm | Step::Copy { .. } => {
            let has_content = step != Step::Confirm;
            let ask = sync_copy::Ask { size, has_content, timestamp, group, name: raw };
            ask.encode(&mut body);
            if has_content {
                whole.as_ref().filter(|bytes| fits(name, bytes))?;
                body.extend(part(0, size));
            }
            let command = if step == (Step::Copy { update: true }) { C::SyncUpdate } else { C::SyncCreate };
            (command, ask.status())
        }
        Step::Append { start, len } | Step::Modify { start, len } => {
            sync_write::Ask { start, size: len, timestamp, group, name: raw }.encode(&mut body);
            body.extend(part(start, len));
            (if matches!(step, Step::Append { .. }) { C::SyncAppend } else { C::SyncModify }, 0)
        }
        Step::Truncate { old, new } => {
            sync_truncate::Ask { old_size: old, new_size: new, timestamp, group, name: raw }
                .encode(&mut body);
            (C::SyncTruncate, 0)
        }
        Step::Delete | Step::DeleteOld => {
            let name = if step == Step::Delete { raw } else { old };
            sync_delete::Ask { timestamp, group, name }.encode(&mut body);
            (C::SyncDelete, 0)
        }
        Step::Rename => {
            sync_pair::Ask { timestamp, group, dest: raw, source: old }.encode(&mut body);
            (C::SyncRename, 0)
        }
    };
    Some(request(command, status, &body))
}

fn content(storage: &Storage, name: &FileName) -> Option<Vec<u8>> {
    Some(storage.running.as_ref()?.store.bytes(&storage.disk, name)?.to_vec())
}

/// 76 to every tracker.
pub(super) fn report(storage: &mut Storage, env: &mut Env, about: StorageId, status: StorageStatus) {
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
    for (id, peer) in &running.replication.peers {
        if peer.asking == Some(conn) {
            sync_source::AskDest { group: storage.place.group.into(), dest_id: Some(*id) }.encode(&mut body);
            return env.send(conn, me, request(TrackerCommand::SyncSrcRequest, 0, &body));
        }
        let is_lane = peer.stream.as_ref().is_some_and(|stream| stream.lanes.contains_key(&conn));
        if is_lane && let Some(id) = id_of(env.ips[me]) {
            report_server_id::Ask { id }.encode(&mut body);
            return env.send(conn, me, request(C::ReportServerId, 0, &body));
        }
    }
}

/// Takes out the peer whose business a connection is.
fn peer_of(storage: &mut Storage, conn: Conn) -> Option<(StorageId, Peer)> {
    let peers = &mut storage.running.as_mut()?.replication.peers;
    let is_it = |peer: &Peer| {
        peer.asking == Some(conn) || peer.stream.as_ref().is_some_and(|it| it.lanes.contains_key(&conn))
    };
    let id = peers.iter().find(|(_, peer)| is_it(peer)).map(|(id, _)| *id)?;
    peers.remove(&id).map(|peer| (id, peer))
}

fn put_back(storage: &mut Storage, id: StorageId, mut peer: Peer) {
    if let Some(stream) = &mut peer.stream {
        peer.progress.set_aside += std::mem::take(&mut stream.set_aside);
    }
    if let Some(running) = &mut storage.running {
        running.replication.peers.insert(id, peer);
    }
}

/// A connection is gone.
pub(super) fn lost(storage: &mut Storage, env: &mut Env, conn: Conn) {
    let me = storage.place.me;
    if let Some(running) = &mut storage.running {
        running.replication.reports.remove(&conn);
    }
    let Some((id, mut peer)) = peer_of(storage, conn) else { return };
    if peer.asking == Some(conn) {
        peer.asking = None;
        peer.rest_until = env.mono(me) + peer.backoff.failed(env.chance.bits());
        peer.rests_at = u64::MAX;
    }
    if let Some(stream) = &mut peer.stream
        && let Some(lane) = stream.lanes.remove(&conn)
        && let Some((travel, under_way)) = lane.job
    {
        let how = match under_way {
            Some(_) if env.is(Fault::SkipAfterReconnect) => How::Done(Done::Taken),
            Some(_) => How::Unanswered,
            None => How::PeerUnable,
        };
        back(storage, env, stream, &travel, how);
    }
    put_back(storage, id, peer);
}

/// An answer came.
pub(super) fn answered(storage: &mut Storage, env: &mut Env, conn: Conn, status: Status, body: &[u8]) {
    let me = storage.place.me;
    if storage.running.as_mut().is_some_and(|it| it.replication.reports.remove(&conn).is_some()) {
        return env.hang_up(conn, me);
    }
    let Some((id, mut peer)) = peer_of(storage, conn) else { return };
    if peer.asking == Some(conn) {
        peer.asking = None;
        env.hang_up(conn, me);
        told(storage, env, &mut peer, id, status, body);
    } else if let Some(stream) = &mut peer.stream {
        lane_answered(storage, env, stream, conn, status, body);
    }
    put_back(storage, id, peer);
}

/// A tracker has said who fills a peer.
fn told(storage: &mut Storage, env: &mut Env, peer: &mut Peer, id: StorageId, status: Status, body: &[u8]) {
    let me = storage.place.me;
    let now = env.mono(me);
    let got = sync_source::Got::decode(body).ok().filter(|_| status == Status::OK);
    let (Some(got), Some(my_id)) = (got, id_of(env.ips[me])) else {
        peer.rest_until = now + peer.backoff.failed(env.chance.bits());
        peer.rests_at = u64::MAX;
        return;
    };
    let kept = peer.mark.as_ref().map_or(Kept::Nothing, Kept::Mark);
    match start(kept, got.source, &my_id) {
        Start::New { mark, skip_to } => {
            env.note(me, || format!("begins to push to {id}: {mark:?}, from {skip_to:?} on"));
            let skip_to = match env.is(Fault::CopyMissesWindow) {
                true => skip_to.map(|_| mark.until_timestamp),
                false => skip_to,
            };
            (peer.mark, peer.skip_to) = (Some(mark), skip_to);
            peer.backoff.worked();
            peer.rest_until = 0;
        }
        Start::Kept => {
            if peer.mark.is_some_and(|mark| mark.need_sync_old && mark.sync_old_done) {
                report(storage, env, id, StorageStatus::Offline);
            }
            let version = storage.running.as_ref().map_or(0, |running| running.view_version);
            (peer.rest_until, peer.rests_at) = (now + ASK_AGAIN_MS, version);
        }
    }
}

fn lane_answered(
    storage: &Storage,
    env: &mut Env,
    stream: &mut Stream,
    conn: Conn,
    status: Status,
    body: &[u8],
) {
    let me = storage.place.me;
    let Some(lane) = stream.lanes.get_mut(&conn) else { return };
    if std::mem::take(&mut lane.unheard) {
        return;
    }
    let (known, peer_has) = (std::mem::replace(&mut lane.known, true), lane.peer_has);
    let Some((travel, under_way)) = &mut lane.job else { return };
    let next = match under_way.take() {
        None if status == Status::OK && !known => {
            let (exchange, next) = Exchange::begin(travel, peer_has, local(storage, travel));
            return go(storage, env, stream, conn, Some(exchange), next);
        }
        // It does not take this storage as a peer.
        None => {
            let travel = travel.clone();
            stream.lanes.remove(&conn);
            env.hang_up(conn, me);
            return back(storage, env, stream, &travel, How::PeerUnable);
        }
        Some((mut exchange, step)) => {
            let size = match step {
                Step::Ask if status == Status::OK => file_info::Got::decode(body).ok().map(|got| got.size),
                _ => None,
            };
            let next = exchange.answered(Answer { status, size }, local(storage, travel));
            (exchange, next)
        }
    };
    go(storage, env, stream, conn, Some(next.0), next.1);
    // A server closes after this one.
    if status == Status::EINVAL
        && let Some(lane) = stream.lanes.remove(&conn)
    {
        env.hang_up(conn, me);
        if let Some((travel, _)) = lane.job {
            back(storage, env, stream, &travel, How::PeerUnable);
        }
    }
}
