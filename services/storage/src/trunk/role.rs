//! Being the trunk server: who gets which slot, and the log of it.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use fdfs_fileid::{SizeWord, Stamp, StorePathIndex, TrunkPart};
use fdfs_format::trunk_log::{TrunkBlock, TrunkLine, TrunkOp, TrunkSnapshot};
use fdfs_proto::Status;
use fdfs_proto::tracker::parameters::Parameters;
use storage_core::trunk::{Action, Allocation, Allocator, Refused, TrunkRules};
use tokio::task::spawn_blocking;

use super::files::TrunkFiles;
use crate::answer;
use crate::server::{Server, unix_now};

/// Slots and trunk files that are looked at for one answer before it is busy.
const TRIES_MAX: usize = 64;

/// Slots that were given back while this storage has the deleted file still. What comes beyond stays unused.
const STILL_FULL_MAX: usize = 65_536;

/// Slots handed out that were not confirmed for so long, seconds, are free again unless something is in them: whoever asked
/// has gone away. An original writes before it confirms, and what it wrote has come here by then (a day is the longest
/// delay of replication that trackers reckon with unless told otherwise).
const HOLD_MAX: u64 = 86_400;

/// The role, as long as it lasts.
pub(super) struct Role {
    allocator: Allocator,
    files: TrunkFiles,
    rules: TrunkRules,
    /// Length of the log, bytes.
    pub(super) log_len: u64,
    /// Freed, but not empty on this storage's own disk: the deletion has not come here yet.
    still_full: BTreeSet<TrunkBlock>,
}

/// Why a message came to nothing.
pub(super) enum Failure {
    /// With this status; the role goes on.
    Refused(Status),
    /// The log does not say what memory says: the role ends, and is loaded anew.
    Broken(String),
}

impl From<Refused> for Failure {
    fn from(why: Refused) -> Self {
        Self::Refused(match why {
            Refused::Invalid => Status::EINVAL,
            Refused::Unknown => Status::ENOENT,
            Refused::Exists => Status::EEXIST,
            Refused::Full => Status::EAGAIN,
            Refused::NoFileId => Status::ENOSPC,
        })
    }
}

/// What the cluster agreed on about slots, if trunk files are used.
pub(super) fn rules(parameters: &Parameters, paths: usize) -> Option<TrunkRules> {
    let small = |value: u64| u32::try_from(value).ok();
    parameters.use_trunk_file.then_some(())?;
    Some(TrunkRules {
        slot_min: small(parameters.slot_min_size)?,
        slot_max: small(parameters.slot_max_size)?,
        alignment: small(parameters.trunk_alloc_alignment_size)?,
        file_len: small(parameters.trunk_file_size).filter(|len| *len > 0)?,
        merge: parameters.trunk_free_space_merge,
        paths: u16::try_from(paths).ok()?,
    })
}

/// The place of a block, as names have it.
pub(super) fn place(block: &TrunkBlock) -> (StorePathIndex, (u8, u8), TrunkPart) {
    let part = TrunkPart { file_id: block.file_id, offset: block.offset, alloc_size: block.size };
    (StorePathIndex(block.path), (block.dir_high, block.dir_low), part)
}

impl Role {
    /// Loads snapshot and log. `seen` is the number of the newest trunk file that a tracker knows.
    pub(super) async fn load(files: &TrunkFiles, rules: TrunkRules, seen: u32) -> io::Result<Self> {
        let reading = files.clone();
        let load = move || Ok::<_, io::Error>((reading.load(rules.paths)?, reading.file_id()?));
        let (replayed, own) = spawn_blocking(load).await.map_err(io::Error::other)??;
        let newest = replayed.free.iter().map(|block| block.file_id).max().unwrap_or_default();
        if replayed.bad + replayed.odd > 0 {
            tracing::warn!(
                bad = replayed.bad,
                odd = replayed.odd,
                "lines of the trunk binlog do not fit, what they speak of is not used"
            );
        }
        let file_id = newest.max(own).max(seen);
        let free_mb = replayed.free.bytes() >> 20;
        tracing::info!(blocks = replayed.free.len(), free_mb, file_id, "this storage is the trunk server");
        Ok(Self {
            allocator: Allocator::new(rules, replayed.free, file_id),
            files: files.clone(),
            rules,
            log_len: replayed.whole,
            still_full: BTreeSet::new(),
        })
    }

    /// Number of the newest trunk file.
    pub(super) fn file_id(&self) -> u32 {
        self.allocator.file_id()
    }

    /// Free space, MiB.
    pub(super) fn free_mb(&self) -> u64 {
        self.allocator.free_space().bytes() >> 20
    }

    /// ALLOC. A slot in which this storage has something is not handed out: the log did not know of it.
    pub(super) async fn alloc(
        &mut self,
        server: &Server,
        path: u8,
        size: u32,
    ) -> Result<TrunkBlock, Failure> {
        let now = u64::from(unix_now());
        for _ in 0..TRIES_MAX {
            let mut actions = Vec::new();
            match self.allocator.alloc(path, size, now, &mut actions)? {
                Allocation::Wait => self.perform(server, actions).await?,
                Allocation::Block(block) => {
                    self.perform(server, actions).await?;
                    if is_empty(server, &block).await? {
                        return Ok(block);
                    }
                    tracing::warn!(?block, "a slot that was to be free holds something, it is left alone");
                    self.allocator.confirm(&block, true, now, &mut Vec::new())?;
                }
            }
        }
        Err(Failure::Refused(Status::EBUSY))
    }

