//! A storage asks which addresses it has: GET_MY_IP 60.
//!
//! Source: wire protocol, "GET_MY_IP".

use std::net::IpAddr;

use fdfs_fileid::GroupName;

use crate::field::Reader;
use crate::record::{Group17, Port4, record};
use crate::{DecodeError, Why};

record! {
    /// Body of 60: 21 bytes.
    pub struct Ask as "get_my_ip" {
        /// The storage's group.
        group: GroupName => Group17,
        /// The storage's port.
        port: u16 => Port4,
    }
}

/// Reply of 60: one address, or an inner and an outer one with a comma between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Got {
    /// The first (inner) address.
    pub ip: IpAddr,
    /// The second (outer) address.
    pub second: Option<IpAddr>,
}

impl Got {
    /// Reads the text.
    ///
    /// # Errors
    /// [`Why::Text`] when it is not one or two addresses.
    pub fn decode(body: &[u8]) -> Result<Got, DecodeError> {
        let bad = |_| Reader::new("get_my_ip reply", body).fail(Why::Text);
        let text = std::str::from_utf8(body).map_err(|_| bad(()))?;
        let ip = |text: &str| text.parse::<IpAddr>().map_err(|_| bad(()));
        Ok(match text.split_once(',') {
            Some((first, second)) => Got { ip: ip(first)?, second: Some(ip(second)?) },
            None => Got { ip: ip(text)?, second: None },
        })
    }

    /// Appends the text.
    pub fn encode(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        // Writing into a Vec cannot fail.
        let _ = match self.second {
            Some(second) => write!(out, "{},{second}", self.ip),
            None => write!(out, "{}", self.ip),
        };
    }
}
