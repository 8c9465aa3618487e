//! Tests of packs from within: every step that they do to a disk can be looked at, lost, or made to fail.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod crash;
mod dice;
mod faults;
mod format;
mod platter;
mod random;
mod rewriting;
mod world;
