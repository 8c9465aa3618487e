//! Which storage allocates trunk space, and what it reports.

use crate::testing::{PORT, Script, group, id, ip};
use fdfs_fileid::GroupName;
use fdfs_proto::tracker::leader::{Connections, Pong, TrunkServer};
use fdfs_proto::tracker::set_trunk_server::Got;
use fdfs_proto::tracker::trunk::FileNumber;
use fdfs_proto::{Host, Status, StorageId, Version};
use tracker_core::{
    Action, Naming, Note, Refusal, Reply, Request, Saved, Section, StorageAsk, Ticket, TrunkLoading,
};

fn with_trunk() -> Script {
    Script::with(|config| config.placement.use_trunk = true)
}

/// Questions to storages that were not looked at yet: (ticket, address, what).
fn asked(t: &mut Script) -> Vec<(Ticket, String, StorageAsk)> {
    let mut asked = Vec::new();
    t.actions.retain(|action| match action {
        Action::AskStorage { ticket, addrs, ask, .. } => {
            asked.push((*ticket, addrs.first().to_string(), *ask));
            false
        }
        _ => true,
    });
    asked
}

/// Answers everything that is asked until nothing is: sizes of trunk binlogs by address, marks always.
fn answer_all(t: &mut Script, size: impl Fn(&str) -> Option<u64>) {
    loop {
        let questions = asked(t);
        if questions.is_empty() {
            return;
        }
        for (ticket, storage, ask) in questions {
            let answer = match ask {
                StorageAsk::TrunkBinlogSize => size(&storage),
                StorageAsk::DeleteTrunkMarks => Some(0),
            };
            t.answers(ticket, answer);
        }
    }
}

/// Makes a storage, the first of its group, the trunk server.
pub(crate) fn elect(t: &mut Script, name: GroupName, storage: StorageId) {
    answer_all(t, |_| Some(0));
    assert_eq!(t.group(name.as_str()).trunk_server, Some(storage));
}

fn set(t: &mut Script, storage: Option<&str>) -> Option<Result<Reply, Refusal>> {
    let conn = t.connect();
    t.start(conn, "10.9.9.9", Request::SetTrunkServer { group: group("group1"), id: storage.map(id) })
}

#[test]
fn without_trunk_files_there_is_no_trunk_server() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(asked(&mut t), []);
    assert_eq!(set(&mut t, None), Some(Err(Refusal::SwitchedOff)));
    assert_eq!(Refusal::SwitchedOff.status(), Status::EOPNOTSUPP);
}

#[test]
fn a_follower_chooses_no_trunk_server() {
    let mut t = with_trunk();
    t.join_with("10.0.0.1", |ask| ask.trackers.push(Host::new(ip("10.0.0.253"), PORT)));
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    t.beat("10.0.0.1");
    assert_eq!(asked(&mut t), []);
    assert_eq!(set(&mut t, None), Some(Err(Refusal::NotLeader)));
}

#[test]
fn the_first_storage_that_serves_becomes_trunk_server() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1"]);
    let questions = asked(&mut t);
    assert_eq!(questions.len(), 1);
    assert_eq!((questions[0].1.as_str(), questions[0].2), ("10.0.0.1", StorageAsk::TrunkBinlogSize));
    t.answers(questions[0].0, Some(0));
    let questions = asked(&mut t);
    assert_eq!((questions[0].1.as_str(), questions[0].2), ("10.0.0.1", StorageAsk::DeleteTrunkMarks));
    assert_eq!(t.group("group1").trunk_server, None, "not before it has forgotten its marks");
    t.saved();
    t.answers(questions[0].0, Some(0));
    assert_eq!(t.group("group1").trunk_server, Some(id("10.0.0.1")));
    assert!(t.notes().iter().any(|note| matches!(note, Note::TrunkServerChanged { .. })));
    assert_eq!(t.saved(), [Section::Groups]);
    let told = t.beat("10.0.0.1");
    assert_eq!(told.trunk_server.unwrap().id, Some(id("10.0.0.1")));
    assert_eq!(t.beat("10.0.0.1").trunk_server, None);
}

