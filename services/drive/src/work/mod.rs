//! What the drive does by itself: entries of the queue are applied, what time ends is removed, the ranking is made, the
//! cluster and its own parts are looked at.
//!
//! Each process does all of it. Two that do the same at once are no harm: every step is a transaction that finds
//! nothing to do when it was done.

mod apply;
mod board;
mod cluster;
mod parts;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use drive_core::ports::Lane;
use net::Stop;
use tokio::task::JoinSet;

use crate::app::Drive;

/// Does all of it until `stop`; then what is under way is finished.
pub async fn work(drive: Arc<Drive>, stop: Stop) {
    let mut tasks = JoinSet::new();
    if let Some(queue) = &drive.queue {
        for lane in Lane::ALL {
            let (drive, queue) = (Arc::clone(&drive), Arc::clone(queue));
            let run = move |stop| apply::run(Arc::clone(&drive), Arc::clone(&queue), lane, stop);
            tasks.spawn(keep(stop.clone(), run));
        }
    }
    let sweeping = Arc::clone(&drive);
    tasks.spawn(keep(stop.clone(), move |stop| sweep::run(Arc::clone(&sweeping), stop)));
    let looking = Arc::clone(&drive);
    tasks.spawn(keep(stop.clone(), move |stop| parts::run(Arc::clone(&looking), stop)));
    if drive.cluster.is_some() {
        let sampling = Arc::clone(&drive);
        tasks.spawn(keep(stop.clone(), move |stop| cluster::run(Arc::clone(&sampling), stop)));
    }
    tasks.spawn(keep(stop, move |stop| board::run(Arc::clone(&drive), stop)));
    while tasks.join_next().await.is_some() {}
}

/// How long a task that panicked rests before it begins anew.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// Runs a task until it ends. One that panics, which is a bug, begins anew: entries must not wait for somebody who looks
/// at the log.
async fn keep<F>(mut stop: Stop, task: impl Fn(Stop) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(task(stop.clone())).await {
        tracing::error!(%error, "a background task of the drive panicked; it begins anew");
        if pause(&mut stop, PANIC_PAUSE).await {
            return;
        }
    }
}

/// Waits, or until `stop`: then true.
async fn pause(stop: &mut Stop, time: Duration) -> bool {
    tokio::time::timeout(time, stop.wait()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use net::StopSource;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_begins_anew() {
        let (_source, stop) = StopSource::new();
        let turns = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&turns);
        keep(stop, move |_| {
            let turn = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(turn == 2, "the first two panic") }
        })
        .await;
        assert_eq!(turns.load(Ordering::Relaxed), 3);
    }
}
