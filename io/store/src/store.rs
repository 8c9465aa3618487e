//! The store: one door for everything that reads or changes files.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fdfs_fileid::{FileName, Kind, StorePathIndex};
use fdfs_format::journal::{Change, Entry};

use crate::binlog::Binlog;
use crate::journal::{Applied, Journal, JournalSettings};
use crate::locks::NameLocks;
use crate::path::{Folders, PathSettings, StorePath, Usage};
use crate::plain::{Plain, Turn, is_link, is_regular};
use crate::recover::recover;
use crate::{Staged, StoreError};

/// Tries to find an unused name.
const NAME_TRIES: u32 = 10;

/// What is read at a time when a whole file is checked, so that no thread is held for long.
const CHECK_STEP: usize = 1 << 20;

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
    /// The store paths in the order of their indexes.
    pub paths: Vec<PathSettings>,
    /// When a change is acknowledged.
    pub durability: Durability,
    /// Largest content, bytes, that goes through the journal instead of a temporary file.
    pub inline_max: usize,
    /// Journal space of each store path, bytes.
    pub journal_len: u64,
}

/// What opening had to mend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Journal entries done again after a crash.
    pub redone: u64,
    /// Journal batches that were acknowledged once and can't be read any more: data may be missing.
    pub damaged: u64,
}

/// The name of a new file.
pub enum NewName<'a> {
    /// Any unused name; called with the number of the attempt until one is unused.
    Fresh(&'a mut (dyn FnMut(u32) -> FileName + Send)),
    /// This one, which must be unused.
    Fixed(&'a FileName),
}

/// The content of a new file, or of a change to one.
pub enum Content<'a> {
    /// All of it, no more than [`Store::inline_max`] bytes.
    Bytes(&'a [u8]),
    /// It has been staged on the disk of the file.
    Staged(Staged),
}

impl Content<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Staged(staged) => staged.len(),
        }
    }
}

/// A change of metadata: what there is now in, what shall be there out; `None` is no metadata file.
pub type Metadata<'a> = &'a mut (dyn FnMut(Option<&[u8]>) -> Option<Vec<u8>> + Send);

/// A file, open for reading: `len` bytes of `file` from `offset`.
#[derive(Debug)]
pub struct StoredFile {
    /// The descriptor, which may hold more than this file.
    pub file: File,
    /// Where the content begins in it.
    pub offset: u64,
    /// Length of the content, bytes.
    pub len: u64,
    /// Last change, unix seconds.
    pub mtime: i64,
}

/// The files of one storage.
pub struct Store {
    paths: Vec<Arc<StorePath>>,
    binlog: Arc<Binlog>,
    locks: NameLocks,
    durability: Durability,
    inline_max: usize,
}

impl Store {
    /// Opens the store, does again what a crash had left undone, and removes what it had left over. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was lost, the next attempt does the same.
    pub fn open(settings: &StoreSettings) -> Result<(Self, OpenReport), StoreError> {
        const SEGMENT_LEN: u64 = 32 << 20;
        let binlog = Arc::new(Binlog::open(&settings.binlog_dir)?);
        let folders =
            settings.paths.iter().map(|path| Folders::open(&path.root)).collect::<Result<Vec<_>, _>>()?;
        let mut report = OpenReport::default();
        for (recovered, path) in recover(&folders, &binlog)?.into_iter().zip(&folders) {
            report.redone += recovered.entries;
            report.damaged += recovered.damaged;
            if recovered.entries > 0 {
                tracing::info!(path = %path.root.display(), changes = recovered.entries, "did changes again that were under way when the storage ended");
            }
            if recovered.damaged > 0 {
                tracing::error!(path = %path.root.display(), batches = recovered.damaged, "acknowledged changes in the journal can't be read any more, run fsck");
            }
        }
        let segments = (settings.journal_len / SEGMENT_LEN).max(1);
        let mut paths = Vec::new();
        for folders in folders {
            let journal = Journal::start(
                JournalSettings {
                    dir: folders.journal_dir.clone(),
                    temp_dir: folders.temp_dir.clone(),
                    segment_len: SEGMENT_LEN.min(settings.journal_len),
                    segments_max: usize::try_from(segments).unwrap_or(usize::MAX),
                    sync: settings.durability == Durability::Disk,
                },
                Arc::clone(&binlog),
            )?;
            paths.push(Arc::new(StorePath::new(folders, journal, 1)));
        }
        let store = Self {
            paths,
            binlog,
            locks: NameLocks::new(),
            durability: settings.durability,
            inline_max: settings.inline_max,
        };
        Ok((store, report))
    }