#[test]
fn t19_the_longest_trunk_binlog_wins() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    asked(&mut t).into_iter().for_each(|(ticket, ..)| {
        t.answers(ticket, None);
    });
    assert_eq!(t.group("group1").trunk_server, None);
    assert_eq!(set(&mut t, None), None);
    answer_all(&mut t, |storage| match storage {
        "10.0.0.2" => Some(900),
        "10.0.0.3" => Some(500),
        "10.0.0.4" => None,
        _ => Some(400),
    });
    assert_eq!(t.group("group1").trunk_server, Some(id("10.0.0.2")));
}

#[test]
fn among_equals_the_first_storage_wins() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    answer_all(&mut t, |_| Some(7));
    assert_eq!(t.group("group1").trunk_server, Some(id("10.0.0.1")));
}

#[test]
fn without_the_first_storages_answer_there_is_no_choice_and_the_next_check_tries_again() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    answer_all(&mut t, |storage| (storage != "10.0.0.1").then_some(7));
    assert_eq!(t.group("group1").trunk_server, None);
    for second in [50, 100] {
        t.until(second);
        t.beat("10.0.0.1");
        t.beat("10.0.0.2");
    }
    t.until(160);
    answer_all(&mut t, |_| Some(7));
    assert_eq!(t.group("group1").trunk_server, Some(id("10.0.0.1")));
}

#[test]
fn an_administrator_who_leaves_the_choice_gets_the_trunk_server_that_serves() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    answer_all(&mut t, |_| Some(0));
    assert_eq!(set(&mut t, None), Some(Ok(Reply::TrunkServer(Got { id: id("10.0.0.1") }))));
    assert_eq!(set(&mut t, Some("10.0.0.1")), Some(Err(Refusal::AlreadyDone)));
    assert_eq!(set(&mut t, Some("10.0.0.2")), Some(Err(Refusal::OtherTrunkServer)));
    assert_eq!(Refusal::OtherTrunkServer.status(), Status::EEXIST);
}

#[test]
fn an_administrator_names_another_when_the_trunk_server_is_away() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    answer_all(&mut t, |_| Some(0));
    t.leaves("10.0.0.1").leaves("10.0.0.3");
    assert_eq!(set(&mut t, Some("10.0.0.9")), Some(Err(Refusal::UnknownStorage)));
    assert_eq!(set(&mut t, Some("10.0.0.3")), Some(Err(Refusal::NotActive)));
    assert_eq!(Refusal::NotActive.status(), Status::ENONET);
    let conn = t.connect();
    let ask = Request::SetTrunkServer { group: group("group1"), id: Some(id("10.0.0.2")) };
    assert_eq!(t.start(conn, "10.9.9.9", ask), None, "the storage has to be asked first");
    answer_all(&mut t, |_| Some(0));
    let reply = Action::Reply { conn, reply: Ok(Reply::TrunkServer(Got { id: id("10.0.0.2") })) };
    assert!(t.actions.contains(&reply));
    assert_eq!(t.group("group1").last_trunk_server, Some(id("10.0.0.2")));
}

#[test]
fn a_storage_that_may_not_be_written_cannot_be_trunk_server() {
    let naming = crate::testing::ids("1 group1 10.0.0.1 rw=read\n", true);
    let mut t = Script::with(|config| {
        config.placement.use_trunk = true;
        config.naming = naming;
    });
    t.serving("group1", &["10.0.0.1"]);
    assert_eq!(set(&mut t, Some("1")), Some(Err(Refusal::NotWritable)));
    assert_eq!(Refusal::NotWritable.status(), Status::EACCES);
    assert_eq!(set(&mut t, None), Some(Err(Refusal::NothingWritable)));
}

