//! Group commit: whoever comes first writes for all who have come meanwhile.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fdfs_format::journal::{BATCH_HEADER_LEN, BLOCK_LEN, BatchHeader, Change, Entry, SegmentHeader, padded};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::checkpoint::{Checkpointer, Sealed};
use super::segment::{Outstanding, Segment};
use crate::binlog::Binlog;

/// Longest wait for a checkpoint to free a segment before a change is refused.
const ROOM_WAIT: Duration = Duration::from_secs(30);

/// Bytes of staged temporary files after which a segment is checkpointed early, to give their space back.
const STAGED_MAX: u64 = 256 << 20;

/// Capacity of a batch buffer that is kept for the next batch.
const KEEP_BATCH: usize = 1 << 20;

/// What a journal needs to know.
#[derive(Debug, Clone)]
pub(crate) struct JournalSettings {
    /// The folder of the segments, which exists.
    pub(crate) dir: PathBuf,
    /// The folder of temporary files; synced before a batch that adopts one.
    pub(crate) temp_dir: PathBuf,
    /// Length of one segment, bytes.
    pub(crate) segment_len: u64,
    /// How many segments there may be.
    pub(crate) segments_max: usize,
    /// Whether a change is synced before it is acknowledged (`durability = disk`).
    pub(crate) sync: bool,
}

/// Why a change did not become certain.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum JournalError {
    /// Writing or syncing failed, now or earlier. Nothing more is written: what the disk holds is unknown.
    #[error("the journal failed and is closed: {0}")]
    Failed(Arc<io::Error>),
    /// Checkpoints are too far behind.
    #[error("the journal is full, checkpoints are more than {} s behind", ROOM_WAIT.as_secs())]
    Full,
}

/// Holds the segment of a change that is certain; dropped when the change is done to files and binlog.
#[derive(Debug)]
pub(crate) struct Applied(Arc<Outstanding>);

impl Applied {
    /// Has a temporary file removed once the segment is checkpointed.
    pub(crate) fn remove_later(&self, temp: PathBuf) {
        self.0.remove_later(temp);
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        self.0.done();
    }
}

enum Turn {
    Done(Applied),
    Failed(Arc<io::Error>),
    Lead,
}

#[derive(Default)]
struct Batch {
    /// Room for the header, then the entries.
    bytes: Vec<u8>,
    entries: u32,
    /// One of the entries adopts a temporary file.
    adopts: bool,
    /// Bytes of temporary files that must stay until the segment is checkpointed.
    staged: u64,
    waiting: Vec<oneshot::Sender<Turn>>,
}

struct Shared {
    open: Batch,
    spare: Vec<u8>,
    leading: bool,
    failed: Option<Arc<io::Error>>,
}

struct Tail {
    segment: Segment,
    staged: u64,
    next_batch: u64,
    next_segment: u64,
}

pub(crate) struct Journal {
    settings: JournalSettings,
    shared: Mutex<Shared>,
    /// Only the leader takes it.
    tail: Mutex<Option<Tail>>,
    binlog: Arc<Binlog>,
    checkpointer: Checkpointer,
    live: Arc<AtomicUsize>,
    freed: Arc<Notify>,
}

impl Journal {
    /// Starts an empty journal: replay is done and no segment is left.
    pub(crate) fn start(settings: JournalSettings, binlog: Arc<Binlog>) -> io::Result<Self> {
        let (number, next_batch) = (1, 1);
        let header = header(number, next_batch, &binlog);
        let segment = Segment::start(&settings.dir, settings.segment_len, header, None)?;
        let live = Arc::new(AtomicUsize::new(1));
        let freed = Arc::new(Notify::new());
        let checkpointer =
            Checkpointer::start(&settings, Arc::clone(&binlog), Arc::clone(&live), Arc::clone(&freed))?;
        Ok(Self {
            settings,
            shared: Mutex::new(Shared {
                open: Batch::default(),
                spare: Vec::new(),
                leading: false,
                failed: None,
            }),
            tail: Mutex::new(Some(Tail { segment, staged: 0, next_batch, next_segment: number + 1 })),
            binlog,
            checkpointer,
            live,
            freed,
        })
    }

