//! What time ends is removed, in bounded parts: to be called until nothing is left.

use drive_core::idempotency::ANSWER_KEPT;
use drive_core::queue::KEYS_KEPT;
use drive_core::session::Door;
use drive_core::{Problem, UnixMillis};

use crate::database::{Database, Tx};
use crate::engine::{Value, marks, padded, values};
use crate::error::Fault;

impl Tx<'_> {
    /// Removes about `limit` of a table's rows whose instant in `column` is not after `before`, the oldest first.
    async fn remove_old(
        &mut self,
        table: &'static str,
        column: &'static str,
        before: UnixMillis,
        limit: u32,
    ) -> Result<u64, Fault> {
        // Neither engine in all builds has DELETE … LIMIT: up to where a part goes is looked up.
        let sql =
            format!("SELECT {column} FROM {table} WHERE {column} <= ? ORDER BY {column} LIMIT 1 OFFSET ?");
        let end = self.get(sql, values![before, limit.saturating_sub(1)], |columns| columns.int()).await?;
        let sql = format!("DELETE FROM {table} WHERE {column} <= ?");
        self.run(sql, values![end.unwrap_or(before.0)]).await
    }
}

impl Database {
    /// Removes sessions that ended by time. How many.
    pub async fn sweep_sessions(&self, now: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("sweep sessions", |tx| {
            Box::pin(async move {
                let mut gone = 0;
                for door in [Door::V1, Door::Dialect] {
                    let lifetime = door.lifetime();
                    for (column, kept) in [("used_at", lifetime.idle), ("created_at", lifetime.absolute)] {
                        let sql = format!(
                            "SELECT id FROM sessions WHERE door = ? AND {column} <= ? ORDER BY {column} LIMIT ?"
                        );
                        let values = values![door.to_db(), now.minus(kept), limit];
                        let ids = tx.list(sql, &values, |columns| columns.int()).await?;
                        for part in padded(&ids) {
                            let sql = format!("DELETE FROM sessions WHERE id IN ({})", marks(part.len()));
                            let values: Vec<Value<'_>> = part.into_iter().map(Value::Int).collect();
                            gone += tx.run(sql, &values).await?;
                        }
                    }
                }
                Ok(gone)
            })
        })
        .await
    }

    /// Forgets keys of entries that were applied long ago. How many.
    pub async fn sweep_entry_keys(&self, now: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("sweep entry keys", |tx| {
            Box::pin(tx.remove_old("entry_keys", "applied_at", now.minus(KEYS_KEPT), limit))
        })
        .await
    }

    /// Forgets answers to requests with keys. How many.
    pub async fn sweep_requests(&self, now: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("sweep requests", |tx| {
            Box::pin(tx.remove_old("idempotency", "begun_at", now.minus(ANSWER_KEPT), limit))
        })
        .await
    }

    /// Removes lines of the audit log from before an instant. How many.
    pub async fn sweep_audit(&self, before: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("sweep audit", |tx| Box::pin(tx.remove_old("audit", "at", before, limit))).await
    }
}
