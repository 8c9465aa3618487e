//! A bounded number of connections, to the first server that answers.
//!
//! A connection goes back only when whoever held it says that nothing of theirs is left on it. Dropped instead, in the
//! middle of a transaction because a request went away, it is closed, and its transaction with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::Connection;
use super::direct::{Direct, DirectOptions};
use super::sql::Sql;
use crate::error::Fault;
use crate::settings::Deadlines;

/// Where connections lead.
enum Source {
    Sqlite(Box<SqliteConnectOptions>),
    Direct(DirectOptions),
    MySql { servers: Vec<MySqlConnectOptions>, present: AtomicUsize, lock: Duration },
}

/// Connections.
pub(crate) struct Pool {
    source: Source,
    connect: Duration,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    server: usize,
}

/// A connection in use.
pub(crate) struct Pooled<'p> {
    pool: &'p Pool,
    connection: Connection,
    server: usize,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(crate) fn sqlite(options: SqliteConnectOptions, size: usize, deadlines: &Deadlines) -> Self {
        Self::new(Source::Sqlite(Box::new(options)), size, deadlines)
    }

    pub(crate) fn direct(options: DirectOptions, size: usize, deadlines: &Deadlines) -> Self {
        Self::new(Source::Direct(options), size, deadlines)
    }

    pub(crate) fn mysql(servers: Vec<MySqlConnectOptions>, size: usize, deadlines: &Deadlines) -> Self {
        let source = Source::MySql { servers, present: AtomicUsize::new(0), lock: deadlines.lock };
        Self::new(source, size, deadlines)
    }

    fn new(source: Source, size: usize, deadlines: &Deadlines) -> Self {
        let permits = Semaphore::new(size);
        Self { source, connect: deadlines.connect, permits, idle: Mutex::default() }
    }

    /// A connection, when one is free. Ends by the deadline of whoever asks.
    pub(crate) async fn take(&self) -> Result<Pooled<'_>, Fault> {
        // Never closed.
        let permit = self.permits.acquire().await.map_err(|closed| Fault::Broken(closed.to_string()))?;
        let (connection, server) = match self.take_idle() {
            Some(idle) => (idle.connection, idle.server),
            None => self.open().await?,
        };
        Ok(Pooled { pool: self, connection, server, _permit: permit })
    }

    fn take_idle(&self) -> Option<Idle> {
        let mut idle = self.idle.lock();
        let present = self.present();
        while let Some(one) = idle.pop() {
            if one.server == present {
                return Some(one);
            }
        }
        None
    }

    fn present(&self) -> usize {
        match &self.source {
            Source::Sqlite(_) | Source::Direct(_) => 0,
            Source::MySql { present, .. } => present.load(Ordering::Relaxed),
        }
    }

    /// Opens a connection: to the server that was used last, or else to the next that answers and may be written to.
    async fn open(&self) -> Result<(Connection, usize), Fault> {
        match &self.source {
            Source::Sqlite(options) => Ok((Connection::Sqlite(options.connect().await?), 0)),
            Source::Direct(options) => Ok((Connection::Direct(Direct::open(options, Duration::ZERO)?), 0)),
            Source::MySql { servers, present, lock } => {
                let first = present.load(Ordering::Relaxed);
                let mut reasons = Vec::new();
                for step in 0..servers.len() {
                    let server = (first + step) % servers.len();
                    let Some(options) = servers.get(server) else { continue };
                    let opened = tokio::time::timeout(self.connect, open_mysql(options, *lock)).await;
                    match opened {
                        Ok(Ok(connection)) => {
                            if present.swap(server, Ordering::Relaxed) != server {
                                tracing::warn!(
                                    server = place(options),
                                    "the database is used on another server"
                                );
                            }
                            return Ok((Connection::MySql(connection), server));
                        }
                        Ok(Err(fault)) => reasons.push(format!("{}: {fault:?}", place(options))),
                        Err(_) => reasons.push(format!("{}: no answer in time", place(options))),
                    }
                }
                Err(Fault::Away(reasons.join("; ")))
            }
        }
    }

    /// The server of a connection did not answer: the others are asked first from now on, and no other connection to
    /// it is used.
    pub(crate) fn suspect(&self, server: usize) {
        if let Source::MySql { servers, present, .. } = &self.source {
            let next = (server + 1) % servers.len().max(1);
            // Only if nobody did it before.
            let _ = present.compare_exchange(server, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.forget_idle();
    }

    /// The server that is used at present did not answer in time.
    pub(crate) fn suspect_present(&self) {
        self.suspect(self.present());
    }

    fn forget_idle(&self) {
        self.idle.lock().clear();
    }
}

impl Pooled<'_> {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Nothing is left on it: somebody else may have it, unless what went wrong says that it is broken.
    pub(crate) fn end(self, fault: Option<&Fault>) {
        let Self { pool, connection, server, _permit } = self;
        match fault {
            Some(Fault::Away(_) | Fault::Unknown(_)) => pool.suspect(server),
            _ => pool.idle.lock().push(Idle { connection, server }),
        }
    }
}

fn place(options: &MySqlConnectOptions) -> String {
    format!("{}:{}", options.get_host(), options.get_port())
}

async fn open_mysql(options: &MySqlConnectOptions, lock: Duration) -> Result<MySqlConnection, Fault> {
    let mut connection = Connection::MySql(options.connect().await?);
    // Every statement sees what is committed; what a decision hangs on is locked. Without the locks of gaps that the
    // usual level takes, those who insert side by side do not lock each other out.
    connection.plain(Sql::Borrowed("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")).await?;
    let seconds = lock.as_secs().max(1);
    connection
        .plain(Sql::Owned(format!(
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
             innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
        )))
        .await?;
    // A replica would take nothing, or, worse, take it (W-32).
    let writable = "SELECT CONCAT(@@global.read_only) IN ('0', 'OFF')";
    let rows = connection.rows(Sql::Borrowed(writable), &[]).await?;
    match (rows.first().map(|row| row.number()).transpose()?, connection) {
        (Some(1), Connection::MySql(connection)) => Ok(connection),
        _ => Err(Fault::Away("the server is read-only".to_owned())),
    }
}
