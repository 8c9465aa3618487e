//! Every message of the recordings of the original is understood, and written again with the same fields.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "recordings are files")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use fdfs_proto::{AddrWidth, Header, RESPONSE, StorageCommand, TrackerCommand, storage, tracker};
use serde_json::Value;

/// What one recording held.
#[derive(Default)]
struct Tally {
    requests: usize,
    replies: usize,
    refusals: usize,
    unanswered: usize,
    /// Commands whose recorded bytes differ from ours in padding.
    padding_differs: BTreeSet<String>,
}

/// A request that waits for its reply.
#[derive(Clone, Copy)]
enum Asked {
    Tracker(TrackerCommand),
    Storage(StorageCommand),
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Notes when `ours` is not `theirs` to the byte. A difference may only be left-over bytes of theirs behind
/// a NUL, where ours has NULs.
fn compare(tally: &mut Tally, what: &str, ours: &[u8], theirs: &[u8]) {
    let theirs = &theirs[..ours.len()];
    if ours == theirs {
        return;
    }
    for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
        if our != their {
            assert_eq!(*our, 0, "{what}: byte {at} differs outside of padding");
            assert!(theirs[..at].contains(&0), "{what}: byte {at} differs in front of any NUL");
        }
    }
    tally.padding_differs.insert(what.to_owned());
}

fn request(tally: &mut Tally, server: &str, header: &Header, body: &[u8]) -> Option<Asked> {
    tally.requests += 1;
    let mut ours = Vec::new();
    if server == "tracker" {
        let command = TrackerCommand::from_u8(header.command).unwrap();
        let take = command.body().bytes_to_decode(header.body_len).unwrap();
        assert_eq!(take, header.body_len, "{command}: trackers' bodies are read as a whole");
        let ask = tracker::Request::decode(command, body).unwrap();
        assert_eq!(ask.command(), command);
        assert_eq!(header.status, 0, "{command}");
        ask.encode(&mut ours);
        assert_eq!(ours.len() as u64, header.body_len, "{command}");
        assert_eq!(tracker::Request::decode(command, &ours).unwrap(), ask);
        compare(tally, &format!("{command} request"), &ours, body);
        (command != TrackerCommand::Quit).then_some(Asked::Tracker(command))
    } else {
        let command = StorageCommand::from_u8(header.command).unwrap();
        let take = command.body().bytes_to_decode(header.body_len).unwrap();
        let head = &body[..usize::try_from(take).unwrap()];
        let ask = storage::Request::decode(command, header, head).unwrap();
        assert_eq!(ask.command(), command);
        assert_eq!(ask.status(), header.status, "{command}");
        ask.encode(&mut ours);
        assert_eq!(ours.len() as u64 + ask.content_len(), header.body_len, "{command}");
        assert_eq!(storage::Request::decode(command, header, &ours).unwrap(), ask);
        compare(tally, &format!("{command} request"), &ours, body);
        (command != StorageCommand::Quit).then_some(Asked::Storage(command))
    }
}

fn reply(tally: &mut Tally, asked: Asked, header: &Header, body: &[u8]) {
    assert_eq!(header.command, RESPONSE);
    if header.status != 0 {
        assert_eq!(header.body_len, 0);
        tally.refusals += 1;
        return;
    }
    tally.replies += 1;
    // All three clusters answered in the narrow width.
    let width = AddrWidth::V4;
    let mut ours = Vec::new();
    match asked {
        Asked::Tracker(command) => {
            let got = tracker::Reply::decode(command, body).unwrap();
            assert_eq!(got.command(), command);
            got.encode(width, &mut ours);
            assert_eq!(ours.len(), body.len(), "{command}");
            assert_eq!(tracker::Reply::decode(command, &ours).unwrap(), got);
            compare(tally, &format!("{command} reply"), &ours, body);
        }
        Asked::Storage(command) => {
            let got = storage::Reply::decode(command, body).unwrap();
            assert_eq!(got.command(), command);
            got.encode(width, &mut ours);
            assert_eq!(ours.len(), body.len(), "{command}");
            assert_eq!(storage::Reply::decode(command, &ours).unwrap(), got);
            compare(tally, &format!("{command} reply"), &ours, body);
        }
    }
}

/// Only the original's replication leaves left-over bytes behind the group name of a request.
fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn replay(recording: &str) -> Tally {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1");
    let text = std::fs::read_to_string(root.join(recording).join("wire.jsonl")).unwrap();
    let mut tally = Tally::default();
    let mut waiting: BTreeMap<u64, VecDeque<Asked>> = BTreeMap::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| message[key].as_u64().unwrap();
        let header = Header {
            body_len: number("len"),
            command: u8::try_from(number("cmd")).unwrap(),
            status: u8::try_from(number("status")).unwrap(),
        };
        let body = unhex(message["body"].as_str().or(message["body_head"].as_str()).unwrap());
        let waiting = waiting.entry(number("stream")).or_default();
        if message["kind"] == "request" {
            waiting.extend(request(&mut tally, message["server"].as_str().unwrap(), &header, &body));
        } else {
            reply(&mut tally, waiting.pop_front().unwrap(), &header, &body);
        }
    }
    tally.unanswered = waiting.values().map(VecDeque::len).sum();
    tally
}

#[test]
fn every_message_of_two_plain_storages_is_understood() {
    let tally = replay("plain-2-storages");
    assert_eq!((tally.requests, tally.replies, tally.refusals, tally.unanswered), (261, 241, 13, 0));
    assert_eq!(
        tally.padding_differs,
        names(&["sync_create request", "sync_modify request", "sync_truncate request"])
    );
}

#[test]
fn every_message_of_trunk_files_and_two_trackers_is_understood() {
    let tally = replay("trunk-2-trackers-4-storages");
    assert_eq!((tally.requests, tally.replies, tally.refusals, tally.unanswered), (1485, 1318, 142, 5));
    assert_eq!(
        tally.padding_differs,
        names(&["sync_create request", "sync_truncate request", "sync_update request"])
    );
}

#[test]
fn every_message_of_a_late_member_and_a_lost_disk_is_understood() {
    let tally = replay("late-join-disk-recovery");
    assert_eq!((tally.requests, tally.replies, tally.refusals, tally.unanswered), (196, 183, 2, 1));
    assert_eq!(tally.padding_differs, names(&["sync_create request"]));
}