    /// Makes `entries` certain, all or none of them, and returns when they are. `staged` is the size of the
    /// temporary files they splice.
    ///
    /// Blocks the thread for the time of a write and a sync when it is the caller's turn to lead.
    ///
    /// # Errors
    /// [`JournalError`]; then none of them may be done.
    pub(crate) async fn commit(&self, entries: &[Entry<'_>], staged: u64) -> Result<Applied, JournalError> {
        self.wait_for_room().await?;
        let waiting = {
            let mut shared = self.shared.lock();
            if let Some(error) = &shared.failed {
                return Err(JournalError::Failed(Arc::clone(error)));
            }
            shared.add(entries, staged);
            if shared.leading {
                let (send, receive) = oneshot::channel();
                shared.open.waiting.push(send);
                Some(receive)
            } else {
                shared.leading = true;
                None
            }
        };
        match waiting {
            None => self.lead(),
            Some(turn) => match turn.await {
                Ok(Turn::Done(applied)) => Ok(applied),
                Ok(Turn::Lead) => self.lead(),
                Ok(Turn::Failed(error)) => Err(JournalError::Failed(error)),
                Err(_) => Err(JournalError::Failed(Arc::new(io::Error::other("the journal was closed")))),
            },
        }
    }

    async fn wait_for_room(&self) -> Result<(), JournalError> {
        while self.live.load(Ordering::Acquire) > self.settings.segments_max {
            let freed = self.freed.notified();
            if self.live.load(Ordering::Acquire) <= self.settings.segments_max {
                break;
            }
            timeout(ROOM_WAIT, freed).await.map_err(|_| JournalError::Full)?;
        }
        Ok(())
    }

    /// Writes the open batch, which holds the caller's entries, and hands the lead on.
    fn lead(&self) -> Result<Applied, JournalError> {
        let mut batch = self.shared.lock().take_open();
        let result = self.write(&mut batch);
        let mut shared = self.shared.lock();
        if let Err(error) = &result {
            shared.failed = Some(Arc::clone(error));
        }
        shared.hand_on();
        if batch.bytes.capacity() <= KEEP_BATCH {
            shared.spare = std::mem::take(&mut batch.bytes);
        }
        drop(shared);
        match result {
            Ok(outstanding) => {
                outstanding.add(batch.waiting.len() as u64 + 1);
                for waiting in batch.waiting {
                    // Whoever went away drops its turn, and with it its share of the segment.
                    let _ = waiting.send(Turn::Done(Applied(Arc::clone(&outstanding))));
                }
                Ok(Applied(outstanding))
            }
            Err(error) => {
                tracing::error!(%error, dir = %self.settings.dir.display(), "journal failed, this store path accepts no more changes");
                for waiting in batch.waiting {
                    let _ = waiting.send(Turn::Failed(Arc::clone(&error)));
                }
                Err(JournalError::Failed(error))
            }
        }
    }

    fn write(&self, batch: &mut Batch) -> Result<Arc<Outstanding>, Arc<io::Error>> {
        self.write_batch(batch).map_err(Arc::new)
    }

    fn write_batch(&self, batch: &mut Batch) -> io::Result<Arc<Outstanding>> {
        let mut guard = self.tail.lock();
        let tail = guard.as_mut().ok_or_else(|| io::Error::other("the journal is closed"))?;
        if self.settings.sync && batch.adopts {
            std::fs::File::open(&self.settings.temp_dir)?.sync_all()?;
        }
        BatchHeader::seal(tail.next_batch, batch.entries, &mut batch.bytes);
        let len = padded(batch.bytes.len());
        batch.bytes.resize(len, 0);
        let full = tail.segment.end + len as u64 > self.settings.segment_len || tail.staged > STAGED_MAX;
        if full && tail.segment.end > BLOCK_LEN as u64 {
            self.rotate(tail)?;
        }
        tail.segment.file.write_all_at(&batch.bytes, tail.segment.end)?;
        if self.settings.sync {
            tail.segment.file.sync_data()?;
        }
        tail.segment.end += len as u64;
        tail.next_batch += 1;
        tail.staged += batch.staged;
        Ok(Arc::clone(&tail.segment.outstanding))
    }

    fn rotate(&self, tail: &mut Tail) -> io::Result<()> {
        let header = header(tail.next_segment, tail.next_batch, &self.binlog);
        let spare = self.checkpointer.spare();
        self.live.fetch_add(1, Ordering::AcqRel);
        let next = Segment::start(&self.settings.dir, self.settings.segment_len, header, spare)?;
        tail.next_segment += 1;
        tail.staged = 0;
        let full = std::mem::replace(&mut tail.segment, next);
        self.checkpointer.seal(Sealed::from(full));
        Ok(())
    }

    /// Closes the journal after an orderly stop: everything is done to files and binlog and synced, and no
    /// segment is left. Blocks.
    ///
    /// # Errors
    /// What syncing or removing says; the segments stay for the next start.
    pub(crate) fn close(&self) -> io::Result<()> {
        let Some(tail) = self.tail.lock().take() else { return Ok(()) };
        if let Some(error) = &self.shared.lock().failed {
            return Err(io::Error::new(error.kind(), Arc::clone(error)));
        }
        self.checkpointer.seal(Sealed::from(tail.segment));
        self.checkpointer.finish()
    }
}

impl Shared {
    fn add(&mut self, entries: &[Entry<'_>], staged: u64) {
        if self.open.bytes.is_empty() {
            self.open.bytes = std::mem::take(&mut self.spare);
            self.open.bytes.clear();
            self.open.bytes.resize(BATCH_HEADER_LEN, 0);
        }
        self.open.staged += staged;
        for entry in entries {
            self.open.adopts |= matches!(entry.change, Change::Adopt { .. } | Change::Splice { .. });
            entry.encode(&mut self.open.bytes);
            self.open.entries += 1;
        }
    }

    fn take_open(&mut self) -> Batch {
        std::mem::take(&mut self.open)
    }

    /// Lets the first of those who wait lead; when nobody waits, the next to come does.
    fn hand_on(&mut self) {
        while !self.open.waiting.is_empty() {
            if self.open.waiting.remove(0).send(Turn::Lead).is_ok() {
                return;
            }
        }
        self.leading = false;
    }
}

fn header(number: u64, first_batch: u64, binlog: &Binlog) -> SegmentHeader {
    let (binlog_index, binlog_offset) = binlog.position();
    SegmentHeader { number, first_batch, binlog_index, binlog_offset }
}
