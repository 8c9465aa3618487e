//! Random commands to a storage: mostly right, each wrong one wrong in one way.

use fdfs_fileid::{FileName, Kind};
use fdfs_proto::{Peer, StorageCommand};

use crate::chance::Chance;
use crate::layout::{self, Shape};
use crate::names::{File, Files, Made, Target};
use crate::request::{Body, Framing, Request};
use crate::wire::{Pair, Reply};

/// The group that both clusters have.
pub(crate) const GROUP: &[u8] = b"group1";
/// A stream has no more files at once.
const FILES_MAX: usize = 80;
/// An appender does not get longer.
const APPENDER_LEN_MAX: u64 = 200_000;

/// What a reply changes about the files.
pub(crate) enum Change {
    Nothing,
    /// The reply names a new file.
    Made {
        made: Made,
        len: u64,
    },
    /// It is gone when that succeeds.
    Gone(usize),
    /// It has another length.
    Length {
        index: usize,
        len: u64,
    },
    /// The reply has the name it has from now on.
    Renamed(usize),
    /// It has metadata that is read in two ways.
    Marked {
        index: usize,
        odd: &'static str,
    },
    /// It is what it was, unless the two don't say the same.
    Touched(usize),
    /// It is something else when either of the two succeeds.
    Doubtful(usize),
}

impl Change {
    /// What follows when the request was spoilt.
    pub(crate) fn spoilt(self) -> Change {
        match self {
            Change::Nothing | Change::Made { .. } => Change::Nothing,
            Change::Gone(index)
            | Change::Length { index, .. }
            | Change::Renamed(index)
            | Change::Marked { index, .. }
            | Change::Touched(index)
            | Change::Doubtful(index) => Change::Doubtful(index),
        }
    }
}

/// The commands of one stream, and the files they made.
pub(crate) struct StorageStream {
    pub(crate) files: Files,
}

/// Sizes that are the edge of something: nothing, packs and buffers.
fn size(chance: &mut Chance) -> usize {
    match chance.below(1000) {
        0..=49 => 0,
        50..=549 => 1 + chance.index(100),
        550..=939 => chance.index(4096),
        940..=979 => chance.index(65_536),
        980..=989 => 65_535 + chance.index(3),
        990..=996 => 262_140 + chance.index(8),
        _ => chance.index(600_000),
    }
}

fn extension(chance: &mut Chance) -> (&'static str, &'static [u8]) {
    const GOOD: &[&[u8]] = &[b"jpg", b"txt", b"", b"tar.gz", b"c", b"123456", b"A_b-c", b"a.b"];
    const ODD: &[(&str, &[u8])] = &[
        ("an extension with a dot in front", b".jpg"),
        ("an extension that is a dash", b"-"),
        ("an extension as that of metadata", b"-m"),
        ("an extension with a slash", b"a/b"),
        ("an extension with a blank", b"a b"),
        ("an extension of dots", b"..."),
        ("an extension with a star", b"a*"),
        ("an extension of high bytes", b"\xC3\xA4"),
        ("an extension behind a NUL", b"a\0b"),
        ("an extension with a colon", b"a:b"),
    ];
    if chance.percent(93) { ("", chance.pick(GOOD)) } else { chance.pick(ODD) }
}

fn group(chance: &mut Chance) -> (&'static str, &'static [u8]) {
    const ODD: &[(&str, &[u8])] = &[
        ("another group", b"group2"),
        ("no group", b""),
        ("a group with a blank", b"group 1"),
        ("a group in capitals", b"GROUP1"),
        ("a longer group", b"group11"),
        ("a shorter group", b"group"),
        ("a group of 16 letters", b"abcdefghijklmnop"),
        ("a group with bytes behind its NUL", b"group1\0abc"),
    ];
    if chance.percent(96) { ("", GROUP) } else { chance.pick(ODD) }
}

fn joined(first: &str, second: &str) -> String {
    match (first, second) {
        ("", text) | (text, "") => text.to_owned(),
        (first, second) => format!("{first}, {second}"),
    }
}

