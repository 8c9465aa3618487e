//! The trash: deleting, restoring, and removing for good.
//!
//! What is deleted by one request is one entry. Its top node leaves its folder (`parent` becomes none, so its name is
//! free), and it and everything below bear the entry's id, so that lists and searches leave them out without a walk.
//! Contents keep their references, the owner's quota its use. After [`TRASH_RETENTION`], or when its owner says so,
//! an entry is purged, a part at a time.

use std::time::Duration;

use super::conflict::{Neighbours, OnConflict, settle};
use super::place::{Moving, STEP_NODES_MAX, Target};
use crate::content::{ReferenceDelta, add_up};
use crate::ids::{AccountId, NodeId, TrashId};
use crate::node::{Node, NodeKind, NodeName};
use crate::problem::{Missing, Problem};
use crate::quota::Usage;
use crate::size::ByteCount;
use crate::time::UnixMillis;

/// How long an entry is kept, unless it is configured otherwise.
pub const TRASH_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Nodes that one transaction removes for good at most.
pub const PURGE_NODES_MAX: usize = 1_000;

/// An entry of the trash as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashEntry {
    /// Its id.
    pub id: TrashId,
    /// Whose it is.
    pub owner: AccountId,
    /// The top node.
    pub node: NodeId,
    /// The folder it was in. May be gone, or in the trash itself.
    pub from: NodeId,
    /// When it was deleted.
    pub deleted_at: UnixMillis,
    /// When it is purged.
    pub purge_at: UnixMillis,
    /// Purging has begun: it can't be restored any more and is not shown.
    pub purging: bool,
}

/// What deleting makes: an entry is inserted, the node's `parent` becomes none, and it and all below get the entry's
/// id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrashPlan {
    /// The top node.
    pub node: NodeId,
    /// The folder it was in.
    pub from: NodeId,
    /// When it is purged.
    pub purge_at: UnixMillis,
}

/// Deletes a node. Also what is done with a node that is replaced.
pub fn trash(moving: &Moving<'_>, retention: Duration, now: UnixMillis) -> Result<TrashPlan, Problem> {
    moving.check()?;
    if moving.nodes > STEP_NODES_MAX {
        return Err(Problem::TooManyNodes);
    }
    let from = moving.node.parent.ok_or(Problem::RootStays)?;
    Ok(TrashPlan { node: moving.node.id, from, purge_at: now.plus(retention) })
}

/// Where an entry is restored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreTo {
    /// To where it was.
    Back(NodeId),
    /// To the owner's root, because the folder it was in is not there (any more).
    Root(NodeId),
}

impl RestoreTo {
    /// The folder.
    pub const fn folder(self) -> NodeId {
        match self {
            Self::Back(folder) | Self::Root(folder) => folder,
        }
    }
}

/// Where to restore an entry to. `former` is the node that [`TrashEntry::from`] names, if there is one. Folders that
/// were deleted are not made again: they may be in the trash themselves, and be restored as well.
pub fn restore_to(former: Option<&Node>, owner: AccountId, root: NodeId) -> RestoreTo {
    let there =
        former.filter(|node| node.owner == owner && node.trash.is_none() && node.kind() == NodeKind::Folder);
    there.map_or(RestoreTo::Root(root), |node| RestoreTo::Back(node.id))
}

/// What restoring makes: the node gets its folder and name, it and all below lose the entry's id, the entry is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    /// The top node.
    pub node: NodeId,
    /// Its folder from now on.
    pub parent: NodeId,
    /// Its name from now on: numbered, when the old one is taken.
    pub name: NodeName,
}

/// Restores an entry to a folder: that of [`restore_to`], or one that the owner chose. `height` is that of its top
/// node.
pub fn restore(
    entry: &TrashEntry,
    top: &Node,
    height: usize,
    target: &Target<'_>,
    neighbours: &Neighbours,
) -> Result<RestorePlan, Problem> {
    if entry.purging || target.folder.owner != entry.owner {
        return Err(Problem::NotFound(Missing::TrashEntry));
    }
    target.check(height)?;
    let settled = settle(&top.name, top.kind(), neighbours, OnConflict::KeepBoth)?;
    Ok(RestorePlan { node: entry.node, parent: target.folder.id, name: settled.name })
}

/// Is it time to purge?
pub fn is_due(entry: &TrashEntry, now: UnixMillis) -> bool {
    entry.purging || now >= entry.purge_at
}

/// What one transaction of purging makes: the entry is marked (with the first part) or removed (with the last), the
/// nodes are deleted in this order, references and quota go down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgePlan {
    /// The nodes, what is in folders before them.
    pub nodes: Vec<NodeId>,
    /// What they take from contents.
    pub references: Vec<ReferenceDelta>,
    /// What they take from their owner's use.
    pub usage: Usage,
    /// The top node is among them: the entry is removed.
    pub last: bool,
}

/// Purges a part of an entry: up to [`PURGE_NODES_MAX`] of its nodes, what is in folders before them. A crash between
/// two parts leaves an entry that is marked, and the next run goes on.
pub fn purge(entry: &TrashEntry, part: &[Node]) -> Result<PurgePlan, Problem> {
    if part.iter().any(|node| node.trash != Some(entry.id)) {
        return Err(Problem::Contradiction("a node to be purged is not of the entry"));
    }
    let part = &part[..part.len().min(PURGE_NODES_MAX)];
    let contents = || part.iter().filter_map(|node| node.content);
    let bytes = contents().try_fold(ByteCount::ZERO, |sum, content| sum.plus(content.size));
    let bytes = bytes.ok_or(Problem::Contradiction("more bytes than there can be"))?;
    Ok(PurgePlan {
        nodes: part.iter().map(|node| node.id).collect(),
        references: add_up(contents().map(|content| (content.id, -1))),
        usage: Usage { bytes, nodes: part.len() as u64 },
        last: part.iter().any(|node| node.id == entry.node),
    })
}
