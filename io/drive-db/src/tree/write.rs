//! Does what plans say.

use std::collections::BTreeMap;
use std::time::Duration;

use drive_core::audit::AuditEvent;
use drive_core::content::ReferenceDelta;
use drive_core::node::{FileContent, Node, NodeKind, NodeName, SearchKey};
use drive_core::quota::Usage;
use drive_core::tree::{NewNode, NewParent, OnConflict, create, trash};
use drive_core::{AccountId, ByteCount, NodeId, Problem, TrashId, UnixMillis};

use super::load::Place;
use crate::accounts::Owner;
use crate::cause::Cause;
use crate::database::Tx;
use crate::engine::{Value, marks, padded, parts, rows_of, values, whens};
use crate::error::Fault;

/// Columns of a node that is inserted.
const INSERTED: usize = 14;

/// The statement that inserts so many nodes.
pub(crate) fn insert_text(rows: usize) -> String {
    format!(
        "INSERT INTO nodes (id, owner_id, parent_id, kind, name, name_key, content_id, size, created_at, \
         modified_at, downloads, trash_id, folders, files) VALUES {}",
        rows_of(INSERTED, rows)
    )
}

/// A node to be inserted, whose, and when it is made.
#[derive(Debug, Clone)]
pub(crate) struct NewRow {
    pub(crate) owner: AccountId,
    pub(crate) node: NewNode,
    pub(crate) at: UnixMillis,
}

/// A folder or file to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewChild<'a> {
    pub(crate) name: &'a NodeName,
    /// None for a folder.
    pub(crate) content: Option<FileContent>,
    pub(crate) on_conflict: OnConflict,
    /// It was accepted while the quota could not be asked for.
    pub(crate) past_limit: bool,
}

