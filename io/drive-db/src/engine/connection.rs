//! One connection of either engine.

use sqlx::mysql::MySqlConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor, MySql, Sqlite};

use super::direct::{Direct, without};
use super::row::Row;
use super::sql::Sql;
use super::value::Value;
use super::{BIND_VALUES_MAX, Engine};
use crate::error::Fault;

/// A connection.
pub(crate) enum Connection {
    /// On threads of its own: what reads long.
    Sqlite(SqliteConnection),
    /// On the thread of whoever asks: short reads, and what writes.
    Direct(Direct),
    MySql(MySqlConnection),
}

/// What SQLite is not told: it has one writer, who has it all.
const LOCK: &str = " FOR UPDATE";

type SqliteQuery<'q> = sqlx::query::Query<'q, Sqlite, <Sqlite as sqlx::Database>::Arguments>;
type MySqlQuery<'q> = sqlx::query::Query<'q, MySql, <MySql as sqlx::Database>::Arguments>;

fn for_sqlite(sql: Sql, values: &[Value<'_>]) -> SqliteQuery<'static> {
    let sql = match sql {
        Sql::Borrowed(text) => Sql::Borrowed(text.strip_suffix(LOCK).unwrap_or(text)),
        Sql::Owned(mut text) => {
            if text.ends_with(LOCK) {
                text.truncate(text.len() - LOCK.len());
            }
            Sql::Owned(text)
        }
    };
    values.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match *value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(number) => query.bind(number),
        Value::Text(text) => query.bind(text.to_owned()),
        Value::Bytes(bytes) => query.bind(bytes.to_vec()),
    })
}

fn for_mysql(sql: Sql, values: &[Value<'_>]) -> MySqlQuery<'static> {
    values.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match *value {
        Value::Null => query.bind(None::<i64>),
        Value::Int(number) => query.bind(number),
        // Texts are binary columns there (see `schema`).
        Value::Text(text) => query.bind(text.as_bytes()),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

impl Connection {
    pub(crate) const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) | Self::Direct(_) => Engine::Sqlite,
            Self::MySql(_) => Engine::MySql,
        }
    }

    /// Runs a statement: how many rows it found to change.
    pub(crate) async fn run(&mut self, sql: Sql, values: &[Value<'_>]) -> Result<u64, Fault> {
        check(values)?;
        Ok(match self {
            Self::Sqlite(connection) => for_sqlite(sql, values).execute(connection).await?.rows_affected(),
            Self::Direct(connection) => connection.run(without(&sql, LOCK), values).await?,
            Self::MySql(connection) => for_mysql(sql, values).execute(connection).await?.rows_affected(),
        })
    }

    /// Runs a query.
    pub(crate) async fn rows(&mut self, sql: Sql, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        check(values)?;
        Ok(match self {
            Self::Sqlite(connection) => {
                let rows = for_sqlite(sql, values).fetch_all(connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Direct(connection) => {
                let rows = connection.rows(without(&sql, LOCK), values).await?;
                rows.into_iter().map(Row::Direct).collect()
            }
            Self::MySql(connection) => {
                let rows = for_mysql(sql, values).fetch_all(connection).await?;
                rows.into_iter().map(Row::MySql).collect()
            }
        })
    }

    /// Runs a statement without values that is not to be prepared: those around transactions, and of the schema.
    pub(crate) async fn plain(&mut self, sql: Sql) -> Result<(), Fault> {
        match self {
            Self::Sqlite(connection) => {
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)?;
            }
            Self::Direct(connection) => connection.plain(&sql).await?,
            Self::MySql(connection) => {
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// Begins a transaction, of a server.
    pub(crate) async fn begin(&mut self) -> Result<(), Fault> {
        self.plain(Sql::Borrowed("START TRANSACTION")).await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Fault> {
        self.plain(Sql::Borrowed("COMMIT")).await
    }

    pub(crate) async fn roll_back(&mut self) -> Result<(), Fault> {
        self.plain(Sql::Borrowed("ROLLBACK")).await
    }
}

fn check(values: &[Value<'_>]) -> Result<(), Fault> {
    if values.len() > BIND_VALUES_MAX {
        return Err(Fault::Broken(format!("a statement with {} values", values.len())));
    }
    Ok(())
}
