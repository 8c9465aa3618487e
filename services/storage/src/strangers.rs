//! Who counts as a member of the group when he connects, and what is said to the operator about the others.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fdfs_conf::{AllowHosts, StorageConf};
use fdfs_proto::StorageCommand;
use parking_lot::Mutex;

/// Addresses of refused senders that are remembered; those beyond are refused without a word.
const NAMED_MAX: usize = 64;

/// `allow_peers`, and whom it would have to name.
#[derive(Debug)]
pub(crate) struct Strangers {
    allowed: AllowHosts,
    named: Mutex<BTreeSet<IpAddr>>,
}

impl Strangers {
    /// As configured. Looks names up, which blocks.
    pub(crate) fn new(conf: &StorageConf) -> Self {
        let allowed = conf.allow_peers.resolve(&mut |name| {
            let found = net::look_up(name);
            if found.is_empty() {
                tracing::warn!(name, "allow_peers: the name has no address");
            }
            found
        });
        Self { allowed, named: Mutex::default() }
    }

    /// Whether somebody at this address counts as a member although the cluster has none there.
    pub(crate) fn are_members_at(&self, address: IpAddr) -> bool {
        self.allowed.allows(address)
    }

    /// Somebody was refused who is no member. Said once for each address: a member that is not recognised comes
    /// again and again.
    pub(crate) fn refused(&self, address: IpAddr, command: StorageCommand) {
        let address = address.to_canonical();
        if self.is_news(address) {
            tracing::warn!(
                peer = %address,
                %command,
                "refused, only members of the group may say this, and none of them has this address; if it is one, add \
                 allow_peers = {address} to storage.conf and restart this storage"
            );
        }
    }

    fn is_news(&self, address: IpAddr) -> bool {
        let mut named = self.named.lock();
        named.len() < NAMED_MAX && named.insert(address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_stranger_is_named_once_and_no_more_of_them_than_can_be_remembered() {
        let strangers = Strangers { allowed: AllowHosts::nobody(), named: Mutex::default() };
        let address = |number: usize| IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap()));
        for number in 0..NAMED_MAX {
            assert!(strangers.is_news(address(number)));
            assert!(!strangers.is_news(address(number)));
        }
        assert!(!strangers.is_news(address(NAMED_MAX)));
    }
}
