//! New files: UPLOAD_FILE, UPLOAD_APPENDER_FILE, UPLOAD_SLAVE_FILE (wire protocol: storage commands for
//! clients).

use fdfs_fileid::{ExtName, FileName, Source, StorePathIndex, slave_name};
use fdfs_proto::storage::{upload, upload_slave};
use fdfs_proto::{Header, Status};
use net::{Conn, ConnError};
use storage_core::naming::{Naming, NewFile};
use storage_core::stats::Counter;
use store::{NewName, StoreError};

use super::named;
use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::content::{self, Taken};
use crate::server::{Known, Server};

/// UPLOAD_FILE and UPLOAD_APPENDER_FILE.
pub(crate) async fn upload(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    appender: bool,
    access: &mut Access,
) -> Result<Done, ConnError> {
    if header.body_len < upload::Ask::HEAD_LEN as u64 {
        return Ok(Done::refused(Status::EINVAL, header.body_len));
    }
    let unread = header.body_len - upload::Ask::HEAD_LEN as u64;
    let head = conn.read(upload::Ask::HEAD_LEN).await?;
    let ask = match upload::Ask::decode(header.body_len, head) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, unread)),
    };
    let Ok(ext) = ask.ext_name() else { return Ok(Done::refused(Status::EINVAL, unread)) };
    let Some(known) = server.known() else {
        // No tracker has said yet how this storage is called in names.
        return Ok(Done::refused(Status::EAGAIN, unread));
    };
    let path = match server.choose_path(ask.path, ask.size, &known).await {
        Ok(path) => path,
        Err(status) => return Ok(Done::refused(status, unread)),
    };
    let taken = match content::take(server, conn, path, ask.size).await? {
        Ok(taken) => taken,
        Err(refused) => {
            let done = Done::refused(refused.status, refused.unread);
            return Ok(uploaded(server, done, ask.size));
        }
    };
    let file = if appender { NewFile::Appender } else { NewFile::Normal { size: ask.size } };
    let slot = if appender { None } else { server.trunk.slot_for(server, &known, path, ask.size).await };
    let stored = match slot {
        Some(slot) => server.trunk.store_in(server, &known, slot, ask.size, &ext, taken).await,
        None => store_new(server, known.source, path, file, &ext, taken).await,
    };
    let done = match stored {
        Ok(name) => {
            access.name(&name);
            named(known.group, &name)
        }
        Err(error) => Done::status(answer::status(&error)),
    };
    Ok(uploaded(server, done, ask.size))
}

/// Names a new file and hands its content to the store.
pub(crate) async fn store_new(
    server: &Server,
    source: Source,
    path: StorePathIndex,
    file: NewFile,
    ext: &ExtName,
    taken: Taken,
) -> Result<FileName, StoreError> {
    let now = server.now();
    let crc32 = taken.crc32();
    let dirs = {
        // What the hash mode spreads by: the name as it is when the upload begins, with a random checksum.
        let first = Naming { source, timestamp: now, file, crc32: rand::random(), ext, path, dirs: (0, 0) };
        server.directories.lock().choose(&first.stamp(0, rand::random()))
    };
    let ext = *ext;
    let name = NewName::fresh(move |attempt| {
        let naming = Naming { source, timestamp: now, file, crc32, ext: &ext, path, dirs };
        naming.name(attempt, [rand::random(), rand::random()])
    });
    let name = server.store.create(path, name, taken.into(), now).await?;
    server.changed(now);
    Ok(name)
}

/// UPLOAD_SLAVE_FILE.
pub(crate) async fn upload_slave(
    server: &Server,
    conn: &mut Conn,
    header: Header,
    access: &mut Access,
) -> Result<Done, ConnError> {
    let fixed = upload_slave::Ask::FIXED_LEN;
    if header.body_len < fixed as u64 {
        return Ok(Done::refused(Status::EINVAL, header.body_len));
    }
    // The length of the name decides how long the head is, so the fixed part is looked at first.
    let mut head = conn.read(fixed).await?.to_vec();
    let unread = header.body_len - fixed as u64;
    let name_len = name_len(&head);
    if name_len > unread || name_len > fdfs_proto::limits::NAME_LEN_MAX as u64 {
        return Ok(Done::refused(Status::EINVAL, unread));
    }
    head.extend_from_slice(conn.read(name_len as usize).await?);
    let unread = unread - name_len;
    let ask = match upload_slave::Ask::decode(header.body_len, &head) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, unread)),
    };
    let Some(known) = server.known() else { return Ok(Done::refused(Status::EAGAIN, unread)) };
    let name = match slave_of(server, &known, &ask).await {
        Ok(name) => name,
        Err(status) => return Ok(Done::refused(status, unread)),
    };
    access.name(&name);
    let taken = match content::take(server, conn, name.path_index(), ask.size).await? {
        Ok(taken) => taken,
        Err(refused) => {
            let done = Done::refused(refused.status, refused.unread);
            return Ok(uploaded(server, done, ask.size));
        }
    };
    let now = server.now();
    let path = name.path_index();
    let stored = server.store.create(path, NewName::Fixed(name), taken.into(), now).await;
    let done = match stored {
        Ok(name) => {
            server.changed(now);
            named(known.group, &name)
        }
        Err(error) => Done::status(answer::status(&error)),
    };
    Ok(uploaded(server, done, ask.size))
}

/// The first field of a head that ends in a name.
pub(super) fn name_len(head: &[u8]) -> u64 {
    head.first_chunk().map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes))
}

/// The name of a slave, when its master is here, it itself is not, and there is room for it.
async fn slave_of(server: &Server, known: &Known, ask: &upload_slave::Ask<'_>) -> Result<FileName, Status> {
    let master = server.name(ask.master)?;
    let prefix = ask.slave_prefix().map_err(|_| Status::EINVAL)?;
    let ext = ask.ext_name().map_err(|_| Status::EINVAL)?;
    server.store.open_file(&master).await.map_err(|error| answer::status(&error))?;
    let name = slave_name(&master, &prefix, &ext).map_err(|_| Status::EINVAL)?;
    name.check_client().map_err(|_| Status::EINVAL)?;
    // Looked at once more when the content is here; this spares a client from sending it in vain.
    if server.store.open_file(&name).await.is_ok() {
        return Err(Status::EEXIST);
    }
    server.check_space(name.path_index(), ask.size, known).await?;
    Ok(name)
}

fn uploaded(server: &Server, done: Done, size: u64) -> Done {
    count(server, Counter::UploadCount, &done);
    let success = if done.status.is_ok() { size } else { 0 };
    server.stats.add(Counter::UploadBytes, size - done.unread.min(size), success);
    server.stats.count(Counter::FileOpenCount, done.status.is_ok());
    server.stats.count(Counter::FileWriteCount, done.status.is_ok());
    done
}
