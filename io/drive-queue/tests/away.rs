//! Servers that are away, hang, are full, or would lose what they are told.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drive_core::ports::{Append, Lane, Queue, QueueDepth, QueueError};
use drive_queue::{
    EmbeddedQueue, EmbeddedQueueConfig, NatsLogin, NatsQueue, NatsQueueConfig, OpenError, Persistence,
    RedisQueue, RedisQueueConfig, WrongNatsConfig,
};
use redis_link::{RedisConfig, Servers};
use testkit::nats::Nats;
use testkit::process::{Server, Signal};
use testkit::redis::{Redis, SERVICE, Sentinel};

const DEADLINE: Duration = Duration::from_millis(800);
/// What a deadline may be missed by: the machine has more to do.
const SLACK: Duration = Duration::from_secs(2);
/// How long something may take to come back.
const BACK: Duration = Duration::from_secs(30);
const LANE: Lane = Lane::Records;

fn entry(text: &'static str) -> Append {
    Append { bytes: Bytes::from_static(text.as_bytes()) }
}

fn redis_config(servers: Servers) -> RedisQueueConfig {
    let redis = RedisConfig {
        servers,
        user: None,
        password: None,
        database: 0,
        tls: false,
        prefix: "test".to_owned(),
        deadline: DEADLINE,
    };
    RedisQueueConfig {
        redis,
        lane_entries_max: 100,
        lease: Duration::from_secs(60),
        replicas: 0,
        persistence: Persistence::Checked,
    }
}

fn one_redis(server: &Redis) -> RedisQueueConfig {
    redis_config(Servers::Single(server.address().to_string().parse().unwrap()))
}

fn nats_config(server: &Nats) -> NatsQueueConfig {
    NatsQueueConfig {
        servers: vec![server.address().to_string()],
        login: NatsLogin::Nobody,
        tls: false,
        prefix: "test".to_owned(),
        lane_entries_max: 100,
        lane_bytes_max: 1 << 20,
        lease: Duration::from_secs(60),
        deadline: DEADLINE,
        replicas: 1,
    }
}