impl StorageStream {
    pub(crate) fn new() -> StorageStream {
        StorageStream { files: Files::default() }
    }

    /// The next command, and what follows from its success.
    pub(crate) fn next(&mut self, chance: &mut Chance) -> (Request, Change) {
        if self.files.here.len() >= FILES_MAX {
            let index = chance.index(self.files.here.len());
            return self.delete(chance, Some(index));
        }
        let (request, change) = match chance.below(100) {
            0..=11 => self.upload(chance, StorageCommand::UploadFile),
            12..=18 => self.upload(chance, StorageCommand::UploadAppender),
            19..=26 => self.slave(chance),
            27..=33 => self.append(chance),
            34..=40 => self.modify(chance),
            41..=46 => self.truncate(chance),
            47..=49 => self.regenerate(chance),
            50..=55 => self.delete(chance, None),
            56..=63 => self.set_metadata(chance),
            64..=70 => self.get_metadata(chance),
            71..=82 => self.download(chance),
            83..=91 => self.info(chance),
            92..=94 => self.link(chance),
            95..=97 => small(chance),
            _ => unknown(chance),
        };
        if chance.percent(4) { (spoil(request, chance), change.spoilt()) } else { (request, change) }
    }

    /// Takes in what came of it.
    pub(crate) fn learn(&mut self, change: Change, replies: &Pair<Reply>) {
        let both = replies.ours.is_ok() && replies.original.is_ok();
        let differ = replies.ours.is_ok() != replies.original.is_ok();
        match change {
            Change::Nothing => {}
            Change::Made { made, len } => {
                if let Some(names) = new_names(replies) {
                    self.files.add(File::new(names, made, len));
                }
            }
            Change::Doubtful(index) if both || differ => self.files.forget(index),
            Change::Gone(index) | Change::Touched(index) | Change::Marked { index, .. } if differ => {
                self.files.forget(index)
            }
            Change::Marked { index, odd } if both => self.files.here[index].odd = odd,
            Change::Gone(index) if both => self.files.remove(index),
            Change::Length { index, len } if both => self.files.here[index].len = len,
            Change::Length { index, .. } | Change::Renamed(index) if differ => self.files.forget(index),
            Change::Renamed(index) if both => {
                let File { len, .. } = self.files.here[index];
                self.files.remove(index);
                if let Some(names) = new_names(replies) {
                    // What metadata it had moves along with ours only.
                    let odd = "of before it was renamed";
                    let is_slave = names.ours.parse().is_ok_and(|name: FileName| name.kind() == Kind::Slave);
                    let made = if is_slave { Made::Renamed } else { Made::Ordinary };
                    self.files.add(File { odd, ..File::new(names, made, len) });
                }
            }
            Change::Gone(_)
            | Change::Touched(_)
            | Change::Marked { .. }
            | Change::Length { .. }
            | Change::Renamed(_)
            | Change::Doubtful(_) => {}
        }
    }

    fn upload(&mut self, chance: &mut Chance, command: StorageCommand) -> (Request, Change) {
        let content = chance_content(chance);
        let (words, ext) = extension(chance);
        let (path_words, path) = match chance.below(100) {
            0..=49 => ("", 0),
            50..=95 => ("", 0xFF),
            _ => chance.pick(&[
                ("store path 1", 1),
                ("store path 127", 127),
                ("store path 128", 128),
                ("store path 254", 254),
            ]),
        };
        let (size_words, size) = announced(chance, content.len());
        let body = Body::new().byte(path).int8(size).padded(ext, 6).raw(&content).done();
        let case = joined(&joined(words, path_words), size_words);
        let made = match command {
            StorageCommand::UploadAppender => Made::Appender,
            _ => Made::Ordinary,
        };
        let request = Request::storage(command, case, Pair::same(body)).shape(Shape::Name);
        (request, Change::Made { made, len: content.len() as u64 })
    }

