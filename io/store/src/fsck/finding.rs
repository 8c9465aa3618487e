//! What can be found wrong, in words.

use std::fmt;
use std::io;
use std::path::PathBuf;

use fdfs_fileid::FileName;
use fdfs_format::binlog::LineError;
use fdfs_format::metadata::{META_LEN_MAX, META_NAME_LEN_MAX, META_VALUE_LEN_MAX};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Content or a file is lost here, or may be.
    Damage,
    /// Nothing is lost, but it is not as it should be.
    Odd,
}

/// Where a file's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file of its own.
    File(FileName),
    /// In a slot of a trunk file.
    Slot {
        /// The trunk file.
        container: FileName,
        /// Where the slot's header begins in it, bytes.
        offset: u32,
    },
}

/// What is wrong with a metadata file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetadataFault {
    /// There is nothing in it.
    Empty,
    /// It is longer than a storage can send, [`META_LEN_MAX`].
    TooLong {
        /// Its length, bytes.
        len: u64,
    },
    /// It is zeros, or holds more of them in a row than a value can have, as a crash leaves them.
    Zeros,
    /// A record has nothing between name and value.
    Record,
    /// A name is longer than [`META_NAME_LEN_MAX`].
    Name,
    /// A value is longer than [`META_VALUE_LEN_MAX`].
    Value,
}

/// What is wrong with a slot of a trunk file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotFault {
    /// Where a slot should begin there is neither a header nor free space.
    Header,
    /// It reaches beyond the end of the trunk file.
    BeyondEnd,
    /// It is a link, and what it holds is no file name.
    Link,
}

/// Something that is not as it should be. Displayed, it says what it is and what to do, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A file or folder in the place of files whose name is no id.
    NotAnId {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder that can't be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::ErrorKind,
    },
    /// An ordinary file has another size than its id says.
    WrongSize {
        /// The file.
        name: FileName,
        /// What its id says, bytes.
        expected: u64,
        /// What it has, bytes.
        found: u64,
    },
    /// Content has another CRC-32 than its id or its slot's header says.
    WrongCrc {
        /// The file.
        place: Place,
        /// What is written down.
        expected: u32,
        /// What the content has.
        found: u32,
    },
    /// A symbolic link that leads out of the store; it is not followed.
    ForeignLink {
        /// The link.
        name: FileName,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symbolic link to a file of the store that is not there, or is no regular file.
    BrokenLink {
        /// The link.
        name: FileName,
        /// Where it leads.
        target: FileName,
    },
    /// A folder, device, pipe or socket under the name of a file.
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// Metadata whose file is not there.
    StrandedMetadata {
        /// The metadata's own name.
        name: FileName,
    },
    /// Metadata that can't be read as such.
    BadMetadata {
        /// The metadata's own name.
        name: FileName,
        /// What is wrong.
        fault: MetadataFault,
    },
    /// A slot of a trunk file is damaged.
    BadSlot {
        /// The trunk file.
        container: FileName,
        /// Where the slot begins, bytes.
        offset: u32,
        /// What is wrong.
        fault: SlotFault,
    },
    /// Bytes of a pack that are no record although they were written once.
    PackDamaged {
        /// The pack.
        pack: PathBuf,
        /// Where they begin, bytes.
        at: u64,
        /// How many.
        len: u64,
        /// The file whose record begins there, if that still says so.
        name: Option<FileName>,
    },
    /// The header of a pack can't be read.
    PackHeader {
        /// The pack.
        pack: PathBuf,
    },
    /// The hint of a pack does not list what is in it, so that the storage looks for files in the wrong places.
    PackHint {
        /// The hint.
        hint: PathBuf,
        /// The first place in the pack where they differ, bytes.
        at: u64,
    },
    /// A record of a pack whose name is no id.
    PackedNotAnId {
        /// The pack.
        pack: PathBuf,
        /// Where the record begins, bytes.
        at: u64,
    },
    /// A file is in a pack, and under its name there is another one.
    Twice {
        /// The file.
        name: FileName,
    },
    /// `cairn unpack` has begun on a store path and not ended.
    UnpackUnfinished {
        /// The mark that says so.
        path: PathBuf,
    },
    /// A folder with files that is beyond the configured number of folders.
    FolderOutOfRange {
        /// The folder.
        path: PathBuf,
    },
    /// Acknowledged changes are in the journal that may not have reached the files; on a stopped store.
    JournalPending {
        /// The journal's folder.
        path: PathBuf,
        /// How many changes.
        entries: u64,
    },
    /// Changes in the journal that were acknowledged once can't be read any more.
    JournalDamaged {
        /// The journal's folder.
        path: PathBuf,
        /// How many batches of them.
        batches: u64,
    },
    /// Temporary files that nobody needs any more; on a stopped store.
    Leftovers {
        /// The file, or the folder they are in.
        path: PathBuf,
        /// How many.
        files: u64,
        /// Their size, bytes.
        bytes: u64,
    },
    /// Copies that a storage has found bad and kept.
    Quarantine {
        /// The folder they are in.
        path: PathBuf,
        /// How many.
        copies: u64,
        /// Their size, bytes.
        bytes: u64,
        /// Files of which there is no other copy in this store.
        lost: u64,
    },
    /// FastDFS has begun to fill this disk from a peer and did not end.
    RecoveryUnfinished {
        /// The file that says so.
        path: PathBuf,
    },
    /// A line of the binlog is no record.
    BinlogLine {
        /// The log.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        error: LineError,
    },
    /// The last line of a log has no end.
    BinlogTorn {
        /// The log.
        file: PathBuf,
        /// Length of the piece, bytes.
        bytes: u64,
    },
    /// By the records the file exists, but it does not.
    Missing {
        /// The file.
        name: FileName,
    },
    /// A file without a record that it exists.
    Unrecorded {
        /// The file.
        place: Place,
    },
}

