//! Requests that can be told from others by a key, and the audit log.

use drive_core::AccountId;
use drive_core::audit::AuditRecord;
use drive_core::idempotency::{Fingerprint, IdempotencyKey, Remembered, Repeat, repeat};
use drive_core::page::Cursor;
use drive_core::{Problem, UnixMillis};

use crate::cause::{BegunRequest, Made};
use crate::database::Database;
use crate::engine::values;
use crate::error::Fault;
use crate::page::{Page, by_number, number_cursor};

/// What to do with a request that has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestTurn {
    /// Do it, and give this along in its [`crate::Cause`].
    Do(BegunRequest),
    /// It was done: this is what it made.
    Done(Made),
}

/// A line of the audit log and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// The id.
    pub id: i64,
    /// The line.
    pub record: AuditRecord,
}

impl Database {
    /// Begins a request with a key, before its work.
    ///
    /// # Errors
    /// Those of [`repeat`]. When the work is refused, [`Database::forget_request`] lets it be done again at once.
    pub async fn begin_request(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        now: UnixMillis,
    ) -> Result<RequestTurn, Problem> {
        self.write("begin request", |tx| {
            Box::pin(async move {
                let sql = "SELECT fingerprint, begun_at, answer FROM idempotency \
                     WHERE account_id = ? AND request_key = ? FOR UPDATE";
                let found = tx.get(sql, values![account, key.as_str()], |columns| {
                    Ok(Remembered {
                        fingerprint: Fingerprint(columns.array()?),
                        begun_at: columns.at()?,
                        answer: columns.opt_bytes()?,
                    })
                });
                let remembered = found.await?;
                if let Repeat::Answer(answer) = repeat(remembered.as_ref(), fingerprint, now)? {
                    let made = serde_json::from_slice(answer);
                    let made = made.map_err(|_| Problem::Contradiction("an answer that can't be read"))?;
                    return Ok(RequestTurn::Done(made));
                }
                if remembered.is_some() {
                    let sql = "DELETE FROM idempotency WHERE account_id = ? AND request_key = ?";
                    tx.change(sql, values![account, key.as_str()]).await?;
                }
                let sql = "INSERT INTO idempotency (account_id, request_key, fingerprint, begun_at, answer) \
                     VALUES (?, ?, ?, ?, NULL)";
                tx.change(sql, values![account, key.as_str(), &fingerprint.0, now]).await?;
                Ok(RequestTurn::Do(BegunRequest { account, key: key.clone(), begun_at: now }))
            })
        })
        .await
    }

    /// A request that was begun came to nothing: the same key may be used again at once.
    pub async fn forget_request(&self, request: &BegunRequest) -> Result<(), Problem> {
        self.write("forget request", |tx| {
            Box::pin(async move {
                let sql = "DELETE FROM idempotency \
                     WHERE account_id = ? AND request_key = ? AND begun_at = ? AND answer IS NULL";
                let values = values![request.account, request.key.as_str(), request.begun_at];
                tx.run(sql, &values).await.map(drop)
            })
        })
        .await
    }

    /// The audit log, the newest first, behind a cursor.
    pub async fn list_audit(&self, after: Option<&Cursor>, limit: u32) -> Result<Page<AuditRow>, Problem> {
        let after = number_cursor(after)?;
        let rows = self.read("list audit", |tx| {
            Box::pin(async move {
                let (at, id) = after.unwrap_or((i64::MAX, i64::MAX));
                let sql = "SELECT id, record FROM audit WHERE at <= ? AND (at < ? OR id < ?) \
                     ORDER BY at DESC, id DESC LIMIT ?";
                let values = values![at, at, id, i64::from(limit) + 1];
                tx.list(sql, &values, |columns| {
                    let id = columns.int()?;
                    let record = serde_json::from_str(&columns.text()?)
                        .map_err(|error| Fault::Broken(format!("a line of the audit log: {error}")))?;
                    Ok(AuditRow { id, record })
                })
                .await
            })
        });
        Ok(Page::cut(rows.await?, limit, |row| by_number(row.record.at.0, row.id)))
    }
}
