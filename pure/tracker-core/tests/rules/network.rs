//! Trackers against each other, over a network that delays, loses and parts, all from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::testing::{PORT, START, config, first_join, ip};
use fdfs_proto::tracker::leader::Connections;
use fdfs_proto::{Host, IpText};
use proptest::prelude::*;
use tracker_core::leader::Leader;
use tracker_core::{
    Action, Caller, Cluster, ConnId, Event, Mono, Now, Reply, Request, Saved, Ticket, TrackerAnswer,
    TrackerAsk,
};

/// How long a question may take before it counts as unanswered, unless a test says otherwise.
const ASK_MS: u64 = 5_000;
/// How long everybody has to agree once the network is whole: a lost leader (7 s), a minority's wait (30 s), a few
/// attempts of at most 11 s, and a look for a second leader.
const AGREE_MS: u64 = 120_000;

/// Splitmix64: chance, the same on every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What travels.
enum Parcel {
    Ask { from: usize, to: usize, ticket: Ticket, ask: TrackerAsk },
    Answer { to: usize, ticket: Ticket, answer: TrackerAnswer },
}

struct World {
    chance: Chance,
    now: u64,
    up: Vec<Option<Cluster>>,
    /// When each was started, so that answers to the run before are not taken for its own.
    runs: Vec<u64>,
    parcels: BTreeMap<(u64, u64), (u64, Parcel)>,
    sent: u64,
    /// Which side of a partition each tracker is on.
    side: Vec<u8>,
    /// Parcels lost, of 100.
    loss: u64,
    delay_ms: u64,
    /// How long a question may take before it counts as unanswered.
    ask_ms: u64,
    /// Connections on which a tracker joined its leader: (follower, leader).
    joined: BTreeSet<(usize, usize)>,
}

fn addr(tracker: usize) -> IpAddr {
    ip(&format!("10.0.0.{}", tracker + 1))
}

fn number(addr: IpAddr) -> usize {
    (0..16).find(|tracker| self::addr(*tracker) == addr).unwrap()
}

