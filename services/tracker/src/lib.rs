//! The tracker server: tracker-core joined to sockets, clock and disk.
//!
//! [`start`] reads the state that was saved, listens, and serves on threads of its own until
//! [`Running::stop`]. One request is one step of the machine, taken under a lock that is held for microseconds
//! and never while anything is waited for; questions that change nothing, and those of clients, which change no
//! more than whose turn it is, are answered without the lock, from the view that the last step left.
//!
//! **Never knows**: how storages are chosen or when they count as gone. That is tracker-core's.
//!
//! **Begin reading** at `run.rs` (start and stop), then `connection.rs` (the life of a connection),
//! `handler/mod.rs` (every command), `shell.rs` (a step and its effects), `link.rs` (other trackers),
//! `seek.rs` (their state), `persist.rs` (what is saved when), `metrics.rs` (what it tells of itself).

mod ask_storage;
mod clock;
mod config;
mod connection;
mod handler;
mod link;
mod metrics;
mod names;
mod persist;
mod run;
mod seek;
mod shell;
mod state;
mod sys_files;

pub use metrics::{GROUNDS, METRICS};
pub use run::{Running, StartError, start, start_with};
pub use state::StateError;
pub use tracker_core::leader::ElectionTimes;
