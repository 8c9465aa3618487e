//! Random questions to a tracker whose answers do not depend on what others do meanwhile.

use fdfs_proto::{Peer, TrackerCommand};

use crate::chance::Chance;
use crate::compare::Place;
use crate::layout::{self, Shape};
use crate::names::Files;
use crate::request::{Body, Framing, Request};
use crate::storage_stream::{GROUP, spoil};
use crate::wire::Pair;

/// The next question.
pub(crate) fn next(chance: &mut Chance, files: &Files, places: &Pair<Place>) -> Request {
    let request = match chance.below(100) {
        0..=29 => file(chance, files),
        30..=41 => store(chance),
        42..=49 => figures(chance, places),
        50..=59 => storage_lookup(chance, places),
        60..=64 => my_ip(chance),
        65..=69 => ids(chance),
        70..=73 => Request::tracker(TrackerCommand::GetParameters, "", Vec::new()).shape(Shape::Text),
        74..=77 => Request::tracker(TrackerCommand::GetLeader, "", Vec::new()).shape(Shape::Text),
        78..=80 => Request::tracker(TrackerCommand::TrackerStatus, "", Vec::new()).shape(layout::RUNNING),
        81..=84 => group_name(chance),
        85..=89 => trackers(chance),
        90..=93 => needs_join(chance),
        94..=95 => small(chance),
        96..=97 => unknown(chance),
        _ => removal(chance, places),
    };
    if chance.percent(4) { spoil(request, chance) } else { request }
}

fn group(chance: &mut Chance) -> (&'static str, &'static [u8]) {
    const ODD: &[(&str, &[u8])] = &[
        ("a group that is not there", b"group9"),
        ("no group", b""),
        ("a group with a blank", b"group 1"),
        ("a group in capitals", b"GROUP1"),
        ("a group with a slash", b"group1/"),
        ("a group of 16 letters", b"abcdefghijklmnop"),
        ("a group with bytes behind its NUL", b"group1\0abc"),
    ];
    if chance.percent(85) { ("", GROUP) } else { chance.pick(ODD) }
}

/// 102, 103, 105.
fn file(chance: &mut Chance, files: &Files) -> Request {
    let command = chance.pick(&[
        TrackerCommand::QueryFetchOne,
        TrackerCommand::QueryUpdate,
        TrackerCommand::QueryFetchAll,
    ]);
    let target = files.any(chance);
    let (words, group) = group(chance);
    // What is wrong with both is refused for one of them: which, nobody has to know.
    let group = if target.index.is_none() { GROUP } else { group };
    let words = if target.index.is_none() { "" } else { words };
    let bodies = target.names.map(|name| Body::new().group(group).raw(name).done());
    let case = if words.is_empty() { target.words } else { words };
    Request::new(Peer::Tracker, command.code(), case, bodies).shape(layout::SERVERS)
}

/// 104, 107.
fn store(chance: &mut Chance) -> Request {
    let (words, group) = group(chance);
    let body = Body::new().group(group).done();
    if chance.percent(60) {
        Request::tracker(TrackerCommand::QueryStoreGroupOne, words, body).shape(layout::STORE_ONE)
    } else {
        Request::tracker(TrackerCommand::QueryStoreGroupAll, words, body).shape(layout::SERVERS)
    }
}

/// Bodies that name the storage of either cluster.
fn of_storage(places: &Pair<Place>, body: impl Fn(&str) -> Vec<u8>) -> Pair<Vec<u8>> {
    places.map(|place| body(&place.storage))
}

