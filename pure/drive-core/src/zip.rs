//! Zip archives as they are streamed (PKWARE's APPNOTE.TXT 6.3.10): what stands around the bytes of files, and how long
//! the whole will be before the first of them is read.
//!
//! Bytes are stored as they are. Their CRC-32 is known only behind them, so it stands there, in a data descriptor
//! (4.3.9); all else is known before. Names are UTF-8 (4.4.4, bit 11) and safe everywhere ([`portable`]). What does not
//! fit 32 bits is in Zip64 (4.3.14, 4.5.3), and only that.
//!
//! No crate writes this so that the length is known first, which a client needs to see that an archive is cut.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::date;
use crate::ids::{ContentId, NodeId};
use crate::node::{Node, NodeKind, NodeName, portable};
use crate::problem::Problem;
use crate::size::ByteCount;
use crate::time::UnixMillis;
use crate::tree::STEP_NODES_MAX;

/// Files and folders in an archive at most.
pub const ZIP_ENTRIES_MAX: usize = STEP_NODES_MAX as usize;

/// Bytes of all paths in an archive at most: they are in memory until its end.
pub const ZIP_PATHS_BYTES_MAX: usize = 8 * 1024 * 1024;

const LOCAL_HEAD: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const DIRECTORY_HEAD: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_PLACE: u32 = 0x0706_4b50;

/// A field that is too small: the value is in the Zip64 field.
const IN_64: u32 = u32::MAX;
const COUNT_IN_64: u16 = u16::MAX;

/// Versions that are needed: folders and descriptors, Zip64.
const VERSION: u16 = 20;
const VERSION_64: u16 = 45;
/// Made by something like Unix, so that what can be read is said.
const MADE_BY: u16 = 3 << 8 | VERSION_64;

const NAMES_ARE_UTF_8: u16 = 1 << 11;
const HAS_DESCRIPTOR: u16 = 1 << 3;

const EXTRA_64: u16 = 0x0001;
/// Info-ZIP's time, in UTC: MS-DOS's has no zone.
const EXTRA_TIME: u16 = 0x5455;

/// A file or folder in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, with `/` between names, and behind the name of a folder.
    path: String,
    /// Bytes of a file; none of a folder.
    size: Option<ByteCount>,
    modified: UnixMillis,
    content: Option<ContentId>,
}

/// Numbers as zip has them.
struct Fields(Vec<u8>);

impl Fields {
    fn of(signature: u32) -> Self {
        Self(signature.to_le_bytes().to_vec())
    }

    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

/// A number in 32 bits, if it is less than what says that it is elsewhere.
fn small(value: u64) -> Option<u32> {
    u32::try_from(value).ok().filter(|value| *value != IN_64)
}

impl Entry {
    /// Something at a path: `/` between names, and behind the name of a folder, which has no `size`.
    pub const fn of(path: String, size: Option<ByteCount>, modified: UnixMillis) -> Self {
        Self { path, size, modified, content: None }
    }

    /// What the file's bytes are.
    pub const fn content(&self) -> Option<ContentId> {
        self.content
    }

    /// Bytes between the head and what follows.
    pub const fn size(&self) -> Option<ByteCount> {
        self.size
    }

    fn bytes(&self) -> u64 {
        self.size.map_or(0, ByteCount::get)
    }

    const fn flags(&self) -> u16 {
        if self.size.is_some() { NAMES_ARE_UTF_8 | HAS_DESCRIPTOR } else { NAMES_ARE_UTF_8 }
    }

    fn version(&self, all_small: bool) -> u16 {
        if all_small { VERSION } else { VERSION_64 }
    }

    /// What stands before the bytes.
    pub fn head(&self) -> Vec<u8> {
        let is_small = small(self.bytes()).is_some();
        let mut extra = Fields(Vec::new());
        if !is_small {
            // That it is there says that the descriptor has 64 bits; the numbers are there.
            extra = extra.u16(EXTRA_64).u16(16).u64(0).u64(0);
        }
        let extra = self.time_extra(extra).0;
        let size = if is_small { 0 } else { IN_64 };
        let (date, time) = dos_time(self.modified);
        let head = Fields::of(LOCAL_HEAD).u16(self.version(is_small)).u16(self.flags()).u16(0);
        let head = head.u16(time).u16(date).u32(0).u32(size).u32(size);
        head.u16(self.path.len() as u16).u16(extra.len() as u16).bytes(self.path.as_bytes()).bytes(&extra).0
    }

