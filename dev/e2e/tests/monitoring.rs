//! What servers tell of themselves: numbers that move, and reasons why they can't do their work, from real processes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::time::Duration;

use e2e::files::{run, serving, upload};
use e2e::http::{Http, ask};
use fdfs_client::{DownloadOptions, FileId};
use serde_json::Value;
use status::Metric;
use tempfile::TempDir;
use testkit::cluster::{Cluster, Plan};
use testkit::drive::{ADMIN_PASSWORD, Drive};
use testkit::mariadb::MariaDb;
use testkit::open_metrics::Exposition;
use testkit::wait;

/// How long a server may take to notice something on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn metrics(status: SocketAddr) -> Exposition {
    let answer = ask(status, "GET", "/metrics", &[]).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Exposition::parse(&String::from_utf8(answer.content).unwrap()).unwrap()
}

/// The status of the answer, and every reason as `role/code` with its words.
fn readiness(status: SocketAddr) -> (u16, Vec<(String, String)>) {
    let answer = ask(status, "GET", "/readyz", &[]).unwrap();
    let said: Value = serde_json::from_slice(&answer.content).unwrap();
    let mut reasons = Vec::new();
    for role in said["roles"].as_array().unwrap() {
        for reason in role["reasons"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let code = format!("{}/{}", text(&role["role"]), text(&reason["code"]));
            reasons.push((code, text(&reason["words"])));
        }
        assert_eq!(role["ready"], role["reasons"].as_array().unwrap().is_empty());
    }
    assert_eq!(said["ready"], reasons.is_empty());
    assert_eq!(answer.status, if reasons.is_empty() { 200 } else { 503 });
    (answer.status, reasons)
}

fn until_ready(status: SocketAddr) {
    wait::until("it is ready", PATIENCE, || (readiness(status).0 == 200).then_some(())).unwrap();
}

/// Waits until this is why it is not ready; the words.
fn until_unready(status: SocketAddr, code: &str) -> String {
    let found = || readiness(status).1.into_iter().find(|(said, _)| said == code).map(|(_, words)| words);
    wait::until(code, PATIENCE, found).unwrap()
}

/// What every process tells, and each of these tables.
fn assert_told(told: &Exposition, tables: &[&[Metric]]) {
    for metric in [status::EVERY_PROCESS, status::NODE_STATES].iter().chain(tables).copied().flatten() {
        let family =
            told.0.get(&metric.family()).unwrap_or_else(|| panic!("{} is not told", metric.family()));
        assert_eq!(family.kind, metric.kind.word(), "{}", metric.name);
        assert_eq!(family.help, metric.doc, "{}", metric.name);
        for sample in &family.samples {
            let labels = sample.labels.keys().filter(|label| *label != "le").count();
            assert_eq!(labels, metric.labels.len(), "{sample:?}");
            assert!(metric.series().contains(&sample.name), "{sample:?}");
        }
    }
    let declared = tables.iter().map(|table| table.len()).sum::<usize>();
    let every = status::EVERY_PROCESS.len() + status::NODE_STATES.len();
    assert_eq!(told.0.len(), declared + every, "something is told that is in no table");
}

/// A cluster whose storage serves HTTP, and a drive on it.
struct Site {
    cluster: Cluster,
    drive: Drive,
    _folder: TempDir,
}

fn drive_on(cluster: &Cluster, more: &str) -> (Drive, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let trackers: String =
        cluster.trackers.iter().map(|node| format!("tracker_server = {}\n", node.address())).collect();
    let lines = format!("connect_timeout = 1\nnetwork_timeout = 2\n{trackers}{more}");
    (Drive::start(folder.path(), "drive", &lines).unwrap(), folder)
}

impl Site {
    fn new() -> Site {
        let cluster = Plan::new().storage_key("heart_beat_interval", 1).http(&[]).status().start().unwrap();
        serving(&cluster, &["group1"], 1);
        let (drive, folder) = drive_on(&cluster, "");
        Site { cluster, drive, _folder: folder }
    }

    fn sign_in(&self, password: &str) -> u16 {
        let body = format!("{{\"user_name\":\"admin\",\"password\":\"{password}\"}}");
        let mut http = Http::connect(self.drive.address()).unwrap();
        let head = "POST /api/v1/session HTTP/1.1\r\nHost: drive\r\nContent-Type: application/json\r\n";
        http.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        http.receive(false).unwrap().status
    }
}

