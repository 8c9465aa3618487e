//! Every step of an election, from the side of one tracker.

use crate::testing::{PORT, START, ip};
use fdfs_proto::tracker::leader::{Connections, Join, Pong};
use fdfs_proto::tracker::tracker_status;
use fdfs_proto::{Host, Status, Version};
use tracker_core::leader::{Election, ElectionTimes, Event, Leader, RunningFigures};
use tracker_core::{Action, Mono, Now, Refusal, Ticket, TrackerAnswer, TrackerAsk};

/// This tracker; the others have smaller addresses as text, so among equals it wins.
const ME: &str = "10.0.0.9";
const B: &str = "10.0.0.2";
const C: &str = "10.0.0.3";

/// One tracker of several and what it asked, in virtual time.
struct One {
    election: Election,
    now: Now,
    /// Questions without answer.
    asked: Vec<(Ticket, String, TrackerAsk)>,
}

fn figures(is_leader: bool, running_time: i64, restart_interval: i64) -> TrackerAnswer {
    TrackerAnswer::Status(tracker_status::Got { is_leader, running_time, restart_interval })
}

/// The figures of a tracker that started as this one did.
fn equal() -> TrackerAnswer {
    figures(false, 0, 0)
}

fn host(addr: &str) -> Host {
    Host::new(ip(addr), PORT)
}

impl One {
    /// Knows itself and these.
    fn of(others: &[&str]) -> Self {
        let now = Now { mono: Mono(1_000_000), wall: START };
        let version = Version::new(b"6.16.1").unwrap();
        let times = ElectionTimes::default();
        let election = Election::new([ip(ME)], PORT, version, (START, None), times, now);
        let mut one = Self { election, now, asked: Vec::new() };
        let hosts: Vec<_> = others.iter().chain([&ME]).map(|addr| host(addr)).collect();
        one.election.learn(one.now, [ip(ME)], None, &hosts).unwrap();
        one
    }

    fn step(&mut self, event: Event<'_>) -> &mut Self {
        let mut out = Vec::new();
        self.election.step(self.now, event, &mut out);
        for action in out {
            match action {
                Action::AskTracker { ticket, addrs, port: PORT, ask } => {
                    self.asked.push((ticket, addrs.first().to_string(), ask));
                }
                other => panic!("{other:?}"),
            }
        }
        self
    }

    fn sleep(&mut self, ms: u64) -> &mut Self {
        let mono = self.now.mono.after_ms(ms);
        self.now = Now { mono, wall: START + (mono.0 as i64 - 1_000_000) / 1000 };
        self
    }

    /// Sleeps until the deadline and wakes; how long that was.
    fn wake(&mut self) -> u64 {
        assert!(self.asked.is_empty(), "answers are due: {:?}", self.asked);
        assert_ne!(self.election.deadline(), Mono(u64::MAX), "nothing to wake for");
        let slept = self.election.deadline().since_ms(self.now.mono);
        self.sleep(slept).step(Event::Wake { chance: 0 });
        slept
    }

    /// One of the others answers what it was asked.
    fn answer(&mut self, who: &str, answer: TrackerAnswer) -> &mut Self {
        let found = self.asked.iter().position(|(_, to, _)| to == who).expect("was asked");
        let (ticket, ..) = self.asked.remove(found);
        self.step(Event::Answered { ticket, answer: &answer })
    }

    fn asks(&self) -> Vec<(&str, TrackerAsk)> {
        self.asked.iter().map(|(_, to, ask)| (to.as_str(), *ask)).collect()
    }

    fn leader(&self) -> Option<String> {
        self.election.trackers().leader().map(|tracker| tracker.addrs.first().to_string())
    }

    /// Leads, with these others, of which nobody answers.
    fn leading(others: &[&str]) -> Self {
        let mut one = Self::of(others);
        one.election.notify(one.now, ip(ME), PORT).unwrap();
        one.election.commit(one.now, ip(ME), PORT).unwrap();
        one
    }

    /// Follows the first of these.
    fn following(others: &[&str]) -> Self {
        let mut one = Self::of(others);
        one.election.notify(one.now, ip(others[0]), PORT).unwrap();
        one.election.commit(one.now, ip(others[0]), PORT).unwrap();
        one
    }
}

