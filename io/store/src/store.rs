//! The store: one door for everything that reads or changes files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fdfs_fileid::{FileName, Kind, StorePathIndex, TrunkPart};
use parking_lot::Mutex;

use crate::binlog::Binlog;
use crate::journal::{Journal, JournalSettings};
use crate::look::{Found, look};
use crate::memory::AsLogged;
use crate::mutation::{At, Before, Content, MetadataUpdate, Mutation, NewName, Origin, Outcome};
use crate::pack::{self, CompactSettings, Compactor, PackSettings, PackUsage, Packs};
use crate::path::{Files, StorePath};
use crate::recover::recover;
use crate::relog::write_log;
use crate::space::Usage;
use crate::trunk::{self, FreedSlots};
use crate::unpack::take_back;
use crate::writer::{Writer, WriterParts, WriterThread};
use crate::{Staged, StoreError, StoredFile};

/// Longest journal segment, bytes; there are two at least.
const SEGMENT_LEN_MAX: u64 = 32 << 20;

/// How often a file that changes all the time is looked at again before it is given up.
const LOOKS: u32 = 5;

/// What an acknowledged change survives (design: promises about data).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process: it is in the page cache.
    Fastdfs,
    /// A power cut: it was synced to disk.
    Disk,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `data/sync` of the base path, for the binlog.
    pub binlog_dir: PathBuf,
    /// The folders that hold `data/`, in the order of the store path indexes.
    pub paths: Vec<PathBuf>,
    /// When a change is acknowledged.
    pub durability: Durability,
    /// Largest content, bytes, that goes through the journal instead of a temporary file.
    pub inline_max: usize,
    /// Journal space of each store path, bytes.
    pub journal_len: u64,
    /// How small files are packed.
    pub packing: Packing,
    /// How long a change waits for others before all are synced together; zero never waits, and those that come
    /// during one sync share the next.
    pub commit_wait: Duration,
}

/// How small files are packed. What is packed already stays so, and is served, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Largest content of a new file that goes into a pack, bytes, at most [`fdfs_format::pack::CONTENT_MAX`]; `None`
    /// gives every file a file of its own.
    pub file_len_max: Option<usize>,
    /// Length at which a pack is full, bytes.
    pub pack_len: u64,
    /// Deleted part of a pack at which it is rewritten, per cent.
    pub dead_percent: u64,
    /// How fast packs are rewritten, bytes a second; 0 is as fast as it goes.
    pub rewrite_rate: u64,
}

impl Packing {
    /// Every file has a file of its own.
    pub const OFF: Self = Self { file_len_max: None, pack_len: 256 << 20, dead_percent: 50, rewrite_rate: 0 };
}

/// What opening had to mend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Journal entries done again after a crash.
    pub redone: u64,
    /// Journal batches that were acknowledged once and can't be read any more: data may be missing.
    pub damaged: u64,
}

/// The files of one storage.
pub struct Store {
    homes: Vec<Home>,
    binlog: Arc<Binlog>,
    durability: Durability,
    inline_max: usize,
    threads: Mutex<Vec<WriterThread>>,
    /// Tells the writers to close their journals when they end.
    orderly: Arc<AtomicBool>,
    newest_change: u32,
}

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Serve,
    /// The same, and the log is written anew.
    Relog,
    Unpack,
}

/// A store path and the way to its writer.
struct Home {
    path: Arc<StorePath>,
    writer: Mutex<Option<Arc<Writer>>>,
    /// Ends after the writer.
    compactor: Mutex<Option<Compactor>>,
}

impl Store {
    /// Opens the store, does again what a crash had left undone, and removes what it had left over. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was lost, the next attempt does the same.
    pub fn open(settings: &StoreSettings) -> Result<(Self, OpenReport), StoreError> {
        Self::open_as(settings, Purpose::Serve)
    }

    /// Opens the store of a storage that lost its base path: every file that is there gets a line in the log. Blocks; reads
    /// all packs.
    ///
    /// # Errors
    /// [`StoreError`]; the next attempt does the same.
    pub fn open_without_log(settings: &StoreSettings) -> Result<(Self, OpenReport), StoreError> {
        Self::open_as(settings, Purpose::Relog)
    }