#[test]
fn every_role_tells_all_its_numbers_and_they_move() {
    let site = Site::new();
    let (tracker, storage) = (&site.cluster.trackers[0], &site.cluster.storages[0]);
    let gateway = site.cluster.gateway(&[]).unwrap();
    let places = [tracker.status(), storage.status(), gateway.status(), site.drive.status()];
    let tables: [&[&[Metric]]; 4] =
        [&[tracker::METRICS], &[storage::METRICS, gateway::METRICS], &[gateway::METRICS], &[drive::METRICS]];
    places.iter().for_each(|place| until_ready(*place));
    let before = places.map(metrics);
    for (told, tables) in before.iter().zip(tables) {
        assert_told(told, tables);
    }
    let of_group = [("group", "group1"), ("status", "active")];
    assert_eq!(before[0].value("cairn_tracker_storages", &of_group), Some(1.0));
    assert_eq!(before[1].value("cairn_storage_state", &[("status", "active")]), Some(1.0));
    assert_eq!(before[1].value("cairn_storage_durability_info", &[("level", "copies:2")]), Some(1.0));
    assert_eq!(before[1].value("cairn_storage_trackers_joined", &[]), Some(1.0));
    assert_eq!(before[3].value("cairn_drive_part_up", &[("part", "database")]), Some(1.0));
    assert!(before[1].value("cairn_storage_path_free_bytes", &[("path", "M00")]).unwrap() > 0.0);
    assert!(before[0].value("process_resident_memory_bytes", &[]).unwrap() > 1e6);

    let content = vec![b'x'; 5000];
    let id: FileId = upload(&site.cluster, "group1", &content, "txt");
    let client = e2e::files::client(&site.cluster);
    run(client.download(&id, &DownloadOptions::default())).unwrap();
    let missing = FileId { name: id.name.clone(), group: "group2".parse().unwrap() };
    assert!(run(client.download(&missing, &DownloadOptions::default())).is_err());
    for door in [storage.http(), gateway.address()] {
        assert_eq!(ask(door, "GET", &format!("/{id}"), &[]).unwrap().status, 200);
        assert_eq!(ask(door, "GET", "/group1/M00/00/00/nothing", &[]).unwrap().status, 400);
    }
    assert_eq!((site.sign_in("wrong horse"), site.sign_in(ADMIN_PASSWORD)), (401, 201));
    assert_eq!(ask(site.drive.address(), "GET", "/api/v1/nowhere", &[]).unwrap().status, 404);

    let after = places.map(metrics);
    let moved = |place: usize, name: &str, labels: &[(&str, &str)]| {
        after[place].sum(name, labels) - before[place].sum(name, labels)
    };
    let of = |command, result| [("command", command), ("result", result)];
    let asked = "cairn_tracker_requests_total";
    assert_eq!(moved(0, asked, &of("query_store_group_one", "done")), 1.0);
    assert_eq!(moved(0, asked, &of("query_fetch_one", "refused")), 1.0);
    assert!(moved(0, asked, &of("query_fetch_one", "done")) >= 1.0);
    let asked = "cairn_storage_requests_total";
    assert_eq!(moved(1, asked, &of("upload_file", "done")), 1.0);
    assert_eq!(moved(1, "cairn_storage_request_seconds_count", &[("command", "upload_file")]), 1.0);
    assert_eq!(moved(1, "cairn_storage_received_bytes_total", &[("from", "clients")]), 5000.0);
    assert!(moved(1, "cairn_storage_sent_bytes_total", &[("to", "clients")]) >= 5000.0);
    assert_eq!(moved(1, "cairn_storage_packed_files", &[]), 1.0);
    for (place, name) in [(1, "of the storage"), (2, "by itself")] {
        let asked = "cairn_gateway_requests_total";
        assert_eq!(moved(place, asked, &[("method", "get"), ("status", "2xx")]), 1.0, "{name}");
        assert_eq!(moved(place, asked, &[("method", "get"), ("status", "4xx")]), 1.0, "{name}");
        assert!(moved(place, "cairn_gateway_sent_bytes_total", &[]) >= 5000.0, "{name}");
    }
    assert_eq!(moved(3, "cairn_drive_sign_ins_total", &[("result", "wrong")]), 1.0);
    assert_eq!(moved(3, "cairn_drive_sign_ins_total", &[("result", "done")]), 1.0);
    let asked = "cairn_drive_requests_total";
    assert_eq!(moved(3, asked, &[("operation", "signIn"), ("status", "2xx")]), 1.0);
    assert_eq!(moved(3, asked, &[("operation", "signIn"), ("status", "4xx")]), 1.0);
    assert_eq!(moved(3, asked, &[("operation", "page"), ("status", "4xx")]), 1.0);
}