#[test]
fn trackers_are_compared_by_leadership_then_running_time_then_absence() {
    let f = |is_leader, running_time, restart_interval| RunningFigures {
        is_leader,
        running_time,
        restart_interval,
    };
    let worst_first = [
        f(false, 0, 900),
        f(false, 0, 300),
        f(false, 0, 0),
        f(false, 300, 900),
        f(true, 0, 900),
        f(true, 300, 0),
    ];
    for pair in worst_first.windows(2) {
        assert!(pair[0] < pair[1], "{pair:?}");
    }
}

/// What one other tracker answers, and whom it makes this one ask or follow.
#[test]
fn the_best_one_leads() {
    enum Then {
        Announces,
        Waits,
        Follows,
    }
    use Then::{Announces, Follows, Waits};
    let table = [
        (equal(), Announces, "the greater address wins"),
        (figures(false, 300, 0), Waits, "it runs longer, and will say so itself"),
        (figures(false, 0, 300), Announces, "it was away before"),
        (figures(true, 0, 900), Follows, "a leader before all others"),
        (TrackerAnswer::Refused(Status::ENOENT), Announces, "it has no groups and takes no part"),
        (TrackerAnswer::Refused(Status::EINVAL), Announces, "it does not know the question"),
    ];
    for (answer, then, why) in table {
        let mut one = One::of(&[B]);
        assert_eq!(one.wake(), 1_000, "as soon as the list is known");
        assert_eq!(one.asks(), [(B, TrackerAsk::Status)]);
        one.answer(B, answer);
        match then {
            Announces => {
                assert_eq!(one.asks(), [(B, TrackerAsk::Notify(host(ME)))], "{why}");
                one.answer(B, TrackerAnswer::Done);
                assert_eq!(one.asks(), [(B, TrackerAsk::Commit(host(ME)))], "{why}");
                assert_eq!(one.leader(), None, "{why}");
                one.answer(B, TrackerAnswer::Done);
                assert_eq!(one.leader().as_deref(), Some(ME), "{why}");
            }
            Waits => {
                assert_eq!((one.leader(), one.asks()), (None, vec![]), "{why}");
                assert_eq!(one.wake(), 1_000, "{why}");
                assert_eq!(one.asks(), [(B, TrackerAsk::Status)], "{why}");
            }
            Follows => assert_eq!((one.leader().as_deref(), one.asks()), (Some(B), vec![]), "{why}"),
        }
    }
}

#[test]
fn chance_spreads_attempts_over_the_whole_span() {
    for (chance, ms) in [(0, 1_000), (u32::MAX / 2, 5_999), (u32::MAX, 11_000)] {
        let mut one = One::of(&[B]);
        one.sleep(1_000).step(Event::Wake { chance });
        one.answer(B, figures(false, 300, 0));
        assert_eq!(one.election.deadline().since_ms(one.now.mono), ms);
    }
}

/// What the other one says to NOTIFY, or to COMMIT, and whether this one leads.
#[test]
fn an_objection_ends_an_announcement_and_silence_does_not() {
    let refused = TrackerAnswer::Refused;
    let table = [
        (refused(Status::EINVAL), None, false, "two leaders, says it"),
        (
            refused(Status::ENOENT),
            None,
            true,
            "it does not know the trackers yet, so there is nothing to commit",
        ),
        (TrackerAnswer::Silent, None, true, "gone in between"),
        (TrackerAnswer::NotRunning, None, true, "gone in between"),
        (TrackerAnswer::Done, Some(refused(Status::EINVAL)), false, "somebody else was named in between"),
        (TrackerAnswer::Done, Some(refused(Status::ENOENT)), false, "it knew this one a moment ago"),
        (TrackerAnswer::Done, Some(TrackerAnswer::Silent), true, "gone in between"),
        (TrackerAnswer::Done, Some(TrackerAnswer::Done), true, "agreed"),
    ];
    for (notified, committed, leads, why) in table {
        let mut one = One::of(&[B]);
        one.wake();
        one.answer(B, equal()).answer(B, notified);
        if let Some(answer) = committed {
            one.answer(B, answer);
        }
        assert_eq!(one.election.trackers().leads(), leads, "{why}");
        assert_eq!(one.asks(), vec![], "{why}");
        if !leads {
            assert_eq!(one.wake(), 1_000, "{why}");
            assert_eq!(one.asks(), [(B, TrackerAsk::Status)], "{why}");
        }
    }
}