impl Tx<'_> {
    /// Makes a folder or file below a folder of an account that is locked. References are counted by the caller, who
    /// knows whether the content is new.
    pub(crate) async fn make_node(
        &mut self,
        owner: &mut Owner,
        folder: &Place,
        child: NewChild<'_>,
        cause: &Cause,
    ) -> Result<Node, Fault> {
        let NewChild { name, content, on_conflict, past_limit } = child;
        let kind = if content.is_some() { NodeKind::File } else { NodeKind::Folder };
        let neighbours = self.neighbours(folder.node.id, name, kind, on_conflict).await?;
        let plan = create(&folder.target(), name, kind, &neighbours, on_conflict)?;
        self.make_way(owner, plan.replaced, cause).await?;
        let usage = Usage { bytes: content.map_or(ByteCount::ZERO, |content| content.size), nodes: 1 };
        let quota = if past_limit { owner.quota.grow_past_limit(usage) } else { owner.quota.grow(usage) };
        owner.quota = quota?;
        self.write_quota(owner.id, owner.quota).await?;
        let node = NewNode { parent: NewParent::There(plan.parent), name: plan.name, content };
        let row = NewRow { owner: owner.id, node, at: cause.at };
        let made = self.insert_nodes(std::slice::from_ref(&row)).await?;
        let id = made.into_iter().next().ok_or_else(|| Fault::Broken("nothing was made".to_owned()))?;
        Ok(Node {
            id,
            owner: owner.id,
            parent: Some(plan.parent),
            name: row.node.name,
            content,
            created_at: cause.at,
            modified_at: cause.at,
            downloads: 0,
            trash: None,
        })
    }

    /// Sends what is replaced to the trash.
    pub(crate) async fn make_way(
        &mut self,
        owner: &Owner,
        replaced: Option<NodeId>,
        cause: &Cause,
    ) -> Result<(), Fault> {
        let Some(replaced) = replaced else { return Ok(()) };
        let place = self.place(owner.id, replaced).await?;
        let retention = self.policy().trash_retention;
        self.send_to_trash(&place, retention, cause).await.map(drop)
    }

    /// Inserts nodes, folders before what is in them, and counts them in the folders that are there.
    pub(crate) async fn insert_nodes(&mut self, nodes: &[NewRow]) -> Result<Vec<NodeId>, Fault> {
        let first = self.ids(nodes.len())?;
        let ids: Vec<NodeId> = (first..).map_while(NodeId::new).take(nodes.len()).collect();
        // What each new folder holds, and what comes into folders that are there.
        let mut inside = vec![(0_i64, 0_i64); nodes.len()];
        let mut outside: BTreeMap<NodeId, (i64, i64)> = BTreeMap::new();
        for NewRow { node, .. } in nodes {
            let counts = match node.parent {
                NewParent::There(folder) => Some(outside.entry(folder).or_default()),
                NewParent::New(place) => inside.get_mut(place),
            };
            let (folders, files) = counts.ok_or(Problem::Contradiction("a new node is in no folder"))?;
            if node.content.is_some() { *files += 1 } else { *folders += 1 }
        }
        let rows: Vec<_> = nodes.iter().zip(&ids).zip(inside).collect();
        for part in parts(&rows) {
            let keys: Vec<SearchKey> =
                part.iter().map(|((row, _), _)| SearchKey::of(row.node.name.as_str())).collect();
            let mut values = Vec::with_capacity(INSERTED * part.len());
            for (((row, id), (folders, files)), key) in part.iter().zip(&keys) {
                let NewRow { owner, node, at } = row;
                let parent = match node.parent {
                    NewParent::There(folder) => Some(folder),
                    NewParent::New(place) => ids.get(place).copied(),
                };
                let kind = if node.content.is_some() { NodeKind::File } else { NodeKind::Folder };
                values.extend(values![
                    **id,
                    *owner,
                    parent,
                    kind.to_db(),
                    node.name.as_str(),
                    key.as_str(),
                    node.content.map(|content| content.id),
                    node.content.map_or(ByteCount::ZERO, |content| content.size),
                    *at,
                    *at,
                    0_i64,
                    None::<i64>,
                    *folders,
                    *files,
                ]);
            }
            self.run(insert_text(part.len()), &values).await?;
        }
        let counts: Vec<_> = outside.into_iter().collect();
        for part in parts(&counts) {
            let each = whens(part.len());
            let sql = format!(
                "UPDATE nodes SET folders = folders + {each}, files = files + {each} WHERE id IN ({})",
                marks(part.len())
            );
            let folders = part.iter().flat_map(|(folder, (folders, _))| values![*folder, *folders]);
            let files = part.iter().flat_map(|(folder, (_, files))| values![*folder, *files]);
            let ids = part.iter().map(|(folder, _)| Value::from(*folder));
            self.run(sql, &folders.chain(files).chain(ids).collect::<Vec<_>>()).await?;
        }
        Ok(ids)
    }

    async fn count_children(&mut self, folder: NodeId, folders: i64, files: i64) -> Result<(), Fault> {
        let sql = "UPDATE nodes SET folders = folders + ?, files = files + ? WHERE id = ?";
        self.change(sql, values![folders, files, folder]).await
    }

    /// Counts that a node came into a folder (1) or left it (-1).
    pub(crate) async fn count_child(
        &mut self,
        folder: NodeId,
        kind: NodeKind,
        change: i64,
    ) -> Result<(), Fault> {
        match kind {
            NodeKind::Folder => self.count_children(folder, change, 0).await,
            NodeKind::File => self.count_children(folder, 0, change).await,
        }
    }

    /// Deletes a node of an account that is locked, with all below it.
    pub(crate) async fn send_to_trash(
        &mut self,
        place: &Place,
        retention: Duration,
        cause: &Cause,
    ) -> Result<TrashId, Fault> {
        let below = self.below(&place.node).await?;
        let plan = trash(&place.moving(below.height, below.nodes + 1), retention, cause.at)?;
        let entry: TrashId = self.id()?;
        let owner = place.node.owner;
        let sql = "INSERT INTO trash (id, owner_id, node_id, from_id, deleted_at, purge_at, purging) \
             VALUES (?, ?, ?, ?, ?, ?, 0)";
        self.change(sql, values![entry, owner, plan.node, plan.from, cause.at, plan.purge_at]).await?;
        self.change(
            "UPDATE nodes SET parent_id = NULL, trash_id = ? WHERE id = ?",
            values![entry, plan.node],
        )
        .await?;
        self.mark_below(&place.node, &below.folders, Some(entry)).await?;
        self.count_child(plan.from, place.node.kind(), -1).await?;
        self.audit(cause, AuditEvent::Trashed { node: plan.node, entry }).await?;
        Ok(entry)
    }

    /// Writes the entry of the trash that nodes below a node belong to.
    pub(crate) async fn mark_below(
        &mut self,
        top: &Node,
        folders: &[NodeId],
        entry: Option<TrashId>,
    ) -> Result<(), Fault> {
        let mut parents = folders.to_vec();
        if top.kind() == NodeKind::Folder {
            parents.push(top.id);
        }
        for part in padded(&parents) {
            let sql = format!("UPDATE nodes SET trash_id = ? WHERE parent_id IN ({})", marks(part.len()));
            let mut values = vec![Value::from(entry)];
            values.extend(part.into_iter().map(Value::from));
            self.run(sql, &values).await?;
        }
        Ok(())
    }

    /// Counts references to contents, in the order of their ids.
    ///
    /// A content that is not there (any more) is told by [`Fault::Again`]: what led to it is gone as well.
    pub(crate) async fn count_references(
        &mut self,
        deltas: &[ReferenceDelta],
        now: UnixMillis,
    ) -> Result<(), Fault> {
        if deltas.len() > 1 {
            // Locks them all in one order; what follows may change them in any.
            let ids: Vec<_> = deltas.iter().map(|delta| delta.content).collect();
            for part in padded(&ids) {
                let marks = marks(part.len());
                let sql = format!("SELECT id FROM contents WHERE id IN ({marks}) ORDER BY id FOR UPDATE");
                let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
                self.rows(sql, &values).await?;
            }
        }
        let mut by_change: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for delta in deltas {
            by_change.entry(delta.change).or_default().push(delta.content.get());
        }
        for (change, ids) in by_change {
            for part in parts(&ids) {
                // `unused_since` first: servers would see the new `refs` behind it, SQLite sees the old one.
                let sql = format!(
                    "UPDATE contents SET unused_since = CASE WHEN refs + ? = 0 THEN COALESCE(unused_since, ?) END, \
                     refs = refs + ? WHERE id IN ({}) AND refs + ? >= 0",
                    marks(part.len())
                );
                let mut values = values![change, now, change].to_vec();
                values.extend(part.iter().copied().map(Value::Int));
                values.push(Value::Int(change));
                let changed = self.run(sql, &values).await?;
                if changed != part.len() as u64 {
                    return Err(if change > 0 {
                        Fault::Again("a content went meanwhile".to_owned())
                    } else {
                        Problem::Contradiction("references below none").into()
                    });
                }
            }
        }
        Ok(())
    }
}