    /// Opens the store to have its packed files written as files of their own.
    pub(crate) fn open_for_unpacking(settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self::open_as(settings, Purpose::Unpack)?.0)
    }

    fn open_as(settings: &StoreSettings, purpose: Purpose) -> Result<(Self, OpenReport), StoreError> {
        // The locks first: what looks torn at the end of the binlog may just be being written.
        let files: Vec<_> =
            settings.paths.iter().map(|root| Files::open(root).map(Arc::new)).collect::<Result<_, _>>()?;
        let binlog = Arc::new(Binlog::open(&settings.binlog_dir)?);
        let mut packs = Vec::new();
        for files in &files {
            packs.push(pack::load(PackSettings {
                dir: files.pack_dir.clone(),
                pack_len: settings.packing.pack_len,
                sync: settings.durability == Durability::Disk,
                disk: pack::Disk::default(),
            })?);
        }
        let mut report = OpenReport::default();
        let recovered = recover(&files, &packs, &binlog)?;
        for ((recovered, root), packs) in recovered.into_iter().zip(&settings.paths).zip(&packs) {
            report.redone += recovered.entries;
            report.damaged += recovered.damaged + packs.damaged;
            if recovered.entries > 0 {
                tracing::info!(path = %root.display(), changes = recovered.entries, "did changes again that were under way when the storage ended");
            }
            if recovered.damaged > 0 {
                tracing::error!(path = %root.display(), batches = recovered.damaged, "acknowledged changes in the journal can't be read any more, run fsck");
            }
        }
        if purpose != Purpose::Unpack {
            files.iter().zip(&packs).try_for_each(|(files, loaded)| take_back(files, &loaded.packs))?;
        }
        if purpose == Purpose::Relog {
            let new = write_log(&files, &packs, &binlog)?;
            tracing::warn!(
                ?new,
                "the log was lost and is made of the files that are here; deletions that no peer has heard of are not in it"
            );
        }
        let segment_len = SEGMENT_LEN_MAX.min(settings.journal_len / 2);
        let segments = (settings.journal_len / segment_len.max(1)).max(2);
        let orderly = Arc::new(AtomicBool::new(false));
        let mut logged = AsLogged::read(&binlog)?;
        let newest_change = logged.newest;
        let (mut homes, mut threads) = (Vec::new(), Vec::new());
        for (index, (files, loaded)) in (0..=u8::MAX).zip(files.into_iter().zip(packs)) {
            let memory = Arc::new(logged.take(StorePathIndex(index)));
            let packs = Arc::clone(&loaded.packs);
            let compacting = CompactSettings {
                dead_percent: settings.packing.dead_percent,
                rate: settings.packing.rewrite_rate,
            };
            let compactor = Compactor::start(Arc::clone(&packs), Arc::clone(&binlog), compacting)?;
            let head = loaded.finish(&binlog, compactor.work())?;
            let journal = Journal::start(
                JournalSettings {
                    dir: files.journal_dir.clone(),
                    temp_dir: files.temp_dir.clone(),
                    disks: Arc::clone(&files.disks),
                    segment_len,
                    segments_max: usize::try_from(segments).unwrap_or(usize::MAX),
                    sync: settings.durability == Durability::Disk,
                },
                Arc::clone(&binlog),
            )?;
            let (writer, thread) = Writer::start(WriterParts {
                files: Arc::clone(&files),
                packs: Arc::clone(&packs),
                head,
                pack_max: settings.packing.file_len_max,
                journal,
                binlog: Arc::clone(&binlog),
                durability: settings.durability,
                commit_wait: settings.commit_wait,
                orderly: Arc::clone(&orderly),
                memory: Arc::clone(&memory),
            })?;
            let path = Arc::new(StorePath::new(files, packs, memory, index.into())?);
            let writer = Mutex::new(Some(Arc::new(writer)));
            homes.push(Home { path, writer, compactor: Mutex::new(Some(compactor)) });
            threads.push(thread);
        }
        let inline_max = settings.inline_max.max(settings.packing.file_len_max.unwrap_or(0));
        let durability = settings.durability;
        let threads = Mutex::new(threads);
        let store = Self { homes, binlog, durability, inline_max, threads, orderly, newest_change };
        Ok((store, report))
    }

    /// The replication log.
    pub fn binlog(&self) -> &Binlog {
        &self.binlog
    }

    /// The same, for a reader that works on a thread of its own.
    pub fn shared_binlog(&self) -> Arc<Binlog> {
        Arc::clone(&self.binlog)
    }

    /// Every store path with its packs.
    pub(crate) fn packed(&self) -> impl Iterator<Item = (&Files, &Packs)> {
        self.homes.iter().map(|home| (&*home.path.files, &*home.path.packs))
    }

    /// What the packs of a store path hold.
    ///
    /// # Errors
    /// [`StoreError::NoSuchPath`].
    pub fn pack_usage(&self, path: StorePathIndex) -> Result<PackUsage, StoreError> {
        Ok(self.home(path)?.path.packs.usage())
    }

    /// Largest content, bytes, that may be handed over as [`Content::Bytes`].
    pub fn inline_max(&self) -> usize {
        self.inline_max
    }

    /// How many store paths there are.
    pub fn path_count(&self) -> usize {
        self.homes.len()
    }

    /// Space on the disk of a store path, as it was told last, without what was written since; waits for nothing.
    ///
    /// # Errors
    /// [`StoreError::NoSuchPath`].
    pub fn usage(&self, path: StorePathIndex) -> Result<Usage, StoreError> {
        Ok(self.home(path)?.path.space.usage())
    }

    /// Has all disks tell their space now; one that does not answer within a second is taken to be as it was.
    pub async fn read_usage(&self) {
        // All at once.
        self.refresh_usage();
        for home in &self.homes {
            home.path.space.read(&home.path.pool).await;
        }
    }

    /// Has all disks tell their space, for those who ask for it from now on; waits for nothing.
    pub fn refresh_usage(&self) {
        self.homes.iter().for_each(|home| home.path.space.ask(&home.path.pool));
    }

    /// Every store path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (StorePathIndex, &Arc<StorePath>)> {
        (0..=u8::MAX).map(StorePathIndex).zip(self.homes.iter().map(|home| &home.path))
    }

    /// Has every writer do something that is about no file, after everything before it. Blocks.
    pub(crate) fn tell_writers(&self, mutation: impl Fn() -> Mutation) -> Result<(), StoreError> {
        for home in &self.homes {
            let writer = home.writer.lock().clone().ok_or(StoreError::Closed)?;
            writer.ask_blocking(mutation())?;
        }
        Ok(())
    }

    fn home(&self, index: StorePathIndex) -> Result<&Home, StoreError> {
        self.homes.get(usize::from(index.0)).ok_or(StoreError::NoSuchPath)
    }

    pub(crate) fn path_of(&self, name: &FileName) -> Result<&Arc<StorePath>, StoreError> {
        Ok(&self.home(name.path_index())?.path)
    }

    pub(crate) async fn ask(&self, path: StorePathIndex, mutation: Mutation) -> Result<Outcome, StoreError> {
        let home = self.home(path)?;
        if let Some(Content::Bytes(content)) = mutation.content() {
            home.path.space.take(content.len() as u64);
        }
        let writer = home.writer.lock().clone().ok_or(StoreError::Closed)?;
        writer.ask(mutation).await
    }

    /// A place for content of `size` bytes that is too large for the journal.
    ///
    /// # Errors
    /// [`StoreError`]; a full disk is `NoSpace`.
    pub async fn stage(&self, path: StorePathIndex, size: u64) -> Result<Staged, StoreError> {
        Staged::create(Arc::clone(&self.home(path)?.path), size).await
    }

    /// Staged content must be on the right disk, and durable before a change that speaks of it.
    pub(crate) async fn ready(&self, path: StorePathIndex, content: &Content) -> Result<(), StoreError> {
        if let Content::Staged(staged) = content {
            debug_assert!(staged.is_on(&self.home(path)?.path));
            if self.durability == Durability::Disk {
                staged.sync().await?;
            }
        }
        Ok(())
    }

    /// Makes a new file and tells its name. `mtime` is its time, unix seconds, which is also that in its
    /// name. Staged content must have been staged on the same path.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when a fixed name is taken; any other leaves no file.
    pub async fn create(
        &self,
        path: StorePathIndex,
        name: NewName,
        content: Content,
        mtime: u32,
    ) -> Result<FileName, StoreError> {
        self.ready(path, &content).await?;
        let mutation = Mutation::Create { name, content, link_to: None, origin: Origin::Here(mtime) };
        match self.ask(path, mutation).await? {
            Outcome::Named(name) => Ok(name),
            _ => Err(StoreError::Closed),
        }
    }

    /// Deletes a file and its metadata.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::NotRegular`] for what is neither file nor link.
    pub async fn delete(&self, name: FileName, now: u32) -> Result<(), StoreError> {
        self.ask(name.path_index(), Mutation::Delete { name, origin: Origin::Here(now) }).await.map(|_| ())
    }

    /// Appends to an appender file and tells where the content begins.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub async fn append(&self, name: FileName, content: Content, now: u32) -> Result<u64, StoreError> {
        self.write(name, At::End, content, Origin::Here(now)).await
    }

    /// Overwrites part of an appender file from `offset`, growing it when the content reaches further.
    ///
    /// # Errors
    /// [`StoreError::Offset`] when `offset` is beyond the end; the file is as it was.
    pub async fn modify(
        &self,
        name: FileName,
        offset: u64,
        content: Content,
        now: u32,
    ) -> Result<(), StoreError> {
        self.write(name, At::Offset(offset), content, Origin::Here(now)).await.map(|_| ())
    }

    pub(crate) async fn write(
        &self,
        name: FileName,
        at: At,
        content: Content,
        origin: Origin,
    ) -> Result<u64, StoreError> {
        let path = name.path_index();
        self.ready(path, &content).await?;
        match self.ask(path, Mutation::Write { name, at, content, origin }).await? {
            Outcome::At(offset) => Ok(offset),
            _ => Err(StoreError::Closed),
        }
    }

    /// Gives an appender file another size; tells the old one.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub async fn truncate(&self, name: FileName, size: u64, now: u32) -> Result<u64, StoreError> {
        let mutation = Mutation::Truncate { name: name.clone(), size, old: None, origin: Origin::Here(now) };
        match self.ask(name.path_index(), mutation).await? {
            Outcome::At(old) => Ok(old),
            _ => Err(StoreError::Closed),
        }
    }

    /// Gives an appender file an ordinary name. `make` is called with the time of its last change (Unix seconds), size
    /// and CRC-32 of the content, and the number of the attempt, and is to give a name on the same store path. Metadata
    /// moves along. The binlog has the file's time, too: members of the original leave a file's time alone when they
    /// rename it, so any other would differ from theirs.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the content keeps changing; the file keeps its name.
    pub async fn regenerate(
        &self,
        name: FileName,
        make: impl Fn(u32, u64, u32, u32) -> FileName + Clone + Send + 'static,
    ) -> Result<FileName, StoreError> {
        let watch = self.path_of(&name)?.files.changes.watch(name.true_name().as_bytes());
        for _ in 0..LOOKS {
            let mark = watch.mark().ok_or(StoreError::Busy)?;
            let stored = self.open_file(&name).await?;
            if name.kind() != Kind::Appender {
                return Err(StoreError::NotAppender);
            }
            let (size, crc32, make) = (stored.len, stored.crc32().await?, make.clone());
            let time = u32::try_from(stored.mtime().await?).unwrap_or_default();
            let new = NewName::fresh(move |attempt| make(time, size, crc32, attempt));
            let seen = stored.seen().ok_or(StoreError::NotAppender)?;
            let origin = Origin::Here(time);
            let before = Before { seen, mark };
            let mutation = Mutation::Move { name: name.clone(), new, seen: Some(before), origin };
            match self.ask(name.path_index(), mutation).await? {
                Outcome::Named(new) => return Ok(new),
                _ => continue,
            }
        }
        Err(StoreError::Busy)
    }

    /// Changes the metadata of a file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the file itself is missing; the metadata is as it was.
    pub async fn set_metadata(
        &self,
        name: FileName,
        now: u32,
        update: MetadataUpdate,
    ) -> Result<(), StoreError> {
        let mutation = Mutation::Metadata { name: name.clone(), update, origin: Origin::Here(now) };
        self.ask(name.path_index(), mutation).await.map(|_| ())
    }

    /// The metadata of a file as stored; `None` when it has none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the file itself is missing.
    pub async fn metadata(&self, name: &FileName) -> Result<Option<Vec<u8>>, StoreError> {
        self.open_file(name).await?;
        match self.open_file(&name.metadata_name()).await {
            Ok(stored) => {
                let len = usize::try_from(stored.len).unwrap_or(usize::MAX);
                stored.read(0, len).await.map(Some)
            }
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotRegular`]; [`StoreError::SetAside`] for one whose copy here was bad.
    pub async fn open_file(&self, name: &FileName) -> Result<StoredFile, StoreError> {
        match self.open_here(name).await {
            Err(StoreError::NotFound) if self.is_set_aside(name) => Err(StoreError::SetAside),
            opened => opened,
        }
    }

    /// The same, for whoever knows of the quarantine.
    pub(crate) async fn open_here(&self, name: &FileName) -> Result<StoredFile, StoreError> {
        match self.open_name(name).await? {
            Found::File(file) => Ok(file),
            // One step, as the original makes it: nobody builds chains.
            Found::Link(target) => match self.open_name(&target).await? {
                Found::File(file) => Ok(file),
                Found::Link(_) => Err(StoreError::NotFound),
            },
        }
    }

    /// Whether a file was deleted and is not here again, as far as that is remembered: it is not asked for elsewhere.
    pub fn is_gone(&self, name: &FileName) -> bool {
        self.path_of(name).is_ok_and(|path| path.memory.is_gone(name))
    }

    /// Whether a file was deleted whose name no other one ever has: what comes of it is left out.
    pub fn comes_too_late(&self, name: &FileName) -> bool {
        self.path_of(name).is_ok_and(|path| path.memory.came_too_late(name))
    }

    /// When the newest change was made by a client of this storage before the store was opened, as far as the end of the
    /// log says, Unix seconds; 0 if there was none.
    pub fn newest_change(&self) -> u32 {
        self.newest_change
    }

    async fn open_name(&self, name: &FileName) -> Result<Found, StoreError> {
        let path = self.path_of(name)?;
        if let Some((pack, location)) = path.packs.find(name.true_name()) {
            return Ok(Found::File(StoredFile::packed(pack, location, &path.pool)));
        }
        if let Some(file) = path.files.plain().open_cached(name.true_name()) {
            return StoredFile::new(file, &path.pool).map(Found::File);
        }
        let (files, wanted) = (Arc::clone(&path.files), name.clone());
        let open = move || look(&files.plain(), Some(&files.trunk.verified), &wanted);
        let kept = path.pool.run(open).await?;
        kept.found(self.homes.iter().map(|home| &*home.path.files.data), &path.pool)
    }

    /// Has new files whose names speak of a slot of a trunk file kept there, as far as the slot is free; trunk files that
    /// are missing are made `file_len` bytes long. `None`, as at the beginning, keeps them as any other. What is in slots
    /// is served and deleted either way. The trackers tell (storage internals: cluster parameters).
    pub fn keep_slots(&self, file_len: Option<u32>) {
        self.homes.iter().for_each(|home| home.path.files.trunk.set_file_len(file_len));
    }

    /// Makes a trunk file of `len` bytes, all of it free; false when there is a file of that name already.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn make_trunk_file(
        &self,
        path: StorePathIndex,
        dirs: (u8, u8),
        file_id: u32,
        len: u32,
    ) -> Result<bool, StoreError> {
        let path = &self.home(path)?.path;
        let part = TrunkPart { file_id, offset: 0, alloc_size: len };
        let files = Arc::clone(&path.files);
        path.pool.run(move || Ok(trunk::make(&files.plain(), &trunk::Place::at(dirs, part))?)).await
    }

    /// Whether a slot of a trunk file, or what there is of it, holds nothing but zeros.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn is_slot_free(
        &self,
        path: StorePathIndex,
        dirs: (u8, u8),
        part: TrunkPart,
    ) -> Result<bool, StoreError> {
        let path = &self.home(path)?.path;
        let files = Arc::clone(&path.files);
        path.pool.run(move || Ok(trunk::is_free(&files.plain(), &trunk::Place::at(dirs, part))?)).await
    }

    /// Takes out what the trunk server is to be told: the slots that deletions by clients of this storage have emptied
    /// since the last time, or since the start.
    pub fn take_freed_slots(&self) -> FreedSlots {
        let mut freed = FreedSlots::default();
        for (index, home) in (0..=u8::MAX).map(StorePathIndex).zip(&self.homes) {
            home.path.files.trunk.freed.take(index, &mut freed);
        }
        freed
    }

    /// Size of an appender file, bytes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotRegular`], [`StoreError::NotAppender`].
    pub async fn appender_size(&self, name: &FileName) -> Result<u64, StoreError> {
        let stored = self.open_file(name).await?;
        if name.kind() == Kind::Appender { Ok(stored.len) } else { Err(StoreError::NotAppender) }
    }

    /// Makes every folder that the original expects to find in the store paths (`data/00/00` …). Ours are made
    /// when they are needed; this is for handing a store back. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn make_directories(&self, subdir_count: u16) -> Result<(), StoreError> {
        for home in &self.homes {
            for high in 0..subdir_count {
                for low in 0..subdir_count {
                    home.path.files.plain().make_dirs(&format!("{high:02X}/{low:02X}/"))?;
                }
            }
        }
        Ok(())
    }

    /// Ends in order: changes under way are done, everything is synced, the journals are empty. Blocks.
    ///
    /// # Errors
    /// What syncing says; the journals stay for the next start.
    pub fn close(&self) -> Result<(), StoreError> {
        self.orderly.store(true, Ordering::Release);
        self.end()?;
        self.binlog.flush()?;
        if self.durability == Durability::Disk {
            self.binlog.sync()?;
        }
        Ok(())
    }

    /// Ends the writers.
    fn end(&self) -> Result<(), StoreError> {
        for home in &self.homes {
            drop(home.writer.lock().take());
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        let ended = threads.into_iter().try_for_each(|thread| thread.join().map_err(StoreError::from));
        for home in &self.homes {
            drop(home.compactor.lock().take());
        }
        ended
    }
}

