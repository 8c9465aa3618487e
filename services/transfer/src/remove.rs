//! Everything in a manifest, out of the cluster.

use crate::error::TransferError;
use crate::journal;
use crate::manifest::EntryKind;
use crate::progress::{Outcome, Problem, Progress, Trouble};
use crate::rel_path::RelPath;
use crate::retry::{Attempts, GIVE_UP_AFTER};
use crate::source::{Manifest, Source};
use crate::stop::Stop;
use fdfs_client::Client;
use fdfs_fileid::FileId;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Files read from the manifest and not begun yet.
const QUEUE_LEN: usize = 256;

/// How files are removed.
#[derive(Debug, Clone)]
pub struct RemoveOptions {
    /// Files removed at once. Default 8.
    pub jobs: usize,
    /// Attempts at one file while the cluster does not answer, with pauses that grow to 5 s. Default 8.
    pub attempts: u32,
    /// What these manifests list stays: those of one folder share the files that did not change. Default none.
    pub except: Vec<Source>,
}

impl Default for RemoveOptions {
    fn default() -> RemoveOptions {
        RemoveOptions { jobs: 8, attempts: 8, except: Vec::new() }
    }
}

/// What a removal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoveReport {
    /// Files deleted, the manifest not counted.
    pub deleted: u64,
    /// Files that were gone already.
    pub missing: u64,
    /// Files that stay because a manifest of [`RemoveOptions::except`] lists them.
    pub kept: u64,
    /// Files that could not be deleted; each was told as a problem.
    pub failures: u64,
    /// It ended early because that was asked.
    pub interrupted: bool,
    /// It ended early because too many files in a row could not be deleted.
    pub gave_up: bool,
}

impl RemoveReport {
    /// Nothing of it is left.
    pub fn is_complete(&self) -> bool {
        self.failures == 0 && !self.interrupted && !self.gave_up
    }
}

/// Deletes a file, or all files of a manifest and then the manifest itself, the local one too: a later put that
/// relied on it would believe the files are still there. A manifest some files of which could not be deleted stays, and
/// so does what [`RemoveOptions::except`] lists.
///
/// # Errors
/// [`TransferError`] when a manifest cannot be read, and nothing is deleted then, or when it cannot be deleted. What concerns single files is told to `progress` and
/// counted in the report.
pub async fn remove(
    client: &Client,
    source: &Source,
    options: &RemoveOptions,
    progress: Arc<dyn Progress>,
    stop: &Stop,
) -> Result<RemoveReport, TransferError> {
    let mut report = RemoveReport::default();
    if let Source::File(id) = source {
        progress.total(1, 0);
        match stop.unless_requested(delete(client, id, options.attempts)).await.transpose()? {
            Some(true) => report.deleted += 1,
            Some(false) => report.missing += 1,
            None => report.interrupted = true,
        }
        return Ok(report);
    }
    let manifests = async {
        Ok::<_, TransferError>((source.manifest(client).await?, ids_of_all(client, &options.except).await?))
    };
    let Some((manifest, kept)) = stop.unless_requested(manifests).await.transpose()? else {
        report.interrupted = true;
        return Ok(report);
    };
    let stored = remove_listed(client, manifest, &kept, options, &progress, stop, &mut report).await?;
    // The only list of the files of a put that did not finish is the local one, so how it is spelled must not matter.
    let is_kept = options.except.iter().any(|other| other.is_same_as(source))
        || stored.as_ref().is_some_and(|id| kept.contains(id));
    if !report.is_complete() || is_kept {
        return Ok(report);
    }
    if let Some(id) = stored
        && stop.unless_requested(delete(client, &id, options.attempts)).await.transpose()?.is_none()
    {
        report.interrupted = true;
        return Ok(report);
    }
    if let Source::LocalManifest(path) = source {
        let path = path.clone();
        tokio::task::spawn_blocking(move || journal::remove(&path)).await??;
    }
    Ok(report)
}

