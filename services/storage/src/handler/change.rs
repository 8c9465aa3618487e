//! Changes of files that are there: APPEND_FILE, MODIFY_FILE, TRUNCATE_FILE, REGENERATE_APPENDER_FILENAME,
//! DELETE_FILE.

use fdfs_fileid::FileName;
use fdfs_proto::storage::{append, delete, modify, named as named_body, regenerate, truncate};
use fdfs_proto::{HEADER_LEN, Header, RawName, Status, limits};
use net::{Conn, ConnError};
use storage_core::naming::{Naming, NewFile};
use storage_core::stats::Counter;
use store::StoreError;

use super::named;
use super::upload::name_len;
use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::content::{self, Taken};
use crate::relay::{self, Change};
use crate::server::Server;

/// APPEND_FILE.
pub(crate) async fn append(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    access: &mut Access,
) -> Result<Done, ConnError> {
    let (head, unread) = match head(conn, header, 16).await? {
        Ok(head) => head,
        Err(done) => return Ok(done),
    };
    let ask = match append::Ask::decode(header.body_len, &head) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, unread)),
    };
    let _here = match passed_on(server, conn, header, &head, ask.name, ask.size, access).await? {
        Change::PassedOn(done) => return Ok(done),
        Change::Here(here) => here,
    };
    let (name, taken) = match appender_content(server, conn, ask.name, ask.size, access).await? {
        Ok(taken) => taken,
        Err(done) => return Ok(written(server, Counter::AppendCount, Counter::AppendBytes, done, ask.size)),
    };
    let now = server.now();
    let result = server.store.append(name, taken.into(), now).await;
    let done = changed(server, now, result.map(|_| ()));
    Ok(written(server, Counter::AppendCount, Counter::AppendBytes, done, ask.size))
}

/// MODIFY_FILE.
pub(crate) async fn modify(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    access: &mut Access,
) -> Result<Done, ConnError> {
    let (head, unread) = match head(conn, header, 24).await? {
        Ok(head) => head,
        Err(done) => return Ok(done),
    };
    let ask = match modify::Ask::decode(header.body_len, &head) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, unread)),
    };
    let _here = match passed_on(server, conn, header, &head, ask.name, ask.size, access).await? {
        Change::PassedOn(done) => return Ok(done),
        Change::Here(here) => here,
    };
    let (name, taken) = match appender_content(server, conn, ask.name, ask.size, access).await? {
        Ok(taken) => taken,
        Err(done) => return Ok(written(server, Counter::ModifyCount, Counter::ModifyBytes, done, ask.size)),
    };
    let now = server.now();
    let result = server.store.modify(name, ask.offset, taken.into(), now).await;
    let done = changed(server, now, result);
    Ok(written(server, Counter::ModifyCount, Counter::ModifyBytes, done, ask.size))
}

/// Fixed fields and name, whose length is the first of them, of a request with content; what is left of it.
pub(super) async fn head(
    conn: &mut Conn,
    header: Header,
    fixed: usize,
) -> Result<Result<(Vec<u8>, u64), Done>, ConnError> {
    if header.body_len < fixed as u64 {
        return Ok(Err(Done::refused(Status::EINVAL, header.body_len)));
    }
    let mut head = conn.read(fixed).await?.to_vec();
    let unread = header.body_len - fixed as u64;
    let name_len = name_len(&head);
    if name_len > unread || name_len > limits::NAME_LEN_MAX as u64 {
        return Ok(Err(Done::refused(Status::EINVAL, unread)));
    }
    head.extend_from_slice(conn.read(name_len as usize).await?);
    Ok(Ok((head, unread - name_len)))
}

/// Has a change made where its file was uploaded to, if that is to be.
async fn passed_on(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    head: &[u8],
    raw: RawName<'_>,
    content: u64,
    access: &mut Access,
) -> Result<Change, ConnError> {
    // Refused where it would be changed.
    let Ok(name) = server.name(raw) else { return Ok(Change::Here(server.settle.change())) };
    let change = relay::change(server, conn, header, head, &name, content).await?;
    if matches!(change, Change::PassedOn(_)) {
        access.name(&name);
    }
    Ok(change)
}

/// Takes content for an appender file that is there.
async fn appender_content(
    server: &Server,
    conn: &mut Conn,
    raw: RawName<'_>,
    size: u64,
    access: &mut Access,
) -> Result<Result<(FileName, Taken), Done>, ConnError> {
    let name = match server.name(raw) {
        Ok(name) => name,
        Err(status) => return Ok(Err(Done::refused(status, size))),
    };
    access.name(&name);
    if let Err(error) = server.store.appender_size(&name).await {
        return Ok(Err(Done::refused(appender_status(&error), size)));
    }
    Ok(match content::take(server, conn, name.path_index(), size).await? {
        Ok(taken) => Ok((name, taken)),
        Err(refused) => Err(Done::refused(refused.status, refused.unread)),
    })
}

