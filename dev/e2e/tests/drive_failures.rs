//! A drive of two processes behind nginx, on MariaDB, Redis and a cluster: each part is killed in turn while people work,
//! and comes back. What they were told is true in the end, and what is counted is exact.

#![allow(clippy::print_stdout, reason = "how long what took is worth reading")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drive_core::queue::BATCH_LEASE;
use drive_db::Database;
use e2e::files::serving;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::cluster::{Cluster, Plan};
use testkit::drive::Drive;
use testkit::mariadb::MariaDb;
use testkit::nginx::Nginx;
use testkit::redis::Redis;
use testkit::wait;

const NGINX: &str = include_str!("../../../deploy/nginx/drive.conf");

/// People who work at the same time.
const PEOPLE: usize = 6;

/// How long they work before a part is killed, while it is away, and after it is back.
const PHASE: Duration = Duration::from_secs(2);

/// The longest that one request may take, whatever happens.
const REQUEST: Duration = Duration::from_secs(30);

const PASSWORD: &str = "correct horse battery";

/// What is killed, one after the other.
const PARTS: [&str; 7] =
    ["nothing", "the database", "the cache", "the queue", "a drive", "a storage", "a tracker"];

/// Everything that a drive in production is made of.
struct Site {
    nginx: Nginx,
    drives: Vec<Drive>,
    cluster: Cluster,
    cache: Redis,
    queue: Redis,
    database: MariaDb,
    database_url: String,
    _folder: TempDir,
}

impl Site {
    fn new() -> Site {
        let plan = Plan::new().trackers(2).groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1);
        let cluster = plan.start().unwrap();
        // Before the members know each other a file is on one of them only.
        serving(&cluster, &["group1"], 2);
        let database = MariaDb::start().unwrap();
        let name = database.database().unwrap();
        let database_url = database.url(&name);
        let (cache, queue) = (Redis::start().unwrap(), Redis::start_durable().unwrap());
        let trackers: String =
            cluster.trackers.iter().map(|node| format!("tracker_server = {}\n", node.address())).collect();
        let lines = format!(
            "trusted_proxies = 127.0.0.1\nhashes_at_once = 2\nconnect_timeout = 1\nnetwork_timeout = 5\n{trackers}\
             [database]\nurl = {database_url}\n[cache]\nredis_server = {}\nredis_timeout = 1\n\
             [queue]\nkind = redis\nredis_server = {}\nredis_timeout = 1\n",
            cache.address(),
            queue.address(),
        );
        let folder = tempfile::tempdir().unwrap();
        let drives: Vec<Drive> =
            (0..2).map(|i| Drive::start(folder.path(), &format!("drive{i}"), &lines).unwrap()).collect();
        let nginx = NGINX
            .replace("192.0.2.31:8080", &drives[0].address().to_string())
            .replace("192.0.2.32:8080", &drives[1].address().to_string());
        let nginx = Nginx::start(&nginx).unwrap();
        Site { nginx, drives, cluster, cache, queue, database, database_url, _folder: folder }
    }

    fn api(&self) -> String {
        format!("http://{}/api/v1", self.nginx.address())
    }
}

/// What came of requests, by phase: how many, and the longest.
#[derive(Default)]
struct Seen {
    done: AtomicU64,
    refused: AtomicU64,
    longest_ms: AtomicU64,
    /// Why requests were not answered, and how many for each reason.
    reasons: Mutex<BTreeMap<String, u64>>,
}

/// Where a request of somebody goes, and what is seen of it.
struct Work {
    client: Client,
    api: String,
    over: AtomicBool,
    phase: AtomicU64,
    seen: Vec<Seen>,
}