#[test]
fn an_administrator_hears_when_no_storage_answers() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1"]);
    let conn = t.connect();
    let ask = Request::SetTrunkServer { group: group("group1"), id: None };
    assert_eq!(t.start(conn, "10.9.9.9", ask), None);
    answer_all(&mut t, |_| None);
    assert!(t.actions.contains(&Action::Reply { conn, reply: Err(Refusal::StorageSilent) }));
}

#[test]
fn a_trunk_server_that_was_it_before_needs_to_forget_nothing() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1"]);
    answer_all(&mut t, |_| Some(0));
    let now = t.now;
    let mut tables = t.cluster.tables(now);
    tables.groups[0].trunk_server = None;
    let saved = Saved::from_tables(tables, &Naming::ByAddress).unwrap();
    let mut t = Script::restarted(saved, |config| config.placement.use_trunk = true);
    t.serving("group1", &["10.0.0.1"]);
    for (ticket, _, ask) in asked(&mut t) {
        assert_eq!(ask, StorageAsk::TrunkBinlogSize);
        t.answers(ticket, Some(0));
    }
    assert_eq!(t.group("group1").trunk_server, Some(id("10.0.0.1")));
}

#[test]
fn a_trunk_server_is_replaced_when_it_has_been_silent_for_long() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    answer_all(&mut t, |_| Some(0));
    for second in (1000..=2000).step_by(50) {
        t.until(second);
        t.beat("10.0.0.1");
        t.beat("10.0.0.2");
    }
    for second in (2050..=2150).step_by(50) {
        t.until(second);
        t.beat("10.0.0.2");
    }
    assert_eq!(asked(&mut t), [], "off line, but it may come back");
    for second in (2200..=2350).step_by(50) {
        t.until(second);
        t.beat("10.0.0.2");
    }
    answer_all(&mut t, |_| Some(0));
    assert_eq!(t.group("group1").trunk_server, Some(id("10.0.0.2")));
}

#[test]
fn a_trunk_server_that_has_just_started_is_given_more_time() {
    let give = |loading: TrunkLoading| {
        let mut t = with_trunk_loading(loading);
        t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
        answer_all(&mut t, |_| Some(0));
        for second in (50..=3000).step_by(50) {
            t.until(second);
            t.beat("10.0.0.2");
            if !asked(&mut t).is_empty() {
                return second;
            }
        }
        panic!("never replaced")
    };
    let plain = give(TrunkLoading::default());
    assert!((300..=400).contains(&plain), "three intervals: {plain}");
    let checking = give(TrunkLoading { checks_slots: true, reads_binlog: false });
    assert!((500..=600).contains(&checking), "five: {checking}");
    let reading = give(TrunkLoading { checks_slots: false, reads_binlog: true });
    assert!((600..=700).contains(&reading), "twice three: {reading}");
}

fn with_trunk_loading(loading: TrunkLoading) -> Script {
    Script::with(|config| {
        config.placement.use_trunk = true;
        config.trunk_loading = loading;
    })
}

#[test]
fn d24_a_storage_that_joins_again_is_told_the_trunk_server_again() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1"]);
    answer_all(&mut t, |_| Some(0));
    t.beat("10.0.0.1");
    assert_eq!(t.beat("10.0.0.1").trunk_server, None);
    t.rejoins("10.0.0.1");
    let told = t.beat("10.0.0.1");
    assert_eq!(told.trunk_server.unwrap().id, Some(id("10.0.0.1")));
    assert!(told.leader.is_some(), "together with the leader, without whom it would not be believed");
}

