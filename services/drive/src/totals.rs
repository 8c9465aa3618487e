//! What there is in all: counted when an administrator asks, and then known for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drive_core::totals::{COUNTED_AT_ONCE, Counted};

use crate::app::Drive;

/// How long somebody waits who asks. Then the answer has what was known before, and counting goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was counted, by this process.
#[derive(Default)]
pub(crate) struct Known {
    last: Mutex<Option<Counted>>,
    /// Whoever counts has it.
    turn: tokio::sync::Mutex<()>,
}

impl Known {
    fn last(&self) -> Option<Counted> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drive {
    /// What there is in all, counted anew when that is due; none when the first count goes on, or failed.
    pub(crate) async fn totals(self: &Arc<Self>) -> Option<Counted> {
        if !self.are_fresh() {
            let drive = Arc::clone(self);
            // A request that is given up, or has waited long enough, does not end it.
            let counting = tokio::spawn(async move { drive.count_all().await });
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, counting).await {
                tracing::error!(%error, "counting what there is in all broke off");
            }
        }
        self.totals.last()
    }

    fn are_fresh(&self) -> bool {
        self.totals.last().is_some_and(|counted| counted.is_fresh(self.now()))
    }

    async fn count_all(&self) {
        let _turn = self.totals.turn.lock().await;
        // Somebody else may have done it meanwhile.
        if self.are_fresh() {
            return;
        }
        let begun = Instant::now();
        match self.database.totals(COUNTED_AT_ONCE, self.now()).await {
            Ok(totals) => {
                let counted = Counted { totals, at: self.now(), took: begun.elapsed() };
                *self.totals.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
            }
            Err(problem) => tracing::warn!(%problem, "what there is in all could not be counted"),
        }
    }
}
