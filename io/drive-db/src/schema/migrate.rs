//! Brings a database to this version, forward only.
//!
//! Several processes may start at once: one does it, the others wait. On SQLite everything is one transaction that
//! holds the file. Servers commit with every statement of a schema, so there the lock is a named one of the server
//! (`GET_LOCK`), steps are single statements that can be done again, and after each its number is written down.

use std::cmp::Ordering;
use std::time::Duration;

use super::render::statements;
use super::tables::STEPS;
use super::{Added, Index, Step};
use crate::accounts::fill_found_by;
use crate::engine::{Connection, Connections, Engine, Sql, Value, values};
use crate::error::{Fault, OpenError};

/// The name of the lock on servers: of all databases of the server, so the database's name is added.
const LOCK: &str = "CONCAT('cairn-drive-schema:', DATABASE())";

/// Rows that one statement of [`Step::Parts`] is about.
const ROWS_AT_ONCE: i64 = 500;

/// Brings the database to this version; `wait` is for others that do the same.
pub(crate) async fn migrate(connections: &Connections, wait: Duration) -> Result<(), OpenError> {
    match connections {
        Connections::Sqlite { writer, .. } => {
            let mut turn = writer.begin().await.map_err(open_error)?;
            // Dropped, it is undone.
            run_steps(turn.connection().map_err(open_error)?).await?;
            turn.commit().await.map_err(open_error)
        }
        Connections::MySql(pool) => {
            let mut pooled = pool.take().await.map_err(open_error)?;
            let connection = pooled.connection();
            lock(connection, wait).await?;
            let outcome = run_steps(connection).await;
            connection
                .rows(Sql::Owned(format!("SELECT RELEASE_LOCK({LOCK})")), &[])
                .await
                .map_err(open_error)?;
            pooled.end(None);
            outcome
        }
    }
}

/// Whether the database is of this version, and changes nothing.
pub(crate) async fn check_version(connections: &Connections) -> Result<(), OpenError> {
    let mut pooled = connections.long_readers().take().await.map_err(open_error)?;
    let sql = Sql::Borrowed("SELECT COALESCE(MAX(step), 0) FROM schema_steps");
    let found = pooled.connection().rows(sql, &[]).await;
    let found = found.and_then(|rows| rows.first().map(|row| row.number()).transpose());
    pooled.end(found.as_ref().err());
    let found = found.map_err(open_error)?.unwrap_or(0);
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    match found.cmp(&known) {
        Ordering::Less => Err(OpenError::TooOld { found, known }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(OpenError::TooNew { found, known }),
    }
}

async fn lock(connection: &mut Connection, wait: Duration) -> Result<(), OpenError> {
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    let sql = Sql::Owned(format!("SELECT GET_LOCK({LOCK}, ?)"));
    let rows = connection.rows(sql, &[Value::Int(seconds)]).await.map_err(open_error)?;
    let got = rows.first().map(|row| row.columns().opt_int()).transpose().map_err(open_error)?.flatten();
    if got == Some(1) {
        return Ok(());
    }
    Err(OpenError::Away("another process has been changing the schema for too long".to_owned()))
}

async fn run_steps(connection: &mut Connection) -> Result<(), OpenError> {
    let engine = connection.engine();
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let version = match engine {
        Engine::Sqlite => {
            "CREATE TABLE IF NOT EXISTS schema_steps (step INTEGER NOT NULL PRIMARY KEY) STRICT"
        }
        Engine::MySql => {
            "CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT NOT NULL PRIMARY KEY) ENGINE = InnoDB"
        }
    };
    connection.plain(Sql::Borrowed(version)).await.map_err(schema_error)?;
    let done = "SELECT COALESCE(MAX(step), 0) FROM schema_steps";
    let rows = connection.rows(Sql::Borrowed(done), &[]).await.map_err(schema_error)?;
    let done = rows.first().map(|row| row.number()).transpose().map_err(schema_error)?.unwrap_or(0);
    if done > known {
        return Err(OpenError::TooNew { found: done, known });
    }
    for (number, step) in (1_i64..).zip(STEPS).filter(|(number, _)| *number > done) {
        let there = match step {
            Step::Index(index) if engine == Engine::MySql => has_index(connection, index).await?,
            Step::Add(added) => has_column(connection, added).await?,
            _ => false,
        };
        for statement in statements(step, engine).into_iter().filter(|_| !there) {
            connection.plain(Sql::Owned(statement)).await.map_err(schema_error)?;
        }
        match step {
            Step::FoundBy => fill_found_by(connection).await.map_err(schema_error)?,
            Step::Parts(table, sql) => in_parts(connection, table, sql).await.map_err(schema_error)?,
            _ => {}
        }
        let write = Sql::Borrowed("INSERT INTO schema_steps (step) VALUES (?)");
        connection.run(write, &[Value::Int(number)]).await.map_err(schema_error)?;
    }
    Ok(())
}

/// Does [`Step::Parts`].
async fn in_parts(connection: &mut Connection, table: &'static str, sql: &'static str) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let end = format!(
            "SELECT COALESCE(MAX(id), 0) FROM (SELECT id FROM {table} WHERE id > ? ORDER BY id LIMIT ?) AS part"
        );
        let rows = connection.rows(Sql::Owned(end), &values![after, ROWS_AT_ONCE]).await?;
        let last = rows.first().map(|row| row.number()).transpose()?.unwrap_or(0);
        if last == 0 {
            return Ok(());
        }
        connection.run(Sql::Borrowed(sql), &values![after, last]).await?;
        after = last;
    }
}

/// Whether a server has an index: one that was made, and whose step was not written down.
async fn has_index(connection: &mut Connection, index: &Index) -> Result<bool, OpenError> {
    let sql = "SELECT COUNT(*) FROM information_schema.statistics \
               WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ?";
    any(connection, sql, [index.table, index.name]).await
}

/// Whether a column is there: one that was made, and whose step was not written down.
async fn has_column(connection: &mut Connection, added: &Added) -> Result<bool, OpenError> {
    let sql = match connection.engine() {
        Engine::Sqlite => "SELECT COUNT(*) FROM pragma_table_info(?) WHERE name = ?",
        Engine::MySql => {
            "SELECT COUNT(*) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?"
        }
    };
    any(connection, sql, [added.table, added.column.name]).await
}

/// Whether a count of what has two names is not 0.
async fn any(connection: &mut Connection, sql: &'static str, names: [&str; 2]) -> Result<bool, OpenError> {
    let values = names.map(Value::Text);
    let rows = connection.rows(Sql::Borrowed(sql), &values).await.map_err(schema_error)?;
    Ok(rows.first().map(|row| row.number()).transpose().map_err(schema_error)?.unwrap_or(0) > 0)
}

fn open_error(fault: Fault) -> OpenError {
    OpenError::Away(format!("{fault:?}"))
}

fn schema_error(fault: Fault) -> OpenError {
    match fault {
        Fault::Again(text) | Fault::Away(text) => OpenError::Away(text),
        fault => OpenError::Schema(format!("{fault:?}")),
    }
}
