//! Addresses of servers: one or two hosts, a port, and which of two addresses a peer is shown.
//!
//! Source: wire protocol, "which IP of a multi-IP storage is shown", client.conf and storage_ids.conf.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

/// Default port of a tracker.
pub const TRACKER_PORT: u16 = 22122;
/// Default port of a storage.
pub const STORAGE_PORT: u16 = 23000;
/// Trackers a cluster can have.
pub const TRACKERS_MAX: usize = 16;
/// Longest host name, bytes.
pub const HOST_NAME_MAX: usize = 253;

/// Why a text is no server address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum AddrError {
    #[error("must be host:port, got an empty text")]
    Empty,
    #[error("[ without ] in \"{got}\"")]
    Unclosed { got: String },
    #[error("\"{got}\" is no port: a number from 1 to 65535")]
    Port { got: String },
    #[error("\"{got}\" is neither an IP address nor a host name")]
    Host { got: String },
    #[error("an IPv6 address needs brackets, as in [::1]:22122, got \"{got}\"")]
    Brackets { got: String },
    #[error("at most two hosts, got \"{got}\"")]
    TooMany { got: String },
    #[error(
        "{first} and {second} are of one kind: two addresses must be an inner and an outer one, or of two different inner networks"
    )]
    SameClass { first: IpAddr, second: IpAddr },
}

/// A host as configured: an address, or a name that somebody with a network must look up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name.
    Name(String),
}

impl Host {
    /// Reads an IPv4 address, an IPv6 address without brackets, or a host name of letters, digits, `-`, `_` and `.`.
    pub fn parse(text: &str) -> Result<Host, AddrError> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Host::Ip(ip.to_canonical()));
        }
        let name_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        // A text of digits and dots alone was meant as an address; looking it up as a name would only hide the typing error.
        let address_like = text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if text.is_empty() || text.len() > HOST_NAME_MAX || address_like || !text.chars().all(name_like) {
            return Err(AddrError::Host { got: text.to_owned() });
        }
        Ok(Host::Name(text.to_owned()))
    }

    /// The address, unless this is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(ip) => ip.fmt(f),
            Host::Name(name) => name.fmt(f),
        }
    }
}

/// The networks FastDFS tells apart: three private ones, and everything else.
///
/// FastDFS looks at the text and has a fifth class for texts shorter than eight characters, so it takes `1.2.3.4` for
/// invalid. Here the address itself is looked at, and `1.2.3.4` is outer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpClass {
    /// 10.0.0.0/8
    Private10,
    /// 172.16.0.0/12
    Private172,
    /// 192.168.0.0/16
    Private192,
    /// Any other IPv4 address and every IPv6 address.
    Outer,
}

impl IpClass {
    /// The class of an address. An IPv4 address in IPv6 form counts as IPv4.
    pub fn of(ip: IpAddr) -> IpClass {
        match ip.to_canonical() {
            IpAddr::V4(v4) => match v4.octets() {
                [10, ..] => IpClass::Private10,
                [172, 16..=31, ..] => IpClass::Private172,
                [192, 168, ..] => IpClass::Private192,
                _ => IpClass::Outer,
            },
            IpAddr::V6(_) => IpClass::Outer,
        }
    }
}

/// One server: one or two hosts at one port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerAddr {
    first: Host,
    second: Option<Host>,
    port: u16,
}

impl ServerAddr {
    /// A server with one address.
    pub fn new(ip: IpAddr, port: u16) -> ServerAddr {
        ServerAddr { first: Host::Ip(ip), second: None, port }
    }

