//! The threads that may block on one disk.
//!
//! A disk that hangs holds up its own threads and nobody else's: the network's threads never wait for it.

use std::fs::File;
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
#[derive(Clone)]
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

/// A file that a thread of its disk closes when nobody else has it and it was deleted meanwhile: only then is its space
/// given back, which takes its time. Whoever holds the file, too, lets go of it first.
pub(crate) struct Closing {
    file: Option<Arc<File>>,
    pool: Pool,
}

impl Closing {
    pub(crate) fn new(file: &Arc<File>, pool: &Pool) -> Self {
        Self { file: Some(Arc::clone(file)), pool: pool.clone() }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(file) = self.file.take().and_then(Arc::into_inner)
            && rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_nlink == 0)
        {
            self.pool.run_later(move || drop(file));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::fd::AsRawFd;
    use std::sync::mpsc;

    use super::*;

    /// Keeps all threads of the pool busy until what is returned goes.
    pub(crate) async fn hang(pool: &Pool) -> Vec<mpsc::Sender<()>> {
        let mut held = Vec::new();
        for _ in 0..THREADS {
            let (release, wait) = mpsc::channel::<()>();
            let (busy, is_busy) = oneshot::channel();
            pool.run_later(move || {
                busy.send(()).unwrap();
                let _ = wait.recv();
            });
            is_busy.await.unwrap();
            held.push(release);
        }
        held
    }

    #[tokio::test]
    async fn a_deleted_file_is_closed_by_a_thread_of_its_disk() {
        let dir = tempfile::tempdir().unwrap();
        let pool = Pool::start("test").unwrap();
        let file = Arc::new(File::create(dir.path().join("file")).unwrap());
        let closing = Closing::new(&file, &pool);
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let was = std::fs::read_link(&link).unwrap();
        std::fs::remove_file(&was).unwrap();
        let held = hang(&pool).await;
        drop(file);
        drop(closing);
        let deleted = std::fs::read_link(&link).unwrap();
        assert_eq!(deleted.to_str().unwrap(), format!("{} (deleted)", was.to_str().unwrap()));
        drop(held);
        // Each of the threads has done what came before.
        drop(hang(&pool).await);
        assert_ne!(std::fs::read_link(&link).ok(), Some(deleted));
    }

    #[tokio::test]
    async fn a_file_that_is_still_there_is_closed_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pool = Pool::start("test").unwrap();
        let file = Arc::new(File::create(dir.path().join("file")).unwrap());
        let closing = Closing::new(&file, &pool);
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let was = std::fs::read_link(&link).unwrap();
        let _held = hang(&pool).await;
        drop(file);
        drop(closing);
        assert_ne!(std::fs::read_link(&link).ok(), Some(was));
    }
}
