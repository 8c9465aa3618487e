//! The adapters under test, and how time passes for them.

use std::time::Duration;

use drive_cache::{MemoryCache, MemoryCacheConfig, RedisCache};
use drive_core::ports::{Cache, Later};
use redis_link::{RedisConfig, ServerAddress, Servers};
use testkit::redis::Redis;

/// Redis counts whole milliseconds, and lets what is kept live to the end of its last one.
const WHOLE: Duration = Duration::from_millis(2);

/// An adapter that is empty at first.
pub(crate) trait World: Sync {
    fn cache(&self) -> &dyn Cache;

    /// Comes back when so much time has passed since the last call was answered, for what is kept too. For Redis it is
    /// real time, by the clock of the same machine: waiting for that much is no guess.
    fn pass(&self, time: Duration) -> Later<'_, ()>;
}

pub(crate) struct Memory(MemoryCache);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(MemoryCache::new(MemoryCacheConfig { shelf_bytes: 1 << 20 }))
    }
}

impl World for Memory {
    fn cache(&self) -> &dyn Cache {
        &self.0
    }

    fn pass(&self, time: Duration) -> Later<'_, ()> {
        Box::pin(tokio::time::advance(time))
    }
}

pub(crate) struct OneRedis {
    cache: RedisCache,
    _server: Redis,
}

impl OneRedis {
    pub(crate) fn new() -> Self {
        let server = Redis::start().unwrap();
        let cache = RedisCache::new(&config(Servers::Single(address(&server)))).unwrap();
        Self { cache, _server: server }
    }
}

impl World for OneRedis {
    fn cache(&self) -> &dyn Cache {
        &self.cache
    }

    fn pass(&self, time: Duration) -> Later<'_, ()> {
        Box::pin(tokio::time::sleep(time + WHOLE))
    }
}

pub(crate) struct Cluster(OneRedis);

impl Cluster {
    pub(crate) fn new() -> Self {
        let server = Redis::start_cluster().unwrap();
        let cache = RedisCache::new(&config(Servers::Cluster(vec![address(&server)]))).unwrap();
        Self(OneRedis { cache, _server: server })
    }
}

impl World for Cluster {
    fn cache(&self) -> &dyn Cache {
        self.0.cache()
    }

    fn pass(&self, time: Duration) -> Later<'_, ()> {
        self.0.pass(time)
    }
}

fn address(server: &Redis) -> ServerAddress {
    server.address().to_string().parse().unwrap()
}

/// Patient, because tests share few cores.
fn config(servers: Servers) -> RedisConfig {
    RedisConfig {
        servers,
        user: None,
        password: None,
        database: 0,
        tls: false,
        prefix: "test".to_owned(),
        deadline: Duration::from_secs(30),
    }
}
