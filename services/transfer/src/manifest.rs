//! The manifest: which path is which file id. JSON lines, one object a line, told apart by `kind`.
//!
//! ```text
//! {"kind":"manifest","version":1,"root":"photos","created":1751328000,"folder":"/srv/photos"}
//! {"kind":"dir","path":".","mode":493,"mtime":1751328000,"mtime_ns":0}
//! {"kind":"file","path":"a.txt","mode":420,"mtime":1751328000,"mtime_ns":5,"size":14,"crc32":"0e10ba5d","id":"group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt"}
//! {"kind":"symlink","path":"b","mtime":1751328000,"mtime_ns":0,"target":"a.txt"}
//! {"kind":"end","files":1,"dirs":1,"symlinks":1,"bytes":14}
//! {"kind":"stored","id":"group1/M00/00/1B/wKgAxGhjJSCAKlw9AAACDg4Qul0482.cairn"}
//! ```
//!
//! - Names are bytes; what is not UTF-8 is escaped as `%XX` (and `%` as `%25`).
//! - A path may occur more than once while a put is under way; the last line counts.
//! - `folder` is where the folder was on the machine that put it. Cairn's first manifests do not say it.
//! - `end` follows the last entry if the put that wrote the manifest finished. Without it the manifest is that of an
//!   interrupted put, and its last line may be torn.
//! - `stored` is only in the local file: under which id the cluster has the manifest up to `end`.
//! - Unknown fields are skipped, so fields may be added; anything that changes a meaning raises `version`.

use crate::escape::{escape, unescape};
use crate::rel_path::{PathError, RelPath};
use fdfs_fileid::FileId;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read as _};

/// The version written, and the newest one read.
pub const VERSION: u32 = 1;
/// The longest line read: a path and a link target, every byte escaped, and the rest.
pub const LINE_LEN_MAX: usize = 32 * 1024;
/// The extension a manifest has in the cluster, by which its id shows what it is.
pub const MANIFEST_EXT: &str = "cairn";

/// Permission bits kept of a mode.
const MODE_MASK: u32 = 0o7777;

/// What stands in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version of the format, 1.
    pub version: u32,
    /// The name of the folder that was put, without its path.
    pub root: Vec<u8>,
    /// When the put began, in Unix seconds.
    pub created: i64,
    /// Where the folder was, as an absolute path. `None` when the manifest does not say it.
    pub folder: Option<Vec<u8>>,
}

/// What stands at the end of a finished manifest: how many of each were listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct End {
    /// Files.
    pub files: u64,
    /// Folders, the root included.
    pub dirs: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A time of modification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtime {
    /// Unix seconds.
    pub seconds: i64,
    /// Nanoseconds, below 10^9.
    pub nanoseconds: u32,
}

/// One thing in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: RelPath,
    /// When it was last changed.
    pub mtime: Mtime,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Dir {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Bytes.
        size: u64,
        /// CRC-32 of the content.
        crc32: u32,
        /// Under which id the content is stored.
        id: FileId,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, as it is written in the link.
        target: Vec<u8>,
    },
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The first line.
    Header(Header),
    /// A thing in the tree.
    Entry(Entry),
    /// Follows the last entry.
    End(End),
    /// The id under which the manifest is stored.
    Stored(FileId),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No JSON object of a known kind with the fields that kind has.
    #[error("not a line of a manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// A later version of the format.
    #[error(
        "version {0} of the manifest is newer than this program: use the cairn that wrote it, or a later one"
    )]
    Version(u32),
    /// A path that cannot be, or could leave the target.
    #[error("the path {text:?} is refused: {error}")]
    Path {
        /// As written.
        text: String,
        /// Why.
        error: PathError,
    },
    /// The file id is none.
    #[error("the file id {text:?} is refused: {error}")]
    Id {
        /// As written.
        text: String,
        /// Why.
        error: fdfs_fileid::NameError,
    },
    /// A field does not hold what it should.
    #[error("the field {0} does not hold what it should")]
    Field(&'static str),
}

