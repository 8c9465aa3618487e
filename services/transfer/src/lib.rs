//! Whole folders up and down: what FastDFS itself cannot do.
//!
//! - [`put()`] walks a folder, uploads its files in parallel and writes a [manifest](crate::manifest) that maps paths to
//!   file ids; interrupted, it resumes from there. At the end the manifest is stored too, and its id is all that is
//!   needed to get the folder back, anywhere.
//! - [`get()`] recreates the folder: contents verified, empty folders, modes, times, symbolic links.
//! - [`remove()`] deletes everything a manifest lists. [`Manifest`] lists and finds.
//!
//! Names are bytes, as Linux has them. Memory is bounded by the number of files at once, not by their sizes; resuming a
//! put takes the entries of the manifest into memory, and a removal the ids of what is to stay.
//!
//! It will never know: the wire protocol, how progress is shown, command lines.

mod beneath;
mod count;
mod error;
mod escape;
mod get;
mod journal;
pub mod manifest;
mod progress;
mod put;
mod rel_path;
mod remove;
mod retry;
mod source;
mod stop;
mod walk;

pub use error::TransferError;
pub use get::{GetOptions, GetReport, get, get_file};
pub use journal::JournalError;
pub use manifest::{Entry, EntryKind};
pub use progress::{Outcome, Problem, Progress, Silent, Trouble};
pub use put::{PutOptions, PutReport, put, put_file};
pub use rel_path::{PathError, RelPath};
pub use remove::{RemoveOptions, RemoveReport, remove};
pub use source::{Manifest, Source, is_manifest};
pub use stop::Stop;
pub use walk::{Found, Special, What, walk};
