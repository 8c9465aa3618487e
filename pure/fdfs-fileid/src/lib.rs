//! FastDFS file ids: parse, build, slave names, anti-steal token.
//!
//! A file id is `group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt`: a group, a store path index, two
//! directories and a base name that carries where, when and how big the file was made. Everything a client
//! or a peer knows about a file is in this text, so this crate is the contract of the whole system.
//!
//! **Never knows**: sockets, files, clocks, randomness. Times and random bits are arguments.
//!
//! **Invariants**
//! - A [`FileName`] in hand is safe to join to a store path's `data/` folder: exactly two directories of two
//!   upper-case hex digits, then one component that is neither `.` nor `..` and holds only visible ASCII.
//! - No bytes make a parser panic. Two names that differ mean two files, with one exception: the oldest names leave
//!   out `M00/`, so path index and true name, not the text, say where a file is.
//! - What is built here parses here, and gives back what it was built from.
//!
//! **Begin reading** at [`FileName`] (`name.rs`), then [`Stamp`] (`stamp.rs`), the 20 bytes inside a name.
//!
//! Sources: wire protocol, "File ids" and "Anti-steal token"; storage internals, "Names".

mod build;
mod directory;
mod error;
mod ext;
mod group;
mod id;
mod name;
mod slave;
mod stamp;
pub mod token;
mod trunk;

pub use build::{build_name, build_trunk_name};
pub use directory::{HashedDirectories, hashed_directories};
pub use error::NameError;
pub use ext::{EXT_LEN_MAX, EXT_PART_LEN, ExtName, PREFIX_LEN_MAX, SlavePrefix};
pub use group::{GROUP_NAME_LEN_MAX, GroupName};
pub use id::FileId;
pub use name::{FILE_NAME_LEN_MAX, FileName, Kind, METADATA_SUFFIX, StorePathIndex};
pub use slave::slave_name;
pub use stamp::{NUMERIC_ID_MAX, SizeWord, Source, Stamp};
pub use trunk::TrunkPart;