/// A line as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Raw {
    Manifest {
        version: u32,
        root: String,
        created: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<String>,
    },
    Dir {
        path: String,
        mode: u32,
        mtime: i64,
        mtime_ns: u32,
    },
    File {
        path: String,
        mode: u32,
        mtime: i64,
        mtime_ns: u32,
        size: u64,
        crc32: String,
        id: String,
    },
    Symlink {
        path: String,
        mtime: i64,
        mtime_ns: u32,
        target: String,
    },
    End(End),
    Stored {
        id: String,
    },
}

impl Line {
    /// Reads one line, with or without its newline.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn parse(line: &[u8]) -> Result<Line, LineError> {
        Ok(match serde_json::from_slice(line)? {
            Raw::Manifest { version, .. } if version > VERSION => return Err(LineError::Version(version)),
            Raw::Manifest { version, root, created, folder } => {
                let root = unescape(&root).ok_or(LineError::Field("root"))?;
                let folder =
                    folder.map(|folder| unescape(&folder).ok_or(LineError::Field("folder"))).transpose()?;
                Line::Header(Header { version, root, created, folder })
            }
            Raw::Dir { path, mode, mtime, mtime_ns } => {
                entry(&path, mtime, mtime_ns, EntryKind::Dir { mode: mode & MODE_MASK })?
            }
            Raw::File { path, mode, mtime, mtime_ns, size, crc32, id } => {
                let crc32 = u32::from_str_radix(&crc32, 16).map_err(|_| LineError::Field("crc32"))?;
                let id = file_id(id)?;
                entry(&path, mtime, mtime_ns, EntryKind::File { mode: mode & MODE_MASK, size, crc32, id })?
            }
            Raw::Symlink { path, mtime, mtime_ns, target } => {
                let target = unescape(&target).filter(|target| !target.is_empty() && !target.contains(&0));
                let target = target.ok_or(LineError::Field("target"))?;
                entry(&path, mtime, mtime_ns, EntryKind::Symlink { target })?
            }
            Raw::End(end) => Line::End(end),
            Raw::Stored { id } => Line::Stored(file_id(id)?),
        })
    }

    /// The line with its newline.
    pub fn to_json(&self) -> Vec<u8> {
        let raw = match self {
            Line::Header(Header { version, root, created, folder }) => Raw::Manifest {
                version: *version,
                root: escape(root),
                created: *created,
                folder: folder.as_deref().map(escape),
            },
            Line::Entry(Entry { path, mtime, kind }) => {
                let path = path.to_string();
                let Mtime { seconds: mtime, nanoseconds: mtime_ns } = *mtime;
                match kind {
                    EntryKind::Dir { mode } => Raw::Dir { path, mode: *mode, mtime, mtime_ns },
                    EntryKind::File { mode, size, crc32, id } => Raw::File {
                        path,
                        mode: *mode,
                        mtime,
                        mtime_ns,
                        size: *size,
                        crc32: format!("{crc32:08x}"),
                        id: id.to_string(),
                    },
                    EntryKind::Symlink { target } => {
                        Raw::Symlink { path, mtime, mtime_ns, target: escape(target) }
                    }
                }
            }
            Line::End(end) => Raw::End(*end),
            Line::Stored(id) => Raw::Stored { id: id.to_string() },
        };
        // Numbers and texts only: nothing in it can fail to become JSON.
        let mut json = serde_json::to_vec(&raw).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

fn file_id(text: String) -> Result<FileId, LineError> {
    text.parse().map_err(|error| LineError::Id { text, error })
}

fn entry(path: &str, seconds: i64, nanoseconds: u32, kind: EntryKind) -> Result<Line, LineError> {
    if nanoseconds >= 1_000_000_000 {
        return Err(LineError::Field("mtime_ns"));
    }
    let path = RelPath::from_text(path).map_err(|error| LineError::Path { text: path.to_owned(), error })?;
    if path.is_root() && !matches!(kind, EntryKind::Dir { .. }) {
        return Err(LineError::Field("path"));
    }
    Ok(Line::Entry(Entry { path, mtime: Mtime { seconds, nanoseconds }, kind }))
}

impl End {
    /// Counts one more entry.
    pub fn count(&mut self, kind: &EntryKind) {
        match kind {
            EntryKind::Dir { .. } => self.dirs += 1,
            EntryKind::Symlink { .. } => self.symlinks += 1,
            EntryKind::File { size, .. } => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(*size);
            }
        }
    }
}