/// 90, 92.
fn figures(chance: &mut Chance, places: &Pair<Place>) -> Request {
    let (words, group) = group(chance);
    if chance.percent(40) {
        let body = Body::new().group(group).done();
        return Request::tracker(TrackerCommand::ListOneGroup, words, body).shape(layout::GROUPS);
    }
    let (id_words, bodies) = match chance.below(5) {
        0..=1 => ("", Pair::same(Body::new().group(group).done())),
        2 => ("its storage", of_storage(places, |id| Body::new().group(group).raw(id.as_bytes()).done())),
        3 => ("another storage", Pair::same(Body::new().group(group).raw(b"10.9.8.7").done())),
        _ => ("16 characters of id", Pair::same(Body::new().group(group).raw(&[b'1'; 16]).done())),
    };
    let case = [words, id_words].join(" ").trim().to_owned();
    Request::new(Peer::Tracker, TrackerCommand::ListStorages.code(), case, bodies).shape(layout::STORAGES)
}

/// 70, 71.
fn storage_lookup(chance: &mut Chance, places: &Pair<Place>) -> Request {
    let (words, group) = group(chance);
    let (host_words, bodies) = match chance.below(8) {
        0..=2 => (
            "its storage",
            of_storage(places, |ip| Body::new().group(group).raw(format!("{ip}:23000").as_bytes()).done()),
        ),
        3 => (
            "another port",
            of_storage(places, |ip| Body::new().group(group).raw(format!("{ip}:23001").as_bytes()).done()),
        ),
        4 => ("no port", of_storage(places, |ip| Body::new().group(group).raw(ip.as_bytes()).done())),
        5 => ("another address", Pair::same(Body::new().group(group).raw(b"10.9.8.7:23000").done())),
        6 => ("no address", Pair::same(Body::new().group(group).done())),
        _ => ("no number for a port", Pair::same(Body::new().group(group).raw(b"10.9.8.7:x").done())),
    };
    let case = [words, host_words].join(" ").trim().to_owned();
    if chance.percent(50) {
        Request::new(Peer::Tracker, TrackerCommand::GetServerId.code(), case, bodies).shape(Shape::Text)
    } else {
        Request::new(Peer::Tracker, TrackerCommand::GetStorageStatus.code(), case, bodies)
            .shape(layout::BRIEFS)
    }
}

/// 60.
fn my_ip(chance: &mut Chance) -> Request {
    let (words, group) = group(chance);
    let (port_words, port) = chance.pick(&[("", 23000), ("port 0", 0), ("a port below zero", -1)]);
    let body = Body::new().padded(group, 17).int4(port).done();
    let case = [words, port_words].join(" ").trim().to_owned();
    Request::tracker(TrackerCommand::GetMyIp, case, body).shape(Shape::Text)
}

/// 69, without storage ids.
fn ids(chance: &mut Chance) -> Request {
    let (words, start, empty) = chance.pick(&[
        ("may be empty", 0, 1),
        ("must not be empty", 0, 0),
        ("from 5 on", 5, 1),
        ("from before the beginning on", -1, 1),
    ]);
    let body = Body::new().int4(start).byte(empty).done();
    Request::tracker(TrackerCommand::FetchStorageIds, words, body).shape(Shape::Bytes)
}

/// 109, without storage ids.
fn group_name(chance: &mut Chance) -> Request {
    let (words, address) = chance.pick(&[
        ("", &b""[..]),
        ("an address", b"127.0.0.9"),
        ("an address of 45 characters", &[b'1'; 45]),
        ("an address of 60 characters", &[b'1'; 60]),
    ]);
    let body = Body::new().raw(address).int4(23000).done();
    Request::tracker(TrackerCommand::GetGroupName, words, body).shape(Shape::Text)
}

