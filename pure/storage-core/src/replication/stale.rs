//! Which files of the peer may lack changes when they get a new name.
//!
//! A change of a file that meanwhile has another name finds no file, and nothing is sent for it. When it is the turn of
//! the record of the new name, the peer renames a file without that change. The original leaves it so; here the content
//! follows.

use std::collections::BTreeSet;

use fdfs_format::binlog::Change;

use super::LogPosition;
use super::steps::Done;
use super::window::{Entry, key, keys};

/// How many files are remembered, at most. With more, every one counts as one of them.
pub const STALE_MAX: usize = 65_536;

/// The files of one peer that may lack changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    files: BTreeSet<Box<str>>,
    full: bool,
    /// Renames up to there may follow changes that were passed over before this was made: the file was gone already, so
    /// its new name was in the log already.
    unknown_until: LogPosition,
}

impl Stale {
    /// `end` is the end of the log now.
    pub fn new(end: LogPosition) -> Self {
        Self { files: BTreeSet::new(), full: false, unknown_until: end }
    }

    /// Whether the file that this record gives a new name may lack changes at the peer.
    pub fn is(&self, entry: &Entry) -> bool {
        match &entry.record.change {
            Change::Rename { old, .. } => {
                self.full || entry.end <= self.unknown_until || self.files.contains(&key(old))
            }
            _ => false,
        }
    }

    /// Takes note of how a record was done.
    pub fn note(&mut self, entry: &Entry, done: Done) {
        let change = &entry.record.change;
        match change {
            Change::Delete { .. } | Change::Rename { .. } => {
                for key in keys(change) {
                    self.files.remove(&key);
                }
            }
            _ if done != Done::Missing || self.full => {}
            _ if self.files.len() >= STALE_MAX => {
                self.full = true;
                self.files.clear();
            }
            _ => {
                self.files.insert(key(change.name()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::need::Need;
    use fdfs_format::binlog::Record;

    fn entry(offset: u64, op: char, name: &str, extra: &str) -> Entry {
        let record = Record::parse(format!("1700000000 {op} M00/00/00/{name}{extra}").as_bytes()).unwrap();
        Entry { record, need: Need::Yes, end: LogPosition { file: 0, offset }, len: 10 }
    }

    fn rename(offset: u64, old: &str) -> Entry {
        entry(offset, 'R', "new", &format!(" M00/00/00/{old}"))
    }

    #[test]
    fn a_file_lacks_what_was_passed_over_because_it_was_gone() {
        let mut stale = Stale::new(LogPosition::default());
        stale.note(&entry(10, 'A', "old", " 0 5"), Done::Missing);
        stale.note(&entry(20, 'A', "fine", " 0 5"), Done::Taken);
        stale.note(&entry(30, 'A', "cut", " 0 5"), Done::Nothing);
        assert!(stale.is(&rename(40, "old")));
        assert!(!stale.is(&rename(40, "fine")) && !stale.is(&rename(40, "cut")));
        assert!(!stale.is(&entry(50, 'D', "old", "")));
    }

    #[test]
    fn a_file_that_was_renamed_or_deleted_is_forgotten() {
        let mut stale = Stale::new(LogPosition::default());
        for name in ["one", "two"] {
            stale.note(&entry(10, 'M', name, " 0 5"), Done::Missing);
        }
        stale.note(&rename(20, "one"), Done::Taken);
        stale.note(&entry(30, 'D', "two", ""), Done::Taken);
        assert_eq!(stale, Stale::new(LogPosition::default()));
    }

    #[test]
    fn of_renames_that_were_in_the_log_before_nothing_is_known() {
        let stale = Stale::new(LogPosition { file: 0, offset: 100 });
        assert!(stale.is(&rename(100, "old")));
        assert!(!stale.is(&rename(101, "old")));
    }

    #[test]
    fn when_too_many_are_to_be_remembered_each_counts_as_one_of_them() {
        let mut stale = Stale::new(LogPosition::default());
        for n in 0..=STALE_MAX {
            assert!(!stale.is(&rename(10, "other")));
            stale.note(&entry(10, 'A', &format!("f{n}"), " 0 5"), Done::Missing);
        }
        assert!(stale.is(&rename(10, "other")));
    }
}