    /// Threads that may block in the store at one time: what a runtime needs on top of its own.
    pub fn blocking_threads(&self) -> usize {
        self.paths.len() * StorePath::BLOCKING
    }

    /// The replication log.
    pub fn binlog(&self) -> &Binlog {
        &self.binlog
    }

    /// Largest content, bytes, that may be handed over as [`Content::Bytes`].
    pub fn inline_max(&self) -> usize {
        self.inline_max
    }

    /// The level in force.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// How many store paths there are.
    pub fn path_count(&self) -> usize {
        self.paths.len()
    }

    /// Space on the disk of a store path.
    ///
    /// # Errors
    /// [`StoreError::NoSuchPath`], or what the file system says.
    pub fn usage(&self, path: StorePathIndex) -> Result<Usage, StoreError> {
        Ok(self.path(path)?.usage()?)
    }

    fn path(&self, index: StorePathIndex) -> Result<&Arc<StorePath>, StoreError> {
        self.paths.get(usize::from(index.0)).ok_or(StoreError::NoSuchPath)
    }

    fn home(&self, name: &FileName) -> Result<&Arc<StorePath>, StoreError> {
        self.path(name.path_index())
    }

    /// A place for content of `size` bytes that is too large for the journal.
    ///
    /// # Errors
    /// [`StoreError`]; a full disk is `NoSpace`.
    pub async fn stage(&self, path: StorePathIndex, size: u64) -> Result<Staged, StoreError> {
        let path = self.path(path)?;
        let _worker = path.worker().await?;
        Staged::create(Arc::clone(path), size)
    }

    /// Makes a new file. `mtime` is its time, unix seconds, which is also that in its name.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when a fixed name is taken; any other leaves no file.
    pub async fn create(
        &self,
        path: StorePathIndex,
        mut name: NewName<'_>,
        content: Content<'_>,
        mtime: u32,
    ) -> Result<FileName, StoreError> {
        let home = self.path(path)?;
        self.sync_staged(&content).await?;
        for attempt in 0..NAME_TRIES {
            let candidate = match &mut name {
                NewName::Fresh(make) => make(attempt),
                NewName::Fixed(name) => (*name).clone(),
            };
            let _lock = self.locks.lock(&candidate).await;
            if home.plain().stat(candidate.true_name())?.is_some() {
                match name {
                    NewName::Fresh(_) => continue,
                    NewName::Fixed(_) => return Err(StoreError::Exists),
                }
            }
            let line = Line::new(mtime, 'C', &candidate, format_args!(""));
            let true_name = candidate.true_name().as_bytes();
            match content {
                Content::Bytes(content) => {
                    let change = Change::Create { name: true_name, content };
                    self.change(home, &[Entry { change, mtime, line: line.bytes() }], 0).await?;
                }
                Content::Staged(staged) => {
                    debug_assert!(Arc::ptr_eq(staged.path(), home));
                    crate::plain::set_mtime(staged.file(), mtime)?;
                    let change = Change::Adopt { name: true_name, temp: staged.number() };
                    self.change(home, &[Entry { change, mtime, line: line.bytes() }], 0).await?;
                    staged.committed();
                }
            }
            return Ok(candidate);
        }
        Err(StoreError::NoName)
    }

    /// Deletes a file and its metadata.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::NotRegular`] for what is neither file nor link.
    pub async fn delete(&self, name: &FileName, now: u32) -> Result<(), StoreError> {
        let home = self.home(name)?;
        let _lock = self.locks.lock(name).await;
        let plain = home.plain();
        let stat = plain.stat(name.true_name())?.ok_or(StoreError::NotFound)?;
        if !is_regular(&stat) && !is_link(&stat) {
            return Err(StoreError::NotRegular);
        }
        let metadata = name.metadata_name();
        let (line, metadata_line) =
            (Line::new(now, 'D', name, format_args!("")), Line::new(now, 'D', &metadata, format_args!("")));
        let entries = [
            Entry {
                change: Change::Delete { name: name.true_name().as_bytes() },
                mtime: 0,
                line: line.bytes(),
            },
            Entry {
                change: Change::Delete { name: metadata.true_name().as_bytes() },
                mtime: 0,
                line: metadata_line.bytes(),
            },
        ];
        let count = if plain.stat(metadata.true_name())?.is_some() { 2 } else { 1 };
        self.change(home, entries.get(..count).unwrap_or_default(), 0).await
    }

