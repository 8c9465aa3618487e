//! The list of trackers, who leads, and what others may change of that.
//!
//! Source: wire protocol, "Tracker ↔ tracker" and JOIN.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fdfs_proto::tracker::leader::Connections;
use fdfs_proto::{Brief, Host, IpText, StorageId, StorageStatus, Version};

use crate::limits::{OWN_ADDRESSES_MAX, TRACKERS_MAX};
use crate::{Mono, Now, Refusal, ServerAddrs};

/// A follower counts as active while its last ping is no older than this, milliseconds.
const PING_FRESH_MS: u64 = 3_000;

/// When the list is full, a tracker that no JOIN named for so long gives its place to one that is named, milliseconds.
pub const FORGOTTEN_AFTER_MS: u64 = 600_000;

/// Most bytes of an address that go into the id field of a brief.
const BRIEF_ID_MAX: usize = 15;

/// One tracker of the cluster.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// Its addresses.
    pub addrs: ServerAddrs,
    /// Its port.
    pub port: u16,
    /// When a JOIN named it last.
    pub named: Mono,
    /// What it told with JOIN_LEADER and its pings; none while it has not.
    pub follower: Option<Follower>,
}

/// What a leader knows of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    /// Unix seconds of its start.
    pub up_time: i64,
    /// Its version.
    pub version: Version,
    /// Its connection counts.
    pub connections: Connections,
    /// When it was last heard of.
    pub last_ping: Mono,
    /// The same in unix seconds.
    pub last_ping_wall: i64,
}

impl Tracker {
    fn is_at(&self, addr: IpAddr, port: u16) -> bool {
        self.port == port && self.addrs.contains(addr)
    }

    /// Whether it follows and was heard of a moment ago.
    pub(crate) fn pings(&self, now: Mono) -> bool {
        self.follower.is_some_and(|follower| now.since_ms(follower.last_ping) <= PING_FRESH_MS)
    }

    fn same_server(&self, host: &Host) -> bool {
        self.port == host.port && host.ips().any(|addr| self.addrs.contains(addr))
    }
}

/// Who leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leader {
    /// Nobody that this tracker knows of.
    None,
    /// This tracker.
    Me,
    /// The tracker at this place of the list.
    Other(usize),
}

/// What changed when a list was learnt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Trackers that were not known before.
    pub added: Vec<(ServerAddrs, u16)>,
    /// Whether the leader is another now.
    pub leader_changed: bool,
}

/// The trackers of the cluster, as this one knows them.
#[derive(Debug, Clone)]
pub struct Trackers {
    own: BTreeSet<IpAddr>,
    port: u16,
    list: Vec<Tracker>,
    leader: Leader,
    /// Named by NOTIFY_NEXT_LEADER, not yet committed.
    announced: Option<usize>,
    /// Counts changes of the leader; storages are told when theirs differs.
    changes: u64,
}

impl Trackers {
    /// A tracker that listens on `port` and knows nobody yet.
    pub fn new(own: impl IntoIterator<Item = IpAddr>, port: u16) -> Self {
        let own = own.into_iter().map(|addr| addr.to_canonical()).filter(|addr| !addr.is_unspecified());
        Self {
            own: own.take(OWN_ADDRESSES_MAX).collect(),
            port,
            list: Vec::new(),
            leader: Leader::None,
            announced: None,
            changes: 0,
        }
    }

