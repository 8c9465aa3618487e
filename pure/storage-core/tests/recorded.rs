//! Our links say to a tracker what the original's storages said, when the tracker answers what it answered
//! then.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::disallowed_methods, reason = "recordings are files")]

use std::collections::BTreeMap;
use std::path::Path;

use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::join;
use fdfs_proto::{Host, StatBlock, Status, TrackerCommand as Cmd};
use serde_json::Value;
use storage_core::membership::{JoinRecord, Membership, Settings, TrackerIndex};
use storage_core::time::Mono;
use storage_core::tracker_link::{self, Action, Event, LinkInputs, TrackerLink};

struct Exchange {
    command: Cmd,
    request: Vec<u8>,
    status: u8,
    reply: Vec<u8>,
}

/// One connection of a storage to a tracker.
struct Talk {
    storage: String,
    tracker: String,
    exchanges: Vec<Exchange>,
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn talks(recording: &str) -> Vec<Talk> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/fastdfs-6.16.1")
        .join(recording)
        .join("wire.jsonl");
    let mut talks: BTreeMap<u64, Talk> = BTreeMap::new();
    let mut open: BTreeMap<u64, (Cmd, Vec<u8>)> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        if message["server"] != "tracker" {
            continue;
        }
        let text = |key: &str| message[key].as_str().unwrap().to_owned();
        let number = |key: &str| u8::try_from(message[key].as_u64().unwrap()).unwrap();
        let stream = message["stream"].as_u64().unwrap();
        let body = unhex(&text("body"));
        if text("kind") == "request" {
            talks.entry(stream).or_insert_with(|| Talk {
                storage: text("from"),
                tracker: text("to"),
                exchanges: Vec::new(),
            });
            open.insert(stream, (Cmd::from_u8(number("cmd")).unwrap(), body));
        } else if let Some((command, request)) = open.remove(&stream) {
            let exchange = Exchange { command, request, status: number("status"), reply: body };
            talks.get_mut(&stream).unwrap().exchanges.push(exchange);
        }
    }
    talks.into_values().collect()
}

struct Quiet;

impl LinkInputs for Quiet {
    fn stat_block(&self) -> StatBlock {
        StatBlock::default()
    }

    fn disk_usage(&self) -> Vec<PathSpace> {
        vec![PathSpace { total_mb: 1, free_mb: 1 }]
    }
}

