//! The old dialect over real sockets: every operation with its codes, every weakness of the course's servers that a
//! running server can have, and both doors behind a real nginx.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod accounts;
#[path = "../api/backends.rs"]
mod backends;
mod contract;
#[allow(dead_code, reason = "each test uses some of it")]
#[path = "../api/described.rs"]
mod described;
mod files;
#[path = "../api/kit.rs"]
mod kit;
mod nginx;
mod old;
mod pictures;
mod shared;
mod upload;
mod weaknesses;
