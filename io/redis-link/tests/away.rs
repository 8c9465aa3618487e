//! A Redis that goes away and comes back, and one that another takes the place of.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use redis::{FromRedisValue, cmd};
use redis_link::{Link, RETRY_PAUSE, RedisConfig, RedisError, Secret, ServerAddress, Servers};
use testkit::redis::{Redis, SERVICE, Sentinel};

const DEADLINE: Duration = Duration::from_millis(500);
/// What a deadline may be missed by: the machine has more to do.
const SLACK: Duration = Duration::from_secs(2);
/// How long something may take to come back.
const BACK: Duration = Duration::from_secs(30);

fn address(server: &Redis) -> ServerAddress {
    server.address().to_string().parse().unwrap()
}

fn config(servers: Servers) -> RedisConfig {
    RedisConfig {
        servers,
        user: None,
        password: None,
        database: 0,
        tls: false,
        prefix: "test".to_owned(),
        deadline: DEADLINE,
    }
}

fn link(servers: Servers) -> Link {
    Link::new(&config(servers), Duration::ZERO).unwrap()
}

async fn ask<T: FromRedisValue>(link: &Link, words: &[&str]) -> Result<T, RedisError> {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    let started = Instant::now();
    let answer = link.command(&command).await;
    assert!(started.elapsed() < DEADLINE + SLACK, "{words:?} took {:?}", started.elapsed());
    answer
}

