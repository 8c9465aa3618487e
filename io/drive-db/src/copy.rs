//! All of a database into an empty one, of either engine: what a backup is made of, and how an installation moves from
//! SQLite to a server or back.
//!
//! It is read in one snapshot, so whoever uses it meanwhile is neither disturbed nor half in the copy, and written in
//! one transaction, so an attempt that fails leaves the other database as empty as it was.

use drive_core::Problem;
use drive_core::content::Sha256Digest;
use drive_core::ports::BlobKey;
use drive_core::{ByteCount, ContentId};

use crate::database::{Database, Tx};
use crate::engine::{Engine, Held, Row, Sql, Value, parts, rows_of, values};
use crate::error::Fault;
use crate::schema::{CopiedTable, Kind, copied_tables};

/// Rows that are read at once, and blobs of a list.
const PAGE_ROWS: usize = 512;

/// Why a database was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The other one has accounts.
    #[error("it is not empty: there are {0} accounts in it")]
    NotEmpty(i64),
    /// The one that is read can't be.
    #[error("the database that is copied can't be read: {0}")]
    Reading(String),
    /// A row is not taken; or not read, once it has begun.
    #[error("the copy was given up: {0}")]
    GivenUp(String),
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopiedRows {
    /// The table.
    pub table: &'static str,
    /// Its rows that were copied, so far or in all.
    pub rows: u64,
}

/// A content and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobLine {
    /// Names the content.
    pub id: ContentId,
    /// The bytes' digest.
    pub sha256: Sha256Digest,
    /// How many they are.
    pub size: ByteCount,
    /// Where the store has them.
    pub blob: BlobKey,
}

/// A value that is between two databases.
enum Carried {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Database {
    /// Copies every row into another database of this schema that has no accounts yet. `told` hears of every table as
    /// it grows, and the answer says what there is in each.
    ///
    /// # Errors
    /// [`CopyError`]; the other database is as it was.
    pub async fn copy_to(
        &self,
        other: &Self,
        mut told: impl FnMut(CopiedRows),
    ) -> Result<Vec<CopiedRows>, CopyError> {
        let mut from = self.begin_snapshot().await.map_err(|fault| CopyError::Reading(fault.text()))?;
        let mut to = other.begin().await.map_err(given_up)?;
        let accounts = number(&mut to, "SELECT COUNT(*) FROM accounts").await;
        let copied = match accounts {
            Ok(0) => copy(&mut from, &mut to, &mut told).await,
            Ok(accounts) => {
                to.roll_back(&Fault::Problem(Problem::Contradiction("not empty"))).await.ok();
                from.end().await;
                return Err(CopyError::NotEmpty(accounts));
            }
            Err(fault) => Err(fault),
        };
        from.end().await;
        match copied {
            Ok(copied) => {
                to.commit().await.map_err(given_up)?;
                Ok(copied)
            }
            Err(fault) => {
                to.roll_back(&fault).await.ok();
                Err(given_up(fault))
            }
        }
    }

    /// Where the bytes of contents are: of so many at most behind one, in the order of their ids.
    ///
    /// # Errors
    /// [`Problem::Unavailable`].
    pub async fn blob_lines(&self, behind: Option<ContentId>) -> Result<Vec<BlobLine>, Problem> {
        self.read_long("blob lines", |tx| {
            Box::pin(async move {
                let sql = "SELECT id, sha256, size, blob_key FROM contents WHERE id > ? ORDER BY id LIMIT ?";
                let values = values![behind.map_or(0, ContentId::get), PAGE_ROWS as i64];
                tx.list(sql, values, |columns| {
                    Ok(BlobLine {
                        id: columns.id()?,
                        sha256: Sha256Digest(columns.array()?),
                        size: columns.size()?,
                        blob: columns.parsed(BlobKey::new)?,
                    })
                })
                .await
            })
        })
        .await
    }