#[test]
fn who_needs_a_tracker_is_not_ready_without_one_and_ready_again_by_itself() {
    let mut site = Site::new();
    let (storage, drive) = (site.cluster.storages[0].status(), site.drive.status());
    until_ready(storage);
    until_ready(drive);
    let address = site.cluster.tracker().to_string();
    site.cluster.trackers[0].kill().unwrap();
    let words = until_unready(storage, "storage/no-tracker");
    assert!(words.contains(&address), "{words}");
    until_unready(storage, "gateway/no-tracker");
    let words = until_unready(drive, "drive/bytes-away");
    assert!(words.starts_with("the store of contents does not answer: "), "{words}");
    let told = metrics(storage);
    assert_eq!(told.value("cairn_ready", &[("role", "storage")]), Some(0.0));
    let reason = [("role", "storage"), ("reason", "no-tracker")];
    assert_eq!(told.value("cairn_unready", &reason), Some(1.0));
    assert_eq!(told.value("cairn_storage_trackers_joined", &[]), Some(0.0));
    assert_eq!(metrics(drive).value("cairn_drive_part_up", &[("part", "bytes")]), Some(0.0));
    // It lives all the same: nobody is to restart it for that.
    assert_eq!(ask(storage, "GET", "/healthz", &[]).unwrap().status, 200);

    site.cluster.restart_tracker(0).unwrap();
    until_ready(storage);
    until_ready(drive);
    until_ready(site.cluster.trackers[0].status());
}

#[test]
fn a_drive_is_not_ready_without_its_database_and_ready_again_by_itself() {
    let cluster = Plan::new().start().unwrap();
    let mut database = MariaDb::start().unwrap();
    let name = database.database().unwrap();
    let (drive, _folder) = drive_on(&cluster, &format!("[database]\nurl = {}\n", database.url(&name)));
    until_ready(drive.status());
    database.kill().unwrap();
    let words = until_unready(drive.status(), "drive/database-away");
    assert!(words.starts_with("the database does not answer: "), "{words}");
    let told = metrics(drive.status());
    assert_eq!(told.value("cairn_drive_part_up", &[("part", "database")]), Some(0.0));
    assert_eq!(told.value("cairn_drive_part_up", &[("part", "bytes")]), Some(1.0));
    database.restart().unwrap();
    until_ready(drive.status());
}

#[test]
fn a_storage_that_lost_its_peer_says_how_far_it_is_behind_and_why() {
    let plan = Plan::new().groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1);
    let mut cluster = plan.tracker_key("check_active_interval", 2).status().start().unwrap();
    serving(&cluster, &["group1"], 2);
    let (here, peer) = (cluster.storages[0].status(), cluster.storages[1].address().ip().to_string());
    let lag = |told: &Exposition| told.value("cairn_storage_sync_lag_bytes", &[("peer", &peer)]);
    let wait = |what: &str, is: &dyn Fn(&Exposition) -> bool| {
        wait::until(what, PATIENCE, || Some(metrics(here)).filter(is)).unwrap()
    };
    wait("it is known how far the peer is", &|told| lag(told) == Some(0.0));
    cluster.storages[1].kill().unwrap();
    let offline =
        |told: &Exposition| told.value("cairn_storage_peers", &[("status", "offline")]) == Some(1.0);
    wait("the trackers have noticed", &offline);
    let _ = upload(&cluster, "group1", b"only here", "txt");
    let told = wait("the peer lacks something", &|told| lag(told).is_some_and(|lag| lag > 0.0));
    let reason = [("peer", peer.as_str()), ("reason", "peer-status")];
    assert_eq!(told.value("cairn_storage_sync_obstacle", &reason), Some(1.0));
    // The group serves, with one copy less.
    assert_eq!(readiness(here).0, 200);
    cluster.restart_storage(1).unwrap();
    let told = wait("the peer has everything", &|told| lag(told) == Some(0.0));
    assert_eq!(told.sum("cairn_storage_sync_obstacle", &[]), 0.0);
}
