//! The adapters under test.

use std::time::Duration;

use drive_core::ports::Queue;
use drive_queue::{
    ENTRY_COST, EmbeddedQueue, EmbeddedQueueConfig, NatsLogin, NatsQueue, NatsQueueConfig, Persistence,
    RedisQueue, RedisQueueConfig,
};
use redis_link::{RedisConfig, Servers};
use tempfile::TempDir;
use testkit::nats::Nats;
use testkit::redis::Redis;

/// Bytes of the entries of tests that fill a lane.
pub(crate) const ENTRY_BYTES: usize = 100;

/// Patient, because tests share few cores.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a queue is to be.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) lease: Duration,
    /// Entries of [`ENTRY_BYTES`] that a lane has room for.
    pub(crate) room: u32,
}

/// A queue that is empty at first.
pub(crate) trait World: Sized {
    async fn start(setup: Setup) -> Self;

    fn queue(&self) -> &dyn Queue;

    /// The process that has claimed and appended dies, and another one comes.
    async fn another_process(&mut self);

    /// What keeps the entries is killed, and comes back.
    async fn kill(&mut self);
}

pub(crate) struct Embedded {
    queue: EmbeddedQueue,
    config: EmbeddedQueueConfig,
    _folder: TempDir,
}

impl World for Embedded {
    async fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = EmbeddedQueueConfig {
            file: folder.path().join("queue"),
            lane_bytes_max: u64::from(setup.room) * (ENTRY_BYTES as u64 + ENTRY_COST),
            lease: setup.lease,
            deadline: DEADLINE,
        };
        Self { queue: EmbeddedQueue::open(&config).unwrap(), config, _folder: folder }
    }

    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    async fn another_process(&mut self) {
        self.queue.close().await.unwrap();
        self.queue = EmbeddedQueue::open(&self.config).unwrap();
    }

    /// Here it dies with the process: `tests/killed.rs`.
    async fn kill(&mut self) {
        self.another_process().await;
    }
}

pub(crate) struct OneRedis {
    queue: RedisQueue,
    config: RedisQueueConfig,
    server: Redis,
}

impl OneRedis {
    fn with(server: Redis, servers: Servers, setup: Setup) -> Self {
        let redis = RedisConfig {
            servers,
            user: None,
            password: None,
            database: 0,
            tls: false,
            prefix: "test".to_owned(),
            deadline: DEADLINE,
        };
        let config = RedisQueueConfig {
            redis,
            lane_entries_max: setup.room.into(),
            lease: setup.lease,
            replicas: 0,
            persistence: Persistence::Checked,
        };
        Self { queue: RedisQueue::new(config.clone()).unwrap(), config, server }
    }
}

impl World for OneRedis {
    async fn start(setup: Setup) -> Self {
        let server = Redis::start_durable().unwrap();
        let servers = Servers::Single(server.address().to_string().parse().unwrap());
        Self::with(server, servers, setup)
    }

    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    async fn another_process(&mut self) {
        self.queue = RedisQueue::new(self.config.clone()).unwrap();
    }

    async fn kill(&mut self) {
        self.server.server().kill().unwrap();
        self.server.start_again().unwrap();
    }
}

pub(crate) struct Cluster(OneRedis);

impl World for Cluster {
    async fn start(setup: Setup) -> Self {
        let server = Redis::start_cluster().unwrap();
        let servers = Servers::Cluster(vec![server.address().to_string().parse().unwrap()]);
        Self(OneRedis::with(server, servers, setup))
    }

    fn queue(&self) -> &dyn Queue {
        self.0.queue()
    }

    async fn another_process(&mut self) {
        self.0.another_process().await;
    }

    async fn kill(&mut self) {
        self.0.kill().await;
    }
}

pub(crate) struct JetStream {
    queue: NatsQueue,
    config: NatsQueueConfig,
    server: Nats,
}

impl World for JetStream {
    async fn start(setup: Setup) -> Self {
        let server = Nats::start().unwrap();
        let config = NatsQueueConfig {
            servers: vec![server.address().to_string()],
            login: NatsLogin::Nobody,
            tls: false,
            prefix: "test".to_owned(),
            lane_entries_max: setup.room,
            lane_bytes_max: 1 << 28,
            lease: setup.lease,
            deadline: DEADLINE,
            replicas: 1,
        };
        Self { queue: NatsQueue::new(config.clone()).await.unwrap(), config, server }
    }

    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    async fn another_process(&mut self) {
        self.queue = NatsQueue::new(self.config.clone()).await.unwrap();
    }

    async fn kill(&mut self) {
        self.server.server().kill().unwrap();
        self.server.start_again().unwrap();
    }
}
