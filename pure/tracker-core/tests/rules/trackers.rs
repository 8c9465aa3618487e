//! The list of trackers, who leads, and what trackers ask each other.

use crate::testing::{PORT, START, Script, first_join, group, id, ip};
use fdfs_proto::tracker::leader::Connections;
use fdfs_proto::tracker::tracker_cluster_stat;
use fdfs_proto::{Host, Status, Version};
use tracker_core::{ConnId, Note, Refusal, Reply, Request};

const OTHER: &str = "10.0.0.253";

fn several() -> Script {
    let mut t = Script::new();
    t.join_with("10.0.0.1", |ask| ask.trackers.push(Host::new(ip(OTHER), PORT)));
    t
}

fn lead(t: &mut Script) {
    t.client(Request::NotifyLeader { addr: ip("10.0.0.254"), port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: ip("10.0.0.254"), port: PORT }).unwrap();
}

fn leader(t: &mut Script) -> Result<String, Refusal> {
    t.cluster.view().leader(ip("10.9.9.9")).map(|host| host.to_string())
}

#[test]
fn before_any_join_nobody_leads() {
    let mut t = Script::new();
    assert_eq!(leader(&mut t), Err(Refusal::NoLeader));
    assert_eq!(Refusal::NoLeader.status(), Status::ENOENT);
}

#[test]
fn a_tracker_alone_in_the_list_leads() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.254:22122");
    let note = Note::LeaderChanged { leader: Some((ip("10.0.0.254"), PORT)), me: true };
    assert!(t.notes().contains(&&note));
}

#[test]
fn a_tracker_with_two_addresses_in_the_list_is_still_alone() {
    let mut t = Script::with(|config| config.addrs.push(ip("192.0.2.1")));
    t.join_with("10.0.0.1", |ask| ask.trackers.push(Host::new(ip("192.0.2.1"), PORT)));
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.254:22122");
    let (now, ask) = (t.now, tracker_cluster_stat::Ask::default());
    let stats = t.cluster.view().tracker_stats(now, ask, Connections::default(), ip("10.9.9.9")).unwrap();
    assert_eq!(stats.trackers.len(), 1);
}

#[test]
fn one_of_several_trackers_follows_nobody_until_somebody_is_announced() {
    let mut t = several();
    assert_eq!(leader(&mut t), Err(Refusal::NoLeader));
    let ask = tracker_cluster_stat::Ask::default();
    let now = t.now;
    let stats = t.cluster.view().tracker_stats(now, ask, Connections::default(), ip("10.9.9.9"));
    assert_eq!(stats, Err(Refusal::NotLeader));
    t.client(Request::NotifyLeader { addr: ip(OTHER), port: PORT }).unwrap();
    assert_eq!(leader(&mut t), Err(Refusal::NoLeader), "named, not yet committed");
    t.client(Request::CommitLeader { addr: ip(OTHER), port: PORT }).unwrap();
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.253:22122");
}

#[test]
fn s11_a_join_that_names_a_further_tracker_does_not_end_the_rule_of_the_first() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    t.join_with("10.0.0.2", |ask| ask.trackers.push(Host::new(ip(OTHER), PORT)));
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.254:22122");
    t.until(100);
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.254:22122", "it is only asked");
}

#[test]
fn s11_an_address_of_another_tracker_is_not_taken_for_this_ones_own() {
    let mut t = several();
    t.join_with("10.0.0.2", |ask| ask.joiner.tracker_ip = fdfs_proto::IpText::from(ip(OTHER)));
    assert!(!t.cluster.view().trackers().is_alone());
    assert_eq!(leader(&mut t), Err(Refusal::NoLeader));
}

#[test]
fn only_the_named_tracker_can_be_committed() {
    let mut t = several();
    let commit = |addr| Request::CommitLeader { addr: ip(addr), port: PORT };
    assert_eq!(t.client(commit(OTHER)), Err(Refusal::BadValue));
    t.client(Request::NotifyLeader { addr: ip(OTHER), port: PORT }).unwrap();
    assert_eq!(t.client(commit("10.0.0.254")), Err(Refusal::BadValue));
    assert_eq!(t.client(commit("10.0.0.99")), Err(Refusal::UnknownTracker));
    let unknown = Request::NotifyLeader { addr: ip(OTHER), port: 1 };
    assert_eq!(t.client(unknown), Err(Refusal::UnknownTracker));
}

#[test]
fn a_leader_that_hears_of_another_steps_down_and_objects() {
    let mut t = several();
    lead(&mut t);
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.254:22122");
    let notice = Request::NotifyLeader { addr: ip(OTHER), port: PORT };
    assert_eq!(t.client(notice), Err(Refusal::TwoLeaders));
    assert_eq!(Refusal::TwoLeaders.status(), Status::EINVAL);
    assert_eq!(leader(&mut t), Err(Refusal::NoLeader));
}