    fn slave(&mut self, chance: &mut Chance) -> (Request, Change) {
        const PREFIXES: &[&[u8]] =
            &[b"_big", b"-small", b"_150x150", b"150x150", b"x", b"_0", b"_1", b".a", b"_sixteen_letters"];
        const ODD: &[(&str, &[u8])] = &[
            ("no prefix", b""),
            ("a prefix as that of metadata", b"-m"),
            ("a prefix with a slash", b"a/b"),
            ("a prefix with a blank", b"a b"),
            ("a prefix with a star", b"*"),
            ("a prefix of dots", b"../x"),
            ("a prefix of high bytes", b"\xC3\xA4"),
            ("a prefix behind a NUL", b"_a\0b"),
        ];
        let master = self.files.any(chance);
        let content = chance_content(chance);
        let (prefix_words, prefix) =
            if chance.percent(92) { ("", chance.pick(PREFIXES)) } else { chance.pick(ODD) };
        let (ext_words, ext) = extension(chance);
        let (size_words, size) = announced(chance, content.len());
        let bodies = master.names.map(|name| {
            Body::new()
                .int8(name.len() as i64)
                .int8(size)
                .padded(prefix, 16)
                .padded(ext, 6)
                .raw(name)
                .raw(&content)
                .done()
        });
        let short = if is_short(&master.names.original, prefix, ext) { "a short name" } else { "" };
        let words = joined(&joined(prefix_words, ext_words), &joined(short, size_words));
        let case = joined(master.words, &words);
        let request = Request::storage(StorageCommand::UploadSlave, case, bodies).shape(Shape::Name);
        (request, Change::Made { made: Made::Slave, len: content.len() as u64 })
    }

    fn append(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any_appender(chance);
        let content = if target.len > APPENDER_LEN_MAX { Vec::new() } else { chance_content(chance) };
        let (size_words, size) = announced(chance, content.len());
        let bodies = target
            .names
            .map(|name| Body::new().int8(name.len() as i64).int8(size).raw(name).raw(&content).done());
        let case = joined(target.words, if content.is_empty() { "nothing" } else { size_words });
        let change = longer(&target, target.len + content.len() as u64);
        (Request::storage(StorageCommand::Append, case, bodies), change)
    }

    fn modify(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any_appender(chance);
        let content = chance_content(chance);
        let (size_words, size) = announced(chance, content.len());
        let (at_words, offset) = match chance.below(20) {
            0..=15 => ("", chance.below(target.len + 1) as i64),
            16 => ("from the end on", target.len as i64),
            17 => ("from behind the end on", target.len as i64 + 1),
            18 => ("from before the beginning on", -1),
            _ => ("from far away on", i64::MAX),
        };
        let bodies = target.names.map(|name| {
            Body::new().int8(name.len() as i64).int8(offset).int8(size).raw(name).raw(&content).done()
        });
        let what = if content.is_empty() { "nothing" } else { size_words };
        let case = joined(&joined(target.words, what), at_words);
        let end = u64::try_from(offset).unwrap_or(0).saturating_add(content.len() as u64);
        let change = longer(&target, target.len.max(end));
        (Request::storage(StorageCommand::Modify, case, bodies), change)
    }

    fn truncate(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any_appender(chance);
        let (words, len) = match chance.below(20) {
            0..=9 => ("shorter or longer", chance.below(target.len + 100) as i64),
            10..=12 => ("to nothing", 0),
            13..=15 => ("to the length it has", target.len as i64),
            16..=17 => ("longer", target.len as i64 + chance.below(10_000) as i64),
            18 => ("to a length below zero", -1),
            _ => ("to the lowest length", i64::MIN),
        };
        let bodies = target.names.map(|name| Body::new().int8(name.len() as i64).int8(len).raw(name).done());
        let change = longer(&target, u64::try_from(len).unwrap_or(0));
        let case = joined(target.words, words);
        (Request::storage(StorageCommand::Truncate, case, bodies), change)
    }

    fn regenerate(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any_appender(chance);
        let bodies = target.names.map(Clone::clone);
        let change = target.change(Change::Renamed);
        let request =
            Request::storage(StorageCommand::RegenerateName, target.words, bodies).shape(Shape::Name);
        (request, change)
    }

