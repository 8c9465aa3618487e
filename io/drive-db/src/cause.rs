//! Why something is changed: what goes into the audit log, and into the answer to a request that comes twice.

use std::net::IpAddr;

use drive_core::audit::{Actor, AuditEvent, AuditRecord};
use drive_core::idempotency::IdempotencyKey;
use drive_core::{AccountId, NodeId, Problem, ShareId, TrashId, UnixMillis, UploadId};
use serde::{Deserialize, Serialize};

use crate::database::Tx;
use crate::engine::{Value, parts, rows_of, values};
use crate::error::Fault;

/// Who changes something, when, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// When.
    pub at: UnixMillis,
    /// Who.
    pub actor: Actor,
    /// From which address.
    pub address: Option<IpAddr>,
    /// The request can be told from others, and was begun with [`crate::Database::begin_request`]: what it makes is
    /// written down as its answer in the same transaction.
    pub request: Option<BegunRequest>,
}

/// A request with a key that is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunRequest {
    /// Whose.
    pub account: AccountId,
    /// Its key.
    pub key: IdempotencyKey,
    /// When it was begun: another that begins it anew, because this one seemed dead, wins.
    pub begun_at: UnixMillis,
}

/// What a request made: its answer is made of this, the first time and when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// A node, or another state of one.
    Node(NodeId),
    /// An entry of the trash.
    Trash(TrashId),
    /// A link, or another state of one.
    Share(ShareId),
    /// An upload.
    Upload(UploadId),
    /// An account, or another state of one.
    Account(AccountId),
    /// It was done, and there is nothing to show.
    Done,
}

impl Cause {
    /// Somebody who is signed in.
    pub const fn account(account: AccountId, address: Option<IpAddr>, at: UnixMillis) -> Self {
        Self { at, actor: Actor::Account(account), address, request: None }
    }

    /// Nobody who is signed in.
    pub const fn visitor(address: Option<IpAddr>, at: UnixMillis) -> Self {
        Self { at, actor: Actor::Visitor, address, request: None }
    }

    /// The drive itself.
    pub const fn system(at: UnixMillis) -> Self {
        Self { at, actor: Actor::System, address: None, request: None }
    }

    /// With the key of a request.
    #[must_use]
    pub fn of_request(self, request: Option<BegunRequest>) -> Self {
        Self { request, ..self }
    }
}

impl Tx<'_> {
    /// Writes a line of the audit log.
    pub(crate) async fn audit(&mut self, cause: &Cause, event: AuditEvent) -> Result<(), Fault> {
        let record = AuditRecord { at: cause.at, actor: cause.actor, address: cause.address, event };
        self.audit_record(&record).await
    }

    pub(crate) async fn audit_record(&mut self, record: &AuditRecord) -> Result<(), Fault> {
        self.audit_records(std::slice::from_ref(record)).await
    }

    pub(crate) async fn audit_records(&mut self, records: &[AuditRecord]) -> Result<(), Fault> {
        for part in parts(records) {
            let texts: Result<Vec<String>, _> = part.iter().map(serde_json::to_string).collect();
            let texts = texts.map_err(|error| Fault::Broken(error.to_string()))?;
            let first = self.ids(part.len())?;
            let lines = (first..).zip(part).zip(&texts);
            let values: Vec<Value<'_>> =
                lines.flat_map(|((id, record), text)| values![id, record.at, text]).collect();
            let rows = rows_of(3, part.len());
            self.run(format!("INSERT INTO audit (id, at, record) VALUES {rows}"), &values).await?;
        }
        Ok(())
    }

    /// Writes down what came of a request that can be told from others.
    pub(crate) async fn answer(&mut self, cause: &Cause, made: Made) -> Result<(), Fault> {
        let Some(request) = &cause.request else { return Ok(()) };
        let answer = serde_json::to_vec(&made).map_err(|error| Fault::Broken(error.to_string()))?;
        let values = values![answer.as_slice(), request.account, request.key.as_str(), request.begun_at];
        let write = "UPDATE idempotency SET answer = ? \
             WHERE account_id = ? AND request_key = ? AND begun_at = ? AND answer IS NULL";
        match self.run(write, &values).await? {
            1 => Ok(()),
            // Another has begun it meanwhile.
            _ => Err(Problem::IdempotencyInProgress.into()),
        }
    }
}
