//! What is said to a storage, one module per body.
//!
//! Commands with content decode their head only: `decode(body_len, bytes)` takes the length from the header
//! and the first bytes of the body ([`crate::Body::bytes_to_decode`] says how many are enough), checks that
//! the announced content is exactly the rest of the body, and `head_len` says where the content begins.

pub mod active_test;
pub mod append;
mod content;
pub mod create_link;
pub mod delete;
pub mod download;
pub mod fetch_binlog;
mod file_ask;
pub mod file_info;
pub mod metadata;
pub mod modify;
pub mod named;
pub mod regenerate;
mod reply;
pub mod report_server_id;
mod request;
pub mod sync_copy;
pub mod sync_delete;
pub mod sync_pair;
pub mod sync_truncate;
pub mod sync_write;
pub mod truncate;
pub mod trunk;
pub mod upload;
pub mod upload_slave;

pub use file_ask::FileAsk;
pub use reply::Reply;
pub use request::Request;
