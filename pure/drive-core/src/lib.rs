//! The decisions of the cloud drive: accounts, sessions, the tree, contents, uploads, links, the old dialect; and the
//! ports through which it reaches stores of bytes, caches and queues.
//!
//! Rules are synchronous functions over plain data. A repository loads, in a transaction, what a rule's arguments
//! say, asks the rule, and writes what the plan says in the same transaction; a front door words the [`Problem`].
//!
//! **Will never know**: SQL, HTTP, sockets, files, clocks, randomness. Times, random bytes and rows are arguments.
//!
//! **Invariants**
//! - What somebody else owns and what is not there look the same ([`access`]).
//! - A digest is no proof: bytes are given for a reference of one's own, a link, or a proof of possession
//!   ([`content::possession`]).
//! - What a link leads to is reached through one gate ([`share::admit`]).
//! - References, quotas and downloads left are changed by checked arithmetic: below none and beyond number is a
//!   [`Problem`], never a wrapped value.
//! - Nothing is lost by a name: what is replaced goes to the trash.
//! - No password, token, code or secret is printed, and none is kept but as a digest that is of no use by itself.
//! - Every text from outside has a greatest length, every list a greatest number, and both have a name.
//!
//! **Begin reading** at [`problem`](Problem) (every answer other than "done"), then [`tree`] (plans),
//! [`share::admit`], [`ports`].
//!
//! Why it is so is in decision 10. Source of the old dialect: cloud-disk-api.

pub mod access;
pub mod account;
pub mod audit;
mod characters;
pub mod cluster;
pub mod content;
pub mod dialect;
mod hex;
pub mod idempotency;
pub mod ids;
pub mod node;
pub mod page;
pub mod ports;
mod problem;
pub mod queue;
pub mod quota;
pub mod ranking;
pub mod rate;
mod seal;
pub mod session;
pub mod share;
mod size;
mod time;
pub mod totals;
pub mod tree;
pub mod upload;
pub mod zip;

pub use ids::{AccountId, ApiTokenId, ContentId, NodeId, SessionId, ShareId, TrashId, UploadId};
pub use problem::{Class, Missing, Part, Problem};
pub use seal::DriveSecret;
pub use size::ByteCount;
pub use time::UnixMillis;
