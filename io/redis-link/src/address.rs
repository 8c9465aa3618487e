//! Where a server is.

use std::str::FromStr;

/// The port when none is said.
const PORT: u16 = 6379;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name, or an address; an IPv6 address without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not host:port")]
pub struct WrongAddress(pub String);

impl FromStr for ServerAddress {
    type Err = WrongAddress;

    /// `host`, `host:port`, `[IPv6]`, `[IPv6]:port`.
    fn from_str(text: &str) -> Result<Self, WrongAddress> {
        let wrong = || WrongAddress(text.to_owned());
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(wrong)?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
            None if rest.is_empty() => PORT,
            None => return Err(wrong()),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@') {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("redis.example", "redis.example", 6379),
            ("10.0.0.7:7000", "10.0.0.7", 7000),
            ("[::1]", "::1", 6379),
            ("[fd00::2]:26379", "fd00::2", 26379),
        ] {
            assert_eq!(text.parse(), Ok(ServerAddress { host: host.to_owned(), port }));
        }
        for text in [
            "",
            ":6379",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "::1",
            "[::1",
            "[::1]x",
            "redis://a",
            "user@a",
            "a b",
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(WrongAddress(text.to_owned())), "{text}");
        }
    }
}
