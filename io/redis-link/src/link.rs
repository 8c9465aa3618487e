//! The connection that comes back.

use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisResult, ScriptInvocation, ServerErrorKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::config::{RedisConfig, WrongConfig};
use crate::connect::{Connection, Source};
use crate::error::RedisError;

/// How long a server that could not be reached is left alone. Meanwhile calls fail at once: otherwise each would wait
/// for the deadline of its own.
pub const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// A Redis that is asked by many tasks at once.
pub struct Link {
    source: Source,
    state: Mutex<State>,
    deadline: Duration,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// Counts connections, so that one that broke is given up once, by the first who sees it.
    generation: u64,
    failure: Option<(Instant, String)>,
}

impl Link {
    /// A link whose calls may take `wait` longer than the deadline: for commands that block, which hold up all others of
    /// their link. Connects to nobody yet.
    ///
    /// # Errors
    /// When the configuration can't be.
    pub fn new(config: &RedisConfig, wait: Duration) -> Result<Self, WrongConfig> {
        config.check()?;
        if config.tls {
            // Another crate may have done it, with the same one.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let source = Source::new(config, config.deadline.saturating_add(wait))
            .map_err(|error| WrongConfig::Client(error.to_string()))?;
        Ok(Self { source, state: Mutex::default(), deadline: config.deadline })
    }

    /// One command.
    ///
    /// # Errors
    /// [`RedisError`]; but for `Refused` and `OutOfMemory` it may have been done.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        self.call(Duration::ZERO, async |connection| command.query_async(connection).await).await
    }

    /// A command that the server may take `wait` longer for.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn blocking<T: FromRedisValue>(&self, command: &Cmd, wait: Duration) -> Result<T, RedisError> {
        self.call(wait, async |connection| command.query_async(connection).await).await
    }

    /// Several commands, one after the other.
    ///
    /// # Errors
    /// As [`Self::command`]; some may have been done.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, RedisError> {
        self.call(Duration::ZERO, async |connection| pipeline.query_async(connection).await).await
    }

    /// A script.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        self.call(Duration::ZERO, async |connection| script.invoke_async(connection).await).await
    }

    /// A script that answers whether it changed something, and if it did, the wait until so many replicas have that.
    /// Meanwhile the server does nothing else for this link: whoever asks for other things, too, has another one for them.
    ///
    /// # Errors
    /// As [`Self::command`], and when there are fewer in time; then it was done.
    pub async fn script_on_replicas(
        &self,
        script: &ScriptInvocation<'_>,
        replicas: u32,
    ) -> Result<bool, RedisError> {
        // Through one connection: another one has nothing to wait for. It gives up before the call does.
        let patience = u64::try_from(self.deadline.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas).arg(patience);
        let reached: Option<u32> = self
            .call(Duration::ZERO, async |connection| {
                let changed: bool = script.invoke_async(connection).await?;
                if changed { wait.query_async(connection).await.map(Some) } else { Ok(None) }
            })
            .await?;
        match reached {
            None => Ok(false),
            Some(reached) if reached >= replicas => Ok(true),
            Some(reached) => Err(RedisError::Away(format!("{reached} replicas of {replicas} have it"))),
        }
    }

    async fn call<T>(
        &self,
        wait: Duration,
        ask: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, RedisError> {
        let patience = self.deadline.saturating_add(wait);
        let end = Instant::now() + patience;
        let (mut connection, generation) = match timeout_at(end, self.connection(end)).await {
            Ok(connection) => connection?,
            Err(_) => return Err(RedisError::TooLate(patience)),
        };
        let answer = timeout_at(end, ask(&mut connection)).await;
        let lost = match &answer {
            Ok(Ok(_)) => false,
            Ok(Err(error)) => means_another_server(error),
            Err(_) => true,
        };
        if lost {
            self.give_up(generation).await;
        }
        match answer {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(RedisError::TooLate(patience)),
        }
    }

    /// The connection, made by the first who needs it while the others wait for that.
    async fn connection(&self, end: Instant) -> Result<(Connection, u64), RedisError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if let Some((at, text)) = &state.failure
            && at.elapsed() < RETRY_PAUSE
        {
            return Err(RedisError::NotYet(text.clone()));
        }
        // Its own deadline ends before that of the call, and while the lock is held: so that a server that does not
        // answer is known to all.
        let answer = timeout_at(end, self.source.connect()).await;
        let error = match answer {
            Ok(Ok(connection)) => {
                state.failure = None;
                state.generation += 1;
                state.connection = Some(connection.clone());
                return Ok((connection, state.generation));
            }
            Ok(Err(error)) => RedisError::from(error),
            Err(_) => RedisError::TooLate(self.deadline),
        };
        state.failure = Some((Instant::now(), error.to_string()));
        Err(error)
    }

    async fn give_up(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            state.connection = None;
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Everything but a refusal of this one command: a broken connection, an answer to something else, and what a server says
/// that is no master any more or is not ready.
fn means_another_server(error: &redis::RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::Moved
        ),
        ErrorKind::Extension => false,
        _ => true,
    }
}
