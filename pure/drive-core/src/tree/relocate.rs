//! Renaming and moving: the same node under another name, in another folder, or both.

use super::conflict::{Neighbours, OnConflict, settle};
use super::place::{Moving, Target};
use crate::ids::NodeId;
use crate::node::NodeName;
use crate::problem::{Missing, Problem};

/// Where a node goes. Two columns of one row, whatever lies below; links to it go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelocatePlan {
    /// The node.
    pub node: NodeId,
    /// Its folder from now on.
    pub parent: NodeId,
    /// Its name from now on.
    pub name: NodeName,
    /// What goes to the trash first ([`super::trash`]).
    pub replaced: Option<NodeId>,
}

/// Moves a node to a folder (its own, to rename it) under `name`. None when it is there already. `neighbours` are
/// those in the target.
///
/// The check against going into itself holds only while nobody moves a folder above: the repository lets moves of one
/// account's folders come one after the other, by locking the account's row.
pub fn relocate(
    moving: &Moving<'_>,
    target: &Target<'_>,
    name: &NodeName,
    neighbours: &Neighbours,
    on_conflict: OnConflict,
) -> Result<Option<RelocatePlan>, Problem> {
    moving.check()?;
    if target.folder.owner != moving.node.owner {
        return Err(Problem::NotFound(Missing::Node));
    }
    if moving.holds(target) {
        return Err(Problem::IntoItself);
    }
    target.check(moving.height)?;
    let node = moving.node;
    if node.parent == Some(target.folder.id) && node.name == *name {
        return Ok(None);
    }
    let settled = settle(name, node.kind(), neighbours, on_conflict)?;
    if settled.replaced.is_some_and(|replaced| moving.ancestors.contains(&replaced)) {
        return Err(Problem::ReplacesItsOwnFolder);
    }
    let (parent, name, replaced) = (target.folder.id, settled.name, settled.replaced);
    Ok(Some(RelocatePlan { node: node.id, parent, name, replaced }))
}
