//! What a storage does when it is asked.

use fdfs_fileid::{ExtName, FileName, Source, StorePathIndex};
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::{
    FileAsk, Request, append, download, fetch_binlog, file_info, modify, named, report_server_id, sync_copy,
    sync_delete, sync_pair, sync_truncate, sync_write, truncate,
};
use fdfs_proto::{AddrWidth, Header, IpText, RawName, Status, StorageCommand};
use storage_core::naming::{ATTEMPTS_MAX, Naming, NewFile};
use storage_core::recovery;
use storage_core::replication::receive::{Appended, appended};

use super::Storage;
use super::store::{self, Content, fits};
use crate::Fault;
use crate::wire::answer;
use crate::world::{Conn, Env};

/// Answers, or sees to it that the answer is given when it may be.
pub(super) fn serve(storage: &mut Storage, env: &mut Env, conn: Conn, header: Header, body: &[u8]) {
    let done = match ask(storage, env, conn, &header, body) {
        Err(Busy::Later) => {
            if let Some(running) = &mut storage.running {
                running.deferred.push((conn, header, body.to_vec()));
            }
            return;
        }
        Err(Busy::Refused(status)) => Err(status),
        Ok(None) => return,
        Ok(Some(body)) => Ok(body),
    };
    env.send(conn, storage.place.me, answer(done));
}

/// Why a request is not answered with a body.
enum Busy {
    /// The file is being changed.
    Later,
    Refused(Status),
}

impl From<Status> for Busy {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

/// The body of an answer; `None` when it is given later.
type Done = Result<Option<Vec<u8>>, Busy>;

fn ask(storage: &mut Storage, env: &mut Env, conn: Conn, header: &Header, body: &[u8]) -> Done {
    let command = StorageCommand::from_u8(header.command).ok_or(Status::EINVAL)?;
    let ask = Request::decode(command, header, body).map_err(|_| Status::EINVAL)?;
    let content = &body[body.len() - ask.content_len() as usize..];
    let running = storage.running.as_ref().filter(|running| running.recovery.is_none());
    let running = running.ok_or(Status::EINVAL)?;
    let peer = env.peer_of(conn, storage.place.me);
    let is_member = running.view.peers.values().any(|member| {
        use fdfs_proto::StorageStatus as S;
        member.ip.ip() == Some(peer) && !matches!(member.status, S::Deleted | S::IpChanged | S::None)
    });
    let changes = matches!(
        ask,
        Request::UploadFile(_)
            | Request::UploadAppender(_)
            | Request::Append(_)
            | Request::Modify(_)
            | Request::Truncate(_)
            | Request::RegenerateName(_)
            | Request::DeleteFile(_)
    );
    if changes && !storage.admits() {
        return Err(Status::EAGAIN.into());
    }
    let from_client = Writer { conn, time: env.wall(storage.place.me), origin: Origin::Client };
    match ask {
        Request::UploadFile(_) => return upload(storage, env, from_client, content, false),
        Request::UploadAppender(_) => return upload(storage, env, from_client, content, true),
        Request::DeleteFile(ask) => return delete(storage, env, from_client, &ask),
        Request::Append(ask) => return append(storage, env, from_client, &ask, content),
        Request::Modify(ask) => return modify(storage, env, from_client, &ask, content),
        Request::Truncate(ask) => return truncate(storage, env, from_client, &ask),
        Request::RegenerateName(ask) => return regenerate(storage, env, from_client, ask.name),
        Request::DownloadFile(ask) => return Ok(Some(give_out(storage, &ask)?)),
        Request::QueryFileInfo(ask) => return Ok(Some(tell(storage, env, &ask)?)),
        _ if !is_member => return Err(Status::EINVAL.into()),
        _ => {}
    }
    let from = |time: u32| Writer { conn, time: time.into(), origin: Origin::Peer };
    match ask {
        Request::ReportServerId(report_server_id::Ask { id }) => {
            if let Some(running) = &mut storage.running {
                running.sources.insert(conn, id);
            }
            Ok(Some(Vec::new()))
        }
        Request::SyncCreate(ask) => take_copy(storage, env, from(ask.timestamp), &ask, content, false),
        Request::SyncUpdate(ask) => take_copy(storage, env, from(ask.timestamp), &ask, content, true),
        Request::SyncDelete(ask) => take_deletion(storage, env, from(ask.timestamp), &ask),
        Request::SyncAppend(ask) => take_part(storage, env, from(ask.timestamp), &ask, content, true),
        Request::SyncModify(ask) => take_part(storage, env, from(ask.timestamp), &ask, content, false),
        Request::SyncTruncate(ask) => take_cut(storage, env, from(ask.timestamp), &ask),
        Request::SyncRename(ask) => take_name(storage, env, from(ask.timestamp), &ask),
        Request::FetchOnePathBinlog(ask) => Ok(Some(list(storage, ask.path))),
        _ => Err(Status::EOPNOTSUPP.into()),
    }
}

/// Who makes a change, and when.
#[derive(Clone, Copy)]
struct Writer {
    conn: Conn,
    time: i64,
    origin: Origin,
}

fn file_name(name: RawName<'_>) -> Result<FileName, Status> {
    name.parse().map_err(|_| Status::EINVAL)
}

impl Storage {
    /// The file of this name, and its size if it is here, when no change of it is under way.
    fn at_rest(&self, name: RawName<'_>) -> Result<(FileName, Option<u64>), Busy> {
        let running = self.running.as_ref().ok_or(Status::EAGAIN)?;
        let name = file_name(name)?;
        let size = running.store.len_of(&name);
        if running.store.is_busy(&name) { Err(Busy::Later) } else { Ok((name, size)) }
    }

