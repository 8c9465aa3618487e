//! What can be wrong with a name.

/// Why a name, or a part of one, was refused.
///
/// On the wire every one of these is answered with `EINVAL`; the cases exist for logs, tools and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameError {
    /// A group name has 1 to 16 characters.
    #[error("group name is empty or longer than 16 characters")]
    GroupLength,
    /// A group name consists of ASCII letters and digits.
    #[error("group name holds a character that is neither a letter nor a digit")]
    GroupCharacter,
    /// A file id is `group/name`.
    #[error("file id has no slash between group and name")]
    NoGroup,
    /// A logical name is longer than 10 characters.
    #[error("file name is too short")]
    TooShort,
    /// A logical name is shorter than 128 characters.
    #[error("file name is too long")]
    TooLong,
    /// Only visible ASCII may occur: no control bytes, no blanks, no NUL, nothing above `~`.
    #[error("file name holds a byte that is not visible ASCII")]
    Character,
    /// `M` must be followed by two hex digits and a slash.
    #[error("file name does not begin with a store path like M00/")]
    StorePath,
    /// After the store path come two directories of two upper-case hex digits.
    #[error("file name does not hold two directories like 00/1B/")]
    Directories,
    /// Nothing below the two directories is a directory.
    #[error("file name holds more than two directories")]
    ExtraSlash,
    /// The last component must name a file.
    #[error("file name ends in . or ..")]
    DotName,
    /// An extension has at most 6 characters of letters, digits, dot, underscore and hyphen.
    #[error("extension is longer than 6 characters or holds a character outside A-Z a-z 0-9 . _ -")]
    Extension,
    /// A slave prefix has 1 to 16 characters of letters, digits, dot, underscore and hyphen.
    #[error(
        "slave prefix is empty, longer than 16 characters, or holds a character outside A-Z a-z 0-9 . _ -"
    )]
    Prefix,
    /// The name belongs to a metadata file, which only the metadata commands may touch; or a new name would.
    #[error("name is that of a metadata file")]
    Metadata,
    /// The name belongs to a trunk file, the container of many small files.
    #[error("name is that of a trunk container")]
    TrunkContainer,
    /// Names with a leading dot are the storage's own bookkeeping.
    #[error("name of a file that is the storage's own")]
    Hidden,
    /// A master's name is too short to derive a slave or a regenerated name from.
    #[error("name of the master file is too short")]
    MasterTooShort,
    /// By its length readers would not see a slave in it, and would trust the size in the name.
    #[error("slave name would be taken for that of an ordinary file")]
    SlaveTooShort,
}
