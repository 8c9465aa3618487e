//! What a member does with what others bring, as far as it is to be decided (storage internals: receiver behaviour).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use fdfs_fileid::{FileName, Kind};
use fdfs_format::binlog::{Change, Origin, Record};

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

    /// A change was made here; `was`: of a file that went.
    pub fn note(&mut self, change: &Change, was: Was) {
        match change {
            Change::Delete { name } => self.add(name.clone(), was),
            // Slaves and metadata may have the name of one that was deleted.
            Change::Create { name } | Change::Update { name } | Change::Link { name, .. } => {
                self.remove(name)
            }
            Change::Rename { name, old } => {
                self.add(old.clone(), Was::Here);
                self.remove(name);
            }
            Change::Append { .. } | Change::Modify { .. } | Change::Truncate { .. } => {}
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
    pub fn note(&mut self, record: &Record) {
        let mut was = Was::Missing;
        match &record.change {
            Change::Delete { name } if self.made.remove(&hash(name)) => was = Was::Here,
            Change::Create { name } | Change::Update { name } | Change::Link { name, .. } => {
                self.made.insert(hash(name));
            }
            Change::Rename { name, old } => {
                self.made.remove(&hash(old));
                self.made.insert(hash(name));
            }
            _ => {}
        }
        self.gone.note(&record.change, was);
    }
}

/// Changes that are remembered in [`Overtaken`]: between so many and twice as many.
pub const OVERTAKEN_MAX: usize = 32_768;

/// Changes of one file that are remembered there.
pub const OVERTAKEN_OF_FILE_MAX: usize = 1024;

/// What comes of a file, as far as it tells one change from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Brought {
    /// The whole of it.
    Whole,
    /// Bytes behind its end, which was there.
    Append(u64),
    /// Bytes over those from there on.
    Modify(u64),
    /// It gets this size.
    Truncate(u64),
    /// Its end.
    Delete,
}

impl Brought {
    /// What a record says. How many bytes were written is left out: of a part that was cut later, less is sent.
    fn of(change: &Change) -> Self {
        match change {
            Change::Create { .. } | Change::Update { .. } | Change::Link { .. } | Change::Rename { .. } => {
                Self::Whole
            }
            Change::Append { offset, .. } => Self::Append(*offset),
            Change::Modify { offset, .. } => Self::Modify(*offset),
            Change::Truncate { new_size, .. } => Self::Truncate(*new_size),
            Change::Delete { .. } => Self::Delete,
        }
    }
}

/// Which changes that other members bring came before, and were followed by one that was made here.
///
/// A member that is killed has not saved the last of its place in the log. When it is back it sends changes again that are
/// here already, and what it sends is the file as it is there: without what was done to it here meanwhile, which would
/// be lost on all members. A change is known by its second, its kind and its place in the file, as the record says them;
/// times are compared with nothing else, as clocks differ, and two changes may fall in one second.
///
/// Of files that may change, or be made again under their names: appenders, slaves, metadata.
#[derive(Debug, Default)]
pub struct Overtaken {
    /// By hashes of names; two names that share one are taken for one, once in some ten thousand million.
    young: BTreeMap<u64, Order>,
    /// Those that were the young ones before.
    old: BTreeMap<u64, Order>,
    /// How many changes and names the young ones are.
    weight: usize,
}

/// What came of a file, and how much of it before the last change that was made here.
#[derive(Debug, Default)]
struct Order {
    /// The second of each change that came and a hash of what it was, the last one last.
    came: VecDeque<(u32, u64)>,
    /// So many of the first of them were overtaken.
    overtaken: usize,
    /// The last change that was made here was its end.
    went: bool,
}

impl Overtaken {
    /// Whether a file's changes have to be noted.
    pub fn is_about(name: &FileName) -> bool {
        name.metadata_master().is_some() || matches!(name.kind(), Kind::Appender | Kind::Slave)
    }

    /// The next line of the log.
    pub fn note(&mut self, record: &Record) {
        let name = record.change.name();
        if record.origin == Origin::Peer {
            let time = u32::try_from(record.timestamp).unwrap_or_default();
            return self.came(name, time, Brought::of(&record.change));
        }
        self.made_here(name, matches!(record.change, Change::Delete { .. }));
        if let Change::Rename { old, .. } = &record.change {
            self.made_here(old, true);
        }
    }

