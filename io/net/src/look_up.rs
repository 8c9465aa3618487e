//! Host names of a configuration.

use std::net::{IpAddr, ToSocketAddrs};

/// Most addresses of one name that are taken.
const ADDRESSES_MAX: usize = 16;

/// The addresses of a host name, none when it has none. Blocks, for as long as the system's resolver takes.
pub fn look_up(name: &str) -> Vec<IpAddr> {
    let Ok(addrs) = (name, 0).to_socket_addrs() else { return Vec::new() };
    addrs.map(|addr| addr.ip().to_canonical()).take(ADDRESSES_MAX).collect()
}
