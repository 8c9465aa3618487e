//! Why a call did not succeed.

use std::time::Duration;

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// No answer within the deadline.
    #[error("no answer within {0:?}")]
    TooLate(Duration),
    /// It could not be reached a moment ago, and is not asked again yet.
    #[error("not reached: {0}")]
    NotYet(String),
    /// It can't be reached, or the connection broke.
    #[error("{0}")]
    Away(String),
    /// It has no memory left that it may use.
    #[error("the server's memory is full")]
    OutOfMemory,
    /// It refuses the call.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// Its answer is none to what was asked.
    #[error("an answer that makes no sense: {0}")]
    Senseless(String),
}

impl From<redis::RedisError> for RedisError {
    fn from(error: redis::RedisError) -> Self {
        match (error.kind(), error.code()) {
            (_, Some("OOM")) => Self::OutOfMemory,
            (redis::ErrorKind::Server(_) | redis::ErrorKind::Extension, _) => {
                Self::Refused(error.to_string())
            }
            (redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType, _) => {
                Self::Senseless(error.to_string())
            }
            _ => Self::Away(error.to_string()),
        }
    }
}
