//! Who gets which slot: the free space of trunk files, as the trunk server of a group keeps it.
//!
//! [`Allocator`] is the machine: it answers ALLOC, CONFIRM and FREE (storage internals: allocation in the trunk server's
//! memory), and says what has to be logged, and which trunk files have to be made, as [`Action`]s. [`FreeSpace`] is the
//! set of free blocks; [`replay`] makes one of the trunk binlog.
//!
//! Invariants
//! - No byte is in two blocks that are handed out, nor in one that is handed out and one that is free.
//! - **What is handed out is not free in the log.** The original logs a block as free until its file is confirmed, so
//!   that after a restart it is handed out twice. Here it leaves the log when it is handed out and comes back when its
//!   file was not written. The price: a block that is handed out when the trunk server stops is lost until the free
//!   space is found out from the trunk files again.
//! - What is in doubt is not free: a block too few costs space, one too many a file.

mod allocator;
mod free_space;
mod replay;

pub use allocator::{Action, Allocation, Allocator, HOLDS_MAX, Refused, TrunkRules};
pub use free_space::{BLOCKS_MAX, FreeSpace, NotAdded};
pub use replay::{Replayed, replay};
