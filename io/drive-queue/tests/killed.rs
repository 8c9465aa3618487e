//! The process that keeps the entries is killed in the middle of work: nothing that was answered is lost, and with the
//! keys of entries nothing is applied twice.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{Append, Lane, Queue};
use drive_core::queue::{Counter, Entry, EntryKey, Event, coalesce, decode, encode};
use drive_core::{ShareId, UnixMillis};
use drive_queue::{
    EmbeddedQueue, EmbeddedQueueConfig, NatsLogin, NatsQueue, NatsQueueConfig, Persistence, RedisQueue,
    RedisQueueConfig,
};
use futures_util::future::join_all;
use redis_link::{RedisConfig, Servers};
use testkit::nats::Nats;
use testkit::redis::Redis;

const LANE: Lane = Lane::Counts;
/// Shorter than the time for which a test waits for what was handed out by one that was killed.
const LEASE: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(2);
/// Before a call that failed is made again.
const PAUSE: Duration = Duration::from_millis(20);

/// A view of the one link, with the key of this number.
fn entry(number: u64) -> Append {
    let mut key = [0; 16];
    key[8..].copy_from_slice(&number.to_be_bytes());
    let event = Event::Count(Counter::ShareViews(ShareId::new(1).unwrap()));
    let entry = Entry { key: EntryKey(key), at: UnixMillis(0), event };
    Append { bytes: encode(&entry).unwrap().into() }
}

fn number(bytes: &Bytes) -> u64 {
    let EntryKey(key) = decode(bytes).unwrap().key;
    u64::from_be_bytes(*key.last_chunk().unwrap())
}

/// The tables of a database: the views, and the keys that were applied, changed in one step.
#[derive(Default)]
struct Tables {
    views: u64,
    applied: BTreeSet<EntryKey>,
}

impl Tables {
    fn apply(&mut self, batch: &[Bytes]) {
        let work = coalesce(batch.iter().map(|bytes| decode(bytes).unwrap()).collect(), &self.applied);
        self.views += work.counts.values().sum::<u64>();
        self.applied.extend(work.keys);
    }
}

/// Appends and applies through a queue whose server is killed and started again, several times.
async fn work_through_kills(queue: &dyn Queue, mut kill_and_start: impl FnMut()) {
    const WRITERS: u64 = 8;
    const EACH: u64 = 150;
    const KILLS: u64 = 3;
    let answered = RefCell::new(0);
    let tables = RefCell::new(Tables::default());
    let writers = (0..WRITERS).map(|writer| {
        let answered = &answered;
        async move {
            for number in writer * EACH..(writer + 1) * EACH {
                let entries = [entry(number)];
                // Whatever became of it: the same entry again.
                while queue.append(LANE, &entries).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
                *answered.borrow_mut() += 1;
            }
        }
    });
    let all = WRITERS * EACH;
    let appliers = (0..2).map(|_| async {
        while (tables.borrow().applied.len() as u64) < all {
            let Ok(batch) = queue.claim(LANE, 40, DEADLINE).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let bytes: Vec<_> = batch.iter().map(|delivery| delivery.bytes.clone()).collect();
            tables.borrow_mut().apply(&bytes);
            let tickets: Vec<_> = batch.into_iter().map(|delivery| delivery.ticket).collect();
            // If it fails they come again, and are known.
            let _ = queue.acknowledge(LANE, &tickets).await;
        }
    });
    let killer = async {
        for kill in 1..=KILLS {
            while *answered.borrow() < kill * all / (KILLS + 1) {
                tokio::task::yield_now().await;
            }
            kill_and_start();
        }
    };
    tokio::join!(join_all(writers), join_all(appliers), killer);
    let tables = tables.into_inner();
    assert_eq!((answered.into_inner(), tables.views), (all, all));
    // What is there still was applied, and comes again until it is acknowledged.
    loop {
        let batch = queue.claim(LANE, 100, LEASE * 2).await.unwrap();
        if batch.is_empty() {
            break;
        }
        let known = |bytes: &Bytes| tables.applied.contains(&decode(bytes).unwrap().key);
        assert!(batch.iter().all(|delivery| known(&delivery.bytes)));
        let tickets: Vec<_> = batch.into_iter().map(|delivery| delivery.ticket).collect();
        queue.acknowledge(LANE, &tickets).await.unwrap();
    }
}

