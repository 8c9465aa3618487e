//! What the fuzz targets do with their bytes: one function each, callable from anywhere.
//!
//! A function panics when a promise is broken: that no bytes make a decoder panic, that what was accepted is
//! written again to the same value, and what the comments say besides.

mod conf;
mod disk;
mod fastcgi;
mod http;
mod names;
mod wire;

pub use conf::{conf, ini, storage_ids};
pub use disk::{binlog, journal, metadata, pack, state_files};
pub use fastcgi::fastcgi;
pub use http::http;
pub use names::file_id;
pub use wire::{WIRE_PREFIX_LEN, storage_reply, storage_request, tracker_reply, tracker_request};
