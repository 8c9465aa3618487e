//! API v1 over real sockets, with a real database.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod accounts;
mod admin;
mod backends;
mod behind;
mod cluster;
mod described;
mod door;
mod files;
mod instant;
mod kit;
mod openapi;
mod page;
mod shares;
mod sweep;
mod thumbnails;
mod tokens;
mod tree;
mod uploads;
mod zip;