impl Work {
    /// One request; none when it was not answered, or by a part that is away.
    async fn ask(
        &self,
        person: &Person,
        method: Method,
        path: &str,
        body: Body,
    ) -> Option<(StatusCode, Vec<u8>)> {
        let begun = Instant::now();
        let seen = &self.seen[usize::try_from(self.phase.load(Ordering::Relaxed)).unwrap()];
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.api));
        request = request.bearer_auth(&person.token).header("user-agent", &person.name);
        request = match body {
            Body::None => request,
            Body::Json(value) => request.header("content-type", "application/json").body(value.to_string()),
            Body::Bytes(bytes) => request.body(bytes),
        };
        let kind = path.split('/').nth(1).unwrap_or_default();
        let answer = async {
            let response = request.send().await.map_err(|_| format!("{method} {kind}: no answer"))?;
            let status = response.status();
            let bytes = response.bytes().await.map_err(|_| format!("{method} {kind}: half an answer"))?;
            if status.is_server_error() {
                let problem: Option<Value> = serde_json::from_slice(&bytes).ok();
                let code = problem.map(|problem| problem["code"].to_string()).unwrap_or_default();
                return Err(format!("{method} {kind}: {} {code}", status.as_u16()));
            }
            Ok((status, bytes.to_vec()))
        };
        let answer = answer.await;
        if let Err(reason) = &answer {
            *seen.reasons.lock().unwrap().entry(reason.clone()).or_default() += 1;
        }
        let answer = answer.ok();
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
        seen.longest_ms.fetch_max(took, Ordering::Relaxed);
        if answer.is_some() { &seen.done } else { &seen.refused }.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Asks until it is answered: what a patient client does.
    async fn insist(&self, person: &Person, method: Method, path: &str, body: Body) -> (StatusCode, Vec<u8>) {
        let end = Instant::now() + 4 * REQUEST;
        loop {
            match self.ask(person, method.clone(), path, body.clone()).await {
                Some(answer) => return answer,
                None => assert!(Instant::now() < end, "{path}: never answered"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[derive(Clone)]
enum Body {
    None,
    Json(Value),
    Bytes(Vec<u8>),
}

/// Somebody who works, and what they were told.
struct Person {
    name: String,
    token: String,
    /// The files that were acknowledged and not deleted: names and contents.
    files: BTreeMap<String, (String, Vec<u8>)>,
    deleted: u64,
    /// Files whose first try was not answered. It may have been done all the same, or be done once the database is back: then
    /// both are kept.
    unanswered: u64,
    /// Bytes of the largest file it sent.
    largest: usize,
    /// What was accepted, and is to come.
    accepted: Vec<(String, String, Vec<u8>)>,
}

impl Person {
    async fn new(work: &Work, name: &str) -> Person {
        let post = async |path: &str, fields: Value| {
            let request = work.client.post(format!("{}{path}", work.api));
            let request = request.header("content-type", "application/json");
            request.body(fields.to_string()).send().await.unwrap()
        };
        let made = post("/accounts", json!({"user_name": name, "password": PASSWORD})).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let session =
            post("/session", json!({"user_name": name, "password": PASSWORD, "hand": "token"})).await;
        let session: Value = serde_json::from_slice(&session.bytes().await.unwrap()).unwrap();
        Person {
            name: name.to_owned(),
            token: session["token"].as_str().unwrap().to_owned(),
            files: BTreeMap::new(),
            deleted: 0,
            unanswered: 0,
            largest: 0,
            accepted: Vec::new(),
        }
    }

    /// Sends a file, reads it back, and now and then deletes one, until the work is over.
    async fn work(mut self, work: Arc<Work>) -> Person {
        let mut turn = 0u64;
        while !work.over.load(Ordering::Relaxed) {
            turn += 1;
            let name = format!("file {turn}.bin");
            // Every third has the bytes of everybody's: its references are counted.
            let owner = if turn.is_multiple_of(3) { "everybody" } else { &*self.name };
            let content =
                format!("{owner} {turn} ").repeat(100 + usize::try_from(turn % 900).unwrap()).into_bytes();
            self.largest = self.largest.max(content.len());
            self.send(&work, &name, content).await;
            if turn.is_multiple_of(4) {
                self.delete(&work).await;
            }
            if let Some((name, (node, content))) = self.files.last_key_value() {
                let path = format!("/nodes/{node}/content");
                if let Some((status, bytes)) = work.ask(&self, Method::GET, &path, Body::None).await {
                    assert_eq!(status, StatusCode::OK, "{name}");
                    assert!(bytes == *content, "{name} came back as something else");
                }
            }
        }
        self
    }

    async fn send(&mut self, work: &Work, name: &str, content: Vec<u8>) {
        let path = format!("/nodes/root/files/{name}");
        let body = Body::Bytes(content.clone());
        let (status, answer) = match work.ask(self, Method::PUT, &path, body.clone()).await {
            Some(answer) => answer,
            None => {
                self.unanswered += 1;
                work.insist(self, Method::PUT, &path, body).await
            }
        };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        match status {
            StatusCode::CREATED => {
                let node = answer["id"].as_str().unwrap().to_owned();
                self.files.insert(name.to_owned(), (node, content));
            }
            StatusCode::ACCEPTED => {
                let key = answer["key"].as_str().unwrap().to_owned();
                self.accepted.push((key, name.to_owned(), content));
            }
            // The answer was lost between the drive and nginx, which asked the other process, or behind nginx.
            StatusCode::CONFLICT => self.found(work, name, content).await,
            other => panic!("{name}: {other} {answer}"),
        }
    }

    /// A file whose answer was lost is there under its name.
    async fn found(&mut self, work: &Work, name: &str, content: Vec<u8>) {
        let (status, list) = work.insist(self, Method::GET, &format!("/search?q={name}"), Body::None).await;
        assert_eq!(status, StatusCode::OK);
        let list: Value = serde_json::from_slice(&list).unwrap();
        let row = list["rows"].as_array().unwrap().iter().find(|row| row["name"] == *name).unwrap();
        self.files.insert(name.to_owned(), (row["id"].as_str().unwrap().to_owned(), content));
    }

    /// Everything that was acknowledged is there, byte for byte, and nothing else; what was accepted comes to its end by
    /// itself.
    async fn check(mut self, work: Arc<Work>) {
        for (key, name, content) in std::mem::take(&mut self.accepted) {
            let end = Instant::now() + BATCH_LEASE + wait::READY;
            let path = format!("/records/{key}");
            let record = loop {
                let (_, record) = work.insist(&self, Method::GET, &path, Body::None).await;
                let record: Value = serde_json::from_slice(&record).unwrap();
                if record["state"] != "waiting" {
                    break record;
                }
                assert!(Instant::now() < end, "{name}: still waiting");
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            assert_eq!(record["state"], "applied", "{name}: {record}");
            self.files.insert(name, (record["node"].as_str().unwrap().to_owned(), content));
        }
        for (name, (node, content)) in &self.files {
            let path = format!("/nodes/{node}/content");
            let (status, bytes) = work.insist(&self, Method::GET, &path, Body::None).await;
            assert_eq!(status, StatusCode::OK, "{name} of {}", self.name);
            assert!(bytes == *content, "{name} of {}", self.name);
        }
        let (_, usage) = work.insist(&self, Method::GET, "/usage", Body::None).await;
        let usage: Value = serde_json::from_slice(&usage).unwrap();
        let least = 1 + u64::try_from(self.files.len()).unwrap() + self.deleted;
        let nodes = usage["nodes"].as_u64().unwrap();
        let (name, unanswered) = (&self.name, self.unanswered);
        assert!((least..=least + unanswered).contains(&nodes), "{name}: {nodes}, {least}, {unanswered}");
        // The one drive that was killed may have died between reserving room and writing down why, and nginx asked the
        // other: the room of that one file is left to the sweep.
        let reserved = usize::try_from(usage["reserved"].as_u64().unwrap()).unwrap();
        assert!(reserved <= self.largest, "{name}: {usage}");
    }

    async fn delete(&mut self, work: &Work) {
        let Some((_, (node, _))) = self.files.pop_first() else { return };
        let (status, _) = work.insist(self, Method::DELETE, &format!("/nodes/{node}"), Body::None).await;
        // Gone: the answer to the first try was lost.
        assert!(status == StatusCode::OK || status == StatusCode::NOT_FOUND, "{status}");
        self.deleted += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_part_is_killed_nothing_acknowledged_is_lost_and_what_is_counted_is_exact() {
    let mut site = tokio::task::spawn_blocking(Site::new).await.unwrap();
    let work = Arc::new(Work {
        client: Client::builder().timeout(REQUEST).build().unwrap(),
        api: site.api(),
        over: AtomicBool::new(false),
        phase: AtomicU64::new(0),
        seen: PARTS.iter().map(|_| Seen::default()).collect(),
    });

    // A link that everybody downloads, as different visitors.
    let mut owner = Person::new(&work, "owner").await;
    owner.send(&work, "shared.txt", b"everybody reads this".to_vec()).await;
    let node = owner.files["shared.txt"].0.clone();
    let terms = Body::Json(json!({"listed": true}));
    let (status, link) = work.insist(&owner, Method::POST, &format!("/nodes/{node}/shares"), terms).await;
    assert_eq!(status, StatusCode::CREATED);
    let link: Value = serde_json::from_slice(&link).unwrap();
    let download = format!("/public/shares/{}/nodes/{node}/content", link["token"].as_str().unwrap());

    let mut people = Vec::new();
    for i in 0..PEOPLE {
        people.push(tokio::spawn(Person::new(&work, &format!("person{i}")).await.work(Arc::clone(&work))));
    }
    let visitors = {
        let (work, download) = (Arc::clone(&work), download.clone());
        tokio::spawn(async move {
            let mut count = 0;
            while !work.over.load(Ordering::Relaxed) {
                let visitor = Person {
                    name: format!("visitor {count}"),
                    token: String::new(),
                    files: BTreeMap::new(),
                    deleted: 0,
                    unanswered: 0,
                    largest: 0,
                    accepted: Vec::new(),
                };
                let (status, bytes) = work.visit(&visitor, &download).await;
                assert_eq!((status, &bytes[..]), (StatusCode::OK, &b"everybody reads this"[..]));
                count += 1;
            }
            count
        })
    };

    tokio::time::sleep(PHASE).await;
    for (number, part) in PARTS.into_iter().enumerate().skip(1) {
        work.phase.store(u64::try_from(number).unwrap(), Ordering::Relaxed);
        site = tokio::task::spawn_blocking(move || {
            site.kill(part);
            site
        })
        .await
        .unwrap();
        tokio::time::sleep(PHASE).await;
        site = tokio::task::spawn_blocking(move || {
            site.bring_back(part);
            site
        })
        .await
        .unwrap();
        tokio::time::sleep(PHASE).await;
    }
    work.over.store(true, Ordering::Relaxed);
    let mut told = vec![owner];
    for person in people {
        told.push(person.await.unwrap());
    }
    let visitors: u64 = visitors.await.unwrap();

    for (part, seen) in PARTS.iter().zip(&work.seen) {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "{part} killed: {} answered, {} not, the longest took {} ms {:?}",
            number(&seen.done),
            number(&seen.refused),
            number(&seen.longest_ms),
            seen.reasons.lock().unwrap()
        );
        assert!(number(&seen.done) > 0, "{part}: nobody was served");
    }

    for person in &told {
        println!("{}: {} files, {} accepted", person.name, person.files.len(), person.accepted.len());
    }
    let mut checks = tokio::task::JoinSet::new();
    for person in told.drain(1..) {
        checks.spawn(person.check(Arc::clone(&work)));
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
    // Each visitor counted once, whatever was in between. What a process had claimed of the queue when it was killed comes back
    // when its lease is over.
    let end = Instant::now() + BATCH_LEASE + wait::READY;
    let path = format!("/shares/{}", link["id"].as_str().unwrap());
    loop {
        let (_, share) = work.insist(&told[0], Method::GET, &path, Body::None).await;
        let share: Value = serde_json::from_slice(&share).unwrap();
        if share["downloads"] == visitors {
            break;
        }
        assert!(Instant::now() < end, "{} of {visitors} downloads are counted", share["downloads"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // References, quotas, folders' counts: the whole database is in accord with itself.
    let database = Database::open(drive_db::Settings::mysql([site.database_url.clone()])).await.unwrap();
    assert_eq!(database.check().await.unwrap(), []);
    for drive in &mut site.drives {
        drive.stop().unwrap();
    }
}

impl Work {
    /// Downloads as somebody who is not signed in, until it is done.
    async fn visit(&self, visitor: &Person, path: &str) -> (StatusCode, Vec<u8>) {
        let end = Instant::now() + 4 * REQUEST;
        loop {
            let request = self.client.get(format!("{}{path}", self.api)).header("user-agent", &visitor.name);
            if let Ok(response) = request.send().await {
                let status = response.status();
                if let (false, Ok(bytes)) = (status.is_server_error(), response.bytes().await) {
                    return (status, bytes.to_vec());
                }
            }
            assert!(Instant::now() < end, "{path}: never answered");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Site {
    fn kill(&mut self, part: &str) {
        match part {
            "the database" => self.database.kill(),
            "the cache" => self.cache.server().kill(),
            "the queue" => self.queue.server().kill(),
            "a drive" => self.drives[0].kill(),
            "a storage" => self.cluster.storages[0].kill(),
            "a tracker" => self.cluster.trackers[0].kill(),
            other => panic!("{other}"),
        }
        .unwrap();
    }

    fn bring_back(&mut self, part: &str) {
        match part {
            "the database" => self.database.restart(),
            "the cache" => self.cache.start_again(),
            "the queue" => self.queue.start_again(),
            "a drive" => self.drives[0].start_again(),
            "a storage" => self.cluster.restart_storage(0),
            "a tracker" => self.cluster.restart_tracker(0),
            other => panic!("{other}"),
        }
        .unwrap();
    }
}
