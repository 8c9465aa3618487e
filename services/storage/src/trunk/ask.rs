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
use tokio::sync::Semaphore;
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

/// Slots that are given back before it is noted again which ones are left: so many stay unused after a crash.
const RETURNS_STEP: usize = 1024;

/// What is needed to ask.
pub(super) struct Asker {
    settings: wire::Settings,
    slots: Semaphore,
    idle: Mutex<Vec<(SocketAddr, Link)>>,
    silent_until: Mutex<Option<Instant>>,
    /// To be given back.
    returns: Mutex<VecDeque<TrunkBlock>>,
    /// What of it is on disk.
    kept: Mutex<Vec<TrunkBlock>>,
}

/// Who the trunk server is.
enum Who {
    Me,
    Peer(Vec<SocketAddr>),
}

impl Asker {
    /// `returns` were to be given back when this storage was stopped.
    pub(super) fn new(mut settings: wire::Settings, returns: Vec<TrunkBlock>) -> Self {
        settings.connect_timeout = settings.connect_timeout.min(ANSWER_MAX);
        settings.network_timeout = settings.network_timeout.min(ANSWER_MAX);
        Self {
            settings,
            slots: Semaphore::new(ASKS_MAX),
            idle: Mutex::default(),
            silent_until: Mutex::default(),
            returns: Mutex::new(returns.iter().copied().collect()),
            kept: Mutex::new(returns),
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
                // Said once, not at every attempt.
                if self.silent_until.lock().replace(Instant::now() + PAUSE).is_none() {
                    tracing::warn!(%address, %command, %error, "the trunk server does not answer");
                }
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

    /// Gives back what deletions have emptied, until the trunk server does not answer. A refusal is an answer.
    ///
    /// What is left is kept on disk, and never more than that: a slot that is given back a second time may hold another
    /// file by then, which only a trunk server of ours would notice.
    pub(super) async fn give_back(&self, server: &Server) {
        self.take_freed(server);
        while let Some(known) = server.known()
            && let Some(who) = who(server)
        {
            let mut step: VecDeque<_> = {
                let mut returns = self.asker.returns.lock();
                let len = returns.len().min(RETURNS_STEP);
                returns.drain(..len).collect()
            };
            if step.is_empty() || !self.keep_returns().await {
                self.give_back_later(step);
                break;
            }
            while let Some(block) = step.front().copied()
                && self.give_back_one(server, &who, &known, &block).await
            {
                step.pop_front();
            }
            if !step.is_empty() {
                self.give_back_later(step);
                break;
            }
        }
        self.keep_returns().await;
    }

    /// Takes note of the slots that were emptied since the last time.
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

    /// For the next start.
    pub(super) async fn keep_freed(&self, server: &Server) {
        self.take_freed(server);
        self.keep_returns().await;
    }

    fn give_back_later(&self, step: VecDeque<TrunkBlock>) {
        let mut returns = self.asker.returns.lock();
        for block in step.into_iter().rev() {
            returns.push_front(block);
        }
    }

    /// Brings to disk which slots are still to be given back; false when that is not possible.
    async fn keep_returns(&self) -> bool {
        let returns: Vec<_> = self.asker.returns.lock().iter().copied().collect();
        if *self.asker.kept.lock() == returns {
            return true;
        }
        let (files, saved) = (self.files.clone(), returns.clone());
        match spawn_blocking(move || files.save_returns(&saved)).await {
            Ok(Ok(())) => {
                *self.asker.kept.lock() = returns;
                true
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot note which slots are to be given back, they wait");
                false
            }
            Err(_) => false,
        }
    }

    /// Gives a slot back; false when it has to wait.
    async fn give_back_one(&self, server: &Server, who: &Who, known: &Known, block: &TrunkBlock) -> bool {
        let answer = match who {
            Who::Me => self.free(server, block).await.err().unwrap_or(Status::OK),
            Who::Peer(addresses) => {
                let body = about(known, block);
                let command = StorageCommand::TrunkFree;
                match self.asker.remote(addresses, command, Status::OK, &body).await {
                    Some((status, _)) => status,
                    None => return false,
                }
            }
        };
        // Not trunk server yet, or any more (the original answers EINVAL then, which a slot of ours never deserves).
        let is_early = matches!(answer, Status::EINVAL | Status::EAGAIN | Status::EIO);
        !is_early || !self.returned_again(block)
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
