//! What a member does with what others bring, as far as it is to be decided (storage internals: receiver behaviour).

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use fdfs_fileid::{FileName, Kind};
use fdfs_format::binlog::{Change, Record};

/// Names of deleted files that are remembered: of those that were here, and as many of those that had not come yet.
pub const GONE_MAX: usize = 65_536;

/// Length of a name that is no slave's, `M00/00/00/` included, outside of trunk files.
const GENERATED_NAME_LEN: usize = 44;

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

/// Whether a file that was deleted had been here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// It had, so it hardly comes once more.
    Here,
    /// Not yet: it may come from a member that has not heard of its deletion (storage internals: holes, D16).
    Missing,
}

/// The names of files that went last: a file that comes late is known by them, and not asked for elsewhere.
///
/// Those that had not come yet have a place of their own, so that any number of ordinary deletions does not make one of
/// them forgotten while its file is on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    known: BTreeSet<FileName>,
    /// The same, the oldest first: those that were here, those that were not.
    here: VecDeque<FileName>,
    missing: VecDeque<FileName>,
}

impl Gone {
    /// A file went.
    pub fn add(&mut self, name: FileName, was: Was) {
        if !self.known.insert(name.clone()) {
            return;
        }
        let order = if was == Was::Here { &mut self.here } else { &mut self.missing };
        order.push_back(name);
        if order.len() > GONE_MAX
            && let Some(oldest) = order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// It is here again.
    pub fn remove(&mut self, name: &FileName) {
        if self.known.remove(name) {
            self.here.retain(|other| other != name);
            self.missing.retain(|other| other != name);
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
        let own_bits = match name.kind() {
            Kind::Normal | Kind::Trunk => true,
            // The slave of an appender counts as one, too.
            Kind::Appender => name.as_str().len() <= GENERATED_NAME_LEN,
            Kind::Slave => false,
        };
        own_bits && name.metadata_master().is_none() && self.holds(name)
    }
}

/// What a log says of files that went.
#[derive(Debug, Default)]
pub struct GoneLog {
    /// The names.
    pub gone: Gone,
    /// Hashes of the names that were made and have not gone since. Two names that share one make a deletion be taken for
    /// an ordinary one, no more.
    made: BTreeSet<u64>,
}

impl GoneLog {
    /// Takes note of the next record.
    pub fn note(&mut self, record: Record) {
        match record.change {
            Change::Delete { name } => {
                let was = if self.made.remove(&hash(&name)) { Was::Here } else { Was::Missing };
                self.gone.add(name, was);
            }
            // Slaves and metadata may have the name of one that was deleted.
            Change::Create { name } => {
                self.made.insert(hash(&name));
                self.gone.remove(&name);
            }
            _ => {}
        }
    }
}

fn hash(name: &FileName) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
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
        (0..GONE_MAX).for_each(|number| gone.add(numbered(number), Was::Here));
        gone.add(numbered(0), Was::Here);
        assert!(gone.holds(&numbered(0)));
        gone.add(numbered(GONE_MAX), Was::Here);
        assert!(!gone.holds(&numbered(0)));
        assert!(gone.holds(&numbered(1)) && gone.holds(&numbered(GONE_MAX)));
        gone.remove(&numbered(1));
        assert!(!gone.holds(&numbered(1)));
    }

    #[test]
    fn d16_no_number_of_deletions_makes_one_forgotten_whose_file_has_not_come() {
        let mut gone = Gone::default();
        gone.add(numbered(0), Was::Missing);
        (1..=2 * GONE_MAX).for_each(|number| gone.add(numbered(number), Was::Here));
        assert!(gone.holds(&numbered(0)));
        (1..=GONE_MAX).for_each(|number| gone.add(numbered(3 * GONE_MAX + number), Was::Missing));
        assert!(!gone.holds(&numbered(0)));
    }

    #[test]
    fn d16_a_file_that_was_deleted_comes_too_late_and_a_slave_may_be_made_again() {
        let mut log = GoneLog::default();
        let slave = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123_big.txt";
        // Found by simulation: deleted at a member that stood in for its source, which then sent a change of it.
        let appender = "M00/00/00/CgEBAmtJ0tCEJIrgAAAAAJfidFo3017347";
        for file in [NORMAL, slave, appender] {
            assert!(!log.gone.came_too_late(&name(file)));
            log.note(Record::parse(format!("10 D {file}").as_bytes()).unwrap());
        }
        assert!(log.gone.came_too_late(&name(NORMAL)) && log.gone.came_too_late(&name(appender)));
        assert!(!log.gone.came_too_late(&name(slave)));
        assert!(log.gone.holds(&name(slave)));
        log.note(Record::parse(format!("11 C {slave}").as_bytes()).unwrap());
        assert!(!log.gone.holds(&name(slave)));
    }
}
