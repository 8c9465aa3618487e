//! A client: uploads, deletes and downloads, one after the other.

use fdfs_fileid::{ExtName, FileId};
use fdfs_proto::storage::{FileAsk, download, named, upload};
use fdfs_proto::tracker::{query_fetch, query_store};
use fdfs_proto::{RawName, Status, StorageCommand, TrackerCommand};

use crate::history::{Acknowledged, Deletion};
use crate::wire::{parts, request};
use crate::world::{Conn, Env, Happening, NodeId};

/// How long a client waits for an answer, milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// Longest content, bytes.
const CONTENT_MAX: u64 = 200;

#[derive(Debug, Clone)]
enum Task {
    Upload(Vec<u8>),
    /// `cached`: sent to any storage that has it, as by a client that remembers where it downloaded.
    Delete {
        file: FileId,
        cached: bool,
    },
    Download(FileId),
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
        let kind = env.chance.below(10);
        let known: Vec<_> =
            env.history.files.iter().filter(|(_, file)| file.deletion != Deletion::Acknowledged).collect();
        let file = known.get(env.chance.below(known.len())).map(|(id, _)| (*id).clone());
        let task = match (kind, file) {
            (0..=2, Some(file)) => Task::Delete { file, cached: env.chance.one_in(3) },
            (3..=4, Some(file)) => Task::Download(file),
            _ => {
                let len = env.chance.between(1, CONTENT_MAX);
                Task::Upload((0..len).map(|_| env.chance.bits() as u8).collect())
            }
        };
        let conn = env.connect(self.me, tracker);
        self.state = State::Busy { task, conn, tracker: true, until: env.now + PATIENCE_MS };
    }

    fn ask(&mut self, env: &mut Env) {
        let State::Busy { task, conn, tracker, .. } = &self.state else { return };
        let mut body = Vec::new();
        let bytes = match (task, tracker) {
            (Task::Upload(_), true) => request(TrackerCommand::QueryStoreOne, 0, &body),
            (Task::Delete { file, .. } | Task::Download(file), true) => {
                query_fetch::Ask { group: file.group.into(), name: RawName::from(&file.name) }
                    .encode(&mut body);
                let command = match task {
                    Task::Delete { cached: false, .. } => TrackerCommand::QueryUpdate,
                    _ => TrackerCommand::QueryFetchOne,
                };
                request(command, 0, &body)
            }
            (Task::Upload(content), false) => {
                upload::Ask::new(None, content.len() as u64, &ExtName::NONE).encode(&mut body);
                body.extend_from_slice(content);
                request(StorageCommand::UploadFile, 0, &body)
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
            Task::Upload(_) => query_store::Got::decode(body).map(|got| got.server),
            _ => query_fetch::Got::decode(body).map(|got| got.server),
        };
        let Some(storage) = server.ok().and_then(|server| env.node_at(server.ip.ip()?)) else {
            return self.rest(env);
        };
        let conn = env.connect(self.me, storage);
        self.state = State::Busy { task, conn, tracker: false, until };
    }

    fn done(&mut self, env: &mut Env, task: &Task, body: &[u8]) {
        match task {
            Task::Upload(content) => {
                let Ok(Ok(id)) = named::Got::decode(body).map(|got| got.file_id()) else { return };
                env.note(self.me, || format!("uploaded {id}"));
                env.history.uploads += 1;
                let file = Acknowledged { content: content.clone(), deletion: Deletion::None };
                env.history.files.insert(id, file);
            }
            Task::Delete { file, .. } => {
                env.note(self.me, || format!("deleted {file}"));
                env.history.deletions += 1;
                if let Some(known) = env.history.files.get_mut(file) {
                    known.deletion = Deletion::Acknowledged;
                }
            }
            Task::Download(file) => {
                if env.history.files.get(file).is_some_and(|known| known.content != body) {
                    env.history.wrong_downloads.push(format!("{file} was given out damaged"));
                }
            }
        }
    }
}
