//! DOWNLOAD_FILE: small answers in one piece, larger ones with `sendfile`.

use std::os::unix::fs::FileExt;

use fdfs_fileid::FileName;
use fdfs_proto::storage::download::Ask;
use fdfs_proto::{HEADER_LEN, Header};
use net::{Conn, ConnError, with_scratch};
use storage_core::stats::Counter;
use store::{StoreError, StoredFile};

use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::server::Server;

/// Up to this length header and content go out together through one buffer; measured against `sendfile`,
/// which wins beyond it.
const SMALL_LEN: u64 = 64 * 1024;

pub(crate) async fn download(
    server: &Server,
    conn: &mut Conn,
    body: &[u8],
    access: &mut Access,
) -> Result<Done, ConnError> {
    let ask = match Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return Ok(malformed(error, 0)),
    };
    let name = match server.name_in(&ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Ok(Done::status(status)),
    };
    access.name(&name);
    let done = match start(server, conn, &name, &ask).await? {
        Start::Done(done) => done,
        Start::Rest(rest, len) => {
            conn.write(&rest).await?;
            Done::sent(len)
        }
        Start::Large(part) => {
            conn.write_head(&Header::reply(part.len).encode()).await?;
            send(server, conn, &name, &part).await?;
            Done::sent(HEADER_LEN as u64 + part.len)
        }
    };
    count(server, Counter::DownloadCount, &done);
    server.stats.count(Counter::FileOpenCount, done.status.is_ok());
    let content = done.sent.saturating_sub(HEADER_LEN as u64);
    server.stats.add(Counter::DownloadBytes, content, content);
    Ok(done)
}

enum Start {
    Done(Done),
    /// Answered but for these bytes, for which the socket had no room; and how many the answer has.
    Rest(Vec<u8>, u64),
    Large(StoredFile),
}

/// Opens the file and, when its part is small, answers at once.
async fn start(server: &Server, conn: &mut Conn, name: &FileName, ask: &Ask<'_>) -> Result<Start, ConnError> {
    let opened = server.store.with_worker(name, || {
        let part = part(server.store.open_file(name)?, ask)?;
        if part.len > SMALL_LEN {
            return Ok(Ok(Start::Large(part)));
        }
        with_scratch(|scratch| {
            let len = HEADER_LEN + part.len as usize;
            let message = scratch.get_mut(..len).unwrap_or_default();
            let (head, content) = message.split_at_mut(HEADER_LEN);
            part.file.read_exact_at(content, part.offset).map_err(StoreError::Io)?;
            head.copy_from_slice(&Header::reply(part.len).encode());
            Ok(conn.try_write(message).map(|n| match message.get(n..) {
                None | Some([]) => Start::Done(Done::sent(len as u64)),
                Some(rest) => Start::Rest(rest.to_vec(), len as u64),
            }))
        })
    });
    match opened.await {
        Ok(started) => started,
        Err(error) => Ok(Start::Done(Done::status(answer::status(&error)))),
    }
}

/// The part of the file that is asked for: beyond the end is a mistake of the client, too long is cut. The
/// start of an empty file is an empty part, which the original refuses (wire protocol: defects).
fn part(file: StoredFile, ask: &Ask<'_>) -> Result<StoredFile, StoreError> {
    if ask.offset > file.len || (ask.offset == file.len && file.len > 0) {
        return Err(StoreError::Offset);
    }
    let rest = file.len - ask.offset;
    let len = if ask.len == 0 { rest } else { ask.len.min(rest) };
    Ok(StoredFile { offset: file.offset + ask.offset, len, ..file })
}

async fn send(server: &Server, conn: &mut Conn, name: &FileName, part: &StoredFile) -> Result<(), ConnError> {
    let mut done = 0;
    while done < part.len {
        let step = server
            .store
            .with_worker(name, || Ok(conn.send_file(&part.file, part.offset + done, part.len - done)));
        match step.await {
            Ok(Ok(0)) => conn.writable().await?,
            Ok(Ok(n)) => done += n,
            Ok(Err(error)) => {
                tracing::warn!(%name, %error, "a download broke off");
                return Err(error);
            }
            Err(_) => return Err(ConnError::Stopping),
        }
    }
    server.stats.count(Counter::FileReadCount, true);
    Ok(())
}
