//! The tracker over real sockets.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

mod edges;
mod election;
mod holes;
mod ids;
mod peer;
mod replay;
mod server;
mod state;
mod trackers;
mod trunk;
