//! The storage server: takes, keeps, changes and hands out files for clients.
//!
//! Joins three parts: `net` (connections), `store` (files), `storage-core` (decisions). A request is decoded,
//! checked, done by the store, and answered; file content goes around the decisions.
//!
//! Will never know: how a file is laid out on disk, how trackers place files.
//!
//! Begin reading at `run.rs` (what is started and stopped), then `connection.rs` (the life of a request),
//! then `handler/` (one file for each family of commands).

mod access_log;
mod answer;
mod connection;
mod content;
mod copies;
mod figures;
mod handler;
mod metrics;
mod recovery;
mod relay;
mod replication;
mod run;
mod scrub;
mod server;
mod settle;
mod strangers;
mod tracker_link;
mod trunk;

pub use metrics::{GROUNDS, METRICS};
pub use run::{Running, StartError, start, store_settings};
pub use tracker_link::RecordError;

#[cfg(test)]
mod tests;