    fn delete(&mut self, chance: &mut Chance, index: Option<usize>) -> (Request, Change) {
        let target = match index {
            Some(index) => {
                let file = &self.files.here[index];
                let names = file.names.map(|name| name.clone().into_bytes());
                Target {
                    words: "a file",
                    names,
                    index: Some(index),
                    base: None,
                    len: file.len,
                    is_empty: file.len == 0,
                }
            }
            None => self.files.any(chance),
        };
        let (words, group) = if index.is_some() { ("", GROUP) } else { group(chance) };
        let bodies = target.names.map(|name| Body::new().group(group).raw(name).done());
        let change = target.change(Change::Gone);
        (Request::storage(StorageCommand::DeleteFile, joined(target.words, words), bodies), change)
    }

    fn set_metadata(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let (group_words, group) = group(chance);
        let (flag_words, flag) = match chance.below(20) {
            0..=9 => ("overwrite", b'O'),
            10..=18 => ("merge", b'M'),
            _ => chance.pick(&[("a flag in lower case", b'o'), ("flag X", b'X'), ("flag 0", 0)]),
        };
        let (words, meta) = metadata(chance);
        let bodies = target.names.map(|name| {
            Body::new()
                .int8(name.len() as i64)
                .int8(meta.len() as i64)
                .byte(flag)
                .group(group)
                .raw(name)
                .raw(&meta)
                .done()
        });
        let case = joined(&joined(target.words, group_words), &joined(flag_words, words));
        let odd = !matches!(words, "" | "nothing" | "an empty value" | "a value of any bytes");
        let change = target.change(|index| match odd {
            // What became of it is looked at as long as it is there, and it stays odd.
            true => Change::Marked { index, odd: words },
            false => Change::Touched(index),
        });
        (Request::storage(StorageCommand::SetMetadata, case, bodies), change)
    }

    fn get_metadata(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let (words, group) = group(chance);
        let bodies = target.names.map(|name| Body::new().group(group).raw(name).done());
        let odd = target.index.map_or("", |index| self.files.here[index].odd);
        let odd = if odd.is_empty() { String::new() } else { format!("odd metadata: {odd}") };
        let case = joined(&joined(target.words, words), &odd);
        (Request::storage(StorageCommand::GetMetadata, case, bodies).shape(Shape::Bytes), Change::Nothing)
    }

    fn download(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let (group_words, group) = group(chance);
        let len = target.len as i64;
        let part = |chance: &mut Chance| chance.below(target.len + 1) as i64;
        let (words, offset, count) = match chance.below(24) {
            0..=7 => ("", 0, 0),
            8..=11 => ("from somewhere on", part(chance), 0),
            12..=14 => ("a part", part(chance), 1 + part(chance) / 4),
            15 => ("all of it, by its length", 0, len),
            16 => ("more than there is", 0, len + 1),
            17 => ("much more than there is", part(chance), i64::MAX),
            18 => ("from the end on", len, 0),
            19 => ("from behind the end on", len + 1, 10),
            20 => ("from before the beginning on", -1, 0),
            21 => ("less than nothing", 0, -1),
            22 => ("from far away on", i64::MAX, 0),
            _ => ("the last byte", (len - 1).max(0), 1),
        };
        let empty = if target.is_empty { "empty" } else { "" };
        let bodies =
            target.names.map(|name| Body::new().int8(offset).int8(count).group(group).raw(name).done());
        let case = joined(&joined(&joined(target.words, empty), group_words), words);
        (Request::storage(StorageCommand::DownloadFile, case, bodies).shape(Shape::Bytes), Change::Nothing)
    }

