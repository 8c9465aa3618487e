//! What several processes see of one Redis, and what is kept there.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use bytes::Bytes;
use drive_cache::RedisCache;
use drive_core::account::Track;
use drive_core::ports::{Board, Cache, CacheKey, Order, PurposeOfRate, RateSubject};
use drive_core::ranking::RankEntry;
use drive_core::rate::Rate;
use drive_core::{AccountId, ShareId, UnixMillis};
use redis_link::{RedisConfig, Servers};
use testkit::redis::Redis;

const HOUR: Duration = Duration::from_secs(3600);

fn cache(server: &Redis, prefix: &str, deadline: Duration) -> RedisCache {
    let config = RedisConfig {
        servers: Servers::Single(server.address().to_string().parse().unwrap()),
        user: None,
        password: None,
        database: 0,
        tls: false,
        prefix: prefix.to_owned(),
        deadline,
    };
    RedisCache::new(&config).unwrap()
}

#[tokio::test]
async fn processes_share_a_cache_and_installations_do_not() {
    let server = Redis::start().unwrap();
    let patience = Duration::from_secs(30);
    let (one, other, stranger) =
        (cache(&server, "a", patience), cache(&server, "a", patience), cache(&server, "b", patience));
    let board = [RankEntry { share: ShareId::new(1).unwrap(), score: 3 }];
    one.put(&CacheKey::Probe, Bytes::from_static(b"x"), HOUR).await.unwrap();
    one.board_replace(Board::Downloads, &board, HOUR).await.unwrap();
    assert_eq!(other.get(&CacheKey::Probe).await.unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(stranger.get(&CacheKey::Probe).await.unwrap(), None);
    let page = |cache: RedisCache| async move {
        cache.board_page(Board::Downloads, Order::Highest, 0, 9).await.unwrap()
    };
    assert_eq!(page(other).await.as_deref(), Some(&board[..]));
    assert_eq!(page(stranger).await, None);
}

#[tokio::test]
async fn nothing_is_kept_without_an_end() {
    let server = Redis::start().unwrap();
    let cache = cache(&server, "p", Duration::from_secs(30));
    let attempts = CacheKey::Attempts(Track::Account("a".to_owned()));
    let board: Vec<_> =
        (1..=2500).map(|id| RankEntry { share: ShareId::new(id).unwrap(), score: 1 }).collect();
    let subject = RateSubject::Account(AccountId::new(1).unwrap());
    cache.put(&CacheKey::Probe, Bytes::new(), Duration::MAX).await.unwrap();
    cache.swap(&attempts, None, Bytes::new(), HOUR).await.unwrap();
    let rate = Rate::new(1, HOUR, 1).unwrap();
    cache.take(&subject, PurposeOfRate::Request, &rate, UnixMillis(0)).await.unwrap();
    cache.board_replace(Board::Downloads, &board, HOUR).await.unwrap();
    cache.board_add(Board::Downloads, &board).await.unwrap();
    assert_eq!(server.ask("DBSIZE").unwrap(), ":4\r\n");
    for key in ["p:probe", "p:tries:account:a", "p:rate:request:account:1", "p:{board:downloads}"] {
        let answer = server.ask(&format!("PTTL {key}")).unwrap();
        let millis: i64 = answer.trim().trim_start_matches(':').parse().unwrap();
        let most = if key == "p:probe" { 366 * 24 * 3_600_000 } else { 3_600_000 };
        assert!((1..=most).contains(&millis), "{key}: {millis}");
    }
}

#[tokio::test]
async fn what_somebody_else_wrote_there_is_an_error() {
    let server = Redis::start().unwrap();
    let cache = cache(&server, "p", Duration::from_secs(30));
    server.ask("LPUSH p:probe x").unwrap();
    server.ask("ZADD p:{board:downloads} 1 x").unwrap();
    cache.get(&CacheKey::Probe).await.unwrap_err();
    cache.swap(&CacheKey::Probe, None, Bytes::new(), HOUR).await.unwrap_err();
    cache.board_page(Board::Downloads, Order::Highest, 0, 9).await.unwrap_err();
    // And is made good by the next.
    cache.put(&CacheKey::Probe, Bytes::new(), HOUR).await.unwrap();
    cache.board_replace(Board::Downloads, &[], HOUR).await.unwrap();
    assert_eq!(cache.board_page(Board::Downloads, Order::Highest, 0, 9).await, Ok(Some(Vec::new())));
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_of_every_call() {
    let mut server = Redis::start().unwrap();
    let cache = cache(&server, "p", Duration::from_millis(500));
    cache.check().await.unwrap();
    server.server().kill().unwrap();
    let subject = RateSubject::Account(AccountId::new(1).unwrap());
    let rate = Rate::new(1, HOUR, 1).unwrap();
    let key = [CacheKey::Probe];
    cache.check().await.unwrap_err();
    cache.get(&key[0]).await.unwrap_err();
    cache.put(&key[0], Bytes::new(), HOUR).await.unwrap_err();
    cache.remove(&key).await.unwrap_err();
    cache.swap(&key[0], None, Bytes::new(), HOUR).await.unwrap_err();
    cache.take(&subject, PurposeOfRate::Request, &rate, UnixMillis(0)).await.unwrap_err();
    cache.board_add(Board::Downloads, &[]).await.unwrap_err();
    cache.board_remove(Board::Downloads, &[ShareId::new(1).unwrap()]).await.unwrap_err();
    cache.board_replace(Board::Downloads, &[], HOUR).await.unwrap_err();
    cache.board_page(Board::Downloads, Order::Lowest, 0, 1).await.unwrap_err();
}
