//! What is free on the disk of a store path, told without asking the disk.
//!
//! A file system may take its time to say how full it is, and every upload wants to know. So one of the disk's own threads
//! asks from time to time, and in between everything that is written counts as taken. What was freed meanwhile shows
//! with the next reading: whoever is about to refuse something for want of space takes one first ([`Space::read`]).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::StoreError;
use crate::pool::Pool;

/// How long a disk may take to say how full it is; then what it said before counts.
const READING_WAIT: Duration = Duration::from_secs(1);

/// File systems give space away in blocks of no less.
const BLOCK_LEN: u64 = 4096;

/// Space on the disk of a store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All of it, bytes.
    pub total: u64,
    /// What may still be written by us, bytes.
    pub free: u64,
    /// Announced by uploads that are under way and not yet written, bytes.
    pub promised: u64,
}

/// What the file system said.
#[derive(Debug, Clone, Copy)]
struct Reading {
    total: u64,
    free: u64,
    /// [`Space::taken`] when it was asked.
    taken: u64,
    /// When it was asked.
    began: Instant,
}

/// The space of one store path.
pub(crate) struct Space {
    disk: OwnedFd,
    reading: watch::Sender<Reading>,
    /// Since when a reading is on its way.
    asked: Mutex<Option<Instant>>,
    promised: AtomicU64,
    /// Written since the start, bytes.
    taken: AtomicU64,
}

impl Space {
    /// The space of the file system that `disk` is on. Blocks.
    pub(crate) fn new(disk: OwnedFd) -> io::Result<Self> {
        let (reading, _) = watch::channel(read(&disk, 0)?);
        Ok(Self {
            disk,
            reading,
            asked: Mutex::new(None),
            promised: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        })
    }

    /// As last read, without what was written since.
    pub(crate) fn usage(&self) -> Usage {
        let reading = *self.reading.borrow();
        let taken = self.taken.load(Ordering::Relaxed).saturating_sub(reading.taken);
        Usage {
            total: reading.total,
            free: reading.free.saturating_sub(taken),
            promised: self.promised.load(Ordering::Relaxed),
        }
    }

    /// So many bytes that nobody had promised are about to be written.
    pub(crate) fn take(&self, bytes: u64) {
        self.taken.fetch_add(bytes.next_multiple_of(BLOCK_LEN), Ordering::Relaxed);
    }

    /// Promises space to content that is about to come. Of several at once only as many are promised as there is room
    /// for, so that some are stored where otherwise all would run into a full disk.
    pub(crate) async fn promise(self: &Arc<Self>, bytes: u64, pool: &Pool) -> Result<Promise, StoreError> {
        self.promised.fetch_add(bytes, Ordering::Relaxed);
        let promise = Promise { space: Arc::clone(self), bytes };
        let fits = |usage: Usage| usage.promised <= usage.free;
        if fits(self.usage()) || fits(self.read(pool).await) { Ok(promise) } else { Err(StoreError::NoSpace) }
    }

    /// Has a thread of the disk ask the file system, unless one is about to. Waits for nothing.
    pub(crate) fn ask(self: &Arc<Self>, pool: &Pool) {
        let mut asked = self.asked.lock();
        if asked.is_none() {
            *asked = Some(Instant::now());
            let space = Arc::clone(self);
            pool.run_later(move || space.answer());
        }
    }

    /// The space by a reading that is begun now, if the disk answers within [`READING_WAIT`].
    pub(crate) async fn read(self: &Arc<Self>, pool: &Pool) -> Usage {
        let now = Instant::now();
        let mut readings = self.reading.subscribe();
        let answered = async {
            while readings.borrow_and_update().began < now {
                self.ask(pool);
                if readings.changed().await.is_err() {
                    break;
                }
            }
        };
        // Of a disk that has kept somebody waiting for so long already nobody else needs to find out.
        let waited = self.asked.lock().map_or(Duration::ZERO, |since| now - since);
        if timeout(READING_WAIT.saturating_sub(waited), answered).await.is_err() {
            tracing::warn!("a disk does not say how full it is, what it said before counts");
        }
        self.usage()
    }

    fn answer(&self) {
        let reading = read(&self.disk, self.taken.load(Ordering::Relaxed));
        // Before it is told: whoever wants a newer one shall be able to ask. That one may then be told first.
        *self.asked.lock() = None;
        match reading {
            Ok(reading) => drop(self.reading.send_if_modified(|last| {
                let is_newer = last.began < reading.began;
                if is_newer {
                    *last = reading;
                }
                is_newer
            })),
            Err(error) => {
                tracing::warn!(%error, "cannot tell the free space of a store path, what it was before counts");
                self.reading.send_modify(|reading| reading.began = Instant::now());
            }
        }
    }
}

fn read(disk: &OwnedFd, taken: u64) -> io::Result<Reading> {
    let began = Instant::now();
    let stat = rustix::fs::fstatvfs(disk)?;
    Ok(Reading { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize, taken, began })
}

/// Space promised to content that is about to come; what has not come when this goes will not come.
pub(crate) struct Promise {
    space: Arc<Space>,
    bytes: u64,
}

impl Promise {
    /// So many more bytes are being written.
    pub(crate) fn keep(&mut self, bytes: u64) {
        self.space.take(bytes);
        self.release(bytes);
    }

    fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.space.promised.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::hang;

    fn space() -> (tempfile::TempDir, Arc<Space>) {
        let dir = tempfile::tempdir().unwrap();
        let disk = std::fs::File::open(dir.path()).unwrap();
        (dir, Arc::new(Space::new(disk.into()).unwrap()))
    }

    #[tokio::test]
    async fn what_is_written_counts_as_taken_until_the_disk_is_asked_again() {
        let (_dir, space) = space();
        let pool = Pool::start("test").unwrap();
        let gib = 1 << 30;
        let before = space.usage();
        space.take(gib);
        assert_eq!(space.usage().free, before.free.saturating_sub(gib));
        let after = space.read(&pool).await;
        assert!(after.free > before.free.saturating_sub(gib) + gib / 2, "{before:?} {after:?}");
    }

    #[tokio::test]
    async fn a_promise_that_is_kept_or_dropped_is_no_longer_promised() {
        let (_dir, space) = space();
        let pool = Pool::start("test").unwrap();
        let mut promise = space.promise(1 << 20, &pool).await.unwrap();
        promise.keep(1 << 19);
        assert_eq!(space.usage().promised, 1 << 19);
        drop(promise);
        assert_eq!(space.usage().promised, 0);
    }

    #[tokio::test]
    async fn more_than_there_is_is_not_promised() {
        let (_dir, space) = space();
        let pool = Pool::start("test").unwrap();
        let total = space.usage().total;
        assert!(matches!(space.promise(total + 1, &pool).await, Err(StoreError::NoSpace)));
        assert_eq!(space.usage().promised, 0);
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_waited_for_once_and_what_it_said_before_counts() {
        let (_dir, space) = space();
        let pool = Pool::start("test").unwrap();
        let before = space.usage();
        let held = hang(&pool).await;
        assert_eq!(space.read(&pool).await, before);
        let began = Instant::now();
        assert_eq!(space.read(&pool).await, before);
        assert!(began.elapsed() < READING_WAIT);
        let hung = space.reading.borrow().began;
        drop(held);
        space.reading.subscribe().wait_for(|reading| reading.began > hung).await.unwrap();
    }
}
