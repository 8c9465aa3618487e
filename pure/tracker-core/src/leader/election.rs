//! Who leads: asked for, announced, followed, lost.
//!
//! A tracker without leader asks all others for their running figures and compares them with its own. If the best
//! one leads already it is followed. If it is this tracker, the others are told (66, then 67) and it leads. If it
//! is another one that does not lead yet, that one is given a while to say so, and everybody is asked again.
//!
//! Three rules the original does not have; none of them shows on the wire (decision 5):
//! - Whoever wins but hears of no more than half of the trackers waits before it leads, for the others may well be
//!   there and led. A tracker counts as heard of when it answers anything, and when its machine says that nothing
//!   listens there.
//! - A leader asks those who do not ping it whether they lead. Of two leaders the lesser one steps down.
//! - A tracker that is told of a candidate before any storage told it of the trackers refuses with ENOENT; that
//!   does not stop the candidate.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fdfs_proto::tracker::leader::{self, Connections};
use fdfs_proto::{Host, Status, Version};

use super::RunningFigures;
use super::trackers::{Leader, Learnt, Tracker, Trackers};
use crate::{Action, Mono, Now, Refusal, Ticket, TrackerAnswer, TrackerAsk};

/// Pings that fail in a row before a leader counts as lost (wire protocol: election).
const PINGS_LOST: u32 = 3;

/// How long everything around an election takes, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElectionTimes {
    /// Between two pings, and before a tracker that lost its leader asks for another. Doubles with each ping that
    /// fails.
    pub ping_ms: u64,
    /// Least and most time before an election that led to nothing is tried again; chance decides.
    pub retry_ms: (u64, u64),
    /// Between two looks of a leader for a second one.
    pub patrol_ms: u64,
    /// How long a tracker that cannot hear of more than half of all waits after the last sign of a leader, before it
    /// leads nonetheless.
    pub minority_ms: u64,
}

impl Default for ElectionTimes {
    fn default() -> Self {
        Self { ping_ms: 1_000, retry_ms: (1_000, 11_000), patrol_ms: 5_000, minority_ms: 30_000 }
    }
}

impl ElectionTimes {
    fn retry(&self, chance: u32) -> u64 {
        let (least, most) = self.retry_ms;
        let span = u128::from(most.saturating_sub(least));
        let part = span * u128::from(chance) / u128::from(u32::MAX);
        least.saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

/// What happens to an election beside the requests of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The time announced by [`Election::deadline`] has come.
    Wake {
        /// Uniformly random: spreads attempts that would otherwise meet again and again.
        chance: u32,
    },
    /// Another tracker answered, or did not in good time.
    Answered {
        /// Which question.
        ticket: Ticket,
        /// What it said.
        answer: &'a TrackerAnswer,
    },
}

/// The trackers of the cluster, and how they come to have one leader.
///
/// Synchronous: [`Election::step`] takes what happened and the time, and appends what is to be asked.
/// Whatever is asked is answered by one [`Event::Answered`].
#[derive(Debug, Clone)]
pub struct Election {
    trackers: Trackers,
    times: ElectionTimes,
    own: Own,
    stage: Stage,
    /// When there was a leader for sure, or might have been one: this tracker led, its leader answered, or it began.
    leader_seen: Mono,
    tickets: u64,
}

/// What this tracker says of itself.
#[derive(Debug, Clone, Copy)]
struct Own {
    up_time: i64,
    last_check: Option<i64>,
    version: Version,
}

/// Questions without answer yet, and to which tracker of the list.
type Asked = BTreeMap<Ticket, usize>;

#[derive(Debug, Clone)]
enum Stage {
    /// The list of trackers is not known.
    Unlisted,
    /// No leader; asks again then.
    Waiting { until: Mono },
    /// No leader; everybody was asked for figures.
    Asking { asked: Asked, heard: BTreeMap<usize, Heard>, chance: u32 },
    /// This tracker is the best; the others are being told.
    Announcing { round: Round, asked: Asked, told: Vec<usize>, objection: bool, chance: u32 },
    /// Another one leads.
    Following { leader: usize, failures: u32, pause_ms: u64, ping: Ping },
    /// This tracker leads. `patrol` are questions to those who do not ping.
    Leading { patrol_at: Mono, patrol: Asked },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Notify,
    Commit,
}

#[derive(Debug, Clone, Copy)]
enum Ping {
    Due(Mono),
    UnderWay(Ticket),
}

/// What came of asking a tracker for its figures.
#[derive(Debug, Clone, Copy)]
enum Heard {
    Figures(RunningFigures),
    /// It is there, but has nothing to say: no storage has told it anything yet.
    Present,
    /// Its machine is there, and nothing listens.
    NotRunning,
    Nothing,
}

impl Election {
    /// A tracker that starts at `now` (`up_time` on the wall), knows nobody yet, and listens on `port`.
    pub fn new(
        own: impl IntoIterator<Item = IpAddr>,
        port: u16,
        version: Version,
        (up_time, last_check): (i64, Option<i64>),
        times: ElectionTimes,
        now: Now,
    ) -> Self {
        Self {
            trackers: Trackers::new(own, port),
            times,
            own: Own { up_time, last_check, version },
            stage: Stage::Unlisted,
            leader_seen: now.mono,
            tickets: 0,
        }
    }