#[tokio::test]
async fn through_kills_of_redis_everything_is_applied_once() {
    let mut server = Redis::start_durable().unwrap();
    let redis = RedisConfig {
        servers: Servers::Single(server.address().to_string().parse().unwrap()),
        user: None,
        password: None,
        database: 0,
        tls: false,
        prefix: "test".to_owned(),
        deadline: DEADLINE,
    };
    let config = RedisQueueConfig {
        redis,
        lane_entries_max: 10_000,
        lease: LEASE,
        replicas: 0,
        persistence: Persistence::Checked,
    };
    let queue = RedisQueue::new(config).unwrap();
    work_through_kills(&queue, || {
        server.server().kill().unwrap();
        server.start_again().unwrap();
    })
    .await;
}

#[tokio::test]
async fn through_kills_of_nats_everything_is_applied_once() {
    let mut server = Nats::start().unwrap();
    let config = NatsQueueConfig {
        servers: vec![server.address().to_string()],
        login: NatsLogin::Nobody,
        tls: false,
        prefix: "test".to_owned(),
        lane_entries_max: 10_000,
        lane_bytes_max: 1 << 28,
        lease: LEASE,
        deadline: DEADLINE,
        replicas: 1,
    };
    let queue = NatsQueue::new(config).await.unwrap();
    work_through_kills(&queue, || {
        server.server().kill().unwrap();
        server.start_again().unwrap();
    })
    .await;
}

/// Tells a process started by this test what it is for.
const FILE: &str = "DRIVE_QUEUE_FILE";
const FIRST: &str = "DRIVE_QUEUE_FIRST";

fn embedded(file: &Path) -> EmbeddedQueue {
    let config = EmbeddedQueueConfig {
        file: file.to_owned(),
        lane_bytes_max: 1 << 28,
        lease: Duration::from_secs(3600),
        deadline: Duration::from_secs(30),
    };
    EmbeddedQueue::open(&config).unwrap()
}

/// Says what was answered, a line each, until it is killed.
fn work_until_killed(file: &OsStr) -> ! {
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let say = |what: &str, number: u64| writeln!(std::io::stdout().lock(), "{what} {number}").unwrap();
    let queue = embedded(Path::new(file));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let writers = (0..4).map(|writer| {
            let queue = &queue;
            async move {
                for number in (first + writer..).step_by(4) {
                    queue.append(LANE, &[entry(number)]).await.unwrap();
                    say("appended", number);
                }
            }
        });
        let applier = async {
            loop {
                let batch = queue.claim(LANE, 3, DEADLINE).await.unwrap();
                // The line is the commit.
                batch.iter().for_each(|delivery| say("applied", number(&delivery.bytes)));
                let tickets: Vec<_> = batch.iter().map(|delivery| delivery.ticket.clone()).collect();
                queue.acknowledge(LANE, &tickets).await.unwrap();
                batch.iter().for_each(|delivery| say("acknowledged", number(&delivery.bytes)));
            }
        };
        tokio::join!(join_all(writers), applier);
    });
    unreachable!("it has no end of its own");
}

#[test]
fn what_the_embedded_queue_answered_survives_its_process() {
    if let Some(file) = std::env::var_os(FILE) {
        work_until_killed(&file);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    let (mut appended, mut applied, mut acknowledged) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["what_the_embedded_queue_answered_survives_its_process", "--exact", "--nocapture"])
            .env(FILE, &file)
            .env(FIRST, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (mut line, mut seen) = (String::new(), 0);
        while lines.read_line(&mut line).unwrap() > 0 {
            // The last one may be torn.
            if let Some((what, number)) = line.strip_suffix('\n').and_then(|line| line.rsplit_once(' ')) {
                match (what.rsplit(' ').next(), number.parse::<u64>()) {
                    (Some("appended"), Ok(number)) => {
                        appended.insert(number);
                        seen += 1;
                    }
                    (Some("applied"), Ok(number)) => {
                        assert!(!acknowledged.contains(&number), "{number} came back");
                        applied.insert(number);
                    }
                    (Some("acknowledged"), Ok(number)) => {
                        acknowledged.insert(number);
                    }
                    // What the test runner says.
                    _ => {}
                }
            }
            // At another moment in each round; what it said until then is read to the end.
            if seen == 40 + round * 17 {
                child.kill().unwrap();
            }
            line.clear();
        }
        child.wait().unwrap();
    }
    assert!(acknowledged.len() > 50 && appended.len() > acknowledged.len());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let left: BTreeSet<u64> = runtime.block_on(async {
        let batch = embedded(&file).claim(LANE, usize::MAX, DEADLINE).await.unwrap();
        batch.iter().map(|delivery| number(&delivery.bytes)).collect()
    });
    assert!(left.is_disjoint(&acknowledged), "acknowledged, and came back");
    let lost: Vec<_> =
        appended.iter().filter(|number| !applied.contains(number) && !left.contains(number)).collect();
    assert!(lost.is_empty(), "{lost:?} are lost");
}