/// Every call is an error, in time.
async fn is_away(queue: &dyn Queue) {
    let entries = [entry("lost")];
    let tickets = ["1-1".to_owned(), "1:$JS.ACK.test_records.appliers.1.1.1.1.0".to_owned()];
    let ticket = tickets[1].as_str();
    let wait = Duration::from_millis(300);
    let calls: [(&str, drive_core::ports::Later<'_, bool>); 5] = [
        ("append", Box::pin(async { queue.append(LANE, &entries).await.is_err() })),
        ("claim", Box::pin(async { queue.claim(LANE, 1, wait).await.is_err() })),
        ("acknowledge", Box::pin(async { queue.acknowledge(LANE, &tickets).await.is_err() })),
        ("list", Box::pin(async { queue.list_set_aside(LANE, None, 1).await.is_err() })),
        ("depth", Box::pin(async { queue.depth(LANE).await.is_err() })),
    ];
    for (name, call) in calls {
        let started = Instant::now();
        assert!(call.await, "{name}");
        assert!(started.elapsed() < DEADLINE + wait + SLACK, "{name} took {:?}", started.elapsed());
    }
    // For Redis the ticket is none; for NATS the deadline is asked before.
    let started = Instant::now();
    let _ = queue.set_aside(LANE, ticket, "r").await;
    assert!(started.elapsed() < DEADLINE + SLACK);
}

/// It comes back by itself, with what it had.
async fn is_back(queue: &dyn Queue, expected: &'static str) {
    let end = Instant::now() + BACK;
    loop {
        match queue.claim(LANE, 1, Duration::ZERO).await {
            Ok(got) if !got.is_empty() => {
                assert_eq!(got[0].bytes, expected);
                return queue.acknowledge(LANE, &[got[0].ticket.clone()]).await.unwrap();
            }
            other => assert!(Instant::now() < end, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn append_until_answered(queue: &dyn Queue, text: &'static str) {
    let end = Instant::now() + BACK;
    while let Err(error) = queue.append(LANE, &[entry(text)]).await {
        assert!(Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a server that hung was sent meanwhile it may do when it goes on.
async fn hang(queue: &dyn Queue, server: &mut Server) {
    append_until_answered(queue, "before").await;
    is_back(queue, "before").await;
    server.signal(Signal::STOP).unwrap();
    is_away(queue).await;
    server.signal(Signal::CONT).unwrap();
    append_until_answered(queue, "after").await;
    let end = Instant::now() + BACK;
    loop {
        let got = queue.claim(LANE, 1, DEADLINE).await.unwrap();
        if got.iter().any(|delivery| delivery.bytes == "after") {
            return;
        }
        assert!(got.iter().all(|delivery| delivery.bytes == "lost"));
        assert!(Instant::now() < end);
    }
}

#[tokio::test]
async fn a_killed_redis_is_an_error_in_time_and_comes_back_with_what_it_had() {
    let mut server = Redis::start_durable().unwrap();
    let queue = RedisQueue::new(one_redis(&server)).unwrap();
    queue.append(LANE, &[entry("a")]).await.unwrap();
    server.server().kill().unwrap();
    is_away(&queue).await;
    server.start_again().unwrap();
    is_back(&queue, "a").await;
    append_until_answered(&queue, "b").await;
    is_back(&queue, "b").await;
}

#[tokio::test]
async fn a_killed_nats_is_an_error_in_time_and_comes_back_with_what_it_had() {
    let mut server = Nats::start().unwrap();
    let queue = NatsQueue::new(nats_config(&server)).await.unwrap();
    queue.append(LANE, &[entry("a")]).await.unwrap();
    server.server().kill().unwrap();
    is_away(&queue).await;
    server.start_again().unwrap();
    is_back(&queue, "a").await;
}

#[tokio::test]
async fn servers_that_are_not_there_at_first_are_found_when_they_are() {
    let mut redis = Redis::start_durable().unwrap();
    let mut nats = Nats::start().unwrap();
    redis.server().kill().unwrap();
    nats.server().kill().unwrap();
    let one = RedisQueue::new(one_redis(&redis)).unwrap();
    let other = NatsQueue::new(nats_config(&nats)).await.unwrap();
    is_away(&one).await;
    is_away(&other).await;
    redis.start_again().unwrap();
    nats.start_again().unwrap();
    append_until_answered(&one, "a").await;
    append_until_answered(&other, "a").await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_an_error_in_time() {
    let mut server = Redis::start_durable().unwrap();
    let queue = RedisQueue::new(one_redis(&server)).unwrap();
    hang(&queue, server.server()).await;
}

#[tokio::test]
async fn a_nats_that_hangs_is_an_error_in_time() {
    let mut server = Nats::start().unwrap();
    let queue = NatsQueue::new(nats_config(&server)).await.unwrap();
    hang(&queue, server.server()).await;
}

#[tokio::test]
async fn a_redis_that_would_lose_entries_is_refused_unless_the_operator_says_so() {
    let always = ["--appendonly", "yes", "--appendfsync", "always"];
    for (more, setting) in [
        (&["--appendonly", "no"][..], "appendonly"),
        (&["--appendonly", "yes", "--appendfsync", "everysec"], "appendfsync"),
        (&[&always[..], &["--maxmemory-policy", "allkeys-lru"]].concat(), "maxmemory-policy"),
    ] {
        let server = Redis::with(more).unwrap();
        let config = one_redis(&server);
        let queue = RedisQueue::new(config.clone()).unwrap();
        let error = queue.append(LANE, &[entry("a")]).await.unwrap_err();
        assert!(error.to_string().contains(setting), "{error}");
        let trusting =
            RedisQueue::new(RedisQueueConfig { persistence: Persistence::Assumed, ..config }).unwrap();
        trusting.append(LANE, &[entry("b")]).await.unwrap();
        is_back(&queue, "b").await;
    }
}

#[tokio::test]
async fn a_redis_without_memory_is_full() {
    let server = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]).unwrap();
    let queue = RedisQueue::new(one_redis(&server)).unwrap();
    queue.append(LANE, &[entry("a")]).await.unwrap();
    server.ask("CONFIG SET maxmemory 1").unwrap();
    assert_eq!(queue.append(LANE, &[entry("b")]).await, Err(QueueError::Full));
    server.ask("CONFIG SET maxmemory 0").unwrap();
    is_back(&queue, "a").await;
    assert_eq!(queue.depth(LANE).await, Ok(QueueDepth::default()));
}

#[tokio::test]
async fn what_a_replica_has_survives_its_master() {
    let mut master = Redis::start_durable().unwrap();
    let mut replica = Redis::start_replica(&master).unwrap();
    let sentinel = Sentinel::start(&master, 1).unwrap();
    let servers = Servers::Sentinel {
        service: SERVICE.to_owned(),
        sentinels: vec![sentinel.address().to_string().parse().unwrap()],
        password: None,
    };
    let queue = RedisQueue::new(RedisQueueConfig { replicas: 1, ..redis_config(servers) }).unwrap();
    append_until_answered(&queue, "a").await;
    master.server().kill().unwrap();
    is_back(&queue, "a").await;
    // The new one has no replica: it is written, and not what was asked for.
    let error = queue.append(LANE, &[entry("b")]).await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
    assert!(replica.server().is_running());
}

#[tokio::test]
async fn appends_that_wait_for_a_replica_that_is_away_hold_nobody_up() {
    let server = Redis::start_durable().unwrap();
    let queue = RedisQueue::new(RedisQueueConfig { replicas: 1, ..one_redis(&server) }).unwrap();
    let (queue, entries) = (&queue, &[entry("a")]);
    let appender = || async move {
        for _ in 0..3 {
            let outcome = queue.append(LANE, entries).await;
            assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "{outcome:?}");
        }
    };
    let mut appends = pin!(async { tokio::join!(appender(), appender(), appender(), appender()) });
    let mut asked = 0;
    loop {
        let questions = async {
            queue.depth(LANE).await.unwrap();
            let got = queue.claim(LANE, 1, Duration::ZERO).await.unwrap();
            let tickets: Vec<_> = got.into_iter().map(|delivery| delivery.ticket).collect();
            queue.acknowledge(LANE, &tickets).await.unwrap();
        };
        let mut questions = pin!(questions);
        tokio::select! {
            biased;
            _ = &mut appends => break,
            () = &mut questions => asked += 1,
        }
    }
    assert!(asked > 0);
}

#[tokio::test]
async fn what_a_full_lane_refuses_waits_for_no_replica() {
    let server = Redis::start_durable().unwrap();
    let config = RedisQueueConfig { replicas: 1, lane_entries_max: 1, ..one_redis(&server) };
    let queue = RedisQueue::new(config).unwrap();
    // It is written, and not what was asked for.
    let outcome = queue.append(LANE, &[entry("a")]).await;
    assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "{outcome:?}");
    assert_eq!(queue.append(LANE, &[entry("b")]).await, Err(QueueError::Full));
}

#[tokio::test]
async fn a_login_that_can_not_be_is_refused() {
    let server = Nats::start().unwrap();
    let good = nats_config(&server);
    for prefix in ["", "a.b", "a b", "*", &"x".repeat(33)] {
        let config = NatsQueueConfig { prefix: prefix.to_owned(), ..good.clone() };
        assert_eq!(NatsQueue::new(config).await.unwrap_err(), WrongNatsConfig::Prefix(prefix.to_owned()));
    }
    let config = NatsQueueConfig { servers: vec!["http://[".to_owned()], ..good.clone() };
    assert!(matches!(NatsQueue::new(config).await, Err(WrongNatsConfig::Servers(_))));
    let secret = redis_link::Secret("geheim".to_owned());
    let config = NatsQueueConfig { login: NatsLogin::Credentials(secret), ..good };
    let error = NatsQueue::new(config.clone()).await.unwrap_err();
    assert!(matches!(error, WrongNatsConfig::Login(_)));
    assert!(!format!("{error} {config:?}").contains("geheim"));
}

#[tokio::test]
async fn one_process_has_the_embedded_queue_and_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = EmbeddedQueueConfig {
        file: folder.path().join("queue"),
        lane_bytes_max: 1 << 20,
        lease: Duration::from_secs(60),
        deadline: Duration::from_secs(30),
    };
    let queue = EmbeddedQueue::open(&config).unwrap();
    queue.append(LANE, &[entry("a")]).await.unwrap();
    assert!(matches!(EmbeddedQueue::open(&config), Err(OpenError::InUse)));
    queue.close().await.unwrap();
    assert!(matches!(queue.append(LANE, &[entry("b")]).await, Err(QueueError::Unavailable(_))));
    is_back(&EmbeddedQueue::open(&config).unwrap(), "a").await;
    let nowhere = EmbeddedQueueConfig { file: folder.path().join("no/queue"), ..config };
    assert!(matches!(EmbeddedQueue::open(&nowhere), Err(OpenError::File(_))));
}
