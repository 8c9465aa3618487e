//! A loopback address of one's own.
//!
//! FastDFS members of a group share one port number and differ by address, so tests do not pick free ports: each
//! server takes a whole address 127.0.0.N and uses the standard ports on it. Test processes run side by side, so an
//! address is claimed by listening on a guard port that no server uses: the kernel arbitrates, and frees the claim even
//! when a test is killed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::wait;

/// The port a tracker listens on.
pub const TRACKER_PORT: u16 = 22122;
/// The port a storage listens on.
pub const STORAGE_PORT: u16 = 23000;
/// The port for HTTP.
pub const HTTP_PORT: u16 = 8888;

/// The port for metrics and health.
pub const STATUS_PORT: u16 = 9122;

/// The port of an nginx: not 80, where the machine may have one of its own on all addresses.
pub(crate) const NGINX_PORT: u16 = 8880;
/// The port of its second server.
pub(crate) const NGINX_SECOND_PORT: u16 = 8881;

/// The ports of servers.
const PORTS: [u16; 5] = [TRACKER_PORT, STORAGE_PORT, HTTP_PORT, STATUS_PORT, NGINX_PORT];

/// Listening here claims the address.
const GUARD_PORT: u16 = 22119;
/// Addresses handed out; below are those people use by hand.
const FIRST: u8 = 30;
const LAST: u8 = 250;
/// How long to wait for another test to give one back.
const PATIENCE: Duration = Duration::from_secs(120);

/// The claim of one address, given back when dropped.
#[derive(Debug)]
pub struct Loopback {
    ip: Ipv4Addr,
    _guard: TcpListener,
}

impl Loopback {
    /// Takes an address that nobody else holds and on which no server's port is in use.
    ///
    /// # Errors
    /// When all are taken for two minutes.
    pub fn claim() -> Result<Loopback> {
        wait::until("a free loopback address", PATIENCE, || {
            (FIRST..=LAST).find_map(|_| Loopback::try_claim(next()))
        })
    }

    /// Takes addresses that follow each other, for a program that counts on from the first.
    ///
    /// They do so as texts, too (never 99 and 100): lists of servers come in the order of the texts, and a test that
    /// knows whom it made first finds the same order in what it is shown.
    ///
    /// # Errors
    /// When there are not so many side by side for two minutes.
    pub fn claim_row(count: u8) -> Result<Vec<Loopback>> {
        wait::until("a row of free loopback addresses", PATIENCE, || {
            (FIRST..=LAST).find_map(|_| Loopback::try_claim_row(next(), count))
        })
    }

    fn try_claim_row(first: u8, count: u8) -> Option<Vec<Loopback>> {
        row(first, count)?.map(Loopback::try_claim).collect()
    }

    fn try_claim(last: u8) -> Option<Loopback> {
        let ip = Ipv4Addr::new(127, 0, 0, last);
        let guard = TcpListener::bind((ip, GUARD_PORT)).ok()?;
        // A server that outlived a killed test would still hold its port.
        let free = |port| TcpListener::bind((ip, port)).is_ok();
        PORTS.into_iter().all(free).then_some(Loopback { ip, _guard: guard })
    }

    /// The address alone.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// The address with a port.
    #[must_use]
    pub fn port(&self, port: u16) -> SocketAddr {
        SocketAddr::from((self.ip, port))
    }
}

/// The last numbers of a row, if it may begin with this one.
fn row(first: u8, count: u8) -> Option<Range<u8>> {
    let end = first.checked_add(count).filter(|end| *end <= LAST)?;
    let as_texts = first >= 100 || end <= 100;
    as_texts.then_some(first..end)
}

/// Walks the range, starting somewhere else in every process.
fn next() -> u8 {
    static STEP: AtomicU8 = AtomicU8::new(0);
    let range = u32::from(LAST - FIRST) + 1;
    let start = std::process::id().wrapping_mul(37);
    let step = u32::from(STEP.fetch_add(1, Ordering::Relaxed));
    FIRST + (start.wrapping_add(step) % range) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_never_share_an_address() {
        let first = Loopback::claim().unwrap();
        let second = Loopback::claim().unwrap();
        assert_ne!(first.ip(), second.ip());
        assert!(Loopback::try_claim(first.ip().octets()[3]).is_none());
    }

    #[test]
    fn a_row_is_side_by_side_and_none_of_it_is_claimed_twice() {
        let row = Loopback::claim_row(6).unwrap();
        let last = |claim: &Loopback| claim.ip().octets()[3];
        assert_eq!(row.len(), 6);
        assert!(row.windows(2).all(|pair| last(&pair[0]) + 1 == last(&pair[1])));
        assert!(Loopback::try_claim_row(last(&row[5]), 2).is_none());
    }

    #[test]
    fn a_row_is_in_the_same_order_as_numbers_and_as_texts_and_ends_within_the_range() {
        assert_eq!(row(97, 3), Some(97..100));
        assert_eq!(row(98, 3), None);
        assert_eq!(row(99, 2), None);
        assert_eq!(row(100, 3), Some(100..103));
        assert_eq!(row(LAST, 2), None);
        assert_eq!(row(u8::MAX, 2), None);
    }

    #[test]
    fn an_address_with_a_busy_port_is_passed_over() {
        for port in PORTS {
            let claim = Loopback::claim().unwrap();
            let last = claim.ip().octets()[3];
            let orphan = TcpListener::bind(claim.port(port)).unwrap();
            drop(claim);
            assert!(Loopback::try_claim(last).is_none(), "{port}");
            drop(orphan);
        }
    }
}