    /// What stands behind the bytes of a file; nothing behind a folder.
    pub fn descriptor(&self, crc32: u32) -> Vec<u8> {
        let Some(size) = self.size else { return Vec::new() };
        let fields = Fields::of(DESCRIPTOR).u32(crc32);
        match small(size.get()) {
            Some(size) => fields.u32(size).u32(size).0,
            None => fields.u64(size.get()).u64(size.get()).0,
        }
    }

    /// Its line in the directory, for a head that stands at `offset`.
    pub fn directory(&self, crc32: u32, offset: u64) -> Vec<u8> {
        let size = small(self.bytes());
        let place = small(offset);
        let mut extra = Fields(Vec::new());
        let in_64 = if size.is_none() { 16 } else { 0 } + if place.is_none() { 8 } else { 0 };
        if in_64 > 0 {
            extra = extra.u16(EXTRA_64).u16(in_64);
            if size.is_none() {
                extra = extra.u64(self.bytes()).u64(self.bytes());
            }
            if place.is_none() {
                extra = extra.u64(offset);
            }
        }
        let extra = self.time_extra(extra).0;
        let size = size.unwrap_or(IN_64);
        let (date, time) = dos_time(self.modified);
        // As Unix has it, above what MS-DOS has.
        let attributes = match self.size {
            Some(_) => 0o100_644 << 16,
            None => 0o040_755 << 16 | 0x10,
        };
        let head = Fields::of(DIRECTORY_HEAD).u16(MADE_BY).u16(self.version(in_64 == 0)).u16(self.flags());
        let head = head.u16(0).u16(time).u16(date).u32(crc32).u32(size).u32(size);
        // Neither comment nor parts; bytes, not text.
        let head = head.u16(self.path.len() as u16).u16(extra.len() as u16).u16(0).u16(0).u16(0);
        let head = head.u32(attributes).u32(place.unwrap_or(IN_64));
        head.bytes(self.path.as_bytes()).bytes(&extra).0
    }

    fn time_extra(&self, extra: Fields) -> Fields {
        match i32::try_from(self.modified.0.div_euclid(1000)) {
            Ok(seconds) => extra.u16(EXTRA_TIME).u16(5).bytes(&[1]).bytes(&seconds.to_le_bytes()),
            Err(_) => extra,
        }
    }
}

/// The end of an archive whose directory of so many lines, `length` bytes, stands at `offset`.
pub fn end(entries: u64, offset: u64, length: u64) -> Vec<u8> {
    let count = u16::try_from(entries).ok().filter(|count| *count != COUNT_IN_64);
    let (short_length, short_offset) = (small(length), small(offset));
    let mut fields = Fields(Vec::new());
    if count.is_none() || short_length.is_none() || short_offset.is_none() {
        let place = offset.saturating_add(length);
        fields = fields.u32(END_64).u64(44).u16(MADE_BY).u16(VERSION_64).u32(0).u32(0);
        fields = fields.u64(entries).u64(entries).u64(length).u64(offset);
        fields = fields.u32(END_64_PLACE).u32(0).u64(place).u32(1);
    }
    let count = count.unwrap_or(COUNT_IN_64);
    let fields = fields.u32(END).u16(0).u16(0).u16(count).u16(count);
    fields.u32(short_length.unwrap_or(IN_64)).u32(short_offset.unwrap_or(IN_64)).u16(0).0
}

/// Bytes of an archive.
pub fn length(entries: &[Entry]) -> u64 {
    let (mut at, mut directory) = (0u64, 0u64);
    for entry in entries {
        directory += entry.directory(0, at).len() as u64;
        let around = entry.head().len() + entry.descriptor(0).len();
        at = at.saturating_add(around as u64).saturating_add(entry.bytes());
    }
    let end = end(entries.len() as u64, at, directory).len() as u64;
    at.saturating_add(directory).saturating_add(end)
}

/// Date and time as MS-DOS has them, in UTC: in two seconds, from 1980 to 2107.
fn dos_time(at: UnixMillis) -> (u16, u16) {
    const FIRST: i64 = 315_532_800; // 1980-01-01 00:00:00
    const LAST: i64 = 4_354_819_199; // 2107-12-31 23:59:59
    let seconds = at.0.div_euclid(1000).clamp(FIRST, LAST);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    // All within their bits, as the year is.
    let date = (year - 1980) << 9 | month << 5 | day;
    let time = hour << 11 | minute << 5 | (second / 2);
    (date as u16, time as u16)
}

/// What is to be in an archive, with names that are safe and unique.
#[derive(Debug)]
pub struct Archive {
    entries: Vec<Entry>,
    /// Paths of folders, and the names that were given out in them.
    folders: BTreeMap<Option<NodeId>, (String, BTreeSet<NodeName>)>,
    paths_bytes: usize,
}

impl Default for Archive {
    fn default() -> Self {
        Self { entries: Vec::new(), folders: BTreeMap::from([(None, Default::default())]), paths_bytes: 0 }
    }
}

impl Archive {
    /// Of what is in a folder, without the folder.
    pub fn inside(folder: NodeId) -> Self {
        let mut archive = Self::default();
        archive.folders.insert(Some(folder), Default::default());
        archive
    }