/// A manifest that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read the manifest: {0}")]
    Io(#[from] io::Error),
    /// The first line is not the header of a manifest.
    #[error("this is not a manifest: {0}")]
    NotAManifest(LineError),
    /// It has not even one whole line.
    #[error("this is not a manifest: it has no whole line")]
    Empty,
    /// A line is wrong.
    #[error("line {line} of the manifest: {error}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        error: LineError,
    },
    /// A line is longer than any valid one.
    #[error("line {0} of the manifest is longer than any valid one")]
    TooLong(u64),
}

/// Reads a manifest line by line, in memory of one line.
pub struct ManifestReader<R> {
    input: R,
    header: Header,
    line: u64,
    /// Bytes of the lines read so far.
    offset: u64,
    end: Option<End>,
    stored: Option<FileId>,
    torn: bool,
    buffer: Vec<u8>,
}

impl<R: BufRead> ManifestReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ManifestError`]: it cannot be read, or is no manifest.
    pub fn open(input: R) -> Result<ManifestReader<R>, ManifestError> {
        let header = Header { version: VERSION, root: Vec::new(), created: 0, folder: None };
        let mut reader = ManifestReader {
            input,
            header,
            line: 0,
            offset: 0,
            end: None,
            stored: None,
            torn: false,
            buffer: Vec::new(),
        };
        if !reader.read_line()? {
            return Err(ManifestError::Empty);
        }
        match Line::parse(&reader.buffer) {
            Ok(Line::Header(header)) => reader.header = header,
            Ok(_) => return Err(ManifestError::NotAManifest(LineError::Field("kind"))),
            Err(error) => return Err(ManifestError::NotAManifest(error)),
        }
        Ok(reader)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next entry, or nothing at the end.
    ///
    /// A last line that is cut off is the end too: the put that wrote it was interrupted.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, ManifestError> {
        while self.read_line()? {
            match Line::parse(&self.buffer) {
                Ok(Line::Entry(entry)) => {
                    // Lines after an end: the put was run again and did not finish.
                    self.end = None;
                    self.stored = None;
                    return Ok(Some(entry));
                }
                Ok(Line::End(end)) => self.end = Some(end),
                Ok(Line::Stored(id)) => self.stored = Some(id),
                Ok(Line::Header(_)) => {}
                Err(error) => return Err(ManifestError::Line { line: self.line, error }),
            }
        }
        Ok(None)
    }

    /// After [`ManifestReader::next_entry`] has given nothing: what was counted, if the put that wrote the manifest
    /// finished.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// After [`ManifestReader::next_entry`] has given nothing: the id under which the cluster has this manifest. Only
    /// the local file of a finished put says it.
    pub fn stored(&self) -> Option<&FileId> {
        self.stored.as_ref()
    }

    /// Where the next line begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads a whole line into the buffer; false at the end or at a torn line.
    fn read_line(&mut self) -> Result<bool, ManifestError> {
        self.buffer.clear();
        if self.torn {
            return Ok(false);
        }
        let limit = LINE_LEN_MAX as u64 + 1;
        let read = (&mut self.input).take(limit).read_until(b'\n', &mut self.buffer)?;
        if self.buffer.last() != Some(&b'\n') {
            if read > LINE_LEN_MAX {
                return Err(ManifestError::TooLong(self.line + 1));
            }
            self.torn = read > 0;
            return Ok(false);
        }
        self.line += 1;
        self.offset += read as u64;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";

    fn file(path: &str) -> Entry {
        Entry {
            path: RelPath::from_text(path).unwrap(),
            mtime: Mtime { seconds: 1_751_328_000, nanoseconds: 5 },
            kind: EntryKind::File { mode: 0o644, size: 14, crc32: 0x0e10_ba5d, id: ID.parse().unwrap() },
        }
    }

    fn text(line: &Line) -> String {
        String::from_utf8(line.to_json()).unwrap()
    }

    fn read(text: &str) -> Result<(Vec<Entry>, Option<End>), ManifestError> {
        let mut reader = ManifestReader::open(text.as_bytes())?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            entries.push(entry);
        }
        Ok((entries, reader.end()))
    }

    const HEADER: &str = "{\"kind\":\"manifest\",\"version\":1,\"root\":\"photos\",\"created\":1751328000}\n";
    const END: &str = "{\"kind\":\"end\",\"files\":1,\"dirs\":0,\"symlinks\":0,\"bytes\":14}\n";

    #[test]
    fn lines_are_written_as_documented() {
        let mut header =
            Header { version: 1, root: b"photos".to_vec(), created: 1_751_328_000, folder: None };
        assert_eq!(text(&Line::Header(header.clone())), HEADER);
        header.folder = Some(b"/srv/\xe9/photos".to_vec());
        assert_eq!(
            text(&Line::Header(header)),
            "{\"kind\":\"manifest\",\"version\":1,\"root\":\"photos\",\"created\":1751328000,\"folder\":\"/srv/%E9/photos\"}\n"
        );
        let expected = format!(
            "{{\"kind\":\"file\",\"path\":\"a.txt\",\"mode\":420,\"mtime\":1751328000,\"mtime_ns\":5,\"size\":14,\
             \"crc32\":\"0e10ba5d\",\"id\":\"{ID}\"}}\n"
        );
        assert_eq!(text(&Line::Entry(file("a.txt"))), expected);
        let mtime = Mtime { seconds: -1, nanoseconds: 0 };
        let dir = Entry { path: RelPath::root(), mtime, kind: EntryKind::Dir { mode: 0o755 } };
        assert_eq!(
            text(&Line::Entry(dir)),
            "{\"kind\":\"dir\",\"path\":\".\",\"mode\":493,\"mtime\":-1,\"mtime_ns\":0}\n"
        );
        let path = RelPath::parse(b"\xe9 %").unwrap();
        let link = Entry { path, mtime, kind: EntryKind::Symlink { target: b"../x".to_vec() } };
        assert_eq!(
            text(&Line::Entry(link)),
            "{\"kind\":\"symlink\",\"path\":\"%E9 %25\",\"mtime\":-1,\"mtime_ns\":0,\"target\":\"../x\"}\n"
        );
        assert_eq!(text(&Line::End(End { files: 1, dirs: 0, symlinks: 0, bytes: 14 })), END);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let entry = file("caf%E9/a.txt");
        let (entries, end) = read(&format!("{HEADER}{}{END}", text(&Line::Entry(entry.clone())))).unwrap();
        assert_eq!(entries, [entry]);
        assert_eq!(end, Some(End { files: 1, dirs: 0, symlinks: 0, bytes: 14 }));
    }

    #[test]
    fn fields_of_later_versions_are_skipped() {
        let header = HEADER.replace("}", ",\"later\":[1]}");
        let line = text(&Line::Entry(file("a"))).replace("}", ",\"later\":{}}");
        assert_eq!(read(&format!("{header}{line}{END}")).unwrap().0, [file("a")]);
    }

    #[test]
    fn where_the_folder_was_is_read_back() {
        let header = HEADER.replace("}", ",\"folder\":\"/srv/%E9/photos\"}");
        let reader = ManifestReader::open(header.as_bytes()).unwrap();
        assert_eq!(reader.header().folder.as_deref(), Some(&b"/srv/\xe9/photos"[..]));
        assert_eq!(ManifestReader::open(HEADER.as_bytes()).unwrap().header().folder, None);
        let broken = header.replace("%E9", "%E");
        assert!(matches!(
            read(&broken).unwrap_err(),
            ManifestError::NotAManifest(LineError::Field("folder"))
        ));
    }

    #[test]
    fn a_manifest_without_its_last_line_is_unfinished_and_a_torn_line_is_dropped() {
        let line = text(&Line::Entry(file("a")));
        let (entries, end) = read(&format!("{HEADER}{line}{}", &line[..40])).unwrap();
        assert_eq!((entries.len(), end), (1, None));
    }

    #[test]
    fn lines_after_the_end_make_it_unfinished_again() {
        let line = text(&Line::Entry(file("a")));
        let (entries, end) = read(&format!("{HEADER}{line}{END}{line}")).unwrap();
        assert_eq!((entries.len(), end), (2, None));
    }

    #[test]
    fn the_writer_goes_on_behind_the_last_whole_line() {
        let line = text(&Line::Entry(file("a")));
        let whole = format!("{HEADER}{line}");
        let torn = format!("{whole}{}", &line[..7]);
        let mut reader = ManifestReader::open(torn.as_bytes()).unwrap();
        while reader.next_entry().unwrap().is_some() {}
        assert_eq!(reader.offset(), whole.len() as u64);
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for path in ["../x", "/etc/passwd", "a/../../b", "%2E%2E/b"] {
            let line = text(&Line::Entry(file("a"))).replace("\"a\"", &format!("\"{path}\""));
            let error = read(&format!("{HEADER}{line}")).unwrap_err();
            assert!(
                matches!(error, ManifestError::Line { line: 2, error: LineError::Path { .. } }),
                "{path}: {error}"
            );
        }
    }

    #[test]
    fn a_file_cannot_be_the_root() {
        let line = text(&Line::Entry(file("a"))).replace("\"a\"", "\".\"");
        assert!(matches!(Line::parse(line.as_bytes()), Err(LineError::Field("path"))));
    }

    #[test]
    fn broken_fields_are_refused() {
        let line = text(&Line::Entry(file("a")));
        let broken = |from: &str, to: &str| Line::parse(line.replace(from, to).as_bytes()).unwrap_err();
        assert!(matches!(broken("0e10ba5d", "xyz"), LineError::Field("crc32")));
        assert!(matches!(broken("\"mtime_ns\":5", "\"mtime_ns\":1000000000"), LineError::Field("mtime_ns")));
        assert!(matches!(broken("group1/M00", "group1/../M00"), LineError::Id { .. }));
        assert!(matches!(broken("\"size\":14", "\"size\":-1"), LineError::Json(_)));
        assert!(matches!(broken("\"kind\":\"file\"", "\"kind\":\"door\""), LineError::Json(_)));
    }

    #[test]
    fn other_files_are_not_taken_for_a_manifest() {
        assert!(matches!(read("").unwrap_err(), ManifestError::Empty));
        assert!(matches!(read("hello").unwrap_err(), ManifestError::Empty));
        assert!(matches!(read("hello\n").unwrap_err(), ManifestError::NotAManifest(LineError::Json(_))));
        assert!(matches!(read(END).unwrap_err(), ManifestError::NotAManifest(LineError::Field("kind"))));
        let newer = HEADER.replace("\"version\":1", "\"version\":2");
        assert!(matches!(read(&newer).unwrap_err(), ManifestError::NotAManifest(LineError::Version(2))));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let text = format!("{HEADER}{}", "x".repeat(100_000));
        assert!(matches!(read(&text).unwrap_err(), ManifestError::TooLong(2)));
    }

    #[test]
    fn the_longest_path_and_target_fit_into_a_line() {
        let path = RelPath::parse([[0xff; 255].as_slice(); 15].join(&b'/').as_slice()).unwrap();
        let mtime = Mtime { seconds: i64::MIN, nanoseconds: 999_999_999 };
        let line = Line::Entry(Entry { path, mtime, kind: EntryKind::Symlink { target: vec![0xff; 4095] } });
        assert!(line.to_json().len() <= LINE_LEN_MAX);
    }
}
