//! A joined storage lives: BEAT 83.
//!
//! Source: wire protocol, "BEAT".

use crate::{DecodeError, StatBlock};

/// Body of 83: nothing, or the counters when they changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// The counters; `None` when nothing changed since the last beat.
    pub stat: Option<StatBlock>,
}

/// The reply.
pub use super::change_list::Got;

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// Any length but 0 and 348.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        if body.is_empty() {
            return Ok(Ask { stat: None });
        }
        StatBlock::decode(body).map(|stat| Ask { stat: Some(stat) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(stat) = &self.stat {
            stat.encode(out);
        }
    }
}
