//! The storage over a real socket, its cluster's word given by hand.

mod client;
mod files;
mod group;
mod holes;
mod peer;
mod recovery;
mod refusals;
mod relay;
mod replication;
mod scrub;
mod trunk;
