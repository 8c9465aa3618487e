//! What a server takes of the machine, however many and however slow its peers are.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::wire::{Answer, Wire, field, request};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::cluster::{Cluster, Plan};
use testkit::process::Server;
use testkit::wait;

const ACTIVE_TEST: u8 = 111;
const UPLOAD: u8 = 11;
const DELETE: u8 = 12;
const DOWNLOAD: u8 = 14;

const MIB: u64 = 1 << 20;
/// A server that has just started and that nobody uses: memory of its own.
const IDLE_MAX: u64 = 24 * MIB;
/// A storage with ten thousand connections and a very large file under way.
const BUSY_MAX: u64 = 200 * MIB;
const CONNECTIONS: u64 = 10_000;
/// Large enough that a server that kept it would be seen.
const LARGE: u64 = 1 << 30;
/// Open files beside the connections: of the test, of the server.
const OTHER_FILES: u64 = 300;

const OK: Answer = Answer { status: 0, body: Vec::new() };

fn int8(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn named(name: &str) -> Vec<u8> {
    [&field("group1", 16), name.as_bytes()].concat()
}

fn download(name: &str) -> Vec<u8> {
    [&int8(0)[..], &int8(0), &named(name)].concat()
}

fn upload_head(size: u64) -> Vec<u8> {
    [&[0xFF][..], &int8(size), &field("bin", 6)].concat()
}

/// Stores content; the name without the group.
fn upload(storage: SocketAddr, content: &[u8]) -> String {
    let body = [&upload_head(content.len() as u64), content].concat();
    let answer = Wire::connect(storage).unwrap().ask(UPLOAD, &body).unwrap();
    assert_eq!(answer.status, 0);
    String::from_utf8(answer.body[16..].to_vec()).unwrap()
}

fn own(server: &Option<Server>) -> u64 {
    server.as_ref().unwrap().own_bytes().unwrap()
}

/// The most that a process ever held, as the kernel has it.
fn most_resident(server: &Option<Server>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.as_ref().unwrap().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// How many connections this process and its children may have open.
fn connections_allowed() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.or(limit.current).unwrap_or(u64::MAX);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).unwrap();
    most.saturating_sub(OTHER_FILES)
}

/// Bytes free where temporary folders are.
fn free_space(folder: &Path) -> u64 {
    let stat = rustix::fs::statvfs(folder).unwrap();
    stat.f_bavail * stat.f_frsize
}

