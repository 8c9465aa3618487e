//! A slot for a new file, and back with the slots of deleted ones: the trunk server is asked, which may be this storage.
//!
//! A slot is confirmed **before** it is written: from then on no trunk server, and no restart of one, takes it for free.
//! The original confirms afterwards, and so may hand it out twice (storage internals: holes, D15). A slot whose file could
//! then not be written is given back like that of a deleted file.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fdfs_fileid::{ExtName, FileName, SizeWord, Stamp, StorePathIndex, build_trunk_name};
use fdfs_format::SLOT_HEADER_LEN;
use fdfs_format::trunk_log::TrunkBlock;
use fdfs_proto::storage::trunk::{AskAlloc, AskSlot, Slot};
use fdfs_proto::{GroupField, Status, StorageCommand};
use parking_lot::Mutex;
use storage_core::naming::NewFile;
use store::{Content, NewName, StoreError};
use tokio::sync::{Mutex as Turn, Semaphore};
use tokio::task::spawn_blocking;

use super::link::Link;
use super::role::{place, rules};
use super::{Trunk, block_of, slot_of};
use crate::content::Taken;
use crate::handler::upload::store_new;
use crate::replication;
use crate::server::{Known, Server};
use crate::tracker_link::wire;

/// Longest wait for the trunk server while a client waits.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// For so long a trunk server that did not answer is not asked for slots.
const PAUSE: Duration = Duration::from_secs(5);

/// Slots that are asked for for one file.
const TRIES_MAX: usize = 3;

/// Uploads that ask at the same time; those beyond get ordinary files.
const ASKS_MAX: usize = 64;

/// Connections that are kept for the next questions.
const IDLE_MAX: usize = 8;

/// Slots that wait to be given back. What comes beyond stays unused.
const RETURNS_MAX: usize = 65_536;

/// What is needed to ask.
pub(super) struct Asker {
    settings: wire::Settings,
    slots: Semaphore,
    idle: Mutex<Vec<(SocketAddr, Link)>>,
    silent_until: Mutex<Option<Instant>>,
    /// To be given back.
    returns: Mutex<VecDeque<TrunkBlock>>,
    /// Those of them that are on disk.
    saved: Turn<Vec<TrunkBlock>>,
}

/// Who the trunk server is.
enum Who {
    Me,
    Peer(Vec<SocketAddr>),
}

impl Asker {
    pub(super) fn new(mut settings: wire::Settings) -> Self {
        settings.connect_timeout = settings.connect_timeout.min(ANSWER_MAX);
        settings.network_timeout = settings.network_timeout.min(ANSWER_MAX);
        Self {
            settings,
            slots: Semaphore::new(ASKS_MAX),
            idle: Mutex::default(),
            silent_until: Mutex::default(),
            returns: Mutex::default(),
            saved: Turn::default(),
        }
    }