    /// Makes a change, and answers with `reply` when it is certain.
    fn change(
        &mut self,
        env: &mut Env,
        writer: Writer,
        (change, noted): (Change, bool),
        content: &[u8],
        reply: Result<Vec<u8>, Status>,
    ) -> Done {
        let Writer { conn, time, origin } = writer;
        let name = change.name().clone();
        let record = Record { timestamp: time, origin, change };
        let line = record.encode().unwrap_or_default();
        let end = self.write(env, record, noted, content)?;
        let peer = env.peer_of(conn, self.place.me);
        let from_client = self.running.as_ref().is_some_and(|it| !it.sources.contains_key(&conn));
        if origin == Origin::Peer {
            came(self, conn, time);
        }
        let early = match origin {
            Origin::Peer if !from_client => env.is(Fault::ReplicaAckBeforeSync),
            _ => env.is(Fault::AckBeforeSync),
        };
        env.note(self.place.me, || {
            format!("takes from {peer}: {}{}", line.trim_end(), if noted { " (had)" } else { "" })
        });
        self.answer_at(env, conn, end, answer(reply), early, Some(name).filter(|_| from_client));
        Ok(None)
    }
}

// Clients

fn upload(storage: &mut Storage, env: &mut Env, writer: Writer, content: &[u8], appender: bool) -> Done {
    let me = storage.place.me;
    let group = storage.place.group;
    let running = storage.running.as_mut().ok_or(Status::EAGAIN)?;
    let file = match appender {
        true => NewFile::Appender,
        false => NewFile::Normal { size: content.len() as u64 },
    };
    let naming = Naming {
        source: Source::from_addr(env.ips[me]),
        timestamp: writer.time as u32,
        file,
        crc32: crc32fast::hash(content),
        ext: &ExtName::NONE,
        path: StorePathIndex(0),
        dirs: (0, 0),
    };
    // A planted bug: two files of one content and second would then share a name; contents here differ, so it takes
    // the whole stamp from a counter that every start begins anew.
    let reused = env.is(Fault::NameReused);
    let naming = if reused {
        Naming { timestamp: running.names_given, crc32: 0, file: NewFile::Normal { size: 1 }, ..naming }
    } else {
        naming
    };
    running.names_given += 1;
    let mut names = (0..ATTEMPTS_MAX).map(|attempt| match reused {
        true => naming.name(0, [0, 0]),
        false => naming.name(attempt, [env.chance.bits(), env.chance.bits()]),
    });
    let store = &running.store;
    let free =
        |name: &FileName| reused || !(store.has(name) || store.gone.holds(name) || store.is_busy(name));
    let name = names.find(free).ok_or(Status::EBUSY)?;
    drop(names);
    env.history.named(group, &name);
    let mut body = Vec::new();
    named::Got::new(group, &name).encode(&mut body);
    let change = (Change::Create { name }, false);
    match storage.change(env, writer, change, content, Ok(body.clone())) {
        Err(Busy::Refused(Status::ENOSPC)) if env.is(Fault::FullDiskAcknowledged) => Ok(Some(body)),
        done => done,
    }
}

fn delete(storage: &mut Storage, env: &mut Env, writer: Writer, ask: &FileAsk<'_>) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    size.ok_or(Status::ENOENT)?;
    let origin = if env.is(Fault::DeleteNotLogged) { Origin::Peer } else { writer.origin };
    let change = (Change::Delete { name }, false);
    storage.change(env, Writer { origin, ..writer }, change, &[], Ok(Vec::new()))
}

fn append(
    storage: &mut Storage,
    env: &mut Env,
    writer: Writer,
    ask: &append::Ask<'_>,
    content: &[u8],
) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    let change = Change::Append { name, offset: size.ok_or(Status::ENOENT)?, len: ask.size };
    storage.change(env, writer, (change, false), content, Ok(Vec::new()))
}

