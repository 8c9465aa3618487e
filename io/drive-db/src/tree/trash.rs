//! Deleting, restoring, and removing for good.

use drive_core::audit::AuditEvent;
use drive_core::node::{Node, NodeKind, SearchKey};
use drive_core::page::Cursor;
use drive_core::tree::{OnConflict, PURGE_NODES_MAX, PurgePlan, TrashEntry, purge, restore, restore_to};
use drive_core::{AccountId, Missing, NodeId, Problem, TrashId, UnixMillis};

use super::{NODE, read_node};
use crate::accounts::Owner;
use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::{Columns, Value, marks, padded, values};
use crate::error::Fault;
use crate::page::{Page, by_number, number_cursor};

const ENTRY: &str = "t.id, t.owner_id, t.node_id, t.from_id, t.deleted_at, t.purge_at, t.purging";

fn read_entry(columns: &mut Columns<'_>) -> Result<TrashEntry, Fault> {
    Ok(TrashEntry {
        id: columns.id()?,
        owner: columns.id()?,
        node: columns.id()?,
        from: columns.id()?,
        deleted_at: columns.at()?,
        purge_at: columns.at()?,
        purging: columns.yes()?,
    })
}

/// An entry of the trash, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashRow {
    /// The entry.
    pub entry: TrashEntry,
    /// Its top node.
    pub node: Node,
}

/// What a part of purging did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeProgress {
    /// Nodes that are gone.
    pub nodes: usize,
    /// The entry is gone, too.
    pub last: bool,
}

/// The statement that finds what is in an entry.
pub(crate) fn in_trash_text() -> String {
    format!("SELECT {NODE} FROM nodes n WHERE n.trash_id = ? LIMIT ?")
}

impl Tx<'_> {
    async fn entry(&mut self, owner: AccountId, entry: TrashId) -> Result<TrashEntry, Fault> {
        let sql = format!("SELECT {ENTRY} FROM trash t WHERE t.id = ? AND t.owner_id = ?");
        let found = self.get(sql, values![entry, owner], read_entry).await?;
        found.ok_or_else(|| Problem::NotFound(Missing::TrashEntry).into())
    }

    /// Up to [`PURGE_NODES_MAX`] nodes of an entry, with nothing of it left in their folders but each other.
    async fn purge_part(&mut self, entry: TrashId) -> Result<Vec<Node>, Fault> {
        let limit = PURGE_NODES_MAX as i64;
        let all = self.list(in_trash_text(), values![entry, limit + 1], read_node).await?;
        if all.len() <= PURGE_NODES_MAX {
            return Ok(all);
        }
        let sql = format!("SELECT {NODE} FROM nodes n WHERE n.trash_id = ? AND n.kind = ? LIMIT ?");
        let files = self.list(sql, values![entry, NodeKind::File.to_db(), limit], read_node).await?;
        if !files.is_empty() {
            return Ok(files);
        }
        let sql = format!(
            "SELECT {NODE} FROM nodes n WHERE n.trash_id = ? \
             AND NOT EXISTS (SELECT 1 FROM nodes c WHERE c.parent_id = n.id) LIMIT ?"
        );
        self.list(sql, values![entry, limit], read_node).await
    }

    /// Runs a statement, up to its list of ids, for these nodes.
    async fn at_nodes(&mut self, statement: &'static str, nodes: &[NodeId]) -> Result<u64, Fault> {
        let mut rows = 0;
        for part in padded(nodes) {
            let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
            rows += self.run(format!("{statement} IN ({})", marks(values.len())), &values).await?;
        }
        Ok(rows)
    }

    async fn do_purge(
        &mut self,
        owner: &mut Owner,
        entry: TrashId,
        plan: &PurgePlan,
        now: UnixMillis,
    ) -> Result<(), Fault> {
        if plan.last {
            self.change("DELETE FROM trash WHERE id = ?", values![entry]).await?;
        } else {
            self.change("UPDATE trash SET purging = 1 WHERE id = ?", values![entry]).await?;
        }
        // Links first, and nodes out of each other, so that they can go in any order.
        self.at_nodes("DELETE FROM shares WHERE node_id", &plan.nodes).await?;
        self.at_nodes("UPDATE nodes SET parent_id = NULL WHERE id", &plan.nodes).await?;
        let gone = self.at_nodes("DELETE FROM nodes WHERE id", &plan.nodes).await?;
        if gone != plan.nodes.len() as u64 {
            return Err(Problem::Contradiction("a node to be purged is not there").into());
        }
        self.count_references(&plan.references, now).await?;
        owner.quota = owner.quota.shrink(plan.usage)?;
        self.write_quota(owner.id, owner.quota).await
    }
}

impl Database {
    /// Deletes a node, with all below it, to the trash.
    pub async fn trash(&self, owner: AccountId, node: NodeId, cause: &Cause) -> Result<TrashId, Problem> {
        self.write("trash", |tx| {
            Box::pin(async move {
                let owner = tx.lock_owner(owner).await?;
                let place = tx.place(owner.id, node).await?;
                // Before what is below it is read.
                if place.node.is_root() {
                    return Err(Problem::RootStays.into());
                }
                let retention = tx.policy().trash_retention;
                let entry = tx.send_to_trash(&place, retention, cause).await?;
                tx.answer(cause, Made::Trash(entry)).await?;
                Ok(entry)
            })
        })
        .await
    }

