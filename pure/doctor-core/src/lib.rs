//! What is wrong with configurations, servers and a cluster, and what to do about it.
//!
//! Others look: at files, at ports, at servers. [`decide`] says what is wrong with what they saw, each in a [`Finding`] with a
//! code that never changes, and [`words`] says it to people.
//!
//! **Never knows**: sockets, files, clocks; what was seen comes in, with the time it was seen at.
//!
//! **Begin reading** at [`What`], the list of all that can be found; `docs/operations/doctor.md` lists the same, and a test compares
//! them.

pub mod decide;
pub mod finding;
pub mod human;
mod language;
pub mod unseen;
pub mod words;

pub use finding::{Finding, Severity, Subject, What};
pub use language::Language;
pub use unseen::Unseen;
