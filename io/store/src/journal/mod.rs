//! The journal of one store path: where a change becomes certain.
//!
//! A change is first written here, together with its binlog line, and (at the durability `disk`) synced;
//! then it is done to the files and answered. One write and one sync serve all changes that wait at that
//! moment. After a crash the entries are done again, in order, by [`replay`]; so a change that was
//! acknowledged is there, and one that was not is there as a whole or not at all.
//!
//! Entries live in segment files of a fixed size. A full segment is *checkpointed*: files and binlog are
//! synced, and the segment is used again. Only the writer of the store path ([`crate::writer`]) writes here,
//! and it does the changes of a batch before it writes the next one, so all changes of a full segment are
//! done.

mod checkpoint;
mod replay;
mod segment;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use fdfs_format::journal::{
    BATCH_HEADER_LEN, BLOCK_LEN, BatchHeader, Entry, NAME_MAX, SegmentHeader, padded,
};

use crate::binlog::Binlog;
use crate::disks::Disks;
use checkpoint::{Checkpointer, Sealed};
pub(crate) use replay::{Replay, replay};
use segment::{Blank, Segment};

/// Bytes of staged temporary files after which a segment is checkpointed early, to give their space back.
const STAGED_MAX: u64 = 256 << 20;

/// Longest entry that takes another one back, bytes: 32 before its name, no binlog line and no content.
const REGRET_LEN_MAX: usize = 32 + NAME_MAX;

/// Capacity of the batch buffer that is kept for the next batch.
const KEEP_BATCH: usize = 1 << 20;

/// What a journal needs to know.
#[derive(Debug, Clone)]
pub(crate) struct JournalSettings {
    /// The folder of the segments, which exists.
    pub(crate) dir: PathBuf,
    /// The folder of temporary files; synced before a batch that adopts one.
    pub(crate) temp_dir: PathBuf,
    /// Where changes are done besides the file system of the journal.
    pub(crate) disks: Arc<Disks>,
    /// Length of one segment, bytes.
    pub(crate) segment_len: u64,
    /// How many segments there may be.
    pub(crate) segments_max: usize,
    /// Whether a batch is synced before its changes are done (`durability = disk`).
    pub(crate) sync: bool,
}

/// The journal, open for writing.
pub(crate) struct Journal {
    settings: JournalSettings,
    binlog: Arc<Binlog>,
    checkpointer: Checkpointer,
    segment: Segment,
    next_batch: u64,
    next_segment: u64,
    batch: Batch,
    /// The folder of temporary files.
    temp_dir: File,
    /// What the disk holds is unknown.
    failed: bool,
}

/// The batch that is being put together.
#[derive(Default)]
struct Batch {
    /// Room for the header, then the entries.
    bytes: Vec<u8>,
    entries: u32,
    /// One of the entries needs a temporary file.
    temps: bool,
    staged: u64,
    /// Bytes that taking back all of its entries takes; 0 when it takes back others.
    regrets: usize,
}

impl Journal {
    /// Starts an empty journal: replay is done and no segment is left.
    pub(crate) fn start(settings: JournalSettings, binlog: Arc<Binlog>) -> io::Result<Self> {
        let blank = |number| Blank::create(&settings.dir, settings.segment_len, number);
        let segment = Segment::begin(blank(1)?, header(1, 1, &binlog))?;
        let spare = Segment::begin(blank(0)?, header(0, 1, &binlog))?;
        let temp_dir = File::open(&settings.temp_dir)?;
        let checkpointer = Checkpointer::start(&settings, Arc::clone(&binlog), spare.path)?;
        Ok(Self {
            settings,
            binlog,
            checkpointer,
            segment,
            next_batch: 1,
            next_segment: 2,
            batch: Batch::default(),
            temp_dir,
            failed: false,
        })
    }

    /// Bytes of entries in the batch.
    pub(crate) fn batch_len(&self) -> usize {
        self.batch.bytes.len()
    }

    /// Adds an entry to the batch. `staged` is the size of the temporary file it splices.
    pub(crate) fn add(&mut self, entry: &Entry<'_>, staged: u64) {
        use fdfs_format::journal::Change;
        if self.batch.bytes.is_empty() {
            self.batch.bytes.resize(BATCH_HEADER_LEN, 0);
        }
        self.batch.temps |=
            matches!(entry.change, Change::Adopt { .. } | Change::Splice { .. } | Change::FillStaged { .. });
        self.batch.staged += staged;
        if !entry.line.is_empty() {
            self.batch.regrets += REGRET_LEN_MAX;
        }
        self.batch.entries += 1;
        entry.encode(&mut self.batch.bytes);
    }

