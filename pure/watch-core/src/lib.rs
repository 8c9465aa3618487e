//! The decisions of a watcher: which findings are news, how they are told, and when they are told again.
//!
//! [`Watch`] is given what each look at a cluster found and puts out [`Change`]s: what is wrong now and was not, what got worse
//! or better, what is right again. An [`Outbox`] for each channel says when what is sent, [`Message`] is the words, and [`shape`]
//! the body that a service wants. [`kept`] is all of it as bytes, so that a restart tells nothing twice.
//!
//! **Never knows**: sockets, files, clocks; time is an argument.
//!
//! **Invariants**: a trouble is told once when it begins and once when it ends, whatever it does between two looks; what is
//! waiting to be sent is bounded, and what did not fit is counted and told.
//!
//! **Begin reading** at [`Watch::step`].

pub mod kept;
mod message;
mod outbox;
pub mod shape;
mod watch;

pub use message::Message;
pub use outbox::{Batch, Outbox, RETRY_MAX, RETRY_MIN, WAITING_MAX};
pub use watch::{Change, Kind, Looked, Rules, Sight, TROUBLES_MAX, Trouble, Watch};