#[test]
fn a_storage_that_sees_two_leaders_makes_this_one_step_down() {
    let mut t = several();
    assert_eq!(t.client(Request::ReselectLeader), Err(Refusal::NotLeader));
    lead(&mut t);
    assert_eq!(t.client(Request::ReselectLeader), Ok(Reply::Done));
    assert_eq!(leader(&mut t), Err(Refusal::NoLeader));
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    assert_eq!(t.client(Request::ReselectLeader), Ok(Reply::Done));
    assert_eq!(leader(&mut t).unwrap(), "10.0.0.254:22122", "there is nobody else");
}

#[test]
fn the_17th_tracker_is_refused() {
    let mut t = Script::new();
    let list = |count: u8| -> Vec<Host> {
        let others = (1..count).map(|number| Host::new(ip(&format!("10.0.1.{number}")), PORT));
        std::iter::once(Host::new(ip("10.0.0.254"), PORT)).chain(others).collect()
    };
    t.join_with("10.0.0.1", |ask| ask.trackers = list(16));
    let mut ask = first_join("group1");
    ask.trackers = vec![Host::new(ip("10.0.0.254"), PORT), Host::new(ip("10.0.2.1"), PORT)];
    assert_eq!(t.try_join("10.0.0.2", &ask), Err(Refusal::LimitReached));
    assert_eq!(t.cluster.view().trackers().iter().count(), 16);
}

#[test]
fn in_a_full_list_a_tracker_that_nobody_named_for_long_gives_its_place_away_and_who_leads_does_not() {
    let mut t = Script::new();
    let of = |number: u32| Host::new(ip(&format!("10.0.1.{number}")), PORT);
    let all_but = |t: &mut Script, gone: u32| -> bool {
        let trackers = t.cluster.view();
        let trackers = trackers.trackers();
        let known: Vec<String> = trackers.iter().map(|(one, _)| one.addrs.first().to_string()).collect();
        known.len() == 16 && !known.contains(&of(gone).ip.to_string())
    };
    // One tracker comes back under a new address each minute, and once more; the first of them leads.
    t.join_with("10.0.0.1", |ask| ask.trackers.push(of(1)));
    t.client(Request::NotifyLeader { addr: ip("10.0.1.1"), port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: ip("10.0.1.1"), port: PORT }).unwrap();
    for number in 2..=15 {
        t.at(u64::from(number) * 60).join_with("10.0.0.1", |ask| ask.trackers.push(of(number)));
    }
    let begun = 15 * 60;
    t.at(begun).join_with("10.0.0.1", |ask| ask.trackers.push(of(16)));
    assert!(all_but(&mut t, 2), "it was named longest ago, but for the leader");
    assert_eq!(leader(&mut t).unwrap(), "10.0.1.1:22122");
    // Who was named within ten minutes stays.
    for number in 17..=19 {
        t.join_with("10.0.0.1", |ask| ask.trackers.push(of(number)));
        assert!(all_but(&mut t, number - 14));
    }
    let mut ask = first_join("group1");
    ask.trackers.push(of(20));
    assert_eq!(t.try_join("10.0.0.2", &ask), Err(Refusal::LimitReached));
}

#[test]
fn a_known_tracker_learns_its_second_address() {
    let mut t = several();
    let both = Host { second: Some(ip("198.51.100.3")), ..Host::new(ip(OTHER), PORT) };
    t.join_with("10.0.0.2", |ask| ask.trackers = vec![both]);
    assert_eq!(t.cluster.view().trackers().iter().count(), 2);
    t.client(Request::NotifyLeader { addr: ip("198.51.100.3"), port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: ip(OTHER), port: PORT }).unwrap();
    let seen_outside = t.cluster.view().leader(ip("203.0.113.9")).unwrap();
    assert_eq!(seen_outside.to_string(), "198.51.100.3:22122");
}

fn join_leader(t: &mut Script, conn: ConnId, from: &str) -> Result<Reply, Refusal> {
    let version = Version::new(b"6.16.1").unwrap();
    t.ask(conn, from, Request::JoinLeader { up_time: 77, version, port: PORT })
}

