//! The journal of one store path: where a change becomes certain.
//!
//! A change is first written here, together with its binlog line, and (at the durability `disk`) synced;
//! then it is done to the files and answered. One write and one sync serve all changes that wait at that
//! moment. After a crash the entries are done again, in order, by [`replay`]; so a change that was
//! acknowledged is there, and one that was not is there as a whole or not at all.
//!
//! Entries live in segment files of a fixed size. A full segment is *checkpointed*: once all its changes
//! are done to the files and the binlog, both are synced, and the segment is used again.

mod checkpoint;
mod commit;
mod replay;
mod segment;

pub(crate) use commit::{Applied, Journal, JournalError, JournalSettings};
pub(crate) use replay::{Replay, replay};
