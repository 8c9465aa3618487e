//! Whose turn it is, in views that live longer than a question.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::testing::{CLIENT, START, Script, file_of, group, id, ip, place_in};
use tracker_core::{Request, View};

fn places<const N: usize>(view: &View) -> [String; N] {
    std::array::from_fn(|_| place_in(view, None).unwrap())
}

#[test]
fn groups_storages_and_paths_take_turns_in_one_view() {
    let mut t = Script::new();
    for (group_name, storage) in [("g1", "10.0.0.1"), ("g1", "10.0.0.2"), ("g2", "10.0.0.3")] {
        t.join_with(storage, |ask| {
            ask.joiner.group = group(group_name);
            ask.joiner.store_path_count = 2;
            ask.joiner.init = false;
            ask.joiner.status = Some(fdfs_proto::StorageStatus::Online);
        });
        t.disks(storage, &[(1000, 500), (1000, 500)]);
    }
    let view = t.cluster.view();
    let turns = places(&view);
    assert_eq!(
        turns,
        [
            "g1 10.0.0.1 M00",
            "g2 10.0.0.3 M00",
            "g1 10.0.0.2 M00",
            "g2 10.0.0.3 M01",
            "g1 10.0.0.1 M01",
            "g2 10.0.0.3 M00",
            "g1 10.0.0.2 M01",
            "g2 10.0.0.3 M01",
            "g1 10.0.0.1 M00",
        ]
    );
    let stat = view.group_stat(group("g1")).unwrap();
    assert_eq!(stat.current_write_server, 1, "what is shown moves on too");
    assert!(Arc::ptr_eq(&view, &t.cluster.view()), "questions make no new view");
}

#[test]
fn a_later_view_goes_on_with_the_turns_and_so_does_an_older_one() {
    let mut t = Script::new();
    t.serving("g1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]).serving("g2", &["10.0.0.4"]);
    let before = t.cluster.view();
    assert_eq!(places(&before), ["g1 10.0.0.1 M00", "g2 10.0.0.4 M00"]);
    t.beat("10.0.0.1");
    t.disks("10.0.0.2", &[(1000, 400)]);
    let after = t.cluster.view();
    assert!(!Arc::ptr_eq(&before, &after));
    assert_eq!(places(&after), ["g1 10.0.0.2 M00", "g2 10.0.0.4 M00"]);
    assert_eq!(places(&before), ["g1 10.0.0.3 M00", "g2 10.0.0.4 M00"]);
    assert_eq!(places(&after), ["g1 10.0.0.1 M00"]);
}

#[test]
fn downloads_take_turns_over_views() {
    let mut t = Script::new();
    t.serving("group1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let name = file_of("10.0.0.2", START - 86_401);
    let before = t.cluster.view();
    let from = |view: &View, now| {
        view.fetch_one(now, group("group1"), &name, ip(CLIENT)).unwrap().server.ip.to_string()
    };
    assert_eq!(from(&before, t.now), "10.0.0.1");
    t.disks("10.0.0.2", &[(1000, 400)]);
    let after = t.cluster.view();
    assert_eq!(from(&after, t.now), "10.0.0.2");
    assert_eq!(from(&before, t.now), "10.0.0.3");
    assert_eq!(from(&after, t.now), "10.0.0.1");
}

#[test]
fn a_turn_beyond_the_end_of_an_older_view_is_its_firsts() {
    let mut t = Script::new();
    t.serving("g2", &["10.0.0.1", "10.0.0.2"]);
    let before = t.cluster.view();
    t.serving("g3", &["10.0.0.9"]).serving("g2", &["10.0.0.3"]);
    let after = t.cluster.view();
    assert_eq!(places(&after), ["g2 10.0.0.1 M00", "g3 10.0.0.9 M00", "g2 10.0.0.2 M00"]);
    assert_eq!(places(&before), ["g2 10.0.0.1 M00"], "it knows neither the third storage nor the next group");
    assert_eq!(places(&before), ["g2 10.0.0.2 M00"]);
}

#[test]
fn the_turn_of_a_group_stays_its_own_while_others_come_and_go() {
    let mut t = Script::new();
    t.serving("g2", &["10.0.0.2"]).serving("g4", &["10.0.0.4"]).serving("g5", &["10.0.0.5"]);
    assert_eq!(places(&t.cluster.view()), ["g2 10.0.0.2 M00"]);
    t.serving("g1", &["10.0.0.1"]).serving("g3", &["10.0.0.3"]);
    assert_eq!(places(&t.cluster.view()), ["g4 10.0.0.4 M00", "g5 10.0.0.5 M00", "g1 10.0.0.1 M00"]);
}

#[test]
fn the_turn_of_a_group_that_was_deleted_is_the_firsts() {
    let mut t = Script::new();
    t.serving("g1", &["10.0.0.1"]).serving("g2", &["10.0.0.2"]).serving("g4", &["10.0.0.4"]);
    t.leaves("10.0.0.2");
    t.client(Request::DeleteStorage { group: group("g2"), id: id("10.0.0.2") }).unwrap();
    let tables = t.cluster.tables(t.now);
    let naming = t.cluster.config().naming.clone();
    let mut t = Script::restarted(tracker_core::Saved::from_tables(tables, &naming).unwrap(), |_| {});
    t.serving("g1", &["10.0.0.1"]).serving("g4", &["10.0.0.4"]);
    assert_eq!(places(&t.cluster.view()), ["g1 10.0.0.1 M00"], "the next to be tried is g2");
    t.client(Request::DeleteGroup { group: group("g2") }).unwrap();
    assert_eq!(places(&t.cluster.view()), ["g1 10.0.0.1 M00", "g4 10.0.0.4 M00"]);
}

#[test]
fn threads_that_share_a_view_share_its_turns_evenly() {
    const THREADS: usize = 4;
    const EACH: usize = 900;
    let mut t = Script::new();
    let storages = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"];
    t.serving("g1", &storages[..3]).serving("g2", &storages[3..]);
    let view = t.cluster.view();
    let ask = || (0..EACH).map(|_| place_in(&view, None).unwrap()).collect::<Vec<_>>();
    let asked: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts = BTreeMap::new();
    for place in &asked {
        *counts.entry(place.as_str()).or_insert(0) += 1;
    }
    let expected = [
        ("g1 10.0.0.1 M00", 600),
        ("g1 10.0.0.2 M00", 600),
        ("g1 10.0.0.3 M00", 600),
        ("g2 10.0.0.4 M00", 600),
        ("g2 10.0.0.5 M00", 600),
        ("g2 10.0.0.6 M00", 600),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
}
