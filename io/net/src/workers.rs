//! The threads that serve connections.
//!
//! Each has a runtime of its own and keeps the connections it was given: no task moves from one thread to
//! another and no thread wakes another one to share work, which on two processors cost a fifth of the rate of
//! small downloads. A connection goes to the thread that has the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::pulse::Pulse;

/// Stack of a thread; handlers keep their buffers elsewhere.
const STACK_LEN: usize = 512 * 1024;

/// Stack of a thread whose handlers go through many layers of other people's code. Only what is used is memory.
pub const DEEP_STACK_LEN: usize = 8 * 1024 * 1024;

/// How long the tasks of a thread may take to end once its connections are closed.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Threads that serve connections, until this is dropped.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    /// Tells the threads to end when it goes.
    end: Option<watch::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) runtime: Handle,
    /// Connections it has now.
    open: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts as many threads as there are processors.
    ///
    /// # Errors
    /// When threads or what they wait with can't be made.
    pub fn start(name: &str) -> io::Result<Self> {
        Self::start_with(name, STACK_LEN)
    }

    /// As [`Workers::start`], with so many bytes of stack for each thread.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(name: &str, stack_len: usize) -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let (end, ending) = watch::channel(());
        let mut this = Self { workers: Vec::new(), end: Some(end), threads: Vec::new() };
        for _ in 0..processors {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            this.workers.push(Worker { runtime: runtime.handle().clone(), open: Arc::default() });
            let mut ending = ending.clone();
            let run = move || {
                // An error is what is waited for: the sender is gone.
                let _ = runtime.block_on(ending.changed());
                runtime.shutdown_timeout(STOP_WAIT);
            };
            let builder = std::thread::Builder::new().name(name.to_owned()).stack_size(stack_len);
            this.threads.push(builder.spawn(run)?);
        }
        Ok(this)
    }

    /// The current runtime serves.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn here() -> Self {
        let worker = Worker { runtime: Handle::current(), open: Arc::default() };
        Self { workers: vec![worker], end: None, threads: Vec::new() }
    }

    /// A finger on the threads.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse::of(self.workers.iter().map(|worker| worker.runtime.clone()))
    }

    /// The one with the fewest connections, which from now on has one more.
    pub(crate) fn least(&self) -> Option<(Worker, Place)> {
        let worker = self.workers.iter().min_by_key(|worker| worker.open.load(Relaxed))?;
        worker.open.fetch_add(1, Relaxed);
        Some((worker.clone(), Place(Arc::clone(&worker.open))))
    }
}

impl Drop for Workers {
    /// Ends the threads, and with them the tasks that are left. Blocks.
    fn drop(&mut self) {
        drop(self.end.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that served connections had panicked");
            }
        }
    }
}

/// A connection's place on a thread, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_the_fewest_are() {
        let workers = Workers::start("test").unwrap();
        let count = |workers: &Workers| -> Vec<usize> {
            workers.workers.iter().map(|worker| worker.open.load(Relaxed)).collect()
        };
        let places: Vec<_> = (0..2 * workers.workers.len()).map(|_| workers.least().unwrap().1).collect();
        assert!(count(&workers).iter().all(|&open| open == 2));
        drop(places);
        assert!(count(&workers).iter().all(|&open| open == 0));
    }

    #[test]
    fn a_task_that_never_ends_does_not_keep_the_threads() {
        let workers = Workers::start("test").unwrap();
        let (worker, _place) = workers.least().unwrap();
        worker.runtime.spawn(std::future::pending::<()>());
        drop(workers);
        assert!(worker.runtime.spawn(async {}).is_finished());
    }
}
