//! Sends what a record needs: opens the file, asks `storage-core` for the next step, carries it out.

use std::time::Duration;

use fdfs_fileid::{FileName, Kind};
use fdfs_format::binlog::{Change, Record};
use fdfs_proto::limits::NAME_LEN_MAX;
use fdfs_proto::storage::{file_info, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write};
use fdfs_proto::{GroupField, RawName, StorageCommand as C, frame};
use storage_core::replication::exchange::{self, Exchange};
use storage_core::replication::sender::{How, Travel};
use storage_core::replication::steps::{Answer, Done, Local, Next, Step, is_want_of_room};
use storage_core::stats::Counter;
use store::{StoreError, StoredFile};
use tokio::time::timeout;

use super::link::{Link, LinkError};
use crate::server::Server;

/// Content is read and sent in pieces of this size, bytes.
const PIECE: usize = 256 * 1024;

/// How long the own disk may take for one piece.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a record.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Done.
    Done(Done),
    /// It failed for a reason of its own, in words.
    Failed(String),
    /// It failed, and whether for a reason of its own is not known: the peer did not answer.
    Unanswered(String),
    /// The peer can't be reached, or takes nothing.
    Peer(String),
    /// The peer has no room.
    Full(String),
}

impl Outcome {
    /// What it means to the machine, and why, in words.
    pub(super) fn into_how(self) -> (How, String) {
        match self {
            Self::Done(done) => (How::Done(done), String::new()),
            Self::Failed(reason) => (How::Failed, reason),
            Self::Unanswered(reason) => (How::Unanswered, reason),
            Self::Peer(reason) => (How::PeerUnable, reason),
            Self::Full(reason) => (How::PeerFull, reason),
        }
    }
}

enum Failure {
    Link(LinkError),
    /// Here, about this file.
    Own(String),
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Own(format!("the file cannot be read: {error}"))
    }
}

/// Sends what a record needs.
pub(super) async fn push(server: &Server, group: GroupField, link: &mut Link, travel: &Travel) -> Outcome {
    let mut sent = 0;
    let outcome = match steps_of(server, group, link, travel, &mut sent).await {
        Ok(outcome) => outcome,
        Err(Failure::Own(reason)) => Outcome::Failed(reason),
        Err(Failure::Link(error)) if error.is_about_record() => Outcome::Unanswered(error.to_string()),
        Err(Failure::Link(error)) => Outcome::Peer(error.to_string()),
    };
    if sent > 0 {
        let taken = if matches!(outcome, Outcome::Done(_)) { sent } else { 0 };
        server.stats.add(Counter::SyncOutBytes, sent, taken);
    }
    if let Outcome::Done(done) = &outcome {
        link.peer_has = exchange::peer_has(link.peer_has, *done);
    }
    outcome
}

async fn steps_of(
    server: &Server,
    group: GroupField,
    link: &mut Link,
    travel: &Travel,
    sent: &mut u64,
) -> Result<Outcome, Failure> {
    let record = &travel.entry.record;
    let name = record.change.name();
    if name.as_str().len() > NAME_LEN_MAX {
        return Ok(Outcome::Failed("its name is longer than a message between storages allows".to_owned()));
    }
    let mut file = find(server, name).await?;
    let (mut exchange, mut next) = Exchange::begin(travel, link.peer_has, local(file.as_ref()));
    loop {
        let step = match next {
            Next::Send(step) => step,
            Next::Done(done) => return Ok(Outcome::Done(done)),
            Next::Refused(status) => return Ok(Outcome::Failed(format!("the peer refuses it: {status}"))),
            Next::PeerUnable(status) if is_want_of_room(status) => {
                return Ok(Outcome::Full(format!("the peer has no room: {status}")));
            }
            Next::PeerUnable(status) => {
                return Ok(Outcome::Peer(format!("the peer takes nothing: {status}")));
            }
            Next::Nowhere => return Ok(Outcome::Failed("the peer's answers lead nowhere".to_owned())),
        };
        let answer = carry_out(group, link, record, step, file, sent).await?;
        file = find(server, name).await?;
        next = exchange.answered(answer, local(file.as_ref()));
    }
}

