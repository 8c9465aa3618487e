//! What the memory cache does when it is full.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use bytes::Bytes;
use drive_cache::{MemoryCache, MemoryCacheConfig};
use drive_core::account::Track;
use drive_core::ports::{Cache, CacheKey};
use drive_core::session::TokenDigest;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn tokens_and_attempts_do_not_push_each_other_out() {
    let cache = MemoryCache::new(MemoryCacheConfig { shelf_bytes: 0 });
    let attempts = CacheKey::Attempts(Track::Account("victim".to_owned()));
    let token = |n: u16| {
        let mut digest = [0; 32];
        digest[..2].copy_from_slice(&n.to_be_bytes());
        CacheKey::Token(TokenDigest(digest))
    };
    cache.put(&attempts, Bytes::from_static(b"5"), HOUR).await.unwrap();
    for n in 0..=2000 {
        cache.put(&token(n), Bytes::from_static(b"x"), HOUR).await.unwrap();
    }
    assert_eq!(cache.get(&attempts).await.unwrap().as_deref(), Some(&b"5"[..]));
    assert_eq!(cache.get(&token(2000)).await.unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(cache.get(&token(0)).await.unwrap(), None);
}