#[test]
fn only_the_trunk_server_reports_trunk_files() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1", "10.0.0.2"]);
    answer_all(&mut t, |_| Some(0));
    t.saved();
    assert_eq!(t.joined_ask("10.0.0.2", Request::TrunkFileId), Ok(Reply::TrunkFileId(FileNumber { id: 0 })));
    for report in [Request::ReportTrunkFileId { id: 3 }, Request::ReportTrunkFree { free_mb: 3 }] {
        assert_eq!(t.joined_ask("10.0.0.2", report), Err(Refusal::NotTrunkServer));
    }
    assert_eq!(Refusal::NotTrunkServer.status(), Status::EINVAL);
    t.joined_ask("10.0.0.1", Request::ReportTrunkFileId { id: 3 }).unwrap();
    assert_eq!(t.saved(), [Section::Groups]);
    t.joined_ask("10.0.0.1", Request::ReportTrunkFileId { id: 2 }).unwrap();
    assert_eq!(t.saved(), []);
    t.joined_ask("10.0.0.1", Request::ReportTrunkFree { free_mb: 17 }).unwrap();
    assert_eq!(t.joined_ask("10.0.0.2", Request::TrunkFileId), Ok(Reply::TrunkFileId(FileNumber { id: 3 })));
    let stat = t.cluster.view().group_stat(group("group1")).unwrap();
    assert_eq!((stat.trunk_free_mb, stat.current_trunk_file_id), (17, Some(3)));
}

#[test]
fn followers_learn_trunk_servers_with_their_first_ping_and_the_one_after_a_change() {
    let mut t = with_trunk();
    t.join_with("10.0.0.1", |ask| ask.trackers.push(Host::new(ip("10.0.0.253"), PORT)));
    t.client(Request::NotifyLeader { addr: ip("10.0.0.254"), port: PORT }).unwrap();
    t.client(Request::CommitLeader { addr: ip("10.0.0.254"), port: PORT }).unwrap();
    let conn = t.connect();
    let version = Version::new(b"6.16.1").unwrap();
    t.ask(conn, "10.0.0.253", Request::JoinLeader { up_time: 1, version, port: PORT }).unwrap();
    let ping = Request::PingLeader { connections: Connections::default() };
    let none = Pong { trunk_servers: vec![TrunkServer { group: group("group1"), id: None }] };
    assert_eq!(t.ask(conn, "10.0.0.253", ping.clone()), Ok(Reply::TrunkServers(none)));
    assert_eq!(t.ask(conn, "10.0.0.253", ping.clone()), Ok(Reply::Done));
    t.joined_ask("10.0.0.1", Request::RequestSource).unwrap();
    t.beat("10.0.0.1");
    answer_all(&mut t, |_| Some(0));
    let servers =
        Pong { trunk_servers: vec![TrunkServer { group: group("group1"), id: Some(id("10.0.0.1")) }] };
    assert_eq!(t.ask(conn, "10.0.0.253", ping.clone()), Ok(Reply::TrunkServers(servers)));
    assert_eq!(t.ask(conn, "10.0.0.253", ping), Ok(Reply::Done));
}

#[test]
fn a_choice_that_is_under_way_falls_with_the_leadership() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1"]);
    let conn = t.connect();
    t.start(conn, "10.9.9.9", Request::SetTrunkServer { group: group("group1"), id: None });
    t.join_with("10.0.0.2", |ask| ask.trackers.push(Host::new(ip("10.0.0.253"), PORT)));
    t.client(Request::ReselectLeader).unwrap();
    answer_all(&mut t, |_| Some(0));
    assert_eq!(t.group("group1").trunk_server, None);
    assert!(t.actions.contains(&Action::Reply { conn, reply: Err(Refusal::NotLeader) }));
}

#[test]
fn an_administrator_who_hangs_up_is_not_answered() {
    let mut t = with_trunk();
    t.serving("group1", &["10.0.0.1"]);
    let conn = t.connect();
    t.start(conn, "10.9.9.9", Request::SetTrunkServer { group: group("group1"), id: None });
    t.closes(conn);
    answer_all(&mut t, |_| Some(0));
    assert!(!t.actions.iter().any(|action| matches!(action, Action::Reply { .. })));
}