async fn find(server: &Server, name: &FileName) -> Result<Option<StoredFile>, Failure> {
    match in_time(server.store.open_file(name)).await? {
        Ok(file) => Ok(Some(file)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let late = |_| Failure::Own("the own disk does not answer".to_owned());
    timeout(PATIENCE, work).await.map_err(late)
}

fn local(file: Option<&StoredFile>) -> Local {
    file.map_or(Local::Missing, |file| Local::There { size: file.len })
}

async fn carry_out(
    group: GroupField,
    link: &mut Link,
    record: &Record,
    step: Step,
    file: Option<StoredFile>,
    sent: &mut u64,
) -> Result<Answer, Failure> {
    let name = record.change.name();
    let raw = RawName::from(name);
    let timestamp = u32::try_from(record.timestamp).unwrap_or_default();
    let size = file.as_ref().map_or(0, |file| file.len);
    let mut out = Vec::new();
    let (start, len) = match step {
        Step::Copy { .. } => (0, size),
        Step::Append { start, len } | Step::Modify { start, len } => (start, len),
        _ => (0, 0),
    };
    match step {
        Step::Ask => {
            let flags = file_info::Flags { no_crc: true, silent: true };
            frame::request_head(&mut out, C::QueryFileInfo, flags.status(), 0, |out| {
                file_info::Ask { flags, group, name: raw }.encode(out);
            });
        }
        Step::Confirm | Step::Copy { .. } => {
            let has_content = step != Step::Confirm;
            let ask = sync_copy::Ask { size, has_content, timestamp, group, name: raw };
            let command = if step == (Step::Copy { update: true }) { C::SyncUpdate } else { C::SyncCreate };
            frame::request_head(&mut out, command, ask.status(), len, |out| ask.encode(out));
        }
        Step::Append { .. } | Step::Modify { .. } => {
            let command = if matches!(step, Step::Append { .. }) { C::SyncAppend } else { C::SyncModify };
            let ask = sync_write::Ask { start, size: len, timestamp, group, name: raw };
            frame::request_head(&mut out, command, 0, len, |out| ask.encode(out));
        }
        Step::Truncate { old, new } => frame::request(&mut out, C::SyncTruncate, |out| {
            sync_truncate::Ask { old_size: old, new_size: new, timestamp, group, name: raw }.encode(out);
        }),
        Step::Delete => frame::request(&mut out, C::SyncDelete, |out| {
            sync_delete::Ask { timestamp, group, name: raw }.encode(out);
        }),
        Step::Rename | Step::DeleteOld => {
            let Change::Rename { old, .. } = &record.change else {
                return Err(Failure::Own("it renames nothing".to_owned()));
            };
            let old = RawName::from(old);
            if step == Step::Rename {
                frame::request(&mut out, C::SyncRename, |out| {
                    sync_pair::Ask { timestamp, group, dest: raw, source: old }.encode(out);
                });
            } else {
                frame::request(&mut out, C::SyncDelete, |out| {
                    sync_delete::Ask { timestamp, group, name: old }.encode(out);
                });
            }
        }
    }
    let written = match &file {
        Some(file) if len > 0 => {
            let is_whole = matches!(step, Step::Copy { .. });
            content(link, out, file, start, len, is_whole.then(|| crc_of(name)).flatten(), sent).await
        }
        _ => link.write(&out).await.map_err(Failure::from),
    };
    let (status, body) = match written {
        Ok(()) => link.answer().await?,
        Err(Failure::Link(error)) => link.last_words(error).await?,
        Err(own) => {
            link.give_up();
            return Err(own);
        }
    };
    let size = match step {
        Step::Ask if status.is_ok() => Some(
            file_info::Got::decode(&body).map_err(|error| LinkError::Unanswered(error.to_string()))?.size,
        ),
        _ => None,
    };
    Ok(Answer { status, size })
}

/// The CRC-32 that the content must have, as far as the name says so.
fn crc_of(name: &FileName) -> Option<u32> {
    let is_own = name.kind() == Kind::Normal && !name.is_metadata();
    name.stamp().filter(|_| is_own).map(|stamp| stamp.crc32)
}

/// Sends a head and `len` bytes of a file from `start`. The last piece is held back until the CRC is found right: a
/// damaged copy must not spread (storage internals: holes, D21), and the peer keeps nothing of what is incomplete.
async fn content(
    link: &mut Link,
    mut out: Vec<u8>,
    file: &StoredFile,
    start: u64,
    len: u64,
    crc32: Option<u32>,
    sent: &mut u64,
) -> Result<(), Failure> {
    let mut crc = crc32fast::Hasher::new();
    let mut done = 0;
    while done < len {
        let take = PIECE.min(usize::try_from(len - done).unwrap_or(PIECE));
        let mut piece = vec![0; take];
        if !file.read_cached(&mut piece, start + done) {
            piece = in_time(file.read(start + done, take)).await??;
        }
        done += take as u64;
        if let Some(expected) = crc32 {
            crc.update(&piece);
            if done == len && crc.clone().finalize() != expected {
                return Err(Failure::Own(
                    "its content is damaged here, the CRC of its name differs".to_owned(),
                ));
            }
        }
        if out.is_empty() {
            link.write(&piece).await?;
        } else {
            out.append(&mut piece);
            link.write(&out).await?;
            out.clear();
        }
        *sent += take as u64;
    }
    Ok(())
}
