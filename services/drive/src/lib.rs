//! The cloud drive over HTTP and FastCGI: accounts, folders and files and their bytes, uploads that are resumed, archives,
//! the trash, links, what administrators do; the old dialect of the course's clients; and the web page. Besides, what the drive does by
//! itself ([`work()`]): entries of the queue are applied, what time ends is removed, the ranking is made.
//!
//! `drive_core` decides, `drive_db` keeps, a [`BlobStore`](drive_core::ports::BlobStore) has the bytes; this crate puts
//! them together ([`Drive`]), reads requests and words answers.
//!
//! **Will never know**: SQL, where blobs are, what a rule says.
//!
//! **Invariants**
//! - One place reads tokens (`who.rs`), one checks passwords (`passwords.rs`), one asks the gate of
//!   links (`gate.rs`), one words problems (`refusal.rs`), one describes the API (`described.rs`), one writes to the queue
//!   (`records.rs`), one does requests with a key once (`once.rs`).
//! - No handler touches anything before it asked [`drive_core::access::may`].
//! - What is read of a request is bounded in bytes and in time; of a body no more is in memory than a piece
//!   ([`drive_core::ports::PIECE_BYTES_MAX`]), or JSON of at most [`JSON_BYTES_MAX`].
//! - A blob that was stored becomes a file, or is given up, whatever becomes of its client.
//! - No password, token or code is logged.
//!
//! **Begin reading** at [`Drive`], then [`router`], then `who.rs`.

mod app;
mod attempts;
mod counted_blobs;
mod counts;
mod described;
mod dialect;
mod door;
mod examined;
mod fields;
mod form;
mod gate;
mod give;
mod hashes;
mod health;
mod listed;
mod metrics;
mod once;
mod page;
mod passwords;
mod places;
mod records;
mod refusal;
mod resume;
mod router;
mod run;
mod sign_in;
mod start;
mod take;
mod text;
mod thumbnails;
mod totals;
mod v1;
mod who;
mod work;
mod zip;

pub use app::{Drive, Parts, Settings};
pub use described::openapi_json;
pub use door::Peer;
pub use fields::{BODY_PATIENCE, JSON_BYTES_MAX};
pub use metrics::{GROUNDS, METRICS};
pub use page::Page;
pub use passwords::{HASHES_AT_ONCE, HASHES_WAITING_MAX, random_password};
pub use resume::{end_over, finish_left};
pub use router::router;
pub use run::{FastCgi, Limits, serve, serve_fastcgi};
pub use start::{Listen, Running, StartError, start};
pub use take::{LONG_UPLOADS_AT_ONCE, LONG_UPLOADS_OF_ONE, SHORT_BYTES_MAX};
pub use work::work;
pub use zip::{ZIPS_AT_ONCE, ZIPS_OF_ONE};
