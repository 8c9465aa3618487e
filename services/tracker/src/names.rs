//! Host names of the configuration, looked up once at the start.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use fdfs_conf::{AllowHosts, ConfError, StorageIds};

/// Most addresses of one name that are taken.
const ADDRESSES_MAX: usize = 16;

/// The ids with every host name replaced by its address. Blocks.
///
/// # Errors
/// A name without address, or one whose address contradicts another line.
pub(crate) fn storage_ids(ids: &StorageIds) -> Result<Arc<StorageIds>, ConfError> {
    // IPv4 first: that is what the original resolves names to.
    let mut first = |name: &str| look_up(name).into_iter().min_by_key(IpAddr::is_ipv6);
    ids.resolve(&mut first).map(Arc::new)
}

/// Who may connect, with the addresses of the names in it. A name without address lets nobody in. Blocks.
pub(crate) fn allow_hosts(hosts: &AllowHosts) -> AllowHosts {
    let mut resolved = hosts.clone();
    for name in hosts.names() {
        let addrs = look_up(name);
        if addrs.is_empty() {
            tracing::warn!(name, "allow_hosts: the name has no address");
        }
        for addr in addrs {
            resolved.add_ip(addr);
        }
    }
    resolved
}

fn look_up(name: &str) -> Vec<IpAddr> {
    let Ok(addrs) = (name, 0).to_socket_addrs() else { return Vec::new() };
    addrs.map(|addr| addr.ip().to_canonical()).take(ADDRESSES_MAX).collect()
}