#[test]
fn an_announcement_yields_to_somebody_who_was_committed_meanwhile() {
    let mut one = One::of(&[B]);
    one.wake();
    one.answer(B, equal());
    one.election.notify(one.now, ip(B), PORT).unwrap();
    one.election.commit(one.now, ip(B), PORT).unwrap();
    one.answer(B, TrackerAnswer::Done);
    assert_eq!((one.leader().as_deref(), one.asks()), (Some(B), vec![]));
}

/// Of `others` trackers so many are silent: does this one lead at once?
#[test]
fn without_the_word_of_more_than_half_it_waits_half_a_minute() {
    let gone = TrackerAnswer::NotRunning;
    let table: [(&[TrackerAnswer], bool, &str); 7] = [
        (&[TrackerAnswer::Silent], false, "one of two: the other may well be there"),
        (std::slice::from_ref(&gone), true, "one of two, and the other is gone for sure"),
        (&[equal(), TrackerAnswer::Silent], true, "two of three"),
        (&[gone.clone(), TrackerAnswer::Silent], true, "one, one gone, of three"),
        (&[TrackerAnswer::Silent, TrackerAnswer::Silent], false, "one of three"),
        (&[equal(), TrackerAnswer::Silent, TrackerAnswer::Silent], false, "two of four"),
        (&[equal(), equal(), TrackerAnswer::Silent, TrackerAnswer::Silent], true, "three of five"),
    ];
    for (answers, at_once, why) in table {
        let names: Vec<String> = (0..answers.len()).map(|number| format!("10.0.0.{}", number + 2)).collect();
        let mut one = One::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let began = one.now.mono;
        loop {
            one.wake();
            for (name, answer) in names.iter().zip(answers) {
                one.answer(name, answer.clone());
            }
            while let Some((_, to, _)) = one.asked.first().cloned() {
                one.answer(&to, TrackerAnswer::Done);
            }
            if one.election.trackers().leads() {
                break;
            }
        }
        let took = one.now.mono.since_ms(began);
        assert_eq!(took, if at_once { 1_000 } else { 30_000 }, "{why}");
    }
}

#[test]
fn a_leader_is_pinged_every_second() {
    let mut one = One::following(&[B]);
    let join = Join { up_time: START, version: Version::new(b"6.16.1").unwrap(), server_port: PORT };
    for _ in 0..3 {
        assert_eq!(one.wake(), 1_000);
        assert_eq!(one.asks(), [(B, TrackerAsk::Ping(join))]);
        one.answer(B, TrackerAnswer::Pong(Pong::default()));
        assert_eq!(one.leader().as_deref(), Some(B));
    }
}

#[test]
fn a_leader_is_lost_after_three_pings_further_and_further_apart() {
    let failures =
        [TrackerAnswer::Silent, TrackerAnswer::NotRunning, TrackerAnswer::Refused(Status::EOPNOTSUPP)];
    for failure in failures {
        let mut one = One::following(&[B]);
        one.wake();
        one.answer(B, failure.clone());
        assert_eq!(one.wake(), 2_000, "{failure:?}");
        one.answer(B, TrackerAnswer::Pong(Pong::default()));
        assert_eq!(one.wake(), 1_000, "one good ping and all is well");
        one.answer(B, failure.clone());
        assert_eq!(one.wake(), 2_000);
        one.answer(B, failure.clone());
        assert_eq!(one.leader().as_deref(), Some(B));
        assert_eq!(one.wake(), 4_000);
        one.answer(B, failure.clone());
        assert_eq!(one.leader(), None, "{failure:?}");
        assert_eq!(one.wake(), 1_000);
        assert_eq!(one.asks(), [(B, TrackerAsk::Status)]);
    }
}

#[test]
fn the_half_minute_counts_from_the_last_ping_that_was_answered() {
    let mut one = One::following(&[B]);
    one.wake();
    one.answer(B, TrackerAnswer::Pong(Pong::default()));
    let last = one.now.mono;
    while !one.election.trackers().leads() {
        one.wake();
        one.answer(B, TrackerAnswer::Silent);
    }
    assert_eq!(one.now.mono.since_ms(last), 30_000);
}

