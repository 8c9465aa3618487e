//! Making folders, moving, copying.

use drive_core::node::{Node, NodeName, SearchKey};
use drive_core::tree::{CopyPlan, NewNode, OnConflict, copy, relocate};
use drive_core::{AccountId, Missing, NodeId, Problem};

use super::write::{NewChild, NewRow};
use crate::accounts::Owner;
use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::values;
use crate::error::Fault;

impl Tx<'_> {
    /// Does what a plan of copying says, for an account that is locked. The new top node.
    pub(crate) async fn do_copy(
        &mut self,
        owner: &mut Owner,
        plan: &CopyPlan,
        cause: &Cause,
    ) -> Result<NodeId, Fault> {
        self.make_way(owner, plan.replaced, cause).await?;
        owner.quota = owner.quota.grow(plan.usage)?;
        self.write_quota(owner.id, owner.quota).await?;
        // Before the nodes: their foreign key would take a lesser lock, which two could not raise at once.
        self.count_references(&plan.references, cause.at).await?;
        let row = |node: &NewNode| NewRow { owner: owner.id, node: node.clone(), at: cause.at };
        let rows: Vec<NewRow> = plan.nodes.iter().map(row).collect();
        let ids = self.insert_nodes(&rows).await?;
        ids.into_iter().next().ok_or_else(|| Fault::Broken("nothing was copied".to_owned()))
    }
}

impl Database {
    /// Makes a folder.
    pub async fn create_folder(
        &self,
        owner: AccountId,
        parent: NodeId,
        name: &NodeName,
        on_conflict: OnConflict,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("create folder", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(owner).await?;
                let parent = tx.place(owner.id, parent).await?;
                let child = NewChild { name, content: None, on_conflict, past_limit: false };
                let node = tx.make_node(&mut owner, &parent, child, cause).await?;
                tx.answer(cause, Made::Node(node.id)).await?;
                Ok(node)
            })
        })
        .await
    }

    /// Renames a node, or moves it into a folder, or both: what is none stays as it is.
    pub async fn relocate(
        &self,
        owner: AccountId,
        node: NodeId,
        folder: Option<NodeId>,
        name: Option<&NodeName>,
        on_conflict: OnConflict,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("relocate", |tx| {
            Box::pin(async move {
                let owner = tx.lock_owner(owner).await?;
                let moving = tx.place(owner.id, node).await?;
                if moving.node.is_root() {
                    return Err(Problem::RootStays.into());
                }
                let present = moving.node.parent;
                let folder = folder.or(present).ok_or(Problem::NotFound(Missing::Node))?;
                let target = tx.place(owner.id, folder).await?;
                let kind = moving.node.kind();
                let name = name.unwrap_or(&moving.node.name);
                // In its own folder nothing becomes deeper.
                let height = if present == Some(folder) { 0 } else { tx.height(&moving.node).await? };
                let neighbours = tx.neighbours(folder, name, kind, on_conflict).await?;
                let plan =
                    relocate(&moving.moving(height, 1), &target.target(), name, &neighbours, on_conflict)?;
                let mut moved = moving.node;
                if let Some(plan) = plan {
                    tx.make_way(&owner, plan.replaced, cause).await?;
                    let key = SearchKey::of(plan.name.as_str());
                    let sql =
                        "UPDATE nodes SET parent_id = ?, name = ?, name_key = ?, modified_at = ? WHERE id = ?";
                    let values =
                        values![plan.parent, plan.name.as_str(), key.as_str(), cause.at, plan.node];
                    tx.change(sql, &values).await?;
                    if let Some(from) = present.filter(|from| *from != plan.parent) {
                        tx.count_child(from, kind, -1).await?;
                        tx.count_child(plan.parent, kind, 1).await?;
                    }
                    (moved.parent, moved.name, moved.modified_at) = (Some(plan.parent), plan.name, cause.at);
                }
                tx.answer(cause, Made::Node(moved.id)).await?;
                Ok(moved)
            })
        })
        .await
    }

    /// Copies a node, and all below it, into a folder under a name.
    pub async fn copy(
        &self,
        owner: AccountId,
        node: NodeId,
        folder: NodeId,
        name: &NodeName,
        on_conflict: OnConflict,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("copy", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(owner).await?;
                let source = tx.place(owner.id, node).await?;
                let target = tx.place(owner.id, folder).await?;
                let (below, height) = tx.nodes_below(&source.node).await?;
                let neighbours = tx.neighbours(folder, name, source.node.kind(), on_conflict).await?;
                let moving = source.moving(height, 1 + below.len() as u64);
                let plan = copy(&moving, &below, &target.target(), name, &neighbours, on_conflict)?;
                let top = tx.do_copy(&mut owner, &plan, cause).await?;
                tx.answer(cause, Made::Node(top)).await?;
                tx.node(owner.id, top).await
            })
        })
        .await
    }
}
