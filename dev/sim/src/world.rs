//! Virtual time and the network between nodes.
//!
//! Messages of one connection arrive in order, those of different ones in any. A connection that breaks loses what was
//! under way; each end hears of it at a time of its own, and every end does hear of it, as sockets have keep-alive and
//! every question a deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::chance::Chance;
use crate::history::History;
use crate::trace::Trace;
use crate::{Fault, scenario::Chaos};

/// Unix second at which every world begins.
pub(crate) const START: i64 = 1_800_000_000;

/// Longest time until an end of a broken connection notices, milliseconds.
const NOTICE_MS: u64 = 30_000;

/// How long an attempt to connect through a broken network takes, milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 2_000;

pub(crate) type NodeId = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Conn(pub(crate) u64);

/// What happens to a node.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Its process starts.
    Start,
    Connected(Conn),
    ConnectFailed(Conn),
    Message(Conn, Vec<u8>),
    Closed(Conn),
    /// Its disk has synced its log up to this length.
    Synced(usize),
    /// A time it asked for has come.
    Wake,
}

#[derive(Debug)]
pub(crate) enum Event {
    /// For a node, and only in this run of its process.
    Node {
        node: NodeId,
        run: u64,
        what: Happening,
    },
    /// An end of a connection notices that it is gone.
    Gone {
        conn: Conn,
        end: NodeId,
    },
    Deliver {
        conn: Conn,
        to: NodeId,
        bytes: Vec<u8>,
    },
    Established {
        conn: Conn,
    },
    Chaos(Chaos),
}

#[derive(Debug)]
struct Connection {
    ends: [NodeId; 2],
    open: [bool; 2],
    /// When the last message to each end arrives.
    last: [u64; 2],
    /// Nothing passes any more.
    broken: bool,
}

/// How a node's clock differs from the true time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) offset_ms: i64,
    /// Millionths by which it is fast.
    pub(crate) fast_ppm: i64,
}

/// Everything outside the nodes.
pub(crate) struct Env {
    /// Milliseconds of true time.
    pub(crate) now: u64,
    pub(crate) chance: Chance,
    pub(crate) fault: Option<Fault>,
    pub(crate) history: History,
    pub(crate) trace: Trace,
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) clocks: Vec<Clock>,
    pub(crate) up: Vec<bool>,
    runs: Vec<u64>,
    wakes: Vec<u64>,
    queue: BTreeMap<(u64, u64), Event>,
    numbers: u64,
    conns: BTreeMap<Conn, Connection>,
    blocked: BTreeSet<(NodeId, NodeId)>,
}

impl Env {
    pub(crate) fn new(seed: u64, fault: Option<Fault>, ips: Vec<IpAddr>) -> Self {
        let mut chance = Chance::new(seed);
        let mut clock = |_: &IpAddr| Clock {
            offset_ms: chance.between(0, 6_000) as i64 - 3_000,
            fast_ppm: chance.between(0, 400) as i64 - 200,
        };
        let clocks: Vec<_> = ips.iter().map(&mut clock).collect();
        let count = ips.len();
        Self {
            now: 0,
            fault,
            history: History::default(),
            trace: Trace::default(),
            clocks,
            up: vec![false; count],
            runs: vec![0; count],
            wakes: vec![u64::MAX; count],
            ips,
            queue: BTreeMap::new(),
            numbers: 0,
            conns: BTreeMap::new(),
            blocked: BTreeSet::new(),
            chance,
        }
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Milliseconds on the steady clock of a node.
    pub(crate) fn mono(&self, node: NodeId) -> u64 {
        let (now, fast) = (self.now as i64, self.clocks[node].fast_ppm);
        (now + now * fast / 1_000_000) as u64
    }

    /// Unix seconds on the wall clock of a node.
    pub(crate) fn wall(&self, node: NodeId) -> i64 {
        START + (self.mono(node) as i64 + self.clocks[node].offset_ms).div_euclid(1000)
    }

    pub(crate) fn node_at(&self, ip: IpAddr) -> Option<NodeId> {
        self.ips.iter().position(|other| *other == ip)
    }

    pub(crate) fn note(&mut self, node: NodeId, text: impl FnOnce() -> String) {
        self.trace.note(self.now, &self.ips[node].to_string(), text);
    }

    // Time

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.numbers += 1;
        self.queue.insert((self.now + delay, self.numbers), event);
    }

    pub(crate) fn tell(&mut self, node: NodeId, delay: u64, what: Happening) {
        let run = self.runs[node];
        self.after(delay, Event::Node { node, run, what });
    }

    /// Sees to it that the node is woken when its steady clock shows `mono`.
    pub(crate) fn wake_at(&mut self, node: NodeId, mono: u64) {
        let fast = self.clocks[node].fast_ppm;
        let due = (mono as i64 - mono as i64 * fast / 1_000_000) as u64;
        let delay = due.saturating_sub(self.now).max(1);
        if self.now + delay < self.wakes[node] {
            self.wakes[node] = self.now + delay;
            self.tell(node, delay, Happening::Wake);
        }
    }