    fn info(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let (words, group) = group(chance);
        let bodies = target.names.map(|name| Body::new().group(group).raw(name).done());
        let (flag_words, flag) = match chance.below(10) {
            0..=6 => ("", 0),
            _ => chance.pick(&[("flag 1", 1), ("flag 2", 2), ("flags 1 and 2", 3), ("flag 4", 4)]),
        };
        let case = joined(&joined(target.words, words), flag_words);
        let request = Request::storage(StorageCommand::QueryFileInfo, case, bodies);
        (request.flag(flag).shape(layout::FILE_INFO), Change::Nothing)
    }

    fn link(&mut self, chance: &mut Chance) -> (Request, Change) {
        let source = self.files.any(chance);
        let with_master = chance.percent(50);
        let master = if with_master { Some(self.files.any(chance)) } else { None };
        let (group_words, group) = group(chance);
        let (ext_words, ext) = extension(chance);
        let prefix: &[u8] = if with_master { b"_link" } else { b"" };
        let signature: &[u8] = b"0123456789abcdef";
        let body = |name: &[u8], master: &[u8]| {
            Body::new()
                .int8(master.len() as i64)
                .int8(name.len() as i64)
                .int8(signature.len() as i64)
                .group(group)
                .padded(prefix, 16)
                .padded(ext, 6)
                .raw(master)
                .raw(name)
                .raw(signature)
                .done()
        };
        let masters = master.as_ref().map_or(Pair::same(Vec::new()), |master| master.names.clone());
        let bodies = Pair::new(
            body(&source.names.ours, &masters.ours),
            body(&source.names.original, &masters.original),
        );
        let words = match &master {
            Some(master) if is_short(&master.names.original, prefix, ext) => {
                format!("to {}, named after {}, a short name", source.words, master.words)
            }
            Some(master) => format!("to {}, named after {}", source.words, master.words),
            None => format!("to {}", source.words),
        };
        let case = joined(&words, &joined(group_words, ext_words));
        // What is linked goes with its source there, and not here: it is not asked for again.
        (Request::storage(StorageCommand::CreateLink, case, bodies).shape(Shape::Unread), Change::Nothing)
    }
}

/// Whether a slave's name is no longer than an ordinary one.
fn is_short(master: &[u8], prefix: &[u8], ext: &[u8]) -> bool {
    let until_nul = |text: &[u8]| text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let tail = &master[master.len().saturating_sub(7)..];
    let cut = tail.iter().position(|byte| *byte == b'.').map_or(0, |dot| tail.len() - dot);
    let dot = usize::from(!ext.is_empty() && ext[0] != b'.');
    master.len() - cut + until_nul(prefix) + dot + until_nul(ext) <= 44
}

fn chance_content(chance: &mut Chance) -> Vec<u8> {
    let size = size(chance);
    chance.bytes(size)
}

/// The length that a head announces: nearly always what comes.
fn announced(chance: &mut Chance, len: usize) -> (&'static str, i64) {
    let len = len as i64;
    match chance.below(100) {
        0 => ("a size of one byte more", len + 1),
        1 => ("a size of one byte less", len - 1),
        2 => ("a size below zero", -1 - len),
        _ => ("", len),
    }
}

fn longer(target: &Target, len: u64) -> Change {
    target.change(|index| Change::Length { index, len })
}

fn metadata(chance: &mut Chance) -> (&'static str, Vec<u8>) {
    const NAMES: &[&str] = &["width", "height", "author", "a", "title", "Z", "x-long-name"];
    let mut records: Vec<Vec<u8>> = Vec::new();
    let count = chance.index(5);
    let first = chance.index(NAMES.len());
    for index in 0..count {
        let name = NAMES[(first + index) % NAMES.len()];
        let value = chance.below(100_000);
        records.push([name.as_bytes(), b"\x02", value.to_string().as_bytes()].concat());
    }
    let words = match chance.below(24) {
        0 => {
            records.push([&b"n".repeat(70)[..], b"\x02value"].concat());
            "a name of 70 characters"
        }
        1 => {
            records.push([b"long\x02", &b"v".repeat(300)[..]].concat());
            "a value of 300 characters"
        }
        2 => {
            records.push(b"twice\x021".to_vec());
            records.push(b"twice\x022".to_vec());
            "a name twice"
        }
        3 => {
            records.push(b"alone".to_vec());
            "a record without a separator"
        }
        4 => {
            records.push(b"empty\x02".to_vec());
            "an empty value"
        }
        5 => {
            records.push(b"\x02nameless".to_vec());
            "no name"
        }
        6 => {
            records.push(b"three\x02a\x02b".to_vec());
            "two separators"
        }
        7 => {
            records.push(Vec::new());
            "an empty record"
        }
        8 => {
            records.push(b"bytes\x02\xFF\xFE \n".to_vec());
            "a value of any bytes"
        }
        _ if records.is_empty() => "nothing",
        _ => "",
    };
    (words, records.join(&1))
}

