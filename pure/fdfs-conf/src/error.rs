//! What can be wrong with a configuration, and what is only odd about it.
//!
//! Both say file, line and key in front, so that a message can be acted on without knowing the program:
//! `storage.conf:12: store_path_count: must be between 1 and 256, got 0`.

use std::fmt;

use thiserror::Error;

use crate::addr::AddrError;
use crate::allow_hosts::PatternError;

/// The loader's answer when it has no text for a path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("no such file")]
    NotFound,
    /// There is one, and it cannot be read; the text is the operating system's.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// A configuration that cannot be used: the start must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfError {
    /// The file, named as it was given or included.
    pub file: String,
    /// Line in it, from 1; `None` when the fault is in no line, such as a missing key.
    pub line: Option<u32>,
    /// The key, or empty when the fault is in no key.
    pub key: String,
    /// What is wrong.
    pub reason: Box<Reason>,
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.line, &self.key)?;
        self.reason.fmt(f)
    }
}

impl std::error::Error for ConfError {}

/// Something odd that does not stop the start. Worth a WARN each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// See [`ConfError::file`].
    pub file: String,
    /// See [`ConfError::line`].
    pub line: Option<u32>,
    /// See [`ConfError::key`].
    pub key: String,
    /// What is odd.
    pub oddity: Oddity,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.line, &self.key)?;
        self.oddity.fmt(f)
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, file: &str, line: Option<u32>, key: &str) -> fmt::Result {
    f.write_str(file)?;
    if let Some(line) = line {
        write!(f, ":{line}")?;
    }
    f.write_str(": ")?;
    if !key.is_empty() {
        write!(f, "{key}: ")?;
    }
    Ok(())
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum Reason {
    // Files
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("longer than {limit} bytes")]
    FileTooLong { limit: usize },
    #[error("more than {limit} bytes, loops and included files counted in")]
    TooMuchText { limit: usize },
    #[error("more than {limit} keys")]
    TooManyKeys { limit: usize },
    #[error("{path}: {error}")]
    File { path: String, error: LoadError },
    #[error("holds a NUL byte: this is not a text file")]
    Nul,
    #[error("#include {path}: {error}")]
    Include { path: String, error: LoadError },
    #[error("#include {path}: files include each other more than {limit} deep")]
    IncludedTooDeep { path: String, limit: usize },
    #[error("#include {path}: more than {limit} files are included")]
    TooManyFiles { path: String, limit: usize },
    #[error("#include {path}: this file is being read already, it includes itself")]
    IncludesItself { path: String },
    #[error("#include {path}: only files can be included, not URLs")]
    IncludesUrl { path: String },
    #[error(transparent)]
    Directive(#[from] DirectiveError),

    // Values
    #[error("is true: this file is switched off")]
    SwitchedOff,
    #[error("is missing, and there is no default")]
    Missing,
    #[error("is empty")]
    Empty,
    #[error("must be true or false (also yes/no, on/off, 1/0), got \"{got}\"")]
    NotABool { got: String },
    #[error("must be a whole number, got \"{got}\"")]
    NotANumber { got: String },
    #[error("must be a size such as 512, 256KB, 64M, 20G or 1T, got \"{got}\"")]
    NotASize { got: String },
    #[error("must be a time such as 02:30 or 02:30:00, got \"{got}\"")]
    NotATime { got: String },
    #[error("must be a share such as 20% (more than 0, less than 100) or a size such as 10G, got \"{got}\"")]
    NotASpace { got: String },
    #[error("must be between {min} and {max}, got {got}")]
    OutOfRange { min: i64, max: i64, got: i128 },
    #[error("must be between {} and {}, got \"{got}\"", Bytes(*.min), Bytes(*.max))]
    SizeOutOfRange { min: u64, max: u64, got: String },
    #[error("must be {allowed}, got \"{got}\"")]
    NotAChoice { allowed: &'static str, got: String },
    #[error("must be 1 to 16 letters and digits, got \"{got}\"")]
    NotAGroupName { got: String },
    #[error("must be a storage id, a number from 1 to 16777215 without leading zeros, got \"{got}\"")]
    NotAStorageId { got: String },
    #[error("must be an IP address, got \"{got}\"")]
    NotAnIp { got: String },
    #[error("must be an IP address and a port such as 127.0.0.1:9122 or [::1]:9122, got \"{got}\"")]
    NotASocket { got: String },
    #[error("must hold at most one address per IP version, got \"{got}\"")]
    TooManyBindAddresses { got: String },
    #[error(transparent)]
    Addr(#[from] AddrError),
    #[error(transparent)]
    Pattern(#[from] PatternError),

    // Several keys together
    #[error("must be greater than {other} ({bound}), got {got}")]
    NotAbove { other: &'static str, bound: u64, got: u64 },
    #[error("is needed when {other}")]
    NeededBy { other: &'static str },
    #[error("must be {value} when {other}")]
    MustBe { value: &'static str, other: &'static str },
    #[error("given more than {limit} times")]
    TooMany { limit: usize },
    #[error("is the same folder as {other}")]
    SameFolder { other: String },
    #[error("group {got} has a section already")]
    SameGroup { got: String },

    // storage_ids.conf
    #[error("must read: id group address[:port] [rw=none|read|write|both]")]
    NotAStorageLine,
    #[error("holds no storage")]
    NoStorages,
    #[error("id {id} is on line {line} already")]
    DuplicateId { id: u32, line: u32 },
    #[error("{host}:{port} is on line {line} already")]
    DuplicateAddress { host: String, port: u16, line: u32 },
    #[error("more than {limit} storages")]
    TooManyStorages { limit: usize },
    #[error("unknown option \"{got}\", there is only rw=none|read|write|both")]
    UnknownOption { got: String },
    #[error("the host name \"{name}\" has no address")]
    Unresolved { name: String },
}

/// A `#@…` line that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum DirectiveError {
    #[error("#@if must read: #@if %{{NAME}} in [value, value]")]
    If,
    #[error("#@for must read: #@for NAME from 0 to 9 step 1")]
    For,
    #[error("#@for never runs: it goes up from {from} to {to}")]
    ForRunsBackwards { from: u32, to: u32 },
    #[error("#@for needs a step of at least 1")]
    ForStandsStill,
    #[error("#@set must read: #@set NAME = value")]
    Set,
    #[error("{directive} has no {end}")]
    Unclosed { directive: &'static str, end: &'static str },
    #[error("{end} without {directive}")]
    Unopened { directive: &'static str, end: &'static str },
    #[error("more than {limit} #@if and #@for inside each other")]
    TooDeep { limit: usize },
    #[error("a variable holds at most {limit} bytes")]
    VariableTooLong { limit: usize },
    #[error("#@add_annotation loads a library into the reader; that is not done here")]
    AddAnnotation,
    #[error("asks for this host's {what}, which this program was not told")]
    HostUnknown { what: &'static str },
    #[error("\"{got}\" is not an IPv4 network such as 172.16.12.0/22")]
    NotANetwork { got: String },
}

/// What is odd about a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum Oddity {
    #[error("unknown key, ignored")]
    UnknownKey,
    #[error("unknown key, ignored; did you mean {nearest}?")]
    UnknownKeyLike { nearest: &'static str },
    #[error("belongs in {file}, ignored here")]
    OtherFile { file: &'static str },
    #[error("unknown section, ignored with all its keys")]
    UnknownSection,
    #[error("belongs in [{section}], ignored here")]
    BelongsInSection { section: &'static str },
    #[error("belongs above the first [section], ignored here")]
    BelongsAboveSections,
    #[error("no longer in use, ignored: {instead}")]
    Retired { instead: &'static str },
    #[error("given again; this line counts, line {earlier} does not")]
    GivenAgain { earlier: u32 },
    #[error("is empty, {used} is used")]
    EmptyNumber { used: String },
    #[error("is empty, which means false")]
    EmptyBool,
    #[error("\"{got}\" is read as {used}; a comment needs a line of its own")]
    CommentAfterValue { got: String, used: String },
    #[error("{got} is not usable, {used} is used")]
    Replaced { got: String, used: String },
    #[error("not a key, a section or a comment, ignored: {line}")]
    NotUnderstood { line: String },
    #[error("longer than {limit} bytes: FastDFS would cut it there")]
    LongForFastdfs { limit: usize },
    #[error("function {name} is not available, the value is used as written")]
    NoSuchFunction { name: String },
    #[error("commands are not run, the value is left empty: {command}")]
    CommandNotRun { command: String },
    #[error("variable {name} is not set, left as written")]
    NoSuchVariable { name: String },
    #[error("no such address on this host, left empty")]
    NoSuchAddress,
    #[error("#@function must stand right above a key")]
    FunctionWithoutKey,
    #[error("nobody may connect: no address is allowed")]
    NobodyAllowed,
    #[error("whoever may connect counts as a member of the group: he can write and delete every file")]
    EverybodyReplicates,
    #[error("not used: store_path_count is {count}")]
    PathNotCounted { count: u32 },
    #[error("not used: {why}")]
    NoEffect { why: &'static str },
    #[error("the same tracker twice, counted once")]
    SameTracker,
}

/// Shows a number of bytes with the largest unit that fits without a rest, as one would write it in a file.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")] {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}
