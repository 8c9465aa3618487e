//! Ids, in blocks that a process takes for itself.
//!
//! One counter for all tables, raised by a block at a time; within a block ids cost nothing. So rows can be made
//! together with those that refer to them, many in one statement, on engines with and without `RETURNING`, on a
//! Galera cluster, whose automatic numbers have gaps, and on TiDB, whose numbers have no order. What is left of a
//! block when the process ends is never used.

use std::ops::Range;

use parking_lot::Mutex;

use crate::engine::{Connection, Connections, Sql, Value};
use crate::error::Fault;

/// Ids that are taken at once.
const BLOCK: i64 = 1_000;

/// The ids of this process.
#[derive(Default)]
pub(crate) struct Ids {
    free: Mutex<Range<i64>>,
    /// Whoever fetches a block.
    refill: tokio::sync::Mutex<()>,
}

impl Ids {
    /// The first of `count` ids that follow each other, if there are so many.
    pub(crate) fn take(&self, count: usize) -> Option<i64> {
        let count = i64::try_from(count).ok()?;
        let mut free = self.free.lock();
        let first = free.start;
        if free.end - first < count {
            return None;
        }
        free.start += count;
        Some(first)
    }

    /// Sees to it that `count` ids are there, in a transaction of its own.
    pub(crate) async fn refill(&self, count: usize, connections: &Connections) -> Result<(), Fault> {
        let mut held = connections.begin().await?;
        match raise(count, held.connection()?).await {
            Ok(block) => {
                held.commit().await?;
                *self.free.lock() = block;
                Ok(())
            }
            Err(fault) => {
                held.roll_back(&fault).await?;
                Err(fault)
            }
        }
    }

    /// Lets one at a time fetch a block.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.refill.lock().await
    }

    /// Are there so many?
    pub(crate) fn has(&self, count: usize) -> bool {
        let free = self.free.lock();
        i64::try_from(count).is_ok_and(|count| free.end - free.start >= count)
    }
}

/// Takes a block of ids off the counter.
async fn raise(count: usize, connection: &mut Connection) -> Result<Range<i64>, Fault> {
    let count = i64::try_from(count).map_err(|_| Fault::Broken("more ids than there are".to_owned()))?;
    let block = BLOCK.max(count.saturating_mul(2));
    let raise = Sql::Borrowed("UPDATE id_blocks SET next_id = next_id + ? WHERE name = 'all'");
    connection.run(raise, &[Value::Int(block)]).await?;
    let read = Sql::Borrowed("SELECT next_id FROM id_blocks WHERE name = 'all'");
    let rows = connection.rows(read, &[]).await?;
    let end = rows.first().map(|row| row.number()).transpose()?;
    let end = end.ok_or_else(|| Fault::Broken("no counter of ids".to_owned()))?;
    Ok(end - block..end)
}