    /// A member brought a change that it, or its client, made at `time`, and it was done.
    fn came(&mut self, name: &FileName, time: u32, what: Brought) {
        if Self::is_about(name) {
            let order = self.young(hash(name));
            order.came.push_back((time, hash(&what)));
            if order.came.len() > OVERTAKEN_OF_FILE_MAX {
                order.came.pop_front();
                order.overtaken = order.overtaken.saturating_sub(1);
            } else {
                self.weight += 1;
            }
        }
    }

    /// A change was made here, by a client; `went`: the file is not there any more.
    fn made_here(&mut self, name: &FileName, went: bool) {
        let key = hash(name);
        // Nothing of it came: there is nothing that could come again.
        if self.of(key).is_some() {
            let order = self.young(key);
            (order.overtaken, order.went) = (order.came.len(), went);
        }
    }

    /// Whether a change that comes was here before one that was made here. The whole of a file is sent in the place of any
    /// change that its receiver could not follow.
    pub fn holds(&self, name: &FileName, time: u32, what: Brought) -> bool {
        let what = (what != Brought::Whole).then(|| hash(&what));
        let is_it = |came: &(u32, u64)| came.0 == time && what.is_none_or(|what| came.1 == what);
        self.of(hash(name)).is_some_and(|order| order.came.iter().take(order.overtaken).any(is_it))
    }

    /// Whether a file is missing because it was deleted, or renamed, here.
    pub fn went(&self, name: &FileName) -> bool {
        self.of(hash(name)).is_some_and(|order| order.went)
    }