    /// The trackers, and who leads.
    pub fn trackers(&self) -> &Trackers {
        &self.trackers
    }

    /// This tracker's running figures.
    pub fn figures(&self, now: Now) -> RunningFigures {
        RunningFigures::new(now, self.own.up_time, self.own.last_check, self.trackers.leads())
    }

    /// When to send [`Event::Wake`]; at the end of time while nothing is to be done.
    pub fn deadline(&self) -> Mono {
        match &self.stage {
            Stage::Waiting { until } => *until,
            Stage::Following { ping: Ping::Due(at), .. } => *at,
            Stage::Leading { patrol_at, patrol } if patrol.is_empty() => *patrol_at,
            _ => Mono(u64::MAX),
        }
    }

    /// Whether a ping waits for the answer to this question.
    pub(crate) fn is_ping(&self, ticket: Ticket) -> bool {
        matches!(&self.stage, Stage::Following { ping: Ping::UnderWay(own), .. } if *own == ticket)
    }

    /// Takes one event and appends what is to be asked.
    pub fn step(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Wake { chance } if self.deadline() <= now.mono => self.wake(now, chance, out),
            Event::Wake { .. } => {}
            Event::Answered { ticket, answer } => self.answered(now, ticket, answer, out),
        }
        self.settle(now);
    }

    /// Learns from a JOIN: [`Trackers::learn`].
    pub fn learn(
        &mut self,
        now: Now,
        reached: impl IntoIterator<Item = IpAddr>,
        claimed: Option<IpAddr>,
        hosts: &[Host],
    ) -> Result<Learnt, Refusal> {
        let learnt = self.trackers.learn(now.mono, reached, claimed, hosts)?;
        if let (Stage::Leading { patrol_at, .. }, false) = (&mut self.stage, learnt.added.is_empty()) {
            // Whoever was named may lead.
            *patrol_at = now.mono;
        }
        self.settle(now);
        Ok(learnt)
    }

    /// JOIN_LEADER (58): [`Trackers::join`].
    pub fn join(
        &mut self,
        now: Now,
        addr: IpAddr,
        port: u16,
        up_time: i64,
        version: Version,
    ) -> Result<usize, Refusal> {
        self.trackers.join(now, addr, port, up_time, version)
    }

    /// PING_LEADER (65): [`Trackers::ping`].
    pub fn ping(&mut self, now: Now, index: usize, connections: Connections) -> Result<(), Refusal> {
        self.trackers.ping(now, index, connections)
    }

    /// NOTIFY_NEXT_LEADER (66): [`Trackers::notify`].
    pub fn notify(&mut self, now: Now, addr: IpAddr, port: u16) -> Result<(), Refusal> {
        let result = self.trackers.notify(addr, port);
        self.settle(now);
        result
    }

    /// COMMIT_NEXT_LEADER (67): [`Trackers::commit`].
    pub fn commit(&mut self, now: Now, addr: IpAddr, port: u16) -> Result<bool, Refusal> {
        let result = self.trackers.commit(addr, port);
        self.settle(now);
        result
    }

    /// NOTIFY_RESELECT_LEADER (68): [`Trackers::step_down`].
    pub fn step_down(&mut self, now: Now) -> Result<(), Refusal> {
        let result = self.trackers.step_down();
        self.settle(now);
        result
    }