    /// Writes the log of SQLite into its file, so that the file alone is the database. For one that nobody else uses.
    ///
    /// # Errors
    /// [`Problem::Unavailable`], also when somebody else does use it.
    pub async fn settle(&self) -> Result<(), Problem> {
        if self.engine() == Engine::MySql {
            return Ok(());
        }
        self.read_long("settle", |tx| {
            Box::pin(async move {
                let busy = tx.number("PRAGMA wal_checkpoint(TRUNCATE)", &[]).await?;
                if busy == 0 { Ok(()) } else { Err(Fault::Again("somebody else uses the file".to_owned())) }
            })
        })
        .await
    }
}

fn given_up(fault: Fault) -> CopyError {
    CopyError::GivenUp(fault.text())
}

async fn number(held: &mut Held<'_>, sql: &'static str) -> Result<i64, Fault> {
    let rows = held.connection()?.rows(Sql::Borrowed(sql), &[]).await?;
    rows.first().ok_or_else(|| Fault::Broken("a query for a number has no row".to_owned()))?.number()
}

async fn copy(
    from: &mut Tx<'_>,
    to: &mut Held<'_>,
    told: &mut impl FnMut(CopiedRows),
) -> Result<Vec<CopiedRows>, Fault> {
    let engine = to.connection()?.engine();
    // Folders may be younger than what was moved into them, and accounts and their roots name each other: what rows
    // refer to is looked at when all are there. On servers that is the checker's work.
    to.connection()?
        .plain(Sql::Borrowed(match engine {
            Engine::Sqlite => "PRAGMA defer_foreign_keys = ON",
            Engine::MySql => "SET SESSION foreign_key_checks = 0",
        }))
        .await?;
    let copied = copy_tables(from, to, told).await;
    if engine == Engine::MySql {
        let on = to.connection()?.plain(Sql::Borrowed("SET SESSION foreign_key_checks = 1")).await;
        // The connection goes back to the others: without its checks it must not.
        on.map_err(|_| Fault::Away("the checks of a connection were not put back".to_owned()))?;
    }
    copied
}

async fn copy_tables(
    from: &mut Tx<'_>,
    to: &mut Held<'_>,
    told: &mut impl FnMut(CopiedRows),
) -> Result<Vec<CopiedRows>, Fault> {
    let mut all = Vec::new();
    // Made with the table.
    to.connection()?.run(Sql::Borrowed("DELETE FROM id_blocks"), &[]).await?;
    for table in copied_tables() {
        let mut copied = CopiedRows { table: table.name, rows: 0 };
        let mut last: Vec<Carried> = Vec::new();
        loop {
            let page = read_page(from, &table, &last).await?;
            for part in parts(&page) {
                write(to, &table, part).await?;
            }
            copied.rows += page.len() as u64;
            told(copied);
            let is_last = page.len() < PAGE_ROWS;
            let Some(row) = page.into_iter().next_back().filter(|_| !is_last) else { break };
            last = keys(&table, row);
        }
        all.push(copied);
    }
    Ok(all)
}

/// The columns of a row that its table is in the order of.
fn keys(table: &CopiedTable, row: Vec<Carried>) -> Vec<Carried> {
    let mut row: Vec<_> = row.into_iter().map(Some).collect();
    table.keys.iter().filter_map(|at| row.get_mut(*at)?.take()).collect()
}

async fn read_page(
    from: &mut Tx<'_>,
    table: &CopiedTable,
    behind: &[Carried],
) -> Result<Vec<Vec<Carried>>, Fault> {
    let (sql, bound) = page_sql(table, behind.len());
    let mut values: Vec<Value<'_>> =
        bound.iter().filter_map(|at| behind.get(*at)).map(Carried::value).collect();
    values.push(Value::Int(PAGE_ROWS as i64));
    let rows = from.rows(sql, values).await?;
    rows.iter().map(|row| carry(table, row)).collect()
}

/// The text that reads rows behind the one with such keys, and which of the keys its values are. One key after the
/// other: that is what servers find by the index.
fn page_sql(table: &CopiedTable, keys: usize) -> (String, Vec<usize>) {
    let name_of = |key: &usize| table.columns[*key].name;
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let order: Vec<_> = table.keys.iter().map(name_of).collect();
    let mut bound = Vec::new();
    let mut cases = Vec::new();
    for key in 0..keys.min(order.len()) {
        let mut case: Vec<_> = order[..key].iter().map(|name| format!("{name} = ?")).collect();
        case.push(format!("{} > ?", order[key]));
        bound.extend(0..=key);
        cases.push(format!("({})", case.join(" AND ")));
    }
    let behind = if cases.is_empty() { String::new() } else { format!(" WHERE {}", cases.join(" OR ")) };
    let sql = format!(
        "SELECT {} FROM {}{behind} ORDER BY {} LIMIT ?",
        names.join(", "),
        table.name,
        order.join(", ")
    );
    (sql, bound)
}

fn carry(table: &CopiedTable, row: &Row) -> Result<Vec<Carried>, Fault> {
    let mut columns = row.columns();
    let carried = table.columns.iter().map(|column| {
        Ok(match column.kind {
            Kind::Int | Kind::Small => columns.opt_int()?.map_or(Carried::Null, Carried::Int),
            Kind::Text(_) => columns.opt_text()?.map_or(Carried::Null, Carried::Text),
            Kind::Digest(_) | Kind::Bytes(_) | Kind::Blob => {
                columns.opt_bytes()?.map_or(Carried::Null, Carried::Bytes)
            }
        })
    });
    carried.collect()
}

async fn write(to: &mut Held<'_>, table: &CopiedTable, rows: &[Vec<Carried>]) -> Result<(), Fault> {
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let marks = rows_of(names.len(), rows.len());
    let sql = format!("INSERT INTO {} ({}) VALUES {marks}", table.name, names.join(", "));
    let values: Vec<Value<'_>> = rows.iter().flatten().map(Carried::value).collect();
    to.connection()?.run(Sql::Owned(sql), &values).await?;
    Ok(())
}

impl Carried {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_behind_the_last_row_key_by_key() {
        let tables = copied_tables();
        let find = |name: &str| tables.iter().find(|table| table.name == name).unwrap();
        let (sql, bound) = page_sql(find("dropped_blobs"), 1);
        assert_eq!(
            (sql.as_str(), bound.as_slice()),
            (
                "SELECT id, blob_key, delete_at FROM dropped_blobs WHERE (id > ?) ORDER BY id LIMIT ?",
                &[0][..]
            )
        );
        let (sql, bound) = page_sql(find("idempotency"), 2);
        assert!(
            sql.contains(
                " WHERE (account_id > ?) OR (account_id = ? AND request_key > ?) ORDER BY account_id, request_key LIMIT"
            ),
            "{sql}"
        );
        assert_eq!(bound, [0, 0, 1]);
        let (sql, bound) = page_sql(find("accounts"), 0);
        assert!(sql.contains("FROM accounts ORDER BY id LIMIT ?") && bound.is_empty(), "{sql}");
    }

    #[test]
    fn columns_that_came_later_are_copied_too() {
        let tables = copied_tables();
        let accounts = tables.iter().find(|table| table.name == "accounts").unwrap();
        assert!(accounts.columns.iter().any(|column| column.name == "found_by"));
    }
}