impl Finding {
    /// The file of which another copy is wanted, if this one names it and [`Finding::Missing`] does not, which has more
    /// to say.
    pub(super) fn victim(&self) -> Option<&FileName> {
        match self {
            Self::WrongSize { name, .. }
            | Self::WrongCrc { place: Place::File(name), .. }
            | Self::BadMetadata { name, .. }
            | Self::PackDamaged { name: Some(name), .. } => Some(name),
            _ => None,
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Unreadable { .. }
            | Self::WrongSize { .. }
            | Self::WrongCrc { .. }
            | Self::BrokenLink { .. }
            | Self::BadMetadata { .. }
            | Self::BadSlot { .. }
            | Self::PackDamaged { .. }
            | Self::PackHeader { .. }
            | Self::PackHint { .. }
            | Self::JournalDamaged { .. }
            | Self::RecoveryUnfinished { .. }
            | Self::Missing { .. } => Severity::Damage,
            Self::NotAnId { .. }
            | Self::ForeignLink { .. }
            | Self::NotAFile { .. }
            | Self::StrandedMetadata { .. }
            | Self::PackedNotAnId { .. }
            | Self::Twice { .. }
            | Self::UnpackUnfinished { .. }
            | Self::FolderOutOfRange { .. }
            | Self::JournalPending { .. }
            | Self::Leftovers { .. }
            | Self::Quarantine { .. }
            | Self::BinlogLine { .. }
            | Self::BinlogTorn { .. }
            | Self::Unrecorded { .. } => Severity::Odd,
        }
    }
}

