//! Every rule of the tracker, by example.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

mod admin;
mod changes;
mod election;
mod join;
mod life_cycle;
mod network;
mod placement;
mod promises;
mod routing;
mod snapshot;
mod source;
mod takeover;
mod testing;
mod trackers;
mod trunk_server;
mod turns;
mod view;
