//! Addresses of storages and trackers: one or two per server, and which of them a peer is told.

use std::net::IpAddr;

use fdfs_conf::IpClass;

/// The one or two addresses of a server: the inner first, then the outer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerAddrs {
    inner: IpAddr,
    outer: Option<IpAddr>,
}

impl ServerAddrs {
    /// A server with one address.
    pub fn one(addr: IpAddr) -> Self {
        Self { inner: addr.to_canonical(), outer: None }
    }

    /// A server with an inner and an outer address.
    pub fn two(inner: IpAddr, outer: IpAddr) -> Self {
        Self { inner: inner.to_canonical(), outer: Some(outer.to_canonical()) }
    }

    /// From one or two addresses; none from any other number.
    pub fn collect(addrs: impl IntoIterator<Item = IpAddr>) -> Option<Self> {
        let mut addrs = addrs.into_iter();
        let inner = addrs.next()?.to_canonical();
        let outer = addrs.next().map(|addr| addr.to_canonical());
        addrs.next().is_none().then_some(Self { inner, outer })
    }

    /// The first address: what a server is listed under.
    pub fn first(&self) -> IpAddr {
        self.inner
    }

    /// All addresses, inner first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        std::iter::once(self.inner).chain(self.outer)
    }

    /// Whether `addr` is one of them.
    pub fn contains(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        self.iter().any(|own| own == addr)
    }

    /// Adds an address while there is room for a second one; whether it was added.
    pub fn add(&mut self, addr: IpAddr) -> bool {
        let new = self.outer.is_none() && !self.contains(addr);
        if new {
            self.outer = Some(addr.to_canonical());
        }
        new
    }

    /// The address a peer is told: the outer one when it is of the peer's own class, else the inner (wire
    /// protocol: the address-size switch).
    pub(crate) fn seen_by(&self, peer: IpAddr) -> IpAddr {
        match self.outer {
            Some(outer) if IpClass::of(outer) == IpClass::of(peer) => outer,
            _ => self.inner,
        }
    }
}
