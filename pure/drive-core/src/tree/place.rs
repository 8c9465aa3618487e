//! Where something is to go, and what is to go there.

use crate::ids::NodeId;
use crate::node::{Node, NodeKind};
use crate::problem::{Missing, Problem};

/// Folders in folders at most, the root not counted: every walk towards the root is this short.
pub const DEPTH_MAX: usize = 100;

/// Nodes that one request moves to the trash or back, or copies, at most: what one transaction holds.
pub const STEP_NODES_MAX: u64 = 10_000;

/// Where something is to go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The folder.
    pub folder: &'a Node,
    /// The folders it is in, the nearest first, the root last; empty for the root.
    pub ancestors: &'a [NodeId],
}

/// What is to go somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Moving<'a> {
    /// The node.
    pub node: &'a Node,
    /// The folders it is in, the nearest first, the root last.
    pub ancestors: &'a [NodeId],
    /// Folders and files below it, at most, one below another: 0 for a file and for a folder without any.
    pub height: usize,
    /// Nodes in all, itself among them.
    pub nodes: u64,
}

impl Target<'_> {
    /// May something of this height come into it? A folder in the trash is not there.
    pub(super) fn check(&self, height: usize) -> Result<(), Problem> {
        if self.folder.trash.is_some() {
            Err(Problem::NotFound(Missing::Node))
        } else if self.folder.kind() != NodeKind::Folder {
            Err(Problem::NotAFolder)
        } else if self.ancestors.len() + 1 + height > DEPTH_MAX {
            Err(Problem::TooDeep)
        } else {
            Ok(())
        }
    }
}

impl Moving<'_> {
    /// May it go anywhere? A root stays, and what lies in the trash is not there.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.node.is_root() {
            Err(Problem::RootStays)
        } else if self.node.trash.is_some() {
            Err(Problem::NotFound(Missing::Node))
        } else {
            Ok(())
        }
    }

    /// Is the target it, or somewhere in it?
    pub(super) fn holds(&self, target: &Target<'_>) -> bool {
        target.folder.id == self.node.id || target.ancestors.contains(&self.node.id)
    }
}