    /// Adds a node at the top.
    pub fn add_top(&mut self, node: &Node) -> Result<(), Problem> {
        self.add(node, None)
    }

    /// Adds what is below the last folder at the top; each folder before what is in it.
    pub fn add_below(&mut self, nodes: &[Node]) -> Result<(), Problem> {
        nodes.iter().try_for_each(|node| self.add(node, node.parent))
    }

    fn add(&mut self, node: &Node, folder: Option<NodeId>) -> Result<(), Problem> {
        let lost = Problem::Contradiction("a node is before the folder that it is in");
        let (path, used) = self.folders.get_mut(&folder).ok_or(lost)?;
        let name = portable(&node.name, node.kind(), used)?;
        let is_folder = node.kind() == NodeKind::Folder;
        let path = format!("{path}{}{}", name.as_str(), if is_folder { "/" } else { "" });
        self.paths_bytes += path.len();
        let fits = self.entries.len() < ZIP_ENTRIES_MAX && self.paths_bytes <= ZIP_PATHS_BYTES_MAX;
        if !fits || path.len() > usize::from(u16::MAX) {
            return Err(Problem::TooManyNodes);
        }
        if is_folder {
            self.folders.insert(Some(node.id), (path.clone(), BTreeSet::new()));
        }
        self.entries.push(Entry {
            path,
            size: node.content.map(|content| content.size),
            modified: node.modified_at,
            content: node.content.map(|content| content.id),
        });
        Ok(())
    }

    /// All of them, in the order of the archive.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, size: Option<u64>) -> Entry {
        let modified = UnixMillis(1_709_209_799_000); // 2024-02-29 12:29:59
        Entry::of(path.to_owned(), size.and_then(ByteCount::new), modified)
    }

    #[test]
    fn a_small_file_stands_between_fields_of_32_bits() {
        let file = entry("a.txt", Some(3));
        let time = "5554 0500 01 c778e065";
        let expected = format!(
            "504b0304 1400 0808 0000 bd63 5d58 00000000 00000000 00000000 0500 0900 {} {time}",
            crate::hex::hex(b"a.txt")
        );
        assert_eq!(crate::hex::hex(&file.head()), expected.replace(' ', ""));
        assert_eq!(crate::hex::hex(&file.descriptor(0x1234_5678)), "504b0708785634120300000003000000");
        let line = format!(
            "504b0102 2d03 1400 0808 0000 bd63 5d58 78563412 03000000 03000000 0500 0900 0000 0000 0000 \
             0000a481 09000000 {} {time}",
            crate::hex::hex(b"a.txt")
        );
        let line = line.replace(' ', "");
        assert_eq!(crate::hex::hex(&file.directory(0x1234_5678, 9)), line);
        assert_eq!(crate::hex::hex(&end(1, 0x60, 0x38)), "504b0506000000000100010038000000600000000000");
    }

    #[test]
    fn a_folder_has_no_bytes_and_nothing_behind_them() {
        let folder = entry("a/", None);
        let head = folder.head();
        assert_eq!((head[4], head[6], head[7]), (20, 0, 8));
        assert!(folder.descriptor(0).is_empty());
        assert_eq!(folder.directory(0, 0)[38..42], [0x10, 0, 0xed, 0x41]);
    }

    #[test]
    fn what_does_not_fit_32_bits_is_in_zip_64() {
        const MAX: u64 = u32::MAX as u64;
        for (size, offset, head, behind, line) in [
            (MAX - 1, MAX - 1, 30 + 1 + 9, 16, 46 + 1 + 9),
            (MAX - 1, MAX, 30 + 1 + 9, 16, 46 + 1 + 12 + 9),
            (MAX, 0, 30 + 1 + 20 + 9, 24, 46 + 1 + 20 + 9),
            (MAX, MAX, 30 + 1 + 20 + 9, 24, 46 + 1 + 28 + 9),
        ] {
            let file = entry("a", Some(size));
            assert_eq!(file.head().len(), head, "{size} {offset}");
            assert_eq!(file.descriptor(0).len(), behind, "{size} {offset}");
            assert_eq!(file.directory(0, offset).len(), line, "{size} {offset}");
        }
        for (entries, offset, length, bytes) in [
            (0, 0, 0, 22),
            (65_534, MAX - 1, MAX - 1, 22),
            (65_535, 0, 0, 98),
            (1, MAX, 0, 98),
            (1, 0, MAX, 98),
        ] {
            assert_eq!(end(entries, offset, length).len(), bytes, "{entries} {offset} {length}");
        }
    }