    /// What is in somebody's trash, the last deleted first. What is being purged is not shown.
    pub async fn list_trash(
        &self,
        owner: AccountId,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<TrashRow>, Problem> {
        let after = number_cursor(after)?;
        let rows = self.read("list trash", |tx| {
            Box::pin(async move {
                let (at, id) = after.unwrap_or((i64::MAX, i64::MAX));
                let sql = format!(
                    "SELECT {ENTRY}, {NODE} FROM trash t JOIN nodes n ON n.id = t.node_id \
                     WHERE t.owner_id = ? AND t.purging = 0 AND t.deleted_at <= ? AND (t.deleted_at < ? OR t.id < ?) \
                     ORDER BY t.deleted_at DESC, t.id DESC LIMIT ?"
                );
                let values = values![owner, at, at, id, i64::from(limit) + 1];
                tx.list(sql, &values, |columns| {
                    Ok(TrashRow { entry: read_entry(columns)?, node: read_node(columns)? })
                })
                .await
            })
        });
        let cursor = |row: &TrashRow| by_number(row.entry.deleted_at.0, row.entry.id.get());
        Ok(Page::cut(rows.await?, limit, cursor))
    }

    /// Restores an entry to where it was, or to `to`. The restored node.
    pub async fn restore(
        &self,
        owner: AccountId,
        entry: TrashId,
        to: Option<NodeId>,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("restore", |tx| {
            Box::pin(async move {
                let owner = tx.lock_owner(owner).await?;
                let entry = tx.entry(owner.id, entry).await?;
                let mut top = tx.node(owner.id, entry.node).await?;
                let below = tx.below(&top).await?;
                let folder = match to {
                    Some(folder) => folder,
                    None => {
                        let sql = format!("SELECT {NODE} FROM nodes n WHERE n.id = ?");
                        let former = tx.get(sql, values![entry.from], read_node).await?;
                        restore_to(former.as_ref(), owner.id, owner.root).folder()
                    }
                };
                let target = tx.place(owner.id, folder).await?;
                let neighbours =
                    tx.neighbours(folder, &top.name, top.kind(), OnConflict::KeepBoth).await?;
                let plan = restore(&entry, &top, below.height, &target.target(), &neighbours)?;
                let key = SearchKey::of(plan.name.as_str());
                let sql = "UPDATE nodes SET parent_id = ?, name = ?, name_key = ?, modified_at = ?, trash_id = NULL \
                     WHERE id = ?";
                let values = values![plan.parent, plan.name.as_str(), key.as_str(), cause.at, plan.node];
                tx.change(sql, &values).await?;
                tx.mark_below(&top, &below.folders, None).await?;
                tx.count_child(plan.parent, top.kind(), 1).await?;
                tx.change("DELETE FROM trash WHERE id = ?", values![entry.id]).await?;
                tx.audit(cause, AuditEvent::Restored { node: plan.node }).await?;
                tx.answer(cause, Made::Node(plan.node)).await?;
                (top.parent, top.name, top.modified_at, top.trash) =
                    (Some(plan.parent), plan.name, cause.at, None);
                Ok(top)
            })
        })
        .await
    }

    /// Removes an entry for good, a part at a time: to be called until it says `last`. From the first part on it
    /// can't be restored; a sweep goes on with what was left in the middle.
    pub async fn purge_part(
        &self,
        owner: AccountId,
        entry: TrashId,
        cause: &Cause,
    ) -> Result<PurgeProgress, Problem> {
        self.write("purge", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(owner).await?;
                let entry = tx.entry(owner.id, entry).await?;
                let part = tx.purge_part(entry.id).await?;
                let plan = purge(&entry, &part)?;
                tx.do_purge(&mut owner, entry.id, &plan, cause.at).await?;
                if plan.last {
                    tx.audit(cause, AuditEvent::Purged { entry: entry.id }).await?;
                }
                Ok(PurgeProgress { nodes: plan.nodes.len(), last: plan.last })
            })
        })
        .await
    }

    /// Marks all of somebody's trash to be removed for good: it is gone from lists at once, and removed in parts by
    /// the sweep. How many entries.
    pub async fn empty_trash(&self, owner: AccountId, cause: &Cause) -> Result<u64, Problem> {
        self.write("empty trash", |tx| {
            Box::pin(async move {
                tx.lock_owner(owner).await?;
                let sql = "UPDATE trash SET purging = 1 WHERE owner_id = ? AND purging = 0";
                let marked = tx.run(sql, values![owner]).await?;
                tx.answer(cause, Made::Done).await?;
                Ok(marked)
            })
        })
        .await
    }

    /// Entries whose time has come, or that were left in the middle of purging, the oldest first.
    pub async fn due_trash(&self, now: UnixMillis, limit: u32) -> Result<Vec<(AccountId, TrashId)>, Problem> {
        self.read("due trash", |tx| {
            Box::pin(async move {
                let read = |columns: &mut Columns<'_>| Ok((columns.id()?, columns.id()?));
                let sql = "SELECT owner_id, id FROM trash WHERE purging = 1 ORDER BY purge_at, id LIMIT ?";
                let mut due = tx.list(sql, values![i64::from(limit)], read).await?;
                let sql = "SELECT owner_id, id FROM trash WHERE purging = 0 AND purge_at <= ? \
                     ORDER BY purge_at, id LIMIT ?";
                due.extend(tx.list(sql, values![now, i64::from(limit)], read).await?);
                due.truncate(limit as usize);
                Ok(due)
            })
        })
        .await
    }
}