/// What helps against a bad copy.
const FETCH: &str = "fetch it from another member of the group, or delete it";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnId { path } => write!(
                f,
                "{}: the name is no file id, so nothing can be checked; move it away if nobody asks for it",
                path.display()
            ),
            Self::Unreadable { path, error } => write!(
                f,
                "{}: cannot be read ({error}); check its permissions, then the disk",
                path.display()
            ),
            Self::WrongSize { name, expected, found } => write!(
                f,
                "{name}: has {found} bytes, its id says {expected}: torn, overwritten or never finished; {FETCH}"
            ),
            Self::WrongCrc { place, expected, found } => write!(
                f,
                "{place}: CRC-32 is {found:08x}, should be {expected:08x}: damaged or never finished; {FETCH}"
            ),
            Self::ForeignLink { name, target } => write!(
                f,
                "{name}: links to {}, out of the store, and is not followed; move the file into the store, or \
                 correct the link if the store has moved",
                target.display()
            ),
            Self::BrokenLink { name, target } => {
                write!(f, "{name}: links to {target}, which is no file of this store; {FETCH}")
            }
            Self::NotAFile { path } => {
                write!(f, "{}: is neither a file nor a link; move it away", path.display())
            }
            Self::StrandedMetadata { name } => {
                write!(f, "{name}: metadata of a file that is not there; remove it")
            }
            Self::BadMetadata { name, fault } => {
                write!(f, "{name}: metadata {fault}; set it again")
            }
            Self::BadSlot { container, offset, fault } => write!(
                f,
                "{container}: slot at {offset} {fault}; fetch the files in it from another member of the group"
            ),
            Self::PackDamaged { pack, at, len, name } => {
                write!(f, "{}: {len} bytes at {at} cannot be read", pack.display())?;
                match name {
                    Some(name) => write!(f, ", first of them {name}; {FETCH}"),
                    None => f.write_str("; files may be lost, so compare with another member of the group"),
                }
            }
            Self::PackHeader { pack } => write!(
                f,
                "{}: its header cannot be read; the files in it count as far as they can be read, so check the \
                 disk, and compare with another member of the group",
                pack.display()
            ),
            Self::PackHint { hint, at } => write!(
                f,
                "{}: does not list what is in its pack at {at}; stop the storage, remove this hint, and start the \
                 storage, which then reads the pack",
                hint.display()
            ),
            Self::PackedNotAnId { pack, at } => write!(
                f,
                "{}: the name of the record at {at} is no file id, so nothing can be checked; nobody can ask for it",
                pack.display()
            ),
            Self::Twice { name } => write!(
                f,
                "{name}: is in a pack, and there is a file under its name as well; the one in the pack is served, so \
                 move the other away"
            ),
            Self::UnpackUnfinished { path } => write!(
                f,
                "{}: cairn unpack has begun here and not ended; run it again, or start the storage, which takes back \
                 what was written: the files are still packed",
                path.display()
            ),
            Self::FolderOutOfRange { path } => write!(
                f,
                "{}: has files and is beyond subdir_count_per_path; a FastDFS member of the group without this \
                 folder cannot take them; set the number to what it was",
                path.display()
            ),
            Self::JournalPending { path, entries } => write!(
                f,
                "{}: {entries} changes may not have reached the files, which are not judged; start the storage \
                 once, then check again",
                path.display()
            ),
            Self::JournalDamaged { path, batches } => write!(
                f,
                "{}: {batches} batches of acknowledged changes cannot be read; check the disk, and compare with \
                 another member of the group",
                path.display()
            ),
            Self::Leftovers { path, files, bytes } => write!(
                f,
                "{}: {files} temporary files left, {bytes} bytes; the next start of the storage removes its own, \
                 others (.cp*.tmp, *.recovery.tmp) can be removed",
                path.display()
            ),
            Self::Quarantine { path, copies, bytes, lost } => write!(
                f,
                "{}: {copies} bad copies, {bytes} bytes, {lost} of them of files without another one here; move \
                 away what nobody needs",
                path.display()
            ),
            Self::RecoveryUnfinished { path } => write!(
                f,
                "{}: FastDFS has not finished filling this disk from a peer, so files are missing; start FastDFS \
                 on it once more",
                path.display()
            ),
            Self::BinlogLine { file, line, error } => write!(
                f,
                "{}:{line}: no record ({error}); the storage skips it, a FastDFS storage would stop its \
                 replication here: remove the line before handing the store back",
                file.display()
            ),
            Self::BinlogTorn { file, bytes } => write!(
                f,
                "{}: the last {bytes} bytes are half a line; the next start of the storage cuts them off the \
                 newest log, in an older one remove them before handing the store back",
                file.display()
            ),
            Self::Missing { name } => write!(
                f,
                "{name}: recorded and not there; fetch it from another member of the group, or delete it there too"
            ),
            Self::Unrecorded { place } => write!(
                f,
                "{place}: there without a record: it is served here, but no member of the group can learn of it; \
                 upload it again if it is wanted"
            ),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => write!(f, "{name}"),
            Self::Slot { container, offset } => write!(f, "{container}, slot at {offset}"),
        }
    }
}