/// Plays one recorded connection against a link of ours; returns the commands that agreed.
fn replay(talk: &Talk, all: &[Talk]) -> Vec<Cmd> {
    // What the original asked on other connections before it joined.
    let said = |command: Cmd| {
        let own = all.iter().filter(|other| other.storage == talk.storage || command == Cmd::FetchStorageIds);
        let mut exchanges = own.flat_map(|other| &other.exchanges);
        exchanges.find(|exchange| exchange.command == command && exchange.status == 0).unwrap().reply.clone()
    };
    let joined = talk.exchanges.iter().find(|exchange| exchange.command == Cmd::Join).unwrap();
    let theirs = join::Ask::decode(&joined.request).unwrap();
    let index_of = |ip: &str| theirs.trackers.iter().position(|host| host.ip.to_string() == ip).unwrap();
    let index = TrackerIndex(index_of(&talk.tracker) as u8);
    let mut membership = Membership::new(
        Settings {
            group: Some(theirs.joiner.group),
            port: theirs.joiner.storage_port,
            server_id: None,
            local_ips: Vec::new(),
            tracker_count: theirs.trackers.len() as u8,
        },
        JoinRecord::first(theirs.joiner.join_time),
    );
    for (index, tracker) in (0..).zip(&theirs.trackers) {
        membership.tracker_found(TrackerIndex(index), *tracker);
    }
    let mut link = TrackerLink::new(
        index,
        tracker_link::Settings {
            store_path_count: theirs.joiner.store_path_count as u16,
            subdir_count: theirs.joiner.subdir_count_per_path as u16,
            upload_priority: theirs.joiner.upload_priority as i32,
            up_time: theirs.joiner.up_time,
            version: theirs.joiner.version,
            beat_interval_ms: 10_000,
            disk_report_interval_ms: 3_600_000,
        },
    );
    let mut now = Mono(0);
    let mut step = |now: Mono, event: Event<'_>, link: &mut TrackerLink| {
        let mut actions = Vec::new();
        link.step(now, event, &mut membership, &Quiet, &mut actions);
        actions.pop()
    };
    assert_eq!(step(now, Event::Wake, &mut link), Some(Action::Connect));
    let ip = Host::parse(format!("{}:1", talk.tracker).as_bytes()).unwrap().ip;
    let mut action = step(now, Event::Connected(ip), &mut link);
    let mut recorded = talk.exchanges.iter().skip_while(|exchange| exchange.command != Cmd::Join).peekable();
    let mut agreed = Vec::new();
    loop {
        if action == Some(Action::Disconnect) {
            assert!(recorded.next().is_none(), "the original went on after {agreed:?}");
            return agreed;
        }
        let Some(Action::Send { command, body }) = action else {
            now = link.deadline().unwrap();
            action = step(now, Event::Wake, &mut link);
            continue;
        };
        if matches!(command, Cmd::GetMyIp | Cmd::GetParameters | Cmd::FetchStorageIds) {
            let reply = said(command);
            action = step(now, Event::Replied { status: Status::OK, body: &reply }, &mut link);
            continue;
        }
        let Some(exchange) = recorded.next() else { return agreed };
        // From here on each side follows its own clock or another connection, or does what only a trunk
        // server does.
        let own_way = [
            Cmd::SyncReport,
            Cmd::ChangeStatus,
            Cmd::FetchTrunkFileId,
            Cmd::ReportTrunkFileId,
            Cmd::ReportTrunkFree,
        ];
        let second_disk_report =
            exchange.command == Cmd::ReportDiskUsage && agreed.contains(&exchange.command);
        if own_way.contains(&exchange.command) || second_disk_report {
            return agreed;
        }
        // Ours says at once that the copy of old files is complete; the original never does.
        if command == Cmd::SyncNotify && agreed.contains(&command) && body == [0; 24] {
            return agreed;
        }
        assert_eq!(command, exchange.command, "after {agreed:?}");
        if !matches!(command, Cmd::Beat | Cmd::ReportDiskUsage) {
            assert_eq!(body, exchange.request, "{command}");
        }
        agreed.push(command);
        // The original may say the same thing twice in a row.
        while command == Cmd::SyncNotify
            && recorded.peek().is_some_and(|next| next.command == command && next.request == body)
        {
            recorded.next();
        }
        action =
            step(now, Event::Replied { status: Status(exchange.status), body: &exchange.reply }, &mut link);
    }
}

fn replay_all(recording: &str) -> Vec<(String, Vec<Cmd>)> {
    let all = talks(recording);
    let asks = |talk: &&Talk, command: Cmd| talk.exchanges.iter().any(|exchange| exchange.command == command);
    all.iter()
        .filter(|talk| asks(talk, Cmd::Join) && asks(talk, Cmd::SyncDestRequest))
        .map(|talk| (talk.storage.clone(), replay(talk, &all)))
        .collect()
}

/// Those that got past the question for a source; the others began again on another connection.
fn settled(replayed: Vec<(String, Vec<Cmd>)>) -> Vec<(String, Vec<Cmd>)> {
    replayed.into_iter().filter(|(_, agreed)| agreed.contains(&Cmd::SyncNotify)).collect()
}

/// What every first connection of a new storage begins with.
const BEGINNING: [Cmd; 6] =
    [Cmd::Join, Cmd::SyncDestRequest, Cmd::SyncNotify, Cmd::Beat, Cmd::GetChangelog, Cmd::ReportDiskUsage];

#[test]
fn two_storages_and_one_tracker_hear_from_us_what_they_heard_from_the_original() {
    let replayed = settled(replay_all("plain-2-storages"));
    assert_eq!(replayed.len(), 2);
    for (storage, agreed) in replayed {
        assert_eq!(agreed[..6], BEGINNING, "{storage}");
    }
}

#[test]
fn a_storage_that_joins_late_says_what_the_original_said() {
    let replayed = settled(replay_all("late-join-disk-recovery"));
    assert!(replayed.len() >= 2);
    for (storage, agreed) in replayed {
        assert_eq!(agreed[..6], BEGINNING, "{storage}");
        assert!(agreed.len() > 6, "{storage}");
    }
}

#[test]
fn with_storage_ids_and_two_trackers_we_say_what_the_original_said() {
    let replayed = settled(replay_all("trunk-2-trackers-4-storages"));
    assert_eq!(replayed.len(), 4);
    for (storage, agreed) in replayed {
        assert_eq!(agreed[..6], BEGINNING, "{storage}");
    }
}
