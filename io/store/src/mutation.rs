//! What can be asked of the writer of a store path, and what becomes of it.

use bytes::Bytes;
use fdfs_fileid::FileName;
use fdfs_format::journal::{Change, Entry};
use tokio::sync::oneshot;

use crate::{Staged, StoreError};

/// The name of a new file.
pub enum NewName {
    /// Any unused name; called with the number of the attempt until one is unused.
    Fresh(Box<dyn FnMut(u32) -> FileName + Send>),
    /// This one, which must be unused.
    Fixed(FileName),
    /// This one, which must be unused and speaks of a slot that must be free: the slot was allocated for it.
    Slot(FileName),
}

impl NewName {
    /// Any unused name that `make` comes up with, given the number of the attempt.
    pub fn fresh(make: impl FnMut(u32) -> FileName + Send + 'static) -> Self {
        Self::Fresh(Box::new(make))
    }
}

/// The content of a new file, or of a change to one.
pub enum Content {
    /// All of it, no more than [`crate::Store::inline_max`] bytes.
    Bytes(Bytes),
    /// It has been staged on the disk of the file.
    Staged(Staged),
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Staged(staged) => staged.len(),
        }
    }

    pub(crate) fn crc32(&self) -> u32 {
        match self {
            Self::Bytes(bytes) => crc32fast::hash(bytes),
            Self::Staged(staged) => staged.crc32(),
        }
    }
}

/// A change of metadata: what there is now in, what shall be there out; `None` is no metadata file.
pub type MetadataUpdate = Box<dyn FnOnce(Option<&[u8]>) -> Option<Vec<u8>> + Send>;

/// Who made a change, and the Unix second when: what letter and time of its binlog line say (storage internals:
/// replication log).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client of this storage; peers are to be told.
    Here(u32),
    /// A client of another member, which tells all others itself.
    Peer(u32),
}

impl Origin {
    pub(crate) fn time(self) -> u32 {
        match self {
            Self::Here(time) | Self::Peer(time) => time,
        }
    }

    /// The letter of the binlog line, of the upper-case one that stands for the change.
    pub(crate) fn letter(self, upper: char) -> char {
        match self {
            Self::Here(_) => upper,
            Self::Peer(_) => upper.to_ascii_lowercase(),
        }
    }
}

/// Where bytes go in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// To its end, wherever that is.
    End,
    /// To its end, which is here: as another member has it.
    KnownEnd(u64),
    /// Here, which is not behind its end.
    Offset(u64),
}

/// Something to be done to the files of one store path.
pub(crate) enum Mutation {
    /// A new file; one more name for what `link_to` names when there is that.
    Create { name: NewName, content: Content, link_to: Option<FileName>, origin: Origin },
    /// A whole file as a peer has it, over whatever is there. Without content, or when there still is what was `same` as
    /// the content, only the line is written. `op` is the letter of the line, upper-case.
    Copy { name: FileName, content: Option<Content>, same: Option<Standing>, op: char, origin: Origin },
    /// Bytes into an appender.
    Write { name: FileName, at: At, content: Content, origin: Origin },
    /// Another size for an appender, which has the size `old` if that is given.
    Truncate { name: FileName, size: u64, old: Option<u64>, origin: Origin },
    /// Another name for an appender; when `seen` is given, only if it was not changed since.
    Move { name: FileName, new: NewName, seen: Option<Before>, origin: Origin },
    /// A file and its metadata go.
    Delete { name: FileName, origin: Origin },
    /// A good copy of a file in the place of a `bad` one, or of none, when that is still what is there.
    Mend { name: FileName, content: Content, bad: Option<Standing>, time: u32 },
    /// A bad copy, which has been kept elsewhere, goes.
    SetAside { name: FileName, bad: Standing, time: u32 },
    /// From here on the names that go are remembered, and those before forgotten.
    Watch,
    /// Other metadata for a file.
    Metadata { name: FileName, update: MetadataUpdate, origin: Origin },
}

impl Mutation {
    /// Content that comes with it.
    pub(crate) fn content(&self) -> Option<&Content> {
        match self {
            Self::Create { content, .. } | Self::Write { content, .. } | Self::Mend { content, .. } => {
                Some(content)
            }
            Self::Copy { content, .. } => content.as_ref(),
            Self::Truncate { .. }
            | Self::Move { .. }
            | Self::Delete { .. }
            | Self::SetAside { .. }
            | Self::Watch
            | Self::Metadata { .. } => None,
        }
    }
}

/// What stands under a name: equal values mean that it is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Plain(Seen),
    /// In a pack; the sequence number of its record.
    Packed(u64),
    /// In a slot of a trunk file, whose header is what the name says.
    Slot,
}

/// What tells whether a file has changed since it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) size: u64,
    pub(crate) mtime: (i64, u64),
}

