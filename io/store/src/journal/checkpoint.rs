//! Checkpoints: a full segment is given back once its changes are safe without it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::JournalSettings;
use super::segment::{Outstanding, Segment};
use crate::binlog::Binlog;

/// Segments kept for the next rotation instead of being removed.
const SPARES_MAX: usize = 1;

/// A segment that takes no more batches.
pub(super) struct Sealed {
    path: PathBuf,
    number: u64,
    outstanding: Arc<Outstanding>,
}

impl From<Segment> for Sealed {
    fn from(segment: Segment) -> Self {
        Self { path: segment.path, number: segment.number, outstanding: segment.outstanding }
    }
}

/// The thread that checkpoints sealed segments of one store path, in order.
pub(super) struct Checkpointer {
    work: Mutex<Option<Sender<Sealed>>>,
    thread: Mutex<Option<JoinHandle<io::Result<()>>>>,
    spares: Arc<Mutex<Vec<PathBuf>>>,
}

impl Checkpointer {
    pub(super) fn start(
        settings: &JournalSettings,
        binlog: Arc<Binlog>,
        live: Arc<AtomicUsize>,
        freed: Arc<Notify>,
    ) -> io::Result<Self> {
        // Bounded by `segments_max`: whoever would seal one more waits for room first.
        let (work, sealed) = channel::<Sealed>();
        let spares = Arc::new(Mutex::new(Vec::new()));
        let run = Run { settings: settings.clone(), binlog, spares: Arc::clone(&spares) };
        let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(move || {
            let mut result = Ok(());
            for segment in sealed {
                if result.is_ok() {
                    result = run.checkpoint(&segment);
                    if let Err(error) = &result {
                        tracing::error!(%error, segment = segment.number, "checkpoint failed, the journal keeps its segments");
                    }
                }
                if result.is_ok() {
                    run.give_back(segment, &live);
                    freed.notify_waiters();
                }
            }
            result
        })?;
        Ok(Self { work: Mutex::new(Some(work)), thread: Mutex::new(Some(thread)), spares })
    }

    pub(super) fn spare(&self) -> Option<PathBuf> {
        self.spares.lock().pop()
    }

    pub(super) fn seal(&self, segment: Sealed) {
        if let Some(work) = &*self.work.lock() {
            // The thread ends only after the sender is gone.
            let _ = work.send(segment);
        }
    }

    /// Waits for all sealed segments and removes the spare ones.
    pub(super) fn finish(&self) -> io::Result<()> {
        drop(self.work.lock().take());
        let Some(thread) = self.thread.lock().take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the checkpoint thread panicked")))?;
        for path in self.spares.lock().drain(..) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

struct Run {
    settings: JournalSettings,
    binlog: Arc<Binlog>,
    spares: Arc<Mutex<Vec<PathBuf>>>,
}

impl Run {
    fn checkpoint(&self, segment: &Sealed) -> io::Result<()> {
        segment.outstanding.wait();
        self.binlog.flush()?;
        if self.settings.sync {
            self.binlog.sync()?;
            // One call for all files of the segment; reports write errors of the file system since Linux 5.8.
            rustix::fs::syncfs(&File::open(&self.settings.dir)?)?;
        }
        Ok(())
    }

    fn give_back(&self, segment: Sealed, live: &AtomicUsize) {
        for temp in segment.outstanding.take_temps() {
            if let Err(error) = std::fs::remove_file(&temp) {
                tracing::warn!(%error, temp = %temp.display(), "cannot remove a staged file");
            }
        }
        live.fetch_sub(1, Ordering::AcqRel);
        let mut spares = self.spares.lock();
        if spares.len() < SPARES_MAX {
            spares.push(segment.path);
            return;
        }
        drop(spares);
        if let Err(error) = std::fs::remove_file(&segment.path) {
            tracing::warn!(%error, segment = segment.number, "cannot remove a journal segment");
        }
    }
}
