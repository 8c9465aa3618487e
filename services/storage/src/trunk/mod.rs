//! Trunk mode: new small files in slots of trunk files, which the group's trunk server hands out, and that role itself
//! (storage internals: trunk store).
//!
//! `storage-core` decides who gets which slot, the store fills and empties slots; this module asks (`ask.rs`), answers
//! (here, and `role.rs`), keeps the trunk binlog (`files.rs`) and carries it to the other members (`push.rs`).
//!
//! Only members of the group are handed slots or believed about them: whoever could free one that holds a file would
//! have it overwritten (storage internals: holes, S5). And what is freed is used again only when it is empty on the disk of
//! the trunk server, too.

mod ask;
mod files;
mod link;
mod push;
mod role;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_format::trunk_log::{TrunkBlock, TrunkLine};
use fdfs_proto::storage::trunk::{AskAlloc, AskBinlog, AskSlot, BinlogSize, Slot};
use fdfs_proto::{GroupField, Header, Status, StorageCommand, frame};
use net::Stop;
use parking_lot::Mutex;
use storage_core::tracker_link::TrunkFigures;
use tokio::sync::{Mutex as Turn, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::connection::Done;
use crate::replication;
use crate::server::Server;
use crate::tracker_link::wire;
use ask::Asker;
use files::TrunkFiles;
use push::Peers;
use role::{Failure, Role, rules};

/// How often freed slots are given back, and the log is sent on.
const EACH: Duration = Duration::from_secs(1);

/// How long the other members are sent the rest of the log at the end.
const LAST_PUSH: Duration = Duration::from_secs(3);

/// How often a slot is given back to a trunk server that refuses it.
const REFUSALS_MAX: u32 = 30;

/// Trunk mode of one storage.
pub(crate) struct Trunk {
    files: TrunkFiles,
    wire: wire::Settings,
    asker: Asker,
    /// The role, while this storage has it. Whoever holds it may touch the log.
    role: Turn<Option<Role>>,
    /// What trackers are told, while it lasts.
    figures: watch::Sender<Option<TrunkFigures>>,
    /// The slot that was refused last, and how often.
    refusals: Mutex<(Option<TrunkBlock>, u32)>,
}

impl Trunk {
    /// Blocks.
    ///
    /// # Errors
    /// Reading which slots are to be given back.
    pub(crate) fn new(conf: &StorageConf) -> std::io::Result<Self> {
        let wire = replication::Config::new(conf).wire;
        let files = TrunkFiles { data: conf.base_path.join("data") };
        let returns = files.returns()?;
        Ok(Self {
            files,
            asker: Asker::new(wire.clone(), returns),
            wire,
            role: Turn::new(None),
            figures: watch::Sender::new(None),
            refusals: Mutex::default(),
        })
    }

    /// Answers 27 to 33.
    pub(crate) async fn answer(
        &self,
        server: &Server,
        from: IpAddr,
        command: StorageCommand,
        header: Header,
        body: &[u8],
    ) -> Done {
        let uses = server.cluster.borrow().parameters.is_some_and(|parameters| parameters.use_trunk_file);
        if !uses {
            return Done::status(Status::EINVAL);
        }
        // A tracker asks for the size, and has marks removed, from whichever address it has: the first says little, the
        // second costs sending the log once more.
        let is_for_all =
            matches!(command, StorageCommand::TrunkBinlogSize | StorageCommand::TrunkDeleteMarks);
        if !is_for_all && !is_me(server, from) && !server.admits_member(from, command) {
            return Done::status(Status::EINVAL);
        }
        match self.done(server, command, header, body).await {
            Ok(None) => Done::status(Status::OK),
            Ok(Some(answer)) => {
                let mut out = Vec::new();
                frame::reply(&mut out, |out| out.extend_from_slice(&answer));
                Done::answer(out)
            }
            Err(status) => Done::status(status),
        }
    }

    async fn done(
        &self,
        server: &Server,
        command: StorageCommand,
        header: Header,
        body: &[u8],
    ) -> Result<Option<Vec<u8>>, Status> {
        use StorageCommand as C;
        let malformed = |_| Status::EINVAL;
        let own = |group: &GroupField| match server.known() {
            Some(known) if group.is(&known.group) => Ok(()),
            _ => Err(Status::EINVAL),
        };
        match command {
            C::TrunkAlloc => {
                let ask = AskAlloc::decode(body).map_err(malformed)?;
                own(&ask.group)?;
                let block = self.alloc(server, ask.path, ask.size).await?;
                let mut answer = Vec::new();
                slot_of(&block).encode(&mut answer);
                return Ok(Some(answer));
            }
            C::TrunkConfirm => {
                let ask = AskSlot::decode(body).map_err(malformed)?;
                own(&ask.group)?;
                self.confirm(server, &block_of(&ask.slot), header.status()).await?;
            }
            C::TrunkFree => {
                let ask = AskSlot::decode(body).map_err(malformed)?;
                own(&ask.group)?;
                self.free(server, &block_of(&ask.slot)).await?;
            }
            C::TrunkSyncBinlog => {
                let lines = AskBinlog::decode(body).map_err(malformed)?.lines;
                if lines.split_inclusive(|byte| *byte == b'\n').any(|line| TrunkLine::parse(line).is_err()) {
                    return Err(Status::EINVAL);
                }
                let lines = lines.to_vec();
                self.as_copy(move |files| {
                    files.remove_marks()?;
                    files.append(&lines)
                })
                .await?;
            }
            C::TrunkTruncateBinlog => {
                self.as_copy(|files| {
                    files.remove_marks()?;
                    files.truncate()
                })
                .await?;
            }
            C::TrunkDeleteMarks => {
                self.as_copy(|files| {
                    files.remove_snapshot()?;
                    files.remove_marks()
                })
                .await?;
            }
            C::TrunkBinlogSize if body.is_empty() => {
                let files = self.files.clone();
                // The original answers ENOENT here, and its election then skips whoever has no log; a member that has
                // none yet has one of no length.
                let size = match spawn_blocking(move || files.log_len()).await {
                    Ok(Ok(size)) => size,
                    Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => 0,
                    _ => return Err(Status::EIO),
                };
                let mut answer = Vec::new();
                BinlogSize { size }.encode(&mut answer);
                return Ok(Some(answer));
            }
            _ => return Err(Status::EINVAL),
        }
        Ok(None)
    }

    async fn alloc(&self, server: &Server, path: u8, size: u32) -> Result<TrunkBlock, Status> {
        let mut turn = self.role.lock().await;
        let role = turn.as_mut().ok_or(Status::EINVAL)?;
        let done = role.alloc(server, path, size).await;
        ended(&mut turn, done)
    }

    async fn confirm(&self, server: &Server, block: &TrunkBlock, written: Status) -> Result<(), Status> {
        let mut turn = self.role.lock().await;
        let role = turn.as_mut().ok_or(Status::EINVAL)?;
        let done = role.confirm(server, block, written).await;
        ended(&mut turn, done)
    }

    async fn free(&self, server: &Server, block: &TrunkBlock) -> Result<(), Status> {
        let mut turn = self.role.lock().await;
        let role = turn.as_mut().ok_or(Status::EINVAL)?;
        let done = role.free(server, block).await;
        ended(&mut turn, done)
    }

    /// Changes the log of a storage that only has a copy of it. Marks of an earlier term as trunk server speak of
    /// another log from then on: kept, members would get the rest of this one behind the beginning of that. A tracker
    /// of the original that lost the trunk server for a while does not have them removed (32) before it names the next
    /// one.
    async fn as_copy<T: Send + 'static>(
        &self,
        change: impl FnOnce(&TrunkFiles) -> std::io::Result<T> + Send + 'static,
    ) -> Result<(), Status> {
        let turn = self.role.lock().await;
        if turn.is_some() {
            return Err(Status::EINVAL);
        }
        let files = self.files.clone();
        match spawn_blocking(move || change(&files)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot keep a copy of the trunk binlog");
                Err(Status::EIO)
            }
            Err(_) => Err(Status::EIO),
        }
    }

    /// Follows what trackers say: takes the role and lays it down.
    async fn follow(&self, server: &Server) {
        let view = server.cluster.borrow().clone();
        let rules = view.parameters.and_then(|parameters| rules(&parameters, server.store.path_count()));
        server.store.keep_slots(rules.map(|rules| rules.file_len));
        let me = view.identity.as_ref().map(|me| me.id);
        let is_mine = rules.filter(|_| me.is_some() && view.trunk_server == me);
        let has_it = self.role.lock().await.is_some();
        match is_mine {
            // Not before a tracker was asked for the newest trunk file: its number would be given out twice.
            Some(rules) if !has_it => {
                let Some(seen) = view.trunk_file_id else { return };
                let mut turn = self.role.lock().await;
                match Role::load(&self.files, rules, seen).await {
                    Ok(role) => *turn = Some(role),
                    Err(error) => tracing::error!(%error, "cannot be trunk server"),
                }
            }
            None if has_it => {
                let role = self.role.lock().await.take();
                if let Some(role) = role {
                    role.resign().await;
                }
            }
            _ => {}
        }
    }

    /// What trackers are told; `None` without the role.
    pub(crate) fn figures(&self) -> Option<TrunkFigures> {
        *self.figures.borrow()
    }

    /// Follows [`Self::figures`].
    pub(crate) fn follow_figures(&self) -> watch::Receiver<Option<TrunkFigures>> {
        self.figures.subscribe()
    }

    /// Has trackers told what has changed.
    async fn report(&self) {
        let role = self.role.lock().await;
        let figures =
            role.as_ref().map(|role| TrunkFigures { file_id: role.file_id(), free_mb: role.free_mb() });
        self.figures.send_if_modified(|told| std::mem::replace(told, figures) != figures);
    }

    /// Ends what this storage has handed out and nobody confirmed.
    #[cfg(test)]
    pub(crate) async fn end_holds(&self, server: &Server) {
        let mut turn = self.role.lock().await;
        let done = turn.as_mut().unwrap().end_holds(server, u64::MAX).await;
        ended(&mut turn, done).unwrap();
    }

    /// Looks after what the role has left for later.
    async fn look_again(&self, server: &Server) {
        let mut turn = self.role.lock().await;
        let Some(role) = turn.as_mut() else { return };
        let done = role.look_again(server).await;
        // Logged there.
        let _ = ended(&mut turn, done);
    }
}

