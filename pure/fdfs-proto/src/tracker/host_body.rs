//! A body that is an `ip:port` text: what GET_LEADER 95 answers, and what NOTIFY_NEXT_LEADER 66 and
//! COMMIT_NEXT_LEADER 67 say.
//!
//! Source: wire protocol, "GET_LEADER" and "tracker ↔ tracker".

use crate::field::Reader;
use crate::limits::HOST_TEXT_LEN;
use crate::{DecodeError, Host, Why};

/// `ip:port` or `[v6]:port`, without a NUL, at most 52 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostBody {
    /// The tracker.
    pub host: Host,
}

impl HostBody {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Why::Length`] when empty or longer than 52 bytes, [`Why::Text`] when it is no address with a port.
    pub fn decode(body: &[u8]) -> Result<HostBody, DecodeError> {
        let reader = Reader::new("tracker address", body);
        if !(1..=HOST_TEXT_LEN).contains(&body.len()) {
            return Err(reader.fail(Why::Length));
        }
        let text = crate::field::before_nul(body);
        Host::parse(text).map(|host| HostBody { host }).map_err(|_| reader.fail(Why::Text))
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.host.put(out);
    }
}
