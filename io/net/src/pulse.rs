//! Whether the threads that serve connections still do anything: what a watchdog wants to know.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

/// A finger on some runtimes. Keeps none of them alive.
#[derive(Debug, Clone)]
pub struct Pulse {
    runtimes: Vec<Handle>,
}

impl Pulse {
    /// Of these.
    pub fn of(runtimes: impl IntoIterator<Item = Handle>) -> Self {
        Self { runtimes: runtimes.into_iter().collect() }
    }

    /// Whether each of them takes up a new task within this time. Not from a task of one of them.
    pub async fn beats(&self, within: Duration) -> bool {
        let tasks: Vec<_> = self.runtimes.iter().map(|runtime| runtime.spawn(async {})).collect();
        let all = async {
            for task in tasks {
                // A runtime that has been shut down gives its tasks back undone.
                if task.await.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(within, all).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::Workers;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn threads_that_wait_for_work_beat() {
        let workers = Workers::start("test").unwrap();
        assert!(workers.pulse().beats(LONG).await);
    }

    #[tokio::test]
    async fn one_thread_that_hangs_is_felt_and_so_is_that_it_goes_on() {
        let workers = Workers::start("test").unwrap();
        let (worker, _place) = workers.least().unwrap();
        let (go_on, wait) = mpsc::channel::<()>();
        worker.runtime.spawn(async move {
            let _ = wait.recv();
        });
        assert!(!workers.pulse().beats(SHORT).await);
        drop(go_on);
        assert!(workers.pulse().beats(LONG).await);
    }

    #[tokio::test]
    async fn threads_that_have_ended_do_not_beat() {
        let workers = Workers::start("test").unwrap();
        let pulse = workers.pulse();
        tokio::task::spawn_blocking(|| drop(workers)).await.unwrap();
        assert!(!pulse.beats(LONG).await);
    }
}