/// How a file was before it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Before {
    /// Tells of changes that others than the store made.
    pub(crate) seen: Seen,
    /// Tells of the store's own: the [mark](crate::changes::Changes::mark) of a file that is watched.
    pub(crate) mark: u64,
}

/// What a mutation came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The file has this name.
    Named(FileName),
    /// The content begins there; the file had this size.
    At(u64),
    /// It is done, or there was nothing to do.
    Done,
    /// The file was there already.
    Had,
    /// There is no such file; that it is to go has been noted.
    Missing,
    /// The file has changed since it was looked at; look again.
    Changed,
}

/// A mutation and who waits for it.
pub(crate) struct Job {
    pub(crate) mutation: Mutation,
    pub(crate) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// A mutation that has been checked: what makes it certain and then does it. It is about plain files or about packed
/// ones, never about both: the metadata of a file is kept as the file is.
pub(crate) struct Checked {
    /// Changes of plain files.
    pub(crate) entries: Vec<OwnedEntry>,
    /// Changes of packed files.
    pub(crate) packed: Vec<PackedChange>,
    pub(crate) outcome: Outcome,
    /// The temporary file that an entry adopts or splices.
    pub(crate) staged: Option<Staged>,
}

impl Checked {
    /// Nothing has to be done.
    pub(crate) fn nothing(outcome: Outcome) -> Self {
        Self { entries: Vec::new(), packed: Vec::new(), outcome, staged: None }
    }

    pub(crate) fn plain(entries: Vec<OwnedEntry>, outcome: Outcome) -> Self {
        Self { entries, ..Self::nothing(outcome) }
    }

    pub(crate) fn packed(packed: Vec<PackedChange>, outcome: Outcome) -> Self {
        Self { packed, ..Self::nothing(outcome) }
    }
}

/// A checked mutation in a batch.
pub(crate) struct Prepared {
    pub(crate) checked: Checked,
    pub(crate) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// A change of a packed file.
pub(crate) struct PackedChange {
    pub(crate) name: FileName,
    /// All of its content from now on; `None` when it goes.
    pub(crate) content: Option<Bytes>,
    /// Letter of the binlog line.
    pub(crate) op: char,
    /// Time of the binlog line, and of the file, Unix seconds.
    pub(crate) time: u32,
}

/// An entry that owns what it is about.
pub(crate) struct OwnedEntry {
    pub(crate) change: OwnedChange,
    pub(crate) mtime: u32,
    pub(crate) lines: String,
}

/// A [`Change`] that owns what it is about.
pub(crate) enum OwnedChange {
    Create { name: FileName, content: Bytes },
    Adopt { name: FileName, temp: u64 },
    Replace { name: FileName, content: Vec<u8> },
    Write { name: FileName, offset: u64, content: Bytes },
    Splice { name: FileName, offset: u64, temp: u64 },
    Truncate { name: FileName, size: u64 },
    Delete { name: FileName },
    Move { from: FileName, to: FileName },
    Fill { name: FileName, file_len: u32, content: Bytes },
    FillStaged { name: FileName, file_len: u32, temp: u64 },
    Empty { name: FileName },
    Note { name: FileName },
}

impl OwnedEntry {
    /// As the journal and the layouts take it.
    pub(crate) fn entry(&self) -> Entry<'_> {
        let bytes = |name| FileName::true_name(name).as_bytes();
        let change = match &self.change {
            OwnedChange::Create { name, content } => Change::Create { name: bytes(name), content },
            OwnedChange::Adopt { name, temp } => Change::Adopt { name: bytes(name), temp: *temp },
            OwnedChange::Replace { name, content } => Change::Replace { name: bytes(name), content },
            OwnedChange::Write { name, offset, content } => {
                Change::Write { name: bytes(name), offset: *offset, content }
            }
            OwnedChange::Splice { name, offset, temp } => {
                Change::Splice { name: bytes(name), offset: *offset, temp: *temp }
            }
            OwnedChange::Truncate { name, size } => Change::Truncate { name: bytes(name), size: *size },
            OwnedChange::Delete { name } => Change::Delete { name: bytes(name) },
            OwnedChange::Move { from, to } => Change::Move { from: bytes(from), to: bytes(to) },
            OwnedChange::Fill { name, file_len, content } => {
                Change::Fill { name: bytes(name), file_len: *file_len, content }
            }
            OwnedChange::FillStaged { name, file_len, temp } => {
                Change::FillStaged { name: bytes(name), file_len: *file_len, temp: *temp }
            }
            OwnedChange::Empty { name } => Change::Empty { name: bytes(name) },
            OwnedChange::Note { name } => Change::Note { name: bytes(name) },
        };
        Entry { change, mtime: self.mtime, line: self.lines.as_bytes() }
    }
}