/// What is no regular file can't be changed: EINVAL here, where a download says EISDIR.
fn appender_status(error: &StoreError) -> Status {
    match error {
        StoreError::NotRegular => Status::EINVAL,
        other => answer::status(other),
    }
}

fn changed(server: &Server, now: u32, result: Result<(), StoreError>) -> Done {
    match result {
        Ok(()) => {
            server.changed(now);
            Done::status(Status::OK)
        }
        Err(error) => Done::status(appender_status(&error)),
    }
}

fn written(server: &Server, counter: Counter, bytes: Counter, done: Done, size: u64) -> Done {
    count(server, counter, &done);
    let success = if done.status.is_ok() { size } else { 0 };
    server.stats.add(bytes, size - done.unread.min(size), success);
    server.stats.count(Counter::FileWriteCount, done.status.is_ok());
    done
}

/// TRUNCATE_FILE.
pub(crate) async fn truncate(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    body: &[u8],
    access: &mut Access,
) -> Result<Done, ConnError> {
    let ask = match truncate::Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, 0)),
    };
    let name = match server.name(ask.name) {
        Ok(name) => name,
        Err(status) => return Ok(Done::status(status)),
    };
    access.name(&name);
    let _here = match relay::change(server, conn, header, body, &name, 0).await? {
        Change::PassedOn(done) => return Ok(done),
        Change::Here(here) => here,
    };
    let now = server.now();
    let result = server.store.truncate(name, ask.size, now).await;
    let done = changed(server, now, result.map(|_| ()));
    count(server, Counter::TruncateCount, &done);
    Ok(done)
}

/// REGENERATE_APPENDER_FILENAME.
pub(crate) async fn regenerate(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    body: &[u8],
    access: &mut Access,
) -> Result<Done, ConnError> {
    let ask = match regenerate::Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, 0)),
    };
    let name = match server.name(ask.name) {
        Ok(name) => name,
        Err(status) => return Ok(Done::status(status)),
    };
    access.name(&name);
    // Metadata is taken by every member. What came here has to be there before, as it moves along.
    if server.store.open_file(&name.metadata_name()).await.is_ok()
        && let Err(status) = relay::origin_has_all(server, &name).await
    {
        return Ok(Done::status(status));
    }
    let _here = match relay::change(server, conn, header, body, &name, 0).await? {
        Change::PassedOn(done) => return new_name(done, &name, access),
        Change::Here(here) => here,
    };
    let Some(known) = server.known() else { return Ok(Done::status(Status::EAGAIN)) };
    let now = server.now();
    let old = name.clone();
    let make = move |timestamp, size, crc32, attempt| {
        let naming = Naming {
            source: known.source,
            timestamp,
            file: NewFile::Normal { size },
            crc32,
            ext: &fdfs_fileid::ExtName::NONE,
            path: old.path_index(),
            dirs: old.dirs(),
        };
        // A name too short to be regenerated is taken, so that the store refuses it.
        old.regenerated(&naming.stamp(attempt, rand::random())).unwrap_or_else(|_| old.clone())
    };
    Ok(match server.store.regenerate(name.clone(), make).await {
        Ok(new) => {
            server.changed(now);
            access.renamed(&name, &new);
            named(known.group, &new)
        }
        Err(error) => Done::status(appender_status(&error)),
    })
}

/// What another member has answered, if it is the new name of a file or a refusal.
fn new_name(done: Done, old: &FileName, access: &mut Access) -> Result<Done, ConnError> {
    if !done.status.is_ok() {
        return Ok(done);
    }
    let body = done.answer.get(HEADER_LEN..).unwrap_or_default();
    let Some(id) = named_body::Got::decode(body).ok().and_then(|got| got.file_id().ok()) else {
        tracing::warn!(name = %old, "a file got a new name at another member, which does not say what it is");
        return Err(ConnError::Truncated);
    };
    access.renamed(old, &id.name);
    Ok(done)
}

/// DELETE_FILE.
pub(crate) async fn delete(server: &Server, body: &[u8], access: &mut Access) -> Done {
    let ask = match delete::Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return malformed(error, 0),
    };
    let name = match server.name_in(&ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Done::status(status),
    };
    access.name(&name);
    let now = server.now();
    let result = server.store.delete(name, now).await;
    let done = changed(server, now, result);
    count(server, Counter::DeleteCount, &done);
    done
}
