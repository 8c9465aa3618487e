//! A folder into the cluster.
//!
//! One task decides: it takes what the walk finds, compares it with what earlier runs wrote into the manifest, and
//! starts uploads, so many at once. A thread of its own writes the manifest. What is in the manifest is in the
//! cluster; what was uploaded and not written down yet when a run is killed is uploaded again.

use crate::count::Counting;
use crate::error::TransferError;
use crate::journal::{Earlier, Journal, Known};
use crate::manifest::{End, Entry, EntryKind, MANIFEST_EXT, Mtime};
use crate::progress::{Outcome, Problem, Progress, Trouble};
use crate::rel_path::RelPath;
use crate::retry::{Attempts, GIVE_UP_AFTER, may_pass};
use crate::stop::Stop;
use crate::walk::{Found, What, mode, mtime, walk};
use fdfs_client::{Client, Content, InfoFlags, Kind, Side, UploadOptions, Uploaded};
use fdfs_fileid::{ExtName, FileId, GroupName};
use std::fs::Metadata;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Things found and not looked at yet; beyond that the walk waits.
const FOUND_QUEUE_LEN: usize = 1024;
/// Entries not written yet; beyond that finished uploads wait.
const JOURNAL_QUEUE_LEN: usize = 1024;
/// Files of the manifest whose presence in the cluster is tried before a run relies on it.
const SAMPLES: usize = 16;
/// Files between two announcements of how much there is.
const ANNOUNCE_EVERY: u64 = 1000;

/// How a folder is put.
#[derive(Debug, Clone)]
pub struct PutOptions {
    /// The local manifest: made if it is missing, resumed from if it is there.
    pub manifest: PathBuf,
    /// Into this group; `None` leaves the choice to the trackers, file by file.
    pub group: Option<GroupName>,
    /// Files sent at once. Default 8.
    pub jobs: usize,
    /// Attempts at one file while the cluster does not answer, with pauses that grow to 5 s. Default 8.
    pub attempts: u32,
    /// Ask the cluster for every file that the manifest has already. Otherwise only some are tried, and all as soon as
    /// one of those is missing. Default false.
    pub check: bool,
    /// Go on with the manifest although it is that of a folder of this name elsewhere: the folder was moved. Default
    /// false.
    pub moved: bool,
}

impl PutOptions {
    /// The defaults, with this manifest.
    pub fn new(manifest: impl Into<PathBuf>) -> PutOptions {
        PutOptions {
            manifest: manifest.into(),
            group: None,
            jobs: 8,
            attempts: 8,
            check: false,
            moved: false,
        }
    }
}

/// What a put did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PutReport {
    /// The id of the stored manifest. None when the put did not get to its end: put again to complete it.
    pub manifest: Option<FileId>,
    /// What the manifest lists.
    pub listed: End,
    /// Files sent.
    pub sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Files that earlier runs had sent.
    pub skipped: u64,
    /// Special files left out.
    pub left_out: u64,
    /// Things that could not be read or sent; each was told as a problem.
    pub failures: u64,
    /// It ended early because that was asked.
    pub interrupted: bool,
    /// It ended early because too many files in a row could not be sent.
    pub gave_up: bool,
}

impl PutReport {
    /// Everything that can be stored is stored.
    pub fn is_complete(&self) -> bool {
        self.manifest.is_some() && self.failures == 0
    }
}