#[test]
fn a_leader_looks_for_a_second_one_among_those_who_do_not_ping() {
    let mut one = One::leading(&[B, C]);
    assert_eq!(one.wake(), 1_000);
    assert_eq!(one.asks(), [(B, TrackerAsk::Status), (C, TrackerAsk::Status)]);
    one.answer(B, equal()).answer(C, TrackerAnswer::Silent);
    let version = Version::new(b"6.16.1").unwrap();
    one.sleep(4_000);
    let index = one.election.join(one.now, ip(B), PORT, START, version).unwrap();
    one.election.ping(one.now, index, Connections::default()).unwrap();
    assert_eq!(one.wake(), 1_000, "every five seconds");
    assert_eq!(one.asks(), [(C, TrackerAsk::Status)]);
}

#[test]
fn of_two_leaders_the_lesser_one_steps_down() {
    let mut one = One::leading(&[B]);
    one.wake();
    one.answer(B, figures(true, 300, 0));
    assert_eq!((one.leader().as_deref(), one.asks()), (Some(B), vec![]), "it runs longer");

    let mut one = One::leading(&[B]);
    one.wake();
    one.answer(B, figures(true, 0, 0));
    assert_eq!(one.leader().as_deref(), Some(ME));
    assert_eq!(one.asks(), [(B, TrackerAsk::Notify(host(ME)))], "told of a better one, it steps down");
    one.answer(B, TrackerAnswer::Refused(Status::EINVAL));
    assert_eq!(one.leader().as_deref(), Some(ME));
}

#[test]
fn s11_a_tracker_that_is_named_is_asked_at_once_and_does_not_rule_by_being_there() {
    let mut one = One::of(&[]);
    assert_eq!(one.leader().as_deref(), Some(ME), "alone");
    one.wake();
    one.election.learn(one.now, [], None, &[host(B)]).unwrap();
    assert_eq!(one.leader().as_deref(), Some(ME));
    assert_eq!(one.wake(), 0);
    assert_eq!(one.asks(), [(B, TrackerAsk::Status)]);
    one.answer(B, figures(false, 900, 0));
    assert_eq!(one.leader().as_deref(), Some(ME), "it does not lead, so it will follow");
    one.wake();
    one.answer(B, figures(true, 900, 0));
    assert_eq!(one.leader().as_deref(), Some(B), "it leads, and for longer");
}

/// What others ask while this one leads or follows, and who leads then.
#[test]
fn requests_of_others_change_who_leads() {
    let mut one = One::leading(&[B]);
    assert_eq!(one.election.notify(one.now, ip(B), PORT), Err(Refusal::TwoLeaders));
    assert_eq!(one.leader(), None);
    assert_eq!(one.wake(), 1_000);
    assert_eq!(one.asks(), [(B, TrackerAsk::Status)], "everybody votes again");

    let mut one = One::leading(&[B]);
    one.election.step_down(one.now).unwrap();
    assert_eq!((one.leader(), one.wake()), (None, 1_000));

    let mut one = One::following(&[B, C]);
    one.wake();
    one.election.notify(one.now, ip(C), PORT).unwrap();
    assert_eq!(one.leader().as_deref(), Some(B), "only named");
    one.election.commit(one.now, ip(C), PORT).unwrap();
    assert_eq!(one.leader().as_deref(), Some(C));
    one.answer(B, TrackerAnswer::Pong(Pong::default()));
    one.wake();
    assert!(matches!(one.asks()[..], [(C, TrackerAsk::Ping(_))]), "the old leader's answer is nothing to it");
}

#[test]
fn whoever_was_named_is_forgotten_when_another_leads() {
    let mut one = One::of(&[B, C]);
    one.election.notify(one.now, ip(C), PORT).unwrap();
    one.wake();
    one.answer(B, figures(true, 0, 0)).answer(C, equal());
    assert_eq!(one.leader().as_deref(), Some(B));
    assert_eq!(one.election.commit(one.now, ip(C), PORT), Err(Refusal::BadValue));
    assert_eq!(one.leader().as_deref(), Some(B));
    assert!(matches!(one.election.trackers().leader_now(), Leader::Other(0)));
}

#[test]
fn answers_to_what_nobody_asked_change_nothing() {
    let mut one = One::following(&[B]);
    let before = one.election.deadline();
    for answer in [TrackerAnswer::Silent, figures(true, 900, 0), TrackerAnswer::Pong(Pong::default())] {
        one.step(Event::Answered { ticket: Ticket(77), answer: &answer });
        assert_eq!((one.leader().as_deref(), one.election.deadline()), (Some(B), before));
    }
}