#[test]
fn followers_join_once_and_ping() {
    let mut t = several();
    let conn = t.connect();
    assert_eq!(join_leader(&mut t, conn, OTHER), Err(Refusal::NotLeader));
    lead(&mut t);
    assert_eq!(join_leader(&mut t, conn, "10.0.0.99"), Err(Refusal::UnknownTracker));
    let connections = Connections { alloc_count: 1, current_count: 2, max_count: 3 };
    assert_eq!(t.ask(conn, OTHER, Request::PingLeader { connections }), Err(Refusal::BadValue));
    assert_eq!(join_leader(&mut t, conn, OTHER), Ok(Reply::Done));
    assert_eq!(join_leader(&mut t, conn, OTHER), Err(Refusal::TrackerJoined));
    assert_eq!(Refusal::TrackerJoined.status(), Status::EEXIST);
    t.at(10);
    assert!(t.ask(conn, OTHER, Request::PingLeader { connections }).is_ok());

    t.at(13);
    let own = Connections { alloc_count: 64, current_count: 5, max_count: 6 };
    let (now, view) = (t.now, t.cluster.view());
    let all = tracker_cluster_stat::Ask::default();
    let stats = view.tracker_stats(now, all, own, ip("10.9.9.9")).unwrap().trackers;
    assert_eq!(stats.len(), 2);
    assert_eq!(stats[0].host.to_string(), "10.0.0.254:22122");
    assert_eq!((stats[0].is_leader, stats[0].is_active, stats[0].connections), (true, true, own));
    assert_eq!((stats[0].up_time, stats[0].last_heartbeat_time), (START, START + 13));
    assert_eq!(stats[1].host.to_string(), "10.0.0.253:22122");
    assert_eq!((stats[1].is_leader, stats[1].is_active, stats[1].connections), (false, true, connections));
    assert_eq!((stats[1].up_time, stats[1].last_heartbeat_time), (77, START + 10));
    assert_eq!(stats[1].version.to_string(), "6.16.1");

    t.at(14);
    let inactive = tracker_cluster_stat::Ask { filter_by: 1, is_active: false, is_leader: false };
    let (now, view) = (t.now, t.cluster.view());
    let stats = view.tracker_stats(now, inactive, own, ip("10.9.9.9")).unwrap().trackers;
    assert_eq!(stats.iter().map(|stat| stat.host.to_string()).collect::<Vec<_>>(), ["10.0.0.253:22122"]);
    let leading = tracker_cluster_stat::Ask { filter_by: 2, is_active: false, is_leader: true };
    let stats = view.tracker_stats(now, leading, own, ip("10.9.9.9")).unwrap().trackers;
    assert_eq!(stats.iter().map(|stat| stat.host.to_string()).collect::<Vec<_>>(), ["10.0.0.254:22122"]);
}

#[test]
fn t2_a_storages_connection_cannot_ping_as_a_tracker() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    let connections = Connections::default();
    assert_eq!(t.joined_ask("10.0.0.1", Request::PingLeader { connections }), Err(Refusal::BadValue));
}

#[test]
fn running_figures_are_rounded_to_five_minutes() {
    let saved = tracker_core::Saved { last_check: Some(START - 1000), ..Default::default() };
    let mut t = Script::restarted(saved, |_| {});
    t.at(899);
    let now = t.now;
    assert_eq!(t.cluster.view().running_figures(now), Err(Refusal::NoGroups));
    t.joins("group1", "10.0.0.1");
    let figures = t.cluster.view().running_figures(now).unwrap();
    assert_eq!((figures.is_leader, figures.running_time, figures.restart_interval), (true, 600, 900));
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    let now = t.now;
    assert_eq!(t.cluster.view().running_figures(now).unwrap().restart_interval, 0);
}

#[test]
fn one_connection_at_a_time_copies_the_state_files() {
    let mut t = Script::new();
    assert_eq!(t.client(Request::HoldSysFiles), Err(Refusal::NoGroups));
    t.joins("group1", "10.0.0.1");
    let (first, second) = (t.connect(), t.connect());
    assert_eq!(t.ask(first, OTHER, Request::HoldSysFiles), Ok(Reply::Done));
    assert_eq!(t.ask(first, OTHER, Request::HoldSysFiles), Ok(Reply::Done));
    assert_eq!(t.ask(second, OTHER, Request::HoldSysFiles), Err(Refusal::Held));
    assert_eq!(Refusal::Held.status(), Status::EBUSY);
    t.ask(second, OTHER, Request::ReleaseSysFiles).unwrap();
    assert_eq!(t.ask(second, OTHER, Request::HoldSysFiles), Err(Refusal::Held), "only the holder lets go");
    t.ask(first, OTHER, Request::ReleaseSysFiles).unwrap();
    assert_eq!(t.ask(second, OTHER, Request::HoldSysFiles), Ok(Reply::Done));
    t.closes(second);
    assert_eq!(t.ask(first, OTHER, Request::HoldSysFiles), Ok(Reply::Done));
}

#[test]
fn t26_nobody_keeps_the_state_files_to_himself_for_ever() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    let (first, second) = (t.connect(), t.connect());
    t.ask(first, OTHER, Request::HoldSysFiles).unwrap();
    t.until(59);
    assert_eq!(t.ask(second, OTHER, Request::HoldSysFiles), Err(Refusal::Held));
    t.until(60);
    assert_eq!(t.ask(second, OTHER, Request::HoldSysFiles), Ok(Reply::Done));
}

#[test]
fn a_join_is_served_while_the_state_files_are_copied() {
    let mut t = Script::new();
    t.joins("group1", "10.0.0.1");
    let conn = t.connect();
    t.ask(conn, OTHER, Request::HoldSysFiles).unwrap();
    t.joins("group1", "10.0.0.2");
    assert!(t.group("group1").members.contains_key(&id("10.0.0.2")));
    assert_eq!(t.group("group1").name, group("group1"));
}