impl fmt::Display for MetadataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { len } => write!(f, "has {len} bytes, more than {META_LEN_MAX}"),
            Self::Zeros => f.write_str("holds a stretch of zeros, as a crash leaves it"),
            Self::Record => f.write_str("holds a record without a value"),
            Self::Name => write!(f, "holds a name of more than {META_NAME_LEN_MAX} bytes"),
            Self::Value => write!(f, "holds a value of more than {META_VALUE_LEN_MAX} bytes"),
        }
    }
}

impl fmt::Display for SlotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "has no readable header",
            Self::BeyondEnd => "reaches beyond the end of the trunk file",
            Self::Link => "is a link to something that is no file name",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, MetadataFault, Place, SlotFault};
    use fdfs_fileid::{FileName, NameError};
    use fdfs_format::binlog::LineError;
    use std::io::ErrorKind;
    use std::path::PathBuf;

    #[test]
    fn every_finding_is_one_line_that_says_where_what_and_what_to_do() {
        let path = PathBuf::from("/disk/data/x");
        let name: FileName = "M00/00/00/fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin".parse().unwrap();
        let slot = Place::Slot { container: "M00/00/00/000001".parse().unwrap(), offset: 256 };
        let findings = [
            Finding::NotAnId { path: path.clone() },
            Finding::Unreadable { path: path.clone(), error: ErrorKind::PermissionDenied },
            Finding::WrongSize { name: name.clone(), expected: 2, found: 1 },
            Finding::WrongCrc { place: slot.clone(), expected: 2, found: 1 },
            Finding::ForeignLink { name: name.clone(), target: path.clone() },
            Finding::BrokenLink { name: name.clone(), target: name.clone() },
            Finding::NotAFile { path: path.clone() },
            Finding::StrandedMetadata { name: name.metadata_name() },
            Finding::BadMetadata {
                name: name.metadata_name(),
                fault: MetadataFault::TooLong { len: 300_000 },
            },
            Finding::BadSlot { container: name.clone(), offset: 256, fault: SlotFault::BeyondEnd },
            Finding::PackDamaged { pack: path.clone(), at: 64, len: 8, name: Some(name.clone()) },
            Finding::PackDamaged { pack: path.clone(), at: 64, len: 8, name: None },
            Finding::PackHeader { pack: path.clone() },
            Finding::PackHint { hint: path.clone(), at: 64 },
            Finding::PackedNotAnId { pack: path.clone(), at: 64 },
            Finding::Twice { name: name.clone() },
            Finding::UnpackUnfinished { path: path.clone() },
            Finding::FolderOutOfRange { path: path.clone() },
            Finding::JournalPending { path: path.clone(), entries: 3 },
            Finding::JournalDamaged { path: path.clone(), batches: 3 },
            Finding::Leftovers { path: path.clone(), files: 3, bytes: 4 },
            Finding::RecoveryUnfinished { path: path.clone() },
            Finding::BinlogLine { file: path.clone(), line: 3, error: LineError::Name(NameError::TooShort) },
            Finding::BinlogTorn { file: path.clone(), bytes: 3 },
            Finding::Missing { name: name.clone() },
            Finding::Unrecorded { place: Place::File(name.clone()) },
        ];
        for finding in findings {
            let text = finding.to_string();
            assert!(text.starts_with("/disk/data/x:") || text.starts_with("M00/00/00/"), "{text}");
            assert!(text.contains(": ") && !text.contains('\n') && !text.contains("  "), "{text}");
            assert!(text.contains("; "), "{text} does not say what to do");
        }
        let crc = Finding::WrongCrc { place: slot, expected: 0x0e10_ba5d, found: 1 };
        assert_eq!(
            crc.to_string(),
            "M00/00/00/000001, slot at 256: CRC-32 is 00000001, should be 0e10ba5d: damaged or never finished; \
             fetch it from another member of the group, or delete it"
        );
    }
}
