//! Copying: new nodes that refer to the same contents. Nothing is read or written but rows.
//!
//! Saving what a link leads to in one's own drive is this, too; what the caller may see is settled before, by
//! [`crate::access::may`] or [`crate::share::admit`].

use std::collections::BTreeMap;

use super::conflict::{Neighbours, OnConflict, settle};
use super::place::{Moving, STEP_NODES_MAX, Target};
use crate::content::{ReferenceDelta, add_up};
use crate::ids::NodeId;
use crate::node::{FileContent, Node, NodeName};
use crate::problem::Problem;
use crate::quota::Usage;
use crate::size::ByteCount;

/// The folder of a new node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewParent {
    /// One that is there.
    There(NodeId),
    /// The new node at this place of the plan.
    New(usize),
}

/// A node to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// Its folder: one that is there, or an earlier one of the plan.
    pub parent: NewParent,
    /// Its name.
    pub name: NodeName,
    /// Its content; none for a folder.
    pub content: Option<FileContent>,
}

/// What a copy makes, in one transaction: what is replaced goes to the trash, the nodes are inserted in order, the
/// owner's quota grows, references are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPlan {
    /// What goes to the trash first ([`super::trash`]).
    pub replaced: Option<NodeId>,
    /// The nodes, folders before what is in them.
    pub nodes: Vec<NewNode>,
    /// What they add to the use of the target's owner.
    pub usage: Usage,
    /// What they add to contents.
    pub references: Vec<ReferenceDelta>,
}

/// Copies a node and what is below it to a folder under `name`. `below` are the live nodes below it, folders before
/// what is in them; `neighbours` are those in the target.
pub fn copy(
    source: &Moving<'_>,
    below: &[Node],
    target: &Target<'_>,
    name: &NodeName,
    neighbours: &Neighbours,
    on_conflict: OnConflict,
) -> Result<CopyPlan, Problem> {
    source.check()?;
    if source.holds(target) {
        return Err(Problem::IntoItself);
    }
    target.check(source.height)?;
    if 1 + below.len() as u64 > STEP_NODES_MAX {
        return Err(Problem::TooManyNodes);
    }
    let top = source.node;
    let settled = settle(name, top.kind(), neighbours, on_conflict)?;
    match settled.replaced {
        // A copy of something in its own place is nothing.
        Some(replaced) if replaced == top.id => return Err(Problem::NameTaken),
        Some(replaced) if source.ancestors.contains(&replaced) => return Err(Problem::ReplacesItsOwnFolder),
        _ => {}
    }
    let mut places = BTreeMap::from([(top.id, 0)]);
    let mut nodes = vec![NewNode {
        parent: NewParent::There(target.folder.id),
        name: settled.name,
        content: top.content,
    }];
    for node in below {
        let parent = node.parent.and_then(|parent| places.get(&parent).copied());
        let parent = parent.ok_or(Problem::Contradiction("a node below is in no folder below"))?;
        places.insert(node.id, nodes.len());
        nodes.push(NewNode {
            parent: NewParent::New(parent),
            name: node.name.clone(),
            content: node.content,
        });
    }
    let contents = || nodes.iter().filter_map(|node| node.content);
    let bytes = contents().try_fold(ByteCount::ZERO, |sum, content| sum.plus(content.size));
    let usage = Usage { bytes: bytes.ok_or(Problem::QuotaExceeded)?, nodes: nodes.len() as u64 };
    let references = add_up(contents().map(|content| (content.id, 1)));
    Ok(CopyPlan { replaced: settled.replaced, nodes, usage, references })
}