/// Plays the part of this storage in trunk mode until `stop`.
pub(crate) async fn run(server: Arc<Server>, mut stop: Stop) {
    let trunk = &server.trunk;
    let mut cluster = server.cluster.clone();
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let work = async {
        loop {
            trunk.follow(&server).await;
            trunk.give_back(&server).await;
            trunk.look_again(&server).await;
            trunk.report().await;
            tokio::select! {
                _ = ticks.tick() => {}
                Ok(()) = cluster.changed() => {}
            }
        }
    };
    tokio::select! {
        () = stop.wait() => {}
        () = work => {}
        () = push::run(&server) => {}
    }
    trunk.keep_freed(&server).await;
    // Whoever is trunk server next should know which slots are taken.
    if timeout(LAST_PUSH, push::round(&server, &mut Peers::new())).await.is_err() {
        tracing::warn!("the other members may lack the end of the trunk binlog");
    }
}

/// What a message came to; a role that can't log what it does is over.
fn ended<T>(role: &mut Option<Role>, done: Result<T, Failure>) -> Result<T, Status> {
    done.map_err(|failure| match failure {
        Failure::Refused(status) => status,
        Failure::Broken(why) => {
            tracing::error!(why, "cannot log who gets which slot, the trunk binlog is loaded anew");
            *role = None;
            Status::EIO
        }
    })
}

/// Whether somebody comes from an address of this storage itself.
fn is_me(server: &Server, from: IpAddr) -> bool {
    let from = from.to_canonical();
    let me = server.cluster.borrow().identity.clone();
    me.is_some_and(|me| me.ips.first == from || me.ips.second == Some(from))
}

fn slot_of(block: &TrunkBlock) -> Slot {
    let TrunkBlock { path, dir_high, dir_low, file_id, offset, size } = *block;
    Slot { path, dir_high, dir_low, file_id, offset, size }
}

fn block_of(slot: &Slot) -> TrunkBlock {
    let Slot { path, dir_high, dir_low, file_id, offset, size } = *slot;
    TrunkBlock { path, dir_high, dir_low, file_id, offset, size }
}
