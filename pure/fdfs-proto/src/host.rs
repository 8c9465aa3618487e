//! Addresses and a port as one text: `ip:port`, `ip,ip:port`, `[v6]:port`, `[v6,v6]:port`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A server's one or two addresses and its port.
///
/// Two addresses are an inner and an outer one. Source: wire protocol, JOIN tracker lines, GET_SERVER_ID,
/// GET_LEADER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    /// The first (inner) address.
    pub ip: IpAddr,
    /// The second (outer) address, when there are two.
    pub second: Option<IpAddr>,
    /// The port, not 0.
    pub port: u16,
}

/// The text is no address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No `:port` behind the address.
    #[error("the port is missing")]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// An address is not one.
    #[error("not an address")]
    Address,
    /// More than two addresses.
    #[error("more than two addresses")]
    TooMany,
}

impl Host {
    /// A server with one address.
    pub const fn new(ip: IpAddr, port: u16) -> Host {
        Host { ip, second: None, port }
    }

    /// Both addresses, the inner first.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + use<> {
        std::iter::once(self.ip).chain(self.second)
    }

    /// The first address with the port.
    pub const fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// Reads the text as it stands in a body.
    ///
    /// # Errors
    /// [`HostError`]; text that is not ASCII is [`HostError::Address`].
    pub fn parse(text: &[u8]) -> Result<Host, HostError> {
        std::str::from_utf8(text).map_err(|_| HostError::Address)?.parse()
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        // Writing into a Vec cannot fail.
        let _ = write!(out, "{self}");
    }
}

impl From<SocketAddr> for Host {
    fn from(address: SocketAddr) -> Host {
        Host::new(address.ip(), address.port())
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Host, HostError> {
        let (ips, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (ips, rest) = rest.split_once(']').ok_or(HostError::Address)?;
                (ips, rest.strip_prefix(':').ok_or(HostError::NoPort)?)
            }
            None => text.rsplit_once(':').ok_or(HostError::NoPort)?,
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HostError::Port);
        }
        let port: u16 = port.parse().map_err(|_| HostError::Port)?;
        if port == 0 {
            return Err(HostError::Port);
        }
        let mut ips = ips.split(',').map(|ip| ip.parse().map_err(|_| HostError::Address));
        let ip = ips.next().ok_or(HostError::Address)??;
        let second = ips.next().transpose()?;
        match ips.next() {
            Some(_) => Err(HostError::TooMany),
            None => Ok(Host { ip, second, port }),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = self.ips().any(|ip| ip.is_ipv6());
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}", self.ip)?;
        if let Some(second) = self.second {
            write!(f, ",{second}")?;
        }
        write!(f, "{close}:{}", self.port)
    }
}