fn modify(
    storage: &mut Storage,
    env: &mut Env,
    writer: Writer,
    ask: &modify::Ask<'_>,
    content: &[u8],
) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    if ask.offset > size.ok_or(Status::ENOENT)? {
        return Err(Status::EINVAL.into());
    }
    let change = Change::Modify { name, offset: ask.offset, len: ask.size };
    storage.change(env, writer, (change, false), content, Ok(Vec::new()))
}

fn truncate(storage: &mut Storage, env: &mut Env, writer: Writer, ask: &truncate::Ask<'_>) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    let change = Change::Truncate { name, old_size: size.ok_or(Status::ENOENT)?, new_size: ask.size };
    storage.change(env, writer, (change, false), &[], Ok(Vec::new()))
}

/// An appender becomes an ordinary file: its name says from now on what it holds.
fn regenerate(storage: &mut Storage, env: &mut Env, writer: Writer, old: RawName<'_>) -> Done {
    let (old, size) = storage.at_rest(old)?;
    let size = size.ok_or(Status::ENOENT)?;
    let running = storage.running.as_ref().ok_or(Status::EAGAIN)?;
    let bytes = running.store.bytes(&storage.disk, &old).unwrap_or_default();
    let naming = Naming {
        source: Source::from_addr(env.ips[storage.place.me]),
        timestamp: writer.time as u32,
        file: NewFile::Normal { size },
        crc32: crc32fast::hash(bytes),
        ext: &ExtName::NONE,
        path: StorePathIndex(0),
        dirs: (0, 0),
    };
    let stamp = naming.stamp(0, env.chance.bits());
    let name = old.regenerated(&stamp).map_err(|_| Status::EINVAL)?;
    if running.store.has(&name) || running.store.is_busy(&name) {
        return Err(Status::EBUSY.into());
    }
    env.history.named(storage.place.group, &name);
    let mut body = Vec::new();
    named::Got::new(storage.place.group, &name).encode(&mut body);
    storage.change(env, writer, (Change::Rename { name, old }, false), &[], Ok(body))
}

fn give_out(storage: &Storage, ask: &download::Ask<'_>) -> Result<Vec<u8>, Status> {
    let running = storage.running.as_ref().ok_or(Status::EAGAIN)?;
    match running.store.read(&storage.disk, &file_name(ask.name)?) {
        Content::Missing => Err(Status::ENOENT),
        Content::Damaged => Err(Status::EIO),
        Content::Whole(bytes) => Ok(bytes),
    }
}

fn tell(storage: &Storage, env: &Env, ask: &file_info::Ask<'_>) -> Result<Vec<u8>, Status> {
    let running = storage.running.as_ref().ok_or(Status::EAGAIN)?;
    let name = file_name(ask.name)?;
    let size = running.store.len_of(&name).ok_or(Status::ENOENT)?;
    let mut out = Vec::new();
    let source = IpText::from(env.ips[storage.place.me]);
    file_info::Got { size, mtime: running.store.time_of(&name), crc32: 0, source }
        .encode(AddrWidth::V4, &mut out);
    Ok(out)
}

// Members: as `handler/sync.rs` and `store/receive.rs` do it

/// SYNC_CREATE_FILE and SYNC_UPDATE_FILE, which has `update`.
fn take_copy(
    storage: &mut Storage,
    env: &mut Env,
    from: Writer,
    ask: &sync_copy::Ask<'_>,
    content: &[u8],
    update: bool,
) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    let running = storage.running.as_ref().ok_or(Status::EAGAIN)?;
    if running.store.gone.came_too_late(&name) && !env.is(Fault::LateCreateTaken) {
        return Err(Status::EEXIST.into());
    }
    let unchecked = matches!(env.fault, Some(Fault::TornTailKept | Fault::RotServed | Fault::NameReused));
    if ask.has_content && !fits(&name, content) && !unchecked {
        return Err(Status::EIO.into());
    }
    let whole = running.store.bytes(&storage.disk, &name).is_some_and(|bytes| fits(&name, bytes));
    let had = match ask.has_content {
        false if size.is_none() => return Err(Status::ENOENT.into()),
        false => true,
        true => !update && size == Some(ask.size) && (whole || unchecked),
    };
    let change = match update {
        true => Change::Update { name },
        false => Change::Create { name },
    };
    let reply = if had { Err(Status::EEXIST) } else { Ok(Vec::new()) };
    storage.change(env, from, (change, had), if had { &[] } else { content }, reply)
}