impl Drop for Store {
    /// Dropped without being closed, a store is left as by a crash: the next start does the rest.
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "a writer ended with an error");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use fdfs_fileid::{ExtName, SizeWord, Source, Stamp, build_name};

    use super::*;

    async fn look(store: &Store, name: &FileName) -> Option<Before> {
        let mark = store.path_of(name).unwrap().files.changes.mark(name.true_name().as_bytes())?;
        let seen = store.open_file(name).await.unwrap().seen()?;
        Some(Before { seen, mark })
    }

    #[tokio::test]
    async fn a_file_that_was_changed_since_it_was_read_is_not_renamed_though_size_and_time_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&StoreSettings {
            binlog_dir: dir.path().join("data/sync"),
            paths: vec![dir.path().to_owned()],
            durability: Durability::Disk,
            inline_max: 64 * 1024,
            journal_len: 4 << 20,
            packing: Packing::OFF,
            commit_wait: Duration::ZERO,
        })
        .unwrap();
        // A long time before: the file's time is set to that second, without a fraction.
        const NOW: u32 = 1_751_328_000;
        let name = |size, random| {
            let stamp = Stamp { source: Source::Id(100_001), timestamp: NOW, size, crc32: 7 };
            build_name(StorePathIndex(0), (0, 1), &stamp, &ExtName::NONE, random)
        };
        let (old, new) = (name(SizeWord::appender(1), 1), name(SizeWord::normal(5, 2), 2));
        let bytes = |content: &'static [u8]| Content::Bytes(content.into());
        store.create(StorePathIndex(0), NewName::Fixed(old.clone()), bytes(b"hello"), NOW).await.unwrap();
        store.modify(old.clone(), 0, bytes(b"first"), NOW).await.unwrap();
        let watch = store.homes[0].path.files.changes.watch(old.true_name().as_bytes());
        let first = look(&store, &old).await;
        store.modify(old.clone(), 0, bytes(b"other"), NOW).await.unwrap();
        let rename = |seen| Mutation::Move {
            name: old.clone(),
            new: NewName::Fixed(new.clone()),
            seen,
            origin: Origin::Here(NOW),
        };
        let came_to = store.ask(StorePathIndex(0), rename(first)).await.unwrap();
        assert!(matches!(came_to, Outcome::Changed), "{came_to:?}");
        let second = look(&store, &old).await;
        drop(watch);
        let came_to = store.ask(StorePathIndex(0), rename(second)).await.unwrap();
        assert!(matches!(came_to, Outcome::Changed), "whoever looked is gone: {came_to:?}");
        let _watch = store.homes[0].path.files.changes.watch(old.true_name().as_bytes());
        let third = look(&store, &old).await;
        let came_to = store.ask(StorePathIndex(0), rename(third)).await.unwrap();
        assert!(matches!(came_to, Outcome::Named(_)), "{came_to:?}");
    }
}