    /// Learns from a JOIN: the addresses under which this tracker was reached, and the list of trackers.
    ///
    /// Trackers and addresses are only added, unless the list is full: a tracker that comes back under a new address
    /// each time (in a container) would fill it, so the one that was named longest ago, if that is
    /// [`FORGOTTEN_AFTER_MS`], gives its place away. One that leads or pings is kept. The list known afterwards must name this
    /// tracker. Who leads goes on doing so, also one that was alone: whoever is named need not even be there.
    ///
    /// `claimed` is the address at which the storage says that it reaches this tracker. It is not believed when it
    /// is known as another tracker's: this one would take that one for itself.
    pub fn learn(
        &mut self,
        now: Mono,
        reached: impl IntoIterator<Item = IpAddr>,
        claimed: Option<IpAddr>,
        hosts: &[Host],
    ) -> Result<Learnt, Refusal> {
        let port = self.port;
        let of_another =
            |addr: &IpAddr| self.iter().any(|(tracker, is_me)| !is_me && tracker.is_at(*addr, port));
        let claimed = claimed.filter(|addr| !of_another(addr));
        for addr in reached.into_iter().chain(claimed) {
            let addr = addr.to_canonical();
            if self.own.len() < OWN_ADDRESSES_MAX && !addr.is_unspecified() {
                self.own.insert(addr);
            }
        }
        let mut list = self.list.clone();
        let mut added = Vec::new();
        for host in hosts {
            if let Some(known) = list.iter_mut().find(|known| known.same_server(host)) {
                for addr in host.ips() {
                    known.addrs.add(addr);
                }
                known.named = now;
                continue;
            }
            let addrs = ServerAddrs::collect(host.ips()).ok_or(Refusal::BadValue)?;
            let new = Tracker { addrs, port: host.port, named: now, follower: None };
            if list.len() < TRACKERS_MAX {
                list.push(new);
            } else {
                *self.forgotten(now, &mut list).ok_or(Refusal::LimitReached)? = new;
            }
            added.push((addrs, host.port));
        }
        if !list.iter().any(|tracker| self.is_me(tracker)) {
            return Err(Refusal::NotInTrackerList);
        }
        self.list = list;
        // Whoever is alone leads.
        let leader_changed = self.is_alone() && self.set_leader(Leader::Me);
        Ok(Learnt { added, leader_changed })
    }

