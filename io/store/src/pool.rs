//! The threads that may block on one disk.
//!
//! A disk that hangs holds up its own threads and nobody else's: the network's threads never wait for it.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Sender, unbounded};
use tokio::sync::{Semaphore, oneshot};

use crate::StoreError;

/// Threads of one disk, besides its writer.
pub(crate) const THREADS: usize = 4;

/// Jobs with somebody waiting for them that may wait for a thread; whoever brings one more waits himself.
const QUEUE_LEN: usize = 256;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one disk.
pub(crate) struct Pool {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let (jobs, waiting) = unbounded::<Job>();
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
        self.jobs.send(Box::new(job)).map_err(|_| StoreError::Closed)?;
        receive.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` some time, waiting for nothing. Of these there may be as many as there are things to tidy up, one
    /// for each connection at most.
    pub(crate) fn run_later(&self, work: impl FnOnce() + Send + 'static) {
        // Closed: a start clears what is left over.
        let _ = self.jobs.send(Box::new(work));
    }
}