    #[test]
    fn the_length_is_known_before() {
        let entries = [
            entry("a/", None),
            entry("a/b", Some(5_000_000_000)),
            entry("a/c", Some(1)),
            entry("d", Some(0)),
        ];
        let mut bytes = 0;
        let mut lines = Vec::new();
        for entry in &entries {
            lines.extend(entry.directory(7, bytes));
            bytes += (entry.head().len() + entry.descriptor(7).len()) as u64 + entry.bytes();
        }
        let end = end(4, bytes, lines.len() as u64);
        assert_eq!(end.len(), 98);
        assert_eq!(length(&entries), bytes + (lines.len() + end.len()) as u64);
        assert_eq!(length(&[]), 22);
    }

    fn node(id: i64, parent: Option<i64>, name: &str, file: bool) -> Node {
        Node {
            id: NodeId::new(id).unwrap(),
            owner: crate::ids::AccountId::new(1).unwrap(),
            parent: parent.and_then(NodeId::new),
            name: NodeName::new(name).unwrap(),
            content: file.then(|| crate::node::FileContent {
                id: ContentId::new(1).unwrap(),
                size: ByteCount::new(5).unwrap(),
            }),
            created_at: UnixMillis(0),
            modified_at: UnixMillis(0),
            downloads: 0,
            trash: None,
        }
    }

    #[test]
    fn paths_are_made_of_safe_names_in_each_folder() {
        let mut archive = Archive::default();
        archive.add_top(&node(2, Some(1), "a:b", false)).unwrap();
        archive.add_below(&[node(3, Some(2), "..\\..", true), node(4, Some(2), "in", false)]).unwrap();
        archive.add_below(&[node(5, Some(4), "x", true)]).unwrap();
        archive.add_top(&node(6, Some(1), "a_b", false)).unwrap();
        // What is below another folder that was asked for, besides.
        archive.add_top(&node(4, Some(2), "in", false)).unwrap();
        archive.add_below(&[node(5, Some(4), "x", true)]).unwrap();
        let lost = archive.add_below(&[node(8, Some(7), "x", true)]);
        assert!(matches!(lost, Err(Problem::Contradiction(_))));
        let paths: Vec<String> = archive.into_entries().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["a_b/", "a_b/.._", "a_b/in/", "a_b/in/x", "a_b (2)/", "in/", "in/x"]);
    }

    #[test]
    fn an_archive_has_bounds() {
        let mut archive = Archive::inside(NodeId::new(1).unwrap());
        for id in 0..10_000 {
            archive.add_below(&[node(id + 2, Some(1), &id.to_string(), true)]).unwrap();
        }
        assert_eq!(archive.add_top(&node(2, None, "one more", true)), Err(Problem::TooManyNodes));
        let mut archive = Archive::default();
        let name = "x".repeat(255);
        archive.add_top(&node(2, None, &name, false)).unwrap();
        let mut fits = 0;
        for id in 3..103 {
            archive.add_below(&[node(id, Some(id - 1), &name, false)]).unwrap();
        }
        while archive.add_below(&[node(200, Some(102), &format!("{fits}"), true)]).is_ok() {
            fits += 1;
        }
        // 8,388,608 less the folders' 1,318,656, at 25,857 to 25,859 for each.
        assert_eq!(fits, 273);
    }

    #[test]
    fn times_are_those_that_ms_dos_knows() {
        for (seconds, date, time) in [
            (0, (0, 1, 1), (0, 0, 0)),
            (315_532_800, (0, 1, 1), (0, 0, 0)),
            (1_709_209_799, (44, 2, 29), (12, 29, 29)),
            (i64::MAX / 1000, (127, 12, 31), (23, 59, 29)),
        ] {
            let expected = (date.0 << 9 | date.1 << 5 | date.2, time.0 << 11 | time.1 << 5 | time.2);
            assert_eq!(dos_time(UnixMillis(seconds * 1000)), expected, "{seconds}");
        }
    }
}