    /// The tracker of a full list that gives its place away. Places stay what they are: others are known by theirs.
    fn forgotten<'t>(&self, now: Mono, list: &'t mut [Tracker]) -> Option<&'t mut Tracker> {
        let kept = |index| self.leader == Leader::Other(index) || self.announced == Some(index);
        let gone = list.iter_mut().enumerate().filter(|(index, tracker)| {
            now.since_ms(tracker.named) >= FORGOTTEN_AFTER_MS
                && !kept(*index)
                && !tracker.pings(now)
                && !self.is_me(tracker)
        });
        gone.map(|(_, tracker)| tracker).min_by_key(|tracker| tracker.named)
    }

    /// Whether a storage has told who the trackers are.
    pub fn is_listed(&self) -> bool {
        !self.list.is_empty()
    }

    /// The port this tracker listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The tracker at a place of the list.
    pub(super) fn get(&self, index: usize) -> Option<&Tracker> {
        self.list.get(index)
    }

    /// The first place of the list that is this tracker.
    pub(super) fn my_index(&self) -> Option<usize> {
        self.list.iter().position(|tracker| self.is_me(tracker))
    }

    /// A tracker as others are told of it: its first address.
    pub(super) fn host(&self, index: usize) -> Option<Host> {
        self.list.get(index).map(|tracker| Host::new(tracker.addrs.first(), tracker.port))
    }

    /// Who leads.
    pub fn leader_now(&self) -> Leader {
        self.leader
    }

    fn is_me(&self, tracker: &Tracker) -> bool {
        tracker.port == self.port && tracker.addrs.iter().any(|addr| self.own.contains(&addr))
    }

    /// Whether the list is known and names nobody but this tracker.
    pub fn is_alone(&self) -> bool {
        !self.list.is_empty() && self.list.iter().all(|tracker| self.is_me(tracker))
    }

    /// Sets who leads; whether that is another one. Whoever was only named is forgotten.
    pub(super) fn set_leader(&mut self, leader: Leader) -> bool {
        self.announced = None;
        if self.leader == leader {
            return false;
        }
        self.leader = leader;
        self.changes += 1;
        true
    }

    /// Whether this tracker leads.
    pub fn leads(&self) -> bool {
        self.leader == Leader::Me
    }

    /// Changes of the leader so far.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The leading tracker.
    pub fn leader(&self) -> Option<&Tracker> {
        match self.leader {
            Leader::None => None,
            Leader::Me => self.list.iter().find(|tracker| self.is_me(tracker)),
            Leader::Other(index) => self.list.get(index),
        }
    }

    /// All trackers, each with whether it is this one.
    pub fn iter(&self) -> impl Iterator<Item = (&Tracker, bool)> {
        self.list.iter().map(|tracker| (tracker, self.is_me(tracker)))
    }

    /// The leading tracker as storages are told of it: for `peer`, which of two addresses.
    pub(crate) fn leader_brief(&self, peer: IpAddr) -> Brief {
        let Some(leader) = self.leader() else { return Brief::NOBODY };
        let addr = leader.addrs.seen_by(peer);
        let text = addr.to_string();
        let id = text.as_bytes().get(..BRIEF_ID_MAX).unwrap_or(text.as_bytes());
        Brief {
            status: StorageStatus::Init,
            port: leader.port,
            id: StorageId::new(id),
            ip: IpText::from(addr),
        }
    }

    fn index_at(&self, addr: IpAddr, port: u16) -> Option<usize> {
        self.list.iter().position(|tracker| tracker.is_at(addr, port))
    }

    /// A tracker joins this one as its leader; the place in the list that its connection then stands for.
    pub fn join(
        &mut self,
        now: Now,
        addr: IpAddr,
        port: u16,
        up_time: i64,
        version: Version,
    ) -> Result<usize, Refusal> {
        if !self.leads() {
            return Err(Refusal::NotLeader);
        }
        let index = self.index_at(addr, port).ok_or(Refusal::UnknownTracker)?;
        let tracker = self.list.get_mut(index).ok_or(Refusal::UnknownTracker)?;
        let connections = tracker.follower.map(|follower| follower.connections).unwrap_or_default();
        tracker.follower =
            Some(Follower { up_time, version, connections, last_ping: now.mono, last_ping_wall: now.wall });
        Ok(index)
    }

    /// A tracker that joined pings.
    pub fn ping(&mut self, now: Now, index: usize, connections: Connections) -> Result<(), Refusal> {
        if !self.leads() {
            return Err(Refusal::NotLeader);
        }
        let tracker = self.list.get_mut(index).ok_or(Refusal::UnknownTracker)?;
        if let Some(follower) = &mut tracker.follower {
            follower.connections = connections;
            follower.last_ping = now.mono;
            follower.last_ping_wall = now.wall;
        }
        Ok(())
    }

    /// Another tracker names the next leader. One that leads and is not named steps down and says so, which
    /// makes everybody vote again.
    pub fn notify(&mut self, addr: IpAddr, port: u16) -> Result<(), Refusal> {
        let index = self.index_at(addr, port).ok_or(Refusal::UnknownTracker)?;
        let named_me = self.list.get(index).is_some_and(|tracker| self.is_me(tracker));
        if self.leads() && !named_me {
            self.set_leader(Leader::None);
            return Err(Refusal::TwoLeaders);
        }
        self.announced = Some(index);
        Ok(())
    }

    /// Another tracker says that the named one leads; whether that changed anything.
    pub fn commit(&mut self, addr: IpAddr, port: u16) -> Result<bool, Refusal> {
        let index = self.index_at(addr, port).ok_or(Refusal::UnknownTracker)?;
        if self.announced.take() != Some(index) {
            return Err(Refusal::BadValue);
        }
        let named_me = self.list.get(index).is_some_and(|tracker| self.is_me(tracker));
        Ok(self.set_leader(if named_me { Leader::Me } else { Leader::Other(index) }))
    }

    /// A storage saw two leaders: step down. Whoever is alone is elected again at once; storages are told anew.
    pub fn step_down(&mut self) -> Result<(), Refusal> {
        if !self.leads() {
            return Err(Refusal::NotLeader);
        }
        self.set_leader(Leader::None);
        if self.is_alone() {
            self.set_leader(Leader::Me);
        }
        Ok(())
    }
}
