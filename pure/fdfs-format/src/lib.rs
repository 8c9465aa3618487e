//! Bytes on disk: metadata, statistics, binlog lines, tracker state files, and our journal and packs.
//!
//! One module per file or part of a file. What FastDFS writes is read and written byte for byte; the journal and
//! packs are ours.
//!
//! **Never knows**: where files are, how they are replaced, when they are written. Bytes in, values out, and
//! back.
//!
//! **Invariants**
//! - No bytes make a decoder panic, and none make it hold more than a small multiple of their length.
//! - `decode(encode(x)) == x` for every value that was decoded; and for files that the original wrote,
//!   `encode(decode(bytes)) == bytes`.
//! - Unknown keys are passed over, missing ones are zero where zero means "not known"; where half a file would be
//!   worse than none, as with marks, it is an error.
//!
//! **Begin reading** at [`binlog`], the log that replication lives on, or at [`metadata`].

pub mod binlog;
mod binlog_index;
mod binlog_reader;
mod error;
mod ini;
mod init_flag;
pub mod journal;
mod mark;
pub mod metadata;
pub mod pack;
mod path_mark;
mod slot_header;
mod stat_file;
pub mod tracker;
pub mod trunk_log;

pub use binlog_index::{
    BINLOG_INDEX_FILE, BinlogIndex, OLD_BINLOG_INDEX_FILE, binlog_file, binlog_file_index,
};
pub use binlog_reader::{Line, LineReader, complete_len};
pub use error::FormatError;
pub use init_flag::{INIT_FLAG_FILE, InitFlag};
pub use mark::{Mark, mark_file};
pub use metadata::Metadata;
pub use path_mark::{PATH_MARK_FILE, PATH_MARK_LEN_MAX, PathMark};
pub use slot_header::{SLOT_HEADER_LEN, SlotHeader, SlotKind, UnknownSlotKind};
pub use stat_file::{STAT_FILE, StatFile};