    fn wake(&mut self, now: Now, chance: u32, out: &mut Vec<Action>) {
        match &mut self.stage {
            Stage::Waiting { .. } => {
                let others = self.others(|_| true);
                let asked = self.ask(others, |_| TrackerAsk::Status, out);
                self.stage = Stage::Asking { asked, heard: BTreeMap::new(), chance };
                self.decide_when_heard(now, out);
            }
            Stage::Following { leader, .. } => {
                let (leader, own) = (*leader, self.own);
                let join = leader::Join {
                    up_time: own.up_time,
                    version: own.version,
                    server_port: self.trackers.port(),
                };
                let asked = self.ask(vec![leader], |_| TrackerAsk::Ping(join), out);
                if let (Stage::Following { ping, .. }, Some(ticket)) = (&mut self.stage, asked.keys().next())
                {
                    *ping = Ping::UnderWay(*ticket);
                }
            }
            Stage::Leading { .. } => {
                let others = self.others(|tracker| !tracker.pings(now.mono));
                let patrol = self.ask(others, |_| TrackerAsk::Status, out);
                self.stage = Stage::Leading { patrol_at: now.mono.after_ms(self.times.patrol_ms), patrol };
            }
            Stage::Unlisted | Stage::Asking { .. } | Stage::Announcing { .. } => {}
        }
    }

    fn answered(&mut self, now: Now, ticket: Ticket, answer: &TrackerAnswer, out: &mut Vec<Action>) {
        match &mut self.stage {
            Stage::Asking { asked, heard, .. } => {
                let Some(index) = asked.remove(&ticket) else { return };
                heard.insert(index, Heard::from(answer));
                self.decide_when_heard(now, out);
            }
            Stage::Announcing { round, asked, told, objection, .. } => {
                let Some(index) = asked.remove(&ticket) else { return };
                match answer {
                    TrackerAnswer::Refused(status) => {
                        // Without list it cannot know the candidate; it asks for a leader once it has one.
                        *objection |= !(*round == Round::Notify && *status == Status::ENOENT);
                    }
                    TrackerAnswer::Done => told.push(index),
                    // It was there a moment ago. If it comes back it finds a leader.
                    _ => {}
                }
                self.announce_on(now, out);
            }
            Stage::Following { failures, pause_ms, ping, .. } => {
                match *ping {
                    Ping::UnderWay(own) if own == ticket => {}
                    _ => return,
                }
                if let TrackerAnswer::Pong(_) = answer {
                    (*failures, *pause_ms) = (0, self.times.ping_ms);
                    self.leader_seen = now.mono;
                } else {
                    *failures += 1;
                    *pause_ms = pause_ms.saturating_mul(2);
                }
                *ping = Ping::Due(now.mono.after_ms(*pause_ms));
                if *failures >= PINGS_LOST {
                    self.trackers.set_leader(Leader::None);
                }
            }
            Stage::Leading { patrol, .. } => {
                let Some(index) = patrol.remove(&ticket) else { return };
                if let TrackerAnswer::Status(got) = answer
                    && got.is_leader
                {
                    self.two_leaders(now, index, (*got).into(), out);
                }
            }
            Stage::Unlisted | Stage::Waiting { .. } => {}
        }
    }

    /// Somebody else says that it leads, as this tracker does. The better one goes on; both see the same figures,
    /// and should they not, both step down and everybody votes.
    fn two_leaders(&mut self, now: Now, index: usize, figures: RunningFigures, out: &mut Vec<Action>) {
        let Some(me) = self.trackers.my_index() else { return };
        if self.rank(index, figures) > self.rank(me, self.figures(now)) {
            self.trackers.set_leader(Leader::Other(index));
        } else if let Some(host) = self.trackers.host(me) {
            // A leader that is told of another one steps down, and finds this one when it looks for a new one.
            self.ask(vec![index], |_| TrackerAsk::Notify(host), out);
        }
    }

    /// When everybody was heard of, or is known not to answer: who is the best?
    fn decide_when_heard(&mut self, now: Now, out: &mut Vec<Action>) {
        let Stage::Asking { asked, heard, chance } = &self.stage else { return };
        let Some(me) = self.trackers.my_index().filter(|_| asked.is_empty()) else { return };
        let (heard, chance) = (heard.clone(), *chance);
        let figures = heard.iter().filter_map(|(index, heard)| match heard {
            Heard::Figures(figures) => Some((*index, *figures)),
            _ => None,
        });
        let own = self.figures(now);
        let best = figures.chain([(me, own)]).max_by_key(|(index, figures)| self.rank(*index, *figures));
        let (best, figures) = best.unwrap_or((me, own));
        if best != me && figures.is_leader {
            self.trackers.set_leader(Leader::Other(best));
        } else if best != me {
            self.wait(now, self.times.retry(chance));
        } else {
            let silent = heard.values().filter(|heard| matches!(heard, Heard::Nothing)).count();
            let all = heard.len() + 1;
            let may_lead_at = self.leader_seen.after_ms(self.times.minority_ms);
            if 2 * silent >= all && now.mono < may_lead_at {
                let left = may_lead_at.since_ms(now.mono);
                return self.wait(now, left.min(self.times.retry(chance)));
            }
            let there = heard.iter().filter(|(_, heard)| matches!(heard, Heard::Figures(_) | Heard::Present));
            let there = there.map(|(index, _)| *index).collect();
            self.announce(Round::Notify, there, chance, now, out);
        }
    }

