//! Listeners, deadlines, framed connections.
//!
//! What every server here shares about sockets and nothing about what the bytes mean beyond the 10-byte
//! header: binding, accepting within limits, reading a request without holding memory for a peer that is
//! slow to send it, answering, and closing.
//!
//! Will never know: commands, files, configuration files.
//!
//! Start reading at [`Conn`], then [`serve`] and [`Workers`].

mod conn;
mod error;
mod listen;
mod local;
mod look_up;
mod serve;
mod workers;
mod writer;

pub use conn::{Conn, SCRATCH_LEN, with_scratch};
pub use error::ConnError;
pub use listen::{Listener, host_has_ipv4};
pub use local::LocalListener;
pub use look_up::look_up;
pub use serve::{ConnCounters, ConnLimits, Stop, StopSource, serve, serve_local};
pub use workers::{DEEP_STACK_LEN, Workers};
pub use writer::{ConnStream, ConnWriter};
