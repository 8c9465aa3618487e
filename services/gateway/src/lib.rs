//! Files of every group over HTTP: what FastDFS's nginx module does, for the whole cluster.
//!
//! `http_core` decides (what is asked for, may it be had, which bytes go out, what stands in the head); this crate has the
//! connections, finds the file and moves its bytes: from the store of this process if there is one ([`Local`]), else from
//! a storage that the trackers name, never from an address that stands in a URL.
//!
//! Begin reading at [`start`], then `connection.rs` (requests, one after the other) and `serve.rs` (one request).

mod compress;
mod connection;
mod members;
mod rules;
mod run;
mod serve;
mod source;

pub use run::{Local, Running, StartError, start};
