//! Checkpoints: a full segment is given back once its changes are safe without it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use fdfs_format::journal::BLOCK_LEN;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::JournalSettings;
use super::segment::Segment;
use crate::binlog::Binlog;

/// Segments kept for the next rotation instead of being removed.
const SPARES_MAX: usize = 1;

/// How long the writer waits for a checkpoint before it says so.
const PATIENCE: Duration = Duration::from_secs(30);

/// A segment that takes no more batches and whose changes are done.
pub(super) struct Sealed {
    path: PathBuf,
    number: u64,
    temps: Vec<PathBuf>,
}

impl From<Segment> for Sealed {
    fn from(segment: Segment) -> Self {
        Self { path: segment.path, number: segment.number, temps: segment.temps }
    }
}

/// The thread that checkpoints sealed segments of one store path, in order.
pub(super) struct Checkpointer {
    work: Sender<Sealed>,
    thread: JoinHandle<io::Result<()>>,
    shared: Arc<Shared>,
    segments_max: usize,
}

struct Shared {
    segments: Mutex<Segments>,
    given_back: Condvar,
}

struct Segments {
    /// Those that hold something, the one being written included.
    in_use: usize,
    spares: Vec<PathBuf>,
    /// A checkpoint failed: nothing is given back any more.
    failed: bool,
}

impl Checkpointer {
    pub(super) fn start(settings: &JournalSettings, binlog: Arc<Binlog>, spare: PathBuf) -> io::Result<Self> {
        // Bounded by `segments_max`: whoever would seal one more waits for room first.
        let (work, sealed) = channel::<Sealed>();
        let shared = Arc::new(Shared {
            segments: Mutex::new(Segments { in_use: 1, spares: vec![spare], failed: false }),
            given_back: Condvar::new(),
        });
        let run = Run { settings: settings.clone(), binlog, shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(move || {
            let mut result = Ok(());
            for segment in sealed {
                if result.is_ok() {
                    result = run.checkpoint(&segment);
                    match &result {
                        Ok(()) => run.give_back(segment),
                        Err(error) => {
                            tracing::error!(%error, segment = segment.number, "checkpoint failed, the journal keeps its segments");
                            run.shared.segments.lock().failed = true;
                            run.shared.given_back.notify_all();
                        }
                    }
                }
            }
            result
        })?;
        Ok(Self { work, thread, shared, segments_max: settings.segments_max })
    }

    /// Waits until one more segment may be begun; an old one to make it of, if there is one.
    ///
    /// # Errors
    /// When a checkpoint has failed, so that none will be given back.
    pub(super) fn room(&self) -> io::Result<Option<PathBuf>> {
        let max = self.segments_max;
        let mut segments = self.wait_until(|segments| segments.in_use < max)?;
        segments.in_use += 1;
        Ok(segments.spares.pop())
    }

    /// Waits for an old segment.
    ///
    /// # Errors
    /// The same.
    pub(super) fn spare(&self) -> io::Result<PathBuf> {
        let mut segments = self.wait_until(|segments| !segments.spares.is_empty())?;
        segments.spares.pop().ok_or_else(|| io::ErrorKind::StorageFull.into())
    }

    fn wait_until(&self, enough: impl Fn(&Segments) -> bool) -> io::Result<MutexGuard<'_, Segments>> {
        let mut segments = self.shared.segments.lock();
        while !enough(&segments) {
            if segments.failed {
                return Err(io::Error::other("a checkpoint failed"));
            }
            if self.shared.given_back.wait_for(&mut segments, PATIENCE).timed_out() {
                tracing::warn!("changes wait for a checkpoint, the disk does not keep up");
            }
        }
        Ok(segments)
    }

    pub(super) fn seal(&self, segment: Sealed) {
        // The thread ends only after the sender is gone.
        let _ = self.work.send(segment);
    }

    /// Waits for all sealed segments and removes the spare ones.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.work);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the checkpoint thread panicked")))?;
        for path in self.shared.segments.lock().spares.drain(..) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

struct Run {
    settings: JournalSettings,
    binlog: Arc<Binlog>,
    shared: Arc<Shared>,
}

impl Run {
    fn checkpoint(&self, segment: &Sealed) -> io::Result<()> {
        self.binlog.flush()?;
        if self.settings.sync {
            self.binlog.sync()?;
            // One call for all files of the segment; reports write errors of the file system since Linux 5.8.
            rustix::fs::syncfs(&File::open(&self.settings.dir)?)?;
        }
        self.invalidate(segment)?;
        for temp in &segment.temps {
            if let Err(error) = std::fs::remove_file(temp) {
                tracing::warn!(%error, temp = %temp.display(), "cannot remove a staged file");
            }
        }
        Ok(())
    }

    /// Sees to it that nothing of a segment is done again, though it may lie there for long as a spare one: without
    /// the temporary files, which go next, its entries would bring files back to a state between two changes.
    fn invalidate(&self, segment: &Sealed) -> io::Result<()> {
        let file = File::options().write(true).open(&segment.path)?;
        file.write_all_at(&[0; BLOCK_LEN], 0)?;
        if self.settings.sync { file.sync_data() } else { Ok(()) }
    }

    fn give_back(&self, segment: Sealed) {
        let mut segments = self.shared.segments.lock();
        segments.in_use -= 1;
        if segments.spares.len() < SPARES_MAX {
            segments.spares.push(segment.path);
        } else if let Err(error) = std::fs::remove_file(&segment.path) {
            tracing::warn!(%error, segment = segment.number, "cannot remove a journal segment");
        }
        drop(segments);
        self.shared.given_back.notify_all();
    }
}