    fn is_silent(&self) -> bool {
        self.silent_until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Asks a trunk server elsewhere; `None` when no answer came.
    async fn remote(
        &self,
        addresses: &[SocketAddr],
        command: StorageCommand,
        status: Status,
        body: &[u8],
    ) -> Option<(Status, Vec<u8>)> {
        let address = *addresses.first()?;
        let kept = {
            let mut idle = self.idle.lock();
            idle.retain(|(of, link)| *of == address && link.is_usable());
            idle.pop()
        };
        let opened = match kept {
            Some((_, link)) => Ok(link),
            None => Link::open(addresses, &self.settings).await,
        };
        let asked = match opened {
            Ok(mut link) => link.ask(command, status, body).await.map(|answer| (link, answer)),
            Err(error) => Err(error),
        };
        match asked {
            Ok((link, answer)) => {
                *self.silent_until.lock() = None;
                let mut idle = self.idle.lock();
                // The original closes after this one.
                if answer.0 != Status::EINVAL && idle.len() < IDLE_MAX {
                    idle.push((address, link));
                }
                Some(answer)
            }
            Err(error) => {
                tracing::warn!(%address, %command, %error, "the trunk server does not answer");
                *self.silent_until.lock() = Some(Instant::now() + PAUSE);
                None
            }
        }
    }

    fn give_back(&self, block: TrunkBlock) {
        let mut returns = self.returns.lock();
        if returns.len() < RETURNS_MAX {
            returns.push_back(block);
        } else {
            tracing::warn!(?block, "too many slots wait to be given back, this one stays unused");
        }
    }
}

/// The trunk server; `None` while the group has none.
fn who(server: &Server) -> Option<Who> {
    let view = server.cluster.borrow().clone();
    let id = view.trunk_server?;
    if view.identity.as_ref()?.id == id {
        return Some(Who::Me);
    }
    Some(Who::Peer(replication::addresses(&view, &id)))
}

impl Trunk {
    /// A slot for a file of `size` bytes on a store path, confirmed; `None` when it is to be an ordinary file.
    pub(crate) async fn slot_for(
        &self,
        server: &Server,
        known: &Known,
        path: StorePathIndex,
        size: u64,
    ) -> Option<TrunkBlock> {
        let parameters = server.cluster.borrow().parameters?;
        let rules = rules(&parameters, server.store.path_count())?;
        let wanted = u32::try_from(size.checked_add(SLOT_HEADER_LEN as u64)?).ok()?;
        if wanted > rules.slot_max {
            return None;
        }
        let who = who(server)?;
        let _slot = self.asker.slots.try_acquire().ok()?;
        if matches!(who, Who::Peer(_)) && self.asker.is_silent() {
            return None;
        }
        for _ in 0..TRIES_MAX {
            let block = self.ask_alloc(server, &who, known, path.0, wanted).await?;
            let fits = block.path == path.0
                && block.size >= wanted
                && block.offset.checked_add(block.size).is_some_and(|end| end <= rules.file_len);
            if !fits {
                tracing::warn!(?block, wanted, "the trunk server handed out a slot that can't be");
                return None;
            }
            let (_, dirs, part) = place(&block);
            let is_free = server.store.is_slot_free(path, dirs, part).await.unwrap_or(false);
            let written = if is_free { Status::OK } else { Status::EEXIST };
            let confirmed = self.ask_confirm(server, &who, known, &block, written).await?;
            if is_free && confirmed.is_ok() {
                return Some(block);
            }
            tracing::warn!(?block, is_free, %confirmed, "a slot that was handed out can't be used");
        }
        None
    }

    async fn ask_alloc(
        &self,
        server: &Server,
        who: &Who,
        known: &Known,
        path: u8,
        size: u32,
    ) -> Option<TrunkBlock> {
        match who {
            Who::Me => self.alloc(server, path, size).await.ok(),
            Who::Peer(addresses) => {
                let mut body = Vec::new();
                AskAlloc { group: GroupField::from(known.group), size, path }.encode(&mut body);
                let asked = self.asker.remote(addresses, StorageCommand::TrunkAlloc, Status::OK, &body).await;
                let (status, body) = asked?;
                if !status.is_ok() {
                    tracing::info!(%status, "the trunk server has no slot");
                    return None;
                }
                Slot::decode(&body).ok().map(|slot| block_of(&slot))
            }
        }
    }

    async fn ask_confirm(
        &self,
        server: &Server,
        who: &Who,
        known: &Known,
        block: &TrunkBlock,
        written: Status,
    ) -> Option<Status> {
        match who {
            Who::Me => Some(self.confirm(server, block, written).await.err().unwrap_or(Status::OK)),
            Who::Peer(addresses) => {
                let body = about(known, block);
                let command = StorageCommand::TrunkConfirm;
                self.asker.remote(addresses, command, written, &body).await.map(|(status, _)| status)
            }
        }
    }

    /// Puts a new file into a slot that is its own.
    ///
    /// # Errors
    /// Those of the store; then the slot is given back.
    pub(crate) async fn store_in(
        &self,
        server: &Server,
        known: &Known,
        block: TrunkBlock,
        size: u64,
        ext: &ExtName,
        taken: Taken,
    ) -> Result<FileName, StoreError> {
        let now = server.now();
        let (path, dirs, part) = place(&block);
        let stamp = Stamp {
            source: known.source,
            timestamp: now,
            // It fits into a slot.
            size: SizeWord::trunk(u32::try_from(size).unwrap_or(u32::MAX), rand::random()),
            crc32: taken.crc32(),
        };
        let name = build_trunk_name(path, dirs, &stamp, &part, ext, rand::random());
        let again = match &taken {
            Taken::Bytes(bytes) => Some(Taken::Bytes(bytes.clone())),
            Taken::Staged(_) => None,
        };
        let content: Content = taken.into();
        match server.store.create(path, NewName::Slot(name), content, now).await {
            Ok(name) => {
                server.changed(now);
                Ok(name)
            }
            // Somebody has filled it meanwhile: it is not ours to give back.
            Err(StoreError::Exists) => match again {
                Some(taken) => {
                    let file = NewFile::Normal { size };
                    store_new(server, known.source, path, file, ext, taken).await
                }
                None => Err(StoreError::Busy),
            },
            Err(error) => {
                self.asker.give_back(block);
                Err(error)
            }
        }
    }

