//! Black-box tests on real processes, and what they share.
//!
//! The tests are in `tests/`, one file per surface. Each starts servers of its own through `testkit`, on addresses of
//! its own and in a temporary folder, so they may run side by side.

pub mod composition;
pub mod confs;
pub mod curl;
pub mod files;
pub mod http;
pub mod on_disk;
pub mod page;
pub mod recorded;
pub mod shell;
pub mod small_disk;
pub mod tree;
pub mod wire;
