//! What a storage does when it is asked.

use fdfs_fileid::{ExtName, FileName, Source, StorePathIndex};
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::{FileAsk, Request, download, named, report_server_id, sync_copy, sync_delete};
use fdfs_proto::{Header, RawName, Status, StorageCommand};
use storage_core::naming::{ATTEMPTS_MAX, Naming, NewFile};

use super::Storage;
use super::store::{Content, crc_fits};
use crate::Fault;
use crate::wire::answer;
use crate::world::{Conn, Env};

/// Answers, or sees to it that the answer is given when it may be.
pub(super) fn serve(storage: &mut Storage, env: &mut Env, conn: Conn, header: &Header, body: &[u8]) {
    let done = StorageCommand::from_u8(header.command)
        .and_then(|command| Request::decode(command, header, body).ok())
        .ok_or(Status::EINVAL)
        .and_then(|ask| match ask {
            Request::UploadFile(ask) => {
                let content = &body[body.len() - ask.size as usize..];
                upload(storage, env, conn, content)
            }
            Request::DeleteFile(ask) => delete(storage, env, conn, &ask),
            Request::DownloadFile(ask) => give_out(storage, &ask).map(Some),
            Request::ReportServerId(report_server_id::Ask { id }) => {
                if let Some(running) = &mut storage.running {
                    running.sources.insert(conn, id);
                }
                Ok(Some(Vec::new()))
            }
            Request::SyncCreate(ask) => {
                let content = &body[body.len() - ask.content_len() as usize..];
                take_copy(storage, env, conn, &ask, content)
            }
            Request::SyncDelete(ask) => take_deletion(storage, env, conn, &ask),
            _ => Err(Status::EOPNOTSUPP),
        });
    if let Some(now) = done.transpose() {
        env.send(conn, storage.place.me, answer(now));
    }
}

type Done = Result<Option<Vec<u8>>, Status>;

fn file_name(name: RawName<'_>) -> Result<FileName, Status> {
    name.parse().map_err(|_| Status::EINVAL)
}

fn upload(storage: &mut Storage, env: &mut Env, conn: Conn, content: &[u8]) -> Done {
    let me = storage.place.me;
    let group = storage.place.group;
    let running = storage.running.as_mut().ok_or(Status::EAGAIN)?;
    let timestamp = env.wall(me);
    let naming = Naming {
        source: Source::from_addr(env.ips[me]),
        timestamp: timestamp as u32,
        file: NewFile::Normal { size: content.len() as u64 },
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
    let free = |name: &FileName| reused || !(running.store.has(name) || running.store.is_gone(name));
    let name = names.find(free).ok_or(Status::EBUSY)?;
    drop(names);
    let record = Record { timestamp, origin: Origin::Client, change: Change::Create { name: name.clone() } };
    let written = running.store.write(&mut storage.disk, record, content);
    env.history.named(group, &name);
    let mut body = Vec::new();
    named::Got::new(group, &name).encode(&mut body);
    let end = match written {
        Ok(end) => end,
        Err(_) if env.is(Fault::FullDiskAcknowledged) => return Ok(Some(body)),
        Err(_) => return Err(Status::ENOSPC),
    };
    let line = running.store.binlog.len() - 1;
    let early = env.is(Fault::AckBeforeSync);
    storage.answer_at(env, conn, end, answer(Ok(body)), early, Some(line));
    Ok(None)
}

fn delete(storage: &mut Storage, env: &mut Env, conn: Conn, ask: &FileAsk<'_>) -> Done {
    let timestamp = env.wall(storage.place.me);
    let running = storage.running.as_mut().ok_or(Status::EAGAIN)?;
    let name = file_name(ask.name)?;
    if !running.store.has(&name) {
        return Err(Status::ENOENT);
    }
    let origin = if env.is(Fault::DeleteNotLogged) { Origin::Peer } else { Origin::Client };
    let record = Record { timestamp, origin, change: Change::Delete { name } };
    let end = running.store.write(&mut storage.disk, record, &[]).map_err(|_| Status::ENOSPC)?;
    let line = running.store.binlog.len() - 1;
    let early = env.is(Fault::AckBeforeSync);
    storage.answer_at(env, conn, end, answer(Ok(Vec::new())), early, Some(line));
    Ok(None)
}

fn give_out(storage: &Storage, ask: &download::Ask<'_>) -> Result<Vec<u8>, Status> {
    let running = storage.running.as_ref().ok_or(Status::EAGAIN)?;
    match running.store.read(&storage.disk, &file_name(ask.name)?) {
        Content::Missing => Err(Status::ENOENT),
        Content::Damaged => Err(Status::EIO),
        Content::Whole(bytes) => Ok(bytes),
    }
}

/// SYNC_CREATE_FILE: what was deleted here is not taken again, since no name is given twice; the original has no
/// memory of deletions and takes it (storage internals, hole D16).
fn take_copy(
    storage: &mut Storage,
    env: &mut Env,
    conn: Conn,
    ask: &sync_copy::Ask<'_>,
    content: &[u8],
) -> Done {
    let running = storage.running.as_mut().ok_or(Status::EAGAIN)?;
    let name = file_name(ask.name)?;
    let gone = running.store.is_gone(&name) && !env.is(Fault::LateCreateTaken);
    let early = env.is(Fault::ReplicaAckBeforeSync);
    if gone || running.store.has(&name) {
        // The peer passes over it for good, so what makes it true here has to be on disk, too.
        let end = storage.disk.log.len();
        storage.answer_at(env, conn, end, answer(Err(Status::EEXIST)), early, None);
        return Ok(None);
    }
    if !crc_fits(&name, content)
        && !matches!(env.fault, Some(Fault::TornTailKept | Fault::RotServed | Fault::NameReused))
    {
        return Err(Status::EIO);
    }
    let record =
        Record { timestamp: ask.timestamp.into(), origin: Origin::Peer, change: Change::Create { name } };
    let end = running.store.write(&mut storage.disk, record, content).map_err(|_| Status::ENOSPC)?;
    came(storage, conn, ask.timestamp);
    storage.answer_at(env, conn, end, answer(Ok(Vec::new())), early, None);
    Ok(None)
}

/// SYNC_DELETE_FILE: remembered also when the file has not come yet.
fn take_deletion(storage: &mut Storage, env: &mut Env, conn: Conn, ask: &sync_delete::Ask<'_>) -> Done {
    let running = storage.running.as_mut().ok_or(Status::EAGAIN)?;
    let name = file_name(ask.name)?;
    let early = env.is(Fault::ReplicaAckBeforeSync);
    let known = running.store.is_gone(&name) && !running.store.has(&name);
    let end = match known {
        true => storage.disk.log.len(),
        false => {
            let record = Record {
                timestamp: ask.timestamp.into(),
                origin: Origin::Peer,
                change: Change::Delete { name },
            };
            running.store.write(&mut storage.disk, record, &[]).map_err(|_| Status::ENOSPC)?
        }
    };
    came(storage, conn, ask.timestamp);
    storage.answer_at(env, conn, end, answer(Ok(Vec::new())), early, None);
    Ok(None)
}

/// A change of this second has come from whoever said that it replicates on this connection.
fn came(storage: &mut Storage, conn: Conn, timestamp: u32) {
    let Some(running) = &mut storage.running else { return };
    if let Some(source) = running.sources.get(&conn) {
        let last = running.inputs.synced.entry(*source).or_default();
        *last = timestamp.max(*last);
    }
}