#[test]
fn an_idle_tracker_and_an_idle_storage_are_small() {
    let cluster = Cluster::start().unwrap();
    for node in cluster.trackers.iter().chain(&cluster.storages) {
        let bytes = own(&node.server);
        assert!(bytes < IDLE_MAX, "{}: {} MiB", node.name, bytes / MIB);
    }
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn s9_ten_thousand_idle_connections_and_a_very_large_file_take_little_memory() {
    let connections = CONNECTIONS.min(connections_allowed());
    if connections < CONNECTIONS {
        println!("only {connections} connections: the limit of open files allows no more");
    }
    let cluster = Plan::new().storage_key("max_connections", CONNECTIONS + 100).start().unwrap();
    // The file, and as much again for whoever else uses the disk.
    let large = LARGE.min(free_space(cluster.folder()) / 2 / MIB * MIB);
    if large < LARGE {
        println!("only {} MiB: the disk has no room for more", large / MIB);
    }
    let storage = cluster.storages[0].address();
    let mut idle: Vec<Wire> = Vec::new();
    for _ in 0..connections {
        let mut wire = Wire::connect(storage).unwrap();
        // As the pool of a client leaves it: used once, kept for later.
        assert_eq!(wire.ask(ACTIVE_TEST, &[]).unwrap(), OK);
        idle.push(wire);
    }

    let mut wire = Wire::connect(storage).unwrap();
    let zeros = vec![0; MIB as usize];
    wire.send(&request(UPLOAD, 0, 15 + large, &upload_head(large))).unwrap();
    for _ in 0..large / MIB {
        wire.send(&zeros).unwrap();
    }
    let answer = wire.answer().unwrap();
    assert_eq!(answer.status, 0);
    let name = String::from_utf8(answer.body[16..].to_vec()).unwrap();

    let body = download(&name);
    wire.send(&request(DOWNLOAD, 0, body.len() as u64, &body)).unwrap();
    assert_eq!(wire.answer_header().unwrap(), (0, large));
    wire.skip(large).unwrap();
    assert_eq!(wire.ask(DELETE, &named(&name)).unwrap(), OK);

    let most = most_resident(&cluster.storages[0].server);
    assert!(most < BUSY_MAX, "{} MiB", most / MIB);
    // All are still served.
    for wire in idle.iter_mut().step_by(97) {
        assert!(wire.is_in_step());
    }
    drop(idle);
    let mut cluster = cluster;
    cluster.stop().unwrap();
    cluster.check_logs(&[]).unwrap();
}

/// Sends the first bytes at once, then one a second until the other side closes; how long that took.
fn drip(mut wire: Wire, at_once: &[u8], bytes: &[u8]) -> Duration {
    wire.send(at_once).unwrap();
    let begin = Instant::now();
    let mut sent = 0;
    wait::until("the end of a slow peer's connection", wait::READY, || {
        if begin.elapsed() >= Duration::from_secs(sent as u64) && sent < bytes.len() {
            let there = wire.send(&bytes[sent..=sent]).is_err();
            sent += 1;
            if there {
                return Some(());
            }
        }
        wire.has_closed().then_some(())
    })
    .unwrap();
    begin.elapsed()
}

#[test]
fn s9_a_peer_that_sends_a_byte_a_second_is_dropped_and_stops_nobody() {
    // The body may take a second for each KiB in addition.
    let patience = Duration::from_secs(2 + 4 + 4);
    let cluster =
        Plan::new().storage_key("network_timeout", 2).tracker_key("network_timeout", 2).start().unwrap();
    let (tracker, storage) = (cluster.tracker(), cluster.storages[0].address());
    let name = upload(storage, b"hello");
    let large = upload(storage, &vec![1; 64 * MIB as usize]);

    let header = request(DELETE, 0, 60, &named(&name));
    let content = request(UPLOAD, 0, 15 + 4096, &[&upload_head(4096)[..], &[7; 4096]].concat());
    let question = request(102, 0, 60, &named(&name));
    // How much of each comes at once: nothing, a header and a little, a header.
    let slow: Vec<_> = [(storage, header, 0), (storage, content, 40), (tracker, question, 10)]
        .into_iter()
        .flat_map(|peer| std::iter::repeat_n(peer, 20))
        .map(|(server, bytes, at_once)| {
            std::thread::spawn(move || {
                drip(Wire::connect(server).unwrap(), &bytes[..at_once], &bytes[at_once..])
            })
        })
        .collect();
    // These ask for much and take nothing of it.
    let mut deaf: Vec<Wire> = (0..20).map(|_| Wire::connect(storage).unwrap()).collect();
    let body = download(&large);
    for wire in &mut deaf {
        wire.send(&request(DOWNLOAD, 0, body.len() as u64, &body)).unwrap();
    }

    while slow.iter().any(|peer| !peer.is_finished()) {
        let begin = Instant::now();
        let mut wire = Wire::connect(storage).unwrap();
        assert_eq!(wire.ask(DOWNLOAD, &download(&name)).unwrap().body, b"hello");
        upload(storage, b"something");
        assert!(Wire::connect(tracker).unwrap().is_in_step());
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    for peer in slow {
        let took = peer.join().unwrap();
        assert!(took < patience, "{took:?}");
    }
    for mut wire in deaf {
        assert_eq!(wire.answer_header().unwrap(), (0, 64 * MIB));
        assert!(wire.skip(64 * MIB).is_err(), "it was sent to the end to somebody who took nothing");
    }
    cluster.check_logs(&[]).unwrap();
}
