//! New folders and files.

use super::conflict::{Neighbours, OnConflict, settle};
use super::place::Target;
use crate::ids::NodeId;
use crate::node::{NodeKind, NodeName};
use crate::problem::Problem;

/// A node to be made. The repository sends what is replaced to the trash, inserts the node, adds to the owner's
/// [`crate::quota::Quota`], and counts the content's reference, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePlan {
    /// The folder it comes into.
    pub parent: NodeId,
    /// Its name.
    pub name: NodeName,
    /// What goes to the trash first ([`super::trash`]).
    pub replaced: Option<NodeId>,
}

/// A new folder or file.
pub fn create(
    target: &Target<'_>,
    name: &NodeName,
    kind: NodeKind,
    neighbours: &Neighbours,
    on_conflict: OnConflict,
) -> Result<CreatePlan, Problem> {
    target.check(0)?;
    let settled = settle(name, kind, neighbours, on_conflict)?;
    Ok(CreatePlan { parent: target.folder.id, name: settled.name, replaced: settled.replaced })
}
