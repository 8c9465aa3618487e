//! The storage over a real socket, its cluster's word given by hand.

mod client;
mod files;
mod group;
mod holes;
mod holes_peers;
mod metrics;
mod mixed_group;
mod peer;
mod recovery;
mod refusals;
mod relay;
mod replication;
mod scrub;
mod settle;
mod strangers;
mod trunk;