impl World {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = Self {
            chance: Chance(seed),
            now: 1_000_000,
            up: (0..count).map(|_| None).collect(),
            runs: vec![0; count],
            parcels: BTreeMap::new(),
            sent: 0,
            side: vec![0; count],
            loss: 0,
            delay_ms: 50,
            ask_ms: ASK_MS,
            joined: BTreeSet::new(),
        };
        for tracker in 0..count {
            world.start(tracker);
        }
        world
    }

    fn clock(&self) -> Now {
        Now { mono: Mono(self.now), wall: START + (self.now / 1000) as i64 }
    }

    /// Starts a tracker; a storage joins it at once and names all of them.
    fn start(&mut self, tracker: usize) {
        let mut config = config();
        (config.addrs, config.up_time) = (vec![addr(tracker)], self.clock().wall);
        self.up[tracker] = Some(Cluster::new(config, Saved::default(), self.clock()));
        self.runs[tracker] += 1;
        self.hang_up(tracker);
        let mut join = first_join("group1");
        join.joiner.tracker_ip = IpText::from(addr(tracker));
        join.trackers = (0..self.up.len()).map(|tracker| Host::new(addr(tracker), PORT)).collect();
        let from = Caller { conn: ConnId(1_000), peer: ip("10.1.0.1"), local: addr(tracker) };
        self.step(tracker, Event::Request { from, ask: Request::Join(&join) });
    }

    /// All connections of a tracker end.
    fn hang_up(&mut self, tracker: usize) {
        let ends = |(follower, leader): &(usize, usize)| *follower == tracker || *leader == tracker;
        let ended: Vec<_> = self.joined.iter().copied().filter(ends).collect();
        for (follower, leader) in ended {
            self.joined.remove(&(follower, leader));
            self.step(leader, Event::Closed { conn: ConnId(follower as u64) });
        }
    }

    fn kill(&mut self, tracker: usize) {
        self.up[tracker] = None;
        self.hang_up(tracker);
        self.runs[tracker] += 1;
    }

    fn step(&mut self, tracker: usize, event: Event<'_>) -> Option<Result<Reply, fdfs_proto::Status>> {
        let now = self.clock();
        let mut actions = Vec::new();
        self.up[tracker].as_mut()?.step(now, event, &mut actions);
        let mut got = None;
        for action in actions {
            match action {
                Action::AskTracker { ticket, addrs, ask, .. } => {
                    let to = number(addrs.first());
                    self.send(tracker, to, Parcel::Ask { from: tracker, to, ticket, ask });
                    // Whatever happens, the asker hears of it.
                    let late = Parcel::Answer { to: tracker, ticket, answer: TrackerAnswer::Silent };
                    self.put(self.ask_ms, tracker, late);
                }
                Action::Reply { reply, .. } => got = Some(reply.map_err(Into::into)),
                _ => {}
            }
        }
        got
    }

    fn put(&mut self, after: u64, to: usize, parcel: Parcel) {
        self.sent += 1;
        self.parcels.insert((self.now + after, self.sent), (self.runs[to], parcel));
    }

    fn send(&mut self, from: usize, to: usize, parcel: Parcel) {
        if self.side[from] != self.side[to] || self.chance.below(100) < self.loss {
            return;
        }
        let after = 1 + self.chance.below(self.delay_ms);
        self.put(after, to, parcel);
    }

    /// What happens next, if that is before `end`.
    fn next(&mut self, end: u64) -> bool {
        let wake = (0..self.up.len())
            .filter_map(|tracker| Some((self.up[tracker].as_ref()?.deadline().0.max(self.now), tracker)))
            .min();
        let parcel = self.parcels.keys().next().map(|(at, _)| *at);
        let first = wake.map(|(at, _)| at).into_iter().chain(parcel).min();
        let Some(at) = first.filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.now = at;
        if parcel == Some(at) {
            let (_, (run, parcel)) = self.parcels.pop_first().unwrap();
            self.deliver(run, parcel);
        } else if let Some((_, tracker)) = wake {
            let chance = self.chance.next() as u32;
            self.step(tracker, Event::Wake { chance });
        }
        true
    }

    fn deliver(&mut self, run: u64, parcel: Parcel) {
        match parcel {
            Parcel::Answer { to, ticket, answer } if self.runs[to] == run => {
                self.step(to, Event::TrackerAnswered { ticket, answer });
            }
            Parcel::Answer { .. } => {}
            Parcel::Ask { from, to, ticket, ask } => {
                let answer = match (&self.up[to], self.runs[to] == run) {
                    (None, _) => TrackerAnswer::NotRunning,
                    (Some(_), false) => TrackerAnswer::Silent,
                    (Some(_), true) => self.serve(from, to, ask),
                };
                self.send(to, from, Parcel::Answer { to: from, ticket, answer });
            }
        }
    }

    /// What a tracker answers another one.
    fn serve(&mut self, from: usize, to: usize, ask: TrackerAsk) -> TrackerAnswer {
        let caller = Caller { conn: ConnId(from as u64), peer: addr(from), local: addr(to) };
        let mut request = |ask| self.step(to, Event::Request { from: caller, ask }).unwrap();
        let answer = match ask {
            TrackerAsk::Status => {
                let now = self.clock();
                let figures = self.up[to].as_mut().unwrap().view().running_figures(now);
                return figures.map_or_else(|e| TrackerAnswer::Refused(e.into()), TrackerAnswer::Status);
            }
            TrackerAsk::Notify(host) => request(Request::NotifyLeader { addr: host.ip, port: host.port }),
            TrackerAsk::Commit(host) => request(Request::CommitLeader { addr: host.ip, port: host.port }),
            TrackerAsk::Ping(join) => {
                if self.joined.insert((from, to)) {
                    let join = Request::JoinLeader {
                        up_time: join.up_time,
                        version: join.version,
                        port: join.server_port,
                    };
                    let joined = self.step(to, Event::Request { from: caller, ask: join }).unwrap();
                    if let Err(status) = joined {
                        self.joined.remove(&(from, to));
                        self.step(to, Event::Closed { conn: caller.conn });
                        return TrackerAnswer::Refused(status);
                    }
                }
                let ping = Request::PingLeader { connections: Connections::default() };
                let ponged = self.step(to, Event::Request { from: caller, ask: ping }).unwrap();
                if ponged.is_err() {
                    // The connection is given up.
                    self.joined.remove(&(from, to));
                    self.step(to, Event::Closed { conn: caller.conn });
                }
                ponged
            }
        };
        match answer {
            Ok(Reply::Done) if matches!(ask, TrackerAsk::Ping(_)) => TrackerAnswer::Pong(Default::default()),
            Ok(Reply::TrunkServers(pong)) => TrackerAnswer::Pong(pong),
            Ok(_) => TrackerAnswer::Done,
            Err(status) => TrackerAnswer::Refused(status),
        }
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.next(end) {}
    }

    /// Whom each running tracker follows, itself when it leads.
    fn leaders(&mut self) -> Vec<Option<usize>> {
        let running: Vec<usize> = (0..self.up.len()).filter(|tracker| self.up[*tracker].is_some()).collect();
        let of = |tracker: usize, cluster: &mut Cluster| {
            let view = cluster.view();
            match view.trackers().leader_now() {
                Leader::Me => Some(tracker),
                _ => view.trackers().leader().map(|leader| number(leader.addrs.first())),
            }
        };
        running.into_iter().map(|tracker| of(tracker, self.up[tracker].as_mut().unwrap())).collect()
    }

    /// The one that leads and that all others follow.
    fn agreed(&mut self) -> Option<usize> {
        let leaders = self.leaders();
        let first = *leaders.first()?;
        let leader = first?;
        (leaders.iter().all(|other| *other == first) && self.up[leader].is_some()).then_some(leader)
    }

    fn heal(&mut self) {
        self.side.fill(0);
        (self.loss, self.delay_ms) = (0, 50);
    }
}

