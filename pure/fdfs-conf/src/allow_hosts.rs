//! Who may connect (`allow_hosts`), and who counts as a member of the group (`allow_peers`).
//!
//! Source: wire protocol, tracker.conf; the original expands every pattern to single IPv4 addresses at start. Here networks
//! stay networks, masks are applied to the written address too, and IPv6 addresses and networks are accepted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use thiserror::Error;

use crate::addr::{HOST_NAME_MAX, Host};

/// Single addresses and names all patterns of a file may give together.
pub const ALLOWED_HOSTS_MAX: usize = 65_536;

/// Why a text is no pattern for hosts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum PatternError {
    #[error("\"{got}\" is no network: an address, a slash and 1 to {max} bits")]
    Network { got: String, max: u8 },
    #[error("[ without ] in \"{got}\"")]
    Unclosed { got: String },
    #[error("only one [...] can be in a host, got \"{got}\"")]
    TwoRanges { got: String },
    #[error("[...] must hold numbers and ranges such as [1-15,20], got \"{got}\"")]
    Range { got: String },
    #[error("the range {from}-{to} goes down")]
    Backwards { from: u32, to: u32 },
    #[error("\"{got}\" is neither an IP address nor a host name")]
    Host { got: String },
    #[error("all patterns together give more than {limit} hosts")]
    TooMany { limit: usize },
}

/// The hosts that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowHosts {
    everybody: bool,
    ips: BTreeSet<IpAddr>,
    networks: BTreeSet<Network>,
    names: BTreeSet<String>,
}

impl AllowHosts {
    /// Everybody may connect: the default, and `*`.
    pub fn everybody() -> AllowHosts {
        AllowHosts { everybody: true, ..AllowHosts::nobody() }
    }

    /// Nobody may connect, until patterns are added.
    pub fn nobody() -> AllowHosts {
        AllowHosts {
            everybody: false,
            ips: BTreeSet::new(),
            networks: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    /// Whether a peer at this address may connect. An IPv4 address in IPv6 form counts as IPv4.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.everybody
            || self.ips.contains(&peer)
            || self.networks.iter().any(|network| network.contains(peer))
    }

    /// Whether no address can ever be allowed: nothing is, and no name is left to look up.
    pub fn is_nobody(&self) -> bool {
        !self.everybody && self.ips.is_empty() && self.networks.is_empty() && self.names.is_empty()
    }

    /// The host names in the patterns: nobody is allowed by them before they are looked up.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// With the addresses of the names, as somebody with a network finds them. A name without address allows nobody.
    #[must_use]
    pub fn resolve(&self, look_up: &mut dyn FnMut(&str) -> Vec<IpAddr>) -> AllowHosts {
        let mut resolved = self.clone();
        for name in self.names() {
            look_up(name).into_iter().for_each(|ip| resolved.add_ip(ip));
        }
        resolved
    }

    fn add_ip(&mut self, ip: IpAddr) {
        self.ips.insert(ip.to_canonical());
    }

    /// Adds what one `allow_hosts` line says: `*`, an address, a network `10.0.0.0/8`, a name, or a range
    /// `10.0.1.[1-15,20]`, `host[01-08].example.com`, where the width of the first number is kept. An empty text adds nothing.
    pub fn add_pattern(&mut self, text: &str) -> Result<(), PatternError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if text == "*" {
            self.everybody = true;
            return Ok(());
        }
        if let Some(bare) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'))
            && let Ok(ip @ IpAddr::V6(_)) = bare.parse()
        {
            self.add_ip(ip);
            return Ok(());
        }
        if text.contains('/') {
            self.networks.insert(Network::parse(text)?);
            return Ok(());
        }
        let Some((head, rest)) = text.split_once('[') else {
            return self.add_host(text);
        };
        let (ranges, tail) =
            rest.split_once(']').ok_or_else(|| PatternError::Unclosed { got: text.to_owned() })?;
        if tail.contains(['[', ']']) || ranges.contains('[') || head.contains(']') {
            return Err(PatternError::TwoRanges { got: text.to_owned() });
        }
        for range in ranges.split(',') {
            self.add_range(head, range, tail)?;
        }
        Ok(())
    }

    fn add_range(&mut self, head: &str, range: &str, tail: &str) -> Result<(), PatternError> {
        let bad = || PatternError::Range { got: range.to_owned() };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from.trim(), to.trim()),
            None => (range.trim(), range.trim()),
        };
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { digits.parse::<u32>().map_err(|_| bad()) } else { Err(bad()) }
        };
        let (width, from, to) = (from.len(), number(from)?, number(to)?);
        if to < from {
            return Err(PatternError::Backwards { from, to });
        }
        if width + head.len() + tail.len() > HOST_NAME_MAX {
            return Err(PatternError::Host { got: format!("{head}[{range}]{tail}") });
        }
        for n in from..=to {
            self.add_host(&format!("{head}{n:0width$}{tail}"))?;
        }
        Ok(())
    }

    fn add_host(&mut self, text: &str) -> Result<(), PatternError> {
        match Host::parse(text) {
            Ok(Host::Ip(ip)) => self.add_ip(ip),
            Ok(Host::Name(name)) => {
                self.names.insert(name);
            }
            Err(_) => return Err(PatternError::Host { got: text.to_owned() }),
        }
        if self.ips.len() + self.names.len() > ALLOWED_HOSTS_MAX {
            return Err(PatternError::TooMany { limit: ALLOWED_HOSTS_MAX });
        }
        Ok(())
    }
}

/// An IP network, its address already masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Result<Network, PatternError> {
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: Option<IpAddr> = address.trim().parse().ok();
        let max = if address.is_some_and(|ip| ip.is_ipv6()) { 128 } else { 32 };
        let bits = bits.trim();
        let plain = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
        let bits: Option<u8> = bits.parse().ok().filter(|bits| plain && (1..=max).contains(bits));
        match (address, bits) {
            (Some(address), Some(bits)) => Ok(Network { address: mask(address, bits), bits }),
            _ => Err(PatternError::Network { got: text.to_owned(), max }),
        }
    }

    /// `ip` must be canonical: no IPv4 address in IPv6 form.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.address.is_ipv4() == ip.is_ipv4() && mask(ip, self.bits) == self.address
    }
}

/// `bits` is at least 1 and at most the width of the address.
fn mask(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & keep).into())
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & keep).into())
        }
    }
}
