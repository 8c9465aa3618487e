//! Why a connection ended.

use std::io;
use std::time::Duration;

/// Why reading a request or writing its answer failed. None of these leaves the stream in step: the
/// connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum ConnError {
    /// The peer closed the connection in the middle of a request or an answer.
    #[error("peer closed the connection in the middle of a message")]
    Truncated,
    /// The header announced a negative length (wire protocol: transport).
    #[error("header announces a negative body length")]
    BadHeader,
    /// No progress within the network timeout, or slower than the lowest rate we wait for.
    #[error("no progress within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}