    /// Reads `host[:port]`, `host1,host2[:port]`, `[v6][:port]`, `[v6,v6][:port]`.
    /// Two addresses must be of different classes; names are taken on trust until they are looked up.
    pub fn parse(text: &str, default_port: u16) -> Result<ServerAddr, AddrError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddrError::Empty);
        }
        let (hosts, port) = split_port(text)?;
        let port = match port {
            None => default_port,
            Some(digits) => parse_port(digits)?,
        };
        let mut hosts = hosts.split(',').map(|host| Host::parse(host.trim()));
        let first = hosts.next().ok_or(AddrError::Empty)??;
        let second = hosts.next().transpose()?;
        if hosts.next().is_some() {
            return Err(AddrError::TooMany { got: text.to_owned() });
        }
        let server = ServerAddr { first, second, port };
        server.check_classes()?;
        Ok(server)
    }

    pub(crate) fn check_classes(&self) -> Result<(), AddrError> {
        match (self.first.ip(), self.second.as_ref().and_then(Host::ip)) {
            (Some(first), Some(second)) if IpClass::of(first) == IpClass::of(second) => {
                Err(AddrError::SameClass { first, second })
            }
            _ => Ok(()),
        }
    }

    /// The port all hosts share.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The hosts in order: one or two.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> + Clone {
        std::iter::once(&self.first).chain(&self.second)
    }

    /// The addresses in order, names left out.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + Clone + '_ {
        self.hosts().filter_map(Host::ip)
    }

    /// The host names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts().filter_map(|host| match host {
            Host::Ip(_) => None,
            Host::Name(name) => Some(name.as_str()),
        })
    }

    /// Whether one of the addresses is this one.
    pub fn has_ip(&self, ip: IpAddr) -> bool {
        self.ips().any(|own| own == ip.to_canonical())
    }

    /// The host to name to a peer at `peer`: with two, the second when its class is the peer's, else the first.
    pub fn shown_to(&self, peer: IpAddr) -> &Host {
        match &self.second {
            Some(second) if second.ip().is_some_and(|ip| IpClass::of(ip) == IpClass::of(peer)) => second,
            _ => &self.first,
        }
    }

    /// Puts the inner of two addresses first (storage_ids.conf).
    pub(crate) fn inner_first(mut self) -> ServerAddr {
        let outer = |host: &Host| host.ip().map(IpClass::of) == Some(IpClass::Outer);
        if let Some(second) = &mut self.second
            && outer(&self.first)
        {
            std::mem::swap(&mut self.first, second);
        }
        self
    }

    /// The same server with every name replaced by an address.
    /// `Err` holds the first name that has none.
    pub fn resolve<'a>(
        &'a self,
        look_up: &mut dyn FnMut(&str) -> Option<IpAddr>,
    ) -> Result<ServerAddr, &'a str> {
        let mut to_ip = |host: &'a Host| match host {
            Host::Ip(ip) => Ok(Host::Ip(*ip)),
            Host::Name(name) => look_up(name).map(Host::Ip).ok_or(name.as_str()),
        };
        let first = to_ip(&self.first)?;
        let second = self.second.as_ref().map(&mut to_ip).transpose()?;
        Ok(ServerAddr { first, second, port: self.port })
    }

    /// The hosts without the port: `a`, `a,b`, `[v6]`, `[v6,v6]`.
    pub(crate) fn write_hosts(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let brackets = self.ips().any(|ip| ip.is_ipv6());
        if brackets {
            out.write_char('[')?;
        }
        write!(out, "{}", self.first)?;
        if let Some(second) = &self.second {
            write!(out, ",{second}")?;
        }
        if brackets {
            out.write_char(']')?;
        }
        Ok(())
    }
}

impl fmt::Display for ServerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_hosts(f)?;
        write!(f, ":{}", self.port)
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), AddrError> {
    if let Some(inside) = text.strip_prefix('[') {
        let Some((hosts, rest)) = inside.split_once(']') else {
            return Err(AddrError::Unclosed { got: text.to_owned() });
        };
        return match rest.strip_prefix(':') {
            Some(port) => Ok((hosts, Some(port))),
            None if rest.is_empty() => Ok((hosts, None)),
            None => Err(AddrError::Port { got: rest.to_owned() }),
        };
    }
    let Some((hosts, port)) = text.rsplit_once(':') else {
        return Ok((text, None));
    };
    // FastDFS cuts at the last colon, brackets or not. `fe80::1:22122` can be followed in that; where the part in front is
    // no address then, the writer meant something else.
    if hosts.contains(':') && hosts.split(',').any(|host| Host::parse(host.trim()).is_err()) {
        return Err(AddrError::Brackets { got: text.to_owned() });
    }
    Ok((hosts, Some(port)))
}

fn parse_port(digits: &str) -> Result<u16, AddrError> {
    let port = digits.trim().parse::<u16>().ok().filter(|port| *port != 0);
    port.ok_or_else(|| AddrError::Port { got: digits.to_owned() })
}

/// The trackers of a cluster: 1..=16, sorted, each once.
///
/// All members must agree on the order whatever the order in their files, so it is FastDFS's: servers with one host before
/// servers with two, then by the text of the address, then by port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerServers(Vec<ServerAddr>);

impl TrackerServers {
    /// Sorts, and drops repetitions. `None` when empty or more than [`TRACKERS_MAX`] differ.
    pub fn new(mut servers: Vec<ServerAddr>) -> Option<TrackerServers> {
        servers.sort_by_cached_key(|server| {
            let texts: Vec<String> = server.hosts().map(Host::to_string).collect();
            (texts.len(), texts, server.port)
        });
        servers.dedup();
        (1..=TRACKERS_MAX).contains(&servers.len()).then_some(TrackerServers(servers))
    }

    /// The servers in order.
    pub fn as_slice(&self) -> &[ServerAddr] {
        &self.0
    }

    /// The servers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ServerAddr> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a TrackerServers {
    type Item = &'a ServerAddr;
    type IntoIter = std::slice::Iter<'a, ServerAddr>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Reads `bind_addr`: nothing, one address, or one of each IP version; `0.0.0.0` and `::` mean all addresses.
pub(crate) fn parse_bind(text: &str) -> Result<Vec<IpAddr>, crate::error::Reason> {
    use crate::error::Reason;

    let mut bound: Vec<IpAddr> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let bare = part.strip_prefix('[').and_then(|p| p.strip_suffix(']')).unwrap_or(part);
        let ip: IpAddr = bare.parse().map_err(|_| Reason::NotAnIp { got: part.to_owned() })?;
        if bound.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            return Err(Reason::TooManyBindAddresses { got: text.to_owned() });
        }
        bound.push(ip);
    }
    Ok(bound)
}
