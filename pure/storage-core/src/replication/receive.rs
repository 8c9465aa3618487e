//! What a member does with what others bring, as far as it is to be decided (storage internals: receiver behaviour).

use std::collections::{BTreeSet, VecDeque};

use fdfs_fileid::{FileName, Kind};
use fdfs_format::binlog::{Change, Record};

/// Names of deleted files that are remembered.
pub const GONE_MAX: usize = 65_536;

/// Where bytes go that were appended at the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// To the end of the file.
    Here,
    /// The file has them already.
    Had,
    /// The file here is no beginning of what it should be: the whole of it is needed.
    Unfit,
}

/// Where `len` bytes go that were appended at the peer to a file which ended at `start`; the file here has `size` bytes.
pub fn appended(size: u64, start: u64, len: u64) -> Appended {
    match start.checked_add(len) {
        _ if start == size => Appended::Here,
        Some(end) if size >= end => Appended::Had,
        _ => Appended::Unfit,
    }
}

/// The names of files that went last: a file that comes late is known by them, and not asked for elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    known: BTreeSet<FileName>,
    /// The same, the oldest first.
    order: VecDeque<FileName>,
}

impl Gone {
    /// Takes note of the next record of the log.
    pub fn note(&mut self, record: Record) {
        match record.change {
            Change::Delete { name } => self.add(name),
            // Slaves and metadata may have the name of one that was deleted.
            Change::Create { name } => self.remove(&name),
            _ => {}
        }
    }

    /// A file went.
    pub fn add(&mut self, name: FileName) {
        if !self.known.insert(name.clone()) {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > GONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// It is here again.
    pub fn remove(&mut self, name: &FileName) {
        if self.known.remove(name) {
            self.order.retain(|other| other != name);
        }
    }

    /// Whether a file went and is not here again.
    pub fn holds(&self, name: &FileName) -> bool {
        self.known.contains(name)
    }

    /// Whether a file that comes was deleted before: by a member whose word was faster than that of the one that made it
    /// (storage internals: holes, D16). Only of names that no other file ever has: they carry random bits, which those of
    /// slaves and metadata share with that of their file.
    pub fn came_too_late(&self, name: &FileName) -> bool {
        matches!(name.kind(), Kind::Normal | Kind::Trunk)
            && name.metadata_master().is_none()
            && self.holds(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL: &str = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123.txt";

    fn name(text: &str) -> FileName {
        FileName::parse(text.as_bytes()).unwrap()
    }

    fn numbered(number: usize) -> FileName {
        name(&format!("M00/00/00/{number:027}.a"))
    }

    #[test]
    fn bytes_are_appended_where_they_were_at_the_peer_and_nowhere_else() {
        let table = [
            (10, 10, 5, Appended::Here),
            (10, 10, 0, Appended::Here),
            (15, 10, 5, Appended::Had),
            (16, 10, 5, Appended::Had),
            (12, 10, 5, Appended::Unfit),
            (9, 10, 5, Appended::Unfit),
            (10, 11, u64::MAX, Appended::Unfit),
        ];
        for (size, start, len, expected) in table {
            assert_eq!(appended(size, start, len), expected, "{size} {start} {len}");
        }
    }

    #[test]
    fn the_files_deleted_last_are_remembered_and_no_more_than_that() {
        let mut gone = Gone::default();
        (0..GONE_MAX).for_each(|number| gone.add(numbered(number)));
        gone.add(numbered(0));
        assert!(gone.holds(&numbered(0)));
        gone.add(numbered(GONE_MAX));
        assert!(!gone.holds(&numbered(0)));
        assert!(gone.holds(&numbered(1)) && gone.holds(&numbered(GONE_MAX)));
    }

    #[test]
    fn d16_a_file_that_was_deleted_comes_too_late_and_a_slave_may_be_made_again() {
        let mut gone = Gone::default();
        let slave = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123_big.txt";
        for file in [NORMAL, slave] {
            assert!(!gone.came_too_late(&name(file)));
            gone.note(Record::parse(format!("10 D {file}").as_bytes()).unwrap());
        }
        assert!(gone.came_too_late(&name(NORMAL)) && !gone.came_too_late(&name(slave)));
        assert!(gone.holds(&name(slave)));
        gone.note(Record::parse(format!("11 C {slave}").as_bytes()).unwrap());
        assert!(!gone.holds(&name(slave)));
    }
}
