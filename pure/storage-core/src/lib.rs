//! The storage's decisions: naming, directories, space, the conversation with a tracker; no I/O.
//!
//! Small machines and pure functions, each with its own owner in the service above: what a new file is
//! called ([`naming`]), where it goes ([`directories`], [`space`]), what is counted ([`stats`]), what is
//! known about the cluster ([`membership`]), how a storage talks with each of its trackers
//! ([`tracker_link`]), what it pushes to the other members of its group ([`replication`]), which files it gets back after a disk was lost
//! ([`recovery`]), and which slots of trunk
//! files are free ([`trunk`]).
//!
//! **Never knows**: sockets, files, clocks, threads, randomness. Time and random bits are arguments.
//!
//! **Begin reading** at [`naming`] for files, at [`tracker_link`] for the cluster and at [`replication`] for its copies.
//!
//! Sources: storage internals "Request path" and "Tracker conversation"; wire protocol "Tracker commands a
//! storage server uses".

pub mod directories;
pub mod membership;
pub mod naming;
pub mod recovery;
pub mod replication;
pub mod space;
pub mod stats;
pub mod time;
pub mod tracker_link;
pub mod trunk;