/// Asks until there is an answer: the link comes back by itself.
async fn ask_until_answered<T: FromRedisValue>(link: &Link, words: &[&str]) -> T {
    let end = Instant::now() + BACK;
    loop {
        match ask(link, words).await {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_killed_server_is_an_error_and_found_again_by_itself() {
    let mut server = Redis::start_durable().unwrap();
    let link = link(Servers::Single(address(&server)));
    ask::<()>(&link, &["SET", "a", "1"]).await.unwrap();
    server.server().kill().unwrap();
    assert!(matches!(ask::<()>(&link, &["GET", "a"]).await, Err(RedisError::Away(_))));
    assert!(ask::<()>(&link, &["GET", "a"]).await.is_err());
    server.start_again().unwrap();
    let answer: String = ask_until_answered(&link, &["GET", "a"]).await;
    assert_eq!(answer, "1");
}

#[tokio::test]
async fn a_server_that_is_not_there_at_first_is_found_when_it_is() {
    let mut server = Redis::start().unwrap();
    server.server().kill().unwrap();
    let link = link(Servers::Single(address(&server)));
    assert!(matches!(ask::<()>(&link, &["PING"]).await, Err(RedisError::Away(_))));
    // At once: it is not asked again yet.
    assert!(matches!(ask::<()>(&link, &["PING"]).await, Err(RedisError::NotYet(_))));
    server.start_again().unwrap();
    let answer: String = ask_until_answered(&link, &["PING"]).await;
    assert_eq!(answer, "PONG");
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_deadline_and_its_late_answers_are_nobodys() {
    let mut server = Redis::start().unwrap();
    let link = link(Servers::Single(address(&server)));
    ask::<()>(&link, &["SET", "a", "1"]).await.unwrap();
    ask::<()>(&link, &["SET", "b", "2"]).await.unwrap();
    let before: i64 = ask(&link, &["CLIENT", "ID"]).await.unwrap();
    server.server().signal(testkit::process::Signal::STOP).unwrap();
    assert_eq!(ask::<String>(&link, &["GET", "a"]).await, Err(RedisError::TooLate(DEADLINE)));
    // The kernel still takes connections for it.
    let started = Instant::now();
    assert!(ask::<String>(&link, &["GET", "a"]).await.is_err());
    assert!(ask::<String>(&link, &["GET", "a"]).await.is_err());
    assert!(started.elapsed() < DEADLINE * 2 + RETRY_PAUSE + SLACK);
    server.server().signal(testkit::process::Signal::CONT).unwrap();
    let answer: String = ask_until_answered(&link, &["GET", "b"]).await;
    assert_eq!(answer, "2");
    // A server whose machine is gone would never be left otherwise.
    let after: i64 = ask(&link, &["CLIENT", "ID"]).await.unwrap();
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_refusal_is_no_reason_to_leave() {
    let server = Redis::start().unwrap();
    let link = link(Servers::Single(address(&server)));
    let before: i64 = ask(&link, &["CLIENT", "ID"]).await.unwrap();
    ask::<()>(&link, &["SET", "a", "x"]).await.unwrap();
    assert!(matches!(ask::<i64>(&link, &["INCR", "a"]).await, Err(RedisError::Refused(_))));
    assert!(matches!(ask::<i64>(&link, &["LPUSH", "a", "b"]).await, Err(RedisError::Refused(_))));
    let after: i64 = ask(&link, &["CLIENT", "ID"]).await.unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_ends_the_connection() {
    let server = Redis::start().unwrap();
    let link = link(Servers::Single(address(&server)));
    let before: i64 = ask(&link, &["CLIENT", "ID"]).await.unwrap();
    assert!(matches!(ask::<i64>(&link, &["ECHO", "a"]).await, Err(RedisError::Senseless(_))));
    let after: i64 = ask(&link, &["CLIENT", "ID"]).await.unwrap();
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = Redis::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]).unwrap();
    let link = link(Servers::Single(address(&server)));
    assert_eq!(ask::<()>(&link, &["SET", "a", "1"]).await, Err(RedisError::OutOfMemory));
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_is_not_told() {
    let server = Redis::with(&["--requirepass", "richtig"]).unwrap();
    let with = |password: &str| {
        let servers = Servers::Single(address(&server));
        let config =
            RedisConfig { password: Some(Secret(password.to_owned())), database: 2, ..config(servers) };
        Link::new(&config, Duration::ZERO).unwrap()
    };
    let answer: String = ask(&with("richtig"), &["PING"]).await.unwrap();
    assert_eq!(answer, "PONG");
    let error = ask::<String>(&with("geheim"), &["PING"]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("geheim"));
}

#[tokio::test]
async fn where_a_sentinel_says_that_the_master_is_the_link_goes() {
    let mut master = Redis::start_durable().unwrap();
    let replica = Redis::start_replica(&master).unwrap();
    let sentinel = Sentinel::start(&master, 1).unwrap();
    // One that is not there is passed over.
    let nobody: ServerAddress = format!("{}:1", sentinel.address().ip()).parse().unwrap();
    let link = link(Servers::Sentinel {
        service: SERVICE.to_owned(),
        sentinels: vec![nobody, sentinel.address().to_string().parse().unwrap()],
        password: None,
    });
    ask::<()>(&link, &["SET", "a", "1"]).await.unwrap();
    // The replica is asked itself: on a connection that broke meanwhile, WAIT would know of no write to wait for.
    let end = Instant::now() + BACK;
    while replica.ask("STRLEN a").as_deref() != Some(":1\r\n") {
        assert!(Instant::now() < end, "the replica does not get it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    master.server().kill().unwrap();
    assert!(ask::<()>(&link, &["SET", "a", "2"]).await.is_err());
    ask_until_answered::<()>(&link, &["SET", "b", "3"]).await;
    let answer: String = ask_until_answered(&link, &["GET", "a"]).await;
    assert_eq!(answer, "1");
    assert_eq!(replica.ask("STRLEN b").unwrap(), ":1\r\n");
}

#[tokio::test]
async fn a_cluster_that_is_killed_is_found_again() {
    let mut server = Redis::start_cluster().unwrap();
    let link = link(Servers::Cluster(vec![address(&server)]));
    for key in ["a", "b", "c"] {
        ask_until_answered::<()>(&link, &["SET", key, key]).await;
    }
    server.server().kill().unwrap();
    assert!(ask::<()>(&link, &["GET", "a"]).await.is_err());
    server.start_again().unwrap();
    for key in ["a", "b", "c"] {
        let answer: String = ask_until_answered(&link, &["GET", key]).await;
        assert_eq!(answer, key);
    }
}