    /// CONFIRM, with what became of the write.
    pub(super) async fn confirm(
        &mut self,
        server: &Server,
        block: &TrunkBlock,
        written: Status,
    ) -> Result<(), Failure> {
        let used = written.is_ok() || written == Status::EEXIST;
        let mut actions = Vec::new();
        self.allocator.confirm(block, used, unix_now().into(), &mut actions)?;
        self.perform(server, actions).await
    }

    /// FREE. A slot in which this storage still has the file is free when that is gone.
    pub(super) async fn free(&mut self, server: &Server, block: &TrunkBlock) -> Result<(), Failure> {
        let is_possible = u16::from(block.path) < self.rules.paths
            && block.size <= self.rules.file_len
            && block.offset <= self.rules.file_len - block.size;
        if !is_possible {
            return Err(Failure::Refused(Status::EINVAL));
        }
        if is_empty(server, block).await? {
            self.still_full.remove(block);
            return self.free_now(server, block).await;
        }
        if self.still_full.len() >= STILL_FULL_MAX {
            return Err(Failure::Refused(Status::EAGAIN));
        }
        self.still_full.insert(*block);
        Ok(())
    }

    async fn free_now(&mut self, server: &Server, block: &TrunkBlock) -> Result<(), Failure> {
        let mut actions = Vec::new();
        self.allocator.free(block, unix_now().into(), &mut actions)?;
        self.perform(server, actions).await
    }

    /// What is to be done from time to time: slots whose files have gone meanwhile are free, and those that were handed out
    /// long ago and never filled.
    pub(super) async fn look_again(&mut self, server: &Server) -> Result<(), Failure> {
        self.end_holds(server, u64::from(unix_now()).saturating_sub(HOLD_MAX)).await?;
        for block in self.still_full.clone() {
            if is_empty(server, &block).await.unwrap_or(false) {
                self.still_full.remove(&block);
                if let Err(Failure::Broken(why)) = self.free_now(server, &block).await {
                    return Err(Failure::Broken(why));
                }
            }
        }
        Ok(())
    }

    /// Ends what was handed out before a time and not confirmed.
    pub(super) async fn end_holds(&mut self, server: &Server, before: u64) -> Result<(), Failure> {
        for block in self.allocator.old_holds(before) {
            let Ok(empty) = is_empty(server, &block).await else { continue };
            tracing::info!(?block, empty, "a slot was handed out and nobody said what became of it");
            let mut actions = Vec::new();
            self.allocator.confirm(&block, !empty, unix_now().into(), &mut actions)?;
            self.perform(server, actions).await?;
        }
        Ok(())
    }

    /// Does what the machine says, durably.
    async fn perform(&mut self, server: &Server, actions: Vec<Action>) -> Result<(), Failure> {
        let mut lines = String::new();
        let mut queue = VecDeque::from(actions);
        let mut tries = 0;
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Log(line) => {
                    lines.push_str(&line.to_string());
                    lines.push('\n');
                }
                Action::SaveFileId(id) => {
                    let files = self.files.clone();
                    blocking(move || files.save_file_id(id)).await?;
                }
                Action::MakeFile { path, file_id } => {
                    tries += 1;
                    let mut more = Vec::new();
                    let made = self.make_file(server, path, file_id, tries, &mut more).await;
                    queue.extend(more);
                    made?;
                }
            }
        }
        if !lines.is_empty() {
            let files = self.files.clone();
            self.log_len = blocking(move || files.append(lines.as_bytes())).await?;
        }
        Ok(())
    }

    async fn make_file(
        &mut self,
        server: &Server,
        path: u8,
        file_id: u32,
        tries: usize,
        more: &mut Vec<Action>,
    ) -> Result<(), Failure> {
        let now = unix_now();
        let known = server.known().ok_or(Failure::Refused(Status::EAGAIN))?;
        let first = Stamp {
            source: known.source,
            timestamp: now,
            size: SizeWord::trunk(file_id, rand::random()),
            crc32: rand::random(),
        };
        let dirs = server.directories.lock().choose(&first);
        match server.store.make_trunk_file(StorePathIndex(path), dirs, file_id, self.rules.file_len).await {
            Ok(true) => self.allocator.file_made(path, file_id, dirs, now.into(), more)?,
            Ok(false) if tries < TRIES_MAX => self.allocator.file_taken(path, file_id, more)?,
            Ok(false) => {
                self.allocator.file_failed(path, file_id)?;
                return Err(Failure::Refused(Status::EBUSY));
            }
            Err(error) => {
                self.allocator.file_failed(path, file_id)?;
                return Err(Failure::Refused(answer::status(&error)));
            }
        }
        Ok(())
    }

    /// Ends the role: what is free is saved, for a quick start the next time.
    pub(super) async fn resign(self) {
        let time = unix_now().into();
        let lines = self.allocator.free_space().iter();
        let lines = lines.map(|block| TrunkLine { time, op: TrunkOp::Add, block }).collect();
        let snapshot = TrunkSnapshot { binlog_offset: self.log_len, lines, bad: 0 };
        let files = self.files;
        match spawn_blocking(move || files.save(&snapshot)).await {
            Ok(Err(error)) => tracing::warn!(%error, "cannot save the free space of trunk files"),
            _ => tracing::info!("this storage is trunk server no more"),
        }
    }
}

async fn is_empty(server: &Server, block: &TrunkBlock) -> Result<bool, Failure> {
    let (path, dirs, part) = place(block);
    let looked = server.store.is_slot_free(path, dirs, part).await;
    looked.map_err(|error| Failure::Refused(answer::status(&error)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    match spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
        Err(error) => Err(Failure::Broken(error.to_string())),
    }
}
