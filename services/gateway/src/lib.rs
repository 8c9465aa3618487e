//! Files of every group over HTTP: what FastDFS's nginx module does, for the whole cluster.
//!
//! `http_core` decides (what is asked for, may it be had, which bytes go out, what stands in the head); this crate has the
//! connections, finds the file and moves its bytes: from the store of this process if there is one ([`Local`]), from the
//! store paths of another process that the configuration names, as FastDFS's module does, and else from a storage that the
//! trackers name, never from an address that stands in a URL. Packed files are in no folder: beside a storage of ours in
//! another process they come from that storage.
//!
//! Begin reading at [`start`], then `connection.rs` (requests, one after the other) and `serve.rs` (one request).

mod access;
mod compress;
mod connection;
mod door;
mod framed;
mod members;
mod metrics;
mod pictures;
mod requests;
mod rules;
mod run;
mod serve;
mod source;
mod tls;
mod upload;

pub use metrics::{GROUNDS, METRICS};
pub use run::{Local, Running, StartError, start};