/// What these manifests list, and they themselves.
async fn ids_of_all(client: &Client, manifests: &[Source]) -> Result<BTreeSet<FileId>, TransferError> {
    let mut all = BTreeSet::new();
    for source in manifests {
        let manifest = source.manifest(client).await?;
        all.append(&mut tokio::task::spawn_blocking(move || manifest.ids()).await??);
    }
    Ok(all)
}

/// Deletes the files of a manifest that are not to be kept; gives the id under which it is stored itself.
async fn remove_listed(
    client: &Client,
    manifest: Manifest,
    kept: &BTreeSet<FileId>,
    options: &RemoveOptions,
    progress: &Arc<dyn Progress>,
    stop: &Stop,
    report: &mut RemoveReport,
) -> Result<Option<FileId>, TransferError> {
    let (survey, manifest) =
        tokio::task::spawn_blocking(move || manifest.survey().map(|survey| (survey, manifest))).await??;
    let stored = survey.stored.clone();
    progress.total(survey.total.files, 0);
    let (to_deleter, mut queue) = mpsc::channel::<(RelPath, FileId)>(QUEUE_LEN);
    let reading = tokio::task::spawn_blocking(move || {
        // Of an unfinished manifest every line is taken: a path sent twice is two files in the cluster.
        let mut reader = manifest.read()?;
        while let Some(entry) = reader.next_entry().map_err(|error| manifest.error(error))? {
            if let EntryKind::File { id, .. } = entry.kind
                && to_deleter.blocking_send((entry.path, id)).is_err()
            {
                break;
            }
        }
        Ok::<_, TransferError>(())
    });
    let mut running: JoinSet<(RelPath, Result<bool, fdfs_client::Error>)> = JoinSet::new();
    let mut failures_in_row = 0;
    let mut open = true;
    while open || !running.is_empty() {
        tokio::select! {
            biased;
            () = stop.requested() => {
                report.interrupted = true;
                break;
            }
            Some(finished) = running.join_next(), if !running.is_empty() => match finished {
                Ok((path, Ok(was_there))) => {
                    failures_in_row = 0;
                    let (count, outcome) = match was_there {
                        true => (&mut report.deleted, Outcome::Done),
                        false => (&mut report.missing, Outcome::Skipped),
                    };
                    *count += 1;
                    progress.file_done(&path, outcome);
                }
                Ok((path, Err(error))) => {
                    failures_in_row += 1;
                    report.failures += 1;
                    progress.problem(&Problem { path: path.clone(), trouble: Trouble::Cluster(error) });
                    progress.file_done(&path, Outcome::Failed);
                }
                Err(error) => {
                    tracing::error!(%error, "the work on a file ended in a panic");
                    report.failures += 1;
                }
            },
            next = queue.recv(), if open && running.len() < options.jobs.max(1) => match next {
                Some((path, id)) if kept.contains(&id) => {
                    report.kept += 1;
                    progress.file_done(&path, Outcome::Skipped);
                }
                Some((path, id)) => {
                    let (client, attempts) = (client.clone(), options.attempts);
                    running.spawn(async move { (path, delete(&client, &id, attempts).await) });
                }
                None => open = false,
            },
        }
        if failures_in_row >= GIVE_UP_AFTER {
            report.gave_up = true;
            break;
        }
    }
    drop(queue);
    reading.await??;
    Ok(stored)
}

/// Deletes a file; false when it was gone. A delete whose outcome is not known is simply made again.
async fn delete(client: &Client, id: &FileId, attempts: u32) -> Result<bool, fdfs_client::Error> {
    let mut attempts = Attempts::new(attempts);
    loop {
        match client.delete(id).await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_not_found() && error.side() == fdfs_client::Side::Storage => {
                return Ok(false);
            }
            Err(error) if error.transient() && attempts.again().await => {}
            Err(error) => return Err(error),
        }
    }
}
