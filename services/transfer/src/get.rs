//! A folder out of the cluster.
//!
//! The manifest is read through once before anything is written, so that a wrong line or a path that leads out is
//! known in time. Then come folders and files, then symbolic links (so that no file is written through one), then
//! the modes and times of folders (so that writing into them does not change them again).

use crate::beneath::{OpenError, Tree};
use crate::count::Counting;
use crate::error::TransferError;
use crate::manifest::{Entry, EntryKind, Mtime};
use crate::progress::{Outcome, Problem, Progress, Silent, Trouble};
use crate::rel_path::RelPath;
use crate::retry::{Attempts, GIVE_UP_AFTER, may_pass};
use crate::source::{Manifest, Source, Survey};
use crate::stop::Stop;
use fdfs_client::{Client, DownloadOptions, Downloaded};
use fdfs_fileid::FileId;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Files read from the manifest and not begun yet.
const QUEUE_LEN: usize = 256;
/// Existing files are read in pieces of this size.
const READ_LEN: usize = 256 * 1024;

/// How a folder is fetched.
#[derive(Debug, Clone)]
pub struct GetOptions {
    /// Files fetched at once. Default 8.
    pub jobs: usize,
    /// Attempts at one file while the cluster does not answer, with pauses that grow to 5 s. Default 8.
    pub attempts: u32,
    /// Leave what is there, differs and was changed after the manifest's: it may be the only copy of somebody's work.
    /// Each is a failure. Default false.
    pub keep_newer: bool,
}

impl Default for GetOptions {
    fn default() -> GetOptions {
        GetOptions { jobs: 8, attempts: 8, keep_newer: false }
    }
}

/// What a get did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetReport {
    /// Files fetched.
    pub fetched: u64,
    /// Their bytes.
    pub bytes_fetched: u64,
    /// Files that were there with the same size and CRC-32.
    pub skipped: u64,
    /// Folders that are there now.
    pub dirs: u64,
    /// Symbolic links that are there now.
    pub symlinks: u64,
    /// Things that could not be fetched or written; each was told as a problem.
    pub failures: u64,
    /// It ended early because that was asked.
    pub interrupted: bool,
    /// It ended early because too many files in a row could not be fetched.
    pub gave_up: bool,
}

impl GetReport {
    /// Everything in the manifest is there.
    pub fn is_complete(&self) -> bool {
        self.failures == 0 && !self.interrupted && !self.gave_up
    }
}

/// Fetches everything in `manifest` into the folder `target`, which is made if it is missing.
///
/// Files that are there with the right size and CRC-32 are not fetched again; other files of these names are replaced,
/// unless [`GetOptions::keep_newer`] says otherwise.
/// Each file appears under its name when it is complete and its size and CRC-32 are those of the manifest. Nothing is
/// written outside of `target`, whatever the manifest says and whatever links are there.
///
/// # Errors
/// [`TransferError`] when it cannot begin: the manifest is wrong in some line, or the folder is in use. What concerns
/// single files is told to `progress` and counted in the report.
pub async fn get(
    client: &Client,
    manifest: Manifest,
    target: &Path,
    options: &GetOptions,
    progress: Arc<dyn Progress>,
    stop: &Stop,
) -> Result<GetReport, TransferError> {
    let target = target.to_owned();
    let (manifest, survey, tree) = tokio::task::spawn_blocking(move || {
        let survey = manifest.survey()?;
        let tree = match Tree::open(&target) {
            Ok(tree) => Arc::new(tree),
            Err(OpenError::Busy) => return Err(TransferError::TargetBusy(target)),
            Err(OpenError::Io(error)) => return Err(TransferError::Local { path: target, error }),
        };
        Ok::<_, TransferError>((Arc::new(manifest), Arc::new(survey), tree))
    })
    .await??;
    progress.total(survey.total.files, survey.total.bytes);
    let mut report = GetReport::default();
    if !survey.finished {
        report.failures += 1;
        progress.problem(&Problem { path: RelPath::root(), trouble: Trouble::Unfinished });
    }

    let (to_fetcher, queue) = mpsc::channel(QUEUE_LEN);
    let reading = {
        let (manifest, survey) = (Arc::clone(&manifest), Arc::clone(&survey));
        let (tree, progress) = (Arc::clone(&tree), Arc::clone(&progress));
        tokio::task::spawn_blocking(move || make_dirs(&manifest, &survey, &tree, &*progress, &to_fetcher))
    };
    let fetcher =
        Fetcher { client: client.clone(), tree: Arc::clone(&tree), options: options.clone(), progress };
    let fetcher = Arc::new(fetcher);
    fetch_all(&fetcher, queue, &mut report, stop).await;
    report.failures += reading.await??;
    if report.interrupted || report.gave_up {
        return Ok(report);
    }
    let (progress, keep_newer) = (Arc::clone(&fetcher.progress), options.keep_newer);
    tokio::task::spawn_blocking(move || {
        make_symlinks(&manifest, &survey, &tree, keep_newer, &*progress, &mut report)?;
        finish_dirs(&manifest, &survey, &tree, &*progress, &mut report)?;
        Ok(report)
    })
    .await?
}