/// 58, 65, 66, 67 by whoever is no tracker; 61 to 63 out of order.
fn trackers(chance: &mut Chance) -> Request {
    let stranger: &[u8] = b"127.0.0.9:22122";
    match chance.below(8) {
        0 => {
            let body = Body::new().int8(1_700_000_000).padded(b"6.16.1", 8).int8(22122).done();
            Request::tracker(TrackerCommand::JoinLeader, "a stranger", body)
        }
        1 => {
            let body = Body::new().int4(1).int4(1).int4(1).done();
            Request::tracker(TrackerCommand::PingLeader, "a stranger", body).shape(Shape::Unread)
        }
        2 => Request::tracker(TrackerCommand::PingLeader, "without figures", Vec::new()).shape(Shape::Unread),
        3 => Request::tracker(TrackerCommand::NotifyNextLeader, "names a stranger", stranger.to_vec()),
        4 => Request::tracker(TrackerCommand::NotifyNextLeader, "no address", b"nobody".to_vec()),
        5 => Request::tracker(TrackerCommand::CommitNextLeader, "names a stranger", stranger.to_vec()),
        6 => Request::tracker(TrackerCommand::CommitNextLeader, "no address", b"nobody".to_vec()),
        _ => Request::tracker(TrackerCommand::SysFilesEnd, "without a beginning", Vec::new()),
    }
}

/// What only joined storages may say. 79 and 88 are left out: they end the original (T1).
fn needs_join(chance: &mut Chance) -> Request {
    let (command, body) = match chance.below(10) {
        0 => (TrackerCommand::Beat, Vec::new()),
        1 => (TrackerCommand::Beat, vec![0; 348]),
        2 => (TrackerCommand::ReportDiskUsage, vec![0; 16]),
        3 => (TrackerCommand::SyncReport, vec![0; 20]),
        4 => (TrackerCommand::ReplicaChange, vec![0; 67]),
        5 => (TrackerCommand::ChangeStatus, vec![7]),
        6 => (TrackerCommand::SyncDestRequest, Vec::new()),
        7 => (TrackerCommand::FetchTrunkFileId, Vec::new()),
        8 => (TrackerCommand::ReportTrunkFileId, vec![0; 4]),
        _ => (TrackerCommand::ReportTrunkFree, vec![0; 8]),
    };
    Request::tracker(command, "before a join", body).shape(Shape::Bytes)
}

/// What would remove the storage and the group that are in service, or what is not there.
fn removal(chance: &mut Chance, places: &Pair<Place>) -> Request {
    let bodies = |group: &'static [u8]| {
        of_storage(places, move |id| Body::new().group(group).raw(id.as_bytes()).done())
    };
    let (command, case, bodies) = match chance.below(8) {
        0..=1 => (TrackerCommand::DeleteStorage, "in service", bodies(GROUP)),
        2 => (TrackerCommand::DeleteStorage, "of no such group", bodies(b"group9")),
        3 => (
            TrackerCommand::DeleteStorage,
            "no such storage",
            Pair::same(Body::new().group(GROUP).raw(b"10.9.8.7").done()),
        ),
        4 => (TrackerCommand::DeleteStorage, "no id", Pair::same(Body::new().group(GROUP).done())),
        5 => (TrackerCommand::SetTrunkServer, "without trunk files", bodies(GROUP)),
        6 => (TrackerCommand::SetTrunkServer, "none named", Pair::same(Body::new().group(GROUP).done())),
        _ => (TrackerCommand::DeleteGroup, "no such group", Pair::same(Body::new().group(b"group9").done())),
    };
    Request::new(Peer::Tracker, command.code(), case, bodies).shape(Shape::Text)
}

fn small(chance: &mut Chance) -> Request {
    let mut request = match chance.below(5) {
        0..=2 => Request::tracker(TrackerCommand::ActiveTest, "", Vec::new()),
        3 => Request::tracker(TrackerCommand::ActiveTest, "with a body", vec![0; 3]),
        _ => Request::tracker(TrackerCommand::Quit, "", Vec::new()),
    };
    if chance.percent(10) {
        request.framing = Framing::Negative;
        request.case = "a length below zero".to_owned();
    }
    request
}

fn unknown(chance: &mut Chance) -> Request {
    const NONE: &[u8] = &[0, 1, 11, 14, 57, 80, 99, 100, 110, 112, 128, 255];
    let code = chance.pick(NONE);
    let (words, len) = chance.pick(&[("no command, without a body", 0), ("no command, with a body", 20)]);
    Request::new(Peer::Tracker, code, words, Pair::same(vec![b'x'; len]))
}