    /// Takes up the slots that an earlier start had left to be given back.
    pub(super) async fn load_returns(&self) {
        let files = self.files.clone();
        let mut saved = self.asker.saved.lock().await;
        match spawn_blocking(move || files.returns()).await {
            Ok(Ok(slots)) => {
                slots.iter().for_each(|block| self.asker.give_back(*block));
                *saved = slots;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "slots of files that were deleted before the start stay unused");
            }
            Err(error) => tracing::error!(%error, "reading which slots are to be given back died"),
        }
    }

    /// Brings the slots that wait to be given back to disk, unless they are there: the trunk server may be away for longer
    /// than this storage runs (storage internals: holes, D15).
    pub(crate) async fn save_returns(&self, server: &Server) {
        self.take_freed(server);
        let slots = Vec::from(self.asker.returns.lock().clone());
        self.save(slots).await;
    }

    /// Whether it is done.
    async fn save(&self, slots: Vec<TrunkBlock>) -> bool {
        let mut saved = self.asker.saved.lock().await;
        if *saved == slots {
            return true;
        }
        let (files, writing) = (self.files.clone(), slots.clone());
        match spawn_blocking(move || files.save_returns(&writing)).await {
            Ok(Ok(())) => {
                *saved = slots;
                true
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot save which slots are to be given back");
                false
            }
            Err(error) => {
                tracing::error!(%error, "saving which slots are to be given back died");
                false
            }
        }
    }

    fn take_freed(&self, server: &Server) {
        let freed = server.store.take_freed_slots();
        if freed.forgotten > 0 {
            tracing::warn!(
                slots = freed.forgotten,
                "slots of deleted files stay unused, there were too many"
            );
        }
        for slot in freed.slots {
            let (dir_high, dir_low) = slot.dirs;
            let part = slot.part;
            self.asker.give_back(TrunkBlock {
                path: slot.path.0,
                dir_high,
                dir_low,
                file_id: part.file_id,
                offset: part.offset,
                size: part.alloc_size,
            });
        }
    }

    /// Gives back what deletions have emptied, until the trunk server does not answer. A refusal is an answer.
    pub(super) async fn give_back(&self, server: &Server) {
        self.take_freed(server);
        let Some(known) = server.known() else { return };
        if self.asker.returns.lock().is_empty() || self.asker.is_silent() || who(server).is_none() {
            return;
        }
        // Not on disk any more before the trunk server hears of it: given back twice, a slot might be another file's by
        // then, which has not come there yet.
        if !self.save(Vec::new()).await {
            return;
        }
        loop {
            let Some(block) = self.asker.returns.lock().front().copied() else { return };
            let Some(who) = who(server) else { return };
            let answer = match who {
                Who::Me => self.free(server, &block).await.err().unwrap_or(Status::OK),
                Who::Peer(addresses) => {
                    let body = about(&known, &block);
                    let command = StorageCommand::TrunkFree;
                    match self.asker.remote(&addresses, command, Status::OK, &body).await {
                        Some((status, _)) => status,
                        None => return,
                    }
                }
            };
            // Not trunk server yet, or any more (the original answers EINVAL then, which a slot of ours never deserves).
            if matches!(answer, Status::EINVAL | Status::EAGAIN | Status::EIO) && self.returned_again(&block)
            {
                return;
            }
            self.asker.returns.lock().pop_front();
        }
    }

    /// Whether a refused slot may be tried once more.
    fn returned_again(&self, block: &TrunkBlock) -> bool {
        let mut refused = self.refusals.lock();
        let (of, count) = &mut *refused;
        if of != &Some(*block) {
            (*of, *count) = (Some(*block), 0);
        }
        *count += 1;
        *count < super::REFUSALS_MAX
    }
}

fn about(known: &Known, block: &TrunkBlock) -> Vec<u8> {
    let mut body = Vec::new();
    AskSlot { group: GroupField::from(known.group), slot: slot_of(block) }.encode(&mut body);
    body
}
