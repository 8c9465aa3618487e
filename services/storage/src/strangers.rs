//! Who counts as a member of the group when he connects, and what is said to the operator about the others.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use fdfs_conf::{AllowHosts, StorageConf};
use fdfs_proto::StorageCommand;
use parking_lot::Mutex;

/// Addresses of refused senders that are remembered; those beyond are refused without a word.
const NAMED_MAX: usize = 64;

/// Beats after which a new member is known here for sure: until then it may come and be refused.
const NEWS_BEATS: u32 = 2;

/// `allow_peers`, and whom it would have to name.
#[derive(Debug)]
pub(crate) struct Strangers {
    allowed: AllowHosts,
    /// How long a member may be unknown.
    patience: Duration,
    seen: Mutex<BTreeMap<IpAddr, Seen>>,
}

/// Somebody who was refused.
#[derive(Debug)]
struct Seen {
    since: Instant,
    /// The operator was told what to do.
    told: bool,
}

/// What is worth saying about somebody who is refused.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// He is new.
    First,
    /// He has come again, and the trackers still do not know him.
    Advice,
    None,
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
        Self {
            allowed,
            patience: conf.heart_beat_interval.saturating_mul(NEWS_BEATS),
            seen: Mutex::default(),
        }
    }

    /// Whether somebody at this address counts as a member although the cluster has none there.
    pub(crate) fn are_members_at(&self, address: IpAddr) -> bool {
        self.allowed.allows(address)
    }

    /// Somebody was refused who is no member. Each thing is said once for each address: a member that is not recognised
    /// comes again and again.
    pub(crate) fn refused(&self, address: IpAddr, command: StorageCommand) {
        let address = address.to_canonical();
        match self.word(address, Instant::now()) {
            Word::First => {
                tracing::info!(peer = %address, %command, "refused, only members of the group may say this");
            }
            Word::Advice => tracing::warn!(
                peer = %address,
                %command,
                "refused again, only members of the group may say this, and none of them has this address; if it \
                 is one, add allow_peers = {address} to storage.conf and restart this storage"
            ),
            Word::None => {}
        }
    }

    fn word(&self, address: IpAddr, now: Instant) -> Word {
        let mut seen = self.seen.lock();
        let is_full = seen.len() >= NAMED_MAX;
        match seen.get_mut(&address) {
            Some(seen) if !seen.told && now.duration_since(seen.since) > self.patience => {
                seen.told = true;
                Word::Advice
            }
            Some(_) => Word::None,
            None if is_full => Word::None,
            None => {
                seen.insert(address, Seen { since: now, told: false });
                Word::First
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn strangers() -> Strangers {
        let (allowed, patience) = (AllowHosts::nobody(), Duration::from_secs(60));
        Strangers { allowed, patience, seen: Mutex::default() }
    }

    fn address(number: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap()))
    }

    #[test]
    fn a_stranger_is_named_once_and_advice_given_once_when_he_is_still_unknown_after_two_beats() {
        let (strangers, began) = (strangers(), Instant::now());
        let at = |second| strangers.word(address(1), began + Duration::from_secs(second));
        let words = [at(0), at(1), at(60), at(61), at(62)];
        assert_eq!(words, [Word::First, Word::None, Word::None, Word::Advice, Word::None]);
    }

    #[test]
    fn no_more_strangers_are_named_than_can_be_remembered() {
        let (strangers, began) = (strangers(), Instant::now());
        assert!((0..NAMED_MAX).all(|number| strangers.word(address(number), began) == Word::First));
        assert_eq!(strangers.word(address(NAMED_MAX), began), Word::None);
    }
}