/// Puts the folder `root` into the cluster and its manifest behind it.
///
/// Files that the local manifest has with the same size and time of modification are not sent again. Symbolic links
/// are listed with their target and not followed; special files are told and left out.
///
/// # Errors
/// [`TransferError`] when it cannot begin, or the manifest cannot be written. What concerns single files is told to
/// `progress` and counted in the report.
pub async fn put(
    client: &Client,
    root: &Path,
    options: &PutOptions,
    progress: Arc<dyn Progress>,
    stop: &Stop,
) -> Result<PutReport, TransferError> {
    let local = |error| TransferError::Local { path: root.to_owned(), error };
    let root = tokio::fs::canonicalize(root).await.map_err(local)?;
    let (journal, earlier) = open_journal(options, &root).await?;
    let leave_out = journal.own_files().map_err(|error| journal.error(error))?;
    refuse_if_emptied(&root, &leave_out, &options.manifest, &earlier).await?;
    let all_or_some = async {
        Ok::<_, TransferError>(
            options.check || samples_are_missing(client, &earlier, options.attempts).await?,
        )
    };
    let Some(check) = stop.unless_requested(all_or_some).await.transpose()? else {
        return Ok(PutReport { interrupted: true, ..PutReport::default() });
    };

    let (to_journal, entries) = mpsc::channel(JOURNAL_QUEUE_LEN);
    let writing = tokio::task::spawn_blocking(move || write_entries(journal, entries));
    let (to_planner, mut found) = mpsc::channel(FOUND_QUEUE_LEN);
    let walking = {
        let (root, leave_out) = (root.clone(), leave_out.clone());
        tokio::task::spawn_blocking(move || {
            walk(&root, &leave_out, &mut |found| match to_planner.blocking_send(found) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        })
    };
    let _counting = Counter::start(root.clone(), leave_out, Arc::clone(&progress));

    let sender = Arc::new(Sender { client: client.clone(), root, options: options.clone(), progress });
    let mut planner = Planner {
        sender,
        earlier,
        check,
        to_journal,
        running: JoinSet::new(),
        failures_in_row: 0,
        cluster_failures: 0,
        report: PutReport::default(),
    };
    planner.run(&mut found, stop).await;
    drop(found);
    let walked = walking.await?;
    let Planner { sender, earlier, to_journal, running, cluster_failures, mut report, .. } = planner;
    // Uploads that are under way are broken off; nothing of them is written down.
    drop(running);
    drop(to_journal);
    let journal = writing.await??;
    walked.map_err(|error| TransferError::Local { path: sender.root.clone(), error })?;
    if !report.interrupted && !report.gave_up && cluster_failures == 0 {
        report.manifest = finish(journal, earlier, report.listed, &sender, stop).await?;
        report.interrupted = report.manifest.is_none();
    }
    Ok(report)
}

/// Stores one file and gives its id.
///
/// # Errors
/// [`TransferError::Local`] when it cannot be read, [`TransferError::Cluster`] when the cluster did not take it after
/// so many attempts.
pub async fn put_file(
    client: &Client,
    path: &Path,
    options: &PutOptions,
    progress: Arc<dyn Progress>,
) -> Result<Uploaded, TransferError> {
    let local = |error| TransferError::Local { path: path.to_owned(), error };
    let not_regular = || local(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    let metadata = tokio::fs::metadata(path).await.map_err(local)?;
    if !metadata.is_file() {
        // Before it is opened: a named pipe would wait for somebody who writes to it.
        return Err(not_regular());
    }
    progress.total(1, metadata.len());
    let name = path.file_name().unwrap_or_default();
    let upload = UploadOptions {
        ext: Some(ExtName::from_path(&name.to_string_lossy())),
        group: options.group,
        ..UploadOptions::default()
    };
    let mut attempts = Attempts::new(options.attempts);
    loop {
        let file = tokio::fs::File::open(path).await.map_err(local)?;
        let metadata = file.metadata().await.map_err(local)?;
        if !metadata.is_file() {
            return Err(not_regular());
        }
        let mut reader = Counting::new(file, &*progress);
        match client.upload(Content::reader(&mut reader, metadata.len()), &upload).await {
            Ok(uploaded) => return Ok(uploaded),
            Err(error) => {
                reader.take_back();
                if !error.transient() || !attempts.again().await {
                    return Err(error.into());
                }
            }
        }
    }
}

async fn open_journal(options: &PutOptions, root: &Path) -> Result<(Journal, Earlier), TransferError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or_default();
    let (manifest, root, moved) = (options.manifest.clone(), root.to_owned(), options.moved);
    Ok(tokio::task::spawn_blocking(move || Journal::open(&manifest, &root, moved, now)).await??)
}

/// Refuses a folder that has nothing in it although the manifest lists files: more likely its disk is not mounted
/// than that somebody deleted everything, and the manifest would forget all ids.
async fn refuse_if_emptied(
    root: &Path,
    leave_out: &[(u64, u64)],
    manifest: &Path,
    earlier: &Earlier,
) -> Result<(), TransferError> {
    let files = earlier.file_ids().count();
    if files == 0 {
        return Ok(());
    }
    let (folder, leave_out) = (root.to_owned(), leave_out.to_owned());
    let empty = tokio::task::spawn_blocking(move || {
        let mut empty = true;
        walk(&folder, &leave_out, &mut |found| {
            empty = found.path.is_root();
            if empty { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(|error| TransferError::Local { path: folder, error })?;
        Ok::<_, TransferError>(empty)
    });
    if !empty.await?? {
        return Ok(());
    }
    Err(TransferError::EmptyFolder { folder: root.to_owned(), manifest: manifest.to_owned(), files })
}

/// Whether some of the files that earlier runs sent are not in this cluster: it may be another cluster, or somebody
/// has deleted them.
async fn samples_are_missing(
    client: &Client,
    earlier: &Earlier,
    attempts: u32,
) -> Result<bool, TransferError> {
    let step = earlier.file_ids().count().div_ceil(SAMPLES).max(1);
    for id in earlier.file_ids().step_by(step) {
        if !is_stored(client, id, attempts).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn is_stored(client: &Client, id: &FileId, attempts: u32) -> Result<bool, fdfs_client::Error> {
    let mut attempts = Attempts::new(attempts);
    loop {
        match client.file_info(id, InfoFlags { no_crc: true, silent: true }).await {
            Ok(_) => return Ok(true),
            Err(error) if error.is_not_found() && error.side() == Side::Storage => return Ok(false),
            Err(error) if may_pass(&error) && attempts.again().await => {}
            // No tracker knows the group: not this cluster.
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Writes entries as they come, until there are no more.
fn write_entries(mut journal: Journal, mut entries: mpsc::Receiver<Entry>) -> Result<Journal, TransferError> {
    while let Some(entry) = entries.blocking_recv() {
        journal.append(entry)?;
    }
    journal.sync()?;
    Ok(journal)
}

/// Ends the manifest and stores it; gives nothing when it is asked to stop before that.
async fn finish(
    journal: Journal,
    earlier: Earlier,
    listed: End,
    sender: &Sender,
    stop: &Stop,
) -> Result<Option<FileId>, TransferError> {
    if let Some(id) = journal.unchanged(&earlier, listed) {
        let asked = stop.unless_requested(is_stored(&sender.client, &id, sender.options.attempts)).await;
        match asked.transpose()? {
            Some(true) => return Ok(Some(id)),
            Some(false) => {}
            None => return Ok(None),
        }
    }
    let (mut journal, len) = tokio::task::spawn_blocking(move || {
        let mut journal = journal;
        let len = journal.finish(&earlier, listed)?;
        Ok::<_, TransferError>((journal, len))
    })
    .await??;
    let local = |error| TransferError::Local { path: journal.path().to_owned(), error };
    let options = UploadOptions {
        ext: ExtName::parse(MANIFEST_EXT.as_bytes()).ok(),
        group: sender.options.group,
        ..UploadOptions::default()
    };
    let upload = async {
        let mut attempts = Attempts::new(sender.options.attempts);
        loop {
            let file = tokio::fs::File::open(journal.path()).await.map_err(local)?;
            match sender.client.upload(Content::reader(file, len), &options).await {
                Ok(uploaded) => return Ok::<_, TransferError>(uploaded),
                Err(error) if error.transient() && attempts.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    };
    let Some(uploaded) = stop.unless_requested(upload).await.transpose()? else { return Ok(None) };
    let id = uploaded.id.clone();
    tokio::task::spawn_blocking(move || journal.stored(&uploaded.id)).await??;
    Ok(Some(id))
}

/// Decides what is sent.
struct Planner {
    sender: Arc<Sender>,
    earlier: Earlier,
    /// Ask the cluster for files that the manifest has already.
    check: bool,
    to_journal: mpsc::Sender<Entry>,
    running: JoinSet<Finished>,
    failures_in_row: u32,
    /// Files that can be read but could not be sent.
    cluster_failures: u64,
    report: PutReport,
}

/// The end of the work on one file.
struct Finished {
    path: RelPath,
    outcome: Result<Stored, Trouble>,
    /// The cluster does not have what the manifest lists under this path.
    lost: bool,
}

/// A file that is in the cluster.
enum Stored {
    /// It was there, and its entry holds.
    Kept,
    /// Its content was there; something else about it has changed.
    Relisted(Entry),
    /// It was sent.
    Sent { entry: Entry, size: u64, changed: bool },
}

impl Planner {
    async fn run(&mut self, found: &mut mpsc::Receiver<Found>, stop: &Stop) {
        let jobs = self.sender.options.jobs.max(1);
        let mut walking = true;
        while walking || !self.running.is_empty() {
            tokio::select! {
                biased;
                () = stop.requested() => {
                    self.report.interrupted = true;
                    return;
                }
                Some(finished) = self.running.join_next(), if !self.running.is_empty() => match finished {
                    Ok(finished) => self.finished(finished).await,
                    Err(error) => {
                        tracing::error!(%error, "the work on a file ended in a panic");
                        self.report.failures += 1;
                        self.cluster_failures += 1;
                    }
                },
                next = found.recv(), if walking && self.running.len() < jobs => match next {
                    Some(next) => self.found(next).await,
                    None => walking = false,
                },
            }
            if self.failures_in_row >= GIVE_UP_AFTER {
                self.report.gave_up = true;
                return;
            }
            if self.to_journal.is_closed() {
                // The manifest cannot be written; its thread says why.
                return;
            }
        }
    }

    async fn found(&mut self, Found { path, what }: Found) {
        match what {
            What::Dir { mode, mtime } => {
                self.list(Entry { path, mtime, kind: EntryKind::Dir { mode } }).await
            }
            What::Symlink { mtime, target } => {
                self.list(Entry { path, mtime, kind: EntryKind::Symlink { target } }).await;
            }
            What::File { mode, mtime, size } => self.file(path, mode, mtime, size).await,
            What::Special(special) => {
                self.report.left_out += 1;
                self.tell(path, Trouble::Special(special));
            }
            What::Unreadable(error) => {
                // That it cannot be read now does not mean that it is gone.
                self.keep(&path);
                self.earlier.keep_below(&path, &mut self.report.listed);
                self.failed(path, Trouble::Unreadable(error));
            }
            What::BadName { name, error } => self.failed(path, Trouble::BadName { name, error }),
        }
    }

    /// Lists something that has no content, unless it is listed as it is.
    async fn list(&mut self, entry: Entry) {
        match self.earlier.get(&entry.path) {
            Some(known) if known.kind == entry.kind && known.mtime == entry.mtime => self.keep(&entry.path),
            _ => self.write(entry).await,
        }
    }

    async fn file(&mut self, path: RelPath, mode: u32, mtime: Mtime, size: u64) {
        let known =
            self.earlier.get(&path).filter(|known| known.mtime == mtime).and_then(|known| {
                match &known.kind {
                    EntryKind::File { size: before, crc32, id, mode } if *before == size => {
                        Some((*mode, *crc32, id.clone()))
                    }
                    _ => None,
                }
            });
        let sender = Arc::clone(&self.sender);
        let Some((mode_before, crc32, id)) = known else {
            self.running.spawn(async move { sender.send(path, size).await });
            return;
        };
        let relisted = (mode_before != mode).then(|| Entry {
            path: path.clone(),
            mtime,
            kind: EntryKind::File { mode, size, crc32, id: id.clone() },
        });
        let stored = relisted.map_or(Stored::Kept, Stored::Relisted);
        if self.check {
            self.running.spawn(async move { sender.check(path, size, id, stored).await });
        } else {
            self.finished(Finished { path, outcome: Ok(stored), lost: false }).await;
        }
    }

    async fn finished(&mut self, Finished { path, outcome, lost }: Finished) {
        let progress = Arc::clone(&self.sender.progress);
        match outcome {
            Ok(Stored::Kept) => {
                self.report.skipped += 1;
                self.keep(&path);
                progress.file_done(&path, Outcome::Skipped);
            }
            Ok(Stored::Relisted(entry)) => {
                self.report.skipped += 1;
                self.write(entry).await;
                progress.file_done(&path, Outcome::Skipped);
            }
            Ok(Stored::Sent { entry, size, changed }) => {
                self.failures_in_row = 0;
                self.report.sent += 1;
                self.report.bytes_sent += size;
                self.write(entry).await;
                if changed {
                    self.failed(path.clone(), Trouble::Changed);
                }
                progress.file_done(&path, Outcome::Done);
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Cluster(_)) {
                    self.failures_in_row += 1;
                    self.cluster_failures += 1;
                } else if !lost && self.earlier.get(&path).is_some_and(Known::is_file) {
                    // What was stored before is better than nothing.
                    self.keep(&path);
                }
                self.failed(path.clone(), trouble);
                progress.file_done(&path, Outcome::Failed);
            }
        }
    }

    /// What earlier runs wrote about the path stays.
    fn keep(&mut self, path: &RelPath) {
        if let Some(known) = self.earlier.get(path) {
            self.report.listed.count(&known.kind);
        }
        self.earlier.keep(path);
    }

    async fn write(&mut self, entry: Entry) {
        self.report.listed.count(&entry.kind);
        // When its thread has ended, the manifest cannot be written; `run` notices.
        let _ = self.to_journal.send(entry).await;
    }

    fn failed(&mut self, path: RelPath, trouble: Trouble) {
        self.report.failures += 1;
        self.tell(path, trouble);
    }

    fn tell(&self, path: RelPath, trouble: Trouble) {
        self.sender.progress.problem(&Problem { path, trouble });
    }
}

/// Sends files.
struct Sender {
    client: Client,
    root: PathBuf,
    options: PutOptions,
    progress: Arc<dyn Progress>,
}

impl Sender {
    /// Sends a file, unless the cluster has it under the id of the manifest.
    async fn check(&self, path: RelPath, size: u64, id: FileId, stored: Stored) -> Finished {
        match is_stored(&self.client, &id, self.options.attempts).await {
            Ok(true) => Finished { path, outcome: Ok(stored), lost: false },
            Ok(false) => Finished { lost: true, ..self.send(path, size).await },
            Err(error) => Finished { path, outcome: Err(error.into()), lost: false },
        }
    }

    async fn send(&self, path: RelPath, size: u64) -> Finished {
        self.progress.file_started(&path, size);
        let outcome = self.try_to_send(&path).await;
        Finished { path, outcome, lost: false }
    }

    async fn try_to_send(&self, path: &RelPath) -> Result<Stored, Trouble> {
        let mut attempts = Attempts::new(self.options.attempts);
        loop {
            let (file, before) = self.open(path).await.map_err(Trouble::Unreadable)?;
            let size = before.len();
            let mut reader = Counting::new(file, &*self.progress);
            let content = Content::reader(&mut reader, size);
            match self.client.upload(content, &self.upload_options(path)).await {
                Ok(uploaded) => {
                    let after = reader.inner.metadata().await.map_err(Trouble::Unreadable)?;
                    let changed = after.len() != size || mtime(&after) != mtime(&before);
                    let Uploaded { id, crc32, .. } = uploaded;
                    let kind = EntryKind::File { mode: mode(&before), size, crc32, id };
                    let entry = Entry { path: path.clone(), mtime: mtime(&before), kind };
                    return Ok(Stored::Sent { entry, size, changed });
                }
                Err(error) => {
                    reader.take_back();
                    // A file that became shorter while it was read is read anew.
                    let local = error.kind() == Kind::LocalRead;
                    if (error.transient() || local) && attempts.again().await {
                        tracing::debug!(%path, %error, "trying again");
                        continue;
                    }
                    return Err(match local {
                        true => Trouble::Unreadable(io::Error::other(error)),
                        false => Trouble::Cluster(error),
                    });
                }
            }
        }
    }

    /// Opens a regular file. What has become something else since the walk is refused: a link is not followed, and a
    /// named pipe does not hold us.
    async fn open(&self, path: &RelPath) -> io::Result<(tokio::fs::File, Metadata)> {
        let full = path.below(&self.root);
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let opened = tokio::task::spawn_blocking(move || {
            let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(full)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "no longer a regular file"));
            }
            Ok((file, metadata))
        });
        let (file, metadata) = opened.await.map_err(io::Error::other)??;
        Ok((tokio::fs::File::from_std(file), metadata))
    }

    fn upload_options(&self, path: &RelPath) -> UploadOptions {
        let name = path.components().last().unwrap_or_default();
        let ext = ExtName::from_path(&String::from_utf8_lossy(name));
        UploadOptions { ext: Some(ext), group: self.options.group, ..UploadOptions::default() }
    }
}

/// Walks the folder once more, ahead of the uploads, to know how much there is. Ends when it is dropped.
struct Counter(Arc<AtomicBool>);

impl Counter {
    fn start(root: PathBuf, leave_out: Vec<(u64, u64)>, progress: Arc<dyn Progress>) -> Counter {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        tokio::task::spawn_blocking(move || {
            let (mut files, mut bytes) = (0_u64, 0_u64);
            let walked = walk(&root, &leave_out, &mut |found| {
                if let What::File { size, .. } = found.what {
                    files += 1;
                    bytes = bytes.saturating_add(size);
                    if files.is_multiple_of(ANNOUNCE_EVERY) {
                        progress.total(files, bytes);
                    }
                }
                match seen.load(Ordering::Relaxed) {
                    false => ControlFlow::Continue(()),
                    true => ControlFlow::Break(()),
                }
            });
            // The walk that matters says what went wrong.
            if walked.is_ok() && !seen.load(Ordering::Relaxed) {
                progress.total(files, bytes);
            }
        });
        Counter(ended)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::source::Manifest;

    const ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
    const MTIME: Mtime = Mtime { seconds: 1, nanoseconds: 2 };

    fn path(text: &str) -> RelPath {
        RelPath::from_text(text).unwrap()
    }

    fn listed(manifest: &Path) -> Vec<String> {
        let mut paths = Vec::new();
        Manifest::open(manifest).unwrap().for_each(|entry| paths.push(entry.path.to_string())).unwrap();
        paths.sort();
        paths
    }

    #[tokio::test]
    async fn what_cannot_be_read_now_stays_listed_with_all_that_is_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("m");
        let mut options = PutOptions::new(&manifest);
        options.attempts = 1;
        let (mut journal, _) = open_journal(&options, dir.path()).await.unwrap();
        let file = EntryKind::File { mode: 0o644, size: 5, crc32: 1, id: ID.parse().unwrap() };
        for (name, kind) in [
            ("changed", file.clone()),
            ("d", EntryKind::Dir { mode: 0o755 }),
            ("d!", file.clone()),
            ("d/e/y", file.clone()),
            ("d/x", file.clone()),
            ("d0", file.clone()),
            ("same", file),
        ] {
            journal.append(Entry { path: path(name), mtime: MTIME, kind }).unwrap();
        }
        drop(journal);

        let (mut journal, earlier) = open_journal(&options, dir.path()).await.unwrap();
        let (to_journal, mut entries) = mpsc::channel(JOURNAL_QUEUE_LEN);
        let (to_planner, mut found) = mpsc::channel(FOUND_QUEUE_LEN);
        let mut planner = Planner {
            sender: Arc::new(Sender {
                client: Client::new(fdfs_client::ClientConfig::new([])),
                root: dir.path().to_owned(),
                options,
                progress: Arc::new(Silent),
            }),
            earlier,
            check: false,
            to_journal,
            running: JoinSet::new(),
            failures_in_row: 0,
            cluster_failures: 0,
            report: PutReport::default(),
        };
        let seen = |mtime| What::File { mode: 0o644, mtime, size: 5 };
        for (name, what) in [
            // It is not there when it is to be read.
            ("changed", seen(Mtime { seconds: 9, nanoseconds: 0 })),
            ("d", What::Unreadable(io::ErrorKind::PermissionDenied.into())),
            ("same", seen(MTIME)),
        ] {
            to_planner.send(Found { path: path(name), what }).await.unwrap();
        }
        drop(to_planner);
        planner.run(&mut found, &Stop::new()).await;
        assert!(entries.try_recv().is_err());
        let listed_then = End { files: 4, dirs: 1, symlinks: 0, bytes: 20 };
        assert_eq!((planner.report.failures, planner.report.listed), (2, listed_then));
        journal.finish(&planner.earlier, planner.report.listed).unwrap();
        assert_eq!(listed(&manifest), ["changed", "d", "d/e/y", "d/x", "same"]);
    }
}
