//! What changed in the cluster: the reply of BEAT 83, REPORT_DISK_USAGE 84 and SYNC_REPORT 89.
//!
//! Source: wire protocol, "the change list".

use crate::field::Reader;
use crate::limits::REPORT_ENTRIES_MAX;
use crate::record::{Kind, read_all};
use crate::{Brief, DecodeError, Why};

const LEADER: u8 = 1;
const TRUNK_SERVER: u8 = 2;
const STORAGES: u8 = 4;

/// What changed since the last reply on this connection. Only the leading tracker says anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Got {
    /// The leading tracker, [`Brief::NOBODY`] when there is none; `None` when that did not change.
    pub leader: Option<Brief>,
    /// The trunk server of the group, [`Brief::NOBODY`] when there is none; `None` when that did not change.
    pub trunk_server: Option<Brief>,
    /// All storages of the group by id; `None` when nothing changed.
    pub storages: Option<Vec<Brief>>,
}

impl Got {
    /// Reads the body. An empty one means "no change", as the original's storage takes it.
    ///
    /// # Errors
    /// A flag that is not known, or a length that does not fit the flags.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let mut reader = Reader::new("change list", body);
        if body.is_empty() {
            return Ok(Got::default());
        }
        let flags = reader.u8()?;
        if flags & !(LEADER | TRUNK_SERVER | STORAGES) != 0 {
            return Err(reader.fail(Why::Range));
        }
        let mut brief_if = |flag| match flags & flag {
            0 => Ok(None),
            _ => Brief::read(&mut reader).map(Some),
        };
        let leader = brief_if(LEADER)?;
        let trunk_server = brief_if(TRUNK_SERVER)?;
        let storages = match flags & STORAGES {
            0 => None,
            _ => Some(read_all(&mut reader, REPORT_ENTRIES_MAX)?),
        };
        reader.end()?;
        Ok(Got { leader, trunk_server, storages })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.push(
            flag(self.leader.is_some(), LEADER)
                | flag(self.trunk_server.is_some(), TRUNK_SERVER)
                | flag(self.storages.is_some(), STORAGES),
        );
        for brief in self.leader.iter().chain(&self.trunk_server).chain(self.storages.iter().flatten()) {
            brief.encode(out);
        }
    }
}