/// Fetches one file to `target`, or into it if that is a folder. Gives where it is now.
///
/// A pipe or a device cannot be emptied again: once it got something, there is no further attempt.
///
/// # Errors
/// [`TransferError::Cluster`] when the cluster did not give it after so many attempts, or gave something else than the
/// id promises; [`TransferError::Local`] when a pipe or a device cannot be opened.
pub async fn get_file(
    client: &Client,
    id: &FileId,
    target: &Path,
    options: &GetOptions,
) -> Result<(PathBuf, Downloaded), TransferError> {
    let is_dir = tokio::fs::metadata(target).await.is_ok_and(|metadata| metadata.is_dir());
    let target = if is_dir { target.join(id.name.base()) } else { target.to_owned() };
    let there = tokio::fs::metadata(&target).await;
    if there.is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let downloaded = get_into_pipe(client, id, &target, options).await?;
        return Ok((target, downloaded));
    }
    let mut attempts = Attempts::new(options.attempts);
    loop {
        match client.download_to_file(id, &DownloadOptions::default(), &target).await {
            Ok(downloaded) => return Ok((target, downloaded)),
            Err(error) if may_pass(&error) && attempts.again().await => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Fetches one file into a pipe or a device, which is opened once: whoever reads would take its being closed for the end.
async fn get_into_pipe(
    client: &Client,
    id: &FileId,
    target: &Path,
    options: &GetOptions,
) -> Result<Downloaded, TransferError> {
    let local = |error| TransferError::Local { path: target.to_owned(), error };
    let pipe = tokio::fs::OpenOptions::new().write(true).open(target).await.map_err(local)?;
    let mut writer = Counting::new(pipe, &Silent);
    let mut attempts = Attempts::new(options.attempts);
    loop {
        match client.download_to_writer(id, &DownloadOptions::default(), &mut writer).await {
            Ok(downloaded) => return Ok(downloaded),
            Err(error) if may_pass(&error) && !writer.has_any() && attempts.again().await => {}
            Err(error) => {
                // Bytes are written by another thread. What came is in the pipe when this returns, or the pipe is closed:
                // of the two failures the first is told.
                let _ = writer.flush().await;
                return Err(error.into());
            }
        }
    }
}

impl Source {
    /// The manifest, opened or fetched.
    ///
    /// # Errors
    /// [`TransferError::NotInManifest`] for a file that is none; what [`Manifest::open`] and [`Manifest::fetch`] give.
    pub async fn manifest(&self, client: &Client) -> Result<Manifest, TransferError> {
        match self {
            Source::LocalManifest(path) => Manifest::open(path),
            Source::StoredManifest(id) | Source::File(id) => Manifest::fetch(client, id).await,
        }
    }
}

/// A file to be fetched.
struct Wanted {
    path: RelPath,
    mode: u32,
    mtime: Mtime,
    size: u64,
    crc32: u32,
    id: FileId,
}

/// Makes the folders, and hands on the files. Gives the number of folders that could not be made.
fn make_dirs(
    manifest: &Manifest,
    survey: &Survey,
    tree: &Tree,
    progress: &dyn Progress,
    to_fetcher: &mpsc::Sender<Wanted>,
) -> Result<u64, TransferError> {
    let mut failures = 0;
    manifest.for_each_that_counts(survey, &mut |Entry { path, mtime, kind }| match kind {
        EntryKind::Dir { .. } => {
            if let Err(error) = tree.make_dir(&path) {
                failures += 1;
                progress.problem(&Problem { path, trouble: Trouble::Unwritable(error) });
            }
            ControlFlow::Continue(())
        }
        EntryKind::Symlink { .. } => ControlFlow::Continue(()),
        EntryKind::File { mode, size, crc32, id } => {
            let wanted = Wanted { path, mode, mtime, size, crc32, id };
            match to_fetcher.blocking_send(wanted) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        }
    })?;
    Ok(failures)
}

fn make_symlinks(
    manifest: &Manifest,
    survey: &Survey,
    tree: &Tree,
    keep_newer: bool,
    progress: &dyn Progress,
    report: &mut GetReport,
) -> Result<(), TransferError> {
    let make = |path: &RelPath, target: &[u8], mtime| {
        let stays = || Ok(!tree.is_symlink_to(path, target)? && tree.is_newer(path, mtime)?);
        if keep_newer && stays().map_err(Trouble::Unwritable)? {
            return Err(Trouble::Newer);
        }
        tree.symlink(path, target, mtime).map_err(Trouble::Unwritable)
    };
    manifest.for_each_that_counts(survey, &mut |Entry { path, mtime, kind }| {
        if let EntryKind::Symlink { target } = kind {
            match make(&path, &target, mtime) {
                Ok(_) => report.symlinks += 1,
                Err(trouble) => {
                    report.failures += 1;
                    progress.problem(&Problem { path, trouble });
                }
            }
        }
        ControlFlow::Continue(())
    })
}

/// Gives all folders their modes and times.
fn finish_dirs(
    manifest: &Manifest,
    survey: &Survey,
    tree: &Tree,
    progress: &dyn Progress,
    report: &mut GetReport,
) -> Result<(), TransferError> {
    // A folder its owner cannot work in would keep us from what is in it: those come last, the deepest first.
    const OWNER_BITS: u32 = 0o700;
    let mut closed = Vec::new();
    let mut finish = |path: RelPath, mode, mtime| match tree.finish_dir(&path, mode, mtime) {
        Ok(()) => report.dirs += 1,
        Err(error) => {
            report.failures += 1;
            progress.problem(&Problem { path, trouble: Trouble::Unwritable(error) });
        }
    };
    manifest.for_each_that_counts(survey, &mut |Entry { path, mtime, kind }| {
        match kind {
            EntryKind::Dir { mode } if mode & OWNER_BITS == OWNER_BITS => finish(path, mode, mtime),
            EntryKind::Dir { mode } => closed.push((path, mode, mtime)),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    closed.sort_unstable_by(|(one, ..), (other, ..)| other.cmp(one));
    for (path, mode, mtime) in closed {
        finish(path, mode, mtime);
    }
    Ok(())
}

async fn fetch_all(
    fetcher: &Arc<Fetcher>,
    mut queue: mpsc::Receiver<Wanted>,
    report: &mut GetReport,
    stop: &Stop,
) {
    let jobs = fetcher.options.jobs.max(1);
    let mut running: JoinSet<(RelPath, u64, Result<Outcome, Trouble>)> = JoinSet::new();
    let mut failures_in_row = 0;
    let mut reading = true;
    while reading || !running.is_empty() {
        tokio::select! {
            biased;
            () = stop.requested() => {
                report.interrupted = true;
                return;
            }
            Some(finished) = running.join_next(), if !running.is_empty() => match finished {
                Ok((path, size, Ok(outcome))) => {
                    match outcome {
                        Outcome::Skipped => report.skipped += 1,
                        _ => {
                            failures_in_row = 0;
                            report.fetched += 1;
                            report.bytes_fetched += size;
                        }
                    }
                    fetcher.progress.file_done(&path, outcome);
                }
                Ok((path, _, Err(trouble))) => {
                    // A file that is missing or damaged says nothing about the others.
                    let away = matches!(&trouble, Trouble::Cluster(error) if may_pass(error));
                    failures_in_row = if away { failures_in_row + 1 } else { 0 };
                    report.failures += 1;
                    fetcher.progress.problem(&Problem { path: path.clone(), trouble });
                    fetcher.progress.file_done(&path, Outcome::Failed);
                }
                Err(error) => {
                    tracing::error!(%error, "the work on a file ended in a panic");
                    report.failures += 1;
                }
            },
            wanted = queue.recv(), if reading && running.len() < jobs => match wanted {
                Some(wanted) => {
                    let fetcher = Arc::clone(fetcher);
                    running.spawn(async move {
                        let (path, size) = (wanted.path.clone(), wanted.size);
                        (path, size, fetcher.fetch(wanted).await)
                    });
                }
                None => reading = false,
            },
        }
        if failures_in_row >= GIVE_UP_AFTER {
            report.gave_up = true;
            return;
        }
    }
}

/// Fetches files.
struct Fetcher {
    client: Client,
    tree: Arc<Tree>,
    options: GetOptions,
    progress: Arc<dyn Progress>,
}

impl Fetcher {
    async fn fetch(&self, wanted: Wanted) -> Result<Outcome, Trouble> {
        self.progress.file_started(&wanted.path, wanted.size);
        let wanted = Arc::new(wanted);
        if self.is_there(&wanted).await.map_err(Trouble::Unwritable)? {
            return Ok(Outcome::Skipped);
        }
        if self.options.keep_newer && self.is_newer(&wanted).await.map_err(Trouble::Unwritable)? {
            return Err(Trouble::Newer);
        }
        let mut attempts = Attempts::new(self.options.attempts);
        loop {
            match self.try_to_fetch(&wanted).await {
                Err(Trouble::Cluster(error)) if may_pass(&error) && attempts.again().await => {
                    tracing::debug!(path = %wanted.path, %error, "trying again");
                }
                Err(trouble) => return Err(trouble),
                Ok(()) => return Ok(Outcome::Done),
            }
        }
    }

    /// Whether the right content is there; then mode and time are set right too.
    async fn is_there(&self, wanted: &Arc<Wanted>) -> io::Result<bool> {
        let (tree, wanted) = (Arc::clone(&self.tree), Arc::clone(wanted));
        blocking(move || {
            let Some(file) = tree.existing(&wanted.path)? else { return Ok(false) };
            let metadata = file.metadata()?;
            if metadata.len() != wanted.size || crc32_of(&file)? != wanted.crc32 {
                return Ok(false);
            }
            let times = (metadata.mtime(), metadata.mtime_nsec());
            if times != (wanted.mtime.seconds, wanted.mtime.nanoseconds.into())
                || metadata.mode() & 0o7777 != wanted.mode & 0o7777
            {
                Tree::finish_file(&file, wanted.mode, wanted.mtime)?;
            }
            Ok(true)
        })
        .await
    }

    /// Whether something is there that was changed after what is wanted.
    async fn is_newer(&self, wanted: &Arc<Wanted>) -> io::Result<bool> {
        let (tree, wanted) = (Arc::clone(&self.tree), Arc::clone(wanted));
        blocking(move || tree.is_newer(&wanted.path, wanted.mtime)).await
    }

    async fn try_to_fetch(&self, wanted: &Arc<Wanted>) -> Result<(), Trouble> {
        let (tree, path) = (Arc::clone(&self.tree), wanted.path.clone());
        let begun = blocking(move || match tree.begin_file(&path)? {
            Some(partial) => partial.file().map(|file| Some((partial, file))),
            None => Ok(None),
        });
        let Some((partial, file)) = begun.await.map_err(Trouble::Unwritable)? else {
            return Err(Trouble::Twice);
        };
        let mut writer = Counting::new(tokio::fs::File::from_std(file), &*self.progress);
        let options = DownloadOptions::default();
        let downloaded = match self.client.download_to_writer(&wanted.id, &options, &mut writer).await {
            Ok(downloaded) => downloaded,
            Err(error) => {
                writer.take_back();
                return Err(error.into());
            }
        };
        let (size, crc32) = (downloaded.size, downloaded.crc32);
        if (size, crc32) != (wanted.size, wanted.crc32) {
            writer.take_back();
            return Err(Trouble::Differs { size, crc32 });
        }
        let (mode, mtime) = (wanted.mode, wanted.mtime);
        blocking(move || partial.commit(mode, mtime)).await.map_err(Trouble::Unwritable)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn crc32_of(mut file: &File) -> io::Result<u32> {
    let mut crc = crc32fast::Hasher::new();
    let mut buffer = vec![0; READ_LEN];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(crc.finalize()),
            read => crc.update(&buffer[..read]),
        }
    }
}
