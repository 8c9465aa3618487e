//! Host names of the configuration, looked up once at the start.

use std::net::IpAddr;

/// The address of a storage's name. IPv4 first: that is what the original resolves names to. Blocks.
pub(crate) fn of_storage(name: &str) -> Option<IpAddr> {
    net::look_up(name).into_iter().min_by_key(IpAddr::is_ipv6)
}

/// The addresses of a name in `allow_hosts`; a name without one lets nobody in. Blocks.
pub(crate) fn allowed(name: &str) -> Vec<IpAddr> {
    let found = net::look_up(name);
    if found.is_empty() {
        tracing::warn!(name, "allow_hosts: the name has no address");
    }
    found
}
