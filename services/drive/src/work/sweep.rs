//! What time ends is removed, in bounded parts.

use std::sync::Arc;
use std::time::Duration;

use drive_core::Problem;
use drive_db::Cause;
use net::{Stop, StopSource};

use super::pause;
use crate::app::Drive;
use crate::give::blob_problem;
use crate::resume::{end_over, finish_left};

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
        all!(stop, finish_left(self, now, PART_ROWS));
        all!(stop, end_over(self, now, PART_ROWS));
        self.purge_due(stop).await?;
        all!(stop, database.collect_contents(now, PART_ROWS));
        self.delete_dropped(stop).await
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
        let mut failed = None;
        loop {
            let due = self.database.due_blobs(self.now(), PART_ROWS).await?;
            if due.is_empty() || stop.stopping() {
                break;
            }
            let (mut deleted, mut kept) = (Vec::new(), Vec::new());
            for dropped in due {
                match self.blobs.delete(&dropped.blob).await {
                    Ok(()) => deleted.push(dropped),
                    Err(error) => {
                        failed = Some(blob_problem(&error));
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
