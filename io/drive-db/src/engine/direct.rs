//! A connection to SQLite that works on the thread of whoever asks.
//!
//! A statement that finds its rows by an index takes some ten microseconds; handing it to another thread, and each row
//! back, takes many times that. What waits for the disk to sync, or for a lock, does so elsewhere.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{OpenFlags, ffi};
use tokio::task::yield_now;

use super::sql::Sql;
use super::value::Value;
use crate::error::Fault;

/// After so much work others on this thread have their turn, between two statements.
const TURN: Duration = Duration::from_millis(1);

/// How it is opened.
#[derive(Debug, Clone)]
pub(crate) struct DirectOptions {
    pub(crate) file: PathBuf,
    /// Statements that are run first.
    pub(crate) first: String,
    /// Statements that are kept prepared at most.
    pub(crate) prepared: usize,
    /// Is the file made if it is not there?
    pub(crate) create: bool,
}

/// A connection.
pub(crate) struct Direct {
    /// Nobody ever waits for it: all of this is one caller's.
    connection: Mutex<rusqlite::Connection>,
    /// Work since others had their turn.
    busy: Duration,
}

/// A value of a row.
#[derive(Debug)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// Of a type that no column has.
    Other,
}

impl Direct {
    /// Opens it. Locks that others hold are waited for so long while it opens, and then not at all: that would hold
    /// up all who share the thread.
    pub(crate) fn open(options: &DirectOptions, lock: Duration) -> Result<Self, Fault> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, options.create);
        let connection = rusqlite::Connection::open_with_flags(&options.file, flags)?;
        connection.set_prepared_statement_cache_capacity(options.prepared);
        connection.busy_timeout(lock)?;
        // Otherwise whatever has `LIMIT ?` is planned anew each time, for the number that it is given.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(&options.first)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(Self { connection: Mutex::new(connection), busy: Duration::ZERO })
    }

    fn here(&mut self) -> &rusqlite::Connection {
        self.connection.get_mut()
    }

    /// Runs a statement: how many rows it found to change.
    pub(crate) async fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let begun = Instant::now();
        let changed = self.run_now(sql, values)?;
        self.worked(begun).await;
        Ok(changed as u64)
    }

    fn run_now(&mut self, sql: &str, values: &[Value<'_>]) -> Result<usize, Fault> {
        let mut statement = self.here().prepare_cached(sql)?;
        bind(&mut statement, values)?;
        Ok(statement.raw_execute()?)
    }

    /// Runs a query.
    pub(crate) async fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Vec<Cell>>, Fault> {
        let begun = Instant::now();
        let rows = self.rows_now(sql, values)?;
        self.worked(begun).await;
        Ok(rows)
    }

    fn rows_now(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Vec<Cell>>, Fault> {
        let mut statement = self.here().prepare_cached(sql)?;
        bind(&mut statement, values)?;
        let columns = statement.column_count();
        let mut found = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let cells = (0..columns).map(|at| Ok(Cell::from(row.get_ref(at)?)));
            rows.push(cells.collect::<Result<_, rusqlite::Error>>()?);
        }
        Ok(rows)
    }

    /// Runs statements without values.
    pub(crate) async fn plain(&mut self, sql: &str) -> Result<(), Fault> {
        let begun = Instant::now();
        self.here().execute_batch(sql)?;
        self.worked(begun).await;
        Ok(())
    }

    /// Runs one of the statements around transactions.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Fault> {
        self.here().prepare_cached(sql)?.raw_execute()?;
        Ok(())
    }

    /// Waits so long for locks of others, on this thread.
    pub(crate) fn wait_for_locks(&mut self, lock: Duration) -> Result<(), Fault> {
        Ok(self.here().busy_timeout(lock)?)
    }

    /// Brings all that is in the log of the database to where it belongs, syncs that, and empties the log. Waits for
    /// whoever reads what is older.
    pub(crate) fn empty_log(&mut self) -> Result<(), Fault> {
        let busy: i64 =
            self.here().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get("busy"))?;
        if busy == 0 { Ok(()) } else { Err(Fault::Again("the log is being read".to_owned())) }
    }

    pub(crate) fn is_in_transaction(&mut self) -> bool {
        !self.here().is_autocommit()
    }

    async fn worked(&mut self, begun: Instant) {
        self.busy += begun.elapsed();
        if self.busy > TURN {
            self.busy = Duration::ZERO;
            yield_now().await;
        }
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value<'_>]) -> Result<(), Fault> {
    for (at, value) in values.iter().enumerate() {
        match *value {
            Value::Null => statement.raw_bind_parameter(at + 1, rusqlite::types::Null)?,
            Value::Int(number) => statement.raw_bind_parameter(at + 1, number)?,
            Value::Text(text) => statement.raw_bind_parameter(at + 1, text)?,
            Value::Bytes(bytes) => statement.raw_bind_parameter(at + 1, bytes)?,
        }
    }
    Ok(())
}

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Int(number),
            ValueRef::Text(text) => String::from_utf8(text.to_vec()).map_or(Self::Other, Self::Text),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
            ValueRef::Real(_) => Self::Other,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        if [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY].contains(&code) {
            return Self::Again(text);
        }
        Self::of_sqlite(code, text)
    }
}

/// The text of a statement without what SQLite is not told.
pub(crate) fn without<'s>(sql: &'s Sql, lock: &str) -> &'s str {
    sql.strip_suffix(lock).unwrap_or(sql)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use tempfile::TempDir;

    use super::*;

    fn open(folder: &TempDir) -> Direct {
        let file = folder.path().join("drive.db");
        let first = "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b TEXT)".to_owned();
        Direct::open(&DirectOptions { file, first, prepared: 16, create: true }, Duration::ZERO).unwrap()
    }

    #[tokio::test]
    async fn a_limit_that_is_a_value_does_not_have_a_statement_planned_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut direct = open(&folder);
        let sql = "SELECT a FROM t WHERE b = ? ORDER BY a LIMIT ?";
        for limit in 1..20 {
            direct.rows(sql, &[Value::Text("x"), Value::Int(limit)]).await.unwrap();
        }
        let statement = direct.here().prepare_cached(sql).unwrap();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        assert_eq!(statement.get_status(StatementStatus::Run), 19);
    }

    #[tokio::test]
    async fn a_value_that_is_there_already_is_somebody_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let mut direct = open(&folder);
        let sql = "INSERT INTO t VALUES (?, ?)";
        assert_eq!(direct.run(sql, &[Value::Int(1), Value::Null]).await.unwrap(), 1);
        let again = direct.run(sql, &[Value::Int(1), Value::Null]).await;
        assert!(matches!(again, Err(Fault::Again(_))), "{again:?}");
    }

    #[tokio::test]
    async fn a_lock_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (open(&folder), open(&folder));
        one.plain("BEGIN EXCLUSIVE").await.unwrap();
        let locked = other.rows("SELECT a FROM t", &[]).await;
        assert!(matches!(locked, Err(Fault::Again(_))), "{locked:?}");
    }
}
