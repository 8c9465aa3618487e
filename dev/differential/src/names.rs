//! Files that both clusters have, each under a name of its own, and names that are wrong in some way.

use crate::chance::Chance;
use crate::storage_stream::Change;
use crate::wire::Pair;

/// What a file was made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Ordinary,
    Appender,
    Slave,
    /// An appender's slave that got a new name: with the end of a slave, and as short as an ordinary one.
    Renamed,
}

impl Made {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Made::Ordinary => "an ordinary file",
            Made::Appender => "an appender",
            Made::Slave => "a slave",
            Made::Renamed => "a renamed slave",
        }
    }
}

/// One file of both clusters.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) names: Pair<String>,
    pub(crate) made: Made,
    /// How long it should be by now: where offsets are taken from.
    pub(crate) len: u64,
    /// What is odd about its metadata.
    pub(crate) odd: &'static str,
    /// What is in it, where somebody has to know.
    pub(crate) content: Vec<u8>,
}

impl File {
    pub(crate) fn new(names: Pair<String>, made: Made, len: u64) -> File {
        File { names, made, len, odd: "", content: Vec::new() }
    }
}

/// A file that a request names.
pub(crate) struct Target {
    /// In words, for the case.
    pub(crate) words: &'static str,
    pub(crate) names: Pair<Vec<u8>>,
    /// Which of the files that are there; none for the rest.
    pub(crate) index: Option<usize>,
    /// The file whose name was spoilt.
    pub(crate) base: Option<usize>,
    pub(crate) len: u64,
    /// There is a file, and nothing in it.
    pub(crate) is_empty: bool,
}

impl Target {
    /// What follows when the request succeeds. A spoilt name may still mean the file to one of the two.
    pub(crate) fn change(&self, of: impl FnOnce(usize) -> Change) -> Change {
        match (self.index, self.base) {
            (Some(index), _) => of(index),
            (None, Some(base)) => Change::Doubtful(base),
            (None, None) => Change::Nothing,
        }
    }
}

/// The files of one stream.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) here: Vec<File>,
    gone: Vec<File>,
}

/// So many deleted files are remembered.
const GONE_MAX: usize = 50;

