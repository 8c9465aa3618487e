//! A client: uploads, changes, deletes and downloads, one after the other.
//!
//! Only who made an appender changes it, and only at the storage that took it: two members that change one file at the same
//! time have no order between them, in this system as in the original.

use fdfs_fileid::{ExtName, FileId, FileName, Kind, Source};
use fdfs_proto::storage::{FileAsk, append, download, modify, named, regenerate, truncate, upload};
use fdfs_proto::tracker::{query_fetch, query_store};
use fdfs_proto::{RawName, Status, StorageCommand, TrackerCommand};

use crate::history::{Acknowledged, Deletion};
use crate::storage::store::fits;
use crate::wire::{parts, request};
use crate::world::{Conn, Env, Happening, NodeId};

/// How long a client waits for an answer, milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// Longest content, bytes.
const CONTENT_MAX: u64 = 200;

#[derive(Debug, Clone)]
enum Task {
    Upload {
        content: Vec<u8>,
        appender: bool,
    },
    Change(FileId, Change),
    /// `cached`: sent to any storage that has it, as by a client that remembers where it downloaded.
    Delete {
        file: FileId,
        cached: bool,
    },
    Download(FileId),
}

#[derive(Debug, Clone)]
enum Change {
    Append(Vec<u8>),
    Modify(usize, Vec<u8>),
    Truncate(usize),
    /// It becomes an ordinary file.
    Regenerate,
}

impl Change {
    /// The content after the change.
    fn of(&self, before: &[u8]) -> Vec<u8> {
        let mut content = before.to_vec();
        match self {
            Self::Append(bytes) => content.extend(bytes),
            Self::Modify(at, bytes) => {
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(len) => content.resize(*len, 0),
            Self::Regenerate => {}
        }
        content
    }
}

#[derive(Debug)]
enum State {
    Idle {
        until: u64,
    },
    /// Asking a tracker, then a storage.
    Busy {
        task: Task,
        conn: Conn,
        tracker: bool,
        until: u64,
    },
}

pub(crate) struct Client {
    me: NodeId,
    trackers: Vec<NodeId>,
    state: State,
    /// True time, after which it does nothing new.
    ends: u64,
}

impl Client {
    pub(crate) fn new(me: NodeId, trackers: Vec<NodeId>, ends: u64) -> Self {
        Self { me, trackers, state: State::Idle { until: 15_000 }, ends }
    }

    pub(crate) fn happened(&mut self, env: &mut Env, what: Happening) {
        match (what, &self.state) {
            (Happening::Connected(now), State::Busy { conn, .. }) if now == *conn => self.ask(env),
            (Happening::Message(now, bytes), State::Busy { conn, .. }) if now == *conn => {
                self.answered(env, &bytes)
            }
            (Happening::ConnectFailed(now) | Happening::Closed(now), State::Busy { conn, .. })
                if now == *conn =>
            {
                self.rest(env);
            }
            _ => {}
        }
        let (State::Idle { until } | State::Busy { until, .. }) = self.state;
        if until <= env.now {
            match &self.state {
                State::Idle { .. } if env.now < self.ends => self.begin(env),
                State::Idle { .. } => return,
                State::Busy { conn, .. } => {
                    env.hang_up(*conn, self.me);
                    self.rest(env);
                }
            }
        }
        let (State::Idle { until } | State::Busy { until, .. }) = self.state;
        env.tell(self.me, until.saturating_sub(env.now).max(1), Happening::Wake);
    }

    fn rest(&mut self, env: &mut Env) {
        self.state = State::Idle { until: env.now + env.chance.between(200, 6_000) };
    }

    fn begin(&mut self, env: &mut Env) {
        let Some(&tracker) = env.chance.pick(&self.trackers) else { return };
        let kind = env.chance.below(20);
        let known: Vec<_> =
            env.history.files.iter().filter(|(_, file)| file.deletion != Deletion::Acknowledged).collect();
        let file = known.get(env.chance.below(known.len())).map(|(id, _)| (*id).clone());
        let mine = known.iter().filter(|(id, file)| {
            let free = file.owner == self.me && file.perhaps.is_none() && file.deletion == Deletion::None;
            free && id.name.kind() == Kind::Appender
        });
        let mine: Vec<(FileId, usize)> = mine.map(|(id, file)| ((*id).clone(), file.content.len())).collect();
        let task = match (kind, file) {
            (0..=5, Some(file)) => Task::Delete { file, cached: env.chance.one_in(3) },
            (6..=8, Some(file)) => Task::Download(file),
            (9..=14, _) if !mine.is_empty() => {
                let (file, len) = mine[env.chance.below(mine.len())].clone();
                let part = bytes(env, 1, 40);
                let change = match env.chance.below(12) {
                    0..=5 => Change::Append(part),
                    6..=8 => Change::Modify(env.chance.below(len + 1), part),
                    9..=10 => Change::Truncate(env.chance.below(len + 1)),
                    _ => Change::Regenerate,
                };
                Task::Change(file, change)
            }
            _ => Task::Upload { content: bytes(env, 1, CONTENT_MAX), appender: env.chance.one_in(4) },
        };
        let conn = env.connect(self.me, tracker);
        self.state = State::Busy { task, conn, tracker: true, until: env.now + PATIENCE_MS };
    }

