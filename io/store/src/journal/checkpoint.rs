//! Checkpoints: a full segment is given back once its changes are safe without it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use fdfs_format::journal::BLOCK_LEN;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::JournalSettings;
use super::segment::Segment;
use crate::binlog::Binlog;
use crate::disks::Disks;

/// Segments kept for the next rotation instead of being removed.
const SPARES_MAX: usize = 1;

/// How long the writer waits for a checkpoint before it says so.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a checkpoint waits before it tries once more to write the binlog.
const FLUSH_PAUSE: Duration = Duration::from_secs(1);

/// A segment that takes no more batches and whose changes are done.
pub(super) struct Sealed {
    file: File,
    path: PathBuf,
    number: u64,
    temps: Vec<PathBuf>,
}

impl From<Segment> for Sealed {
    fn from(segment: Segment) -> Self {
        Self { file: segment.file, path: segment.path, number: segment.number, temps: segment.temps }
    }
}

/// The thread that checkpoints sealed segments of one store path, in order.
pub(super) struct Checkpointer {
    work: Option<Sender<Sealed>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    shared: Arc<Shared>,
    segments_max: usize,
}

struct Shared {
    segments: Mutex<Segments>,
    /// Anything about them has changed.
    changed: Condvar,
}

struct Segments {
    /// Those that hold something, the one being written included.
    in_use: usize,
    spares: Vec<PathBuf>,
    /// A checkpoint failed: nothing is given back any more.
    failed: bool,
    /// Why the binlog can't be written at the moment, so that nothing is given back before it can.
    stuck: Option<io::ErrorKind>,
    /// Nobody waits any more until the binlog can be written.
    closing: bool,
}

impl Checkpointer {
    pub(super) fn start(settings: &JournalSettings, binlog: Arc<Binlog>, spare: PathBuf) -> io::Result<Self> {
        // Bounded by `segments_max`: whoever would seal one more waits for room first.
        let (work, sealed) = channel::<Sealed>();
        let shared = Arc::new(Shared {
            segments: Mutex::new(Segments {
                in_use: 1,
                spares: vec![spare],
                failed: false,
                stuck: None,
                closing: false,
            }),
            changed: Condvar::new(),
        });
        // One for all checkpoints: what was said to another descriptor before this one was opened is not said again.
        let disk = File::open(&settings.dir)?;
        let others = Arc::clone(&settings.disks);
        let run = Run { sync: settings.sync, disk, others, binlog, shared: Arc::clone(&shared) };
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
                            run.shared.changed.notify_all();
                        }
                    }
                }
            }
            result
        })?;
        let (work, thread) = (Some(work), Some(thread));
        Ok(Self { work, thread, shared, segments_max: settings.segments_max })
    }

    /// Waits until one more segment may be begun; an old one to make it of, if there is one.
    ///
    /// # Errors
    /// When a checkpoint [has failed](Self::has_failed), so that none will be given back; when the binlog can't be
    /// written, so that none will be before it can.
    pub(super) fn room(&self) -> io::Result<Option<PathBuf>> {
        let max = self.segments_max;
        let segments = self.wait_until(|segments| segments.in_use < max)?;
        Ok(segments.spares.last().cloned())
    }

    /// Waits for an old segment.
    ///
    /// # Errors
    /// The same.
    pub(super) fn spare(&self) -> io::Result<PathBuf> {
        let segments = self.wait_until(|segments| !segments.spares.is_empty())?;
        segments.spares.last().cloned().ok_or_else(|| io::ErrorKind::StorageFull.into())
    }

    /// One more segment has begun, in this file.
    pub(super) fn begun(&self, path: &Path) {
        let mut segments = self.shared.segments.lock();
        segments.in_use += 1;
        segments.spares.retain(|spare| spare != path);
    }

    /// Whether a checkpoint has failed, and no segment is given back any more.
    pub(super) fn has_failed(&self) -> bool {
        self.shared.segments.lock().failed
    }

    fn wait_until(&self, enough: impl Fn(&Segments) -> bool) -> io::Result<MutexGuard<'_, Segments>> {
        let mut segments = self.shared.segments.lock();
        while !enough(&segments) {
            if segments.failed {
                return Err(io::Error::other("a checkpoint failed"));
            }
            if let Some(kind) = segments.stuck {
                return Err(io::Error::new(kind, format!("the binlog can't be written: {kind}")));
            }
            if self.shared.changed.wait_for(&mut segments, PATIENCE).timed_out() {
                tracing::warn!("changes wait for a checkpoint, the disk does not keep up");
            }
        }
        Ok(segments)
    }

    pub(super) fn seal(&self, segment: Sealed) {
        // The thread ends only after the sender is gone.
        let _ = self.work.as_ref().map(|work| work.send(segment));
    }

    /// Waits for all sealed segments and removes the spare ones.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.end()?;
        for path in self.shared.segments.lock().spares.drain(..) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.work = None;
        self.shared.segments.lock().closing = true;
        self.shared.changed.notify_all();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the checkpoint thread panicked")))
    }
}

impl Drop for Checkpointer {
    /// Ends the thread: whoever opens the store next has its files alone. Blocks.
    fn drop(&mut self) {
        // Said by the thread itself.
        let _ = self.end();
    }
}

struct Run {
    sync: bool,
    /// Anything of the file system that the journal is on, and mostly all files of the store path.
    disk: File,
    /// The other ones that files are on.
    others: Arc<Disks>,
    binlog: Arc<Binlog>,
    shared: Arc<Shared>,
}

impl Run {
    /// # Errors
    /// What the disk holds is unknown, and a second sync would not tell: nothing may be given back any more. Of a binlog
    /// that can't be written that is known, so that is no error before the end.
    fn checkpoint(&self, segment: &Sealed) -> io::Result<()> {
        self.flush()?;
        if self.sync {
            self.binlog.sync()?;
            // One call for all files of the segment; reports write errors of the file system since Linux 5.8.
            rustix::fs::syncfs(&self.disk)?;
            self.others.sync()?;
        }
        self.invalidate(segment)?;
        for temp in &segment.temps {
            if let Err(error) = std::fs::remove_file(temp) {
                tracing::warn!(%error, temp = %temp.display(), "cannot remove a staged file");
            }
        }
        Ok(())
    }

    /// Hands the binlog's lines to the operating system, however long its disk is full.
    fn flush(&self) -> io::Result<()> {
        while let Err(error) = self.binlog.flush() {
            let mut segments = self.shared.segments.lock();
            if segments.closing {
                return Err(error);
            }
            if segments.stuck.replace(error.kind()).is_none() {
                tracing::error!(%error, "the binlog can't be written, the journal keeps its segments until it can");
            }
            self.shared.changed.notify_all();
            self.shared.changed.wait_while_for(&mut segments, |segments| !segments.closing, FLUSH_PAUSE);
        }
        if self.shared.segments.lock().stuck.take().is_some() {
            tracing::info!("the binlog can be written again");
        }
        Ok(())
    }

    /// Sees to it that nothing of a segment is done again, though it may lie there for long as a spare one: without
    /// the temporary files, which go next, its entries would bring files back to a state between two changes.
    fn invalidate(&self, segment: &Sealed) -> io::Result<()> {
        segment.file.write_all_at(&[0; BLOCK_LEN], 0)?;
        if self.sync { segment.file.sync_data() } else { Ok(()) }
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
        self.shared.changed.notify_all();
    }
}
