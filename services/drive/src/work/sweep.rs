//! What time ends is removed, in bounded parts.

use std::sync::Arc;
use std::time::Duration;

use drive_core::{Part, Problem, UnixMillis};
use drive_db::Cause;
use net::{Stop, StopSource};
use rand::seq::SliceRandom;

use super::pause;
use crate::app::Drive;
use crate::give::blob_problem;
use crate::resume::{AWAY_RUN_MAX, end_over, finish_left};

/// How often it is looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);

/// Rows that one step removes at most.
const PART_ROWS: u32 = 500;

/// When a blob is tried again that could not be deleted: its group may be away, and those of others are not.
const DELETE_AGAIN: Duration = Duration::from_secs(600);

pub(super) async fn run(drive: Arc<Drive>, mut stop: Stop) {
    loop {
        if let Err(problem) = drive.sweep(&stop).await {
            tracing::warn!(%problem, "what time has ended could not be removed; it is tried again");
        }
        if pause(&mut stop, SWEEP_PERIOD).await {
            return;
        }
    }
}

/// Calls a step until it has nothing left.
macro_rules! all {
    ($stop:expr, $step:expr) => {
        while !$stop.stopping() && $step.await? > 0 {}
    };
}

/// What the store of bytes did not do is told at the end: its group may be away, and nothing else waits for that.
fn bytes_apart(done: Result<(), Problem>) -> Result<Option<Problem>, Problem> {
    match done {
        Ok(()) => Ok(None),
        Err(problem @ Problem::Unavailable(Part::BlobStore)) => Ok(Some(problem)),
        Err(problem) => Err(problem),
    }
}

impl Drive {
    /// Removes all that time has ended, now.
    pub async fn sweep_now(self: &Arc<Self>) -> Result<(), Problem> {
        let (_source, stop) = StopSource::new();
        self.sweep(&stop).await
    }

    /// Removes all that time has ended, until `stop`.
    async fn sweep(self: &Arc<Self>, stop: &Stop) -> Result<(), Problem> {
        let (database, now) = (&self.database, self.now());
        all!(stop, database.sweep_sessions(now, PART_ROWS));
        all!(stop, database.sweep_requests(now, PART_ROWS));
        all!(stop, database.sweep_entry_keys(now, PART_ROWS));
        all!(stop, database.sweep_reservations(now, PART_ROWS));
        all!(stop, database.sweep_listed(now, PART_ROWS));
        if let Some(kept) = self.settings.audit_kept {
            all!(stop, database.sweep_audit(now.minus(kept), PART_ROWS));
        }
        let finished = bytes_apart(self.finish_all(now, stop).await)?;
        let ended = bytes_apart(self.end_all(now, stop).await)?;
        self.purge_due(stop).await?;
        all!(stop, database.collect_contents(now, PART_ROWS));
        self.delete_dropped(stop).await?;
        finished.or(ended).map_or(Ok(()), Err)
    }

    async fn finish_all(self: &Arc<Self>, now: UnixMillis, stop: &Stop) -> Result<(), Problem> {
        all!(stop, finish_left(self, now, PART_ROWS, stop));
        Ok(())
    }

    async fn end_all(self: &Arc<Self>, now: UnixMillis, stop: &Stop) -> Result<(), Problem> {
        all!(stop, end_over(self, now, PART_ROWS, stop));
        Ok(())
    }

    /// Empties what lay in the trash long enough, or was left half emptied.
    async fn purge_due(&self, stop: &Stop) -> Result<(), Problem> {
        loop {
            let due = self.database.due_trash(self.now(), PART_ROWS).await?;
            if due.is_empty() || stop.stopping() {
                return Ok(());
            }
            for (owner, entry) in due {
                let cause = Cause::system(self.now());
                loop {
                    match self.database.purge_part(owner, entry, &cause).await {
                        Ok(progress) if !progress.last && !stop.stopping() => {}
                        // Gone: somebody else was faster.
                        Ok(_) | Err(Problem::NotFound(_)) => break,
                        Err(problem) => return Err(problem),
                    }
                }
            }
        }
    }

    /// Deletes blobs that nobody refers to any more.
    async fn delete_dropped(&self, stop: &Stop) -> Result<(), Problem> {
        let (mut failed, mut away_run) = (None, 0);
        while away_run < AWAY_RUN_MAX && !stop.stopping() {
            let mut due = self.database.due_blobs(self.now(), PART_ROWS).await?;
            if due.is_empty() {
                break;
            }
            // Those whose group is away are not always the first.
            due.shuffle(&mut rand::rng());
            let (mut deleted, mut kept) = (Vec::new(), Vec::new());
            for dropped in due {
                if away_run == AWAY_RUN_MAX {
                    kept.push(dropped);
                    continue;
                }
                if stop.stopping() {
                    break;
                }
                match self.blobs.delete(&dropped.blob).await {
                    Ok(()) => {
                        away_run = 0;
                        deleted.push(dropped);
                    }
                    Err(error) => {
                        let problem = blob_problem(&error);
                        away_run = if matches!(problem, Problem::Unavailable(_)) { away_run + 1 } else { 0 };
                        failed = Some(problem);
                        kept.push(dropped);
                    }
                }
            }
            self.database.forget_blobs(&deleted).await?;
            self.database.put_off_blobs(&kept, self.now().plus(DELETE_AGAIN)).await?;
        }
        failed.map_or(Ok(()), Err)
    }
}