    fn ask(&mut self, env: &mut Env) {
        let State::Busy { task, conn, tracker, .. } = &self.state else { return };
        let mut body = Vec::new();
        let bytes = match (task, tracker) {
            (Task::Upload { .. }, true) => request(TrackerCommand::QueryStoreOne, 0, &body),
            (Task::Delete { file, .. } | Task::Download(file) | Task::Change(file, _), true) => {
                query_fetch::Ask { group: file.group.into(), name: RawName::from(&file.name) }
                    .encode(&mut body);
                let command = match task {
                    Task::Delete { cached: false, .. } | Task::Change(..) => TrackerCommand::QueryUpdate,
                    _ => TrackerCommand::QueryFetchOne,
                };
                request(command, 0, &body)
            }
            (Task::Upload { content, appender }, false) => {
                upload::Ask::new(None, content.len() as u64, &ExtName::NONE).encode(&mut body);
                body.extend_from_slice(content);
                let command =
                    if *appender { StorageCommand::UploadAppender } else { StorageCommand::UploadFile };
                request(command, 0, &body)
            }
            (Task::Change(file, change), false) => {
                let name = RawName::from(&file.name);
                if let Some(known) = env.history.files.get_mut(file) {
                    known.perhaps = Some(change.of(&known.content));
                    if matches!(change, Change::Regenerate) {
                        known.deletion = Deletion::Asked;
                    }
                }
                let command = match change {
                    Change::Append(bytes) => {
                        append::Ask { size: bytes.len() as u64, name }.encode(&mut body);
                        body.extend(bytes);
                        StorageCommand::Append
                    }
                    Change::Modify(at, bytes) => {
                        modify::Ask { offset: *at as u64, size: bytes.len() as u64, name }.encode(&mut body);
                        body.extend(bytes);
                        StorageCommand::Modify
                    }
                    Change::Truncate(len) => {
                        truncate::Ask { size: *len as u64, name }.encode(&mut body);
                        StorageCommand::Truncate
                    }
                    Change::Regenerate => {
                        regenerate::Ask { name }.encode(&mut body);
                        StorageCommand::RegenerateName
                    }
                };
                request(command, 0, &body)
            }
            (Task::Delete { file, .. }, false) => {
                FileAsk { group: file.group.into(), name: RawName::from(&file.name) }.encode(&mut body);
                if let Some(known) = env.history.files.get_mut(file) {
                    known.deletion = Deletion::Asked;
                }
                request(StorageCommand::DeleteFile, 0, &body)
            }
            (Task::Download(file), false) => {
                let (group, name) = (file.group.into(), RawName::from(&file.name));
                download::Ask { offset: 0, len: 0, group, name }.encode(&mut body);
                request(StorageCommand::DownloadFile, 0, &body)
            }
        };
        env.send(*conn, self.me, bytes);
    }

    fn answered(&mut self, env: &mut Env, bytes: &[u8]) {
        let State::Busy { task, conn, tracker, until } = &self.state else { return };
        env.hang_up(*conn, self.me);
        let (task, tracker, until) = (task.clone(), *tracker, *until);
        let body = parts(bytes).filter(|(header, _)| header.status() == Status::OK).map(|(_, body)| body);
        let Some(body) = body else { return self.rest(env) };
        if !tracker {
            self.done(env, &task, body);
            return self.rest(env);
        }
        let server = match task {
            Task::Upload { .. } => query_store::Got::decode(body).map(|got| got.server),
            _ => query_fetch::Got::decode(body).map(|got| got.server),
        };
        let Some(storage) = server.ok().and_then(|server| env.node_at(server.ip.ip()?)) else {
            return self.rest(env);
        };
        if let Task::Change(file, _) = &task
            && !is_source(&file.name, env.ips[storage])
        {
            return self.rest(env);
        }
        let conn = env.connect(self.me, storage);
        self.state = State::Busy { task, conn, tracker: false, until };
    }

    fn done(&mut self, env: &mut Env, task: &Task, body: &[u8]) {
        match task {
            Task::Upload { content, .. } => {
                let Ok(Ok(id)) = named::Got::decode(body).map(|got| got.file_id()) else { return };
                env.note(self.me, || format!("uploaded {id}"));
                env.history.uploads += 1;
                env.history.files.insert(id, Acknowledged::new(content.clone(), self.me));
            }
            Task::Change(file, change) => {
                env.note(self.me, || format!("changed {file}: {change:?}"));
                env.history.changes += 1;
                let Some(known) = env.history.files.get_mut(file) else { return };
                let content = known.perhaps.take().unwrap_or_default();
                known.content.clone_from(&content);
                if matches!(change, Change::Regenerate) {
                    known.deletion = Deletion::Acknowledged;
                    let Ok(Ok(id)) = named::Got::decode(body).map(|got| got.file_id()) else { return };
                    let excused = known.excused;
                    let file = Acknowledged { excused, ..Acknowledged::new(content, self.me) };
                    env.history.files.insert(id, file);
                }
            }
            Task::Delete { file, .. } => {
                env.note(self.me, || format!("deleted {file}"));
                env.history.deletions += 1;
                if let Some(known) = env.history.files.get_mut(file) {
                    known.deletion = Deletion::Acknowledged;
                }
            }
            Task::Download(file) => {
                // Of a file that changes, a member may have what it was before, and of one whose last change was lost with
                // its only copy it is only known to be what its name says.
                let wrong = |known: &Acknowledged| match known.excused {
                    true => !fits(&file.name, body),
                    false => known.content != body,
                };
                let settled = file.name.kind() == Kind::Normal;
                if settled && env.history.files.get(file).is_some_and(wrong) {
                    env.history.wrong_downloads.push(format!("{file} was given out damaged"));
                }
            }
        }
    }
}

fn bytes(env: &mut Env, least: u64, most: u64) -> Vec<u8> {
    let len = env.chance.between(least, most);
    (0..len).map(|_| env.chance.bits() as u8).collect()
}

fn is_source(name: &FileName, ip: std::net::IpAddr) -> bool {
    name.stamp().is_some_and(|stamp| matches!(stamp.source, Source::Ip(source) if source == ip))
}
