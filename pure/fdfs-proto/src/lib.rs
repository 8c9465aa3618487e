//! FastDFS wire codec: header, opcode registry, one module per command.
//!
//! Turns bytes into values and back, exactly as FastDFS 6.16.1 lays them out. It will never know sockets,
//! files or clocks; a caller hands it byte slices and gets values that borrow from them.
//!
//! Invariants
//! - No byte string makes a decoder panic, and none makes it allocate more than a small multiple of its
//!   own length. Lengths and counts inside a body are checked before they are used.
//! - A decoder checks *shape* (lengths, signs, counts). Whether a group or a file name is acceptable is
//!   asked separately ([`GroupField::group`], [`RawName::parse`]), because a server answers the two with
//!   different statuses.
//! - Every maximum has a name in [`limits`].
//!
//! Begin with [`opcode`] (the registry of all commands), then [`Header`] and [`frame`], then one command,
//! for example [`tracker::query_store`] or [`storage::upload`]. In every command module `Ask` is the body of
//! the request and `Got` the body of the reply with status 0. All integers on the wire are big-endian.

/// The release of FastDFS whose protocol this is. Servers show it as their version, since other members and
/// tools judge by it what they can do.
pub const PROTOCOL_VERSION: &str = "6.16.1";

mod brief;
mod empty;
mod error;
mod field;
pub mod frame;
mod header;
mod host;
pub mod limits;
mod name;
pub mod opcode;
mod record;
mod stat_block;
mod status;
pub mod storage;
mod storage_status;
mod text;
pub mod tracker;
mod width;

pub use brief::Brief;
pub use empty::Empty;
pub use error::{DecodeError, Why};
pub use header::{HEADER_LEN, Header};
pub use host::{Host, HostError};
pub use name::RawName;
pub use opcode::{Body, Opcode, Peer, RESPONSE, StorageCommand, TrackerCommand};
pub use stat_block::StatBlock;
pub use status::{Ending, Status};
pub use storage_status::{RwMode, StorageStatus};
pub use text::{BadStorageId, FixedText, GroupField, HostText, IpText, StorageId, Version};
pub use width::AddrWidth;