/// One thing that is wrong with a name.
type Spoil = (&'static str, fn(&str) -> Vec<u8>);

/// What is no name at all says so in its words; the rest are names, of nothing or of what clients may not touch.
const SPOILT: &[Spoil] = &[
    ("a name that never was", |name| other_at(name, 20)),
    ("a store path that is not there", |name| format!("M01{}", &name[3..]).into_bytes()),
    ("the last store path", |name| format!("MFF{}", &name[3..]).into_bytes()),
    ("no name: a store path that is no number", |name| format!("M0G{}", &name[3..]).into_bytes()),
    ("no name: a store path that begins with another letter", |name| {
        format!("N00{}", &name[3..]).into_bytes()
    }),
    ("no store path", |name| name.as_bytes()[4..].to_vec()),
    ("no name: directories in lower case", |name| format!("M00/aa/00{}", &name[9..]).into_bytes()),
    ("directories that are not there", |name| format!("M00/FF/FF{}", &name[9..]).into_bytes()),
    ("no name: directories that are none", |name| format!("M00/G0/00{}", &name[9..]).into_bytes()),
    ("no name: no slash behind the directories", |name| format!("M00/00/00x{}", &name[10..]).into_bytes()),
    ("no name: a slash too many", |name| format!("{}/{}", &name[..20], &name[21..]).into_bytes()),
    ("no name: dots for directories", |name| format!("M00/../..{}", &name[9..]).into_bytes()),
    ("no name: nothing but dots", |_| b"M00/00/00/..".to_vec()),
    ("no name: dots and a slash in the name", |name| {
        format!("{}/../{}", &name[..12], &name[16..]).into_bytes()
    }),
    ("a short name", |_| b"M00/00/00/a".to_vec()),
    ("a name of 30 characters", |name| name.as_bytes()[..30].to_vec()),
    ("no name: nothing behind the directories", |_| b"M00/00/00/".to_vec()),
    ("no name: half a name", |_| b"M00/0".to_vec()),
    ("no name: nothing", |_| Vec::new()),
    ("no name: a blank in the name", |name| with_at(name, 15, b' ')),
    ("no name: a line's end in the name", |name| with_at(name, 15, b'\n')),
    ("no name: a NUL in the name", |name| with_at(name, 25, 0)),
    ("no name: a high byte in the name", |name| with_at(name, 15, 0xC3)),
    ("no base64", |name| with_at(name, 15, b'$')),
    ("no name: a NUL behind the name", |name| [name.as_bytes(), b"\0"].concat()),
    ("a letter behind the name", |name| [name.as_bytes(), b"x"].concat()),
    ("the name of metadata", |name| [name.as_bytes(), b"-m"].concat()),
    ("the name of a trunk file", |_| b"M00/00/00/000001".to_vec()),
    ("a hidden name", |_| b"M00/00/00/.data_init_flag".to_vec()),
    ("a name of 127 characters", |name| format!("{name:a<127}").into_bytes()),
    ("an appender that never was", |_| b"M00/00/00/fwAACWhjJQWEESIzAAAAAA4Qul0901.txt".to_vec()),
];

fn with_at(name: &str, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes[at] = byte;
    bytes
}

/// Another character of base64 there.
fn other_at(name: &str, at: usize) -> Vec<u8> {
    let byte = if name.as_bytes()[at] == b'Q' { b'R' } else { b'Q' };
    with_at(name, at, byte)
}

impl Files {
    pub(crate) fn add(&mut self, file: File) {
        self.here.push(file);
    }

    /// It is deleted, and asked for all the same.
    pub(crate) fn remove(&mut self, index: usize) {
        let file = self.here.swap_remove(index);
        if self.gone.len() == GONE_MAX {
            self.gone.swap_remove(0);
        }
        self.gone.push(file);
    }

    /// The two don't have the same under its name any more: it is not asked for again.
    pub(crate) fn forget(&mut self, index: usize) {
        self.here.swap_remove(index);
    }

    /// A request may name anything: mostly what is there.
    pub(crate) fn any(&self, chance: &mut Chance) -> Target {
        self.target(chance, |_| true)
    }

    /// As [`Files::any`], and mostly an appender.
    pub(crate) fn any_appender(&self, chance: &mut Chance) -> Target {
        let other = chance.percent(15);
        self.target(chance, |file| other || file.made == Made::Appender)
    }

    fn target(&self, chance: &mut Chance, mostly: impl Fn(&File) -> bool) -> Target {
        let dice = chance.below(100);
        if dice < 6 && !self.gone.is_empty() {
            return self.of(&self.gone[chance.index(self.gone.len())], "a deleted file", None);
        }
        let fitting: Vec<usize> = (0..self.here.len()).filter(|index| mostly(&self.here[*index])).collect();
        if dice < 18 || fitting.is_empty() {
            return self.spoilt(chance);
        }
        let index = chance.pick(&fitting);
        self.of(&self.here[index], self.here[index].made.words(), Some(index))
    }

    fn of(&self, file: &File, words: &'static str, index: Option<usize>) -> Target {
        let names = file.names.map(|name| name.clone().into_bytes());
        Target { words, names, index, base: None, len: file.len, is_empty: index.is_some() && file.len == 0 }
    }

    /// A name that is none, or of a store path that is not there.
    pub(crate) fn impossible(&self, chance: &mut Chance) -> Target {
        loop {
            let target = self.spoilt(chance);
            let creates = target.words.contains("NUL"); // the original takes it for what stands before
            if !creates
                && (target.words.starts_with("no name: ") || target.words.contains("store path that is not"))
            {
                return target;
            }
        }
    }

    /// A name that is wrong.
    pub(crate) fn spoilt(&self, chance: &mut Chance) -> Target {
        let base = (!self.here.is_empty()).then(|| chance.index(self.here.len()));
        // Another one each time: what the original makes of it, others would meet.
        let stranger =
            || Pair::same(format!("M00/00/00/fwAACWhjJQWAESIzAAAADg4Qul0{:03}.txt", chance.below(1000)));
        let names = base.map_or_else(stranger, |base| self.here[base].names.clone());
        let (words, spoil) = chance.pick(SPOILT);
        // A longer one overwrites the original's memory: hole S1, which has tests of its own.
        let cut = |mut name: Vec<u8>| {
            name.truncate(fdfs_proto::limits::NAME_LEN_MAX);
            name
        };
        // It is the same file for both without its store path, the first one.
        let len = base.filter(|_| words == "no store path").map_or(u64::MAX, |base| self.here[base].len);
        let is_empty = len == 0;
        Target { words, names: names.map(|name| cut(spoil(name))), index: None, base, len: 0, is_empty }
    }
}