    /// Appends to an appender file and tells where the content begins.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub async fn append(&self, name: &FileName, content: Content<'_>, now: u32) -> Result<u64, StoreError> {
        self.write(name, None, content, now).await
    }

    /// Overwrites part of an appender file from `offset`, growing it when the content reaches further.
    ///
    /// # Errors
    /// [`StoreError::Offset`] when `offset` is beyond the end; the file is as it was.
    pub async fn modify(
        &self,
        name: &FileName,
        offset: u64,
        content: Content<'_>,
        now: u32,
    ) -> Result<(), StoreError> {
        self.write(name, Some(offset), content, now).await.map(|_| ())
    }

    async fn write(
        &self,
        name: &FileName,
        offset: Option<u64>,
        content: Content<'_>,
        now: u32,
    ) -> Result<u64, StoreError> {
        let home = self.home(name)?;
        self.sync_staged(&content).await?;
        let _lock = self.locks.lock(name).await;
        let size = self.appender_size(name)?;
        if offset.is_some_and(|offset| offset > size) {
            return Err(StoreError::Offset);
        }
        let op = if offset.is_some() { 'M' } else { 'A' };
        let offset = offset.unwrap_or(size);
        if content.len() == 0 {
            return Ok(offset);
        }
        let line = Line::new(now, op, name, format_args!(" {offset} {}", content.len()));
        let true_name = name.true_name().as_bytes();
        match content {
            Content::Bytes(content) => {
                let change = Change::Write { name: true_name, offset, content };
                self.change(home, &[Entry { change, mtime: now, line: line.bytes() }], 0).await?;
            }
            Content::Staged(staged) => {
                let change = Change::Splice { name: true_name, offset, temp: staged.number() };
                let entries = [Entry { change, mtime: now, line: line.bytes() }];
                let applied = self.certain(home, &entries, staged.len()).await?;
                self.done(home, &entries, &applied).await?;
                // A crash before the checkpoint does the copy again.
                if self.durability == Durability::Disk {
                    applied.remove_later(staged.temp_path());
                    staged.committed();
                }
            }
        }
        Ok(offset)
    }

    /// Gives an appender file another size; tells the old one.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub async fn truncate(&self, name: &FileName, size: u64, now: u32) -> Result<u64, StoreError> {
        let home = self.home(name)?;
        let _lock = self.locks.lock(name).await;
        let old = self.appender_size(name)?;
        if old != size {
            let line = Line::new(now, 'T', name, format_args!(" {old} {size}"));
            let change = Change::Truncate { name: name.true_name().as_bytes(), size };
            self.change(home, &[Entry { change, mtime: now, line: line.bytes() }], 0).await?;
        }
        Ok(old)
    }

    /// Gives an appender file an ordinary name. `make` is called with size and CRC-32 of the content and the
    /// number of the attempt. Metadata moves along.
    ///
    /// # Errors
    /// [`StoreError`]; the file keeps its name.
    pub async fn regenerate(
        &self,
        name: &FileName,
        now: u32,
        make: &mut (dyn FnMut(u64, u32, u32) -> Result<FileName, StoreError> + Send),
    ) -> Result<FileName, StoreError> {
        let home = self.home(name)?;
        // The new name depends on the content, so the old one is locked while it is read; nobody else can
        // know the new one.
        let _lock = self.locks.lock(name).await;
        let size = self.appender_size(name)?;
        let crc32 = self.crc32(name).await?;
        let plain = home.plain();
        let mut fresh = None;
        for attempt in 0..NAME_TRIES {
            let candidate = make(size, crc32, attempt)?;
            if plain.stat(candidate.true_name())?.is_none() {
                fresh = Some(candidate);
                break;
            }
        }
        let new = fresh.ok_or(StoreError::NoName)?;
        if self.durability == Durability::Disk {
            let _worker = home.worker().await?;
            plain.sync(name.true_name())?;
        }
        let (old_meta, new_meta) = (name.metadata_name(), new.metadata_name());
        let line = Line::new(now, 'R', &new, format_args!(" {name}"));
        let mut meta_lines = Line::new(now, 'C', &new_meta, format_args!("")).bytes().to_vec();
        meta_lines.extend_from_slice(Line::new(now, 'D', &old_meta, format_args!("")).bytes());
        let move_file = Change::Move { from: name.true_name().as_bytes(), to: new.true_name().as_bytes() };
        let move_meta =
            Change::Move { from: old_meta.true_name().as_bytes(), to: new_meta.true_name().as_bytes() };
        let entries = [
            Entry { change: move_file, mtime: 0, line: line.bytes() },
            Entry { change: move_meta, mtime: 0, line: &meta_lines },
        ];
        let count = if plain.stat(old_meta.true_name())?.is_some() { 2 } else { 1 };
        self.change(home, entries.get(..count).unwrap_or_default(), 0).await?;
        Ok(new)
    }

    /// Changes the metadata of a file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the file itself is missing; the metadata is as it was.
    pub async fn set_metadata(
        &self,
        name: &FileName,
        now: u32,
        update: Metadata<'_>,
    ) -> Result<(), StoreError> {
        let home = self.home(name)?;
        let _lock = self.locks.lock(name).await;
        let plain = home.plain();
        plain.stat(name.true_name())?.ok_or(StoreError::NotFound)?;
        let metadata = name.metadata_name();
        let old = self.read_plain(home, metadata.true_name())?;
        let new = update(old.as_deref());
        let (op, change) = match (&old, &new) {
            (None, None) => return Ok(()),
            (Some(old), Some(new)) if old == new => return Ok(()),
            (_, None) => ('D', Change::Delete { name: metadata.true_name().as_bytes() }),
            (old, Some(content)) => {
                let op = if old.is_some() { 'U' } else { 'C' };
                (op, Change::Replace { name: metadata.true_name().as_bytes(), content })
            }
        };
        let line = Line::new(now, op, &metadata, format_args!(""));
        self.change(home, &[Entry { change, mtime: 0, line: line.bytes() }], 0).await
    }

    /// The metadata of a file as stored; `None` when it has none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the file itself is missing.
    pub async fn metadata(&self, name: &FileName) -> Result<Option<Vec<u8>>, StoreError> {
        let home = self.home(name)?;
        let _worker = home.worker().await?;
        home.plain().stat(name.true_name())?.ok_or(StoreError::NotFound)?;
        self.read_plain(home, name.metadata_name().true_name())
    }

    fn read_plain(&self, home: &StorePath, true_name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        use std::io::Read;
        let mut file = match home.plain().open(true_name) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Opens a file for reading. Blocks the thread for the time of an `open`; `with_worker` around a longer
    /// read keeps a slow disk from holding all threads.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotRegular`].
    pub fn open_file(&self, name: &FileName) -> Result<StoredFile, StoreError> {
        let home = self.home(name)?;
        let file = match home.plain().open(name.true_name())? {
            Some(file) => file,
            None => self.open_linked(&home.plain().link_target(name.true_name())?)?,
        };
        let stat = rustix::fs::fstat(&file)?;
        if !is_regular(&stat) {
            return Err(StoreError::NotRegular);
        }
        Ok(StoredFile { file, offset: 0, len: stat.st_size.unsigned_abs(), mtime: stat.st_mtime })
    }

    /// Opens what a symbolic link of the original points to, if that is a file of this store.
    fn open_linked(&self, target: &Path) -> Result<File, StoreError> {
        for home in &self.paths {
            let Ok(rest) = target.strip_prefix(&home.data) else { continue };
            let name = rest.to_str().and_then(|rest| FileName::parse(rest.as_bytes()).ok());
            if let Some(name) = name {
                return home.plain().open(name.true_name())?.ok_or(StoreError::NotRegular);
            }
        }
        tracing::warn!(target = %target.display(), "link points out of the store, not followed");
        Err(StoreError::NotFound)
    }

    /// Runs a blocking read of a file's store path as one of the few that may.
    ///
    /// # Errors
    /// [`StoreError::NoSuchPath`], or what `work` says.
    pub async fn with_worker<T>(
        &self,
        name: &FileName,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _worker = self.home(name)?.worker().await?;
        work()
    }

    /// CRC-32 of the content of a file, read whole.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotRegular`], or what reading says.
    pub async fn crc32(&self, name: &FileName) -> Result<u32, StoreError> {
        let home = self.home(name)?;
        let stored = self.with_worker(name, || self.open_file(name)).await?;
        let mut crc = crc32fast::Hasher::new();
        let mut buffer = vec![0; CHECK_STEP.min(usize::try_from(stored.len).unwrap_or(CHECK_STEP)).max(1)];
        let mut at = stored.offset;
        let end = stored.offset + stored.len;
        while at < end {
            let worker = home.worker().await?;
            let room = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let n = stored.file.read_at(buffer.get_mut(..room).unwrap_or_default(), at)?;
            drop(worker);
            if n == 0 {
                break;
            }
            crc.update(buffer.get(..n).unwrap_or_default());
            at += n as u64;
            tokio::task::yield_now().await;
        }
        Ok(crc.finalize())
    }

    /// Size of an appender file, bytes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotRegular`], [`StoreError::NotAppender`].
    pub fn appender_size(&self, name: &FileName) -> Result<u64, StoreError> {
        let stat = self.home(name)?.plain().stat(name.true_name())?.ok_or(StoreError::NotFound)?;
        if !is_regular(&stat) {
            return Err(StoreError::NotRegular);
        }
        if name.kind() != Kind::Appender {
            return Err(StoreError::NotAppender);
        }
        Ok(stat.st_size.unsigned_abs())
    }

    async fn sync_staged(&self, content: &Content<'_>) -> Result<(), StoreError> {
        if let Content::Staged(staged) = content
            && self.durability == Durability::Disk
        {
            let _worker = staged.path().worker().await?;
            staged.sync()?;
        }
        Ok(())
    }

    /// Journals changes, does them, and logs them.
    async fn change(&self, home: &StorePath, entries: &[Entry<'_>], staged: u64) -> Result<(), StoreError> {
        let applied = self.certain(home, entries, staged).await?;
        self.done(home, entries, &applied).await
    }

    async fn certain(
        &self,
        home: &StorePath,
        entries: &[Entry<'_>],
        staged: u64,
    ) -> Result<Applied, StoreError> {
        if !self.binlog.accepts() {
            return Err(StoreError::BinlogStuck);
        }
        Ok(home.journal.commit(entries, staged).await?)
    }

    async fn done(
        &self,
        home: &StorePath,
        entries: &[Entry<'_>],
        _applied: &Applied,
    ) -> Result<(), StoreError> {
        let worker = home.worker().await?;
        for entry in entries {
            if let Err(error) = home.plain().apply(&entry.change, entry.mtime, Turn::First) {
                drop(worker);
                self.take_back(home, entry).await;
                return Err(error.into());
            }
            self.binlog.append(entry.line);
        }
        Ok(())
    }

    /// A change was journalled and could not be done: sees to it that a later start does not do it either.
    async fn take_back(&self, home: &StorePath, entry: &Entry<'_>) {
        let change = match entry.change {
            Change::Create { name, .. } | Change::Adopt { name, .. } => Change::Delete { name },
            Change::Write { name, offset, .. } | Change::Splice { name, offset, .. } => {
                let size = home.plain().stat(&String::from_utf8_lossy(name)).ok().flatten();
                Change::Truncate { name, size: size.map_or(offset, |stat| stat.st_size.unsigned_abs()) }
            }
            Change::Replace { .. }
            | Change::Truncate { .. }
            | Change::Delete { .. }
            | Change::Move { .. } => return,
        };
        if let Err(error) = home.journal.commit(&[Entry { change, mtime: 0, line: b"" }], 0).await {
            tracing::error!(%error, "a failed change could not be taken back in the journal");
        }
    }

    /// Makes every folder that the original expects to find in the store paths (`data/00/00` …). Ours are made
    /// when they are needed; this is for handing a store back.
    ///
    /// # Errors
    /// What the file system says.
    pub fn make_directories(&self, subdir_count: u16) -> Result<(), StoreError> {
        for path in &self.paths {
            for high in 0..subdir_count {
                for low in 0..subdir_count {
                    path.plain().make_dirs(&format!("{high:02X}/{low:02X}/"))?;
                }
            }
        }
        Ok(())
    }

    /// Ends in order: everything is done and synced, the journals are empty. Blocks. No change may be under
    /// way.
    ///
    /// # Errors
    /// What syncing says; the journals stay for the next start.
    pub fn close(&self) -> Result<(), StoreError> {
        for path in &self.paths {
            path.journal.close()?;
        }
        self.binlog.flush()?;
        if self.durability == Durability::Disk {
            self.binlog.sync()?;
        }
        Ok(())
    }
}

impl StorePath {
    /// Threads that may block on one disk: the workers and the one that leads the journal.
    const BLOCKING: usize = crate::path::WORKERS + 1;

    pub(crate) fn plain(&self) -> Plain<'_> {
        Plain { data: self.data_fd.as_fd(), temp_dir: &self.temp_dir }
    }
}

/// A binlog line on the stack of its operation (storage internals: replication log).
struct Line(String);

impl Line {
    fn new(time: u32, op: char, name: &FileName, extra: std::fmt::Arguments<'_>) -> Self {
        Self(format!("{time} {op} {name}{extra}\n"))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
