//! The threads that may block on one disk.
//!
//! A disk that hangs holds up its own threads and nobody else's: the network's threads never wait for it.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use tokio::sync::{Semaphore, oneshot};

use crate::StoreError;

/// Threads of one disk, besides its writer.
const THREADS: usize = 4;

/// Jobs that may wait for a thread; whoever brings one more waits himself.
const QUEUE_LEN: usize = 256;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one disk.
pub(crate) struct Pool {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let (jobs, waiting) = bounded::<Job>(QUEUE_LEN);
        for _ in 0..THREADS {
            let waiting = waiting.clone();
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                for job in waiting {
                    job();
                }
            })?;
        }
        Ok(Self { jobs, room: Arc::new(Semaphore::new(QUEUE_LEN)) })
    }

    /// Runs `work` on one of the threads. It is run to its end even when nobody waits for it any more.
    ///
    /// # Errors
    /// What `work` says, or that the store is closed.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (send, receive) = oneshot::channel();
        let job = move || {
            // Whoever asked may have gone away.
            let _ = send.send(work());
            drop(room);
        };
        self.jobs.try_send(Box::new(job)).map_err(|_| StoreError::Closed)?;
        receive.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` some time, waiting for nothing; on this thread when too much is waiting already.
    pub(crate) fn run_later(&self, work: impl FnOnce() + Send + 'static) {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return work() };
        let job = move || {
            work();
            drop(room);
        };
        // Closed: a start clears what is left over.
        let _ = self.jobs.try_send(Box::new(job));
    }
}