/// Commands without much of a body.
fn small(chance: &mut Chance) -> (Request, Change) {
    let request = match chance.below(10) {
        0..=5 => Request::storage(StorageCommand::ActiveTest, "", Pair::same(Vec::new())),
        6 => Request::storage(StorageCommand::ActiveTest, "with a body", Pair::same(vec![0; 3])),
        7 => Request::storage(StorageCommand::Quit, "", Pair::same(Vec::new())),
        8 => Request::storage(StorageCommand::Quit, "with a body", Pair::same(vec![0; 3])),
        _ => {
            let mut request = Request::storage(StorageCommand::ActiveTest, "", Pair::same(Vec::new()));
            request.framing = Framing::Negative;
            request.case = "a length below zero".to_owned();
            request
        }
    };
    (request, Change::Nothing)
}

/// Numbers that are no commands of storages.
fn unknown(chance: &mut Chance) -> (Request, Change) {
    const NONE: &[u8] = &[0, 1, 8, 10, 39, 41, 50, 80, 81, 90, 100, 101, 110, 112, 127, 128, 200, 255];
    let code = chance.pick(NONE);
    let (words, len) = chance.pick(&[("no command, without a body", 0), ("no command, with a body", 20)]);
    (Request::new(Peer::Storage, code, words, Pair::same(vec![b'x'; len])), Change::Nothing)
}

/// Takes a request and spoils its body or its framing.
pub(crate) fn spoil(mut request: Request, chance: &mut Chance) -> Request {
    // A name that gets too long overwrites the original's memory (S1), so nothing is put behind these.
    const NAME_AT_END: &[u8] = &[12, 14, 15, 17];
    let cut = |bodies: &Pair<Vec<u8>>, keep: usize| bodies.map(|body| body[..keep.min(body.len())].to_vec());
    let words = match chance.below(7) {
        6 if request.peer == Peer::Tracker => {
            request.framing = Framing::Huge;
            "a length of 4 GiB more"
        }
        0 => {
            request.bodies = cut(&request.bodies, 0);
            "its body left out"
        }
        1 => {
            request.bodies = cut(&request.bodies, 1 + chance.index(14));
            "its body cut in the head"
        }
        2 => {
            request.bodies = request.bodies.map(|body| body[..body.len().saturating_sub(1)].to_vec());
            "its body without the last byte"
        }
        3 if !(request.peer == Peer::Storage && NAME_AT_END.contains(&request.command)) => {
            request.bodies = request.bodies.map(|body| [body, &b"abc"[..]].concat());
            "three bytes behind its body"
        }
        4 => {
            request.framing = Framing::Negative;
            "a length below zero"
        }
        _ => {
            request.framing = Framing::BreaksOff(1 + chance.below(100));
            "breaking off"
        }
    };
    // What is wrong with the rest does not matter any more.
    request.case = words.to_owned();
    request
}

/// The names in two replies that made a file.
fn new_names(replies: &Pair<Reply>) -> Option<Pair<String>> {
    let name = |reply: &Reply| String::from_utf8(reply.body()?.get(16..)?.to_vec()).ok();
    let names = Pair::new(name(&replies.ours)?, name(&replies.original)?);
    // Those that requests cut parts out of are long enough for it.
    (names.ours.len() >= 44 && names.original.len() >= 44).then_some(names)
}