    /// Makes the entries of the batch certain, all or none of them. Blocks; also for a checkpoint, when all
    /// segments are in use.
    ///
    /// # Errors
    /// What writing or syncing says. Unless the journal [has failed](Self::has_failed), none of it was written, and
    /// the next batch may be.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        let result = if batch.entries == 0 { Ok(()) } else { self.write(&mut batch) };
        if batch.bytes.capacity() <= KEEP_BATCH {
            batch.bytes.clear();
            self.batch.bytes = batch.bytes;
        }
        result
    }

    /// Whether the journal must not be written to any more: what the disk holds is unknown, and a second sync would
    /// not tell.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// What came of a call after which, if it failed, the disk is not known any more.
    fn for_good<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.failed |= result.is_err();
        result
    }

    fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        if self.settings.sync && batch.temps {
            let synced = self.temp_dir.sync_all();
            self.for_good(synced)?;
        }
        BatchHeader::seal(self.next_batch, batch.entries, &mut batch.bytes);
        let len = padded(batch.bytes.len());
        batch.bytes.resize(len, 0);
        // What can't be done when it is its turn is taken back in the same segment: for another one there may be no room, and
        // a start before there is would do what was refused.
        let regrets = if batch.regrets == 0 { 0 } else { padded(BATCH_HEADER_LEN + batch.regrets) };
        let full = self.segment.end + (len + regrets) as u64 > self.settings.segment_len
            || (self.segment.staged > STAGED_MAX && batch.regrets > 0);
        if full && self.segment.end > BLOCK_LEN as u64 {
            self.rotate()?;
        }
        let written = self.segment.file.write_all_at(&batch.bytes, self.segment.end);
        self.for_good(written)?;
        if self.settings.sync {
            let synced = self.segment.file.sync_data();
            self.for_good(synced)?;
        }
        self.segment.end += len as u64;
        self.segment.staged += batch.staged;
        self.next_batch += 1;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let header = header(self.next_segment, self.next_batch, &self.binlog);
        let blank = self.blank().inspect_err(|_| self.failed |= self.checkpointer.has_failed())?;
        let begun = Segment::begin(blank, header);
        let next = self.for_good(begun)?;
        self.checkpointer.begun(&next.path);
        self.next_segment += 1;
        let full = std::mem::replace(&mut self.segment, next);
        self.checkpointer.seal(Sealed::from(full));
        Ok(())
    }

    /// A file for the next segment.
    fn blank(&self) -> io::Result<Blank> {
        if let Some(spare) = self.checkpointer.room()? {
            return Blank::spare(spare);
        }
        match Blank::create(&self.settings.dir, self.settings.segment_len, self.next_segment) {
            // There are two segments from the start, so the other one comes back, however full the disk is.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                Blank::spare(self.checkpointer.spare()?)
            }
            created => created,
        }
    }

    /// Has a temporary file removed once the changes so far are safe without it.
    pub(crate) fn remove_later(&mut self, temp: PathBuf) {
        self.segment.temps.push(temp);
    }

    /// Closes the journal in order: files and binlog are synced, and no segment is left. Blocks.
    ///
    /// # Errors
    /// What syncing or removing says; the segments stay for the next start.
    pub(crate) fn close(self) -> io::Result<()> {
        self.checkpointer.seal(Sealed::from(self.segment));
        self.checkpointer.finish()
    }
}

fn header(number: u64, first_batch: u64, binlog: &Binlog) -> SegmentHeader {
    let (binlog_index, binlog_offset) = binlog.position();
    SegmentHeader { number, first_batch, binlog_index, binlog_offset }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use fdfs_format::journal::Change;

    use super::*;

    #[test]
    fn the_longest_entry_that_takes_another_one_back_has_room() {
        let (name, mut bytes) = ([b'a'; NAME_MAX], Vec::new());
        let regret = Entry { change: Change::Truncate { name: &name, size: u64::MAX }, mtime: 0, line: b"" };
        regret.encode(&mut bytes);
        assert_eq!(bytes.len(), REGRET_LEN_MAX);
    }

    #[test]
    fn what_takes_changes_back_goes_into_the_segment_that_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let dir = |name: &str| {
            let dir = folder.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            dir
        };
        let (data, journal_dir) = (dir("data"), dir("journal"));
        let device = rustix::fs::stat(&journal_dir).unwrap().st_dev;
        let data = File::open(data).unwrap();
        let settings = JournalSettings {
            dir: journal_dir,
            temp_dir: dir("tmp"),
            disks: Arc::new(Disks::new(std::os::fd::AsFd::as_fd(&data), device).unwrap()),
            segment_len: 64 * BLOCK_LEN as u64,
            segments_max: 4,
            sync: true,
        };
        let mut journal = Journal::start(settings, Arc::new(Binlog::open(&dir("sync")).unwrap())).unwrap();
        let change =
            Entry { change: Change::Splice { name: b"00/00/a", offset: 0, temp: 1 }, mtime: 9, line: b"9\n" };
        let regret = Entry { change: Change::Truncate { name: b"00/00/a", size: 0 }, mtime: 0, line: b"" };
        // The temporary file, or so many changes that taking them back takes more than a block, fill the segment.
        for (changes, staged) in [(1, STAGED_MAX + 1), (40, 0), (70, 0), (70, 0), (70, 0), (70, 0), (70, 0)] {
            (0..changes).for_each(|_| journal.add(&change, staged));
            journal.commit().unwrap();
            let segment = journal.segment.number;
            (0..changes).for_each(|_| journal.add(&regret, 0));
            journal.commit().unwrap();
            assert_eq!(journal.segment.number, segment, "{changes} {staged}");
        }
        assert!(journal.segment.number > 1);
    }
}
