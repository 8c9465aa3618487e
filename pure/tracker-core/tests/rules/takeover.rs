//! The state of another tracker, taken over before the first JOIN; trunk servers, learnt from the leader.

use crate::testing::{PORT, START, Script, group, id, ip};
use fdfs_proto::Host;
use fdfs_proto::tracker::leader::{Pong, TrunkServer};
use tracker_core::{
    Action, Event, Naming, Note, Saved, Section, StateWanted, Ticket, TrackerAnswer, TrackerAsk,
};

/// What a tracker with two storages has saved.
fn saved() -> Saved {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    let now = t.now;
    Saved::from_tables(t.cluster.tables(now), &Naming::ByAddress).unwrap()
}

fn sought(t: &mut Script, found: Option<Saved>) {
    t.cluster.step(t.now, Event::StateSought { found: found.map(Box::new) }, &mut t.actions);
}

#[test]
fn only_a_tracker_without_groups_or_one_that_was_away_for_long_looks_for_state() {
    let nothing = Script::new();
    assert_eq!(nothing.cluster.state_wanted(nothing.now), Some(StateWanted::Any));
    for (last_check, wants) in [(START - 600, false), (START - 601, true)] {
        let t = Script::restarted(Saved { last_check: Some(last_check), ..saved() }, |_| {});
        let wanted = t.cluster.state_wanted(t.now);
        assert_eq!(matches!(wanted, Some(StateWanted::BetterThan(_))), wants, "{last_check}: {wanted:?}");
    }
}

#[test]
fn the_state_that_was_found_is_in_force_and_saved_and_looked_for_once() {
    let mut t = Script::new();
    sought(&mut t, Some(saved()));
    assert_eq!(t.group("group1").members.len(), 2);
    assert!(t.notes().contains(&&Note::StateTaken));
    let sections =
        [Section::Groups, Section::Servers, Section::SyncTimes, Section::Changelog, Section::Status];
    assert_eq!(t.saved(), sections);
    assert_eq!(t.cluster.state_wanted(t.now), None);
    t.serving("group1", &["10.0.0.1"]);
    sought(&mut t, Some(Saved::default()));
    assert_eq!(t.group("group1").members.len(), 2, "a second time nothing changes");
}

#[test]
fn a_tracker_that_storages_have_joined_keeps_its_own_state() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.9");
    sought(&mut t, Some(saved()));
    assert_eq!(t.group("group1").members.len(), 1);
}

/// A follower of 10.0.0.253 that pinged; the ticket of the ping.
fn follower() -> (Script, Ticket) {
    let mut t = Script::new();
    let other = Host::new(ip("10.0.0.253"), PORT);
    t.join_with("10.0.0.1", |ask| ask.trackers.push(other));
    t.joins("group1", "10.0.0.2");
    t.client(tracker_core::Request::NotifyLeader { addr: other.ip, port: PORT }).unwrap();
    t.client(tracker_core::Request::CommitLeader { addr: other.ip, port: PORT }).unwrap();
    t.until(2);
    let ping = t.actions.iter().find_map(|action| match action {
        Action::AskTracker { ticket, ask: TrackerAsk::Ping(_), .. } => Some(*ticket),
        _ => None,
    });
    t.saved();
    (t, ping.expect("a follower pings"))
}

fn pong(t: &mut Script, ticket: Ticket, group_name: &str, storage: Option<&str>) {
    let trunk_servers = vec![TrunkServer { group: group(group_name), id: storage.map(id) }];
    let answer = TrackerAnswer::Pong(Pong { trunk_servers });
    t.cluster.step(t.now, Event::TrackerAnswered { ticket, answer }, &mut t.actions);
}

#[test]
fn a_follower_takes_trunk_servers_from_its_leader_and_saves_them() {
    let (mut t, ticket) = follower();
    pong(&mut t, ticket, "group1", Some("10.0.0.2"));
    let group = t.group("group1");
    assert_eq!((group.trunk_server, group.last_trunk_server), (Some(id("10.0.0.2")), Some(id("10.0.0.2"))));
    assert_eq!(t.saved(), [Section::Groups]);
}

#[test]
fn a_trunk_server_that_is_not_known_here_is_remembered_only() {
    let (mut t, ticket) = follower();
    pong(&mut t, ticket, "group1", Some("10.0.0.77"));
    let group = t.group("group1");
    assert_eq!((group.trunk_server, group.last_trunk_server), (None, Some(id("10.0.0.77"))));
}

#[test]
fn groups_that_are_not_known_here_and_pongs_nobody_waits_for_are_ignored() {
    let (mut t, ticket) = follower();
    pong(&mut t, Ticket(ticket.0 + 50), "group1", Some("10.0.0.2"));
    pong(&mut t, ticket, "group9", Some("10.0.0.2"));
    assert_eq!(t.group("group1").trunk_server, None);
    assert_eq!(t.saved(), []);
}