    fn of(&self, key: u64) -> Option<&Order> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// What is known of a name, among the young ones.
    fn young(&mut self, key: u64) -> &mut Order {
        if !self.young.contains_key(&key) {
            if self.weight >= OVERTAKEN_MAX {
                (self.old, self.weight) = (std::mem::take(&mut self.young), 0);
            }
            let order = self.old.remove(&key).unwrap_or_default();
            self.weight += 1 + order.came.len();
            self.young.insert(key, order);
        }
        self.young.entry(key).or_default()
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
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

    fn noted(lines: &[&str]) -> Overtaken {
        let mut overtaken = Overtaken::default();
        for line in lines {
            overtaken.note(&Record::parse(line.as_bytes()).unwrap());
        }
        overtaken
    }

    const APPENDER: &str = "M00/00/00/CgEBAmtJ0tCEJIrgAAAAAJfidFo3017347";

    #[test]
    fn what_came_before_a_change_made_here_is_known_when_it_comes_again_and_nothing_else_is() {
        use Brought::{Append, Modify, Truncate, Whole};
        let file = name(APPENDER);
        let lines = [
            format!("10 c {APPENDER}"),
            format!("12 a {APPENDER} 5 5"),
            format!("12 t {APPENDER} 10 8"),
            format!("12 A {APPENDER} 8 3"),
            format!("12 a {APPENDER} 11 4"),
        ];
        let known = |lines: &[String]| {
            let overtaken = noted(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            let asked = [
                (10, Whole),
                (12, Append(5)),
                (12, Truncate(8)),
                (12, Append(11)),
                (12, Modify(5)),
                (13, Append(5)),
                (11, Whole),
                (12, Whole),
            ];
            asked.map(|(time, what)| overtaken.holds(&file, time, what))
        };
        assert_eq!(known(&lines[..3]), [false; 8], "nothing was made here");
        let first = [true, true, true, false, false, false, false, true];
        assert_eq!(known(&lines[..4]), first);
        assert_eq!(known(&lines), first, "what came since, in the same second, may come again");
        let here = [&lines[..], &[format!("20 M {APPENDER} 0 3")]].concat();
        assert_eq!(known(&here), [true, true, true, true, false, false, false, true]);
    }

    #[test]
    fn slaves_metadata_and_what_has_another_name_now_are_known_and_ordinary_files_are_not() {
        let whole = |overtaken: &Overtaken, file: &str| overtaken.holds(&name(file), 10, Brought::Whole);
        let slave = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123_big.txt";
        let metadata = format!("{NORMAL}-m");
        for file in [slave, &metadata] {
            let overtaken = noted(&[&format!("10 c {file}"), &format!("11 D {file}")]);
            assert!(whole(&overtaken, file) && overtaken.went(&name(file)), "{file}");
            let overtaken = noted(&[&format!("10 d {file}"), &format!("11 C {file}")]);
            assert!(
                overtaken.holds(&name(file), 10, Brought::Delete) && !overtaken.went(&name(file)),
                "{file}"
            );
        }
        assert!(!whole(&noted(&[&format!("10 c {NORMAL}"), &format!("11 D {NORMAL}")]), NORMAL));
        let renamed = noted(&[&format!("10 c {APPENDER}"), &format!("10 R {NORMAL} {APPENDER}")]);
        assert!(whole(&renamed, APPENDER) && renamed.went(&name(APPENDER)));
        assert!(!whole(&noted(&[&format!("11 D {slave}")]), slave), "it never came");
    }

    #[test]
    fn the_changes_noted_last_are_remembered_and_no_more_than_twice_as_many() {
        let mut overtaken = Overtaken::default();
        let numbered = |number: usize| name(&format!("M00/00/00/{number:027}.a-m"));
        for number in 0..=OVERTAKEN_MAX {
            overtaken.came(&numbered(number), 10, Brought::Whole);
            overtaken.made_here(&numbered(number), false);
        }
        let holds = |overtaken: &Overtaken, number| overtaken.holds(&numbered(number), 10, Brought::Whole);
        assert!(!holds(&overtaken, 0) && holds(&overtaken, OVERTAKEN_MAX / 2 + 1));
        let of = |part: &BTreeMap<u64, Order>| part.values().map(|order| 1 + order.came.len()).sum::<usize>();
        assert!(of(&overtaken.old) <= OVERTAKEN_MAX + 1 && of(&overtaken.young) == overtaken.weight);
    }

    #[test]
    fn of_one_file_the_last_changes_are_remembered() {
        let (mut overtaken, file) = (Overtaken::default(), name(APPENDER));
        let changes = OVERTAKEN_OF_FILE_MAX as u64 + 1;
        (0..changes).for_each(|at| overtaken.came(&file, 10, Brought::Append(at)));
        overtaken.made_here(&file, false);
        overtaken.came(&file, 10, Brought::Append(changes));
        let holds = |at| overtaken.holds(&file, 10, Brought::Append(at));
        assert_eq!([0, 1, 2, changes - 1, changes].map(holds), [false, false, true, true, false]);
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
    fn d16_a_file_that_got_another_name_is_gone_under_the_old_one_and_whatever_comes_whole_is_here_again() {
        let slave = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123_big.txt";
        let gone_after = |line: String| {
            let mut log = GoneLog::default();
            log.note(&Record::parse(format!("10 D {slave}").as_bytes()).unwrap());
            log.note(&Record::parse(line.as_bytes()).unwrap());
            [slave, APPENDER].map(|file| log.gone.holds(&name(file)))
        };
        assert_eq!(gone_after(format!("11 R {slave} {APPENDER}")), [false, true]);
        assert_eq!(gone_after(format!("11 r {NORMAL} {APPENDER}")), [true, true]);
        for whole in [format!("11 c {slave}"), format!("11 U {slave}"), format!("11 l {slave} {NORMAL}")] {
            assert_eq!(gone_after(whole), [false, false]);
        }
        for part in [format!("11 a {slave} 5 5"), format!("11 M {slave} 0 3"), format!("11 t {slave} 9 5")] {
            assert_eq!(gone_after(part), [true, false]);
        }
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
            log.note(&Record::parse(format!("10 D {file}").as_bytes()).unwrap());
        }
        assert!(log.gone.came_too_late(&name(NORMAL)) && log.gone.came_too_late(&name(appender)));
        assert!(!log.gone.came_too_late(&name(slave)));
        assert!(log.gone.holds(&name(slave)));
        log.note(&Record::parse(format!("11 C {slave}").as_bytes()).unwrap());
        assert!(!log.gone.holds(&name(slave)));
    }
}
