//! Random commands as members of a group send them to each other: replication, and slots of trunk files.
//!
//! The names are made here, as if another member had taken the uploads, and are the same for both clusters.

use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_fileid::{ExtName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use fdfs_proto::{Peer, StorageCommand};

use crate::chance::Chance;
use crate::layout::{self, Shape};
use crate::names::{File, Files, Made, Target};
use crate::request::{Body, Request};
use crate::storage_stream::{Change, GROUP, spoil};
use crate::wire::{Pair, Reply};

/// Of a member that nobody knows, so that neither storage asks it for anything.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// A stream has no more files at once.
const FILES_MAX: usize = 60;

/// The commands of one stream, and the files they made.
pub(crate) struct PeerStream {
    files: Files,
    /// When files are said to be from: none of them is to come.
    begun: u32,
}

/// Unix seconds now.
pub(crate) fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

impl PeerStream {
    pub(crate) fn new() -> PeerStream {
        PeerStream { files: Files::default(), begun: now() - 1000 }
    }

    pub(crate) fn next(&mut self, chance: &mut Chance) -> (Request, Change) {
        if self.files.here.len() >= FILES_MAX {
            let index = chance.index(self.files.here.len());
            return self.sync_delete(chance, Some(index));
        }
        let (request, change) = match chance.below(100) {
            0..=24 => return self.sync_create(chance),
            25..=32 => self.sync_delete(chance, None),
            33..=37 => self.sync_update(chance),
            38..=52 => self.sync_write(chance, StorageCommand::SyncAppend),
            53..=64 => self.sync_write(chance, StorageCommand::SyncModify),
            65..=74 => self.sync_truncate(chance),
            75..=78 => self.sync_pair(chance, StorageCommand::SyncRename),
            79..=81 => self.sync_pair(chance, StorageCommand::SyncCreateLink),
            82..=86 => (report_id(chance), Change::Nothing),
            87..=90 => self.look(chance),
            91..=94 => self.look_through(chance),
            _ => (trunk(chance), Change::Nothing),
        };
        if chance.percent(5) { (spoil(request, chance), change.spoilt()) } else { (request, change) }
    }

    pub(crate) fn learn(&mut self, file: Option<File>, change: Change, replies: &Pair<Reply>) {
        let both = replies.ours.is_ok() && replies.original.is_ok();
        let either = replies.ours.is_ok() || replies.original.is_ok();
        match change {
            Change::Made { .. } if both => self.files.here.extend(file),
            Change::Gone(index) if both => self.files.remove(index),
            Change::Gone(index) | Change::Doubtful(index) | Change::Renamed(index) if either => {
                self.files.forget(index);
            }
            Change::Length { index, len } if both => {
                // What is in it now is not known here any more.
                let file = &mut self.files.here[index];
                (file.len, file.content) = (len, Vec::new());
            }
            Change::Length { index, .. } | Change::Touched(index) if either && !both => {
                self.files.forget(index);
            }
            _ => {}
        }
    }

    /// The file that a reply to the last creation makes known, if it was one.
    pub(crate) fn created(request: &Request, change: &Change) -> Option<File> {
        let Change::Made { made, len } = *change else { return None };
        let body = &request.bodies.ours;
        let name_len = usize::from(*body.get(7)?);
        let name = String::from_utf8(body.get(36..36 + name_len)?.to_vec()).ok()?;
        let content = body.get(36 + name_len..)?.to_vec();
        Some(File { content, ..File::new(Pair::same(name), made, len) })
    }

    fn time(&self, chance: &mut Chance) -> i32 {
        (self.begun + chance.below(900) as u32) as i32
    }

    fn new_name(&self, chance: &mut Chance, made: Made, content: &[u8]) -> String {
        let random = chance.next() as u32;
        let size = match made {
            Made::Appender => SizeWord::appender(random),
            Made::Ordinary | Made::Slave | Made::Renamed => SizeWord::normal(content.len() as u64, random),
        };
        let stamp = Stamp {
            source: Source::Ip(SOURCE),
            timestamp: self.begun,
            size,
            crc32: crc32fast::hash(content),
        };
        let dirs = (chance.below(4) as u8, chance.below(4) as u8);
        let ext = ExtName::parse(b"bin").unwrap_or(ExtName::NONE);
        build_name(StorePathIndex(0), dirs, &stamp, &ext, chance.next() as u32).to_string()
    }

    fn sync_create(&mut self, chance: &mut Chance) -> (Request, Change) {
        let made = chance.pick(&[Made::Ordinary, Made::Appender]);
        let size = if chance.percent(5) { 0 } else { 1 + chance.index(2000) };
        let content = chance.bytes(size);
        let fresh = self.new_name(chance, made, &content);
        let time = self.time(chance);
        let body = |name: &[u8], size: usize, group: &[u8], content: &[u8]| {
            Body::new()
                .int8(name.len() as i64)
                .int8(size as i64)
                .int4(time)
                .group(group)
                .raw(name)
                .raw(content)
                .done()
        };
        let create = |words: &str, body: Vec<u8>| {
            Request::storage(StorageCommand::SyncCreate, words, Pair::same(body))
        };
        let made_now = Change::Made { made, len: content.len() as u64 };
        let words = if made == Made::Appender { "an appender" } else { "an ordinary file" };
        let whole = |words: &str| create(words, body(fresh.as_bytes(), content.len(), GROUP, &content));
        match chance.below(20) {
            0 => {
                let request =
                    create("said to be here already", body(fresh.as_bytes(), content.len(), GROUP, b""));
                (request.flag(17), Change::Nothing)
            }
            1 => (
                create("of another group", body(fresh.as_bytes(), content.len(), b"group2", &content)),
                Change::Nothing,
            ),
            2 => (
                create("a size of one byte more", body(fresh.as_bytes(), content.len() + 1, GROUP, &content)),
                Change::Nothing,
            ),
            3 => {
                let target = self.files.impossible(chance);
                let request = create(target.words, body(&target.names.ours, content.len(), GROUP, &content));
                (request, target.change(Change::Doubtful))
            }
            4 | 5 if !self.files.here.is_empty() => {
                // Any other name would be made by the original, which does not compare it with what comes.
                let index = chance.index(self.files.here.len());
                let names = self.files.here[index].names.map(|name| name.clone().into_bytes());
                let words = format!("again: {}", self.files.here[index].made.words());
                (create(&words, body(&names.ours, content.len(), GROUP, &content)), Change::Doubtful(index))
            }
            6 if made == Made::Ordinary => {
                let other = [&content[..], b"!"].concat();
                let words = "content that is not that of its id";
                (create(words, body(fresh.as_bytes(), other.len(), GROUP, &other)), Change::Nothing)
            }
            _ => (whole(words), made_now),
        }
    }

    fn sync_delete(&mut self, chance: &mut Chance, index: Option<usize>) -> (Request, Change) {
        let target = match index {
            Some(index) => {
                let names = self.files.here[index].names.map(|name| name.clone().into_bytes());
                Target { words: "a file", names, index: Some(index), base: None, len: 0, is_empty: false }
            }
            None => self.files.any(chance),
        };
        let time = self.time(chance);
        let bodies = target.names.map(|name| Body::new().int4(time).group(GROUP).raw(name).done());
        let change = target.change(Change::Gone);
        (Request::storage(StorageCommand::SyncDelete, target.words, bodies), change)
    }

    /// Metadata comes as a file of its own.
    fn sync_update(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let time = self.time(chance);
        let meta = b"height\x0280\x01width\x02160";
        let bodies = target.names.map(|name| {
            let mut name = [name, &b"-m"[..]].concat();
            name.truncate(127);
            Body::new()
                .int8(name.len() as i64)
                .int8(meta.len() as i64)
                .int4(time)
                .group(GROUP)
                .raw(&name)
                .raw(meta)
                .done()
        });
        let case = format!("metadata of {}", target.words);
        let change = target.change(Change::Touched);
        (Request::storage(StorageCommand::SyncUpdate, case, bodies), change)
    }

    fn sync_write(&mut self, chance: &mut Chance, command: StorageCommand) -> (Request, Change) {
        let target = self.files.any_appender(chance);
        let size = 1 + chance.index(500);
        let content = chance.bytes(size);
        let at_end = command == StorageCommand::SyncAppend;
        let (words, start) = match chance.below(20) {
            0 => ("from behind the end on", target.len as i64 + 10),
            1 => ("from before the beginning on", -1),
            2..=3 => ("from the beginning on", 0),
            _ if at_end => ("", target.len as i64),
            _ => ("", chance.below(target.len + 1) as i64),
        };
        let time = self.time(chance);
        let bodies = target.names.map(|name| {
            Body::new()
                .int8(name.len() as i64)
                .int8(start)
                .int8(content.len() as i64)
                .int4(time)
                .group(GROUP)
                .raw(name)
                .raw(&content)
                .done()
        });
        let len = target.len.max(u64::try_from(start).unwrap_or(0) + content.len() as u64);
        let change =
            target.change(|index| match words.is_empty() && self.files.here[index].made == Made::Appender {
                // An ordinary file that was changed is not what its name says, and the scrub puts it aside.
                // What is left of a file that was written to at such places is compared by who looks next.
                true => Change::Length { index, len },
                false => Change::Doubtful(index),
            });
        let case =
            if words.is_empty() { target.words.to_owned() } else { format!("{}, {words}", target.words) };
        (Request::storage(command, case, bodies), change)
    }

    fn sync_truncate(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any_appender(chance);
        let new = chance.below(target.len + 50);
        let (words, old) = match chance.below(10) {
            0 => ("from another length", target.len as i64 + 5),
            1 => ("from a length below zero", -1),
            _ => ("", target.len as i64),
        };
        let time = self.time(chance);
        let bodies = target.names.map(|name| {
            Body::new()
                .int8(name.len() as i64)
                .int8(old)
                .int8(new as i64)
                .int4(time)
                .group(GROUP)
                .raw(name)
                .done()
        });
        let change =
            target.change(|index| match words.is_empty() && self.files.here[index].made == Made::Appender {
                true => Change::Length { index, len: new },
                false => Change::Doubtful(index),
            });
        let case =
            if words.is_empty() { target.words.to_owned() } else { format!("{}, {words}", target.words) };
        (Request::storage(StorageCommand::SyncTruncate, case, bodies), change)
    }

    /// A rename or a link: a new name and an old one.
    fn sync_pair(&mut self, chance: &mut Chance, command: StorageCommand) -> (Request, Change) {
        let target = self.files.any(chance);
        // A name that says something else about the file shows that it is not the file that was meant.
        let content = match target.index {
            Some(index) if self.files.here[index].content.len() as u64 == target.len => {
                self.files.here[index].content.clone()
            }
            _ => chance.bytes(9),
        };
        let fits = target.index.is_some_and(|index| self.files.here[index].content == content);
        let words = if fits { "" } else { ", a name that does not fit" };
        let new = self.new_name(chance, Made::Ordinary, &content);
        let time = self.time(chance);
        let bodies = target.names.map(|name| {
            Body::new()
                .int8(new.len() as i64)
                .int8(name.len() as i64)
                .int4(time)
                .group(GROUP)
                .raw(new.as_bytes())
                .raw(name)
                .done()
        });
        let change = match command {
            StorageCommand::SyncRename => target.change(Change::Renamed),
            _ => Change::Nothing,
        };
        let case = format!("{}{words}", target.words);
        (Request::storage(command, case, bodies), change)
    }

    /// What is there after all that: size and checksum.
    fn look(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let bodies = target.names.map(|name| Body::new().group(GROUP).raw(name).done());
        let case = format!("replicated: {}", target.words);
        let request = Request::storage(StorageCommand::QueryFileInfo, case, bodies);
        (request.shape(layout::FILE_INFO), Change::Nothing)
    }

    /// And its bytes.
    fn look_through(&mut self, chance: &mut Chance) -> (Request, Change) {
        let target = self.files.any(chance);
        let bodies = target.names.map(|name| Body::new().int8(0).int8(0).group(GROUP).raw(name).done());
        let empty = if target.is_empty { ", empty" } else { "" };
        let case = format!("replicated: {}{empty}", target.words);
        (Request::storage(StorageCommand::DownloadFile, case, bodies).shape(Shape::Bytes), Change::Nothing)
    }
}

fn report_id(chance: &mut Chance) -> Request {
    let id = chance.pick(&[&b"127.0.0.9"[..], b"", b"100001", b"not an id", b"0123456789abcdef"]);
    let case = if id == b"127.0.0.9" { "" } else { "an odd id" };
    Request::storage(StorageCommand::ReportServerId, case, Pair::same(Body::new().padded(id, 16).done()))
}

/// Slots and logs of trunk files, where there are none.
fn trunk(chance: &mut Chance) -> Request {
    let slot = Body::new().group(GROUP).byte(0).byte(0).byte(0).int4(1).int4(0).int4(256).done();
    let (command, body) = match chance.below(7) {
        0 => (StorageCommand::TrunkAlloc, Body::new().group(GROUP).int4(300).byte(0).done()),
        1 => (StorageCommand::TrunkConfirm, slot),
        2 => (StorageCommand::TrunkFree, slot),
        3 => (StorageCommand::TrunkSyncBinlog, format!("{} A 0 0 0 1 0 256\n", now()).into_bytes()),
        4 => (StorageCommand::TrunkBinlogSize, Vec::new()),
        5 => (StorageCommand::TrunkDeleteMarks, Vec::new()),
        _ => (StorageCommand::TrunkTruncateBinlog, Vec::new()),
    };
    Request::new(Peer::Storage, command.code(), "without trunk files", Pair::same(body)).shape(Shape::Unread)
}
