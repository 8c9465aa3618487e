//! What there is in all, counted part by part: no statement reads more than so many rows, whatever the size of the
//! database, and between two of them others have their turn.

use drive_core::totals::Totals;
use drive_core::{Problem, UnixMillis};

use crate::database::Database;
use crate::engine::{Columns, values};
use crate::error::Fault;

/// A table that is counted.
struct Count {
    /// The greatest id of a part, and its sums; of the part behind an id. All sums are numbers: servers would sum into
    /// decimals.
    sql: &'static str,
    /// Whether the statement asks for the time first.
    timed: bool,
    read: fn(&mut Columns<'_>) -> Result<Totals, Fault>,
}

const COUNTS: &[Count] = &[
    Count {
        sql: "SELECT MAX(id), COUNT(*), CAST(SUM(nodes) AS SIGNED), CAST(SUM(used) AS SIGNED), \
              CAST(SUM(reserved) AS SIGNED) \
              FROM (SELECT id, nodes, used, reserved FROM accounts WHERE id > ? ORDER BY id LIMIT ?) AS part",
        timed: false,
        read: |columns| {
            let (accounts, nodes) = (columns.count()?, columns.count()?);
            Ok(Totals {
                accounts,
                nodes,
                used: columns.size()?,
                reserved: columns.size()?,
                ..Totals::default()
            })
        },
    },
    Count {
        sql: "SELECT MAX(id), COUNT(*), CAST(SUM(refs) AS SIGNED), CAST(SUM(size) AS SIGNED) \
              FROM (SELECT id, refs, size FROM contents WHERE id > ? ORDER BY id LIMIT ?) AS part",
        timed: false,
        read: |columns| {
            let (contents, files) = (columns.count()?, columns.count()?);
            Ok(Totals { contents, files, stored: columns.size()?, ..Totals::default() })
        },
    },
    Count {
        sql: "SELECT MAX(id), COUNT(*), CAST(SUM(CASE WHEN revoked = 0 AND (expires_at IS NULL OR expires_at > ?) \
              AND (downloads_left IS NULL OR downloads_left > 0) THEN 1 ELSE 0 END) AS SIGNED) \
              FROM (SELECT id, revoked, expires_at, downloads_left FROM shares WHERE id > ? ORDER BY id LIMIT ?) AS part",
        timed: true,
        read: |columns| {
            let (links, links_open) = (columns.count()?, columns.count()?);
            Ok(Totals { links, links_open, ..Totals::default() })
        },
    },
];

impl Database {
    /// Counts what there is in all, so many rows at once. The more there is, the longer it takes; no part of it takes longer.
    pub async fn totals(&self, rows_at_once: u32, now: UnixMillis) -> Result<Totals, Problem> {
        let mut totals = Totals::default();
        for count in COUNTS {
            let mut after = 0;
            while let Some((last, part)) = self.count_part(count, after, rows_at_once, now).await? {
                totals = totals.plus(part);
                after = last;
            }
        }
        Ok(totals)
    }

    /// Counts the part behind an id: the last id of it; none when there is nothing.
    async fn count_part(
        &self,
        count: &'static Count,
        after: i64,
        rows: u32,
        now: UnixMillis,
    ) -> Result<Option<(i64, Totals)>, Problem> {
        self.read_long("count", |tx| {
            Box::pin(async move {
                let values = values![now, after, rows];
                let values = if count.timed { &values[..] } else { &values[1..] };
                let found = tx.get(count.sql, values, |columns| {
                    columns.opt_int()?.map(|last| Ok((last, (count.read)(columns)?))).transpose()
                });
                Ok(found.await?.flatten())
            })
        })
        .await
    }
}
