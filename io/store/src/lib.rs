//! The store: files under their ids on the disks of one storage, durable when it says so.
//!
//! Everything that holds or changes a file goes through [`Store`]: the server's commands, replication, scrub,
//! recovery and HTTP. How a file is kept is nobody else's business: a reader gets a [`StoredFile`]
//! (an open descriptor, an offset and a length), a writer hands over content and gets a name. There are three layouts:
//! the original's plain files (`plain.rs`), packs for small ones (`pack/`), and the original's trunk files (`trunk/`).
//! A [`Shelf`] reads the store paths of a storage that is another process, and has no part in keeping them.
//!
//! Will never know: sockets, commands, trackers, groups.
//!
//! Invariants
//! - A change that was acknowledged survives what the [`Durability`] promises; one that was not is there as a
//!   whole or not at all.
//! - No half file ever stands under a final name for longer than it takes to start again.
//! - No path outside `data/` of a store path is ever opened: names are [`fdfs_fileid::FileName`]s.
//!
//! Begin reading at `store.rs`, then `writer.rs` (how a change is made), then `journal/`.

pub mod binlog;
mod changes;
mod disks;
mod error;
pub mod fsck;
mod journal;
mod look;
pub mod marks;
mod memory;
mod mutation;
mod pack;
mod path;
mod plain;
mod pool;
mod quarantine;
mod receive;
mod recover;
mod relog;
mod scrub;
mod shelf;
mod space;
mod staged;
mod store;
mod stored;
mod trunk;
pub mod unpack;
mod writer;

pub use error::StoreError;
pub use mutation::{Content, MetadataUpdate, NewName};
pub use pack::PackUsage;
pub use quarantine::QuarantineUsage;
pub use receive::{Received, WhichCopy, named_content};
pub use relog::{NewLog, log_is_lost};
pub use scrub::{BadCopy, Mended, Verdict, mark_damaged};
pub use shelf::Shelf;
pub use space::Usage;
pub use staged::Staged;
pub use store::{Durability, OpenReport, Packing, Store, StoreSettings};
pub use stored::StoredFile;
pub use trunk::{FreedSlot, FreedSlots};
