//! How often files were changed: a sure sign of whether one still is as it was when it was read. Size and time of a file are
//! none: a change has the time of its record, in whole seconds, and may leave the size alone.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts, which files share: whoever meets another file's change only reads his own once more.
const COUNTS: usize = 4096;

/// Counts of changes of the files of one store path since it was opened.
pub(crate) struct Changes(Box<[AtomicU64]>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self((0..COUNTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The count for a true name. Read before the content, and the same when nothing is being changed: what was read is
    /// the content still.
    pub(crate) fn of(&self, name: &[u8]) -> u64 {
        self.count(name).map_or(0, |count| count.load(Ordering::Acquire))
    }

    /// A change was done to a file, or perhaps a part of one.
    pub(crate) fn add(&self, name: &[u8]) {
        if let Some(count) = self.count(name) {
            count.fetch_add(1, Ordering::Release);
        }
    }

    fn count(&self, name: &[u8]) -> Option<&AtomicU64> {
        self.0.get(crc32fast::hash(name) as usize % COUNTS)
    }
}