#[test]
fn trackers_that_start_together_agree_within_seconds() {
    for count in 2..=5 {
        for seed in 0..20 {
            let mut world = World::new(seed, count);
            world.run(15_000);
            assert_eq!(
                world.agreed(),
                Some(count - 1),
                "{count} trackers, seed {seed}: {:?}",
                world.leaders()
            );
        }
    }
}

#[test]
fn when_the_leader_is_killed_another_one_leads_and_keeps_to_it() {
    for count in 2..=5 {
        for seed in 0..20 {
            let mut world = World::new(seed, count);
            world.run(15_000);
            let old = world.agreed().unwrap();
            world.kill(old);
            world.run(30_000);
            let new = world.agreed().unwrap_or_else(|| panic!("seed {seed}: {:?}", world.leaders()));
            assert_ne!(new, old);
            world.start(old);
            world.run(15_000);
            assert_eq!(world.agreed(), Some(new), "whoever comes back follows");
        }
    }
}

#[test]
fn t17_a_minority_that_lost_its_leader_does_not_hurry_and_one_of_two_leads_in_the_end() {
    for count in 2..=5 {
        let mut world = World::new(7, count);
        // The network says at once that nobody can be reached.
        world.ask_ms = 100;
        world.run(15_000);
        let leader = world.agreed().unwrap();
        let cut_off = usize::from(leader == 0);
        world.side[cut_off] = 1;
        world.run(25_000);
        assert!(!world.up[cut_off].as_mut().unwrap().view().trackers().leads(), "{count} trackers");
        world.run(30_000);
        assert!(world.up[cut_off].as_mut().unwrap().view().trackers().leads(), "storages need somebody");
        world.heal();
        world.run(30_000);
        assert!(world.agreed().is_some(), "{count} trackers: {:?}", world.leaders());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the network did and whoever was killed, once it is whole all follow one.
    #[test]
    fn after_any_trouble_exactly_one_leads_and_all_follow(seed in any::<u64>(), count in 2..=5usize, troubles in 1..8usize) {
        let mut world = World::new(seed, count);
        for _ in 0..troubles {
            match world.chance.below(5) {
                0 => world.side = (0..count).map(|_| world.chance.below(2) as u8).collect(),
                1 => world.loss = world.chance.below(60),
                2 => world.delay_ms = 1 + world.chance.below(7_000),
                3 => {
                    let tracker = world.chance.below(count as u64) as usize;
                    world.kill(tracker);
                }
                _ => {
                    let tracker = world.chance.below(count as u64) as usize;
                    world.start(tracker);
                }
            }
            let ms = world.chance.below(60_000);
            world.run(ms);
        }
        world.heal();
        for tracker in 0..count {
            if world.up[tracker].is_none() {
                world.start(tracker);
            }
        }
        world.run(AGREE_MS);
        prop_assert!(world.agreed().is_some(), "{:?}", world.leaders());
        let agreed = world.agreed();
        world.run(60_000);
        prop_assert_eq!(world.agreed(), agreed, "nobody disturbs a healthy leader");
    }
}