    fn announce(&mut self, round: Round, to: Vec<usize>, chance: u32, now: Now, out: &mut Vec<Action>) {
        let Some(host) = self.trackers.my_index().and_then(|me| self.trackers.host(me)) else { return };
        let ask = |_| match round {
            Round::Notify => TrackerAsk::Notify(host),
            Round::Commit => TrackerAsk::Commit(host),
        };
        let asked = self.ask(to, ask, out);
        self.stage = Stage::Announcing { round, asked, told: Vec::new(), objection: false, chance };
        self.announce_on(now, out);
    }

    /// When everybody was told: tells them the second time, or leads.
    fn announce_on(&mut self, now: Now, out: &mut Vec<Action>) {
        let Stage::Announcing { round, asked, told, objection, chance } = &mut self.stage else { return };
        if !asked.is_empty() {
            return;
        }
        let (round, told, objection, chance) = (*round, std::mem::take(told), *objection, *chance);
        match round {
            _ if objection => self.wait(now, self.times.retry(chance)),
            Round::Notify => self.announce(Round::Commit, told, chance, now, out),
            // Only now, when nobody objects: whoever pings before is refused, and has two more tries.
            Round::Commit => {
                self.trackers.set_leader(Leader::Me);
            }
        }
    }

    fn wait(&mut self, now: Now, ms: u64) {
        self.stage = Stage::Waiting { until: now.mono.after_ms(ms) };
    }

    /// Brings the stage in line with who leads: others change that with their requests at any time.
    fn settle(&mut self, now: Now) {
        let soon = now.mono.after_ms(self.times.ping_ms);
        match (self.trackers.leader_now(), &self.stage) {
            (Leader::Me, Stage::Leading { .. }) => self.leader_seen = now.mono,
            (Leader::Me, _) => {
                self.leader_seen = now.mono;
                self.stage = Stage::Leading { patrol_at: soon, patrol: Asked::new() };
            }
            (Leader::Other(index), Stage::Following { leader, .. }) if *leader == index => {}
            (Leader::Other(leader), _) => {
                let (failures, pause_ms, ping) = (0, self.times.ping_ms, Ping::Due(soon));
                self.leader_seen = now.mono;
                self.stage = Stage::Following { leader, failures, pause_ms, ping };
            }
            (Leader::None, Stage::Unlisted) if self.trackers.is_listed() => {
                self.leader_seen = now.mono;
                self.stage = Stage::Waiting { until: soon };
            }
            (Leader::None, Stage::Following { .. } | Stage::Leading { .. }) => {
                self.stage = Stage::Waiting { until: soon };
            }
            (Leader::None, _) => {}
        }
    }

    /// All other trackers that are `wanted`.
    fn others(&self, wanted: impl Fn(&Tracker) -> bool) -> Vec<usize> {
        let others =
            self.trackers.iter().enumerate().filter(|(_, (tracker, is_me))| !is_me && wanted(tracker));
        others.map(|(index, _)| index).collect()
    }

    fn ask(&mut self, to: Vec<usize>, ask: impl Fn(usize) -> TrackerAsk, out: &mut Vec<Action>) -> Asked {
        let mut asked = Asked::new();
        for index in to {
            let Some(tracker) = self.trackers.get(index) else { continue };
            self.tickets += 1;
            let ticket = Ticket(self.tickets);
            asked.insert(ticket, index);
            let (addrs, port) = (tracker.addrs, tracker.port);
            out.push(Action::AskTracker { ticket, addrs, port, ask: ask(index) });
        }
        asked
    }

    /// What trackers are compared by: their figures, then their first address as text, then their port.
    fn rank(&self, index: usize, figures: RunningFigures) -> (RunningFigures, String, u16) {
        let host = self.trackers.get(index).map(|tracker| (tracker.addrs.first().to_string(), tracker.port));
        let (addr, port) = host.unwrap_or_default();
        (figures, addr, port)
    }
}

impl From<&TrackerAnswer> for Heard {
    fn from(answer: &TrackerAnswer) -> Self {
        match answer {
            TrackerAnswer::Status(got) => Self::Figures((*got).into()),
            TrackerAnswer::Refused(_) | TrackerAnswer::Done | TrackerAnswer::Pong(_) => Self::Present,
            TrackerAnswer::NotRunning => Self::NotRunning,
            TrackerAnswer::Silent => Self::Nothing,
        }
    }
}