/// SYNC_APPEND_FILE, which has `at_end`, and SYNC_MODIFY_FILE.
fn take_part(
    storage: &mut Storage,
    env: &mut Env,
    from: Writer,
    ask: &sync_write::Ask<'_>,
    content: &[u8],
    at_end: bool,
) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    let size = size.ok_or(Status::ENOENT)?;
    let change = if at_end {
        let place = match env.is(Fault::AppendedAnywhere) {
            true => Appended::Here,
            false => appended(size, ask.start, ask.size),
        };
        match place {
            Appended::Here => {}
            Appended::Had => return Err(Status::EEXIST.into()),
            Appended::Unfit => return Err(Status::ENOENT.into()),
        }
        let offset = if env.is(Fault::AppendedAnywhere) { size } else { ask.start };
        Change::Append { name, offset, len: ask.size }
    } else if ask.start > size {
        return Err(Status::ENOENT.into());
    } else {
        Change::Modify { name, offset: ask.start, len: ask.size }
    };
    storage.change(env, from, (change, false), content, Ok(Vec::new()))
}

fn take_cut(storage: &mut Storage, env: &mut Env, from: Writer, ask: &sync_truncate::Ask<'_>) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    if size.ok_or(Status::ENOENT)? != ask.old_size {
        return Err(Status::EEXIST.into());
    }
    let change = Change::Truncate { name, old_size: ask.old_size, new_size: ask.new_size };
    storage.change(env, from, (change, false), &[], Ok(Vec::new()))
}

/// SYNC_DELETE_FILE: remembered also when the file has not come yet.
fn take_deletion(storage: &mut Storage, env: &mut Env, from: Writer, ask: &sync_delete::Ask<'_>) -> Done {
    let (name, size) = storage.at_rest(ask.name)?;
    let reply = if size.is_some() { Ok(Vec::new()) } else { Err(Status::ENOENT) };
    storage.change(env, from, (Change::Delete { name }, false), &[], reply)
}

/// SYNC_RENAME_FILE. What is not what the new name says comes as a whole, and what is there under it, or was, needs the
/// old one no more.
fn take_name(storage: &mut Storage, env: &mut Env, from: Writer, ask: &sync_pair::Ask<'_>) -> Done {
    let (name, taken) = storage.at_rest(ask.dest)?;
    let (old, size) = storage.at_rest(ask.source)?;
    let running = storage.running.as_ref().ok_or(Status::EAGAIN)?;
    let is_whole = running.store.bytes(&storage.disk, &old).is_some_and(|bytes| fits(&name, bytes));
    let refusal = match size {
        _ if taken.is_some() || running.store.gone.came_too_late(&name) => Status::EEXIST,
        Some(_) if is_whole => {
            return storage.change(env, from, (Change::Rename { name, old }, false), &[], Ok(Vec::new()));
        }
        _ => Status::ENOENT,
    };
    storage.change(env, from, (Change::Delete { name: old }, false), &[], Err(refusal))
}

/// FETCH_ONE_PATH_BINLOG: the files of a store path that are here, as lines.
fn list(storage: &Storage, path: StorePathIndex) -> Vec<u8> {
    let Some(running) = &storage.running else { return Vec::new() };
    let mut text = String::new();
    for record in store::lines(&storage.base.binlog.bytes).flatten() {
        let Some(name) = recovery::listed(&record, path).filter(|name| running.store.has(name)) else {
            continue;
        };
        let change = Change::Create { name: name.clone() };
        text.push_str(&Record { change, ..record }.encode().unwrap_or_default());
    }
    let len = text.len() as u64;
    let mut body = text.into_bytes();
    body.extend(fetch_binlog::trailer(len));
    body
}

/// A change of this second has come from whoever said that it replicates on this connection.
fn came(storage: &mut Storage, conn: Conn, time: i64) {
    let Some(running) = &mut storage.running else { return };
    if let Some(source) = running.sources.get(&conn) {
        let last = running.inputs.synced.entry(*source).or_default();
        *last = (time as u32).max(*last);
    }
}