    /// The next thing that happens to a node, or of chaos.
    pub(crate) fn next(&mut self, until: u64) -> Option<Next> {
        loop {
            let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= until);
            let Some(entry) = entry else {
                self.now = self.now.max(until);
                return None;
            };
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            match event {
                Event::Chaos(chaos) => return Some(Next::Chaos(chaos)),
                Event::Node { node, run, what } if self.runs[node] == run && self.up[node] => {
                    if matches!(what, Happening::Wake) {
                        self.wakes[node] = u64::MAX;
                    }
                    return Some(Next::Node(node, what));
                }
                Event::Node { .. } => {}
                Event::Gone { conn, end } => {
                    if self.shut(conn, end) {
                        return Some(Next::Node(end, Happening::Closed(conn)));
                    }
                }
                Event::Deliver { conn, to, bytes } => {
                    let open = self.conns.get(&conn).is_some_and(|it| !it.broken && it.open[it.side(to)]);
                    if open {
                        return Some(Next::Node(to, Happening::Message(conn, bytes)));
                    }
                }
                Event::Established { conn } => {
                    let Some(it) = self.conns.get(&conn) else { continue };
                    let [from, to] = it.ends;
                    if !it.open[0] {
                        continue;
                    }
                    if it.broken || !self.up[to] || self.is_blocked(from, to) {
                        self.conns.remove(&conn);
                        return Some(Next::Node(from, Happening::ConnectFailed(conn)));
                    }
                    return Some(Next::Node(from, Happening::Connected(conn)));
                }
            }
        }
    }

    // Connections

    pub(crate) fn connect(&mut self, from: NodeId, to: NodeId) -> Conn {
        self.numbers += 1;
        let conn = Conn(self.numbers);
        let it = Connection { ends: [from, to], open: [true; 2], last: [0; 2], broken: false };
        self.conns.insert(conn, it);
        let delay = match self.is_blocked(from, to) {
            true => CONNECT_TIMEOUT_MS,
            false => self.delay(),
        };
        self.after(delay, Event::Established { conn });
        conn
    }

    pub(crate) fn send(&mut self, conn: Conn, from: NodeId, bytes: Vec<u8>) {
        let arrival = self.now + self.delay();
        let Some(it) = self.conns.get_mut(&conn).filter(|it| !it.broken) else { return };
        let to = 1 - it.side(from);
        it.last[to] = it.last[to].max(arrival);
        let (to, delay) = (it.ends[to], it.last[to] - self.now);
        self.after(delay, Event::Deliver { conn, to, bytes });
    }

    pub(crate) fn hang_up(&mut self, conn: Conn, from: NodeId) {
        let delay = self.delay();
        let Some(it) = self.conns.get_mut(&conn) else { return };
        let side = it.side(from);
        it.open[side] = false;
        // What was sent before still arrives, and only then the end.
        let delay = delay.max(it.last[1 - side].saturating_sub(self.now));
        let (other, delay) = (it.ends[1 - side], if it.broken { NOTICE_MS } else { delay });
        self.after(delay, Event::Gone { conn, end: other });
    }

    /// The address at the other end.
    pub(crate) fn peer_of(&self, conn: Conn, me: NodeId) -> IpAddr {
        let other = self.conns.get(&conn).map_or(me, |it| it.ends[1 - it.side(me)]);
        self.ips[other]
    }

    fn shut(&mut self, conn: Conn, end: NodeId) -> bool {
        let Some(it) = self.conns.get_mut(&conn) else { return false };
        let side = it.side(end);
        let was_open = std::mem::replace(&mut it.open[side], false);
        it.broken = true;
        if it.open == [false; 2] {
            self.conns.remove(&conn);
        } else if was_open {
            // A half-open connection is noticed by the other end, too.
            let other = self.conns.get(&conn).map(|it| it.ends[1 - side]);
            if let Some(other) = other {
                self.after(NOTICE_MS, Event::Gone { conn, end: other });
            }
        }
        was_open && self.up[end]
    }

    fn delay(&mut self) -> u64 {
        match self.chance.below(20) {
            0 => self.chance.between(50, 1_500),
            _ => self.chance.between(1, 20),
        }
    }

    fn is_blocked(&self, a: NodeId, b: NodeId) -> bool {
        self.blocked.contains(&(a.min(b), a.max(b)))
    }

    // What breaks

    pub(crate) fn partition(&mut self, a: NodeId, b: NodeId) {
        self.blocked.insert((a.min(b), a.max(b)));
        self.break_conns(NOTICE_MS, |ends| ends == [a, b] || ends == [b, a]);
    }

    pub(crate) fn heal(&mut self) {
        self.blocked.clear();
    }

    /// Breaks all connections between two nodes once.
    pub(crate) fn drop_between(&mut self, a: NodeId, b: NodeId) {
        self.break_conns(1_000, |ends| ends == [a, b] || ends == [b, a]);
    }

    fn break_conns(&mut self, notice_ms: u64, which: impl Fn([NodeId; 2]) -> bool) {
        let hit: Vec<_> =
            self.conns.iter().filter(|(_, it)| which(it.ends)).map(|(conn, it)| (*conn, it.ends)).collect();
        for (conn, ends) in hit {
            if let Some(it) = self.conns.get_mut(&conn) {
                it.broken = true;
            }
            for end in ends {
                let delay = self.chance.between(1, notice_ms);
                self.after(delay, Event::Gone { conn, end });
            }
        }
    }

    pub(crate) fn start(&mut self, node: NodeId) {
        self.up[node] = true;
        self.runs[node] += 1;
        self.wakes[node] = u64::MAX;
        self.tell(node, 0, Happening::Start);
    }

    /// A process ends. The system of a killed one closes its connections; a machine without power says nothing.
    pub(crate) fn stop(&mut self, node: NodeId, power: bool) {
        self.up[node] = false;
        self.runs[node] += 1;
        self.break_conns(if power { NOTICE_MS } else { 50 }, |ends| ends.contains(&node));
        for it in self.conns.values_mut() {
            for side in [0, 1] {
                if it.ends[side] == node {
                    it.open[side] = false;
                }
            }
        }
    }
}

impl Connection {
    fn side(&self, node: NodeId) -> usize {
        usize::from(self.ends[1] == node)
    }
}

pub(crate) enum Next {
    Node(NodeId, Happening),
    Chaos(Chaos),
}
