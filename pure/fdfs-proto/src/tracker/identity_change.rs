//! Storages that changed their address or were removed: REPORT_IP_CHANGED 78, CHANGELOG_REQ 77.
//!
//! Source: wire protocol, "REPORT_IP_CHANGED, CHANGELOG_REQ".

use crate::field::Reader;
use crate::limits::TRACKER_BODY_MAX;
use crate::record::{Group16, Id16, Ip46, record};
use crate::{DecodeError, Empty, GroupField, IpText, StorageId, Why};

record! {
    /// Body of 78: 108 bytes.
    pub struct Report as "report_ip_changed" {
        /// The group.
        group: GroupField => Group16,
        /// The address it had.
        old_ip: IpText => Ip46,
        /// The address it has; must be that of the connection.
        new_ip: IpText => Ip46,
    }
}

/// The reply of 78.
pub type GotReport = Empty;

record! {
    /// Who asks for the changelog without having joined: 32 bytes.
    #[derive(Hash)]
    pub struct LogReader as "get_changelog" {
        /// The group.
        group: GroupField => Group16,
        /// The storage, whose position in the log counts.
        id: Option<StorageId> => Id16,
    }
}

/// Body of 77: empty on a joined connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AskLog {
    /// Who asks; `None`: the storage that joined on this connection.
    pub who: Option<LogReader>,
}

impl AskLog {
    /// Reads the body.
    ///
    /// # Errors
    /// Any length but 0 and 32.
    pub fn decode(body: &[u8]) -> Result<AskLog, DecodeError> {
        if body.is_empty() {
            return Ok(AskLog { who: None });
        }
        LogReader::decode(body).map(|who| AskLog { who: Some(who) })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(who) = &self.who {
            who.encode(out);
        }
    }
}

/// Reply of 77: bytes of the changelog behind the asker's position; lines may be cut at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GotLog<'a> {
    /// Lines `time group id status new_id`.
    pub text: &'a [u8],
}

impl<'a> GotLog<'a> {
    /// Takes the body as it is.
    ///
    /// # Errors
    /// [`Why::Length`] beyond what a tracker answers with.
    pub fn decode(body: &'a [u8]) -> Result<GotLog<'a>, DecodeError> {
        if body.len() as u64 > TRACKER_BODY_MAX {
            return Err(Reader::new("get_changelog reply", body).fail(Why::Length));
        }
        Ok(GotLog { text: body })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text);
    }
}
